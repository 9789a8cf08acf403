//! Reading a request: route, caller's address, body, parameters.

use crate::Problem;
use belfry_domain::failure::{FieldError, pointer_token};
use belfry_domain::language::Language;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// `"POST /users/{id}"`: the same string as in template.yaml and openapi.json.
pub fn route(request: &Request) -> String {
    let resource = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => context.resource_path.clone(),
        _ => None,
    };
    format!("{} {}", request.method(), resource.unwrap_or_default())
}

/// The gateway's id of this request.
pub fn request_id(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => context.request_id.clone(),
        _ => None,
    }
    .unwrap_or_default()
}

/// The URL of the API as the caller reaches it, stage included, without a slash at its end: only ever
/// from the gateway's context, never from a header.
pub fn base(request: &Request) -> String {
    let Some(RequestContext::ApiGatewayV1(context)) = request.request_context_ref() else {
        return String::new();
    };
    let domain = context.domain_name.as_deref().unwrap_or_default();
    // What stands before the resource: the stage, or a custom domain's mapping.
    let path = context.path.as_deref().unwrap_or_default();
    let resource = context.resource_path.as_deref().unwrap_or_default();
    let fixed = resource.split('{').next().unwrap_or_default().trim_end_matches('/');
    let before = path.find(fixed).and_then(|at| path.get(..at)).unwrap_or_default();
    if domain.is_empty() { before.to_owned() } else { format!("https://{domain}{before}") }
}

/// The caller's address: only ever from the gateway's context, never from a header.
pub fn source_address(request: &Request) -> Option<String> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => context.identity.source_ip.clone(),
        _ => None,
    }
}

/// The language that the caller prefers of ours (RFC 9110, section 12.5.4); English when it names none.
pub fn language(request: &Request) -> Language {
    let header = request.headers().get(http::header::ACCEPT_LANGUAGE);
    let header = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut best: Option<(f32, Language)> = None;
    for range in header.split(',').take(MOST_RANGES) {
        let (tag, weight) = match range.split_once(';') {
            Some((tag, weight)) => (tag, weight.trim().strip_prefix("q=").unwrap_or("0")),
            None => (range, "1"),
        };
        let primary = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
        let weight = weight.trim().parse::<f32>().unwrap_or(0.0);
        if let Ok(language) = primary.parse()
            && weight > 0.0
            && best.is_none_or(|(other, _)| weight > other)
        {
            best = Some((weight, language));
        }
    }
    best.map_or(Language::En, |(_, language)| language)
}

/// Ranges of an `Accept-Language` that are looked at.
const MOST_RANGES: usize = 32;

/// The token of `Authorization: Bearer`.
pub fn bearer(request: &Request) -> Option<&str> {
    let header = request.headers().get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The JSON body. Unknown fields are refused by the type (`deny_unknown_fields`).
///
/// # Errors
/// 415 for another media type, 400 for what is not JSON, 422 with the place for a wrong shape.
pub fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    of_media(request, "application/json")?;
    let bytes: &[u8] = request.body();
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        // A type would take its fields by their order.
        let error = FieldError::new("", "invalid", "The body has to be a JSON object.");
        return Err(Problem::invalid(vec![error]));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer(error.path());
        let error = error.into_inner();
        if error.is_data() {
            Problem::invalid(vec![FieldError::new(pointer, "invalid", shape(&error))])
        } else {
            Problem::new(400, "malformed", format!("The body is not JSON: {}", shape(&error)))
        }
    })?;
    json.end().map_err(|_| Problem::new(400, "malformed", "The body goes on after the JSON."))?;
    Ok(value)
}

/// The bytes of a CSV body.
///
/// # Errors
/// 415 for another media type.
pub fn csv(request: &Request) -> Result<&[u8], Problem> {
    of_media(request, "text/csv")?;
    Ok(request.body())
}

fn of_media(request: &Request, wanted: &str) -> Result<(), Problem> {
    let media = request.headers().get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let media = media.and_then(|media| media.split(';').next()).unwrap_or_default().trim();
    if media.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Problem::new(415, "unsupported_media_type", format!("Send {wanted}.")))
}

/// serde's words without the values it quotes from the body: they may be megabytes, or a password.
fn shape(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let Some((found, expected)) = text.rsplit_once(", expected ") else { return text };
    let found = found.split(['"', '`']).next().unwrap_or_default().trim_end();
    format!("{found}, expected {expected}")
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |mut text, segment| {
        text.push('/');
        match segment {
            Segment::Seq { index } => text.push_str(&index.to_string()),
            Segment::Map { key } => text.push_str(&pointer_token(key)),
            Segment::Enum { variant } => text.push_str(variant),
            Segment::Unknown => text.push('?'),
        }
        text
    })
}

/// A path parameter, parsed; what does not parse cannot exist.
///
/// # Errors
/// 404.
pub fn path<T: std::str::FromStr>(request: &Request, name: &str) -> Result<T, Problem> {
    request
        .path_parameters_ref()
        .and_then(|parameters| parameters.first(name))
        .and_then(|text| text.parse().ok())
        .ok_or_else(Problem::not_found)
}

/// Digest of the route and the `Idempotency-Key`, when there is one: 1 to 128 printable characters
/// of ASCII.
///
/// # Errors
/// 400.
pub fn idempotency_digest(request: &Request) -> Result<Option<String>, Problem> {
    let Some(key) = request.headers().get("idempotency-key") else { return Ok(None) };
    let printable = |key: &&str| (1..=128).contains(&key.len()) && !key.contains('\t');
    let key = key.to_str().ok().filter(printable).ok_or_else(|| {
        Problem::new(400, "malformed", "An Idempotency-Key has 1 to 128 printable characters.")
    })?;
    let path = request.uri().path();
    let text = format!("{} {path}\n{key}", request.method());
    Ok(Some(hex::encode(Sha256::digest(text))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::Body;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        #[expect(dead_code, reason = "only read from JSON")]
        name: String,
    }

    fn read(media_type: &str, text: String) -> Result<Wanted, Problem> {
        let request = http::Request::builder().header("content-type", media_type);
        body(&request.body(Body::from(text)).unwrap())
    }

    #[test]
    fn a_media_type_has_no_case() {
        let good = || r#"{"name":"x"}"#.to_owned();
        for media_type in ["application/json", "Application/JSON; charset=utf-8"] {
            assert!(read(media_type, good()).is_ok(), "{media_type}");
        }
        assert_eq!(read("application/json5", good()).unwrap_err().status, 415);
    }

    #[test]
    fn the_language_is_the_preferred_one_of_ours() {
        let of = |header: &str| {
            let request = http::Request::builder().header("accept-language", header);
            language(&request.body(Body::Empty).unwrap())
        };
        for (header, wanted) in [
            ("", Language::En),
            ("ja", Language::Ja),
            ("ko-KR,ko;q=0.9,en;q=0.8", Language::Ko),
            ("de, JA-jp;q=0.5, en;q=0.4", Language::Ja),
            ("en;q=0.1, ko;q=0.2", Language::Ko),
            ("ja;q=0, ko;q=x, fr", Language::En),
            ("*", Language::En),
        ] {
            assert_eq!(of(header), wanted, "{header}");
        }
    }

    #[test]
    fn a_problem_repeats_little_of_the_body() {
        let long = "k, expected \\\"`".repeat(10_000);
        let bodies = [
            (format!("\"{long}\""), "invalid type: string, expected struct Wanted"),
            (format!("{{\"{long}\":1}}"), "unknown field, expected `name`"),
            (r#"{"name":7}"#.to_owned(), "invalid type: integer, expected a string"),
            ("{}".to_owned(), "missing field `name`"),
        ];
        for (text, wanted) in bodies {
            let problem = read("application/json", text).unwrap_err();
            assert_eq!(problem.status, 422);
            let [fault] = &problem.errors[..] else { panic!("{problem:?}") };
            assert!(fault.detail.starts_with(wanted), "{}", fault.detail);
            assert!(fault.detail.len() < 100 && fault.pointer.len() < 100, "{fault:?}");
        }
    }
}
