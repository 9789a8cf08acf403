//! `POST /auth/two-factor`: a code, or a recovery code, for a session.

use crate::App;
use crate::answers::{Opened, authenticated, client_info};
use crate::enrolment;
use crate::log_in::two_factor_locked;
use crate::person::{LOOKS, Person, busy, refused};
use belfry_api::auth::origin;
use belfry_api::fields::Fields;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::{Identity, Tenant, User};
use belfry_domain::audit::{Access, AccessKind, Entry, Outcome};
use belfry_domain::challenge::{Challenge, Wanted};
use belfry_domain::mail::Letter;
use belfry_domain::policy::{self, Action, Proof};
use belfry_domain::second_factor::{Code, RecoveryCode, SecondFactor, Verdict};
use belfry_domain::secret::{Secret, SecretHash};
use belfry_domain::session::Session;
use belfry_domain::throttle::RECOVERY_CODE;
use belfry_runtime::post::reader;
use belfry_store::keys;
use belfry_store::sessions::{Opening, PersonChange};
use belfry_store::throttle::NotNow;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TwoFactorBody {
    challenge: String,
    code: Option<String>,
    recovery_code: Option<String>,
}

/// What answers the challenge.
enum Shown {
    Code(Code),
    Recovery(RecoveryCode),
}

pub(crate) async fn two_factor(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let body: TwoFactorBody = request::body(request)?;
    let shown = shown(&body)?;
    let hash = challenge_hash(&body.challenge)?;
    for look in 0..LOOKS {
        let Some(found) = Found::by(app, &hash).await? else { return Err(challenge_gone()) };
        if found.challenge.wanted != Wanted::Code {
            return Err(challenge_gone());
        }
        let response = match &shown {
            Shown::Code(code) => found.by_code(app, request, code).await?,
            Shown::Recovery(code) => {
                // Another look is no other try.
                if look == 0 {
                    found.count_recovery_code(app).await?;
                }
                found.by_recovery_code(app, request, code).await?
            }
        };
        if let Some(response) = response {
            return Ok(response);
        }
    }
    Err(busy())
}

fn shown(body: &TwoFactorBody) -> Result<Shown, Problem> {
    let mut fields = Fields::new();
    let shown = match (&body.code, &body.recovery_code) {
        (Some(code), None) => fields.read("/code", code).map(Shown::Code),
        (None, Some(code)) => fields.read("/recovery_code", code).map(Shown::Recovery),
        _ => {
            fields.fault("/code", "required", "Send either a code or a recovery code.");
            None
        }
    };
    fields.finish(shown)
}

/// Unknown, answered, void and expired challenges are one answer.
pub(crate) fn challenge_gone() -> Problem {
    Problem::new(410, "challenge_gone", "This log-in took too long or was finished; begin anew.")
}

/// The answer to a wrong code.
pub(crate) fn invalid_code() -> Problem {
    Problem::new(401, "invalid_code", "The code is wrong.")
}

/// The answer to a right code that was used before.
pub(crate) fn code_used() -> Problem {
    Problem::new(401, "code_used", "This code was used before; wait for the next one.")
}

/// The hash of a challenge's text.
pub(crate) fn challenge_hash(text: &str) -> Result<SecretHash, Problem> {
    text.parse::<Secret>().map(|secret| secret.hash()).map_err(|_| challenge_gone())
}

/// A challenge that stands, with whom it is about.
pub(crate) struct Found {
    pub(crate) hash: SecretHash,
    pub(crate) challenge: Challenge,
    pub(crate) proof: Proof,
    pub(crate) identity: Identity,
    pub(crate) person: Person,
    pub(crate) open: Vec<(Tenant, User)>,
    pub(crate) tenant: Tenant,
    pub(crate) user: User,
}

impl Found {
    /// None when there is no such challenge any longer, or its person or membership is no longer as
    /// it was.
    pub(crate) async fn by(app: &App, hash: &SecretHash) -> Result<Option<Self>, Problem> {
        let Some(challenge) = app.table.challenge(hash).await? else { return Ok(None) };
        let person = Person::with(app, challenge.identity).await?;
        let Some(identity) = person.identity.clone() else { return Ok(None) };
        let Some(proof) = policy::prove_by(&challenge, &identity, app.clock.now()) else {
            return Ok(None);
        };
        let open = person.open(app).await?;
        let chosen = open.iter().find(|(_, user)| user.id == challenge.user).cloned();
        let Some((tenant, user)) = chosen else { return Err(refused()) };
        Ok(Some(Self { hash: *hash, challenge, proof, identity, person, open, tenant, user }))
    }

    /// A new session of this person.
    pub(crate) fn session(
        &self,
        app: &App,
        request: &Request,
        identity: &Identity,
    ) -> (Session, belfry_domain::session::RefreshToken) {
        let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
        Session::open(identity, &self.user, true, client_info(request), now, entropy)
    }

    fn access(&self, app: &App, request: &Request, kind: AccessKind) -> Access {
        let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
        let user = Some(self.user.id);
        Access::new(kind, Outcome::Success, user, &origin(request), now, entropy)
    }

    /// None when somebody else was faster.
    async fn by_code(
        &self,
        app: &App,
        request: &Request,
        code: &Code,
    ) -> Result<Option<Response<Body>>, Problem> {
        let Some(factor) = &self.identity.second_factor else { return Err(challenge_gone()) };
        match judge(app, &self.identity, factor, code).await? {
            Verdict::Right(next) => {
                let after = Identity { second_factor: Some(next), ..self.identity.changed() };
                let (session, token) = self.session(app, request, &after);
                let access = self.access(app, request, AccessKind::TwoFactor);
                let opens = Some(Opening { session: &session, instead_of: None });
                let change = PersonChange {
                    opens,
                    uses: Some(keys::challenge(&self.hash)),
                    ..PersonChange::new(&self.identity, &after, &self.person.memberships)
                };
                let entropy = app.entropy.as_ref();
                if !app.table.open_session_by_code(change, &access, entropy).await? {
                    return Ok(None);
                }
                let (session, token) = (&session, &token);
                let (tenant, user) = (&self.tenant, &self.user);
                let opened =
                    Opened { session, token, tenant, user, open: &self.open, recovery: None };
                authenticated(app, request, opened).await.map(Some)
            }
            other => {
                let who = Suspect { proof: &self.proof, person: &self.person, user: &self.user };
                who.refuse(app, request, &self.identity, other).await
            }
        }
    }

    async fn count_recovery_code(&self, app: &App) -> Result<(), NotNow> {
        let subject = self.identity.id.to_string();
        app.table.count_try(&RECOVERY_CODE, &subject, app.clock.now(), app.entropy.as_ref()).await
    }

    /// None when somebody else was faster.
    async fn by_recovery_code(
        &self,
        app: &App,
        request: &Request,
        code: &RecoveryCode,
    ) -> Result<Option<Response<Body>>, Problem> {
        let Some(factor) = &self.identity.second_factor else { return Err(challenge_gone()) };
        let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
        let Some(next) = factor.without(code) else {
            self.person.note_failure(app, AccessKind::TwoFactor, &origin(request)).await?;
            return Err(invalid_code());
        };
        let left = u32::try_from(next.recovery_codes_left()).unwrap_or(0);
        let after = Identity { second_factor: Some(next), ..self.identity.changed() };
        let (tenant, user) = (self.tenant.id, self.user.id);
        let offer = enrolment::offer(app, &after, tenant, user, None).await?;
        let letter = Letter::RecoveryCodeUsed { reader: reader(&self.user), left };
        let (to, language) = (&self.identity.email, self.identity.language);
        let (mail, item) = app.post.notice(to, language, letter, now)?;
        let grant = self.proof.may(Action::UseRecoveryCode, &self.user, origin(request))?;
        let changed = (AccessKind::TwoFactorChanged, Outcome::Success);
        let change = PersonChange {
            uses: Some(keys::challenge(&self.hash)),
            issues: Some((offer.hash, &offer.challenge)),
            mails: vec![item],
            notes: self.person.notes(app, changed, &origin(request), Some(tenant)),
            ..PersonChange::new(&self.identity, &after, &self.person.memberships)
        };
        let entry = Entry::about("user", &user).set("recovery_codes_left", left);
        if !app.table.change_person(&grant, &entry, change, now, entropy).await? {
            return Ok(None);
        }
        app.post.ring(mail).await;
        Ok(Some(answer::ok(&offer.view)))
    }
}

/// Judges a code of an enrolled factor.
pub(crate) async fn judge(
    app: &App,
    identity: &Identity,
    factor: &SecondFactor,
    code: &Code,
) -> Result<Verdict, Problem> {
    if factor.is_locked() {
        return Ok(Verdict::Locked);
    }
    let seed = enrolment::open_seed(app, identity.id, factor.sealed_seed()).await?;
    Ok(factor.judge(seed.step_of(code, app.clock.now())))
}

/// Somebody who knows the password and showed no right code.
pub(crate) struct Suspect<'a> {
    pub(crate) proof: &'a Proof,
    pub(crate) person: &'a Person,
    pub(crate) user: &'a User,
}

impl Suspect<'_> {
    /// Counts and writes down what was not right; none when somebody else was faster.
    ///
    /// # Errors
    /// What the code deserves.
    pub(crate) async fn refuse<T>(
        &self,
        app: &App,
        request: &Request,
        identity: &Identity,
        verdict: Verdict,
    ) -> Result<Option<T>, Problem> {
        let problem = match verdict {
            Verdict::Right(_) | Verdict::Used => code_used(),
            Verdict::Locked => two_factor_locked(),
            Verdict::Wrong(next) if next.is_locked() => {
                if !self.lock(app, request, identity, next).await? {
                    return Ok(None);
                }
                two_factor_locked()
            }
            Verdict::Wrong(next) => {
                let after = Identity { second_factor: Some(next), ..identity.changed() };
                if !app.table.keep_identity(identity, &after, app.entropy.as_ref()).await? {
                    return Ok(None);
                }
                invalid_code()
            }
        };
        self.person.note_failure(app, AccessKind::TwoFactor, &origin(request)).await?;
        Err(problem)
    }

    /// Locks the factor: the person's sessions end, and the person is told.
    async fn lock(
        &self,
        app: &App,
        request: &Request,
        identity: &Identity,
        next: SecondFactor,
    ) -> Result<bool, Problem> {
        let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
        let after = Identity { second_factor: Some(next), ..identity.changed() }.without_sessions();
        let letter = Letter::TwoFactorLocked(reader(self.user));
        let (mail, item) = app.post.notice(&identity.email, identity.language, letter, now)?;
        let grant = self.proof.may(Action::LockTwoFactor, self.user, origin(request))?;
        let changed = (AccessKind::TwoFactorChanged, Outcome::Success);
        let change = PersonChange {
            mails: vec![item],
            notes: self.person.notes(app, changed, &origin(request), Some(self.user.tenant)),
            ..PersonChange::new(identity, &after, &self.person.memberships)
        };
        let entry = Entry::about("user", &self.user.id).changed("two_factor", "active", "locked");
        let done = app.table.change_person(&grant, &entry, change, now, entropy).await?;
        if done {
            app.post.ring(mail).await;
        }
        Ok(done)
    }
}
