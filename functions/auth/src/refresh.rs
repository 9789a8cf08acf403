//! `POST /auth/refresh`

use crate::App;
use crate::answers::refreshed;
use crate::client::{Client, session_over};
use belfry_api::auth::{is_background, origin};
use belfry_api::{Body, Problem, Request, Response};
use belfry_domain::audit::{Access, AccessKind, Outcome};
use belfry_domain::policy::Actor;
use belfry_domain::secret::Secret;
use belfry_domain::session::{RefreshToken, Session, Worth};
use belfry_runtime::keys::{open_successor, seal_successor};
use belfry_store::StoreError;

/// Rivals with the same token: the first rotates, the others find its rotation at the second look.
const LOOKS: usize = 4;

pub(crate) async fn refresh(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let client = Client::of(request);
    let shown = client.token(request)?;
    let (session, token) = exchange(app, request, &shown).await?;
    refreshed(app, request, &session, &token).await
}

/// Who shows a token that had been given up already has stolen it, or its owner's was stolen: the
/// session ends for both.
pub(crate) async fn end_reused(
    app: &App,
    request: &Request,
    session: &Session,
) -> Result<Problem, StoreError> {
    app.table.end_session(session.identity, session.id).await?;
    let (kind, failure, user) = (AccessKind::RefreshReused, Outcome::Failure, Some(session.user));
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let access = Access::new(kind, failure, user, &origin(request), now, entropy);
    app.table.note_access(Some(session.tenant), &access).await?;
    Ok(session_over())
}

/// The session behind a refresh token, and the token that works from now on.
async fn exchange(
    app: &App,
    request: &Request,
    shown: &RefreshToken,
) -> Result<(Session, RefreshToken), Problem> {
    let entropy = app.entropy.as_ref();
    for _ in 0..LOOKS {
        let now = app.clock.now();
        let seen = app.table.see(shown.identity, shown.session, shown.tenant, shown.user).await?;
        let seen = seen.ok_or_else(session_over)?;
        let session = seen.session;
        // Before all else: who shows a foreign token learns and ends nothing.
        let worth = session.worth(shown, now);
        if worth == Worth::Foreign {
            return Err(session_over());
        }
        if worth == Worth::Reused {
            return Err(end_reused(app, request, &session).await?);
        }
        let idle = seen.tenant.session_timeout;
        Actor::of(&session, &seen.identity, &seen.user, idle, now, origin(request))
            .ok_or_else(session_over)?;
        if let Worth::Previous { sealed_successor } = worth {
            let successor = open_successor(shown.secret(), &sealed_successor)?;
            return Ok((session, shown.with(successor)));
        }
        let successor = Secret::new(entropy);
        let sealed = seal_successor(shown.secret(), &successor, entropy)?;
        let mut rotated = session.rotated(&successor, sealed, now);
        if !is_background(request) {
            rotated.last_used_at = now;
        }
        if app.table.rotate_session(&session, &rotated).await? {
            return Ok((rotated, shown.with(successor)));
        }
    }
    Err(Problem::busy("The session is being refreshed elsewhere; try again."))
}
