//! `POST /auth/tenant`: goes on in another of the person's tenants.

use crate::App;
use crate::answers::{Opened, authenticated};
use crate::client::{Client, session_over};
use crate::person::{LOOKS, Person, busy};
use crate::refresh::end_reused;
use belfry_api::auth::origin;
use belfry_api::{Body, Problem, Request, Response, request};
use belfry_domain::audit::{Access, AccessKind, Outcome};
use belfry_domain::session::Worth;
use belfry_store::sessions::Opening;
use belfry_store::transaction::Refused;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwitchBody {
    tenant_id: String,
    refresh_token: Option<String>,
}

pub(crate) async fn switch(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    for _ in 0..LOOKS {
        let caller = app.authenticator.visitor(request).await?;
        let body: SwitchBody = request::body(request)?;
        // An access token lives five minutes: alone it must not become a session of hours.
        let shown = Client::of(request).token_beside(request, body.refresh_token.as_deref())?;
        match caller.session.worth(&shown, app.clock.now()) {
            Worth::Current | Worth::Previous { .. } => {}
            Worth::Foreign => return Err(session_over()),
            Worth::Reused => return Err(end_reused(app, request, &caller.session).await?),
        }
        let person = Person::with(app, caller.identity.id).await?;
        let open = person.open(app).await?;
        let wanted = person.choose(&open, Some(&body.tenant_id));
        let (tenant, user) = wanted.ok_or_else(Problem::not_found)?;
        let required = open.iter().any(|(_, user)| user.two_factor_required);
        let proven = caller.session.two_factor && caller.identity.second_factor.is_some();
        if required && !proven {
            // A session from before it was required must not carry the person past it.
            let detail = "This needs your second factor: log in anew.";
            return Err(Problem::new(403, "two_factor_required", detail));
        }
        let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
        let (session, token) = caller.session.succeed(&caller.identity, user, now, entropy);
        let (kind, success) = (AccessKind::Switch, Outcome::Success);
        let access = Access::new(kind, success, Some(user.id), &origin(request), now, entropy);
        let opening = Opening { session: &session, instead_of: Some(caller.session.id) };
        let proof = caller.actor.proof(&caller.identity);
        match app.table.open_session(&proof, &opening, &access, entropy).await {
            Ok(()) => {}
            Err(Refused::Condition(_)) => continue,
            Err(Refused::Store(error)) => return Err(error.into()),
        }
        let (session, token) = (&session, &token);
        let opened = Opened { session, token, tenant, user, open: &open, recovery: None };
        return authenticated(app, request, opened).await;
    }
    Err(busy())
}
