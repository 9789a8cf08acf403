//! `POST /me/password`: another password. Every other session ends, this one goes on under a new id.

use crate::App;
use crate::answers::{Opened, authenticated};
use crate::person::{LOOKS, Person, busy};
use belfry_api::auth::origin;
use belfry_api::{Body, Problem, Request, Response, request};
use belfry_domain::account::{Identity, Tenant, User};
use belfry_domain::audit::{AccessKind, Entry, Outcome};
use belfry_domain::mail::Letter;
use belfry_domain::password::{Password, PasswordHash};
use belfry_domain::policy::{Action, Grant};
use belfry_domain::session::Session;
use belfry_domain::text::PersonName;
use belfry_runtime::post::reader;
use belfry_store::keys::Key;
use belfry_store::sessions::{Opening, PersonChange};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordBody {
    password: String,
}

pub(crate) async fn change_password(
    app: &App,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let grant = caller.actor.may(Action::ChangePassword)?;
    let body: PasswordBody = request::body(request)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        let (person, identity) = Person::within(app, &caller).await?;
        let identity = &identity;
        let open = person.open(app).await?;
        let password = checked(app, identity, &open, &body.password)?;
        let (tenant, user) = (&caller.tenant, &caller.user);
        let raised = identity.clone().without_sessions();
        let (session, token) = caller.session.succeed(&raised, user, now, entropy);
        let opens = Some((&session, &caller.session));
        if set(app, request, &grant, &person, (identity, user), password, None, opens).await? {
            let (session, token) = (&session, &token);
            let opened = Opened { session, token, tenant, user, open: &open, recovery: None };
            return authenticated(app, request, opened).await;
        }
    }
    Err(busy())
}

/// The hash of a password that breaks no rule of any of the person's tenants.
pub(crate) fn checked(
    app: &App,
    identity: &Identity,
    open: &[(Tenant, User)],
    typed: &str,
) -> Result<PasswordHash, Problem> {
    let mut personal = vec![identity.email.local_part()];
    for (tenant, user) in open {
        let names = [&user.first_name, &user.last_name].map(PersonName::as_str);
        personal.extend(names);
        personal.push(tenant.company.as_str());
    }
    let password = Password::new(typed);
    password.check(&personal, "/password").map_err(Problem::invalid)?;
    Ok(PasswordHash::of(&password, app.entropy.as_ref())?)
}

/// Sets a password, ends every session but the one that `opens`, tells the person. False when somebody
/// else was faster.
#[expect(clippy::too_many_arguments, reason = "one change with all that goes with it")]
pub(crate) async fn set(
    app: &App,
    request: &Request,
    grant: &Grant,
    person: &Person,
    (identity, user): (&Identity, &User),
    password: PasswordHash,
    link: Option<Key>,
    opens: Option<(&Session, &Session)>,
) -> Result<bool, Problem> {
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let after = Identity {
        password: Some(password),
        password_set_at: Some(now),
        password_reset: None,
        ..identity.changed()
    };
    let after = after.without_sessions();
    let letter = Letter::PasswordChanged(reader(user));
    let (mail, item) = app.post.notice(&identity.email, identity.language, letter, now)?;
    let noted = (AccessKind::PasswordSet, Outcome::Success);
    let opens = opens.map(|(session, old)| Opening { session, instead_of: Some(old.id) });
    let change = PersonChange {
        opens,
        uses: link,
        mails: vec![item],
        notes: person.notes(app, noted, &origin(request), Some(user.tenant)),
        ..PersonChange::new(identity, &after, &person.memberships)
    };
    let entry = Entry::about("user", &user.id).set("password", "set");
    let done = app.table.change_person(grant, &entry, change, now, entropy).await?;
    if done {
        app.post.ring(mail).await;
    }
    Ok(done)
}
