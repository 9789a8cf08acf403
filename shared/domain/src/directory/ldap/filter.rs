//! Search filters (RFC 4515).

use crate::failure::FieldFault;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// Most bytes of a filter.
const MOST_BYTES: usize = 2_048;

/// Deepest nesting of filters.
const MOST_DEPTH: usize = 16;

/// Most bytes of the description of an attribute.
pub(super) const MOST_ATTRIBUTE: usize = 128;

/// A filter, at most 2,048 bytes and 16 filters deep, without the blanks around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Filter {
    text: String,
    root: Node,
}

/// A filter taken apart (RFC 4511, section 4.5.1.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// All of them; at least one.
    And(Vec<Self>),
    /// Any of them; at least one.
    Or(Vec<Self>),
    /// Not this one.
    Not(Box<Self>),
    /// The attribute has the value.
    Equal(String, Vec<u8>),
    /// The attribute has a value that consists of these parts and anything between.
    Substrings {
        /// The attribute.
        attribute: String,
        /// What it begins with.
        initial: Option<Vec<u8>>,
        /// What comes after, in this order.
        any: Vec<Vec<u8>>,
        /// What it ends with.
        last: Option<Vec<u8>>,
    },
    /// The attribute has this value or one after it.
    AtLeast(String, Vec<u8>),
    /// The attribute has this value or one before it.
    AtMost(String, Vec<u8>),
    /// The attribute has any value.
    Present(String),
    /// The attribute has a value that resembles this one.
    Approximate(String, Vec<u8>),
    /// The attribute has a value that matches by a rule of the server.
    Extensible {
        /// The rule.
        rule: Option<String>,
        /// The attribute.
        attribute: Option<String>,
        /// The value.
        value: Vec<u8>,
        /// Whether the parts of the entry's name count as well.
        dn: bool,
    },
}

/// Why a text is not a filter, and where: characters are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: {kind}")]
pub struct FilterFault {
    /// Which character.
    pub at: usize,
    /// What is wrong there.
    pub kind: FilterFaultKind,
}

/// What is wrong with a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterFaultKind {
    /// The text is over the limit.
    #[error("a filter has at most {MOST_BYTES} bytes")]
    TooLong,
    /// Too many filters in filters.
    #[error("filters are nested at most {MOST_DEPTH} deep")]
    TooDeep,
    /// A filter begins here.
    #[error("an opening parenthesis is expected")]
    Open,
    /// A filter ends here.
    #[error("a closing parenthesis is expected")]
    Close,
    /// The filter has ended already.
    #[error("nothing is expected after the filter")]
    Surplus,
    /// No attribute.
    #[error("the name of an attribute is expected")]
    Attribute,
    /// No comparison.
    #[error("one of = ~= >= <= := is expected")]
    Comparison,
    /// A backslash without two hexadecimal digits.
    #[error("after a backslash two hexadecimal digits are expected")]
    Escape,
    /// A character that has to be written in hexadecimal.
    #[error("this character has to be written as a backslash and two hexadecimal digits")]
    Character,
}

impl FieldFault for FilterFault {
    fn code(&self) -> &'static str {
        match self.kind {
            FilterFaultKind::TooLong => "too_long",
            FilterFaultKind::TooDeep => "filter_too_deep",
            _ => "filter_malformed",
        }
    }
}

impl Filter {
    /// The filter taken apart.
    pub const fn root(&self) -> &Node {
        &self.root
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Filter {
    type Err = FilterFault;
    fn from_str(text: &str) -> Result<Self, FilterFault> {
        if text.len() > MOST_BYTES {
            return Err(FilterFault { at: MOST_BYTES, kind: FilterFaultKind::TooLong });
        }
        let before = text.len() - text.trim_start().len();
        let mut parser = Parser { text: text.trim_end(), at: before };
        let root = parser.filter(MOST_DEPTH)?;
        if parser.peek().is_some() {
            return Err(parser.fault(FilterFaultKind::Surplus));
        }
        Ok(Self { text: text.trim().to_owned(), root })
    }
}

impl TryFrom<String> for Filter {
    type Error = FilterFault;
    fn try_from(text: String) -> Result<Self, FilterFault> {
        text.parse()
    }
}

impl From<Filter> for String {
    fn from(filter: Filter) -> Self {
        filter.text
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A text as a value within a filter (RFC 4515, section 3), so that it is nothing but a value.
pub fn escape_filter(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '*' | '(' | ')' | '\\' | '\0') {
            // Writing to a string does not fail.
            let _ = write!(escaped, "\\{:02x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Bytes that are no text, such as those of an `objectGUID`, as a value within a filter.
pub fn escape_filter_bytes(value: &[u8]) -> String {
    let mut escaped = String::with_capacity(value.len() * 3);
    for byte in value {
        // Writing to a string does not fail.
        let _ = write!(escaped, "\\{byte:02x}");
    }
    escaped
}

/// Whether the text is the description of an attribute: a descriptor or an object identifier, and options
/// (RFC 4512, section 2.5).
pub(super) fn is_attribute(text: &str) -> bool {
    let mut parts = text.split(';');
    let name = parts.next().unwrap_or_default();
    let is_key = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    text.len() <= MOST_ATTRIBUTE
        && (is_oid(name) || (name.starts_with(|c: char| c.is_ascii_alphabetic()) && is_key(name)))
        && parts.all(|option| !option.is_empty() && is_key(option))
}

fn is_oid(text: &str) -> bool {
    text.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()))
}

struct Parser<'a> {
    text: &'a str,
    /// The byte that is next; always at the beginning of a character.
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Whether the text goes on like this; if so it is passed.
    fn passes(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    fn fault(&self, kind: FilterFaultKind) -> FilterFault {
        let before = self.text.get(..self.at).unwrap_or_default();
        FilterFault { at: before.chars().count() + 1, kind }
    }

    fn expect(&mut self, wanted: &str, otherwise: FilterFaultKind) -> Result<(), FilterFault> {
        if self.passes(wanted) { Ok(()) } else { Err(self.fault(otherwise)) }
    }

    /// One filter with its parentheses, and at most so many filters deep.
    fn filter(&mut self, depth: usize) -> Result<Node, FilterFault> {
        let depth = depth.checked_sub(1).ok_or_else(|| self.fault(FilterFaultKind::TooDeep))?;
        self.expect("(", FilterFaultKind::Open)?;
        let node = if self.passes("&") {
            Node::And(self.filters(depth)?)
        } else if self.passes("|") {
            Node::Or(self.filters(depth)?)
        } else if self.passes("!") {
            Node::Not(Box::new(self.filter(depth)?))
        } else {
            self.item()?
        };
        self.expect(")", FilterFaultKind::Close)?;
        Ok(node)
    }

    fn filters(&mut self, depth: usize) -> Result<Vec<Node>, FilterFault> {
        let mut nodes = vec![self.filter(depth)?];
        while self.peek() == Some('(') {
            nodes.push(self.filter(depth)?);
        }
        Ok(nodes)
    }

    fn item(&mut self) -> Result<Node, FilterFault> {
        if self.peek() == Some(':') {
            return self.extensible(None);
        }
        let attribute = self.attribute()?;
        if self.peek() == Some(':') {
            return self.extensible(Some(attribute));
        }
        if self.passes("~=") {
            return Ok(Node::Approximate(attribute, self.value()?));
        }
        if self.passes(">=") {
            return Ok(Node::AtLeast(attribute, self.value()?));
        }
        if self.passes("<=") {
            return Ok(Node::AtMost(attribute, self.value()?));
        }
        self.expect("=", FilterFaultKind::Comparison)?;
        let first = self.value()?;
        if self.peek() != Some('*') {
            return Ok(Node::Equal(attribute, first));
        }
        self.asterisks(attribute, first)
    }

    /// What follows an `=` and perhaps a beginning, where there is an asterisk.
    fn asterisks(&mut self, attribute: String, initial: Vec<u8>) -> Result<Node, FilterFault> {
        let mut parts = Vec::new();
        while self.passes("*") {
            parts.push(self.value()?);
        }
        let last = parts.pop().unwrap_or_default();
        if initial.is_empty() && parts.is_empty() && last.is_empty() {
            return Ok(Node::Present(attribute));
        }
        // Two asterisks side by side have nothing between them.
        if parts.iter().any(Vec::is_empty) {
            return Err(self.fault(FilterFaultKind::Character));
        }
        let part = |value: Vec<u8>| (!value.is_empty()).then_some(value);
        Ok(Node::Substrings { attribute, initial: part(initial), any: parts, last: part(last) })
    }

    /// `[:dn][:rule]:=value`, where a rule or an attribute is there.
    fn extensible(&mut self, attribute: Option<String>) -> Result<Node, FilterFault> {
        let dn = self.passes(":dn:") && {
            self.at -= 1;
            true
        };
        let rule = if self.rest().starts_with(":=") {
            None
        } else {
            self.expect(":", FilterFaultKind::Comparison)?;
            Some(self.attribute()?)
        };
        if rule.is_none() && attribute.is_none() {
            return Err(self.fault(FilterFaultKind::Attribute));
        }
        self.expect(":=", FilterFaultKind::Comparison)?;
        Ok(Node::Extensible { rule, attribute, value: self.value()?, dn })
    }

    fn attribute(&mut self) -> Result<String, FilterFault> {
        let rest = self.rest();
        let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';');
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or_default();
        if !is_attribute(name) {
            return Err(self.fault(FilterFaultKind::Attribute));
        }
        self.at += end;
        Ok(name.to_owned())
    }

    /// A value, up to an asterisk or the closing parenthesis.
    fn value(&mut self) -> Result<Vec<u8>, FilterFault> {
        let mut value = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                '*' | ')' => break,
                '(' | '\0' => return Err(self.fault(FilterFaultKind::Character)),
                '\\' => {
                    let pair = self.rest().get(1..3);
                    let byte = pair.filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()));
                    let byte = byte.and_then(|pair| u8::from_str_radix(pair, 16).ok());
                    value.push(byte.ok_or_else(|| self.fault(FilterFaultKind::Escape))?);
                    self.at += 3;
                }
                _ => {
                    value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    self.at += c.len_utf8();
                }
            }
        }
        Ok(value)
    }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
