//! Captchas: who tells people from machines at the sign-up, by the field's common `siteverify` call.

use crate::failure::FieldFault;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Google reCAPTCHA. <https://developers.google.com/recaptcha/docs/verify>
    Recaptcha,
    /// hCaptcha. <https://docs.hcaptcha.com/#verify-the-user-response-server-side>
    Hcaptcha,
    /// Cloudflare Turnstile.
    /// <https://developers.cloudflare.com/turnstile/get-started/server-side-validation/>
    Turnstile,
    /// Any other that is called alike.
    Custom,
}

/// A provider that there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the provider is recaptcha, hcaptcha, turnstile or custom")]
pub struct UnknownProvider;

impl FieldFault for UnknownProvider {}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Recaptcha, Self::Hcaptcha, Self::Turnstile, Self::Custom];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recaptcha => "recaptcha",
            Self::Hcaptcha => "hcaptcha",
            Self::Turnstile => "turnstile",
            Self::Custom => "custom",
        }
    }

    /// Where it is asked; of a custom one the operator says it.
    pub const fn verify_url(self) -> Option<&'static str> {
        match self {
            Self::Recaptcha => Some("https://www.google.com/recaptcha/api/siteverify"),
            Self::Hcaptcha => Some("https://api.hcaptcha.com/siteverify"),
            Self::Turnstile => Some("https://challenges.cloudflare.com/turnstile/v0/siteverify"),
            Self::Custom => None,
        }
    }
}

impl FromStr for Provider {
    type Err = UnknownProvider;
    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        Self::ALL.into_iter().find(|provider| provider.name() == text).ok_or(UnknownProvider)
    }
}

/// How the sign-up is guarded. Where nothing was said, it is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Captcha {
    /// Not at all: said so by the vendor's staff.
    Off,
    /// By a provider.
    On {
        /// Who.
        provider: Provider,
        /// Where it is asked.
        verify_url: String,
        /// What the console shows to it; public.
        site_key: String,
        /// What we show to it, sealed.
        #[serde(with = "serde_bytes")]
        sealed_secret: Vec<u8>,
    },
}

/// What the secret is sealed for.
pub const SEALED_FOR: [(&str, &str); 1] = [("purpose", "captcha")];

/// Longest answer of a person's captcha that is handed on.
pub const MOST_RESPONSE: usize = 4_096;
