//! What goes back to a client: pages, lists, and of a resource what was asked for.

use crate::scim::resource::location;
use crate::scim::schema::{self, AttributeName, Reference, ResourceKind};
use crate::scim::{ScimError, ScimType};
use serde_json::{Map, Value, json};

/// Most resources of one page.
pub const MOST_RESULTS: usize = 200;
/// Longest `attributes` or `excludedAttributes`, in bytes.
const MOST_NAMES_BYTES: usize = 4_096;

/// The page of a list that is wanted (RFC 7644, section 3.4.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Place of its first resource in the whole list, from 1.
    pub start_index: usize,
    /// Most resources of it, 0 to [`MOST_RESULTS`]; 0 asks for the total alone.
    pub count: usize,
}

impl Page {
    /// Reads the query parameters. `startIndex` below 1 is 1; `count` below 0 is 0, above
    /// [`MOST_RESULTS`] that, and that too if it is absent.
    ///
    /// # Errors
    /// [`ScimType::InvalidValue`] for what is not a whole number.
    pub fn parse(start_index: Option<&str>, count: Option<&str>) -> Result<Self, ScimError> {
        Ok(Self {
            start_index: clamped("startIndex", start_index, 1, 1, usize::MAX)?,
            count: clamped("count", count, MOST_RESULTS, 0, MOST_RESULTS)?,
        })
    }
}

fn clamped(
    name: &str,
    text: Option<&str>,
    default: usize,
    least: usize,
    most: usize,
) -> Result<usize, ScimError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(default) };
    let number: i64 = text.parse().map_err(|_| {
        ScimError::new(ScimType::InvalidValue, format!("{name} must be a whole number"))
    })?;
    // What is no `usize` is negative.
    Ok(usize::try_from(number).unwrap_or(0).clamp(least, most))
}

/// A list answer (RFC 7644, section 3.4.2): `total` resources are wanted, and these of them from
/// `start_index` on are answered.
pub fn list_response(total: usize, start_index: usize, resources: Vec<Value>) -> Value {
    let list = [
        ("schemas", json!([schema::LIST_RESPONSE])),
        ("totalResults", total.into()),
        ("startIndex", start_index.into()),
        ("itemsPerPage", resources.len().into()),
        ("Resources", resources.into()),
    ];
    list.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// An element of a group's `members`, as RFC 7643, section 4.2, has it: no name, which would be every
/// member's to look up.
pub fn member(id: &str, base: &str) -> Value {
    json!({
        "value": id,
        "$ref": location(ResourceKind::User, id, base),
        "type": ResourceKind::User.name(),
    })
}

/// An element of a user's `groups`.
pub fn membership(id: &str, display: &str, base: &str) -> Value {
    json!({
        "value": id,
        "$ref": location(ResourceKind::Group, id, base),
        "type": "direct",
        "display": display,
    })
}

/// Which attributes are answered (RFC 7644, section 3.9): those of `attributes`, or all, less those of
/// `excludedAttributes`. Names that stand for nothing are passed over, `id` and `schemas` are always
/// answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    only: Option<Vec<Reference>>,
    without: Vec<Reference>,
}

impl Projection {
    /// Reads the query parameters, names with commas between them.
    ///
    /// # Errors
    /// [`ScimType::InvalidValue`] for more than 4,096 bytes of names.
    pub fn parse(
        kind: ResourceKind,
        attributes: Option<&str>,
        excluded: Option<&str>,
    ) -> Result<Self, ScimError> {
        let names = |text: Option<&str>| {
            let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
            if text.len() > MOST_NAMES_BYTES {
                let detail = format!("more than {MOST_NAMES_BYTES} bytes of attribute names");
                return Err(ScimError::new(ScimType::InvalidValue, detail));
            }
            let names = text.split(',').map(|name| kind.resolve(name.trim()));
            Ok(Some(names.filter(|name| *name != Reference::Unknown).collect()))
        };
        Ok(Self { only: names(attributes)?, without: names(excluded)?.unwrap_or_default() })
    }

    /// Whether anything of an attribute of the base schema is answered, so that what is not need not be
    /// fetched.
    pub fn includes(&self, attribute: &str) -> bool {
        let names = |reference: &Reference| match reference {
            Reference::Attribute(name) => {
                name.extension.is_none() && name.attribute.name == attribute
            }
            Reference::Schema(schema) => schema.attributes.iter().any(|a| a.name == attribute),
            Reference::Unknown => false,
        };
        let is_whole = |reference: &Reference| !matches!(reference, Reference::Attribute(name) if name.sub.is_some());
        self.only.as_ref().is_none_or(|only| only.iter().any(names))
            && !self.without.iter().any(|reference| is_whole(reference) && names(reference))
    }

    /// What is answered of a resource.
    pub fn apply(&self, kind: ResourceKind, resource: &Map<String, Value>) -> Map<String, Value> {
        let mut answer = Map::new();
        for (key, value) in resource {
            let kept = match kind.resolve(key) {
                Reference::Attribute(name) => self.attribute(name, value),
                Reference::Schema(schema) => value.as_object().and_then(|object| {
                    let attributes = object.iter().filter_map(|(key, value)| {
                        let full = format!("{}:{key}", schema.id);
                        let Reference::Attribute(name) = kind.resolve(&full) else { return None };
                        Some((key.clone(), self.attribute(name, value)?))
                    });
                    non_empty(attributes.collect())
                }),
                Reference::Unknown => None,
            };
            if let Some(kept) = kept {
                answer.insert(key.clone(), kept);
            }
        }
        answer
    }

    fn attribute(&self, name: AttributeName, value: &Value) -> Option<Value> {
        if name.attribute.always_returned || self.is_kept_whole(name) {
            return Some(value.clone());
        }
        match value {
            Value::Array(elements) => {
                let kept: Vec<Value> =
                    elements.iter().filter_map(|element| self.parts(name, element)).collect();
                (!kept.is_empty()).then_some(Value::Array(kept))
            }
            single => self.parts(name, single),
        }
    }

    fn is_kept_whole(&self, name: AttributeName) -> bool {
        self.only.as_ref().is_none_or(|only| covered(only, name))
            && !self.without.iter().any(|reference| touches(reference, name))
    }

    /// Those sub-attributes that are answered, if any.
    fn parts(&self, name: AttributeName, value: &Value) -> Option<Value> {
        let parts = value.as_object()?.iter().filter(|(key, _)| {
            name.attribute.sub_attribute(key).is_some_and(|sub| {
                let name = AttributeName { sub: Some(sub), ..name };
                self.only.as_ref().is_none_or(|only| covered(only, name))
                    && !covered(&self.without, name)
            })
        });
        non_empty(parts.map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

fn non_empty(object: Map<String, Value>) -> Option<Value> {
    (!object.is_empty()).then_some(Value::Object(object))
}

/// Whether all of the attribute is meant by the names.
fn covered(references: &[Reference], name: AttributeName) -> bool {
    references.iter().any(|reference| match reference {
        Reference::Schema(_) => touches(reference, name),
        Reference::Attribute(named) => {
            touches(reference, name) && (named.sub.is_none() || named.sub == name.sub)
        }
        Reference::Unknown => false,
    })
}

/// Whether all or a part of the attribute is meant.
fn touches(reference: &Reference, name: AttributeName) -> bool {
    match reference {
        Reference::Schema(schema) => match name.extension {
            Some(extension) => extension == *schema,
            None => schema.attributes.iter().any(|a| a.name == name.attribute.name),
        },
        Reference::Attribute(named) => {
            named.extension == name.extension && named.attribute == name.attribute
        }
        Reference::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        for (start_index, count, expected) in [
            (None, None, Some((1, 200))),
            (Some("1"), Some("1"), Some((1, 1))),
            (Some("0"), Some("0"), Some((1, 0))),
            (Some("-5"), Some("-5"), Some((1, 0))),
            (Some("7"), Some("201"), Some((7, 200))),
            (Some(""), Some(""), Some((1, 200))),
            (Some("x"), None, None),
            (None, Some("1.5"), None),
            (Some("99999999999999999999"), None, None),
        ] {
            let page = Page::parse(start_index, count);
            let read = page.as_ref().map(|page| (page.start_index, page.count)).ok();
            assert_eq!(read, expected, "{start_index:?} {count:?}");
        }
        let error = Page::parse(None, Some("x")).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
        assert_eq!(error.detail, "count must be a whole number");
    }

    #[test]
    fn an_empty_list_is_a_list() {
        assert_eq!(
            list_response(0, 1, Vec::new()),
            json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
                "totalResults": 0,
                "startIndex": 1,
                "itemsPerPage": 0,
                "Resources": [],
            })
        );
        assert_eq!(list_response(9, 3, vec![json!({})])["itemsPerPage"], json!(1));
    }

    fn user() -> Map<String, Value> {
        let user = json!({
            "schemas": ["s"],
            "id": "usr_1",
            "userName": "a",
            "name": {"givenName": "g", "familyName": "f"},
            "emails": [{"value": "x", "type": "work"}, {"value": "y"}],
            "groups": [membership("grp_1", "Staff", "https://c.example/")],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
                "department": "d",
                "manager": {"value": "m", "displayName": "n"},
            },
            "meta": {"resourceType": "User", "location": "l"},
        });
        user.as_object().unwrap().clone()
    }

    /// What is answered, less what always is.
    fn asked(attributes: Option<&str>, excluded: Option<&str>) -> Value {
        let projection = Projection::parse(ResourceKind::User, attributes, excluded).unwrap();
        let mut answer = projection.apply(ResourceKind::User, &user());
        assert_eq!(answer.remove("schemas"), Some(json!(["s"])));
        assert_eq!(answer.remove("id"), Some(json!("usr_1")));
        answer.into()
    }

    #[test]
    fn attributes_that_are_asked_for() {
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        for (attributes, expected) in [
            ("id", json!({})),
            ("x,nickName", json!({})),
            ("USERNAME , name.GivenName", json!({"userName": "a", "name": {"givenName": "g"}})),
            ("name.givenName,name", json!({"name": {"givenName": "g", "familyName": "f"}})),
            ("emails.type", json!({"emails": [{"type": "work"}]})),
            (
                "emails.type,emails.value",
                json!({"emails": [{"value": "x", "type": "work"}, {"value": "y"}]}),
            ),
            ("emails.primary", json!({})),
            ("meta.location", json!({"meta": {"location": "l"}})),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
                json!({(enterprise): user()[enterprise]}),
            ),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
                json!({(enterprise): {"manager": {"value": "m"}}}),
            ),
            ("department", json!({})),
            ("urn:ietf:params:scim:schemas:core:2.0:User:userName", json!({"userName": "a"})),
        ] {
            assert_eq!(asked(Some(attributes), None), expected, "{attributes}");
        }
        assert_eq!(
            asked(Some("name,userName"), Some("name.familyName")),
            json!({"userName": "a", "name": {"givenName": "g"}})
        );
    }

    #[test]
    fn attributes_that_are_not_wanted() {
        let all = asked(None, None);
        assert_eq!(all.as_object().unwrap().len() + 2, user().len());
        assert_eq!(asked(Some(" "), Some("id,schemas,x")), all);
        let mut expected = all;
        expected["name"] = json!({"familyName": "f"});
        expected["emails"] = json!([{"value": "x"}, {"value": "y"}]);
        expected.as_object_mut().unwrap().remove("groups");
        let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        expected[urn] = json!({"department": "d"});
        assert_eq!(
            asked(None, Some(&format!("groups,name.givenName,emails.type,{urn}:manager"))),
            expected
        );
        expected.as_object_mut().unwrap().remove(urn);
        assert_eq!(
            asked(None, Some(&format!("{urn},groups,name.givenName,emails.type"))),
            expected
        );
    }

    #[test]
    fn what_need_not_be_fetched() {
        let includes = |attributes, excluded| {
            Projection::parse(ResourceKind::Group, attributes, excluded)
                .unwrap()
                .includes("members")
        };
        assert!(includes(None, None));
        assert!(includes(Some("members.value"), None));
        assert!(includes(Some("urn:ietf:params:scim:schemas:core:2.0:Group"), None));
        assert!(includes(None, Some("members.display")));
        assert!(!includes(Some("displayName"), None));
        assert!(!includes(None, Some("Members")));
        assert!(!includes(Some("members"), Some("members")));
        let long = "x,".repeat(2_049);
        assert!(Projection::parse(ResourceKind::Group, Some(&long), None).is_err());
    }
}
