//! Those who call the API. Every answer that passes here is checked for what every answer must
//! have, so no test needs to say it again.

use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::stack::Stack;

/// The media type of a batch.
pub(crate) const BATCH: &str = "application/cloudevents-batch+json";

/// Somebody at the API: anonymous, an administrator with an access token, or a product with its
/// credential.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    stack: Arc<Stack>,
    http: reqwest::Client,
    bearer: Option<String>,
}

impl Actor {
    /// Nobody known.
    pub(crate) fn anon(stack: &Arc<Stack>) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        Self { stack: Arc::clone(stack), http: http.unwrap(), bearer: None }
    }

    /// The same with an access token or a product credential.
    pub(crate) fn bearing(&self, token: &str) -> Self {
        Self { bearer: Some(token.to_owned()), ..self.clone() }
    }

    pub(crate) fn bearer(&self) -> &str {
        self.bearer.as_deref().unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Posts a batch as its batch id, or without one.
    pub(crate) async fn report(&self, batch_id: Option<&str>, body: impl Into<Vec<u8>>) -> Answer {
        let mut request = self.request(Method::POST, "/telemetry").header("content-type", BATCH);
        if let Some(id) = batch_id {
            request = request.header("idempotency-key", id);
        }
        self.send(request.body(body.into())).await
    }

    /// Where the API is.
    pub(crate) fn url(&self) -> &str {
        &self.stack.api
    }

    /// A request to be dressed up by the test.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.stack.api));
        match &self.bearer {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let what = format!("{} {}", request.method(), request.url().path());
        let response = self.http.execute(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.unwrap().to_vec();
        let answer = Answer { what, status, headers, body };
        answer.check();
        answer
    }
}

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    what: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The body as it came.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        self.json()
    }

    /// The body of a problem that must have this status and code.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str) -> Value {
        let problem = self.is(status);
        assert_eq!(problem["code"], code, "{self}");
        problem
    }

    /// The pointers of the faulty fields of a 422, sorted, each once.
    #[track_caller]
    pub(crate) fn faulty_fields(&self) -> Vec<String> {
        pointers(&self.is(422)["errors"])
    }

    /// What every answer must have.
    fn check(&self) {
        assert!(!self.header("x-request-id").is_empty(), "no X-Request-Id: {self}");
        assert!(self.header("access-control-allow-origin").starts_with("http"), "CORS: {self}");
        assert_eq!(self.header("access-control-allow-credentials"), "true", "CORS: {self}");
        if !self.body.is_empty() {
            assert_eq!(self.header("cache-control"), "no-store", "{self}");
        }
        if self.header("content-type") == "application/scim+json" {
            self.check_scim();
        } else if self.status >= 400 {
            self.check_problem();
        }
    }

    /// RFC 7644, section 3.12.
    fn check_scim(&self) {
        let body = self.json();
        let schemas = body["schemas"].as_array().map_or(0, Vec::len);
        assert!(schemas > 0, "no schemas: {self}");
        if self.status >= 400 {
            assert_eq!(body["status"], self.status.to_string(), "{self}");
            assert!(body["detail"].is_string(), "no detail: {self}");
        }
    }

    /// RFC 9457, with what this API adds.
    fn check_problem(&self) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self}");
        let problem = self.json();
        for field in ["type", "title", "detail", "instance", "code"] {
            let text = problem[field].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "the problem has no {field}: {self}");
        }
        assert_eq!(problem["status"], self.status, "{self}");
        assert_eq!(problem["instance"], self.header("x-request-id"), "{self}");
        let snake = |code: &str| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(snake(problem["code"].as_str().unwrap()), "{self}");
        for error in problem["errors"].as_array().into_iter().flatten() {
            for field in ["pointer", "code", "detail"] {
                assert!(error[field].is_string(), "an error has no {field}: {self}");
            }
        }
        if [429, 503].contains(&self.status) {
            assert!(self.header("retry-after").parse::<u32>().is_ok(), "no Retry-After: {self}");
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        let short: String = body.chars().take(2_000).collect();
        write!(f, "{} answered {} {:?}\n{short}", self.what, self.status, self.headers)
    }
}

/// The pointers of a list of errors, sorted, each once.
pub(crate) fn pointers(errors: &Value) -> Vec<String> {
    let errors = errors.as_array().into_iter().flatten();
    let mut pointers: Vec<_> =
        errors.map(|error| error["pointer"].as_str().unwrap().to_owned()).collect();
    pointers.sort();
    pointers.dedup();
    pointers
}
