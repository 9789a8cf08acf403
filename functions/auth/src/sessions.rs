//! `GET /me/sessions`, `DELETE /me/sessions/{id}`

use crate::App;
use crate::answers::TenantView;
use belfry_api::auth::origin;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::Status;
use belfry_domain::audit::{Access, AccessKind, Outcome};
use belfry_domain::id::SessionId;
use belfry_domain::policy::Action;
use serde::Serialize;

#[derive(Serialize)]
struct SessionView<'a> {
    id: SessionId,
    current: bool,
    tenant: TenantView<'a>,
    created_at: String,
    last_used_at: String,
    ends_at: String,
    source_address: Option<&'a str>,
    user_agent: Option<&'a str>,
}

#[derive(Serialize)]
struct Page<'a> {
    items: Vec<SessionView<'a>>,
    next_cursor: Option<String>,
}

/// The person's live sessions in all tenants, the latest first.
pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    caller.actor.may(Action::ReadProfile)?;
    let identity = &caller.identity;
    let (sessions, memberships) = futures::future::try_join(
        app.table.sessions(identity.id),
        app.table.memberships(identity.id),
    )
    .await?;
    let members = app.table.members(&memberships).await?;
    let now = app.clock.now();
    let mut live: Vec<_> = sessions
        .iter()
        .filter_map(|session| {
            let (tenant, user) = members.iter().find(|(_, user)| user.id == session.user)?;
            let counts = session.still_counts(identity, user) && user.status == Status::Active;
            (counts && session.is_live(tenant.session_timeout, now)).then_some((session, tenant))
        })
        .collect();
    live.sort_by_key(|(session, _)| std::cmp::Reverse(session.last_used_at));
    let items = live.iter().map(|(session, tenant)| SessionView {
        id: session.id,
        current: session.id == caller.session.id,
        tenant: (*tenant).into(),
        created_at: answer::time(session.created_at),
        last_used_at: answer::time(session.last_used_at),
        ends_at: answer::time(session.ends_at),
        source_address: session.client.source_address.as_deref(),
        user_agent: session.client.user_agent.as_deref(),
    });
    let items = items.collect();
    Ok(answer::ok(&Page { items, next_cursor: None }))
}

/// Ends one of the person's own sessions, in whichever tenant it is.
pub(crate) async fn end(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    caller.actor.may(Action::ChangeProfile)?;
    let id: SessionId = request::path(request, "id")?;
    let sessions = app.table.sessions(caller.identity.id).await?;
    let session = sessions.into_iter().find(|session| session.id == id);
    let session = session.ok_or_else(Problem::not_found)?;
    app.table.end_session(session.identity, session.id).await?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let (kind, success) = (AccessKind::EndSession, Outcome::Success);
    let access = Access::new(kind, success, Some(session.user), &origin(request), now, entropy);
    app.table.note_access(Some(session.tenant), &access).await?;
    Ok(answer::no_content())
}
