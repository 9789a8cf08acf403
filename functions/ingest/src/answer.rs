//! What the sender learns of its batch.

use belfry_domain::telemetry::envelope::Issue;
use serde::Serialize;

/// Most errors, and most warnings, that an answer lists.
pub(crate) const MOST_LISTED: usize = 100;

/// An issue of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct EventIssue {
    /// Position in the batch, from 0.
    pub(crate) index: usize,
    /// The event's id, where it has a readable one; at most its first 128 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// Stable, `snake_case`.
    pub(crate) code: &'static str,
    /// JSON pointer into the event.
    pub(crate) pointer: String,
    /// One English sentence.
    pub(crate) detail: String,
}

/// A list that keeps its first entries and counts the rest.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// The first [`MOST_LISTED`].
    pub(crate) entries: Vec<EventIssue>,
    /// How many more there were.
    pub(crate) omitted: usize,
}

impl Listed {
    /// Adds the issues of one event.
    pub(crate) fn add(&mut self, index: usize, id: Option<&str>, issues: Vec<Issue>) {
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
pub(crate) struct BatchView<'a> {
    /// Under which the batch is remembered for 30 days.
    pub(crate) batch_id: &'a str,
    /// Whether more endpoints report than the licence covers, as of the last look at it: telemetry is
    /// taken all the same.
    pub(crate) over_seats: bool,
    /// Events that were taken.
    pub(crate) accepted: usize,
    /// Events that were refused; send them again, mended, in a new batch.
    pub(crate) rejected: usize,
    /// Why, at most 100.
    pub(crate) errors: &'a [EventIssue],
    /// How many more errors there were.
    pub(crate) errors_omitted: usize,
    /// What the sender should know of events that were taken, at most 100.
    pub(crate) warnings: &'a [EventIssue],
    /// How many more warnings there were.
    pub(crate) warnings_omitted: usize,
}
