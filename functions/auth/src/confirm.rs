//! `POST /auth/confirm`: a fresh proof within a session, for what protects the account.

use crate::App;
use crate::person::{LOOKS, PasswordTry, Person, busy, refused};
use crate::two_factor::{Suspect, judge};
use belfry_api::auth::origin;
use belfry_api::fields::Fields;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::Identity;
use belfry_domain::audit::{Access, AccessKind, Outcome};
use belfry_domain::password::Password;
use belfry_domain::policy::{self, Action};
use belfry_domain::second_factor::{Code, State, Verdict};
use belfry_domain::session::PROOF_LIFE;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfirmBody {
    password: String,
    code: Option<String>,
}

#[derive(Serialize)]
struct Confirmed {
    confirmed_until: String,
}

pub(crate) async fn confirm(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    caller.actor.may(Action::ReadProfile)?;
    let body: ConfirmBody = request::body(request)?;
    let counted = PasswordTry::count(app, request, caller.identity.email.as_str()).await?;
    let password = Password::new(&body.password);
    let two_factor = 'proven: {
        for _ in 0..LOOKS {
            let person = Person::with(app, caller.identity.id).await?;
            let identity = person.identity.as_ref().ok_or_else(refused)?;
            let Some(proof) = policy::prove(Some(identity), &password)? else {
                person.note_failure(app, AccessKind::Confirm, &origin(request)).await?;
                return Err(refused());
            };
            let suspect = Suspect { proof: &proof, person: &person, user: &caller.user };
            let shown = second_factor(app, request, &suspect, identity, body.code.as_deref());
            if let Some(shown) = shown.await.transpose() {
                // The password was right, whatever the code.
                counted.forgive(app).await?;
                break 'proven shown?;
            }
        }
        return Err(busy());
    };
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let two_factor = two_factor || caller.session.two_factor;
    let (identity, session) = (caller.identity.id, caller.session.id);
    if !app.table.prove_session(identity, session, two_factor, now).await? {
        return Err(refused());
    }
    let (kind, success) = (AccessKind::Confirm, Outcome::Success);
    let access = Access::new(kind, success, Some(caller.user.id), &origin(request), now, entropy);
    app.table.note_access(Some(caller.tenant.id), &access).await?;
    let until = now.checked_add(PROOF_LIFE).unwrap_or(now);
    Ok(answer::ok(&Confirmed { confirmed_until: answer::time(until) }))
}

/// Whether a second factor was shown, where one is needed; none when somebody else was faster.
async fn second_factor(
    app: &App,
    request: &Request,
    suspect: &Suspect<'_>,
    identity: &Identity,
    text: Option<&str>,
) -> Result<Option<bool>, Problem> {
    let required = suspect.person.open(app).await?.iter().any(|(_, user)| user.two_factor_required);
    let Some(factor) = identity.second_factor.as_ref().filter(|factor| {
        matches!(State::of(required, Some(factor)), State::Active | State::Locked)
    }) else {
        return Ok(Some(false));
    };
    let code = code(text)?;
    match judge(app, identity, factor, &code).await? {
        Verdict::Right(next) => {
            let after = Identity { second_factor: Some(next), ..identity.changed() };
            let kept = app.table.keep_identity(identity, &after, app.entropy.as_ref()).await?;
            Ok(kept.then_some(true))
        }
        other => suspect.refuse(app, request, identity, other).await,
    }
}

fn code(text: Option<&str>) -> Result<Code, Problem> {
    let mut fields = Fields::new();
    let code = text.and_then(|text| fields.read("/code", text));
    if text.is_none() {
        fields.fault("/code", "required", "Send a code of your authenticator app too.");
    }
    fields.finish(code)
}
