//! What the dashboard must show, worked out from the posted bodies alone.
//!
//! Slow and plain on purpose: it keeps every event and computes every answer from all of them, so
//! that it can be checked by reading it next to the rules. It judges nothing: give it only events
//! that `POST /telemetry` accepts.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

const DAY_MS: i64 = 86_400_000;

/// The dashboard's periods by their names in the API, each with its ages in days (today is 0).
pub const PERIODS: [(&str, RangeInclusive<i64>); 5] = [
    ("0-2d", 0..=2),
    ("3-6d", 3..=6),
    ("7-14d", 7..=14),
    ("15-29d", 15..=29),
    ("30d+", 30..=i64::MAX),
];

/// Top lists look at today and the six days before.
const TOP_DAYS: RangeInclusive<i64> = 0..=6;

/// The dashboard's endpoints are those of these two.
const ON_DASHBOARD: [&str; 2] = ["EPP", "EMM"];

/// A posted body that is not a batch of events, each with a type and a time.
#[derive(Debug)]
pub struct Unreadable;

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body is not a JSON array of events with type and time")
    }
}

impl std::error::Error for Unreadable {}

/// An event as it was posted.
#[derive(Debug, Clone)]
struct Posted {
    product: String,
    kind: String,
    /// The earlier of its own time and its receipt, in milliseconds since the epoch.
    at: i64,
    data: Value,
}

impl Posted {
    fn day(&self) -> i64 {
        self.at.div_euclid(DAY_MS)
    }

    /// An attribute of `data` as text; empty when it is not there.
    fn text(&self, pointer: &str) -> String {
        self.data.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// What `GET /endpoints` must know of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The product that reported it.
    pub product: String,
    /// Its id, unique within the product.
    pub id: String,
    /// `computer` or `mobile`.
    pub kind: String,
    /// Its name, when a status has given one.
    pub name: Option<String>,
    /// Its system; `unknown` until a status has come.
    pub os: String,
    /// Its system's version; empty until a status has come.
    pub os_version: String,
    /// Its agent's version; empty until a status has come.
    pub agent_version: String,
    /// UTC day of the latest contact since the last removal, in days since the epoch.
    pub last_contact: i64,
    /// UTC days of the latest detection and violations since the last removal.
    pub last_infection: Option<i64>,
    /// See `last_infection`.
    pub last_policy_violation: Option<i64>,
    /// See `last_infection`.
    pub last_application_violation: Option<i64>,
    /// Whether its last detection is later than its last cleaning, to the millisecond.
    pub infected: bool,
    /// Whether nothing has come since its last removal. Such a one is on no list; its other
    /// fields tell of the removal itself.
    pub removed: bool,
}

/// All events of one tenant in the order of their posting.
#[derive(Debug, Clone, Default)]
pub struct Oracle {
    events: Vec<Posted>,
    /// Batches already read: (product, batch id, body).
    read: BTreeSet<(String, String, Vec<u8>)>,
}

impl Oracle {
    /// Takes a batch as it was posted. The same body under the same batch id counts once.
    ///
    /// # Errors
    /// [`Unreadable`] when `body` is not a JSON array of events with type and time; nothing of it
    /// is taken then.
    pub fn read(
        &mut self,
        product: &str,
        batch_id: &str,
        body: &[u8],
        received_at: Timestamp,
    ) -> Result<(), Unreadable> {
        let events: Vec<Value> = serde_json::from_slice(body).map_err(|_| Unreadable)?;
        let events: Option<Vec<Posted>> = events
            .into_iter()
            .map(|mut event| {
                let time: Timestamp = event.get("time")?.as_str()?.parse().ok()?;
                Some(Posted {
                    product: product.to_owned(),
                    kind: event.get("type")?.as_str()?.to_owned(),
                    at: time.min(received_at).as_millisecond(),
                    data: event.get_mut("data")?.take(),
                })
            })
            .collect();
        let events = events.ok_or(Unreadable)?;
        if self.read.insert((product.to_owned(), batch_id.to_owned(), body.to_vec())) {
            self.events.extend(events);
        }
        Ok(())
    }

    /// Every endpoint ever named, by product and id; the removed ones too.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let mut events_of: BTreeMap<(String, String), Vec<&Posted>> = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.data.get("endpoint").is_some()) {
            let name = (event.product.clone(), event.text("/endpoint/id"));
            events_of.entry(name).or_default().push(event);
        }
        events_of.into_iter().map(|((product, id), events)| fold(product, id, events)).collect()
    }

    /// What `GET /dashboard?period=` must answer at `now`, all but `data_as_of`. Rows of systems
    /// and agents are in the order of their names, which the API leaves open; see [`in_order`].
    ///
    /// `null` for a period that is not one of [`PERIODS`].
    pub fn dashboard(&self, period: &str, now: Timestamp) -> Value {
        let Some((_, ages)) = PERIODS.into_iter().find(|(name, _)| *name == period) else {
            return Value::Null;
        };
        let today = now.as_millisecond().div_euclid(DAY_MS);
        let on_dashboard = |product: &str| ON_DASHBOARD.contains(&product);
        let within = |day: i64| ages.contains(&(today - day));

        let mut present = self.endpoints();
        present.retain(|endpoint| !endpoint.removed && on_dashboard(&endpoint.product));
        let by_kind = |chosen: &dyn Fn(&Endpoint) -> bool| {
            let of = |kind: &str| present.iter().filter(|e| e.kind == kind && chosen(e)).count();
            json!({"computers": of("computer"), "mobiles": of("mobile")})
        };
        let number =
            |chosen: &dyn Fn(&Endpoint) -> bool| present.iter().filter(|e| chosen(e)).count();
        let violations = |kind: &str, last: &dyn Fn(&Endpoint) -> Option<i64>| {
            let events = self.events.iter().filter(|event| {
                event.kind == kind && on_dashboard(&event.product) && within(event.day())
            });
            json!({"endpoints": number(&|e| last(e).is_some_and(within)), "events": events.count()})
        };
        let ageing = |last: &dyn Fn(&Endpoint) -> Option<i64>| {
            let counts = PERIODS.into_iter().map(|(name, ages)| {
                let inside = |day: i64| ages.contains(&(today - day));
                (name.to_owned(), json!(number(&|e| last(e).is_some_and(inside))))
            });
            counts.collect::<Map<_, _>>()
        };

        json!({
            "period": period,
            "endpoints": {
                "total": present.len(),
                "computers": number(&|e| e.kind == "computer"),
                "mobiles": number(&|e| e.kind == "mobile"),
                "infected_now": by_kind(&|e| e.infected),
            },
            "not_seen": by_kind(&|e| within(e.last_contact)),
            "infected": by_kind(&|e| e.last_infection.is_some_and(within)),
            "violations": {
                "policy": violations("policy.violated", &|e| e.last_policy_violation),
                "application": violations("application.violated", &|e| e.last_application_violation),
            },
            "operating_systems": counted(present.iter().map(|e| {
                json!({"os": e.os, "version": e.os_version, "kind": e.kind})
            })),
            "agent_versions": counted(present.iter().map(|e| {
                json!({"product": e.product, "version": e.agent_version, "kind": e.kind})
            })),
            "top_classifiers": self.top(10, today, "classifier.matched", "/classifier", &|data| {
                data.get("count").and_then(Value::as_u64).unwrap_or_default()
            }),
            "top_blocked_applications": self.top(5, today, "access.blocked", "/application", &|_| 1),
            "top_blocked_users": self.top(5, today, "access.blocked", "/user", &|_| 1),
            "ageing": {
                "not_seen": ageing(&|e| Some(e.last_contact)),
                "infected": ageing(&|e| e.last_infection),
            },
            "approximate": false,
        })
    }

    /// The names with the largest sums of the last days.
    fn top(
        &self,
        rows: usize,
        today: i64,
        kind: &str,
        name: &str,
        count: &dyn Fn(&Value) -> u64,
    ) -> Value {
        let mut sums: BTreeMap<String, u64> = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.kind == kind) {
            if TOP_DAYS.contains(&(today - event.day())) {
                *sums.entry(event.text(name)).or_default() += count(&event.data);
            }
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        let rows = sums.into_iter().take(rows);
        rows.map(|(name, count)| json!({"name": name, "count": count, "error": 0})).collect()
    }
}

/// A dashboard answer as [`Oracle::dashboard`] gives it: without `data_as_of`, and the rows whose
/// order the API leaves open put in order.
pub fn in_order(mut dashboard: Value) -> Value {
    if let Some(answer) = dashboard.as_object_mut() {
        answer.remove("data_as_of");
        for list in ["operating_systems", "agent_versions"] {
            if let Some(rows) = answer.get_mut(list).and_then(Value::as_array_mut) {
                rows.sort_by_key(row_key);
            }
        }
    }
    dashboard
}

/// Equal rows counted, in the order of their names.
fn counted(rows: impl Iterator<Item = Value>) -> Value {
    let mut counts: Vec<(Value, u64)> = Vec::new();
    for row in rows {
        match counts.iter_mut().find(|(other, _)| *other == row) {
            Some((_, count)) => *count += 1,
            None => counts.push((row, 1)),
        }
    }
    let mut rows: Vec<Value> = counts
        .into_iter()
        .map(|(mut row, count)| {
            if let Some(row) = row.as_object_mut() {
                row.insert("count".to_owned(), json!(count));
            }
            row
        })
        .collect();
    rows.sort_by_key(row_key);
    Value::Array(rows)
}

fn row_key(row: &Value) -> [String; 4] {
    ["os", "product", "version", "kind"]
        .map(|field| row.get(field).and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// One endpoint's state from all its events, in the order of their posting. At least one event.
fn fold(product: String, id: String, mut events: Vec<&Posted>) -> Endpoint {
    // The sort is stable: within a day the order of posting stays.
    events.sort_by_key(|event| event.day());
    let removal = events.iter().rposition(|event| event.kind == "endpoint.removed");
    let since = events.split_off(removal.map_or(0, |at| at + 1));
    let removed = since.is_empty();
    let told = if removed { &events } else { &since };

    let of = |kind: &'static str| since.iter().filter(move |event| event.kind == kind);
    let last_day = |kind| of(kind).map(|event| event.day()).max();
    let last_moment = |kind| of(kind).map(|event| event.at).max();
    let status = of("endpoint.status").next_back();
    let status_text = |pointer| status.map(|event| event.text(pointer));
    Endpoint {
        kind: told.last().map(|event| event.text("/endpoint/kind")).unwrap_or_default(),
        name: status_text("/endpoint/name").filter(|name| !name.is_empty()),
        os: status_text("/endpoint/os").unwrap_or_else(|| "unknown".to_owned()),
        os_version: status_text("/endpoint/os_version").unwrap_or_default(),
        agent_version: status_text("/endpoint/agent_version").unwrap_or_default(),
        last_contact: told.iter().map(|event| event.day()).max().unwrap_or_default(),
        last_infection: last_day("infection.detected"),
        last_policy_violation: last_day("policy.violated"),
        last_application_violation: last_day("application.violated"),
        infected: last_moment("infection.detected") > last_moment("infection.cleaned"),
        removed,
        product,
        id,
    }
}

#[cfg(test)]
mod tests;
