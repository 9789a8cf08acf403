//! Distinguished names (RFC 4514).

use crate::failure::FieldFault;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};
use std::str::FromStr;
use unicode_normalization::UnicodeNormalization as _;

/// Most bytes of a name that an administrator types.
const MOST_TYPED: usize = 1_024;

/// Most bytes of a name that a server says.
const MOST_SAID: usize = 8_192;

/// A distinguished name of at least one part, at most 1,024 bytes.
///
/// Blanks around `,`, `+` and `=` are taken, as people type them, and not kept. What RFC 4514 has not
/// (quotation marks, semicolons between parts) is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dn(Vec<Rdn>);

/// The attributes of one part; one as a rule, several with `+`.
type Rdn = Vec<Assertion>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Assertion {
    attribute: String,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Value {
    Text(String),
    /// `#` and hexadecimal digits: the BER of a value that has no text, lower-cased.
    Hex(String),
}

/// Why a text is not a distinguished name. Characters are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DnFault {
    /// Nothing but blanks.
    #[error("must not be empty")]
    Empty,
    /// Over the limit.
    #[error("at most {MOST_TYPED} bytes")]
    TooLong,
    /// No name of an attribute, or no `=` after it.
    #[error("at character {0} an attribute and its value are expected, like dc=example")]
    Attribute(usize),
    /// A value is empty, or has a character that needs a backslash before it.
    #[error("at character {0} the value is empty or has a character that needs a backslash")]
    Value(usize),
    /// A backslash before something that it does not go with.
    #[error("at character {0} the backslash escapes nothing")]
    Escape(usize),
    /// Escaped bytes that are no text.
    #[error("the value that ends at character {0} is not UTF-8")]
    NotText(usize),
}

impl FieldFault for DnFault {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "required",
            Self::TooLong => "too_long",
            _ => "dn_malformed",
        }
    }
}

impl Dn {
    /// One form for all ways to write this name: for comparing names, and for nothing else. The names of
    /// attributes and the values are compared without case and width, runs of blanks as one (RFC 4518), as
    /// `caseIgnoreMatch` does, which is the rule of nearly every attribute in names.
    pub fn key(&self) -> String {
        let parts = self.0.iter().map(|rdn| {
            let mut assertions: Vec<_> = rdn.iter().map(Assertion::key).collect();
            assertions.sort_unstable();
            assertions.join("+")
        });
        parts.collect::<Vec<_>>().join(",")
    }

    /// The same of a name that a server says. One that cannot be read is equal to itself only.
    pub fn key_of(said: &str) -> String {
        parse(said, MOST_SAID).map_or_else(|_| said.to_owned(), |dn| dn.key())
    }

    /// The value of the first part of a name that a server says, such as `Ann Lee` of
    /// `CN=Ann Lee,OU=Sales,DC=example,DC=com`.
    pub fn leaf_of(said: &str) -> Option<String> {
        let dn = parse(said, MOST_SAID).ok()?;
        match dn.0.into_iter().next()?.into_iter().next()?.value {
            Value::Text(text) => Some(text),
            Value::Hex(_) => None,
        }
    }
}

impl Assertion {
    fn key(&self) -> String {
        let value = match &self.value {
            Value::Text(text) => {
                let folded: String = text.nfkc().flat_map(char::to_lowercase).nfc().collect();
                escape_dn(&folded.split_whitespace().collect::<Vec<_>>().join(" "))
            }
            Value::Hex(hex) => format!("#{hex}"),
        };
        format!("{}={value}", self.attribute.to_ascii_lowercase())
    }
}

impl FromStr for Dn {
    type Err = DnFault;
    fn from_str(text: &str) -> Result<Self, DnFault> {
        parse(text, MOST_TYPED)
    }
}

impl TryFrom<String> for Dn {
    type Error = DnFault;
    fn try_from(text: String) -> Result<Self, DnFault> {
        text.parse()
    }
}

impl From<Dn> for String {
    fn from(dn: Dn) -> Self {
        dn.to_string()
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, rdn) in self.0.iter().enumerate() {
            for (also, Assertion { attribute, value }) in rdn.iter().enumerate() {
                f.write_str(if also > 0 {
                    "+"
                } else if place > 0 {
                    ","
                } else {
                    ""
                })?;
                match value {
                    Value::Text(text) => write!(f, "{attribute}={}", escape_dn(text))?,
                    Value::Hex(hex) => write!(f, "{attribute}=#{hex}")?,
                }
            }
        }
        Ok(())
    }
}

/// A text as a value within a distinguished name (RFC 4514, section 2.4), so that it is nothing but a
/// value. Control characters are escaped too, which the RFC allows.
pub fn escape_dn(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (place, c) in value.chars().enumerate() {
        let at_an_end = (place == 0 && matches!(c, ' ' | '#')) || (place == last && c == ' ');
        if c.is_ascii_control() {
            // Writing to a string does not fail.
            let _ = write!(escaped, "\\{:02x}", u32::from(c));
        } else {
            if at_an_end || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=') {
                escaped.push('\\');
            }
            escaped.push(c);
        }
    }
    escaped
}

fn parse(text: &str, limit: usize) -> Result<Dn, DnFault> {
    if text.len() > limit {
        return Err(DnFault::TooLong);
    }
    if text.trim().is_empty() {
        return Err(DnFault::Empty);
    }
    let mut scanner = Scanner { rest: text, at: 1 };
    let mut rdns = Vec::new();
    loop {
        let mut rdn = Vec::new();
        let ended_by = loop {
            let attribute = scanner.attribute()?;
            let value = scanner.value()?;
            rdn.push(Assertion { attribute, value });
            let end = scanner.next();
            if end != Some('+') {
                break end;
            }
        };
        rdns.push(rdn);
        if ended_by.is_none() {
            return Ok(Dn(rdns));
        }
    }
}

struct Scanner<'a> {
    rest: &'a str,
    /// The character that is next, counted from 1.
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next()?;
        self.rest = chars.as_str();
        self.at += 1;
        Some(next)
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.at += taken.chars().count();
        taken
    }

    fn blanks(&mut self) {
        self.take_while(|c| c == ' ');
    }

    /// A descriptor or a numeric object identifier, and the `=` after it.
    fn attribute(&mut self) -> Result<String, DnFault> {
        self.blanks();
        let start = self.at;
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
        let is_descriptor =
            name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.contains('.');
        let is_oid =
            name.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()));
        self.blanks();
        if !(is_descriptor || is_oid) || self.next() != Some('=') {
            return Err(DnFault::Attribute(start));
        }
        self.blanks();
        Ok(name.to_owned())
    }

    /// A value, up to the `,` or `+` after it or the end.
    fn value(&mut self) -> Result<Value, DnFault> {
        let start = self.at;
        if self.peek() == Some('#') {
            self.next();
            let hex = self.take_while(|c| c.is_ascii_hexdigit()).to_ascii_lowercase();
            self.blanks();
            let fits = !hex.is_empty() && hex.len().is_multiple_of(2);
            return if fits && matches!(self.peek(), None | Some(',' | '+')) {
                Ok(Value::Hex(hex))
            } else {
                Err(DnFault::Value(start))
            };
        }
        let mut bytes = Vec::new();
        // Blanks at the end are the writer's, unless escaped.
        let mut kept = 0;
        while let Some(c) = self.peek() {
            match c {
                ',' | '+' => break,
                '\\' => {
                    bytes.push(self.escaped()?);
                    kept = bytes.len();
                    continue;
                }
                '"' | ';' | '<' | '>' | '\0' => return Err(DnFault::Value(self.at)),
                _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
            if c != ' ' {
                kept = bytes.len();
            }
            self.next();
        }
        bytes.truncate(kept);
        if bytes.is_empty() {
            return Err(DnFault::Value(start));
        }
        String::from_utf8(bytes).map(Value::Text).map_err(|_| DnFault::NotText(self.at - 1))
    }

    /// A backslash and what it escapes: one character, or a byte in hexadecimal.
    fn escaped(&mut self) -> Result<u8, DnFault> {
        let start = self.at;
        self.next();
        let fault = DnFault::Escape(start);
        let first = self.next().ok_or(fault)?;
        if matches!(first, ' ' | '#' | '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=') {
            return u8::try_from(first).map_err(|_| fault);
        }
        let high = first.to_digit(16).ok_or(fault)?;
        let low = self.next().and_then(|c| c.to_digit(16)).ok_or(fault)?;
        u8::try_from(high * 16 + low).map_err(|_| fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_the_form_in_which_they_are_kept() {
        for (text, form) in [
            ("dc=example,dc=com", "dc=example,dc=com"),
            ("  DC = Example ,  dc=com  ", "DC=Example,dc=com"),
            ("UID=jsmith,DC=example,DC=net", "UID=jsmith,DC=example,DC=net"),
            ("OU=Sales+CN=J.  Smith,DC=example", "OU=Sales+CN=J.  Smith,DC=example"),
            (r#"CN=James \"Jim\" Smith\, III,DC=net"#, r#"CN=James \"Jim\" Smith\, III,DC=net"#),
            (r"CN=Before\0dAfter,DC=net", r"CN=Before\0dAfter,DC=net"),
            ("1.3.6.1.4.1.1466.0=#04024869", "1.3.6.1.4.1.1466.0=#04024869"),
            (r"CN=Lu\C4\8Di\C4\87", "CN=Lučić"),
            (r"cn=\#1", r"cn=\#1"),
            (r"cn=a#1", "cn=a#1"),
            (r"cn=a=b", r"cn=a\=b"),
            (r"cn=\ a\ ,dc=x", r"cn=\ a\ ,dc=x"),
            (r"cn=a\2cdc\3dx", r"cn=a\,dc\=x"),
            ("cn=(a*)", "cn=(a*)"),
        ] {
            let dn: Dn = text.parse().unwrap();
            assert_eq!(dn.to_string(), form, "{text}");
            assert_eq!(form.parse::<Dn>(), Ok(dn), "read back: {text}");
        }
    }

    #[test]
    fn texts_that_are_no_name_and_where() {
        for (text, fault) in [
            ("", DnFault::Empty),
            ("   ", DnFault::Empty),
            ("example.com", DnFault::Attribute(1)),
            ("user@example.com", DnFault::Attribute(1)),
            ("EXAMPLE\\user", DnFault::Attribute(1)),
            ("dc=é,x", DnFault::Attribute(6)),
            ("dc=example,,dc=com", DnFault::Attribute(12)),
            ("dc=example,", DnFault::Attribute(12)),
            ("=x", DnFault::Attribute(1)),
            ("1.=x", DnFault::Attribute(1)),
            ("1a=x", DnFault::Attribute(1)),
            ("cn;lang-de=x", DnFault::Attribute(1)),
            ("dc=", DnFault::Value(4)),
            ("dc= ,dc=x", DnFault::Value(5)),
            ("dc=a;dc=b", DnFault::Value(5)),
            ("cn=\"a, b\"", DnFault::Value(4)),
            ("cn=a<b", DnFault::Value(5)),
            ("cn=a\0", DnFault::Value(5)),
            ("cn=#", DnFault::Value(4)),
            ("cn=#123", DnFault::Value(4)),
            ("cn=#12xy", DnFault::Value(4)),
            ("cn=\\", DnFault::Escape(4)),
            ("cn=\\zz", DnFault::Escape(4)),
            ("cn=\\4", DnFault::Escape(4)),
            ("cn=\\ff", DnFault::NotText(6)),
            ("cn=\\c3,dc=x", DnFault::NotText(6)),
        ] {
            assert_eq!(text.parse::<Dn>(), Err(fault), "{text:?}");
        }
        let longest = format!("dc={}", "a".repeat(MOST_TYPED - 3));
        assert!(longest.parse::<Dn>().is_ok());
        assert_eq!(format!("{longest}a").parse::<Dn>(), Err(DnFault::TooLong));
        assert_eq!(DnFault::Attribute(1).code(), "dn_malformed");
    }

    #[test]
    fn names_are_compared_as_directories_do() {
        for (one, other) in [
            ("CN=Ann  Lee,DC=Example", "cn=ann lee, dc=example"),
            (r"cn=Lu\C4\8Di\C4\87", "CN=LUČIĆ"),
            ("cn=ａ", "cn=a"),
            ("cn=a+uid=b,dc=x", "uid=B+cn=A,dc=x"),
            ("cn=#0402AB", "cn=#0402ab"),
        ] {
            assert_eq!(Dn::key_of(one), Dn::key_of(other), "{one} {other}");
        }
        for (one, other) in [
            (r"cn=a\,dc\=x", "cn=a,dc=x"),
            (r"cn=a\+uid\=b", "cn=a+uid=b"),
            (r"cn=\#0402ab", "cn=#0402ab"),
            ("cn=a,dc=x", "dc=x,cn=a"),
            ("no name", "NO NAME"),
        ] {
            assert_ne!(Dn::key_of(one), Dn::key_of(other), "{one} {other}");
        }
        assert_eq!(Dn::leaf_of(r"CN=Lee\, Ann,OU=x").as_deref(), Some("Lee, Ann"));
        assert_eq!(Dn::leaf_of("Ann Lee"), None);
    }

    #[test]
    fn an_escaped_value_is_one_value_whatever_it_is() {
        for hostile in [
            "a,dc=evil",
            "a+uid=root",
            "a;b",
            "\"a\"",
            "a\\",
            "\\",
            "\\2c",
            "#04",
            " a",
            "a ",
            "  ",
            "a=b",
            "<a>",
            "a\0b",
            "a\nb",
            "a\r",
            "\u{7f}",
            "ü,ü",
            "*",
            "(a)",
            "a\\,b",
            ",",
            "=",
            "+",
            " ",
        ] {
            let name = format!("cn={},dc=example", escape_dn(hostile));
            let dn: Dn = name.parse().unwrap();
            let value = Value::Text(hostile.to_owned());
            assert_eq!(dn.0.len(), 2, "{hostile:?}");
            assert_eq!(dn.0[0], [Assertion { attribute: "cn".into(), value }], "{hostile:?}");
        }
    }
}
