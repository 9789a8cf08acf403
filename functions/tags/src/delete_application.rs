//! `DELETE /applications/{id}`

use crate::read_application::found;
use crate::{App, LOOKS, busy};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::audit::Entry;
use belfry_domain::policy::Action;
use belfry_domain::tag::work::Tagging;
use belfry_store::tags::NotTagged;

pub(crate) async fn delete(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let grant = actor.may(Action::DeleteApplication)?;
    let (tenant, now, entropy) = (actor.tenant(), app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        let application = found(app, tenant, request).await?;
        let before = app.table.tagging(tenant).await?;
        let applications = before.applications.saturating_sub(1);
        let after = Tagging { applications, ..before.changed() };
        let name = application.name.as_str();
        let entry = Entry::about("application", &application.id).changed(
            "name",
            name,
            serde_json::Value::Null,
        );
        let taggings = (&before, &after);
        match app
            .table
            .delete_application(&grant, &entry, &application, taggings, now, entropy)
            .await
        {
            Ok(()) => return Ok(answer::no_content()),
            Err(NotTagged::Store(error)) => return Err(error.into()),
            Err(NotTagged::Changed | NotTagged::Taken) => {}
        }
    }
    Err(busy())
}
