//! Countries (ISO 3166-1) and their states (ISO 3166-2) by name, in the languages of the console.
//! `places/places.md` says where the names come from.

use crate::language::Language;
use crate::text::Country;
use serde::{Deserialize, Serialize};

/// Lines of `code`, English, Japanese and Korean name between tabs, sorted by the code; a name that is
/// not translated is empty.
const COUNTRIES: &str = include_str!("places/countries.tsv");
const STATES: &str = include_str!("places/states.tsv");

/// A place with its name in one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Its code.
    pub code: &'static str,
    /// Its name; the English one where there is no other.
    pub name: &'static str,
}

/// A state, province or the like, by its code of ISO 3166-2: `IN-KA`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct State(String);

/// A code of no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a state is a code of ISO 3166-2, like IN-KA")]
pub struct UnknownState;

impl State {
    /// The state of this country with this code.
    ///
    /// # Errors
    /// [`UnknownState`], also for another country's.
    pub fn of(country: &Country, code: &str) -> Result<Self, UnknownState> {
        let known = states_of(country).any(|(known, _)| known == code);
        known.then(|| Self(code.to_owned())).ok_or(UnknownState)
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for State {
    type Error = UnknownState;
    /// By its form alone: what was kept is read also when a later list lacks it.
    fn try_from(code: String) -> Result<Self, UnknownState> {
        let (country, state) = code.split_once('-').ok_or(UnknownState)?;
        let letters =
            |text: &str| text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let fits = country.len() == 2 && (1..=3).contains(&state.len());
        (fits && letters(country) && letters(state)).then_some(Self(code)).ok_or(UnknownState)
    }
}

impl From<State> for String {
    fn from(state: State) -> Self {
        state.0
    }
}

/// All countries, in the order of their names.
pub fn countries(language: Language) -> Vec<Place> {
    let mut all: Vec<_> = lines(COUNTRIES).map(|line| named(line, language)).collect();
    all.sort_unstable_by_key(|place| place.name);
    all
}

/// The states of a country, in the order of their names; in Japanese, whose names do not sort by their
/// characters, in that of their codes. Empty for a country without any.
pub fn states(country: &Country, language: Language) -> Vec<Place> {
    let mut all: Vec<_> = states_of(country).map(|line| named(line, language)).collect();
    if language != Language::Ja {
        all.sort_unstable_by_key(|place| place.name);
    }
    all
}

/// Whether a country has states, one of which an address then names.
pub fn has_states(country: &Country) -> bool {
    states_of(country).next().is_some()
}

type Line = (&'static str, &'static str);

fn lines(file: &'static str) -> impl Iterator<Item = Line> {
    file.lines().filter_map(|line| line.split_once('\t'))
}

fn states_of(country: &Country) -> impl Iterator<Item = Line> {
    let prefix = format!("{}-", country.as_str());
    lines(STATES).filter(move |(code, _)| code.starts_with(&prefix))
}

fn named((code, names): Line, language: Language) -> Place {
    let mut columns = names.split('\t');
    let english = columns.next().unwrap_or_default();
    let other = match language {
        Language::En => None,
        Language::Ja => columns.next(),
        Language::Ko => columns.nth(1),
    };
    Place { code, name: other.filter(|name| !name.is_empty()).unwrap_or(english) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use unicode_normalization::is_nfc;

    #[test]
    fn every_country_has_a_name_of_its_own_in_every_language() {
        let codes: Vec<_> = lines(COUNTRIES).map(|(code, _)| code).collect();
        assert_eq!(codes.len(), 249);
        assert!(codes.is_sorted() && codes.iter().all(|code| code.parse::<Country>().is_ok()));
        for (code, names) in lines(COUNTRIES) {
            let columns: Vec<_> = names.split('\t').collect();
            let [en, ja, ko] = columns[..] else { panic!("{code}") };
            assert!([en, ja, ko].iter().all(|name| !name.is_empty() && is_nfc(name)), "{code}");
            assert!(!ja.is_ascii() && !ko.is_ascii() && ja != ko, "{code}");
        }
        for language in Language::ALL {
            let names: BTreeSet<_> = countries(language).iter().map(|place| place.name).collect();
            assert_eq!(names.len(), 249, "two countries of one name in {language:?}");
        }
    }

    #[test]
    fn states_are_sorted_and_belong_to_their_country() {
        let codes: Vec<_> = lines(STATES).map(|(code, _)| code).collect();
        assert!(codes.len() > 3_500 && codes.windows(2).all(|pair| pair[0] < pair[1]));
        for (code, names) in lines(STATES) {
            assert_eq!(State::try_from(code.to_owned()).map(String::from).as_deref(), Ok(code));
            let columns: Vec<_> = names.split('\t').collect();
            let [en, ja, ko] = columns[..] else { panic!("{code}") };
            assert!(!en.is_empty() && [en, ja, ko].iter().all(|name| is_nfc(name)), "{code}");
            assert!(en != ja && en != ko, "{code}: not translated");
        }
        for bad in ["", "IN", "IN-", "IN-ka", "in-KA", "IN-KARN", "IND-KA", "-KA"] {
            assert_eq!(State::try_from(bad.to_owned()), Err(UnknownState), "{bad}");
        }
        for (country, code) in [("JP", "IN-KA"), ("IN", "IN-XX"), ("IN", "")] {
            assert!(State::of(&country.parse().unwrap(), code).is_err(), "{country} {code}");
        }
        assert!(STATES.len() <= 300_000, "the budget of a list");
    }

    #[test]
    fn the_markets_of_the_console_are_whole() {
        for (code, count) in [("IN", 36), ("JP", 47), ("KR", 17), ("US", 57)] {
            let country: Country = code.parse().unwrap();
            assert_eq!(states(&country, Language::En).len(), count, "{code}");
            for language in [Language::Ja, Language::Ko] {
                for place in states(&country, language) {
                    assert!(!place.name.is_ascii(), "{} in {language:?}", place.code);
                }
            }
        }
        let tokyo = Place { code: "JP-13", name: "東京都" };
        assert_eq!(states(&"JP".parse().unwrap(), Language::Ja)[12], tokyo);
        assert!(!has_states(&"AX".parse().unwrap()) && has_states(&"IN".parse().unwrap()));
    }
}
