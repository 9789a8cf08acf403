//! The product's API, as any client uses it.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::backoffice::{refusal, text_at};
use crate::demo::now;
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
    pub(crate) async fn log_in(
        &self,
        email: &str,
        password: &str,
        code: Option<&str>,
    ) -> Result<String> {
        let body = json!({"email": email, "password": password});
        let mut answer = self.post("/auth/login", &body).await?;
        if let (Some("two_factor_required"), Some(code)) = (status(&answer), code) {
            let body = json!({"challenge": text_at(&answer, "/challenge")?, "code": code});
            answer = self.post("/auth/two-factor", &body).await?;
        }
        text_at(&answer, "/access_token").map_err(|failure| match status(&answer) {
            Some("two_factor_required") => {
                failure.next("The account asks for a second factor: add --code <six digits>.")
            }
            _ => failure.next("The account has no second factor yet: log in to the console first."),
        })
    }

    /// The first log-in of a new tenant's super admin: enrols the second factor that it asks for, and
    /// then, as a super admin may, requires it no longer.
    pub(crate) async fn first_log_in(&self, email: &str, password: &str) -> Result<()> {
        let body = json!({"email": email, "password": password});
        let offer = self.post("/auth/login", &body).await?;
        if status(&offer) != Some("enrolment_required") {
            return Ok(());
        }
        let code = code(&text_at(&offer, "/secret")?)?;
        let body = json!({"challenge": text_at(&offer, "/challenge")?, "code": code});
        let session = self.post("/auth/two-factor/enrolment", &body).await?;
        let access = text_at(&session, "/access_token")?;
        let path = "/me/two-factor";
        let body = json!({"enabled": false});
        let request = self.http.post(self.url(path)).bearer_auth(access).json(&body);
        answer(path, request).await.map(drop)
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

fn status(answer: &Value) -> Option<&str> {
    answer.get("status").and_then(Value::as_str)
}

/// The code of this moment, as an authenticator app makes it.
fn code(secret: &str) -> Result<String> {
    let secret = totp_rs::Secret::try_from_base32(secret).doing("read the secret")?;
    let app = totp_rs::Builder::new().with_secret(secret.as_ref().to_vec()).build();
    let seconds = u64::try_from(now().as_second()).unwrap_or(0);
    Ok(app.doing("set up an authenticator")?.generate(seconds).to_string())
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
