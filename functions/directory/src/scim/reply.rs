//! Bodies in and out of the SCIM server.

use crate::view::SCIM;
use belfry_api::{Body, Problem, Request, Response, request};
use belfry_domain::directory::engine::Conflict;
use belfry_domain::scim::answer::{Page, Projection};
use belfry_domain::scim::filter::Filter;
use belfry_domain::scim::schema::ResourceKind;
use belfry_domain::scim::{MEDIA_TYPE, ScimError, ScimType};
use belfry_runtime::directory::Failed;
use belfry_runtime::log::whole;
use lambda_http::RequestExt as _;
use serde_json::Value;

/// Largest body, in bytes: a group with 15,000 members has some 2 MB.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The URL under which the endpoints lie.
pub(super) fn base(request: &Request) -> String {
    format!("{}{SCIM}", request::base(request))
}

/// The answer to what was asked: every error becomes a SCIM one, and the log hears of it.
pub(super) fn reply(done: Result<Reply, Failed>) -> Response<Body> {
    let done = match done {
        Ok(reply) => reply,
        Err(failed) => failure(failed),
    };
    let Reply { status, body, location, retry_after } = done;
    let mut response = Response::builder().status(status).header("content-type", MEDIA_TYPE);
    if let Some(location) = location {
        response = response.header("location", location);
    }
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    if status == 401 {
        response = response.header("www-authenticate", "Bearer");
    }
    let body = body.map_or(Body::Empty, |body| Body::from(body.to_string()));
    response.body(body).unwrap_or_default()
}

/// An answer.
pub(super) struct Reply {
    status: u16,
    body: Option<Value>,
    location: Option<String>,
    retry_after: Option<u32>,
}

impl Reply {
    /// 200 with a body.
    pub(super) fn ok(body: impl Into<Value>) -> Self {
        Self { status: 200, body: Some(body.into()), location: None, retry_after: None }
    }

    /// 201 with what was made, and where it is.
    pub(super) fn created(body: Value) -> Self {
        let location = body.pointer("/meta/location").and_then(Value::as_str).map(str::to_owned);
        Self { status: 201, location, ..Self::ok(body) }
    }

    /// 204.
    pub(super) const fn no_content() -> Self {
        Self { status: 204, body: None, location: None, retry_after: None }
    }
}

/// 404, for another directory's too.
pub(super) fn not_found(kind: ResourceKind) -> Failed {
    ScimError::of_status(404, format!("there is no such {}", kind.name().to_lowercase())).into()
}

fn failure(failed: Failed) -> Reply {
    let cause = whole(&failed);
    let (error, retry_after) = match failed {
        Failed::Scim(error) => (error, None),
        Failed::Conflict(conflict) => {
            let kind = match conflict {
                Conflict::Taken | Conflict::OtherDirectory => ScimType::Uniqueness,
                Conflict::SuperAdmin => ScimType::Mutability,
            };
            (ScimError::new(kind, conflict.to_string()), None)
        }
        // Not 507 or 503: a client would try them again and again, and only an administrator helps.
        Failed::Limit => (ScimError::of_status(403, failed.to_string()), None),
        Failed::Busy | Failed::More => (ScimError::of_status(503, failed.to_string()), Some(1)),
        Failed::NotNow(error) => told(error.into()),
        Failed::Store(error) => told(error.into()),
        Failed::Mail(problem) => told(*problem),
        Failed::Seal(error) => told(error.into()),
    };
    if error.status >= 500 {
        tracing::error!(problem.status = error.status, cause, "SCIM error");
    } else {
        let keyword = error.scim_type.map_or("", ScimType::keyword);
        tracing::info!(problem.status = error.status, problem.code = keyword, "SCIM error");
    }
    let body = Some(error.body());
    Reply { status: error.status, body, location: None, retry_after }
}

/// A problem of the house as a SCIM client is told.
fn told(problem: Problem) -> (ScimError, Option<u32>) {
    let detail = match problem.status {
        500 => "something went wrong on our side".to_owned(),
        _ => problem.detail,
    };
    (ScimError::of_status(problem.status, detail), problem.retry_after)
}

/// The JSON body, sent as SCIM's media type or as plain JSON, as Okta does.
///
/// # Errors
/// 415, 413; `invalidSyntax` for what is not JSON.
pub(super) fn body(request: &Request) -> Result<Value, ScimError> {
    let media = request.headers().get("content-type").and_then(|value| value.to_str().ok());
    let media = media.and_then(|media| media.split(';').next()).unwrap_or_default().trim();
    if ![MEDIA_TYPE, "application/json"].iter().any(|known| media.eq_ignore_ascii_case(known)) {
        return Err(ScimError::of_status(415, format!("send {MEDIA_TYPE}")));
    }
    let bytes: &[u8] = request.body();
    if bytes.len() > MOST_BYTES {
        return Err(ScimError::of_status(413, format!("a body has at most {MOST_BYTES} bytes")));
    }
    serde_json::from_slice(bytes)
        .map_err(|_| ScimError::new(ScimType::InvalidSyntax, "the body is not JSON"))
}

/// What is asked of a list, or of one resource.
pub(super) struct Wanted {
    pub(super) filter: Option<Filter>,
    pub(super) page: Page,
    pub(super) projection: Projection,
}

impl Wanted {
    /// Reads the query parameters; those that the protocol does not know are passed over.
    pub(super) fn of(kind: ResourceKind, request: &Request) -> Result<Self, ScimError> {
        let query = request.query_string_parameters_ref();
        Self::read(kind, |name| query.and_then(|query| query.first(name)).map(str::to_owned))
    }

    /// Reads the body of a search (RFC 7644, section 3.4.3), in which the same stands.
    pub(super) fn of_search(kind: ResourceKind, body: &Value) -> Result<Self, ScimError> {
        Self::read(kind, |name| match body.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Array(names) => {
                Some(names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))
            }
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }

    fn read(kind: ResourceKind, text: impl Fn(&str) -> Option<String>) -> Result<Self, ScimError> {
        let filter = text("filter").filter(|text| !text.trim().is_empty());
        let (attributes, excluded) = (text("attributes"), text("excludedAttributes"));
        Ok(Self {
            filter: filter.map(|text| Filter::parse(kind, &text)).transpose()?,
            page: Page::parse(text("startIndex").as_deref(), text("count").as_deref())?,
            projection: Projection::parse(kind, attributes.as_deref(), excluded.as_deref())?,
        })
    }

    /// Whether anything of an attribute is needed: for the answer, or to know who is wanted.
    pub(super) fn needs(&self, attribute: &str) -> bool {
        let of_filter = self.filter.as_ref().map(ToString::to_string).unwrap_or_default();
        self.projection.includes(attribute) || of_filter.contains(attribute)
    }
}
