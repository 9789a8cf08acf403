//! Product keys: what a customer buys, registers with and quotes.

use crate::email::EmailAddress;
use crate::failure::{Failure, FailureKind, FieldFault};
use crate::id::TenantId;
use crate::license::License;
use crate::ports::{Entropy, random};
use crate::product::Product;
use crate::secret::SecretHash;
use crate::telemetry::stream::{Partitions, sha256};
use crate::text::Edition;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// 100 random bits in Crockford's base 32 with his check symbol, in groups of five:
/// `7ZZZZ-00000-ABCDE-FGHJK-M`. <https://www.crockford.com/base32.html>
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProductKey(u128);

/// A text that is not a product key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a product key; compare it with what you were sent")]
pub struct BadProductKey;

impl FieldFault for BadProductKey {}

/// The 32 digits, then the five further check symbols (a check is modulo 37).
const SYMBOLS: &[u8; 37] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";
const DIGITS: u32 = 20;
/// Bytes of a key as people type it, at most.
const LONGEST: usize = 64;

impl ProductKey {
    /// A new key.
    pub fn new(entropy: &dyn Entropy) -> Self {
        Self(u128::from_be_bytes(random(entropy)) >> 28)
    }

    /// A digit of Crockford's base 32, or a further check symbol.
    pub(crate) fn symbol(value: u128) -> char {
        usize::try_from(value).ok().and_then(|at| SYMBOLS.get(at)).map_or('0', |&b| char::from(b))
    }
}

impl fmt::Display for ProductKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for place in (0..DIGITS).rev() {
            f.write_char(Self::symbol((self.0 >> (5 * place)) & 31))?;
            if place % 5 == 0 {
                f.write_char('-')?;
            }
        }
        f.write_char(Self::symbol(self.0 % 37))
    }
}

impl fmt::Debug for ProductKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ProductKey {
    type Err = BadProductKey;

    /// Reads it as people type it: any case, hyphens and spaces anywhere, `O` for 0, `I` and `L`
    /// for 1.
    fn from_str(text: &str) -> Result<Self, BadProductKey> {
        if text.len() > LONGEST {
            return Err(BadProductKey);
        }
        let values: Vec<u128> = text
            .bytes()
            .filter(|byte| !matches!(byte, b'-' | b' '))
            .map(|byte| match byte.to_ascii_uppercase() {
                b'O' => Some(0),
                b'I' | b'L' => Some(1),
                byte => SYMBOLS.iter().position(|&symbol| symbol == byte),
            })
            .map(|value| value.and_then(|v| u128::try_from(v).ok()).ok_or(BadProductKey))
            .collect::<Result<_, _>>()?;
        let (check, digits) = values.split_last().ok_or(BadProductKey)?;
        if digits.len() != 20 || digits.iter().any(|&digit| digit > 31) {
            return Err(BadProductKey);
        }
        let number = digits.iter().fold(0, |number, digit| (number << 5) | digit);
        (number % 37 == *check).then_some(Self(number)).ok_or(BadProductKey)
    }
}

impl From<ProductKey> for String {
    fn from(key: ProductKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for ProductKey {
    type Error = BadProductKey;
    fn try_from(text: String) -> Result<Self, BadProductKey> {
        text.parse()
    }
}

/// For so long a registration holds its product keys: as long as its mailed link works.
pub const HELD: SignedDuration = SignedDuration::from_hours(72);

/// A product key that the vendor has issued, with what it is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedKey {
    /// The key.
    pub key: ProductKey,
    /// For which product.
    pub product: Product,
    /// In which edition.
    pub edition: Edition,
    /// For so many endpoints.
    pub seats: u32,
    /// For so many days from its registration on.
    pub term_days: u32,
    /// Streams of its telemetry.
    pub partitions: Partitions,
    /// When it was issued.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub issued_at: Timestamp,
    /// Where it stands.
    pub state: KeyState,
    /// Grows with every change.
    pub version: u64,
}

/// Where a product key stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Nobody has registered it.
    Free,
    /// A registration waits for its mailed link to be used.
    Held {
        /// The link's hash.
        link: SecretHash,
        /// SHA-256 of the address that the link was mailed to, in hex.
        holder: String,
        /// From when on it is free again.
        #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
        until: Timestamp,
    },
    /// A tenant has it, for good.
    Used {
        /// Which tenant.
        tenant: TenantId,
    },
    /// Withdrawn by the vendor before anybody used it.
    Revoked,
}

impl KeyState {
    /// The name that the back office is told.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Held { .. } => "held",
            Self::Used { .. } => "used",
            Self::Revoked => "revoked",
        }
    }
}

/// Why a product key cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyUnavailable {
    /// A tenant has it.
    #[error("this product key is in use already")]
    Used,
    /// Somebody else's registration waits for its mailed link.
    #[error("this product key is held by another registration for up to 72 hours")]
    Held,
    /// The vendor withdrew it.
    #[error("this product key was withdrawn; ask your vendor")]
    Revoked,
}

impl Failure for KeyUnavailable {
    fn kind(&self) -> FailureKind {
        FailureKind::Conflict
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Used => "product_key_used",
            Self::Held => "product_key_held",
            Self::Revoked => "product_key_revoked",
        }
    }
}

impl IssuedKey {
    /// The key that was made for a licence, as its tenant's.
    pub fn made_for(license: &License, tenant: TenantId) -> Self {
        let hours = license.ends_at.duration_since(license.starts_at).as_hours();
        Self {
            key: license.product_key,
            product: license.product,
            edition: license.edition.clone(),
            seats: license.seats,
            term_days: u32::try_from(hours / 24).unwrap_or(0),
            partitions: license.partitions,
            issued_at: license.starts_at,
            state: KeyState::Used { tenant },
            version: 1,
        }
    }

    fn turned(&self, state: KeyState) -> Self {
        Self { state, version: self.version.saturating_add(1), ..self.clone() }
    }

    /// The key held for the registration behind this link. A newer registration of the same address
    /// takes the place of its older one, but holds the key no longer than that: nobody keeps a key from
    /// others by asking again and again.
    ///
    /// # Errors
    /// [`KeyUnavailable`].
    pub fn held(
        &self,
        link: SecretHash,
        email: &EmailAddress,
        now: Timestamp,
    ) -> Result<Self, KeyUnavailable> {
        let holder = hex::encode(sha256(email.as_str().as_bytes()));
        let mine = match &self.state {
            KeyState::Held { holder: other, until, .. } if *other == holder && now < *until => {
                Some(*until)
            }
            _ => None,
        };
        if mine.is_none() {
            self.free_at(now)?;
        }
        let until = mine.or_else(|| now.checked_add(HELD).ok()).unwrap_or(now);
        Ok(self.turned(KeyState::Held { link, holder, until }))
    }

    /// The key used by a tenant: by the link for which it is held, or, without one, while it is free.
    ///
    /// # Errors
    /// [`KeyUnavailable`].
    pub fn used(
        &self,
        link: Option<&SecretHash>,
        tenant: TenantId,
        now: Timestamp,
    ) -> Result<Self, KeyUnavailable> {
        let mine = matches!(&self.state, KeyState::Held { link: held, .. } if Some(held) == link);
        if !mine {
            self.free_at(now)?;
        }
        Ok(self.turned(KeyState::Used { tenant }))
    }

    /// The key withdrawn, or free again. None when a tenant has it: then its licence is revoked.
    pub fn withdrawn(&self, withdrawn: bool) -> Option<Self> {
        match &self.state {
            KeyState::Used { .. } => None,
            KeyState::Revoked if !withdrawn => Some(self.turned(KeyState::Free)),
            KeyState::Free | KeyState::Held { .. } if withdrawn => {
                Some(self.turned(KeyState::Revoked))
            }
            _ => Some(self.clone()),
        }
    }

    fn free_at(&self, now: Timestamp) -> Result<(), KeyUnavailable> {
        match &self.state {
            KeyState::Free => Ok(()),
            KeyState::Held { until, .. } if now >= *until => Ok(()),
            KeyState::Held { .. } => Err(KeyUnavailable::Held),
            KeyState::Used { .. } => Err(KeyUnavailable::Used),
            KeyState::Revoked => Err(KeyUnavailable::Revoked),
        }
    }
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
    fn product_key_prints_parses_and_notices_slips() {
        let key = ProductKey(0x1_2345_6789_abcd_ef01_2345_6789);
        let text = key.to_string();
        assert_eq!(text.len(), 20 + 4 + 1);
        assert_eq!(text.parse(), Ok(key));
        assert_eq!(text.to_lowercase().replace('-', " ").replace('0', "o").parse(), Ok(key));
        assert_eq!(ProductKey::new(&Ones).0, (1 << 100) - 1);

        let plain: Vec<char> = text.replace('-', "").chars().collect();
        let parse = |chars: &[char]| chars.iter().collect::<String>().parse::<ProductKey>();
        for place in 0..plain.len() {
            for other in "0123456789ABCDEFGHJKMNPQRSTVWXYZ".chars() {
                let mut slip = plain.clone();
                slip[place] = other;
                assert_eq!(parse(&slip).is_ok(), slip == plain, "{slip:?}");
            }
        }
        for place in 1..plain.len() {
            let mut swapped = plain.clone();
            swapped.swap(place - 1, place);
            assert_eq!(parse(&swapped).is_ok(), swapped == plain, "{swapped:?}");
        }
        for bad in
            ["", "0", "?", &text[..24], &format!("{text}0"), &format!("{text}{}", " ".repeat(40))]
        {
            assert_eq!(bad.parse::<ProductKey>(), Err(BadProductKey), "{bad}");
        }
    }
}
