//! Work on tags in the background: how far it is, and what of it is due.

use crate::accounts::held;
use crate::due;
use crate::entity;
use crate::keys::{self, Due};
use crate::table::{Item, StoreError, Table};
use crate::tags::advanced;
use crate::transaction::{Transaction, number};
use belfry_domain::audit::Entry;
use belfry_domain::id::{TagId, TenantId};
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use belfry_domain::tag::work::{Assignment, KEPT, Stage, Tagging};
use jiff::Timestamp;

impl Table {
    /// Keeps how far the walk over a tenant's members is. False when it changed meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn advance_tagging(
        &self,
        before: &Tagging,
        after: &Tagging,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        held(advanced(before, after)?.run(self, entropy).await)
    }

    /// The last assignment of a tag by a filter. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn assignment(
        &self,
        tenant: TenantId,
        tag: TagId,
    ) -> Result<Option<Assignment>, StoreError> {
        entity::get(self, &keys::assignment(tenant, tag)).await
    }

    /// Begins an assignment, in place of the last one of its tag. False when another one began or
    /// goes on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn start_assignment(
        &self,
        grant: &Grant,
        entry: &Entry,
        assignment: &Assignment,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let running = [(":running", crate::transaction::text(Stage::Running.name()))];
        let free = "attribute_not_exists(pk) OR #stage <> :running";
        let writes = Transaction::new().put(assignment_item(assignment)?, free, running);
        held(self.commit(grant, entry, writes, now, entropy).await)
    }

    /// Keeps how far an assignment is. False when another worker was faster.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn advance_assignment(
        &self,
        before: &Assignment,
        after: &Assignment,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let version = [(":version", number(before.version))];
        let item = assignment_item(after)?;
        let writes = Transaction::new().put(item, "#version = :version", version);
        held(writes.run(self, entropy).await)
    }

    /// The tenants whose members have to come to new rules; each by itself, as one may be damaged.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_tagging(
        &self,
        now: Timestamp,
    ) -> Result<Vec<Result<TenantId, StoreError>>, StoreError> {
        let due = due::items::<Tagging>(self, Due::Tagging, 10, now).await?.into_iter();
        Ok(due.map(|tagging| tagging.map(|tagging| tagging.tenant)).collect())
    }

    /// The assignments that are due; each by itself.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_assignments(
        &self,
        now: Timestamp,
    ) -> Result<Vec<Result<(TenantId, TagId), StoreError>>, StoreError> {
        let due = due::items::<Assignment>(self, Due::Assignment, 10, now).await?.into_iter();
        let named = |assignment: Assignment| (assignment.tenant, assignment.tag);
        Ok(due.map(|assignment| assignment.map(named)).collect())
    }
}

/// An assignment's item; while it goes on, with its place among what is due.
fn assignment_item(assignment: &Assignment) -> Result<Item, StoreError> {
    let until = assignment.created_at.checked_add(KEPT).unwrap_or(assignment.created_at);
    let key = keys::assignment(assignment.tenant, assignment.tag);
    let mut item = entity::expiring(&key, assignment, until)?;
    if assignment.stage == Stage::Running {
        let shard = keys::due_shard(assignment.tag.bytes());
        let place = keys::due_sort(assignment.due_at, assignment.tenant, &assignment.tag);
        due::insert(&mut item, (Due::Assignment, shard), place);
    }
    Ok(item)
}
