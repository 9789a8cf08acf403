//! PATCH as Entra ID, Okta and the RFC write it.

use super::*;
use serde_json::json;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn ann() -> Value {
    json!({
        "userName": "ann",
        "name": {"givenName": "Ann", "familyName": "Lee"},
        "active": true,
        "emails": [
            {"value": "ann@work", "type": "work", "primary": true},
            {"value": "ann@home", "type": "home"},
        ],
        (ENTERPRISE): {"department": "Sales"},
    })
}

/// The attributes after the operations.
fn patched_user(operations: &Value) -> Result<Value, (Option<ScimType>, String)> {
    let before = Resource::read_user(&ann()).unwrap();
    user(&json!({"schemas": [crate::scim::schema::PATCH_OP], "Operations": operations}), &before)
        .map(|user| Value::Object(user.attributes().clone()))
        .map_err(|error| (error.scim_type, error.detail))
}

/// [`ann`] with other values at these pointers; null for none.
fn ann_with(changes: &[(&str, Value)]) -> Value {
    let mut user = ann();
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match user.pointer_mut(parent).unwrap() {
            Value::Object(object) if value.is_null() => drop(object.remove(key)),
            Value::Object(object) => drop(object.insert(key.to_owned(), value.clone())),
            Value::Array(list) if key == "-" => list.push(value.clone()),
            Value::Array(list) if value.is_null() => drop(list.remove(key.parse().unwrap())),
            other => panic!("{other}"),
        }
    }
    user
}

#[test]
fn what_entra_id_and_okta_send() {
    let department = format!("{ENTERPRISE}:department");
    let manager = format!("{ENTERPRISE}:manager");
    for (operations, changes) in [
        // Entra ID
        (
            json!([{"op": "Replace", "path": "active", "value": "False"}]),
            vec![("/active", json!(false))],
        ),
        (
            json!([{"op": "Replace", "path": "active", "value": [{"$ref": null, "value": "False"}]}]),
            vec![("/active", json!(false))],
        ),
        (
            json!([{"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "new@work"},
                   {"op": "Replace", "path": "name.familyName", "value": "Ng"},
                   {"op": "Add", "path": "addresses[type eq \"work\"].country", "value": "IN"},
                   {"op": "Add", "path": "externalId", "value": "E1"}]),
            vec![
                ("/emails/0/value", json!("new@work")),
                ("/name/familyName", json!("Ng")),
                ("/externalId", json!("E1")),
            ],
        ),
        (
            json!([{"op": "Replace", "path": "emails[type eq \"other\"].value", "value": "x"}]),
            vec![("/emails/-", json!({"type": "other", "value": "x"}))],
        ),
        (
            json!([{"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "1"}]),
            vec![("/phoneNumbers", json!([{"type": "mobile", "value": "1"}]))],
        ),
        (
            json!([{"op": "Add", "path": manager, "value": "usr_2"},
                   {"op": "Replace", "path": department, "value": "Ops"}]),
            vec![
                (
                    "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/manager",
                    json!({"value": "usr_2"}),
                ),
                (
                    "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department",
                    json!("Ops"),
                ),
            ],
        ),
        (
            json!([{"op": "replace", "value": {
                "displayName": "Bjfe",
                "name.givenName": "Kkom",
                (department.as_str()): "Aklq",
                "emails[type eq \"work\"].value": "k@work",
                "roles[primary eq \"True\"].value": "x",
            }}]),
            vec![
                ("/displayName", json!("Bjfe")),
                ("/name/givenName", json!("Kkom")),
                (
                    "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department",
                    json!("Aklq"),
                ),
                ("/emails/0/value", json!("k@work")),
            ],
        ),
        (
            json!([{"op": "Add", "path": "", "value": {"title": "CEO"}}]),
            vec![("/title", json!("CEO"))],
        ),
        // Okta
        (json!([{"op": "replace", "value": {"active": false}}]), vec![("/active", json!(false))]),
        (
            json!([{"op": "replace", "value": {"id": "x", "schemas": [], "title": "CEO"}}]),
            vec![("/title", json!("CEO"))],
        ),
    ] {
        assert_eq!(patched_user(&operations), Ok(ann_with(&changes)), "{operations}");
    }
}

#[test]
fn the_rules_of_the_rfc() {
    for (operations, changes) in [
        // section 3.5.2.1
        (json!([{"op": "add", "path": "userName", "value": "ann"}]), vec![]),
        (
            json!([{"op": "add", "path": "emails", "value": [{"value": "ann@home", "type": "home"}]}]),
            vec![],
        ),
        (
            json!([{"op": "add", "value": {"emails": [{"value": "c", "primary": true}],
                                           "nickName": "x"}}]),
            vec![
                ("/emails/-", json!({"value": "c", "primary": true})),
                ("/emails/0/primary", json!(false)),
            ],
        ),
        (
            json!([{"op": "add", "path": "emails[type eq \"home\"]", "value": {"primary": true}}]),
            vec![("/emails/1/primary", json!(true)), ("/emails/0/primary", json!(false))],
        ),
        (
            json!([{"op": "add", "path": "name", "value": {"formatted": "A"}}]),
            vec![("/name/formatted", json!("A"))],
        ),
        (
            json!([{"op": "add", "path": ENTERPRISE, "value": {"division": "x"}}]),
            vec![(
                "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/division",
                json!("x"),
            )],
        ),
        // section 3.5.2.2
        (
            json!([{"op": "remove", "path": "emails[type eq \"work\"]"}]),
            vec![("/emails/0", Value::Null)],
        ),
        (
            json!([{"op": "remove", "path": "emails[type eq \"work\"].value"}]),
            vec![("/emails/0", Value::Null)],
        ),
        (
            json!([{"op": "remove", "path": "emails[type eq \"work\"].primary"}]),
            vec![("/emails/0/primary", Value::Null)],
        ),
        (json!([{"op": "remove", "path": "emails[type eq \"other\"]"}]), vec![]),
        (json!([{"op": "remove", "path": "emails"}]), vec![("/emails", Value::Null)]),
        (
            json!([{"op": "remove", "path": "emails", "value": [{"value": "ann@work"}]}]),
            vec![("/emails/0", Value::Null)],
        ),
        (
            json!([{"op": "remove", "path": "name.givenName"}]),
            vec![("/name/givenName", Value::Null)],
        ),
        (
            json!([{"op": "remove", "path": ENTERPRISE}]),
            vec![("/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", Value::Null)],
        ),
        (
            json!([{"op": "remove", "path": "name.givenName"},
                   {"op": "remove", "path": "name.familyName"}]),
            vec![("/name", Value::Null)],
        ),
        (json!([{"op": "remove", "path": "photos"}]), vec![]),
        // section 3.5.2.3
        (
            json!([{"op": "replace", "path": "emails", "value": [{"value": "n"}]}]),
            vec![("/emails", json!([{"value": "n"}]))],
        ),
        (json!([{"op": "replace", "path": "emails", "value": []}]), vec![("/emails", Value::Null)]),
        (
            json!([{"op": "replace", "path": "emails[type eq \"work\"]", "value": {"value": "n"}}]),
            vec![("/emails/0/value", json!("n")), ("/emails/0/primary", Value::Null)],
        ),
        (
            json!([{"op": "replace", "path": "name", "value": {"givenName": null,
                                                             "familyName": "Ng"}}]),
            vec![("/name/givenName", Value::Null), ("/name/familyName", json!("Ng"))],
        ),
        (json!([{"op": "replace", "path": "name", "value": null}]), vec![("/name", Value::Null)]),
        (
            json!([{"op": "replace", "value": {(ENTERPRISE): null}}]),
            vec![("/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", Value::Null)],
        ),
        // One operation after the other.
        (
            json!([{"op": "add", "path": "emails[type eq \"other\"].primary", "value": true},
                   {"op": "add", "path": "emails[type eq \"other\"].value", "value": "o"}]),
            vec![
                ("/emails/-", json!({"type": "other", "value": "o", "primary": true})),
                ("/emails/0/primary", json!(false)),
            ],
        ),
        (
            json!([{"op": "remove", "path": "emails"},
                   {"op": "add", "path": "emails.value", "value": "o"}]),
            vec![("/emails", json!([{"value": "o"}]))],
        ),
    ] {
        assert_eq!(patched_user(&operations), Ok(ann_with(&changes)), "{operations}");
    }
}

#[test]
fn refused() {
    use ScimType::{InvalidPath, InvalidSyntax, InvalidValue, Mutability, NoTarget};
    let many = vec![json!({"op": "add", "path": "title", "value": "x"}); 1_001];
    for (operations, scim_type, detail) in [
        (json!([]), InvalidSyntax, "a PATCH has at least one of Operations"),
        (json!(many), InvalidSyntax, "a PATCH has at most 1000 of Operations"),
        (json!(["x"]), InvalidSyntax, "each of Operations is an object"),
        (
            json!([{"op": "set", "path": "title", "value": "x"}]),
            InvalidSyntax,
            "op is one of add, replace and remove",
        ),
        (
            json!([{"path": "title", "value": "x"}]),
            InvalidSyntax,
            "op is one of add, replace and remove",
        ),
        (json!([{"op": "add", "path": 1, "value": "x"}]), InvalidSyntax, "path must be a text"),
        (json!([{"op": "add", "path": "title"}]), InvalidValue, "add and replace need a value"),
        (
            json!([{"op": "add", "value": "x"}]),
            InvalidValue,
            "the value must be an object of attributes",
        ),
        (json!([{"op": "remove"}]), NoTarget, "remove needs a path"),
        (
            json!([{"op": "add", "path": "emails[", "value": "x"}]),
            InvalidPath,
            "path at byte 7: expected the name of an attribute",
        ),
        (
            json!([{"op": "replace", "path": "emails[value eq \"none\"].value", "value": "x"}]),
            NoTarget,
            "no value of emails is chosen by the filter",
        ),
        (
            json!([{"op": "replace", "path": "emails[value co \"none\"]", "value": {"value": "x"}}]),
            NoTarget,
            "no value of emails is chosen by the filter",
        ),
        (json!([{"op": "replace", "path": "id", "value": "x"}]), Mutability, "id is read-only"),
        (
            json!([{"op": "add", "path": "groups", "value": ["x"]}]),
            Mutability,
            "groups is read-only",
        ),
        (
            json!([{"op": "remove", "path": "groups[value eq \"x\"]"}]),
            Mutability,
            "groups is read-only",
        ),
        (
            json!([{"op": "replace", "path": "meta.created", "value": "x"}]),
            Mutability,
            "meta.created is read-only",
        ),
        (json!([{"op": "remove", "path": "userName"}]), Mutability, "userName is required"),
        (
            json!([{"op": "remove", "path": "urn:ietf:params:scim:schemas:core:2.0:User"}]),
            Mutability,
            "the base schema cannot be removed",
        ),
        (
            json!([{"op": "replace", "path": "userName", "value": ""}]),
            InvalidValue,
            "userName is required",
        ),
        (
            json!([{"op": "replace", "path": "active", "value": "maybe"}]),
            InvalidValue,
            "active must be true or false",
        ),
        (
            json!([{"op": "replace", "path": "emails.primary", "value": true}]),
            InvalidValue,
            "emails has more than one primary value",
        ),
        // The second is bad, so the first is not done either.
        (
            json!([{"op": "add", "path": "title", "value": "x"},
                {"op": "add", "path": "name", "value": "x"}]),
            InvalidValue,
            "name must be an object",
        ),
    ] {
        let refused = patched_user(&operations);
        assert_eq!(refused, Err((Some(scim_type), detail.to_owned())), "{operations}");
    }
    let before = Resource::read_user(&ann()).unwrap();
    for body in [json!(null), json!([]), json!({}), ann(), json!({"Operations": 1})] {
        assert_eq!(user(&body, &before).unwrap_err().scim_type, Some(InvalidSyntax), "{body}");
    }
}

#[test]
fn a_list_has_an_end() {
    let emails: Vec<String> = (0..99).map(|n| n.to_string()).collect();
    let before = Resource::read_user(&json!({"userName": "u", "emails": emails})).unwrap();
    let one_more = |kind| {
        let path = format!("emails[type eq \"{kind}\"].value");
        json!({"op": "add", "path": path, "value": "x"})
    };
    assert!(user(&json!({"Operations": [one_more("a")]}), &before).is_ok());
    let error = user(&json!({"Operations": [one_more("a"), one_more("b")]}), &before).unwrap_err();
    assert_eq!(error.detail, "emails has more than 100 values");
}

#[test]
fn keys_are_read_in_any_case() {
    let before = Resource::read_user(&ann()).unwrap();
    let body = json!({"operations": {"OP": "REPLACE", "Path": "TITLE", "Value": "x"}});
    assert_eq!(user(&body, &before).unwrap().text("title"), Some("x"));
}

/// `replaced_all`, added, removed.
type Changes = (bool, Vec<String>, Vec<String>);

/// The group's new name, and what becomes of its members.
fn patched_group(operations: &Value) -> Result<(String, Changes), ScimType> {
    let (before, _) = Resource::read_group(&json!({"displayName": "Staff"})).unwrap();
    group(&json!({"Operations": operations}), &before)
        .map(|(group, members)| {
            let MemberChanges { replaced_all, added, removed } = members;
            let name = group.text("displayName").unwrap().to_owned();
            (name, (replaced_all, Vec::from_iter(added), Vec::from_iter(removed)))
        })
        .map_err(|error| error.scim_type.unwrap())
}

#[test]
fn members_come_and_go() {
    type Ids = &'static [&'static str];
    let none: Ids = &[];
    for (operations, name, replaced_all, added, removed) in [
        // Entra ID
        (
            json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": "a"},
                                                           {"value": "b"}]}]),
            "Staff",
            false,
            ["a", "b"].as_slice(),
            none,
        ),
        (
            json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "a"}]}]),
            "Staff",
            false,
            none,
            ["a"].as_slice(),
        ),
        (
            json!([{"op": "Replace", "path": "displayName", "value": "Crew"}]),
            "Crew",
            false,
            none,
            none,
        ),
        // Okta
        (
            json!([{"op": "remove", "path": "members[value eq \"a\"]"},
                {"op": "add", "path": "members", "value": [{"value": "b", "display": "b@x"}]}]),
            "Staff",
            false,
            &["b"],
            &["a"],
        ),
        (
            json!([{"op": "replace", "path": "members", "value": [{"value": "a", "display": "x"}]}]),
            "Staff",
            true,
            &["a"],
            none,
        ),
        (
            json!([{"op": "replace", "value": {"id": "grp_1", "displayName": "Crew"}}]),
            "Crew",
            false,
            none,
            none,
        ),
        // The RFC
        (json!([{"op": "remove", "path": "members"}]), "Staff", true, none, none),
        (
            json!([{"op": "add", "value": {"members": [{"value": "a"}]}}]),
            "Staff",
            false,
            &["a"],
            none,
        ),
        (json!([{"op": "replace", "value": {"members": ["a"]}}]), "Staff", true, &["a"], none),
        (json!([{"op": "replace", "path": "members", "value": []}]), "Staff", true, none, none),
        (
            json!([{"op": "remove", "path": "members[value eq \"a\" or value eq \"b\"]"}]),
            "Staff",
            false,
            none,
            &["a", "b"],
        ),
        // An empty list is nobody, not everybody.
        (json!([{"op": "remove", "path": "members", "value": []}]), "Staff", false, none, none),
        // In their order.
        (
            json!([{"op": "add", "path": "members", "value": "a"},
                {"op": "remove", "path": "members[value eq \"a\"]"}]),
            "Staff",
            false,
            none,
            &["a"],
        ),
        (
            json!([{"op": "remove", "path": "members", "value": ["a"]},
                {"op": "add", "path": "members", "value": "a"}]),
            "Staff",
            false,
            &["a"],
            none,
        ),
        (
            json!([{"op": "add", "path": "members", "value": "a"},
                {"op": "replace", "path": "members", "value": ["b", "c"]},
                {"op": "remove", "path": "members", "value": ["b"]}]),
            "Staff",
            true,
            &["c"],
            none,
        ),
    ] {
        let strings = |ids: Ids| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            patched_group(&operations),
            Ok((name.to_owned(), (replaced_all, strings(added), strings(removed)))),
            "{operations}"
        );
    }
}

#[test]
fn members_are_not_changed_in_place() {
    for (operation, scim_type) in [
        (
            json!({"op": "replace", "path": "members[value eq \"a\"]", "value": "b"}),
            ScimType::Mutability,
        ),
        (json!({"op": "add", "path": "members.value", "value": "b"}), ScimType::Mutability),
        (json!({"op": "remove", "path": "members.type"}), ScimType::Mutability),
        (json!({"op": "remove", "path": "members[display eq \"x\"]"}), ScimType::InvalidFilter),
        (json!({"op": "remove", "path": "members[not (value eq \"x\")]"}), ScimType::InvalidFilter),
        (
            json!({"op": "remove", "path": "members[value eq \"x\" and type eq \"User\"]"}),
            ScimType::InvalidFilter,
        ),
        (json!({"op": "add", "path": "members", "value": true}), ScimType::InvalidValue),
        (json!({"op": "remove", "path": "displayName"}), ScimType::Mutability),
    ] {
        assert_eq!(patched_group(&json!([operation])), Err(scim_type), "{operation}");
    }
}
