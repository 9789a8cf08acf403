//! The product's API, as any client uses it.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::backoffice::{refusal, text_at};
use crate::failure::{Doing, Failure, Result};

/// Tries for a request that the service asks to repeat.
const TRIES: u32 = 6;

/// The API of one stack.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    api: String,
}

impl Client {
    pub(crate) fn new(api: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_mins(1)).build();
        Ok(Self { http: http.doing("set up HTTP")?, api: api.to_owned() })
    }

    /// Sets the first password with the token of an activation mail.
    pub(crate) async fn activate(&self, token: &str, password: &str) -> Result<()> {
        let body = json!({"token": token, "password": password});
        self.post("/auth/activation", &body).await.map(drop)
    }

    /// Logs in and gives an access token, good for five minutes.
    pub(crate) async fn log_in(&self, email: &str, password: &str) -> Result<String> {
        let body = json!({"email": email, "password": password});
        let answer = self.post("/auth/login", &body).await?;
        text_at(&answer, "/access_token").map_err(|failure| {
            failure.next("The account asks for a second factor, which this tool does not have.")
        })
    }

    /// Makes a product credential and gives its secret.
    pub(crate) async fn create_credential(&self, token: &str, product: &str) -> Result<String> {
        let path = format!("/products/{product}/credentials");
        let request = self.http.post(self.url(&path)).bearer_auth(token).json(&json!({}));
        text_at(&answer(&path, request).await?, "/secret")
    }

    /// Posts a batch of telemetry; a repeat is safe, so it is repeated when the service asks.
    pub(crate) async fn send(&self, secret: &str, batch: &belfry_demo::Batch) -> Result<Value> {
        let request = self
            .http
            .post(self.url("/telemetry"))
            .header(AUTHORIZATION, format!("Bearer {secret}"))
            .header(CONTENT_TYPE, "application/cloudevents-batch+json")
            .header("Idempotency-Key", &batch.idempotency_key)
            .body(batch.body.clone());
        answer("/telemetry", request).await
    }

    /// The dashboard for one period.
    pub(crate) async fn dashboard(&self, token: &str, period: &str) -> Result<Value> {
        // A bare plus (30d+) means a space in a query.
        let url = format!("{}?period={}", self.url("/dashboard"), period.replace('+', "%2B"));
        // Looking is no activity: it keeps no session open.
        answer("/dashboard", self.http.get(url).bearer_auth(token).header("X-Background", "1"))
            .await
    }

    /// Any JSON document by its full address.
    pub(crate) async fn json(&self, url: &str) -> Result<Value> {
        answer(url, self.http.get(url)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        answer(path, self.http.post(self.url(path)).json(body)).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.api)
    }
}

/// Sends a request, again when the answer is 429 or 503, and reads the answer.
async fn answer(what: &str, request: RequestBuilder) -> Result<Value> {
    for attempt in 1.. {
        let again =
            request.try_clone().ok_or_else(|| Failure::new("a request cannot be repeated"))?;
        let response = again.send().await.doing(what)?;
        let status = response.status();
        let busy =
            [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
        if busy && attempt < TRIES {
            tokio::time::sleep(wait(&response)).await;
            continue;
        }
        let bytes = response.bytes().await.doing(what)?;
        let body: Value = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).doing(format!("{what}: read the answer ({status})"))?
        };
        if status.is_success() {
            return Ok(body);
        }
        return Err(refusal(&format!("{what} answered {status}"), &body));
    }
    Err(Failure::new(format!("{what}: no answer")))
}

/// What `Retry-After` asks for, at most 10 s.
fn wait(response: &Response) -> Duration {
    let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let seconds = header.and_then(|value| value.parse().ok()).unwrap_or(1);
    Duration::from_secs(std::cmp::Ord::min(seconds, 10))
}
