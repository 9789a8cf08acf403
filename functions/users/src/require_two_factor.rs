//! `PUT /users/{id}/two-factor`: whether this tenant requires somebody's second factor.

use crate::App;
use crate::target::{LOOKS, Target, busy};
use crate::view::TwoFactorView;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::{Identity, Status, User};
use belfry_domain::id::UserId;
use belfry_domain::mail::Letter;
use belfry_domain::policy::Action;
use belfry_runtime::post::reader;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequireBody {
    required: bool,
}

#[derive(Serialize)]
struct RequiredView {
    id: UserId,
    two_factor: TwoFactorView,
}

/// Enabling asks for an enrolment at the next log-in; disabling clears this tenant's requirement and
/// no other's.
pub(crate) async fn require_two_factor(
    app: &App,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let grant = caller.actor.may(Action::RequireTwoFactor)?;
    let RequireBody { required } = request::body(request)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        let target = Target::of(app, request, &caller).await?;
        let (user, identity) = (&target.user, &target.identity);
        let needed = required || target.is_required_elsewhere();
        // What nobody requires any more is forgotten; of somebody who is in other companies too,
        // that is not this company's to decide.
        let alone = user.status == Status::Active && target.elsewhere.is_empty();
        let forgets = !needed && alone && identity.second_factor.is_some();
        let after = Identity { second_factor: None, ..identity.changed() };
        let members = target.memberships.as_slice();
        let person = forgets.then_some((identity, &after, members));
        let factor = user.factor.filter(|_| !forgets);
        let state = User { two_factor_required: required, factor, ..user.clone() }.two_factor();
        let view = RequiredView { id: user.id, two_factor: TwoFactorView { required, state } };
        if user.two_factor_required == required {
            return Ok(answer::ok(&view));
        }
        let letter = if required {
            Letter::TwoFactorEnabled(reader(user))
        } else {
            let company = caller.tenant.company.clone();
            Letter::TwoFactorDisabled { reader: reader(user), company }
        };
        let (mail, item) = app.post.notice(&identity.email, identity.language, letter, now)?;
        // Whoever is only invited hears of it from the first log-in.
        let item = (user.status != Status::Invited).then_some(item);
        let mailed = item.is_some();
        let change = (user, required);
        if app.table.require_two_factor(&grant, change, person, item, now, entropy).await? {
            if mailed {
                app.post.ring(mail).await;
            }
            return Ok(answer::ok(&view));
        }
    }
    Err(busy())
}
