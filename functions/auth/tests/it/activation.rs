use crate::{app, app_over};
use belfry_domain::account::{Identity, Link, LinkPurpose, Membership, Role, Status, User};
use belfry_domain::audit::Head;
use belfry_domain::audit::verify;
use belfry_domain::ports::Clock as _;
use belfry_domain::secret::Secret;
use belfry_store::keys;
use belfry_testkit::world::PASSWORD;
use belfry_testkit::{Answer, Member, Turnstile, World, ask, in_lockstep};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

/// Invites somebody: with a password when known from elsewhere. The link's token comes along.
async fn invite(world: &World, email: &str, with_password: bool) -> (Member, String) {
    let tenant = world.tenant("Globex Corporation").await;
    let member = world.member(tenant, email, Role::Admin).await;
    let secret = Secret::new(world.entropy.as_ref());
    let hash = secret.hash();
    world
        .change(&member, |user| {
            user.status = Status::Invited;
            user.invitation = Some(hash);
        })
        .await;
    if !with_password {
        let key = keys::identity(member.identity);
        let identity: Identity = world.get(&key).await.unwrap();
        world.put(&key, &Identity { password: None, ..identity }).await;
    }
    let table = world.table();
    let edge = keys::membership(member.identity, tenant);
    let call = table.client().delete_item().table_name(table.name());
    call.set_key(Some(belfry_store::table::key_item(&edge))).send().await.unwrap();
    let valid_until = world.clock.now() + SignedDuration::from_hours(72);
    let purpose = LinkPurpose::Activation { tenant, user: member.user };
    let link = Link { identity: member.identity, purpose, valid_until };
    world.put(&keys::link(&hash), &link).await;
    (member, secret.expose_text())
}

async fn check(world: &World, token: &str) -> Answer {
    ask("POST /auth/activation/check").json(json!({"token": token})).of(&app(world)).await
}

async fn activate(world: &World, body: Value) -> Answer {
    ask("POST /auth/activation").json(body).of(&app(world)).await
}

async fn log_in(world: &World, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    ask("POST /auth/login").json(body).of(&app(world)).await
}

#[tokio::test]
async fn a_first_password_opens_the_account_once() {
    let world = World::new();
    let (ann, token) = invite(&world, "ann@globex.example", false).await;
    let before = world.db.dump();

    let answer = check(&world, &token).await;
    assert_eq!(
        answer.json,
        json!({"status": "password_required",
            "tenant": {"id": ann.tenant, "name": "Globex Corporation"},
            "user": {"first_name": "Ann", "last_name": "Lindqvist", "email": "ann@globex.example"},
            "expires_at": "2026-11-25T12:00:00.000Z"})
    );
    assert_eq!(world.db.dump(), before, "a check changes nothing");
    assert_eq!(log_in(&world, "ann@globex.example", PASSWORD).await.status, 401);

    let answer = activate(&world, json!({"token": token, "password": PASSWORD})).await;
    assert_eq!(
        (answer.status, answer.json),
        (200, json!({"status": "activated", "tenant_id": ann.tenant, "user_id": ann.user}))
    );
    let user: User = world.get(&keys::user(ann.tenant, ann.user)).await.unwrap();
    assert_eq!((user.status, user.invitation, user.version), (Status::Active, None, 2));
    let identity: Identity = world.get(&keys::identity(ann.identity)).await.unwrap();
    assert_eq!(identity.version, 2);
    let edge: Membership = world.get(&keys::membership(ann.identity, ann.tenant)).await.unwrap();
    assert_eq!((edge.user, edge.opened_at), (ann.user, None));
    assert_eq!(world.db.dump_of("L#"), [] as [Value; 0]);
    assert!(!world.db.holds(PASSWORD) && !world.db.holds(&token));

    let (records, head) = world.table().audit_trail(ann.tenant, 0, 10).await.unwrap();
    let texts = records.iter().map(|r| (r.text.as_str(), r.personal.as_deref()));
    assert_eq!(verify(&Head::EMPTY, texts), Ok(head));
    let record: Value = serde_json::from_str(&records[0].text).unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(record["action"], "user.activate");
    assert_eq!(record["actor"], json!({"kind": "person", "id": ann.user, "role": "admin"}));
    assert_eq!(record["entity"], json!({"kind": "user", "id": ann.user}));
    assert_eq!(record["changes"], json!([{"field": "status", "from": "invited", "to": "active"}]));
    let personal = records[0].personal.as_deref().unwrap();
    assert!(personal.contains("ann@globex.example") && personal.contains("203.0.113.9"));

    assert_eq!(log_in(&world, "ann@globex.example", PASSWORD).await.status, 200);
    for answer in [
        check(&world, &token).await,
        activate(&world, json!({"token": token, "password": PASSWORD})).await,
    ] {
        assert_eq!(answer.verdict(), (410, "link_gone"));
    }
}

#[tokio::test]
async fn a_weak_password_is_refused_with_every_reason_and_the_link_stays() {
    let world = World::new();
    let (ann, token) = invite(&world, "ann@globex.example", false).await;
    for (password, faults) in [
        (None, vec![("/password", "required")]),
        (Some(""), vec![("/password", "too_short"), ("/password", "too_weak")]),
        (Some("password1234"), vec![("/password", "too_weak")]),
        (Some("orbit-mustard-lindqvist-kelp"), vec![("/password", "contains_name")]),
        (Some("orbit-mustard-globex-kelp"), vec![("/password", "contains_name")]),
    ] {
        let mut body = json!({"token": token});
        if let Some(password) = password {
            body["password"] = password.into();
        }
        let answer = activate(&world, body).await;
        assert_eq!((answer.verdict(), answer.faults()), ((422, "invalid"), faults), "{password:?}");
    }
    let user: User = world.get(&keys::user(ann.tenant, ann.user)).await.unwrap();
    assert_eq!(user.status, Status::Invited);
    assert_eq!(check(&world, &token).await.status, 200);
}

#[tokio::test]
async fn expired_replaced_unknown_and_pointless_links_are_one_answer() {
    let world = World::new();
    let (ann, token) = invite(&world, "ann@globex.example", false).await;
    world.wait(72 * 3_600 - 1);
    assert_eq!(check(&world, &token).await.status, 200);
    world.wait(1);
    let gone = check(&world, &token).await;
    assert_eq!(gone.verdict(), (410, "link_gone"));

    let (bob, replaced) = invite(&world, "bob@globex.example", false).await;
    let newer = Secret::new(world.entropy.as_ref()).hash();
    world.change(&bob, |user| user.invitation = Some(newer)).await;
    let (cay, pointless) = invite(&world, "cay@globex.example", false).await;
    world.change(&cay, |user| user.status = Status::Archived).await;
    let unknown = Secret::new(world.entropy.as_ref()).expose_text();
    for token in [&token, &replaced, &pointless, &unknown, "", "x", &token[1..]] {
        for answer in [
            check(&world, token).await,
            activate(&world, json!({"token": token, "password": PASSWORD})).await,
        ] {
            assert_eq!((answer.status, &answer.text), (410, &gone.text), "{token}");
        }
    }
    let identity: Identity = world.get(&keys::identity(ann.identity)).await.unwrap();
    assert_eq!(identity.password, None);
}

#[tokio::test]
async fn a_person_with_a_password_logs_in_and_never_sets_one() {
    let world = World::new();
    let home = world.tenant("Initech").await;
    let ann = world.member(home, "ann@globex.example", Role::ReadOnly).await;
    let bob = world.member(home, "bob@globex.example", Role::SuperAdmin).await;
    let (invited, token) = invite(&world, "ann@globex.example", true).await;
    assert_eq!(invited.identity, ann.identity);
    assert_eq!(check(&world, &token).await.at("/status"), "login_required");
    let before: Identity = world.get(&keys::identity(ann.identity)).await.unwrap();

    let other = "another-mustard-ninety-kelp";
    for body in [json!({"token": token}), json!({"token": token, "password": other})] {
        assert_eq!(activate(&world, body).await.verdict(), (409, "login_required"));
    }
    let with = |bearer: String, body: Value| ask("POST /auth/activation").bearer(bearer).json(body);
    let own = world.token(&ann).await;
    let sets = with(own.clone(), json!({"token": token, "password": other}));
    assert_eq!(sets.of(&app(&world)).await.verdict(), (409, "login_required"));
    let foreign = with(world.token(&bob).await, json!({"token": token}));
    assert_eq!(foreign.of(&app(&world)).await.verdict(), (403, "other_person"));
    let forged = with("x.y.z".to_owned(), json!({"token": token}));
    assert_eq!(forged.of(&app(&world)).await.status, 401);

    let answer = with(own, json!({"token": token})).of(&app(&world)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let after: Identity = world.get(&keys::identity(ann.identity)).await.unwrap();
    assert_eq!(after, before.changed(), "the password stays");
    let tenants = log_in(&world, "ann@globex.example", PASSWORD).await.json["tenants"].clone();
    assert_eq!(tenants.as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn of_many_at_once_one_accepts() {
    let world = World::new();
    let (ann, token) = invite(&world, "ann@globex.example", false).await;
    let gate = Arc::new(Turnstile::new());
    let tasks: Vec<_> = (0..4)
        .map(|n| {
            let app = app_over(&world, world.db.shared("auth", gate.clone()).table());
            let body = json!({"token": token, "password": format!("{PASSWORD}-{n}")});
            let ask = ask("POST /auth/activation").json(body);
            tokio::spawn(async move { ask.of(&app).await.status })
        })
        .collect();
    let mut statuses = in_lockstep(&gate, tasks).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410, 410, 410]);
    let (records, _) = world.table().audit_trail(ann.tenant, 0, 10).await.unwrap();
    assert_eq!(records.len(), 1);
}
