//! The items of telemetry: stream heads, chunks of the event log, markers of taken parts,
//! endpoints, top lists. Each write of plan-log-apply is one function with its condition.

use crate::keys::{self, GSI1, Key};
use crate::table::{Item, StoreError, Table, from_item, key_item, to_item};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{
    AttributeValue, ConsumedCapacity, KeysAndAttributes, PutRequest, ReturnConsumedCapacity,
    WriteRequest,
};
use belfry_domain::id::TenantId;
use belfry_domain::ports::Day;
use belfry_domain::product::Product;
use belfry_domain::telemetry::Damaged;
use belfry_domain::telemetry::endpoint::{Cell, Detection, Endpoint, Present};
use belfry_domain::telemetry::event::{Kind, Name, Status};
use belfry_domain::telemetry::part::PartId;
use belfry_domain::telemetry::plan::{Chunk, Head};
use belfry_domain::telemetry::stream::{Hash, Stream};
use belfry_domain::telemetry::tally::Tallies;
use belfry_domain::telemetry::top::{KEPT_DAYS, List, TopList};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

/// Days that markers, tombstones and chunks of the log live.
pub const KEPT_TELEMETRY_DAYS: i32 = 35;

/// Keys of one `BatchGetItem`.
const BATCH_GET: usize = 100;
/// Items of one `BatchWriteItem`.
const BATCH_WRITE: usize = 25;

/// Whether a conditional write took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It did.
    Yes,
    /// Its condition did not hold: a rival, or an earlier try, was there first.
    No,
}

/// A failed condition is an answer; everything else is an error.
fn conditional<T, E, R>(result: Result<T, SdkError<E, R>>) -> Result<Option<T>, StoreError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match result {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn damaged(key: &Key, error: Damaged) -> StoreError {
    StoreError::corrupt(format!("{} / {}", key.pk, key.sk), error)
}

/// Unix seconds at which something written on `today` may be deleted.
fn expiry(today: Day, days: i32) -> i64 {
    today.minus(-days).start().as_second()
}

#[derive(Serialize, Deserialize)]
struct HeadItem {
    et: String,
    v: u8,
    next_sequence: u64,
    tallies: ByteBuf,
}

#[derive(Serialize, Deserialize)]
struct ChunkItem {
    et: String,
    v: u8,
    events: u64,
    chunk: ByteBuf,
    expires_at: i64,
}

#[derive(Serialize, Deserialize)]
struct MarkerItem {
    et: String,
    v: u8,
    sequence: u64,
    expires_at: i64,
}

#[derive(Serialize, Deserialize)]
struct TopItem {
    et: String,
    v: u8,
    applied: u64,
    list: ByteBuf,
    expires_at: i64,
}

/// An endpoint as it is stored: plain attributes, so that an operator can read them.
#[derive(Debug, Serialize, Deserialize)]
struct EndpointItem {
    et: String,
    v: u8,
    /// Sequence of the chunk that wrote it.
    seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    present: Option<PresentAttributes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gsi1pk: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gsi1sk: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PresentAttributes {
    kind: Kind,
    contact: Day,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    infection: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    application: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detected: Option<Detection>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cleaned: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status_day: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    system_cell: Cell,
    agent_cell: Cell,
}

impl EndpointItem {
    fn new(
        tenant: TenantId,
        product: Product,
        id: &str,
        state: &Endpoint,
        seq: u64,
        today: Day,
    ) -> Self {
        let infected = state.present.as_ref().is_some_and(Present::infected);
        Self {
            et: "endpoint".into(),
            v: 1,
            seq,
            removed: state.removed,
            present: state.present.clone().map(|p| {
                let (status_day, status) = p.status.unzip();
                PresentAttributes {
                    kind: p.kind,
                    contact: p.contact,
                    infection: p.infection,
                    policy: p.policy,
                    application: p.application,
                    detected: p.detected,
                    cleaned: p.cleaned,
                    status_day,
                    status,
                    system_cell: p.system_cell,
                    agent_cell: p.agent_cell,
                }
            }),
            gsi1pk: infected.then(|| keys::infected_partition(tenant)),
            gsi1sk: infected.then(|| keys::infected_sort(product, id)),
            expires_at: state.present.is_none().then(|| expiry(today, KEPT_TELEMETRY_DAYS)),
        }
    }

    fn state(self) -> Endpoint {
        Endpoint {
            removed: self.removed,
            present: self.present.map(|p| Present {
                kind: p.kind,
                contact: p.contact,
                infection: p.infection,
                policy: p.policy,
                application: p.application,
                detected: p.detected,
                cleaned: p.cleaned,
                status: p.status_day.zip(p.status),
                system_cell: p.system_cell,
                agent_cell: p.agent_cell,
            }),
        }
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
        let Some(item) = self.get::<HeadItem>(&key, true).await? else {
            return Ok(Head::default());
        };
        head_of(&key, &item)
    }

    /// Which of these parts were taken before: one strong query for each batch, at least 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn taken(&self, stream: Stream, parts: &[&PartId]) -> Result<Taken, StoreError> {
        let batches: HashSet<&Hash> = parts.iter().map(|part| &part.batch).collect();
        let answers = futures::future::try_join_all(batches.into_iter().map(|batch| async move {
            let pk = keys::batch_partition(stream.tenant, stream.product, batch);
            Ok::<_, StoreError>((
                batch,
                self.query_all::<SortKeyed<MarkerItem>>(&pk, None, true).await?,
            ))
        }))
        .await?;
        let mut taken = Taken::default();
        for (batch, markers) in answers {
            let known: HashMap<&str, u64> =
                markers.iter().map(|m| (m.sk.as_str(), m.item.sequence)).collect();
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

    /// States of these endpoints, read strongly, 1 RRU each; those never seen are left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn endpoint_states(
        &self,
        stream: Stream,
        ids: &[&str],
    ) -> Result<HashMap<String, Endpoint>, StoreError> {
        let batches = ids.chunks(BATCH_GET).map(|ids| {
            let wanted =
                ids.iter().map(|id| key_item(&keys::endpoint(stream.tenant, stream.product, id)));
            self.batch_get(wanted.collect())
        });
        let mut states = HashMap::with_capacity(ids.len());
        for item in futures::future::try_join_all(batches).await?.into_iter().flatten() {
            let SortKeyed { sk, item } = from_item::<SortKeyed<EndpointItem>>(item)?;
            states.insert(sk, item.state());
        }
        Ok(states)
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
        let key = keys::chunk(stream, chunk.first);
        let item = ChunkItem {
            et: "chunk".into(),
            v: 1,
            events: chunk.events(),
            chunk: ByteBuf::from(packed),
            expires_at: expiry(chunk.today, KEPT_TELEMETRY_DAYS),
        };
        let put = self.put(to_item(&key, &item)?).condition_expression("attribute_not_exists(pk)");
        let answer = conditional(put.send().await)?;
        Ok(self.written(answer.map(|output| output.consumed_capacity)))
    }

    /// The chunk that begins at a sequence, read strongly.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn chunk(&self, stream: Stream, first: u64) -> Result<Option<Chunk>, StoreError> {
        let key = keys::chunk(stream, first);
        let Some(item) = self.get::<ChunkItem>(&key, true).await? else { return Ok(None) };
        Chunk::from_bytes(&item.chunk).map(Some).map_err(|error| damaged(&key, error))
    }

    /// Writes the state that chunk `seq` gives an endpoint, unless a later chunk already did.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_endpoint(
        &self,
        stream: Stream,
        id: &str,
        state: &Endpoint,
        seq: u64,
        today: Day,
    ) -> Result<Written, StoreError> {
        let Stream { tenant, product, .. } = stream;
        let item = EndpointItem::new(tenant, product, id, state, seq, today);
        let put = self
            .put(to_item(&keys::endpoint(tenant, product, id), &item)?)
            .condition_expression("attribute_not_exists(pk) OR seq < :seq")
            .expression_attribute_values(":seq", AttributeValue::N(seq.to_string()));
        let answer = conditional(put.send().await)?;
        Ok(self.written(answer.map(|output| output.consumed_capacity)))
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
        for parts in parts.chunks(BATCH_WRITE) {
            let mut requests = Vec::with_capacity(parts.len());
            for part in parts {
                let item = MarkerItem {
                    et: "marker".into(),
                    v: 1,
                    sequence: seq,
                    expires_at: expiry(today, KEPT_TELEMETRY_DAYS),
                };
                let put = PutRequest::builder()
                    .set_item(Some(to_item(&keys::marker(stream, part), &item)?))
                    .build()
                    .map_err(|error| StoreError::corrupt("marker", error))?;
                requests.push(WriteRequest::builder().put_request(put).build());
            }
            self.batch_write(requests).await?;
        }
        Ok(())
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
        let stored = self.get::<TopItem>(&key, true).await?;
        if stored.as_ref().is_some_and(|item| item.applied >= seq) {
            return Ok(Written::No);
        }
        let mut top = match &stored {
            Some(item) => TopList::from_bytes(&item.list).map_err(|error| damaged(&key, error))?,
            None => TopList::default(),
        };
        top.add(counts);
        let item = TopItem {
            et: "top".into(),
            v: 1,
            applied: seq,
            list: ByteBuf::from(top.to_bytes().map_err(|error| damaged(&key, error))?),
            expires_at: expiry(day, KEPT_DAYS),
        };
        let put = self
            .put(to_item(&key, &item)?)
            .condition_expression("attribute_not_exists(pk) OR applied < :seq")
            .expression_attribute_values(":seq", AttributeValue::N(seq.to_string()));
        let answer = conditional(put.send().await)?;
        Ok(self.written(answer.map(|output| output.consumed_capacity)))
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
            et: "head".into(),
            v: 1,
            next_sequence: moved.next_sequence,
            tallies: ByteBuf::from(moved.tallies.to_bytes().map_err(|error| damaged(&key, error))?),
        };
        let put = self.put(to_item(&key, &item)?);
        let put = if head.next_sequence == Head::default().next_sequence {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("next_sequence = :seq").expression_attribute_values(
                ":seq",
                AttributeValue::N(head.next_sequence.to_string()),
            )
        };
        let answer = conditional(put.send().await)?;
        Ok(match self.written(answer.map(|output| output.consumed_capacity)) {
            Written::Yes => Some(moved),
            Written::No => None,
        })
    }

    fn put(
        &self,
        item: Item,
    ) -> aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder {
        self.client()
            .put_item()
            .table_name(self.name())
            .set_item(Some(item))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
    }

    fn written(&self, consumed: Option<Option<ConsumedCapacity>>) -> Written {
        match consumed {
            Some(consumed) => {
                self.meter().wrote(consumed.iter());
                Written::Yes
            }
            None => Written::No,
        }
    }
}

/// An item together with its sort key.
#[derive(Serialize, Deserialize)]
struct SortKeyed<T> {
    sk: String,
    #[serde(flatten)]
    item: T,
}

fn head_of(key: &Key, item: &HeadItem) -> Result<Head, StoreError> {
    let tallies = Tallies::from_bytes(&item.tallies).map_err(|error| damaged(key, error))?;
    Ok(Head { next_sequence: item.next_sequence, tallies })
}

/// What the dashboard reads.
#[derive(Debug, Default)]
pub struct TenantTallies {
    /// Tallies of each stream.
    pub streams: Vec<(Product, Tallies)>,
    /// Top lists of each day and stream that are asked for.
    pub tops: Vec<(List, TopList)>,
}

/// An endpoint as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEndpoint {
    /// Of which product.
    pub product: Product,
    /// The product's id of it.
    pub id: String,
    /// Its state.
    pub present: Present,
}

/// Where a page of endpoints ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointPage {
    /// The endpoints, tombstones left out.
    pub items: Vec<ListedEndpoint>,
    /// The last endpoint that was read, when there is more of this list.
    pub more_after: Option<(Product, String)>,
}

/// Reads of the dashboard.
impl Table {
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
        let pk = keys::tally_partition(tenant);
        // '~' sorts after every character of a key.
        let tops = (keys::top_day(since), format!("{}~", keys::top_day(today)));
        let heads = (keys::HEAD_PREFIX.to_owned(), format!("{}~", keys::HEAD_PREFIX));
        let (heads, tops) = tokio::try_join!(
            self.query_all::<SortKeyed<HeadItem>>(&pk, Some(heads), false),
            self.query_all::<SortKeyed<TopItem>>(&pk, Some(tops), false),
        )?;
        let mut tallies = TenantTallies::default();
        for SortKeyed { sk, item } in heads {
            let key = Key { pk: pk.clone(), sk };
            let product = key.sk.split('#').nth(1).and_then(|name| name.parse().ok());
            let product = product.ok_or_else(|| StoreError::corrupt(&key.sk, "no product"))?;
            tallies.streams.push((product, head_of(&key, &item)?.tallies));
        }
        for SortKeyed { sk, item } in tops {
            let key = Key { pk: pk.clone(), sk };
            let name = key.sk.split('#').nth(2);
            let list = List::ALL.into_iter().find(|list| Some(list.name()) == name);
            let list = list.ok_or_else(|| StoreError::corrupt(&key.sk, "no such list"))?;
            let top = TopList::from_bytes(&item.list).map_err(|error| damaged(&key, error))?;
            tallies.tops.push((list, top));
        }
        Ok(tallies)
    }

    /// One page of the endpoints of a bucket, by id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn endpoints_of_bucket(
        &self,
        tenant: TenantId,
        product: Product,
        bucket: u8,
        after: Option<&str>,
        limit: i32,
    ) -> Result<EndpointPage, StoreError> {
        let pk = keys::endpoint_partition(tenant, product, bucket);
        let start = after.map(|id| key_item(&Key { pk: pk.clone(), sk: id.to_owned() }));
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(pk))
            .set_exclusive_start_key(start)
            .limit(limit)
            .send()
            .await?;
        let more_after = last_sort_key(answer.last_evaluated_key.as_ref()).map(|id| (product, id));
        let mut items = Vec::new();
        for item in answer.items.unwrap_or_default() {
            let SortKeyed { sk, item } = from_item::<SortKeyed<EndpointItem>>(item)?;
            if let Some(present) = item.state().present {
                items.push(ListedEndpoint { product, id: sk, present });
            }
        }
        Ok(EndpointPage { items, more_after })
    }

    /// One page of the infected endpoints of a tenant, by product and id, through the sparse index.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn infected_endpoints(
        &self,
        tenant: TenantId,
        after: Option<(Product, &str)>,
        limit: i32,
    ) -> Result<EndpointPage, StoreError> {
        let partition = keys::infected_partition(tenant);
        let start = after.map(|(product, id)| {
            let mut start = key_item(&keys::endpoint(tenant, product, id));
            start.insert("gsi1pk".into(), AttributeValue::S(partition.clone()));
            start.insert("gsi1sk".into(), AttributeValue::S(keys::infected_sort(product, id)));
            start
        });
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .index_name(GSI1)
            .key_condition_expression("gsi1pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(partition))
            .set_exclusive_start_key(start)
            .limit(limit)
            .send()
            .await?;
        let more = answer.last_evaluated_key.is_some();
        let mut items = Vec::new();
        for item in answer.items.unwrap_or_default() {
            let SortKeyed { sk, item } = from_item::<SortKeyed<EndpointItem>>(item)?;
            let product =
                item.gsi1sk.as_deref().and_then(|key| key.split('#').next()?.parse().ok());
            let product: Product = product.ok_or_else(|| StoreError::corrupt(&sk, "no product"))?;
            if let Some(present) = item.state().present {
                items.push(ListedEndpoint { product, id: sk, present });
            }
        }
        // Every item of the index is an endpoint that is there, so the last one is the last read.
        let last = items.last().filter(|_| more);
        let more_after = last.map(|last| (last.product, last.id.clone()));
        Ok(EndpointPage { items, more_after })
    }

    /// One endpoint; `None` for an unknown or removed one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn endpoint(
        &self,
        tenant: TenantId,
        product: Product,
        id: &str,
    ) -> Result<Option<Present>, StoreError> {
        if id.is_empty() || id.len() > Name::MOST_BYTES {
            return Ok(None);
        }
        let item = self.get::<EndpointItem>(&keys::endpoint(tenant, product, id), true).await?;
        Ok(item.and_then(|item| item.state().present))
    }
}

fn last_sort_key(key: Option<&Item>) -> Option<String> {
    key?.get(keys::SK)?.as_s().ok().cloned()
}

/// Calls that need a loop.
impl Table {
    /// Everything of a partition, or of a range of its sort keys (both ends included).
    async fn query_all<T: serde::de::DeserializeOwned>(
        &self,
        pk: &str,
        range: Option<(String, String)>,
        consistent: bool,
    ) -> Result<Vec<T>, StoreError> {
        let mut start = None;
        let mut all = Vec::new();
        loop {
            let mut query = self
                .client()
                .query()
                .table_name(self.name())
                .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
                .consistent_read(consistent)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .set_exclusive_start_key(start);
            query = match &range {
                None => query.key_condition_expression("pk = :pk"),
                Some((from, to)) => query
                    .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
                    .expression_attribute_values(":from", AttributeValue::S(from.clone()))
                    .expression_attribute_values(":to", AttributeValue::S(to.clone())),
            };
            let answer = query.send().await?;
            self.meter().read(answer.consumed_capacity.iter());
            for item in answer.items.unwrap_or_default() {
                all.push(from_item(item)?);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(all);
            }
        }
    }

    /// Strong reads of up to 100 keys; asks again for what the table left out.
    async fn batch_get(&self, wanted: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut wanted = wanted;
        let mut items = Vec::with_capacity(wanted.len());
        let mut pause = Pause::default();
        while !wanted.is_empty() {
            let request = KeysAndAttributes::builder()
                .set_keys(Some(wanted))
                .consistent_read(true)
                .build()
                .map_err(|error| StoreError::corrupt("keys", error))?;
            let answer = self
                .client()
                .batch_get_item()
                .request_items(self.name(), request)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await?;
            self.meter().read(answer.consumed_capacity.iter().flatten());
            items.extend(answer.responses.unwrap_or_default().into_values().flatten());
            wanted = answer
                .unprocessed_keys
                .unwrap_or_default()
                .remove(self.name())
                .map(|left| left.keys)
                .unwrap_or_default();
            if !wanted.is_empty() {
                pause.wait().await?;
            }
        }
        Ok(items)
    }

    /// Up to 25 unconditional puts; writes again what the table left out.
    async fn batch_write(&self, requests: Vec<WriteRequest>) -> Result<(), StoreError> {
        let mut requests = requests;
        let mut pause = Pause::default();
        while !requests.is_empty() {
            let answer = self
                .client()
                .batch_write_item()
                .request_items(self.name(), requests)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await?;
            self.meter().wrote(answer.consumed_capacity.iter().flatten());
            requests = answer
                .unprocessed_items
                .unwrap_or_default()
                .remove(self.name())
                .unwrap_or_default();
            if !requests.is_empty() {
                pause.wait().await?;
            }
        }
        Ok(())
    }
}

/// Growing pauses between tries of a throttled batch: 50 ms doubled each time, 6 times.
#[derive(Default)]
struct Pause(u32);

impl Pause {
    async fn wait(&mut self) -> Result<(), StoreError> {
        if self.0 == 6 {
            return Err(StoreError::Unavailable("a batch stays throttled".into()));
        }
        tokio::time::sleep(Duration::from_millis(50 << self.0)).await;
        self.0 += 1;
        Ok(())
    }
}
