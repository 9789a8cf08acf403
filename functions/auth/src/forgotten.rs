//! `POST /auth/password/forgotten`: mails a link that sets a new password. The answer, and what it
//! takes to give it, do not tell whether somebody has the address.

use crate::App;
use crate::person::{LOOKS, Person, busy, source};
use belfry_api::auth::origin;
use belfry_api::fields::Fields;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::{Identity, Link, LinkPurpose, RESET_LINK_LIFE};
use belfry_domain::audit::{Access, AccessKind, Outcome};
use belfry_domain::email::EmailAddress;
use belfry_domain::id::IdentityId;
use belfry_domain::mail::Letter;
use belfry_domain::secret::Secret;
use belfry_domain::throttle::{MAIL_FROM_SOURCE, MAIL_TO_RECIPIENT};
use belfry_runtime::post::{Draft, Page, reader};
use belfry_store::outbox;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForgottenBody {
    email: String,
}

#[derive(Serialize)]
struct Accepted {
    status: &'static str,
}

pub(crate) async fn forgotten(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let body: ForgottenBody = request::body(request)?;
    let mut fields = Fields::new();
    let address = fields.read::<EmailAddress>("/email", &body.email);
    let address = fields.finish(address)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let source = source(request);
    // In this order: who is stopped at the source uses up nobody's mails.
    app.table.count_try(&MAIL_FROM_SOURCE, &source, now, entropy).await?;
    app.table.count_try(&MAIL_TO_RECIPIENT, address.as_str(), now, entropy).await?;
    for _ in 0..LOOKS {
        let person = Person::at(app, Some(&address)).await?;
        // The same calls, whoever it is.
        let open = person.open(app).await?;
        let chosen = person.choose(&open, None);
        let identity = person.identity.as_ref().filter(|identity| identity.password.is_some());
        let known = identity.zip(chosen);
        let secret = Secret::new(entropy);
        let entry = match known {
            Some((identity, (_, user))) => {
                let letter = Letter::PasswordReset(reader(user));
                let link = Some((Page::ResetPassword, &secret));
                let (to, language) = (&identity.email, identity.language);
                app.post.mail(Draft { to, language, letter, link }, now).await?
            }
            None => app.post.nothing(&secret, now).await?,
        };
        let after = known.map(|(identity, _)| Identity {
            password_reset: Some(secret.hash()),
            ..identity.changed()
        });
        let nobody = || IdentityId::new(now, entropy);
        let link = Link {
            identity: known.map_or_else(nobody, |(identity, _)| identity.id),
            purpose: LinkPurpose::PasswordReset,
            valid_until: now.checked_add(RESET_LINK_LIFE).unwrap_or(now),
        };
        let asked = (AccessKind::PasswordForgotten, Outcome::Success);
        let mut notes: Vec<_> = person
            .notes(app, asked, &origin(request), None)
            .into_iter()
            .map(|(tenant, access)| (Some(tenant), access))
            .collect();
        if notes.is_empty() {
            let (kind, outcome) = (AccessKind::PasswordForgotten, Outcome::Failure);
            let access = Access::new(kind, outcome, None, &origin(request), now, entropy);
            notes.push((None, access));
        }
        let change = known.map(|(identity, _)| identity).zip(after.as_ref());
        let (kept, item) = ((secret.hash(), &link), outbox::item(&entry)?);
        if app.table.offer_password_reset(change, kept, item, &notes, entropy).await? {
            app.post.ring(entry.id).await;
            return Ok(answer::json(202, &Accepted { status: "accepted" }));
        }
    }
    Err(busy())
}
