//! How a client keeps its refresh token: a browser in a cookie that no script can read, every other
//! client wherever it likes.

use belfry_api::{Body, Problem, Request, Response, request};
use belfry_domain::session::{ABSOLUTE_LIFE, RefreshToken};
use http::HeaderValue;
use http::header::{COOKIE, SET_COOKIE};
use serde::Deserialize;

/// `__Host-`: only over HTTPS, only from and to this host, only for the path `/` (RFC 6265bis,
/// section 4.1.3.2).
const COOKIE_NAME: &str = "__Host-belfry-refresh";

/// Where a client keeps its refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// In the cookie. Says so by `X-Belfry-Client: browser`, which no foreign page can send without
    /// asking for leave (CORS) first: without the header the cookie is not looked at.
    Browser,
    /// Wherever it likes; the token travels in the body.
    Other,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefreshBody {
    refresh_token: String,
}

/// The refresh token is missing, unknown or over: one answer.
pub(crate) fn session_over() -> Problem {
    Problem::new(401, "session_over", "The session is over; log in again.")
}

impl Client {
    /// Which kind sends this request.
    pub(crate) fn of(request: &Request) -> Self {
        let browser = request.headers().get("x-belfry-client").is_some_and(|v| v == "browser");
        if browser { Self::Browser } else { Self::Other }
    }

    /// The refresh token of a request whose body is nothing else.
    ///
    /// # Errors
    /// Those of a body; 401 when there is none.
    pub(crate) fn token(self, request: &Request) -> Result<RefreshToken, Problem> {
        let body = match self {
            Self::Browser => None,
            Self::Other => Some(request::body::<RefreshBody>(request)?.refresh_token),
        };
        self.token_beside(request, body.as_deref())
    }

    /// The refresh token of a request: a browser's in its cookie, any other's as its body has it.
    ///
    /// # Errors
    /// 401 when there is none.
    pub(crate) fn token_beside(
        self,
        request: &Request,
        in_body: Option<&str>,
    ) -> Result<RefreshToken, Problem> {
        let shown = match self {
            Self::Browser => cookie(request),
            Self::Other => in_body,
        };
        shown.and_then(|text| text.parse().ok()).ok_or_else(session_over)
    }

    /// What goes into the answer's body.
    pub(crate) fn in_body(self, token: &RefreshToken) -> Option<String> {
        (self == Self::Other).then(|| token.expose_text())
    }

    /// Gives a browser its cookie.
    pub(crate) fn keep(self, token: &RefreshToken, response: &mut Response<Body>) {
        self.set(&token.expose_text(), ABSOLUTE_LIFE.as_secs(), response);
    }

    /// Takes a browser's cookie away.
    pub(crate) fn forget(self, response: &mut Response<Body>) {
        self.set("", 0, response);
    }

    fn set(self, value: &str, max_age: i64, response: &mut Response<Body>) {
        let cookie = format!(
            "{COOKIE_NAME}={value}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={max_age}"
        );
        if let (Self::Browser, Ok(cookie)) = (self, HeaderValue::from_str(&cookie)) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
}

fn cookie(request: &Request) -> Option<&str> {
    request
        .headers()
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE_NAME).then_some(value))
}
