//! `GET /me`

use crate::App;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::account::{Role, Source, Status};
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{SessionId, TenantId, UserId};
use belfry_domain::language::Language;
use belfry_domain::policy::Action;
use belfry_domain::text::{PersonName, Telephone};
use belfry_store::StoreError;
use serde::Serialize;

#[derive(Serialize)]
struct TenantView<'a> {
    id: TenantId,
    name: &'a str,
}

#[derive(Serialize)]
struct Me<'a> {
    id: UserId,
    first_name: &'a PersonName,
    last_name: &'a PersonName,
    email: &'a EmailAddress,
    mobile: Option<&'a Telephone>,
    language: Language,
    role: Role,
    status: Status,
    source: Source,
    tenant: TenantView<'a>,
    session_id: SessionId,
    last_login_at: Option<String>,
    created_at: String,
    version: u64,
}

pub(crate) async fn me(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    caller.actor.may(Action::ReadProfile)?;
    let (user, tenant, identity) = (&caller.user, &caller.tenant, caller.actor.identity());
    let identity =
        app.table.identity(identity).await?.ok_or_else(|| {
            StoreError::corrupt(identity.to_string(), "a session without its person")
        })?;
    Ok(answer::ok(&Me {
        id: user.id,
        first_name: &user.first_name,
        last_name: &user.last_name,
        email: &user.email,
        mobile: user.mobile.as_ref(),
        language: identity.language,
        role: user.role,
        status: user.status,
        source: user.source,
        tenant: TenantView { id: tenant.id, name: tenant.company.as_str() },
        session_id: caller.actor.session(),
        last_login_at: user.last_login_at.map(answer::time),
        created_at: answer::time(user.created_at),
        version: user.version,
    }))
}
