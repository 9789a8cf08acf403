//! What the server says about itself.

use super::client::Client;
use super::reply::{Reply, base, reply};
use crate::App;
use belfry_api::{Body, Request, Response};
use belfry_domain::scim::{ScimError, discovery};
use belfry_runtime::directory::Failed;
use lambda_http::RequestExt as _;
use serde_json::Value;

pub(super) async fn config(app: &App, request: &Request) -> Response<Body> {
    said(app, request, |base, _| Some(discovery::service_provider_config(base))).await
}

pub(super) async fn resource_types(app: &App, request: &Request) -> Response<Body> {
    said(app, request, |base, _| Some(discovery::resource_types(base))).await
}

pub(super) async fn resource_type(app: &App, request: &Request) -> Response<Body> {
    said(app, request, |base, name| discovery::resource_type(name, base)).await
}

pub(super) async fn schemas(app: &App, request: &Request) -> Response<Body> {
    said(app, request, |base, _| Some(discovery::schemas(base))).await
}

pub(super) async fn schema(app: &App, request: &Request) -> Response<Body> {
    said(app, request, |base, id| discovery::schema(id, base)).await
}

async fn said(
    app: &App,
    request: &Request,
    of: impl Fn(&str, &str) -> Option<Value>,
) -> Response<Body> {
    let done = async {
        Client::of(app, request).await?;
        let name = request.path_parameters_ref().and_then(|path| path.first("id"));
        let found = of(&base(request), name.unwrap_or_default());
        let found =
            found.ok_or_else(|| Failed::from(ScimError::of_status(404, "there is no such thing")));
        Ok(Reply::ok(found?))
    };
    reply(done.await)
}

/// What there is only to be read.
pub(super) async fn read_only(app: &App, request: &Request) -> Response<Body> {
    refused(app, request, 405, "this is only read").await
}

/// What there is not.
pub(super) async fn unknown(app: &App, request: &Request) -> Response<Body> {
    refused(app, request, 404, "there is no such endpoint").await
}

async fn refused(app: &App, request: &Request, status: u16, detail: &str) -> Response<Body> {
    let done = async {
        Client::of(app, request).await?;
        Err(ScimError::of_status(status, detail).into())
    };
    reply(done.await)
}
