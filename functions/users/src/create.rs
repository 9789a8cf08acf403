//! `POST /users`: adds a user. One with a console is invited by mail; the answer does not tell whether
//! somebody is known from elsewhere.

use crate::App;
use crate::attributes::attributes;
use crate::target::{LOOKS, busy};
use crate::view::UserView;
use belfry_api::fields::Fields;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::{MOST_USERS, Role, Source, User};
use belfry_domain::business_email::{NOT_BUSINESS, is_business};
use belfry_domain::policy::{Action, Grant};
use belfry_domain::text::Telephone;
use belfry_domain::users::NewUser;
use belfry_domain::users::record;
use belfry_runtime::authenticate::Caller;
use belfry_runtime::invite::Inviter;
use belfry_store::idempotency;
use belfry_store::users::{NewMember, NotWritten};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    first_name: String,
    last_name: String,
    email: String,
    mobile: Option<String>,
    phone: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, Option<String>>,
    role: String,
    #[serde(default)]
    two_factor_required: bool,
}

pub(crate) async fn create(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let new = parse(&request::body(request)?)?;
    let digest = request::idempotency_digest(request)?;
    let grant = caller.actor.may(Action::CreateUser(new.role))?;
    if new.two_factor_required {
        caller.actor.may(Action::RequireTwoFactor)?;
    }
    let user = match made_before(app, &caller, &new, digest.as_deref()).await? {
        Some(user) => user,
        None => added(app, &caller, &grant, &new, digest.as_deref()).await?,
    };
    let catalogue = app.table.catalogue_of(user.tenant, [&user]).await?;
    Ok(answer::created(&UserView::of(&user, &catalogue)))
}

/// What the same request made before; none when it is the first.
async fn made_before(
    app: &App,
    caller: &Caller,
    new: &NewUser,
    digest: Option<&str>,
) -> Result<Option<User>, Problem> {
    let (tenant, by, now) = (caller.tenant.id, caller.user.id, app.clock.now());
    let Some(digest) = digest else { return Ok(None) };
    if !app.table.was_done(tenant, by, digest, now).await? {
        return Ok(None);
    }
    let id = app.table.user_at(tenant, &new.email).await?;
    let user = match id {
        Some(id) => app.table.user(tenant, id).await?,
        None => None,
    };
    // Deleted since, or not the same request.
    let detail = "A user was added with this Idempotency-Key, and is not there under this address.";
    user.map(Some).ok_or_else(|| Problem::new(409, "already_created", detail))
}

async fn added(
    app: &App,
    caller: &Caller,
    grant: &Grant,
    new: &NewUser,
    digest: Option<&str>,
) -> Result<User, Problem> {
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let tenant = &caller.tenant;
    if tenant.users >= MOST_USERS {
        return Err(user_limit());
    }
    if app.table.user_at(tenant.id, &new.email).await?.is_some() {
        return Err(already_exists());
    }
    let console = new.has_console();
    let (company, language) = (&tenant.company, tenant.language);
    let desk = Inviter { post: &app.post, company, language, now };
    if console {
        desk.count(&app.table, tenant.id, &new.email).await?;
    }
    for _ in 0..LOOKS {
        let (user, invite, mail) = if console {
            let guest = desk.guest(&app.table, &new.email).await?;
            let invited = Some(guest.invited());
            let user = User::new(tenant.id, new.clone(), Source::Manual, invited, now, entropy);
            let (invite, mail) = desk.invite(guest, &user).await?;
            (user, Some(invite), Some(mail))
        } else {
            let user = User::new(tenant.id, new.clone(), Source::Manual, None, now, entropy);
            (user, None, None)
        };
        let entry = record::added(&user);
        let once = digest.map(|digest| idempotency::once(tenant.id, caller.user.id, digest, now));
        let beside = once.transpose()?.unwrap_or_default();
        let member = NewMember { user: user.clone(), invite };
        match app.table.create_user(grant, &entry, member, beside, now, entropy).await {
            Ok(user) => {
                if let Some(mail) = mail {
                    app.post.ring(mail).await;
                }
                tracing::info!(tenant.id = %tenant.id, user.id = %user.id, "user added");
                return Ok(user);
            }
            Err(NotWritten::Limit) => return Err(user_limit()),
            Err(NotWritten::Store(error)) => return Err(error.into()),
            Err(refused) => {
                // A rival's may have been the same request.
                if let Some(user) = made_before(app, caller, new, digest).await? {
                    return Ok(user);
                }
                if matches!(refused, NotWritten::Taken) {
                    return Err(already_exists());
                }
            }
        }
    }
    Err(busy())
}

fn parse(body: &CreateBody) -> Result<NewUser, Problem> {
    let mut fields = Fields::new();
    let number = |fields: &mut Fields, pointer: &str, text: Option<&str>| match text.map(str::trim)
    {
        None | Some("") => Some(None),
        Some(text) => fields.read::<Telephone>(pointer, text).map(Some),
    };
    let first_name = fields.read("/first_name", &body.first_name);
    let last_name = fields.read("/last_name", &body.last_name);
    let email = fields.read("/email", &body.email);
    let mobile = number(&mut fields, "/mobile", body.mobile.as_deref());
    let phone = number(&mut fields, "/phone", body.phone.as_deref());
    let attributes = attributes(&mut fields, &body.attributes).into_iter();
    let attributes = attributes.filter_map(|(name, text)| Some((name, text?))).collect();
    let role = fields.want(Role::named(&body.role), "/role", "This is not a role.");
    if let (Some(email), Some(role)) = (&email, role)
        && role != Role::User
        && !is_business(email)
    {
        fields.fault("/email", "business_email_required", NOT_BUSINESS);
    }
    if body.two_factor_required && role == Some(Role::User) {
        let detail = "A user without a console does not log in.";
        fields.fault("/two_factor_required", "two_factor_not_allowed", detail);
    }
    let new = move || {
        Some(NewUser {
            first_name: first_name?,
            last_name: last_name?,
            email: email?,
            mobile: mobile?,
            phone: phone?,
            attributes,
            role: role?,
            two_factor_required: body.two_factor_required,
        })
    };
    let new = new();
    fields.finish(new)
}

pub(crate) fn user_limit() -> Problem {
    let detail = format!("A company has at most {MOST_USERS} users; delete some first.");
    Problem::new(409, "user_limit", detail)
}

fn already_exists() -> Problem {
    Problem::new(409, "already_exists", "There is a user with this address already.")
}
