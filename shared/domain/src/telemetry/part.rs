//! A part: what travels through the queue as one message, and what is taken once.

use crate::id::TenantId;
use crate::product::Product;
use crate::telemetry::event::Event;
use crate::telemetry::stream::{Hash, Partitions, Stream, sha256};
use crate::telemetry::{Damaged, pack, unpack};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};

/// Most bytes of a message (of the 256 KiB that the queue bills as four requests, with room for
/// its attributes).
pub const MOST_MESSAGE_BYTES: usize = 240 * 1024;

/// Speed over size: a message is read once, soon.
const LEVEL: i32 = 1;

/// What makes two parts the same part: never the credential, the receive time or the verdicts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartId {
    /// SHA-256 of the batch id.
    pub batch: Hash,
    /// Number of the part in its batch.
    pub number: u32,
    /// SHA-256 of its events' raw bytes.
    pub content: Hash,
}

impl PartId {
    /// The part of a batch.
    pub fn new(batch_id: &str, number: u32, content: Hash) -> Self {
        Self { batch: sha256(batch_id.as_bytes()), number, content }
    }

    /// The queue's deduplication id: a digest over tenant, product and this identity.
    pub fn deduplication(&self, tenant: TenantId, product: Product) -> String {
        let mut hash = Sha256::new();
        hash.update(tenant.bytes());
        hash.update(product.name().as_bytes());
        hash.update(self.batch);
        hash.update(self.number.to_be_bytes());
        hash.update(self.content);
        hex::encode(hash.finalize())
    }
}

/// A part on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its stream.
    pub stream: Stream,
    /// Into how many streams its product is split.
    pub partitions: Partitions,
    /// Its identity.
    pub id: PartId,
    /// When the batch arrived, Unix milliseconds.
    pub received_at: i64,
    /// The accepted events, each encoded by itself, so that one that cannot be read costs only
    /// itself.
    pub events: Vec<ByteBuf>,
}

impl Part {
    /// An empty part.
    pub const fn new(stream: Stream, partitions: Partitions, id: PartId, received_at: i64) -> Self {
        Self { stream, partitions, id, received_at, events: Vec::new() }
    }

    /// Adds an accepted event.
    ///
    /// # Errors
    /// [`Damaged`] when it does not encode, which is a fault of ours.
    pub fn push(&mut self, event: &Event) -> Result<(), Damaged> {
        self.events.push(encode(event)?);
        Ok(())
    }

    /// The message's text.
    ///
    /// # Errors
    /// [`Damaged`] when it does not encode, which is a fault of ours.
    pub fn message(&self) -> Result<String, Damaged> {
        Ok(STANDARD.encode(pack("part", self, LEVEL)?))
    }

    /// Reads a message's text.
    ///
    /// # Errors
    /// [`Damaged`].
    pub fn from_message(text: &str) -> Result<Self, Damaged> {
        let bytes = STANDARD.decode(text).map_err(|e| Damaged::new("part", e))?;
        unpack("part", &bytes)
    }
}

/// One event, encoded.
///
/// # Errors
/// [`Damaged`] when it does not encode, which is a fault of ours.
pub fn encode(event: &Event) -> Result<ByteBuf, Damaged> {
    postcard::to_allocvec(event).map(ByteBuf::from).map_err(|e| Damaged::new("event", e))
}

/// One event, decoded.
///
/// # Errors
/// [`Damaged`].
pub fn decode(bytes: &[u8]) -> Result<Event, Damaged> {
    postcard::from_bytes(bytes).map_err(|e| Damaged::new("event", e))
}
