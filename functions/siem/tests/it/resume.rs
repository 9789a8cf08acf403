//! A destination that waits is tried at once.

use crate::{CHANGE, Office, READ, RESUME, body, but};
use belfry_domain::siem::progress::{Fault, Health, Progress};
use belfry_testkit::{Turnstile, Verdict, public_network};
use jiff::SignedDuration;
use serde_json::json;
use std::sync::Arc;

fn fault(office: &Office) -> Fault {
    let at = office.world.now();
    Fault { code: "credential_refused".to_owned(), detail: "No.".to_owned(), at }
}

async fn suspend(office: &Office, id: &str) {
    let fault = fault(office);
    let suspend = |progress: &mut Progress| {
        progress.tried_version = 1;
        progress.suspended(fault);
    };
    office.move_progress(id, suspend).await;
}

#[tokio::test]
async fn one_that_is_suspended() {
    let office = Office::new().await;
    let id = office.made_id(body("webhook")).await;
    suspend(&office, &id).await;
    let shown = office.get(READ, &id).await;
    assert_eq!((shown.at("/state"), &shown.json["next_attempt_at"]), ("suspended", &json!(null)));
    assert!(!office.progress(&id).await.is_due(1, office.world.now()));
    office.world.wait(60);
    let answer = office.get(RESUME, &id).await;
    assert_eq!((answer.status, answer.at("/state")), (200, "retrying"), "{}", answer.text);
    assert_eq!(answer.at("/failing_since"), "2026-11-22T12:00:00.000Z", "it fails until it works");
    assert_eq!(answer.at("/next_attempt_at"), "2026-11-22T12:01:00.000Z");
    assert_eq!(answer.at("/last_error/code"), "credential_refused");
    assert_eq!(answer.json["version"], 1, "no setting has changed");
    assert!(office.progress(&id).await.is_due(1, office.world.now()));
    assert_eq!(office.rung(), [&*id]);
    let record = office.trail().await.pop().unwrap();
    assert_eq!(record["action"], "siem.resume");
    assert_eq!(record["entity"], json!({"kind": "siem_destination", "id": id}));
}

#[tokio::test]
async fn one_that_waits_for_its_next_try() {
    let office = Office::new().await;
    let id = office.made_id(body("webhook")).await;
    let (fault, entropy) = (fault(&office), office.world.entropy.clone());
    let later = Some(SignedDuration::from_mins(50));
    office
        .move_progress(&id, |progress| {
            progress.failed(fault, later, entropy.as_ref());
        })
        .await;
    assert_eq!(office.get(READ, &id).await.at("/next_attempt_at"), "2026-11-22T12:50:00.000Z");
    let answer = office.get(RESUME, &id).await;
    assert_eq!(answer.at("/next_attempt_at"), "2026-11-22T12:00:00.000Z");
    assert_eq!(office.rung(), [&*id]);
    assert_eq!(office.actions().await, ["siem.create", "siem.resume"]);
    // Once more is a second wish, with its own ring.
    assert_eq!(office.get(RESUME, &id).await.status, 200);
    assert_eq!(office.rung(), [id]);
}

#[tokio::test]
async fn one_that_works_is_only_rung_for() {
    let office = Office::new().await;
    let id = office.made_id(body("webhook")).await;
    let before = office.progress(&id).await;
    let answer = office.get(RESUME, &id).await;
    assert_eq!((answer.status, answer.at("/state")), (200, "healthy"));
    assert_eq!(office.progress(&id).await, before);
    assert_eq!(office.rung(), [id]);
    assert_eq!(office.actions().await, ["siem.create"], "nothing was changed");
}

#[tokio::test]
async fn one_that_is_off_or_asked() {
    let office = Office::new().await;
    let off = office.made_id(but(body("webhook"), json!({"enabled": false}))).await;
    let pull = office.made_id(body("pull")).await;
    for id in [off, pull] {
        assert_eq!(office.get(RESUME, &id).await.verdict(), (409, "not_delivered_to"));
    }
    assert_eq!(office.rung(), [""; 0]);
}

/// Other settings than those that failed need no resumption.
#[tokio::test]
async fn a_change_of_the_settings_does_the_same() {
    let office = Office::new().await;
    let id = office.made_id(body("splunk_hec")).await;
    suspend(&office, &id).await;
    let other = json!({"version": 1, "token": "hec-token-2"});
    let answer = office.tell(CHANGE, &id, but(body("splunk_hec"), other)).await;
    assert_eq!((answer.status, answer.at("/state")), (200, "retrying"), "{}", answer.text);
    assert!(office.progress(&id).await.is_due(2, office.world.now()));
    assert_eq!(office.rung(), [id]);
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_when_the_forwarder_was_faster() {
    let office = Office::new().await;
    let id = office.made_id(body("webhook")).await;
    suspend(&office, &id).await;
    let gate = Arc::new(Turnstile::new());
    let table = office.world.db.shared("siem", gate.clone()).table();
    let app = Arc::new(office.app_over(table, public_network()));
    let ask = office.about(RESUME, &id);
    let task = tokio::spawn(async move { ask.of(app.as_ref()).await });
    let mut rivals = 0;
    while !task.is_finished() {
        for held in gate.settle().await {
            if held.call.operation == "TransactWriteItems" && rivals < 3 {
                rivals += 1;
                office.move_progress(&id, |progress| progress.sent += 10).await;
            }
            gate.release(held.ticket, Verdict::Proceed);
        }
    }
    assert_eq!(task.await.unwrap().status, 200);
    let progress = office.progress(&id).await;
    assert_eq!(progress.sent, 30, "what the forwarder wrote stays");
    assert!(matches!(progress.health, Health::Retrying { .. }));
    assert_eq!(office.actions().await, ["siem.create", "siem.resume"]);
}
