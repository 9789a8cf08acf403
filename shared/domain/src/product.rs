//! The four point products.

use crate::failure::FieldFault;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A point product that reports to Belfry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Product {
    /// Endpoint protection platform.
    Epp,
    /// Enterprise mobility management.
    Emm,
    /// Data privacy.
    DataPrivacy,
    /// Zero-trust network access.
    Ztna,
}

/// A name that is none of the four products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the product is one of EPP, EMM, DATA_PRIVACY, ZTNA")]
pub struct UnknownProduct;

impl FieldFault for UnknownProduct {}

impl Product {
    /// All products, in the order in which they are listed.
    pub const ALL: [Self; 4] = [Self::Epp, Self::Emm, Self::DataPrivacy, Self::Ztna];

    /// The name used in the API and in keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Epp => "EPP",
            Self::Emm => "EMM",
            Self::DataPrivacy => "DATA_PRIVACY",
            Self::Ztna => "ZTNA",
        }
    }

    /// Whether its endpoints count in the dashboard's endpoint figures (EPP and EMM do).
    pub const fn counts_on_dashboard(self) -> bool {
        matches!(self, Self::Epp | Self::Emm)
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Product {
    type Err = UnknownProduct;
    fn from_str(text: &str) -> Result<Self, UnknownProduct> {
        Self::ALL.into_iter().find(|product| product.name() == text).ok_or(UnknownProduct)
    }
}
