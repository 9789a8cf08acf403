//! `POST /users/{id}/two-factor/reset`: for a locked person, or one with a new telephone. Acts at once
//! when the person is in no other company, else when the person follows a mailed link.

use crate::App;
use crate::target::{LOOKS, Target, busy};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::account::Status;
use belfry_domain::policy::Action;
use belfry_domain::throttle::RESET_OFFER;
use belfry_runtime::reset::Reset;
use belfry_store::transaction::Transaction;
use serde::Serialize;

#[derive(Serialize)]
struct ResetView {
    /// `reset`: done; `offered`: when the person follows the link.
    status: &'static str,
}

pub(crate) async fn reset_two_factor(
    app: &App,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let grant = caller.actor.may(Action::ResetTwoFactor)?;
    let mut counted = false;
    for _ in 0..LOOKS {
        let target = Target::of(app, request, &caller).await?;
        let Target { user, identity, memberships, elsewhere } = &target;
        if user.status != Status::Active || identity.second_factor.is_none() {
            let detail = "There is no second factor of this user to be reset.";
            return Err(Problem::new(409, "two_factor_not_enrolled", detail));
        }
        let now = app.clock.now();
        let status = if elsewhere.is_empty() { "reset" } else { "offered" };
        if status == "offered" && !counted {
            let (subject, entropy) = (user.id.to_string(), app.entropy.as_ref());
            app.table.count_try(&RESET_OFFER, &subject, now, entropy).await?;
            counted = true;
        }
        let (table, post, grant) = (&app.table, &app.post, &grant);
        let reset = Reset { table, post, grant, user, identity, memberships, recovery: None, now };
        let done = match status {
            "reset" => reset.at_once(Transaction::new()).await?,
            _ => reset.offer(&caller.tenant.company, Transaction::new()).await?,
        };
        if done {
            return Ok(answer::json(202, &ResetView { status }));
        }
    }
    Err(busy())
}
