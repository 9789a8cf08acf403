//! Secrets are written and never read: sealed for one destination, and given again by whoever has records
//! sent elsewhere.

use crate::faults::certificate;
use crate::{
    CHANGE, CREATE, LIST, Office, PREVIEW, READ, STATISTICS, TEST, TEST_UNSAVED, body, but,
};
use belfry_domain::outbound::Reach;
use belfry_domain::siem::destination::{Destination, Secrets};
use belfry_runtime::keys::Sealer as _;
use belfry_testkit::FixedResolver;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

impl Office {
    async fn destination(&self, id: &str) -> Destination {
        let found = self.world.table().destination(self.tenant, id.parse().unwrap()).await;
        found.unwrap().unwrap().0
    }

    /// What is sealed for a destination: opened as the forwarder does.
    async fn opened(&self, id: &str) -> Secrets {
        let Some(sealed) = self.destination(id).await.sealed_secrets else {
            return Secrets::default();
        };
        let tenant = self.tenant.to_string();
        let context = [("purpose", "siem"), ("tenant", &*tenant), ("destination", id)];
        let plain = self.world.sealer.open(&sealed, &context).await.unwrap();
        serde_json::from_slice(&plain).unwrap()
    }

    /// Changes a destination to this, whatever its version is.
    async fn change(&self, id: &str, body: Value) -> belfry_testkit::Answer {
        let version = self.destination(id).await.version;
        self.tell(CHANGE, id, but(body, json!({"version": version}))).await
    }
}

/// A webhook with every secret there is, and the secrets.
fn webhook() -> (Value, [String; 3]) {
    let (pem, key) = certificate(2026, 2027);
    let token = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
    let value = "Bearer open-sesame".to_owned();
    let body = but(
        body("webhook"),
        json!({"token": token, "header_name": "Authorization", "header_value": value,
            "client_certificate_pem": pem, "client_key_pem": key}),
    );
    (body, [token, value, key])
}

/// The same without its secrets.
fn without(body: &Value) -> Value {
    let none = json!({"token": null, "header_value": null, "client_key_pem": null});
    but(body.clone(), none)
}

#[tokio::test]
async fn no_answer_and_no_item_shows_a_secret() {
    let office = Office::new().await;
    let (body, [token, value, key]) = webhook();
    let made = office.made(body.clone()).await;
    let id = made.at("/id").to_owned();
    let mut texts = vec![made.text];
    texts.push(office.change(&id, without(&body)).await.text);
    texts.push(office.change(&id, body.clone()).await.text);
    for route in [READ, STATISTICS, TEST, PREVIEW] {
        texts.push(office.get(route, &id).await.text);
    }
    texts.push(office.send(TEST_UNSAVED, body.clone()).await.text);
    texts.push(office.ask(LIST).of(&office.app()).await.text);
    texts.push(office.change(&id, but(body, json!({"host": "127.1"}))).await.text);
    texts.extend(office.trail().await.iter().map(ToString::to_string));
    let key_line = key.lines().nth(1).unwrap();
    for secret in [&token, &value, key_line] {
        assert!(texts.iter().all(|text| !text.contains(secret)), "{secret} was shown");
        assert!(!office.world.db.holds(secret), "{secret} is kept readable");
    }
    let opened = office.opened(&id).await;
    assert_eq!(opened.token, Some(token));
    assert_eq!(opened.header_value, Some(value));
    assert_eq!(opened.client_key_pem, Some(key));
}

#[tokio::test]
async fn they_are_sealed_for_their_tenant_and_destination() {
    let office = Office::new().await;
    let (first, second) =
        (office.made_id(body("splunk_hec")).await, office.made_id(body("splunk_hec")).await);
    let sealed = office.destination(&first).await.sealed_secrets.unwrap();
    let tenant = office.tenant.to_string();
    let other = office.neighbour().await.tenant.to_string();
    for (purpose, tenant, destination) in
        [("siem", &tenant, &second), ("siem", &other, &first), ("mail-link", &tenant, &first)]
    {
        let context = [("purpose", purpose), ("tenant", tenant), ("destination", destination)];
        office.world.sealer.open(&sealed, &context).await.unwrap_err();
    }
    assert_eq!(office.opened(&first).await.token.as_deref(), Some("hec-token-1"));
    // One that has none has nothing sealed.
    let plain = office.made_id(body("syslog_tls")).await;
    assert_eq!(office.destination(&plain).await.sealed_secrets, None);
}

#[tokio::test]
async fn what_is_not_given_stays_where_records_go_to_the_same_place() {
    let office = Office::new().await;
    let (body, _) = webhook();
    let id = office.made_id(body.clone()).await;
    let before = office.destination(&id).await.sealed_secrets;
    for other in [
        json!({"name": "Other"}),
        json!({"enabled": false}),
        json!({"format": "cef"}),
        json!({"min_severity": "high"}),
        json!({"event_types": {"ZTNA": ["access.blocked"]}}),
        json!({"host": "SIEM.example.com", "port": 443, "path": "/"}),
    ] {
        let answer = office.change(&id, but(without(&body), other)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(answer.json.get("token").is_none(), "nothing new was made");
        assert_eq!(office.destination(&id).await.sealed_secrets, before);
        assert!(!office.last_changes().await.contains_key("secrets"));
    }
}

#[tokio::test]
async fn elsewhere_they_are_given_again() {
    let (ca, _) = certificate(2026, 2027);
    let (body, _) = webhook();
    let every = [
        ("/token", "secret_required"),
        ("/header_value", "secret_required"),
        ("/client_key_pem", "secret_required"),
    ];
    for other in [
        json!({"host": "evil.example.com"}),
        json!({"host": "9.9.9.9"}),
        json!({"port": 8443}),
        json!({"path": "/elsewhere"}),
        json!({"ca_pem": ca}),
    ] {
        let office = Office::new().await;
        let id = office.made_id(body.clone()).await;
        let before = office.destination(&id).await;
        let answer = office.change(&id, but(without(&body), other.clone())).await;
        assert_eq!((answer.status, answer.faults()), (422, every.to_vec()), "{other}");
        assert_eq!(office.destination(&id).await, before, "{other}");
        // One of three given: the other two are asked for.
        let token = json!({"token": body["token"]});
        let answer = office.change(&id, but(but(without(&body), other.clone()), token)).await;
        assert_eq!(answer.faults(), every[1..], "{other}");
        let answer = office.change(&id, but(body.clone(), other.clone())).await;
        assert_eq!(answer.status, 200, "{other}: {}", answer.text);
        // What is not sent any more needs not be given.
        let back = json!({"host": "back.example.com", "header_name": null, "token": body["token"],
            "client_certificate_pem": null, "ca_pem": null});
        let answer = office.change(&id, but(without(&body), back)).await;
        assert_eq!(answer.status, 200, "{other}: {}", answer.text);
        let left = office.opened(&id).await;
        assert_eq!((left.header_value, left.client_key_pem), (None, None), "they are forgotten");
    }
}

#[tokio::test]
async fn another_transport_is_another_place() {
    for (before, after, faults) in [
        ("splunk_hec", "webhook", vec![("/token", "secret_required")]),
        ("webhook", "splunk_hec", vec![("/token", "secret_required")]),
        ("syslog_tls", "syslog_tcp", vec![]),
        ("webhook", "syslog_tls", vec![]),
    ] {
        let office = Office::new().await;
        let id = office.made_id(but(body(before), json!({"port": 443}))).await;
        let other = json!({"port": 443, "token": null});
        let answer = office.change(&id, but(body(after), other)).await;
        assert_eq!(answer.faults(), faults, "{before} to {after}: {}", answer.text);
    }
    // A client certificate's key goes with it to no other transport.
    let office = Office::new().await;
    let (pem, key) = certificate(2026, 2027);
    let with = json!({"client_certificate_pem": pem, "client_key_pem": key, "port": 443});
    let id = office.made_id(but(body("syslog_tls"), with)).await;
    let other = json!({"client_certificate_pem": pem, "port": 443});
    let answer = office.change(&id, but(body("webhook"), other)).await;
    assert_eq!(answer.faults(), [("/client_key_pem", "secret_required")]);
    // One that had no token gets one, shown this once.
    let answer = office.change(&id, but(body("webhook"), json!({"port": 443}))).await;
    assert!(answer.at("/token").starts_with("whsec_"), "{}", answer.text);
    assert_eq!(office.opened(&id).await.token.as_deref(), Some(answer.at("/token")));
    assert!(office.get(READ, &id).await.json.get("token").is_none());
}

#[tokio::test]
async fn what_is_given_replaces_and_what_goes_is_forgotten() {
    let office = Office::new().await;
    let (body, _) = webhook();
    let id = office.made_id(body.clone()).await;
    let (pem, key) = certificate(2026, 2027);
    let other = json!({"token": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "header_value": "new",
        "client_certificate_pem": pem, "client_key_pem": key});
    let answer = office.change(&id, but(body.clone(), other)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let opened = office.opened(&id).await;
    assert_eq!(opened.token.as_deref(), Some("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    assert_eq!(opened.header_value.as_deref(), Some("new"));
    assert_eq!(opened.client_key_pem.as_deref(), Some(&*key));
    let changes = office.last_changes().await;
    assert_eq!(changes["secrets"], json!({"field": "secrets", "to": "replaced"}));
    // Another certificate does not go with the key that stays.
    let (another, _) = certificate(2026, 2027);
    let answer =
        office.change(&id, but(without(&body), json!({"client_certificate_pem": another}))).await;
    assert_eq!(answer.faults(), [("/client_key_pem", "key_mismatch")]);
    // A header that goes takes its value with it.
    let none = json!({"header_name": null, "client_certificate_pem": null});
    let answer = office.change(&id, but(without(&body), none)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let opened = office.opened(&id).await;
    assert_eq!((opened.header_value, opened.client_key_pem), (None, None));
    // And comes back only with one.
    let answer =
        office.change(&id, but(without(&body), json!({"client_certificate_pem": null}))).await;
    assert_eq!(answer.faults(), [("/header_value", "required")]);
}

/// Certificates that are over keep nobody from changing the rest.
#[tokio::test]
async fn what_stays_may_be_over() {
    let mut office = Office::new().await;
    let (body, _) = webhook();
    let (ca, _) = certificate(2026, 2027);
    let body = but(body, json!({"ca_pem": ca}));
    let id = office.made_id(body.clone()).await;
    office.world.wait(60 * 24 * 3_600);
    office.log_in_again().await;
    let off = json!({"enabled": false});
    let answer = office.change(&id, but(without(&body), off)).await;
    assert_eq!((answer.status, answer.at("/state")), (200, "off"), "{}", answer.text);
    // Given anew they have to be good.
    let answer = office.change(&id, body.clone()).await;
    assert_eq!(answer.faults(), [("/client_certificate_pem", "certificate_expired")]);
}

#[tokio::test]
async fn the_trail_says_what_was_changed_and_never_a_secret() {
    let office = Office::new().await;
    let (body, _) = webhook();
    let id = office.made_id(body.clone()).await;
    let made = office.last_changes().await;
    assert_eq!(made["host"]["to"], "siem.example.com");
    assert_eq!(made["header_name"]["to"], "authorization");
    assert!(!made.contains_key("token") && !made.contains_key("header_value"));
    let (ca, _) = certificate(2026, 2027);
    let every = json!({"name": "Other", "enabled": false, "host": "other.example.com",
        "port": 8443, "path": "/x", "format": "cef", "min_severity": "low", "ca_pem": ca,
        "event_types": {"EMM": ["endpoint.status"]}, "header_name": "X-Key"});
    let answer = office.change(&id, but(body.clone(), every)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let changes = office.last_changes().await;
    let mut fields: Vec<_> = changes.keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "ca_pem",
            "enabled",
            "event_types",
            "format",
            "header_name",
            "host",
            "min_severity",
            "name",
            "path",
            "port"
        ]
    );
    assert_eq!(changes["port"], json!({"field": "port", "from": 443, "to": 8443}));
    let record = office.trail().await.pop().unwrap();
    assert_eq!(record["entity"], json!({"kind": "siem_destination", "id": id}));
}

#[tokio::test]
async fn without_the_key_service_nothing_is_kept() {
    let office = Office::new().await;
    let id = office.made_id(body("splunk_hec")).await;
    office.world.sealer.set_down(true);
    let made = office.send(CREATE, body("webhook")).await;
    assert_eq!(made.status, 503, "{}", made.text);
    let changed = office.change(&id, body("splunk_hec")).await;
    assert_eq!(changed.status, 503);
    assert_eq!(office.get(READ, &id).await.status, 200, "reading needs no secret");
    assert_eq!(office.actions().await, ["siem.create"]);
}

/// What the receiver hears of a test.
async fn heard(office: &Office, id: &str, token: Option<&str>) -> (Value, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let resolver = Arc::new(FixedResolver(vec!["127.0.0.1".parse().unwrap()]));
    let app = office.connected(resolver, Reach::LocalStack);
    let receiver = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut head = [0; 64];
        let read = tcp.read(&mut head).await.unwrap();
        let _ = tcp.shutdown().await;
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    let asked = but(body("splunk_hec"), json!({"port": port, "token": token}));
    let answer = office.about(TEST_UNSAVED, id).json(asked).of(&app).await;
    let text = if answer.status == 200 { receiver.await.unwrap() } else { String::new() };
    (answer.json, text)
}

/// Whoever could name another port of the same host would be shown the token otherwise.
#[tokio::test]
async fn a_test_of_unsaved_settings_uses_no_stored_secret() {
    let office = Office::new().await;
    let id = office.made_id(body("splunk_hec")).await;
    let (answer, text) = heard(&office, &id, None).await;
    assert_eq!(answer["errors"][0]["pointer"], "/token");
    assert_eq!(answer["errors"][0]["code"], "required");
    assert_eq!(text, "");
    let (answer, text) = heard(&office, &id, Some("given")).await;
    assert_eq!(answer["confirmed"], false, "it speaks no TLS");
    assert!(text.starts_with('\u{16}') && !text.contains("given"), "only by TLS: {text:?}");
}
