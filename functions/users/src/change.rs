//! `PATCH /users/{id}`: names, numbers, role, status.

use crate::App;
use crate::attributes::attributes;
use crate::target::{LOOKS, busy, present};
use crate::view::UserView;
use belfry_api::fields::Fields;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::{Role, Status, User};
use belfry_domain::business_email::{NOT_BUSINESS, is_business};
use belfry_domain::failure::FieldError;
use belfry_domain::policy::{Action, Grant};
use belfry_domain::users::record::changed;
use belfry_domain::users::{Move, Unchangeable, Wanted};
use belfry_runtime::authenticate::Caller;
use belfry_runtime::invite::Inviter;
use belfry_runtime::leaving::Leaving;
use belfry_store::transaction::Transaction;
use belfry_store::users::{NotWritten, PersonMove};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Absent is "as it is"; an empty number takes it away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    first_name: Option<String>,
    last_name: Option<String>,
    mobile: Option<String>,
    phone: Option<String>,
    /// By name; null or empty takes one away, those not named stay.
    #[serde(default)]
    attributes: BTreeMap<String, Option<String>>,
    role: Option<String>,
    status: Option<String>,
    /// Whether its directory's groups leave its role alone.
    role_pinned: Option<bool>,
    /// Never changes; named to say so.
    email: Option<Value>,
    /// The version that was seen.
    version: u64,
}

pub(crate) async fn change(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let body: ChangeBody = request::body(request)?;
    let version = body.version;
    let wanted = parse(&body)?;
    let mut counted = false;
    for _ in 0..LOOKS {
        let before = present(app, request, &caller).await?;
        let grant = caller.actor.may(Action::ChangeUser(before.role))?;
        if let Some(role) = wanted.role.filter(|role| *role != before.role) {
            caller.actor.may(Action::ChangeUser(role))?;
        }
        if before.version != version {
            return Err(Problem::stale(before.version));
        }
        let (after, moves) = before.wanted(&wanted)?;
        if after == before {
            return shown(app, &before).await;
        }
        let own = |user: &User| (user.role, user.status, user.attributes.clone());
        if before.id == caller.user.id && own(&after) != own(&before) {
            return Err(Unchangeable::OwnAccount.into());
        }
        if moves == Move::Enters && !counted {
            enters(app, &caller, &before).await?;
            counted = true;
        }
        match write(app, &caller, &grant, &before, after, moves).await? {
            Ok(after) => return shown(app, &after).await,
            Err(NotWritten::LastSuperAdmin) => return Err(Unchangeable::LastSuperAdmin.into()),
            Err(NotWritten::Store(error)) => return Err(error.into()),
            Err(_) => {}
        }
    }
    Err(busy())
}

async fn shown(app: &App, user: &User) -> Result<Response<Body>, Problem> {
    let catalogue = app.table.catalogue_of(user.tenant, [user]).await?;
    Ok(answer::ok(&UserView::of(user, &catalogue)))
}

/// What a promotion to the console asks before it mails.
async fn enters(app: &App, caller: &Caller, user: &User) -> Result<(), Problem> {
    if !is_business(&user.email) {
        let error = FieldError::new("/role", "business_email_required", NOT_BUSINESS);
        return Err(Problem::invalid(vec![error]));
    }
    Ok(desk(app, caller).count(&app.table, user.tenant, &user.email).await?)
}

fn desk<'a>(app: &'a App, caller: &'a Caller) -> Inviter<'a> {
    let (company, language) = (&caller.tenant.company, caller.tenant.language);
    Inviter { post: &app.post, company, language, now: app.clock.now() }
}

/// Writes the change with what becomes of the person: the user as it is then, or why it was not written.
async fn write(
    app: &App,
    caller: &Caller,
    grant: &Grant,
    before: &User,
    mut after: User,
    moves: Move,
) -> Result<Result<User, NotWritten>, Problem> {
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let mut entry = changed(before, &after);
    let mut mail = None;
    let leaving;
    let person = match moves {
        Move::Stays => PersonMove::Stays,
        Move::Enters => {
            let desk = desk(app, caller);
            let guest = desk.guest(&app.table, &before.email).await?;
            let (identity, link) = guest.invited();
            (after.identity, after.invitation) = (Some(identity), Some(link));
            let (invite, id) = desk.invite(guest, &after).await?;
            mail = Some(id);
            PersonMove::Enters(invite)
        }
        Move::Leaves => {
            leaving = Leaving::of(&app.table, before).await?;
            if let Some(person) = &leaving {
                entry = person.recorded(entry);
            }
            leaving.as_ref().map_or(PersonMove::Stays, Leaving::leaves)
        }
    };
    let (users, person) = ((before, &after), (person, Transaction::new()));
    let after = match app.table.change_user(grant, &entry, users, person, now, entropy).await {
        Ok(after) => after,
        Err(refused) => return Ok(Err(refused)),
    };
    if let Some(mail) = mail {
        app.post.ring(mail).await;
    }
    Ok(Ok(after))
}

fn parse(body: &ChangeBody) -> Result<Wanted, Problem> {
    let mut fields = Fields::new();
    let mut wanted = Wanted { role_pinned: body.role_pinned, ..Wanted::default() };
    if let Some(text) = &body.first_name {
        wanted.first_name = fields.read("/first_name", text);
    }
    if let Some(text) = &body.last_name {
        wanted.last_name = fields.read("/last_name", text);
    }
    let number = |fields: &mut Fields, pointer: &str, text: &str| match text.trim() {
        "" => None,
        text => fields.read(pointer, text),
    };
    wanted.mobile = body.mobile.as_ref().map(|text| number(&mut fields, "/mobile", text));
    wanted.phone = body.phone.as_ref().map(|text| number(&mut fields, "/phone", text));
    wanted.attributes = attributes(&mut fields, &body.attributes);
    if let Some(text) = &body.role {
        wanted.role = fields.want(Role::named(text), "/role", "This is not a role.");
    }
    if let Some(text) = &body.status {
        let active = match Status::named(text) {
            Some(Status::Active) => Some(true),
            Some(Status::Deactivated) => Some(false),
            _ => None,
        };
        wanted.active = fields.want(active, "/status", "Set active or deactivated.");
    }
    if body.email.is_some() {
        fields.fault("/email", "immutable", "An address never changes: add another user.");
    }
    fields.finish(Some(wanted))
}
