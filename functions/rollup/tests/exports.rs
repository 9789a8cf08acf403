//! Who is rung for when a stream has something new: each SIEM destination that is delivered to, once;
//! and what fails there fails nothing else.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test says so by a panic")]

use belfry_domain::account::{IdleLimit, Role};
use belfry_domain::id::{DestinationId, TenantId};
use belfry_domain::policy::{Action, Actor, Grant, Origin};
use belfry_domain::product::Product;
use belfry_domain::siem::destination::{Address, Destination, Framing, Settings, Transport};
use belfry_domain::siem::format::Format;
use belfry_domain::siem::progress::Progress;
use belfry_domain::siem::record::{RecordType, Source, What};
use belfry_domain::siem::samples::sample;
use belfry_domain::telemetry::event::{EventType, Severity};
use belfry_domain::telemetry::part::{Part, PartId};
use belfry_domain::telemetry::stream::{Partition, Partitions, Stream};
use belfry_runtime::events::{Events as _, SqsMessage};
use belfry_runtime::metrics::Metrics;
use belfry_store::keys;
use belfry_testkit::gate::Open;
use belfry_testkit::transport::Call;
use belfry_testkit::{Fault, Gate, Member, MemoryQueue, Verdict, World};
use rollup::Rollup;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A tenant whose telemetry is written by one process.
struct Scene {
    world: World,
    tenant: TenantId,
    admin: Member,
    rings: MemoryQueue,
    client: belfry_testkit::Transport,
    rollup: Rollup,
}

impl Scene {
    async fn new() -> Self {
        Self::over(Open).await
    }

    /// Over a table whose calls the gate decides about.
    async fn over(gate: impl Gate + 'static) -> Self {
        let world = World::new();
        let tenant = world.tenant("Globex").await;
        let admin = world.member(tenant, "ann@globex.example", Role::Admin).await;
        let rings = MemoryQueue::new();
        let client = world.db.client("rollup", gate);
        let clock = Arc::new(world.clock.clone());
        let rollup = Rollup::new(client.table(), Arc::new(rings.clone()), clock);
        Self { world, tenant, admin, rings, client, rollup }
    }

    async fn grant(&self, action: Action) -> Grant {
        let (session, _) = self.world.session(&self.admin).await;
        let person = self.world.get(&keys::identity(self.admin.identity)).await.unwrap();
        let user = self.world.get(&keys::user(self.tenant, self.admin.user)).await.unwrap();
        let (idle, now) = (IdleLimit::default(), self.world.now());
        let actor = Actor::of(&session, &person, &user, idle, now, Origin::default());
        actor.unwrap().may(action).unwrap()
    }

    async fn destination(&self, transport: Transport, enabled: bool) -> DestinationId {
        let (tenant, created_at) = (self.tenant, self.world.now());
        let entropy = self.world.entropy.as_ref();
        let id = DestinationId::new(created_at, entropy);
        let address = Address {
            host: "siem.example.com".parse().unwrap(),
            port: 6514,
            path: None,
            ca_pem: None,
        };
        let settings = Settings {
            name: "Head office".parse().unwrap(),
            enabled,
            transport,
            framing: Framing::default(),
            address: (transport != Transport::Pull).then_some(address),
            client_certificate_pem: None,
            header_name: None,
            format: Format::Cef,
            event_types: BTreeMap::new(),
            min_severity: Severity::Info,
        };
        let made =
            Destination { id, tenant, settings, sealed_secrets: None, created_at, version: 1 };
        let (grant, table) = (self.grant(Action::CreateDestination).await, self.world.table());
        let progress = Progress::begin(&BTreeMap::new());
        table.create_destination(&grant, (&made, &progress), None, None, entropy).await.unwrap();
        id
    }

    /// A message of one event; `batch` tells it apart.
    fn message(&self, product: Product, batch: &str) -> SqsMessage {
        let stream = Stream { tenant: self.tenant, product, partition: Partition::ZERO };
        let now = self.world.now();
        let id = PartId::new(batch, 0, [0; 32]);
        let mut part = Part::new(stream, Partitions::ONE, id, now.as_millisecond());
        let kind = RecordType::Event(EventType::EndpointStatus);
        let record = sample(Source::Product(product), kind, self.tenant, now).unwrap();
        let What::Event(event) = record.what else { panic!("no telemetry") };
        part.push(&event).unwrap();
        SqsMessage {
            id: format!("{product} {batch}"),
            body: part.message().unwrap(),
            group: Some(stream.to_string()),
            ..SqsMessage::default()
        }
    }

    /// Takes the messages; which of them failed, and whom was rung for.
    async fn takes(&self, messages: Vec<SqsMessage>) -> (Vec<String>, Vec<String>) {
        let failed = self.rollup.messages(messages, &mut Metrics::new("rollup", "test")).await;
        let taken = self.rings.drain();
        for message in &taken {
            assert!(message.body.starts_with(&format!("{}/", self.tenant)), "{}", message.body);
            assert!(message.body.ends_with(&format!("/{}", message.group)), "{}", message.body);
        }
        (failed, taken.into_iter().map(|message| message.group).collect())
    }

    /// How often the tenant's destinations were looked up.
    fn looks(&self) -> usize {
        self.client.calls().iter().filter(|call| is_look(call)).count()
    }
}

fn is_look(call: &Call) -> bool {
    call.operation == "Query" && call.request.to_string().contains("SIEM_ROSTER")
}

const NONE: [&str; 0] = [];

#[tokio::test]
async fn a_stream_that_was_written_rings_once_for_each_that_is_delivered_to() {
    let scene = Scene::new().await;
    let mut expected = vec![
        scene.destination(Transport::SyslogTls, true).await.to_string(),
        scene.destination(Transport::Webhook, true).await.to_string(),
    ];
    expected.sort_unstable();
    scene.destination(Transport::Webhook, false).await;
    scene.destination(Transport::Pull, true).await;
    // Three parts of one stream are one piece of news.
    let messages = ["1", "2", "3"].map(|batch| scene.message(Product::Epp, batch));
    let (failed, mut rung) = scene.takes(messages.to_vec()).await;
    rung.sort_unstable();
    assert_eq!((failed, rung), (Vec::new(), expected.clone()));
    // The same parts once more are none.
    assert_eq!(scene.takes(messages.to_vec()).await, (Vec::new(), Vec::new()));
    // Two streams are two.
    let messages = [Product::Epp, Product::Emm].map(|product| scene.message(product, "4"));
    let (failed, mut rung) = scene.takes(messages.to_vec()).await;
    rung.sort_unstable();
    let twice: Vec<_> = expected.iter().flat_map(|id| [id.clone(), id.clone()]).collect();
    assert_eq!((failed, rung), (Vec::new(), twice));
}

#[tokio::test]
async fn whoever_has_none_is_not_rung_for() {
    let scene = Scene::new().await;
    assert_eq!(scene.takes(vec![scene.message(Product::Epp, "1")]).await, (vec![], vec![]));
    assert_eq!(scene.rings.taken().len(), 0);
    assert_eq!(scene.looks(), 1);
}

#[tokio::test]
async fn destinations_are_looked_up_once_a_minute_at_most() {
    let scene = Scene::new().await;
    let mut looks = Vec::new();
    for (batch, wait) in ["1", "2", "3", "4", "5"].into_iter().zip([0, 1, 58, 1, 59]) {
        scene.world.wait(wait);
        let messages = Product::ALL.map(|product| {
            let kind = RecordType::Event(EventType::EndpointStatus);
            kind.is_of(Source::Product(product)).then(|| scene.message(product, batch))
        });
        let (failed, _) = scene.takes(messages.into_iter().flatten().collect()).await;
        assert_eq!(failed, NONE);
        looks.push(scene.looks());
    }
    // Streams that come in together may all look before the first one knows.
    let first = looks.first().copied().unwrap();
    let again: Vec<_> = looks.iter().map(|count| count - first).collect();
    assert_eq!((again.get(..3), again.get(3)), (Some(&[0, 0, 0][..]), again.get(4)));
    assert!((1..=Product::ALL.len()).contains(&first), "{looks:?}");
}

#[tokio::test]
async fn a_new_one_is_known_within_a_minute() {
    let scene = Scene::new().await;
    assert_eq!(scene.takes(vec![scene.message(Product::Epp, "1")]).await.1, NONE);
    let id = scene.destination(Transport::Webhook, true).await.to_string();
    scene.world.wait(59);
    assert_eq!(scene.takes(vec![scene.message(Product::Epp, "2")]).await.1, NONE);
    scene.world.wait(1);
    assert_eq!(scene.takes(vec![scene.message(Product::Epp, "3")]).await.1, [id]);
}

#[tokio::test]
async fn a_queue_that_fails_fails_nothing() {
    let scene = Scene::new().await;
    let id = scene.destination(Transport::Webhook, true).await.to_string();
    scene.rings.fail_next(Fault::Refuse);
    let lost = scene.takes(vec![scene.message(Product::Epp, "1")]).await;
    assert_eq!(lost, (Vec::new(), Vec::new()));
    let stream = Stream { tenant: scene.tenant, product: Product::Epp, partition: Partition::ZERO };
    assert_eq!(scene.world.table().head(stream).await.unwrap().next_sequence, 2, "it is written");
    assert_eq!(scene.takes(vec![scene.message(Product::Epp, "2")]).await, (vec![], vec![id]));
}

#[tokio::test]
async fn nor_does_a_table_that_does_not_tell_the_destinations() {
    let scene =
        Scene::over(|call: &Call| if is_look(call) { Verdict::Fail } else { Verdict::Proceed });
    let scene = scene.await;
    scene.destination(Transport::Webhook, true).await;
    let taken = scene.takes(vec![scene.message(Product::Epp, "1")]).await;
    assert_eq!(taken, (Vec::new(), Vec::new()));
    // What was not learnt is asked for again.
    scene.takes(vec![scene.message(Product::Epp, "2")]).await;
    assert_eq!(scene.looks(), 2);
}
