//! What is to be sent next.

use belfry_domain::id::TenantId;
use belfry_domain::siem::destination::Settings;
use belfry_domain::siem::progress::{Read, Spans};
use belfry_domain::siem::record::Record;
use belfry_runtime::log::whole;
use belfry_store::siem::Parked;
use belfry_store::{StoreError, Table};
use jiff::Timestamp;

/// Records of one batch, as far as whole reads of the log allow: some megabytes on the wire, which a
/// receiver takes within the time of one connection.
const MOST_RECORDS: usize = 10_000;

/// What is to be sent in one go.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// How far each stream was read.
    pub(crate) reads: Vec<Read>,
    /// What is to be sent, each stream's in its order.
    pub(crate) records: Vec<Record>,
    /// What cannot be sent, as it cannot be read.
    pub(crate) unreadable: Vec<Parked>,
}

/// Reads the next records of every stream, one read each, beginning with another one each `turn`, until
/// the batch is full. A stream that cannot be read keeps nobody from the others.
///
/// # Errors
/// [`StoreError`] when nothing could be read.
pub(crate) async fn gather(
    table: &Table,
    tenant: TenantId,
    settings: &Settings,
    spans: &Spans,
    (turn, now): (u64, Timestamp),
) -> Result<Batch, StoreError> {
    let mut batch = Batch::default();
    let mut failed = None;
    let count = spans.len();
    let first = usize::try_from(turn).unwrap_or(0).checked_rem(count).unwrap_or(0);
    for (stream, span) in spans.iter().cycle().skip(first).take(count) {
        let page = match table.log_page(tenant, *stream, *span).await {
            Ok(page) => page,
            Err(error) => {
                let cause = whole(&error);
                tracing::error!(tenant.id = %tenant, stream = %stream, cause, "log not read");
                failed = Some(error);
                continue;
            }
        };
        batch.reads.push(Read { stream: *stream, to: page.to, expired: page.expired });
        for entry in page.entries {
            match entry.record {
                Some(record) if settings.selects(&record) => batch.records.push(record),
                Some(_) => {}
                None => batch.unreadable.push(Parked {
                    stream: *stream,
                    sequence: entry.sequence,
                    id: None,
                    code: "unreadable".to_owned(),
                    detail: "The record cannot be read.".to_owned(),
                    at: now,
                }),
            }
        }
        if batch.records.len() >= MOST_RECORDS {
            break;
        }
    }
    match failed {
        Some(error) if batch.reads.is_empty() => Err(error),
        _ => Ok(batch),
    }
}
