use crate::{app, app_over, member, statuses};
use belfry_domain::account::{Role, Tenant};
use belfry_domain::audit::Access;
use belfry_store::keys;
use belfry_testkit::{Answer, Ask, Turnstile, World, ask, in_lockstep};
use serde_json::{Value, json};
use std::sync::Arc;

fn get(token: &str) -> Ask {
    ask("GET /settings").bearer(token)
}

fn put(token: &str, minutes: i64, version: u64) -> Ask {
    let body = json!({"session_timeout_minutes": minutes, "version": version});
    ask("PUT /settings").bearer(token).json(body)
}

#[tokio::test]
async fn a_change_is_shown_recorded_and_touches_nothing_else() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::Admin).await;
    let app = app(&world);
    let before = json!({"session_timeout_minutes": 20, "version": 1});
    assert_eq!(get(&token).of(&app).await.json, before);
    let stored: Tenant = world.get(&keys::tenant(tenant)).await.unwrap();

    let after = json!({"session_timeout_minutes": 30, "version": 2});
    assert_eq!(put(&token, 30, 1).of(&app).await.json, after);
    assert_eq!(get(&token).of(&app).await.json, after);
    let changed: Tenant = world.get(&keys::tenant(tenant)).await.unwrap();
    let session_timeout = 30.try_into().unwrap();
    assert_eq!(changed, Tenant { session_timeout, version: 2, ..stored });

    // What stays as it is leaves no record.
    assert_eq!(put(&token, 30, 2).of(&app).await.json, after);
    let (records, _) = world.table().audit_trail(tenant, 0, 10).await.unwrap();
    assert_eq!(records.len(), 1);
    let record: Value = serde_json::from_str(&records[0].text).unwrap();
    assert_eq!(record["action"], "settings.change");
    assert_eq!(record["entity"], json!({"kind": "tenant", "id": tenant}));
    let fields = json!([{"field": "session_timeout_minutes", "from": 20, "to": 30}]);
    assert_eq!(record["changes"], fields);
}

#[tokio::test]
async fn the_bounds_are_5_and_120() {
    let world = World::new();
    let (_, token) = member(&world, "Globex", Role::SuperAdmin).await;
    let app = app(&world);
    for (minutes, version) in [(5, 1), (120, 2)] {
        assert_eq!(put(&token, minutes, version).of(&app).await.status, 200);
    }
    for minutes in [4, 121, 0, -1, 256 + 20, i64::MAX] {
        let answer = put(&token, minutes, 3).of(&app).await;
        let fault = [("/session_timeout_minutes", "out_of_range")];
        assert_eq!((answer.status, &answer.faults()[..]), (422, &fault[..]), "{minutes}");
    }
    for body in [
        json!({"session_timeout_minutes": "20", "version": 3}),
        json!({"session_timeout_minutes": 20.5, "version": 3}),
        json!({"session_timeout_minutes": 20}),
        json!({"version": 3}),
        json!({"session_timeout_minutes": 20, "version": 3, "users": 0}),
    ] {
        let ask = ask("PUT /settings").bearer(&token).json(body.clone());
        assert_eq!(ask.of(&app).await.status, 422, "{body}");
    }
    assert_eq!(get(&token).of(&app).await.json["version"], 3);
}

#[tokio::test]
async fn a_stale_version_is_told_the_present_one() {
    let world = World::new();
    let (_, token) = member(&world, "Globex", Role::Admin).await;
    let app = app(&world);
    assert_eq!(put(&token, 30, 1).of(&app).await.status, 200);
    for stale in [0, 1, 3] {
        let answer = put(&token, 40, stale).of(&app).await;
        assert_eq!(answer.verdict(), (409, "version_conflict"));
        assert_eq!(answer.json["version"], 2);
    }
    assert_eq!(get(&token).of(&app).await.json["session_timeout_minutes"], 30);
}

#[tokio::test(start_paused = true)]
async fn of_rivals_one_wins_and_the_others_are_stale() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::Admin).await;
    let gate = Arc::new(Turnstile::new());
    let app = Arc::new(app_over(&world, world.db.shared("tenant", gate.clone()).table()));
    let rivals: Vec<_> = (0..4)
        .map(|n| {
            let (app, ask) = (app.clone(), put(&token, 30 + n, 1));
            tokio::spawn(async move { ask.of(app.as_ref()).await })
        })
        .collect();
    let answers: Vec<Answer> = in_lockstep(&gate, rivals).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409]);
    let stale = answers.iter().filter(|answer| answer.status == 409);
    assert!(stale.into_iter().all(|answer| answer.json["version"] == 2));
    assert_eq!(world.table().audit_head(tenant).await.unwrap().sequence, 1);
}

#[tokio::test]
async fn a_lowered_limit_acts_on_the_next_request() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::Admin).await;
    let app = app(&world);
    let idle = world.member(tenant, "idle@globex.example", Role::ReadOnly).await;
    let (session, _) = world.session(&idle).await;
    world.wait(4 * 60 + 59);
    // Looking in the background is no use.
    let look = async || {
        let ask = get(&world.token_of(&session)).header("X-Background", "1");
        ask.of(&app).await.status
    };
    assert_eq!(put(&token, 5, 1).of(&app).await.status, 200);
    assert_eq!(look().await, 200);
    world.wait(1);
    assert_eq!(look().await, 401);
    assert_eq!(put(&token, 6, 2).of(&app).await.status, 200);
    assert_eq!(look().await, 200, "the limit is of the tenant, not of the session");
}

#[tokio::test]
async fn roles() {
    let world = World::new();
    assert_eq!(statuses(&world, |ask| ask, "GET /settings").await, [200, 200, 200, 200, 401]);
    let body = json!({"session_timeout_minutes": 20, "version": 1});
    let ask = |ask: Ask| ask.json(body.clone());
    assert_eq!(statuses(&world, ask, "PUT /settings").await, [200, 200, 403, 403, 401]);
    let (tenant, token) = member(&world, "Globex", Role::HelpDesk).await;
    assert_eq!(put(&token, 30, 1).of(&app(&world)).await.verdict(), (403, "forbidden"));
    let noted = world.table().accesses(tenant, world.now()).await.unwrap();
    assert_eq!(noted.iter().map(Access::action).collect::<Vec<_>>(), ["settings.change"]);
}
