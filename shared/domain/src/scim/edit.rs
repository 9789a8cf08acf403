//! A resource while it is changed. Creating one is adding to an empty one, so that bodies of POST, PUT
//! and PATCH are read by one piece of code.

use crate::scim::filter::Node;
use crate::scim::members::MemberChanges;
use crate::scim::patch::Operation;
use crate::scim::path::Path;
use crate::scim::resource::Resource;
use crate::scim::schema::{AttributeName, COMMON, ResourceKind, Schema, Type};
use crate::scim::value::{self, Object, append, assigned, invalid, is_primary};
use crate::scim::{ScimError, ScimType};
use serde_json::Value;
use std::collections::BTreeSet;

/// Largest resource, in bytes of JSON: an item of the store has 400 KB, of which this is one
/// attribute.
pub const MOST_BYTES: usize = 64 * 1_024;

type Done = Result<(), ScimError>;

/// The attributes so far, in canonical names, not yet held against all rules; and what becomes of a
/// group's members.
#[derive(Debug)]
pub(super) struct Editor {
    kind: ResourceKind,
    attributes: Object,
    members: MemberChanges,
}

impl Editor {
    pub(super) fn new(kind: ResourceKind, attributes: Object) -> Self {
        Self { kind, attributes, members: MemberChanges::default() }
    }

    /// The resource, if it is one: what is required is there, and it is not too large.
    pub(super) fn finish(self) -> Result<(Resource, MemberChanges), ScimError> {
        let mut attributes = Object::new();
        for schema in std::iter::once(self.kind.core()).chain(self.kind.extensions()) {
            let extension = (schema != self.kind.core()).then_some(schema);
            let source = match extension {
                Some(schema) => self.attributes.get(schema.id).and_then(Value::as_object),
                None => Some(&self.attributes),
            };
            let common = if extension.is_none() { COMMON } else { &[] };
            let mut object = Object::new();
            for attribute in schema.attributes.iter().chain(common) {
                let name = AttributeName { extension, attribute, sub: None };
                let given = source.and_then(|source| source.get(attribute.name));
                match given.map_or(Ok(None), |given| assigned(name, given))? {
                    Some(value) => {
                        object.insert(attribute.name.to_owned(), value);
                    }
                    None if attribute.required => return Err(invalid(name, "is required")),
                    None => {}
                }
            }
            match extension {
                None => attributes.append(&mut object),
                Some(_) if object.is_empty() => {}
                Some(schema) => {
                    attributes.insert(schema.id.to_owned(), object.into());
                }
            }
        }
        let resource = Resource::new(self.kind, attributes);
        if resource.to_json().len() > MOST_BYTES {
            let detail = format!("the resource has more than {MOST_BYTES} bytes");
            return Err(ScimError::new(ScimType::InvalidValue, detail));
        }
        Ok((resource, self.members))
    }

    /// An operation that names its target.
    pub(super) fn apply(&mut self, operation: Operation, path: &Path, value: &Value) -> Done {
        match path {
            Path::Unknown => Ok(()),
            Path::Schema(schema) if operation == Operation::Remove || value.is_null() => {
                if *schema == self.kind.core() {
                    return Err(immutable("the base schema cannot be removed"));
                }
                self.attributes.remove(schema.id);
                Ok(())
            }
            Path::Schema(schema) => self.merge(operation, Some(schema), value),
            Path::Attribute(name) | Path::Elements(name, _) if name.is_read_only() => {
                Err(immutable(&format!("{name} is read-only")))
            }
            Path::Attribute(name) if operation == Operation::Remove && name.leaf().required => {
                Err(immutable(&format!("{name} is required")))
            }
            Path::Attribute(name) if self.is_members(*name) => {
                self.members.list(operation, *name, value)
            }
            Path::Elements(name, node) if self.is_members(*name) => {
                self.members.elements(operation, *name, node)
            }
            Path::Attribute(name) => self.attribute(operation, *name, value),
            Path::Elements(name, node) => {
                self.edit_list(*name, |list| chosen(operation, *name, node, list, value))
            }
        }
    }

    /// An operation on all that the object names: attributes of the schema if one is given, or
    /// anything that could be a path, as Entra ID has it (`"name.givenName"`). What is not kept or is
    /// read-only is passed over: clients send back the `id` and `schemas` that they were given.
    pub(super) fn merge(
        &mut self,
        operation: Operation,
        schema: Option<&Schema>,
        value: &Value,
    ) -> Done {
        let Value::Object(object) = value else {
            let detail = "the value must be an object of attributes";
            return Err(ScimError::new(ScimType::InvalidValue, detail));
        };
        let mut seen = BTreeSet::new();
        for (key, value) in object {
            let path = match schema {
                Some(schema) => Path::parse(self.kind, &format!("{}:{key}", schema.id)),
                None => Path::parse(self.kind, key),
            };
            match path {
                Err(_) => {}
                Ok(Path::Attribute(name) | Path::Elements(name, _)) if name.is_read_only() => {}
                Ok(Path::Attribute(name)) if !seen.insert(name.to_string()) => {
                    let detail = format!("{name} is given twice");
                    return Err(ScimError::new(ScimType::InvalidSyntax, detail));
                }
                Ok(path) => self.apply(operation, &path, value)?,
            }
        }
        Ok(())
    }

    /// Whether it is the list that is not kept in the resource.
    fn is_members(&self, name: AttributeName) -> bool {
        self.kind == ResourceKind::Group && name.attribute.name == "members"
    }

    fn attribute(&mut self, operation: Operation, name: AttributeName, value: &Value) -> Done {
        if name.attribute.multi_valued {
            return self.edit_list(name, |list| whole(operation, name, list, value));
        }
        let key = name.attribute.name;
        self.edit_holder(name, |holder| {
            match name.sub {
                Some(sub) => {
                    let mut object = taken_object(holder, key);
                    set(&mut object, sub.name, new_value(operation, name, value)?);
                    holder.insert(key.to_owned(), object.into());
                }
                None if name.attribute.kind != Type::Complex
                    || operation == Operation::Remove
                    || value.is_null() =>
                {
                    set(holder, key, new_value(operation, name, value)?);
                }
                // Of a complex value, the sub-attributes that are not named stay (RFC 7644,
                // section 3.5.2.3).
                None => {
                    let mut object = taken_object(holder, key);
                    let subs = value::subs(name, value)?;
                    for (sub, value) in subs {
                        set(&mut object, &sub, value);
                    }
                    holder.insert(key.to_owned(), object.into());
                }
            }
            Ok(())
        })
    }

    /// Changes the object in which the attribute stands. After an error nobody looks at it again.
    fn edit_holder(&mut self, name: AttributeName, edit: impl FnOnce(&mut Object) -> Done) -> Done {
        let Some(extension) = name.extension else { return edit(&mut self.attributes) };
        let mut holder = taken_object(&mut self.attributes, extension.id);
        edit(&mut holder)?;
        self.attributes.insert(extension.id.to_owned(), holder.into());
        Ok(())
    }

    fn edit_list(
        &mut self,
        name: AttributeName,
        edit: impl FnOnce(&mut Vec<Object>) -> Done,
    ) -> Done {
        let key = name.attribute.name;
        self.edit_holder(name, |holder| {
            let mut list = taken_list(holder, key);
            edit(&mut list)?;
            holder.insert(key.to_owned(), list.into_iter().map(Value::Object).collect());
            Ok(())
        })
    }
}

fn immutable(detail: &str) -> ScimError {
    ScimError::new(ScimType::Mutability, detail)
}

fn taken_object(holder: &mut Object, key: &str) -> Object {
    match holder.remove(key) {
        Some(Value::Object(object)) => object,
        _ => Object::new(),
    }
}

fn taken_list(holder: &mut Object, key: &str) -> Vec<Object> {
    let Some(Value::Array(list)) = holder.remove(key) else { return Vec::new() };
    let objects = list.into_iter().map(|element| match element {
        Value::Object(object) => object,
        _ => Object::new(),
    });
    objects.collect()
}

fn set(object: &mut Object, key: &str, value: Option<Value>) {
    match value {
        Some(value) => object.insert(key.to_owned(), value),
        None => object.remove(key),
    };
}

/// What an attribute has after the operation; nothing after its removal.
fn new_value(
    operation: Operation,
    name: AttributeName,
    value: &Value,
) -> Result<Option<Value>, ScimError> {
    if operation == Operation::Remove { Ok(None) } else { assigned(name, value) }
}

/// An operation on a whole list, or on a sub-attribute of all its elements.
fn whole(operation: Operation, name: AttributeName, list: &mut Vec<Object>, value: &Value) -> Done {
    if let Some(sub) = name.sub {
        let new = new_value(operation, name, value)?;
        if list.is_empty() {
            list.push(Object::new());
        }
        for element in list.iter_mut() {
            set(element, sub.name, new.clone());
        }
        let all: Vec<usize> = (0..list.len()).collect();
        return one_primary(name, list, &all);
    }
    match operation {
        Operation::Add => {
            let new = value::list(name, value)?;
            let touched = new.into_iter().map(|element| append(name, list, element));
            let touched = touched.collect::<Result<Vec<usize>, _>>()?;
            one_primary(name, list, &touched)
        }
        Operation::Replace => {
            *list = value::list(name, value)?;
            Ok(())
        }
        Operation::Remove if value.is_null() => {
            list.clear();
            Ok(())
        }
        // Not of the RFC, which knows no value here; but to remove all would be worse.
        Operation::Remove => {
            let gone = value::list(name, value)?;
            list.retain(|element| {
                !gone
                    .iter()
                    .any(|gone| gone.iter().all(|(sub, value)| element.get(sub) == Some(value)))
            });
            Ok(())
        }
    }
}

/// An operation on the elements for which the expression is true, or a sub-attribute of them.
///
/// Where there is none, `add` and `replace` make one of what the expression says that it would be, such
/// as its type. For `replace` the RFC (section 3.5.2.3) wants `noTarget` instead, but Entra ID replaces
/// what it has never added. One that is chosen by its `value`, however, must be there.
fn chosen(
    operation: Operation,
    name: AttributeName,
    node: &Node,
    list: &mut Vec<Object>,
    value: &Value,
) -> Done {
    let is_chosen = |element: &Object| node.matches(element);
    if operation == Operation::Remove {
        match name.sub {
            Some(sub) => {
                for element in list.iter_mut().filter(|element| is_chosen(element)) {
                    set(element, sub.name, None);
                }
            }
            None => list.retain(|element| !is_chosen(element)),
        }
        return Ok(());
    }
    let seed = node.as_element();
    let mut touched: Vec<usize> =
        list.iter().enumerate().filter(|(_, e)| is_chosen(e)).map(|(at, _)| at).collect();
    if touched.is_empty() {
        let seed = seed
            .as_ref()
            .filter(|seed| operation == Operation::Add || !seed.contains_key("value"))
            .ok_or_else(|| {
                ScimError::new(
                    ScimType::NoTarget,
                    format!("no value of {} is chosen by the filter", name.attribute.name),
                )
            })?;
        touched.push(append(name, list, seed.clone())?);
    }
    let new = match name.sub {
        Some(sub) => vec![(sub.name.to_owned(), assigned(name, value)?)],
        None => value::subs(name, value)?,
    };
    for at in &touched {
        let Some(element) = list.get_mut(*at) else { continue };
        if name.sub.is_none() && operation == Operation::Replace {
            *element = seed.clone().unwrap_or_default();
        }
        for (sub, value) in &new {
            set(element, sub, value.clone());
        }
    }
    one_primary(name, list, &touched)
}

/// A new primary value takes it from the one that was (RFC 7644, section 3.5.2).
fn one_primary(name: AttributeName, list: &mut [Object], touched: &[usize]) -> Done {
    let is_new = |at: &usize| list.get(*at).is_some_and(is_primary);
    let new: BTreeSet<usize> = touched.iter().copied().filter(is_new).collect();
    if new.len() > 1 {
        return Err(value::two_primaries(name));
    }
    if new.is_empty() {
        return Ok(());
    }
    for (at, element) in list.iter_mut().enumerate() {
        if is_primary(element) && !new.contains(&at) {
            element.insert("primary".to_owned(), false.into());
        }
    }
    Ok(())
}
