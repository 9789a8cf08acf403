//! On to another of one's tenants, without another log-in.

use crate::steps::{enrolled, identity, lives, log_in, own, post, require, session_of};
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

async fn switch(world: &World, token: &str, tenant: impl ToString) -> Answer {
    own(world, token, "/auth/tenant", json!({"tenant_id": tenant.to_string()})).await
}

#[tokio::test]
async fn a_new_session_with_the_same_end_takes_the_old_ones_place() {
    let world = World::new();
    let (here, there) = two(&world).await;
    let (old, refresh) = world.session(&here).await;
    let other = world.token(&here).await;
    world.wait(60);
    let token = world.token_of(&old);

    let answer = switch(&world, &token, there.tenant).await;

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
        let answer = switch(&world, &world.token(&here).await, there.tenant).await;
        world.wait(wait);
        let refresh = json!({"refresh_token": answer.at("/refresh_token")});
        let told = post(&world, "/auth/refresh", refresh).await;
        assert_eq!(told.status, status, "{minutes} {wait}");
    }
    let world = World::new();
    let (here, there) = two(&world).await;
    let (mut session, _) = world.session(&here).await;
    let end = session.ends_at;
    let mut there_next = true;
    // To and fro, every ten minutes.
    for _ in 0..71 {
        world.wait(600);
        let target = if there_next { there.tenant } else { here.tenant };
        let answer = switch(&world, &world.token_of(&session), target).await;
        session = session_of(&world, answer.at("/access_token")).await.unwrap();
        assert_eq!(session.ends_at, end);
        there_next = !there_next;
    }
    world.wait(600);
    assert_eq!(switch(&world, &world.token_of(&session), here.tenant).await.status, 401);
}

#[tokio::test]
async fn what_is_not_ones_own_to_open_is_not_there() {
    let world = World::new();
    let (here, there) = two(&world).await;
    let foreign = world.tenant("Foreign").await;
    world.member(foreign, "bob@foreign.example", Role::SuperAdmin).await;
    let token = world.token(&here).await;
    for tenant in [foreign.to_string(), "x".to_owned(), String::new(), there.user.to_string()] {
        assert_eq!(switch(&world, &token, &tenant).await.verdict(), (404, "not_found"), "{tenant}");
    }
    for status in [Status::Invited, Status::Deactivated, Status::Archived] {
        world.change(&there, |user| user.status = status).await;
        let told = switch(&world, &token, there.tenant).await;
        assert_eq!(told.verdict(), (404, "not_found"), "{status:?}");
    }
    world
        .change(&there, |user| {
            user.status = Status::Active;
            user.role = Role::User;
        })
        .await;
    assert_eq!(switch(&world, &token, there.tenant).await.verdict(), (404, "not_found"));
    assert!(lives(&world, &token).await);
    assert_eq!(accesses(&world, "T#"), []);
    let told =
        own(&world, &token, "/auth/tenant", json!({"tenant_id": there.tenant, "x": 1})).await;
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
    let token = world.token(&here).await;
    require(&world, &there).await;
    // Not only into the tenant that requires it.
    for tenant in [there.tenant, third] {
        let told = switch(&world, &token, tenant).await;
        assert_eq!(told.verdict(), (403, "two_factor_required"));
    }
    assert!(lives(&world, &token).await);
    // With one, everywhere.
    world.wait(1);
    let inside = enrolled(&world, &there).await;
    let mut token = inside.access;
    for tenant in [third, here.tenant, there.tenant] {
        let answer = switch(&world, &token, tenant).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.at("/access_token").clone_into(&mut token);
        assert!(session_of(&world, &token).await.unwrap().two_factor);
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_at_once_one_goes_on() {
    let world = World::new();
    let (here, there) = two(&world).await;
    let token = world.token(&here).await;
    let gate = Arc::new(Turnstile::new());
    let app = Arc::new(app_over(&world, world.db.shared("auth", gate.clone()).table()));
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let body = json!({"tenant_id": there.tenant});
            let (app, ask) = (app.clone(), ask("POST /auth/tenant").bearer(&token).json(body));
            tokio::spawn(async move { ask.of(app.as_ref()).await.status })
        })
        .collect();
    let statuses = in_lockstep(&gate, tasks).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 401)), "{statuses:?}");
    assert_eq!(sessions(&world), 1);
}
