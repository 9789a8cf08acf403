//! `backoffice` from its command to the table: every answer, stored state and record.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed test says so by a panic"
)]

mod activation_keys;
mod appointments;
mod captcha;
mod licenses;
mod product_keys;
mod recoveries;
mod resets;
mod tenants;

use backoffice::App;
use belfry_domain::account::{Identity, IdleLimit, Link, LinkPurpose, Role, Status, Tenant, User};
use belfry_domain::audit::{Head, verify};
use belfry_domain::credential::{Credential, CredentialToken, Scope};
use belfry_domain::id::{CredentialId, TenantId};
use belfry_domain::license::{License, ProductKey};
use belfry_domain::outbox::Outgoing;
use belfry_domain::product::Product;
use belfry_domain::secret::Secret;
use belfry_runtime::events::handle;
use belfry_runtime::keys::Sealer as _;
use belfry_runtime::metrics::Metrics;
use belfry_runtime::vendor::Ed25519;
use belfry_store::audit::Kept;
use belfry_store::{Table, keys};
use belfry_testkit::{
    Call, Crash, FakeSealer, MemoryDoorbell, Moment, Turnstile, Vendor, Verdict, World, in_lockstep,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::task::JoinHandle;

struct Office {
    world: World,
    sealer: FakeSealer,
    bell: MemoryDoorbell,
    vendor: Vendor,
    app: App,
}

fn office() -> Office {
    let world = World::new();
    let (sealer, bell, vendor) = (world.sealer.clone(), world.bell.clone(), Vendor::new());
    let app = app_over(&world, &vendor, world.table());
    Office { world, sealer, bell, vendor, app }
}

fn app_over(world: &World, vendor: &Vendor, table: Table) -> App {
    App {
        table,
        post: world.post(),
        pinned: vec![Vendor::new().key(), vendor.key()],
        signatures: Arc::new(Ed25519),
        local: false,
        clock: Arc::new(world.clock.clone()),
        entropy: world.entropy.clone(),
    }
}

/// A command of Kim's, for a reason.
fn command(name: &str, mut fields: Value) -> Value {
    fields["command"] = name.into();
    fields["operator"] = "Kim".into();
    fields["reason"] = "ticket 7".into();
    fields
}

async fn said(app: &App, command: &Value) -> Value {
    let mut metrics = Metrics::new("backoffice", "test");
    handle(app, &command.to_string(), &mut metrics).await.unwrap()
}

impl Office {
    /// The function over this handle to the table.
    fn over(&self, table: Table) -> App {
        app_over(&self.world, &self.vendor, table)
    }

    /// The function in a process that dies so.
    fn dying(&self, crash: &Arc<Crash>) -> App {
        self.over(self.world.db.shared("backoffice", crash.clone()).table())
    }

    async fn say(&self, command: &Value) -> Value {
        said(&self.app, command).await
    }

    /// The code of a refusal, which has written nothing.
    async fn refused(&self, command: &Value) -> String {
        let before = self.world.db.dump();
        let answer = self.say(command).await;
        assert_eq!(answer["status"], "error", "{command}: {answer}");
        assert_eq!(self.world.db.dump(), before, "{command}");
        let problem = &answer["problem"];
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        problem["code"].as_str().unwrap().to_owned()
    }

    /// The faults of a command, which has written nothing.
    async fn faults(&self, command: &Value) -> Vec<String> {
        assert_eq!(self.refused(command).await, "invalid", "{command}");
        let answer = self.say(command).await;
        let errors = answer["problem"]["errors"].as_array().unwrap();
        let fault = |e: &Value| [&e["pointer"], &e["code"]].map(|t| t.as_str().unwrap()).join(" ");
        errors.iter().map(fault).collect()
    }

    /// The back office's log, the oldest line first: what was done, and to which tenant or what else. All of
    /// it was Kim, and says why.
    fn log(&self) -> Vec<[String; 2]> {
        let text = |item: &Value, name: &str| item[name]["S"].as_str().unwrap_or("").to_owned();
        let lines = self.world.db.dump_of("BO#");
        let told = lines.iter().map(|line| {
            assert_eq!([text(line, "operator"), text(line, "reason")], ["Kim", "ticket 7"]);
            assert!(text(line, "request_id").len() > 20, "{line}");
            let about = format!("{} {}", text(line, "tenant"), text(line, "subject"));
            [text(line, "action"), about.trim().to_owned()]
        });
        told.collect()
    }

    /// The tenant's licence for EPP.
    async fn license(&self, tenant: TenantId) -> License {
        self.world.table().license(tenant, Product::Epp).await.unwrap().unwrap()
    }

    async fn credential(&self, id: CredentialId) -> Credential {
        self.world.table().credential(id).await.unwrap().unwrap()
    }

    /// The last record of a tenant: its action and what changed. It says that the vendor's staff did it; who
    /// that was says only its erasable part.
    async fn record(&self, tenant: TenantId) -> (String, Value) {
        let (mut record, personal) = self.trail(tenant).await.pop().unwrap();
        assert_eq!(record["actor"], json!({"kind": "back_office"}));
        assert_eq!(personal["values"]["operator"], "Kim");
        assert!(!record.to_string().contains("Kim"));
        (record["action"].as_str().unwrap().to_owned(), record["changes"].take())
    }

    /// The one activation mail: to whom, in which language, its link opened.
    async fn mail(&self) -> (String, String, String) {
        let rings = self.bell.drain();
        let id = rings[0].parse().unwrap();
        let claim = self.world.table().claim_outbox(id, self.world.now()).await.unwrap();
        let Outgoing::Mail(mail) = claim.unwrap().entry().outgoing.clone() else { panic!() };
        let context = [("purpose", "mail-link"), ("outbox", &rings[0])];
        let link = self.sealer.open(&mail.sealed_link.unwrap(), &context).await.unwrap();
        (mail.to.into(), mail.language.name().to_owned(), String::from_utf8(link).unwrap())
    }

    async fn trail(&self, tenant: TenantId) -> Vec<(Value, Value)> {
        let (records, head) = self.world.table().audit_trail(tenant, 0, 100).await.unwrap();
        let texts = records.iter().map(|r| (r.text.as_str(), r.personal.as_deref()));
        assert_eq!(verify(&Head::EMPTY, texts), Ok(head));
        let json = |text: &str| serde_json::from_str(text).unwrap();
        let whole = |r: &Kept| (json(&r.text), json(r.personal.as_deref().unwrap_or("null")));
        records.iter().map(whole).collect()
    }
}

/// Runs once for each crash of a process, before and after its every call, until it ends before the crash
/// comes; tells how often it crashed. A run says whether it was well.
async fn at_every_crash(mut run: impl AsyncFnMut(Arc<Crash>) -> bool) -> usize {
    let mut crashes = 0;
    for moment in [Moment::Before, Moment::After] {
        for at in 0.. {
            let crash = Arc::new(Crash::new(at, moment));
            let well = run(crash.clone()).await;
            assert!(well || crash.happened(), "{moment:?} {at}");
            if !crash.happened() {
                break;
            }
            crashes += 1;
        }
    }
    crashes
}

/// Lets a task look and stop before its first write, a rival do what it does meanwhile, and then the task go
/// on. For tests with `start_paused = true`.
async fn overtaken<T>(
    gate: &Arc<Turnstile>,
    task: JoinHandle<T>,
    rival: impl Future<Output = ()>,
) -> T {
    loop {
        let held = gate.settle().await;
        if held.iter().any(|held| held.call.operation == "TransactWriteItems") {
            break;
        }
        assert!(!task.is_finished(), "it never wrote");
        for held in held {
            gate.release(held.ticket, Verdict::Proceed);
        }
    }
    rival.await;
    gate.open();
    task.await.unwrap()
}

fn create() -> Value {
    json!({
        "command": "create_tenant", "operator": "Kim", "reason": "ticket 7",
        "company": "Globex", "country": "IN", "language": "ja",
        "admin": {"first_name": "Ann", "last_name": "Lee", "email": "Ann@Globex.example",
                  "mobile": "+91 98765 43210", "language": "ko"},
        "products": [
            {"product": "EPP", "edition": "Total", "kind": "commercial", "seats": 100,
             "term_days": 365, "partitions": 4},
            {"product": "ZTNA", "edition": "Standard", "kind": "trial", "seats": 10,
             "term_days": 30, "partitions": 1},
        ],
    })
}

fn tenant_of(answer: &Value) -> TenantId {
    answer["tenant"]["id"].as_str().unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
}

#[tokio::test]
async fn a_tenant_with_its_first_super_admin_and_its_products() {
    let office = office();
    let world = &office.world;
    let answer = office.say(&create()).await;
    let tenant_id = tenant_of(&answer);
    let user_id = answer["user"]["id"].as_str().unwrap().parse().unwrap();
    let product_keys: Vec<ProductKey> = answer["tenant"]["products"]
        .as_array()
        .unwrap()
        .iter()
        .map(|product| product["product_key"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(
        answer,
        json!({"status": "ok",
            "tenant": {"id": tenant_id, "products": [
                {"product": "EPP", "product_key": product_keys[0]},
                {"product": "ZTNA", "product_key": product_keys[1]}]},
            "user": {"id": user_id}})
    );

    let tenant: Tenant = world.get(&keys::tenant(tenant_id)).await.unwrap();
    assert_eq!((tenant.company.as_str(), tenant.country.as_str()), ("Globex", "IN"));
    assert_eq!((tenant.language.name(), tenant.users), ("ja", 1));
    assert_eq!(tenant.session_timeout, IdleLimit::default());
    assert_eq!(tenant.registered_email.as_str(), "ann@globex.example");
    let user: User = world.get(&keys::user(tenant_id, user_id)).await.unwrap();
    assert_eq!((user.role, user.status), (Role::SuperAdmin, Status::Invited));
    assert_eq!(user.mobile.unwrap().as_str(), "+919876543210");
    let identity: Identity = world.get(&keys::identity(user.identity.unwrap())).await.unwrap();
    assert_eq!((identity.password, identity.language.name()), (None, "ko"));
    assert_eq!(
        world.table().identity_of(&user.email).await.unwrap(),
        Some(identity.id),
        "the address leads to the person"
    );
    assert_eq!(world.table().memberships(identity.id).await.unwrap(), [], "not accepted yet");
    let license: License = world.get(&keys::license(tenant_id, Product::Epp)).await.unwrap();
    assert_eq!((license.seats, license.partitions.count()), (100, 4));
    assert_eq!(license.product_key, product_keys[0]);
    assert_eq!(license.ends_at, world.now() + SignedDuration::from_hours(24 * 365));
    assert_eq!(world.db.dump_of("PK#").len(), 2);

    let (to, language, link) = office.mail().await;
    assert_eq!((to.as_str(), language.as_str()), ("ann@globex.example", "ko"));
    let token = link.strip_prefix("https://console.example/activate#").unwrap();
    let hash = token.parse::<Secret>().unwrap().hash();
    assert_eq!(user.invitation, Some(hash));
    let link: Link = world.get(&keys::link(&hash)).await.unwrap();
    let purpose = LinkPurpose::Activation { tenant: tenant_id, user: user_id };
    assert_eq!((link.purpose, link.identity), (purpose, identity.id));
    assert_eq!(link.valid_until, world.now() + SignedDuration::from_hours(72));
    assert!(!world.db.holds(token), "the link is stored hashed and sealed only");

    let trail = office.trail(tenant_id).await;
    let (record, personal) = &trail[0];
    assert_eq!((trail.len(), &record["action"]), (1, &json!("tenant.create")));
    assert_eq!(record["actor"], json!({"kind": "back_office"}));
    assert_eq!(personal["values"]["operator"], "Kim");
    assert_eq!(personal["values"]["email"], "ann@globex.example");
    assert!(!record.to_string().contains("Kim") && !record.to_string().contains("globex"));
    let log = world.db.dump_of("BO#202611");
    assert_eq!(log.len(), 1);
    assert_eq!(log[0]["operator"]["S"], "Kim");
    assert_eq!(log[0]["reason"]["S"], "ticket 7");
    assert_eq!(log[0]["action"]["S"], "tenant.create");
    assert_eq!(log[0]["tenant"]["S"], tenant_id.to_string());
}

#[tokio::test]
async fn a_known_person_is_invited_once_more_and_stays_as_they_are() {
    let office = office();
    let world = &office.world;
    let home = world.tenant("Initech").await;
    let ann = world.member(home, "ann@globex.example", Role::ReadOnly).await;
    let before: Identity = world.get(&keys::identity(ann.identity)).await.unwrap();

    let answer = office.say(&create()).await;

    let user_id = answer["user"]["id"].as_str().unwrap().parse().unwrap();
    let user: User = world.get(&keys::user(tenant_of(&answer), user_id)).await.unwrap();
    assert_eq!(user.identity, Some(ann.identity));
    assert_eq!(world.get::<Identity>(&keys::identity(ann.identity)).await, Some(before));
    assert_eq!(world.table().memberships(ann.identity).await.unwrap().len(), 1);
    assert_eq!(office.mail().await.1, "en", "the person's own language, not the command's");
}

#[tokio::test]
async fn every_fault_at_once_and_nothing_written() {
    let office = office();
    let faults = async |command: Value| office.faults(&command).await;
    assert_eq!(
        faults(json!({"command": "create_tenant"})).await,
        [
            "/operator required",
            "/reason required",
            "/company required",
            "/country required",
            "/language required",
            "/admin/first_name required",
            "/admin/last_name required",
            "/admin/email required",
            "/admin/mobile required",
            "/admin/language required",
            "/products required",
        ]
    );
    let mut command = create();
    command["country"] = "XX".into();
    command["language"] = "de".into();
    command["company"] = "<Globex>".into();
    command["admin"]["email"] = "ann".into();
    command["admin"]["mobile"] = "12".into();
    command["admin"]["first_name"] = "x".repeat(61).into();
    command["products"] = json!([
        {"product": "XYZ", "edition": "", "kind": "gift", "seats": 0, "term_days": 0, "partitions": 2},
        {"product": "EPP", "edition": "a", "kind": "trial", "seats": 1_000_001, "term_days": 3_651,
         "partitions": 16},
        create()["products"][0], create()["products"][0],
    ]);
    assert_eq!(
        faults(command).await,
        [
            "/company invalid",
            "/country invalid",
            "/language invalid",
            "/admin/first_name too_long",
            "/admin/email invalid",
            "/admin/mobile invalid",
            "/products/0/product invalid",
            "/products/0/edition required",
            "/products/0/kind invalid",
            "/products/0/seats invalid",
            "/products/0/term_days invalid",
            "/products/0/partitions invalid",
            "/products/1/seats invalid",
            "/products/1/term_days invalid",
            "/products/3/product duplicate",
        ]
    );
    assert_eq!(faults(json!({"command": "drop_table"})).await, ["/command invalid"]);
    assert_eq!(faults(json!({})).await, ["/command invalid"]);
    for bad in [
        json!({"command": "create_tenant", "admin": true}),
        json!({"command": "create_tenant", "role": 1}),
    ] {
        assert_eq!(office.say(&bad).await["problem"]["code"], "malformed", "{bad}");
    }
    assert_eq!(office.world.db.dump(), [] as [Value; 0]);
}

#[tokio::test]
async fn a_lost_ring_never_fails_the_command() {
    let office = office();
    office.bell.fail_next(1);
    assert_eq!(office.say(&create()).await["status"], "ok");
    assert_eq!(office.world.db.dump_of("O#").len(), 1, "the mail waits for the sweep");
}

#[tokio::test]
async fn a_sealer_or_table_that_is_down_leaves_nothing_behind() {
    let mut office = office();
    office.sealer.set_down(true);
    let answer = office.say(&create()).await;
    assert_eq!(answer["problem"]["code"], "key_unavailable", "{answer}");
    assert_eq!(office.world.db.dump(), [] as [Value; 0]);
    office.sealer.set_down(false);
    let fails = |call: &Call| {
        if call.operation == "TransactWriteItems" { Verdict::Fail } else { Verdict::Proceed }
    };
    office.app.table = office.world.db.client("backoffice", fails).table();
    let answer = office.say(&create()).await;
    assert_eq!(answer["problem"]["code"], "store_unavailable", "{answer}");
    assert_eq!((office.world.db.dump().len(), office.bell.drain().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn many_tenants_with_one_new_person_at_once() {
    let mut office = office();
    let gate = Arc::new(Turnstile::new());
    office.app.table = office.world.db.shared("backoffice", gate.clone()).table();
    let office = Arc::new(office);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let office = office.clone();
            tokio::spawn(async move { office.say(&create()).await })
        })
        .collect();
    let tenants: HashSet<_> = in_lockstep(&gate, tasks).await.iter().map(tenant_of).collect();
    assert_eq!(tenants.len(), 8);
    let people = office.world.db.dump().iter().filter(|i| i["et"]["S"] == "identity").count();
    assert_eq!(people, 1);
    assert_eq!(office.world.db.dump_of("PK#").len(), 16);
}

#[tokio::test]
async fn a_history_credential_for_seven_days() {
    let office = office();
    let world = &office.world;
    let tenant = tenant_of(&office.say(&create()).await);
    let issue = json!({
        "command": "issue_history_credential", "operator": "Kim", "reason": "onboarding",
        "tenant_id": tenant, "product": "EPP", "valid_days": 7,
    });
    let answer = office.say(&issue).await;
    let credential = &answer["credential"];
    let secret = credential["secret"].as_str().unwrap();
    let token: CredentialToken = secret.parse().unwrap();
    assert_eq!(
        answer,
        json!({"status": "ok", "credential": {
            "id": token.id, "product": "EPP", "scopes": ["telemetry:write"],
            "max_event_age_days": 400, "expires_at": "2026-11-29T12:00:00.000Z", "secret": secret}})
    );
    assert!(!world.db.holds(secret));
    let check = async |after: i64| {
        let found = world.table().credential(token.id).await.unwrap();
        let at = world.now() + SignedDuration::from_secs(after);
        Credential::check(found, &token, Scope::TelemetryWrite, at)
    };
    assert_eq!(check(7 * 86_400 - 1).await.unwrap().partitions.count(), 4);
    check(7 * 86_400).await.unwrap_err();
    let trail = office.trail(tenant).await;
    assert_eq!(trail[1].0["action"], "credential.issue_history");
    assert_eq!(trail[1].1["values"]["operator"], "Kim");
    let log = world.db.dump_of("BO#");
    assert_eq!(log.len(), 2);

    for (field, value, code, faults) in [
        ("valid_days", json!(8), "invalid", json!(["/valid_days"])),
        ("valid_days", json!(0), "invalid", json!(["/valid_days"])),
        ("product", json!("XYZ"), "invalid", json!(["/product"])),
        ("tenant_id", json!("x"), "invalid", json!(["/tenant_id"])),
        ("operator", json!(" "), "invalid", json!(["/operator"])),
        ("reason", json!(""), "invalid", json!(["/reason"])),
        ("product", json!("EMM"), "license_missing", json!([])),
        (
            "tenant_id",
            json!(TenantId::new(world.now(), world.entropy.as_ref())),
            "not_found",
            json!([]),
        ),
    ] {
        let mut command = issue.clone();
        command[field] = value;
        let answer = office.say(&command).await;
        assert_eq!(answer["problem"]["code"], code, "{command}");
        let pointers: Value = answer["problem"]["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["pointer"].clone())
            .collect();
        assert_eq!(pointers, faults, "{command}");
    }
    assert_eq!(office.say(&issue).await["status"], "ok");
    assert_eq!(office.say(&issue).await["problem"]["code"], "credential_limit");
    assert_eq!(office.trail(tenant).await.len(), 3);
}
