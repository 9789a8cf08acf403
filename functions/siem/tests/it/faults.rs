//! Settings that cannot be used: each is named, all of them at once, and nothing is kept.

use crate::{CHANGE, CREATE, Office, TEST_UNSAVED, body, but};
use belfry_testkit::Answer;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};

const WRONG_TRANSPORT: &str = "not_of_this_transport";

/// A self-signed certificate valid in these years, and its key.
pub(crate) fn certificate(from: i32, until: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["client.example.com".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// The faults, sorted.
fn sorted(answer: &Answer) -> Vec<(&str, &str)> {
    let mut faults = answer.faults();
    faults.sort_unstable();
    faults
}

/// Each way in refuses the body for these faults, and keeps nothing of it.
async fn refused(office: &Office, body: &Value, faults: &[(&str, &str)]) {
    let mut faults = faults.to_vec();
    faults.sort_unstable();
    let before = office.world.db.dump_of(&format!("T#{}", office.tenant));
    for route in [CREATE, TEST_UNSAVED] {
        let answer = office.send(route, body.clone()).await;
        assert_eq!((answer.status, sorted(&answer)), (422, faults.clone()), "{route} {body}");
    }
    let after = office.world.db.dump_of(&format!("T#{}", office.tenant));
    assert_eq!(after.len(), before.len(), "{body}");
    assert_eq!(office.actions().await, [""; 0], "{body}");
    assert_eq!(office.receiver.arrived().len(), 0, "{body}");
}

#[tokio::test]
async fn each_by_itself() {
    let long = |length: usize| "x".repeat(length);
    let whsec = |bytes: usize| format!("whsec_{}", "AAAA".repeat(bytes / 3));
    for (transport, other, fault) in [
        ("webhook", json!({"name": ""}), ("/name", "required")),
        ("webhook", json!({"name": null}), ("/name", "required")),
        ("webhook", json!({"name": long(81)}), ("/name", "too_long")),
        ("webhook", json!({"transport": ""}), ("/transport", "required")),
        ("webhook", json!({"transport": null}), ("/transport", "required")),
        ("webhook", json!({"transport": "udp"}), ("/transport", "invalid")),
        ("webhook", json!({"transport": "WEBHOOK"}), ("/transport", "invalid")),
        ("webhook", json!({"format": "xml"}), ("/format", "invalid")),
        ("webhook", json!({"format": null}), ("/format", "required")),
        ("webhook", json!({"format": "rfc5424"}), ("/format", WRONG_TRANSPORT)),
        ("splunk_hec", json!({"format": "rfc5424"}), ("/format", WRONG_TRANSPORT)),
        ("pull", json!({"format": "rfc5424"}), ("/format", WRONG_TRANSPORT)),
        ("syslog_tcp", json!({"framing": "crlf"}), ("/framing", "invalid")),
        ("syslog_tls", json!({"framing": "lf"}), ("/framing", WRONG_TRANSPORT)),
        ("webhook", json!({"framing": "lf"}), ("/framing", WRONG_TRANSPORT)),
        ("webhook", json!({"min_severity": "HIGH"}), ("/min_severity", "invalid")),
        ("webhook", json!({"min_severity": ""}), ("/min_severity", "invalid")),
        ("webhook", json!({"host": null}), ("/host", "required")),
        ("webhook", json!({"host": ""}), ("/host", "required")),
        ("webhook", json!({"port": 0}), ("/port", "port_not_allowed")),
        ("webhook", json!({"port": 25}), ("/port", "port_not_allowed")),
        ("webhook", json!({"port": 9001}), ("/port", "port_not_allowed")),
        ("webhook", json!({"port": 10_000}), ("/port", "port_not_allowed")),
        ("webhook", json!({"port": -1}), ("/port", "invalid")),
        ("webhook", json!({"port": 65_536}), ("/port", "invalid")),
        ("webhook", json!({"port": 4_294_967_739_u64}), ("/port", "invalid")),
        ("webhook", json!({"port": "443"}), ("/port", "invalid")),
        ("webhook", json!({"port": 443.5}), ("/port", "invalid")),
        ("webhook", json!({"path": ""}), ("/path", "required")),
        ("webhook", json!({"path": "in"}), ("/path", "invalid")),
        ("webhook", json!({"path": "//evil.example.com/"}), ("/path", "invalid")),
        ("webhook", json!({"path": "/a b"}), ("/path", "invalid")),
        ("webhook", json!({"path": "/a\r\nX: y"}), ("/path", "invalid")),
        ("webhook", json!({"path": "/a#b"}), ("/path", "invalid")),
        ("webhook", json!({"path": format!("/{}", long(512))}), ("/path", "invalid")),
        ("syslog_tls", json!({"path": "/"}), ("/path", WRONG_TRANSPORT)),
        ("splunk_hec", json!({"token": null}), ("/token", "required")),
        ("splunk_hec", json!({"token": ""}), ("/token", "invalid")),
        ("splunk_hec", json!({"token": " a"}), ("/token", "invalid")),
        ("splunk_hec", json!({"token": "a\r\nX: y"}), ("/token", "invalid")),
        ("splunk_hec", json!({"token": "ключ"}), ("/token", "invalid")),
        ("splunk_hec", json!({"token": long(257)}), ("/token", "invalid")),
        ("webhook", json!({"token": "secret"}), ("/token", "invalid")),
        ("webhook", json!({"token": "whsec_%%%%"}), ("/token", "invalid")),
        ("webhook", json!({"token": whsec(21)}), ("/token", "invalid")),
        ("webhook", json!({"token": whsec(66)}), ("/token", "invalid")),
        ("syslog_tls", json!({"token": "x"}), ("/token", WRONG_TRANSPORT)),
        ("syslog_tcp", json!({"token": "x"}), ("/token", WRONG_TRANSPORT)),
        ("pull", json!({"token": "x"}), ("/token", WRONG_TRANSPORT)),
        ("pull", json!({"host": "siem.example.com"}), ("/host", WRONG_TRANSPORT)),
        ("pull", json!({"port": 443}), ("/port", WRONG_TRANSPORT)),
        ("pull", json!({"path": "/"}), ("/path", WRONG_TRANSPORT)),
        ("pull", json!({"framing": "lf"}), ("/framing", WRONG_TRANSPORT)),
        ("webhook", json!({"header_name": "x-key"}), ("/header_value", "required")),
        ("webhook", json!({"header_value": "v"}), ("/header_name", "required")),
        ("splunk_hec", json!({"header_value": "v"}), ("/header_value", WRONG_TRANSPORT)),
        ("webhook", json!({"ca_pem": ""}), ("/ca_pem", "certificate_unreadable")),
        ("webhook", json!({"ca_pem": long(32_769)}), ("/ca_pem", "too_long")),
        ("syslog_tcp", json!({"ca_pem": "x"}), ("/ca_pem", WRONG_TRANSPORT)),
        ("pull", json!({"ca_pem": "x"}), ("/ca_pem", WRONG_TRANSPORT)),
        ("syslog_tls", json!({"client_certificate_pem": "x"}), ("/client_key_pem", "required")),
        ("syslog_tls", json!({"client_key_pem": "x"}), ("/client_certificate_pem", "required")),
        ("syslog_tcp", json!({"client_key_pem": "x"}), ("/client_key_pem", WRONG_TRANSPORT)),
        ("webhook", json!({"event_types": {}}), ("/event_types", "required")),
        ("webhook", json!({"event_types": null}), ("/event_types", "required")),
        ("webhook", json!({"event_types": {"EPP": []}}), ("/event_types", "required")),
        ("webhook", json!({"event_types": {"XDR": ["a"]}}), ("/event_types/XDR", "invalid")),
        ("webhook", json!({"event_types": {"epp": ["a"]}}), ("/event_types/epp", "invalid")),
        ("webhook", json!({"event_types": {"a/b~c": ["a"]}}), ("/event_types/a~1b~0c", "invalid")),
        ("webhook", json!({"event_types": {"EPP": ["change"]}}), ("/event_types/EPP/0", "invalid")),
        (
            "webhook",
            json!({"event_types": {"CONSOLE": ["access", "infection.detected"]}}),
            ("/event_types/CONSOLE/1", "invalid"),
        ),
        (
            "webhook",
            json!({"event_types": {"ZTNA": ["access.blocked", "access.blocked", "x"]}}),
            ("/event_types/ZTNA/2", "invalid"),
        ),
        ("webhook", json!({"event_types": {"EPP": "all"}}), ("/event_types/EPP", "invalid")),
        ("webhook", json!({"enabled": "yes"}), ("/enabled", "invalid")),
        ("webhook", json!({"secret": "x"}), ("/secret", "invalid")),
    ] {
        refused(&Office::new().await, &but(body(transport), other), &[fault]).await;
    }
}

#[tokio::test]
async fn headers_that_the_request_has_anyway() {
    for (name, code) in [
        ("", "required"),
        ("x key", "invalid"),
        ("x:key", "invalid"),
        ("x\r\ny", "invalid"),
        ("schlüssel", "invalid"),
        ("Host", "invalid"),
        ("content-length", "invalid"),
        ("Content-Type", "invalid"),
        ("Content-Encoding", "invalid"),
        ("Transfer-Encoding", "invalid"),
        ("connection", "invalid"),
        ("Upgrade", "invalid"),
        ("expect", "invalid"),
        ("User-Agent", "invalid"),
        ("webhook-signature", "invalid"),
        ("Webhook-Id", "invalid"),
        (&"x".repeat(65), "invalid"),
    ] {
        let other = json!({"header_name": name, "header_value": "v"});
        let body = but(body("webhook"), other);
        refused(&Office::new().await, &body, &[("/header_name", code)]).await;
    }
    let value = json!({"header_name": "Authorization", "header_value": "a\nb"});
    let body = but(body("webhook"), value);
    refused(&Office::new().await, &body, &[("/header_value", "invalid")]).await;
}

#[tokio::test]
async fn certificates_that_cannot_be_used() {
    let (good, key) = certificate(2026, 2027);
    let (_, other_key) = certificate(2026, 2027);
    let (expired, expired_key) = certificate(2024, 2026);
    let (coming, coming_key) = certificate(2027, 2028);
    let broken = good.replace("MII", "!!!");
    for (pem, code) in [
        ("no PEM", "certificate_unreadable"),
        (&*key, "holds_private_key"),
        (&format!("{good}{key}"), "holds_private_key"),
        (&broken, "certificate_unreadable"),
        (&expired, "certificate_expired"),
        (&coming, "certificate_not_yet_valid"),
        (&format!("{good}{expired}"), "certificate_expired"),
    ] {
        for transport in ["syslog_tls", "splunk_hec", "webhook"] {
            let body = but(body(transport), json!({"ca_pem": pem}));
            refused(&Office::new().await, &body, &[("/ca_pem", code)]).await;
        }
    }
    for (chain, key, fault) in [
        ("no PEM", &*key, ("/client_certificate_pem", "certificate_unreadable")),
        (&expired, &expired_key, ("/client_certificate_pem", "certificate_expired")),
        (&coming, &coming_key, ("/client_certificate_pem", "certificate_not_yet_valid")),
        (&format!("{good}{key}"), &key, ("/client_certificate_pem", "holds_private_key")),
        (&good, "no PEM", ("/client_key_pem", "key_unreadable")),
        (&good, &good, ("/client_key_pem", "key_unreadable")),
        (&good, &other_key, ("/client_key_pem", "key_mismatch")),
        (&good, &"k".repeat(3_401), ("/client_key_pem", "too_long")),
    ] {
        let other = json!({"client_certificate_pem": chain, "client_key_pem": key});
        refused(&Office::new().await, &but(body("syslog_tls"), other), &[fault]).await;
    }
    // The same, good, is taken and shown, without its key.
    let other = json!({"ca_pem": good, "client_certificate_pem": good, "client_key_pem": key});
    let made = Office::new().await.made(but(body("syslog_tls"), other)).await;
    assert_eq!((made.at("/ca_pem"), made.at("/client_certificate_pem")), (&*good, &*good));
    assert!(!made.text.contains("PRIVATE KEY"));
}

#[tokio::test]
async fn all_of_them_at_once() {
    let office = Office::new().await;
    let every = json!({
        "name": "", "transport": "webhook", "framing": "lf", "host": "localhost", "port": 22,
        "path": "x", "format": "yaml", "event_types": {"EPP": ["x"], "SIEM": ["y"]},
        "min_severity": "worst", "ca_pem": "x", "client_key_pem": "x", "token": "x",
        "header_name": "host", "header_value": "\n",
    });
    refused(
        &office,
        &every,
        &[
            ("/name", "required"),
            ("/framing", WRONG_TRANSPORT),
            ("/host", "host_not_public"),
            ("/port", "port_not_allowed"),
            ("/path", "invalid"),
            ("/format", "invalid"),
            ("/event_types/EPP/0", "invalid"),
            ("/event_types/SIEM", "invalid"),
            ("/min_severity", "invalid"),
            ("/ca_pem", "certificate_unreadable"),
            ("/client_certificate_pem", "required"),
            ("/token", "invalid"),
            ("/header_name", "invalid"),
            ("/header_value", "invalid"),
        ],
    )
    .await;
    let (pem, key) = certificate(2026, 2027);
    let asked = json!({
        "framing": "lf", "host": "siem.example.com", "port": 443, "path": "/", "ca_pem": pem,
        "client_certificate_pem": pem, "client_key_pem": key, "token": "x", "header_name": "x-a",
        "header_value": "x", "format": "rfc5424",
    });
    let faults = [
        "framing",
        "host",
        "port",
        "path",
        "ca_pem",
        "client_certificate_pem",
        "client_key_pem",
        "token",
        "header_name",
        "header_value",
        "format",
    ]
    .map(|name| format!("/{name}"));
    let faults: Vec<_> = faults.iter().map(|pointer| (&**pointer, WRONG_TRANSPORT)).collect();
    refused(&office, &but(body("pull"), asked), &faults).await;
    refused(
        &office,
        &json!({}),
        &[
            ("/name", "required"),
            ("/transport", "required"),
            ("/format", "required"),
            ("/event_types", "required"),
        ],
    )
    .await;
    assert_eq!(office.tries().await, 0, "nothing was resolved");
}

#[tokio::test]
async fn what_is_no_object_is_refused() {
    let office = Office::new().await;
    for (text, verdict) in [
        ("", (400, "malformed")),
        ("{", (400, "malformed")),
        ("{} {}", (400, "malformed")),
        ("[]", (422, "invalid")),
        ("null", (422, "invalid")),
    ] {
        for route in [CREATE, TEST_UNSAVED] {
            let answer = office.ask(route).text("application/json", text).of(&office.app()).await;
            assert_eq!(answer.verdict(), verdict, "{route} {text}");
        }
    }
    let answer = office.ask(CREATE).text("text/plain", "{}").of(&office.app()).await;
    assert_eq!(answer.verdict(), (415, "unsupported_media_type"));
}

#[tokio::test]
async fn a_change_names_the_same_faults_and_keeps_nothing() {
    let office = Office::new().await;
    let id = office.made_id(body("webhook")).await;
    let before = office.world.db.dump_of(&format!("T#{}", office.tenant));
    let other = json!({"version": 1, "name": "", "port": 1, "path": "x", "host": "127.1"});
    let answer = office.tell(CHANGE, &id, but(body("webhook"), other)).await;
    let faults = [
        ("/host", "host_numeric"),
        ("/name", "required"),
        ("/path", "invalid"),
        ("/port", "port_not_allowed"),
    ];
    assert_eq!((answer.status, sorted(&answer)), (422, faults.to_vec()));
    assert_eq!(office.world.db.dump_of(&format!("T#{}", office.tenant)), before);
    assert_eq!(office.rung(), [""; 0]);
}

#[tokio::test]
async fn secrets_that_cannot_be_sealed_together_are_refused() {
    let (pem, key) = certificate(2026, 2027);
    // What a key's PEM may have around it counts too, and each line feed twice.
    let padded = format!("{key}{}", "\n".repeat(3_400 - key.len()));
    let other = json!({"client_certificate_pem": pem, "client_key_pem": padded});
    let office = Office::new().await;
    let answer = office.send(CREATE, but(body("webhook"), other)).await;
    assert_eq!((answer.status, answer.faults()), (422, vec![("/client_key_pem", "too_long")]));
    assert_eq!(office.actions().await, [""; 0]);
}
