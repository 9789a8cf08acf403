//! `DELETE /products/{product}/credentials/{id}`

use crate::App;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::policy::Action;

pub(crate) async fn revoke_credential(
    app: &App,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let product = request::path(request, "product")?;
    let id = request::path(request, "id")?;
    let grant = actor.may(Action::RevokeCredential)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    if app.table.revoke_credential(&grant, product, id, now, entropy).await? {
        Ok(answer::no_content())
    } else {
        Err(Problem::not_found())
    }
}
