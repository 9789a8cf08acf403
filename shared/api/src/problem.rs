//! Errors as problem details (RFC 9457). The one place that knows status codes.

use belfry_domain::failure::{Failure, FailureKind, FieldError, RateLimit};
use belfry_domain::policy::Denial;
use lambda_http::{Body, Response};
use serde::Serialize;
use std::error::Error;

/// An error on its way to the client: a public half, and an internal half for the log.
#[derive(Debug)]
pub struct Problem {
    /// HTTP status code.
    pub status: u16,
    /// Stable machine-readable code.
    pub code: &'static str,
    /// What happened, safe for the public.
    pub detail: String,
    /// Every faulty field.
    pub errors: Vec<FieldError>,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u32>,
    /// What few problems have.
    pub extra: Option<Box<Extra>>,
    /// What the log shall say; never sent.
    pub internal: Option<String>,
}

/// What few problems have.
#[derive(Debug, Clone, Default)]
pub struct Extra {
    /// The rule that was broken, when it was too often.
    pub rate_limit: Option<RateLimit>,
    /// What was denied, to be written down; never sent.
    pub denial: Option<Denial>,
    /// A challenge that the client may still answer.
    pub challenge: Option<ChallengeView>,
    /// The present version of what a client knew an older one of.
    pub version: Option<u64>,
    /// How often that which was to be deleted is in use.
    pub count: Option<u64>,
}

#[derive(Serialize)]
struct FieldView<'a> {
    pointer: &'a str,
    code: &'a str,
    detail: &'a str,
}

#[derive(Serialize)]
struct ProblemView<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldView<'a>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    challenge: Option<&'a ChallengeView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

/// A challenge, as clients see it.
#[derive(Debug, Clone, Serialize)]
pub struct ChallengeView {
    /// What to send back.
    pub challenge: String,
    /// For so many seconds.
    pub expires_in: i64,
}

impl Extra {
    fn of(error: &impl Failure) -> Option<Box<Self>> {
        let (rate_limit, denial) = (error.rate_limit(), error.denial());
        let some = rate_limit.is_some() || denial.is_some();
        some.then(|| Box::new(Self { rate_limit, denial, ..Self::default() }))
    }
}

impl<E: Failure> From<E> for Problem {
    fn from(error: E) -> Self {
        let (status, retry_after) = match error.kind() {
            FailureKind::Malformed => (400, None),
            FailureKind::Unauthenticated => (401, None),
            FailureKind::Forbidden => (403, None),
            FailureKind::NotFound => (404, None),
            FailureKind::Conflict => (409, None),
            FailureKind::Gone => (410, None),
            FailureKind::TooLarge => (413, None),
            FailureKind::UnsupportedMediaType => (415, None),
            FailureKind::Invalid => (422, None),
            FailureKind::Locked => (423, None),
            FailureKind::Throttled { retry_after } => (429, Some(retry_after)),
            FailureKind::Internal => (500, None),
            FailureKind::Unavailable { retry_after } => (503, Some(retry_after)),
        };
        Self {
            status,
            code: error.code(),
            detail: sentence(&error.to_string()),
            errors: error.fields().to_vec(),
            retry_after,
            extra: Extra::of(&error),
            internal: chain(error.source()),
        }
    }
}

/// An error's text as people write it: errors begin small and end without a stop, so that they can
/// stand in the middle of others.
pub fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(char::to_uppercase).into_iter().flatten();
    let stop = if text.ends_with(['.', '!', '?']) || text.is_empty() { "" } else { "." };
    first.chain(rest).chain(stop.chars()).collect()
}

/// The whole chain of causes, for the log.
fn chain(mut source: Option<&(dyn Error + 'static)>) -> Option<String> {
    let mut text = String::new();
    while let Some(error) = source {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        source = error.source();
    }
    (!text.is_empty()).then_some(text)
}

impl Problem {
    /// A problem without faulty fields.
    pub fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            extra: None,
            internal: None,
        }
    }

    /// 422 with every faulty field.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(422, "invalid", "Some fields are not valid; see errors.") }
    }

    /// 500: a fault of ours, with its whole chain of causes for the log.
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        let internal = chain(Some(error));
        Self { internal, ..Self::new(500, "internal", "Something went wrong on our side.") }
    }

    /// 503: rivals at the same thing were faster again and again; trying once more is right.
    pub fn busy(detail: &str) -> Self {
        Self { retry_after: Some(1), ..Self::new(503, "busy", detail) }
    }

    /// 409: changed since the client looked.
    pub fn stale(present: u64) -> Self {
        let detail = format!("It was changed meanwhile; the present version is {present}.");
        let extra = Extra { version: Some(present), ..Extra::default() };
        Self { extra: Some(Box::new(extra)), ..Self::new(409, "version_conflict", detail) }
    }

    /// The same with how often that which was to be deleted is in use.
    #[must_use]
    pub fn with_count(self, count: u64) -> Self {
        let extra = Extra { count: Some(count), ..Extra::default() };
        Self { extra: Some(Box::new(extra)), ..self }
    }

    /// The same with a challenge that the client may still answer.
    #[must_use]
    pub fn with_challenge(self, challenge: ChallengeView) -> Self {
        let extra = Extra { challenge: Some(challenge), ..Extra::default() };
        Self { extra: Some(Box::new(extra)), ..self }
    }

    /// What was denied, to be written down.
    pub fn denial(&self) -> Option<&Denial> {
        self.extra.as_ref()?.denial.as_ref()
    }

    /// 403: the vendor lets nobody of the company in.
    pub fn suspended() -> Self {
        Self::new(403, "tenant_suspended", "The company is suspended; ask its vendor.")
    }

    /// 404: unknown, or another tenant's.
    pub fn not_found() -> Self {
        Self::new(404, "not_found", "There is no such resource.")
    }

    /// What kind of problem it is: the status code's reason phrase.
    pub fn title(&self) -> &'static str {
        title(self.status)
    }

    /// The answer to the client; `instance` is the request id.
    pub fn response(&self, instance: &str) -> Response<Body> {
        let extra = self.extra.as_deref();
        let view = ProblemView {
            r#type: "about:blank",
            title: self.title(),
            status: self.status,
            // 5xx says nothing about the inside.
            detail: if self.status == 500 {
                "Something went wrong on our side."
            } else {
                &self.detail
            },
            instance,
            code: self.code,
            errors: self
                .errors
                .iter()
                .map(|e| FieldView { pointer: &e.pointer, code: e.code, detail: &e.detail })
                .collect(),
            challenge: extra.and_then(|extra| extra.challenge.as_ref()),
            version: extra.and_then(|extra| extra.version),
            count: extra.and_then(|extra| extra.count),
        };
        // A struct of strings and numbers always serializes.
        let body = serde_json::to_string(&view).unwrap_or_default();
        let mut builder = Response::builder()
            .status(self.status)
            .header("content-type", "application/problem+json");
        if let Some(seconds) = self.retry_after {
            builder = builder.header("retry-after", seconds);
        }
        // draft-ietf-httpapi-ratelimit-headers: nothing remains for so many seconds.
        if let (Some(RateLimit { policy, quota, window }), Some(seconds)) =
            (extra.and_then(|extra| extra.rate_limit.as_ref()), self.retry_after)
        {
            builder = builder
                .header("ratelimit-policy", format!("\"{policy}\";q={quota};w={window}"))
                .header("ratelimit", format!("\"{policy}\";r=0;t={seconds}"));
        }
        if self.status == 401 {
            builder = builder.header("www-authenticate", "Bearer");
        }
        builder.body(Body::from(body)).unwrap_or_default()
    }
}

/// The status code's reason phrase (RFC 9110), as `title` must be with `about:blank`.
fn title(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Error")
}
