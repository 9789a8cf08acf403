//! The check of session and membership on every request, seen from `GET /me`.

use crate::{app, app_over};
use belfry_domain::account::{Role, Status};
use belfry_domain::session::Session;
use belfry_store::keys;
use belfry_testkit::gate::Open;
use belfry_testkit::{Answer, Member, World, ask};
use serde_json::json;

async fn me(world: &World, session: &Session) -> Answer {
    ask("GET /me").bearer(world.token_of(session)).of(&app(world)).await
}

async fn ann(world: &World) -> Member {
    let tenant = world.tenant("Globex").await;
    world.member(tenant, "ann@globex.example", Role::HelpDesk).await
}

#[tokio::test]
async fn shows_oneself() {
    let world = World::new();
    let ann = ann(&world).await;
    let (session, _) = world.session(&ann).await;
    let answer = me(&world, &session).await;
    assert_eq!(
        answer.json,
        json!({
            "id": ann.user, "first_name": "Ann", "last_name": "Lindqvist",
            "email": "ann@globex.example", "mobile": "+919876543210", "language": "en",
            "role": "help_desk", "status": "active", "source": "manual",
            "two_factor": {"required": false, "state": "off", "recovery_codes_left": null},
            "tenant": {"id": ann.tenant, "name": "Globex"}, "session_id": session.id,
            "last_login_at": null, "created_at": "2026-11-22T12:00:00.000Z", "version": 1,
        })
    );
}

#[tokio::test]
async fn idle_limits_one_second_before_and_after() {
    let world = World::new();
    let ann = ann(&world).await;
    for minutes in [5, 20, 120] {
        world.set_idle_limit(ann.tenant, minutes).await;
        for (wait, status) in [(i64::from(minutes) * 60 - 1, 200), (i64::from(minutes) * 60, 401)] {
            let (session, _) = world.session(&ann).await;
            world.wait(wait);
            assert_eq!(me(&world, &session).await.status, status, "{minutes} minutes, {wait} s");
        }
    }
}

#[tokio::test]
async fn a_lower_setting_acts_at_once() {
    let world = World::new();
    let ann = ann(&world).await;
    let (session, _) = world.session(&ann).await;
    world.wait(600);
    world.set_idle_limit(ann.tenant, 5).await;
    assert_eq!(me(&world, &session).await.verdict(), (401, "unauthenticated"));
}

#[tokio::test]
async fn use_is_written_every_30_seconds_and_background_requests_are_none() {
    let world = World::new();
    let ann = ann(&world).await;
    let (session, _) = world.session(&ann).await;
    let key = keys::session(ann.identity, session.id);
    let used = async || world.get::<Session>(&key).await.unwrap().last_used_at;
    world.wait(29);
    me(&world, &session).await;
    assert_eq!(used().await, session.last_used_at);
    world.wait(1);
    let quiet = ask("GET /me").bearer(world.token_of(&session)).header("X-Background", "1");
    assert_eq!(quiet.of(&app(&world)).await.status, 200);
    assert_eq!(used().await, session.last_used_at);
    me(&world, &session).await;
    assert_eq!(used().await, world.now());
}

#[tokio::test]
async fn a_request_costs_one_read_and_at_most_one_write() {
    let world = World::new();
    let ann = ann(&world).await;
    let (session, _) = world.session(&ann).await;
    for (wait, writes) in [(1, 0), (60, 1)] {
        world.wait(wait);
        let transport = world.db.client("auth", Open);
        let app = app_over(&world, transport.table());
        let request = ask("GET /me").bearer(world.token_of(&session)).request();
        app.authenticator.actor(&request).await.unwrap();
        let counts = transport.counts();
        assert_eq!(counts.get("BatchGetItem"), Some(&1), "{counts:?}");
        assert_eq!(counts.values().sum::<usize>(), 1 + writes, "{counts:?}");
        assert!(transport.read_units() <= 4.0, "{}", transport.read_units());
    }
}

#[tokio::test]
async fn what_changes_about_the_member_acts_on_the_next_request() {
    for status in [Status::Invited, Status::Deactivated, Status::Archived] {
        let world = World::new();
        let ann = ann(&world).await;
        let (session, _) = world.session(&ann).await;
        assert_eq!(me(&world, &session).await.status, 200);
        world.change(&ann, |user| user.status = status).await;
        assert_eq!(me(&world, &session).await.verdict(), (401, "unauthenticated"), "{status:?}");
    }
    // Another role, higher or lower, takes a new log-in.
    for role in [Role::SuperAdmin, Role::Admin, Role::ReadOnly, Role::User] {
        let world = World::new();
        let ann = ann(&world).await;
        let (session, _) = world.session(&ann).await;
        world.change(&ann, |user| user.role = role).await;
        assert_eq!(me(&world, &session).await.verdict(), (401, "unauthenticated"), "{role:?}");
    }
}

#[tokio::test]
async fn twelve_hours_are_the_end_however_busy() {
    let world = World::new();
    let ann = ann(&world).await;
    let (session, _) = world.session(&ann).await;
    for _ in 0..71 {
        world.wait(600);
        assert_eq!(me(&world, &session).await.status, 200);
    }
    world.wait(599);
    assert_eq!(me(&world, &session).await.status, 200);
    world.wait(1);
    assert_eq!(me(&world, &session).await.status, 401);
}

#[tokio::test]
async fn an_unknown_route_is_404() {
    let world = World::new();
    assert_eq!(ask("GET /users").of(&app(&world)).await.verdict(), (404, "not_found"));
}
