//! What may become of a user: who comes and goes, which fields are whose to change.

use crate::account::{Role, Source, Status, User};
use crate::attribute::{UserAttribute, UserAttributes};
use crate::email::EmailAddress;
use crate::failure::{Failure, FailureKind};
use crate::id::{IdentityId, TenantId, UserId};
use crate::ports::Entropy;
use crate::second_factor::State;
use crate::secret::SecretHash;
use crate::tag::marks::Marks;
use crate::text::{AttributeText, PersonName, Telephone, folded};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub mod record;

/// Why a user cannot be changed so, whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unchangeable {
    /// One's own role, status or attributes, by which one may have tags; or oneself.
    #[error("nobody changes their own role, status or attributes, or deletes themselves")]
    OwnAccount,
    /// The last super admin who is active.
    #[error("this is the last active super admin; appoint another one first")]
    LastSuperAdmin,
    /// Names and numbers of who was imported.
    #[error("the names and numbers of an imported user are not editable; delete and import anew")]
    CsvNotEditable,
    /// Names and numbers of who comes from a directory.
    #[error("the names and numbers of this user are changed in its directory")]
    DirectoryNotEditable,
    /// Who comes from a directory.
    #[error("this user is removed in its directory")]
    DirectoryNotDeletable,
    /// Whether who comes from a directory is active.
    #[error("this user is deactivated and reactivated in its directory")]
    DirectoryStatus,
    /// Only the role of who comes from a directory can be pinned.
    #[error("only the role of a user who comes from a directory is pinned")]
    NotOfDirectory,
    /// Nobody has accepted the invitation yet.
    #[error("the invitation is not accepted yet: delete the user, or send the activation again")]
    NotActivated,
    /// Deactivated, and so not to be promoted to the console.
    #[error("the user is deactivated; reactivate it first")]
    Deactivated,
}

impl Failure for Unchangeable {
    fn kind(&self) -> FailureKind {
        FailureKind::Conflict
    }
    fn code(&self) -> &'static str {
        match self {
            Self::OwnAccount => "own_account",
            Self::LastSuperAdmin => "last_super_admin",
            Self::CsvNotEditable => "csv_not_editable",
            Self::DirectoryNotEditable => "directory_not_editable",
            Self::DirectoryNotDeletable => "directory_not_deletable",
            Self::DirectoryStatus => "directory_status",
            Self::NotOfDirectory => "not_of_directory",
            Self::NotActivated => "not_activated",
            Self::Deactivated => "user_deactivated",
        }
    }
}

/// Somebody to be added to a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Address.
    pub email: EmailAddress,
    /// Mobile number.
    pub mobile: Option<Telephone>,
    /// Another telephone number.
    pub phone: Option<Telephone>,
    /// What else is known of it.
    pub attributes: UserAttributes,
    /// What it may do.
    pub role: Role,
    /// Whether this tenant requires the person's second factor.
    pub two_factor_required: bool,
}

impl NewUser {
    /// Whether it gets a console, and so is invited.
    pub fn has_console(&self) -> bool {
        self.role != Role::User
    }
}

impl User {
    /// A new user: with a console invited, as `identity`, by the link with this hash; without one
    /// active at once.
    pub fn new(
        tenant: TenantId,
        new: NewUser,
        source: Source,
        invited: Option<(IdentityId, SecretHash)>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        Self {
            id: UserId::new(now, entropy),
            tenant,
            identity: invited.map(|(identity, _)| identity),
            email: new.email,
            first_name: new.first_name,
            last_name: new.last_name,
            mobile: new.mobile,
            phone: new.phone,
            attributes: new.attributes,
            tags: Marks::default(),
            role: new.role,
            status: if invited.is_some() { Status::Invited } else { Status::Active },
            source,
            directory: None,
            groups: BTreeSet::new(),
            role_pinned: false,
            invitation: invited.map(|(_, link)| link),
            two_factor_required: new.two_factor_required,
            factor: None,
            two_factor_reset: None,
            sessions: 0,
            created_at: now,
            last_login_at: None,
            erased_at: None,
            version: 1,
        }
    }
}

/// What an administrator wants of a user; absent is "as it is".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// First name.
    pub first_name: Option<PersonName>,
    /// Last name.
    pub last_name: Option<PersonName>,
    /// Mobile number, or none from now on.
    pub mobile: Option<Option<Telephone>>,
    /// Another number, or none from now on.
    pub phone: Option<Option<Telephone>>,
    /// What else is known: each named one, or none of it from now on; the others stay.
    pub attributes: BTreeMap<UserAttribute, Option<AttributeText>>,
    /// Role.
    pub role: Option<Role>,
    /// Active, or not for now.
    pub active: Option<bool>,
    /// Whether its directory's groups leave its role alone.
    pub role_pinned: Option<bool>,
}

/// How a change concerns the person behind the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Not at all.
    Stays,
    /// The user gets a console: the person is invited.
    Enters,
    /// The user loses its console: the membership ends.
    Leaves,
}

impl User {
    /// The user as it becomes, the same version again when nothing changes; and what that means for
    /// the person.
    ///
    /// # Errors
    /// [`Unchangeable`].
    pub fn wanted(&self, wanted: &Wanted) -> Result<(Self, Move), Unchangeable> {
        let mut next = self.clone();
        if let Some(name) = &wanted.first_name {
            next.first_name.clone_from(name);
        }
        if let Some(name) = &wanted.last_name {
            next.last_name.clone_from(name);
        }
        if let Some(number) = &wanted.mobile {
            next.mobile.clone_from(number);
        }
        if let Some(number) = &wanted.phone {
            next.phone.clone_from(number);
        }
        if next != *self {
            self.source.lets_edit()?;
        }
        for (name, text) in &wanted.attributes {
            match text {
                Some(text) => next.attributes.insert(*name, text.clone()),
                None => next.attributes.remove(name),
            };
        }
        // A file has no column for them, so they are nobody's but the administrators'.
        if next.attributes != self.attributes && self.source == Source::Directory {
            return Err(Unchangeable::DirectoryNotEditable);
        }
        if let Some(active) = wanted.active {
            next.status = match (self.status, active) {
                (Status::Invited, _) => return Err(Unchangeable::NotActivated),
                (_, true) => Status::Active,
                (_, false) => Status::Deactivated,
            };
        }
        if next.status != self.status && self.source == Source::Directory {
            return Err(Unchangeable::DirectoryStatus);
        }
        next.role = wanted.role.unwrap_or(self.role);
        if self.source == Source::Directory {
            // What an administrator chose, the next synchronisation leaves alone.
            let chosen = self.role_pinned || next.role != self.role;
            next.role_pinned = wanted.role_pinned.unwrap_or(chosen);
        } else if wanted.role_pinned == Some(true) {
            return Err(Unchangeable::NotOfDirectory);
        }
        let moves = match (self.has_console(), next.has_console()) {
            (false, true) if next.status == Status::Deactivated => {
                return Err(Unchangeable::Deactivated);
            }
            (false, true) => {
                next.status = Status::Invited;
                Move::Enters
            }
            (true, false) => {
                // That its second factor is required stays, for when it has a console again: who may
                // change a role need not be who may change that.
                next.leave();
                Move::Leaves
            }
            _ => Move::Stays,
        };
        if next == *self {
            return Ok((next, moves));
        }
        if (next.role, next.status) != (self.role, self.status) {
            // What was opened under the old role, or before it was deactivated, is over.
            next.sessions = self.sessions.wrapping_add(1);
        }
        next.version = self.version.saturating_add(1);
        Ok((next, moves))
    }

    /// The user as it is kept after it was deleted.
    ///
    /// # Errors
    /// [`Unchangeable`].
    pub fn archived(&self) -> Result<Self, Unchangeable> {
        if self.source == Source::Directory {
            return Err(Unchangeable::DirectoryNotDeletable);
        }
        Ok(self.gone())
    }

    /// The same, also of who comes from a directory: its directory's to do.
    #[must_use]
    pub fn gone(&self) -> Self {
        let mut next = self.changed();
        next.leave();
        next.two_factor_required = false;
        next.tags = Marks::default();
        next.status = Status::Archived;
        next.directory = None;
        next.groups = BTreeSet::new();
        next.role_pinned = false;
        next.sessions = self.sessions.wrapping_add(1);
        next
    }

    /// The person is a member no longer.
    pub(crate) fn leave(&mut self) {
        self.identity = None;
        self.invitation = None;
        self.two_factor_reset = None;
        self.factor = None;
        if self.status == Status::Invited {
            self.status = Status::Active;
        }
    }

    /// The deleted user without anything that says who it was.
    #[must_use]
    pub fn erased(&self, now: Timestamp) -> Self {
        let nobody = |text: &str, fallback: &PersonName| text.parse().unwrap_or(fallback.clone());
        let address = format!("{}@erased.invalid", self.id);
        Self {
            email: address.parse().unwrap_or(self.email.clone()),
            first_name: nobody("Erased", &self.first_name),
            last_name: nobody("User", &self.last_name),
            mobile: None,
            phone: None,
            attributes: UserAttributes::new(),
            last_login_at: None,
            erased_at: Some(now),
            ..self.changed()
        }
    }
}

impl Source {
    /// Whether names and numbers are edited here.
    ///
    /// # Errors
    /// [`Unchangeable`].
    pub const fn lets_edit(self) -> Result<(), Unchangeable> {
        match self {
            Self::Manual => Ok(()),
            Self::Csv => Err(Unchangeable::CsvNotEditable),
            Self::Directory => Err(Unchangeable::DirectoryNotEditable),
        }
    }
}

/// Which users of a tenant are wanted; absent is "any".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Of this role.
    pub role: Option<Role>,
    /// Of this status; deleted ones only when asked for.
    pub status: Option<Status>,
    /// That came from there.
    pub source: Option<Source>,
    /// Whose second factor stands there.
    pub two_factor: Option<State>,
    /// Folded beginning of a name, the address or the mobile number.
    pub search: Option<String>,
    /// With one of these tag values.
    pub tags: Option<Marks>,
}

impl Filter {
    /// Whether the deleted are meant.
    pub fn archived(&self) -> bool {
        self.status == Some(Status::Archived)
    }

    /// Whether every user passes that is not deleted, or that is.
    pub fn is_any(&self) -> bool {
        let Self { role, status, source, two_factor, search, tags } = self;
        role.is_none()
            && matches!(status, None | Some(Status::Archived))
            && source.is_none()
            && two_factor.is_none()
            && search.is_none()
            && tags.is_none()
    }

    /// Whether a user is among the wanted.
    pub fn lets_pass(&self, user: &User) -> bool {
        self.archived() == user.is_archived()
            && self.role.is_none_or(|role| role == user.role)
            && self.status.is_none_or(|status| status == user.status)
            && self.source.is_none_or(|source| source == user.source)
            && self.two_factor.is_none_or(|state| state == user.two_factor())
            && self.search.as_deref().is_none_or(|wanted| begins(user, wanted))
            && self.tags.as_ref().is_none_or(|any| any.iter().any(|mark| user.tags.has(mark)))
    }
}

/// Whether a name, both names, the address or the mobile number begins so.
fn begins(user: &User, wanted: &str) -> bool {
    let (first, last) = (folded(user.first_name.as_str()), folded(user.last_name.as_str()));
    // As people type numbers: with or without what stands between the digits.
    let digits: String = wanted.chars().filter(|c| !matches!(c, ' ' | '-' | '+')).collect();
    let number = user.mobile.as_ref().map_or("", Telephone::as_str).trim_start_matches('+');
    format!("{first} {last}").starts_with(wanted)
        || last.starts_with(wanted)
        || user.email.as_str().starts_with(wanted)
        || (!digits.is_empty() && number.starts_with(&digits))
}
