//! E-mail addresses.

use crate::failure::FieldFault;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An e-mail address as it is stored and compared: lower-cased, its domain in IDNA's ASCII form, at
/// most 254 characters (RFC 5321, section 4.5.3.1.3 with its angle brackets).
///
/// Narrower than RFC 5321 where no mail provider is wider: no quoted local part, no address
/// literal, a domain of at least two labels.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

/// A text that is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address")]
pub struct BadEmailAddress;

impl FieldFault for BadEmailAddress {}

impl EmailAddress {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is before the `@`.
    pub fn local_part(&self) -> &str {
        self.0.split_once('@').map_or("", |(local, _)| local)
    }

    /// What is after the `@`.
    pub fn domain(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, domain)| domain)
    }
}

/// The dot-string of RFC 5321, section 4.1.2: `atext` of RFC 5322, section 3.2.3, between dots.
fn is_dot_string(local: &str) -> bool {
    local.split('.').all(|atom| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    })
}

impl FromStr for EmailAddress {
    type Err = BadEmailAddress;
    fn from_str(text: &str) -> Result<Self, BadEmailAddress> {
        // Bounded before the work: IDNA is slow on long input.
        if text.len() > 1_000 {
            return Err(BadEmailAddress);
        }
        let (local, domain) = text.trim().rsplit_once('@').ok_or(BadEmailAddress)?;
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| BadEmailAddress)?;
        let top = domain.rsplit_once('.').ok_or(BadEmailAddress)?.1;
        // An address literal without its brackets, or a trailing dot.
        if top.is_empty() || top.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BadEmailAddress);
        }
        let address = format!("{}@{domain}", local.to_ascii_lowercase());
        let fits = is_dot_string(local) && local.len() <= 64 && address.len() <= 254;
        fits.then_some(Self(address)).ok_or(BadEmailAddress)
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = BadEmailAddress;
    fn try_from(text: String) -> Result<Self, BadEmailAddress> {
        text.parse()
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

/// Addresses are not for logs.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_one_address() {
        for (text, form) in [
            ("a@b.co", "a@b.co"),
            ("  Ann.Lee@Example.COM ", "ann.lee@example.com"),
            ("x+tag@sub.example.org", "x+tag@sub.example.org"),
            ("info@Bücher.example", "info@xn--bcher-kva.example"),
            ("info@bu\u{308}cher.example", "info@xn--bcher-kva.example"),
            ("k@例え.jp", "k@xn--r8jz45g.jp"),
            ("a@EXAMPLE。com", "a@example.com"),
        ] {
            assert_eq!(text.parse::<EmailAddress>().map(String::from).as_deref(), Ok(form));
        }
    }

    #[test]
    fn refuses_what_no_mail_reaches() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long = format!("a@{}.com", vec!["b".repeat(60); 5].join("."));
        for bad in [
            "",
            "@",
            "a",
            "a@",
            "@b.co",
            "a@b",
            "a b@c.de",
            "a@b c.de",
            "a@b..co",
            ".a@b.co",
            "a.@b.co",
            "a..b@c.de",
            "\"a\"@b.co",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@b.co.",
            "a@-b.co",
            "a@b_c.de",
            "a@b.co\r\nBcc: x@y.zz",
            "ä@b.co",
            "a@b@c@.de",
            "a\u{0}@b.co",
            "a,b@c.de",
            "<a@b.co>",
            &long_local,
            &long,
        ] {
            assert_eq!(bad.parse::<EmailAddress>(), Err(BadEmailAddress), "{bad}");
        }
    }

    #[test]
    fn parts_and_debug() {
        let address: EmailAddress = "ann@example.com".parse().unwrap();
        assert_eq!((address.local_part(), address.domain()), ("ann", "example.com"));
        assert_eq!(format!("{address:?}"), "EmailAddress(..)");
    }
}
