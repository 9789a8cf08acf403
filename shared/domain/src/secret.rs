//! Secrets of 256 random bits: shown once, kept only as their hash.
//!
//! One SHA-256 is enough here, and salt needless: nobody can try 2^256 inputs. (Passwords, which
//! people choose, are another matter: see [`crate::password`].)

use crate::ports::{Entropy, random};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;
use subtle::ConstantTimeEq as _;

/// 256 random bits. Never printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

/// What is stored of a [`Secret`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SecretHash(#[serde(with = "serde_bytes")] [u8; 32]);

/// A text that is not a secret's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a secret")]
pub struct BadSecret;

impl Secret {
    /// A new one.
    pub fn new(entropy: &dyn Entropy) -> Self {
        Self(random(entropy))
    }

    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes: for deriving a key from it, and for handing it to its owner.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its text for the owner: base64url without padding (RFC 4648, section 5), 43 characters.
    pub fn expose_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What may be stored.
    pub fn hash(&self) -> SecretHash {
        SecretHash::digest(&self.0)
    }
}

/// Reads a bearer token of ours: `<prefix>_<id, 32 hex digits>_<secret, 43 characters>`. The prefix lets
/// secret scanners recognise it; the id says where its hash is to be found.
pub(crate) fn keyed(prefix: &str, text: &str) -> Option<([u8; 16], Secret)> {
    let (id, secret) = text.strip_prefix(prefix)?.strip_prefix('_')?.split_once('_')?;
    // Only the form that we print.
    let small = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
    let mut bytes = [0; 16];
    if !id.bytes().all(small) || hex::decode_to_slice(id, &mut bytes).is_err() {
        return None;
    }
    Some((bytes, secret.parse().ok()?))
}

impl FromStr for Secret {
    type Err = BadSecret;
    fn from_str(text: &str) -> Result<Self, BadSecret> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadSecret)?;
        bytes.try_into().map(Self).map_err(|_| BadSecret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl SecretHash {
    /// Of other random bytes, enough of them that nobody can try all.
    pub(crate) fn digest(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Whether this is the hash of `secret`, in a time that does not depend on either.
    pub fn is_of(&self, secret: &Secret) -> bool {
        bool::from(self.0.ct_eq(&secret.hash().0))
    }

    /// The 32 bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_hash_and_debug() {
        let secret = Secret::from_bytes([7; 32]);
        let text = secret.expose_text();
        assert_eq!(text.len(), 43);
        assert_eq!(text.parse(), Ok(secret.clone()));
        for bad in ["", "AAAA", &format!("{text}="), &format!("{text}A"), &text[1..]] {
            assert_eq!(bad.parse::<Secret>(), Err(BadSecret), "{bad}");
        }
        assert!(secret.hash().is_of(&secret));
        assert!(!secret.hash().is_of(&Secret::from_bytes([8; 32])));
        assert_eq!(format!("{secret:?} {:?}", secret.hash()), "Secret(..) SecretHash(..)");
    }
}
