//! Schemas of tags, applications and what products read.

use super::{
    closed, count, flag, id, list, live_status, named, nullable, object, one_of, page, reference,
    role, source, status, tag_kind, tag_subject, text, time, two_factor_state,
};
use belfry_domain::application::MOST_ATTRIBUTES;
use belfry_domain::attribute::UserAttribute;
use belfry_domain::tag::MOST_VALUES;
use belfry_domain::tag::rule::{MOST_CHOICES, MOST_LITERAL};
use serde_json::{Map, Value, json};

pub(crate) fn attribute_text() -> Value {
    json!({"type": "string", "maxLength": 128})
}

/// Attributes of a user by name.
pub(crate) fn user_attributes(of: Value) -> Value {
    json!({"type": "object", "propertyNames": one_of(UserAttribute::ALL.map(UserAttribute::name)),
        "additionalProperties": of, "description":
            "Department, title and the like, by name; null or empty takes one away."})
}

/// Tags as members show them.
pub(crate) fn shown() -> Value {
    list(object([("key", text()), ("value", text())]))
}

fn value() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 64})
}

fn rules() -> Value {
    list(closed([("value", value()), ("when", reference("TagRule"))]))
}

/// A rule: conditions, joined.
fn rule() -> Value {
    let literal = || json!({"type": "string", "minLength": 1, "maxLength": MOST_LITERAL});
    let several = || json!({"type": "array", "items": reference("TagRule"), "minItems": 1});
    let test = |name: &'static str, of: Value| {
        let attribute = json!({"type": "string", "description":
            "Of users: email, email_domain, role, source, group, or one of their attributes. Of \
             applications: name, host, category, or attributes.<name>."});
        closed([("attribute", attribute), (name, of)])
    };
    let choices =
        json!({"type": "array", "items": literal(), "minItems": 1, "maxItems": MOST_CHOICES});
    json!({
        "description": "At most 20 conditions, nested at most 8 deep. Neither case nor width counts.",
        "oneOf": [
            closed([("all", several())]),
            closed([("any", several())]),
            closed([("not", reference("TagRule"))]),
            test("eq", literal()),
            test("in", choices),
            test("prefix", literal()),
            test("exists", flag()),
        ],
    })
}

/// How far work in the background is.
fn progress() -> Vec<(&'static str, Value)> {
    vec![("done", count()), ("total", count()), ("changed", count()), ("started_at", time())]
}

fn assignment() -> Value {
    let mut attributes = vec![
        ("value", nullable(text())),
        ("assign", flag()),
        ("state", one_of(["running", "done", "stopped"])),
        ("finished_at", nullable(time())),
    ];
    attributes.extend(progress());
    object(attributes)
}

fn tag() -> Value {
    let optional = ["done?", "total?", "changed?", "started_at?"].into_iter();
    let mut evaluation = vec![("state", one_of(["done", "running", "waiting"]))];
    evaluation.extend(optional.zip(progress().into_iter().map(|(_, schema)| schema)));
    object([
        ("id", id("tag")),
        ("key", text()),
        ("values", list(text())),
        ("applies_to", tag_subject()),
        ("kind", tag_kind()),
        ("rules", rules()),
        ("counts", list(object([("value", text()), ("count", count())]))),
        ("evaluation", object(evaluation)),
        ("assignment?", json!({"anyOf": [reference("TagAssignment"), {"type": "null"}]})),
        ("created_at", time()),
        ("version", count()),
    ])
}

/// Somebody or something that a tag is on; in a list of members with which of its values.
fn member(more: &[(&'static str, Value)]) -> Value {
    let user = [
        ("id", id("usr")),
        ("email", text()),
        ("first_name", text()),
        ("last_name", text()),
        ("status", status()),
    ];
    let application = [("id", id("app")), ("name", text()), ("host", text())];
    let more = || more.iter().cloned();
    json!({"oneOf": [object(user.into_iter().chain(more())),
        object(application.into_iter().chain(more()))]})
}

/// What clients say of a tag.
fn tag_body() -> [(&'static str, Value); 2] {
    let values = json!({"type": "array", "items": value(), "maxItems": MOST_VALUES, "description":
        "Of a dynamic tag, those of its rules when absent."});
    [("values?", values), ("rules?", rules())]
}

/// What clients say of an application.
fn application_body() -> [(&'static str, Value); 4] {
    let attributes = json!({"type": "object", "maxProperties": MOST_ATTRIBUTES,
        "propertyNames": {"pattern": "^[a-z][a-z0-9_-]{0,39}$"},
        "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 128}});
    let category = json!({"type": ["string", "null"], "maxLength": 64});
    let name = json!({"type": "string", "minLength": 1, "maxLength": 128, "description":
        "As telemetry calls it."});
    let host = json!({"type": "string", "description":
        "A DNS name, also an inner one, `*.` before it or not, or an address."});
    [("name", name), ("host", host), ("category?", category), ("attributes?", attributes)]
}

/// What answers say of an application.
fn application() -> Vec<(&'static str, Value)> {
    vec![
        ("id", id("app")),
        ("name", text()),
        ("host", text()),
        ("category", nullable(text())),
        ("attributes", json!({"type": "object", "additionalProperties": text()})),
        ("tags", shown()),
    ]
}

/// A round of what a product reads.
fn feed(present: Value, prefix: &str) -> Value {
    let deleted = object([("id", id(prefix)), ("deleted", json!({"const": true}))]);
    let since = json!({"type": ["string", "null"], "description":
        "With the last page: where the next round begins."});
    object([
        ("items", list(json!({"oneOf": [present, deleted]}))),
        ("next_cursor", nullable(text())),
        ("changed_since", since),
    ])
}

/// A user as products see it.
fn product_user() -> Value {
    object([
        ("id", id("usr")),
        ("email", text()),
        ("first_name", text()),
        ("last_name", text()),
        ("role", role()),
        ("status", status()),
        ("source", source()),
        ("attributes", user_attributes(text())),
        ("groups", list(text())),
        ("tags", shown()),
    ])
}

/// A tag as products see it.
fn product_tag() -> Value {
    object([
        ("id", id("tag")),
        ("key", text()),
        ("values", list(text())),
        ("applies_to", tag_subject()),
        ("kind", tag_kind()),
    ])
}

pub(crate) fn schemas() -> Map<String, Value> {
    let create = tag_body().into_iter().chain([
        ("key", value()),
        ("applies_to", tag_subject()),
        ("kind", tag_kind()),
    ]);
    let change = tag_body().into_iter().chain([
        ("key?", value()),
        ("applies_to?", tag_subject()),
        ("kind?", tag_kind()),
        ("version", count()),
    ]);
    let filter = closed([
        ("role?", role()),
        ("status?", live_status()),
        ("source?", source()),
        ("two_factor?", two_factor_state()),
        ("category?", text()),
        ("search?", text()),
    ]);
    let whole = application().into_iter().chain([
        (
            "blocked_accesses",
            json!({"type": "object", "required": ["count", "error"],
                "properties": {"count": count(), "error": count()},
                "description": "Today and in the six days before; exact when error is 0."}),
        ),
        ("created_at", time()),
        ("version", count()),
    ]);
    named([
        ("TagRule", rule()),
        ("Tag", tag()),
        ("TagPage", page(reference("Tag"))),
        ("CreateTag", closed(create)),
        ("ChangeTag", closed(change)),
        ("TagAssignment", assignment()),
        ("TagMember", member(&[])),
        ("TagMemberPage", page(member(&[("values", list(text()))]))),
        ("TagAssigned", object([("changed", count())])),
        (
            "AssignTag",
            closed([
                ("value", value()),
                ("ids?", json!({"type": "array", "items": text(), "minItems": 1, "maxItems": 80})),
                ("filter?", filter),
            ]),
        ),
        (
            "PreviewTag",
            closed([
                ("applies_to", tag_subject()),
                ("when", reference("TagRule")),
                ("member?", json!({"type": "string", "description": "Of whom to say why."})),
            ]),
        ),
        (
            "TagPreview",
            object([
                ("count", count()),
                ("total", count()),
                ("samples", list(reference("TagMember"))),
                (
                    "member?",
                    object([
                        ("id", text()),
                        ("matches", flag()),
                        (
                            "reason",
                            json!({"type": "object", "description":
                            "The rule with `matches` in every part and the `actual` values."}),
                        ),
                    ]),
                ),
            ]),
        ),
        ("Application", object(whole)),
        ("ApplicationPage", page(reference("Application"))),
        ("CreateApplication", closed(application_body())),
        ("ChangeApplication", closed(application_body().into_iter().chain([("version", count())]))),
        ("ProductUsers", feed(product_user(), "usr")),
        ("ProductTags", feed(product_tag(), "tag")),
        ("ProductApplications", feed(object(application()), "app")),
    ])
}
