//! Schemas of identity providers and of the SCIM server, whose bodies are RFC 7643's and RFC 7644's.

use super::{
    at_most, closed, count, error, flag, id, list, named, nullable, object, one_of, page,
    reference, role, secret, step, text, time,
};
use belfry_domain::attribute::UserAttribute;
use belfry_domain::directory::compare::What;
use belfry_domain::directory::ldap::PersonField;
use belfry_domain::directory::provider::MOST_GROUP_ROLES;
use belfry_domain::directory::sync::MOST_PROBLEMS;
use serde_json::{Map, Value, json};

fn provider_name() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 80})
}

fn group_role() -> Value {
    let group = json!({"type": "string", "minLength": 1, "maxLength": 256, "description":
        "Name of the group; case does not count."});
    closed([("group", group), ("role", one_of(["admin", "help_desk", "read_only", "user"]))])
}

fn tls() -> Value {
    one_of(["ldaps", "starttls"])
}

fn port() -> Value {
    json!({"enum": [389, 636, 3268, 3269]})
}

fn flavor() -> Value {
    one_of(["active_directory", "openldap"])
}

fn minutes() -> Value {
    json!({"type": "integer", "minimum": 15, "maximum": 10_080, "description":
        "From the end of a sync to the next one, which begins by itself once an administrator has wanted \
         the first; without it only when one is wanted."})
}

/// How a directory is read, as clients write it.
fn ldap_body() -> Value {
    closed([
        ("host", text()),
        ("port?", port()),
        ("tls?", tls()),
        ("ca_pem?", nullable(text())),
        ("base_dn", text()),
        ("bind_dn", text()),
        (
            "password?",
            secret(
                "Never shown. Of a change: the stored one, when absent and nothing of \
            host, port, tls, ca_pem and bind_dn changes.",
            ),
        ),
        ("flavor", flavor()),
        ("filter?", nullable(text())),
        ("sync_every_minutes?", nullable(minutes())),
    ])
}

fn ldap() -> Value {
    object([
        ("host", text()),
        ("port", port()),
        ("tls", tls()),
        ("ca_pem", nullable(text())),
        ("base_dn", text()),
        ("bind_dn", text()),
        ("flavor", flavor()),
        ("filter", text()),
        ("sync_every_minutes", nullable(minutes())),
    ])
}

/// What feeds which of ours: by name one attribute of the directory or, by LDAP, several of which the first
/// that has a text counts.
fn mapping() -> Value {
    let ours = UserAttribute::ALL.map(UserAttribute::name).into_iter();
    let person = PersonField::ALL.map(PersonField::name);
    json!({"type": "object", "propertyNames": one_of(ours.chain(person)),
        "additionalProperties": {"anyOf": [text(), at_most(4, text())]}, "description":
            "Which attribute of the directory feeds which of ours. Names and address only by LDAP."})
}

/// What clients write.
fn provider_body() -> Vec<(&'static str, Value)> {
    vec![
        ("name", provider_name()),
        ("type", one_of(["scim", "ldap"])),
        ("enabled?", flag()),
        ("ldap?", ldap_body()),
        ("mapping?", mapping()),
        ("group_roles?", at_most(MOST_GROUP_ROLES, group_role())),
        ("adopt_existing?", flag()),
    ]
}

fn token() -> Vec<(&'static str, Value)> {
    vec![("id", id("ipt")), ("created_at", time()), ("valid_until", nullable(time()))]
}

fn provider() -> Vec<(&'static str, Value)> {
    let progress = object([
        ("done", count()),
        ("total", nullable(count())),
        ("changed", count()),
        ("started_at", time()),
    ]);
    vec![
        ("id", id("idp")),
        ("name", provider_name()),
        ("type", one_of(["scim", "ldap"])),
        ("enabled", flag()),
        ("state", one_of(["active", "disabled", "syncing", "stopped", "deleting"])),
        ("ldap", nullable(ldap())),
        ("mapping", mapping()),
        ("group_roles", list(group_role())),
        ("adopt_existing", flag()),
        ("scim_url", nullable(text())),
        ("tokens", list(object(token()))),
        ("progress", nullable(progress)),
        ("last_sync", nullable(object(sync()))),
        ("next_sync_at", nullable(time())),
        ("created_at", time()),
        ("version", count()),
    ]
}

/// How many users; whoever is in none of the others is unchanged.
fn counts() -> Value {
    let names = [
        "users",
        "created",
        "adopted",
        "changed",
        "deactivated",
        "replaced",
        "skipped",
        "conflicts",
        "rejected",
        "groups",
    ];
    object(names.map(|name| (name, count())))
}

/// Who would lose access, and whether a sync stops before that.
fn leaving() -> Value {
    object([("users", count()), ("of", count()), ("stops", flag())])
}

fn sync() -> Vec<(&'static str, Value)> {
    vec![
        ("id", id("syn")),
        ("trigger", one_of(["manual", "schedule"])),
        ("outcome", one_of(["completed", "stopped", "failed"])),
        ("counts", counts()),
        ("leaving", nullable(leaving())),
        ("error", nullable(object([("step", text()), ("code", text()), ("detail", text())]))),
        ("started_at", time()),
        ("finished_at", time()),
    ]
}

fn problems() -> Value {
    at_most(MOST_PROBLEMS, object([("who", text()), ("code", text()), ("detail", text())]))
}

/// What a directory says of itself.
fn said() -> Value {
    object([
        ("vendor", nullable(text())),
        ("flavor", flavor()),
        ("naming_contexts", list(text())),
        ("pages", flag()),
    ])
}

fn test() -> Value {
    object([
        ("readable", flag()),
        ("steps", list(step())),
        ("error", nullable(error())),
        ("directory", nullable(said())),
    ])
}

fn preview() -> Value {
    let sample = object([
        ("action", one_of(What::ALL.map(What::name))),
        ("email", text()),
        ("first_name", text()),
        ("last_name", text()),
        ("role", role()),
        ("fields", list(text())),
    ]);
    object([
        ("steps", list(step())),
        ("error", nullable(error())),
        ("directory", nullable(said())),
        ("counts", nullable(counts())),
        ("leaving", nullable(leaving())),
        ("samples", list(sample)),
        ("problems", problems()),
    ])
}

/// A body of SCIM, of which the RFCs say the rest.
fn scim(description: &str) -> Value {
    json!({"type": "object", "description": description})
}

pub(crate) fn schemas() -> Map<String, Value> {
    let shown = || secret("`bfs_..`, shown this once.");
    named([
        ("Provider", object(provider())),
        ("NewProvider", object(provider().into_iter().chain([("token?", shown())]))),
        ("ProviderPage", page(reference("Provider"))),
        (
            "SyncProvider",
            closed([(
                "accept_deactivations?",
                json!({"type": "integer", "minimum": 0, "description":
                    "So many may be deactivated or archived; without it at most 50 and 20 %."}),
            )]),
        ),
        ("SyncPage", page(object(sync().into_iter().chain([("problems", problems())])))),
        ("ProviderTest", test()),
        ("SyncPreview", preview()),
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
