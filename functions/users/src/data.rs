//! `GET /users/{id}/data`: all that is held of a person here, for the person who asks for it.

use crate::App;
use crate::view::UserView;
use belfry_api::auth::origin;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::Identity;
use belfry_domain::audit::{Access, AccessKind, Outcome};
use belfry_domain::id::{SessionId, UserId};
use belfry_domain::language::Language;
use belfry_domain::policy::Action;
use belfry_domain::second_factor::SecondFactor;
use serde::Serialize;

#[derive(Serialize)]
struct DataView<'a> {
    user: UserView<'a>,
    /// Of the person behind it, once the invitation is accepted; nothing of other companies.
    person: Option<PersonView>,
    sessions: Vec<SessionView>,
    /// Where the audit records about the user, and those of its own doing, are.
    audit: [String; 2],
}

#[derive(Serialize)]
struct PersonView {
    language: Language,
    password_set_at: Option<String>,
    recovery_codes_left: Option<usize>,
    created_at: String,
}

#[derive(Serialize)]
struct SessionView {
    id: SessionId,
    created_at: String,
    last_used_at: String,
    source_address: Option<String>,
    user_agent: Option<String>,
}

impl From<&Identity> for PersonView {
    fn from(identity: &Identity) -> Self {
        let factor = identity.second_factor.as_ref();
        Self {
            language: identity.language,
            password_set_at: identity.password_set_at.map(answer::time),
            recovery_codes_left: factor.map(SecondFactor::recovery_codes_left),
            created_at: answer::time(identity.created_at),
        }
    }
}

pub(crate) async fn data(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    actor.may(Action::ReadUserData)?;
    let id: UserId = request::path(request, "id")?;
    let user = app.table.user(actor.tenant(), id).await?.ok_or_else(Problem::not_found)?;
    let accepted = user.identity.filter(|_| user.status != belfry_domain::account::Status::Invited);
    let (person, sessions) = match accepted {
        Some(identity) => {
            let person = app.table.identity(identity).await?;
            let mut sessions = app.table.sessions(identity).await?;
            // Those in other companies are not this one's to see.
            sessions.retain(|session| session.tenant == user.tenant);
            (person, sessions)
        }
        None => (None, Vec::new()),
    };
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let (kind, success) = (AccessKind::ReadUserData, Outcome::Success);
    let access = Access::new(kind, success, Some(actor.user()), &origin(request), now, entropy);
    app.table.note_access(Some(actor.tenant()), &access).await?;
    let sessions = sessions.into_iter().map(|session| SessionView {
        id: session.id,
        created_at: answer::time(session.created_at),
        last_used_at: answer::time(session.last_used_at),
        source_address: session.client.source_address,
        user_agent: session.client.user_agent,
    });
    let catalogue = app.table.catalogue_of(actor.tenant(), [&user]).await?;
    Ok(answer::ok(&DataView {
        user: UserView::of(&user, &catalogue),
        person: person.as_ref().map(PersonView::from),
        sessions: sessions.collect(),
        audit: [format!("/audit?entity={id}"), format!("/audit?actor={id}")],
    }))
}
