//! The tokens with which a directory asks by SCIM.

use crate::credential::NotAuthenticated;
use crate::id::{IdentityProviderId, ProviderTokenId, TenantId};
use crate::ports::Entropy;
use crate::secret::{Secret, SecretHash, keyed};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Most tokens of a provider that are good at the same time: the old one and the new one.
pub const MOST_TOKENS: usize = 2;

/// For so many hours the old token stays good after another one was made: 0 to 168.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap(u8);

impl Overlap {
    /// `None` above 168 hours.
    pub fn new(hours: u32) -> Option<Self> {
        u8::try_from(hours).ok().filter(|hours| *hours <= 168).map(Self)
    }

    /// When the old token is over.
    pub fn end(self, now: Timestamp) -> Timestamp {
        now.checked_add(SignedDuration::from_hours(i64::from(self.0))).unwrap_or(now)
    }
}

impl Default for Overlap {
    /// A day.
    fn default() -> Self {
        Self(24)
    }
}

/// What a directory shows: `bfs_<token id, 32 hex digits>_<secret, 43 characters>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimToken {
    /// Where its hash is to be found.
    pub id: ProviderTokenId,
    secret: Secret,
}

impl ScimToken {
    /// A new one.
    pub fn new(now: Timestamp, entropy: &dyn Entropy) -> Self {
        Self { id: ProviderTokenId::new(now, entropy), secret: Secret::new(entropy) }
    }

    /// The text for its owner, this once.
    pub fn expose_text(&self) -> String {
        format!("bfs_{}_{}", hex::encode(self.id.bytes()), self.secret.expose_text())
    }

    /// What may be stored.
    pub fn hash(&self) -> SecretHash {
        self.secret.hash()
    }
}

impl FromStr for ScimToken {
    type Err = NotAuthenticated;
    fn from_str(text: &str) -> Result<Self, NotAuthenticated> {
        let (id, secret) = keyed("bfs", text).ok_or(NotAuthenticated)?;
        Ok(Self { id: ProviderTokenId::from_bytes(id), secret })
    }
}

/// What is stored of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredToken {
    /// In which tenant.
    pub tenant: TenantId,
    /// Of which provider.
    pub provider: IdentityProviderId,
    /// Hash of the secret half.
    pub secret_hash: SecretHash,
    /// From when on it is refused.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
}

impl StoredToken {
    /// Whether `shown` is this token.
    pub fn is_of(&self, shown: &ScimToken) -> bool {
        self.secret_hash.is_of(&shown.secret)
    }

    /// Whether its time is not over.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.valid_until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes(u8);
    impl Entropy for Bytes {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn a_token_prints_and_parses_and_is_itself_only() {
        let now = Timestamp::from_second(1_000).unwrap();
        let token = ScimToken::new(now, &Bytes(1));
        let text = token.expose_text();
        assert_eq!(text.len(), 4 + 32 + 1 + 43);
        assert_eq!(text.parse(), Ok(token.clone()));
        for bad in ["", "bfs_", &text[4..], &text.replace("bfs", "bfc"), &format!("{text}A")] {
            assert_eq!(bad.parse::<ScimToken>(), Err(NotAuthenticated), "{bad}");
        }
        let stored = StoredToken {
            tenant: TenantId::first_at(now),
            provider: IdentityProviderId::first_at(now),
            secret_hash: token.hash(),
            valid_until: Some(Overlap::default().end(now)),
        };
        assert!(stored.is_of(&token));
        assert!(!stored.is_of(&ScimToken::new(now, &Bytes(2))));
        let day = SignedDuration::from_hours(24);
        assert!(stored.is_live(now + day - SignedDuration::from_millis(1)));
        assert!(!stored.is_live(now + day));
        assert_eq!(Overlap::new(169), None);
    }
}
