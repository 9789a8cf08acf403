//! Schemas of identity providers and of the SCIM server, whose bodies are RFC 7643's and RFC 7644's.

use super::tags::user_attributes;
use super::{
    at_most, closed, count, flag, id, list, named, nullable, object, one_of, page, reference,
    secret, text, time,
};
use belfry_domain::directory::provider::MOST_GROUP_ROLES;
use serde_json::{Map, Value, json};

fn provider_name() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 80})
}

fn group_role() -> Value {
    let group = json!({"type": "string", "minLength": 1, "maxLength": 256, "description":
        "Name of the group; case does not count."});
    closed([("group", group), ("role", one_of(["admin", "help_desk", "read_only", "user"]))])
}

/// What clients write.
fn provider_body() -> Vec<(&'static str, Value)> {
    vec![
        ("name", provider_name()),
        ("type", one_of(["scim"])),
        ("enabled?", flag()),
        ("mapping?", user_attributes(text())),
        ("group_roles?", at_most(MOST_GROUP_ROLES, group_role())),
        ("adopt_existing?", flag()),
    ]
}

fn token() -> Vec<(&'static str, Value)> {
    vec![("id", id("ipt")), ("created_at", time()), ("valid_until", nullable(time()))]
}

fn provider() -> Vec<(&'static str, Value)> {
    vec![
        ("id", id("idp")),
        ("name", provider_name()),
        ("type", one_of(["scim"])),
        ("enabled", flag()),
        ("state", one_of(["active", "disabled", "syncing", "deleting"])),
        ("mapping", user_attributes(text())),
        ("group_roles", list(group_role())),
        ("adopt_existing", flag()),
        ("scim_url", text()),
        ("tokens", list(object(token()))),
        (
            "progress",
            nullable(object([("done", count()), ("changed", count()), ("started_at", time())])),
        ),
        (
            "last_sync",
            nullable(object([("users", count()), ("changed", count()), ("finished_at", time())])),
        ),
        ("created_at", time()),
        ("version", count()),
    ]
}

/// A body of SCIM, of which the RFCs say the rest.
fn scim(description: &str) -> Value {
    json!({"type": "object", "description": description})
}

pub(crate) fn schemas() -> Map<String, Value> {
    let shown = || secret("`bfs_..`, shown this once.");
    named([
        ("Provider", object(provider())),
        ("NewProvider", object(provider().into_iter().chain([("token", shown())]))),
        ("ProviderPage", page(reference("Provider"))),
        ("CreateProvider", closed(provider_body())),
        ("ChangeProvider", closed(provider_body().into_iter().chain([("version", count())]))),
        (
            "RotateToken",
            closed([(
                "overlap_hours?",
                json!({"type": "integer", "minimum": 0, "maximum": 168, "description":
                    "For so long the present token stays good; default 24."}),
            )]),
        ),
        (
            "NewProviderToken",
            object(
                token().into_iter().chain([("token", shown()), ("others?", list(object(token())))]),
            ),
        ),
        (
            "ScimResource",
            scim("A resource (RFC 7643) or a list of them (RFC 7644, section 3.4.2)."),
        ),
        ("ScimUser", scim("A user (RFC 7643, sections 4.1 and 4.3).")),
        ("ScimGroup", scim("A group (RFC 7643, section 4.2).")),
        ("ScimSearch", scim("A search (RFC 7644, section 3.4.3).")),
        ("ScimPatch", scim("Operations of a PATCH (RFC 7644, section 3.5.2).")),
        (
            "ScimError",
            object([
                ("schemas", list(text())),
                ("status", text()),
                ("scimType?", text()),
                ("detail", text()),
            ]),
        ),
    ])
}
