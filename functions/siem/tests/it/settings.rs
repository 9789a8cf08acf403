//! Destinations are made, listed, read, changed and deleted.

use crate::{CHANGE, CREATE, DELETE, LIST, Office, READ, body, but};
use belfry_domain::siem::pull::PullToken;
use belfry_store::keys;
use belfry_testkit::{Turnstile, in_lockstep, public_network};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a view has of every transport.
fn shown(id: &str, transport: &str) -> Value {
    json!({
        "id": id, "name": "Head office", "enabled": true, "transport": transport, "framing": null,
        "host": "siem.example.com", "port": 443, "path": null, "format": "ocsf",
        "event_types": {"EPP": ["infection.detected"], "CONSOLE": ["change", "access"]},
        "min_severity": "info", "ca_pem": null, "client_certificate_pem": null,
        "header_name": null, "warnings": [], "state": "healthy", "failing_since": null,
        "next_attempt_at": null, "last_confirmed_at": null, "last_error": null,
        "created_at": "2026-11-22T12:00:00.000Z", "version": 1,
    })
}

#[tokio::test]
async fn every_transport_is_made_and_shown_with_what_it_has() {
    let plain = json!([{"code": "not_encrypted",
        "detail": "Everybody on the way can read and change what is sent; prefer syslog_tls."}]);
    for (transport, own, token) in [
        ("syslog_tls", json!({"port": 6514, "framing": "octet_counting"}), None),
        ("syslog_tcp", json!({"port": 601, "framing": "octet_counting", "warnings": plain}), None),
        ("splunk_hec", json!({"port": 8088, "path": "/services/collector/event"}), None),
        ("webhook", json!({"port": 443, "path": "/"}), Some("whsec_")),
        ("pull", json!({"host": null, "port": null}), Some("bfp_")),
    ] {
        let office = Office::new().await;
        let made = office.made(body(transport)).await;
        let id = made.at("/id").to_owned();
        let mut expected = shown(&id, transport);
        for (name, value) in own.as_object().unwrap() {
            expected[name] = value.clone();
        }
        let mut first = expected.clone();
        if let Some(prefix) = token {
            assert!(made.at("/token").starts_with(prefix), "{transport}");
            first["token"] = made.json["token"].clone();
            assert!(!office.world.db.holds(made.at("/token")), "{transport}: kept readable");
        }
        assert_eq!(made.json, first, "{transport}");
        assert_eq!(made.header("cache-control"), "no-store");
        let read = office.get(READ, &id).await;
        assert_eq!((read.status, &read.json), (200, &expected), "{transport}");
        let listed = office.ask(LIST).of(&office.app()).await;
        assert_eq!(listed.json, json!({"items": [expected], "next_cursor": null}), "{transport}");

        // As it was read, with another name: nothing else changes, and nothing is shown again.
        let again = but(body(transport), json!({"name": "Branch", "version": 1, "token": null}));
        let changed = office.tell(CHANGE, &id, again).await;
        expected["name"] = "Branch".into();
        expected["version"] = 2.into();
        assert_eq!((changed.status, &changed.json), (200, &expected), "{transport}");
        assert_eq!(office.last_changes().await.keys().collect::<Vec<_>>(), ["name"]);

        assert_eq!(office.get(DELETE, &id).await.status, 204, "{transport}");
        for route in [READ, DELETE] {
            assert_eq!(office.get(route, &id).await.verdict(), (404, "not_found"), "{transport}");
        }
        let kept = office.world.db.dump_of(&format!("T#{}", office.tenant));
        let left = kept.iter().filter(|item| item["sk"].to_string().contains(&id));
        assert_eq!(left.count(), 0, "{transport}: settings and progress are gone");
        let actions = office.actions().await;
        assert_eq!(actions, ["siem.create", "siem.change", "siem.delete"], "{transport}");
    }
}

#[tokio::test]
async fn whatever_is_given_is_shown_again() {
    let office = Office::new().await;
    let whole = json!({
        "name": "  Head   office ", "enabled": false, "transport": "webhook", "format": "cef",
        "host": "SIEM.Example.COM", "port": 10_001, "path": "/in?tenant=1",
        "event_types": {"ZTNA": ["access.blocked"], "EPP": ["policy.violated", "policy.violated"], "EMM": []},
        "min_severity": "medium", "header_name": "X-Api-Key", "header_value": "header value",
    });
    let made = office.made(whole).await;
    for (name, value) in [
        ("name", json!("Head office")),
        ("enabled", json!(false)),
        ("state", json!("off")),
        ("host", json!("siem.example.com")),
        ("port", json!(10_001)),
        // What follows `?` may be a secret.
        ("path", json!("/in?...")),
        ("format", json!("cef")),
        ("min_severity", json!("medium")),
        ("header_name", json!("x-api-key")),
        ("event_types", json!({"EPP": ["policy.violated"], "ZTNA": ["access.blocked"]})),
    ] {
        assert_eq!(made.json[name], value, "{name}");
    }
    assert!(made.json.get("header_value").is_none());
    let lf = but(body("syslog_tcp"), json!({"framing": "lf", "format": "rfc5424"}));
    assert_eq!(office.made(lf).await.at("/framing"), "lf");
    for host in ["9.9.9.9", "2620:fe::9", "[2620:fe::9]"] {
        let made = office.made(but(body("syslog_tls"), json!({"host": host}))).await;
        assert!(made.at("/host").trim_matches(['[', ']']) == host.trim_matches(['[', ']']));
    }
}

#[tokio::test]
async fn the_oldest_is_listed_first() {
    let office = Office::new().await;
    assert_eq!(
        office.ask(LIST).of(&office.app()).await.json,
        json!({"items": [], "next_cursor": null})
    );
    let mut ids = Vec::new();
    for transport in ["webhook", "pull", "syslog_tls"] {
        office.world.wait(1);
        ids.push(office.made_id(body(transport)).await);
    }
    let listed = office.ask(LIST).of(&office.app()).await;
    let listed: Vec<_> =
        listed.json["items"].as_array().unwrap().iter().map(|i| &i["id"]).collect();
    assert_eq!(listed, ids.iter().collect::<Vec<_>>());
    let unknown = office.ask(LIST).query("x", "1").of(&office.app()).await;
    assert_eq!((unknown.status, unknown.faults()), (422, vec![("?x", "unknown_parameter")]));
}

#[tokio::test]
async fn what_can_be_chosen() {
    let office = Office::new().await;
    let answer = office.ask("GET /siem/event-types").of(&office.app()).await;
    let sources: Vec<_> =
        answer.json["items"].as_array().unwrap().iter().map(|i| i["source"].as_str()).collect();
    let all = ["EPP", "EMM", "DATA_PRIVACY", "ZTNA", "CONSOLE"];
    assert_eq!(sources, all.map(Some));
    assert_eq!(answer.json["items"][4]["event_types"], json!(["change", "access"]));
    assert_eq!(
        answer.json["items"][3]["event_types"],
        json!(["endpoint.status", "endpoint.removed", "access.blocked"])
    );
    // All of it at once is taken.
    let chosen: serde_json::Map<_, _> = answer.json["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| (i["source"].as_str().unwrap().to_owned(), i["event_types"].clone()))
        .collect();
    let made = office.made(but(body("pull"), json!({"event_types": chosen}))).await;
    assert_eq!(made.json["event_types"], Value::from(chosen));
}

#[tokio::test]
async fn ten_are_the_most() {
    let office = Office::new().await;
    for _ in 0..10 {
        office.made(body("pull")).await;
    }
    let trail = office.actions().await.len();
    let eleventh = office.send(CREATE, body("pull")).await;
    assert_eq!(eleventh.verdict(), (409, "destination_limit"));
    assert_eq!(office.actions().await.len(), trail);
    // One that goes makes room, and others' are not counted.
    let other = office.neighbour().await;
    other.made(body("pull")).await;
    let first = office.ask(LIST).of(&office.app()).await.at("/items/0/id").to_owned();
    assert_eq!(office.get(DELETE, &first).await.status, 204);
    office.made(body("pull")).await;
    assert_eq!(office.send(CREATE, body("pull")).await.verdict(), (409, "destination_limit"));
}

#[tokio::test(start_paused = true)]
async fn of_many_at_once_no_more_than_ten_are_made() {
    let office = Office::new().await;
    for _ in 0..8 {
        office.made(body("pull")).await;
    }
    let gate = Arc::new(Turnstile::new());
    let table = office.world.db.shared("siem", gate.clone()).table();
    let app = Arc::new(office.app_over(table, public_network()));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (app, ask) = (app.clone(), office.ask(CREATE).json(body("pull")));
            tokio::spawn(async move { ask.of(app.as_ref()).await.status })
        })
        .collect();
    let mut statuses = in_lockstep(&gate, tasks).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 409, 409]);
    let listed = office.ask(LIST).of(&office.app()).await;
    assert_eq!(listed.json["items"].as_array().unwrap().len(), 10);
    assert_eq!(office.actions().await.len(), 10);
}

#[tokio::test]
async fn a_repeat_makes_no_second_one() {
    let office = Office::new().await;
    let make = async |key: &str| {
        office
            .ask(CREATE)
            .json(body("webhook"))
            .header("Idempotency-Key", key)
            .of(&office.app())
            .await
    };
    assert_eq!(make("k").await.status, 201);
    let repeat = make("k").await;
    assert_eq!(repeat.verdict(), (409, "already_created"));
    assert!(!repeat.text.contains("whsec_"));
    assert_eq!(make("").await.verdict(), (400, "malformed"));
    assert_eq!(office.actions().await, ["siem.create"]);
    for _ in 0..9 {
        office.made(body("pull")).await;
    }
    assert_eq!(make("k").await.verdict(), (409, "already_created"), "at the limit too");
    assert_eq!(make("other").await.verdict(), (409, "destination_limit"));
    assert_eq!(office.actions().await.len(), 10);
}

#[tokio::test]
async fn a_change_of_what_others_have_changed_is_refused() {
    let office = Office::new().await;
    let id = office.made_id(body("webhook")).await;
    let at =
        |version: u64, name: &str| but(body("webhook"), json!({"version": version, "name": name}));
    assert_eq!(office.tell(CHANGE, &id, at(1, "First")).await.status, 200);
    for version in [0, 1, 3, u64::MAX] {
        let stale = office.tell(CHANGE, &id, at(version, "Second")).await;
        assert_eq!(stale.verdict(), (409, "version_conflict"));
        assert_eq!(stale.json["version"], 2);
    }
    let without = office.tell(CHANGE, &id, body("webhook")).await;
    assert_eq!((without.status, without.faults()), (422, vec![("/version", "required")]));
    assert_eq!(office.get(READ, &id).await.at("/name"), "First");
    assert_eq!(office.actions().await, ["siem.create", "siem.change"]);
}

#[tokio::test(start_paused = true)]
async fn of_two_changes_at_once_one_is_stale() {
    let office = Office::new().await;
    let id = office.made_id(body("webhook")).await;
    for (enabled, version) in [(true, 1), (false, 2), (true, 3)] {
        let gate = Arc::new(Turnstile::new());
        let table = office.world.db.shared("siem", gate.clone()).table();
        let app = Arc::new(office.app_over(table, public_network()));
        let tasks = ["A", "B"].map(|name| {
            let other = json!({"version": version, "name": name, "enabled": enabled});
            let ask = office.about(CHANGE, &id).json(but(body("webhook"), other));
            let app = app.clone();
            tokio::spawn(async move {
                let answer = ask.of(app.as_ref()).await;
                (answer.status, answer.json["version"].as_u64())
            })
        });
        let mut ends = in_lockstep(&gate, tasks.into()).await;
        ends.sort_unstable();
        assert_eq!(ends, [(200, Some(version + 1)), (409, Some(version + 1))]);
    }
}

#[tokio::test]
async fn a_change_rings_where_there_is_somebody_to_deliver_to() {
    let office = Office::new().await;
    let id = office.made_id(body("webhook")).await;
    let pull = office.made_id(body("pull")).await;
    assert_eq!(office.rung(), [""; 0], "nothing is there to be sent yet");
    let change = async |id: &str, body: Value, version: u64, enabled: bool| {
        let other = json!({"version": version, "enabled": enabled});
        assert_eq!(office.tell(CHANGE, id, but(body, other)).await.status, 200);
        office.rung()
    };
    assert_eq!(change(&id, body("webhook"), 1, true).await, [&*id]);
    assert_eq!(change(&id, body("webhook"), 2, false).await, [""; 0], "it is off");
    assert_eq!(change(&id, body("webhook"), 3, true).await, [&*id]);
    assert_eq!(change(&pull, body("pull"), 1, true).await, [""; 0], "it is asked");
    // A queue that fails costs a minute, not the change.
    office.rings.fail_next(belfry_testkit::Fault::Refuse);
    assert_eq!(change(&id, body("webhook"), 4, true).await, [""; 0]);
    // Who is delivered to is what the rings of others go by.
    let delivered = office.world.table().delivered_to(office.tenant).await.unwrap();
    assert_eq!(delivered.iter().map(ToString::to_string).collect::<Vec<_>>(), [id]);
}

#[tokio::test]
async fn what_is_asked_and_what_is_delivered_to_do_not_become_each_other() {
    let office = Office::new().await;
    let pull = office.made_id(body("pull")).await;
    let webhook = office.made_id(body("webhook")).await;
    for (id, transport) in [(&pull, "webhook"), (&webhook, "pull")] {
        let answer = office.tell(CHANGE, id, but(body(transport), json!({"version": 1}))).await;
        assert!(answer.faults().contains(&("/transport", "immutable")), "{}", answer.text);
    }
}

/// A broken destination can be switched off: only what is new is looked at.
#[tokio::test]
async fn what_stays_is_not_looked_up_again() {
    let office = Office::new().await;
    let id = office.made_id(body("webhook")).await;
    let tries = office.tries().await;
    let nowhere = office.connected(
        Arc::new(belfry_testkit::FixedResolver(Vec::new())),
        belfry_domain::outbound::Reach::Public,
    );
    let off = but(body("webhook"), json!({"version": 1, "enabled": false}));
    let answer = office.about(CHANGE, &id).json(off).of(&nowhere).await;
    assert_eq!((answer.status, answer.at("/state")), (200, "off"), "{}", answer.text);
    assert_eq!(office.tries().await, tries, "nobody was looked for");
    let moved = but(body("webhook"), json!({"version": 2, "host": "other.example.com"}));
    let answer = office.about(CHANGE, &id).json(moved).of(&nowhere).await;
    assert_eq!(answer.status, 422);
    assert!(answer.faults().contains(&("/host", "host_not_found")), "{}", answer.text);
}

#[tokio::test]
async fn a_pull_destination_takes_its_token_with_it() {
    let office = Office::new().await;
    let made = office.made(body("pull")).await;
    let token: PullToken = made.at("/token").parse().unwrap();
    assert_eq!(token.destination.to_string(), made.at("/id"));
    let stored = office.world.table().pull_token(token.destination).await.unwrap().unwrap();
    assert!(token.is_of(&stored.secret_hash));
    office.get(DELETE, made.at("/id")).await;
    assert_eq!(office.world.table().pull_token(token.destination).await.unwrap(), None);
    let key = keys::destination_roster(office.tenant);
    let roster = office.world.db.dump_of(&key.pk);
    let roster = roster.iter().find(|item| item["sk"]["S"] == key.sk.as_str()).unwrap();
    assert_eq!(roster["destinations"]["L"], json!([]));
}

/// As a path is shown it can be sent back.
#[tokio::test]
async fn a_path_that_is_shown_without_its_query_stays_as_it_was() {
    let office = Office::new().await;
    let made = office.made(but(body("webhook"), json!({"path": "/in?sig=secret"}))).await;
    assert!(!made.text.contains("sig="), "{}", made.text);
    let again = json!({"path": made.json["path"], "name": "Branch", "version": 1});
    let changed = office.tell(CHANGE, made.at("/id"), but(body("webhook"), again)).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let id = made.at("/id").parse().unwrap();
    let (stored, _) = office.world.table().destination(office.tenant, id).await.unwrap().unwrap();
    let path = stored.settings.address.unwrap().path.unwrap();
    assert_eq!(path.as_str(), "/in?sig=secret");
    let trail = Value::from(office.trail().await).to_string();
    assert!(!trail.contains("sig="), "{trail}");
}
