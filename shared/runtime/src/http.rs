//! Runs a function behind the REST API: every answer gets its request id and CORS headers, every
//! error becomes a problem, and the log hears of it once.

use crate::authenticate::Authenticator;
use belfry_api::{Body, Problem, Request, Response, request};
use http::HeaderValue;
use lambda_http::{Error, service_fn};
use std::future::Future;
use tracing::Instrument as _;

/// What an HTTP function is made of: one route in, one answer or problem out.
pub trait Routes: Send + Sync + 'static {
    /// Answers `route` (`"POST /users/{id}"`, as in template.yaml).
    fn answer(
        &self,
        route: &str,
        request: &Request,
    ) -> impl Future<Output = Result<Response<Body>, Problem>> + Send;

    /// Who knows the people that ask, and writes down what they were denied; none where nobody does.
    fn authenticator(&self) -> Option<&Authenticator> {
        None
    }
}

/// Serves until the runtime ends. `origin` is the one allowed CORS origin.
///
/// # Errors
/// What the runtime reports.
pub async fn serve(routes: impl Routes, origin: String) -> Result<(), Error> {
    let origin = HeaderValue::from_str(&origin)?;
    let (routes, origin) = (&routes, &origin);
    lambda_http::run(service_fn(move |request: Request| async move {
        Ok::<_, Error>(with_its_bom(respond(routes, origin, &request).await))
    }))
    .await
}

/// The answer as `lambda_http` has to get it: on its way out it decodes every text, which takes one byte
/// order mark away, and spreadsheets need theirs.
fn with_its_bom(response: Response<Body>) -> Response<Body> {
    const BOM: char = '\u{feff}';
    response.map(|body| match body {
        Body::Text(text) if text.starts_with(BOM) => Body::Text(format!("{BOM}{text}")),
        body => body,
    })
}

/// One request, from the gateway's event to its answer.
pub async fn respond(
    routes: &impl Routes,
    origin: &HeaderValue,
    request: &Request,
) -> Response<Body> {
    let route = request::route(request);
    let id = request::request_id(request);
    let span = tracing::info_span!("request", request.id = %id, route = %route);
    // Boxed: the state of all routes' steps together is too much for a stack.
    let answer = Box::pin(routes.answer(&route, request));
    let mut response = match answer.instrument(span.clone()).await {
        Ok(response) => response,
        Err(problem) => {
            if let (Some(denial), Some(door)) = (problem.denial(), routes.authenticator()) {
                door.note_denial(denial, request).instrument(span.clone()).await;
            }
            let _entered = span.enter();
            let cause = problem.internal.as_deref().unwrap_or("");
            if problem.status >= 500 {
                tracing::error!(problem.status = problem.status, problem.code, cause, "problem");
            } else {
                tracing::info!(problem.status = problem.status, problem.code, cause, "problem");
            }
            problem.response(&id)
        }
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", id);
    }
    headers.insert("access-control-allow-origin", origin.clone());
    headers.insert("access-control-allow-credentials", HeaderValue::from_static("true"));
    headers.insert("vary", HeaderValue::from_static("Origin"));
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    response
}
