//! The stream of telemetry in the table: heads, chunks of the event log, markers of taken parts, top
//! lists. Each write of plan-log-apply is one function with its condition.

use crate::entity::{self, Entity};
use crate::keys::{self, Key};
use crate::table::{Item, StoreError, Table};
use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use belfry_domain::dashboard::{BlockedAccesses, TOP_DAYS};
use belfry_domain::id::TenantId;
use belfry_domain::ports::Day;
use belfry_domain::product::Product;
use belfry_domain::telemetry::Damaged;
use belfry_domain::telemetry::part::PartId;
use belfry_domain::telemetry::plan::{Chunk, Head};
use belfry_domain::telemetry::stream::{Hash, Stream};
use belfry_domain::telemetry::tally::Tallies;
use belfry_domain::telemetry::top::{KEPT_DAYS, List, TopList};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Days that markers, tombstones and chunks of the log live.
pub const KEPT_TELEMETRY_DAYS: i32 = 35;

/// Whether a conditional write took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It did.
    Yes,
    /// Its condition did not hold: a rival, or an earlier try, was there first.
    No,
}

fn damaged(key: &Key, error: Damaged) -> StoreError {
    StoreError::corrupt(format!("{} / {}", key.pk, key.sk), error)
}

/// Unix seconds at which something written on `today` may be deleted.
pub(crate) fn expiry(today: Day, days: i32) -> i64 {
    today.minus(-days).start().as_second()
}

#[derive(Serialize, Deserialize)]
struct HeadItem {
    next_sequence: u64,
    tallies: ByteBuf,
}

#[derive(Serialize, Deserialize)]
struct ChunkItem {
    events: u64,
    chunk: ByteBuf,
    expires_at: i64,
}

#[derive(Serialize, Deserialize)]
struct MarkerItem {
    sequence: u64,
    expires_at: i64,
}

#[derive(Serialize, Deserialize)]
struct TopItem {
    applied: u64,
    list: ByteBuf,
    expires_at: i64,
}

impl Entity for HeadItem {
    const TYPE: &'static str = "head";
}
impl Entity for ChunkItem {
    const TYPE: &'static str = "chunk";
}
impl Entity for MarkerItem {
    const TYPE: &'static str = "marker";
}
impl Entity for TopItem {
    const TYPE: &'static str = "top";
}

impl HeadItem {
    fn head(&self, key: &Key) -> Result<Head, StoreError> {
        let tallies = Tallies::from_bytes(&self.tallies).map_err(|error| damaged(key, error))?;
        Ok(Head { next_sequence: self.next_sequence, tallies })
    }
}

/// What the markers say of the parts at hand.
#[derive(Debug, Default)]
pub struct Taken {
    /// First sequence of the chunk that took a part.
    pub parts: HashMap<PartId, u64>,
    /// Batches whose id was seen before with other content at the same part number.
    pub reused_ids: u64,
}

/// Writes and reads of the rollup of one stream.
impl Table {
    /// Head of a stream, read strongly; the default head when nothing was ever taken. 1 RRU for
    /// each 4 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn head(&self, stream: Stream) -> Result<Head, StoreError> {
        let key = keys::head(stream);
        match entity::get::<HeadItem>(self, &key).await? {
            Some(item) => item.head(&key),
            None => Ok(Head::default()),
        }
    }

    /// Which of these parts were taken before: one strong query for each batch, at least 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn taken(&self, stream: Stream, parts: &[&PartId]) -> Result<Taken, StoreError> {
        let batches: HashSet<&Hash> = parts.iter().map(|part| &part.batch).collect();
        let answers = futures::future::try_join_all(batches.into_iter().map(|batch| async move {
            let pk = keys::batch_partition(stream.tenant, stream.product, batch);
            let markers = entity::query::<MarkerItem>(self, &pk, None, true).await?;
            Ok::<_, StoreError>((batch, markers))
        }))
        .await?;
        let mut taken = Taken::default();
        for (batch, markers) in answers {
            let known: HashMap<&str, u64> =
                markers.iter().map(|(sk, marker)| (sk.as_str(), marker.sequence)).collect();
            for part in parts.iter().filter(|part| part.batch == *batch) {
                let sk = keys::marker(stream, part).sk;
                if let Some(sequence) = known.get(sk.as_str()) {
                    taken.parts.insert((*part).clone(), *sequence);
                } else if known.keys().any(|k| k.get(..6) == sk.get(..6)) {
                    taken.reused_ids += 1;
                }
            }
        }
        Ok(taken)
    }

    /// Puts a chunk at its place in the log, if nothing is there. 1 WRU for each KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn log_chunk(
        &self,
        stream: Stream,
        chunk: &Chunk,
        packed: Vec<u8>,
    ) -> Result<Written, StoreError> {
        let item = ChunkItem {
            events: chunk.events(),
            chunk: ByteBuf::from(packed),
            expires_at: expiry(chunk.today, KEPT_TELEMETRY_DAYS),
        };
        let item = entity::item(&keys::chunk(stream, chunk.first), &item)?;
        self.put_if(item, "attribute_not_exists(pk)", None).await
    }

    /// The chunk that begins at a sequence, read strongly.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn chunk(&self, stream: Stream, first: u64) -> Result<Option<Chunk>, StoreError> {
        let key = keys::chunk(stream, first);
        let Some(item) = entity::get::<ChunkItem>(self, &key).await? else { return Ok(None) };
        Chunk::from_bytes(&item.chunk).map(Some).map_err(|error| damaged(&key, error))
    }

    /// Marks parts as taken by chunk `seq`. Needs no condition: it may be repeated, and it says
    /// the same each time. 1 WRU a part.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mark_taken(
        &self,
        stream: Stream,
        parts: &[&PartId],
        seq: u64,
        today: Day,
    ) -> Result<(), StoreError> {
        let marker = MarkerItem { sequence: seq, expires_at: expiry(today, KEPT_TELEMETRY_DAYS) };
        let items = parts.iter().map(|part| entity::item(&keys::marker(stream, part), &marker));
        entity::put_many(self, items.collect::<Result<_, _>>()?).await
    }

    /// Adds the counts of chunk `seq` to a top list, unless it or a later one already did.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_to_top(
        &self,
        stream: Stream,
        (day, list): (Day, List),
        counts: &BTreeMap<String, u64>,
        seq: u64,
    ) -> Result<Written, StoreError> {
        let key = keys::top(stream, day, list);
        let stored = entity::get::<TopItem>(self, &key).await?;
        if stored.as_ref().is_some_and(|item| item.applied >= seq) {
            return Ok(Written::No);
        }
        let mut top = match &stored {
            Some(item) => TopList::from_bytes(&item.list).map_err(|error| damaged(&key, error))?,
            None => TopList::default(),
        };
        top.add(counts);
        let item = TopItem {
            applied: seq,
            list: ByteBuf::from(top.to_bytes().map_err(|error| damaged(&key, error))?),
            expires_at: expiry(day, KEPT_DAYS),
        };
        let unless = "attribute_not_exists(pk) OR applied < :seq";
        self.put_if(entity::item(&key, &item)?, unless, Some(seq)).await
    }

    /// Moves the head past a chunk, if it still stands where the chunk begins. Returns the new
    /// head, or `None` when another writer moved it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn advance(
        &self,
        stream: Stream,
        head: &Head,
        chunk: &Chunk,
    ) -> Result<Option<Head>, StoreError> {
        let key = keys::head(stream);
        let mut tallies = head.tallies.clone();
        tallies.apply(&chunk.delta, chunk.today).map_err(|error| damaged(&key, error))?;
        let moved = Head { next_sequence: head.next_sequence + chunk.events(), tallies };
        let item = HeadItem {
            next_sequence: moved.next_sequence,
            tallies: ByteBuf::from(moved.tallies.to_bytes().map_err(|error| damaged(&key, error))?),
        };
        let item = entity::item(&key, &item)?;
        let written = if head.next_sequence == Head::default().next_sequence {
            self.put_if(item, "attribute_not_exists(pk)", None).await?
        } else {
            self.put_if(item, "next_sequence = :seq", Some(head.next_sequence)).await?
        };
        Ok(match written {
            Written::Yes => Some(moved),
            Written::No => None,
        })
    }

    /// Writes an item whole, under a condition that may speak of `:seq`. A condition that does not
    /// hold is an answer; everything else is an error.
    pub(crate) async fn put_if(
        &self,
        item: Item,
        condition: &str,
        seq: Option<u64>,
    ) -> Result<Written, StoreError> {
        let mut put = self
            .client()
            .put_item()
            .table_name(self.name())
            .set_item(Some(item))
            .condition_expression(condition)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        if let Some(seq) = seq {
            put = put.expression_attribute_values(":seq", AttributeValue::N(seq.to_string()));
        }
        match put.send().await {
            Ok(answer) => {
                self.meter().wrote(answer.consumed_capacity.iter());
                Ok(Written::Yes)
            }
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => {
                Ok(Written::No)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What the dashboard reads.
#[derive(Debug, Default)]
pub struct TenantTallies {
    /// Tallies of each stream.
    pub streams: Vec<(Product, Tallies)>,
    /// Top lists of each day and stream that are asked for.
    pub tops: Vec<(List, TopList)>,
}

/// The read of the dashboard, and of the seats that are used.
impl Table {
    /// The tallies of each of a tenant's streams. Eventually consistent: 0.5 RRU for each 4 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stream_tallies(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<(Product, Tallies)>, StoreError> {
        let pk = keys::tally_partition(tenant);
        let heads = (keys::HEAD_PREFIX.to_owned(), format!("{}~", keys::HEAD_PREFIX));
        let heads = entity::query::<HeadItem>(self, &pk, Some(heads), false).await?;
        let tallied = heads.into_iter().map(|(sk, item)| {
            let key = Key { pk: pk.clone(), sk };
            let product = key.sk.split('#').nth(1).and_then(|name| name.parse().ok());
            let product = product.ok_or_else(|| StoreError::corrupt(&key.sk, "no product"))?;
            Ok((product, item.head(&key)?.tallies))
        });
        tallied.collect()
    }

    /// All tallies of a tenant and its top lists from `since` on: two eventually consistent
    /// queries at once, 0.5 RRU for each 4 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tallies(
        &self,
        tenant: TenantId,
        since: Day,
        today: Day,
    ) -> Result<TenantTallies, StoreError> {
        let (streams, tops) =
            tokio::try_join!(self.stream_tallies(tenant), self.tops(tenant, since, today))?;
        Ok(TenantTallies { streams, tops })
    }

    /// A tenant's top lists of the days from `since` to `today`. Eventually consistent: 0.5 RRU for
    /// each 4 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tops(
        &self,
        tenant: TenantId,
        since: Day,
        today: Day,
    ) -> Result<Vec<(List, TopList)>, StoreError> {
        let pk = keys::tally_partition(tenant);
        // '~' sorts after every character of a key.
        let range = (keys::top_day(since), format!("{}~", keys::top_day(today)));
        let found = entity::query::<TopItem>(self, &pk, Some(range), false).await?;
        let tops = found.into_iter().map(|(sk, item)| {
            let key = Key { pk: pk.clone(), sk };
            let name = key.sk.split('#').nth(2);
            let list = List::ALL.into_iter().find(|list| Some(list.name()) == name);
            let list = list.ok_or_else(|| StoreError::corrupt(&key.sk, "no such list"))?;
            let top = TopList::from_bytes(&item.list).map_err(|error| damaged(&key, error))?;
            Ok((list, top))
        });
        tops.collect()
    }

    /// Accesses to a tenant's applications that were blocked, today and in the six days before: one
    /// eventually consistent query, 0.5 RRU for each 4 KB of the days' lists.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn blocked_accesses(
        &self,
        tenant: TenantId,
        today: Day,
    ) -> Result<BlockedAccesses, StoreError> {
        let tops = self.tops(tenant, today.minus(TOP_DAYS - 1), today).await?;
        let own = tops.into_iter().filter(|(list, _)| *list == List::BlockedApplications);
        Ok(BlockedAccesses::new(own.map(|(_, top)| top).collect()))
    }
}
