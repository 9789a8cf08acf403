//! `DELETE /users/{id}`: the user is gone from lists and log-in, its address free again; who it was is
//! kept for the audit trail.

use crate::App;
use crate::target::{LOOKS, busy, present};
use belfry_api::page::Query;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::policy::Action;
use belfry_domain::users::Unchangeable;
use belfry_domain::users::record::about;
use belfry_runtime::leaving::Leaving;
use belfry_store::users::{NotWritten, PersonMove};

pub(crate) async fn delete(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let mut query = Query::of(request, "DELETE /users/{id}");
    let seen: Option<u64> = query.parsed("version");
    query.end()?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        let before = present(app, request, &caller).await?;
        let grant = caller.actor.may(Action::DeleteUser(before.role))?;
        if before.id == caller.user.id {
            return Err(Unchangeable::OwnAccount.into());
        }
        if seen.is_some_and(|seen| seen != before.version) {
            return Err(Problem::stale(before.version));
        }
        let after = before.archived()?;
        let leaving = Leaving::of(&app.table, &before).await?;
        let person = leaving.as_ref().map_or(PersonMove::Stays, Leaving::leaves);
        let mut entry = about(&before)
            .changed("status", before.status.name(), after.status.name())
            .set("role", before.role.name());
        if let Some(person) = &leaving {
            entry = person.recorded(entry);
        }
        let users = (&before, &after);
        match app.table.archive_user(&grant, &entry, users, person, now, entropy).await {
            Ok(()) => return Ok(answer::no_content()),
            Err(NotWritten::LastSuperAdmin) => return Err(Unchangeable::LastSuperAdmin.into()),
            Err(NotWritten::Store(error)) => return Err(error.into()),
            Err(_) => {}
        }
    }
    Err(busy())
}
