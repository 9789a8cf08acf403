//! Step-up: what protects the account asks for a proof of the last ten minutes.

use crate::accesses;
use crate::steps::{
    Enrolled, STEP, answer, challenge, enrolled, identity, letters, lives, own, post, refreshed,
    require, session_of,
};
use belfry_domain::account::Role;
use belfry_testkit::world::PASSWORD;
use belfry_testkit::{Member, World};
use serde_json::{Value, json};

const NEW: &str = "velvet-harbour-sixty-tulip";

async fn ann(world: &World) -> (Member, Enrolled) {
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::SuperAdmin).await;
    let inside = enrolled(world, &ann).await;
    (ann, inside)
}

#[tokio::test]
async fn each_route_that_needs_a_proof_asks_for_it_after_ten_minutes() {
    for (route, body) in [
        ("/me/password", json!({"password": NEW})),
        ("/me/recovery-codes", json!({})),
        ("/me/two-factor", json!({"enabled": true})),
        ("/me/two-factor", json!({"enabled": false})),
        ("/me/two-factor/reset", json!({})),
        ("/me/two-factor/enrolment", json!({"challenge": "x", "code": "123456"})),
    ] {
        let after = if route == "/me/two-factor/enrolment" { 410 } else { 200 };
        for (age, status) in [(600, after), (601, 403)] {
            let world = World::new();
            let (ann, inside) = ann(&world).await;
            world.wait(age - STEP);
            let token = refreshed(&world, &inside.refresh).await;
            let before = identity(&world, &ann).await;
            let told = own(&world, &token, route, body.clone()).await;
            assert_eq!(told.status, status, "{route} {age}: {}", told.text);
            if status != 403 {
                continue;
            }
            assert_eq!(told.verdict(), (403, "confirmation_required"), "{route}");
            assert_eq!(identity(&world, &ann).await, before, "{route}");
            let proof = json!({"password": PASSWORD, "code": inside.phone.code(world.now())});
            let told = own(&world, &token, "/auth/confirm", proof).await;
            assert_eq!(
                (told.status, told.json),
                (200, json!({"confirmed_until": "2026-11-22T12:20:01.000Z"})),
                "{route}"
            );
            assert_eq!(own(&world, &token, route, body.clone()).await.status, after, "{route}");
        }
    }
}

#[tokio::test]
async fn a_password_alone_is_enough_without_a_second_factor() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::ReadOnly).await;
    let opened = crate::steps::log_in(&world, &ann).await;
    world.wait(601);
    let token = refreshed(&world, opened.at("/refresh_token")).await;
    let set = async || own(&world, &token, "/me/password", json!({"password": NEW})).await;
    assert_eq!(set().await.verdict(), (403, "confirmation_required"));
    let before = session_of(&world, &token).await.unwrap();

    let told = own(&world, &token, "/auth/confirm", json!({"password": "wrong"})).await;
    assert_eq!(told.verdict(), (401, "invalid_credentials"));
    let stored = session_of(&world, &token).await.unwrap();
    assert_eq!(stored.proven_at, before.proven_at);
    assert_eq!(set().await.verdict(), (403, "confirmation_required"));

    let told = own(&world, &token, "/auth/confirm", json!({"password": PASSWORD})).await;
    assert_eq!(told.status, 200, "{}", told.text);
    let stored = session_of(&world, &token).await.unwrap();
    assert_eq!((stored.proven_at, stored.two_factor), (world.now(), false));
    assert_eq!(stored.id, before.id);
    let entry =
        |outcome: &str| ("session.confirm".to_owned(), outcome.to_owned(), ann.user.to_string());
    let mut noted = accesses(&world, &format!("T#{tenant}#AC#"));
    noted.sort();
    let denied = ("access.denied".to_owned(), "denied".to_owned(), ann.user.to_string());
    assert_eq!(noted[..4], [denied.clone(), denied, entry("failure"), entry("success")]);
    assert_eq!(set().await.status, 200);
}

#[tokio::test]
async fn wrong_passwords_are_counted_with_those_of_log_ins() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::ReadOnly).await;
    let token = world.token(&ann).await;
    let confirm = async |password: &str| {
        own(&world, &token, "/auth/confirm", json!({"password": password})).await
    };
    // Right ones are not.
    for _ in 0..3 {
        assert_eq!(confirm(PASSWORD).await.status, 200);
    }
    for _ in 0..5 {
        assert_eq!(confirm("wrong").await.status, 401);
        let told = crate::steps::log_in_with(&world, "Ann@Globex.example", "wrong").await;
        assert_eq!(told.status, 401);
    }
    let told = confirm(PASSWORD).await;
    assert_eq!(told.verdict(), (429, "throttled"));
    assert_eq!(told.header("retry-after"), "15");
    assert_eq!(told.header("ratelimit-policy"), "\"password-account\";q=10;w=900");
    assert_eq!(told.header("ratelimit"), "\"password-account\";r=0;t=15");
    world.wait(15);
    assert_eq!(confirm(PASSWORD).await.status, 200);
}

#[tokio::test]
async fn whoever_has_a_factor_shows_a_code_too() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    let confirm = async |body: Value| own(&world, &inside.access, "/auth/confirm", body).await;
    let told = confirm(json!({"password": PASSWORD})).await;
    assert_eq!((told.status, told.faults()), (422, vec![("/code", "required")]));
    let told = confirm(json!({"password": PASSWORD, "code": "12"})).await;
    assert_eq!((told.status, told.faults()), (422, vec![("/code", "invalid")]));
    let code = inside.phone.code(world.now());
    // With a wrong password no code is looked at.
    let told = confirm(json!({"password": "wrong", "code": code})).await;
    assert_eq!(told.verdict(), (401, "invalid_credentials"));
    assert_eq!(confirm(json!({"password": PASSWORD, "code": code})).await.status, 200);
    // Neither twice here nor here and at a log-in.
    let told = confirm(json!({"password": PASSWORD, "code": code})).await;
    assert_eq!(told.verdict(), (401, "code_used"));
    let asked = challenge(&world, &ann).await;
    assert_eq!(answer(&world, &asked, &code).await.verdict(), (401, "code_used"));
    assert!(lives(&world, &inside.access).await);

    // Wrong ones count with those of log-ins.
    let wrong = inside.phone.wrong(world.now());
    let told = confirm(json!({"password": PASSWORD, "code": wrong})).await;
    assert_eq!(told.verdict(), (401, "invalid_code"));
    assert_eq!(answer(&world, &asked, &wrong).await.verdict(), (401, "invalid_code"));
    let told = confirm(json!({"password": PASSWORD, "code": wrong})).await;
    assert_eq!(told.verdict(), (423, "two_factor_locked"));
    assert!(identity(&world, &ann).await.second_factor.unwrap().is_locked());
    assert!(!lives(&world, &inside.access).await);
    assert!(letters(&world).iter().any(|letter| letter.2 == "TwoFactorLocked"));
}

#[tokio::test]
async fn a_code_makes_a_session_from_before_one_with_two_factors() {
    let world = World::new();
    let (globex, initech) = (world.tenant("Globex").await, world.tenant("Initech").await);
    let ann = world.member(globex, "ann@globex.example", Role::SuperAdmin).await;
    let there = world.member(initech, "ann@globex.example", Role::Admin).await;
    let inside = enrolled(&world, &ann).await;
    world.change(&ann, |user| user.two_factor_required = false).await;
    let opened = crate::steps::log_in(&world, &ann).await;
    let token = opened.at("/access_token");
    let switching = json!({"tenant_id": initech, "refresh_token": opened.at("/refresh_token")});
    require(&world, &there).await;
    let switch = async || own(&world, token, "/auth/tenant", switching.clone()).await;
    assert_eq!(switch().await.verdict(), (403, "two_factor_required"));
    let proof = json!({"password": PASSWORD, "code": inside.phone.code(world.now())});
    assert_eq!(own(&world, token, "/auth/confirm", proof).await.status, 200);
    assert!(session_of(&world, token).await.unwrap().two_factor);
    assert_eq!(switch().await.status, 200);
}

#[tokio::test]
async fn only_from_a_session_and_only_for_oneself() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let told = post(&world, "/auth/confirm", json!({"password": PASSWORD})).await;
    assert_eq!(told.verdict(), (401, "unauthenticated"));
    let token = world.token(&ann).await;
    let body = json!({"password": PASSWORD, "email": "bob@globex.example"});
    let told = own(&world, &token, "/auth/confirm", body).await;
    assert_eq!((told.status, told.faults()), (422, vec![("/email", "invalid")]));
}
