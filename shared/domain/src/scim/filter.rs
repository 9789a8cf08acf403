//! Filters (RFC 7644, section 3.4.2.2): which resources of a list are wanted.

use crate::scim::folded;
use crate::scim::parse::{Parser, Scope};
use crate::scim::schema::{AttributeName, ResourceKind};
use crate::scim::{ScimError, ScimType};
use jiff::Timestamp;
use serde_json::{Map, Number, Value};
use std::fmt;

/// Longest filter or path, in bytes.
pub const MOST_BYTES: usize = 2_048;
/// Most comparisons of a filter.
pub const MOST_COMPARISONS: usize = 50;
/// Deepest nesting of a filter's parentheses and brackets.
pub const MOST_DEPTH: usize = 16;

/// A filter over resources of one kind. At most [`MOST_BYTES`], [`MOST_COMPARISONS`] and
/// [`MOST_DEPTH`]. `Display` writes it as the RFC would.
///
/// An attribute that Belfry does not keep has no value for any resource, as the RFC has it for an
/// attribute of another resource type: it equals nothing, and nothing is its presence. Clients send
/// one filter to all their servers, and none of them takes an error for an answer.
#[derive(Clone, PartialEq)]
pub struct Filter(Node);

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// [`ScimType::InvalidFilter`], with the byte at which something else was expected.
    pub fn parse(kind: ResourceKind, text: &str) -> Result<Self, ScimError> {
        Parser::new(text, Scope::Resource(kind))
            .and_then(Parser::whole_filter)
            .map(Self)
            .map_err(|unexpected| ScimError::new(ScimType::InvalidFilter, unexpected.to_string()))
    }

    /// Whether a resource, written as in an answer, is wanted. What is not in memory (the members of
    /// a group) must have been put there for a filter about it to be true.
    pub fn matches(&self, resource: &Map<String, Value>) -> bool {
        self.0.matches(resource)
    }

    /// What every wanted resource has for certain, when there is something by which the store can
    /// find it. The rest of the filter must still be asked.
    pub fn equals(&self) -> Option<Lookup<'_>> {
        let mut lookups = Vec::new();
        self.0.lookups(None, &mut lookups);
        lookups.into_iter().min_by_key(|lookup| lookup.key)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whom a client looks for is not for logs.
impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filter(..)")
    }
}

/// By what the store can find resources; the fewest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LookupKey {
    /// `id`, exact.
    Id,
    /// `userName`, [folded].
    UserName,
    /// `externalId`, exact.
    ExternalId,
    /// `emails.value`, [folded].
    EmailValue,
    /// `displayName`, [folded].
    DisplayName,
    /// `members.value`, exact.
    MemberValue,
}

/// An attribute and the text that it equals.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Lookup<'a> {
    /// The attribute.
    pub key: LookupKey,
    /// The text, as the client wrote it.
    pub value: &'a str,
}

/// As for [`Filter`].
impl fmt::Debug for Lookup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lookup({:?}, ..)", self.key)
    }
}

/// An expression. `And` and `Or` have at least two operands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// All of them.
    And(Vec<Self>),
    /// Any of them.
    Or(Vec<Self>),
    /// Not that.
    Not(Box<Self>),
    /// `pr`.
    Present(Target),
    /// A value and a literal.
    Compare(Target, Operator, Literal),
    /// `[...]`: any element of which that is true.
    Element(Target, Box<Self>),
}

/// What is looked at: an attribute of the resource, or within brackets one of the element.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    /// An attribute, as it is in its schema.
    Known(AttributeName),
    /// One that is not kept, as it was written.
    Unknown(String),
}

/// Comparison (RFC 7644, table 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Operator {
    pub(super) const ALL: [Self; 9] = [
        Self::Equal,
        Self::NotEqual,
        Self::Contains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Less,
        Self::LessOrEqual,
    ];

    pub(super) const fn keyword(self) -> &'static str {
        match self {
            Self::Equal => "eq",
            Self::NotEqual => "ne",
            Self::Contains => "co",
            Self::StartsWith => "sw",
            Self::EndsWith => "ew",
            Self::Greater => "gt",
            Self::GreaterOrEqual => "ge",
            Self::Less => "lt",
            Self::LessOrEqual => "le",
        }
    }

    /// Whether it asks for sameness alone, as every type of value allows.
    pub(super) const fn is_of_identity(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual)
    }

    /// Whether it asks for a part of a text.
    pub(super) const fn is_of_part(self) -> bool {
        matches!(self, Self::Contains | Self::StartsWith | Self::EndsWith)
    }

    fn ordered<T: Ord + ?Sized>(self, value: &T, literal: &T) -> bool {
        match self {
            Self::Equal => value == literal,
            Self::NotEqual => value != literal,
            Self::Greater => value > literal,
            Self::GreaterOrEqual => value >= literal,
            Self::Less => value < literal,
            Self::LessOrEqual => value <= literal,
            Self::Contains | Self::StartsWith | Self::EndsWith => false,
        }
    }

    fn texts(self, value: &str, literal: &str) -> bool {
        match self {
            Self::Contains => value.contains(literal),
            Self::StartsWith => value.starts_with(literal),
            Self::EndsWith => value.ends_with(literal),
            _ => self.ordered(value, literal),
        }
    }
}

/// What a value is compared with. Of the type of its attribute, where the attribute is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    Moment(Timestamp),
}

impl Node {
    /// Whether it is true of a resource, or within brackets of an element.
    pub(super) fn matches(&self, scope: &Map<String, Value>) -> bool {
        match self {
            Self::And(nodes) => nodes.iter().all(|node| node.matches(scope)),
            Self::Or(nodes) => nodes.iter().any(|node| node.matches(scope)),
            Self::Not(node) => !node.matches(scope),
            Self::Present(target) => !target.values(scope).is_empty(),
            Self::Compare(target, operator, literal) => {
                let values = target.values(scope);
                let case_exact = target.is_case_exact();
                if values.is_empty() {
                    // Unassigned is null (RFC 7643, section 2.5).
                    return (*operator == Operator::Equal) == (*literal == Literal::Null)
                        && operator.is_of_identity();
                }
                values.into_iter().any(|value| literal.holds(value, *operator, case_exact))
            }
            Self::Element(target, node) => {
                let values = target.values(scope).into_iter();
                values.filter_map(Value::as_object).any(|element| node.matches(element))
            }
        }
    }

    /// What every element for which the expression is true equals, as the element itself. None when
    /// the expression says more than that.
    pub(super) fn as_element(&self) -> Option<Map<String, Value>> {
        match self {
            Self::And(nodes) => nodes.iter().try_fold(Map::new(), |mut element, node| {
                element.append(&mut node.as_element()?);
                Some(element)
            }),
            Self::Compare(Target::Known(name), Operator::Equal, literal) => {
                let value = match literal {
                    Literal::Boolean(value) => Value::from(*value),
                    Literal::Text(text) => Value::from(text.as_str()),
                    Literal::Null | Literal::Number(_) | Literal::Moment(_) => return None,
                };
                Some(Map::from_iter([(name.attribute.name.to_owned(), value)]))
            }
            _ => None,
        }
    }

    fn lookups<'a>(&'a self, list: Option<&AttributeName>, found: &mut Vec<Lookup<'a>>) {
        match self {
            Self::And(nodes) => nodes.iter().for_each(|node| node.lookups(list, found)),
            Self::Element(Target::Known(list), node) => node.lookups(Some(list), found),
            Self::Compare(Target::Known(name), Operator::Equal, Literal::Text(value)) => {
                let name = match list {
                    Some(list) => AttributeName { sub: Some(name.attribute), ..*list },
                    None => *name,
                };
                let key = match (name.extension, name.attribute.name, name.sub.map(|sub| sub.name))
                {
                    (None, "id", None) => LookupKey::Id,
                    (None, "userName", None) => LookupKey::UserName,
                    (None, "externalId", None) => LookupKey::ExternalId,
                    (None, "displayName", None) => LookupKey::DisplayName,
                    (None, "emails", Some("value")) => LookupKey::EmailValue,
                    (None, "members", Some("value")) => LookupKey::MemberValue,
                    _ => return,
                };
                found.push(Lookup { key, value });
            }
            _ => {}
        }
    }
}

impl Target {
    fn is_case_exact(&self) -> bool {
        match self {
            Self::Known(name) => name.leaf().case_exact,
            Self::Unknown(_) => false,
        }
    }

    /// The assigned values.
    fn values<'a>(&self, scope: &'a Map<String, Value>) -> Vec<&'a Value> {
        let Self::Known(name) = self else { return Vec::new() };
        let object = match name.extension {
            Some(extension) => scope.get(extension.id).and_then(Value::as_object),
            None => Some(scope),
        };
        let value = object.and_then(|object| object.get(name.attribute.name));
        value
            .map(elements)
            .unwrap_or_default()
            .iter()
            .filter_map(|element| match name.sub {
                Some(sub) => element.get(sub.name),
                None => Some(element),
            })
            .filter(|value| !value.is_null())
            .collect()
    }
}

/// The elements of a list; anything else is a list of one.
pub(super) fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(elements) => elements,
        single => std::slice::from_ref(single),
    }
}

impl Literal {
    fn holds(&self, value: &Value, operator: Operator, case_exact: bool) -> bool {
        match (self, value) {
            (Self::Text(literal), Value::String(value)) if case_exact => {
                operator.texts(value, literal)
            }
            (Self::Text(literal), Value::String(value)) => {
                operator.texts(&folded(value), &folded(literal))
            }
            (Self::Boolean(literal), Value::Bool(value)) => operator.ordered(value, literal),
            (Self::Moment(literal), Value::String(value)) => {
                value.parse().is_ok_and(|value: Timestamp| operator.ordered(&value, literal))
            }
            // Of another type: different, and no more to be said.
            _ => operator == Operator::NotEqual,
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(nodes) => {
                join(nodes, " and ", |node| matches!(node, Self::And(_) | Self::Or(_)), f)
            }
            Self::Or(nodes) => join(nodes, " or ", |node| matches!(node, Self::Or(_)), f),
            Self::Not(node) => write!(f, "not ({node})"),
            Self::Present(target) => write!(f, "{target} pr"),
            Self::Compare(target, operator, literal) => {
                write!(f, "{target} {} {literal}", operator.keyword())
            }
            Self::Element(target, node) => write!(f, "{target}[{node}]"),
        }
    }
}

fn join(
    nodes: &[Node],
    word: &str,
    in_parentheses: impl Fn(&Node) -> bool,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    for (at, node) in nodes.iter().enumerate() {
        if at > 0 {
            f.write_str(word)?;
        }
        if in_parentheses(node) {
            write!(f, "({node})")?;
        } else {
            write!(f, "{node}")?;
        }
    }
    Ok(())
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(name) => name.fmt(f),
            Self::Unknown(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(text) => Value::from(text.as_str()).fmt(f),
            Self::Moment(moment) => write!(f, "\"{moment}\""),
        }
    }
}

#[cfg(test)]
mod tests;
