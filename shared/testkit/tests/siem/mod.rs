//! SIEM destinations and the log for those that ask, every answer that the description names.

use crate::faulty_bodies;
use crate::house::House;
use belfry_domain::account::Role;
use belfry_domain::id::TenantId;
use belfry_runtime::events::Events as _;
use belfry_runtime::metrics::Metrics;
use belfry_testkit::{Answer, ask};
use serde_json::{Value, json};

const CREATE: &str = "POST /siem/destinations";
const ONE: &str = "GET /siem/destinations/{id}";
const EVENTS: &str = "GET /events";
/// Seconds of a day.
const DAY: i64 = 86_400;

impl House {
    async fn siem(
        &self,
        route: &'static str,
        token: &str,
        id: &str,
        body: Option<Value>,
    ) -> Answer {
        let asked = ask(route).path("id", id).bearer(token);
        match body {
            Some(body) => self.send(&self.siem, route, asked, body).await,
            None => self.tell(&self.siem, route, asked).await,
        }
    }

    async fn pull(&self, token: &str, query: &[(&str, &str)]) -> Answer {
        let asked = query.iter().fold(ask(EVENTS), |ask, (name, value)| ask.query(name, value));
        self.tell(&self.siem, EVENTS, asked.bearer(token)).await
    }
}

fn body(transport: &str) -> Value {
    let mut body = json!({"name": "Head office", "transport": transport, "format": "ocsf",
        "event_types": {"EPP": ["infection.detected"], "CONSOLE": ["change", "access"]}});
    if transport != "pull" {
        body["host"] = "siem.example.net".into();
    }
    body
}

pub(crate) async fn all(house: &House, tenant: TenantId) {
    let admin = house.world.member(tenant, "siem@globex.com", Role::Admin).await;
    let token = house.world.token(&admin).await;
    let made = house.siem(CREATE, &token, "", Some(body("syslog_tls"))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.at("/id").to_owned();
    nobody(house, &id).await;
    unknown(house, &token).await;
    for route in [
        CREATE,
        "POST /siem/destinations/test",
        "PUT /siem/destinations/{id}",
        "POST /siem/destinations/{id}/replay",
    ] {
        faulty_bodies(house, &house.siem, route, Some(&token)).await;
    }
    reads(house, &token, &id).await;
    export(house, &token, &id).await;
    asked(house, tenant, &token).await;
    let later = house.world.member(tenant, "siem3@globex.com", Role::Admin).await;
    let later = house.world.token(&later).await;
    let removed = house.siem("DELETE /siem/destinations/{id}", &later, &id, None).await;
    assert_eq!(removed.status, 204);
    too_often(house).await;
}

/// Without a token.
async fn nobody(house: &House, id: &str) {
    let routes = belfry_api::routes::ROUTES.iter().filter(|route| route.function == "siem");
    for route in routes {
        let answer = house.tell(&house.siem, route.route, ask(route.route).path("id", id)).await;
        assert_eq!(answer.status, 401, "{}", route.route);
    }
}

/// An id that there is not.
async fn unknown(house: &House, token: &str) {
    let id = "dst_00000000000000000000000000000000";
    let mut change = body("webhook");
    change["version"] = 1.into();
    let replay = json!({"from": "2026-11-22T12:00:00Z"});
    for (route, body) in [
        (ONE, None),
        ("PUT /siem/destinations/{id}", Some(change)),
        ("DELETE /siem/destinations/{id}", None),
        ("POST /siem/destinations/{id}/test", None),
        ("POST /siem/destinations/{id}/preview", None),
        ("POST /siem/destinations/{id}/replay", Some(replay)),
        ("POST /siem/destinations/{id}/resume", None),
        ("GET /siem/destinations/{id}/statistics", None),
    ] {
        let answer = house.siem(route, token, id, body).await;
        assert_eq!(answer.verdict(), (404, "not_found"), "{route}");
    }
}

async fn reads(house: &House, token: &str, id: &str) {
    for route in ["GET /siem/event-types", "GET /siem/destinations", ONE] {
        assert_eq!(house.siem(route, token, id, None).await.status, 200, "{route}");
    }
    for route in ["POST /siem/destinations/{id}/preview", "POST /siem/destinations/{id}/test"] {
        assert_eq!(house.siem(route, token, id, None).await.status, 200, "{route}");
    }
    let listed = ask("GET /siem/destinations").query("page", "2").bearer(token);
    assert_eq!(house.tell(&house.siem, "GET /siem/destinations", listed).await.status, 422);
    let unsaved =
        house.siem("POST /siem/destinations/test", token, "", Some(body("webhook"))).await;
    assert_eq!((unsaved.status, &unsaved.json["confirmed"]), (200, &json!(true)));
}

/// Records are delivered, counted and replayed.
async fn export(house: &House, token: &str, id: &str) {
    let change = "PUT /siem/destinations/{id}";
    let mut other = body("syslog_tls");
    other["version"] = 1.into();
    other["name"] = "Branch".into();
    assert_eq!(house.siem(change, token, id, Some(other.clone())).await.status, 200);
    let stale = house.siem(change, token, id, Some(other)).await;
    assert_eq!(stale.verdict(), (409, "version_conflict"));
    let sweep = json!({"sweep": true});
    house.forward.invoked(sweep, &mut Metrics::new("siem-forward", "test")).await.unwrap();
    house.forward_rings().await;
    assert!(!house.receiver.arrived().is_empty(), "the change itself is exported");
    let figures = house.siem("GET /siem/destinations/{id}/statistics", token, id, None).await;
    let totals = &figures.json["totals"];
    let figure = |name: &str| totals[name].as_u64().unwrap();
    let parts = ["confirmed", "refused", "skipped", "expired", "backlog"];
    assert_eq!(figure("produced"), parts.map(figure).iter().sum::<u64>(), "{totals}");
    assert!(figure("confirmed") > 0);
    let replay = "POST /siem/destinations/{id}/replay";
    let from = json!({"from": house.world.now().to_string()});
    assert_eq!(house.siem(replay, token, id, Some(from)).await.status, 202);
    let nothing = json!({"stream": "CONSOLE/0", "from_sequence": 1_000_000});
    let nothing = house.siem(replay, token, id, Some(nothing)).await;
    assert_eq!(nothing.verdict(), (409, "nothing_to_replay"));
    assert_eq!(
        house.siem("POST /siem/destinations/{id}/resume", token, id, None).await.status,
        200
    );
}

/// A destination that is asked.
async fn asked(house: &House, tenant: TenantId, token: &str) {
    let made = house.siem(CREATE, token, "", Some(body("pull"))).await;
    let (id, pull) = (made.at("/id").to_owned(), made.at("/token").to_owned());
    for route in ["POST /siem/destinations/{id}/test", "POST /siem/destinations/{id}/resume"] {
        let answer = house.siem(route, token, &id, None).await;
        assert_eq!(answer.verdict(), (409, "not_delivered_to"), "{route}");
    }
    let unsaved = house.siem("POST /siem/destinations/test", token, "", Some(body("pull"))).await;
    assert_eq!(unsaved.verdict(), (409, "not_delivered_to"));
    let streams = house.pull(&pull, &[]).await.json;
    let changes =
        streams["items"].as_array().unwrap().iter().find(|one| one["stream"] == "CONSOLE/0");
    let after = changes.unwrap()["first_sequence"].as_u64().unwrap() - 1;
    let after = after.to_string();
    let page = [("stream", "CONSOLE/0"), ("after", &after), ("limit", "1")];
    let page = house.pull(&pull, &page).await;
    assert_eq!(page.json["items"].as_array().unwrap().len(), 1, "{}", page.text);
    assert_eq!(house.pull(&pull, &[("stream", "EMM/9")]).await.status, 404);
    assert_eq!(house.pull(&pull, &[("after", "1")]).await.status, 422);
    assert_eq!(house.pull(token, &[]).await.status, 401);
    house.world.wait(8 * DAY);
    let gone = house.pull(&pull, &[("stream", "CONSOLE/0")]).await;
    assert_eq!(gone.verdict(), (410, "sequence_expired"));
    let admin = house.world.member(tenant, "siem2@globex.com", Role::Admin).await;
    let token = house.world.token(&admin).await;
    let mut off = body("pull");
    off["enabled"] = false.into();
    off["version"] = 1.into();
    assert_eq!(house.siem("PUT /siem/destinations/{id}", &token, &id, Some(off)).await.status, 200);
    assert_eq!(house.pull(&pull, &[]).await.verdict(), (403, "destination_off"));
}

/// More destinations, and more tries, than there may be.
async fn too_often(house: &House) {
    let tenant = house.world.tenant("Vandelay").await;
    let admin = house.world.member(tenant, "art@vandelay.com", Role::Admin).await;
    let token = &house.world.token(&admin).await;
    let mut made = Value::Null;
    for expected in [201, 201, 201, 201, 201, 201, 201, 201, 201, 201, 409] {
        let answer = house.siem(CREATE, token, "", Some(body("webhook"))).await;
        assert_eq!(answer.status, expected, "{}", answer.text);
        if expected == 201 {
            made = answer.json;
        }
    }
    let id = made["id"].as_str().unwrap();
    // Only a host that is new is looked at.
    let mut change = body("webhook");
    change["version"] = 1.into();
    change["host"] = "siem2.example.net".into();
    change["token"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into();
    let test = "POST /siem/destinations/{id}/test";
    while house.siem(test, token, id, None).await.status == 200 {}
    for (route, body) in [
        (test, None),
        ("POST /siem/destinations/test", Some(body("webhook"))),
        (CREATE, Some(body("webhook"))),
        ("PUT /siem/destinations/{id}", Some(change)),
    ] {
        let answer = house.siem(route, token, id, body).await;
        assert_eq!(answer.verdict(), (429, "throttled"), "{route}");
    }
}
