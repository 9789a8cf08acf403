//! Users, tags and applications as products see them.

use belfry_domain::account::User;
use belfry_domain::application::Application;
use belfry_domain::tag::Tag;
use belfry_domain::tag::catalogue::Catalogue;
use serde_json::{Value, json};

pub(crate) fn user(user: &User, catalogue: &Catalogue) -> Value {
    json!({
        "id": user.id,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "role": user.role,
        "status": user.status,
        "source": user.source,
        "attributes": user.attributes,
        "groups": user.groups,
        "tags": catalogue.shown(&user.tags),
    })
}

pub(crate) fn application(application: &Application, catalogue: &Catalogue) -> Value {
    json!({
        "id": application.id,
        "name": application.name,
        "host": application.host,
        "category": application.category,
        "attributes": application.attributes,
        "tags": catalogue.shown(&application.tags),
    })
}

pub(crate) fn tag(tag: &Tag) -> Value {
    let values: Vec<_> = tag.values.iter().map(|value| &value.text).collect();
    json!({
        "id": tag.id,
        "key": tag.key,
        "values": values,
        "applies_to": tag.applies_to,
        "kind": tag.kind,
    })
}
