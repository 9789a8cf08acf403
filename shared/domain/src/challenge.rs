//! What stands between a right password and a session: a challenge of five minutes, to be answered
//! with a code.

use crate::account::Identity;
use crate::id::{IdentityId, SessionId, TenantId, UserId};
use crate::second_factor::{CHALLENGE_LIFE, SecondFactor};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A challenge. Kept under the hash of its 256 bits, answered at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// Who knew the password.
    pub identity: IdentityId,
    /// The tenant to be opened.
    pub tenant: TenantId,
    /// As which user.
    pub user: UserId,
    /// What answers it.
    pub wanted: Wanted,
    /// When the password that was right was set: another one makes the challenge worthless.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    password_set_at: Option<Timestamp>,
    /// The factor of that moment: another one makes it worthless too.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    factor_enrolled_at: Option<Timestamp>,
    /// From when on it is refused.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub valid_until: Timestamp,
}

/// What answers a challenge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// A code of the enrolled factor; when it is locked, a recovery code.
    Code,
    /// The first code of a new seed.
    FirstCode {
        /// The new seed, sealed for the person.
        #[serde(with = "serde_bytes")]
        sealed_seed: Vec<u8>,
        /// The session that asked for it from the profile; none at a log-in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionId>,
    },
}

impl Challenge {
    /// For a person as it stands now.
    pub fn new(
        identity: &Identity,
        tenant: TenantId,
        user: UserId,
        wanted: Wanted,
        now: Timestamp,
    ) -> Self {
        Self {
            identity: identity.id,
            tenant,
            user,
            wanted,
            password_set_at: identity.password_set_at,
            factor_enrolled_at: identity.second_factor.as_ref().map(SecondFactor::enrolled_at),
            valid_until: now.checked_add(CHALLENGE_LIFE).unwrap_or(now),
        }
    }

    /// Whether the person still stands as when it was issued, and its time is not over.
    pub fn stands(&self, identity: &Identity, now: Timestamp) -> bool {
        let enrolled_at = identity.second_factor.as_ref().map(SecondFactor::enrolled_at);
        self.identity == identity.id
            && self.password_set_at == identity.password_set_at
            && self.factor_enrolled_at == enrolled_at
            && now < self.valid_until
    }
}
