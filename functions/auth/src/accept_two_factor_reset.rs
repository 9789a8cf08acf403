//! `POST /auth/two-factor/reset`: the person agrees, by a mailed link, to the reset that one of several
//! companies asked for.

use crate::App;
use crate::check_activation::{Found, find, link_gone};
use crate::person::{LOOKS, Person, busy};
use belfry_api::auth::origin;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::{Identity, LinkPurpose};
use belfry_domain::audit::{AccessKind, Entry, Outcome};
use belfry_domain::mail::Letter;
use belfry_runtime::post::reader;
use belfry_store::accounts::Invitation;
use belfry_store::keys;
use belfry_store::sessions::PersonChange;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AcceptBody {
    token: String,
}

pub(crate) async fn accept_two_factor_reset(
    app: &App,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let body: AcceptBody = request::body(request)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        let Found { hash, invitation, grant } = find(app, request, &body.token).await?;
        let Invitation { link, user, identity, .. } = &invitation;
        if !matches!(link.purpose, LinkPurpose::TwoFactorReset { .. }) {
            return Err(link_gone());
        }
        let person = Person::with(app, identity.id).await?;
        let after = Identity { second_factor: None, ..identity.changed() }.without_sessions();
        let letter = Letter::TwoFactorReset(reader(user));
        let (mail, item) = app.post.notice(&identity.email, identity.language, letter, now)?;
        let changed = (AccessKind::TwoFactorChanged, Outcome::Success);
        let change = PersonChange {
            uses: Some(keys::link(&hash)),
            mails: vec![item],
            notes: person.notes(app, changed, &origin(request), Some(user.tenant)),
            ..PersonChange::new(identity, &after, &person.memberships)
        };
        let entry = Entry::about("user", &user.id).set("two_factor", "reset");
        if app.table.change_person(&grant, &entry, change, now, entropy).await? {
            app.post.ring(mail).await;
            return Ok(answer::no_content());
        }
    }
    Err(busy())
}
