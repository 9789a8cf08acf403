//! Licences: which product a tenant has, for how many seats and how long.

pub mod activation_key;
pub mod product_key;
pub mod watch;

pub use product_key::{BadProductKey, IssuedKey, ProductKey};

use crate::failure::{Failure, FailureKind, FieldFault};
use crate::id::ActivationKeyId;
use crate::license::activation_key::{ActivationKey, Purpose};
use crate::license::watch::Notice;
use crate::ports::Entropy;
use crate::product::Product;
use crate::telemetry::stream::Partitions;
use crate::text::Edition;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Days of a trial.
pub const TRIAL_DAYS: u32 = 30;
/// Endpoints of a trial.
pub const TRIAL_SEATS: u32 = 100;
/// Most seats of a licence.
pub const MOST_SEATS: u32 = 1_000_000;
/// Most days by which one order makes a licence longer.
pub const MOST_TERM_DAYS: u32 = 3_650;
/// After the end of a commercial licence telemetry is taken for so long; of a trial no longer.
pub const GRACE: SignedDuration = SignedDuration::from_hours(24 * 15);
/// Changes that a licence remembers, the latest.
const HISTORY: usize = 50;

/// Trial or bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LicenseKind {
    /// For trying out; no grace after its end.
    Trial,
    /// Bought.
    Commercial,
}

impl LicenseKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Trial, Self::Commercial];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Commercial => "commercial",
        }
    }
}

/// A kind of licence that there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the kind of a licence is trial or commercial")]
pub struct UnknownLicenseKind;

impl FieldFault for UnknownLicenseKind {}

impl FromStr for LicenseKind {
    type Err = UnknownLicenseKind;
    fn from_str(text: &str) -> Result<Self, UnknownLicenseKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(UnknownLicenseKind)
    }
}

/// Where a licence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LicenseState {
    /// Within its term.
    Active,
    /// Over; telemetry is still taken.
    Grace,
    /// Over.
    Expired,
    /// Taken away by the vendor.
    Revoked,
}

impl LicenseState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Active, Self::Grace, Self::Expired, Self::Revoked];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Grace => "grace",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// What happened to a licence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LicenseChange {
    /// It began, as a trial or with a product key.
    Started,
    /// A trial became commercial.
    Converted,
    /// It got another term.
    Renewed,
    /// It got more seats or a longer term.
    Extended,
    /// The vendor raised its edition.
    EditionUpgraded,
    /// The vendor made a trial longer.
    TrialExtended,
    /// The vendor set its seats.
    SeatsSet,
    /// The vendor took it away.
    Revoked,
    /// The vendor gave it back.
    Restored,
}

impl LicenseChange {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Started,
        Self::Converted,
        Self::Renewed,
        Self::Extended,
        Self::EditionUpgraded,
        Self::TrialExtended,
        Self::SeatsSet,
        Self::Revoked,
        Self::Restored,
    ];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Converted => "converted",
            Self::Renewed => "renewed",
            Self::Extended => "extended",
            Self::EditionUpgraded => "edition_upgraded",
            Self::TrialExtended => "trial_extended",
            Self::SeatsSet => "seats_set",
            Self::Revoked => "revoked",
            Self::Restored => "restored",
        }
    }
}

/// A line of a licence's history: what happened, and what held from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// What happened.
    pub change: LicenseChange,
    /// Kind from then on.
    pub kind: LicenseKind,
    /// Edition from then on.
    pub edition: Edition,
    /// Seats from then on.
    pub seats: u32,
    /// End of the term from then on.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub ends_at: Timestamp,
    /// The activation key that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation_key: Option<ActivationKeyId>,
}

/// A tenant's licence for one product; at most one a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// Which product.
    pub product: Product,
    /// What the customer quotes; never changes.
    pub product_key: ProductKey,
    /// Edition.
    pub edition: Edition,
    /// Trial or bought.
    pub kind: LicenseKind,
    /// Endpoints it covers, 1 to [`MOST_SEATS`].
    pub seats: u32,
    /// First instant of the term.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub starts_at: Timestamp,
    /// End of the term.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub ends_at: Timestamp,
    /// Streams of its telemetry; never changes.
    pub partitions: Partitions,
    /// When the vendor took it away.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// What happened to it, the latest last; at most 50 lines.
    pub history: Vec<HistoryEntry>,
    /// What its tenant was told of this term and these seats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// When it is looked at next, for its end and its seats; never, when nothing is left to be told.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub look_at: Option<Timestamp>,
    /// Grows with every change.
    pub version: u64,
}

/// What a licence begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Which product.
    pub product: Product,
    /// Edition.
    pub edition: Edition,
    /// Trial or bought.
    pub kind: LicenseKind,
    /// Endpoints it covers.
    pub seats: u32,
    /// For so many days.
    pub term_days: u32,
    /// Streams of its telemetry.
    pub partitions: Partitions,
}

impl Terms {
    /// Those of a trial.
    pub fn trial(product: Product, edition: Edition) -> Self {
        let (seats, term_days, partitions) = (TRIAL_SEATS, TRIAL_DAYS, Partitions::ONE);
        Self { product, edition, kind: LicenseKind::Trial, seats, term_days, partitions }
    }

    /// Those that a product key stands for.
    pub fn of(key: &IssuedKey) -> Self {
        Self {
            product: key.product,
            edition: key.edition.clone(),
            kind: LicenseKind::Commercial,
            seats: key.seats,
            term_days: key.term_days,
            partitions: key.partitions,
        }
    }
}

/// Why a licence cannot be changed so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The activation key is for another product, or its own time is over. Told in the words of every
    /// activation key that is not accepted.
    #[error("this activation key is not valid here; compare it with what you were sent")]
    Foreign,
    /// A conversion of what is no trial.
    #[error("this is for a trial, and the licence is commercial already")]
    NoTrial,
    /// A renewal or an extension of a trial.
    #[error("this is for a commercial licence; convert the trial first")]
    StillTrial,
    /// An extension of what is over.
    #[error("the licence is over; renew it first")]
    Ended,
    /// Any change of what was taken away.
    #[error("the licence was taken away by the vendor; ask support")]
    Revoked,
    /// More seats or days than a licence can have.
    #[error("this would be more seats or a longer term than a licence can have")]
    TooMuch,
    /// Not more than there is.
    #[error("the licence has this edition, or these seats, already")]
    Same,
}

impl Failure for Unfit {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Foreign => FailureKind::Invalid,
            _ => FailureKind::Conflict,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Foreign => "activation_key_invalid",
            Self::NoTrial | Self::StillTrial => "purpose_mismatch",
            Self::Ended => "license_ended",
            Self::Revoked => "license_revoked",
            Self::TooMuch => "license_limit",
            Self::Same => "unchanged",
        }
    }
}

impl License {
    /// A licence that begins now.
    pub fn started(terms: Terms, product_key: ProductKey, now: Timestamp) -> Self {
        let Terms { product, edition, kind, seats, term_days, partitions } = terms;
        let license = Self {
            product,
            product_key,
            edition,
            kind,
            seats,
            starts_at: now,
            ends_at: days_after(now, term_days).unwrap_or(now),
            partitions,
            revoked_at: None,
            history: Vec::new(),
            notices: Vec::new(),
            look_at: None,
            version: 0,
        };
        license.told(LicenseChange::Started, None, now)
    }

    /// The same with a product key of its own.
    pub fn new(terms: Terms, now: Timestamp, entropy: &dyn Entropy) -> Self {
        Self::started(terms, ProductKey::new(entropy), now)
    }

    /// From when on telemetry is refused.
    pub fn accepted_until(&self) -> Timestamp {
        let end = match self.kind {
            LicenseKind::Trial => self.ends_at,
            LicenseKind::Commercial => self.ends_at.checked_add(GRACE).unwrap_or(self.ends_at),
        };
        self.revoked_at.map_or(end, |revoked| revoked.min(end))
    }

    /// Where it stands at `now`.
    pub fn state(&self, now: Timestamp) -> LicenseState {
        if self.revoked_at.is_some() {
            LicenseState::Revoked
        } else if now < self.ends_at {
            LicenseState::Active
        } else if now < self.accepted_until() {
            LicenseState::Grace
        } else {
            LicenseState::Expired
        }
    }

    /// The licence with what a genuine activation key stands for. The product key stays.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn activated(&self, key: &ActivationKey, now: Timestamp) -> Result<Self, Unfit> {
        if key.product != self.product || now >= key.not_after {
            return Err(Unfit::Foreign);
        }
        let state = self.state(now);
        let trial = self.kind == LicenseKind::Trial;
        let change = match (key.purpose, trial, state) {
            (_, _, LicenseState::Revoked) => return Err(Unfit::Revoked),
            (Purpose::Convert, false, _) => return Err(Unfit::NoTrial),
            (Purpose::Renew | Purpose::Extend, true, _) => return Err(Unfit::StillTrial),
            (Purpose::Extend, false, LicenseState::Expired) => return Err(Unfit::Ended),
            (Purpose::Convert, ..) => LicenseChange::Converted,
            (Purpose::Renew, ..) => LicenseChange::Renewed,
            (Purpose::Extend, ..) => LicenseChange::Extended,
        };
        let seats = match key.purpose {
            Purpose::Extend => self.seats.saturating_add(key.seats),
            Purpose::Convert | Purpose::Renew => key.seats,
        };
        // A renewal ahead of the end, or within the grace, takes nothing of the time paid for.
        let (starts_at, from) = match key.purpose {
            Purpose::Convert => (now, now),
            Purpose::Renew if state == LicenseState::Expired => (now, now),
            // So few days that they would be over by now: nobody buys the past.
            Purpose::Renew
                if days_after(self.ends_at, key.term_days).is_some_and(|end| end <= now) =>
            {
                (now, now)
            }
            Purpose::Renew | Purpose::Extend => (self.starts_at, self.ends_at),
        };
        let ends_at = days_after(from, key.term_days);
        let ends_at = ends_at.filter(|_| seats <= MOST_SEATS).ok_or(Unfit::TooMuch)?;
        let (edition, kind) = (key.edition.clone(), LicenseKind::Commercial);
        let next = Self { edition, kind, seats, starts_at, ends_at, ..self.clone() };
        Ok(next.told(change, Some(key.id), now))
    }

    /// The licence in a higher edition.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn upgraded(&self, edition: Edition, now: Timestamp) -> Result<Self, Unfit> {
        self.there()?;
        if edition == self.edition {
            return Err(Unfit::Same);
        }
        let next = Self { edition, ..self.clone() };
        Ok(next.told(LicenseChange::EditionUpgraded, None, now))
    }

    /// A trial made longer by so many days, from its end on or, when it is over, from now on.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn trial_extended(&self, days: u32, now: Timestamp) -> Result<Self, Unfit> {
        self.there()?;
        if self.kind != LicenseKind::Trial {
            return Err(Unfit::NoTrial);
        }
        let ends_at = days_after(self.ends_at.max(now), days).ok_or(Unfit::TooMuch)?;
        let next = Self { ends_at, ..self.clone() };
        Ok(next.told(LicenseChange::TrialExtended, None, now))
    }

    /// The licence with so many seats.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn with_seats(&self, seats: u32, now: Timestamp) -> Result<Self, Unfit> {
        self.there()?;
        if seats == self.seats {
            return Err(Unfit::Same);
        }
        let next = Self { seats, ..self.clone() };
        Ok(next.told(LicenseChange::SeatsSet, None, now))
    }

    /// The licence taken away, or given back; the same version again when it is so already.
    #[must_use]
    pub fn withdrawn(&self, withdrawn: bool, now: Timestamp) -> Self {
        match (self.revoked_at, withdrawn) {
            (None, true) => {
                let next = Self { revoked_at: Some(now), ..self.clone() };
                next.told(LicenseChange::Revoked, None, now)
            }
            (Some(_), false) => {
                let next = Self { revoked_at: None, ..self.clone() };
                next.told(LicenseChange::Restored, None, now)
            }
            _ => self.clone(),
        }
    }

    fn there(&self) -> Result<(), Unfit> {
        if self.revoked_at.is_some() { Err(Unfit::Revoked) } else { Ok(()) }
    }

    /// What changed is written down; what was told of another end or other seats is told anew.
    fn told(
        mut self,
        change: LicenseChange,
        activation_key: Option<ActivationKeyId>,
        now: Timestamp,
    ) -> Self {
        let before = self.history.last();
        let (end, seats) = (before.map(|line| line.ends_at), before.map(|line| line.seats));
        let (same_end, same_seats) = (end == Some(self.ends_at), seats == Some(self.seats));
        self.notices.retain(|notice| if notice.is_of_seats() { same_seats } else { same_end });
        self.history.push(HistoryEntry {
            at: now,
            change,
            kind: self.kind,
            edition: self.edition.clone(),
            seats: self.seats,
            ends_at: self.ends_at,
            activation_key,
        });
        let over = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..over);
        self.look_at = Some(now);
        self.version = self.version.saturating_add(1);
        self
    }
}

fn days_after(from: Timestamp, days: u32) -> Option<Timestamp> {
    from.checked_add(SignedDuration::from_hours(24 * i64::from(days))).ok()
}
