//! On to another of one's tenants, without another log-in.

use crate::steps::{enrolled, identity, lives, log_in, own, post, require, send, session_of};
use crate::{accesses, app_over, sessions};
use belfry_domain::account::{Membership, Role, Status};
use belfry_store::keys;
use belfry_testkit::{Answer, Member, Turnstile, World, ask, in_lockstep};
use serde_json::json;
use std::sync::Arc;

async fn two(world: &World) -> (Member, Member) {
    let (globex, initech) = (world.tenant("Globex").await, world.tenant("Initech").await);
    let here = world.member(globex, "ann@globex.example", Role::Admin).await;
    let there = world.member(initech, "ann@globex.example", Role::ReadOnly).await;
    (here, there)
}

/// What a client holds: its access token and its refresh token.
type Tokens = (String, String);

async fn opened(world: &World, member: &Member) -> Tokens {
    let (session, refresh) = world.session(member).await;
    (world.token_of(&session), refresh.expose_text())
}

async fn switch(world: &World, (access, refresh): &Tokens, tenant: impl ToString) -> Answer {
    let body = json!({"tenant_id": tenant.to_string(), "refresh_token": refresh});
    own(world, access, "/auth/tenant", body).await
}

/// The tokens in an answer.
fn tokens(answer: &Answer) -> Tokens {
    (answer.at("/access_token").to_owned(), answer.at("/refresh_token").to_owned())
}

#[tokio::test]
async fn a_new_session_with_the_same_end_takes_the_old_ones_place() {
    let world = World::new();
    let (here, there) = two(&world).await;
    let (old, refresh) = world.session(&here).await;
    let other = world.token(&here).await;
    world.wait(60);
    let token = world.token_of(&old);
    let held = (token.clone(), refresh.expose_text());

    let answer = switch(&world, &held, there.tenant).await;

    assert_eq!((answer.status, answer.at("/status")), (200, "authenticated"), "{}", answer.text);
    assert_eq!(answer.json["tenant"], json!({"id": there.tenant, "name": "Initech"}));
    assert_eq!(answer.json["user"], json!({"id": there.user, "role": "read_only"}));
    assert_eq!(answer.json["tenants"].as_array().unwrap().len(), 2);
    let session = session_of(&world, answer.at("/access_token")).await.unwrap();
    assert_eq!((session.tenant, session.user), (there.tenant, there.user));
    assert_eq!((session.ends_at, session.proven_at), (old.ends_at, old.proven_at));
    assert_eq!(session.last_used_at, world.now());
    assert!(!lives(&world, &token).await);
    let told = post(&world, "/auth/refresh", json!({"refresh_token": refresh.expose_text()})).await;
    assert_eq!(told.verdict(), (401, "session_over"));
    assert!(lives(&world, &other).await, "another session goes on");
    assert_eq!(sessions(&world), 2);
    assert_eq!(identity(&world, &here).await.version, 1);
    let noted = accesses(&world, &format!("T#{}#AC#", there.tenant));
    let success = ("session.switch".to_owned(), "success".to_owned(), there.user.to_string());
    assert_eq!(noted, [success]);
    let edge: Membership =
        world.get(&keys::membership(there.identity, there.tenant)).await.unwrap();
    assert_eq!(edge.opened_at, Some(world.now()));
    // The next log-in opens the tenant used last.
    assert_eq!(log_in(&world, &here).await.at("/tenant/id"), there.tenant.to_string());
}

#[tokio::test]
async fn the_idle_limit_is_the_targets_and_twelve_hours_stay_twelve() {
    for (minutes, wait, status) in [(5, 299, 200), (5, 300, 401), (120, 7_199, 200)] {
        let world = World::new();
        let (here, there) = two(&world).await;
        world.set_idle_limit(here.tenant, 20).await;
        world.set_idle_limit(there.tenant, minutes).await;
        let answer = switch(&world, &opened(&world, &here).await, there.tenant).await;
        world.wait(wait);
        let refresh = json!({"refresh_token": answer.at("/refresh_token")});
        let told = post(&world, "/auth/refresh", refresh).await;
        assert_eq!(told.status, status, "{minutes} {wait}");
    }
    let world = World::new();
    let (here, there) = two(&world).await;
    let (mut session, refresh) = world.session(&here).await;
    let mut held = (String::new(), refresh.expose_text());
    let end = session.ends_at;
    let mut there_next = true;
    // To and fro, every ten minutes.
    for _ in 0..71 {
        world.wait(600);
        let target = if there_next { there.tenant } else { here.tenant };
        held.0 = world.token_of(&session);
        let answer = switch(&world, &held, target).await;
        held = tokens(&answer);
        session = session_of(&world, answer.at("/access_token")).await.unwrap();
        assert_eq!(session.ends_at, end);
        there_next = !there_next;
    }
    world.wait(600);
    held.0 = world.token_of(&session);
    assert_eq!(switch(&world, &held, here.tenant).await.status, 401);
}

#[tokio::test]
async fn what_is_not_ones_own_to_open_is_not_there() {
    let world = World::new();
    let (here, there) = two(&world).await;
    let foreign = world.tenant("Foreign").await;
    world.member(foreign, "bob@foreign.example", Role::SuperAdmin).await;
    let held = opened(&world, &here).await;
    let token = &held.0;
    for tenant in [foreign.to_string(), "x".to_owned(), String::new(), there.user.to_string()] {
        assert_eq!(switch(&world, &held, &tenant).await.verdict(), (404, "not_found"), "{tenant}");
    }
    for status in [Status::Invited, Status::Deactivated, Status::Archived] {
        world.change(&there, |user| user.status = status).await;
        let told = switch(&world, &held, there.tenant).await;
        assert_eq!(told.verdict(), (404, "not_found"), "{status:?}");
    }
    world
        .change(&there, |user| {
            user.status = Status::Active;
            user.role = Role::User;
        })
        .await;
    assert_eq!(switch(&world, &held, there.tenant).await.verdict(), (404, "not_found"));
    assert!(lives(&world, token).await);
    assert_eq!(accesses(&world, "T#"), []);
    let told = own(&world, token, "/auth/tenant", json!({"tenant_id": there.tenant, "x": 1})).await;
    assert_eq!((told.status, told.faults()), (422, vec![("/x", "invalid")]));
    let told = post(&world, "/auth/tenant", json!({"tenant_id": there.tenant})).await;
    assert_eq!(told.verdict(), (401, "unauthenticated"));
}

#[tokio::test]
async fn a_session_without_a_second_factor_gets_nowhere_once_one_is_required() {
    let world = World::new();
    let (here, there) = two(&world).await;
    let third = world.tenant("Umbrella").await;
    world.member(third, "ann@globex.example", Role::Admin).await;
    let held = opened(&world, &here).await;
    require(&world, &there).await;
    // Not only into the tenant that requires it.
    for tenant in [there.tenant, third] {
        let told = switch(&world, &held, tenant).await;
        assert_eq!(told.verdict(), (403, "two_factor_required"));
    }
    assert!(lives(&world, &held.0).await);
    // With one, everywhere.
    world.wait(1);
    let inside = enrolled(&world, &there).await;
    let mut held = (inside.access, inside.refresh);
    for tenant in [third, here.tenant, there.tenant] {
        let answer = switch(&world, &held, tenant).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        held = tokens(&answer);
        assert!(session_of(&world, &held.0).await.unwrap().two_factor);
    }
}

#[tokio::test]
async fn an_access_token_alone_does_not_become_a_session() {
    let world = World::new();
    let (here, there) = two(&world).await;
    let (session, refresh) = world.session(&here).await;
    let (_, anothers) = world.session(&here).await;
    let token = world.token_of(&session);
    let body = json!({"tenant_id": there.tenant});
    let told = own(&world, &token, "/auth/tenant", body.clone()).await;
    assert_eq!(told.verdict(), (401, "session_over"));
    for bad in ["", "x", &anothers.expose_text()] {
        let told = switch(&world, &(token.clone(), bad.to_owned()), there.tenant).await;
        assert_eq!(told.verdict(), (401, "session_over"), "{bad}");
    }
    assert!(lives(&world, &token).await);
    // A browser's lies in its cookie, and what its body says is not looked at.
    let browser = ask("POST /auth/tenant").bearer(&token).header("X-Belfry-Client", "browser");
    let told = send(&world, browser.clone().json(body.clone())).await;
    assert_eq!(told.verdict(), (401, "session_over"));
    let cookie = format!("__Host-belfry-refresh={}", refresh.expose_text());
    let moved = send(&world, browser.header("Cookie", cookie).json(body)).await;
    assert_eq!((moved.status, moved.json.get("refresh_token")), (200, None), "{}", moved.text);
    assert!(!moved.header("set-cookie").is_empty());
}

#[tokio::test]
async fn a_refresh_token_given_up_long_ago_ends_the_session() {
    let world = World::new();
    let (here, there) = two(&world).await;
    let held = opened(&world, &here).await;
    let next = post(&world, "/auth/refresh", json!({"refresh_token": held.1})).await;
    world.wait(11);
    assert_eq!(switch(&world, &held, there.tenant).await.verdict(), (401, "session_over"));
    assert!(!lives(&world, next.at("/access_token")).await);
    let reused = ("session.refresh_reused".to_owned(), "failure".to_owned(), here.user.to_string());
    assert_eq!(accesses(&world, &format!("T#{}#AC#", here.tenant)), [reused]);
}

#[tokio::test(start_paused = true)]
async fn of_many_at_once_one_goes_on() {
    let world = World::new();
    let (here, there) = two(&world).await;
    let (token, refresh) = opened(&world, &here).await;
    let gate = Arc::new(Turnstile::new());
    let app = Arc::new(app_over(&world, world.db.shared("auth", gate.clone()).table()));
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let body = json!({"tenant_id": there.tenant, "refresh_token": refresh});
            let (app, ask) = (app.clone(), ask("POST /auth/tenant").bearer(&token).json(body));
            tokio::spawn(async move { ask.of(app.as_ref()).await.status })
        })
        .collect();
    let statuses = in_lockstep(&gate, tasks).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 401)), "{statuses:?}");
    assert_eq!(sessions(&world), 1);
}
