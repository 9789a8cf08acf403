//! Plan, log, apply: a write-ahead log in the table, without transactions, so that each item is
//! paid for once. Exact with one writer, with rivals, and when order is lost.

use crate::cache::{Cache, Warm};
use belfry_domain::ports::{Clock, Day};
use belfry_domain::telemetry::Damaged;
use belfry_domain::telemetry::endpoint::Endpoint;
use belfry_domain::telemetry::part::{Part, PartId};
use belfry_domain::telemetry::plan::{self, Chunk, Head, MOST_CHUNK_BYTES, Opened};
use belfry_domain::telemetry::stream::Stream;
use belfry_store::telemetry::Written;
use belfry_store::{StoreError, Table};
use futures::stream::{StreamExt as _, TryStreamExt as _};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Conditional writes under way at once while a chunk is applied.
const WRITES_AT_ONCE: usize = 25;
/// How often a plan may be thrown away for a rival's before the parts are left to a later try.
const MOST_PLANS: u32 = 50;

/// Why parts were not written. They may be tried again; what was logged stays logged.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A chunk does not encode.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// Rivals were faster each time.
    #[error("rival writers kept moving the stream")]
    Contended,
}

/// What a call of [`Writer::write`] did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Events that took a sequence.
    pub events: u64,
    /// Of those, events that could not be processed.
    pub unprocessable: u64,
    /// Parts that had been taken before.
    pub duplicates: u64,
    /// Batches with the id of another batch.
    pub reused_ids: u64,
    /// Chunks written.
    pub chunks: u64,
    /// Chunks of crashed writers that were rolled forward.
    pub rolled_forward: u64,
    /// Endpoint states that had to be read.
    pub states_read: u64,
    /// The stream's next sequence, when it has moved.
    pub reached: Option<u64>,
}

/// Writes the telemetry of streams. Keep it: it remembers endpoint states between calls.
pub struct Writer {
    table: Table,
    clock: Arc<dyn Clock>,
    cache: Cache,
}

impl Writer {
    /// A cold writer.
    pub fn new(table: Table, clock: Arc<dyn Clock>) -> Self {
        Self { table, clock, cache: Cache::default() }
    }

    /// The table, for its meter.
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// Takes the parts of one stream, in their order. When it returns, every event of them is in
    /// the log once, and everything that follows from it is written.
    ///
    /// # Errors
    /// [`WriteError`]; the call may be repeated, with the same parts or others.
    pub async fn write(&self, stream: Stream, parts: Vec<Part>) -> Result<Report, WriteError> {
        let mut report = Report::default();
        let mut waiting = distinct(parts, &mut report);
        let mut plans = 0;
        while !waiting.is_empty() {
            if plans == MOST_PLANS {
                return Err(WriteError::Contended);
            }
            plans += 1;
            let warm = self.cache.take(stream);
            let head = self.table.head(stream).await?;
            let warm = warm.filter(|warm| warm.next_sequence == head.next_sequence);
            // Only after the head's answer: a marker read beside it could miss what a rival took
            // between the two reads, while the head would already stand behind it.
            let ids: Vec<&PartId> = waiting.iter().map(Opened::id).collect();
            let taken = self.table.taken(stream, &ids).await?;
            if taken.parts.values().any(|sequence| *sequence >= head.next_sequence) {
                // Taken by a writer that crashed before it moved the head: its chunk must not
                // wait for the stream's next event.
                self.roll_forward(stream, &head, &mut report).await?;
                continue;
            }
            let before = waiting.len();
            waiting.retain(|part| !taken.parts.contains_key(part.id()));
            report.duplicates += count(before - waiting.len());
            if waiting.is_empty() {
                if let Some(warm) = warm {
                    self.cache.keep(stream, warm);
                }
                break;
            }
            let mut states = warm.map(|warm| warm.states).unwrap_or_default();
            report.states_read += self.read_missing(stream, &waiting, &mut states).await?;
            let (chunk, packed) = fit(&head, Day::of(self.clock.now()), &waiting, &states)?;
            if self.table.log_chunk(stream, &chunk, packed).await? == Written::No {
                // What stands there is another's plan; ours was made without it.
                self.roll_forward(stream, &head, &mut report).await?;
                continue;
            }
            report.chunks += 1;
            report.events += chunk.events();
            report.reached = Some(chunk.first + chunk.events());
            report.reused_ids += taken.reused_ids;
            report.unprocessable +=
                chunk.parts.iter().map(|part| count(part.unprocessable.len())).sum::<u64>();
            let moved = self.apply(stream, &head, &chunk).await?;
            waiting.drain(..chunk.parts.len());
            if let Some(moved) = moved {
                states.extend(chunk.endpoints);
                self.cache.keep(stream, Warm { next_sequence: moved.next_sequence, states });
            }
        }
        Ok(report)
    }

    /// Applies the chunk that a crashed or rival writer left at the head, as it stands.
    async fn roll_forward(
        &self,
        stream: Stream,
        head: &Head,
        report: &mut Report,
    ) -> Result<(), WriteError> {
        if let Some(chunk) = self.table.chunk(stream, head.next_sequence).await? {
            report.rolled_forward += 1;
            report.reached = Some(chunk.first + chunk.events());
            self.apply(stream, head, &chunk).await?;
        }
        Ok(())
    }

    /// Reads the states that the parts need and `states` does not have.
    async fn read_missing(
        &self,
        stream: Stream,
        parts: &[Opened],
        states: &mut HashMap<String, Endpoint>,
    ) -> Result<u64, WriteError> {
        let missing: HashSet<&str> = parts
            .iter()
            .flat_map(Opened::endpoints)
            .filter(|id| !states.contains_key(*id))
            .collect();
        let missing: Vec<&str> = missing.into_iter().collect();
        if !missing.is_empty() {
            states.extend(self.table.endpoint_states(stream, &missing).await?);
        }
        Ok(count(missing.len()))
    }

    /// Writes everything that a chunk says; each step may be repeated. Returns the moved head, or
    /// `None` when another writer moved it.
    async fn apply(
        &self,
        stream: Stream,
        head: &Head,
        chunk: &Chunk,
    ) -> Result<Option<Head>, WriteError> {
        let table = &self.table;
        let endpoints = chunk
            .endpoints
            .iter()
            .map(|(id, state)| table.put_endpoint(stream, id, state, chunk.first, chunk.today));
        let ids: Vec<&PartId> = chunk.parts.iter().map(|part| &part.id).collect();
        let markers = table.mark_taken(stream, &ids, chunk.first, chunk.today);
        let tops = chunk
            .tops
            .iter()
            .map(|(key, counts)| table.add_to_top(stream, *key, counts, chunk.first));
        let (endpoints, tops) = (some_at_once(endpoints.collect()), some_at_once(tops.collect()));
        tokio::try_join!(endpoints, markers, tops)?;
        // Last: once the head has moved, nobody looks at the chunk again.
        Ok(table.advance(stream, head, chunk).await?)
    }
}

/// Runs conditional writes side by side; whether each took place is the table's to know.
async fn some_at_once<F>(writes: Vec<F>) -> Result<(), StoreError>
where
    F: Future<Output = Result<Written, StoreError>>,
{
    let writes = futures::stream::iter(writes).buffer_unordered(WRITES_AT_ONCE);
    writes.try_for_each(|_| std::future::ready(Ok(()))).await
}

/// One of each part: the queue may deliver a message twice in one call.
fn distinct(parts: Vec<Part>, report: &mut Report) -> Vec<Opened> {
    let mut seen = HashSet::new();
    let before = parts.len();
    let kept: Vec<Opened> =
        parts.into_iter().filter(|part| seen.insert(part.id.clone())).map(Opened::new).collect();
    report.duplicates += count(before - kept.len());
    kept
}

/// Plans as many whole parts as fit one chunk, at least one.
fn fit(
    head: &Head,
    today: Day,
    waiting: &[Opened],
    states: &HashMap<String, Endpoint>,
) -> Result<(Chunk, Vec<u8>), Damaged> {
    let mut parts = waiting;
    loop {
        let chunk = plan::plan(head, today, parts, states);
        let packed = chunk.to_bytes()?;
        if parts.len() <= 1 || packed.len() <= MOST_CHUNK_BYTES {
            return Ok((chunk, packed));
        }
        (parts, _) = parts.split_at(parts.len() / 2);
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
