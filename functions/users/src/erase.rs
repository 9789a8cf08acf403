//! `POST /users/{id}/erasure`: takes everything that says who a deleted user was out of what is kept
//! of it. The audit trail stays whole: it holds hashes of what is erased.

use crate::App;
use crate::target::{LOOKS, busy};
use crate::view::UserView;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::audit::Entry;
use belfry_domain::id::UserId;
use belfry_domain::policy::Action;
use belfry_domain::tag::catalogue::Catalogue;

pub(crate) async fn erase(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let id: UserId = request::path(request, "id")?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        let user = app.table.user(caller.tenant.id, id).await?.ok_or_else(Problem::not_found)?;
        let grant = caller.actor.may(Action::EraseUser(user.role))?;
        if !user.is_archived() {
            let detail = "Delete the user first: who is erased cannot come back.";
            return Err(Problem::new(409, "not_deleted", detail));
        }
        // On record before anything is gone for good; whoever repeats it goes on with what lies apart.
        let erased = if user.erased_at.is_some() {
            user
        } else {
            let after = user.erased(now);
            let entry = Entry::about("user", &user.id).set("erased", true);
            if !app.table.erase_user(&grant, &entry, (&user, &after), now, entropy).await? {
                continue;
            }
            after
        };
        app.table.erase_traces(&grant, &erased, now).await?;
        return Ok(answer::ok(&UserView::of(&erased, &Catalogue::default())));
    }
    Err(busy())
}
