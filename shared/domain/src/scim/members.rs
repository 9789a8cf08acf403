//! Members of a group, who are items of the store: what changes, not who they are.

use crate::scim::filter::{Literal, Node, Operator, Target, elements};
use crate::scim::patch::Operation;
use crate::scim::schema::AttributeName;
use crate::scim::value;
use crate::scim::{ScimError, ScimType};
use serde_json::Value;
use std::collections::BTreeSet;

/// Most members that one request may name.
pub const MOST_MEMBERS: usize = 15_000;

/// What becomes of a group's members, by their ids: the sum of all operations, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberChanges {
    /// Whether nobody stays but those added.
    pub replaced_all: bool,
    /// Who is in it afterwards, whether before or not.
    pub added: BTreeSet<String>,
    /// Who is not in it afterwards, whether before or not; empty if `replaced_all`. Nobody is in both
    /// sets.
    pub removed: BTreeSet<String>,
}

impl MemberChanges {
    /// Whether the members stay as they are.
    pub fn is_empty(&self) -> bool {
        !self.replaced_all && self.added.is_empty() && self.removed.is_empty()
    }

    /// One more operation on the list, or with `name.sub` on something of its elements.
    pub(super) fn list(
        &mut self,
        operation: Operation,
        name: AttributeName,
        value: &Value,
    ) -> Result<(), ScimError> {
        if name.sub.is_some() {
            return Err(immutable(name));
        }
        let ids = ids(name, value)?;
        match operation {
            Operation::Add => self.add(ids),
            Operation::Replace => self.replace(ids),
            // Entra ID and others name in the value who is to go; the RFC knows no such value.
            Operation::Remove if !value.is_null() => self.remove(ids),
            Operation::Remove => self.replace(BTreeSet::new()),
        }
        self.bounded(name)
    }

    /// One more operation, on the elements for which the expression is true. Only their removal by
    /// `value eq` makes sense to a server that does not have them at hand.
    pub(super) fn elements(
        &mut self,
        operation: Operation,
        name: AttributeName,
        node: &Node,
    ) -> Result<(), ScimError> {
        let whole = name.sub.is_none_or(|sub| sub.name == "value");
        if operation != Operation::Remove || !whole {
            return Err(immutable(name));
        }
        let mut ids = BTreeSet::new();
        if !chosen(node, &mut ids) {
            return Err(ScimError::new(
                ScimType::InvalidFilter,
                "members are chosen by value eq, alternatives joined by or",
            ));
        }
        self.remove(ids);
        self.bounded(name)
    }

    fn add(&mut self, ids: BTreeSet<String>) {
        self.removed.retain(|id| !ids.contains(id));
        self.added.extend(ids);
    }

    fn remove(&mut self, ids: BTreeSet<String>) {
        self.added.retain(|id| !ids.contains(id));
        if !self.replaced_all {
            self.removed.extend(ids);
        }
    }

    fn replace(&mut self, ids: BTreeSet<String>) {
        *self = Self { replaced_all: true, added: ids, removed: BTreeSet::new() };
    }

    fn bounded(&self, name: AttributeName) -> Result<(), ScimError> {
        if self.added.len() + self.removed.len() > MOST_MEMBERS {
            return Err(value::invalid(name, &format!("names more than {MOST_MEMBERS} users")));
        }
        Ok(())
    }
}

fn immutable(name: AttributeName) -> ScimError {
    ScimError::new(
        ScimType::Mutability,
        format!("{name} is not changed in place: members are added and removed"),
    )
}

fn ids(name: AttributeName, value: &Value) -> Result<BTreeSet<String>, ScimError> {
    let mut ids = BTreeSet::new();
    for value in elements(value) {
        if let Some(Value::String(id)) =
            value::element(name, value)?.and_then(|mut member| member.remove("value"))
        {
            ids.insert(id);
        }
    }
    Ok(ids)
}

/// Collects whom the expression names; false if it does more than that.
fn chosen(node: &Node, ids: &mut BTreeSet<String>) -> bool {
    match node {
        Node::Or(nodes) => nodes.iter().all(|node| chosen(node, ids)),
        Node::Compare(Target::Known(name), Operator::Equal, Literal::Text(id))
            if name.attribute.name == "value" =>
        {
            ids.insert(id.clone());
            true
        }
        _ => false,
    }
}
