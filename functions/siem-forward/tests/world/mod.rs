//! A tenant with numbered logs and destinations, and what forwards the one to the other.

use belfry_domain::account::{IdleLimit, Role};
use belfry_domain::audit::{Access, AccessKind, Entry, Outcome};
use belfry_domain::id::{DestinationId, TenantId};
use belfry_domain::policy::{Action, Actor, Grant, Origin};
use belfry_domain::ports::Day;
use belfry_domain::product::Product;
use belfry_domain::siem::destination::{
    Address, Destination, Framing, Secrets, Settings, Transport,
};
use belfry_domain::siem::format::Format;
use belfry_domain::siem::progress::{Progress, Replay};
use belfry_domain::siem::record::{Source, StreamName};
use belfry_domain::telemetry::endpoint::Endpoint;
use belfry_domain::telemetry::event::{EndpointRef, Event, Happening, Kind, Name, Severity};
use belfry_domain::telemetry::part::{Part, PartId, encode};
use belfry_domain::telemetry::plan::{Opened, plan};
use belfry_domain::telemetry::stream::{Partition, Partitions, Stream};
use belfry_runtime::events::{Events as _, SqsMessage};
use belfry_runtime::keys::Sealer as _;
use belfry_runtime::metrics::Metrics;
use belfry_runtime::siem::Carrier;
use belfry_runtime::siem_ring::Ring;
use belfry_store::siem::Parked;
use belfry_store::telemetry::Written;
use belfry_store::transaction::Transaction;
use belfry_store::{Table, keys};
use belfry_testkit::{Member, MemoryQueue, MemoryReceiver};
use jiff::SignedDuration;
use serde_json::{Value, json};
use siem_forward::App;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the records call their sender.
pub(crate) const HOST: &str = "console.belfry.example";
/// Where receivers are.
pub(crate) const RECEIVER: &str = "siem.example.com";

/// The two streams of a product.
pub(crate) const fn stream(product: Product, partition: Partition) -> StreamName {
    StreamName { source: Source::Product(product), partition }
}

pub(crate) const EPP: StreamName = stream(Product::Epp, Partition::ZERO);
pub(crate) const EPP_1: StreamName = stream(Product::Epp, Partition::ONE);
pub(crate) const ZTNA: StreamName = stream(Product::Ztna, Partition::ZERO);

pub(crate) fn name(text: impl AsRef<str>) -> Name {
    text.as_ref().try_into().unwrap()
}

pub(crate) struct World {
    pub(crate) base: belfry_testkit::World,
    pub(crate) tenant: TenantId,
    pub(crate) admin: Member,
    pub(crate) receiver: MemoryReceiver,
    /// The queue that wakes the function.
    pub(crate) rings: MemoryQueue,
    carrier: Arc<dyn Carrier>,
    events: AtomicU64,
}

impl World {
    /// A tenant with an admin, and a receiver that takes everything.
    pub(crate) async fn new() -> Self {
        let receiver = MemoryReceiver::new();
        let mut world = Self::with(Arc::new(receiver.clone())).await;
        world.receiver = receiver;
        world
    }

    /// The same with another way to the receiver.
    pub(crate) async fn with(carrier: Arc<dyn Carrier>) -> Self {
        let base = belfry_testkit::World::new();
        let tenant = base.tenant("Globex").await;
        let admin = base.member(tenant, "ann@globex.example", Role::Admin).await;
        let (receiver, rings) = (MemoryReceiver::new(), MemoryQueue::new());
        Self { base, tenant, admin, receiver, rings, carrier, events: AtomicU64::new(0) }
    }

    pub(crate) fn table(&self) -> Table {
        self.base.table()
    }

    /// The function over this handle to the table.
    pub(crate) fn app_on(&self, table: Table) -> App {
        App {
            table,
            carrier: Arc::clone(&self.carrier),
            sealer: Arc::new(self.base.sealer.clone()),
            rings: Arc::new(self.rings.clone()),
            bell: Arc::new(self.base.bell.clone()),
            host: HOST.to_owned(),
            clock: Arc::new(self.base.clock.clone()),
            entropy: self.base.entropy.clone(),
        }
    }

    pub(crate) fn app(&self) -> App {
        self.app_on(self.table())
    }

    /// Leave of the admin.
    pub(crate) async fn grant(&self, action: Action) -> Grant {
        let (session, _) = self.base.session(&self.admin).await;
        let person = self.base.get(&keys::identity(self.admin.identity)).await.unwrap();
        let user = self.base.get(&keys::user(self.tenant, self.admin.user)).await.unwrap();
        let (idle, now) = (IdleLimit::default(), self.base.now());
        let actor = Actor::of(&session, &person, &user, idle, now, Origin::default()).unwrap();
        actor.may(action).unwrap()
    }

    // ---- destinations

    /// Everything of every source, by a webhook.
    pub(crate) fn settings() -> Settings {
        let address =
            Address { host: RECEIVER.parse().unwrap(), port: 443, path: None, ca_pem: None };
        Settings {
            name: "Security Operations".parse().unwrap(),
            enabled: true,
            transport: Transport::Webhook,
            framing: Framing::OctetCounting,
            address: Some(address),
            client_certificate_pem: None,
            header_name: None,
            format: Format::Rfc5424,
            event_types: Source::ALL.into_iter().map(|s| (s, s.types().collect())).collect(),
            min_severity: Severity::Info,
        }
    }

    /// A destination that begins now.
    pub(crate) async fn create(&self, settings: Settings) -> DestinationId {
        self.create_with(settings, &Secrets::default()).await
    }

    pub(crate) async fn create_with(&self, settings: Settings, secrets: &Secrets) -> DestinationId {
        let (tenant, created_at) = (self.tenant, self.base.now());
        let id = DestinationId::new(created_at, self.base.entropy.as_ref());
        let mut destination =
            Destination { id, tenant, settings, sealed_secrets: None, created_at, version: 1 };
        if !secrets.is_empty() {
            let plain = serde_json::to_vec(secrets).unwrap();
            let context = destination.sealed_for();
            let context = context.each_ref().map(|(name, value)| (*name, value.as_str()));
            let sealed = self.base.sealer.seal(&plain, &context).await.unwrap();
            destination.sealed_secrets = Some(sealed);
        }
        let progress = Progress::begin(&self.ends().await);
        let (grant, made) =
            (self.grant(Action::CreateDestination).await, (&destination, &progress));
        let entropy = self.base.entropy.as_ref();
        self.table().create_destination(&grant, made, None, None, entropy).await.unwrap();
        id
    }

    /// A destination that takes telemetry only, so that its own making is none of its business.
    pub(crate) async fn create_for_products(&self) -> DestinationId {
        let mut settings = Self::settings();
        settings.event_types.remove(&Source::Console);
        self.create(settings).await
    }

    pub(crate) async fn destination(&self, id: DestinationId) -> (Destination, Progress) {
        self.table().destination(self.tenant, id).await.unwrap().unwrap()
    }

    pub(crate) async fn progress(&self, id: DestinationId) -> Progress {
        self.destination(id).await.1
    }

    /// Other settings.
    pub(crate) async fn change(&self, id: DestinationId, change: impl FnOnce(&mut Settings)) {
        let (before, _) = self.destination(id).await;
        let mut after = Destination { version: before.version + 1, ..before.clone() };
        change(&mut after.settings);
        let grant = self.grant(Action::ChangeDestination).await;
        let (now, entropy) = (self.base.now(), self.base.entropy.as_ref());
        let table = self.table();
        let changed = table.change_destination(&grant, (&before, &after), now, entropy).await;
        assert!(changed.unwrap());
    }

    pub(crate) async fn delete(&self, id: DestinationId) {
        let grant = self.grant(Action::DeleteDestination).await;
        let (now, entropy) = (self.base.now(), self.base.entropy.as_ref());
        assert!(self.table().delete_destination(&grant, id, now, entropy).await.unwrap());
    }

    /// What an administrator wants of the progress.
    pub(crate) async fn direct(
        &self,
        id: DestinationId,
        action: Action,
        change: impl FnOnce(&mut Progress),
    ) -> bool {
        let mut progress = self.progress(id).await;
        change(&mut progress);
        let (grant, entry) = (self.grant(action).await, Entry::about("siem_destination", &id));
        let (now, entropy) = (self.base.now(), self.base.entropy.as_ref());
        let table = self.table();
        table.direct_progress(&grant, &entry, (id, &progress), now, entropy).await.unwrap()
    }

    pub(crate) async fn replay(&self, id: DestinationId, stream: StreamName, from: u64) -> bool {
        self.direct(id, Action::ReplayDestination, |progress| {
            let replay = Replay { cursor: from - 1, last: progress.position(stream).cursor };
            progress.replay.insert(stream, replay);
        })
        .await
    }

    pub(crate) async fn parked(&self, id: DestinationId) -> Vec<Parked> {
        self.table().parked(self.tenant, id, 1_000).await.unwrap()
    }

    // ---- logs

    fn stream(&self, name: StreamName) -> Stream {
        let Source::Product(product) = name.source else { panic!("a product's stream") };
        Stream { tenant: self.tenant, product, partition: name.partition }
    }

    /// An event of the stream's product with an id that no other has.
    pub(crate) fn event(&self, stream: StreamName, severity: Severity) -> Event {
        let number = self.events.fetch_add(1, Ordering::SeqCst);
        let endpoint =
            EndpointRef { id: name(format!("endpoint-{}", number % 97)), kind: Kind::Computer };
        let happening = if stream.source == Source::Product(Product::Ztna) {
            let user = name(format!("user{}@globex.example", number % 13));
            Happening::AccessBlocked { application: name("payroll"), user }
        } else {
            Happening::PolicyViolated { endpoint, policy: name("removable media"), severity }
        };
        let time = self.base.now().as_millisecond();
        Event { id: name(format!("event-{number}")), source: name("/epp/cloud"), time, happening }
    }

    /// Appends events to a stream, as one chunk.
    pub(crate) async fn append(&self, stream: StreamName, events: Vec<Vec<u8>>) {
        let (table, of, now) = (self.table(), self.stream(stream), self.base.now());
        let head = table.head(of).await.unwrap();
        let id = PartId::new(&format!("batch {}", head.next_sequence), 0, [0; 32]);
        let mut part = Part::new(of, Partitions::ONE, id, now.as_millisecond());
        part.events = events.into_iter().map(Into::into).collect();
        let states = HashMap::<String, Endpoint>::new();
        let chunk = plan(&head, Day::of(now), &[Opened::new(part)], &states);
        let packed = chunk.to_bytes().unwrap();
        assert_eq!(table.log_chunk(of, &chunk, packed).await.unwrap(), Written::Yes);
        assert!(table.advance(of, &head, &chunk).await.unwrap().is_some());
    }

    /// Appends so many events of a severity.
    pub(crate) async fn log(&self, stream: StreamName, count: usize, severity: Severity) {
        let events = (0..count).map(|_| encode(&self.event(stream, severity)).unwrap().into_vec());
        self.append(stream, events.collect()).await;
    }

    /// Drops the chunk that begins with this number, as the table does with what is over its time.
    pub(crate) async fn drop_chunk(&self, stream: StreamName, first: u64) {
        self.base.remove(&keys::chunk(self.stream(stream), first)).await;
    }

    /// Where the chunk that begins with this number is.
    pub(crate) fn chunk_key(&self, stream: StreamName, first: u64) -> keys::Key {
        keys::chunk(self.stream(stream), first)
    }

    /// A change that leaves a record.
    pub(crate) async fn audited(&self, what: &str) {
        let grant = self.grant(Action::TestDestination).await;
        let entry = Entry::about("thing", &what).set("note", "a note").personal("email", what);
        let (now, entropy) = (self.base.now(), self.base.entropy.as_ref());
        let table = self.table();
        table.commit(&grant, &entry, Transaction::new(), now, entropy).await.unwrap();
    }

    /// Something that happens at the door, a millisecond after what was before.
    pub(crate) async fn access(&self, outcome: Outcome) -> Access {
        self.base.clock.advance(SignedDuration::from_millis(1));
        let origin =
            Origin { request_id: "r".to_owned(), source_address: Some("198.51.100.7".to_owned()) };
        let (now, entropy) = (self.base.now(), self.base.entropy.as_ref());
        let user = Some(self.admin.user);
        let access = Access::new(AccessKind::Login, outcome, user, &origin, now, entropy);
        self.table().note_access(Some(self.tenant), &access).await.unwrap();
        access
    }

    pub(crate) async fn ends(&self) -> BTreeMap<StreamName, u64> {
        self.table().stream_ends(self.tenant).await.unwrap()
    }

    // ---- the function

    /// One ring: its metrics, or none when it is to come again.
    pub(crate) async fn ring_on(&self, app: &App, id: DestinationId) -> Option<Value> {
        ring(app, self.tenant, id).await
    }

    pub(crate) async fn ring(&self, id: DestinationId) -> Value {
        self.ring_on(&self.app(), id).await.expect("served")
    }

    /// What a sweep answers.
    pub(crate) async fn sweep(&self) -> Value {
        sweep(&self.app()).await.unwrap()
    }

    // ---- judges

    /// The figures of a destination add up.
    pub(crate) async fn check(&self, id: DestinationId) -> Progress {
        let (ends, progress) = (self.ends().await, self.progress(id).await);
        // What grew since the ends were read waits: here nothing runs beside.
        for (stream, last) in &ends {
            let of = progress.position(*stream);
            let settled = of.confirmed + of.refused + of.skipped + of.expired;
            assert_eq!(of.produced(*last), settled + of.backlog(*last), "{stream}: {of:?}");
            assert_eq!(of.cursor - of.start, settled, "{stream}: {of:?}");
            assert!(of.cursor <= *last, "{stream}: {of:?} of {last}");
        }
        progress
    }

    /// As [`Self::check`], and everything selected arrived once and in order.
    pub(crate) async fn check_all(&self, id: DestinationId) -> Progress {
        let (ends, progress) = (self.ends().await, self.check(id).await);
        for (stream, last) in &ends {
            assert_eq!(progress.position(*stream).backlog(*last), 0, "{stream}");
        }
        progress
    }

    /// The sequences that arrived of a stream, in the order in which each came first.
    pub(crate) fn firsts(&self, stream: StreamName) -> Vec<u64> {
        let mut firsts = Vec::new();
        for sequence in self.receiver.sequences().remove(&stream).unwrap_or_default() {
            if !firsts.contains(&sequence) {
                firsts.push(sequence);
            }
        }
        firsts
    }
}

/// One ring: its metrics, or none when it is to come again.
pub(crate) async fn ring(app: &App, tenant: TenantId, destination: DestinationId) -> Option<Value> {
    text(app, &Ring { tenant, destination }.to_string()).await
}

/// One message of any text: its metrics, or none when it failed or was left to the sweep.
pub(crate) async fn text(app: &App, text: &str) -> Option<Value> {
    let mut metrics = Metrics::new("siem-forward", "test");
    let message = SqsMessage { id: "m".into(), body: text.to_owned(), ..SqsMessage::default() };
    let failed = app.messages(vec![message], &mut metrics).await;
    let line = metrics.line(jiff::Timestamp::UNIX_EPOCH);
    let line: Value = serde_json::from_str(&line).unwrap();
    (failed.is_empty() && line.get("siem.not_served").is_none()).then_some(line)
}

/// One sweep: what it answers, or none when it failed.
pub(crate) async fn sweep(app: &App) -> Option<Value> {
    let mut metrics = Metrics::new("siem-forward", "test");
    app.invoked(json!({"sweep": true}), &mut metrics).await.ok()
}

/// The numbers from one to another, both included.
pub(crate) fn numbers(from: u64, to: u64) -> Vec<u64> {
    (from..=to).collect()
}
