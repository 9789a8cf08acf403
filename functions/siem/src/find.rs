//! `GET /siem/destinations` and one of them.

use crate::App;
use crate::view::DestinationView;
use belfry_api::page::Query;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::id::TenantId;
use belfry_domain::policy::Action;
use belfry_domain::siem::destination::Destination;
use belfry_domain::siem::progress::Progress;
use serde::Serialize;

/// All of them: there are never more than ten.
#[derive(Serialize)]
struct Page<'a> {
    items: Vec<DestinationView<'a>>,
    next_cursor: Option<String>,
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    Query::of(request, "GET /siem/destinations").end()?;
    actor.may(Action::ReadSiem)?;
    let tenant = actor.tenant();
    let ids: Vec<_> = app.table.destinations(tenant).await?.iter().map(|found| found.id).collect();
    let found = app.table.progress_of(tenant, &ids).await?;
    let items =
        found.iter().map(|(destination, progress)| DestinationView::of(destination, progress));
    Ok(answer::ok(&Page { items: items.collect(), next_cursor: None }))
}

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    actor.may(Action::ReadSiem)?;
    let (destination, progress) = found(app, actor.tenant(), request).await?;
    Ok(answer::ok(&DestinationView::of(&destination, &progress)))
}

/// The destination that the path names.
pub(crate) async fn found(
    app: &App,
    tenant: TenantId,
    request: &Request,
) -> Result<(Destination, Progress), Problem> {
    let id = request::path(request, "id")?;
    app.table.destination(tenant, id).await?.ok_or_else(Problem::not_found)
}

/// The same, when something is delivered to it.
///
/// # Errors
/// 409 when it is off, or is asked; 404.
pub(crate) async fn found_delivered_to(
    app: &App,
    tenant: TenantId,
    request: &Request,
) -> Result<(Destination, Progress), Problem> {
    let found = found(app, tenant, request).await?;
    if found.0.is_delivered_to() {
        return Ok(found);
    }
    Err(Problem::new(409, "not_delivered_to", "The destination is off, or is asked."))
}
