//! `POST /identity-providers/{id}/sync`: brings all users of a directory to what it said last and to the
//! provider's settings, in the background. A directory that pushes is not asked for anything.

use crate::App;
use crate::find::found_staying;
use crate::view::ProviderView;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::audit::Entry;
use belfry_domain::directory::provider::{Provider, Task};
use belfry_domain::policy::{Action, Actor};
use belfry_domain::tag::work::Requester;
use belfry_store::transaction::Transaction;

pub(crate) async fn sync(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let grant = actor.may(Action::SyncProvider)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let before = found_staying(app, grant.tenant(), request).await?;
    let after = Provider { version: before.version, ..before.changed() };
    let after = after.with_work(Task::Apply, asked_by(&actor), now);
    let entry = Entry::about("identity_provider", &before.id).set("sync", "wanted");
    let (by, none) = ((&grant, &entry), Transaction::new());
    app.table.change_provider(by, (&before, &after), none, (now, entropy)).await?;
    Ok(answer::json(202, &ProviderView::of(&after, request, now)))
}

/// Who asks for work in the background, as its records say.
pub(crate) fn asked_by(actor: &Actor) -> Requester {
    Requester {
        user: actor.user(),
        role: actor.role(),
        request_id: actor.origin().request_id.clone(),
    }
}
