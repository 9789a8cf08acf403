//! Lists in the order of their index: page by page, all of them or those that pass.

use crate::entity::{self, Entity};
use crate::keys;
use crate::table::{StoreError, Table};
use crate::transaction::text;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;

/// Rows in their order, each with its place in it.
pub type Listed<T> = Vec<(String, T)>;

/// Rows that one request looks at before it answers with what it found: of users a tenth of a second
/// and 400 read units.
const MOST_LOOKED_AT: usize = 5_000;
/// So many at once when most will not pass: below the 1 MB of a query.
const PORTION: usize = 1_000;

/// The rows of an index partition from behind a place on, at most `limit`, and whether there may be
/// more. Eventually consistent: 0.5 RRU per 4 KB.
pub(crate) async fn page<T: Entity>(
    table: &Table,
    partition: &str,
    after: Option<&str>,
    limit: i32,
) -> Result<(Listed<T>, bool), StoreError> {
    let mut query = table
        .client()
        .query()
        .table_name(table.name())
        .index_name(keys::GSI1)
        .expression_attribute_values(":pk", text(partition))
        .return_consumed_capacity(ReturnConsumedCapacity::Total)
        .limit(limit);
    query = match after {
        None => query.key_condition_expression("gsi1pk = :pk"),
        Some(after) => query
            .key_condition_expression("gsi1pk = :pk AND gsi1sk > :after")
            .expression_attribute_values(":after", text(after)),
    };
    let answer = query.send().await?;
    table.meter().read(answer.consumed_capacity.iter());
    let more = answer.last_evaluated_key.is_some();
    let items = answer.items.unwrap_or_default().into_iter();
    let listed = items.map(|item| {
        let place = item.get("gsi1sk").and_then(|place| place.as_s().ok()).cloned();
        Ok((place.unwrap_or_default(), entity::value(item)?))
    });
    Ok((listed.collect::<Result<_, StoreError>>()?, more))
}

/// The rows of an index partition that pass (all, when none is asked for), from behind a place on, at
/// most `limit`; and the place after which the list goes on. Looks at 5,000 rows at most: what it
/// found by then is its answer.
pub(crate) async fn find<T: Entity>(
    table: &Table,
    partition: &str,
    passes: Option<impl Fn(&T) -> bool>,
    mut after: Option<String>,
    limit: usize,
) -> Result<(Vec<T>, Option<String>), StoreError> {
    let mut found = Vec::new();
    let mut looked_at = 0;
    loop {
        let portion = if passes.is_none() { limit.saturating_sub(found.len()) } else { PORTION };
        let portion = i32::try_from(portion).unwrap_or(i32::MAX);
        let (rows, more) = page(table, partition, after.as_deref(), portion).await?;
        let mut rest = rows.into_iter().peekable();
        while let Some((place, row)) = rest.next() {
            looked_at += 1;
            if passes.as_ref().is_none_or(|passes| passes(&row)) {
                found.push(row);
            }
            let full = found.len() >= limit || looked_at >= MOST_LOOKED_AT;
            let is_last = rest.peek().is_none() && !more;
            after = Some(place);
            if full && !is_last {
                return Ok((found, after));
            }
        }
        if !more {
            return Ok((found, None));
        }
    }
}
