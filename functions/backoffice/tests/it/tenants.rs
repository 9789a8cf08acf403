//! Tenants: shut out and let in again, and listed.

use crate::{Office, at_every_crash, command, create, office, overtaken, said, tenant_of};
use belfry_domain::account::{IdleLimit, Role, Tenant};
use belfry_domain::credential::{Credential, Scope, Term};
use belfry_domain::id::{CredentialId, TenantId, UserId};
use belfry_domain::places::State;
use belfry_domain::policy::{Action, Actor, Origin};
use belfry_domain::product::Product;
use belfry_domain::sign_up::{CompanySize, Industry, JobRole, Profile};
use belfry_store::credentials::CreateError;
use belfry_store::keys;
use belfry_testkit::{Call, Turnstile, Verdict};
use serde_json::{Value, json};
use std::sync::Arc;

fn suspend(tenant: TenantId, suspended: bool) -> Value {
    command("suspend_tenant", json!({"tenant_id": tenant, "suspended": suspended}))
}

/// A tenant with all products and a credential of each, two of EPP.
struct House {
    office: Office,
    tenant: TenantId,
    credentials: Vec<CredentialId>,
}

async fn house() -> House {
    let office = office();
    let world = &office.world;
    let tenant = world.tenant("Globex").await;
    let mut credentials = Vec::new();
    for product in Product::ALL {
        world.license(tenant, product, 1).await;
        credentials.push(world.credential(tenant, product).await);
    }
    credentials.push(world.credential(tenant, Product::Epp).await);
    House { office, tenant, credentials }
}

impl House {
    async fn tenant(&self) -> Tenant {
        self.office.world.get(&keys::tenant(self.tenant)).await.unwrap()
    }

    /// Whether the tenant is suspended, which all its credentials say too.
    async fn is_suspended(&self) -> bool {
        let suspended = self.tenant().await.suspended_at.is_some();
        for id in &self.credentials {
            assert_eq!(self.office.credential(*id).await.suspended, suspended);
        }
        suspended
    }

    /// Another credential, asked for by an admin.
    async fn another(&self, product: Product) -> Result<CredentialId, CreateError> {
        let (world, now) = (&self.office.world, self.office.world.now());
        let email = format!("{}@globex.example", UserId::new(now, world.entropy.as_ref()));
        let admin = world.member(self.tenant, &email, Role::Admin).await;
        let (session, _) = world.session(&admin).await;
        let person = world.get(&keys::identity(admin.identity)).await.unwrap();
        let user = world.get(&keys::user(self.tenant, admin.user)).await.unwrap();
        let (idle, origin) = (IdleLimit::default(), Origin::default());
        let actor = Actor::of(&session, &person, &user, idle, now, origin).unwrap();
        let grant = actor.may(Action::CreateCredential).unwrap();
        let license = world.table().license(self.tenant, product).await.unwrap().unwrap();
        let (term, entropy) = (Term::Current { until: None }, world.entropy.as_ref());
        let (credential, _) = Credential::issue(
            self.tenant,
            &license,
            ([Scope::TelemetryWrite].into(), term),
            now,
            entropy,
        );
        world.table().create_credential(&grant, &credential, None, entropy).await?;
        Ok(credential.id)
    }
}

#[tokio::test]
async fn a_suspended_tenant_reports_nothing_until_it_is_let_in_again() {
    let house = house().await;
    let (office, world) = (&house.office, &house.office.world);
    let other = world.tenant("Initech").await;
    world.license(other, Product::Epp, 1).await;
    let elsewhere = world.credential(other, Product::Epp).await;
    let before = house.tenant().await;
    for (suspended, subject) in [
        (true, "Access of Globex to Belfry was suspended"),
        (false, "Access of Globex to Belfry is open again"),
        (true, "Access of Globex to Belfry was suspended"),
    ] {
        world.wait(60);
        let lines = office.log().len();
        for changed in [true, false] {
            let table = world.db.dump();
            let answer = office.say(&suspend(house.tenant, suspended)).await;
            let expected = json!({"status": "ok", "changed": changed,
                "tenant": {"id": house.tenant, "suspended": suspended}});
            assert_eq!(answer, expected);
            assert_eq!(world.db.dump() != table, changed, "a repeat writes nothing");
            assert_eq!(house.is_suspended().await, suspended);
        }
        let since = suspended.then(|| world.now());
        assert_eq!(house.tenant().await.suspended_at, since);
        for id in &house.credentials {
            let let_in = office.credential(*id).await.licensed(world.now());
            assert_eq!(let_in.is_err(), suspended);
        }
        assert!(!office.credential(elsewhere).await.suspended);
        let mails = world.posted().await;
        let [[to, told, _]] = &mails[..] else { panic!("{mails:?}") };
        assert_eq!((to.as_str(), told.as_str()), ("office@globex.example", subject));
        let (action, changes) = office.record(house.tenant).await;
        assert_eq!(action, "tenant.suspend");
        let expected = json!([{"field": "suspended", "from": !suspended, "to": suspended}]);
        assert_eq!(changes, expected);
        let log = office.log();
        assert_eq!(log.len(), lines + 1);
        assert_eq!(log[lines], ["tenant.suspend".to_owned(), house.tenant.to_string()]);
    }
    let (suspended_at, version) = (house.tenant().await.suspended_at, before.version + 3);
    assert_eq!(house.tenant().await, Tenant { suspended_at, version, ..before });
}

#[tokio::test]
async fn no_credential_is_made_while_it_is_suspended() {
    let house = house().await;
    let office = &house.office;
    office.say(&suspend(house.tenant, true)).await;
    let made = house.another(Product::Emm).await;
    assert!(matches!(made, Err(CreateError::Suspended)), "{made:?}");
    let history = command(
        "issue_history_credential",
        json!({"tenant_id": house.tenant, "product": "EPP", "valid_days": 7}),
    );
    assert_eq!(office.refused(&history).await, "tenant_suspended");
    office.say(&suspend(house.tenant, false)).await;
    office.world.wait(1);
    let made = house.another(Product::Emm).await.unwrap();
    assert!(!office.credential(made).await.suspended);
    assert_eq!(office.say(&history).await["status"], "ok");
}

#[tokio::test]
async fn who_is_to_be_suspended_and_whether_has_to_be_said() {
    let house = house().await;
    let office = &house.office;
    let empty = json!({"command": "suspend_tenant"});
    let missing =
        ["/operator required", "/reason required", "/tenant_id required", "/suspended invalid"];
    assert_eq!(office.faults(&empty).await, missing);
    let stranger = TenantId::new(office.world.now(), office.world.entropy.as_ref());
    assert_eq!(office.refused(&suspend(stranger, true)).await, "not_found");
    let mut order = suspend(house.tenant, true);
    order["suspended"] = "yes".into();
    assert_eq!(office.refused(&order).await, "malformed");
    assert!(!house.is_suspended().await);
}

/// A credential, or another idle limit, between the look and the write: neither is lost.
#[tokio::test(start_paused = true)]
async fn what_changes_meanwhile_is_not_lost() {
    let mut house = house().await;
    let world = &house.office.world;
    let gate = Arc::new(Turnstile::new());
    let app = house.office.over(world.db.shared("backoffice", gate.clone()).table());
    let order = suspend(house.tenant, true);
    let task = tokio::spawn(async move { said(&app, &order).await });
    let mut made = None;
    let rival = async {
        made = Some(house.another(Product::Ztna).await.unwrap());
        let tenant = house.tenant().await;
        let minutes = 90.try_into().unwrap();
        let version = tenant.version + 1;
        let changed = Tenant { session_timeout: minutes, version, ..tenant };
        world.put(&keys::tenant(house.tenant), &changed).await;
    };
    let answer = Box::pin(overtaken(&gate, task, rival)).await;
    assert_eq!(answer["changed"], true, "{answer}");
    house.credentials.push(made.unwrap());
    assert!(house.is_suspended().await);
    assert_eq!(u8::from(house.tenant().await.session_timeout), 90);
    assert_eq!(house.office.log().len(), 1);
}

#[tokio::test]
async fn a_crash_leaves_a_tenant_suspended_whole_or_not_at_all() {
    let (mut before, mut after) = (0, 0);
    let crashes = at_every_crash(async |crash| {
        let house = house().await;
        let office = &house.office;
        let order = suspend(house.tenant, true);
        let answer = said(&office.dying(&crash), &order).await;
        let whole = async || {
            let done = usize::from(house.is_suspended().await);
            let of_it = |(record, _): &&(Value, Value)| record["action"] == "tenant.suspend";
            let records = office.trail(house.tenant).await.iter().filter(of_it).count();
            let (lines, mails) = (office.log().len(), office.world.db.dump_of("O#").len());
            assert_eq!((records, lines, mails), (done, done, done));
            done
        };
        let done = whole().await;
        (before, after) = (before + 1 - done, after + done);
        assert_eq!(office.say(&order).await["changed"], done == 0);
        assert_eq!(whole().await, 1);
        answer["status"] == "ok"
    });
    assert!(crashes.await >= 12 && before >= 7 && after >= 1, "{before} {after}");
}

fn list(fields: Value) -> Value {
    command("list_tenants", fields)
}

/// Five companies, one a minute.
async fn five(office: &Office) -> Vec<TenantId> {
    let mut tenants = Vec::new();
    for company in ["Zeta", "Alpha", "Globex", "Beta", "Initech"] {
        let mut order = create();
        order["company"] = company.into();
        order["admin"]["email"] = format!("ann@{company}.example").into();
        tenants.push(tenant_of(&office.say(&order).await));
        office.world.wait(60);
    }
    tenants
}

fn ids(answer: &Value) -> Vec<TenantId> {
    let tenants = answer["tenants"].as_array().unwrap_or_else(|| panic!("{answer}"));
    tenants.iter().map(|tenant| tenant["id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn tenants_are_listed_by_pages_in_the_order_in_which_they_were_made() {
    let office = office();
    let tenants = five(&office).await;
    let (mut pages, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = office.say(&list(json!({"limit": 2, "after": after}))).await;
        pages.push(ids(&page));
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(pages, [&tenants[..2], &tenants[2..4], &tenants[4..]]);
    // A page that is just full does not know that it is the last.
    let full = office.say(&list(json!({"limit": 5}))).await;
    assert_eq!((ids(&full), &full["next"]), (tenants.clone(), &json!(tenants[4])));
    let rest = office.say(&list(json!({"limit": 5, "after": full["next"]}))).await;
    assert_eq!(rest, json!({"status": "ok", "tenants": [], "next": null}));
    let all = office.say(&list(json!({}))).await;
    assert_eq!((ids(&all), &all["next"]), (tenants, &Value::Null));
    let listed = office.log().into_iter().filter(|[action, _]| action == "tenant.list");
    let listed: Vec<_> = listed.map(|[_, subject]| subject).collect();
    assert_eq!(listed, [""; 6], "every look is logged, and is about no tenant");
}

#[tokio::test]
async fn what_is_listed_of_a_tenant() {
    let office = office();
    let world = &office.world;
    let tenant = five(&office).await[2];
    let profile = Profile {
        job_role: JobRole::ALL[0],
        industry: Industry::NonProfit,
        company_size: CompanySize::Over5000,
        state: Some(State::of(&"IN".parse().unwrap(), "IN-KA").unwrap()),
        city: "Bengaluru".parse().unwrap(),
        agreements_accepted_at: Some("2026-11-20T08:00:00Z".parse().unwrap()),
    };
    world.put(&keys::profile(tenant), &profile).await;
    office.say(&suspend(tenant, true)).await;
    world.member(tenant, "kim@globex.example", Role::SuperAdmin).await;
    world.wait(31 * 86_400);
    let listed = office.say(&list(json!({"limit": 5}))).await;
    let product_key = |n: usize| listed["tenants"][2]["licenses"][n]["product_key"].clone();
    assert_eq!(
        listed["tenants"][2],
        json!({
            "id": tenant, "company": "Globex", "country": "IN", "language": "ja",
            "registered_email": "ann@globex.example", "users": 2, "super_admins": 1,
            "suspended": true, "created_at": "2026-11-22T12:02:00.000Z",
            "profile": {
                "job_role": profile.job_role.code(), "industry": "non_profit",
                "company_size": "5001+", "state": "IN-KA", "city": "Bengaluru",
                "agreements_accepted_at": "2026-11-20T08:00:00.000Z",
            },
            "licenses": [
                {"product": "EPP", "product_key": product_key(0), "edition": "Total",
                 "kind": "commercial", "state": "active", "seats": 100,
                 "ends_at": "2027-11-22T12:02:00.000Z"},
                {"product": "ZTNA", "product_key": product_key(1), "edition": "Standard",
                 "kind": "trial", "state": "expired", "seats": 10,
                 "ends_at": "2026-12-22T12:02:00.000Z"},
            ],
        })
    );
    let ztna = world.table().license(tenant, Product::Ztna).await.unwrap().unwrap();
    assert_eq!(product_key(1), ztna.product_key.to_string());
    let other = &listed["tenants"][3];
    assert_eq!((&other["profile"], &other["suspended"]), (&Value::Null, &json!(false)));
    assert_eq!(other["company"], "Beta");
}

#[tokio::test]
async fn a_list_is_asked_for_by_somebody_and_within_bounds() {
    let office = office();
    five(&office).await;
    let empty = json!({"command": "list_tenants"});
    assert_eq!(office.faults(&empty).await, ["/operator required", "/reason required"]);
    for (field, bad) in [("limit", json!(0)), ("limit", json!(51)), ("after", json!("x"))] {
        let order = list(json!({field: bad}));
        assert_eq!(office.faults(&order).await, [format!("/{field} invalid")], "{order}");
    }
    assert_eq!(office.say(&list(json!({"limit": 50}))).await["status"], "ok");
}

/// What cannot be logged is not told.
#[tokio::test]
async fn nothing_is_listed_without_its_line_in_the_log() {
    let office = office();
    five(&office).await;
    let fails = |call: &Call| {
        if call.operation == "TransactWriteItems" { Verdict::Fail } else { Verdict::Proceed }
    };
    let app = office.over(office.world.db.client("backoffice", fails).table());
    let answer = said(&app, &list(json!({}))).await;
    assert_eq!(answer["problem"]["code"], "store_unavailable", "{answer}");
    assert!(!answer.to_string().contains("Globex"));
}
