//! Writes that must not happen twice although they are asked for twice.

use crate::entity::{self, Entity};
use crate::keys;
use crate::table::{StoreError, Table};
use crate::transaction::{Transaction, number};
use belfry_domain::id::{TenantId, UserId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// For so long a repeat is recognised.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// That it was done.
#[derive(Debug, Serialize, Deserialize)]
struct Done {
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    at: Timestamp,
    /// What was answered, where a repeat is told the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
}

impl Entity for Done {
    const TYPE: &'static str = "idempotency";
}

/// The one write that goes with what is asked for: its condition does not hold when `user` asked
/// under the same `digest` (of route and `Idempotency-Key`) within 24 hours.
///
/// # Errors
/// [`StoreError`].
pub fn once(
    tenant: TenantId,
    user: UserId,
    digest: &str,
    now: Timestamp,
) -> Result<Transaction, StoreError> {
    write(tenant, user, digest, None, now)
}

/// The same with what is answered, for a repeat to be told (see [`Table::answered`]).
///
/// # Errors
/// [`StoreError`].
pub fn once_with(
    tenant: TenantId,
    user: UserId,
    digest: &str,
    answer: &str,
    now: Timestamp,
) -> Result<Transaction, StoreError> {
    write(tenant, user, digest, Some(answer.to_owned()), now)
}

fn write(
    tenant: TenantId,
    user: UserId,
    digest: &str,
    answer: Option<String>,
    now: Timestamp,
) -> Result<Transaction, StoreError> {
    let until = now.checked_add(KEPT).unwrap_or(now);
    let key = keys::idempotency(tenant, user, digest);
    let item = entity::expiring(&key, &Done { at: now, answer }, until)?;
    // The table drops what has expired late.
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let condition = "attribute_not_exists(pk) OR #expires_at <= :now";
    Ok(Transaction::new().put(item, condition, [(":now", number(seconds))]))
}

impl Table {
    /// Whether `user` did this within 24 hours (see [`once`]). 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn was_done(
        &self,
        tenant: TenantId,
        user: UserId,
        digest: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.done(tenant, user, digest, now).await?.is_some())
    }

    /// What `user` was answered within 24 hours (see [`once_with`]). 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn answered(
        &self,
        tenant: TenantId,
        user: UserId,
        digest: &str,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        Ok(self.done(tenant, user, digest, now).await?.and_then(|done| done.answer))
    }

    async fn done(
        &self,
        tenant: TenantId,
        user: UserId,
        digest: &str,
        now: Timestamp,
    ) -> Result<Option<Done>, StoreError> {
        let done: Option<Done> =
            entity::get(self, &keys::idempotency(tenant, user, digest)).await?;
        Ok(done.filter(|done| now.duration_since(done.at) < KEPT))
    }
}
