//! Identifiers: a prefix that says what it is, and a `UUIDv7` (RFC 9562, section 5.7) in 32 hex digits.

use crate::failure::FieldFault;
use crate::ports::{Entropy, random};
use jiff::Timestamp;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A string that is not an identifier of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier of this kind")]
pub struct BadId;

impl FieldFault for BadId {}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier; sorts by its time of creation.
            pub fn new(now: Timestamp, entropy: &dyn Entropy) -> Self {
                let ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(ms, &random(entropy)).into_uuid())
            }

            /// The smallest identifier of a millisecond: a bound of ranges, nobody's identifier.
            pub fn first_at(at: Timestamp) -> Self {
                let ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(ms, &[0; 10]).into_uuid())
            }

            /// When it was made, to the millisecond: its first 48 bits.
            pub fn made_at(&self) -> Timestamp {
                let ms = self.bytes().iter().take(6).fold(0, |ms: i64, b| ms << 8 | i64::from(*b));
                Timestamp::from_millisecond(ms).unwrap_or_default()
            }

            /// From the 16 bytes after the prefix.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The 16 bytes after the prefix.
            pub const fn bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let hex = text.strip_prefix(concat!($prefix, "_")).ok_or(BadId)?;
                // Only the form we print: an identifier is compared as a string elsewhere.
                if hex.len() != 32 || !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                    return Err(BadId);
                }
                Uuid::try_parse(hex).map(Self).map_err(|_| BadId)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

id! {
    /// A tenant: one company that uses Belfry.
    TenantId = "ten";
    /// A person who may log in, across tenants.
    IdentityId = "idn";
    /// A membership of a person in one tenant.
    UserId = "usr";
    /// A log-in session; belongs to one tenant.
    SessionId = "ses";
    /// A product credential.
    CredentialId = "crd";
    /// An audit record.
    AuditId = "aud";
    /// An entry of the outbox: a mail or a queue message not yet sent.
    OutboxId = "out";
    /// An import of users.
    ImportId = "imp";
    /// An activation key.
    ActivationKeyId = "ack";
    /// A recovery of a company that its last super admin is lost to.
    RecoveryId = "rec";
    /// A destination of the SIEM export.
    DestinationId = "dst";
    /// A tag.
    TagId = "tag";
    /// An application.
    ApplicationId = "app";
    /// An identity provider: a directory that a tenant's users come from.
    IdentityProviderId = "idp";
    /// A token with which an identity provider asks.
    ProviderTokenId = "ipt";
    /// A sync of a directory.
    SyncId = "syn";
    /// A group of a directory.
    GroupId = "grp";
    /// A request, when the gateway gave it no id.
    RequestId = "req";
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ones;
    impl Entropy for Ones {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0xff);
        }
    }

    #[test]
    fn tells_when_it_was_made_and_where_a_moment_begins() {
        let at = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let before = Timestamp::from_millisecond(1_700_000_000_122).unwrap();
        let (last, first) = (AuditId::new(before, &Ones), AuditId::first_at(at));
        assert_eq!((last.made_at(), first.made_at()), (before, at));
        assert!(last < first && first < AuditId::new(at, &Ones));
        assert!(last.to_string() < first.to_string());
    }

    #[test]
    fn prints_and_parses_and_refuses_other_kinds() {
        let id = TenantId::new(Timestamp::from_second(1_700_000_000).unwrap(), &Ones);
        let text = id.to_string();
        assert_eq!(text, "ten_018bcfe568007fffbfffffffffffffff");
        assert_eq!(text.parse(), Ok(id));
        for bad in [
            "",
            "ten_",
            "usr_018bcfe568007fffbfffffffffffffff",
            "ten_018BCFE568007FFFBFFFFFFFFFFFFFFF",
        ] {
            assert_eq!(bad.parse::<TenantId>(), Err(BadId), "{bad}");
        }
    }
}
