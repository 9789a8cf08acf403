//! Telephone numbers as columns of a file have them: a country code apart, or all in one.

use crate::text::{BadText, Telephone};
use unicode_normalization::UnicodeNormalization as _;

/// Why a cell is no telephone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadNumber {
    /// The number has no country code and there is none beside it.
    NoCountryCode,
    /// What stands in the column of country codes is none.
    CountryCode,
    /// Together they are no telephone number.
    Number(BadText),
}

/// Codes of countries where people dial a 0 before the area or the mobile number that is no part of
/// it, and no number begins with 0: there `090 1234 5678` is +81 90 1234 5678. (ITU Operational
/// Bulletin No. 994 of 2011-12-15, "Dialling procedures"; not all such countries. Italy is none.)
const DROPS_ZERO: [&str; 28] = [
    "27", "31", "32", "33", "41", "43", "44", "46", "49", "60", "61", "62", "63", "64", "66", "81",
    "82", "84", "86", "90", "91", "92", "94", "880", "966", "971", "972", "977",
];

/// Country codes of two digits; 1 and 7 have one, all others three (ITU-T E.164, list of assigned
/// country codes, Operational Bulletin No. 1114 of 2016-12-15). No code begins with another.
const TWO_DIGITS: [&str; 44] = [
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47",
    "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65",
    "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
];

/// Digits and `+` of a cell: blanks, `-` and brackets away, full-width forms as ASCII.
fn bare(cell: &str) -> String {
    // Bounded before the work; what is longer than this is no number.
    let cell = cell.get(..cell.floor_char_boundary(200)).unwrap_or_default();
    cell.nfkc().filter(|c| !(c.is_whitespace() || matches!(c, '-' | '(' | ')'))).collect()
}

/// The code in a cell `91`, `+91` or `0091`: up to four digits, as some write +1 684.
fn country_code(cell: &str) -> Option<String> {
    let bare = bare(cell);
    let digits = bare.strip_prefix('+').or_else(|| bare.strip_prefix("00")).unwrap_or(&bare);
    let fits = (1..=4).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0');
    fits.then(|| digits.to_owned())
}

/// The number in `cell`, with the country code in `country` unless it has its own, after `+` or `00`.
/// None for an empty cell.
pub(super) fn parse(cell: &str, country: &str) -> Result<Option<Telephone>, BadNumber> {
    let bare = bare(cell);
    let whole = if bare.is_empty() {
        return Ok(None);
    } else if bare.starts_with('+') {
        bare
    } else if let Some(number) = bare.strip_prefix("00") {
        format!("+{number}")
    } else if country.is_empty() {
        return Err(BadNumber::NoCountryCode);
    } else {
        let code = country_code(country).ok_or(BadNumber::CountryCode)?;
        let dropped = bare.strip_prefix('0').filter(|_| DROPS_ZERO.contains(&code.as_str()));
        format!("+{code}{}", dropped.unwrap_or(&bare))
    };
    whole.parse().map(Some).map_err(BadNumber::Number)
}

/// Country code and the rest, both digits only.
fn split(number: &Telephone) -> (&str, &str) {
    let digits = number.as_str().trim_start_matches('+');
    let length = match digits.get(..2) {
        Some(two) if TWO_DIGITS.contains(&two) => 2,
        Some(two) if two.starts_with(['1', '7']) => 1,
        _ => 3,
    };
    digits.split_at_checked(length).unwrap_or((digits, ""))
}

/// All in one, with a blank after the country code: without it a spreadsheet would make a number of
/// it and lose the `+`.
pub(super) fn whole(number: &Telephone) -> String {
    let (code, national) = split(number);
    format!("+{code} {national}")
}

/// What stands in the columns of country code and mobile number. A national number that a
/// spreadsheet would round or take the first 0 off stands there with its country code.
pub(super) fn columns(number: &Telephone) -> (String, String) {
    let (code, national) = split(number);
    let is_mangled = national.starts_with('0') || national.len() > 11;
    let mobile = if is_mangled { whole(number) } else { national.to_owned() };
    (format!("+{code}"), mobile)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(cell: &str, country: &str) -> Result<String, BadNumber> {
        parse(cell, country).map(|number| number.map_or(String::new(), String::from))
    }

    #[test]
    fn with_a_country_code_beside_or_within() {
        for (cell, country, number) in [
            ("98765 43210", "91", "+919876543210"),
            ("98765-43210", "+91", "+919876543210"),
            ("(98765) 43210", "0091", "+919876543210"),
            ("098765 43210", " + 91 ", "+919876543210"),
            ("+81 90 1234 5678", "91", "+819012345678"),
            ("+81 90 1234 5678", "", "+819012345678"),
            ("+81 90 1234 5678", "Japan", "+819012345678"),
            ("0081 90 1234 5678", "91", "+819012345678"),
            ("090-1234-5678", "81", "+819012345678"),
            ("０９０－１２３４－５６７８", "８１", "+819012345678"),
            ("010-1234-5678", "82", "+821012345678"),
            ("06 1234 5678", "39", "+390612345678"),
            ("633 1234", "1-684", "+16846331234"),
            ("", "91", ""),
            (" - ", "", ""),
        ] {
            assert_eq!(parsed(cell, country).as_deref(), Ok(number), "{cell} {country}");
        }
        for (cell, country, why) in [
            ("98765 43210", "", BadNumber::NoCountryCode),
            ("98765 43210", "IN", BadNumber::CountryCode),
            ("98765 43210", "0", BadNumber::CountryCode),
            ("98765 43210", "00", BadNumber::CountryCode),
            ("98765 43210", "91123", BadNumber::CountryCode),
            ("98765 43210", "+", BadNumber::CountryCode),
            ("98765 43210", "++91", BadNumber::CountryCode),
        ] {
            assert_eq!(parsed(cell, country), Err(why), "{cell} {country}");
        }
        let long = "1".repeat(1 << 20);
        for cell in ["9.87654E+11", "x", "12", "+", "++1234567890", "+0123456789", "1+1", &long] {
            let why = parsed(cell, "91");
            assert!(matches!(why, Err(BadNumber::Number(BadText::Form(_)))), "{cell:.20} {why:?}");
        }
    }

    #[test]
    fn split_by_country_code() {
        for (number, code, mobile, phone) in [
            ("+12025550142", "+1", "2025550142", "+1 2025550142"),
            ("+79161234567", "+7", "9161234567", "+7 9161234567"),
            ("+919876543210", "+91", "9876543210", "+91 9876543210"),
            ("+819012345678", "+81", "9012345678", "+81 9012345678"),
            ("+821012345678", "+82", "1012345678", "+82 1012345678"),
            ("+8801712345678", "+880", "1712345678", "+880 1712345678"),
            ("+971501234567", "+971", "501234567", "+971 501234567"),
            ("+35312345678", "+353", "12345678", "+353 12345678"),
            ("+390612345678", "+39", "+39 0612345678", "+39 0612345678"),
            ("+911234567890123", "+91", "+91 1234567890123", "+91 1234567890123"),
            ("+2112345", "+211", "2345", "+211 2345"),
        ] {
            let number: Telephone = number.parse().unwrap();
            assert_eq!(columns(&number), (code.to_owned(), mobile.to_owned()));
            assert_eq!(whole(&number), phone);
        }
        assert!(
            TWO_DIGITS.is_sorted() && DROPS_ZERO.iter().all(|code| !code.starts_with(['1', '7']))
        );
    }
}
