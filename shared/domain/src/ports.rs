//! Time and chance, as arguments.

use jiff::Timestamp;

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// Tells the time. Production reads the system's clock, tests set it.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Source of random bytes fit for secrets.
pub trait Entropy: Send + Sync {
    /// Fills the whole buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// Fixed-size convenience over [`Entropy::fill`].
pub fn random<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

/// A UTC day, counted from 1970-01-01. "A day is a UTC day; today is day 0" of every period.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Day(i32);

impl Day {
    /// The day of an instant given in Unix milliseconds.
    pub fn of_millis(ms: i64) -> Self {
        // Timestamps are bounded to the years -9999..9999, whose days fit an i32 many times over.
        Self(i32::try_from(ms.div_euclid(DAY_MS)).unwrap_or(i32::MAX))
    }

    /// The day of an instant.
    pub fn of(at: Timestamp) -> Self {
        Self::of_millis(at.as_millisecond())
    }

    /// The day with this number (days since 1970-01-01).
    pub const fn from_number(number: i32) -> Self {
        Self(number)
    }

    /// Days since 1970-01-01.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// So many days earlier.
    #[must_use]
    pub const fn minus(self, days: i32) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// Whole days from `earlier` to `self`; negative when `earlier` is later.
    pub const fn since(self, earlier: Day) -> i32 {
        self.0.saturating_sub(earlier.0)
    }

    /// First instant of the day.
    pub fn start(self) -> Timestamp {
        Timestamp::from_millisecond(i64::from(self.0) * DAY_MS).unwrap_or(Timestamp::MIN)
    }

    /// `yyyymmdd`, the form used in keys.
    pub fn compact(self) -> String {
        self.start().strftime("%Y%m%d").to_string()
    }

    /// `yyyy-mm-dd` (RFC 3339 full-date).
    pub fn date(self) -> String {
        self.start().strftime("%Y-%m-%d").to_string()
    }
}
