//! `PUT /identity-providers/{id}`: its settings. When they say otherwise who gets what, its users are
//! brought to them in the background.

use crate::App;
use crate::body::{ProviderBody, Wanted};
use crate::find::{found, found_staying};
use crate::sync::{asked_by, running};
use crate::view::{ProviderView, described};
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::directory::provider::{Provider, Task};
use belfry_domain::failure::FieldError;
use belfry_domain::id::SyncId;
use belfry_domain::policy::Action;
use belfry_store::providers::NotKept;
use belfry_store::transaction::Transaction;

pub(crate) async fn change(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let body: ProviderBody = request::body(request)?;
    let version = body.version.ok_or_else(|| {
        let detail = "Give the version that you have seen.";
        Problem::invalid(vec![FieldError::new("/version", "required", detail)])
    })?;
    let grant = actor.may(Action::ChangeProvider)?;
    let (tenant, now) = (grant.tenant(), app.clock.now());
    let before = found_staying(app, tenant, request).await?;
    if version != before.version {
        return Err(Problem::stale(before.version));
    }
    let Wanted { settings, password } = body.read(app, tenant, Some(&before)).await?;
    let changes_users = settings.changes_users(&before.settings);
    let mut after = Provider { settings, ..before.changed() };
    if after.settings.group_roles != before.settings.group_roles {
        // Which groups are meant is for the next sync to find out anew.
        after.bound.clear();
    }
    let pulls = after.work.as_ref().is_some_and(|work| matches!(work.task, Task::Pull { .. }));
    if pulls && !after.settings.enabled {
        // Switched off is off: what was read counts for nothing more.
        after.work = None;
    } else if pulls && changes_users {
        return Err(running());
    }
    after = after.scheduled();
    if let Some(password) = &password {
        after.sealed_password = Some(app.seal(&after, password).await?);
    }
    if changes_users {
        let id = SyncId::new(now, app.entropy.as_ref());
        after = after.with_work(id, Task::Apply, Some(asked_by(&actor)), now);
    }
    let mut entry = described(&after, Some(&before));
    if password.is_some() {
        entry = entry.set("password", "replaced");
    }
    let at = (now, app.entropy.as_ref());
    let (by, none) = ((&grant, &entry), Transaction::new());
    match app.table.change_provider(by, (&before, &after), none, at).await {
        Ok(()) => {
            if changes_users {
                app.ring(&after).await;
            }
            Ok(answer::ok(&ProviderView::of(&after, request, now)))
        }
        Err(NotKept::Changed) => {
            let present = found(app, tenant, request).await?;
            if present.version == version {
                return Err(Problem::busy("Its users are being changed; try again."));
            }
            Err(Problem::stale(present.version))
        }
        Err(error) => Err(error.into()),
    }
}
