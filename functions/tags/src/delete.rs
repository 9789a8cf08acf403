//! `DELETE /tags/{id}`

use crate::change::{forced, refuse_used};
use crate::create::{rules, values};
use crate::read::found;
use crate::{App, LOOKS, busy, requester};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::audit::Entry;
use belfry_domain::policy::Action;
use belfry_store::tags::NotTagged;

pub(crate) async fn delete(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let force = forced(request, "DELETE /tags/{id}")?;
    let grant = actor.may(Action::DeleteTag)?;
    let (tenant, now, entropy) = (actor.tenant(), app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        let tag = found(app, tenant, request).await?;
        if !force {
            refuse_used(app.table.tag_counts(tenant).await?.of_tag(tag.number))?;
        }
        let before = app.table.tagging(tenant).await?;
        let after = before.with_rules(Some(&requester(&actor)), now).holding(Some(&tag), None)?;
        let entry = Entry::about("tag", &tag.id)
            .set("key", tag.key.as_str())
            .changed("values", values(&tag), serde_json::Value::Null)
            .personal("rules_before", rules(&tag));
        match app.table.delete_tag(&grant, &entry, &tag, (&before, &after), now, entropy).await {
            Ok(()) => {
                app.ring(tenant).await;
                return Ok(answer::no_content());
            }
            Err(NotTagged::Store(error)) => return Err(error.into()),
            Err(NotTagged::Changed | NotTagged::Taken) => {}
        }
    }
    Err(busy())
}
