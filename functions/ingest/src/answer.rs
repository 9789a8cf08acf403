//! What the sender learns of its batch.

use belfry_domain::telemetry::envelope::Issue;
use serde::Serialize;

/// Most errors, and most warnings, that an answer lists.
pub const MOST_LISTED: usize = 100;

/// An issue of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventIssue {
    /// Position in the batch, from 0.
    pub index: usize,
    /// The event's id, where it has a readable one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// JSON pointer into the event.
    pub pointer: String,
    /// One English sentence.
    pub detail: String,
}

/// A list that keeps its first entries and counts the rest.
#[derive(Debug, Default)]
pub struct Listed {
    /// The first [`MOST_LISTED`].
    pub entries: Vec<EventIssue>,
    /// How many more there were.
    pub omitted: usize,
}

impl Listed {
    /// Adds the issues of one event.
    pub fn add(&mut self, index: usize, id: Option<&str>, issues: Vec<Issue>) {
        for Issue { pointer, code, detail } in issues {
            if self.entries.len() < MOST_LISTED {
                let id = id.map(str::to_owned);
                self.entries.push(EventIssue { index, id, code, pointer, detail });
            } else {
                self.omitted += 1;
            }
        }
    }
}

/// The body of a 202.
#[derive(Debug, Serialize)]
pub struct BatchView<'a> {
    /// Under which the batch is remembered for 30 days.
    pub batch_id: &'a str,
    /// Events that were taken.
    pub accepted: usize,
    /// Events that were refused; send them again, mended, in a new batch.
    pub rejected: usize,
    /// Why, at most 100.
    pub errors: &'a [EventIssue],
    /// How many more errors there were.
    pub errors_omitted: usize,
    /// What the sender should know of events that were taken, at most 100.
    pub warnings: &'a [EventIssue],
    /// How many more warnings there were.
    pub warnings_omitted: usize,
}
