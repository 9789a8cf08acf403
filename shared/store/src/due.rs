//! Work that is due, of all tenants: items with a place in the index, by kind and time.

use crate::entity::{self, Entity};
use crate::keys::{self, Due};
use crate::table::{Item, StoreError, Table};
use crate::transaction::text;
use futures::future::try_join_all;
use jiff::Timestamp;

/// Gives an item its place.
pub(crate) fn insert(item: &mut Item, (kind, shard): (Due, u8), place: String) {
    item.insert("gsi1pk".to_owned(), text(keys::due(kind, shard)));
    item.insert("gsi1sk".to_owned(), text(place));
}

/// The items of a kind that are due, at most `limit` of each shard, the oldest of a shard first; each by
/// itself, so that a damaged one keeps nobody from the others. Eventually consistent; one query a shard,
/// side by side.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn items<T: Entity>(
    table: &Table,
    kind: Due,
    limit: i32,
    now: Timestamp,
) -> Result<Vec<Result<T, StoreError>>, StoreError> {
    let shards = (0..keys::DUE_SHARDS).map(|shard| async move {
        let answer = table
            .client()
            .query()
            .table_name(table.name())
            .index_name(keys::GSI1)
            .key_condition_expression("gsi1pk = :pk AND gsi1sk < :now")
            .expression_attribute_values(":pk", text(keys::due(kind, shard)))
            .expression_attribute_values(":now", text(keys::due_time(now)))
            .limit(limit)
            .send()
            .await?;
        Ok::<_, StoreError>(answer.items.unwrap_or_default())
    });
    let shards = try_join_all(shards).await?;
    Ok(shards.into_iter().flatten().map(entity::value).collect())
}
