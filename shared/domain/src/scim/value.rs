//! A client's JSON into the values of an attribute, with the lenience that real clients need.

use crate::scim::filter::elements;
use crate::scim::schema::{AttributeName, Type};
use crate::scim::{ScimError, ScimType};
use serde_json::{Map, Value};

/// Longest text of a value, in characters.
pub const MOST_CHARACTERS: usize = 1_024;
/// Most elements of a list (not of a group's members).
pub const MOST_ELEMENTS: usize = 100;

/// An object of sub-attributes.
pub(super) type Object = Map<String, Value>;

/// A value that the attribute cannot have, for a reason.
pub(super) fn invalid(name: AttributeName, reason: &str) -> ScimError {
    ScimError::new(ScimType::InvalidValue, format!("{name} {reason}"))
}

/// A list has one primary value (RFC 7643, section 2.4).
pub(super) fn two_primaries(name: AttributeName) -> ScimError {
    invalid(AttributeName { sub: None, ..name }, "has more than one primary value")
}

/// The whole value of an attribute or a sub-attribute. None when it is unassigned: null, an empty
/// list (RFC 7643, section 2.5), an empty text, which is how Entra ID takes a value away, or nothing
/// but what is not kept.
pub(super) fn assigned(name: AttributeName, value: &Value) -> Result<Option<Value>, ScimError> {
    if name.leaf().kind != Type::Complex {
        return simple(name, value);
    }
    if name.attribute.multi_valued {
        let list = list(name, value)?;
        let list: Vec<Value> = list.into_iter().map(Value::Object).collect();
        return Ok((!list.is_empty()).then_some(Value::Array(list)));
    }
    Ok(element(name, value)?.map(Value::Object))
}

/// The elements of a list: no two of one value and type (RFC 7643, section 2.4), at most one of them
/// primary.
pub(super) fn list(name: AttributeName, value: &Value) -> Result<Vec<Object>, ScimError> {
    let mut list = Vec::new();
    for value in elements(value) {
        if let Some(element) = element(name, value)? {
            append(name, &mut list, element)?;
        }
    }
    if list.iter().filter(|element| is_primary(element)).count() > 1 {
        return Err(two_primaries(name));
    }
    Ok(list)
}

/// Puts an element into the list, which may have one of that value and type. Returns its place.
pub(super) fn append(
    name: AttributeName,
    list: &mut Vec<Object>,
    mut element: Object,
) -> Result<usize, ScimError> {
    let same =
        |other: &Object| ["value", "type"].iter().all(|sub| other.get(*sub) == element.get(*sub));
    if let Some(at) = list.iter().position(same) {
        if let Some(other) = list.get_mut(at) {
            other.append(&mut element);
        }
        return Ok(at);
    }
    if list.len() == MOST_ELEMENTS {
        let name = AttributeName { sub: None, ..name };
        return Err(invalid(name, &format!("has more than {MOST_ELEMENTS} values")));
    }
    list.push(element);
    Ok(list.len() - 1)
}

/// Whether the element says that it is the primary one.
pub(super) fn is_primary(element: &Object) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// A complex value. None when it is unassigned; that is also what has a type, say, but no `value`.
pub(super) fn element(name: AttributeName, value: &Value) -> Result<Option<Object>, ScimError> {
    let object: Object =
        subs(name, value)?.into_iter().filter_map(|(sub, value)| Some((sub, value?))).collect();
    let has_value = name.attribute.sub_attribute("value").is_none() || object.contains_key("value");
    Ok((has_value && !object.is_empty()).then_some(object))
}

/// A value for some sub-attributes: those that were given, with nothing for those given as
/// unassigned. What is not kept or not to be written is passed over. A bare text is the `value`, as
/// Entra ID sends a manager; a list of one is its element, as it once sent everything.
pub(super) fn subs(
    name: AttributeName,
    value: &Value,
) -> Result<Vec<(String, Option<Value>)>, ScimError> {
    let sub_name = |key: &str| {
        let sub = name.attribute.sub_attribute(key).filter(|sub| !sub.is_read_only())?;
        Some(AttributeName { sub: Some(sub), ..name })
    };
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(list) => match list.as_slice() {
            [] => Ok(Vec::new()),
            [single] => subs(name, single),
            _ => Err(invalid(name, "has only one value")),
        },
        Value::Object(object) => object
            .iter()
            .filter_map(|(key, value)| sub_name(key).map(|name| (name, value)))
            .map(|(name, value)| Ok((name.leaf().name.to_owned(), simple(name, value)?)))
            .collect(),
        bare => match sub_name("value") {
            Some(name) => Ok(vec![("value".to_owned(), simple(name, bare)?)]),
            None => Err(invalid(name, "must be an object")),
        },
    }
}

/// A value without sub-attributes.
fn simple(name: AttributeName, value: &Value) -> Result<Option<Value>, ScimError> {
    let boolean = name.leaf().kind == Type::Boolean;
    match value {
        Value::Null => Ok(None),
        Value::Array(list) => match list.as_slice() {
            [] => Ok(None),
            [single] => simple(name, single),
            _ => Err(invalid(name, "has only one value")),
        },
        // As Entra ID wrote every value of a PATCH, and still writes some.
        Value::Object(object) => match object.get("value") {
            Some(value) => simple(name, value),
            None => Err(invalid(name, "must not be an object")),
        },
        Value::String(text) if text.is_empty() => Ok(None),
        Value::Bool(_) if boolean => Ok(Some(value.clone())),
        // "True" and "False" are Entra ID's.
        Value::String(text) if boolean && text.eq_ignore_ascii_case("true") => {
            Ok(Some(true.into()))
        }
        Value::String(text) if boolean && text.eq_ignore_ascii_case("false") => {
            Ok(Some(false.into()))
        }
        _ if boolean => Err(invalid(name, "must be true or false")),
        Value::String(text) if text.chars().count() > MOST_CHARACTERS => {
            Err(invalid(name, &format!("has more than {MOST_CHARACTERS} characters")))
        }
        Value::String(_) => Ok(Some(value.clone())),
        // Employee numbers, from those who take them for numbers.
        Value::Number(number) => Ok(Some(number.to_string().into())),
        Value::Bool(_) => Err(invalid(name, "must be a text")),
    }
}
