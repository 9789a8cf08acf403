//! Persons, sessions, credentials and the audit trail in the table, where no function's test looks:
//! damage, half-done batches, rivals that never stop, what expires when.
#![expect(clippy::unwrap_used, reason = "a failed test says so by a panic")]

use belfry_domain::account::{Role, Tenant, User};
use belfry_domain::audit::{Access, AccessKind, Entry, Head, Outcome, verify};
use belfry_domain::failure::{Failure as _, FailureKind};
use belfry_domain::policy::{Action, Actor, Grant, Origin};
use belfry_domain::product::Product;
use belfry_store::keys::{self, Key};
use belfry_store::transaction::{Refused, Transaction};
use belfry_store::{StoreError, entity};
use belfry_testkit::gate::Open;
use belfry_testkit::{Call, Member, Turnstile, Verdict, World, in_lockstep};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

async fn ann(world: &World) -> (Member, Actor) {
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let (session, _) = world.session(&ann).await;
    let user: User = world.get(&keys::user(tenant, ann.user)).await.unwrap();
    let origin = Origin { request_id: "r".to_owned(), source_address: None };
    let idle = belfry_domain::account::IdleLimit::default();
    let person = world.get(&keys::identity(session.identity)).await.unwrap();
    let actor = Actor::of(&session, &person, &user, idle, world.now(), origin).unwrap();
    (ann, actor)
}

fn grant(actor: &Actor) -> Grant {
    actor.may(Action::DeleteEndpoint).unwrap()
}

/// A write of any item, in the way that an outbox entry or an idempotency key is written.
fn item(pk: &str) -> Transaction {
    let key = Key { pk: pk.to_owned(), sk: "X".to_owned() };
    Transaction::new().create(belfry_store::table::key_item(&key))
}

#[tokio::test]
async fn another_type_version_or_shape_is_damage_and_never_absence() {
    let world = World::new();
    let (ann, _) = ann(&world).await;
    let table = world.table();
    let key = keys::user(ann.tenant, ann.user);
    let read = async || entity::get::<User>(&table, &key).await;
    assert!(read().await.unwrap().is_some());
    for (name, value) in [
        ("et", json!({"S": "tenant"})),
        ("v", json!({"N": "2"})),
        ("v", json!({"S": "1"})),
        ("status", json!({"S": "retired"})),
        ("email", json!({"S": "no address"})),
        ("created_at", json!({"S": "yesterday"})),
    ] {
        let good: User = read().await.unwrap().unwrap();
        let transport = world.db.client("vandal", Open);
        transport.rewrite(move |_, write| write["Item"][name] = value.clone());
        let vandal = transport.table();
        let item = entity::item(&key, &good).unwrap();
        let call = vandal.client().put_item().table_name(vandal.name()).set_item(Some(item));
        call.send().await.unwrap();
        let error = read().await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{name}: {error}");
        assert_eq!((error.kind(), error.code()), (FailureKind::Internal, "internal"));
        world.put(&key, &good).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_batch_leaves_over_is_asked_for_again_but_not_for_ever() {
    let world = World::new();
    let (ann, _) = ann(&world).await;
    let wanted = [keys::tenant(ann.tenant), keys::user(ann.tenant, ann.user)];
    let slow = world.db.client("slow", |_: &Call| Verdict::Partly(1));
    let mut found = entity::get_many(&slow.table(), &wanted).await.unwrap();
    assert!(found.take::<Tenant>(&wanted[0]).unwrap().is_some());
    assert!(found.take::<User>(&wanted[1]).unwrap().is_some());
    assert_eq!(slow.counts()["BatchGetItem"], 2);
    let stuck = world.db.client("stuck", |_: &Call| Verdict::Partly(0));
    let error = entity::get_many(&stuck.table(), &wanted).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert_eq!(stuck.counts()["BatchGetItem"], 7, "once, and again after each of six pauses");
}

#[tokio::test]
async fn a_change_and_its_record_are_both_or_neither() {
    let world = World::new();
    let (ann, actor) = ann(&world).await;
    let table = world.table();
    let entry = Entry::about("endpoint", &"e1").set("product", "EPP");
    let commit = async |change: Transaction| {
        table.commit(&grant(&actor), &entry, change, world.now(), world.entropy.as_ref()).await
    };
    commit(item("A").and(item("B"))).await.unwrap();
    let before = world.db.dump();
    // The second write's condition does not hold: its place comes back, and nothing is written.
    let refused = commit(item("C").and(item("B")).and(item("D"))).await.unwrap_err();
    assert!(matches!(refused, Refused::Condition(1)), "{refused}");
    assert_eq!(world.db.dump(), before);
    commit(item("C")).await.unwrap();

    let (records, head) = table.audit_trail(ann.tenant, 0, 10).await.unwrap();
    let texts = records.iter().map(|r| (r.text.as_str(), r.personal.as_deref()));
    assert_eq!(verify(&Head::EMPTY, texts), Ok(head.clone()));
    let record: Value = serde_json::from_str(&records[1].text).unwrap();
    assert_eq!((records.len(), head.sequence, &record["sequence"]), (2, 2, &json!(2)));
    assert_eq!(record["action"], "endpoint.delete");
    assert_eq!(record["actor"]["id"], ann.user.to_string());
    // Without a name or address there is no erasable part.
    assert_eq!((records[0].personal.as_ref(), &record["personal"]), (None, &Value::Null));
    let (later, _) = table.audit_trail(ann.tenant, 1, 10).await.unwrap();
    assert_eq!(later, records[1..]);
    // 400 days, then the table drops the record; the head stays.
    let kept = world.db.dump_of(&format!("T#{}#AU", ann.tenant));
    let expiry = |item: &Value| item["expires_at"]["N"].as_str().map(str::to_owned);
    let day_400 = world.now().as_second() + 400 * 86_400;
    let expected = [Some(day_400.to_string()), Some(day_400.to_string()), None];
    assert_eq!(kept.iter().map(expiry).collect::<Vec<_>>(), expected);
}

#[tokio::test(start_paused = true)]
async fn six_changes_at_once_are_one_chain() {
    let world = World::new();
    let (ann, actor) = ann(&world).await;
    let gate = Arc::new(Turnstile::new());
    let rivals: Vec<_> = (0..6)
        .map(|n| {
            let table = world.db.shared("rival", gate.clone()).table();
            let (actor, now, entropy) = (actor.clone(), world.now(), world.entropy.clone());
            tokio::spawn(async move {
                let (entry, change) = (Entry::about("endpoint", &n), item(&n.to_string()));
                table.commit(&grant(&actor), &entry, change, now, entropy.as_ref()).await.is_ok()
            })
        })
        .collect();
    assert_eq!(in_lockstep(&gate, rivals).await, [true; 6]);
    let (records, head) = world.table().audit_trail(ann.tenant, 0, 10).await.unwrap();
    let texts = records.iter().map(|r| (r.text.as_str(), r.personal.as_deref()));
    assert_eq!((verify(&Head::EMPTY, texts), records.len()), (Ok(head), 6));
}

#[tokio::test(start_paused = true)]
async fn a_rival_that_never_stops_is_unavailable_and_nothing_is_written() {
    let world = World::new();
    let (_, actor) = ann(&world).await;
    let (now, entropy) = (world.now(), world.entropy.as_ref());
    let entry = Entry::about("endpoint", &"e1");
    world.table().commit(&grant(&actor), &entry, item("A"), now, entropy).await.unwrap();
    let before = world.db.dump();
    let transport = world.db.client("loser", Open);
    transport.rewrite(|_, write| {
        if write["Item"]["sk"]["S"] == "HEAD" {
            write["ExpressionAttributeValues"][":before"] = json!({"N": "7"});
        }
    });
    let table = transport.table();
    let error = table.commit(&grant(&actor), &entry, item("B"), now, entropy).await.unwrap_err();
    let Refused::Store(error) = error else { unreachable!("{error}") };
    assert_eq!(error.kind(), FailureKind::Unavailable { retry_after: 5 });
    assert_eq!(transport.counts()["TransactWriteItems"], 10);
    assert_eq!(world.db.dump(), before);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_in_conflict_is_tried_again() {
    let world = World::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = calls.clone();
    let gate = move |_: &Call| {
        if seen.fetch_add(1, Ordering::SeqCst) < 3 { Verdict::Conflict } else { Verdict::Proceed }
    };
    let table = world.db.client("rival", gate).table();
    item("A").run(&table, world.entropy.as_ref()).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 4);
    let always = world.db.client("loser", |_: &Call| Verdict::Conflict);
    let refused = item("B").run(&always.table(), world.entropy.as_ref()).await.unwrap_err();
    assert!(matches!(refused, Refused::Store(StoreError::Unavailable(_))), "{refused}");
    assert_eq!(always.counts()["TransactWriteItems"], 10);
    assert_eq!(world.db.dump_of("B"), [] as [Value; 0]);
}

#[tokio::test]
async fn a_session_that_is_over_is_not_brought_back() {
    let world = World::new();
    let (ann, _) = ann(&world).await;
    let (session, token) = world.session(&ann).await;
    let table = world.table();
    table.end_session(session.identity, session.id).await.unwrap();
    table.end_session(session.identity, session.id).await.unwrap();
    let before = world.db.dump();
    assert!(!table.touch_session(&session, world.now()).await.unwrap());
    let rotated = session.rotated(token.secret(), vec![1], world.now());
    assert!(!table.rotate_session(&session, &rotated).await.unwrap());
    assert_eq!(world.db.dump(), before);
}

#[tokio::test]
async fn a_gone_credential_is_not_brought_back_by_its_last_use() {
    let world = World::new();
    let (ann, actor) = ann(&world).await;
    let license = world.license(ann.tenant, Product::Epp, 1).await;
    let (credential, _) = belfry_domain::credential::Credential::issue(
        ann.tenant,
        &license,
        (
            [belfry_domain::credential::Scope::TelemetryWrite].into(),
            belfry_domain::credential::Term::Current { until: None },
        ),
        world.now(),
        world.entropy.as_ref(),
    );
    world.table().touch_credential(&credential, world.now()).await.unwrap();
    assert_eq!(world.db.dump_of("C#"), [] as [Value; 0]);
    let grant = actor.may(Action::CreateCredential).unwrap();
    let entropy = world.entropy.as_ref();
    world.table().create_credential(&grant, &credential, None, entropy).await.unwrap();
    // 0.5 KB written once, then nothing for an hour.
    let transport = world.db.client("ingest", Open);
    for _ in 0..3 {
        let found = transport.table().credential(credential.id).await.unwrap().unwrap();
        transport.table().touch_credential(&found, world.now()).await.unwrap();
    }
    assert_eq!((transport.read_units(), transport.write_units()), (3.0, 1.0));
}

#[tokio::test]
async fn accesses_lie_by_month_and_expire() {
    let world = World::new();
    let (ann, _) = ann(&world).await;
    let table = world.table();
    let mut ids = Vec::new();
    for days in [0, 1, 30] {
        world.wait(days * 86_400);
        let (kind, origin) = (AccessKind::Login, Origin::default());
        let (now, entropy) = (world.now(), world.entropy.as_ref());
        let access = Access::new(kind, Outcome::Success, Some(ann.user), &origin, now, entropy);
        table.note_access(Some(ann.tenant), &access).await.unwrap();
        ids.push((access.id, now));
    }
    let found = table.accesses(ann.tenant, ids[0].1).await.unwrap();
    assert_eq!(found.iter().map(|a| a.id).collect::<Vec<_>>(), [ids[0].0, ids[1].0]);
    let found = table.accesses(ann.tenant, ids[2].1).await.unwrap();
    assert_eq!(found.iter().map(|a| a.id).collect::<Vec<_>>(), [ids[2].0]);
    let until = ids[2].1.as_second() + 400 * 86_400;
    let partition = keys::access_partition(Some(ann.tenant), ids[2].1);
    assert_eq!(world.db.dump_of(&partition)[0]["expires_at"]["N"], until.to_string());
}
