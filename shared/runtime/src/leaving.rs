//! What becomes of the person behind a user who is a member no longer.

use crate::invite::lost;
use belfry_domain::account::{Identity, Status, User};
use belfry_domain::audit::Entry;
use belfry_store::users::PersonMove;
use belfry_store::{StoreError, Table};

/// A person who ceases to be a member: as it is, and as it becomes.
#[derive(Debug)]
pub struct Leaving {
    before: Identity,
    after: Identity,
}

impl Leaving {
    /// The person of a user who leaves; none when there is none, or the invitation was never accepted.
    /// Whose last membership it was has nothing left to log in with.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of(table: &Table, user: &User) -> Result<Option<Self>, StoreError> {
        let Some(id) = user.identity.filter(|_| user.status != Status::Invited) else {
            return Ok(None);
        };
        let before = table.identity(id).await?.ok_or_else(|| lost(id))?;
        let memberships = table.memberships(id).await?;
        let elsewhere = memberships.iter().any(|membership| membership.tenant != user.tenant);
        let after = if elsewhere { before.changed() } else { before.forgotten() };
        Ok(Some(Self { before, after }))
    }

    /// Says in the record whether the person has nothing left to log in with.
    #[must_use]
    pub fn recorded(&self, entry: Entry) -> Entry {
        let forgotten = self.before.password.is_some() && self.after.password.is_none();
        if forgotten { entry.set("password_and_second_factor", "forgotten") } else { entry }
    }

    /// What becomes of the person.
    pub const fn leaves(&self) -> PersonMove<'_> {
        PersonMove::Leaves(&self.before, &self.after)
    }
}
