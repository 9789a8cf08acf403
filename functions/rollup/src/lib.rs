//! Telemetry into endpoints, tallies and the event log, exactly once.

mod cache;
mod handler;
mod writer;

pub use handler::Rollup;
pub use writer::{Report, WriteError, Writer};
