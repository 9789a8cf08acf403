//! `GET /products/{product}/credentials`

use crate::App;
use crate::credential_view::CredentialView;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::policy::Action;
use serde::Serialize;

/// All of them: there are never more than a few.
#[derive(Serialize)]
struct Page<'a> {
    items: Vec<CredentialView<'a>>,
    next_cursor: Option<String>,
}

pub(crate) async fn list_credentials(
    app: &App,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let product = request::path(request, "product")?;
    actor.may(Action::ReadCredentials)?;
    let credentials = app.table.credentials(actor.tenant(), product).await?;
    let items = credentials.iter().map(CredentialView::of).collect();
    Ok(answer::ok(&Page { items, next_cursor: None }))
}
