//! A tenant's telemetry from posted JSON to the table, and the judge of what is there.
//!
//! The judge reads the posted bodies through `belfry_demo::oracle`, which shares no code with the
//! product. Only the order in which events took their sequences is read from the log.

use belfry_demo::oracle::{self, Oracle};
use belfry_domain::dashboard::{Dashboard, Period, TOP_DAYS};
use belfry_domain::id::TenantId;
use belfry_domain::ports::{Clock as _, Day};
use belfry_domain::product::Product;
use belfry_domain::telemetry::batch;
use belfry_domain::telemetry::endpoint::{Endpoint, Sign};
use belfry_domain::telemetry::envelope::Judge;
use belfry_domain::telemetry::part::{Part, PartId, decode};
use belfry_domain::telemetry::stream::{Partition, Partitions, Stream};
use belfry_testkit::{EmbeddedTable, FakeClock, SeededEntropy};
use jiff::{SignedDuration, Timestamp};
use rollup::Writer;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub const PRODUCTS: [Product; 3] = [Product::Epp, Product::DataPrivacy, Product::Ztna];

/// One event as posted.
struct Posted {
    product: Product,
    raw: Value,
    received_at: Timestamp,
}

pub struct World {
    pub table: EmbeddedTable,
    pub clock: FakeClock,
    pub chance: SeededEntropy,
    pub tenant: TenantId,
    pub partitions: Partitions,
    posted: BTreeMap<String, Posted>,
    /// Parts as they were queued, in order.
    pub queued: Vec<Part>,
    batches: usize,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let chance = SeededEntropy::new(seed);
        let clock = FakeClock::at("2026-11-22T12:00:00Z");
        let tenant = TenantId::new(clock.now(), &chance);
        let partitions = if chance.below(3) == 0 { 4 } else { 1 };
        Self {
            table: EmbeddedTable::new(),
            clock,
            chance,
            tenant,
            partitions: Partitions::try_from(partitions).unwrap(),
            posted: BTreeMap::new(),
            queued: Vec::new(),
            batches: 0,
        }
    }

    pub fn writer(&self, table: belfry_store::Table) -> Writer {
        Writer::new(table, Arc::new(self.clock.clone()))
    }

    pub fn one_in(&self, n: usize) -> bool {
        self.chance.below(n) == 0
    }

    fn pick<'a>(&self, of: &[&'a str]) -> &'a str {
        of[self.chance.below(of.len())]
    }

    /// Up to 29 days ago, now and then ahead; often the very same instant as others.
    fn time(&self) -> Timestamp {
        let now = self.clock.now();
        let days = i64::try_from(self.chance.below(30)).unwrap();
        let minutes = i64::try_from(self.chance.below(3)).unwrap();
        match self.chance.below(12) {
            0 => now + SignedDuration::from_hours(30),
            1..=4 => now - SignedDuration::from_mins(minutes),
            _ => now - SignedDuration::from_hours(24 * days) + SignedDuration::from_mins(minutes),
        }
    }

    fn event(&self, product: Product) -> Value {
        let kind = self.pick(&["computer", "computer", "mobile"]);
        let mut endpoint = json!({"id": self.pick(&["a", "b", "c", "d", "e"]), "kind": kind});
        let severity = self.pick(&["low", "critical"]);
        let infection = |endpoint: &Value| json!({"endpoint": endpoint, "threat": "t", "action": "blocked", "severity": severity});
        let (kind, data) = match (product, self.chance.below(10)) {
            (_, 0) => ("endpoint.removed", json!({"endpoint": endpoint})),
            (Product::Ztna, 1..=7) => (
                "access.blocked",
                json!({"application": self.pick(&["x", "y", "z"]), "user": self.pick(&["u", "v"])}),
            ),
            (Product::DataPrivacy, 1..=7) => (
                "classifier.matched",
                json!({"endpoint": endpoint, "classifier": self.pick(&["PAN", "IBAN", "SSN"]),
                       "count": 1 + self.chance.below(5)}),
            ),
            (Product::Epp, 1..=2) => ("infection.detected", infection(&endpoint)),
            (Product::Epp, 3..=4) => ("infection.cleaned", infection(&endpoint)),
            (Product::Epp, 5) => (
                "policy.violated",
                json!({"endpoint": endpoint, "policy": "p", "severity": severity}),
            ),
            (Product::Epp, 6) => (
                "application.violated",
                json!({"endpoint": endpoint, "application": "q", "severity": severity}),
            ),
            _ => {
                endpoint["os"] = self.pick(&["Windows", "macOS", "Android"]).into();
                endpoint["os_version"] = self.pick(&["10", "11"]).into();
                endpoint["agent_version"] = self.pick(&["1.0", "1.1"]).into();
                ("endpoint.status", json!({"endpoint": endpoint}))
            }
        };
        json!({"specversion": "1.0", "id": format!("e{}", self.posted.len()), "source": "/test",
               "type": kind, "time": self.time().to_string(), "data": data})
    }

    /// Posts a batch of random events; its parts are queued.
    pub fn post(&mut self, product: Product, events: usize) {
        let mut batch = Vec::new();
        for _ in 0..events {
            batch.push(self.event(product));
            self.remember(product, batch.last().unwrap());
        }
        self.queue(product, &batch);
    }

    /// Posts these events.
    pub fn post_events(&mut self, product: Product, mut events: Vec<Value>) {
        for event in &mut events {
            event["id"] = format!("e{}", self.posted.len()).into();
            self.remember(product, event);
        }
        self.queue(product, &events);
    }

    fn remember(&mut self, product: Product, raw: &Value) {
        let id = raw["id"].as_str().unwrap().to_owned();
        let posted = Posted { product, raw: raw.clone(), received_at: self.clock.now() };
        self.posted.insert(id, posted);
    }

    fn queue(&mut self, product: Product, events: &[Value]) {
        let body = serde_json::to_vec(events).unwrap();
        self.batches += 1;
        let batch_id = format!("batch {}", self.batches);
        let now = self.clock.now();
        let judge = Judge { product, received_at: now, max_event_age_days: 30 };
        for cut in batch::cut(&body, self.partitions).unwrap() {
            let stream = Stream { tenant: self.tenant, product, partition: cut.partition };
            let id = PartId::new(&batch_id, cut.number, cut.content);
            let mut part = Part::new(stream, self.partitions, id, now.as_millisecond());
            for sent in &cut.events {
                let verdict = judge.judge(sent.raw, sent.value.as_ref());
                part.push(&verdict.event.expect("a valid event")).unwrap();
            }
            let message = part.message().unwrap();
            self.queued.push(Part::from_message(&message).unwrap());
        }
    }

    /// The streams that have parts, in a fixed order.
    pub fn streams(&self) -> Vec<Stream> {
        self.queued.iter().map(|part| part.stream).collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub fn parts_of(&self, stream: Stream) -> Vec<Part> {
        self.queued.iter().filter(|part| part.stream == stream).cloned().collect()
    }

    /// Event ids in the order of their sequences, for each stream; checks that sequences have no
    /// gap and end at the head.
    async fn logged(&self) -> Result<Vec<String>, String> {
        let table = self.table.table();
        let mut ids = Vec::new();
        for product in PRODUCTS {
            for partition in 0..self.partitions.count() {
                let partition = Partition::try_from(partition).unwrap();
                let stream = Stream { tenant: self.tenant, product, partition };
                let head = table.head(stream).await.map_err(|e| e.to_string())?.next_sequence;
                let mut next = 1;
                while let Some(chunk) =
                    table.chunk(stream, next).await.map_err(|e| e.to_string())?
                {
                    for bytes in chunk.parts.iter().flat_map(|part| &part.events) {
                        ids.push(decode(bytes).unwrap().id.as_str().to_owned());
                    }
                    next += chunk.events();
                }
                let chunks = self.table.dump_of(&format!(
                    "T#{}#LG#{product}#{:02}",
                    self.tenant,
                    partition.number()
                ));
                let logged: u64 = chunks
                    .iter()
                    .map(|item| item["events"]["N"].as_str().unwrap().parse::<u64>().unwrap())
                    .sum();
                if next != head || logged + 1 != head {
                    return Err(format!("{stream}: log ends at {next}, has {logged}, head {head}"));
                }
            }
        }
        Ok(ids)
    }

    /// Everything that must hold once all parts were taken.
    pub async fn judge(&self) -> Result<(), String> {
        let ids = self.logged().await?;
        let once: BTreeSet<&String> = ids.iter().collect();
        if once.len() != ids.len() || once != self.posted.keys().collect() {
            return Err(format!(
                "posted {} events, {} in the log, {} of them distinct",
                self.posted.len(),
                ids.len(),
                once.len()
            ));
        }
        let mut oracle = Oracle::default();
        for id in &ids {
            let posted = &self.posted[id];
            let body = serde_json::to_vec(&[&posted.raw]).unwrap();
            oracle.read(posted.product.name(), id, &body, posted.received_at).unwrap();
        }
        self.compare_dashboards(&oracle).await?;
        self.compare_endpoints(&oracle).await
    }

    async fn compare_dashboards(&self, oracle: &Oracle) -> Result<(), String> {
        let now = self.clock.now();
        let today = Day::of(now);
        let table = self.table.table();
        let tallies = table
            .tallies(self.tenant, today.minus(TOP_DAYS - 1), today)
            .await
            .map_err(|e| e.to_string())?;
        for period in Period::ALL {
            let shown = Dashboard::new(period, today, &tallies.streams, &tallies.tops);
            let shown = oracle::in_order(serde_json::to_value(shown).unwrap());
            let expected = oracle.dashboard(period.name(), now);
            if shown != expected {
                return Err(format!("{}: shown {shown:#}\nexpected {expected:#}", period.name()));
            }
        }
        Ok(())
    }

    async fn compare_endpoints(&self, oracle: &Oracle) -> Result<(), String> {
        let table = self.table.table();
        for expected in oracle.endpoints() {
            let product: Product = expected.product.parse().unwrap();
            let partition = self.partitions.of(expected.id.as_bytes());
            let stream = Stream { tenant: self.tenant, product, partition };
            let states = table.endpoint_states(stream, &[&expected.id]).await.unwrap();
            let Some(Endpoint { present, .. }) = states.get(&expected.id) else {
                return Err(format!("{product} {} is not stored", expected.id));
            };
            let day = |day: Option<Day>| day.map(|d| i64::from(d.number()));
            let same = match present {
                None => expected.removed,
                Some(p) => {
                    !expected.removed
                        && p.kind.name() == expected.kind
                        && p.system() == (expected.os.as_str(), expected.os_version.as_str())
                        && p.agent() == expected.agent_version
                        && i64::from(p.contact.number()) == expected.last_contact
                        && day(p.last(Sign::Infection)) == expected.last_infection
                        && day(p.last(Sign::PolicyViolation)) == expected.last_policy_violation
                        && day(p.last(Sign::ApplicationViolation))
                            == expected.last_application_violation
                        && p.infected() == expected.infected
                }
            };
            if !same {
                return Err(format!("{product}: stored {present:?}\nexpected {expected:?}"));
            }
        }
        Ok(())
    }
}

/// A status event.
pub fn status(endpoint: &str, os: &str, time: Timestamp) -> Value {
    json!({"specversion": "1.0", "id": "", "source": "/test", "type": "endpoint.status",
           "time": time.to_string(), "data": {"endpoint": {"id": endpoint, "kind": "computer",
           "os": os, "os_version": "1", "agent_version": "1"}}})
}
