//! The log, asked for by sequence.

use crate::{CHANGE, DELETE, Office, body, but};
use belfry_domain::account::Role;
use belfry_domain::id::{AuditId, DestinationId};
use belfry_domain::product::Product;
use belfry_domain::siem::pull::PullToken;
use belfry_testkit::{Answer, Ask, ask};
use serde_json::json;

const EVENTS: &str = "GET /events";
const DAY: i64 = 24 * 3_600;

fn pull(token: &str) -> Ask {
    ask(EVENTS).bearer(token)
}

async fn page(office: &Office, token: &str, stream: &str, after: u64, limit: usize) -> Answer {
    let ask = pull(token).query("stream", stream).query("after", after).query("limit", limit);
    ask.of(&office.app()).await
}

/// A destination that is asked for all of EPP, and its token.
async fn asked(office: &Office) -> (String, String) {
    let types = json!({"EPP": ["infection.detected", "endpoint.status", "policy.violated"],
        "CONSOLE": ["change", "access"]});
    let made = office.made(but(body("pull"), json!({"event_types": types}))).await;
    (made.at("/id").to_owned(), made.at("/token").to_owned())
}

fn sequences(answer: &Answer) -> Vec<u64> {
    let items = answer.json["items"].as_array().unwrap();
    items.iter().map(|item| item["sequence"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn the_streams_with_their_ends() {
    let office = Office::new().await;
    let (_, token) = asked(&office).await;
    let listed = pull(&token).of(&office.app()).await;
    let of = |stream: &str, first: u64, last: u64| json!({"stream": stream, "first_sequence": first, "last_sequence": last});
    let items = json!([of("CONSOLE/0", 1, 1), of("CONSOLE/1", 1, 0)]);
    assert_eq!((listed.status, &listed.json), (200, &json!({"items": items, "next_cursor": null})));
    office.log(&["infection.detected"; 2]).await;
    office.world.wait(6 * DAY);
    office.log(&["infection.detected"]).await;
    let listed = pull(&token).of(&office.app()).await;
    assert_eq!(listed.json["items"][0], of("EPP/0", 1, 3));
    office.world.wait(DAY + 1);
    let listed = pull(&token).of(&office.app()).await;
    assert_eq!(listed.json["items"][0], of("EPP/0", 3, 3), "what is over is not promised");
    assert_eq!(listed.json["items"][1], of("CONSOLE/0", 2, 1));
    office.world.wait(7 * DAY);
    let listed = pull(&token).of(&office.app()).await;
    assert_eq!(listed.json["items"][0], of("EPP/0", 4, 3));
}

#[tokio::test]
async fn page_by_page_to_the_end_and_beyond() {
    let office = Office::new().await;
    let (_, token) = asked(&office).await;
    for count in [3, 1, 6] {
        office.log(&vec!["infection.detected"; count]).await;
    }
    let mut seen = Vec::new();
    let mut after = 0;
    for _ in 0..4 {
        let answer = page(&office, &token, "EPP/0", after, 3).await;
        assert_eq!((answer.status, &answer.json["last_sequence"]), (200, &json!(10)));
        let sequences = sequences(&answer);
        after = answer.json["next_after"].as_u64().unwrap();
        assert_eq!(sequences.last(), Some(&after));
        seen.extend(sequences);
    }
    assert_eq!(seen, (1..=10).collect::<Vec<_>>());
    for (after, next) in [(10, 10), (11, 11), (u64::MAX, u64::MAX)] {
        let answer = page(&office, &token, "EPP/0", after, 3).await;
        let nothing = json!({"items": [], "next_after": next, "last_sequence": 10});
        assert_eq!((answer.status, answer.json), (200, nothing));
    }
    office.log(&["infection.detected"]).await;
    assert_eq!(sequences(&page(&office, &token, "EPP/0", 10, 3).await), [11]);
    // Without `after` from the beginning, without `limit` as many as there are.
    let all = pull(&token).query("stream", "EPP/0").of(&office.app()).await;
    assert_eq!(sequences(&all), (1..=11).collect::<Vec<_>>());
    let record = &all.json["items"][0]["record"];
    assert_eq!(record["metadata"]["uid"], "sample-event-0001");
    // The console's own log is read in the same way.
    let changes = page(&office, &token, "CONSOLE/0", 0, 10).await;
    assert_eq!(sequences(&changes), [1]);
    let accesses = page(&office, &token, "CONSOLE/1", 0, 10).await;
    assert_eq!(accesses.json, json!({"items": [], "next_after": 0, "last_sequence": 0}));
}

#[tokio::test]
async fn only_what_was_chosen_and_past_all_that_was_not() {
    let office = Office::new().await;
    let chosen = json!({"event_types": {"EPP": ["infection.detected", "policy.violated"]},
        "min_severity": "medium", "format": "cef"});
    let made = office.made(but(body("pull"), chosen)).await;
    let token = made.at("/token");
    office.log(&["endpoint.status"; 4]).await;
    office.log(&["infection.detected", "endpoint.status", "application.violated"]).await;
    office.log(&["policy.violated", "endpoint.status"]).await;
    let answer = page(&office, token, "EPP/0", 0, 1).await;
    assert_eq!(sequences(&answer), [5]);
    assert_eq!(answer.json["next_after"], 5);
    assert!(answer.at("/items/0/record").starts_with("CEF:0|Belfry|"));
    let answer = page(&office, token, "EPP/0", 5, 10).await;
    assert_eq!((sequences(&answer), &answer.json["next_after"]), (vec![8], &json!(9)));
    // Nothing of it was chosen: it moves on none the less.
    let answer = page(&office, token, "CONSOLE/0", 0, 10).await;
    assert_eq!((sequences(&answer), &answer.json["next_after"]), (vec![], &json!(1)));
}

#[tokio::test]
async fn what_is_older_than_seven_days_is_gone() {
    let office = Office::new().await;
    let (_, token) = asked(&office).await;
    office.log(&["infection.detected"; 2]).await;
    office.world.wait(DAY);
    office.log(&["infection.detected"; 3]).await;
    office.world.wait(6 * DAY);
    assert_eq!(sequences(&page(&office, &token, "EPP/0", 0, 10).await), [1, 2, 3, 4, 5]);
    office.world.wait(1);
    for after in [0, 1] {
        let answer = page(&office, &token, "EPP/0", after, 10).await;
        assert_eq!(answer.verdict(), (410, "sequence_expired"));
        let detail = "Records before number 3 can no longer be asked for: go on after 2.";
        assert_eq!(answer.at("/detail"), detail);
    }
    assert_eq!(sequences(&page(&office, &token, "EPP/0", 2, 10).await), [3, 4, 5]);
    office.world.wait(DAY);
    let answer = page(&office, &token, "EPP/0", 4, 10).await;
    assert!(answer.at("/detail").ends_with("go on after 5."), "{}", answer.text);
    let answer = page(&office, &token, "EPP/0", 5, 10).await;
    assert_eq!((answer.status, sequences(&answer)), (200, vec![]));
    // And when the table has dropped it.
    let log = office.world.db.dump_of(&format!("T#{}#LG#EPP", office.tenant));
    assert_eq!(log.len(), 2);
    for item in log {
        let text = |name: &str| item[name]["S"].as_str().unwrap().to_owned();
        let key = belfry_store::keys::Key { pk: text("pk"), sk: text("sk") };
        office.world.remove(&key).await;
    }
    assert_eq!(page(&office, &token, "EPP/0", 0, 10).await.verdict(), (410, "sequence_expired"));
    office.log(&["infection.detected"]).await;
    let answer = page(&office, &token, "EPP/0", 3, 10).await;
    assert!(answer.at("/detail").ends_with("go on after 5."), "{}", answer.text);
    assert_eq!(sequences(&page(&office, &token, "EPP/0", 5, 10).await), [6]);
}

#[tokio::test]
async fn every_wrong_token_is_the_same() {
    let office = Office::new().await;
    let (id, token) = asked(&office).await;
    let id: DestinationId = id.parse().unwrap();
    let entropy = office.world.entropy.as_ref();
    office.world.license(office.tenant, Product::Epp, 1).await;
    let unknown = DestinationId::new(office.world.now(), entropy);
    let push = office.made(body("webhook")).await;
    let push_id: DestinationId = push.at("/id").parse().unwrap();
    let gone = office.made(body("pull")).await;
    assert_eq!(office.get(DELETE, gone.at("/id")).await.status, 204);
    let (head, secret) = token.rsplit_once('_').unwrap();
    let turned: String = secret.chars().rev().collect();
    let wrong = [
        String::new(),
        "x".to_owned(),
        "bfp_".to_owned(),
        PullToken::new(id, entropy).expose_text(),
        PullToken::new(unknown, entropy).expose_text(),
        PullToken::new(push_id, entropy).expose_text(),
        format!("{head}_{turned}"),
        format!("{head}_"),
        format!("{token}x"),
        token.replace("bfp_", "bfc_"),
        gone.at("/token").to_owned(),
        push.at("/token").to_owned(),
        office.token.clone(),
        "é".to_owned(),
    ];
    let nobody = ask(EVENTS).of(&office.app()).await;
    assert_eq!(nobody.verdict(), (401, "unauthenticated"));
    for bad in wrong {
        for asked in [pull(&bad), pull(&bad).query("stream", "EPP/0").query("limit", "x")] {
            let answer = asked.of(&office.app()).await;
            assert_eq!((answer.status, answer.text), (401, nobody.text.clone()), "{bad}");
        }
    }
    for scheme in ["Basic", "Token"] {
        let asked = ask(EVENTS).header("Authorization", format!("{scheme} {token}"));
        assert_eq!(asked.of(&office.app()).await.text, nobody.text);
    }
    // The token opens this and nothing else.
    assert_eq!(pull(&token).of(&office.app()).await.status, 200);
    for route in [crate::LIST, crate::CREATE] {
        let answer = ask(route).bearer(&token).json(body("pull")).of(&office.app()).await;
        assert_eq!(answer.verdict(), (401, "unauthenticated"));
    }
}

#[tokio::test]
async fn one_that_is_off_or_of_a_suspended_company_is_told_so() {
    let office = Office::new().await;
    let (id, token) = asked(&office).await;
    let switch = async |version: u64, enabled: bool| {
        let other = json!({"version": version, "enabled": enabled});
        assert_eq!(office.tell(CHANGE, &id, but(body("pull"), other)).await.status, 200);
    };
    switch(1, false).await;
    assert_eq!(pull(&token).of(&office.app()).await.verdict(), (403, "destination_off"));
    // Who does not know the token is not told.
    let id: DestinationId = id.parse().unwrap();
    let guessed = PullToken::new(id, office.world.entropy.as_ref()).expose_text();
    assert_eq!(pull(&guessed).of(&office.app()).await.status, 401);
    office.suspend(true).await;
    assert_eq!(pull(&token).of(&office.app()).await.verdict(), (403, "tenant_suspended"));
    office.suspend(false).await;
    switch(2, true).await;
    assert_eq!(pull(&token).of(&office.app()).await.status, 200);
    assert_eq!(office.get(DELETE, &id.to_string()).await.status, 204);
    assert_eq!(pull(&token).of(&office.app()).await.verdict(), (401, "unauthenticated"));
}

#[tokio::test]
async fn each_tenant_sees_its_own() {
    let office = Office::new().await;
    let (_, token) = asked(&office).await;
    let other = office.neighbour().await;
    let (_, others) = asked(&other).await;
    office.log(&["infection.detected"; 2]).await;
    let listed = pull(&others).of(&office.app()).await;
    assert!(!listed.text.contains("EPP/0"), "{}", listed.text);
    assert_eq!(page(&office, &others, "EPP/0", 0, 10).await.verdict(), (404, "not_found"));
    let changes = page(&office, &others, "CONSOLE/0", 0, 10).await;
    assert!(changes.text.contains(&other.tenant.to_string()));
    assert!(!changes.text.contains(&office.tenant.to_string()));
    other.log(&["infection.detected"]).await;
    assert_eq!(sequences(&page(&office, &others, "EPP/0", 0, 10).await), [1]);
    assert_eq!(sequences(&page(&office, &token, "EPP/0", 0, 10).await), [1, 2]);
}

#[tokio::test]
async fn questions_that_are_none() {
    let office = Office::new().await;
    let (_, token) = asked(&office).await;
    let long = "9".repeat(30);
    for (query, faults) in [
        (vec![("stream", "EPP")], vec![("?stream", "invalid")]),
        (vec![("stream", "EPP/01")], vec![("?stream", "invalid")]),
        (vec![("stream", "epp/0")], vec![("?stream", "invalid")]),
        (vec![("stream", "")], vec![("?stream", "invalid")]),
        (vec![("stream", "EPP/0"), ("limit", "0")], vec![("?limit", "out_of_range")]),
        (vec![("stream", "EPP/0"), ("limit", "1001")], vec![("?limit", "out_of_range")]),
        (vec![("stream", "EPP/0"), ("limit", "-1")], vec![("?limit", "invalid")]),
        (vec![("stream", "EPP/0"), ("after", "-1")], vec![("?after", "invalid")]),
        (vec![("stream", "EPP/0"), ("after", &long)], vec![("?after", "invalid")]),
        (vec![("after", "1")], vec![("?stream", "required")]),
        (vec![("limit", "1")], vec![("?stream", "required")]),
        (vec![("cursor", "x")], vec![("?cursor", "unknown_parameter")]),
        (
            vec![("stream", "x"), ("after", "x"), ("limit", "x")],
            vec![("?after", "invalid"), ("?limit", "invalid"), ("?stream", "invalid")],
        ),
    ] {
        let asked = query.iter().fold(pull(&token), |ask, (name, value)| ask.query(name, value));
        let answer = asked.of(&office.app()).await;
        assert_eq!((answer.status, answer.faults()), (422, faults), "{query:?}");
    }
    for stream in ["EPP/0", "ZTNA/15"] {
        let answer = page(&office, &token, stream, 0, 1000).await;
        assert_eq!(answer.verdict(), (404, "not_found"), "{stream} has no event yet");
    }
}

/// What happened at the door is numbered before it is asked for.
#[tokio::test]
async fn what_happens_at_the_door_is_there() {
    let office = Office::new().await;
    let (_, token) = asked(&office).await;
    let member = office.world.member(office.tenant, "own@globex.example", Role::ReadOnly).await;
    let reader = office.world.token(&member).await;
    let denied = ask(crate::CREATE).bearer(reader).json(body("pull")).of(&office.app()).await;
    assert_eq!(denied.status, 403);
    let (table, now) = (office.world.table(), office.world.now());
    let entropy = office.world.entropy.as_ref();
    let since = AuditId::first_at(table.exports_since(office.tenant).await.unwrap().unwrap());
    let numbered = table.number_accesses(office.tenant, since, now, entropy).await.unwrap();
    assert_eq!(numbered, (1, None));
    let answer = page(&office, &token, "CONSOLE/1", 0, 10).await;
    assert_eq!(sequences(&answer), [1]);
    assert!(answer.text.contains("siem.create"), "{}", answer.text);
}

/// An answer that would be too large ends early, and goes on where it ended.
#[tokio::test]
async fn a_thousand_at_once() {
    let office = Office::new().await;
    let (_, token) = asked(&office).await;
    for _ in 0..3 {
        office.log(&["infection.detected"; 500]).await;
    }
    let mut after = 0;
    let mut counts = Vec::new();
    while after < 1_500 {
        let answer = pull(&token).query("stream", "EPP/0").query("after", after);
        let answer = answer.of(&office.app()).await;
        assert_eq!(answer.status, 200);
        let sequences = sequences(&answer);
        assert_eq!(sequences.first(), Some(&(after + 1)));
        after = answer.json["next_after"].as_u64().unwrap();
        counts.push(sequences.len());
        let bytes = answer.text.len();
        assert!(bytes < 6 * 1024 * 1024 - 64 * 1024, "{bytes} bytes");
    }
    assert_eq!(counts, [1_000, 500]);
}
