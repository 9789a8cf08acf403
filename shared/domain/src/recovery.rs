//! Recovery of a company whose last super admin is locked out or gone: the vendor's staff may reset that
//! one's second factor or appoint another one. All admins and the registered address are told, and it
//! acts 24 hours later, unless somebody of them stops it.

use crate::audit::Entry;
use crate::email::EmailAddress;
use crate::failure::{Failure, FailureKind};
use crate::id::{RecoveryId, TenantId, UserId};
use crate::secret::SecretHash;
use crate::text::{Operator, PersonName, Reason, Telephone};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// It acts so long after it was asked for, and can be stopped until then.
pub const DELAY: SignedDuration = SignedDuration::from_hours(24);
/// How long it is kept after that.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Admins who are told, beside the registered address: super admins first. A transaction has at most 100
/// writes.
pub const MOST_TOLD: usize = 60;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// The second factor of this super admin is reset.
    ResetTwoFactor {
        /// Whose.
        user: UserId,
    },
    /// Whoever has this address becomes super admin.
    Appoint(Appointee),
    /// That is over; the trail says of whom, until the user is erased.
    Appointed {
        /// As which user.
        user: UserId,
    },
}

impl Remedy {
    /// The name used in audit records and answers.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ResetTwoFactor { .. } => "reset_two_factor",
            Self::Appoint(_) | Self::Appointed { .. } => "appoint",
        }
    }

    /// The user that it is about.
    pub const fn user(&self) -> UserId {
        match self {
            Self::ResetTwoFactor { user } | Self::Appointed { user } => *user,
            Self::Appoint(appointee) => appointee.user,
        }
    }
}

/// Somebody who is to become super admin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appointee {
    /// As which user of the company: one that it has, or will have.
    pub user: UserId,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Address.
    pub email: EmailAddress,
    /// Mobile number.
    pub mobile: Telephone,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Everybody was told; it waits.
    Announced,
    /// Somebody who was told stopped it.
    Stopped,
    /// It was carried out.
    Done,
    /// It is not needed any more, or whom it is about is gone.
    Moot,
}

impl Stage {
    /// The name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Stopped => "stopped",
            Self::Done => "done",
            Self::Moot => "moot",
        }
    }
}

/// A recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// Its id.
    pub id: RecoveryId,
    /// Of which tenant.
    pub tenant: TenantId,
    /// What is to be done.
    pub remedy: Remedy,
    /// Who of the vendor's staff asked for it.
    pub operator: Operator,
    /// Why.
    pub reason: Reason,
    /// In which invocation.
    pub request_id: String,
    /// The link by which it is stopped.
    pub stop: SecretHash,
    /// How far it is.
    pub stage: Stage,
    /// When it acts.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub acts_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl Recovery {
    /// The same when it has ended so. Nobody is named any longer.
    #[must_use]
    pub fn ended(&self, stage: Stage) -> Self {
        let remedy = match &self.remedy {
            Remedy::Appoint(appointee) => Remedy::Appointed { user: appointee.user },
            other => other.clone(),
        };
        Self { stage, remedy, version: self.version.saturating_add(1), ..self.clone() }
    }

    /// What audit records say of it: about its user, so that an erasure finds who is named.
    pub fn record(&self) -> Entry {
        let entry = Entry::about("user", &self.remedy.user())
            .set("recovery", self.id.to_string())
            .set("remedy", self.remedy.name());
        match &self.remedy {
            Remedy::Appoint(appointee) => entry.personal("email", appointee.email.as_str()),
            _ => entry,
        }
    }

    /// When everybody was told.
    pub fn announced_at(&self) -> Timestamp {
        self.acts_at.checked_sub(DELAY).unwrap_or(self.acts_at)
    }

    /// Whether it waits to be carried out.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Announced
    }

    /// Whether it is time.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.is_open() && now >= self.acts_at
    }
}

/// Why the back office may not step in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotNeeded {
    /// There are others who can.
    #[error("the company has other active super admins: one of them can do this from the console")]
    OtherSuperAdmins,
    /// It has none, or has not been named.
    #[error("the company has no active super admin with this id")]
    NoSuperAdmin,
    /// Nothing is enrolled.
    #[error("this super admin has no second factor to be reset")]
    NothingEnrolled,
    /// The address is a super admin's already.
    #[error("this address is an active super admin's already")]
    AlreadySuperAdmin,
    /// Another one waits.
    #[error("another recovery of this company waits to be carried out")]
    Pending,
}

impl Failure for NotNeeded {
    fn kind(&self) -> FailureKind {
        FailureKind::Conflict
    }
    fn code(&self) -> &'static str {
        match self {
            Self::OtherSuperAdmins => "other_super_admins",
            Self::NoSuperAdmin => "no_super_admin",
            Self::NothingEnrolled => "two_factor_not_enrolled",
            Self::AlreadySuperAdmin => "already_super_admin",
            Self::Pending => "recovery_pending",
        }
    }
}
