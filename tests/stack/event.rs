//! Events as a point product writes them.

use serde_json::{Value, json};

use crate::stack::{hours_ago, unique};

/// An event of so many hours ago.
pub(crate) fn event(kind: &str, hours: i64, data: &Value) -> Value {
    json!({"specversion": "1.0", "id": unique("event"), "source": "/tests/1", "type": kind,
        "time": hours_ago(hours), "data": data})
}

/// A computer's status.
pub(crate) fn status(id: &str, hours: i64) -> Value {
    event(
        "endpoint.status",
        hours,
        &json!({"endpoint": {"id": id, "kind": "computer",
        "name": format!("{id}.corp"), "os": "Windows", "os_version": "11", "agent_version": "7.1"}}),
    )
}

/// A policy violation of a computer: the event that tests count.
pub(crate) fn violation(id: &str, hours: i64) -> Value {
    event(
        "policy.violated",
        hours,
        &json!({"endpoint": {"id": id, "kind": "computer"},
        "policy": "USB storage", "severity": "high"}),
    )
}

pub(crate) fn batch(events: &[Value]) -> Vec<u8> {
    serde_json::to_vec(events).unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// Where the dashboard counts the events of [`violation`].
pub(crate) const VIOLATIONS: &str = "/violations/policy/events";
