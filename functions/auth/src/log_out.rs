//! `POST /auth/logout`

use crate::App;
use crate::client::{Client, session_over};
use belfry_api::auth::origin;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::audit::{Access, AccessKind, Outcome};
use belfry_domain::id::{IdentityId, SessionId, TenantId, UserId};
use belfry_domain::session::{RefreshToken, Worth};
use belfry_runtime::authenticate::Caller;

/// The session to end.
struct Ending {
    identity: IdentityId,
    session: SessionId,
    tenant: TenantId,
    user: UserId,
}

/// Ends the session of the access token or, where that is missing or has run out, of the refresh token.
pub(crate) async fn log_out(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let client = Client::of(request);
    let ending = match of_access_token(app, request).await {
        Some(ending) => ending?,
        None => of_refresh_token(app, client.token(request)?).await?,
    };
    app.table.end_session(ending.identity, ending.session).await?;
    let (kind, success, user) = (AccessKind::Logout, Outcome::Success, Some(ending.user));
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let access = Access::new(kind, success, user, &origin(request), now, entropy);
    app.table.note_access(Some(ending.tenant), &access).await?;
    let mut response = answer::no_content();
    client.forget(&mut response);
    Ok(response)
}

/// None when there is no access token, or one that opens nothing beside a refresh token that may.
async fn of_access_token(app: &App, request: &Request) -> Option<Result<Ending, Problem>> {
    request::bearer(request)?;
    match app.authenticator.visitor(request).await {
        Ok(Caller { actor, .. }) => Some(Ok(Ending {
            identity: actor.identity(),
            session: actor.session(),
            tenant: actor.tenant(),
            user: actor.user(),
        })),
        Err(problem) if problem.status == 401 && Client::of(request).token(request).is_ok() => None,
        Err(problem) => Some(Err(problem)),
    }
}

async fn of_refresh_token(app: &App, token: RefreshToken) -> Result<Ending, Problem> {
    let seen = app.table.see(token.identity, token.session, token.tenant, token.user).await?;
    let session = seen.ok_or_else(session_over)?.session;
    if session.worth(&token, app.clock.now()) == Worth::Foreign {
        return Err(session_over());
    }
    Ok(Ending {
        identity: session.identity,
        session: session.id,
        tenant: session.tenant,
        user: session.user,
    })
}
