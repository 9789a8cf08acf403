//! Verdicts on single events: every faulty field at once, by pointer and code.
#![expect(clippy::unwrap_used, reason = "a failed test says so by a panic")]

use belfry_domain::product::Product;
use belfry_domain::telemetry::envelope::{Issue, Judge, Verdict};
use jiff::Timestamp;
use serde_json::{Value, json};

const NOW: &str = "2026-11-22T12:00:00Z";

fn judge(product: Product, event: &Value) -> Verdict {
    let raw = event.to_string();
    let received_at: Timestamp = NOW.parse().unwrap();
    let judge = Judge { product, received_at, max_event_age_days: 30 };
    judge.judge(&raw, serde_json::from_str(&raw).ok().as_ref())
}

fn codes(issues: &[Issue]) -> Vec<(&str, &str)> {
    issues.iter().map(|issue| (issue.pointer.as_str(), issue.code)).collect()
}

fn of(kind: &str, data: &Value) -> Value {
    json!({"specversion": "1.0", "id": "1", "source": "/s", "type": kind,
           "time": "2026-11-22T10:00:00+02:00", "data": data})
}

fn infection() -> Value {
    of(
        "infection.detected",
        &json!({"endpoint": {"id": "a", "kind": "computer"}, "threat": "t", "action": "blocked",
               "severity": "high"}),
    )
}

fn with(mut event: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[key] = value;
    event
}

fn without(mut event: Value, pointer: &str) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
    event
}

#[test]
fn every_type_is_taken_from_its_products_and_from_no_other() {
    let endpoint = json!({"id": "a", "kind": "mobile"});
    let status = json!({"endpoint": {"id": "a", "kind": "mobile", "os": "Android",
                        "os_version": "16", "agent_version": "2"}});
    let infection = infection()["data"].clone();
    let (epp, emm, privacy, ztna) =
        (Product::Epp, Product::Emm, Product::DataPrivacy, Product::Ztna);
    let cases = [
        ("endpoint.status", status, vec![epp, emm, privacy, ztna]),
        ("endpoint.removed", json!({"endpoint": endpoint}), vec![epp, emm, privacy, ztna]),
        ("infection.detected", infection.clone(), vec![epp, emm]),
        ("infection.cleaned", infection, vec![epp, emm]),
        (
            "policy.violated",
            json!({"endpoint": endpoint, "policy": "p", "severity": "info"}),
            vec![epp, emm],
        ),
        (
            "application.violated",
            json!({"endpoint": endpoint, "application": "p", "severity": "low"}),
            vec![epp, emm],
        ),
        (
            "classifier.matched",
            json!({"endpoint": endpoint, "classifier": "PAN", "count": 4_294_967_295_u32}),
            vec![privacy],
        ),
        ("access.blocked", json!({"application": "a", "user": "u"}), vec![ztna]),
    ];
    for (kind, data, senders) in cases {
        for product in Product::ALL {
            let verdict = judge(product, &of(kind, &data));
            if senders.contains(&product) {
                let event = verdict.event.unwrap_or_else(|| panic!("{kind}: {:?}", verdict.errors));
                assert_eq!(event.happening.event_type().name(), kind);
                assert_eq!(event.time, 1_795_334_400_000, "the offset is reckoned with");
                assert_eq!(verdict.warnings, []);
            } else {
                assert_eq!(codes(&verdict.errors), [("/type", "type_of_other_product")], "{kind}");
            }
        }
    }
}

#[test]
fn every_faulty_field_is_named() {
    let long = "x".repeat(129);
    let cases: Vec<(Value, Vec<(&str, &str)>)> = vec![
        (json!("text"), vec![("", "not_an_object")]),
        (json!(null), vec![("", "not_an_object")]),
        (
            json!({}),
            vec![
                ("/specversion", "required"),
                ("/id", "required"),
                ("/source", "required"),
                ("/time", "required"),
                ("/type", "required"),
                ("/data", "required"),
            ],
        ),
        (with(infection(), "/specversion", json!("0.3")), vec![("/specversion", "unsupported")]),
        (with(infection(), "/id", json!("")), vec![("/id", "length")]),
        (with(infection(), "/id", json!(7)), vec![("/id", "not_a_string")]),
        (with(infection(), "/id", json!(null)), vec![("/id", "required")]),
        (with(infection(), "/source", json!(long)), vec![("/source", "length")]),
        (with(infection(), "/type", json!("toast.burnt")), vec![("/type", "unknown_type")]),
        (with(infection(), "/time", json!("2026-11-22")), vec![("/time", "not_a_time")]),
        (with(infection(), "/time", json!("2026-11-22T10:00:00")), vec![("/time", "not_a_time")]),
        (
            with(infection(), "/time", json!("2026-11-22T10:00:00Z[UTC]")),
            vec![("/time", "not_a_time")],
        ),
        (with(infection(), "/time", json!(1_795_334_400)), vec![("/time", "not_a_string")]),
        (with(infection(), "/time", json!("2026-10-23T11:59:59.999Z")), vec![("/time", "too_old")]),
        (with(infection(), "/data", json!([])), vec![("/data", "not_an_object")]),
        (
            with(infection(), "/datacontenttype", json!("text/xml")),
            vec![("/datacontenttype", "unsupported")],
        ),
        (without(infection(), "/data/endpoint"), vec![("/data/endpoint", "required")]),
        (
            with(infection(), "/data/endpoint", json!("a")),
            vec![("/data/endpoint", "not_an_object")],
        ),
        (
            with(infection(), "/data/endpoint", json!({"id": "", "kind": "toaster"})),
            vec![("/data/endpoint/id", "length"), ("/data/endpoint/kind", "unknown_kind")],
        ),
        (without(infection(), "/data/endpoint/kind"), vec![("/data/endpoint/kind", "required")]),
        (
            with(with(infection(), "/data/severity", json!("High")), "/data/threat", json!(long)),
            vec![("/data/threat", "length"), ("/data/severity", "unknown_severity")],
        ),
        (with(infection(), "/data/path_hash", json!(1)), vec![("/data/path_hash", "not_a_string")]),
    ];
    for (event, expected) in cases {
        let verdict = judge(Product::Epp, &event);
        assert_eq!(codes(&verdict.errors), expected, "{event}");
        assert!(verdict.event.is_none());
    }
    for count in [json!(0), json!(-1), json!(1.5), json!("1"), json!(4_294_967_296_u64)] {
        let data = json!({"endpoint": {"id": "a", "kind": "computer"}, "classifier": "c",
                          "count": count});
        let verdict = judge(Product::DataPrivacy, &of("classifier.matched", &data));
        assert_eq!(codes(&verdict.errors), [("/data/count", "out_of_range")], "{count}");
    }
}

/// Judges an event that `json!` cannot write.
fn judge_raw(raw: &str) -> Verdict {
    let received_at: Timestamp = NOW.parse().unwrap();
    let judge = Judge { product: Product::Epp, received_at, max_event_age_days: 30 };
    judge.judge(raw, serde_json::from_str(raw).ok().as_ref())
}

#[test]
fn a_key_given_twice_has_no_meaning() {
    for (key, other, pointer) in [
        ("threat", "\"x\"", "/data/threat"),
        ("endpoint", "{}", "/data/endpoint"),
        ("data", "{}", "/data"),
    ] {
        let twice = format!("\"{key}\":{other},\"{key}\":");
        let raw = infection().to_string().replacen(&format!("\"{key}\":"), &twice, 1);
        assert!(
            judge_raw(&raw).errors.iter().any(|e| e.pointer == pointer && e.code == "duplicate")
        );
    }
}

#[test]
fn what_is_unknown_is_named_and_left_out() {
    let mut event = with(infection(), "/data/endpoint/serial", json!("secret"));
    event["data"]["owner~name/x"] = json!("secret");
    let event = with(event, "/extension", json!("ignored: CloudEvents allows it"));
    let verdict = judge(Product::Epp, &event);
    assert_eq!(
        codes(&verdict.warnings),
        [
            ("/data/owner~0name~1x", "unknown_attribute"),
            ("/data/endpoint/serial", "unknown_attribute")
        ]
    );
    let kept = format!("{:?}", verdict.event.unwrap());
    assert!(!kept.contains("secret"), "{kept}");
}

#[test]
fn a_time_ahead_is_taken_with_a_warning_and_never_refused() {
    for time in ["2026-11-22T12:00:00.001Z", "2036-01-01T00:00:00Z"] {
        let verdict = judge(Product::Epp, &with(infection(), "/time", json!(time)));
        assert_eq!(codes(&verdict.warnings), [("/time", "time_ahead")]);
        assert!(verdict.event.is_some());
    }
    // Exactly 30 days are not too old.
    let verdict = judge(Product::Epp, &with(infection(), "/time", json!("2026-10-23T12:00:00Z")));
    assert!(verdict.event.is_some());
}

#[test]
fn too_much_is_refused_without_reading_it() {
    let verdict = judge(Product::Epp, &with(infection(), "/pad", json!("x".repeat(65_536))));
    assert_eq!(codes(&verdict.errors), [("", "event_too_large")]);
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let surrogate = infection().to_string().replace("/s", r"\ud800");
    let number = infection().to_string().replace("\"1\"", "1e999");
    for raw in [deep, surrogate, number] {
        assert_eq!(codes(&judge_raw(&raw).errors), [("", "unreadable")], "{raw}");
    }
}
