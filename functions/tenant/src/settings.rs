//! `GET` and `PUT /settings`: what holds for everybody in the tenant.

use crate::App;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::{IdleLimit, Tenant};
use belfry_domain::failure::FieldError;
use belfry_domain::policy::Action;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsBody {
    session_timeout_minutes: i64,
    /// The version that was seen.
    version: u64,
}

#[derive(Serialize)]
struct SettingsView {
    session_timeout_minutes: u8,
    version: u64,
}

impl SettingsView {
    fn of(tenant: &Tenant) -> Self {
        let session_timeout_minutes = tenant.session_timeout.into();
        Self { session_timeout_minutes, version: tenant.version }
    }
}

pub(crate) async fn settings(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    caller.actor.may(Action::ReadSettings)?;
    Ok(answer::ok(&SettingsView::of(&caller.tenant)))
}

/// The next request of every session is measured by the new limit.
pub(crate) async fn change_settings(
    app: &App,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let body: SettingsBody = request::body(request)?;
    let session_timeout = idle_limit(body.session_timeout_minutes)?;
    let grant = caller.actor.may(Action::ChangeSettings)?;
    let before = &caller.tenant;
    if body.version != before.version {
        return Err(Problem::stale(before.version));
    }
    if session_timeout == before.session_timeout {
        return Ok(answer::ok(&SettingsView::of(before)));
    }
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    if !app.table.change_settings(&grant, before, session_timeout, now, entropy).await? {
        let present = app.table.tenant(before.id).await?.ok_or_else(Problem::not_found)?;
        return Err(Problem::stale(present.version));
    }
    let version = before.version.saturating_add(1);
    Ok(answer::ok(&SettingsView::of(&Tenant { session_timeout, version, ..before.clone() })))
}

fn idle_limit(minutes: i64) -> Result<IdleLimit, Problem> {
    let limit = u8::try_from(minutes).ok().and_then(|minutes| IdleLimit::try_from(minutes).ok());
    limit.ok_or_else(|| {
        let (pointer, detail) = ("/session_timeout_minutes", "The limit is 5 to 120 minutes.");
        Problem::invalid(vec![FieldError::new(pointer, "out_of_range", detail)])
    })
}
