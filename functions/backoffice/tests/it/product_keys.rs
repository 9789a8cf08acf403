//! Product keys: issued, withdrawn in each state, and given back.

use crate::{Office, at_every_crash, command, office, overtaken, said};
use belfry_domain::id::{CredentialId, TenantId};
use belfry_domain::license::product_key::{KeyState, KeyUnavailable};
use belfry_domain::license::{IssuedKey, License, LicenseState, ProductKey};
use belfry_domain::product::Product;
use belfry_domain::secret::Secret;
use belfry_store::keys;
use belfry_testkit::Turnstile;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

fn issue() -> Value {
    let fields = json!({"product": "ZTNA", "edition": "Total", "seats": 250, "term_days": 365,
        "partitions": 16});
    command("issue_product_key", fields)
}

fn revoke(key: ProductKey, revoked: bool) -> Value {
    command("revoke_product_key", json!({"product_key": key, "revoked": revoked}))
}

/// A key as the log names it: enough to find it again, not enough to register it.
fn masked(key: &ProductKey) -> String {
    format!("{}-..", &key.to_string()[..11])
}

impl Office {
    async fn key(&self, key: ProductKey) -> IssuedKey {
        self.world.table().product_key(key).await.unwrap().unwrap()
    }

    /// A key that a registration of Zoe's holds, and the secret of its link.
    async fn held_key(&self) -> (ProductKey, Secret) {
        let world = &self.world;
        let (key, link) = (world.product_key(Product::Epp).await, Secret::new(&*world.entropy));
        let zoe = "zoe@umbrella.example".parse().unwrap();
        let held = self.key(key).await.held(link.hash(), &zoe, world.now()).unwrap();
        world.put(&keys::product_key(key), &held).await;
        (key, link)
    }

    /// A tenant that has registered a key of 100 seats for a year, and a credential of its product.
    async fn used_key(&self) -> (TenantId, License, CredentialId) {
        let tenant = self.world.tenant("Globex").await;
        let license = self.world.license(tenant, Product::Epp, 1).await;
        let used = IssuedKey::made_for(&license, tenant);
        self.world.put(&keys::product_key(used.key), &used).await;
        (tenant, license, self.world.credential(tenant, Product::Epp).await)
    }
}

#[tokio::test]
async fn an_issued_key_is_free_for_whoever_registers_it() {
    let office = office();
    let answer = office.say(&issue()).await;
    let text = answer["product_key"]["product_key"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(
        answer,
        json!({"status": "ok", "product_key": {"product_key": text, "product": "ZTNA",
            "edition": "Total", "seats": 250, "term_days": 365, "partitions": 16, "state": "free"}})
    );
    let key = office.key(text.parse().unwrap()).await;
    assert_eq!((key.product, key.edition.as_str()), (Product::Ztna, "Total"));
    assert_eq!((key.seats, key.term_days, key.partitions.count()), (250, 365, 16));
    assert_eq!((&key.state, key.issued_at), (&KeyState::Free, office.world.now()));
    let tenant = TenantId::new(office.world.now(), office.world.entropy.as_ref());
    key.used(None, tenant, office.world.now()).unwrap();
    assert_eq!(office.log(), [["product_key.issue".to_owned(), masked(&key.key)]]);
    assert_eq!(office.world.db.dump().len(), 2, "the key, and its line of the log");

    let other = office.say(&issue()).await;
    assert_ne!(other["product_key"]["product_key"], text, "each is another one");
}

#[tokio::test]
async fn every_fault_of_an_order_at_once() {
    let office = office();
    let empty = json!({"command": "issue_product_key"});
    let missing = [
        "/operator required",
        "/reason required",
        "/product required",
        "/edition required",
        "/seats invalid",
        "/term_days invalid",
        "/partitions invalid",
    ];
    assert_eq!(office.faults(&empty).await, missing);
    for (field, bad, code) in [
        ("operator", json!("x".repeat(121)), "too_long"),
        ("operator", json!("<Kim>"), "invalid"),
        ("reason", json!("x".repeat(501)), "too_long"),
        ("reason", json!(" \t"), "required"),
        ("product", json!("epp"), "invalid"),
        ("edition", json!("x".repeat(41)), "too_long"),
        ("seats", json!(0), "invalid"),
        ("seats", json!(1_000_001), "invalid"),
        ("term_days", json!(3_651), "invalid"),
        ("partitions", json!(8), "invalid"),
    ] {
        let mut order = issue();
        order[field] = bad;
        assert_eq!(office.faults(&order).await, [format!("/{field} {code}")], "{order}");
    }
    for (field, bad) in [("seats", json!(-1)), ("seats", json!("5")), ("partitions", json!(256))] {
        let mut order = issue();
        order[field] = bad;
        assert_eq!(office.refused(&order).await, "malformed", "{order}");
    }
    for (field, good) in
        [("seats", 1), ("seats", 1_000_000), ("term_days", 1), ("term_days", 3_650)]
    {
        let mut order = issue();
        order[field] = good.into();
        assert_eq!(office.say(&order).await["status"], "ok", "{order}");
    }
    let empty = json!({"command": "revoke_product_key"});
    let missing =
        ["/operator required", "/reason required", "/product_key required", "/revoked invalid"];
    assert_eq!(office.faults(&empty).await, missing);
    let key = ProductKey::new(office.world.entropy.as_ref());
    assert_eq!(office.refused(&revoke(key, true)).await, "not_found");
    let mut slip = revoke(key, true);
    slip["product_key"] = key.to_string()[1..].into();
    assert_eq!(office.faults(&slip).await, ["/product_key invalid"]);
}

#[tokio::test]
async fn a_key_that_nobody_uses_is_withdrawn_and_given_back() {
    for held in [false, true] {
        let office = office();
        let world = &office.world;
        let (key, link) = office.held_key().await;
        let hash = link.hash();
        if !held {
            let free = IssuedKey { state: KeyState::Free, ..office.key(key).await };
            world.put(&keys::product_key(key), &free).await;
        }
        let state = if held { "held" } else { "free" };
        let say = async |revoked: bool| {
            let before = world.db.dump();
            let answer = office.say(&revoke(key, revoked)).await;
            let changed = answer["changed"].as_bool().unwrap_or_else(|| panic!("{answer}"));
            assert_eq!(answer["product_key"]["product_key"], key.to_string());
            assert_eq!(answer["product_key"]["seats"], 50);
            assert_eq!(world.db.dump() != before, changed, "what changes nothing writes nothing");
            (changed, answer["product_key"]["state"].as_str().unwrap().to_owned())
        };
        let is = |changed: bool, state: &str| (changed, state.to_owned());
        assert_eq!(say(false).await, is(false, state), "it was never withdrawn");
        assert_eq!(say(true).await, is(true, "revoked"));
        assert_eq!(say(true).await, is(false, "revoked"));

        let tenant = TenantId::new(world.now(), world.entropy.as_ref());
        let (withdrawn, zoe) = (office.key(key).await, "zoe@umbrella.example".parse().unwrap());
        let refused = Err(KeyUnavailable::Revoked);
        assert_eq!(withdrawn.held(hash, &zoe, world.now()), refused.clone());
        for link in [None, Some(&hash)] {
            assert_eq!(withdrawn.used(link, tenant, world.now()), refused.clone(), "{link:?}");
        }

        assert_eq!(say(false).await, is(true, "free"), "nobody holds it any longer");
        assert_eq!(say(false).await, is(false, "free"));
        office.key(key).await.used(None, tenant, world.now()).unwrap();
        let logged = ["product_key.revoke".to_owned(), masked(&key)];
        assert_eq!(office.log(), [logged.clone(), logged]);
        assert_eq!(world.posted().await.len(), 0, "nobody to be told");
    }
}

#[tokio::test]
async fn a_key_in_use_is_withdrawn_with_its_licence() {
    let office = office();
    let world = &office.world;
    let (tenant, license, credential) = office.used_key().await;
    let key = license.product_key;
    let used = office.key(key).await;
    let subjects = async || {
        let mails = world.posted().await;
        assert!(mails.iter().all(|[to, _, text]| {
            to == "office@globex.example" && text.contains(&key.to_string())
        }));
        mails.into_iter().map(|[_, subject, _]| subject).collect::<Vec<_>>()
    };
    world.wait(60);

    let answer = office.say(&revoke(key, true)).await;
    assert_eq!((&answer["status"], &answer["changed"]), (&json!("ok"), &json!(true)), "{answer}");
    assert_eq!(answer["license"]["state"], "revoked");
    assert_eq!(answer["license"]["product_key"], key.to_string());
    let revoked = office.license(tenant).await;
    assert_eq!(revoked.revoked_at, Some(world.now()));
    assert_eq!(revoked.state(world.now()), LicenseState::Revoked);
    assert_eq!(office.credential(credential).await.accepted_until, world.now());
    office.credential(credential).await.licensed(world.now()).unwrap_err();
    assert_eq!(subjects().await, ["Your EPP licence in Belfry was revoked"]);
    let (action, changes) = office.record(tenant).await;
    assert_eq!(action, "product_key.revoke");
    assert_eq!(changes, json!([{"field": "revoked", "from": false, "to": true}]));
    let logged = ["product_key.revoke".to_owned(), format!("{tenant} EPP")];
    assert_eq!(office.log(), std::slice::from_ref(&logged));

    // Again, also later: nothing changes, not even the time.
    world.wait(60);
    let before = world.db.dump();
    let again = office.say(&revoke(key, true)).await;
    assert_eq!((&again["status"], &again["changed"]), (&json!("ok"), &json!(false)), "{again}");
    assert_eq!(world.db.dump(), before);

    let back = office.say(&revoke(key, false)).await;
    assert_eq!((&back["changed"], &back["license"]["state"]), (&json!(true), &json!("active")));
    let restored = office.license(tenant).await;
    assert_eq!((restored.revoked_at, restored.ends_at), (None, license.ends_at));
    let graced = license.ends_at + SignedDuration::from_hours(24 * 15);
    assert_eq!(office.credential(credential).await.accepted_until, graced);
    let changes: Vec<_> = restored.history.iter().map(|line| line.change.name()).collect();
    assert_eq!(changes, ["started", "revoked", "restored"]);
    assert_eq!(subjects().await, ["Your EPP licence in Belfry was restored"]);
    let (action, changes) = office.record(tenant).await;
    assert_eq!(action, "product_key.revoke");
    assert_eq!(changes, json!([{"field": "revoked", "from": true, "to": false}]));
    assert_eq!(office.log(), [logged.clone(), logged]);
    assert_eq!(office.say(&revoke(key, false)).await["changed"], false);
    assert_eq!(office.key(key).await, used, "it stays the tenant's");
}

#[tokio::test]
async fn a_licence_taken_away_after_its_end_is_not_accepted_any_longer() {
    let office = office();
    let (_, license, credential) = office.used_key().await;
    office.world.wait(400 * 86_400);
    let answer = office.say(&revoke(license.product_key, true)).await;
    assert_eq!(answer["changed"], true, "{answer}");
    let ended = license.accepted_until();
    assert_eq!(office.credential(credential).await.accepted_until, ended);
}

#[tokio::test]
async fn a_key_is_read_as_people_type_it() {
    let office = office();
    let key = office.world.product_key(Product::Epp).await;
    let mut typed = revoke(key, true);
    typed["product_key"] = key.to_string().to_lowercase().replace('-', " ").into();
    let answer = office.say(&typed).await;
    assert_eq!(answer["product_key"]["product_key"], key.to_string(), "{answer}");
    assert_eq!(office.key(key).await.state, KeyState::Revoked);
}

/// Somebody registers the key between the look and the write: it is theirs.
#[tokio::test(start_paused = true)]
async fn a_key_that_is_registered_meanwhile_is_not_withdrawn() {
    let office = office();
    let world = &office.world;
    let (key, link) = office.held_key().await;
    let gate = Arc::new(Turnstile::new());
    let app = office.over(world.db.shared("backoffice", gate.clone()).table());
    let task = tokio::spawn(async move { said(&app, &revoke(key, true)).await });
    let tenant = TenantId::new(world.now(), world.entropy.as_ref());
    let rival = async {
        let used = office.key(key).await.used(Some(&link.hash()), tenant, world.now()).unwrap();
        world.put(&keys::product_key(key), &used).await;
    };
    let answer = overtaken(&gate, task, rival).await;
    assert_eq!(answer["problem"]["code"], "busy", "{answer}");
    assert_eq!(office.key(key).await.state, KeyState::Used { tenant });
    assert_eq!(office.log(), [] as [[String; 2]; 0]);
}

#[tokio::test]
async fn a_crash_leaves_a_key_and_its_log_together_or_not_at_all() {
    let crashes = at_every_crash(async |crash| {
        let office = office();
        let answer = said(&office.dying(&crash), &issue()).await;
        let (keys, lines) = (office.world.db.dump_of("PK#").len(), office.log().len());
        assert_eq!(keys, lines);
        answer["status"] == "ok"
    });
    assert!(crashes.await >= 2);
    let crashes = at_every_crash(async |crash| {
        let office = office();
        let (key, _) = office.held_key().await;
        let answer = said(&office.dying(&crash), &revoke(key, true)).await;
        let withdrawn = office.key(key).await.state == KeyState::Revoked;
        assert_eq!(office.log().len(), usize::from(withdrawn));
        let again = office.say(&revoke(key, true)).await;
        assert_eq!((&again["status"], &again["changed"]), (&json!("ok"), &json!(!withdrawn)));
        assert_eq!(office.log().len(), 1);
        answer["status"] == "ok"
    });
    assert!(crashes.await >= 4);
    let (mut before, mut after) = (0, 0);
    let crashes = at_every_crash(async |crash| {
        let office = office();
        let world = &office.world;
        let (tenant, license, credential) = office.used_key().await;
        let answer = said(&office.dying(&crash), &revoke(license.product_key, true)).await;
        let now = office.license(tenant).await;
        assert_eq!(office.credential(credential).await.accepted_until, now.accepted_until());
        let done = usize::from(now != license);
        (before, after) = (before + 1 - done, after + done);
        let of_it = |(record, _): &&(Value, Value)| record["action"] == "product_key.revoke";
        let records = office.trail(tenant).await.iter().filter(of_it).count();
        let mails = world.db.dump_of("O#").len();
        assert_eq!((office.log().len(), records, mails), (done, done, done));
        answer["status"] == "ok"
    });
    assert!(crashes.await >= 12 && before >= 7 && after >= 1, "{before} {after}");
}
