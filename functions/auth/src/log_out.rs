//! `POST /auth/logout`

use crate::App;
use crate::client::{Client, session_over};
use belfry_api::auth::origin;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::audit::{Access, AccessKind, Outcome};
use belfry_domain::id::{IdentityId, SessionId, TenantId, UserId};
use belfry_domain::session::Worth;

/// The session to end.
struct Ending {
    identity: IdentityId,
    session: SessionId,
    tenant: TenantId,
    user: UserId,
}

/// Ends the session of the access token, or, without one (it may have run out meanwhile), of the
/// refresh token.
pub(crate) async fn log_out(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let client = Client::of(request);
    let ending = if request::bearer(request).is_some() {
        let actor = app.authenticator.actor(request).await?;
        Ending {
            identity: actor.identity(),
            session: actor.session(),
            tenant: actor.tenant(),
            user: actor.user(),
        }
    } else {
        let token = client.token(request)?;
        let seen = app.table.see(token.identity, token.session, token.tenant, token.user).await?;
        let session = seen.ok_or_else(session_over)?.session;
        if session.worth(&token, app.clock.now()) == Worth::Foreign {
            return Err(session_over());
        }
        Ending {
            identity: session.identity,
            session: session.id,
            tenant: session.tenant,
            user: session.user,
        }
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
