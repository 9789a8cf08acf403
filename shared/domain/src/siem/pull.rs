//! Destinations that are asked: the token with which, and how far back they reach.

use crate::credential::NotAuthenticated;
use crate::failure::{Failure, FailureKind};
use crate::id::DestinationId;
use crate::ports::Entropy;
use crate::secret::{Secret, SecretHash, keyed};
use jiff::SignedDuration;
use std::str::FromStr;

/// So far back a log can be asked for.
pub const REACH: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Most records of an answer.
pub const MOST_RECORDS: usize = 1_000;
/// Most bytes of an answer's records: Lambda's answers have at most 6 MB.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MOST_BYTES: usize = 4 * 1024 * 1024;

/// What a receiver shows to ask for its records: `bfp_<destination, 32 hex digits>_<secret, 43 characters>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullToken {
    /// Of which destination.
    pub destination: DestinationId,
    secret: Secret,
}

impl PullToken {
    /// A new one.
    pub fn new(destination: DestinationId, entropy: &dyn Entropy) -> Self {
        Self { destination, secret: Secret::new(entropy) }
    }

    /// The text for its owner, this once.
    pub fn expose_text(&self) -> String {
        format!("bfp_{}_{}", hex::encode(self.destination.bytes()), self.secret.expose_text())
    }

    /// What may be stored.
    pub fn hash(&self) -> SecretHash {
        self.secret.hash()
    }

    /// Whether this is its hash.
    pub fn is_of(&self, hash: &SecretHash) -> bool {
        hash.is_of(&self.secret)
    }
}

impl FromStr for PullToken {
    type Err = NotAuthenticated;
    fn from_str(text: &str) -> Result<Self, NotAuthenticated> {
        let (id, secret) = keyed("bfp", text).ok_or(NotAuthenticated)?;
        Ok(Self { destination: DestinationId::from_bytes(id), secret })
    }
}

/// What was asked for is older than what can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("records before number {earliest} can no longer be asked for: go on after {}", .earliest - 1)]
pub struct SequenceExpired {
    /// The first that can.
    pub earliest: u64,
}

impl Failure for SequenceExpired {
    fn kind(&self) -> FailureKind {
        FailureKind::Gone
    }
    fn code(&self) -> &'static str {
        "sequence_expired"
    }
}
