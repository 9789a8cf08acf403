//! Licences: which product a tenant has, for how many seats and how long. (Activation codes,
//! history and warnings come with their own issue.)

use crate::failure::FieldFault;
use crate::ports::{Entropy, random};
use crate::product::Product;
use crate::telemetry::stream::Partitions;
use crate::text::Edition;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Trial or bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LicenseKind {
    /// For trying out; no grace after its end.
    Trial,
    /// Bought.
    Commercial,
}

impl LicenseKind {
    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Commercial => "commercial",
        }
    }
}

/// A kind of licence that there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the kind of a licence is trial or commercial")]
pub struct UnknownLicenseKind;

impl FieldFault for UnknownLicenseKind {}

impl FromStr for LicenseKind {
    type Err = UnknownLicenseKind;
    fn from_str(text: &str) -> Result<Self, UnknownLicenseKind> {
        let kinds = [Self::Trial, Self::Commercial];
        kinds.into_iter().find(|kind| kind.name() == text).ok_or(UnknownLicenseKind)
    }
}

/// A tenant's licence for one product; at most one a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// Which product.
    pub product: Product,
    /// What the customer quotes; never changes.
    pub product_key: ProductKey,
    /// Edition.
    pub edition: Edition,
    /// Trial or bought.
    pub kind: LicenseKind,
    /// Endpoints it covers, 1 to 1,000,000.
    pub seats: u32,
    /// First instant.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub starts_at: Timestamp,
    /// End of the term.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub ends_at: Timestamp,
    /// Streams of its telemetry.
    pub partitions: Partitions,
}

/// 100 random bits in Crockford's base 32 with his check symbol, in groups of five:
/// `7ZZZZ-00000-ABCDE-FGHJK-M`. <https://www.crockford.com/base32.html>
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProductKey(u128);

/// A text that is not a product key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a product key")]
pub struct BadProductKey;

/// The 32 digits, then the five further check symbols (a check is modulo 37).
const SYMBOLS: &[u8; 37] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";
const DIGITS: u32 = 20;

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
        for bad in ["", "0", "?", &text[..24], &format!("{text}0")] {
            assert_eq!(bad.parse::<ProductKey>(), Err(BadProductKey), "{bad}");
        }
    }
}
