//! The CSV of users: imported by a person, exported for one, and refused rows handed back.
//!
//! [`read`] takes a file apart, [`judge`] says of every row what it makes or all that is wrong with
//! it; [`header`] and [`line`] write the export, [`refused`] the rows to be mended, [`template`] an
//! example. What these write, [`read`] reads.

mod cell;
mod judge;
mod read;
mod telephone;
mod write;

pub use judge::{Fault, judge};
pub use read::{Row, Unreadable, read};
pub use write::{header, line, refused, template};

/// Most rows of a file, not counting header and blank ones.
pub const MOST_ROWS: usize = 1_000;
/// Most bytes of a file.
pub const MOST_BYTES: usize = 1_000_000;

/// A column that [`judge`] looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    FirstName,
    LastName,
    Email,
    CountryCode,
    Mobile,
    Phone,
    Role,
    TwoFactor,
}

impl Column {
    /// All of them, in the order of the file we write.
    const ALL: [Self; 8] = [
        Self::FirstName,
        Self::LastName,
        Self::Email,
        Self::CountryCode,
        Self::Mobile,
        Self::Phone,
        Self::Role,
        Self::TwoFactor,
    ];

    /// What its header says.
    const fn name(self) -> &'static str {
        match self {
            Self::FirstName => "First Name",
            Self::LastName => "Last Name",
            Self::Email => "Email",
            Self::CountryCode => "Country Code",
            Self::Mobile => "Mobile Number",
            Self::Phone => "Phone Number",
            Self::Role => "Role",
            Self::TwoFactor => "2FA",
        }
    }

    /// Whether a file without it is refused.
    const fn is_required(self) -> bool {
        matches!(self, Self::FirstName | Self::LastName | Self::Email | Self::Role)
    }

    /// Whether it holds telephone numbers or parts of them.
    const fn is_telephone(self) -> bool {
        matches!(self, Self::CountryCode | Self::Mobile | Self::Phone)
    }
}

/// The columns that only the export has.
const EXPORTED: [&str; 3] = ["Status", "Source", "Last Log-in"];
/// The columns that only the file of refused rows has.
const REFUSED: [&str; 2] = ["Line", "Reason"];
