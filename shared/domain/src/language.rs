//! The languages that console and mail speak.

use crate::failure::FieldFault;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A language of console and mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    En,
    /// Japanese.
    Ja,
    /// Korean.
    Ko,
}

/// A name that is none of the languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the language is one of en, ja, ko")]
pub struct UnknownLanguage;

impl FieldFault for UnknownLanguage {}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::En, Self::Ja, Self::Ko];

    /// The name used in the API (ISO 639-1).
    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
            Self::Ko => "ko",
        }
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;
    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL.into_iter().find(|language| language.name() == text).ok_or(UnknownLanguage)
    }
}
