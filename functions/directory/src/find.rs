//! `GET /identity-providers` and one of them.

use crate::App;
use crate::view::ProviderView;
use belfry_api::page::Query;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::directory::provider::Provider;
use belfry_domain::id::TenantId;
use belfry_domain::policy::Action;
use serde::Serialize;

/// All of them: there are never more than five.
#[derive(Serialize)]
struct Page<'a> {
    items: Vec<ProviderView<'a>>,
    next_cursor: Option<String>,
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    Query::of(request, "GET /identity-providers").end()?;
    actor.may(Action::ReadProviders)?;
    let found = app.table.providers(actor.tenant()).await?;
    let now = app.clock.now();
    let items = found.iter().map(|provider| ProviderView::of(provider, request, now));
    Ok(answer::ok(&Page { items: items.collect(), next_cursor: None }))
}

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    actor.may(Action::ReadProviders)?;
    let provider = found(app, actor.tenant(), request).await?;
    Ok(answer::ok(&ProviderView::of(&provider, request, app.clock.now())))
}

/// The provider that the path names.
///
/// # Errors
/// 404, for another tenant's too.
pub(crate) async fn found(
    app: &App,
    tenant: TenantId,
    request: &Request,
) -> Result<Provider, Problem> {
    let id = request::path(request, "id")?;
    app.table.provider(tenant, id).await?.ok_or_else(Problem::not_found)
}

/// The same, which is not being deleted.
///
/// # Errors
/// 409 when it is.
pub(crate) async fn found_staying(
    app: &App,
    tenant: TenantId,
    request: &Request,
) -> Result<Provider, Problem> {
    let provider = found(app, tenant, request).await?;
    if provider.is_going() {
        return Err(Problem::new(409, "provider_deleting", "The provider is being deleted."));
    }
    Ok(provider)
}
