//! Answers that are not problems.

use lambda_http::{Body, Response};
use serde::Serialize;

/// JSON with this status.
pub fn json<T: Serialize>(status: u16, value: &T) -> Response<Body> {
    match serde_json::to_string(value) {
        Ok(text) => Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .header("cache-control", "no-store")
            .body(Body::from(text))
            .unwrap_or_default(),
        Err(error) => crate::Problem::internal(&error).response(""),
    }
}

/// 200 with JSON.
pub fn ok<T: Serialize>(value: &T) -> Response<Body> {
    json(200, value)
}

/// 201 with JSON.
pub fn created<T: Serialize>(value: &T) -> Response<Body> {
    json(201, value)
}

/// 200 with a CSV file (RFC 4180) to be saved under `name`.
pub fn csv(name: &str, text: impl Into<String>) -> Response<Body> {
    Response::builder()
        .status(200)
        .header("content-type", "text/csv; charset=utf-8")
        .header("content-disposition", format!("attachment; filename=\"{name}\""))
        .body(Body::from(text.into()))
        .unwrap_or_default()
}

/// 204.
pub fn no_content() -> Response<Body> {
    Response::builder().status(204).body(Body::Empty).unwrap_or_default()
}

/// A time as answers write it: RFC 3339, UTC, milliseconds, as precise as what is stored.
pub fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
