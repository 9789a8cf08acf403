//! A destination is tried out: one marked event, step by step.

use crate::{CHANGE, CREATE, Office, TEST, TEST_UNSAVED, body, but};
use belfry_domain::siem::record::{StreamName, What};
use belfry_testkit::Reception;
use belfry_testkit::siem::trouble;
use serde_json::json;

#[tokio::test]
async fn one_marked_event_is_sent() {
    let office = Office::new().await;
    let id = office.made_id(body("splunk_hec")).await;
    let before = office.progress(&id).await;
    for saved in [true, false] {
        let answer = if saved {
            office.get(TEST, &id).await
        } else {
            office.send(TEST_UNSAVED, body("webhook")).await
        };
        assert_eq!((answer.status, &answer.json["confirmed"]), (200, &json!(true)));
        assert_eq!(answer.json["error"], json!(null));
        assert!(answer.json["steps"].is_array());
        let arrived = office.receiver.arrived();
        let record = arrived.last().unwrap();
        assert_eq!((record.tenant, record.sequence), (office.tenant, 0));
        assert_eq!(record.stream, StreamName::ACCESSES);
        let What::Test(event) = record.what else { panic!("no test: {record:?}") };
        assert_eq!(answer.at("/event_id"), event.to_string());
    }
    assert_eq!(office.receiver.arrived().len(), 2);
    assert_eq!(office.progress(&id).await, before, "it counts for nothing");
    assert_eq!(office.actions().await, ["siem.create"]);
    assert_eq!(office.rung(), [""; 0]);
}

#[tokio::test]
async fn what_the_receiver_says_is_shown() {
    let office = Office::new().await;
    let id = office.made_id(body("splunk_hec")).await;
    let lost = Reception::LoseAnswer(trouble("timeout", false));
    let refused = Reception::TakeOnly(0, trouble("credential_refused", true));
    for (reception, code) in [(lost, "timeout"), (refused, "credential_refused")] {
        office.receiver.next(reception);
        let answer = office.get(TEST, &id).await;
        let error = json!({"code": code, "detail": "It does not work."});
        assert_eq!((answer.status, &answer.json["error"]), (200, &error));
        assert_eq!(answer.json["confirmed"], false);
    }
    office.receiver.refuse(StreamName::ACCESSES, 0);
    let answer = office.get(TEST, &id).await;
    assert_eq!(answer.json["confirmed"], false);
    assert_eq!(answer.json["error"], json!({"code": "invalid_data", "detail": "It says no."}));
    assert_eq!(office.progress(&id).await.last_error, None, "a test is no delivery");
}

#[tokio::test]
async fn one_that_is_off_can_be_tried_and_one_that_is_asked_cannot() {
    let office = Office::new().await;
    let off = office.made_id(but(body("webhook"), json!({"enabled": false}))).await;
    assert_eq!(office.get(TEST, &off).await.json["confirmed"], true);
    let pull = office.made_id(body("pull")).await;
    let tries = office.tries().await;
    assert_eq!(office.get(TEST, &pull).await.verdict(), (409, "not_delivered_to"));
    let unsaved = office.send(TEST_UNSAVED, body("pull")).await;
    assert_eq!(unsaved.verdict(), (409, "not_delivered_to"));
    assert_eq!(office.tries().await, tries, "nobody was looked for");
    assert_eq!(office.receiver.arrived().len(), 1);
}

/// However it is tried: a network is scanned by either way.
#[tokio::test]
async fn thirty_tries_in_ten_minutes_are_the_most() {
    let mut office = Office::new().await;
    let id = office.made_id(body("webhook")).await;
    for n in 1..30 {
        let answer = if n % 2 == 0 {
            office.get(TEST, &id).await
        } else {
            office.send(TEST_UNSAVED, body("webhook")).await
        };
        assert_eq!(answer.status, 200, "{n}");
    }
    assert_eq!(office.tries().await, 30);
    let arrived = office.receiver.arrived().len();
    let elsewhere = json!({"version": 1, "host": "other.example.com"});
    let moved = but(body("webhook"), elsewhere);
    for answer in [
        office.get(TEST, &id).await,
        office.send(TEST_UNSAVED, body("syslog_tls")).await,
        office.send(CREATE, body("webhook")).await,
        office.tell(CHANGE, &id, moved).await,
    ] {
        assert_eq!(answer.verdict(), (429, "throttled"));
        assert!(answer.header("retry-after").parse::<u64>().unwrap() <= 600);
        assert!(answer.header("ratelimit-policy").contains("connection"));
    }
    assert_eq!(office.receiver.arrived().len(), arrived);
    // Nobody is looked for: what was chosen can still be changed.
    let off = but(body("webhook"), json!({"version": 1, "enabled": false}));
    assert_eq!(office.tell(CHANGE, &id, off).await.status, 200);
    office.made(body("pull")).await;
    // Another tenant has its own thirty; and so has this one, later.
    let other = office.neighbour().await;
    assert_eq!(other.send(TEST_UNSAVED, body("webhook")).await.status, 200);
    office.world.wait(601);
    office.log_in_again().await;
    assert_eq!(office.get(TEST, &id).await.status, 200);
}
