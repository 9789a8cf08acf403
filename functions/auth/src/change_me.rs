//! `PATCH /me`: one's own names, number and language.

use crate::App;
use crate::me::view;
use crate::person::{LOOKS, Person, busy, refused};
use belfry_api::fields::Fields;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::{Identity, Source, User};
use belfry_domain::audit::Entry;
use belfry_domain::language::Language;
use belfry_domain::policy::Action;
use belfry_domain::text::Telephone;
use belfry_runtime::authenticate::Caller;
use serde::Deserialize;

/// Absent is "as it is"; an empty mobile number takes it away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MeBody {
    first_name: Option<String>,
    last_name: Option<String>,
    mobile: Option<String>,
    language: Option<String>,
    /// The version that was seen.
    version: u64,
}

pub(crate) async fn change_me(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let grant = caller.actor.may(Action::ChangeProfile)?;
    let body: MeBody = request::body(request)?;
    let Caller { session, user, tenant, .. } = &caller;
    let (changed, wanted) = parse(&body, user)?;
    let names = body.first_name.is_some() || body.last_name.is_some() || body.mobile.is_some();
    if names && user.source != Source::Manual {
        let detail = "These fields come from an import or a directory and are changed there.";
        return Err(Problem::new(409, "not_editable", detail));
    }
    if body.version != user.version {
        return Err(Problem::stale(user.version));
    }
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        let (person, before) = Person::within(app, &caller).await?;
        let before = &before;
        let language = wanted.unwrap_or(before.language);
        let after = Identity { language, ..before.changed() };
        let entry = Entry::about("user", &user.id)
            .changed("language", before.language.name(), language.name())
            .personal("first_name", changed.first_name.as_str())
            .personal("last_name", changed.last_name.as_str())
            .personal("mobile", changed.mobile.as_ref().map_or("", Telephone::as_str));
        let people = (before, &after);
        if app.table.change_profile(&grant, &entry, (user, &changed), people, now, entropy).await? {
            let me = view(app, &person, session, &after, &changed, tenant).await?;
            return Ok(answer::ok(&me));
        }
        let stored = app.table.user(user.tenant, user.id).await?.ok_or_else(refused)?;
        if stored.version != user.version {
            return Err(Problem::stale(stored.version));
        }
    }
    Err(busy())
}

/// The user as it becomes, and the wanted language; every fault at once.
fn parse(body: &MeBody, user: &User) -> Result<(User, Option<Language>), Problem> {
    let mut fields = Fields::new();
    let mut changed = User { version: user.version.saturating_add(1), ..user.clone() };
    if let Some(text) = &body.first_name {
        changed.first_name = fields.read("/first_name", text).unwrap_or(changed.first_name);
    }
    if let Some(text) = &body.last_name {
        changed.last_name = fields.read("/last_name", text).unwrap_or(changed.last_name);
    }
    if let Some(text) = body.mobile.as_deref().map(str::trim) {
        changed.mobile = if text.is_empty() { None } else { fields.read("/mobile", text) };
    }
    let language = body.language.as_deref().and_then(|text| fields.read("/language", text));
    fields.finish(Some((changed, language)))
}
