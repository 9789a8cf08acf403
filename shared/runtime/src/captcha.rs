//! Asks a captcha's provider whether somebody is a person, by the field's common `siteverify` call.

use belfry_domain::failure::{Failure, FailureKind};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, header};
use http_body_util::BodyExt as _;
use http_body_util::{Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use std::error::Error;
use std::time::Duration;

/// In so long the provider has answered, or it counts as down.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of an answer that are read.
const MOST_ANSWER: usize = 64 * 1024;

/// A captcha's answer on its way to the provider.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Where the provider is asked.
    pub verify_url: &'a str,
    /// What we show to it.
    pub secret: &'a str,
    /// What the person's browser was given.
    pub response: &'a str,
    /// From where the person comes.
    pub remote_address: Option<&'a str>,
}

/// Why there is no answer: then nobody gets in.
#[derive(Debug, thiserror::Error)]
#[error("the captcha cannot be checked at the moment")]
pub struct CaptchaUnavailable(#[source] Box<dyn Error + Send + Sync>);

impl CaptchaUnavailable {
    /// With what happened, for the log.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl Failure for CaptchaUnavailable {
    fn kind(&self) -> FailureKind {
        FailureKind::Unavailable { retry_after: 30 }
    }
    fn code(&self) -> &'static str {
        "captcha_unavailable"
    }
}

/// Tells people from machines.
pub trait Verifier: Send + Sync {
    /// Whether the provider says that it is a person.
    fn is_person<'a>(
        &'a self,
        question: Question<'a>,
    ) -> BoxFuture<'a, Result<bool, CaptchaUnavailable>>;
}

/// Asks over HTTPS. Trusts Mozilla's roots, as providers are anybody's.
#[derive(Debug, Clone)]
pub struct SiteVerify(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl SiteVerify {
    /// Makes no call: whom to ask is said with each question.
    ///
    /// # Errors
    /// [`CaptchaUnavailable`] when the TLS library refuses its own defaults.
    pub fn new() -> Result<Self, CaptchaUnavailable> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(CaptchaUnavailable::new)?
            // Plain only on a local stack: the back office takes no such address elsewhere.
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(https)))
    }

    async fn ask(&self, question: Question<'_>) -> Result<bool, CaptchaUnavailable> {
        let request = Request::post(question.verify_url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(Full::new(Bytes::from(form(question))))
            .map_err(CaptchaUnavailable::new)?;
        let answer = self.0.request(request).await.map_err(CaptchaUnavailable::new)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(CaptchaUnavailable::new(format!("the provider answered {status}")));
        }
        let body = Limited::new(answer.into_body(), MOST_ANSWER).collect().await;
        read(&body.map_err(CaptchaUnavailable)?.to_bytes())
    }
}

impl Verifier for SiteVerify {
    fn is_person<'a>(
        &'a self,
        question: Question<'a>,
    ) -> BoxFuture<'a, Result<bool, CaptchaUnavailable>> {
        Box::pin(async move {
            let answer = tokio::time::timeout(PATIENCE, self.ask(question)).await;
            answer.map_err(|_| CaptchaUnavailable::new("the provider did not answer in time"))?
        })
    }
}

fn form(Question { secret, response, remote_address, .. }: Question<'_>) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("secret", secret).append_pair("response", response);
    if let Some(address) = remote_address {
        form.append_pair("remoteip", address);
    }
    form.finish()
}

#[derive(Deserialize)]
struct Answer {
    success: bool,
    #[serde(default, rename = "error-codes")]
    error_codes: Vec<String>,
}

/// What the provider says. That it does not know us is our fault and not the person's: then the captcha
/// is down.
fn read(body: &[u8]) -> Result<bool, CaptchaUnavailable> {
    let answer: Answer = serde_json::from_slice(body).map_err(CaptchaUnavailable::new)?;
    let of_person = |code: &String| {
        let of_response = ["missing-input-response", "invalid-input-response"];
        let over = ["timeout-or-duplicate", "expired-input-response", "already-seen-response"];
        of_response.contains(&code.as_str()) || over.contains(&code.as_str())
    };
    match answer.error_codes.iter().find(|code| !of_person(code)) {
        Some(code) if !answer.success => {
            let code: String = code.chars().take(64).collect();
            Err(CaptchaUnavailable::new(format!("the provider refused us: {code}")))
        }
        _ => Ok(answer.success),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_answer_counts() {
        let told = |body: &str| read(body.as_bytes()).ok();
        assert_eq!(told(r#"{"success": true, "hostname": "x"}"#), Some(true));
        assert_eq!(told(r#"{"success": false}"#), Some(false));
        for code in ["invalid-input-response", "timeout-or-duplicate", "missing-input-response"] {
            let body = format!(r#"{{"success": false, "error-codes": ["{code}"]}}"#);
            assert_eq!(told(&body), Some(false), "{code}");
        }
        for bad in [
            "",
            "yes",
            "{}",
            r#"{"success": "true"}"#,
            r#"{"success": false, "error-codes": ["invalid-input-secret"]}"#,
            r#"{"success": false, "error-codes": ["internal-error"]}"#,
        ] {
            assert_eq!(told(bad), None, "{bad}");
        }
    }
}
