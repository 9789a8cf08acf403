//! What every error of a use case can say about itself, so that one conversion (in `api`) answers
//! for all of them.

use crate::policy::Denial;
use std::error::Error;

/// Which kind of failure an error is. `api` alone maps a kind to an HTTP status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The request cannot be read at all (400).
    Malformed,
    /// Nobody known, or no longer known, is asking (401).
    Unauthenticated,
    /// Known, seen, and not allowed (403).
    Forbidden,
    /// No such thing, or another tenant's (404).
    NotFound,
    /// The present state does not permit it (409).
    Conflict,
    /// It was there and its time is over (410).
    Gone,
    /// Over a size limit (413).
    TooLarge,
    /// A media type that is not taken (415).
    UnsupportedMediaType,
    /// Read and understood, but at least one field breaks a rule (422).
    Invalid,
    /// The second factor is locked (423).
    Locked,
    /// Too often; may be tried again after so many seconds (429).
    Throttled {
        /// Seconds to wait.
        retry_after: u32,
    },
    /// Something we depend on does not answer; may be tried again after so many seconds (503).
    Unavailable {
        /// Seconds to wait.
        retry_after: u32,
    },
    /// Our own fault (500); the answer says nothing about the inside.
    Internal,
}

/// One faulty field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Where, as a JSON pointer (RFC 6901) into the body, or `?name` for a query parameter.
    pub pointer: String,
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// One English sentence, safe for the public.
    pub detail: String,
}

impl FieldError {
    /// A faulty field at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}

/// Most characters that an answer repeats of a key.
const MOST_KEY: usize = 64;

/// A key as a token of a JSON pointer (RFC 6901, section 3), cut where nobody reads on.
pub fn pointer_token(key: &str) -> String {
    let key: String = key.chars().take(MOST_KEY).collect();
    key.replace('~', "~0").replace('/', "~1")
}

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Name of the rule.
    pub policy: &'static str,
    /// So many times.
    pub quota: u32,
    /// In so many seconds.
    pub window: u32,
}

/// An error of a use case. `Display` is safe for the public; `source()` is for the log.
pub trait Failure: Error {
    /// Which kind it is.
    fn kind(&self) -> FailureKind;
    /// Stable machine-readable code, `snake_case`.
    fn code(&self) -> &'static str;
    /// Every faulty field at once; empty when the failure is not about fields.
    fn fields(&self) -> &[FieldError] {
        &[]
    }
    /// What was denied, when it was a matter of rights.
    fn denial(&self) -> Option<Denial> {
        None
    }
    /// The rule, when it was too often.
    fn rate_limit(&self) -> Option<RateLimit> {
        None
    }
}

/// Why a text is not a value of some type; `Display` says it to the person who typed it.
pub trait FieldFault: std::fmt::Display {
    /// Stable, `snake_case`.
    fn code(&self) -> &'static str {
        "invalid"
    }
}
