//! `POST /me/two-factor`, `POST /me/two-factor/reset`, `POST /me/recovery-codes`: a super admin's own
//! second factor, anybody's own recovery codes.

use crate::App;
use crate::answers::{self, Opened, authenticated};
use crate::enrolment;
use crate::person::{LOOKS, Person, busy};
use belfry_api::auth::origin;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::Identity;
use belfry_domain::audit::{AccessKind, Entry, Outcome};
use belfry_domain::mail::Letter;
use belfry_domain::policy::Action;
use belfry_domain::second_factor::RecoveryCode;
use belfry_domain::session::Session;
use belfry_runtime::authenticate::Caller;
use belfry_runtime::post::reader;
use belfry_store::sessions::{Opening, PersonChange};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnBody {
    enabled: bool,
}

#[derive(Serialize)]
struct RecoveryCodes {
    recovery_codes: Vec<String>,
}

/// Requires one's own second factor in this tenant, or no longer. Enabling takes effect with the first
/// code of a new secret.
pub(crate) async fn require(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    caller.actor.may(Action::ChangeOwnTwoFactor)?;
    let body: OwnBody = request::body(request)?;
    if body.enabled { offer(app, &caller).await } else { disable(app, request, &caller).await }
}

/// Offers a new secret; the present one works until the new one's first code.
pub(crate) async fn reset(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    caller.actor.may(Action::ChangeOwnTwoFactor)?;
    offer(app, &caller).await
}

async fn offer(app: &App, caller: &Caller) -> Result<Response<Body>, Problem> {
    let (tenant, user, session) = (caller.tenant.id, caller.user.id, Some(caller.session.id));
    let offer = enrolment::offer(app, &caller.identity, tenant, user, session).await?;
    app.table.issue(&offer.hash, &offer.challenge).await?;
    Ok(answer::ok(&offer.view))
}

async fn disable(app: &App, request: &Request, caller: &Caller) -> Result<Response<Body>, Problem> {
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let grant = caller.actor.may(Action::ChangeOwnTwoFactor)?;
    let (tenant, user) = (&caller.tenant, &caller.user);
    for _ in 0..LOOKS {
        let (person, identity) = Person::within(app, caller).await?;
        let identity = &identity;
        let open = person.open(app).await?;
        let elsewhere =
            open.iter().any(|(_, other)| other.id != user.id && other.two_factor_required);
        // What nobody requires any more is forgotten.
        let second_factor = identity.second_factor.clone().filter(|_| elsewhere);
        let after = Identity { second_factor, ..identity.changed() }.without_sessions();
        let (next, token) = caller.session.succeed(&after, user, now, entropy);
        // A factor that is forgotten proves nothing any longer.
        let two_factor = next.two_factor && after.second_factor.is_some();
        let session = Session { two_factor, ..next };
        let company = tenant.company.clone();
        let letter = Letter::TwoFactorDisabled { reader: reader(user), company };
        let (mail, item) = app.post.notice(&identity.email, identity.language, letter, now)?;
        let changed = (AccessKind::TwoFactorChanged, Outcome::Success);
        let change = PersonChange {
            requires: Some((user, false)),
            opens: Some(Opening { session: &session, instead_of: Some(caller.session.id) }),
            mails: vec![item],
            notes: person.notes(app, changed, &origin(request), Some(tenant.id)),
            ..PersonChange::new(identity, &after, &person.memberships)
        };
        let was = user.two_factor_required;
        let entry = Entry::about("user", &user.id).changed("two_factor_required", was, false);
        if app.table.change_person(&grant, &entry, change, now, entropy).await? {
            app.post.ring(mail).await;
            let (session, token) = (&session, &token);
            let opened = Opened { session, token, tenant, user, open: &open, recovery: None };
            return authenticated(app, request, opened).await;
        }
    }
    Err(busy())
}

/// Ten other recovery codes, shown this once.
pub(crate) async fn recovery_codes(
    app: &App,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let grant = caller.actor.may(Action::ReplaceRecoveryCodes)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        let (person, identity) = Person::within(app, &caller).await?;
        let identity = &identity;
        let Some(factor) = identity.second_factor.as_ref() else {
            let detail = "Recovery codes come with a second factor: enrol one first.";
            return Err(Problem::new(409, "two_factor_off", detail));
        };
        let recovery = RecoveryCode::set(entropy);
        let after = Identity { second_factor: Some(factor.with(&recovery)), ..identity.changed() };
        let letter = Letter::RecoveryCodesReplaced(reader(&caller.user));
        let (mail, item) = app.post.notice(&identity.email, identity.language, letter, now)?;
        let changed = (AccessKind::TwoFactorChanged, Outcome::Success);
        let change = PersonChange {
            within: Some(&caller.session),
            mails: vec![item],
            notes: person.notes(app, changed, &origin(request), Some(caller.tenant.id)),
            ..PersonChange::new(identity, &after, &person.memberships)
        };
        let entry = Entry::about("user", &caller.user.id).set("recovery_codes", "replaced");
        if app.table.change_person(&grant, &entry, change, now, entropy).await? {
            app.post.ring(mail).await;
            let recovery_codes = answers::expose(&recovery);
            return Ok(answer::ok(&RecoveryCodes { recovery_codes }));
        }
    }
    Err(busy())
}
