//! `POST /identity-providers/{id}/sync`: brings all users of a directory to what it says and to the
//! provider's settings, in the background. One that is read is read first; one that pushes said it before.

use crate::App;
use crate::find::found_staying;
use crate::view::ProviderView;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::audit::Entry;
use belfry_domain::directory::provider::{Provider, Task};
use belfry_domain::id::SyncId;
use belfry_domain::policy::{Action, Actor};
use belfry_domain::tag::work::Requester;
use belfry_store::providers::NotKept;
use belfry_store::transaction::Transaction;
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct SyncBody {
    /// Up to so many may be deactivated, whatever share of all they are.
    accept_deactivations: Option<u32>,
}

pub(crate) async fn sync(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let body =
        if request.body().is_empty() { SyncBody::default() } else { request::body(request)? };
    let grant = actor.may(Action::SyncProvider)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let before = found_staying(app, grant.tenant(), request).await?;
    let is_read = before.settings.ldap().is_some();
    if is_read && !before.settings.enabled {
        let detail = "The directory is switched off; enable it first.";
        return Err(Problem::new(409, "provider_disabled", detail));
    }
    // Of a directory that is read no work is lost for another: it may be what takes a role away.
    if is_read && before.work.is_some() {
        return Err(running());
    }
    let accepted = body.accept_deactivations;
    let task = if is_read { Task::Pull { accepted } } else { Task::Apply };
    let after = Provider { version: before.version, ..before.changed() };
    let after = after.with_work(SyncId::new(now, entropy), task, Some(asked_by(&actor)), now);
    let entry = Entry::about("identity_provider", &before.id).set("sync", "wanted");
    let entry = match accepted {
        Some(accepted) => entry.set("accepted_deactivations", accepted),
        None => entry,
    };
    let (by, none) = ((&grant, &entry), Transaction::new());
    match app.table.change_provider(by, (&before, &after), none, (now, entropy)).await {
        Ok(()) => {}
        // The schedule began one, or one has just ended.
        Err(NotKept::Changed) if is_read => return Err(running()),
        Err(error) => return Err(error.into()),
    }
    app.ring(&after).await;
    Ok(answer::json(202, &ProviderView::of(&after, request, now)))
}

pub(crate) fn running() -> Problem {
    Problem::new(409, "sync_running", "Its users are being changed; see the progress.")
}

impl App {
    /// Wakes the worker. A ring that is lost costs a minute: the sweep finds the work.
    pub(crate) async fn ring(&self, provider: &Provider) {
        let text = format!("{} {}", provider.tenant, provider.id);
        if let Err(error) = self.bell.ring(&text).await {
            let cause = belfry_runtime::log::whole(&error);
            tracing::warn!(provider.id = %provider.id, cause, "work on a directory not rung for");
        }
    }
}

/// Who asks for work in the background, as its records say.
pub(crate) fn asked_by(actor: &Actor) -> Requester {
    Requester {
        user: actor.user(),
        role: actor.role(),
        request_id: actor.origin().request_id.clone(),
    }
}
