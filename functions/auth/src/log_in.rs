//! `POST /auth/login`

use crate::App;
use crate::answers::{self, Opened, authenticated, client_info};
use crate::enrolment;
use crate::person::{LOOKS, PasswordTry, Person, busy, refused};
use belfry_api::auth::origin;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::{Identity, Tenant, User};
use belfry_domain::audit::{Access, AccessKind, Outcome};
use belfry_domain::challenge::{Challenge, Wanted};
use belfry_domain::email::EmailAddress;
use belfry_domain::password::{Password, PasswordHash};
use belfry_domain::policy::{self, Proof};
use belfry_domain::second_factor::State;
use belfry_domain::secret::Secret;
use belfry_domain::session::Session;
use belfry_store::sessions::Opening;
use belfry_store::transaction::Refused;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogInBody {
    email: String,
    password: String,
    tenant_id: Option<String>,
}

#[derive(Serialize)]
struct TwoFactorRequired {
    status: &'static str,
    #[serde(flatten)]
    challenge: belfry_api::problem::ChallengeView,
}

pub(crate) async fn log_in(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let body: LogInBody = request::body(request)?;
    let password = Password::new(&body.password);
    let address: Option<EmailAddress> = body.email.parse().ok();
    // As the table knows it: an address can be written in many ways.
    let account = address.as_ref().map_or(body.email.as_str(), EmailAddress::as_str);
    let counted = PasswordTry::count(app, request, account).await?;
    for _ in 0..LOOKS {
        let person = Person::at(app, address.as_ref()).await?;
        // Before the password is looked at: a right one of somebody who may not come in costs no more.
        let open = person.open(app).await?;
        let known =
            policy::prove(person.identity.as_ref(), &password)?.zip(person.identity.as_ref());
        let Some((proof, identity)) = known else {
            person.note_failure(app, AccessKind::Login, &origin(request)).await?;
            return Err(refused());
        };
        let Some((tenant, user)) = person.choose(&open, body.tenant_id.as_deref()) else {
            person.note_failure(app, AccessKind::Login, &origin(request)).await?;
            return Err(refused());
        };
        rehash_if_outdated(app, identity, &password).await;
        let right = Right { proof, identity, tenant, user, open: &open };
        if let Some(done) = right.proceed(app, request).await.transpose() {
            // The password was right, whatever the second factor says.
            counted.forgive(app).await?;
            return done;
        }
    }
    Err(busy())
}

/// A right password of somebody who may come in.
struct Right<'a> {
    proof: Proof,
    identity: &'a Identity,
    tenant: &'a Tenant,
    user: &'a User,
    open: &'a [(Tenant, User)],
}

impl Right<'_> {
    /// A session, or what it still takes; none when the person changed meanwhile.
    async fn proceed(
        &self,
        app: &App,
        request: &Request,
    ) -> Result<Option<Response<Body>>, Problem> {
        let required = self.open.iter().any(|(_, user)| user.two_factor_required);
        match State::of(required, self.identity.second_factor.as_ref()) {
            State::Off => self.session(app, request).await,
            State::Pending => {
                let (tenant, user) = (self.tenant.id, self.user.id);
                let offer = enrolment::offer(app, self.identity, tenant, user, None).await?;
                app.table.issue(&offer.hash, &offer.challenge).await?;
                Ok(Some(answer::ok(&offer.view)))
            }
            State::Active => {
                let challenge = self.challenge(app).await?;
                let view = TwoFactorRequired { status: "two_factor_required", challenge };
                Ok(Some(answer::ok(&view)))
            }
            // The challenge is for a recovery code: no other way leads in.
            State::Locked => Err(two_factor_locked().with_challenge(self.challenge(app).await?)),
        }
    }

    async fn challenge(&self, app: &App) -> Result<belfry_api::problem::ChallengeView, Problem> {
        let secret = Secret::new(app.entropy.as_ref());
        let (tenant, user) = (self.tenant.id, self.user.id);
        let now = app.clock.now();
        let challenge = Challenge::new(self.identity, tenant, user, Wanted::Code, now);
        app.table.issue(&secret.hash(), &challenge).await?;
        Ok(answers::challenge(&secret))
    }

    async fn session(
        &self,
        app: &App,
        request: &Request,
    ) -> Result<Option<Response<Body>>, Problem> {
        let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
        let client = client_info(request);
        let (session, token) = Session::open(self.identity, self.user, false, client, now, entropy);
        let (login, user) = (AccessKind::Login, Some(self.user.id));
        let access = Access::new(login, Outcome::Success, user, &origin(request), now, entropy);
        let opening = Opening { session: &session, instead_of: None };
        match app.table.open_session(&self.proof, &opening, &access, entropy).await {
            Ok(()) => {}
            // Person or membership changed between our look and our write.
            Err(Refused::Condition(_)) => return Ok(None),
            Err(Refused::Store(error)) => return Err(error.into()),
        }
        let (tenant, user) = (self.tenant, self.user);
        let opened = Opened {
            session: &session,
            token: &token,
            tenant,
            user,
            open: self.open,
            recovery: None,
        };
        authenticated(app, request, opened).await.map(Some)
    }
}

/// Said only after a right password.
pub(crate) fn two_factor_locked() -> Problem {
    let detail = "Too many wrong codes: use a recovery code, or ask a super admin for a reset.";
    Problem::new(423, "two_factor_locked", detail)
}

/// Hashes the password again when the parameters have risen since. The log-in does not depend on
/// it; when it wins over the session's opening, the log-in looks again.
async fn rehash_if_outdated(app: &App, identity: &Identity, password: &Password) {
    if !identity.password.as_ref().is_some_and(PasswordHash::is_outdated) {
        return;
    }
    let entropy = app.entropy.as_ref();
    let done = match PasswordHash::of(password, entropy) {
        Ok(hash) => {
            let after = Identity { password: Some(hash), ..identity.changed() };
            app.table.keep_identity(identity, &after, entropy).await.map_err(Problem::from)
        }
        Err(error) => Err(error.into()),
    };
    if let Err(problem) = done {
        let cause = problem.internal.as_deref().unwrap_or("");
        tracing::warn!(cause, "password not hashed again");
    }
}
