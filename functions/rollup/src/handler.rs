//! From the queue's batch to the writer, and back to the queue what failed.

use crate::exports::Exports;
use crate::writer::{Report, Writer};
use belfry_domain::ports::Clock;
use belfry_domain::telemetry::part::Part;
use belfry_domain::telemetry::stream::Stream;
use belfry_runtime::events::{Events, SqsMessage};
use belfry_runtime::metrics::{Metrics, Unit};
use belfry_runtime::queue::FifoQueue;
use belfry_store::Table;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The function: one per process, kept between invocations.
pub struct Rollup {
    writer: Writer,
    exports: Exports,
    clock: Arc<dyn Clock>,
}

impl Events for Rollup {
    /// Streams go their own ways; within one, a failure fails the message and all later ones, so
    /// that order is kept.
    async fn messages(&self, messages: Vec<SqsMessage>, metrics: &mut Metrics) -> Vec<String> {
        let mut groups: BTreeMap<String, Vec<SqsMessage>> = BTreeMap::new();
        for message in messages {
            groups.entry(message.group.clone().unwrap_or_default()).or_default().push(message);
        }
        let streams = groups.into_iter().map(|(group, messages)| self.stream(group, messages));
        let mut failed = Vec::new();
        for (report, ids) in futures::future::join_all(streams).await {
            measure(metrics, &report);
            failed.extend(ids);
        }
        let units = self.writer.table().meter().take();
        metrics.add("store.rru", Unit::Count, units.read);
        metrics.add("store.wru", Unit::Count, units.written);
        failed
    }
}

impl Rollup {
    /// Over this table, ringing for SIEM destinations by this queue.
    pub fn new(table: Table, rings: Arc<dyn FifoQueue>, clock: Arc<dyn Clock>) -> Self {
        let exports = Exports::new(rings);
        Self { writer: Writer::new(table, clock.clone()), exports, clock }
    }

    /// The messages of one stream; returns the ids of those that failed.
    async fn stream(&self, group: String, messages: Vec<SqsMessage>) -> (Report, Vec<String>) {
        let ids: Vec<String> = messages.iter().map(|message| message.id.clone()).collect();
        let parts = read(&group, &messages);
        // The first message that cannot be read fails with all behind it.
        let failed = ids.get(parts.len()..).unwrap_or_default().to_vec();
        let Some(stream) = parts.first().map(|part| part.stream) else {
            return (Report::default(), failed);
        };
        match self.writer.write(stream, parts).await {
            Ok(report) => {
                if let Some(next) = report.reached {
                    let (table, now) = (self.writer.table(), self.clock.now());
                    self.exports.tell(table, stream, next, now).await;
                }
                (report, failed)
            }
            Err(error) => {
                tracing::error!(
                    stream = %group,
                    batch.messages = ids.len(),
                    error = belfry_runtime::log::whole(&error),
                    "stream not written"
                );
                (Report::default(), ids)
            }
        }
    }
}

/// The leading messages that can be read as parts of the stream that the group names.
fn read(group: &str, messages: &[SqsMessage]) -> Vec<Part> {
    let Ok(stream) = group.parse::<Stream>() else {
        tracing::error!(stream = %group, "message group names no stream");
        return Vec::new();
    };
    let mut parts = Vec::with_capacity(messages.len());
    for message in messages {
        match Part::from_message(&message.body) {
            Ok(part) if part.stream == stream => parts.push(part),
            Ok(_) => {
                tracing::error!(stream = %group, "message of another stream");
                break;
            }
            Err(error) => {
                tracing::error!(stream = %group, %error, "message not readable");
                break;
            }
        }
    }
    parts
}

fn measure(metrics: &mut Metrics, report: &Report) {
    let mut add = |name, value: u64| {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        metrics.add(name, Unit::Count, value as f64);
    };
    add("batch.events", report.events);
    add("batch.duplicates", report.duplicates);
    add("batch.id_reused", report.reused_ids);
    add("event.unprocessable", report.unprocessable);
    add("chunk.written", report.chunks);
    add("chunk.rolled_forward", report.rolled_forward);
    add("endpoint.states_read", report.states_read);
}
