//! Filters as clients write them, and as nobody should.

use super::*;
use serde_json::json;

fn ann() -> Map<String, Value> {
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": "usr_1",
        "externalId": "E-1",
        "userName": "Ann@Example.com",
        "name": {"givenName": "Ann", "familyName": "O'Neil \"Red\""},
        "active": true,
        "emails": [
            {"value": "ann@example.com", "type": "work", "primary": true},
            {"value": "ann@home.example", "type": "home"},
        ],
        "groups": [{"value": "grp_1", "display": "Staff"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "department": "Sales",
            "manager": {"value": "usr_2"},
        },
        "meta": {"created": "2026-11-01T08:00:00Z", "lastModified": "2026-11-01T08:00:00.5Z"},
    });
    user.as_object().unwrap().clone()
}

fn matches(text: &str) -> Result<bool, String> {
    Filter::parse(ResourceKind::User, text).map(|filter| filter.matches(&ann())).map_err(|error| {
        assert_eq!(error.scim_type, Some(ScimType::InvalidFilter));
        error.to_string()
    })
}

#[test]
fn wanted() {
    for text in [
        // as Entra ID and Okta ask
        r#"userName eq "ann@example.com""#,
        r#"externalId eq "E-1""#,
        r#"emails[type eq "work"].value eq "ANN@example.com""#,
        r#"emails[type eq "work" and value eq "ann@example.com"]"#,
        r#"userName eq "ann@example.com" and active eq "True""#,
        // every operator, in any case
        r#"USERNAME EQ "ANN@EXAMPLE.COM""#,
        r#"userName ne "bob""#,
        r#"userName Co "@EXAMPLE""#,
        r#"userName sW "ann""#,
        r#"userName ew ".COM""#,
        r"userName pr",
        r#"userName gt "ann""#,
        r#"userName ge "ann@example.com""#,
        r#"userName lt "b""#,
        r#"userName le "ANN@example.com""#,
        // types
        "active eq true",
        "active ne FALSE",
        r#"meta.created eq "2026-11-01T09:00:00+01:00""#,
        r#"meta.lastModified gt "2026-11-01T08:00:00Z""#,
        r#"meta.lastModified lt "2026-11-01T08:00:01.000Z""#,
        r#"meta.created le "2026-11-01T08:00:00.000Z""#,
        "title eq null",
        "title ne \"x\"",
        "userName ne null",
        r#"name.familyName eq "O'Neil \"Red\"""#,
        r#"name.familyName co "\u0022R""#,
        // complex and lists
        "name pr",
        "emails pr",
        r#"emails eq "ann@home.example""#,
        r#"emails co "home""#,
        r#"emails.type eq "HOME""#,
        r#"emails.value ne "ann@example.com""#,
        "emails.primary eq true",
        r#"groups.value eq "grp_1""#,
        r#"schemas eq "urn:ietf:params:scim:schemas:core:2.0:User""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ann""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "sales""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:manager eq "usr_2""#,
        // joined
        r"title pr or userName pr and active eq true",
        r"userName pr or title pr and title pr",
        r"not (title pr)",
        r"NOT(title pr)AND(userName pr)",
        r"not (title pr) and not (not (userName pr))",
        "  ( userName   pr )  ",
        // not kept: no value
        r#"addresses[type eq "work"].country eq "x" or userName pr"#,
        r#"nickName ne "x""#,
        "not (nickName pr)",
    ] {
        assert_eq!(matches(text), Ok(true), "{text}");
    }
}

#[test]
fn not_wanted() {
    for text in [
        r#"externalId eq "e-1""#,
        r#"id eq "USR_1""#,
        r#"emails[type eq "home" and value eq "ann@example.com"]"#,
        r#"emails[type eq "home"].value eq "ann@example.com""#,
        r"emails[not (value pr)]",
        "title pr",
        "active eq false",
        "userName eq null",
        r#"userName gt "ann@example.com""#,
        r#"title gt "a""#,
        r#"title lt "a""#,
        r#"meta.created gt "2026-11-01T09:00:00+01:00""#,
        "(userName pr or title pr) and title pr",
        "not (userName pr) or title pr",
        "nickName pr",
        r#"nickName eq "x""#,
        r#"nickName co """#,
        r#"urn:example:x:userName eq "ann@example.com""#,
        "addresses[type pr]",
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "USR_2""#,
    ] {
        assert_eq!(matches(text), Ok(false), "{text}");
    }
}

#[test]
fn an_error_says_where_and_what() {
    let operator = "an operator: eq, ne, co, sw, ew, pr, gt, ge, lt or le";
    let value = "a value: text in quotes, a number, true, false or null";
    for (text, at, expected) in [
        ("", 0, "the name of an attribute"),
        ("  ", 2, "the name of an attribute"),
        ("1x eq 1", 0, "the name of an attribute"),
        ("a.b.c pr", 0, "the name of an attribute"),
        ("a..b pr", 0, "the name of an attribute"),
        ("a. pr", 0, "the name of an attribute"),
        ("urn:x: pr", 0, "the name of an attribute"),
        ("é pr", 0, "the name of an attribute"),
        ("userName", 8, operator),
        ("userName is \"x\"", 9, operator),
        ("userName eq", 11, value),
        ("userName eq x", 12, value),
        ("userName eq \"x", 12, value),
        ("userName eq \"x\\\"", 12, value),
        ("userName eq 'x'", 12, value),
        ("userName eq \"\\x\"", 12, "text as JSON writes it"),
        ("userName eq \"a\nb\"", 12, "text as JSON writes it"),
        ("userName eq 5", 12, "text in quotes"),
        ("userName eq true", 12, "text in quotes"),
        ("userName gt true", 9, "eq or ne before true, false and null"),
        ("nickName gt true", 9, "eq or ne before true, false and null"),
        ("active gt true", 7, "eq or ne before true, false and null"),
        ("active gt \"true\"", 10, "eq or ne before true or false"),
        ("active eq \"yes\"", 10, "true or false"),
        ("active eq 1", 10, "true or false"),
        ("meta.created eq \"yesterday\"", 16, DATE),
        ("meta.created eq 5", 16, DATE),
        ("meta.created sw \"2026\"", 16, "eq, ne, gt, ge, lt or le before a date and time"),
        ("name eq \"x\"", 8, "a sub-attribute of that attribute"),
        ("userName pr x", 12, "\"and\", \"or\" or the end"),
        ("userName pr and", 15, "the name of an attribute"),
        ("userName pr)", 11, "\"and\", \"or\" or the end"),
        ("(userName pr", 12, "\"and\", \"or\" or \")\""),
        ("not userName pr", 4, operator),
        ("emails[type pr", 14, "\"and\", \"or\" or \"]\""),
        ("emails[type pr].", 16, "the name of a sub-attribute"),
        ("emails[type pr].value", 21, operator),
        ("emails[emails[type pr]]", 14, "no brackets within brackets"),
        ("name[givenName pr]", 5, "brackets only after a list of complex values"),
        ("emails.value[type pr]", 13, "brackets only after a list of complex values"),
        ("urn:ietf:params:scim:schemas:core:2.0:User pr", 0, "an attribute, not a schema"),
    ] {
        assert_eq!(matches(text), Err(format!("at byte {at}: expected {expected}")), "{text}");
    }
}

const DATE: &str = "a date and time in quotes, like \"2026-11-01T08:00:00Z\"";

#[test]
fn hostile_filters_end_at_the_limits() {
    let long = |n: usize| format!("userName eq \"{}\"", "x".repeat(n - 14));
    assert_eq!(matches(&long(2_048)), Ok(false));
    assert!(matches(&long(2_049)).is_err());
    let many = |n: usize| vec!["id pr"; n].join(" or ");
    assert_eq!(matches(&many(50)), Ok(true));
    assert!(matches(&many(51)).unwrap_err().ends_with("no more than 50 comparisons"));
    let deep = |n: usize| format!("{}id pr{}", "(".repeat(n), ")".repeat(n));
    assert_eq!(matches(&deep(16)), Ok(true));
    assert!(matches(&deep(17)).is_err());
    // One after the other is not deep.
    assert_eq!(matches(&vec!["(id pr)"; 20].join(" or ")), Ok(true));
    for deep in ["(", "not (", "not(not ", "emails[", "a[", "((a[("] {
        let text = deep.repeat(2_048 / deep.len());
        assert!(matches(&text).is_err(), "{deep}");
    }
}

#[test]
fn what_the_store_can_look_up() {
    let lookup = |kind, text: &str| {
        let filter = Filter::parse(kind, text).unwrap();
        filter.equals().map(|lookup| (lookup.key, lookup.value.to_owned()))
    };
    for (text, key, value) in [
        (r#"userName eq "Ann""#, LookupKey::UserName, "Ann"),
        (r#"active eq true and (title pr and userName eq "a")"#, LookupKey::UserName, "a"),
        (r#"userName eq "a" and id eq "b""#, LookupKey::Id, "b"),
        (r#"externalId eq "a" and displayName eq "b""#, LookupKey::ExternalId, "a"),
        (r#"displayName eq "b""#, LookupKey::DisplayName, "b"),
        (r#"emails eq "b""#, LookupKey::EmailValue, "b"),
        (r#"emails.value eq "b""#, LookupKey::EmailValue, "b"),
        (r#"emails[type eq "work"].value eq "b""#, LookupKey::EmailValue, "b"),
        (r#"emails[value eq "b" and type eq "work"]"#, LookupKey::EmailValue, "b"),
    ] {
        assert_eq!(lookup(ResourceKind::User, text), Some((key, value.to_owned())), "{text}");
    }
    for text in [r#"members.value eq "u""#, r#"members[value eq "u"]"#, r#"members eq "u""#] {
        assert_eq!(
            lookup(ResourceKind::Group, text),
            Some((LookupKey::MemberValue, "u".to_owned())),
            "{text}"
        );
    }
    for text in [
        r#"userName eq "a" or id eq "b""#,
        r#"not (userName eq "a")"#,
        r#"userName ne "a""#,
        r#"userName sw "a""#,
        "userName eq null",
        r#"title eq "a""#,
        r#"emails.type eq "a""#,
        r#"emails[type eq "work"]"#,
        r#"emails[value eq "a" or value eq "b"]"#,
        r#"phoneNumbers.value eq "a""#,
        r#"groups[value eq "a"]"#,
        r#"name.givenName eq "a""#,
        r#"nickName eq "a""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "a""#,
    ] {
        assert_eq!(lookup(ResourceKind::User, text), None, "{text}");
    }
}
