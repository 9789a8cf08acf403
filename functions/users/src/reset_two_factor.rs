//! `POST /users/{id}/two-factor/reset`: for a locked person, or one with a new telephone. Acts at once
//! when the person is in no other company, else when the person follows a mailed link.

use crate::App;
use crate::target::{LOOKS, Target, busy};
use belfry_api::auth::origin;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::account::{Identity, Link, LinkPurpose, RESET_LINK_LIFE, Status};
use belfry_domain::audit::{Access, AccessKind, Entry, Outcome};
use belfry_domain::mail::Letter;
use belfry_domain::policy::Action;
use belfry_domain::secret::Secret;
use belfry_domain::throttle::RESET_OFFER;
use belfry_runtime::authenticate::Caller;
use belfry_runtime::post::{Draft, Page, reader};
use belfry_store::outbox;
use belfry_store::sessions::PersonChange;
use serde::Serialize;

#[derive(Serialize)]
struct Reset {
    /// `reset`: done; `offered`: when the person follows the link.
    status: &'static str,
}

pub(crate) async fn reset_two_factor(
    app: &App,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    caller.actor.may(Action::ResetTwoFactor)?;
    let mut counted = false;
    for _ in 0..LOOKS {
        let target = Target::of(app, request, &caller).await?;
        if target.user.status != Status::Active || target.identity.second_factor.is_none() {
            let detail = "There is no second factor of this user to be reset.";
            return Err(Problem::new(409, "two_factor_not_enrolled", detail));
        }
        let status = if target.elsewhere.is_empty() { "reset" } else { "offered" };
        if status == "offered" && !counted {
            let subject = target.user.id.to_string();
            let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
            app.table.count_try(&RESET_OFFER, &subject, now, entropy).await?;
            counted = true;
        }
        let done = match status {
            "reset" => reset(app, request, &caller, &target).await?,
            _ => offer(app, &caller, &target).await?,
        };
        if done {
            return Ok(answer::json(202, &Reset { status }));
        }
    }
    Err(busy())
}

/// Forgets the factor and ends the person's sessions. False when somebody else was faster.
async fn reset(
    app: &App,
    request: &Request,
    caller: &Caller,
    target: &Target,
) -> Result<bool, Problem> {
    let grant = caller.actor.may(Action::ResetTwoFactor)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let Target { user, identity, memberships, .. } = target;
    let after = Identity { second_factor: None, ..identity.changed() }.without_sessions();
    let letter = Letter::TwoFactorReset(reader(user));
    let (mail, item) = app.post.notice(&identity.email, identity.language, letter, now)?;
    let (kind, success) = (AccessKind::TwoFactorChanged, Outcome::Success);
    let others = memberships.iter().filter(|membership| membership.tenant != user.tenant);
    let note = |user| Access::new(kind, success, Some(user), &origin(request), now, entropy);
    let change = PersonChange {
        mails: vec![item],
        notes: others.map(|membership| (membership.tenant, note(membership.user))).collect(),
        ..PersonChange::new(identity, &after, memberships)
    };
    let entry = Entry::about("user", &user.id)
        .set("two_factor", "reset")
        .personal("email", user.email.as_str());
    let done = app.table.change_person(&grant, &entry, change, now, entropy).await?;
    if done {
        app.post.ring(mail).await;
    }
    Ok(done)
}

/// Mails the person a link. False when somebody else was faster.
async fn offer(app: &App, caller: &Caller, target: &Target) -> Result<bool, Problem> {
    let grant = caller.actor.may(Action::ResetTwoFactor)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let Target { user, identity, .. } = target;
    let secret = Secret::new(entropy);
    let company = caller.tenant.company.clone();
    let letter = Letter::TwoFactorResetLink { reader: reader(user), company };
    let (to, language) = (&identity.email, identity.language);
    let link_to = Some((Page::ResetTwoFactor, &secret));
    let mail = app.post.mail(Draft { to, language, letter, link: link_to }, now).await?;
    let link = Link {
        identity: identity.id,
        purpose: LinkPurpose::TwoFactorReset { tenant: user.tenant, user: user.id },
        valid_until: now.checked_add(RESET_LINK_LIFE).unwrap_or(now),
    };
    let (kept, item) = ((secret.hash(), &link), outbox::item(&mail)?);
    let done = app.table.offer_two_factor_reset(&grant, user, kept, item, now, entropy).await?;
    if done {
        app.post.ring(mail.id).await;
    }
    Ok(done)
}
