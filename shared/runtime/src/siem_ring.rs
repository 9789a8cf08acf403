//! Rings for SIEM destinations that have something to be sent. Losing a ring costs a minute, until the
//! sweep, and nothing else.

use crate::queue::{FifoMessage, FifoQueue};
use belfry_domain::id::{DestinationId, TenantId};
use std::fmt;
use std::str::FromStr;

/// Whom a ring is for; its text is the message, its destination the message group, so that one
/// forwarder at a time works for a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ring {
    /// Whose.
    pub tenant: TenantId,
    /// Which destination.
    pub destination: DestinationId,
}

/// A text that is no ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a ring for a SIEM destination")]
pub struct BadRing;

impl fmt::Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.destination)
    }
}

impl FromStr for Ring {
    type Err = BadRing;
    fn from_str(text: &str) -> Result<Self, BadRing> {
        let (tenant, destination) = text.split_once('/').ok_or(BadRing)?;
        Ok(Self {
            tenant: tenant.parse().map_err(|_| BadRing)?,
            destination: destination.parse().map_err(|_| BadRing)?,
        })
    }
}

/// Rings for destinations because of `why`: within five minutes the same reason rings once.
pub async fn ring(queue: &dyn FifoQueue, rings: impl IntoIterator<Item = Ring>, why: &str) {
    let message = |ring: Ring| FifoMessage {
        group: ring.destination.to_string(),
        deduplication: format!("{}-{why}", ring.destination),
        body: ring.to_string(),
    };
    let messages: Vec<_> = rings.into_iter().map(message).collect();
    if messages.is_empty() {
        return;
    }
    if let Err(error) = queue.send(&messages).await {
        tracing::warn!(cause = crate::log::whole(&error), "SIEM destinations not rung for");
    }
}
