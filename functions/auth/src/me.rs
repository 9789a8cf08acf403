//! `GET /me`

use crate::App;
use crate::answers::TenantView;
use crate::person::Person;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::account::{Identity, Role, Source, Status, Tenant, User};
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{SessionId, UserId};
use belfry_domain::language::Language;
use belfry_domain::policy::Action;
use belfry_domain::second_factor::{SecondFactor, State};
use belfry_domain::session::Session;
use belfry_domain::text::{PersonName, Telephone};
use belfry_runtime::authenticate::Caller;
use serde::Serialize;

#[derive(Serialize)]
struct TwoFactorView {
    required: bool,
    state: State,
    recovery_codes_left: Option<usize>,
}

#[derive(Serialize)]
pub(crate) struct Me<'a> {
    id: UserId,
    first_name: &'a PersonName,
    last_name: &'a PersonName,
    email: &'a EmailAddress,
    mobile: Option<&'a Telephone>,
    language: Language,
    role: Role,
    status: Status,
    source: Source,
    two_factor: TwoFactorView,
    tenant: TenantView<'a>,
    session_id: SessionId,
    last_login_at: Option<String>,
    created_at: String,
    version: u64,
}

pub(crate) async fn me(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.visitor(request).await?;
    caller.actor.may(Action::ReadProfile)?;
    let Caller { session, identity, user, tenant, .. } = &caller;
    let person = Person::with(app, identity.id).await?;
    Ok(answer::ok(&view(app, &person, session, identity, user, tenant).await?))
}

/// One's own profile as it stands.
pub(crate) async fn view<'a>(
    app: &App,
    person: &Person,
    session: &Session,
    identity: &Identity,
    user: &'a User,
    tenant: &'a Tenant,
) -> Result<Me<'a>, Problem> {
    let open = person.open(app).await?;
    let required = open.iter().any(|(_, user)| user.two_factor_required);
    let factor = identity.second_factor.as_ref();
    Ok(Me {
        id: user.id,
        first_name: &user.first_name,
        last_name: &user.last_name,
        email: &user.email,
        mobile: user.mobile.as_ref(),
        language: identity.language,
        role: user.role,
        status: user.status,
        source: user.source,
        two_factor: TwoFactorView {
            required: user.two_factor_required,
            state: State::of(required, factor),
            recovery_codes_left: factor.map(SecondFactor::recovery_codes_left),
        },
        tenant: tenant.into(),
        session_id: session.id,
        last_login_at: user.last_login_at.map(answer::time),
        created_at: answer::time(user.created_at),
        version: user.version,
    })
}
