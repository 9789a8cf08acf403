//! `POST /auth/password/reset`: a new password by a mailed link. Never past the second factor: it
//! opens no session.

use crate::App;
use crate::change_password::{checked, set};
use crate::check_activation::link_gone;
use crate::person::{LOOKS, Person, busy};
use belfry_api::auth::origin;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::policy;
use belfry_domain::secret::Secret;
use belfry_store::keys;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResetBody {
    token: String,
    password: String,
}

pub(crate) async fn reset_password(
    app: &App,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let body: ResetBody = request::body(request)?;
    let hash = body.token.parse::<Secret>().map_err(|_| link_gone())?.hash();
    for _ in 0..LOOKS {
        let found = app.table.password_reset(&hash).await?;
        let (link, identity) = found.ok_or_else(link_gone)?;
        let person = Person::with(app, identity.id).await?;
        let open = person.open(app).await?;
        let (_, user) = person.choose(&open, None).ok_or_else(link_gone)?;
        let grant = policy::follow(&link, &identity, user, app.clock.now(), origin(request));
        let grant = grant.ok_or_else(link_gone)?;
        let password = checked(app, &identity, &open, &body.password)?;
        let used_up = Some(keys::link(&hash));
        if set(app, request, &grant, &person, (&identity, user), password, used_up, None).await? {
            return Ok(answer::no_content());
        }
    }
    Err(busy())
}
