//! Short texts that people type: names, telephone numbers, countries.

use crate::failure::FieldFault;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use unicode_normalization::UnicodeNormalization as _;

/// A text that breaks the rule of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// Nothing but blanks.
    #[error("must not be empty")]
    Empty,
    /// Too long.
    #[error("at most {0} characters")]
    TooLong(usize),
    /// A character that does not belong.
    #[error("contains a character that is not allowed")]
    Character,
    /// Not of the wanted form.
    #[error("must be {0}")]
    Form(&'static str),
}

impl FieldFault for BadText {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "required",
            Self::TooLong(_) => "too_long",
            Self::Character | Self::Form(_) => "invalid",
        }
    }
}

/// One line of text without `<` and `>`, which no name has and mails and pages mind.
fn line(text: &str, limit: usize) -> Result<String, BadText> {
    let text = sentence(text, limit)?;
    if text.contains(['<', '>']) { Err(BadText::Character) } else { Ok(text) }
}

/// One line of text: NFC, trimmed, runs of blanks made one, without control characters, invisible
/// or direction-changing ones.
fn sentence(text: &str, limit: usize) -> Result<String, BadText> {
    let text = composed(text, limit)?;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    bounded(text, limit, |c| {
        c.is_control()
            || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
    })
}

/// Lines of text: NFC, trimmed, every end of a line `\n`, without other control characters.
fn lines(text: &str, limit: usize) -> Result<String, BadText> {
    let text = composed(text, limit)?.replace("\r\n", "\n");
    bounded(text.trim().to_owned(), limit, |c| c.is_control() && c != '\n')
}

fn composed(text: &str, limit: usize) -> Result<String, BadText> {
    // Before the work; NFC makes at most a third of the bytes of it, and never fewer characters
    // than a fourth.
    if text.len() > limit * 64 { Err(BadText::TooLong(limit)) } else { Ok(text.nfc().collect()) }
}

fn bounded(text: String, limit: usize, forbidden: fn(char) -> bool) -> Result<String, BadText> {
    if text.is_empty() {
        Err(BadText::Empty)
    } else if text.chars().count() > limit {
        Err(BadText::TooLong(limit))
    } else if text.chars().any(forbidden) {
        Err(BadText::Character)
    } else {
        Ok(text)
    }
}

/// A text as names are compared and searched: compatibility forms, width and case do not count. At
/// most 400 bytes, as long as a name that somebody has.
pub fn folded(text: &str) -> String {
    let mut folded: String = text.nfkc().flat_map(char::to_lowercase).nfc().collect();
    let end = (0..=400.min(folded.len())).rev().find(|at| folded.is_char_boundary(*at));
    folded.truncate(end.unwrap_or(0));
    folded
}

macro_rules! text {
    ($($(#[$doc:meta])* $name:ident = $parse:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadText;
            fn from_str(text: &str) -> Result<Self, BadText> {
                let parse: fn(&str) -> Result<String, BadText> = $parse;
                parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadText;
            fn try_from(text: String) -> Result<Self, BadText> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        /// Names and numbers of people are not for logs.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )+};
}

text! {
    /// First or last name of a person, 1 to 60 characters.
    PersonName = |text| line(text, 60);
    /// Name of a company, 1 to 120 characters.
    CompanyName = |text| line(text, 120);
    /// Name of a city, 1 to 80 characters.
    City = |text| line(text, 80);
    /// Edition of a licence, 1 to 40 characters.
    Edition = |text| line(text, 40);
    /// Name of a SIEM destination, 1 to 80 characters.
    DestinationName = |text| line(text, 80);
    /// Name of an identity provider, 1 to 80 characters.
    ProviderName = |text| line(text, 80);
    /// Name of a directory's group, 1 to 256 characters, as long as Entra ID has them.
    GroupName = |text| sentence(text, 256);
    /// Key of a tag, 1 to 64 characters.
    TagKey = |text| line(text, 64);
    /// Value of a tag, 1 to 64 characters.
    TagText = |text| line(text, 64);
    /// What is known of a user or an application, 1 to 128 characters.
    AttributeText = |text| sentence(text, 128);
    /// Name of an attribute of an application: 1 to 40 of `a-z`, `0-9`, `_`, `-`, the first a letter.
    AttributeName = attribute_name;
    /// Name of an application, 1 to 128 characters, as long as telemetry may name it.
    ApplicationName = |text| sentence(text, 128);
    /// Kind of application, 1 to 64 characters.
    Category = |text| line(text, 64);
    /// Where an application is: a DNS name in IDNA's ASCII form, also a short or an inner one, or an
    /// address; `*.` may stand before a name.
    ApplicationHost = host;
    /// Who of the vendor's staff asks, 1 to 120 characters.
    Operator = |text| line(text, 120);
    /// Why the vendor's staff asks, 1 to 500 characters.
    Reason = |text| line(text, 500);
    /// What a ticket is about, 1 to 120 characters.
    TicketSubject = |text| sentence(text, 120);
    /// What a ticket says, 1 to 5,000 characters in lines.
    TicketMessage = |text| lines(text, 5_000);
    /// Telephone number: `+` and the 7 to 15 digits of E.164, stored without blanks.
    Telephone = telephone;
    /// Country by ISO 3166-1 alpha-2.
    Country = country;
}

fn telephone(text: &str) -> Result<String, BadText> {
    let form = BadText::Form("a telephone number with its country code, like +91 98765 43210");
    if text.len() > 64 {
        return Err(form);
    }
    let number: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')).collect();
    let digits = number.strip_prefix('+').ok_or(form)?;
    let fits = (7..=15).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        // No country code begins with 0.
        && !digits.starts_with('0');
    fits.then_some(number).ok_or(form)
}

fn attribute_name(text: &str) -> Result<String, BadText> {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    let fits = (1..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(known);
    let form = BadText::Form("1 to 40 of a-z, 0-9, _ and -, the first a letter");
    fits.then(|| text.to_owned()).ok_or(form)
}

fn host(text: &str) -> Result<String, BadText> {
    let form = BadText::Form("a host name or an address, like crm.example.com or 10.0.0.7");
    let text = text.trim();
    if text.is_empty() || text.len() > 253 {
        return Err(form);
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<std::net::IpAddr>() {
        return Ok(address.to_string());
    }
    let (wildcard, name) = match text.strip_prefix("*.") {
        Some(name) => ("*.", name),
        None => ("", text),
    };
    let name = idna::domain_to_ascii_strict(name).map_err(|_| form)?;
    // What ends in a number is an address, and this one is none (WHATWG URL, section 3.5).
    let last = name.rsplit('.').next().unwrap_or_default();
    let fits = !name.is_empty() && !last.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| format!("{wildcard}{name}")).ok_or(form)
}

fn country(text: &str) -> Result<String, BadText> {
    let known = text.len() == 2 && COUNTRIES.split_ascii_whitespace().any(|code| code == text);
    known.then(|| text.to_owned()).ok_or(BadText::Form("a country code of ISO 3166-1, like IN"))
}

/// The 249 codes of ISO 3166-1 alpha-2, as of 2026-11.
const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS \
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE \
    EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM \
    HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC \
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO \
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_and_bounded() {
        let name = |text: &str| text.parse::<PersonName>().map(String::from);
        assert_eq!(name("  Ann \t Lee\u{301} ").as_deref(), Ok("Ann Le\u{e9}"));
        assert_eq!(name("山田").as_deref(), Ok("山田"));
        assert_eq!(name(&"é".repeat(60)).as_deref(), Ok("é".repeat(60).as_str()));
        for (bad, why) in [
            ("", BadText::Empty),
            (" \u{3000}", BadText::Empty),
            (&"x".repeat(61) as &str, BadText::TooLong(60)),
            (&"x".repeat(1 << 20), BadText::TooLong(60)),
            ("<b>", BadText::Character),
            ("a\u{202e}b", BadText::Character),
            ("a\u{0}b", BadText::Character),
        ] {
            assert_eq!(name(bad), Err(why), "{bad}");
        }
        assert!("x".repeat(120).parse::<CompanyName>().is_ok());
        assert!("x".repeat(121).parse::<CompanyName>().is_err());
        assert_eq!(format!("{:?}", "Ann".parse::<PersonName>()), "Ok(PersonName(..))");
    }

    #[test]
    fn a_ticket_has_a_subject_of_one_line_and_a_message_of_many() {
        let subject = |text: &str| text.parse::<TicketSubject>().map(String::from);
        assert_eq!(subject(" a <b>\r\n c ").as_deref(), Ok("a <b> c"));
        assert_eq!(subject(&"é".repeat(120)).as_deref(), Ok("é".repeat(120).as_str()));
        assert_eq!(subject(&"é".repeat(121)), Err(BadText::TooLong(120)));
        for (bad, why) in [("\n", BadText::Empty), ("a\u{7}", BadText::Character)] {
            assert_eq!(subject(bad), Err(why), "{bad:?}");
        }
        let message = |text: &str| text.parse::<TicketMessage>().map(String::from);
        assert_eq!(message("\n a\r\n\r\n  <b> \n").as_deref(), Ok("a\n\n  <b>"));
        assert!(message(&"é".repeat(5_000)).is_ok());
        assert_eq!(message(&"é".repeat(5_001)), Err(BadText::TooLong(5_000)));
        for bad in ["a\tb", "a\rb", "a\u{0}b", "a\u{1b}[0m", "a\u{85}b"] {
            assert_eq!(message(bad), Err(BadText::Character), "{bad:?}");
        }
        assert_eq!(message(" \r\n "), Err(BadText::Empty));
    }

    #[test]
    fn telephone_numbers() {
        let number = |text: &str| text.parse::<Telephone>().map(String::from).ok();
        assert_eq!(number("+91 98765-43210").as_deref(), Some("+919876543210"));
        assert_eq!(number("+1 (555) 0100 200").as_deref(), Some("+15550100200"));
        let long = format!("+{}", "1".repeat(16));
        for bad in ["", "+", "123", "98765 43210", "+0123456789", "+12345x789", "+123456", &long] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }

    #[test]
    fn countries() {
        assert_eq!(COUNTRIES.split_ascii_whitespace().count(), 249);
        assert!(["IN", "JP", "KR", "ZW", "AD"].iter().all(|c| c.parse::<Country>().is_ok()));
        for bad in ["", "in", "XX", "IND", "A", "D ", " A"] {
            assert!(bad.parse::<Country>().is_err(), "{bad}");
        }
    }
}
