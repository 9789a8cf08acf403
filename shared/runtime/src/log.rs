//! Logs: one JSON object a line on standard output, dotted field names with units.
//!
//! Never a token, a password, a body, an e-mail address or an IP address.

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
