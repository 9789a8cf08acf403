//! Records that were settled go once more.

use crate::{EPP, Office, REPLAY, STATISTICS, body, but};
use belfry_domain::product::Product;
use belfry_domain::siem::progress::{Progress, Read, Verdict as Settled};
use belfry_domain::siem::record::{Source, StreamName};
use belfry_testkit::transport::Call;
use belfry_testkit::{Turnstile, Verdict, public_network};
use serde_json::{Value, json};
use std::sync::Arc;

/// An office with ten settled events of EPP, one a minute from 12:01 on, and three that wait.
async fn with_events() -> (Office, String) {
    let office = Office::new().await;
    let id = office.made_id(body("webhook")).await;
    for _ in 0..13 {
        office.world.wait(60);
        office.log(&["infection.detected"]).await;
    }
    settled(&office, &id, 10).await;
    let mut office = office;
    office.log_in_again().await;
    (office, id)
}

/// All changes until now, and so many events, are confirmed.
async fn settled(office: &Office, id: &str, to: u64) {
    let changes = office.actions().await.len();
    let changes = u64::try_from(changes).unwrap();
    let reads = [
        Read { stream: EPP, to, expired: 0 },
        Read { stream: StreamName::CHANGES, to: changes, expired: 0 },
    ];
    let mut records: Vec<_> = (1..=to).map(|n| (EPP, n, Settled::Confirmed)).collect();
    records.extend((1..=changes).map(|n| (StreamName::CHANGES, n, Settled::Confirmed)));
    office.move_progress(id, |progress| progress.settle(&reads, &records)).await;
}

fn span(stream: &str, from: u64, to: u64) -> Value {
    json!({"stream": stream, "from_sequence": from, "to_sequence": to})
}

fn under_way(progress: &Progress) -> Vec<(String, u64, u64)> {
    let spans = progress.replay.iter();
    spans.map(|(name, replay)| (name.to_string(), replay.cursor, replay.last)).collect()
}

#[tokio::test]
async fn from_a_sequence_of_a_stream() {
    let (office, id) = with_events().await;
    office.rung();
    let figures = office.get(STATISTICS, &id).await.json["totals"].clone();
    let answer = office.tell(REPLAY, &id, json!({"stream": "EPP/0", "from_sequence": 4})).await;
    let items = json!({"items": [span("EPP/0", 4, 10)], "next_cursor": null});
    assert_eq!((answer.status, answer.json), (202, items), "what waits goes anyway");
    assert_eq!(under_way(&office.progress(&id).await), [("EPP/0".to_owned(), 3, 10)]);
    assert_eq!(office.rung(), [&*id]);
    let record = office.trail().await.pop().unwrap();
    assert_eq!(record["action"], "siem.replay");
    assert_eq!(record["entity"], json!({"kind": "siem_destination", "id": id}));
    assert_eq!(record["changes"], json!([{"field": "EPP/0", "to": "4-10"}]));
    // Counted apart: what was settled stays settled.
    let shown = office.get(STATISTICS, &id).await.json;
    assert_eq!(shown["replaying"], 7);
    assert_eq!(shown["totals"]["confirmed"], figures["confirmed"]);
}

#[tokio::test]
async fn from_a_time_on() {
    for (from, first) in [
        ("2026-11-22T12:00:00Z", Some(1)),
        ("2026-11-22T12:01:00Z", Some(1)),
        ("2026-11-22T12:01:00.001Z", Some(2)),
        ("2026-11-22T13:05:00+01:00", Some(5)),
        ("2026-11-22T12:10:00Z", Some(10)),
        ("2026-11-22T12:10:01Z", None),
        ("2026-11-23T12:00:00Z", None),
        ("1970-01-01T00:00:00Z", Some(1)),
    ] {
        let (office, id) = with_events().await;
        let answer = office.tell(REPLAY, &id, json!({"stream": "EPP/0", "from": from})).await;
        match first {
            Some(first) => {
                assert_eq!(answer.status, 202, "{from}: {}", answer.text);
                assert_eq!(answer.json["items"], json!([span("EPP/0", first, 10)]), "{from}");
            }
            None => assert_eq!(answer.verdict(), (409, "nothing_to_replay"), "{from}"),
        }
    }
}

#[tokio::test]
async fn of_all_streams() {
    let (office, id) = with_events().await;
    let answer = office.tell(REPLAY, &id, json!({"from": "2026-11-22T00:00:00Z"})).await;
    let spans = json!([span("EPP/0", 1, 10), span("CONSOLE/0", 1, 1)]);
    assert_eq!((answer.status, &answer.json["items"]), (202, &spans));
    let record = office.trail().await.pop().unwrap();
    assert_eq!(record["changes"].as_array().unwrap().len(), 2);
    let (office, id) = with_events().await;
    let answer = office.tell(REPLAY, &id, json!({"from": "2026-11-22T12:05:00Z"})).await;
    assert_eq!(answer.json["items"], json!([span("EPP/0", 5, 10)]), "the change is older");
}

#[tokio::test]
async fn it_joins_one_that_is_under_way() {
    let (office, id) = with_events().await;
    let again = async |from: u64| {
        let body = json!({"stream": "EPP/0", "from_sequence": from});
        office.tell(REPLAY, &id, body).await.json["items"].clone()
    };
    assert_eq!(again(6).await, json!([span("EPP/0", 6, 10)]));
    assert_eq!(again(8).await, json!([span("EPP/0", 6, 10)]), "none of it is lost");
    assert_eq!(again(3).await, json!([span("EPP/0", 3, 10)]));
    settled(&office, &id, 13).await;
    assert_eq!(again(12).await, json!([span("EPP/0", 3, 13)]));
    assert_eq!(under_way(&office.progress(&id).await), [("EPP/0".to_owned(), 2, 13)]);
    let rings = office.rings.taken();
    let mut reasons: Vec<_> = rings.iter().map(|ring| &ring.deduplication).collect();
    reasons.dedup();
    assert_eq!(reasons.len(), rings.len(), "each rings for itself");
}

#[tokio::test]
async fn where_nothing_is_settled_nothing_goes_again() {
    let (office, id) = with_events().await;
    let revision = office.progress(&id).await.revision;
    let records = office.actions().await.len();
    office.rung();
    for body in [
        json!({"stream": "EPP/0", "from_sequence": 11}),
        json!({"stream": "EPP/0", "from_sequence": u64::MAX}),
        json!({"stream": "ZTNA/3", "from_sequence": 1}),
        json!({"from": "2026-11-22T13:00:00Z"}),
    ] {
        let answer = office.tell(REPLAY, &id, body.clone()).await;
        assert_eq!(answer.verdict(), (409, "nothing_to_replay"), "{body}");
    }
    assert_eq!(office.progress(&id).await.revision, revision);
    assert_eq!((office.rung(), office.actions().await.len()), (Vec::new(), records));
}

#[tokio::test]
async fn wishes_that_are_none() {
    let (office, id) = with_events().await;
    for (body, fault) in [
        (json!({}), ("/from_sequence", "required")),
        (json!({"stream": "EPP/0"}), ("/from_sequence", "required")),
        (json!({"stream": "EPP/0", "from_sequence": 0}), ("/from_sequence", "invalid")),
        (
            json!({"stream": "EPP/0", "from_sequence": 1, "from": "2026-11-22T12:00:00Z"}),
            ("/from_sequence", "invalid"),
        ),
        (json!({"stream": "EPP/0", "from_sequence": -1}), ("/from_sequence", "invalid")),
        (json!({"from_sequence": 1}), ("/stream", "required")),
        (json!({"stream": "EPP/16", "from_sequence": 1}), ("/stream", "invalid")),
        (json!({"stream": "EPP", "from_sequence": 1}), ("/stream", "invalid")),
        (json!({"stream": "CONSOLE/2", "from_sequence": 1}), ("/stream", "invalid")),
        (json!({"stream": "EPP/00", "from_sequence": 1}), ("/stream", "invalid")),
        (json!({"from": "yesterday"}), ("/from", "invalid")),
        (json!({"from": "2026-11-22"}), ("/from", "invalid")),
        (json!({"to": "2026-11-22T12:00:00Z"}), ("/to", "invalid")),
    ] {
        let answer = office.tell(REPLAY, &id, body.clone()).await;
        assert_eq!((answer.status, answer.faults()), (422, vec![fault]), "{body}");
    }
    let both = office.tell(REPLAY, &id, json!({"stream": "x", "from": "y"})).await;
    assert_eq!(both.faults(), [("/stream", "invalid"), ("/from", "invalid")]);
}

#[tokio::test]
async fn only_where_something_is_delivered_to() {
    let office = Office::new().await;
    let pull = office.made_id(body("pull")).await;
    let off = office.made_id(but(body("webhook"), json!({"enabled": false}))).await;
    for id in [pull, off] {
        let answer = office.tell(REPLAY, &id, json!({"from": "2026-11-22T00:00:00Z"})).await;
        assert_eq!(answer.verdict(), (409, "not_delivered_to"));
    }
}

fn writes_progress(call: &Call) -> bool {
    call.operation == "TransactWriteItems"
}

/// The forwarder settles two more events while the replay is being written: neither is lost.
#[tokio::test(start_paused = true)]
async fn it_goes_on_when_the_forwarder_was_faster() {
    let (office, id) = with_events().await;
    let gate = Arc::new(Turnstile::new());
    let table = office.world.db.shared("siem", gate.clone()).table();
    let app = Arc::new(office.app_over(table, public_network()));
    let body = json!({"stream": "EPP/0", "from_sequence": 4});
    let ask = office.about(REPLAY, &id).json(body);
    let task = tokio::spawn(async move { ask.of(app.as_ref()).await });
    let mut rivals = 0;
    while !task.is_finished() {
        for held in gate.settle().await {
            if writes_progress(&held.call) && rivals < 2 {
                rivals += 1;
                settled(&office, &id, 10 + rivals).await;
            }
            gate.release(held.ticket, Verdict::Proceed);
        }
    }
    let answer = task.await.unwrap();
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.json["items"], json!([span("EPP/0", 4, 12)]));
    let progress = office.progress(&id).await;
    assert_eq!(progress.position(EPP).cursor, 12);
    assert_eq!(under_way(&progress), [("EPP/0".to_owned(), 3, 12)]);
    let replays = office.actions().await.into_iter().filter(|action| action == "siem.replay");
    assert_eq!(replays.count(), 1, "one record");
}

/// It gives up when the forwarder is always faster, and has changed nothing then.
#[tokio::test(start_paused = true)]
async fn it_gives_up_after_a_while() {
    let (office, id) = with_events().await;
    let gate = Arc::new(Turnstile::new());
    let table = office.world.db.shared("siem", gate.clone()).table();
    let app = Arc::new(office.app_over(table, public_network()));
    let ask = office.about(REPLAY, &id).json(json!({"stream": "EPP/0", "from_sequence": 4}));
    let task = tokio::spawn(async move { ask.of(app.as_ref()).await });
    while !task.is_finished() {
        for held in gate.settle().await {
            if writes_progress(&held.call) {
                office.move_progress(&id, |progress| progress.sent += 1).await;
            }
            gate.release(held.ticket, Verdict::Proceed);
        }
    }
    let answer = task.await.unwrap();
    assert_eq!(answer.verdict(), (503, "busy"));
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(under_way(&office.progress(&id).await), []);
    assert_eq!(office.actions().await, ["siem.create"]);
}

#[tokio::test]
async fn streams_are_replayed_by_their_own_numbers() {
    let (office, id) = with_events().await;
    let answer = office.tell(REPLAY, &id, json!({"stream": "CONSOLE/0", "from_sequence": 1})).await;
    assert_eq!(answer.json["items"], json!([span("CONSOLE/0", 1, 1)]));
    let ztna = StreamName { source: Source::Product(Product::Ztna), ..EPP };
    assert!(!office.progress(&id).await.replay.contains_key(&ztna));
}
