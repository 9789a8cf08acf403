//! One destination: read, send, wait for the confirmation, move the cursor; again, until nothing waits.

use crate::App;
use crate::gather::{Batch, gather};
use belfry_domain::siem::destination::{Destination, Secrets};
use belfry_domain::siem::format::Renderer;
use belfry_domain::siem::progress::{Fault, Progress, Spans, Verdict};
use belfry_domain::siem::record::StreamName;
use belfry_runtime::keys::SealError;
use belfry_runtime::log::whole;
use belfry_runtime::outbound::Trace;
use belfry_runtime::post;
use belfry_runtime::siem::{Outcome, Parcel, Refusal, Trouble, open_secrets};
use belfry_runtime::siem_ring::{Ring, ring};
use belfry_store::StoreError;
use belfry_store::siem::Parked;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

/// After so long no other batch is begun: one may take [`LONGEST`], and the function has 60 s.
const WORK: SignedDuration = SignedDuration::from_secs(10);

/// After so long a delivery is given up, whatever its receiver does.
const LONGEST: Duration = Duration::from_secs(40);

/// What a ring came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Records that the receiver confirmed.
    pub confirmed: u64,
    /// Records that were parked.
    pub refused: u64,
    /// Records that go again.
    pub unknown: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// Connections that ended as TLS does not want it.
    pub abrupt: u64,
    /// Deliveries that ended early.
    pub troubles: u64,
    /// Records that the log had dropped before they could be sent.
    pub expired: u64,
}

/// Why a destination was not served. Nothing is lost: its cursors have not moved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotServed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Secrets(#[from] SealError),
}

impl App {
    /// Delivers what waits for a destination, if it is on and due. A second forwarder may send the same
    /// records once more, never fewer.
    pub(crate) async fn deliver(&self, of: Ring) -> Result<Report, NotServed> {
        let (began, mut report, mut secrets) = (self.clock.now(), Report::default(), None);
        let mut again = None;
        loop {
            let now = self.clock.now();
            let Some((destination, progress)) =
                self.table.destination(of.tenant, of.destination).await?
            else {
                return Ok(report);
            };
            let version = destination.version;
            if !destination.is_delivered_to() || !progress.is_due(version, now) {
                return Ok(report);
            }
            let ends = self.table.stream_ends(of.tenant).await?;
            let Some((spans, replay)) = next(&progress, &ends) else { return Ok(report) };
            if now.duration_since(began) >= WORK {
                // The next one goes on; this one's time is over.
                ring(self.rings.as_ref(), [of], &format!("on-{}", progress.revision)).await;
                return Ok(report);
            }
            // Somebody else moves it, or everybody's reads fail: the sweep looks again.
            if again.replace(progress.revision) == Some(progress.revision) {
                return Ok(report);
            }
            let settings = &destination.settings;
            let turn = (progress.revision, now);
            let batch = gather(&self.table, of.tenant, settings, &spans, turn).await?;
            let opened = match secrets.take() {
                Some((opened, of_version)) if of_version == version => Ok(opened),
                _ => open_secrets(self.sealer.as_ref(), &destination).await,
            };
            let pace = usize::try_from(progress.pace).unwrap_or(1).max(1);
            let sent = match opened {
                Ok(opened) => {
                    let sent = self.send(&destination, &opened, &batch, pace).await;
                    secrets = Some((opened, version));
                    sent
                }
                Err(SealError::Damaged(_)) => untouched(&batch, secrets_damaged()),
                Err(error) => return Err(error.into()),
            };
            self.settle(&destination, progress, (batch, sent, replay), &ends, &mut report).await?;
        }
    }

    async fn send(
        &self,
        destination: &Destination,
        secrets: &Secrets,
        batch: &Batch,
        pace: usize,
    ) -> Outcome {
        if batch.records.is_empty() {
            return Outcome::default();
        }
        let settings = &destination.settings;
        let renderer = &Renderer { format: settings.format, host: self.host.clone() };
        let records = &batch.records;
        let parcel = Parcel { id: destination.id, settings, secrets, renderer, records, pace };
        let mut trace = Trace::new(self.clock.clone());
        let carried = timeout(LONGEST, self.carrier.carry(parcel, &mut trace)).await;
        carried.unwrap_or_else(|_| {
            let detail = "The receiver took too long.".to_owned();
            untouched(batch, Trouble { code: "timeout", detail, lasting: false, wish: None })
        })
    }

    /// Writes down what became of a batch: first what was parked, then how far the destination is, with
    /// the mails that tell of it. Nothing when somebody else was faster: then the same records go again.
    async fn settle(
        &self,
        destination: &Destination,
        mut progress: Progress,
        (batch, sent, replay): (Batch, Outcome, bool),
        ends: &BTreeMap<StreamName, u64>,
        report: &mut Report,
    ) -> Result<(), NotServed> {
        let (tenant, id, now) = (destination.tenant, destination.id, self.clock.now());
        let verdicts = verdicts(&batch, &sent);
        let settled = |wanted| verdicts.iter().filter(|(.., verdict)| *verdict == wanted).count();
        let parked = parked(&batch, &sent.refusals, &verdicts, now);
        if !parked.is_empty() && !replay {
            self.table.park(tenant, id, &parked, now).await?;
        }
        if replay {
            progress.settle_replay(&batch.reads, &verdicts);
        } else {
            progress.settle(&batch.reads, &verdicts);
        }
        progress.sent += count(sent.verdicts.len());
        let expired: u64 = batch.reads.iter().map(|read| read.expired).sum();
        if expired > 0 && !replay {
            report.expired += expired;
            tracing::error!(tenant.id = %tenant, destination.id = %id, siem.expired = expired, "lost");
        }
        let some = settled(Verdict::Confirmed) > 0;
        // Where nothing was to be sent, nothing was tried.
        if !sent.verdicts.is_empty() {
            progress.tried_version = destination.version;
        }
        let notice = match sent.trouble {
            Some(trouble) => {
                report.troubles += 1;
                let Trouble { code, detail, lasting, wish } = trouble;
                tracing::warn!(
                    tenant.id = %tenant,
                    destination.id = %id,
                    siem.trouble = code,
                    siem.lasting = lasting,
                    siem.records = sent.verdicts.len(),
                    "not delivered"
                );
                let fault = Fault { code: code.to_owned(), detail, at: now };
                if some {
                    progress.moved(now);
                }
                if lasting {
                    progress.suspended(fault)
                } else {
                    progress.failed(fault, wish, self.entropy.as_ref())
                }
            }
            None if some => progress.succeeded(now),
            None => None,
        };
        report.confirmed += count(settled(Verdict::Confirmed));
        report.refused += count(settled(Verdict::Parked));
        report.unknown += count(settled(Verdict::Unknown));
        report.bytes += sent.bytes;
        report.abrupt += u64::from(sent.abrupt);
        let (ids, mails): (Vec<_>, Vec<_>) = match notice {
            Some(notice) => match self.mails(destination, &progress, notice, ends, now).await {
                // What is damaged is no reason to send everything again.
                Err(error @ StoreError::Corrupt { .. }) => {
                    let cause = whole(&error);
                    tracing::error!(tenant.id = %tenant, destination.id = %id, cause, "nobody told");
                    Vec::new()
                }
                mails => mails?,
            },
            None => Vec::new(),
        }
        .into_iter()
        .unzip();
        if self.table.keep_progress(tenant, id, &progress, mails, self.entropy.as_ref()).await? {
            for id in ids {
                post::ring(self.bell.as_ref(), id).await;
            }
        } else {
            tracing::info!(tenant.id = %tenant, destination.id = %id, "somebody else was faster");
        }
        Ok(())
    }
}

/// What only the administrator can mend.
fn secrets_damaged() -> Trouble {
    Trouble {
        code: "secrets_damaged",
        detail: "The secrets cannot be opened any longer; give them again.".to_owned(),
        lasting: true,
        wish: None,
    }
}

/// Nothing is known of any record.
fn untouched(batch: &Batch, trouble: Trouble) -> Outcome {
    let verdicts = vec![Verdict::Unknown; batch.records.len()];
    Outcome { verdicts, trouble: Some(trouble), ..Outcome::default() }
}

/// What is to be sent next, and whether it was sent before: where both wait, by turns.
fn next(progress: &Progress, ends: &BTreeMap<StreamName, u64>) -> Option<(Spans, bool)> {
    let (new, old) = (progress.waiting(ends), progress.again());
    let replay = match (new.is_empty(), old.is_empty()) {
        (true, true) => return None,
        (false, false) => progress.revision % 2 == 1,
        (none, _) => none,
    };
    Some(if replay { (old, true) } else { (new, false) })
}

/// What became of each record, in the order of each stream: of what could not be read as well. What lies
/// behind a record of its stream that goes again, goes again too.
fn verdicts(batch: &Batch, sent: &Outcome) -> Vec<(StreamName, u64, Verdict)> {
    let unread =
        batch.unreadable.iter().map(|parked| (parked.stream, parked.sequence, Verdict::Parked));
    // A carrier that says nothing of a record has not delivered it.
    let said = sent.verdicts.iter().copied().chain(std::iter::repeat(Verdict::Unknown));
    let sent = batch.records.iter().zip(said);
    let sent = sent.map(|(record, verdict)| (record.stream, record.sequence, verdict));
    let mut all: Vec<_> = unread.chain(sent).collect();
    all.sort_by_key(|(stream, sequence, _)| (*stream, *sequence));
    let mut held = None;
    for (stream, _, verdict) in &mut all {
        if held == Some(*stream) {
            *verdict = Verdict::Unknown;
        } else if *verdict == Verdict::Unknown {
            held = Some(*stream);
        }
    }
    all
}

/// What is put aside, of what is settled.
fn parked(
    batch: &Batch,
    refusals: &[Refusal],
    verdicts: &[(StreamName, u64, Verdict)],
    now: Timestamp,
) -> Vec<Parked> {
    let refused = refusals.iter().filter_map(|refusal| {
        let record = batch.records.get(refusal.index)?;
        Some(Parked {
            stream: record.stream,
            sequence: record.sequence,
            id: Some(record.id().into_owned()),
            code: refusal.code.to_owned(),
            detail: refusal.detail.clone(),
            at: now,
        })
    });
    let all = batch.unreadable.iter().cloned().chain(refused);
    let settled = |parked: &Parked| {
        let place = |(stream, sequence, _): &(StreamName, u64, Verdict)| (*stream, *sequence);
        let at = verdicts.binary_search_by_key(&(parked.stream, parked.sequence), place);
        at.is_ok_and(|at| verdicts.get(at).is_some_and(|said| said.2 == Verdict::Parked))
    };
    all.filter(settled).collect()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
