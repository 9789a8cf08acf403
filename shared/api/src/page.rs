//! Query parameters and paging: every faulty parameter named at once, opaque cursors.

use crate::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use belfry_domain::failure::FieldError;
use lambda_http::{Body, Request, RequestExt as _, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt::Display;
use std::str::FromStr;

/// Rows of a page when the request does not say.
pub const DEFAULT_LIMIT: usize = 50;
/// Most rows of a page.
pub const MOST_LIMIT: usize = 200;

/// The query parameters of a request, read one by one; what is not read is unknown.
#[derive(Debug)]
pub struct Query {
    left: Vec<(String, String)>,
    errors: Vec<FieldError>,
    /// Digest of route and filters: a cursor is good for no other list.
    context: Sha256,
}

impl Query {
    /// The parameters of a request for `route`.
    pub fn of(request: &Request, route: &str) -> Self {
        let query = request.query_string_parameters();
        let mut left: Vec<(String, String)> =
            query.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        left.sort();
        let mut context = Sha256::new();
        context.update(route);
        for (name, value) in left.iter().filter(|(name, _)| name != "limit" && name != "cursor") {
            // Lengths keep `a=b&c` apart from `a=b%26c`.
            context.update(format!("\n{}:{name}={}:{value}", name.len(), value.len()));
        }
        Self { left, errors: Vec::new(), context }
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.left.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.left.remove(at);
        if self.left.iter().any(|(known, _)| known == name) {
            self.left.retain(|(known, _)| known != name);
            self.wrong(name, "duplicate", "The parameter is given twice.");
        }
        Some(value)
    }

    /// Notes that a parameter breaks a rule of its list.
    pub fn fault(&mut self, name: &str, code: &'static str, detail: &str) {
        self.wrong(name, code, detail);
    }

    fn wrong(&mut self, name: &str, code: &'static str, detail: impl Display) {
        let detail = crate::problem::sentence(&detail.to_string());
        self.errors.push(FieldError::new(format!("?{name}"), code, detail));
    }

    /// A parameter as text, at most 256 bytes.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let value = self.take(name)?;
        if value.is_empty() || value.len() > 256 {
            self.wrong(name, "length", "The parameter has 1 to 256 bytes.");
            return None;
        }
        Some(value)
    }

    /// A parameter that parses.
    pub fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        match self.take(name)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(name, "invalid", error);
                None
            }
        }
    }

    /// A parameter with a name from a closed list.
    pub fn named<T>(&mut self, name: &str, of: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = of(&self.take(name)?);
        if value.is_none() {
            self.wrong(name, "invalid", "The value is not one of those allowed.");
        }
        value
    }

    /// A parameter that is a [`token`] of this context.
    pub fn token<P: DeserializeOwned>(&mut self, name: &str, context: &str) -> Option<P> {
        let position = decode(&self.take(name)?, &Sha256::new().chain_update(context));
        if position.is_none() {
            self.wrong(name, "invalid", "The token is not one of this list.");
        }
        position
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 422 with every faulty and every unknown parameter.
    pub fn end(mut self) -> Result<(), Problem> {
        for (name, _) in std::mem::take(&mut self.left) {
            let name: String = name.chars().take(64).collect();
            self.wrong(&name, "unknown_parameter", "There is no such parameter.");
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        self.errors.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        Err(Problem::invalid(self.errors))
    }

    /// Ends the reading of a list's parameters: `limit` and `cursor` too.
    ///
    /// # Errors
    /// 422 as [`Self::end`]; 400 `cursor_invalid` for a damaged cursor or one of another list.
    pub fn page<P: DeserializeOwned>(mut self) -> Result<Page<P>, Problem> {
        let limit = self.take("limit").map(|text| text.parse::<usize>().ok());
        let limit = match limit {
            None => DEFAULT_LIMIT,
            Some(Some(limit)) if (1..=MOST_LIMIT).contains(&limit) => limit,
            Some(_) => {
                self.wrong("limit", "out_of_range", "limit is a number from 1 to 200.");
                DEFAULT_LIMIT
            }
        };
        let cursor = self.take("cursor");
        let context = self.context.clone();
        self.end()?;
        let from = cursor
            .map(|text| {
                decode(&text, &context).ok_or_else(|| {
                    Problem::new(400, "cursor_invalid", "The cursor is not one of this list.")
                })
            })
            .transpose()?;
        Ok(Page { limit, from, context })
    }
}

/// What page of a list is asked for; `P` is a position in it.
#[derive(Debug)]
pub struct Page<P> {
    /// Rows at most.
    pub limit: usize,
    /// Where it begins; at the list's beginning when absent.
    pub from: Option<P>,
    context: Sha256,
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct PageView<T> {
    /// The rows.
    pub items: Vec<T>,
    /// For the next page; `null` at the end. A page may have fewer rows than its limit and still
    /// not be the last.
    pub next_cursor: Option<String>,
}

/// The place of the last row of an index's page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Behind {
    /// Its sort key.
    pub after: String,
}

impl Page<Behind> {
    /// The sort key after which the page begins.
    ///
    /// # Errors
    /// 400 for one that no row can have: somebody made it up, and the table would refuse it.
    pub fn after(&self) -> Result<Option<String>, Problem> {
        let after = self.from.as_ref().map(|from| from.after.clone());
        if after.as_ref().is_some_and(|after| !(1..=1_024).contains(&after.len())) {
            return Err(Problem::new(400, "cursor_invalid", "The cursor is not one of this list."));
        }
        Ok(after)
    }
}

impl<P> Page<P> {
    /// Whether an answer is short enough to be sent; when it is not, the page is one of half as many rows,
    /// to be answered anew.
    pub fn holds(&mut self, answer: &Response<Body>) -> bool {
        let short = self.limit <= 1 || answer.body().len() <= MOST_BYTES;
        if !short {
            self.limit /= 2;
        }
        short
    }
}

impl<P: Serialize> Page<P> {
    /// The answer, going on at `next`.
    pub fn view<T>(&self, items: Vec<T>, next: Option<&P>) -> PageView<T> {
        PageView { items, next_cursor: next.map(|position| encode(position, &self.context)) }
    }
}

/// Most bytes of an answer's text: one of a function has at most 6 MB as JSON, in which a quote takes two.
pub const MOST_BYTES: usize = 4_500_000;

/// A position as opaque text, good only where it is read in the same context.
pub fn token<P: Serialize>(position: &P, context: &str) -> String {
    encode(position, &Sha256::new().chain_update(context))
}

/// 16 bytes of SHA-256 over context and position, then the position.
fn encode<P: Serialize>(position: &P, context: &Sha256) -> String {
    // Positions are plain structs of strings and numbers.
    let position = serde_json::to_vec(position).unwrap_or_default();
    let mut bytes = digest(context, &position).to_vec();
    bytes.extend(position);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode<P: DeserializeOwned>(text: &str, context: &Sha256) -> Option<P> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (head, position) = bytes.split_at_checked(16)?;
    (head == digest(context, position)).then(|| serde_json::from_slice(position).ok())?
}

fn digest(context: &Sha256, position: &[u8]) -> [u8; 16] {
    let whole: [u8; 32] = context.clone().chain_update(position).finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(whole.split_at(16).0);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(route: &str) -> Sha256 {
        Sha256::new().chain_update(route)
    }

    #[test]
    fn a_cursor_is_good_for_its_own_list_and_undamaged_only() {
        let own = context("GET /a");
        let cursor = encode(&("x".to_owned(), 7_u8), &own);
        assert_eq!(decode::<(String, u8)>(&cursor, &own), Some(("x".to_owned(), 7)));
        assert_eq!(decode::<(String, u8)>(&cursor, &context("GET /b")), None);
        for at in 0..cursor.len() {
            let mut damaged = cursor.clone().into_bytes();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(damaged).unwrap();
            let read = decode::<(String, u8)>(&damaged, &own);
            // The last character may have bits that say nothing.
            assert!(read.is_none() || at + 1 == cursor.len(), "{at}");
        }
        for bad in ["", "x", "!!!!", "AAAA"] {
            assert_eq!(decode::<(String, u8)>(bad, &own), None, "{bad}");
        }
    }
}
