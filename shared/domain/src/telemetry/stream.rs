//! Streams: the unit of order and of one writer at a time.

use crate::id::TenantId;
use crate::product::Product;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// SHA-256 of something.
pub type Hash = [u8; 32];

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// Into how many streams a product's telemetry is split: 1, 4 or 16, fixed when the product is
/// activated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Partitions(u8);

/// A number of partitions other than 1, 4 and 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the number of partitions is 1, 4 or 16")]
pub struct BadPartitions;

impl Partitions {
    /// One stream.
    pub const ONE: Self = Self(1);

    /// How many.
    pub const fn count(self) -> u8 {
        self.0
    }

    /// The partition of an event: SHA-256 of its endpoint's id, or of its raw bytes where it
    /// names none, modulo the count.
    pub fn of(self, bytes: &[u8]) -> Partition {
        if self.0 == 1 {
            return Partition(0);
        }
        // The count is a power of two, so the last byte decides.
        let [.., last] = sha256(bytes);
        Partition(last % self.0)
    }
}

impl TryFrom<u8> for Partitions {
    type Error = BadPartitions;
    fn try_from(count: u8) -> Result<Self, BadPartitions> {
        if matches!(count, 1 | 4 | 16) { Ok(Self(count)) } else { Err(BadPartitions) }
    }
}

impl From<Partitions> for u8 {
    fn from(partitions: Partitions) -> u8 {
        partitions.0
    }
}

/// A partition's number, 0 to 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partition(u8);

impl Partition {
    /// The first.
    pub const ZERO: Self = Self(0);
    /// The second.
    pub const ONE: Self = Self(1);

    /// The number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Partition {
    type Error = BadPartitions;
    fn try_from(number: u8) -> Result<Self, BadPartitions> {
        if number < 16 { Ok(Self(number)) } else { Err(BadPartitions) }
    }
}

/// A stream; its text form is the message group of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stream {
    /// Whose.
    pub tenant: TenantId,
    /// Of which product.
    pub product: Product,
    /// Which part of it.
    pub partition: Partition,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.tenant, self.product, self.partition.0)
    }
}

/// Text that names no stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a stream")]
pub struct BadStream;

impl FromStr for Stream {
    type Err = BadStream;
    fn from_str(text: &str) -> Result<Self, BadStream> {
        let mut fields = text.split('/');
        let mut next = || fields.next().ok_or(BadStream);
        let stream = Self {
            tenant: next()?.parse().map_err(|_| BadStream)?,
            product: next()?.parse().map_err(|_| BadStream)?,
            partition: next()?
                .parse::<u8>()
                .ok()
                .and_then(|n| n.try_into().ok())
                .ok_or(BadStream)?,
        };
        if fields.next().is_some() { Err(BadStream) } else { Ok(stream) }
    }
}
