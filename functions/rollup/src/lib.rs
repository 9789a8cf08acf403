//! Telemetry into endpoints, tallies and the event log, exactly once.

mod cache;
mod exports;
mod handler;
mod writer;

pub use handler::Rollup;
pub use writer::{Report, WriteError, Writer};
