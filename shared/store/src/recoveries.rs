//! Recoveries of companies that their last super admin is lost to.

use crate::accounts::held;
use crate::due;
use crate::entity::{self, Entity};
use crate::keys::{self, Due};
use crate::table::{Item, StoreError, Table};
use crate::transaction::{Transaction, number};
use belfry_domain::account::Tenant;
use belfry_domain::audit::Entry;
use belfry_domain::id::{RecoveryId, TenantId};
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use belfry_domain::recovery::{KEPT, Recovery};
use belfry_domain::secret::SecretHash;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// From a mailed link to what it stops.
#[derive(Debug, Serialize, Deserialize)]
struct StopLink {
    tenant: TenantId,
    recovery: RecoveryId,
}

impl Entity for StopLink {
    const TYPE: &'static str = "recovery_link";
}

impl Table {
    /// Writes a recovery down, with the mails that announce it, its record and what is `beside`. False when
    /// another one was, or the tenant changed, meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn announce_recovery(
        &self,
        grant: &Grant,
        entry: &Entry,
        (tenant, recovery, mails): (&Tenant, &Recovery, Vec<Item>),
        beside: Transaction,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let link = StopLink { tenant: recovery.tenant, recovery: recovery.id };
        let link = entity::expiring(&keys::recovery_link(&recovery.stop), &link, recovery.acts_at)?;
        // Two at once find the same tenant, and one of them finds it changed.
        let (before, next) = (number(tenant.version), number(tenant.version.saturating_add(1)));
        let alone = [(":before", before), (":next", next)];
        let set = "SET #version = :next";
        let mut writes = Transaction::new()
            .update(keys::tenant(tenant.id), set, "#version = :before", alone)
            .create(item(recovery)?)
            .create(link)
            .and(beside);
        for mail in mails {
            writes = writes.create(mail);
        }
        held(self.commit(grant, entry, writes, now, entropy).await)
    }

    /// A tenant's recoveries. One strong query.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recoveries(&self, tenant: TenantId) -> Result<Vec<Recovery>, StoreError> {
        let range = (keys::RECOVERIES.to_owned(), format!("{}~", keys::RECOVERIES));
        let partition = keys::tenant_partition(tenant);
        let found = entity::query(self, &partition, Some(range), true).await?;
        Ok(found.into_iter().map(|(_, recovery)| recovery).collect())
    }

    /// A recovery. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recovery(
        &self,
        tenant: TenantId,
        id: RecoveryId,
    ) -> Result<Option<Recovery>, StoreError> {
        entity::get(self, &keys::recovery(tenant, id)).await
    }

    /// What the link with this hash stops; none when there is no such link any longer. 2 calls.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recovery_behind(&self, hash: &SecretHash) -> Result<Option<Recovery>, StoreError> {
        match entity::get::<StopLink>(self, &keys::recovery_link(hash)).await? {
            Some(StopLink { tenant, recovery }) => self.recovery(tenant, recovery).await,
            None => Ok(None),
        }
    }

    /// The recoveries that are due, at most 10 of each shard; each by itself, as one may be damaged.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_recoveries(
        &self,
        now: Timestamp,
    ) -> Result<Vec<Result<Recovery, StoreError>>, StoreError> {
        due::items(self, Due::Recovery, 10, now).await
    }

    /// Ends a recovery that changes nothing else, by [`ended`] and its mail, with its record. False when it
    /// has ended already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_recovery(
        &self,
        grant: &Grant,
        entry: &Entry,
        writes: Transaction,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        held(self.commit(grant, entry, writes, now, entropy).await)
    }
}

/// The write of a recovery that has come to an end, if it has not yet.
///
/// # Errors
/// [`StoreError`].
pub fn ended(before: &Recovery, after: &Recovery) -> Result<Transaction, StoreError> {
    let version = [(":before", number(before.version))];
    Ok(Transaction::new().put(item(after)?, "#version = :before", version))
}

/// A recovery's item; while it waits, with its place among what is due.
fn item(recovery: &Recovery) -> Result<Item, StoreError> {
    let until = recovery.acts_at.checked_add(KEPT).unwrap_or(recovery.acts_at);
    let key = keys::recovery(recovery.tenant, recovery.id);
    let mut item = entity::expiring(&key, recovery, until)?;
    if recovery.is_open() {
        let shard = keys::due_shard(recovery.id.bytes());
        let place = keys::due_sort(recovery.acts_at, recovery.tenant, &recovery.id);
        due::insert(&mut item, (Due::Recovery, shard), place);
    }
    Ok(item)
}
