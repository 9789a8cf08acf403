//! Telemetry: from the batch as posted to the figures of the dashboard.
//!
//! `ingest` uses [`batch`] (cut) and [`envelope`] (judge) to make [`part`]s; `rollup` uses [`plan`],
//! which folds parts into [`endpoint`] states, [`tally`] deltas and [`top`] lists.

pub mod batch;
pub mod endpoint;
pub mod envelope;
pub mod event;
pub mod part;
pub mod plan;
pub mod stream;
pub mod tally;
pub mod top;

use std::error::Error;

/// Stored or queued bytes that do not decode: a fault of ours or damage, never the sender's.
#[derive(Debug, thiserror::Error)]
#[error("damaged {what}")]
pub struct Damaged {
    /// What was to be read.
    pub what: &'static str,
    /// What is wrong with it.
    #[source]
    pub why: Box<dyn Error + Send + Sync>,
}

impl Damaged {
    /// `what` does not decode because of `why`.
    pub fn new(what: &'static str, why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { what, why: why.into() }
    }
}

/// Most bytes that a packed part or chunk may unpack to; both are far smaller by construction.
const MOST_UNPACKED: usize = 16 * 1024 * 1024;

/// Encodes and compresses.
fn pack<T: serde::Serialize>(
    what: &'static str,
    value: &T,
    level: i32,
) -> Result<Vec<u8>, Damaged> {
    let plain = postcard::to_allocvec(value).map_err(|e| Damaged::new(what, e))?;
    zstd::bulk::compress(&plain, level).map_err(|e| Damaged::new(what, e))
}

/// Decompresses and decodes.
fn unpack<T: serde::de::DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, Damaged> {
    let plain = zstd::bulk::decompress(bytes, MOST_UNPACKED).map_err(|e| Damaged::new(what, e))?;
    postcard::from_bytes(&plain).map_err(|e| Damaged::new(what, e))
}
