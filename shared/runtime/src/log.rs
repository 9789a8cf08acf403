//! Logs: one JSON object a line on standard output, dotted field names with units.
//!
//! Never a token, a password, a body, an e-mail address or an IP address.

use std::error::Error;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging. Call once, first.
pub fn init() {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        // CloudWatch stamps each line.
        .without_time()
        .with_max_level(LevelFilter::INFO)
        .init();
}

/// An error with all its causes: its own words alone are meant for the public, and the log would
/// hold no more.
pub fn whole(error: &dyn Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Chained(&'static str, #[source] Option<Box<Chained>>);

    #[test]
    fn an_error_is_logged_with_its_causes() {
        let error = Chained("a", Some(Box::new(Chained("b", Some(Box::new(Chained("c", None)))))));
        assert_eq!(whole(&error), "a: b: c");
    }
}
