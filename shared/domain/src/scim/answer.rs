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

/// An element of a group's `members`.
pub fn member(id: &str, display: &str, base: &str) -> Value {
    json!({
        "value": id,
        "$ref": location(ResourceKind::User, id, base),
        "type": ResourceKind::User.name(),
        "display": display,
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
