//! `POST /users/{id}/activation`: mails an invited user a new link; the one before is void.

use crate::App;
use crate::target::{LOOKS, busy, present};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::account::{Status, User};
use belfry_domain::policy::Action;
use belfry_domain::users::record::about;
use belfry_runtime::invite::Inviter;
use serde::Serialize;

#[derive(Serialize)]
struct Sent {
    status: &'static str,
}

pub(crate) async fn invite(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let (company, language) = (&caller.tenant.company, caller.tenant.language);
    let desk = Inviter { post: &app.post, company, language, now };
    let mut counted = false;
    for _ in 0..LOOKS {
        let before = present(app, request, &caller).await?;
        let grant = caller.actor.may(Action::InviteUser(before.role))?;
        if before.status != Status::Invited {
            let detail = "This user has nothing to activate.";
            return Err(Problem::new(409, "not_invited", detail));
        }
        if !counted {
            desk.count(&app.table, before.tenant, &before.email).await?;
            counted = true;
        }
        let guest = desk.guest(&app.table, &before.email).await?;
        let (_, hash) = guest.invited();
        let after = User { invitation: Some(hash), ..before.changed() };
        let (invite, mail) = desk.invite(guest, &after).await?;
        let entry = about(&before).set("invitation", "sent");
        let users = (&before, &after);
        if app.table.invite_again(&grant, &entry, users, invite, now, entropy).await? {
            app.post.ring(mail).await;
            return Ok(answer::json(202, &Sent { status: "sent" }));
        }
    }
    Err(busy())
}
