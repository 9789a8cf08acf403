//! What went wrong, and what to do next.

use std::fmt::Display;

/// An error for the person at the terminal.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What went wrong.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) next: Option<String>,
}

/// The outcome of a command.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), next: None }
    }

    /// The same with what to do next.
    #[must_use]
    pub(crate) fn next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }
}

/// Says what was being done when an error came up.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl Display) -> Result<T>;
}

impl<T, E: std::error::Error> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl Display) -> Result<T> {
        self.map_err(|error| {
            // An AWS SDK error says "service error" and keeps the reason in its sources.
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            Failure::new(format!("{what}: {text}"))
        })
    }
}
