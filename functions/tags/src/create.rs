//! `POST /tags`

use crate::read::shown;
use crate::tag_body::TagBody;
use crate::{App, LOOKS, busy, requester};
use belfry_api::{Body, Problem, Request, Response, request};
use belfry_domain::audit::Entry;
use belfry_domain::policy::Action;
use belfry_domain::tag::work::Tagging;
use belfry_domain::tag::{BadTag, Kind, MOST_TAGS, Tag};
use belfry_store::idempotency;
use belfry_store::tags::NotTagged;

pub(crate) async fn create(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let new = request::body::<TagBody>(request)?.new_tag()?;
    let digest = request::idempotency_digest(request)?;
    let grant = actor.may(Action::CreateTag)?;
    let (tenant, user) = (actor.tenant(), actor.user());
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let walk = (new.kind == Kind::Dynamic).then(|| requester(&actor));
    for _ in 0..LOOKS {
        if let Some(digest) = &digest
            && let Some(made) = app.table.answered(tenant, user, digest, now).await?
        {
            let made = made.parse().map_err(|_| Problem::not_found())?;
            let made = app.table.tag(tenant, made).await?;
            let detail = "A tag was made with this Idempotency-Key, and was deleted since.";
            let made = made.ok_or_else(|| Problem::new(409, "already_created", detail))?;
            return shown(app, 201, &made).await;
        }
        let before = app.table.tagging(tenant).await?;
        let number = before.next_number;
        let next_number = number.checked_add(1).filter(|_| before.tags < MOST_TAGS);
        let next_number = next_number.ok_or(BadTag::Limit)?;
        let tags = before.tags + 1;
        let after = before.with_rules(walk.as_ref(), now);
        let after = Tagging { tags, next_number, ..after };
        let tag = Tag::new(tenant, (number, after.rules), new.clone(), now, entropy)?;
        let beside = digest
            .as_deref()
            .map(|digest| idempotency::once_with(tenant, user, digest, &tag.id.to_string(), now));
        let beside = beside.transpose()?.unwrap_or_default();
        let taggings = (&before, &after);
        match app.table.create_tag(&grant, &entry(&tag), &tag, taggings, beside, now, entropy).await
        {
            Ok(()) => {
                if walk.is_some() {
                    app.ring(tenant).await;
                }
                return shown(app, 201, &tag).await;
            }
            Err(NotTagged::Taken) => return Err(BadTag::Taken.into()),
            Err(NotTagged::Changed) => {}
            Err(NotTagged::Store(error)) => return Err(error.into()),
        }
    }
    Err(busy())
}

fn entry(tag: &Tag) -> Entry {
    Entry::about("tag", &tag.id)
        .set("key", tag.key.as_str())
        .set("applies_to", tag.applies_to.name())
        .set("kind", tag.kind.name())
        .set("values", values(tag))
}

/// The values of a tag with their rules, as records have them.
pub(crate) fn values(tag: &Tag) -> serde_json::Value {
    let values = tag.values.iter().map(|value| match &value.rule {
        Some(rule) => serde_json::json!({"value": value.text.as_str(), "when": rule.json()}),
        None => value.text.as_str().into(),
    });
    values.collect()
}
