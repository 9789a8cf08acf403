//! Figures that add up at every moment.

use crate::{EPP, Office, STATISTICS, body, but};
use belfry_domain::siem::progress::{Fault, Read, Verdict};
use belfry_domain::siem::record::StreamName;
use belfry_store::siem::Parked;
use serde_json::{Value, json};

const FIGURES: [&str; 6] = ["produced", "confirmed", "refused", "skipped", "expired", "backlog"];

/// The figures, in their order.
fn figures(of: &Value) -> [u64; 6] {
    FIGURES.map(|name| of[name].as_u64().unwrap())
}

/// What is answered, once it adds up: by stream, and the streams to the totals.
async fn statistics(office: &Office, id: &str) -> Value {
    let answer = office.get(STATISTICS, id).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let mut sum = [0; 6];
    for stream in answer.json["streams"].as_array().unwrap() {
        let of_stream = figures(stream);
        assert_eq!(of_stream[0], of_stream[1..].iter().sum::<u64>(), "{stream}");
        let (start, last) = (stream["start"].as_u64().unwrap(), stream["last"].as_u64().unwrap());
        assert_eq!(of_stream[0], last - start, "{stream}");
        assert_eq!(of_stream[5], last - stream["cursor"].as_u64().unwrap(), "{stream}");
        for (sum, figure) in sum.iter_mut().zip(of_stream) {
            *sum += figure;
        }
    }
    assert_eq!(figures(&answer.json["totals"]), sum);
    answer.json
}

fn of_stream(statistics: &Value, name: StreamName) -> Value {
    let streams = statistics["streams"].as_array().unwrap();
    streams.iter().find(|stream| stream["stream"] == name.to_string()).unwrap().clone()
}

#[tokio::test]
async fn a_fresh_one_has_its_own_making_before_it() {
    let office = Office::new().await;
    office.log(&["infection.detected"; 3]).await;
    let id = office.made_id(body("webhook")).await;
    let shown = statistics(&office, &id).await;
    let epp = of_stream(&shown, EPP);
    assert_eq!((&epp["start"], &epp["cursor"], &epp["last"]), (&json!(3), &json!(3), &json!(3)));
    // Its creation is the first change after it began.
    assert_eq!(figures(&shown["totals"]), [1, 0, 0, 0, 0, 1]);
    assert_eq!(shown["backlog_since"], "2026-11-22T12:00:00.000Z");
    for (name, value) in [
        ("sent", json!(0)),
        ("replayed", json!(0)),
        ("replaying", json!(0)),
        ("parked", json!([])),
        ("state", json!("healthy")),
        ("last_error", json!(null)),
        ("last_confirmed_at", json!(null)),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
}

#[tokio::test]
async fn what_comes_in_waits_and_what_is_settled_does_not() {
    let office = Office::new().await;
    let id = office.made_id(body("webhook")).await;
    office.world.wait(60);
    office.log(&["infection.detected", "endpoint.status", "infection.detected"]).await;
    office.world.wait(60);
    office.log(&["infection.detected", "infection.detected"]).await;
    let shown = statistics(&office, &id).await;
    assert_eq!(figures(&of_stream(&shown, EPP)), [5, 0, 0, 0, 0, 5]);
    assert_eq!(shown["backlog_since"], "2026-11-22T12:00:00.000Z", "the change that made it");

    let confirmed = |sequence| (EPP, sequence, Verdict::Confirmed);
    let made = (StreamName::CHANGES, 1, Verdict::Confirmed);
    let change = Read { stream: StreamName::CHANGES, to: 1, expired: 0 };
    let reads = [Read { stream: EPP, to: 3, expired: 0 }, change];
    let now = office.world.now();
    office
        .move_progress(&id, |progress| {
            progress.settle(&reads, &[confirmed(1), (EPP, 3, Verdict::Parked), made]);
            progress.sent = 4;
            progress.succeeded(now);
        })
        .await;
    let shown = statistics(&office, &id).await;
    assert_eq!(figures(&of_stream(&shown, EPP)), [5, 1, 1, 1, 0, 2]);
    assert_eq!(figures(&shown["totals"]), [6, 2, 1, 1, 0, 2]);
    assert_eq!(shown["backlog_since"], "2026-11-22T12:02:00.000Z", "the oldest that waits");
    assert_eq!(shown["last_confirmed_at"], "2026-11-22T12:02:00.000Z");
    assert_eq!(shown["sent"], 4);

    let reads = [Read { stream: EPP, to: 5, expired: 1 }];
    office.move_progress(&id, |progress| progress.settle(&reads, &[confirmed(5)])).await;
    let shown = statistics(&office, &id).await;
    assert_eq!(figures(&of_stream(&shown, EPP)), [5, 2, 1, 1, 1, 0]);
    assert_eq!(shown["backlog_since"], json!(null));
}

#[tokio::test]
async fn what_was_put_aside_and_what_went_wrong_is_shown() {
    let office = Office::new().await;
    let id = office.made_id(body("webhook")).await;
    let other = office.made_id(body("webhook")).await;
    let (now, table) = (office.world.now(), office.world.table());
    let parked: Vec<_> = (1..=60)
        .map(|sequence| Parked {
            stream: EPP,
            sequence,
            id: (sequence != 60).then(|| format!("event-{sequence}")),
            code: "invalid_data".to_owned(),
            detail: "It says no.".to_owned(),
            at: now,
        })
        .collect();
    table.park(office.tenant, id.parse().unwrap(), &parked, now).await.unwrap();
    let fault = Fault { code: "timeout".to_owned(), detail: "Late.".to_owned(), at: now };
    let entropy = office.world.entropy.clone();
    office
        .move_progress(&id, |progress| {
            progress.failed(fault, None, entropy.as_ref());
        })
        .await;
    let shown = statistics(&office, &id).await;
    let listed = shown["parked"].as_array().unwrap();
    assert_eq!(listed.len(), 50, "the latest");
    assert_eq!(
        listed[0],
        json!({"stream": "EPP/0", "sequence": 60, "id": null, "code": "invalid_data",
            "detail": "It says no.", "at": "2026-11-22T12:00:00.000Z"})
    );
    assert_eq!((&listed[1]["id"], &listed[49]["sequence"]), (&json!("event-59"), &json!(11)));
    assert_eq!(shown["state"], "retrying");
    assert_eq!(shown["failing_since"], "2026-11-22T12:00:00.000Z");
    assert!(shown["next_attempt_at"].is_string());
    let error = json!({"code": "timeout", "detail": "Late.", "at": "2026-11-22T12:00:00.000Z"});
    assert_eq!(shown["last_error"], error);
    assert_eq!(statistics(&office, &other).await["parked"], json!([]), "each has its own");
}

#[tokio::test]
async fn one_that_is_asked_is_not_behind() {
    let office = Office::new().await;
    let id = office.made_id(but(body("pull"), json!({"enabled": false}))).await;
    let shown = statistics(&office, &id).await;
    assert_eq!(shown["state"], "off");
}
