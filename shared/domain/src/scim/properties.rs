//! What holds for any input.

use crate::scim::answer::Projection;
use crate::scim::filter::Filter;
use crate::scim::patch;
use crate::scim::path::Path;
use crate::scim::resource::Resource;
use crate::scim::schema::ResourceKind;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";

/// A user as plain Rust values.
#[derive(Debug, Clone)]
struct Person {
    user_name: String,
    title: Option<String>,
    department: Option<String>,
    active: Option<bool>,
    /// Value and type.
    emails: Vec<(String, Option<String>)>,
}

impl Person {
    fn json(&self) -> Map<String, Value> {
        let emails: Vec<Value> =
            self.emails.iter().map(|(value, kind)| json!({"value": value, "type": kind})).collect();
        let json = json!({
            "userName": self.user_name,
            "title": self.title,
            "active": self.active,
            "emails": emails,
            (ENTERPRISE): {"department": self.department},
        });
        json.as_object().unwrap().clone()
    }
}

/// A filter as the test understands it, apart from the code.
#[derive(Debug, Clone)]
enum Wish {
    Both(Box<Self>, Box<Self>),
    Either(Box<Self>, Box<Self>),
    Not(Box<Self>),
    /// Attribute, operator, text.
    Text(&'static str, &'static str, String),
    Active(bool),
    Present(&'static str),
    Unassigned(&'static str),
    /// Type and part of the value of one e-mail address.
    Email(String, String),
}

const TEXTS: [&str; 5] = ["userName", "title", DEPARTMENT, "emails.value", "emails.type"];

impl Wish {
    fn text(&self) -> String {
        match self {
            Self::Both(a, b) => format!("({}) and ({})", a.text(), b.text()),
            Self::Either(a, b) => format!("({}) or ({})", a.text(), b.text()),
            Self::Not(a) => format!("not ({})", a.text()),
            Self::Text(name, operator, text) => format!("{name} {operator} {}", json!(text)),
            Self::Active(active) => format!("active eq {active}"),
            Self::Present(name) => format!("{name} pr"),
            Self::Unassigned(name) => format!("{name} eq null"),
            Self::Email(kind, part) => {
                format!("emails[type eq {} and value co {}]", json!(kind), json!(part))
            }
        }
    }

    fn grants(&self, person: &Person) -> bool {
        let values = |name: &str| -> Vec<String> {
            match name {
                "userName" => vec![person.user_name.clone()],
                "title" => person.title.iter().cloned().collect(),
                "emails.value" => person.emails.iter().map(|email| email.0.clone()).collect(),
                "emails.type" => person.emails.iter().filter_map(|email| email.1.clone()).collect(),
                _ => person.department.iter().cloned().collect(),
            }
        };
        match self {
            Self::Both(a, b) => a.grants(person) && b.grants(person),
            Self::Either(a, b) => a.grants(person) || b.grants(person),
            Self::Not(a) => !a.grants(person),
            Self::Active(active) => person.active == Some(*active),
            Self::Present(name) => !values(name).is_empty(),
            Self::Unassigned(name) => values(name).is_empty(),
            Self::Email(kind, part) => person.emails.iter().any(|(value, of)| {
                of.as_ref().is_some_and(|of| of.to_lowercase() == kind.to_lowercase())
                    && value.to_lowercase().contains(&part.to_lowercase())
            }),
            Self::Text(name, operator, text) => {
                let values = values(name);
                let text = text.to_lowercase();
                if values.is_empty() {
                    return *operator == "ne";
                }
                values.iter().map(|value| value.to_lowercase()).any(|value| match *operator {
                    "eq" => value == text,
                    "ne" => value != text,
                    "co" => value.contains(&text),
                    "sw" => value.starts_with(&text),
                    "ew" => value.ends_with(&text),
                    "gt" => value > text,
                    "ge" => value >= text,
                    "lt" => value < text,
                    _ => value <= text,
                })
            }
        }
    }
}

/// Few letters, so that they meet.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[abAB]{1,3}", 1 => "[a\"\\\\ ()\\[\\].éÉ]{1,4}"]
}

fn person() -> impl Strategy<Value = Person> {
    let some = || proptest::option::of(text());
    (text(), some(), some(), any::<Option<bool>>(), vec((text(), some()), 0..3)).prop_map(
        |(user_name, title, department, active, emails)| Person {
            user_name,
            title,
            department,
            active,
            emails,
        },
    )
}

fn wish() -> impl Strategy<Value = Wish> {
    let operators = vec!["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"];
    let leaf = prop_oneof![
        4 => (select(TEXTS.to_vec()), select(operators), text())
            .prop_map(|(name, operator, text)| Wish::Text(name, operator, text)),
        1 => any::<bool>().prop_map(Wish::Active),
        1 => select(TEXTS.to_vec()).prop_map(Wish::Present),
        1 => select(TEXTS.to_vec()).prop_map(Wish::Unassigned),
        1 => (text(), text()).prop_map(|(kind, part)| Wish::Email(kind, part)),
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            pair.clone().prop_map(|(a, b)| Wish::Both(Box::new(a), Box::new(b))),
            pair.prop_map(|(a, b)| Wish::Either(Box::new(a), Box::new(b))),
            inner.prop_map(|a| Wish::Not(Box::new(a))),
        ]
    })
}

/// Pieces of filters and paths in any order.
fn soup() -> impl Strategy<Value = String> {
    let pieces = vec![
        "emails",
        "[",
        "]",
        "(",
        ")",
        "type",
        " ",
        " eq ",
        "\"work\"",
        "\"",
        "\\",
        ".",
        "value",
        "not ",
        " and ",
        " or ",
        " pr",
        "true",
        "null",
        "1e9",
        ":",
        ENTERPRISE,
        "$ref",
        "é",
        "userName",
        "meta.created",
        "gt",
        "-",
        "\u{0}",
    ];
    vec(select(pieces), 0..20).prop_map(|pieces| pieces.concat())
}

/// JSON with the keys and values that mean something here.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        select(vec!["", "True", "work", "home", "a", "b"]).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let keys = vec![
        "userName",
        "USERNAME",
        "name",
        "givenName",
        "name.givenName",
        "emails",
        "value",
        "type",
        "primary",
        "active",
        "manager",
        ENTERPRISE,
        DEPARTMENT,
        "displayName",
        "members",
        "id",
        "schemas",
        "emails[type eq \"work\"].value",
        "nickName",
        "title",
        "$ref",
        "emails.value",
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((select(keys.clone()), inner), 0..6).prop_map(|members| {
                members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            }),
        ]
    })
}

fn any_patch() -> impl Strategy<Value = Value> {
    let paths = vec![
        "userName",
        "name",
        "name.givenName",
        "emails",
        "emails.value",
        "emails.primary",
        "emails[type eq \"work\"]",
        "emails[type eq \"work\"].value",
        "emails[primary eq true].value",
        "emails[value eq \"a\"].primary",
        "emails[not (type pr)]",
        ENTERPRISE,
        DEPARTMENT,
        "active",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
        "members",
        "title",
        "urn:ietf:params:scim:schemas:core:2.0:User",
        "nickName",
        "members[value eq \"a\"]",
    ];
    let operation = (
        select(vec!["add", "Replace", "REMOVE"]),
        proptest::option::weighted(0.8, select(paths)),
        any_json(),
    );
    vec(
        operation.prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value})),
        1..5,
    )
    .prop_map(|operations| json!({"Operations": operations}))
}

fn a_user() -> Resource {
    Resource::read_user(&json!({
        "userName": "u",
        "name": {"givenName": "g"},
        "emails": [{"value": "a", "type": "work", "primary": true}, {"value": "b"}],
        (ENTERPRISE): {"department": "d"},
    }))
    .unwrap()
}

/// One change of one text attribute, in one of the forms in which clients write it.
#[derive(Debug, Clone)]
struct Change {
    name: &'static str,
    /// Unassigned if none.
    value: Option<String>,
    form: Form,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Path(&'static str),
    Key(&'static str),
}

impl Change {
    fn operation(&self) -> Value {
        match (self.form, &self.value) {
            (Form::Path(_), None) => json!({"op": "remove", "path": self.name}),
            (Form::Path(op), value) => json!({"op": op, "path": self.name, "value": value}),
            (Form::Key(op), value) => json!({"op": op, "value": {(self.name): value}}),
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let names = vec!["title", "displayName", "name.givenName", "name.familyName", DEPARTMENT];
    let forms = ["add", "replace"].map(|op| [Form::Path(op), Form::Key(op)]).concat();
    (select(names), proptest::option::of("[a-c]{1,2}"), select(forms))
        .prop_map(|(name, value, form)| Change { name, value, form })
}

/// An operation on members: which, and whom it names.
fn member_operation() -> impl Strategy<Value = (&'static str, BTreeSet<String>)> {
    (select(vec!["add", "remove", "replace", "remove each"]), btree_set("[a-e]", 1..3))
}

proptest! {
    #[test]
    fn a_filter_grants_what_it_says(wish in wish(), person in person()) {
        let filter = Filter::parse(ResourceKind::User, &wish.text());
        let filter = filter.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(filter.matches(&person.json()), wish.grants(&person), "{}", wish.text());
    }

    #[test]
    fn a_filter_is_written_as_it_was_read(wish in wish()) {
        let filter = Filter::parse(ResourceKind::User, &wish.text()).unwrap();
        prop_assert_eq!(Filter::parse(ResourceKind::User, &filter.to_string()), Ok(filter));
    }

    #[test]
    fn any_text_is_a_filter_or_an_error(text in prop_oneof![soup(), ".{0,60}"]) {
        for kind in ResourceKind::ALL {
            if let Ok(filter) = Filter::parse(kind, &text) {
                filter.matches(a_user().attributes());
                filter.equals();
                prop_assert_eq!(Filter::parse(kind, &filter.to_string()), Ok(filter));
            }
            let _ = Path::parse(kind, &text);
            kind.resolve(&text);
        }
    }

    #[test]
    fn any_body_is_a_resource_or_an_error(body in any_json()) {
        if let Ok(user) = Resource::read_user(&body) {
            prop_assert_eq!(Resource::from_json(ResourceKind::User, &user.to_json()), Ok(user));
        }
        if let Ok((group, _)) = Resource::read_group(&body) {
            prop_assert_eq!(Resource::from_json(ResourceKind::Group, &group.to_json()), Ok(group));
        }
    }

    #[test]
    fn any_patch_leaves_a_resource(body in prop_oneof![4 => any_patch(), 1 => any_json()]) {
        if let Ok(user) = patch::user(&body, &a_user()) {
            prop_assert_eq!(Resource::from_json(ResourceKind::User, &user.to_json()), Ok(user.clone()));
            let emails = user.attributes().get("emails").and_then(Value::as_array);
            let primary = emails.into_iter().flatten().filter(|email| email["primary"] == true);
            prop_assert!(primary.count() <= 1);
            prop_assert_eq!(patch::user(&json!({"Operations": [
                {"op": "add", "value": user.attributes()},
            ]}), &user), Ok(user), "adding what is there changes nothing");
        }
        let (group, _) = Resource::read_group(&json!({"displayName": "g"})).unwrap();
        if let Ok((group, members)) = patch::group(&body, &group) {
            prop_assert_eq!(Resource::from_json(ResourceKind::Group, &group.to_json()), Ok(group));
            prop_assert!(members.added.is_disjoint(&members.removed));
            prop_assert!(!members.replaced_all || members.removed.is_empty());
        }
    }

    #[test]
    fn texts_are_what_they_were_last_set_to(changes in vec(change(), 1..12)) {
        let mut expected = BTreeMap::from([("name.givenName", "g"), (DEPARTMENT, "d")]);
        for change in &changes {
            match &change.value {
                Some(value) => expected.insert(change.name, value),
                None => expected.remove(change.name),
            };
        }
        let operations: Vec<Value> = changes.iter().map(Change::operation).collect();
        let before = a_user();
        let user = patch::user(&json!({"Operations": operations}), &before).unwrap();
        for name in ["title", "displayName", "name.givenName", "name.familyName", DEPARTMENT] {
            prop_assert_eq!(user.text(name), expected.get(name).copied(), "{}", name);
        }
        prop_assert_eq!(user.attributes().get("emails"), before.attributes().get("emails"));
    }

    #[test]
    fn members_are_who_the_operations_leave(
        before in btree_set("[a-e]", 0..5),
        operations in vec(member_operation(), 1..8),
    ) {
        let mut expected = before.clone();
        let mut body = Vec::new();
        for (operation, ids) in &operations {
            match *operation {
                "add" => expected.extend(ids.iter().cloned()),
                "replace" => expected.clone_from(ids),
                _ => expected.retain(|id| !ids.contains(id)),
            }
            body.push(if *operation == "remove each" {
                let each: Vec<String> = ids.iter().map(|id| format!("value eq \"{id}\"")).collect();
                json!({"op": "remove", "path": format!("members[{}]", each.join(" or "))})
            } else {
                json!({"op": operation, "path": "members", "value": ids})
            });
        }
        let (group, _) = Resource::read_group(&json!({"displayName": "g"})).unwrap();
        let (_, changes) = patch::group(&json!({"Operations": body}), &group).unwrap();
        let mut after = if changes.replaced_all { BTreeSet::new() } else { before };
        after.retain(|id| !changes.removed.contains(id));
        after.extend(changes.added);
        prop_assert_eq!(after, expected);
    }

    #[test]
    fn a_projection_takes_away_once(
        only in proptest::option::of(vec(select(NAMES.to_vec()), 1..5)),
        without in proptest::option::of(vec(select(NAMES.to_vec()), 1..5)),
    ) {
        let join = |names: Option<Vec<&str>>| names.map(|names| names.join(","));
        let (only, without) = (join(only), join(without));
        let kind = ResourceKind::User;
        let projection = Projection::parse(kind, only.as_deref(), without.as_deref()).unwrap();
        let mut whole = a_user().attributes().clone();
        whole.insert("id".to_owned(), "usr_1".into());
        let answer = projection.apply(kind, &whole);
        prop_assert_eq!(&projection.apply(kind, &answer), &answer);
        prop_assert_eq!(&answer["id"], "usr_1");
        for (key, value) in &answer {
            prop_assert!(projection.includes(key) || key == "id" || key == ENTERPRISE);
            if let Some(object) = value.as_object() {
                prop_assert!(object.iter().all(|(key_in, value)| whole[key][key_in] == *value));
            }
        }
        let nothing = Projection::parse(kind, only.as_deref(), only.as_deref()).unwrap();
        prop_assert!(only.is_none() || nothing.apply(kind, &whole).len() == 1);
    }
}

const NAMES: [&str; 10] = [
    "userName",
    "name",
    "name.givenName",
    "emails",
    "emails.value",
    "emails.TYPE",
    ENTERPRISE,
    DEPARTMENT,
    "urn:ietf:params:scim:schemas:core:2.0:User:active",
    "nickName",
];
