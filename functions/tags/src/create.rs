//! `POST /tags`

use crate::read::shown;
use crate::tag_body::TagBody;
use crate::{App, LOOKS, busy, requester};
use belfry_api::{Body, Problem, Request, Response, request};
use belfry_domain::audit::Entry;
use belfry_domain::failure::FieldError;
use belfry_domain::policy::Action;
use belfry_domain::tag::catalogue::Catalogue;
use belfry_domain::tag::rule::Rule;
use belfry_domain::tag::work::Tagging;
use belfry_domain::tag::{BadTag, Kind, Tag, TagValue};
use belfry_domain::text::folded;
use belfry_store::idempotency;
use belfry_store::tags::NotTagged;
use serde_json::Value;

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
        let next_number = number.checked_add(1).ok_or(BadTag::TagsWornOut)?;
        let after = Tagging { next_number, ..before.with_rules(walk.as_ref(), now) };
        let tag = Tag::new(tenant, (number, after.rules), new.clone(), now, entropy)?;
        let after = after.holding(None, Some(&tag))?;
        spelled_alike(app.table.catalogue(tenant).await?.as_ref(), &tag)?;
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
        .personal("rules", rules(tag))
}

/// The values of a tag, as records have them.
pub(crate) fn values(tag: &Tag) -> Value {
    tag.values.iter().map(|value| value.text.as_str()).collect()
}

/// The rules of a tag: in the erasable part of records, as they may name somebody.
pub(crate) fn rules(tag: &Tag) -> Value {
    let rule = |value: &TagValue| value.rule.as_ref().map_or(Value::Null, Rule::json);
    tag.values.iter().map(rule).collect()
}

/// Products compare keys and values of users and applications as they are spelled.
///
/// # Errors
/// 422 when the other subject's tag of this key spells it, or a value, otherwise.
pub(crate) fn spelled_alike(catalogue: &Catalogue, tag: &Tag) -> Result<(), Problem> {
    let alike = |other: &&Tag| {
        other.applies_to != tag.applies_to && folded(other.key.as_str()) == folded(tag.key.as_str())
    };
    let Some(other) = catalogue.tags().iter().find(alike) else { return Ok(()) };
    let mut faults = Vec::new();
    let mut fault = |pointer: String, spelled: &str| {
        let subject = other.applies_to.name();
        let detail = format!("The tag of {subject} spells it {spelled}: products compare the two.");
        faults.push(FieldError::new(pointer, "spelled_otherwise", detail));
    };
    if other.key != tag.key {
        fault("/key".to_owned(), other.key.as_str());
    }
    for (at, value) in tag.values.iter().enumerate() {
        let twin = other.value(value.text.as_str()).filter(|twin| twin.text != value.text);
        if let Some(twin) = twin {
            fault(format!("/values/{at}"), twin.text.as_str());
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Problem::invalid(faults)) }
}
