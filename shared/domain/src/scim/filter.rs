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
#[derive(Debug, Clone, PartialEq)]
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

/// By what the store can find resources; the fewest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LookupKey {
    /// `id`, exact.
    Id,
    /// `userName`, [folded](folded).
    UserName,
    /// `externalId`, exact.
    ExternalId,
    /// `emails.value`, [folded](folded).
    EmailValue,
    /// `displayName`, [folded](folded).
    DisplayName,
    /// `members.value`, exact.
    MemberValue,
}

/// An attribute and the text that it equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookup<'a> {
    /// The attribute.
    pub key: LookupKey,
    /// The text, as the client wrote it.
    pub value: &'a str,
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
mod tests {
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
        Filter::parse(ResourceKind::User, text).map(|filter| filter.matches(&ann())).map_err(
            |error| {
                assert_eq!(error.scim_type, Some(ScimType::InvalidFilter));
                error.to_string()
            },
        )
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
            r#"userName pr"#,
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
            r#"title pr or userName pr and active eq true"#,
            r#"userName pr or title pr and title pr"#,
            r#"not (title pr)"#,
            r#"NOT(title pr)AND(userName pr)"#,
            r#"not (title pr) and not (not (userName pr))"#,
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
            r#"emails[not (value pr)]"#,
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
}
