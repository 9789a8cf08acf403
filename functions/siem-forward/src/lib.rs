//! From the numbered logs to the customer's SIEM. A cursor moves only after the receiver has taken what
//! lies before it.
//!
//! A ring names one destination; the queue's group lets one forwarder at a time work for it, and the
//! revision of its progress keeps a second one from doing harm. A schedule sweeps what a lost ring left
//! behind, and numbers what happened at the doors.

mod deliver;
mod gather;
mod sweep;
mod tell;

use belfry_domain::ports::{Clock, Entropy};
use belfry_runtime::Error;
use belfry_runtime::events::{Events, SqsMessage};
use belfry_runtime::keys::Sealer;
use belfry_runtime::log::whole;
use belfry_runtime::metrics::{Metrics, Unit};
use belfry_runtime::queue::{Doorbell, FifoQueue};
use belfry_runtime::siem::Carrier;
use belfry_runtime::siem_ring::{BadRing, Ring};
use belfry_store::Table;
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub use deliver::Report;

/// What the function is made of.
pub struct App {
    /// The table.
    pub table: Table,
    /// Reaches receivers.
    pub carrier: Arc<dyn Carrier>,
    /// Opens the secrets of destinations.
    pub sealer: Arc<dyn Sealer>,
    /// The queue that it is woken by.
    pub rings: Arc<dyn FifoQueue>,
    /// Rings for the outbox.
    pub bell: Arc<dyn Doorbell>,
    /// What records call their sender: the console's host name.
    pub host: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Events for App {
    /// Rings. One that cannot be answered now is the sweep's: its group is not to wait for it. What is no ring
    /// ends among the dead letters.
    async fn messages(&self, messages: Vec<SqsMessage>, metrics: &mut Metrics) -> Vec<String> {
        let mut rings: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for message in messages {
            rings.entry(message.body).or_default().push(message.id);
        }
        let work =
            rings.into_iter().map(|(text, ids)| async move { (self.answer(&text).await, ids) });
        let mut failed = Vec::new();
        for (report, ids) in join_all(work).await {
            match report {
                Ok(Some(report)) => measure(metrics, &report),
                Ok(None) => metrics.add("siem.not_served", Unit::Count, 1.0),
                Err(BadRing) => failed.extend(ids),
            }
        }
        failed
    }

    /// The schedule's `{"sweep": true}`.
    async fn invoked(&self, input: Value, metrics: &mut Metrics) -> Result<Value, Error> {
        if input != json!({"sweep": true}) {
            return Err("the only input is {\"sweep\": true}".into());
        }
        let swept = self.sweep().await?;
        for (name, value) in [
            ("siem.destinations", swept.destinations),
            ("siem.rung", swept.rung),
            ("siem.numbered", swept.numbered),
            ("siem.sweep_failed", swept.failed),
        ] {
            metrics.add(name, Unit::Count, f64::from(value));
        }
        Ok(json!({"destinations": swept.destinations, "rung": swept.rung,
            "numbered": swept.numbered, "failed": swept.failed}))
    }
}

impl App {
    /// None when the destination could not be served.
    async fn answer(&self, text: &str) -> Result<Option<Report>, BadRing> {
        let ring = text.parse::<Ring>().inspect_err(|_| {
            tracing::error!("a ring that names no destination");
        })?;
        Ok(match self.deliver(ring).await {
            Ok(report) => Some(report),
            Err(error) => {
                tracing::error!(
                    tenant.id = %ring.tenant,
                    destination.id = %ring.destination,
                    cause = whole(&error),
                    "destination not served"
                );
                None
            }
        })
    }
}

fn measure(metrics: &mut Metrics, report: &Report) {
    let mut add = |name, unit, value: u64| {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        metrics.add(name, unit, value as f64);
    };
    add("siem.confirmed", Unit::Count, report.confirmed);
    add("siem.refused", Unit::Count, report.refused);
    add("siem.unknown", Unit::Count, report.unknown);
    add("siem.bytes", Unit::Bytes, report.bytes);
    add("siem.abrupt", Unit::Count, report.abrupt);
    add("siem.troubles", Unit::Count, report.troubles);
    add("siem.expired", Unit::Count, report.expired);
}
