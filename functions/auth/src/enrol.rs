//! `POST /auth/two-factor/enrolment` and `POST /me/two-factor/enrolment`: the first code of a new
//! secret makes it the person's second factor.

use crate::App;
use crate::answers::{Opened, authenticated};
use crate::enrolment;
use crate::person::{LOOKS, busy};
use crate::two_factor::{Found, challenge_gone, challenge_hash, invalid_code};
use belfry_api::auth::origin;
use belfry_api::fields::Fields;
use belfry_api::{Body, Problem, Request, Response, request};
use belfry_domain::account::Identity;
use belfry_domain::audit::{AccessKind, Entry, Outcome};
use belfry_domain::challenge::Wanted;
use belfry_domain::mail::Letter;
use belfry_domain::policy::{Action, Grant};
use belfry_domain::second_factor::{Code, RECOVERY_CODES, RecoveryCode, SecondFactor};
use belfry_domain::session::Session;
use belfry_runtime::authenticate::Caller;
use belfry_runtime::post::reader;
use belfry_store::keys;
use belfry_store::sessions::{Opening, PersonChange};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnrolBody {
    challenge: String,
    code: String,
}

/// At a log-in.
pub(crate) async fn enrol(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    first_code(app, request, None).await
}

/// From the profile.
pub(crate) async fn enrol_own(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    caller.actor.may(Action::ChangeOwnTwoFactor)?;
    first_code(app, request, Some(&caller)).await
}

async fn first_code(
    app: &App,
    request: &Request,
    caller: Option<&Caller>,
) -> Result<Response<Body>, Problem> {
    let body: EnrolBody = request::body(request)?;
    let mut fields = Fields::new();
    let code = fields.read::<Code>("/code", &body.code);
    let code = fields.finish(code)?;
    let hash = challenge_hash(&body.challenge)?;
    for _ in 0..LOOKS {
        let found = Found::by(app, &hash).await?.ok_or_else(challenge_gone)?;
        let Wanted::FirstCode { sealed_seed, session } = &found.challenge.wanted else {
            return Err(challenge_gone());
        };
        if *session != caller.map(|caller| caller.session.id) {
            return Err(challenge_gone());
        }
        // Another change may have ended the session meanwhile.
        let counts = |c: &Caller| c.session.still_counts(&found.identity, &found.user);
        if caller.is_some_and(|caller| !counts(caller)) {
            return Err(challenge_gone());
        }
        let seed = enrolment::open_seed(app, found.identity.id, sealed_seed).await?;
        let Some(step) = seed.step_of(&code, app.clock.now()) else { return Err(invalid_code()) };
        let recovery = RecoveryCode::set(app.entropy.as_ref());
        let now = app.clock.now();
        let factor = SecondFactor::enrolled(sealed_seed.clone(), step, &recovery, now);
        let first = First { found: &found, factor, recovery: &recovery };
        let grant = match caller {
            Some(caller) => caller.actor.may(Action::ChangeOwnTwoFactor)?,
            None => found.proof.may(Action::EnrolTwoFactor, &found.user, origin(request))?,
        };
        let before = caller.map(|caller| &caller.session);
        if let Some(response) = first.keep(app, request, &grant, before).await? {
            return Ok(response);
        }
    }
    Err(busy())
}

/// A proven new factor.
struct First<'a> {
    found: &'a Found,
    factor: SecondFactor,
    recovery: &'a [RecoveryCode; RECOVERY_CODES],
}

impl First<'_> {
    /// Keeps it, ends every session and opens one. None when somebody else was faster.
    async fn keep(
        self,
        app: &App,
        request: &Request,
        grant: &Grant,
        present: Option<&Session>,
    ) -> Result<Option<Response<Body>>, Problem> {
        let Self { found, factor, recovery } = self;
        let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
        let (identity, user) = (&found.identity, &found.user);
        let after = Identity { second_factor: Some(factor), ..identity.changed() };
        let after = after.without_sessions();
        let (session, token) = match present {
            Some(present) => {
                let (next, token) = present.succeed(&after, user, now, entropy);
                (Session { two_factor: true, ..next }, token)
            }
            None => found.session(app, request, &after),
        };
        let letter = Letter::TwoFactorEnabled(reader(user));
        let (mail, item) = app.post.notice(&identity.email, identity.language, letter, now)?;
        let changed = (AccessKind::TwoFactorChanged, Outcome::Success);
        let change = PersonChange {
            // Asked for from the profile, this tenant requires it from now on.
            requires: present.map(|_| (user, true)),
            opens: Some(Opening { session: &session, instead_of: present.map(|old| old.id) }),
            uses: Some(keys::challenge(&found.hash)),
            mails: vec![item],
            notes: found.person.notes(app, changed, &origin(request), Some(user.tenant)),
            ..PersonChange::new(identity, &after, &found.person.memberships)
        };
        let entry = Entry::about("user", &user.id).set("two_factor", "active");
        if !app.table.change_person(grant, &entry, change, now, entropy).await? {
            return Ok(None);
        }
        app.post.ring(mail).await;
        let (session, token) = (&session, &token);
        let (tenant, recovery) = (&found.tenant, Some(recovery));
        let opened = Opened { session, token, tenant, user, open: &found.open, recovery };
        authenticated(app, request, opened).await.map(Some)
    }
}
