//! `GET /applications/{id}`

use crate::App;
use crate::view::ApplicationView;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::application::Application;
use belfry_domain::id::{ApplicationId, TenantId};
use belfry_domain::policy::Action;
use belfry_domain::ports::Day;

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    actor.may(Action::ReadApplications)?;
    let application = found(app, actor.tenant(), request).await?;
    shown(app, 200, &application).await
}

/// The application that the path names.
///
/// # Errors
/// 404.
pub(crate) async fn found(
    app: &App,
    tenant: TenantId,
    request: &Request,
) -> Result<Application, Problem> {
    let id: ApplicationId = request::path(request, "id")?;
    app.table.application(tenant, id).await?.ok_or_else(Problem::not_found)
}

/// An application with its tags and what was blocked of it.
pub(crate) async fn shown(
    app: &App,
    status: u16,
    application: &Application,
) -> Result<Response<Body>, Problem> {
    let (tenant, today) = (application.tenant, Day::of(app.clock.now()));
    let (catalogue, blocked) = tokio::try_join!(
        app.table.catalogue_of(tenant, [application]),
        app.table.blocked_accesses(tenant, today),
    )?;
    Ok(answer::json(status, &ApplicationView::of(application, &catalogue, &blocked)))
}
