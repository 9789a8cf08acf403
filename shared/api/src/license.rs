//! Licences as clients see them.

use crate::answer::time;
use belfry_domain::license::{HistoryEntry, License};
use belfry_domain::product::Product;
use jiff::Timestamp;
use serde::Serialize;

/// A licence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LicenseView {
    /// Which product.
    pub product: Product,
    /// What to quote.
    pub product_key: String,
    /// Edition.
    pub edition: String,
    /// `trial` or `commercial`.
    pub kind: &'static str,
    /// `active`, `grace`, `expired` or `revoked`.
    pub state: &'static str,
    /// First instant of the term.
    pub starts_at: String,
    /// End of the term.
    pub ends_at: String,
    /// From when on telemetry is refused.
    pub accepted_until: String,
    /// Endpoints it covers.
    pub seats: u32,
    /// Endpoints that are there.
    pub used: u64,
    /// Whether there are more than it covers.
    pub over: bool,
    /// What happened to it, the latest first.
    pub history: Vec<HistoryView>,
}

/// A line of its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryView {
    at: String,
    change: &'static str,
    kind: &'static str,
    edition: String,
    seats: u32,
    ends_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    activation_key_id: Option<String>,
}

impl From<&HistoryEntry> for HistoryView {
    fn from(entry: &HistoryEntry) -> Self {
        Self {
            at: time(entry.at),
            change: entry.change.name(),
            kind: entry.kind.name(),
            edition: entry.edition.as_str().to_owned(),
            seats: entry.seats,
            ends_at: time(entry.ends_at),
            activation_key_id: entry.activation_key.map(|id| id.to_string()),
        }
    }
}

impl LicenseView {
    /// At `now`, with so many seats used.
    pub fn new(license: &License, used: u64, now: Timestamp) -> Self {
        Self {
            product: license.product,
            product_key: license.product_key.to_string(),
            edition: license.edition.as_str().to_owned(),
            kind: license.kind.name(),
            state: license.state(now).name(),
            starts_at: time(license.starts_at),
            ends_at: time(license.ends_at),
            accepted_until: time(license.accepted_until()),
            seats: license.seats,
            used,
            over: license.is_over(used),
            history: license.history.iter().rev().map(HistoryView::from).collect(),
        }
    }
}
