//! `siem` from the gateway's event to the table and to the receiver: every answer, stored state and
//! record.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed test says so by a panic"
)]

mod events;
mod faults;
mod network;
mod preview;
mod replay;
mod resume;
mod roles;
mod secrets;
mod settings;
mod statistics;
mod trials;

use belfry_domain::account::{Role, Tenant};
use belfry_domain::id::{DestinationId, TenantId};
use belfry_domain::outbound::Reach;
use belfry_domain::ports::{Clock as _, Day};
use belfry_domain::product::Product;
use belfry_domain::siem::progress::Progress;
use belfry_domain::siem::record::{RecordType, Source, StreamName, What};
use belfry_domain::siem::samples::sample;
use belfry_domain::telemetry::part::{Part, PartId};
use belfry_domain::telemetry::plan::{Opened, plan};
use belfry_domain::telemetry::stream::{Partition, Partitions, Stream, sha256};

use belfry_domain::throttle::{CONNECTION, Tries};
use belfry_runtime::outbound::{Outbound, Patience, Resolver};
use belfry_runtime::siem::Network;
use belfry_runtime::siem_ring::Ring;
use belfry_store::{Table, keys};
use belfry_testkit::{
    Answer, Ask, Member, MemoryQueue, MemoryReceiver, World, ask, public_network,
};
use serde_json::{Value, json};
use siem::App;
use std::collections::HashMap;
use std::sync::Arc;

const LIST: &str = "GET /siem/destinations";
const CREATE: &str = "POST /siem/destinations";
const TEST_UNSAVED: &str = "POST /siem/destinations/test";
const READ: &str = "GET /siem/destinations/{id}";
const CHANGE: &str = "PUT /siem/destinations/{id}";
const DELETE: &str = "DELETE /siem/destinations/{id}";
const TEST: &str = "POST /siem/destinations/{id}/test";
const PREVIEW: &str = "POST /siem/destinations/{id}/preview";
const REPLAY: &str = "POST /siem/destinations/{id}/replay";
const RESUME: &str = "POST /siem/destinations/{id}/resume";
const STATISTICS: &str = "GET /siem/destinations/{id}/statistics";

const EPP: StreamName =
    StreamName { source: Source::Product(Product::Epp), partition: Partition::ZERO };

/// A tenant's admin, a receiver that takes everything, and what is told of both.
struct Office {
    world: World,
    receiver: MemoryReceiver,
    rings: MemoryQueue,
    tenant: TenantId,
    member: Member,
    token: String,
}

impl Office {
    async fn new() -> Self {
        let world = World::new();
        let tenant = world.tenant("Globex").await;
        let member = world.member(tenant, "ann@globex.example", Role::Admin).await;
        let token = world.token(&member).await;
        let (receiver, rings) = (MemoryReceiver::new(), MemoryQueue::new());
        Self { world, receiver, rings, tenant, member, token }
    }

    /// Another tenant of the same system, with its own admin.
    async fn neighbour(&self) -> Self {
        let world = self.world.clone();
        let tenant = world.tenant("Initech").await;
        let member = world.member(tenant, "bill@initech.example", Role::Admin).await;
        let token = world.token(&member).await;
        let (receiver, rings) = (self.receiver.clone(), self.rings.clone());
        Self { world, receiver, rings, tenant, member, token }
    }

    /// The function over this table, with these ways out.
    fn app_over(&self, table: Table, outbound: Outbound) -> App {
        App {
            authenticator: self.world.authenticator(table.clone()),
            table,
            outbound,
            carrier: Arc::new(self.receiver.clone()),
            sealer: Arc::new(self.world.sealer.clone()),
            rings: Arc::new(self.rings.clone()),
            host: "console.example".to_owned(),
            clock: Arc::new(self.world.clock.clone()),
            entropy: self.world.entropy.clone(),
        }
    }

    fn app(&self) -> App {
        self.app_over(self.world.table(), public_network())
    }

    /// The function that really connects, where `reach` lets it.
    fn connected(&self, resolver: Arc<dyn Resolver>, reach: Reach) -> App {
        let outbound = Outbound::new(resolver, reach, Patience::default());
        let carrier = Network::new(
            outbound.clone(),
            Arc::new(self.world.clock.clone()),
            self.world.entropy.clone(),
        );
        App { carrier: Arc::new(carrier), ..self.app_over(self.world.table(), outbound) }
    }

    fn ask(&self, route: &str) -> Ask {
        ask(route).bearer(&self.token)
    }

    async fn send(&self, route: &str, body: Value) -> Answer {
        self.ask(route).json(body).of(&self.app()).await
    }

    /// A route of one destination.
    fn about(&self, route: &str, id: &str) -> Ask {
        self.ask(route).path("id", id)
    }

    async fn tell(&self, route: &str, id: &str, body: Value) -> Answer {
        self.about(route, id).json(body).of(&self.app()).await
    }

    async fn get(&self, route: &str, id: &str) -> Answer {
        self.about(route, id).of(&self.app()).await
    }

    /// A destination that is there, as it was answered.
    async fn made(&self, body: Value) -> Answer {
        let answer = self.send(CREATE, body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer
    }

    async fn made_id(&self, body: Value) -> String {
        self.made(body).await.at("/id").to_owned()
    }

    /// How far a destination is.
    async fn progress(&self, id: &str) -> Progress {
        let found = self.world.table().destination(self.tenant, id.parse().unwrap()).await;
        found.unwrap().unwrap().1
    }

    /// Lets a destination be so far, as its forwarder does.
    async fn move_progress(&self, id: &str, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress(id).await;
        change(&mut progress);
        let (id, entropy) = (id.parse().unwrap(), self.world.entropy.as_ref());
        let table = self.world.table();
        assert!(
            table.keep_progress(self.tenant, id, &progress, Vec::new(), entropy).await.unwrap()
        );
    }

    /// Appends events of these types to the log of EPP, as if they had come in now.
    async fn log(&self, kinds: &[&str]) {
        let (now, table) = (self.world.now(), self.world.table());
        let stream =
            Stream { tenant: self.tenant, product: Product::Epp, partition: Partition::ZERO };
        let head = table.head(stream).await.unwrap();
        let batch = head.next_sequence.to_string();
        let id = PartId::new(&batch, 0, sha256(batch.as_bytes()));
        let mut part = Part::new(stream, Partitions::ONE, id, now.as_millisecond());
        for kind in kinds {
            let kind = RecordType::named(kind).unwrap();
            let record = sample(EPP.source, kind, self.tenant, now).unwrap();
            let What::Event(event) = record.what else { panic!("no telemetry") };
            part.push(&event).unwrap();
        }
        let chunk = plan(&head, Day::of(now), &[Opened::new(part)], &HashMap::new());
        table.log_chunk(stream, &chunk, chunk.to_bytes().unwrap()).await.unwrap();
        table.advance(stream, &head, &chunk).await.unwrap().unwrap();
    }

    /// The tenant's records, each whole.
    async fn trail(&self) -> Vec<Value> {
        let (records, _) = self.world.table().audit_trail(self.tenant, 0, 200).await.unwrap();
        records.iter().map(|record| serde_json::from_str(&record.text).unwrap()).collect()
    }

    /// The actions of the tenant's records.
    async fn actions(&self) -> Vec<String> {
        let trail = self.trail().await;
        trail.iter().map(|record| record["action"].as_str().unwrap().to_owned()).collect()
    }

    /// The last record's changed fields, by name.
    async fn last_changes(&self) -> HashMap<String, Value> {
        let record = self.trail().await.pop().unwrap();
        let changes = record["changes"].as_array().unwrap().clone();
        changes.into_iter().map(|c| (c["field"].as_str().unwrap().to_owned(), c)).collect()
    }

    /// Whom was rung for since the last look.
    fn rung(&self) -> Vec<String> {
        let ring = |text: &str| text.parse::<Ring>().unwrap();
        let taken = self.rings.drain();
        taken
            .iter()
            .map(|message| {
                let ring = ring(&message.body);
                assert_eq!(ring.tenant, self.tenant);
                assert_eq!(message.group, ring.destination.to_string());
                ring.destination.to_string()
            })
            .collect()
    }

    /// A new proof, as the one of before is 10 minutes old at most.
    async fn log_in_again(&mut self) {
        self.token = self.world.token(&self.member).await;
    }

    /// How often this tenant was counted as one who tries hosts out.
    async fn tries(&self) -> u32 {
        let key = keys::tries(&CONNECTION, &self.tenant.to_string());
        self.world.get::<Tries>(&key).await.map_or(0, |tries| tries.count)
    }

    async fn suspend(&self, suspended: bool) {
        let key = keys::tenant(self.tenant);
        let mut tenant: Tenant = self.world.get(&key).await.unwrap();
        tenant.suspended_at = suspended.then(|| self.world.clock.now());
        self.world.put(&key, &tenant).await;
    }
}

fn unknown_id(office: &Office) -> String {
    DestinationId::new(office.world.now(), office.world.entropy.as_ref()).to_string()
}

/// A good body of this transport.
fn body(transport: &str) -> Value {
    let mut body = json!({"name": "Head office", "transport": transport, "format": "ocsf",
        "event_types": {"EPP": ["infection.detected"], "CONSOLE": ["change", "access"]}});
    match transport {
        "pull" => return body,
        "splunk_hec" => body["token"] = "hec-token-1".into(),
        _ => {}
    }
    body["host"] = "siem.example.com".into();
    body
}

/// The body with these attributes instead; null takes one away.
fn but(mut body: Value, other: Value) -> Value {
    let Value::Object(other) = other else { panic!("an object") };
    for (name, value) in other {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(&name);
        } else {
            body[name] = value;
        }
    }
    body
}
