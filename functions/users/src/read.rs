//! `GET /users/{id}`

use crate::App;
use crate::view::UserView;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::id::UserId;
use belfry_domain::policy::Action;

/// One user; also a deleted one, which is kept for the audit trail.
pub(crate) async fn read(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    actor.may(Action::ReadUsers)?;
    let id: UserId = request::path(request, "id")?;
    let user = app.table.user(actor.tenant(), id).await?.ok_or_else(Problem::not_found)?;
    let catalogue = app.table.catalogue_of(actor.tenant(), [&user]).await?;
    Ok(answer::ok(&UserView::of(&user, &catalogue)))
}
