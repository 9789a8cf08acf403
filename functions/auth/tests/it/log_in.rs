use crate::{accesses, app, app_over, sessions};
use belfry_domain::account::{Identity, IdleLimit, Membership, Role, Status};
use belfry_domain::password::{Password, PasswordHash, work};
use belfry_domain::session::Session;
use belfry_store::keys;
use belfry_testkit::gate::Open;
use belfry_testkit::world::PASSWORD;
use belfry_testkit::{Ask, Moment, Turnstile, Verdict, World, ask};
use serde_json::json;
use std::sync::Arc;

fn log_in(email: &str, password: &str) -> Ask {
    ask("POST /auth/login").json(json!({"email": email, "password": password}))
}

#[tokio::test]
async fn opens_a_session_and_says_so() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    world.wait(60);

    let answer = log_in(" Ann@GLOBEX.example", PASSWORD).of(&app(&world)).await;

    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-request-id"), belfry_testkit::ask::REQUEST_ID);
    assert_eq!(answer.header("set-cookie"), "");
    let (access, refresh) = (answer.at("/access_token"), answer.at("/refresh_token"));
    assert_eq!(
        answer.json,
        json!({
            "status": "authenticated",
            "access_token": access, "token_type": "Bearer", "expires_in": 300,
            "refresh_token": refresh,
            "tenant": {"id": tenant, "name": "Globex"},
            "tenants": [{"id": tenant, "name": "Globex"}],
            "user": {"id": ann.user, "role": "admin"},
        })
    );
    let claims = world.tokens().verify(access, world.now()).unwrap();
    assert_eq!((claims.sub, claims.tenant, claims.user), (ann.identity, tenant, ann.user));
    let session: Session = world.get(&keys::session(ann.identity, claims.sid)).await.unwrap();
    assert_eq!(session.created_at, world.now());
    assert!(session.is_live(IdleLimit::default(), world.now()));
    let edge: Membership = world.get(&keys::membership(ann.identity, tenant)).await.unwrap();
    assert_eq!(edge.opened_at, Some(world.now()));
    let user: belfry_domain::account::User =
        world.get(&keys::user(tenant, ann.user)).await.unwrap();
    assert_eq!((user.last_login_at, user.version), (Some(world.now()), 1));
    let success = ("session.login".to_owned(), "success".to_owned(), ann.user.to_string());
    assert_eq!(accesses(&world, &format!("T#{tenant}#AC#202611")), [success]);
    // Of the tokens and the password nothing is stored but hashes.
    for secret in [access, refresh, PASSWORD] {
        assert!(!world.db.holds(secret));
    }
}

#[tokio::test]
async fn whoever_may_not_gets_one_and_the_same_answer() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let member = async |email: &str, role| world.member(tenant, email, role).await;
    member("ann@globex.example", Role::Admin).await;
    for (name, status) in [
        ("invited", Status::Invited),
        ("deactivated", Status::Deactivated),
        ("archived", Status::Archived),
    ] {
        let member = member(&format!("{name}@globex.example"), Role::Admin).await;
        world.change(&member, |user| user.status = status).await;
    }
    member("product@globex.example", Role::User).await;
    let pending = member("pending@globex.example", Role::Admin).await;
    let key = keys::identity(pending.identity);
    let identity: Identity = world.get(&key).await.unwrap();
    world.put(&key, &Identity { password: None, ..identity }).await;

    let expected = log_in("nobody@globex.example", PASSWORD).of(&app(&world)).await;
    assert_eq!(expected.verdict(), (401, "invalid_credentials"));
    let long = "x".repeat(100_000);
    for (email, password) in [
        ("ann@globex.example", "wrong"),
        ("ann@globex.example", ""),
        ("ann@globex.example", &long as &str),
        ("ann@globex.example", "ORBIT-mustard-ninety-kelp"),
        ("not an address", PASSWORD),
        ("", ""),
        ("invited@globex.example", PASSWORD),
        ("deactivated@globex.example", PASSWORD),
        ("archived@globex.example", PASSWORD),
        ("product@globex.example", PASSWORD),
        ("pending@globex.example", PASSWORD),
    ] {
        let answer = log_in(email, password).of(&app(&world)).await;
        assert_eq!((answer.status, &answer.text), (401, &expected.text), "{email}");
        assert_eq!(answer.headers, expected.headers, "{email}");
    }
    assert_eq!(sessions(&world), 0);
}

#[tokio::test]
async fn a_failure_is_written_down_in_every_tenant_of_the_person_or_beside_all() {
    let world = World::new();
    let (globex, initech) = (world.tenant("Globex").await, world.tenant("Initech").await);
    let here = world.member(globex, "ann@globex.example", Role::Admin).await;
    let there = world.member(initech, "ann@globex.example", Role::ReadOnly).await;

    log_in("ann@globex.example", "wrong").of(&app(&world)).await;
    let failure = |user: String| ("session.login".to_owned(), "failure".to_owned(), user);
    assert_eq!(accesses(&world, &format!("T#{globex}#AC#")), [failure(here.user.to_string())]);
    assert_eq!(accesses(&world, &format!("T#{initech}#AC#")), [failure(there.user.to_string())]);

    log_in("stranger@globex.example", "wrong").of(&app(&world)).await;
    assert_eq!(accesses(&world, "AC#202611"), [failure(String::new())]);
    assert!(!world.db.holds("stranger@globex.example"));
}

#[tokio::test]
async fn a_known_and_an_unknown_address_cost_the_same_calls() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    world.member(tenant, "ann@globex.example", Role::Admin).await;
    for company in ["Globex", "Initech", "Umbrella"] {
        let tenant = world.tenant(company).await;
        world.member(tenant, "bob@globex.example", Role::Admin).await;
    }
    let mut all = Vec::new();
    for (email, failures) in [
        ("ann@globex.example", 1.0),
        ("bob@globex.example", 3.0),
        ("nobody@globex.example", 1.0),
        ("not an address", 1.0),
    ] {
        // Each failure takes a unit, and one of the index.
        let failures = 2.0 * failures;
        let transport = world.db.client("auth", Open);
        let before = work();
        log_in(email, "wrong").of(&app_over(&world, transport.table())).await;
        all.push((transport.counts(), transport.write_units() - failures));
        assert_eq!(work() - before, 1, "one hash, whoever it is");
    }
    // Two throttles read and written, four reads of the person, the failures written down at once.
    assert_eq!(all[0].0.values().sum::<usize>(), 9, "{all:?}");
    assert!(all.iter().all(|counts| *counts == all[0]), "{all:?}");
}

#[tokio::test]
async fn opens_the_tenant_that_was_opened_last_or_is_asked_for() {
    let world = World::new();
    let (globex, initech) = (world.tenant("Globex").await, world.tenant("Initech").await);
    let foreign = world.tenant("Foreign").await;
    world.member(globex, "ann@globex.example", Role::Admin).await;
    let there = world.member(initech, "ann@globex.example", Role::ReadOnly).await;
    let app = app(&world);
    let open = async |tenant: Option<String>| {
        world.wait(1);
        let mut body = json!({"email": "ann@globex.example", "password": PASSWORD});
        if let Some(tenant) = tenant {
            body["tenant_id"] = tenant.into();
        }
        ask("POST /auth/login").json(body).of(&app).await
    };
    for (wanted, expected) in
        [(Some(initech), initech), (None, initech), (Some(globex), globex), (None, globex)]
    {
        let answer = open(wanted.map(|tenant| tenant.to_string())).await;
        assert_eq!(answer.at("/tenant/id"), expected.to_string());
        assert_eq!(answer.json["tenants"].as_array().unwrap().len(), 2);
    }
    for wanted in [foreign.to_string(), "x".to_owned()] {
        assert_eq!(open(Some(wanted)).await.verdict(), (401, "invalid_credentials"));
    }
    world.change(&there, |user| user.status = Status::Deactivated).await;
    assert_eq!(open(Some(initech.to_string())).await.status, 401);
    let answer = open(None).await;
    assert_eq!(answer.json["tenants"], json!([{"id": globex, "name": "Globex"}]));
}

#[tokio::test]
async fn a_browser_gets_a_cookie_and_no_refresh_token() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    world.member(tenant, "ann@globex.example", Role::Admin).await;
    let answer = log_in("ann@globex.example", PASSWORD)
        .header("X-Belfry-Client", "browser")
        .of(&app(&world))
        .await;
    assert_eq!(answer.json.get("refresh_token"), None);
    let cookie = answer.header("set-cookie");
    let value = cookie.strip_prefix("__Host-belfry-refresh=bfr_").unwrap();
    let (_, attributes) = value.split_once(';').unwrap();
    assert_eq!(attributes, " Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=43200");
}

#[tokio::test]
async fn faulty_bodies_are_named() {
    let world = World::new();
    for (media, body, status, fault) in [
        ("application/json", "", 400, None),
        ("application/json", "{", 400, None),
        ("application/json", "{} {}", 422, Some("")),
        ("application/json", r#"{"email":"a"}"#, 422, Some("")),
        ("application/json", r#"{"email":1,"password":"x"}"#, 422, Some("/email")),
        ("application/json", r#"{"email":"a","password":"b","admin":true}"#, 422, Some("/admin")),
        ("text/plain", r#"{"email":"a","password":"b"}"#, 415, None),
    ] {
        let answer = ask("POST /auth/login").text(media, body).of(&app(&world)).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert_eq!(answer.faults().first().map(|fault| fault.0), fault, "{body}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

#[tokio::test]
async fn an_outdated_hash_is_made_anew() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let key = keys::identity(ann.identity);
    let identity: Identity = world.get(&key).await.unwrap();
    // m=8 KiB, t=1, p=1, made by the reference implementation's parameters of a weaker time.
    let weak: PasswordHash = serde_json::from_value(json!(weak_hash())).unwrap();
    assert!(weak.is_outdated() && weak.is_of(&Password::new(PASSWORD)).unwrap());
    world.put(&key, &Identity { password: Some(weak.clone()), ..identity }).await;

    let answer = log_in("ann@globex.example", PASSWORD).of(&app(&world)).await;

    assert_eq!(answer.status, 200);
    let hash = world.get::<Identity>(&key).await.unwrap().password.unwrap();
    assert!(!hash.is_outdated() && hash.is_of(&Password::new(PASSWORD)).unwrap());
}

fn weak_hash() -> String {
    use argon2::password_hash::PasswordHasher as _;
    let params = argon2::Params::new(8, 1, 1, None).unwrap();
    let hasher = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let hash: argon2::password_hash::phc::PasswordHash =
        hasher.hash_password_with_salt(PASSWORD.as_bytes(), &[1; 16]).unwrap();
    hash.to_string()
}

/// The password is changed between the look at the person and the opening of the session: then the
/// session must not open.
#[tokio::test(start_paused = true)]
async fn a_password_changed_meanwhile_opens_nothing() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let gate = Arc::new(Turnstile::new());
    let transport = world.db.shared("auth", gate.clone());
    let app = app_over(&world, transport.table());
    let answer = tokio::spawn(async move { log_in("ann@globex.example", PASSWORD).of(&app).await });
    loop {
        let held = gate.settle().await;
        if held.iter().any(|held| held.call.operation == "TransactWriteItems") {
            break;
        }
        for held in held {
            assert_eq!(held.moment, Moment::Before);
            gate.release(held.ticket, Verdict::Proceed);
        }
    }
    let key = keys::identity(ann.identity);
    let identity: Identity = world.get(&key).await.unwrap();
    let other = Password::new("another-mustard-ninety-kelp");
    let other = PasswordHash::of(&other, world.entropy.as_ref()).unwrap();
    world.put(&key, &Identity { password: Some(other), version: 2, ..identity }).await;
    gate.open();
    assert_eq!(answer.await.unwrap().verdict(), (401, "invalid_credentials"));
    assert_eq!(sessions(&world), 0);
}

#[tokio::test]
async fn a_table_or_key_that_is_down_is_503() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    world.member(tenant, "ann@globex.example", Role::Admin).await;
    let down = world.db.client("auth", |_: &belfry_testkit::Call| Verdict::Fail);
    let answer = log_in("ann@globex.example", PASSWORD).of(&app_over(&world, down.table())).await;
    assert_eq!(answer.verdict(), (503, "store_unavailable"));
    assert_eq!(answer.header("retry-after"), "5");
    world.key.set_down(true);
    let answer = log_in("ann@globex.example", PASSWORD).of(&app(&world)).await;
    assert_eq!(answer.verdict(), (503, "key_unavailable"));
}
