//! Erasing a person: what is kept of a deleted user no longer says who it was.

use crate::accounts::held;
use crate::keys;
use crate::table::{Item, StoreError, Table};
use crate::transaction::text;
use crate::users::changed_user;
use belfry_domain::account::User;
use belfry_domain::audit::{Entry, KEPT};
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};

/// Longer than no month.
const MONTH: SignedDuration = SignedDuration::from_hours(24 * 28);

impl Table {
    /// Removes the erasable parts of the audit records about a user, and where the user came from in
    /// what happened at the door. The chain of records stays whole. Repeating it does nothing. Reads
    /// all of the tenant's erasable parts and accesses: 1 RRU per 8 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn erase_traces(
        &self,
        grant: &Grant,
        user: &User,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let tenant = grant.tenant();
        let parts = keys::audit_personal_partition(tenant);
        for keys in self.traces(&parts, "#about = :user", "about", user).await? {
            let delete = |key| {
                let call = self.client().delete_item().table_name(self.name());
                call.set_key(Some(key)).send()
            };
            try_join_all(keys.into_iter().map(delete)).await?;
        }
        let mut month = now;
        let oldest = now - KEPT - MONTH;
        let mut partition = String::new();
        while month >= oldest {
            let next = keys::access_partition(Some(tenant), month);
            month -= MONTH;
            if next == partition {
                continue;
            }
            partition = next;
            let condition = "#user = :user AND attribute_exists(source_address)";
            for keys in self.traces(&partition, condition, "user", user).await? {
                let forget = |key| {
                    let call = self.client().update_item().table_name(self.name());
                    let call = call.set_key(Some(key)).condition_expression("attribute_exists(pk)");
                    call.update_expression("REMOVE source_address").send()
                };
                try_join_all(keys.into_iter().map(forget)).await?;
            }
        }
        Ok(())
    }

    /// The keys of a partition's items that pass, at most 50 at once.
    async fn traces(
        &self,
        partition: &str,
        filter: &str,
        name: &str,
        user: &User,
    ) -> Result<Vec<Vec<Item>>, StoreError> {
        let mut keys = Vec::new();
        let mut start = None;
        loop {
            let answer = self
                .client()
                .query()
                .table_name(self.name())
                .key_condition_expression("pk = :pk")
                .filter_expression(filter)
                .projection_expression("pk, sk")
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(":pk", text(partition))
                .expression_attribute_values(":user", text(user.id.to_string()))
                .set_exclusive_start_key(start)
                .consistent_read(true)
                .send()
                .await?;
            keys.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(keys.chunks(50).map(<[Item]>::to_vec).collect());
            }
        }
    }

    /// Keeps a deleted user without what says who it was. False when it changed meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn erase_user(
        &self,
        grant: &Grant,
        entry: &Entry,
        (before, after): (&User, &User),
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        held(self.commit(grant, entry, changed_user(before, after)?, now, entropy).await)
    }
}
