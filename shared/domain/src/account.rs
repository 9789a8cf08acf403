//! Tenants, persons and their memberships.
//!
//! An **identity** is a person who may log in, across tenants; a **user** is a membership in one.

use crate::attribute::UserAttributes;
use crate::email::EmailAddress;
use crate::id::{IdentityId, IdentityProviderId, TenantId, UserId};
use crate::language::Language;
use crate::password::PasswordHash;
use crate::ports::Entropy;
use crate::second_factor::{SecondFactor, State};
use crate::secret::SecretHash;
use crate::tag::marks::Marks;
use crate::text::{CompanyName, Country, GroupName, PersonName, Telephone};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a user may do; see [`crate::policy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    SuperAdmin,
    /// Everything but what concerns super admins and other people's second factor.
    Admin,
    /// Looks after users of the lower roles.
    HelpDesk,
    /// Looks.
    ReadOnly,
    /// No console: exists for the products.
    User,
}

impl Role {
    /// The role of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// All of them, the mightiest first.
    pub const ALL: [Self; 5] =
        [Self::SuperAdmin, Self::Admin, Self::HelpDesk, Self::ReadOnly, Self::User];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SuperAdmin => "super_admin",
            Self::Admin => "admin",
            Self::HelpDesk => "help_desk",
            Self::ReadOnly => "read_only",
            Self::User => "user",
        }
    }
}

/// Where a membership stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Mailed a link, not accepted yet.
    Invited,
    /// May log in.
    Active,
    /// May not, for now.
    Deactivated,
    /// Deleted: kept for audit, its address free again.
    Archived,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Invited, Self::Active, Self::Deactivated, Self::Archived];

    /// The status of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Active => "active",
            Self::Deactivated => "deactivated",
            Self::Archived => "archived",
        }
    }
}

/// Where a user came from, which decides what may be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Added by hand, or at sign-up.
    Manual,
    /// Imported.
    Csv,
    /// Synchronised from a directory.
    Directory,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Manual, Self::Csv, Self::Directory];

    /// The source of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Csv => "csv",
            Self::Directory => "directory",
        }
    }
}

/// After how long without use a session ends: 5 to 120 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct IdleLimit(u8);

/// An idle limit outside 5 to 120 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session timeout is 5 to 120 minutes")]
pub struct BadIdleLimit;

impl IdleLimit {
    /// As a duration.
    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_mins(i64::from(self.0))
    }
}

impl Default for IdleLimit {
    /// 20 minutes.
    fn default() -> Self {
        Self(20)
    }
}

impl TryFrom<u8> for IdleLimit {
    type Error = BadIdleLimit;
    fn try_from(minutes: u8) -> Result<Self, BadIdleLimit> {
        (5..=120).contains(&minutes).then_some(Self(minutes)).ok_or(BadIdleLimit)
    }
}

impl From<IdleLimit> for u8 {
    fn from(limit: IdleLimit) -> Self {
        limit.0
    }
}

/// Most users of a tenant that are not archived.
pub const MOST_USERS: u32 = 15_000;

/// A company that uses Belfry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub company: CompanyName,
    /// Where it is.
    pub country: Country,
    /// Fixed at sign-up; each person may choose their own.
    pub language: Language,
    /// Where letters about licences go.
    pub registered_email: EmailAddress,
    /// After how long without use its sessions end.
    pub session_timeout: IdleLimit,
    /// Users that are not archived; at most [`MOST_USERS`].
    pub users: u32,
    /// Super admins that are active; never less than one once there is one.
    #[serde(default)]
    pub super_admins: u32,
    /// Since when the vendor lets nobody in and takes no telemetry.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended_at: Option<Timestamp>,
    /// When it was made.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

/// A person who may log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its id.
    pub id: IdentityId,
    /// The address to log in with; immutable.
    pub email: EmailAddress,
    /// None until the first invitation is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordHash>,
    /// When it was set.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_set_at: Option<Timestamp>,
    /// None until one is enrolled. Whether one is needed say the memberships.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<SecondFactor>,
    /// Hash of the one link that sets a new password; a new link replaces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_reset: Option<SecretHash>,
    /// Sessions opened under another number are over: raising it ends them all.
    #[serde(default)]
    pub sessions: u32,
    /// Of console and mail.
    pub language: Language,
    /// When it was made.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl Identity {
    /// Somebody who has not set a password yet.
    pub fn new(
        email: EmailAddress,
        language: Language,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        Self {
            id: IdentityId::new(now, entropy),
            email,
            password: None,
            password_set_at: None,
            second_factor: None,
            password_reset: None,
            sessions: 0,
            language,
            created_at: now,
            version: 1,
        }
    }

    /// The same person after a change.
    #[must_use]
    pub fn changed(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.clone() }
    }

    /// The same person as nobody's member any more: nothing is left to log in with.
    #[must_use]
    pub fn forgotten(&self) -> Self {
        Self {
            password: None,
            password_set_at: None,
            second_factor: None,
            password_reset: None,
            ..self.changed().without_sessions()
        }
    }

    /// The same person with all sessions over.
    #[must_use]
    pub fn without_sessions(self) -> Self {
        Self { sessions: self.sessions.wrapping_add(1), ..self }
    }
}

/// A membership of a person in one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// In which tenant.
    pub tenant: TenantId,
    /// Who it is; none for role `user`, which has no console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityId>,
    /// Immutable.
    pub email: EmailAddress,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Mobile number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mobile: Option<Telephone>,
    /// Another telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Telephone>,
    /// What else is known of it.
    #[serde(default, skip_serializing_if = "UserAttributes::is_empty")]
    pub attributes: UserAttributes,
    /// Its tag values.
    #[serde(default, skip_serializing_if = "Marks::is_empty")]
    pub tags: Marks,
    /// What it may do.
    pub role: Role,
    /// Where it stands.
    pub status: Status,
    /// Where it came from.
    pub source: Source,
    /// Whose it is, when it came from a directory that is still there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<DirectoryLink>,
    /// The groups that its directory has it in, by their names; at most [`MOST_GROUPS`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<GroupName>,
    /// Whether an administrator chose its role, so that its directory's groups do not change it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub role_pinned: bool,
    /// Hash of the one link that accepts the invitation; a new link replaces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<SecretHash>,
    /// Whether this tenant requires the person's second factor.
    #[serde(default)]
    pub two_factor_required: bool,
    /// What the person has enrolled, copied from the identity by every change of it, so that a list
    /// of users need not read their persons; none before the invitation is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<Factor>,
    /// Hash of the one link by which the person agrees to a reset of the second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub two_factor_reset: Option<SecretHash>,
    /// Sessions opened under another number are over: raising it ends those in this tenant.
    #[serde(default)]
    pub sessions: u32,
    /// When it was made.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// When it last logged in.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_login_at: Option<Timestamp>,
    /// When names, address and numbers were erased.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
    /// Grows with every change, but not with a log-in.
    pub version: u64,
}

/// Most groups of a user that are shown and that rules can ask of.
pub const MOST_GROUPS: usize = 100;

/// Whose a user of a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryLink {
    /// The directory.
    pub provider: IdentityProviderId,
    /// Under which id the directory has it: its own, unless its address changed since, which makes
    /// another user of it.
    pub entry: UserId,
}

/// A second factor as memberships show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// Enrolled.
    Active,
    /// Enrolled, and locked by wrong codes.
    Locked,
}

impl Factor {
    /// What a person has.
    pub fn of(identity: &Identity) -> Option<Self> {
        let factor = identity.second_factor.as_ref()?;
        Some(if factor.is_locked() { Self::Locked } else { Self::Active })
    }

    /// The name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Locked => "locked",
        }
    }
}

impl User {
    /// The same user after a change.
    #[must_use]
    pub fn changed(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.clone() }
    }

    /// Whether it has a console.
    pub fn has_console(&self) -> bool {
        self.role != Role::User
    }

    /// Whether it was deleted.
    pub fn is_archived(&self) -> bool {
        self.status == Status::Archived
    }

    /// Whether it counts among the super admins of whom one must remain.
    pub fn is_active_super_admin(&self) -> bool {
        self.role == Role::SuperAdmin && self.status == Status::Active
    }

    /// Where the person's second factor stands, as this tenant is shown it.
    pub fn two_factor(&self) -> State {
        // Nothing of a person shows before the invitation is accepted.
        match self.factor.filter(|_| self.status != Status::Invited) {
            Some(Factor::Active) => State::Active,
            Some(Factor::Locked) => State::Locked,
            None if self.two_factor_required => State::Pending,
            None => State::Off,
        }
    }
}

/// Edge from a person to a membership, so that a log-in finds the person's tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// In which tenant.
    pub tenant: TenantId,
    /// As which user.
    pub user: UserId,
    /// When a session was last opened there; a log-in opens the latest.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
}

/// How long an activation link works.
pub const ACTIVATION_LINK_LIFE: SignedDuration = SignedDuration::from_hours(72);
/// How long a link works that resets a password or a second factor.
pub const RESET_LINK_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// What a mailed link is for. Kept under the hash of its 256 bits; used once; a new one for the same
/// thing voids it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Whom it was mailed to.
    pub identity: IdentityId,
    /// What it does.
    pub purpose: LinkPurpose,
    /// From when on it is refused.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub valid_until: Timestamp,
}

/// What a mailed link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPurpose {
    /// Accepts a membership.
    Activation {
        /// In which tenant.
        tenant: TenantId,
        /// Which membership.
        user: UserId,
    },
    /// Sets a new password.
    PasswordReset,
    /// Agrees to a reset of the second factor that a tenant asked for.
    TwoFactorReset {
        /// Which tenant.
        tenant: TenantId,
        /// The person's membership there.
        user: UserId,
    },
}
