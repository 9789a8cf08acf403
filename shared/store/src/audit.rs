//! The audit trail. A change and its record are one transaction: there is no other way to write an
//! audited change.

use crate::entity::{self, Entity};
use crate::keys;
use crate::table::{StoreError, Table};
use crate::transaction::{Refused, TRIES, Transaction, number, pause, text};
use belfry_domain::audit::{Access, Entry, Head, KEPT, Link, append};
use belfry_domain::id::TenantId;
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A record as it is stored: the text that was hashed, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    text: String,
    #[serde(with = "serde_bytes")]
    hash: [u8; 32],
}

/// The erasable part as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredPersonal {
    text: String,
}

impl Entity for Stored {
    const TYPE: &'static str = "audit";
}
impl Entity for StoredPersonal {
    const TYPE: &'static str = "audit_personal";
}
impl Entity for Head {
    const TYPE: &'static str = "audit_head";
}
impl Entity for Access {
    const TYPE: &'static str = "access";
}

/// A record of the chain and its erasable part, byte for byte as hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The record as JSON.
    pub text: String,
    /// The erasable part as JSON, unless it was erased or there is none.
    pub personal: Option<String>,
}

impl Table {
    /// Does `change` and writes its record, both or neither. Reads the chain's end first and, when
    /// another change gets ahead, again, a bounded number of times.
    ///
    /// # Errors
    /// [`Refused::Condition`] with a place in `change`.
    pub async fn commit(
        &self,
        grant: &Grant,
        entry: &Entry,
        change: Transaction,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(), Refused> {
        let own = change.len();
        for attempt in 0..TRIES {
            let head = entity::get(self, &keys::audit_head(grant.tenant())).await?;
            let head = head.unwrap_or(Head::EMPTY);
            let link = append(&head, grant, entry, now, entropy)
                .map_err(|error| StoreError::corrupt("an audit record", error))?;
            let whole = change.clone().and(written(grant.tenant(), &head, &link, now)?);
            match whole.run(self, entropy).await {
                Err(Refused::Condition(place)) if place >= own => pause(attempt, entropy).await,
                done => return done,
            }
        }
        Err(Refused::Store(StoreError::Unavailable("the audit trail is too busy".into())))
    }

    /// The records after number `after`, at most `limit`, and the chain's end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_trail(
        &self,
        tenant: TenantId,
        after: u64,
        limit: u32,
    ) -> Result<(Vec<Kept>, Head), StoreError> {
        let head = entity::get(self, &keys::audit_head(tenant)).await?.unwrap_or(Head::EMPTY);
        let last = head.sequence.min(after.saturating_add(u64::from(limit)));
        let wanted: Vec<_> = (after.saturating_add(1)..=last)
            .map(|n| (keys::audit_record(tenant, n), keys::audit_personal(tenant, n)))
            .collect();
        let flat: Vec<_> = wanted.iter().flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
        let mut found = entity::get_many(self, &flat).await?;
        let mut kept = Vec::with_capacity(wanted.len());
        for (record, personal) in &wanted {
            // Records over their time are dropped by the table from the beginning on.
            let Some(record) = found.take::<Stored>(record)? else { continue };
            let personal = found.take::<StoredPersonal>(personal)?.map(|personal| personal.text);
            kept.push(Kept { text: record.text, personal });
        }
        Ok((kept, head))
    }

    /// Writes down what happened at the door of `tenant` (or of nobody we know). 1 WRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_access(
        &self,
        tenant: Option<TenantId>,
        access: &Access,
    ) -> Result<(), StoreError> {
        self.client()
            .put_item()
            .table_name(self.name())
            .set_item(Some(access_item(tenant, access)?))
            .send()
            .await?;
        Ok(())
    }

    /// Writes several such down, in one call for up to 25. 1 WRU each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_accesses(
        &self,
        notes: &[(Option<TenantId>, Access)],
    ) -> Result<(), StoreError> {
        let items = notes.iter().map(|(tenant, access)| access_item(*tenant, access));
        entity::put_many(self, items.collect::<Result<_, _>>()?).await
    }

    /// Everything at the door of `tenant` in the month of `at`, oldest first, at most one page of 1 MB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn accesses(
        &self,
        tenant: TenantId,
        at: Timestamp,
    ) -> Result<Vec<Access>, StoreError> {
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(keys::access_partition(Some(tenant), at)))
            .consistent_read(true)
            .send()
            .await?;
        answer.items.unwrap_or_default().into_iter().map(entity::value).collect()
    }
}

/// The writes of a link: the head first, because a rival shows there.
fn written(
    tenant: TenantId,
    before: &Head,
    link: &Link,
    now: Timestamp,
) -> Result<Transaction, StoreError> {
    let until = now.checked_add(KEPT).unwrap_or(now);
    let sequence = link.head.sequence;
    let head = entity::item(&keys::audit_head(tenant), &link.head)?;
    let record = Stored { text: link.text.clone(), hash: link.head.hash };
    let mut writes = Transaction::new();
    writes = if before.sequence == 0 {
        writes.create(head)
    } else {
        let values = [(":before", number(before.sequence))];
        writes.put(head, "#sequence = :before", values)
    };
    writes =
        writes.create(entity::expiring(&keys::audit_record(tenant, sequence), &record, until)?);
    if let Some(text) = &link.personal {
        let personal = StoredPersonal { text: text.clone() };
        let key = keys::audit_personal(tenant, sequence);
        writes = writes.create(entity::expiring(&key, &personal, until)?);
    }
    Ok(writes)
}

/// The item of an access, for a transaction.
pub(crate) fn access_item(
    tenant: Option<TenantId>,
    access: &Access,
) -> Result<crate::table::Item, StoreError> {
    let until = access.at.checked_add(KEPT).unwrap_or(access.at);
    entity::expiring(&keys::access(tenant, access.at, access.id), access, until)
}
