//! Cases small enough to be worked out by hand.

use super::*;

const NOW: &str = "2026-11-22T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn event(kind: &str, time: &str, data: &Value) -> Value {
    json!({"specversion": "1.0", "id": "1", "source": "/t", "type": kind, "time": time, "data": data})
}

/// An event of computer `a`.
fn of_a(kind: &str, time: &str) -> Value {
    event(kind, time, &json!({"endpoint": {"id": "a", "kind": "computer"}}))
}

fn status(id: &str, kind: &str, time: &str, os: &str, version: &str, agent: &str) -> Value {
    let endpoint = json!({"id": id, "kind": kind, "name": format!("{id}'s"), "os": os,
        "os_version": version, "agent_version": agent});
    event("endpoint.status", time, &json!({"endpoint": endpoint}))
}

fn read(batches: &[(&str, Vec<Value>)]) -> Oracle {
    let mut oracle = Oracle::default();
    for (number, (product, events)) in batches.iter().enumerate() {
        let body = serde_json::to_vec(events).unwrap();
        oracle.read(product, &format!("b{number}"), &body, now()).unwrap();
    }
    oracle
}

fn only(oracle: &Oracle) -> Endpoint {
    let [endpoint] = <[Endpoint; 1]>::try_from(oracle.endpoints()).unwrap();
    endpoint
}

fn epoch_day(date: &str) -> i64 {
    format!("{date}T00:00:00Z").parse::<Timestamp>().unwrap().as_second() / 86_400
}

#[test]
fn a_whole_answer() {
    let oracle = read(&[
        (
            "EPP",
            vec![
                status("a", "computer", "2026-11-22T08:00:00Z", "Windows", "11", "1.0"),
                status("b", "computer", "2026-11-18T08:00:00Z", "Windows", "11", "1.0"),
                of_a("infection.detected", "2026-11-19T09:00:00Z"),
                of_a("policy.violated", "2026-11-19T09:00:00Z"),
                of_a("policy.violated", "2026-11-20T09:00:00Z"),
                of_a("application.violated", "2026-10-01T09:00:00Z"),
            ],
        ),
        ("EMM", vec![status("a", "mobile", "2026-10-23T23:59:59Z", "Android", "16", "2.0")]),
        (
            "DATA_PRIVACY",
            vec![
                status("c", "computer", "2026-11-22T08:00:00Z", "macOS", "26", "3.0"),
                event(
                    "classifier.matched",
                    "2026-11-16T00:00:00Z",
                    &json!({
                "endpoint": {"id": "c", "kind": "computer"}, "classifier": "PAN", "count": 5}),
                ),
                event(
                    "classifier.matched",
                    "2026-11-22T00:00:00Z",
                    &json!({
                "endpoint": {"id": "c", "kind": "computer"}, "classifier": "PAN", "count": 2}),
                ),
                event(
                    "classifier.matched",
                    "2026-11-15T23:59:59Z",
                    &json!({
                "endpoint": {"id": "c", "kind": "computer"}, "classifier": "IBAN", "count": 9}),
                ),
            ],
        ),
        (
            "ZTNA",
            vec![
                event(
                    "access.blocked",
                    "2026-11-21T00:00:00Z",
                    &json!({"application": "z", "user": "u"}),
                ),
                event(
                    "access.blocked",
                    "2026-11-21T00:00:00Z",
                    &json!({"application": "y", "user": "u"}),
                ),
            ],
        ),
    ]);
    let ageing = json!({
        "not_seen": {"0-2d": 1, "3-6d": 1, "7-14d": 0, "15-29d": 0, "30d+": 1},
        "infected": {"0-2d": 0, "3-6d": 1, "7-14d": 0, "15-29d": 0, "30d+": 0}});
    assert_eq!(
        oracle.dashboard("0-2d", now()),
        json!({
        "period": "0-2d",
        "endpoints": {"total": 3, "computers": 2, "mobiles": 1,
                      "infected_now": {"computers": 1, "mobiles": 0}},
        "not_seen": {"computers": 1, "mobiles": 0},
        "infected": {"computers": 0, "mobiles": 0},
        "violations": {"policy": {"endpoints": 1, "events": 1},
                       "application": {"endpoints": 0, "events": 0}},
        "operating_systems": [
            {"os": "Android", "version": "16", "kind": "mobile", "count": 1},
            {"os": "Windows", "version": "11", "kind": "computer", "count": 2}],
        "agent_versions": [
            {"product": "EMM", "version": "2.0", "kind": "mobile", "count": 1},
            {"product": "EPP", "version": "1.0", "kind": "computer", "count": 2}],
        "top_classifiers": [{"name": "PAN", "count": 7, "error": 0}],
        "top_blocked_applications": [{"name": "y", "count": 1, "error": 0},
                                     {"name": "z", "count": 1, "error": 0}],
        "top_blocked_users": [{"name": "u", "count": 2, "error": 0}],
        "ageing": ageing,
        "approximate": false})
    );

    let older = oracle.dashboard("3-6d", now());
    assert_eq!(older["not_seen"], json!({"computers": 1, "mobiles": 0}));
    assert_eq!(older["infected"], json!({"computers": 1, "mobiles": 0}));
    assert_eq!(older["violations"]["policy"], json!({"endpoints": 0, "events": 1}));
    let oldest = oracle.dashboard("30d+", now());
    assert_eq!(oldest["not_seen"], json!({"computers": 0, "mobiles": 1}));
    assert_eq!(oldest["violations"]["application"], json!({"endpoints": 1, "events": 1}));
    assert_eq!(oracle.dashboard("1-2d", now()), Value::Null);
}

#[test]
fn the_edges_of_the_periods() {
    for (date, period) in [
        ("2026-11-22", "0-2d"),
        ("2026-11-20", "0-2d"),
        ("2026-11-19", "3-6d"),
        ("2026-11-16", "3-6d"),
        ("2026-11-15", "7-14d"),
        ("2026-11-08", "7-14d"),
        ("2026-11-07", "15-29d"),
        ("2026-10-24", "15-29d"),
        ("2026-10-23", "30d+"),
        ("2025-11-22", "30d+"),
    ] {
        let oracle = read(&[("EPP", vec![of_a("policy.violated", &format!("{date}T00:00:00Z"))])]);
        for (other, _) in PERIODS {
            let answer = oracle.dashboard(other, now());
            let one = u32::from(other == period);
            assert_eq!(answer["not_seen"]["computers"], one, "{date} in {other}");
            assert_eq!(answer["violations"]["policy"], json!({"endpoints": one, "events": one}));
        }
    }
}

#[test]
fn a_repeated_batch_counts_once_another_with_the_same_words_again() {
    let body = serde_json::to_vec(&[of_a("policy.violated", NOW)]).unwrap();
    let mut oracle = Oracle::default();
    oracle.read("EPP", "one", &body, now()).unwrap();
    oracle.read("EPP", "one", &body, now()).unwrap();
    let events =
        |oracle: &Oracle| oracle.dashboard("0-2d", now())["violations"]["policy"]["events"].clone();
    assert_eq!(events(&oracle), 1);
    oracle.read("EPP", "two", &body, now()).unwrap();
    assert_eq!(events(&oracle), 2);
    oracle.read("EMM", "one", &body, now()).unwrap();
    assert_eq!(events(&oracle), 3);
}

#[test]
fn status_takes_the_later_day_then_the_later_posting() {
    let oracle = read(&[(
        "EPP",
        vec![
            status("a", "computer", "2026-11-21T01:00:00Z", "Windows", "11", "2.0"),
            status("a", "computer", "2026-11-20T23:00:00Z", "Windows", "10", "1.0"),
        ],
    )]);
    assert_eq!(
        (only(&oracle).os_version.as_str(), only(&oracle).agent_version.as_str()),
        ("11", "2.0")
    );
    let oracle = read(&[(
        "EPP",
        vec![
            status("a", "computer", "2026-11-21T23:00:00Z", "Windows", "11", "2.0"),
            status("a", "mobile", "2026-11-21T01:00:00Z", "Android", "16", "3.0"),
        ],
    )]);
    assert_eq!((only(&oracle).os.as_str(), only(&oracle).kind.as_str()), ("Android", "mobile"));
}

#[test]
fn any_event_that_names_an_endpoint_creates_it() {
    let endpoint = only(&read(&[("EPP", vec![of_a("policy.violated", NOW)])]));
    assert_eq!(
        endpoint,
        Endpoint {
            product: "EPP".into(),
            id: "a".into(),
            kind: "computer".into(),
            name: None,
            os: "unknown".into(),
            os_version: String::new(),
            agent_version: String::new(),
            last_contact: epoch_day("2026-11-22"),
            last_infection: None,
            last_policy_violation: Some(epoch_day("2026-11-22")),
            last_application_violation: None,
            infected: false,
            removed: false,
        }
    );
}

#[test]
fn infected_compares_full_times_whatever_the_order() {
    let infected = |first: (&str, &str), then: (&str, &str)| {
        only(&read(&[("EPP", vec![of_a(first.0, first.1), of_a(then.0, then.1)])])).infected
    };
    let (found, clean) = ("infection.detected", "infection.cleaned");
    assert!(infected((found, "2026-11-21T10:00:00.001Z"), (clean, "2026-11-21T10:00:00.000Z")));
    assert!(infected((clean, "2026-11-21T10:00:00.000Z"), (found, "2026-11-21T10:00:00.001Z")));
    assert!(!infected((found, "2026-11-21T10:00:00.000Z"), (clean, "2026-11-21T10:00:00.000Z")));
    assert!(!infected((clean, "2026-11-21T10:00:00.002Z"), (found, "2026-11-21T10:00:00.001Z")));
}

#[test]
fn a_removal_clears_what_is_before_it_in_order() {
    let removed = of_a("endpoint.removed", "2026-11-20T12:00:00Z");
    let before = of_a("infection.detected", "2026-11-19T12:00:00Z");
    let posted_before = of_a("policy.violated", "2026-11-20T23:00:00Z");
    // The same day, but posted after the removal: the endpoint is back.
    let after = of_a("application.violated", "2026-11-20T01:00:00Z");

    let oracle = read(&[("EPP", vec![posted_before.clone(), removed.clone(), before.clone()])]);
    assert!(only(&oracle).removed);
    let answer = oracle.dashboard("0-2d", now());
    assert_eq!(answer["endpoints"]["total"], 0);
    assert_eq!(answer["violations"]["policy"], json!({"endpoints": 0, "events": 1}), "events stay");
    assert_eq!(answer["operating_systems"], json!([]));

    let back = only(&read(&[("EPP", vec![posted_before, removed, before, after])]));
    assert!(!back.removed && !back.infected);
    assert_eq!(back.last_policy_violation, None);
    assert_eq!(back.last_application_violation, Some(epoch_day("2026-11-20")));
    assert_eq!(back.os, "unknown");
}

#[test]
fn an_event_ahead_of_its_receipt_is_of_its_receipt() {
    let endpoint = only(&read(&[("EPP", vec![of_a("policy.violated", "2027-01-01T00:00:00Z")])]));
    assert_eq!(endpoint.last_contact, epoch_day("2026-11-22"));
}

#[test]
fn the_answer_is_put_in_order_for_comparing() {
    let answer = json!({"data_as_of": "x", "agent_versions": [
        {"product": "EPP", "version": "2", "kind": "computer", "count": 9},
        {"product": "EPP", "version": "10", "kind": "computer", "count": 1}]});
    assert_eq!(
        in_order(answer),
        json!({"agent_versions": [
        {"product": "EPP", "version": "10", "kind": "computer", "count": 1},
        {"product": "EPP", "version": "2", "kind": "computer", "count": 9}]})
    );
}

#[test]
fn what_is_not_a_batch_is_refused_whole() {
    let mut oracle = Oracle::default();
    for body in ["{}", "[1]", r#"[{"type":"a","time":"yesterday","data":{}}]"#] {
        assert!(oracle.read("EPP", "b", body.as_bytes(), now()).is_err());
    }
    assert!(oracle.endpoints().is_empty());
}
