//! Mail: delivers what the outbox holds. A ring names one entry; a schedule sweeps what a lost ring
//! left behind. Both only take entries that are due, so they do not deliver one twice.

mod deliver;
mod sweep;

use belfry_domain::id::OutboxId;
use belfry_domain::ports::Clock;
use belfry_runtime::Error;
use belfry_runtime::events::{Events, SqsMessage};
use belfry_runtime::keys::Sealer;
use belfry_runtime::mail::Mailer;
use belfry_runtime::metrics::{Metrics, Unit};
use belfry_runtime::queue::FifoQueue;
use belfry_store::Table;
use futures::future::join_all;
use serde_json::{Value, json};

pub use deliver::Outcome;

/// What the function is made of.
pub struct App {
    /// The table with the outbox.
    pub table: Table,
    /// Sends mail.
    pub mailer: Box<dyn Mailer>,
    /// Opens the links of mails.
    pub sealer: Box<dyn Sealer>,
    /// The telemetry queue.
    pub telemetry: Box<dyn FifoQueue>,
    /// Tells the time.
    pub clock: Box<dyn Clock>,
}

impl Events for App {
    /// Rings: each text is an outbox id. Only what could not be looked at comes again; a delivery
    /// that failed is the sweep's.
    async fn messages(&self, rings: Vec<SqsMessage>, metrics: &mut Metrics) -> Vec<String> {
        let outcomes = join_all(rings.iter().map(|ring| self.answer(ring))).await;
        let mut failed = Vec::new();
        for (ring, outcome) in rings.into_iter().zip(outcomes) {
            match outcome {
                Some(outcome) => metrics.add(outcome.metric(), Unit::Count, 1.0),
                None => failed.push(ring.id),
            }
        }
        failed
    }

    /// The schedule's `{"sweep": true}`.
    async fn invoked(&self, input: Value, metrics: &mut Metrics) -> Result<Value, Error> {
        if input != json!({"sweep": true}) {
            return Err("the only input is {\"sweep\": true}".into());
        }
        let outcomes = self.sweep().await?;
        for outcome in &outcomes {
            metrics.add(outcome.metric(), Unit::Count, 1.0);
        }
        Ok(json!({"taken": outcomes.len()}))
    }
}

impl App {
    /// None when the ring has to come again.
    async fn answer(&self, ring: &SqsMessage) -> Option<Outcome> {
        let Ok(id) = ring.body.parse::<OutboxId>() else {
            // Nobody of ours sends such a ring: let it end among the dead letters.
            tracing::error!(message.id = ring.id, "a ring that names no outbox entry");
            return None;
        };
        match self.deliver(id).await {
            Ok(outcome) => Some(outcome),
            Err(error) => {
                tracing::error!(outbox.id = %id, cause = ?error, "outbox not readable");
                None
            }
        }
    }
}
