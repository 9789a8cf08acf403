//! `DELETE /siem/destinations/{id}`

use crate::App;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::policy::Action;

pub(crate) async fn delete(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let id = request::path(request, "id")?;
    let grant = actor.may(Action::DeleteDestination)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    if app.table.delete_destination(&grant, id, now, entropy).await? {
        Ok(answer::no_content())
    } else {
        Err(Problem::not_found())
    }
}
