//! Reads a batch as posted and cuts it into parts.
//!
//! Parts are cut from the request as sent, before any verdict: a repeated request gives the same
//! parts with the same identities, whatever its verdicts have become.

use crate::failure::{Failure, FailureKind};
use crate::telemetry::stream::{Hash, Partition, Partitions};
use serde_json::value::RawValue;
use serde_json_borrow::Value;
use sha2::{Digest, Sha256};
use std::io::Read;

/// Most bytes on the wire.
pub const MOST_WIRE_BYTES: usize = 4 * 1024 * 1024;
/// Most bytes inflated.
pub const MOST_INFLATED_BYTES: usize = 5 * 1024 * 1024;
/// Most events of a batch.
pub const MOST_EVENTS: usize = 5_000;
/// Most events of a part.
pub const PART_EVENTS: usize = 200;
/// Most bytes of raw JSON of a part. With 200 endpoint states a part still fits one item of
/// 400 KB, and base64 of it one message of 240 KiB, even if nothing compresses.
pub const PART_BYTES: usize = 170 * 1024;
/// Longest batch id, in characters.
pub const MOST_BATCH_ID: usize = 128;

/// Why the batch as a whole cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum BadBatch {
    /// Too long on the wire.
    #[error("the batch has more than 4 MiB on the wire")]
    WireTooLarge,
    /// Too long when inflated.
    #[error("the batch has more than 5 MiB when inflated")]
    InflatedTooLarge,
    /// Too many events.
    #[error("the batch has more than 5,000 events")]
    TooManyEvents,
    /// Not gzip (RFC 1952), although it begins like it.
    #[error("the body begins like gzip and does not inflate")]
    NotGzip,
    /// Not a JSON array in UTF-8.
    #[error("the batch is not a JSON array of events in UTF-8: {0}")]
    NotJson(String),
    /// Nothing in it.
    #[error("the batch is empty")]
    Empty,
    /// The header is not usable as an id.
    #[error("Idempotency-Key has 1 to 128 printable ASCII characters")]
    BadBatchId,
}

impl Failure for BadBatch {
    fn kind(&self) -> FailureKind {
        match self {
            Self::WireTooLarge | Self::InflatedTooLarge | Self::TooManyEvents => {
                FailureKind::TooLarge
            }
            Self::NotGzip | Self::NotJson(_) | Self::Empty | Self::BadBatchId => {
                FailureKind::Malformed
            }
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::WireTooLarge | Self::InflatedTooLarge => "batch_too_large",
            Self::TooManyEvents => "too_many_events",
            Self::NotGzip => "not_gzip",
            Self::NotJson(_) => "not_json",
            Self::Empty => "empty_batch",
            Self::BadBatchId => "bad_idempotency_key",
        }
    }
}

/// Inflates a body that begins like gzip; any other is returned as it is. The gateway may have
/// inflated it already, so the body decides, not `Content-Encoding`.
///
/// # Errors
/// Over a limit, or not gzip after all. Never holds more than the limit plus one byte.
pub fn inflate(body: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, BadBatch> {
    if body.len() > MOST_WIRE_BYTES {
        return Err(BadBatch::WireTooLarge);
    }
    if !body.starts_with(&[0x1f, 0x8b]) {
        return Ok(body.into());
    }
    let most = u64::try_from(MOST_INFLATED_BYTES).unwrap_or(u64::MAX);
    let mut inflated = Vec::with_capacity((body.len() * 8).min(MOST_INFLATED_BYTES));
    flate2::bufread::MultiGzDecoder::new(body)
        .take(most + 1)
        .read_to_end(&mut inflated)
        .map_err(|_| BadBatch::NotGzip)?;
    if inflated.len() > MOST_INFLATED_BYTES {
        return Err(BadBatch::InflatedTooLarge);
    }
    Ok(inflated.into())
}

/// The id under which a batch is remembered: the header's, or the digest of the inflated body.
///
/// # Errors
/// [`BadBatch::BadBatchId`].
pub fn batch_id(header: Option<&str>, body: &[u8]) -> Result<String, BadBatch> {
    match header {
        None => Ok(hex::encode(Sha256::digest(body))),
        Some(id)
            if !id.is_empty()
                && id.len() <= MOST_BATCH_ID
                && id.bytes().all(|b| (b' '..=b'~').contains(&b)) =>
        {
            Ok(id.to_owned())
        }
        Some(_) => Err(BadBatch::BadBatchId),
    }
}

/// One event as sent.
#[derive(Debug)]
pub struct Sent<'a> {
    /// Position in the batch, from 0.
    pub index: usize,
    /// Its bytes as sent.
    pub raw: &'a str,
    /// The same, read; `None` when it nests too deeply, or holds half a surrogate pair or a number
    /// too large.
    pub value: Option<Value<'a>>,
}

/// Events of one partition that travel together.
#[derive(Debug)]
pub struct Cut<'a> {
    /// Number of the part, counted over all partitions.
    pub number: u32,
    /// Of which partition.
    pub partition: Partition,
    /// SHA-256 over the events' raw bytes, each with its length before it.
    pub content: Hash,
    /// The events, in request order.
    pub events: Vec<Sent<'a>>,
}

/// Reads the batch and cuts it: by partition, then whole events in request order, at most
/// [`PART_EVENTS`] events and [`PART_BYTES`] bytes a part.
///
/// # Errors
/// [`BadBatch`] when the batch itself cannot be read.
pub fn cut(body: &[u8], partitions: Partitions) -> Result<Vec<Cut<'_>>, BadBatch> {
    // One UTF-8 check for the whole; serde_json then need not check each string again.
    let text = std::str::from_utf8(body).map_err(|e| BadBatch::NotJson(e.to_string()))?;
    let raws: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|e| BadBatch::NotJson(why(&e)))?;
    if raws.is_empty() {
        return Err(BadBatch::Empty);
    }
    if raws.len() > MOST_EVENTS {
        return Err(BadBatch::TooManyEvents);
    }
    let mut lanes: Vec<Vec<Sent<'_>>> = Vec::new();
    lanes.resize_with(usize::from(partitions.count()), Vec::new);
    for (index, raw) in raws.into_iter().enumerate() {
        let raw = raw.get();
        let value = serde_json::from_str::<Value<'_>>(raw).ok();
        let partition = partitions.of(lane_key(raw, value.as_ref()));
        if let Some(lane) = lanes.get_mut(usize::from(partition.number())) {
            lane.push(Sent { index, raw, value });
        }
    }
    let mut parts: Vec<Cut<'_>> = Vec::new();
    for (partition, lane) in (0_u8..).zip(lanes) {
        let Ok(partition) = Partition::try_from(partition) else { continue };
        let mut bytes = 0;
        let mut events = Vec::new();
        for event in lane {
            if !events.is_empty()
                && (events.len() == PART_EVENTS || bytes + event.raw.len() > PART_BYTES)
            {
                close(&mut parts, partition, std::mem::take(&mut events));
                bytes = 0;
            }
            bytes += event.raw.len();
            events.push(event);
        }
        if !events.is_empty() {
            close(&mut parts, partition, events);
        }
    }
    Ok(parts)
}

/// What is wrong with the JSON, without any of it: serde quotes a string of megabytes whole.
fn why(error: &serde_json::Error) -> String {
    if error.is_data() { "it is no array".to_owned() } else { error.to_string() }
}

fn close<'a>(parts: &mut Vec<Cut<'a>>, partition: Partition, events: Vec<Sent<'a>>) {
    let mut content = Sha256::new();
    for event in &events {
        content.update(u64::try_from(event.raw.len()).unwrap_or(u64::MAX).to_be_bytes());
        content.update(event.raw.as_bytes());
    }
    let number = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    parts.push(Cut { number, partition, content: content.finalize().into(), events });
}

/// What decides an event's partition: its endpoint's id where that is a string, else all of it.
fn lane_key<'a>(raw: &'a str, value: Option<&'a Value<'_>>) -> &'a [u8] {
    let id = match value {
        Some(value) => value.get("data").get("endpoint").get("id"),
        None => &Value::Null,
    };
    match id {
        Value::Str(id) => id.as_bytes(),
        _ => raw.as_bytes(),
    }
}
