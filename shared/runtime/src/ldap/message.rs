//! The messages of LDAP (RFC 4511, section 4) that Belfry sends and reads.

use super::LdapFault;
use super::ber::{
    BOOLEAN, ENUMERATED, INTEGER, OCTET_STRING, Reader, SEQUENCE, SET, put, put_all, put_number,
};
use belfry_domain::directory::ldap::Node;

/// The extended operation that asks for encryption (RFC 4511, section 4.14.1).
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// Results in pages (RFC 2696).
const PAGED_RESULTS: &[u8] = b"1.2.840.113556.1.4.319";

/// Most values of an entry, of all its attributes together. Many values of no length take little on the
/// wire and much here.
pub(super) const MOST_VALUES: usize = 50_000;

const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const UNBIND_REQUEST: u8 = 0x42;
const SEARCH_REQUEST: u8 = 0x63;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;
const EXTENDED_REQUEST: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;
const INTERMEDIATE_RESPONSE: u8 = 0x79;
const CONTROLS: u8 = 0xa0;

/// How far below its base a search goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope {
    /// The base alone.
    Base,
    /// The base and all below it.
    Subtree,
}

/// A search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) base: &'a str,
    pub(super) scope: Scope,
    /// Most entries that the server is to find; 0 is all.
    pub(super) size_limit: u32,
    pub(super) filter: &'a Node,
    pub(super) attributes: &'a [String],
    /// How many entries of a page, and where it begins: what the server said at the end of the last one.
    pub(super) page: Option<(u32, &'a [u8])>,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) code: u32,
    pub(super) words: String,
}

/// An entry as it is on the wire.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RawEntry {
    pub(super) dn: String,
    pub(super) attributes: Vec<(String, Vec<Vec<u8>>)>,
}

/// What the server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Bind(Outcome),
    Entry(RawEntry),
    /// Some of what was asked for is elsewhere.
    Reference,
    /// The search is over; where the next page begins, empty for nowhere, none when nothing is said of it.
    Done(Outcome, Option<Vec<u8>>),
    Extended(Outcome),
    /// Something that may be passed over.
    Intermediate,
}

impl RawEntry {
    /// How many values it has.
    pub(super) fn values(&self) -> usize {
        self.attributes.iter().map(|(_, values)| values.len()).sum()
    }
}

/// A name and a password (RFC 4511, section 4.2).
pub(super) fn bind(id: u32, name: &str, password: &str) -> Vec<u8> {
    message(id, |out| {
        put_all(BIND_REQUEST, out, |out| {
            put_number(INTEGER, 3, out);
            put(OCTET_STRING, name.as_bytes(), out);
            // [0], the simple one.
            put(0x80, password.as_bytes(), out);
        });
    })
}

/// Good bye.
pub(super) fn unbind(id: u32) -> Vec<u8> {
    message(id, |out| put(UNBIND_REQUEST, &[], out))
}

/// May we encrypt?
pub(super) fn start_tls(id: u32) -> Vec<u8> {
    message(id, |out| put_all(EXTENDED_REQUEST, out, |out| put(0x80, START_TLS, out)))
}

/// A search (RFC 4511, section 4.5.1). Aliases are not followed.
pub(super) fn search(id: u32, question: &Question<'_>) -> Vec<u8> {
    message(id, |out| {
        put_all(SEARCH_REQUEST, out, |out| {
            put(OCTET_STRING, question.base.as_bytes(), out);
            let scope = match question.scope {
                Scope::Base => 0,
                Scope::Subtree => 2,
            };
            put_number(ENUMERATED, scope, out);
            put_number(ENUMERATED, 0, out);
            put_number(INTEGER, question.size_limit, out);
            // No time limit of the server's: it would end a search that ours lets go on.
            put_number(INTEGER, 0, out);
            // Values too, not only types.
            put(BOOLEAN, &[0], out);
            filter(question.filter, out);
            put_all(SEQUENCE, out, |out| {
                for attribute in question.attributes {
                    put(OCTET_STRING, attribute.as_bytes(), out);
                }
            });
        });
        if let Some((size, cookie)) = question.page {
            put_all(CONTROLS, out, |out| put_all(SEQUENCE, out, |out| paged(size, cookie, out)));
        }
    })
}

fn paged(size: u32, cookie: &[u8], out: &mut Vec<u8>) {
    put(OCTET_STRING, PAGED_RESULTS, out);
    // Critical: who cannot do it is to say so.
    put(BOOLEAN, &[0xff], out);
    let mut value = Vec::new();
    put_all(SEQUENCE, &mut value, |out| {
        put_number(INTEGER, size, out);
        put(OCTET_STRING, cookie, out);
    });
    put(OCTET_STRING, &value, out);
}

fn message(id: u32, fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut whole = Vec::new();
    put_all(SEQUENCE, &mut whole, |out| {
        put_number(INTEGER, id, out);
        fill(out);
    });
    whole
}

/// RFC 4511, section 4.5.1.7. It goes as deep as a parsed filter may.
fn filter(node: &Node, out: &mut Vec<u8>) {
    let pair = |tag, attribute: &str, value: &[u8], out: &mut Vec<u8>| {
        put_all(tag, out, |out| {
            put(OCTET_STRING, attribute.as_bytes(), out);
            put(OCTET_STRING, value, out);
        });
    };
    match node {
        Node::And(nodes) => put_all(0xa0, out, |out| filters(nodes, out)),
        Node::Or(nodes) => put_all(0xa1, out, |out| filters(nodes, out)),
        Node::Not(node) => put_all(0xa2, out, |out| filter(node, out)),
        Node::Equal(attribute, value) => pair(0xa3, attribute, value, out),
        Node::Substrings { attribute, initial, any, last } => put_all(0xa4, out, |out| {
            put(OCTET_STRING, attribute.as_bytes(), out);
            put_all(SEQUENCE, out, |out| {
                let first = initial.iter().map(|part| (0x80, part));
                let middle = any.iter().map(|part| (0x81, part));
                let end = last.iter().map(|part| (0x82, part));
                first.chain(middle).chain(end).for_each(|(tag, part)| put(tag, part, out));
            });
        }),
        Node::AtLeast(attribute, value) => pair(0xa5, attribute, value, out),
        Node::AtMost(attribute, value) => pair(0xa6, attribute, value, out),
        Node::Present(attribute) => put(0x87, attribute.as_bytes(), out),
        Node::Approximate(attribute, value) => pair(0xa8, attribute, value, out),
        Node::Extensible { rule, attribute, value, dn } => put_all(0xa9, out, |out| {
            for (tag, text) in [(0x81, rule), (0x82, attribute)] {
                if let Some(text) = text {
                    put(tag, text.as_bytes(), out);
                }
            }
            put(0x83, value, out);
            if *dn {
                put(0x84, &[0xff], out);
            }
        }),
    }
}

fn filters(nodes: &[Node], out: &mut Vec<u8>) {
    for node in nodes {
        filter(node, out);
    }
}

/// The number of the question and what is said to it. 0 is said unasked.
pub(super) fn read(frame: &[u8]) -> Result<(u32, Said), LdapFault> {
    let mut message = Reader::new(frame).enter(SEQUENCE)?;
    let id = message.number(INTEGER)?;
    let (tag, content) = message.any()?;
    let mut content = Reader::new(content);
    let said = match tag {
        BIND_RESPONSE => Said::Bind(outcome(&mut content)?),
        SEARCH_ENTRY => Said::Entry(entry(content)?),
        SEARCH_REFERENCE => Said::Reference,
        SEARCH_DONE => Said::Done(outcome(&mut content)?, next_page(message)?),
        EXTENDED_RESPONSE => Said::Extended(outcome(&mut content)?),
        INTERMEDIATE_RESPONSE => Said::Intermediate,
        _ => return Err(LdapFault::NotLdap),
    };
    Ok((id, said))
}

/// What every result begins with (RFC 4511, section 4.1.9).
fn outcome(content: &mut Reader<'_>) -> Result<Outcome, LdapFault> {
    let code = content.number(ENUMERATED)?;
    let _matched = content.expect(OCTET_STRING)?;
    Ok(Outcome { code, words: content.text()? })
}

fn entry(mut content: Reader<'_>) -> Result<RawEntry, LdapFault> {
    let dn = content.text()?;
    let mut list = content.enter(SEQUENCE)?;
    let mut attributes = Vec::new();
    let mut values_left = MOST_VALUES;
    while !list.is_empty() {
        let mut attribute = list.enter(SEQUENCE)?;
        let name = attribute.text()?;
        let mut set = attribute.enter(SET)?;
        let mut values = Vec::new();
        // An attribute counts as a value, so that many empty ones count too.
        values_left = values_left.checked_sub(1).ok_or(LdapFault::TooLarge)?;
        while !set.is_empty() {
            values_left = values_left.checked_sub(1).ok_or(LdapFault::TooLarge)?;
            values.push(set.expect(OCTET_STRING)?.to_vec());
        }
        attributes.push((name, values));
    }
    Ok(RawEntry { dn, attributes })
}

/// Where the next page begins, by the control after the result.
fn next_page(mut after: Reader<'_>) -> Result<Option<Vec<u8>>, LdapFault> {
    if after.peek() != Some(CONTROLS) {
        return Ok(None);
    }
    let mut controls = after.enter(CONTROLS)?;
    while !controls.is_empty() {
        let mut control = controls.enter(SEQUENCE)?;
        if control.expect(OCTET_STRING)? != PAGED_RESULTS {
            continue;
        }
        if control.peek() == Some(BOOLEAN) {
            control.expect(BOOLEAN)?;
        }
        let mut value = Reader::new(control.expect(OCTET_STRING)?).enter(SEQUENCE)?;
        // The server's guess of how many there are in all.
        value.expect(INTEGER)?;
        return Ok(Some(value.expect(OCTET_STRING)?.to_vec()));
    }
    Ok(None)
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
