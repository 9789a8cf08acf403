//! The outbox in the table: entries under the day of their making, taken by a conditional update.

use crate::entity::{self, Entity};
use crate::keys::{self, SK};
use crate::table::{Item, StoreError, Table, if_held, key_item};
use crate::transaction::{millis, number, text};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use belfry_domain::id::OutboxId;
use belfry_domain::outbox::{KEEP_PARKED, LEASE, OutboxEntry, Outgoing};
use belfry_domain::ports::Day;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Stored {
    outgoing: Outgoing,
    /// Unix milliseconds.
    due_at: i64,
    attempts: u32,
}

impl Entity for Stored {
    const TYPE: &'static str = "outbox";
}

/// An entry that this worker alone may deliver until the lease ends. Only [`Table::claim_outbox`]
/// makes one.
#[derive(Debug)]
pub struct Claim(OutboxEntry);

impl Claim {
    /// The entry, this attempt counted.
    pub const fn entry(&self) -> &OutboxEntry {
        &self.0
    }
}

/// The item of a new entry, to be created in the transaction of the change it belongs to. 2 WRU
/// per KB there.
///
/// # Errors
/// [`StoreError::Corrupt`] when it does not serialize, which is a fault of ours.
pub fn item(entry: &OutboxEntry) -> Result<Item, StoreError> {
    let stored = Stored {
        outgoing: entry.outgoing.clone(),
        due_at: entry.due_at.as_millisecond(),
        attempts: entry.attempts,
    };
    entity::item(&keys::outbox(entry.id), &stored)
}

impl Table {
    /// Takes an outbox entry that is due. None when there is none, another worker has it, it is
    /// not due yet, or it is parked. 1 WRU per KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_outbox(
        &self,
        id: OutboxId,
        now: Timestamp,
    ) -> Result<Option<Claim>, StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(self.name())
            .set_key(Some(key_item(&keys::outbox(id))))
            .update_expression("SET due_at = :lease, attempts = attempts + :one")
            .condition_expression("due_at <= :now AND attribute_not_exists(parked)")
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":lease", millis(now + LEASE))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew);
        let Some(answer) = if_held(call.send().await)? else { return Ok(None) };
        let Stored { outgoing, due_at, attempts } =
            entity::value(answer.attributes.unwrap_or_default())?;
        let due_at = Timestamp::from_millisecond(due_at)
            .map_err(|error| StoreError::corrupt(id.to_string(), error))?;
        Ok(Some(Claim(OutboxEntry { id, outgoing, due_at, attempts })))
    }

    /// Removes a delivered entry, whoever holds it by now: it has left. 1 WRU per KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn complete_outbox(&self, claim: Claim) -> Result<(), StoreError> {
        let key = key_item(&keys::outbox(claim.0.id));
        self.client().delete_item().table_name(self.name()).set_key(Some(key)).send().await?;
        Ok(())
    }

    /// Gives an entry back until `at`. Does nothing when the lease ended and another worker took
    /// it: what becomes of the entry is that one's to say. 1 WRU per KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reschedule_outbox(&self, claim: Claim, at: Timestamp) -> Result<(), StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(self.name())
            .set_key(Some(key_item(&keys::outbox(claim.0.id))))
            .update_expression("SET due_at = :at")
            .condition_expression("attempts = :mine")
            .expression_attribute_values(":at", millis(at))
            .expression_attribute_values(":mine", number(claim.0.attempts.into()));
        if_held(call.send().await).map(drop)
    }

    /// Puts an entry aside that will never be delivered, with a code that says why; the table
    /// drops it after [`KEEP_PARKED`]. Does nothing as in [`Self::reschedule_outbox`]. 1 WRU per
    /// KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn park_outbox(
        &self,
        claim: Claim,
        why: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let gone = AttributeValue::N((now + KEEP_PARKED).as_second().to_string());
        let call = self
            .client()
            .update_item()
            .table_name(self.name())
            .set_key(Some(key_item(&keys::outbox(claim.0.id))))
            .update_expression("SET parked = :why, expires_at = :gone")
            .condition_expression("attempts = :mine")
            .expression_attribute_values(":why", text(why))
            .expression_attribute_values(":gone", gone)
            .expression_attribute_values(":mine", number(claim.0.attempts.into()));
        if_held(call.send().await).map(drop)
    }

    /// The outbox entries of a day that are due, oldest first, at most `limit`. Eventually
    /// consistent: the next sweep sees what this one missed. 0.5 RRU per 4 KB of the day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_outbox(
        &self,
        day: Day,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<OutboxId>, StoreError> {
        let mut ids = Vec::new();
        let mut from = None;
        loop {
            let answer = self
                .client()
                .query()
                .table_name(self.name())
                .key_condition_expression("pk = :day")
                .filter_expression("due_at <= :now AND attribute_not_exists(parked)")
                .projection_expression("sk")
                .expression_attribute_values(":day", text(keys::outbox_day(day)))
                .expression_attribute_values(":now", millis(now))
                .set_exclusive_start_key(from)
                .send()
                .await?;
            for item in answer.items() {
                let id = item.get(SK).and_then(|sk| sk.as_s().ok()?.parse().ok());
                ids.push(id.ok_or_else(|| {
                    StoreError::corrupt(keys::outbox_day(day), "a sort key that is no outbox id")
                })?);
            }
            from = answer.last_evaluated_key;
            if from.is_none() || ids.len() >= limit {
                ids.truncate(limit);
                return Ok(ids);
            }
        }
    }
}
