//! Every function in one process, as tests of many of them need it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "test code: whatever goes wrong here is a failed test"
)]

use crate::description::Description;
use belfry_api::routes::Route;
use belfry_domain::id::TenantId;
use belfry_domain::ports::Clock as _;
use belfry_runtime::events::{Events as _, SqsMessage};
use belfry_runtime::http::Routes;
use belfry_runtime::metrics::Metrics;
use belfry_runtime::vendor::Ed25519;
use belfry_testkit::{
    Answer, Ask, EmbeddedTable, FakeClock, MemoryCaptcha, MemoryDoorbell, MemoryMailer,
    MemoryQueue, MemoryReceiver, SeededEntropy, Vendor, World, public_network, vendor,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// The media type of telemetry.
pub(crate) const EVENTS: &str = "application/cloudevents-batch+json";

/// A company's sign-up but for what it wants.
pub(crate) fn sign_up_form(email: &str) -> Value {
    json!({"first_name": "Zed", "last_name": "Okafor", "email": email, "mobile": "+91 98765 43211",
        "job_role": "it_manager", "company": "Umbrella Works", "industry": "manufacturing",
        "company_size": "101-250", "country": "IN", "state": "IN-KA", "city": "Bengaluru",
        "language": "ja"})
}

/// The code of an authenticator app at this moment.
pub(crate) fn code(house: &House, secret: &str) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let app = totp_rs::Builder::new().with_secret(secret.as_ref().to_vec()).build().unwrap();
    app.generate(u64::try_from(house.clock.now().as_second()).unwrap()).to_string()
}

/// Every function on one table, with queues and mail in memory.
pub(crate) struct House {
    pub(crate) db: EmbeddedTable,
    pub(crate) clock: FakeClock,
    pub(crate) bell: MemoryDoorbell,
    pub(crate) telemetry: MemoryQueue,
    pub(crate) mailer: MemoryMailer,
    pub(crate) world: World,
    pub(crate) auth: auth::App,
    pub(crate) users: users::App,
    pub(crate) tenant: ::tenant::App,
    pub(crate) licenses: licenses::App,
    pub(crate) onboarding: onboarding::App,
    /// Signs activation keys.
    pub(crate) seller: Vendor,
    pub(crate) ingest: ingest::App,
    pub(crate) dashboard: dashboard::App,
    pub(crate) backoffice: backoffice::App,
    pub(crate) mail: mail::App,
    pub(crate) rollup: rollup::Rollup,
    pub(crate) tags: tags::App,
    pub(crate) tagging: tagging::App,
    pub(crate) product: product::App,
    pub(crate) directory: directory::App,
    pub(crate) siem: siem::App,
    pub(crate) forward: siem_forward::App,
    /// Rings for SIEM destinations.
    pub(crate) rings: MemoryQueue,
    /// What every SIEM destination leads to.
    pub(crate) receiver: MemoryReceiver,
    pub(crate) description: Description,
    /// Route and status of every answer so far.
    pub(crate) seen: Mutex<BTreeSet<(String, u16)>>,
}

/// The two functions of the SIEM export.
fn export(
    world: &World,
    rings: &MemoryQueue,
    receiver: &MemoryReceiver,
) -> (siem::App, siem_forward::App) {
    let (carrier, sealer) = (Arc::new(receiver.clone()), Arc::new(world.sealer.clone()));
    let (clock, entropy) = (Arc::new(world.clock.clone()), world.entropy.clone());
    let host = "console.example".to_owned();
    let routes = siem::App {
        table: world.table(),
        authenticator: world.authenticator(world.table()),
        outbound: public_network(),
        carrier: carrier.clone(),
        sealer: sealer.clone(),
        rings: Arc::new(rings.clone()),
        host: host.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
    };
    let forward = siem_forward::App {
        table: world.table(),
        carrier,
        sealer,
        rings: Arc::new(rings.clone()),
        bell: Arc::new(world.bell.clone()),
        host,
        clock,
        entropy,
    };
    (routes, forward)
}

/// The functions of tags, applications and what products read.
fn tagged(world: &World) -> (tags::App, tagging::App, product::App) {
    let (clock, entropy) = (Arc::new(world.clock.clone()), world.entropy.clone());
    let console = tags::App {
        table: world.table(),
        authenticator: world.authenticator(world.table()),
        bell: Arc::new(world.tagging.clone()),
        clock: clock.clone(),
        entropy: entropy.clone(),
    };
    let worker = tagging::App { table: world.table(), clock: clock.clone(), entropy };
    (console, worker, product::App { table: world.table(), clock })
}

/// The vendor's own function.
fn office(world: &World, seller: &Vendor) -> backoffice::App {
    backoffice::App {
        table: world.table(),
        post: world.post(),
        pinned: vec![seller.key()],
        signatures: Arc::new(Ed25519),
        local: false,
        clock: Arc::new(world.clock.clone()),
        entropy: world.entropy.clone(),
    }
}

/// The function of identity providers, over a directory in memory.
fn directories(world: &World) -> directory::App {
    directory::App {
        table: world.table(),
        authenticator: world.authenticator(world.table()),
        post: world.post(),
        ldap: Arc::new(world.directory.clone()),
        outbound: public_network(),
        bell: Arc::new(world.syncs.clone()),
        clock: Arc::new(world.clock.clone()),
        entropy: world.entropy.clone(),
    }
}

impl House {
    pub(crate) fn new() -> Self {
        let world = World::new();
        let World { db, clock, entropy, key, sealer, bell, .. } = world.clone();
        let (telemetry, mailer) = (MemoryQueue::new(), MemoryMailer::new());
        let (rings, receiver) = (MemoryQueue::new(), MemoryReceiver::new());
        let (time, seller) = (Arc::new(clock.clone()), Vendor::new());
        let export = export(&world, &rings, &receiver);
        let tagged = tagged(&world);
        Self {
            auth: auth::App {
                table: db.table(),
                tokens: world.tokens(),
                signer: Arc::new(key.clone()),
                authenticator: world.authenticator(db.table()),
                post: world.post(),
                consoles: vendor::consoles(),
                clock: time.clone(),
                entropy: entropy.clone(),
            },
            users: users::App {
                table: db.table(),
                authenticator: world.authenticator(db.table()),
                post: world.post(),
                imports: Arc::new(world.imports.clone()),
                clock: time.clone(),
                entropy: entropy.clone(),
            },
            tenant: ::tenant::App {
                table: db.table(),
                authenticator: world.authenticator(db.table()),
                key: key.public_key(),
                support: ::tenant::Support::new("support@example.com").unwrap(),
                launchable: vendor::consoles().into_keys().collect(),
                bell: Arc::new(bell.clone()),
                clock: time.clone(),
                entropy: entropy.clone(),
            },
            licenses: licenses::App {
                table: db.table(),
                authenticator: world.authenticator(db.table()),
                bell: Arc::new(bell.clone()),
                pinned: vec![seller.key()],
                signatures: Arc::new(Ed25519),
                trial_edition: "Standard".parse().unwrap(),
                clock: time.clone(),
                entropy: entropy.clone(),
            },
            onboarding: onboarding::App {
                table: db.table(),
                post: world.post(),
                captcha: Arc::new(MemoryCaptcha::default()),
                trial_edition: "Standard".parse().unwrap(),
                clock: time.clone(),
                entropy: entropy.clone(),
            },
            ingest: ingest::App {
                table: db.table(),
                queue: Arc::new(telemetry.clone()),
                clock: time.clone(),
            },
            dashboard: dashboard::App {
                table: db.table(),
                authenticator: world.authenticator(db.table()),
                bell: Arc::new(bell.clone()),
                clock: time.clone(),
                entropy: entropy.clone(),
            },
            backoffice: office(&world, &seller),
            mail: mail::App {
                table: db.table(),
                mailer: Box::new(mailer.clone()),
                sealer: Box::new(sealer.clone()),
                telemetry: Box::new(telemetry.clone()),
                clock: Box::new(clock.clone()),
            },
            tags: tagged.0,
            tagging: tagged.1,
            product: tagged.2,
            directory: directories(&world),
            siem: export.0,
            forward: export.1,
            rollup: rollup::Rollup::new(db.table(), Arc::new(rings.clone()), time.clone()),
            seller,
            description: Description::new(),
            seen: Mutex::default(),
            // Other people than the functions', by chance.
            world: World { entropy: Arc::new(SeededEntropy::new(2)), ..world },
            db,
            clock,
            bell,
            telemetry,
            mailer,
            rings,
            receiver,
        }
    }

    /// Asks, and holds the answer against the description.
    pub(crate) async fn tell(&self, function: &impl Routes, route: &str, ask: Ask) -> Answer {
        let answer = ask.of(function).await;
        self.description.check_answer(route, answer.status, &answer.text);
        assert!(!answer.header("x-request-id").is_empty());
        self.seen.lock().unwrap().insert((route.to_owned(), answer.status));
        answer
    }

    /// The same of the function that the route belongs to.
    pub(crate) async fn at(&self, route: &Route, ask: Ask) -> Answer {
        match route.function {
            "auth" => self.tell(&self.auth, route.route, ask).await,
            "users" => self.tell(&self.users, route.route, ask).await,
            "tenant" => self.tell(&self.tenant, route.route, ask).await,
            "ingest" => self.tell(&self.ingest, route.route, ask).await,
            "dashboard" => self.tell(&self.dashboard, route.route, ask).await,
            "licenses" => self.tell(&self.licenses, route.route, ask).await,
            "onboarding" => self.tell(&self.onboarding, route.route, ask).await,
            "tags" => self.tell(&self.tags, route.route, ask).await,
            "product" => self.tell(&self.product, route.route, ask).await,
            "siem" => self.tell(&self.siem, route.route, ask).await,
            "directory" => self.tell(&self.directory, route.route, ask).await,
            other => panic!("the walk does not know the function {other}"),
        }
    }

    /// Lets nobody of a tenant in.
    pub(crate) async fn suspend(&self, tenant: TenantId) {
        self.obeyed(json!({
            "command": "suspend_tenant", "operator": "ops@vendor.example", "reason": "unpaid",
            "tenant_id": tenant, "suspended": true,
        }))
        .await;
    }

    /// The same with a body that the description allows, which no function may then refuse for its
    /// form.
    pub(crate) async fn send(
        &self,
        function: &impl Routes,
        route: &str,
        ask: Ask,
        body: Value,
    ) -> Answer {
        self.description.check_request(route, &body);
        let answer = self.tell(function, route, ask.json(body)).await;
        assert_ne!(answer.status, 400, "{route}: {}", answer.text);
        answer
    }

    /// The rings are answered, and what is queued is written.
    pub(crate) async fn settle(&self) {
        let rings = self.bell.drain().into_iter().enumerate();
        let rings =
            rings.map(|(n, body)| SqsMessage { id: n.to_string(), body, ..Default::default() });
        let mut metrics = Metrics::new("mail", "test");
        assert_eq!(self.mail.messages(rings.collect(), &mut metrics).await, [""; 0]);
        let parts = self.telemetry.drain().into_iter().map(|message| SqsMessage {
            id: message.deduplication,
            body: message.body,
            group: Some(message.group),
            ..Default::default()
        });
        let mut metrics = Metrics::new("rollup", "test");
        assert_eq!(self.rollup.messages(parts.collect(), &mut metrics).await, [""; 0]);
    }

    /// The rings for work on tags are answered.
    pub(crate) async fn tag_rings(&self) {
        let rings = self.world.tagging.drain().into_iter().enumerate();
        let rings =
            rings.map(|(n, body)| SqsMessage { id: n.to_string(), body, ..Default::default() });
        let mut metrics = Metrics::new("tagging", "test");
        assert_eq!(self.tagging.messages(rings.collect(), &mut metrics).await, [""; 0]);
    }

    /// The rings for SIEM destinations are answered.
    pub(crate) async fn forward_rings(&self) {
        let rings = self.rings.drain().into_iter().map(|message| SqsMessage {
            id: message.deduplication,
            body: message.body,
            group: Some(message.group),
            ..Default::default()
        });
        let mut metrics = Metrics::new("siem-forward", "test");
        assert_eq!(self.forward.messages(rings.collect(), &mut metrics).await, [""; 0]);
    }

    /// The new tenant's id; its first super admin is Ann, whether or not she is known already.
    pub(crate) async fn create_tenant(&self) -> TenantId {
        let command = json!({
            "command": "create_tenant", "operator": "ops@vendor.example", "reason": "new customer",
            "company": "Globex", "country": "IN", "language": "en",
            "admin": {"first_name": "Ann", "last_name": "Lindqvist", "email": "ann@globex.com",
                "mobile": "+919876543210", "language": "en"},
            "products": (["EPP", "EMM", "DATA_PRIVACY", "ZTNA"].map(|product| json!({
                "product": product, "edition": "Advance", "kind": "commercial", "seats": 100,
                "term_days": 365, "partitions": 1}))),
        });
        let answer = self.obeyed(command).await;
        answer["tenant"]["id"].as_str().unwrap().parse().unwrap()
    }

    /// What the back office answers to a command that it obeys.
    pub(crate) async fn obeyed(&self, command: Value) -> Value {
        let mut metrics = Metrics::new("backoffice", "test");
        let answer = self.backoffice.invoked(command, &mut metrics).await.unwrap();
        assert_eq!(answer["status"], "ok", "{answer}");
        answer
    }

    /// What follows `#` in the link of the latest mail.
    pub(crate) fn mailed_token(&self) -> String {
        let text = self.mailer.sent().pop().expect("a mail").mail.text;
        let (_, rest) = text.split_once('#').expect("a link");
        rest.split_whitespace().next().unwrap().to_owned()
    }

    fn event(&self, n: i64, kind: &str, data: Value) -> Value {
        // A second apart: of a cleaning and a detection at the same time the cleaning counts.
        let time = self.clock.now() - SignedDuration::from_secs(60 - n);
        json!({"specversion": "1.0", "id": n.to_string(), "source": "/globex/1", "type": kind,
            "time": time.to_string(), "datacontenttype": "application/json", "data": data})
    }

    /// One event of every type that `product` sends.
    pub(crate) fn events(&self, product: &str) -> Vec<Value> {
        let endpoint = |id: &str| json!({"id": id, "kind": "computer"});
        let full = json!({"id": "pc-1", "kind": "computer", "name": "pc-1", "os": "Windows",
            "os_version": "11", "agent_version": "1.2.3"});
        let sign = |more: Value| {
            let mut data = json!({"endpoint": endpoint("pc-1"), "severity": "high"});
            data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            data
        };
        let infection = || sign(json!({"threat": "EICAR", "action": "quarantined"}));
        let mut events = vec![
            ("endpoint.status", json!({"endpoint": full})),
            ("endpoint.removed", json!({"endpoint": endpoint("pc-2")})),
        ];
        events.extend(match product {
            "EPP" | "EMM" => vec![
                ("infection.cleaned", infection()),
                ("infection.detected", infection()),
                ("policy.violated", sign(json!({"policy": "usb"}))),
                ("application.violated", sign(json!({"application": "torrent"}))),
            ],
            "DATA_PRIVACY" => vec![(
                "classifier.matched",
                json!({"endpoint": endpoint("pc-1"), "classifier": "iban", "count": 3}),
            )],
            _ => vec![("access.blocked", json!({"application": "crm", "user": "bob"}))],
        });
        (0..).zip(events).map(|(n, (kind, data))| self.event(n, kind, data)).collect()
    }
}
