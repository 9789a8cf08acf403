//! What becomes of a tenant's users by what a directory says of a person: one answer for every kind of
//! directory, and without any of them.

use crate::account::{DirectoryLink, MOST_GROUPS, Role, Source, Status, User};
use crate::business_email::is_business;
use crate::directory::person::Person;
use crate::directory::provider::Settings;
use crate::failure::{Failure, FailureKind};
use crate::users::{Move, NewUser};

/// Why a user is not what its directory says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A user of the tenant has the address, and is not to become the directory's.
    #[error("another user of the company has this address")]
    Taken,
    /// A user of another directory has it.
    #[error("a user of another directory has this address")]
    OtherDirectory,
    /// It is a super admin, who is changed at the console only.
    #[error("this user is a super admin: its directory does not change it")]
    SuperAdmin,
}

impl Failure for Conflict {
    fn kind(&self) -> FailureKind {
        FailureKind::Conflict
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Taken => "already_exists",
            Self::OtherDirectory => "other_directory",
            Self::SuperAdmin => "super_admin",
        }
    }
}

/// What becomes of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody new: in these groups, and active unless the directory says no. With a console it is
    /// invited.
    Create(NewUser),
    /// The one that there is becomes this one, and its person does that.
    Change(Box<User>, Move),
    /// Its address is another one: this one goes, somebody new comes.
    Replace(NewUser),
    /// Nothing.
    Unchanged,
}

/// Judges a person whom the directory did not know before. `present` is the tenant's user with the same
/// address, if there is one; `link` is what makes a user the directory's.
///
/// # Errors
/// [`Conflict`].
pub fn arrive(
    settings: &Settings,
    person: &Person,
    present: Option<&User>,
    link: DirectoryLink,
) -> Result<Verdict, Conflict> {
    let Some(present) = present else { return Ok(Verdict::Create(newcomer(settings, person))) };
    if present.source == Source::Directory {
        let own = present.directory.is_some_and(|of| of.provider == link.provider);
        return Err(if own { Conflict::Taken } else { Conflict::OtherDirectory });
    }
    if !settings.adopt_existing || present.role == Role::SuperAdmin {
        return Err(Conflict::Taken);
    }
    let adopted = User {
        source: Source::Directory,
        directory: Some(link),
        // What an administrator chose stays, until that is taken back.
        role_pinned: present.role != Role::User,
        ..present.clone()
    };
    let (next, moves) = told(settings, person, &adopted);
    Ok(Verdict::Change(Box::new(next), moves))
}

/// Judges a person whom the directory has as `user`. `other` is the tenant's user with the address that
/// the person has now, if that is another one.
///
/// # Errors
/// [`Conflict`].
pub fn follow(
    settings: &Settings,
    person: &Person,
    user: &User,
    other: Option<&User>,
) -> Result<Verdict, Conflict> {
    let elsewhere = person.email != user.email;
    let (next, moves) = told(settings, person, user);
    if !elsewhere && next == *user {
        return Ok(Verdict::Unchanged);
    }
    if user.role == Role::SuperAdmin {
        return Err(Conflict::SuperAdmin);
    }
    if !elsewhere {
        return Ok(Verdict::Change(Box::new(next), moves));
    }
    let Some(other) = other else { return Ok(Verdict::Replace(newcomer(settings, person))) };
    let of = |user: &User| user.directory.map(|of| of.provider);
    let others = other.source == Source::Directory && of(other) != of(user);
    Err(if others { Conflict::OtherDirectory } else { Conflict::Taken })
}

/// Somebody new. What was chosen for whoever had another address is not this one's.
fn newcomer(settings: &Settings, person: &Person) -> NewUser {
    NewUser {
        first_name: person.first_name.clone(),
        last_name: person.last_name.clone(),
        email: person.email.clone(),
        mobile: person.mobile.clone(),
        phone: person.phone.clone(),
        attributes: person.attributes.clone(),
        // Whoever may not use anything is not invited to a console either.
        role: if person.active { role(settings, person) } else { Role::User },
        two_factor_required: false,
    }
}

/// A new user as the directory has it.
#[must_use]
pub fn arrived(user: User, person: &Person, link: DirectoryLink) -> User {
    User {
        directory: Some(link),
        groups: person.groups.iter().take(MOST_GROUPS).cloned().collect(),
        status: if person.active { user.status } else { Status::Deactivated },
        ..user
    }
}

/// The role that the person's groups give; none with a console to who has no business address.
fn role(settings: &Settings, person: &Person) -> Role {
    if is_business(&person.email) { settings.role(&person.groups) } else { Role::User }
}

/// The user as the person is, all but the address; the same version again when nothing changes.
fn told(settings: &Settings, person: &Person, user: &User) -> (User, Move) {
    let mut next = User {
        first_name: person.first_name.clone(),
        last_name: person.last_name.clone(),
        mobile: person.mobile.clone(),
        phone: person.phone.clone(),
        attributes: person.attributes.clone(),
        groups: person.groups.iter().take(MOST_GROUPS).cloned().collect(),
        ..user.clone()
    };
    let wanted = if user.role_pinned { user.role } else { role(settings, person) };
    // Who is off is off as what it was: nobody is invited to come back.
    next.role = if person.active || wanted == Role::User { wanted } else { user.role };
    next.status = match (user.status, person.active) {
        // Of an invitation that is taken back nothing is left.
        (_, false) => Status::Deactivated,
        (Status::Deactivated, true) => Status::Active,
        (status, true) => status,
    };
    let member = user.identity.is_some();
    let withdrawn = user.status == Status::Invited && !person.active;
    let moves = if next.has_console() && !withdrawn {
        if member || !person.active {
            Move::Stays
        } else {
            next.status = Status::Invited;
            Move::Enters
        }
    } else if member {
        next.leave();
        Move::Leaves
    } else {
        Move::Stays
    };
    if next == *user {
        return (next, moves);
    }
    if (next.role, next.status) != (user.role, user.status) {
        // What was opened under the old role, or before it was deactivated, is over.
        next.sessions = user.sessions.wrapping_add(1);
    }
    next.version = user.version.saturating_add(1);
    (next, moves)
}

#[cfg(test)]
mod tests;
