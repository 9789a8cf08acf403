//! One entry: take it, deliver it, settle it.

use crate::App;
use belfry_domain::id::OutboxId;
use belfry_domain::mail::{LinkMismatch, Mail};
use belfry_domain::outbox::{Next, OutboxEntry, Outgoing};
use belfry_runtime::keys::SealError;
use belfry_runtime::log::whole;
use belfry_runtime::mail::MailError;
use belfry_runtime::queue::{FifoMessage, QueueUnavailable};
use belfry_store::StoreError;

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It left.
    Delivered,
    /// It will be tried again.
    Postponed,
    /// It never will be delivered and lies aside.
    Parked,
    /// It was not ours to take: delivered already, held by another worker, or not due.
    NotDue,
}

impl Outcome {
    /// The metric that counts it.
    pub const fn metric(self) -> &'static str {
        match self {
            Self::Delivered => "outbox.delivered",
            Self::Postponed => "outbox.postponed",
            Self::Parked => "outbox.parked",
            Self::NotDue => "outbox.not_due",
        }
    }
}

/// Why an entry did not leave. It is logged with its causes: none of them holds an address or a link.
#[derive(Debug, thiserror::Error)]
enum Undelivered {
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error(transparent)]
    Link(#[from] SealError),
    #[error("the link is not text")]
    Text(#[from] std::string::FromUtf8Error),
    #[error(transparent)]
    Mismatch(#[from] LinkMismatch),
    #[error(transparent)]
    Queue(#[from] QueueUnavailable),
}

impl Undelivered {
    /// The code under which an entry that no later try can deliver is parked.
    const fn lasting(&self) -> Option<&'static str> {
        match self {
            Self::Mail(MailError::Refused(_)) => Some("mail_refused"),
            Self::Link(SealError::Damaged(_)) | Self::Text(_) => Some("link_damaged"),
            Self::Mismatch(_) => Some("link_mismatch"),
            Self::Mail(MailError::Unavailable(_))
            | Self::Link(SealError::Unavailable(_))
            | Self::Queue(_) => None,
        }
    }
}

impl App {
    /// Delivers an entry if it is due. When this dies after the entry left and before it was
    /// removed, the entry leaves once more after its lease: at least once, never lost.
    pub(crate) async fn deliver(&self, id: OutboxId) -> Result<Outcome, StoreError> {
        let Some(claim) = self.table.claim_outbox(id, self.clock.now()).await? else {
            return Ok(Outcome::NotDue);
        };
        let Err(error) = self.send(claim.entry()).await else {
            self.table.complete_outbox(claim).await?;
            return Ok(Outcome::Delivered);
        };
        let attempts = claim.entry().attempts;
        let now = self.clock.now();
        let why = match (error.lasting(), claim.entry().after_failure(now)) {
            (None, Next::Retry(at)) => {
                let cause = whole(&error);
                tracing::warn!(outbox.id = %id, outbox.attempts = attempts, cause, "postponed");
                self.table.reschedule_outbox(claim, at).await?;
                return Ok(Outcome::Postponed);
            }
            (None, Next::GiveUp) => "given_up",
            (Some(why), _) => why,
        };
        let cause = whole(&error);
        tracing::error!(outbox.id = %id, outbox.attempts = attempts, why, cause, "parked");
        self.table.park_outbox(claim, why, now).await?;
        Ok(Outcome::Parked)
    }

    async fn send(&self, entry: &OutboxEntry) -> Result<(), Undelivered> {
        match &entry.outgoing {
            Outgoing::Mail(mail) => self.send_mail(entry.id, mail).await,
            Outgoing::Nothing => Ok(()),
            Outgoing::Telemetry { group, deduplication, body } => {
                let message = FifoMessage {
                    group: group.clone(),
                    deduplication: deduplication.clone(),
                    body: body.clone(),
                };
                Ok(self.telemetry.send(&[message]).await?)
            }
        }
    }

    async fn send_mail(&self, id: OutboxId, mail: &Mail) -> Result<(), Undelivered> {
        let link = match &mail.sealed_link {
            Some(sealed) => Some(self.open_link(id, sealed).await?),
            None => None,
        };
        Ok(self.mailer.send(&mail.to, &mail.render(link.as_deref())?).await?)
    }

    async fn open_link(&self, id: OutboxId, sealed: &[u8]) -> Result<String, Undelivered> {
        let id = id.to_string();
        let context = [("purpose", "mail-link"), ("outbox", id.as_str())];
        Ok(String::from_utf8(self.sealer.open(sealed, &context).await?)?)
    }
}
