//! Activation keys: codes that the vendor signs and a tenant redeems. They are checked against pinned
//! public keys, without the network.
//!
//! A code is `bfa_` and the base64url (RFC 4648, section 5, no padding) of a payload and its Ed25519
//! signature (RFC 8032), 64 bytes. The payload is a version (1), 8 bytes that name the public key, and
//! the fields of [`Draft`] in postcard's encoding.

use crate::failure::{Failure, FailureKind, FieldFault};
use crate::id::ActivationKeyId;
use crate::license::{MOST_SEATS, MOST_TERM_DAYS};
use crate::product::Product;
use crate::telemetry::stream::sha256;
use crate::text::Edition;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

const PREFIX: &str = "bfa_";
const VERSION: u8 = 1;
const SIGNATURE: usize = 64;
/// Longest code that is looked at; one with the longest edition has about 400 characters.
const MOST_CHARACTERS: usize = 1_024;
/// What is signed begins with it, so that a signature for anything else is none of a code.
const DOMAIN: &[u8] = b"belfry activation key v1\0";

/// What an activation key does to a licence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Makes a trial commercial: edition, seats and term are the key's, from now on.
    Convert,
    /// Another term: edition and seats are the key's; the term follows the present one, or begins now
    /// when the grace is over.
    Renew,
    /// More seats, a longer term or both; the edition is the key's.
    Extend,
}

/// A purpose that there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the purpose is convert, renew or extend")]
pub struct UnknownPurpose;

impl FieldFault for UnknownPurpose {}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Convert, Self::Renew, Self::Extend];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Convert => "convert",
            Self::Renew => "renew",
            Self::Extend => "extend",
        }
    }
}

impl FromStr for Purpose {
    type Err = UnknownPurpose;
    fn from_str(text: &str) -> Result<Self, UnknownPurpose> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == text).ok_or(UnknownPurpose)
    }
}

/// The public half of a key that signs activation keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VendorKey([u8; 32]);

/// Text that is no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a public key is 32 bytes in base64url without padding")]
pub struct BadVendorKey;

impl VendorKey {
    /// From its bytes (RFC 8032, section 5.1.5).
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What names it in codes: the first 8 bytes of its SHA-256.
    pub fn id(&self) -> [u8; 8] {
        let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
            sha256(&self.0);
        id
    }

    /// As parameters and people write it.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl FromStr for VendorKey {
    type Err = BadVendorKey;
    fn from_str(text: &str) -> Result<Self, BadVendorKey> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| BadVendorKey)?;
        bytes.try_into().map(Self).map_err(|_| BadVendorKey)
    }
}

/// Checks Ed25519 signatures, strictly: what RFC 8032, section 5.1.7 refuses is refused.
pub trait SignatureCheck: Send + Sync {
    /// Whether `signature` is one of `message` by this key.
    fn is_signed(&self, key: &VendorKey, message: &[u8], signature: &[u8]) -> bool;
}

/// A code before it is signed: what it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    id: [u8; 16],
    purpose: Purpose,
    product: Product,
    edition: Edition,
    seats: u32,
    term_days: u32,
    /// Unix seconds.
    not_after: i64,
}

/// Why no code can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadDraft {
    /// Seats.
    #[error("{MOST_SEATS} seats at most, and at least 1 unless it extends the term")]
    Seats,
    /// Days.
    #[error("{MOST_TERM_DAYS} days at most, and at least 1 unless it adds seats")]
    Term,
}

impl Draft {
    /// A code that does this. An extension adds its seats and days, of which one may be 0; the others
    /// set them.
    ///
    /// # Errors
    /// [`BadDraft`].
    pub fn new(
        id: ActivationKeyId,
        (purpose, product, edition): (Purpose, Product, Edition),
        (seats, term_days): (u32, u32),
        not_after: Timestamp,
    ) -> Result<Self, BadDraft> {
        let extends = purpose == Purpose::Extend;
        if seats > MOST_SEATS || (seats == 0 && !(extends && term_days > 0)) {
            return Err(BadDraft::Seats);
        }
        if term_days > MOST_TERM_DAYS || (term_days == 0 && !(extends && seats > 0)) {
            return Err(BadDraft::Term);
        }
        let (id, not_after) = (*id.bytes(), not_after.as_second());
        Ok(Self { id, purpose, product, edition, seats, term_days, not_after })
    }

    /// The payload, for the key that is to sign it. None only when it does not encode, which is a
    /// fault of ours.
    pub fn payload(&self, key: &VendorKey) -> Option<Payload> {
        let fields = postcard::to_allocvec(self).ok()?;
        Some(Payload([&[VERSION], key.id().as_slice(), &fields].concat()))
    }
}

/// A code without its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload(Vec<u8>);

impl Payload {
    /// What the vendor's key signs.
    pub fn signing_input(&self) -> Vec<u8> {
        [DOMAIN, &self.0].concat()
    }

    /// The code.
    pub fn signed(&self, signature: [u8; SIGNATURE]) -> String {
        let code = [self.0.as_slice(), &signature].concat();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(code))
    }
}

/// An activation key whose signature is one of the vendor's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivationKey {
    /// Names it; it is redeemed once.
    pub id: ActivationKeyId,
    /// What it does.
    pub purpose: Purpose,
    /// For which product.
    pub product: Product,
    /// Which edition.
    pub edition: Edition,
    /// How many seats, or how many more.
    pub seats: u32,
    /// How many days, or how many more.
    pub term_days: u32,
    /// From when on it is refused.
    pub not_after: Timestamp,
    /// Which key signed it, in hex.
    pub key_id: String,
}

/// A code that no pinned key has signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this activation key is not valid; compare it with what you were sent")]
pub struct NotAccepted;

impl Failure for NotAccepted {
    fn kind(&self) -> FailureKind {
        FailureKind::Invalid
    }
    fn code(&self) -> &'static str {
        "activation_key_invalid"
    }
}

impl ActivationKey {
    /// Reads a code that one of `pinned` has signed. Blanks and line ends that a mail has put into it do
    /// not count.
    ///
    /// # Errors
    /// [`NotAccepted`], whatever is wrong with it.
    pub fn read(
        code: &str,
        pinned: &[VendorKey],
        check: &dyn SignatureCheck,
    ) -> Result<Self, NotAccepted> {
        if code.len() > MOST_CHARACTERS {
            return Err(NotAccepted);
        }
        let code: String = code.split_ascii_whitespace().collect();
        let bytes = code.strip_prefix(PREFIX).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let bytes = bytes.ok_or(NotAccepted)?;
        let at = bytes.len().checked_sub(SIGNATURE).ok_or(NotAccepted)?;
        let (payload, signature) = bytes.split_at_checked(at).ok_or(NotAccepted)?;
        let (&[VERSION, key_id @ ..], fields) =
            payload.split_first_chunk::<9>().ok_or(NotAccepted)?
        else {
            return Err(NotAccepted);
        };
        let key = pinned.iter().find(|key| key.id() == key_id).ok_or(NotAccepted)?;
        let input = Payload(payload.to_vec()).signing_input();
        if !check.is_signed(key, &input, signature) {
            return Err(NotAccepted);
        }
        let draft: Draft = postcard::from_bytes(fields).map_err(|_| NotAccepted)?;
        Ok(Self {
            id: ActivationKeyId::from_bytes(draft.id),
            purpose: draft.purpose,
            product: draft.product,
            edition: draft.edition,
            seats: draft.seats,
            term_days: draft.term_days,
            not_after: Timestamp::from_second(draft.not_after).map_err(|_| NotAccepted)?,
            key_id: hex::encode(key_id),
        })
    }
}
