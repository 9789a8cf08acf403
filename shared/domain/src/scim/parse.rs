//! Reader of the grammar that filters and paths share (RFC 7644, figures 1 and 7).

use crate::scim::filter::{
    Literal, MOST_BYTES, MOST_COMPARISONS, MOST_DEPTH, Node, Operator, Target,
};
use crate::scim::path::Path;
use crate::scim::schema::{Attribute, AttributeName, Reference, ResourceKind, Type};
use std::fmt;

/// Something else was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unexpected {
    at: usize,
    expected: &'static str,
}

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: expected {}", self.at, self.expected)
    }
}

/// Whose attributes the names are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope {
    /// A resource's.
    Resource(ResourceKind),
    /// An element's of a list; of one that is not kept if there is no definition.
    Element(Option<&'static Attribute>),
}

impl Scope {
    fn resolve(self, name: &str) -> Reference {
        match self {
            Self::Resource(kind) => kind.resolve(name),
            Self::Element(list) => {
                list.and_then(|list| list.sub_attribute(name)).map_or(Reference::Unknown, |sub| {
                    Reference::Attribute(AttributeName {
                        extension: None,
                        attribute: sub,
                        sub: None,
                    })
                })
            }
        }
    }
}

/// A text and how far it was read.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    text: &'a str,
    at: usize,
    scope: Scope,
    depth: usize,
    comparisons: usize,
}

type Parsed<T> = Result<T, Unexpected>;

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, scope: Scope) -> Parsed<Self> {
        if text.len() > MOST_BYTES {
            return Err(Unexpected { at: MOST_BYTES, expected: "the end, after 2048 bytes" });
        }
        Ok(Self { text, at: 0, scope, depth: 0, comparisons: 0 })
    }

    /// A filter, and nothing after it.
    pub(super) fn whole_filter(mut self) -> Parsed<Node> {
        let node = self.alternatives()?;
        self.end("\"and\", \"or\" or the end")?;
        Ok(node)
    }

    /// A path, and nothing after it.
    pub(super) fn whole_path(mut self) -> Parsed<Path> {
        self.blanks();
        let (name, reference) = self.name()?;
        let path = if self.eat("[") {
            let (list, node) = self.brackets(name, reference)?;
            match (list, self.sub_attribute()?) {
                (Target::Unknown(_), _) => Path::Unknown,
                (Target::Known(list), None) => Path::Elements(list, node),
                (Target::Known(list), Some(sub)) => {
                    list.attribute.sub_attribute(sub).map_or(Path::Unknown, |sub| {
                        Path::Elements(AttributeName { sub: Some(sub), ..list }, node)
                    })
                }
            }
        } else {
            match reference {
                Reference::Schema(schema) => Path::Schema(schema),
                Reference::Attribute(name) => Path::Attribute(name),
                Reference::Unknown => Path::Unknown,
            }
        };
        self.end("\"[\", \".\" or the end")?;
        Ok(path)
    }

    fn alternatives(&mut self) -> Parsed<Node> {
        self.chain("or", Self::conjunction, Node::Or)
    }

    fn conjunction(&mut self) -> Parsed<Node> {
        self.chain("and", Self::term, Node::And)
    }

    /// One or more operands with a word between them.
    fn chain(
        &mut self,
        word: &str,
        operand: fn(&mut Self) -> Parsed<Node>,
        join: fn(Vec<Node>) -> Node,
    ) -> Parsed<Node> {
        let first = operand(self)?;
        let mut rest = Vec::new();
        while self.eat_word(word) {
            rest.push(operand(self)?);
        }
        if rest.is_empty() {
            return Ok(first);
        }
        rest.insert(0, first);
        Ok(join(rest))
    }

    fn term(&mut self) -> Parsed<Node> {
        self.blanks();
        if self.eat("(") {
            return self.nested(")");
        }
        let start = self.at;
        if self.eat_word("not") {
            self.blanks();
            if self.eat("(") {
                return self.nested(")").map(|node| Node::Not(Box::new(node)));
            }
            // Or an attribute of that name.
            self.at = start;
        }
        self.comparison()
    }

    /// What stands before the closing sign, whose opening was read.
    fn nested(&mut self, close: &'static str) -> Parsed<Node> {
        if self.depth == MOST_DEPTH {
            return fail(self.at, "no more than 16 levels of parentheses and brackets");
        }
        self.depth += 1;
        let node = self.alternatives()?;
        self.blanks();
        if !self.eat(close) {
            let expected =
                if close == ")" { "\"and\", \"or\" or \")\"" } else { "\"and\", \"or\" or \"]\"" };
            return fail(self.at, expected);
        }
        self.depth -= 1;
        Ok(node)
    }

    fn comparison(&mut self) -> Parsed<Node> {
        let start = self.at;
        let (name, reference) = self.name()?;
        if self.eat("[") {
            return self.element(name, reference);
        }
        let target = match reference {
            Reference::Attribute(name) => Target::Known(name),
            Reference::Unknown => Target::Unknown(name.to_owned()),
            Reference::Schema(_) => return fail(start, "an attribute, not a schema"),
        };
        self.comparison_of(target)
    }

    /// `[...]` of a list. Entra ID compares a sub-attribute of the element too,
    /// `emails[type eq "work"].value eq "a@example.com"`, which belongs within the brackets by the
    /// grammar and is put there.
    fn element(&mut self, name: &str, reference: Reference) -> Parsed<Node> {
        let (list, node) = self.brackets(name, reference)?;
        let Some(sub) = self.sub_attribute()? else {
            return Ok(Node::Element(list, Box::new(node)));
        };
        let target = match list_scope(&list).resolve(sub) {
            Reference::Attribute(name) => Target::Known(name),
            _ => Target::Unknown(sub.to_owned()),
        };
        let comparison = self.comparison_of(target)?;
        Ok(Node::Element(list, Box::new(Node::And(vec![node, comparison]))))
    }

    /// The list and the expression in the brackets, the first of which was read.
    fn brackets(&mut self, name: &str, reference: Reference) -> Parsed<(Target, Node)> {
        let Scope::Resource(_) = self.scope else {
            return fail(self.at, "no brackets within brackets");
        };
        let list = match reference {
            Reference::Unknown => Target::Unknown(name.to_owned()),
            Reference::Attribute(name) if is_list(&name) => Target::Known(name),
            _ => return fail(self.at, "brackets only after a list of complex values"),
        };
        let outer = std::mem::replace(&mut self.scope, list_scope(&list));
        let node = self.nested("]")?;
        self.scope = outer;
        Ok((list, node))
    }

    /// The name after a dot that follows brackets.
    fn sub_attribute(&mut self) -> Parsed<Option<&'a str>> {
        if !self.eat(".") {
            return Ok(None);
        }
        let name = self.take_while(is_name_byte);
        if name.is_empty() {
            return fail(self.at, "the name of a sub-attribute");
        }
        Ok(Some(name))
    }

    fn comparison_of(&mut self, target: Target) -> Parsed<Node> {
        if self.comparisons == MOST_COMPARISONS {
            return fail(self.at, "no more than 50 comparisons");
        }
        self.comparisons += 1;
        self.blanks();
        let start = self.at;
        if self.eat_word("pr") {
            return Ok(Node::Present(target));
        }
        let word = self.take_while(|byte| byte.is_ascii_alphabetic());
        let operator = Operator::ALL
            .into_iter()
            .find(|operator| operator.keyword().eq_ignore_ascii_case(word));
        let Some(operator) = operator else {
            return fail(start, "an operator: eq, ne, co, sw, ew, pr, gt, ge, lt or le");
        };
        self.blanks();
        let value = self.at;
        let literal = self.literal()?;
        if matches!(literal, Literal::Boolean(_) | Literal::Null) && !operator.is_of_identity() {
            return fail(start, "eq or ne before true, false and null");
        }
        let Target::Known(name) = target else {
            return Ok(Node::Compare(target, operator, literal));
        };
        let name = with_value(name);
        let literal = comparable(name.leaf(), operator, literal)
            .map_err(|expected| Unexpected { at: value, expected })?;
        Ok(Node::Compare(Target::Known(name), operator, literal))
    }

    /// A value as JSON writes it, `true`, `false` and `null` in any case.
    fn literal(&mut self) -> Parsed<Literal> {
        let start = self.at;
        let expected = "a value: text in quotes, a number, true, false or null";
        if self.rest().starts_with('"') {
            let end = self.end_of_text().ok_or(Unexpected { at: start, expected })?;
            let quoted = self.text.get(start..end).unwrap_or_default();
            self.at = end;
            return serde_json::from_str(quoted)
                .map(Literal::Text)
                .map_err(|_| Unexpected { at: start, expected: "text as JSON writes it" });
        }
        let word = self
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        match word.to_ascii_lowercase().as_str() {
            "true" => Ok(Literal::Boolean(true)),
            "false" => Ok(Literal::Boolean(false)),
            "null" => Ok(Literal::Null),
            number => serde_json::from_str(number)
                .map(Literal::Number)
                .map_err(|_| Unexpected { at: start, expected }),
        }
    }

    /// After the closing quote of the text that begins here.
    fn end_of_text(&self) -> Option<usize> {
        let mut escaped = false;
        let (end, _) = self.rest().bytes().enumerate().skip(1).find(|(_, byte)| {
            let closes = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            closes
        })?;
        Some(self.at + end + 1)
    }

    /// An attribute's name, with all that may stand before and after it but brackets.
    fn name(&mut self) -> Parsed<(&'a str, Reference)> {
        let start = self.at;
        let name = self.take_while(|byte| is_name_byte(byte) || matches!(byte, b':' | b'.'));
        let reference = self.scope.resolve(name);
        let local = name.rsplit(':').next().unwrap_or_default();
        let well_formed = local.split('.').all(|part| {
            part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '$')
        }) && local.split('.').count() <= 2;
        if !well_formed {
            return fail(start, "the name of an attribute");
        }
        Ok((name, reference))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        self.take_while(|byte| byte == b' ');
    }

    fn end(&mut self, expected: &'static str) -> Parsed<()> {
        self.blanks();
        if self.rest().is_empty() { Ok(()) } else { fail(self.at, expected) }
    }

    fn eat(&mut self, sign: &str) -> bool {
        let eaten = self.rest().starts_with(sign);
        if eaten {
            self.at += sign.len();
        }
        eaten
    }

    /// A word in any case, after blanks.
    fn eat_word(&mut self, word: &str) -> bool {
        let start = self.at;
        self.blanks();
        let found = self.take_while(is_name_byte).eq_ignore_ascii_case(word);
        if !found {
            self.at = start;
        }
        found
    }

    /// ASCII alone, so that the place is always between two characters.
    fn take_while(&mut self, belongs: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let length =
            rest.bytes().position(|byte| !byte.is_ascii() || !belongs(byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }
}

fn fail<T>(at: usize, expected: &'static str) -> Parsed<T> {
    Err(Unexpected { at, expected })
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'$')
}

fn is_list(name: &AttributeName) -> bool {
    name.attribute.multi_valued && name.sub.is_none() && name.attribute.kind == Type::Complex
}

fn list_scope(list: &Target) -> Scope {
    Scope::Element(match list {
        Target::Known(list) => Some(list.attribute),
        Target::Unknown(_) => None,
    })
}

/// A complex attribute that is compared without naming a sub-attribute is compared by its `value`
/// (RFC 7643, section 2.4).
fn with_value(name: AttributeName) -> AttributeName {
    let value = name.attribute.sub_attribute("value");
    AttributeName { sub: name.sub.or(value), ..name }
}

/// The literal as one of the attribute's type, if the operator is one for that type.
fn comparable(
    attribute: &Attribute,
    operator: Operator,
    literal: Literal,
) -> Result<Literal, &'static str> {
    match (attribute.kind, literal) {
        (Type::Complex, _) => Err("a sub-attribute of that attribute"),
        (_, Literal::Null) => Ok(Literal::Null),
        (Type::Text | Type::Reference, Literal::Text(text)) => Ok(Literal::Text(text)),
        (Type::Text | Type::Reference, _) => Err("text in quotes"),
        (Type::Boolean, _) if !operator.is_of_identity() => Err("eq or ne before true or false"),
        (Type::Boolean, Literal::Boolean(value)) => Ok(Literal::Boolean(value)),
        // As Entra ID writes them.
        (Type::Boolean, Literal::Text(text)) if text.eq_ignore_ascii_case("true") => {
            Ok(Literal::Boolean(true))
        }
        (Type::Boolean, Literal::Text(text)) if text.eq_ignore_ascii_case("false") => {
            Ok(Literal::Boolean(false))
        }
        (Type::Boolean, _) => Err("true or false"),
        (Type::DateTime, _) if operator.is_of_part() => {
            Err("eq, ne, gt, ge, lt or le before a date and time")
        }
        (Type::DateTime, Literal::Text(text)) => {
            text.parse().map(Literal::Moment).map_err(|_| DATE_AND_TIME)
        }
        (Type::DateTime, _) => Err(DATE_AND_TIME),
    }
}

const DATE_AND_TIME: &str = "a date and time in quotes, like \"2026-11-01T08:00:00Z\"";
