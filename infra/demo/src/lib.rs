//! Demo telemetry: what the point products of a fictional company would have posted in the last
//! 60 days, and an [`oracle`] that says what the dashboard must show of it.
//!
//! The same (seed, now, scale) always gives the same bytes, so that a figure on a screen can be
//! recomputed elsewhere. The oracle reads the posted bodies only; it shares no code with the
//! product and knows nothing of how the generator came to them.

mod catalog;
mod fleet;
pub mod oracle;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use fleet::{Event, Fleet};

/// The four products, as the API names them.
pub const PRODUCTS: [&str; 4] = ["EPP", "EMM", "DATA_PRIVACY", "ZTNA"];

/// Events in one batch, at most.
pub const MAX_BATCH_EVENTS: usize = 1_000;

/// A batch that holds an event older than this needs a history credential. One day less than the
/// 30 that `POST /telemetry` takes from an ordinary one, so that sending may take its time.
pub const ORDINARY_AGE_DAYS: i64 = 29;

/// Every how manyth batch is posted a second time under the same `Idempotency-Key`.
const REPEAT_EVERY: usize = 7;

const DAY_MS: i64 = 86_400_000;

/// How much telemetry to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// Endpoints present under EPP and EMM at the end; the other two products are on a part of
    /// them, and some more have come and gone.
    pub endpoints: u32,
    /// Distinct events, repeated batches not counted; at least [`Scale::EVENTS_PER_ENDPOINT`] for
    /// each endpoint.
    pub events: u32,
    /// Days before `now` in which they happened; at least 35, so that no period stays empty.
    pub days: u16,
}

impl Scale {
    /// What an endpoint's arrival, life and leaving take at least.
    pub const EVENTS_PER_ENDPOINT: u32 = 8;

    /// The demo: a company that looks real, sent in about a minute.
    pub const FULL: Self = Self { endpoints: 2_500, events: 40_000, days: 60 };

    /// For tests: every kind of event and every period, sent in seconds.
    pub const SMALL: Self = Self { endpoints: 120, events: 1_600, days: 45 };

    /// The same with every figure raised to its least.
    fn sane(self) -> Self {
        let events = self.events.max(self.endpoints.saturating_mul(Self::EVENTS_PER_ENDPOINT));
        Self { endpoints: self.endpoints.max(20), events: events.max(200), days: self.days.max(35) }
    }
}

/// One `POST /telemetry`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Whose credential it is sent with: one of [`PRODUCTS`].
    pub product: &'static str,
    /// Whether that must be a history credential (events older than [`ORDINARY_AGE_DAYS`]).
    pub history: bool,
    /// The batch id; a repeated batch has that of the first.
    pub idempotency_key: String,
    /// A CloudEvents batch (JSON array), at most [`MAX_BATCH_EVENTS`] events.
    pub body: Vec<u8>,
    /// Events in `body`.
    pub events: usize,
}

/// The telemetry of one company.
#[derive(Debug, Clone)]
pub struct Demo {
    batches: Vec<Batch>,
}

impl Demo {
    /// Everything that happened in the `scale.days` days before `now`; the latest event is at
    /// least two minutes before it.
    pub fn new(seed: u64, now: Timestamp, scale: Scale) -> Self {
        let events = Fleet::new(seed, now, scale.sane()).live();
        let tag = format!("demo-{seed:x}-{:x}", now.as_second());
        let mut first_posts: Vec<(i64, Batch)> = PRODUCTS
            .iter()
            .flat_map(|product| {
                let of_product = events.iter().filter(|event| event.product == *product).collect();
                batches_of(product, &tag, now, of_product)
            })
            .collect();
        first_posts.sort_by(|(a, x), (b, y)| (a, &x.idempotency_key).cmp(&(b, &y.idempotency_key)));
        Self { batches: with_repeats(first_posts.into_iter().map(|(_, batch)| batch).collect()) }
    }

    /// The batches in the order in which they are sent. Those of one product must keep it; the
    /// products may run beside each other.
    pub fn batches(&self) -> impl ExactSizeIterator<Item = &Batch> {
        self.batches.iter()
    }

    /// Distinct events: those of repeated batches once.
    pub fn events(&self) -> usize {
        let mut seen = BTreeSet::new();
        self.batches.iter().filter(|b| seen.insert(&b.idempotency_key)).map(|b| b.events).sum()
    }

    /// What the endpoint answers for these batches must come to, all of them received at
    /// `received_at`.
    ///
    /// # Errors
    /// Never for the generator's own batches; see [`oracle::Oracle::read`].
    pub fn oracle(&self, received_at: Timestamp) -> Result<oracle::Oracle, oracle::Unreadable> {
        let mut oracle = oracle::Oracle::default();
        for batch in &self.batches {
            oracle.read(batch.product, &batch.idempotency_key, &batch.body, received_at)?;
        }
        Ok(oracle)
    }
}

/// One product's events, cut into batches in the order of their sending, with the time of sending.
fn batches_of(
    product: &'static str,
    tag: &str,
    now: Timestamp,
    mut events: Vec<&Event>,
) -> Vec<(i64, Batch)> {
    let ordinary_from = now.as_millisecond() - ORDINARY_AGE_DAYS * DAY_MS;
    events.sort_by_key(|event| (event.sent, event.time, event.id));
    let (history, ordinary): (Vec<_>, Vec<_>) =
        events.into_iter().partition(|event| event.time < ordinary_from);
    [(true, history), (false, ordinary)]
        .into_iter()
        .flat_map(|(history, events)| {
            events
                .chunks(MAX_BATCH_EVENTS)
                .map(|chunk| (history, chunk.to_vec()))
                .collect::<Vec<_>>()
        })
        .enumerate()
        .map(|(number, (history, events))| {
            let sent = events.first().map_or(0, |event| event.sent);
            let idempotency_key = format!("{tag}-{product}-{number:04}");
            let array: Vec<Value> = events.iter().map(|event| cloud_event(event)).collect();
            let body = Value::Array(array).to_string().into_bytes();
            (sent, Batch { product, history, idempotency_key, body, events: events.len() })
        })
        .collect()
}

/// A sender that lost an answer asks again: some batches follow a second time, at once or after
/// the next ones.
fn with_repeats(batches: Vec<Batch>) -> Vec<Batch> {
    let mut sent = Vec::with_capacity(batches.len() + batches.len() / REPEAT_EVERY + 1);
    let mut held: Option<Batch> = None;
    for (number, batch) in batches.into_iter().enumerate() {
        let again = (number % REPEAT_EVERY == 1).then(|| batch.clone());
        sent.push(batch);
        sent.extend(held.take());
        if number % (2 * REPEAT_EVERY) == 1 {
            sent.extend(again);
        } else {
            held = again;
        }
    }
    sent.extend(held);
    sent
}

fn cloud_event(event: &Event) -> Value {
    json!({
        "specversion": "1.0",
        "id": event.id.to_string(),
        "source": format!("/demo/{}/1", event.product.to_ascii_lowercase()),
        "type": event.kind,
        "time": text(event.time),
        "datacontenttype": "application/json",
        "data": event.data,
    })
}

/// RFC 3339 in UTC, with milliseconds.
fn text(millis: i64) -> String {
    Timestamp::from_millisecond(millis)
        .map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

#[cfg(test)]
mod tests;
