//! `POST /auth/activation/check`: what a link would do. Changes nothing.

use crate::App;
use crate::answers::TenantView;
use crate::person::Person;
use belfry_api::auth::origin;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::{Identity, LinkPurpose};
use belfry_domain::email::EmailAddress;
use belfry_domain::policy::{self, Grant};
use belfry_domain::secret::{Secret, SecretHash};
use belfry_domain::text::PersonName;
use belfry_store::accounts::Invitation;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckBody {
    token: String,
}

#[derive(Serialize)]
struct UserView<'a> {
    first_name: &'a PersonName,
    last_name: &'a PersonName,
    email: &'a EmailAddress,
}

#[derive(Serialize)]
struct Checked<'a> {
    /// What the link wants: a new password, a log-in with the present one, or, of somebody who cannot log
    /// in anywhere, the present one with the link.
    status: &'static str,
    tenant: TenantView<'a>,
    user: UserView<'a>,
    expires_at: String,
}

pub(crate) async fn check_activation(
    app: &App,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let body: CheckBody = request::body(request)?;
    let found = find_invitation(app, request, &body.token).await?;
    let Invitation { link, user, tenant, identity } = &found.invitation;
    let status = if identity.password.is_none() {
        "password_required"
    } else if cannot_log_in(app, identity).await? {
        "confirmation_required"
    } else {
        "login_required"
    };
    Ok(answer::ok(&Checked {
        status,
        tenant: tenant.into(),
        user: UserView {
            first_name: &user.first_name,
            last_name: &user.last_name,
            email: &user.email,
        },
        expires_at: answer::time(link.valid_until),
    }))
}

/// Whether a person with a password has no company to log in to: it was deactivated in all of them, and
/// must be able to accept another all the same.
pub(crate) async fn cannot_log_in(app: &App, identity: &Identity) -> Result<bool, Problem> {
    Ok(Person::with(app, identity.id).await?.open(app).await?.is_empty())
}

/// What a link that names a membership leads to, and may do now.
pub(crate) struct Found {
    pub(crate) hash: SecretHash,
    pub(crate) invitation: Invitation,
    pub(crate) grant: Grant,
}

/// Unknown, used, replaced and expired links are one answer.
pub(crate) fn link_gone() -> Problem {
    Problem::new(410, "link_gone", "This link has expired or was used; ask for a new one.")
}

/// The invitation behind a link's token.
pub(crate) async fn find_invitation(
    app: &App,
    request: &Request,
    token: &str,
) -> Result<Found, Problem> {
    let found = find(app, request, token).await?;
    let invites = matches!(found.invitation.link.purpose, LinkPurpose::Activation { .. });
    if invites { Ok(found) } else { Err(link_gone()) }
}

/// What is behind the token of a link that names a membership.
pub(crate) async fn find(app: &App, request: &Request, token: &str) -> Result<Found, Problem> {
    let hash = token.parse::<Secret>().map_err(|_| link_gone())?.hash();
    let invitation = app.table.invitation(&hash).await?.ok_or_else(link_gone)?;
    let Invitation { link, user, identity, .. } = &invitation;
    let grant = policy::follow(link, identity, user, app.clock.now(), origin(request));
    Ok(Found { hash, grant: grant.ok_or_else(link_gone)?, invitation })
}
