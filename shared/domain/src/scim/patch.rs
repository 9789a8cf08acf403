//! PATCH (RFC 7644, section 3.5.2): all operations of a body, or none.

use crate::scim::edit::Editor;
use crate::scim::filter::elements;
use crate::scim::members::MemberChanges;
use crate::scim::path::Path;
use crate::scim::resource::Resource;
use crate::scim::schema::ResourceKind;
use crate::scim::{ScimError, ScimType};
use serde_json::{Map, Value};

/// Most operations of one body.
pub const MOST_OPERATIONS: usize = 1_000;

/// What is done to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Replace,
    Remove,
}

/// The user after a PATCH. That it is equal to what it was means that nothing is to be stored.
///
/// # Errors
/// [`ScimError`] with `invalidSyntax`, `invalidPath`, `invalidValue`, `noTarget` or `mutability`.
pub fn user(body: &Value, user: &Resource) -> Result<Resource, ScimError> {
    patched(ResourceKind::User, body, user).map(|(user, _)| user)
}

/// The group after a PATCH, and what becomes of its members.
///
/// # Errors
/// As for [`user`]; `invalidFilter` for members chosen otherwise than by `value eq`.
pub fn group(body: &Value, group: &Resource) -> Result<(Resource, MemberChanges), ScimError> {
    patched(ResourceKind::Group, body, group)
}

fn patched(
    kind: ResourceKind,
    body: &Value,
    resource: &Resource,
) -> Result<(Resource, MemberChanges), ScimError> {
    let mut editor = Editor::new(kind, resource.attributes().clone());
    for operation in operations(body)? {
        one(kind, &mut editor, operation)?;
    }
    editor.finish()
}

/// The operations. `schemas` is not asked for: some clients leave it out, some misspell it.
fn operations(body: &Value) -> Result<&[Value], ScimError> {
    let operations = body
        .as_object()
        .and_then(|body| member(body, "Operations"))
        .map(elements)
        .filter(|operations| !operations.is_empty())
        .ok_or_else(|| syntax("a PATCH has at least one of Operations"))?;
    if operations.len() > MOST_OPERATIONS {
        return Err(syntax(&format!("a PATCH has at most {MOST_OPERATIONS} of Operations")));
    }
    Ok(operations)
}

fn one(kind: ResourceKind, editor: &mut Editor, operation: &Value) -> Result<(), ScimError> {
    let operation =
        operation.as_object().ok_or_else(|| syntax("each of Operations is an object"))?;
    let path = match member(operation, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(path)) if path.is_empty() => None,
        Some(Value::String(path)) => Some(Path::parse(kind, path)?),
        Some(_) => return Err(syntax("path must be a text")),
    };
    let value = member(operation, "value");
    let operation = match member(operation, "op").and_then(Value::as_str) {
        Some(op) if op.eq_ignore_ascii_case("add") => Operation::Add,
        Some(op) if op.eq_ignore_ascii_case("replace") => Operation::Replace,
        Some(op) if op.eq_ignore_ascii_case("remove") => Operation::Remove,
        _ => return Err(syntax("op is one of add, replace and remove")),
    };
    match (operation, path, value) {
        (Operation::Remove, None, _) => {
            Err(ScimError::new(ScimType::NoTarget, "remove needs a path"))
        }
        (Operation::Remove, Some(path), value) => {
            editor.apply(operation, &path, value.unwrap_or(&Value::Null))
        }
        (_, _, None) => Err(ScimError::new(ScimType::InvalidValue, "add and replace need a value")),
        (_, Some(path), Some(value)) => editor.apply(operation, &path, value),
        (_, None, Some(value)) => editor.merge(operation, None, value),
    }
}

/// The member of that name, in any case.
fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn syntax(detail: &str) -> ScimError {
    ScimError::new(ScimType::InvalidSyntax, detail)
}

#[cfg(test)]
mod tests;
