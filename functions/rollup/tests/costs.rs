//! What telemetry and the dashboard cost, counted: the figures of `infra/table.md`.
//!
//! The table's own `ReturnConsumedCapacity` is summed up for the reference load, and each row must
//! stand in `infra/table.md` to the letter. A changed cost fails; write the new row there.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by a panic"
)]

use belfry_domain::id::TenantId;
use belfry_domain::ports::{Clock as _, Day};
use belfry_domain::product::Product;
use belfry_domain::telemetry::batch;
use belfry_domain::telemetry::envelope::Judge;
use belfry_domain::telemetry::part::{Part, PartId};
use belfry_domain::telemetry::stream::{Partitions, Stream};
use belfry_testkit::gate::Open;
use belfry_testkit::{EmbeddedTable, FakeClock, SeededEntropy, Transport};
use jiff::SignedDuration;
use rollup::Writer;
use serde_json::{Value, json};
use std::sync::Arc;

const TABLE_MD: &str = include_str!("../../../infra/table.md");

struct Load {
    table: EmbeddedTable,
    clock: FakeClock,
    chance: SeededEntropy,
    tenant: TenantId,
    batches: usize,
}

impl Load {
    fn new() -> Self {
        let clock = FakeClock::at("2026-11-22T00:10:00Z");
        let chance = SeededEntropy::new(1);
        let tenant = TenantId::new(clock.now(), &chance);
        Self { table: EmbeddedTable::new(), clock, chance, tenant, batches: 0 }
    }

    fn uuid(&self) -> String {
        let (a, b) = (self.chance.next(), self.chance.next());
        let (high, low) = (a >> 32, a & 0xffff_ffff);
        format!(
            "{high:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            low >> 16,
            low & 0xffff,
            b >> 48,
            b & 0xffff_ffff_ffff
        )
    }

    /// A status of about 300 bytes of JSON.
    fn status(&self, endpoint: usize, agent: usize) -> Value {
        let versions = ["10.0.19045", "10.0.22631", "10.0.26100"];
        // The same id for the same number, and nothing to compress in it.
        let id = belfry_domain::telemetry::stream::sha256(&endpoint.to_be_bytes());
        let id = format!("{:032x}", u128::from_be_bytes(id[..16].try_into().unwrap()));
        json!({"specversion": "1.0", "id": self.uuid(), "source": "/epp/cloud-7",
               "type": "endpoint.status", "time": self.clock.now().to_string(),
               "data": {"endpoint": {"id": id, "kind": "computer",
                        "name": format!("PC-{endpoint:06}"), "os": "Windows",
                        "os_version": versions[endpoint % 3],
                        "agent_version": format!("8.{agent}.1")}}})
    }

    fn parts(&mut self, product: Product, events: &[Value]) -> (Stream, Vec<Part>) {
        self.batches += 1;
        let now = self.clock.now();
        let body = serde_json::to_vec(events).unwrap();
        let judge = Judge { product, received_at: now, max_event_age_days: 30 };
        let mut all = Vec::new();
        for cut in batch::cut(&body, Partitions::ONE).unwrap() {
            let stream = Stream { tenant: self.tenant, product, partition: cut.partition };
            let id = PartId::new(&self.batches.to_string(), cut.number, cut.content);
            let mut part = Part::new(stream, Partitions::ONE, id, now.as_millisecond());
            for sent in &cut.events {
                part.push(&judge.judge(sent.raw, sent.value.as_ref()).event.unwrap()).unwrap();
            }
            all.push(part);
        }
        (all[0].stream, all)
    }

    /// A batch of 1,000 statuses of 1,000 endpoints, of which `changed` say something new.
    fn thousand(&mut self, from: usize, changed: usize) -> (Stream, Vec<Part>) {
        let events: Vec<Value> = (from..from + 1_000)
            .map(|n| self.status(n, if n < from + changed { self.batches } else { 0 }))
            .collect();
        let bytes = serde_json::to_vec(&events).unwrap().len() / 1_000;
        assert!((270..=330).contains(&bytes), "{bytes} bytes an event");
        self.parts(Product::Epp, &events)
    }

    fn writer(&self) -> (Transport, Writer) {
        let client = self.table.client("writer", Open);
        let writer = Writer::new(client.table(), Arc::new(self.clock.clone()));
        (client, writer)
    }
}

/// Rows as `infra/table.md` must have them: calls, read units, write units.
#[derive(Default)]
struct Rows(Vec<String>);

impl Rows {
    fn add(&mut self, what: &str, client: &Transport) {
        self.0.push(client.cost(what));
    }

    fn compare(mut self) {
        self.0.retain(|row| !TABLE_MD.contains(row));
        assert!(self.0.is_empty(), "infra/table.md does not have\n{}", self.0.join("\n"));
    }
}

#[tokio::test]
async fn a_batch_of_1_000_events() {
    let (mut load, mut rows) = (Load::new(), Rows::default());
    let (client, writer) = load.writer();
    let (stream, parts) = load.thousand(0, 0);
    writer.write(stream, parts).await.unwrap();
    rows.add("rollup, 1,000 events of 1,000 new endpoints", &client);

    client.reset();
    let (stream, parts) = load.thousand(0, 47);
    writer.write(stream, parts.clone()).await.unwrap();
    rows.add("rollup, 1,000 events, 4.7 % changed, warm", &client);
    assert!(client.write_units() <= 100.0, "goal: 0.10 write units an event");
    assert!(client.calls().len() + 2 <= 65, "goal: 65 calls, the queue's two counted");

    client.reset();
    writer.write(stream, parts).await.unwrap();
    rows.add("rollup, the same 1,000 events again", &client);
    assert!(client.write_units() <= 2.0, "goal: 2 write units for a duplicate batch");

    let (cold_client, cold) = load.writer();
    let (stream, parts) = load.thousand(0, 47);
    cold.write(stream, parts).await.unwrap();
    rows.add("rollup, 1,000 events, 4.7 % changed, cold", &cold_client);

    load.clock.advance(SignedDuration::from_hours(24));
    cold_client.reset();
    let (stream, parts) = load.thousand(0, 0);
    cold.write(stream, parts).await.unwrap();
    rows.add("rollup, 1,000 events, first report of the day, warm", &cold_client);
    rows.compare();
}

#[tokio::test]
async fn the_dashboard_at_15_000_endpoints() {
    let mut load = Load::new();
    let (_, writer) = load.writer();
    // 31 days of signs, so that the histogram is full.
    load.clock.advance(SignedDuration::from_hours(-24 * 31));
    for thousand in 0..15 {
        load.clock.advance(SignedDuration::from_hours(24 * 2));
        let (stream, parts) = load.thousand(thousand * 1_000, 300);
        writer.write(stream, parts).await.unwrap();
    }
    for _ in 0..8 {
        load.clock.advance(SignedDuration::from_hours(24));
        let time = load.clock.now().to_string();
        let event = |kind: &str, data| {
            json!({"specversion": "1.0", "id": "i", "source": "s", "type": kind, "time": time,
                   "data": data})
        };
        let matched: Vec<Value> = (0..40)
            .map(|n| {
                let endpoint = json!({"id": "e", "kind": "computer"});
                let classifier = format!("Classifier of personal data {n}");
                let data = json!({"endpoint": endpoint, "classifier": classifier, "count": 300});
                event("classifier.matched", data)
            })
            .collect();
        let blocked: Vec<Value> = (0..40)
            .map(|n| {
                let user = format!("firstname.lastname{n}@example.com");
                event(
                    "access.blocked",
                    json!({"application": format!("Application {n}"), "user": user}),
                )
            })
            .collect();
        for (product, events) in [(Product::DataPrivacy, matched), (Product::Ztna, blocked)] {
            let (stream, parts) = load.parts(product, &events);
            writer.write(stream, parts).await.unwrap();
        }
    }
    let client = load.table.client("dashboard", Open);
    let today = Day::of(load.clock.now());
    client.table().tallies(load.tenant, today.minus(6), today).await.unwrap();
    let mut rows = Rows::default();
    rows.add("dashboard, 15,000 endpoints, top lists of 40 names a day", &client);
    assert!(client.calls().len() == 2 && client.read_units() <= 6.0, "goal: 2 calls, 6 read units");
    rows.compare();
}
