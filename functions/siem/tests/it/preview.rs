//! A sample of every type that was chosen, as it would be sent.

use crate::{Office, PREVIEW, body, but};
use serde_json::{Value, json};

#[tokio::test]
async fn one_of_every_chosen_type() {
    let office = Office::new().await;
    let types = office.ask("GET /siem/event-types").of(&office.app()).await;
    let mut chosen = serde_json::Map::new();
    let mut expected = Vec::new();
    for item in types.json["items"].as_array().unwrap() {
        chosen.insert(item["source"].as_str().unwrap().to_owned(), item["event_types"].clone());
        for kind in item["event_types"].as_array().unwrap() {
            expected.push((item["source"].clone(), kind.clone()));
        }
    }
    let id = office.made_id(but(body("webhook"), json!({"event_types": chosen}))).await;
    let answer = office.get(PREVIEW, &id).await;
    let items = answer.json["items"].as_array().unwrap();
    let shown: Vec<_> =
        items.iter().map(|i| (i["source"].clone(), i["event_type"].clone())).collect();
    assert_eq!((answer.status, shown), (200, expected));
    assert!(items.iter().all(|item| item["selected"] == true));
    assert_eq!(answer.json["next_cursor"], Value::Null);
    assert_eq!(office.receiver.arrived().len(), 0, "nothing is sent");
    assert_eq!((office.rung(), office.actions().await.len()), (Vec::new(), 1));
}

#[tokio::test]
async fn in_every_language_of_every_transport() {
    let office = Office::new().await;
    // Three at a time are enough to see both.
    let one = json!({"event_types": {"EPP": ["infection.detected"]}});
    for (n, (transport, format, begins, holds)) in [
        ("syslog_tls", "cef", "<", "CEF:0|Belfry|"),
        ("syslog_tcp", "leef", "<", "LEEF:2.0|Belfry|"),
        ("syslog_tls", "rfc5424", "<", "{"),
        ("syslog_tls", "ocsf", "<", "\"class_uid\":"),
        ("splunk_hec", "cef", "{\"time\":", "\"event\":\"CEF:0|Belfry|"),
        ("splunk_hec", "ocsf", "{\"time\":", "\"event\":{"),
        ("webhook", "leef", "\"LEEF:2.0|Belfry|", "sample-endpoint"),
        ("webhook", "ocsf", "{", "\"class_uid\":"),
        ("pull", "cef", "\"CEF:0|Belfry|", "sample-endpoint"),
        ("pull", "ocsf", "{", "\"class_uid\":"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = but(but(body(transport), one.clone()), json!({"format": format}));
        let id = office.made_id(body).await;
        let answer = office.get(PREVIEW, &id).await;
        let rendered = answer.at("/items/0/rendered");
        assert!(rendered.starts_with(begins), "{n} {transport} {format}: {rendered}");
        assert!(rendered.contains(holds), "{n} {transport} {format}: {rendered}");
        assert!(rendered.contains(&office.tenant.to_string()), "{rendered}");
        if transport.starts_with("syslog") || transport == "splunk_hec" {
            assert!(rendered.contains("console.example"), "{rendered}");
        }
        if !transport.starts_with("syslog") {
            assert!(serde_json::from_str::<Value>(rendered).is_ok(), "{rendered}");
        }
    }
}

#[tokio::test]
async fn what_is_not_severe_enough_says_so() {
    let office = Office::new().await;
    let chosen = json!({"min_severity": "medium",
        "event_types": {"EPP": ["endpoint.status", "infection.detected"], "CONSOLE": ["change"]}});
    let id = office.made_id(but(body("webhook"), chosen)).await;
    let answer = office.get(PREVIEW, &id).await;
    let items = answer.json["items"].as_array().unwrap();
    let selected: Vec<_> =
        items.iter().map(|i| (i["event_type"].as_str().unwrap(), i["selected"] == true)).collect();
    let expected = [("endpoint.status", false), ("infection.detected", true), ("change", false)];
    assert_eq!(selected, expected);
}
