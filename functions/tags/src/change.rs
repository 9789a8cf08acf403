//! `PUT /tags/{id}`: other values, other rules.

use crate::create::{rules, spelled_alike, values};
use crate::read::{found, shown};
use crate::tag_body::TagBody;
use crate::{App, LOOKS, busy, requester};
use belfry_api::page::Query;
use belfry_api::{Body, Problem, Request, Response, request};
use belfry_domain::audit::Entry;
use belfry_domain::failure::FieldError;
use belfry_domain::policy::Action;
use belfry_domain::tag::{BadTag, Kind};
use belfry_store::tags::NotTagged;

pub(crate) async fn change(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let body: TagBody = request::body(request)?;
    let force = forced(request, "PUT /tags/{id}")?;
    let grant = actor.may(Action::ChangeTag)?;
    let (tenant, now, entropy) = (actor.tenant(), app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        let before = found(app, tenant, request).await?;
        let wanted = body.changed(&before)?;
        let version = body.version.ok_or_else(|| {
            let detail = "Give the version that you have seen.";
            Problem::invalid(vec![FieldError::new("/version", "required", detail)])
        })?;
        if version != before.version {
            return Err(Problem::stale(before.version));
        }
        let tagging = app.table.tagging(tenant).await?;
        let (after, lost) = before.wanted(wanted, tagging.rules.saturating_add(1))?;
        if after == before {
            return shown(app, 200, &before).await;
        }
        if !lost.is_empty() && !force {
            let counts = app.table.tag_counts(tenant).await?;
            let used = lost.iter().map(|value| counts.of(before.mark(value))).sum();
            refuse_used(used)?;
        }
        // Who is assigned what a static tag keeps has it still.
        let walk = (!lost.is_empty() || after.kind == Kind::Dynamic).then(|| requester(&actor));
        let next = tagging.with_rules(walk.as_ref(), now).holding(Some(&before), Some(&after))?;
        spelled_alike(app.table.catalogue(tenant).await?.as_ref(), &after)?;
        let entry = Entry::about("tag", &after.id).set("key", after.key.as_str());
        let entry = entry
            .changed("values", values(&before), values(&after))
            .set("rules", if rules(&before) == rules(&after) { "unchanged" } else { "changed" })
            .personal("rules_before", rules(&before))
            .personal("rules", rules(&after));
        let (tags, taggings) = ((&before, &after), (&tagging, &next));
        match app.table.change_tag(&grant, &entry, tags, taggings, now, entropy).await {
            Ok(()) => {
                if walk.is_some() {
                    app.ring(tenant).await;
                }
                return shown(app, 200, &after).await;
            }
            Err(NotTagged::Store(error)) => return Err(error.into()),
            Err(NotTagged::Changed | NotTagged::Taken) => {}
        }
    }
    Err(busy())
}

/// Whether what is in use shall be taken away.
pub(crate) fn forced(request: &Request, route: &str) -> Result<bool, Problem> {
    let mut query = Query::of(request, route);
    let force: Option<bool> = query.parsed("force");
    query.end()?;
    Ok(force.unwrap_or_default())
}

/// # Errors
/// 409 with the count, when there is one.
pub(crate) fn refuse_used(used: i32) -> Result<(), Problem> {
    match u64::try_from(used) {
        Ok(count) if count > 0 => Err(Problem::from(BadTag::InUse(used)).with_count(count)),
        _ => Ok(()),
    }
}
