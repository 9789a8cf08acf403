//! Schemas of SIEM destinations and of the log for those that ask for it.

use super::{
    closed, count, error, flag, id, list, named, nullable, number, object, one_of, page, reference,
    secret, step, text, time,
};
use belfry_domain::siem::destination::{Framing, Transport};
use belfry_domain::siem::format::Format;
use belfry_domain::siem::record::{RecordType, Source};
use belfry_domain::telemetry::event::Severity;
use serde_json::{Map, Value, json};

fn source() -> Value {
    one_of(Source::ALL.map(Source::name))
}

fn event_type() -> Value {
    one_of(RecordType::ALL.map(RecordType::name))
}

fn stream() -> Value {
    json!({"type": "string", "pattern": "^(EPP|EMM|DATA_PRIVACY|ZTNA|CONSOLE)/[0-9]+$"})
}

fn selection() -> Value {
    json!({"type": "object", "propertyNames": source(), "additionalProperties": list(event_type()),
        "description": "What is sent, by source."})
}

fn severity() -> Value {
    one_of(Severity::ALL.map(Severity::name))
}

/// Why something failed.
/// How a destination does.
fn state() -> Vec<(&'static str, Value)> {
    vec![
        ("state", one_of(["off", "healthy", "retrying", "suspended"])),
        ("failing_since", nullable(time())),
        ("next_attempt_at", nullable(time())),
        ("last_confirmed_at", nullable(time())),
        ("last_error", nullable(object([("code", text()), ("detail", text()), ("at", time())]))),
    ]
}

/// What clients send.
fn settings() -> Vec<(&'static str, Value)> {
    let pem =
        |what: &str| json!({"type": ["string", "null"], "description": format!("{what} (PEM).")});
    vec![
        ("name", json!({"type": "string", "minLength": 1, "maxLength": 80})),
        ("enabled?", json!({"type": "boolean", "default": true})),
        ("transport", one_of(Transport::ALL.map(Transport::name))),
        (
            "framing?",
            json!({"enum": [Framing::OctetCounting.name(), Framing::Lf.name(), null],
                "description": "How messages of syslog_tcp are kept apart; default octet_counting."}),
        ),
        (
            "host?",
            json!({"type": ["string", "null"], "description":
                "A name or an address of the public network; none of a pull destination."}),
        ),
        (
            "port?",
            json!({"type": ["integer", "null"], "description":
                "443, 601, 1514, 6514, 8088, 8443, 9200 or above 10000; the transport's own when absent."}),
        ),
        ("path?", json!({"type": ["string", "null"], "description": "Of splunk_hec and webhook."})),
        ("format", one_of(Format::ALL.map(Format::name))),
        ("event_types", selection()),
        ("min_severity?", nullable_of(severity())),
        ("ca_pem?", pem("The only certificate authorities that are trusted")),
        ("client_certificate_pem?", pem("What is shown to the receiver")),
        ("client_key_pem?", nullable(secret("Key of the client certificate (PEM)."))),
        (
            "token?",
            nullable(secret(
                "Splunk's token; the key of a webhook's signature, made here when absent.",
            )),
        ),
        ("header_name?", json!({"type": ["string", "null"], "description": "Of webhook."})),
        ("header_value?", nullable(secret("What the header says."))),
    ]
}

fn nullable_of(mut names: Value) -> Value {
    if let Some(names) = names.get_mut("enum").and_then(Value::as_array_mut) {
        names.push(Value::Null);
    }
    names
}

/// What answers show.
fn destination() -> Vec<(&'static str, Value)> {
    let mut attributes = vec![
        ("id", id("dst")),
        ("name", text()),
        ("enabled", flag()),
        ("transport", one_of(Transport::ALL.map(Transport::name))),
        ("framing", nullable_of(one_of(Framing::ALL.map(Framing::name)))),
        ("host", nullable(text())),
        ("port", nullable(number())),
        ("path", nullable(text())),
        ("format", one_of(Format::ALL.map(Format::name))),
        ("event_types", selection()),
        ("min_severity", severity()),
        ("ca_pem", nullable(text())),
        ("client_certificate_pem", nullable(text())),
        ("header_name", nullable(text())),
        ("warnings", list(error())),
        ("created_at", time()),
        ("version", count()),
    ];
    attributes.extend(state());
    attributes
}

fn figures() -> Vec<(&'static str, Value)> {
    ["produced", "confirmed", "refused", "skipped", "expired", "backlog"]
        .map(|name| (name, count()))
        .into()
}

fn statistics() -> Value {
    let of_stream =
        [("stream", stream()), ("start", count()), ("cursor", count()), ("last", count())];
    let parked = object([
        ("stream", stream()),
        ("sequence", number()),
        ("id", nullable(text())),
        ("code", text()),
        ("detail", text()),
        ("at", time()),
    ]);
    let mut attributes = state();
    attributes.extend([
        ("totals", object(figures())),
        ("sent", count()),
        ("replayed", count()),
        ("replaying", count()),
        ("backlog_since", nullable(time())),
        ("streams", list(object(of_stream.into_iter().chain(figures())))),
        ("parked", list(parked)),
    ]);
    object(attributes)
}

fn test() -> Value {
    object([
        ("confirmed", flag()),
        ("event_id", id("aud")),
        ("steps", list(step())),
        ("error", nullable(error())),
    ])
}

pub(super) fn schemas() -> Map<String, Value> {
    let mut changed = settings();
    changed.push(("version", count()));
    let mut made = destination();
    made.push(("token?", secret("Made here, and shown this once.")));
    let streams =
        object([("stream", stream()), ("first_sequence", number()), ("last_sequence", count())]);
    let event = object([("sequence", number()), ("record", json!({"type": ["object", "string"]}))]);
    let events =
        object([("items", list(event)), ("next_after", count()), ("last_sequence", count())]);
    let sample = object([
        ("source", source()),
        ("event_type", event_type()),
        ("selected", flag()),
        ("rendered", text()),
    ]);
    let span =
        object([("stream", stream()), ("from_sequence", number()), ("to_sequence", number())]);
    // Optional as of a change, in which the version is needed.
    let mut created = settings();
    created.push(("version?", nullable(count())));
    named([
        (
            "EventTypePage",
            page(object([("source", source()), ("event_types", list(event_type()))])),
        ),
        ("CreateDestination", closed(created)),
        ("ChangeDestination", closed(changed)),
        ("Destination", object(destination())),
        ("NewDestination", object(made)),
        ("DestinationPage", page(reference("Destination"))),
        ("DestinationTest", test()),
        ("PreviewPage", page(sample)),
        (
            "Replay",
            closed([
                ("stream?", nullable(stream())),
                ("from_sequence?", nullable(number())),
                ("from?", nullable(time())),
            ]),
        ),
        ("ReplayPage", page(span)),
        ("DestinationStatistics", statistics()),
        ("Events", json!({"anyOf": [events, page(streams)]})),
    ])
}
