//! `POST /auth/activation`: accepts an invitation, with a first password or, for a person who has
//! one, with a log-in.

use crate::App;
use crate::check_activation::{cannot_log_in, find_invitation, link_gone};
use crate::person::{PasswordTry, refused};
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::failure::FieldError;
use belfry_domain::id::{TenantId, UserId};
use belfry_domain::password::{Password, PasswordHash};
use belfry_domain::policy;
use belfry_store::accounts::Invitation;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActivateBody {
    token: String,
    password: Option<String>,
}

#[derive(Serialize)]
struct Activated {
    status: &'static str,
    tenant_id: TenantId,
    user_id: UserId,
}

pub(crate) async fn activate(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let body: ActivateBody = request::body(request)?;
    let mut found = find_invitation(app, request, &body.token).await?;
    let password = if found.invitation.identity.password.is_none() {
        Some(first_password(app, &found.invitation, body.password.as_deref())?)
    } else {
        proven(app, request, &found.invitation, body.password.as_deref()).await?;
        None
    };
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let had_password = found.invitation.identity.password.is_some();
    for _ in 0..LOOKS {
        let (grant, invitation, hash) = (&found.grant, &found.invitation, &found.hash);
        let password = password.as_ref();
        if app.table.accept(grant, invitation, hash, password, now, entropy).await? {
            return Ok(activated(&found.invitation));
        }
        // The user may have changed in another respect, as when its tags follow a new rule: then the
        // link is still good.
        found = find_invitation(app, request, &body.token).await?;
        if found.invitation.identity.password.is_some() != had_password {
            break;
        }
    }
    Err(link_gone())
}

/// Rivals at the same user: how often to look again.
const LOOKS: usize = 10;

fn activated(Invitation { user, tenant, .. }: &Invitation) -> Response<Body> {
    tracing::info!(tenant.id = %tenant.id, user.id = %user.id, "membership accepted");
    answer::ok(&Activated { status: "activated", tenant_id: tenant.id, user_id: user.id })
}

/// The hash of a password that breaks no rule.
fn first_password(
    app: &App,
    invitation: &Invitation,
    typed: Option<&str>,
) -> Result<PasswordHash, Problem> {
    let pointer = "/password";
    let typed = typed.ok_or_else(|| {
        Problem::invalid(vec![FieldError::new(pointer, "required", "Choose a password.")])
    })?;
    let Invitation { user, tenant, .. } = invitation;
    let personal = [
        user.first_name.as_str(),
        user.last_name.as_str(),
        user.email.local_part(),
        tenant.company.as_str(),
    ];
    let password = Password::new(typed);
    password.check(&personal, pointer).map_err(Problem::invalid)?;
    Ok(PasswordHash::of(&password, app.entropy.as_ref())?)
}

/// Requires that it is the invited person: by its log-in, or, where it is in no company that it may open
/// and so cannot log in, by its password. A link never sets a password where there is one.
async fn proven(
    app: &App,
    request: &Request,
    invitation: &Invitation,
    password: Option<&str>,
) -> Result<(), Problem> {
    let identity = &invitation.identity;
    if let Some(typed) = password
        && cannot_log_in(app, identity).await?
    {
        let counted = PasswordTry::count(app, request, identity.email.as_str()).await?;
        if policy::prove(Some(identity), &Password::new(typed))?.is_none() {
            return Err(refused());
        }
        return Ok(counted.forgive(app).await?);
    }
    if password.is_some() || request::bearer(request).is_none() {
        let detail = "You have a password already: log in, and send the link with the log-in.";
        return Err(Problem::new(409, "login_required", detail));
    }
    let actor = app.authenticator.actor(request).await?;
    if actor.identity() == identity.id {
        Ok(())
    } else {
        Err(Problem::new(403, "other_person", "This link was sent to somebody else."))
    }
}
