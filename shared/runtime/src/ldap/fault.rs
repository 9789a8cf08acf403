//! What a directory answers when it does not do what it is asked.

use super::code;

/// Why a directory was reached and not read. Words are the server's: at most 200 characters, without
/// control characters and without the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LdapFault {
    /// It does not agree to an encrypted connection; nothing else was said on this one.
    #[error("the directory refuses StartTLS: {}", said(*code, words))]
    StartTlsRefused {
        /// Its result code.
        code: u32,
        /// Its words.
        words: String,
    },
    /// Without a password a directory lets in anybody (RFC 4513, section 5.1.2): such a bind proves nothing.
    #[error("a password is needed")]
    NoPassword,
    /// It refuses a bind or ends a search early.
    #[error("the directory answered {}", said(*code, words))]
    Refused {
        /// Its result code.
        code: u32,
        /// Its words.
        words: String,
    },
    /// It ends the connection (RFC 4511, section 4.4.1).
    #[error("the directory ended the connection: {}", said(*code, words))]
    Disconnected {
        /// Its result code.
        code: u32,
        /// Its words.
        words: String,
    },
    /// There is no such base, or the one who is bound may not see it.
    #[error("the base does not exist, or may not be read: {}", said(*code, words))]
    BaseMissing {
        /// Its result code.
        code: u32,
        /// Its words.
        words: String,
    },
    /// Nobody is found below the base.
    #[error("below the base there is no entry that the filter finds")]
    BaseEmpty,
    /// Another server has the base.
    #[error("another server has the base; referrals are not followed")]
    Referred,
    /// More entries than are taken.
    #[error("the filter finds more than {0} entries")]
    TooManyEntries(usize),
    /// A message, a page or a list of values is longer than is read.
    #[error("the directory sends more than is read at once")]
    TooLarge,
    /// What it sends is not LDAP, or nothing that was asked for.
    #[error("the server's answer is not one of LDAP")]
    NotLdap,
}

impl LdapFault {
    /// Stable, `snake_case`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::StartTlsRefused { .. } => "starttls_refused",
            Self::NoPassword => "secret_required",
            Self::Refused { code: code::INVALID_CREDENTIALS, .. } => "invalid_credentials",
            Self::Refused { .. } => "directory_refused",
            Self::Disconnected { .. } => "directory_disconnected",
            Self::BaseMissing { .. } => "base_missing",
            Self::BaseEmpty => "base_empty",
            Self::Referred => "base_elsewhere",
            Self::TooManyEntries(_) => "too_many_entries",
            Self::TooLarge => "answer_too_large",
            Self::NotLdap => "ldap_not_spoken",
        }
    }

    /// Whether the same will happen again until somebody changes something.
    pub const fn is_lasting(&self) -> bool {
        match self {
            Self::Refused { code, .. } => code::is_lasting(*code),
            Self::Disconnected { .. } | Self::NotLdap => false,
            _ => true,
        }
    }
}

/// `invalidCredentials (49): words`.
fn said(code: u32, words: &str) -> String {
    let name = code::name(code);
    if words.is_empty() { format!("{name} ({code})") } else { format!("{name} ({code}): {words}") }
}
