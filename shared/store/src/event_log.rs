//! The numbered logs of a tenant, as they are exported: telemetry by stream, audited changes by their
//! chain, and what happened at the door, which is numbered here.

use crate::audit::Kept;
use crate::entity::{self, Entity};
use crate::keys::{self, Key};
use crate::table::{Item, StoreError, Table};
use crate::telemetry::{KEPT_TELEMETRY_DAYS, expiry};
use crate::transaction::{Refused, Transaction, number, text};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use belfry_domain::audit::{Access, Personal, Record as Change};
use belfry_domain::id::{AuditId, TenantId};
use belfry_domain::ports::{Day, Entropy};
use belfry_domain::siem::progress::Spans;
use belfry_domain::siem::record::{Record, Source, StreamName, What};
use belfry_domain::telemetry::part::decode;
use belfry_domain::telemetry::plan::Chunk;
use belfry_domain::telemetry::stream::Stream;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;

/// The next number of what happens at a tenant's door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct AccessHead {
    next_sequence: u64,
}

/// Accesses that were numbered at once, in the order of their numbers. They themselves stay where they
/// are, so that erasing what one says of a person erases it here too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct AccessChunk {
    accesses: Vec<AuditId>,
}

/// A chunk of telemetry, with how many events it takes.
#[derive(Debug, Serialize, Deserialize)]
struct LoggedChunk {
    events: u64,
    chunk: ByteBuf,
}

/// The next sequence of a telemetry stream; the tallies beside it are not read.
#[derive(Debug, Serialize, Deserialize)]
struct StreamHead {
    next_sequence: u64,
}

impl Entity for AccessHead {
    const TYPE: &'static str = "access_head";
}
impl Entity for AccessChunk {
    const TYPE: &'static str = "access_chunk";
}
impl Entity for LoggedChunk {
    const TYPE: &'static str = "chunk";
}
impl Entity for StreamHead {
    const TYPE: &'static str = "head";
}

/// Accesses numbered in one transaction, which has at most 100 writes.
const NUMBERED_AT_ONCE: i32 = 90;
/// Changes and chunks of accesses of one read.
const READ_AT_ONCE: u64 = 50;
/// Chunks of one read: of telemetry 16,000 events at most, whatever they pack to.
const CHUNKS_AT_ONCE: i32 = 8;

/// An entry of a log. One that cannot be read has its number still.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// Its number.
    pub sequence: u64,
    /// What it says.
    pub record: Option<Record>,
}

/// What was read of a log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogPage {
    /// By number, without gaps.
    pub entries: Vec<Logged>,
    /// Sequences before the first of these that the log has dropped.
    pub expired: u64,
    /// The last sequence that this page speaks of.
    pub to: u64,
}

impl Table {
    /// The last sequence of each of a tenant's streams, as of one moment each. Two strongly consistent
    /// calls: 1 RRU for each 4 KB of all stream heads, and 2.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stream_ends(
        &self,
        tenant: TenantId,
    ) -> Result<BTreeMap<StreamName, u64>, StoreError> {
        let pk = keys::tally_partition(tenant);
        let heads = (keys::HEAD_PREFIX.to_owned(), format!("{}~", keys::HEAD_PREFIX));
        let console = [keys::audit_head(tenant), keys::access_log_head(tenant)];
        let (heads, mut console_heads) = tokio::try_join!(
            entity::query::<StreamHead>(self, &pk, Some(heads), true),
            entity::get_many(self, &console),
        )?;
        let [changes, accesses] = &console;
        let changes = console_heads.take::<belfry_domain::audit::Head>(changes)?;
        let accesses = console_heads.take::<AccessHead>(accesses)?;
        let mut ends = BTreeMap::from([
            (StreamName::CHANGES, changes.map_or(0, |head| head.sequence)),
            (StreamName::ACCESSES, accesses.map_or(0, |head| head.next_sequence - 1)),
        ]);
        for (sk, StreamHead { next_sequence }) in heads {
            ends.insert(stream_of(&sk)?, next_sequence.saturating_sub(1));
        }
        Ok(ends)
    }

    /// The entries of a log after number `after`, up to `last` at most: as many as one read has, at least
    /// one where there is one. For telemetry one query, 1 RRU for each 4 KB of chunks, and one more when
    /// `after` lies within a chunk.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn log_page(
        &self,
        tenant: TenantId,
        stream: StreamName,
        (after, last): (u64, u64),
    ) -> Result<LogPage, StoreError> {
        if after >= last {
            return Ok(LogPage { to: after, ..LogPage::default() });
        }
        match stream {
            StreamName::CHANGES => self.changes_page(tenant, (after, last)).await,
            StreamName::ACCESSES => self.accesses_page(tenant, (after, last)).await,
            StreamName { source: Source::Product(product), partition } => {
                self.telemetry_page(Stream { tenant, product, partition }, (after, last)).await
            }
            StreamName { source: Source::Console, .. } => {
                Ok(LogPage { to: last, ..LogPage::default() })
            }
        }
    }

    /// When the oldest of the records that these spans begin with was taken, of those that are there and can be
    /// read. For each span the cost of [`Self::log_page`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn oldest_logged(
        &self,
        tenant: TenantId,
        spans: &Spans,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut oldest = None;
        for (stream, (after, last)) in spans {
            let span = (*after, (*last).min(after + 1));
            let page = self.log_page(tenant, *stream, span).await?;
            let record = page.entries.into_iter().find_map(|entry| entry.record);
            let at = record.and_then(|record| Timestamp::from_millisecond(record.received_at).ok());
            oldest = oldest.into_iter().chain(at).min();
        }
        Ok(oldest)
    }

    /// The first sequence up to `last` that was taken at `since` or later; `last + 1` when there is none.
    /// By halves: for each of some twenty steps the cost of one chunk.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn first_since(
        &self,
        tenant: TenantId,
        stream: StreamName,
        last: u64,
        since: Timestamp,
    ) -> Result<u64, StoreError> {
        // What lies before `first` is older; what lies from `end` on is not.
        let (mut first, mut end) = (1, last + 1);
        while first < end {
            let middle = first + (end - first) / 2;
            let page = self.log_page(tenant, stream, (middle - 1, middle)).await?;
            let record = page.entries.first().and_then(|entry| entry.record.as_ref());
            // What is no longer there is older; of what cannot be read nobody knows.
            let older = record.is_some_and(|record| record.received_at < since.as_millisecond());
            if page.expired > 0 || older {
                first = middle + 1;
            } else {
                end = middle;
            }
        }
        Ok(first)
    }

    async fn telemetry_page(
        &self,
        stream: Stream,
        (after, last): (u64, u64),
    ) -> Result<LogPage, StoreError> {
        let pk = keys::log_partition(stream);
        let chunks = self.chunks(&pk, (after, last), |key, item| {
            let first = key.sk.parse().map_err(|error| StoreError::corrupt(&key.sk, error))?;
            let LoggedChunk { events, chunk } = entity::value(item)?;
            let chunk = Chunk::from_bytes(&chunk).ok();
            // Of one that cannot be read its numbers are known still.
            Ok((first, events, chunk.filter(|c| c.first == first && c.events() == events)))
        });
        let chunks = chunks.await?;
        let name =
            StreamName { source: Source::Product(stream.product), partition: stream.partition };
        let mut page = Page::of((stream.tenant, name), (after, last), begins(&chunks));
        for (first, count, chunk) in chunks {
            let mut events = chunk.into_iter().flat_map(|chunk| chunk.parts).flat_map(|part| {
                let at = part.received_at;
                part.events.into_iter().map(move |event| (at, event))
            });
            for sequence in first..first + count {
                let logged = events.next();
                if page.wants(sequence) {
                    let said = logged
                        .and_then(|(at, event)| Some((at, What::Event(decode(&event).ok()?))));
                    page.push(sequence, said)?;
                }
            }
        }
        Ok(page.collected)
    }

    async fn changes_page(
        &self,
        tenant: TenantId,
        (after, last): (u64, u64),
    ) -> Result<LogPage, StoreError> {
        let to = last.min(after + READ_AT_ONCE);
        let kept = self.audit_records(tenant, (after, to)).await?;
        // What is missing is missing at the beginning.
        let count = u64::try_from(kept.len()).unwrap_or(0);
        let first = (count > 0).then(|| to + 1 - count);
        let mut page = Page::of((tenant, StreamName::CHANGES), (after, to), first);
        for (sequence, Kept { text, personal }) in (to + 1 - count..).zip(kept) {
            let change = serde_json::from_str::<Change>(&text).ok();
            // A record that says another number of itself is not the one that is looked for.
            let change = change.filter(|change| change.sequence == sequence);
            let personal = personal.and_then(|text| serde_json::from_str::<Personal>(&text).ok());
            let said = change.map(|change| {
                (change.at.as_millisecond(), What::Change(Box::new(change), personal))
            });
            page.push(sequence, said)?;
        }
        Ok(page.collected)
    }

    async fn accesses_page(
        &self,
        tenant: TenantId,
        (after, last): (u64, u64),
    ) -> Result<LogPage, StoreError> {
        let pk = keys::access_log_partition(tenant);
        let chunks = self.chunks(&pk, (after, last), |key, item| {
            let first = key.sk.parse().map_err(|error| StoreError::corrupt(&key.sk, error))?;
            let AccessChunk { accesses } = entity::value(item)?;
            Ok((first, u64::try_from(accesses.len()).unwrap_or(0), accesses))
        });
        let chunks = chunks.await?;
        let mut page = Page::of((tenant, StreamName::ACCESSES), (after, last), begins(&chunks));
        let numbered = chunks.into_iter().flat_map(|(first, _, accesses)| (first..).zip(accesses));
        let numbered: Vec<_> = numbered.filter(|(sequence, _)| page.wants(*sequence)).collect();
        let key = |id: &AuditId| keys::access(Some(tenant), id.made_at(), *id);
        let wanted: Vec<_> = numbered.iter().map(|(_, id)| key(id)).collect();
        let mut found = entity::get_many(self, &wanted).await?;
        for ((sequence, _), key) in numbered.iter().zip(&wanted) {
            let access: Option<Access> = found.take(key).unwrap_or(None);
            let said =
                |access: Access| (access.at.as_millisecond(), What::Access(Box::new(access)));
            page.push(*sequence, access.map(said))?;
        }
        Ok(page.collected)
    }

    /// The chunks of a log that hold what follows `after`: of one query, and the one before it when
    /// `after` lies within it. Each with its first number and how many it has.
    async fn chunks<T>(
        &self,
        pk: &str,
        (after, last): (u64, u64),
        read: impl Fn(&Key, Item) -> Result<(u64, u64, T), StoreError>,
    ) -> Result<Vec<(u64, u64, T)>, StoreError> {
        let next = after + 1;
        let mut chunks = Vec::new();
        for item in self.log_query(pk, (next, last), CHUNKS_AT_ONCE, true).await? {
            let (key, item) = keyed(pk, item);
            chunks.push(read(&key, item)?);
        }
        if chunks.first().is_none_or(|(first, ..)| *first > next) {
            for item in self.log_query(pk, (0, after), 1, false).await? {
                let (key, item) = keyed(pk, item);
                let before = read(&key, item)?;
                if before.0 + before.1 > next {
                    chunks.insert(0, before);
                }
            }
        }
        // What is over its time is dropped in any order: a page ends at a gap, and the next one counts it.
        let mut end = None;
        let whole = chunks.iter().take_while(|(first, count, _)| {
            end.replace(first + count).is_none_or(|end| end == *first)
        });
        let whole = whole.count();
        chunks.truncate(whole);
        Ok(chunks)
    }

    async fn log_query(
        &self,
        pk: &str,
        (first, last): (u64, u64),
        limit: i32,
        forward: bool,
    ) -> Result<Vec<Item>, StoreError> {
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", text(pk))
            .expression_attribute_values(":first", text(format!("{first:020}")))
            .expression_attribute_values(":last", text(format!("{last:020}")))
            .scan_index_forward(forward)
            .limit(limit)
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        self.meter().read(answer.consumed_capacity.iter());
        Ok(answer.items.unwrap_or_default())
    }

    /// Numbers some of what happened at a tenant's door after `after` and has no number yet, the oldest first;
    /// how many, and after which to go on if there may be more. Each exactly once: head, chunk and every access change in one transaction, or nothing
    /// does. When somebody else is at it too, what is left to the next call is none's loss. Nothing to do
    /// costs 0.5 RRU; for n accesses, 2 WRU for each and 4 (their index takes as much again).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn number_accesses(
        &self,
        tenant: TenantId,
        after: AuditId,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(usize, Option<AuditId>), StoreError> {
        let oldest = now - SignedDuration::from_hours(24 * i64::from(KEPT_TELEMETRY_DAYS));
        let after = after.max(AuditId::first_at(oldest));
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .index_name(keys::GSI1)
            .key_condition_expression("gsi1pk = :pk AND gsi1sk > :after")
            .expression_attribute_values(":pk", text(keys::unnumbered_partition(tenant)))
            .expression_attribute_values(":after", text(after.to_string()))
            .limit(NUMBERED_AT_ONCE)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        self.meter().read(answer.consumed_capacity.iter());
        let items = answer.items.unwrap_or_default();
        let place = items.last().and_then(|item| item.get("gsi1sk")?.as_s().ok()?.parse().ok());
        let more = place.filter(|_| answer.last_evaluated_key.is_some());
        let mut waiting = Vec::new();
        for item in items {
            match entity::value::<Access>(item) {
                Ok(access) => waiting.push(access),
                // One that is damaged keeps nobody from the others.
                Err(error) => tracing::error!(tenant.id = %tenant, %error, "access not numbered"),
            }
        }
        // The index may still show what was numbered a moment ago.
        while !waiting.is_empty() {
            match self.number_these(tenant, &waiting, now, entropy).await {
                Ok(()) => return Ok((waiting.len(), more)),
                Err(Refused::Condition(place)) if place >= 2 => {
                    waiting.remove(place - 2);
                }
                // Somebody else numbers them.
                Err(Refused::Condition(_)) => return Ok((0, None)),
                Err(Refused::Store(error)) => return Err(error),
            }
        }
        Ok((0, more))
    }

    async fn number_these(
        &self,
        tenant: TenantId,
        accesses: &[Access],
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(), Refused> {
        let key = keys::access_log_head(tenant);
        let head: Option<AccessHead> = entity::get(self, &key).await?;
        let first = head.as_ref().map_or(1, |head| head.next_sequence);
        let count = u64::try_from(accesses.len()).unwrap_or(0);
        let next = entity::item(&key, &AccessHead { next_sequence: first + count })?;
        let mut writes = match head {
            None => Transaction::new().create(next),
            Some(_) => {
                Transaction::new().put(next, "next_sequence = :first", [(":first", number(first))])
            }
        };
        let chunk = AccessChunk { accesses: accesses.iter().map(|access| access.id).collect() };
        let mut chunk = entity::item(&keys::access_chunk(tenant, first), &chunk)?;
        let until = expiry(Day::of(now), KEPT_TELEMETRY_DAYS);
        chunk.insert(keys::EXPIRES_AT.to_owned(), AttributeValue::N(until.to_string()));
        writes = writes.create(chunk);
        for access in accesses {
            let key = keys::access(Some(tenant), access.at, access.id);
            writes = writes.update(key, "REMOVE gsi1pk, gsi1sk", "attribute_exists(gsi1pk)", []);
        }
        writes.run(self, entropy).await
    }
}

/// Entries as they are collected for a page.
struct Page {
    tenant: TenantId,
    stream: StreamName,
    after: u64,
    last: u64,
    collected: LogPage,
}

impl Page {
    /// Of the numbers after the first up to the second, where the log begins at `first`.
    fn of(
        (tenant, stream): (TenantId, StreamName),
        (after, last): (u64, u64),
        first: Option<u64>,
    ) -> Self {
        // Nothing is there at all: everything up to here is gone.
        let first = first.unwrap_or(last + 1);
        let expired = first.saturating_sub(after + 1);
        let collected = LogPage { expired, to: after + expired, entries: Vec::new() };
        Self { tenant, stream, after, last, collected }
    }

    fn wants(&self, sequence: u64) -> bool {
        sequence > self.after && sequence <= self.last
    }

    /// Adds an entry: when it was taken, and what it says if that can be read.
    fn push(&mut self, sequence: u64, said: Option<(i64, What)>) -> Result<(), StoreError> {
        if sequence != self.collected.to + 1 {
            // Only what is too old may be missing.
            let what = format!("a log without number {}", self.collected.to + 1);
            return Err(StoreError::corrupt(what, "a gap"));
        }
        let Self { tenant, stream, .. } = *self;
        let record =
            said.map(|(received_at, what)| Record { tenant, stream, sequence, received_at, what });
        self.collected.to = sequence;
        self.collected.entries.push(Logged { sequence, record });
        Ok(())
    }
}

/// The first number of some chunks.
fn begins<T>(chunks: &[(u64, u64, T)]) -> Option<u64> {
    chunks.first().map(|(first, ..)| *first)
}

fn keyed(pk: &str, item: Item) -> (Key, Item) {
    let sk = item.get(keys::SK).and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
    (Key { pk: pk.to_owned(), sk }, item)
}

/// The stream of a head's sort key.
fn stream_of(sk: &str) -> Result<StreamName, StoreError> {
    let mut parts = sk.strip_prefix(keys::HEAD_PREFIX).unwrap_or_default().split('#');
    let product = parts.next().and_then(|name| name.parse().ok());
    let partition = parts.next().and_then(|text| text.parse::<u8>().ok());
    let partition = partition.and_then(|number| number.try_into().ok());
    match (product, partition) {
        (Some(product), Some(partition)) => {
            Ok(StreamName { source: Source::Product(product), partition })
        }
        _ => Err(StoreError::corrupt(sk, "the head of no stream")),
    }
}
