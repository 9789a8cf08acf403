//! Folds parts of one stream into a chunk: the entry of the write-ahead log that says everything
//! that is to be written.

use crate::ports::Day;
use crate::telemetry::Damaged;
use crate::telemetry::endpoint::Endpoint;
use crate::telemetry::part::{Part, PartId, decode};
use crate::telemetry::tally::{Delta, Tallies};
use crate::telemetry::top::{KEPT_DAYS, List};
use crate::telemetry::{event::Event, pack, unpack};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, HashMap};

/// Most bytes of a chunk that folds several parts; one part may have up to an item's 400 KB.
pub const MOST_CHUNK_BYTES: usize = 300 * 1024;

/// A chunk costs a write unit for each KB, so size goes before speed.
const LEVEL: i32 = 6;

/// Why an event is in the log and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unprocessable {
    /// It does not decode.
    Unreadable,
    /// Its endpoint belongs to another stream.
    Misrouted,
}

/// A part as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedPart {
    /// Its identity.
    pub id: PartId,
    /// When its batch arrived, Unix milliseconds.
    pub received_at: i64,
    /// Its events as they came.
    pub events: Vec<ByteBuf>,
    /// Positions of those that could not be processed, and why.
    pub unprocessable: Vec<(u32, Unprocessable)>,
}

/// Counts for one top list and day.
pub type TopDelta = BTreeMap<(Day, List), BTreeMap<String, u64>>;

/// An entry of the write-ahead log. Applying it needs nothing else but the stored items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Sequence of its first event.
    pub first: u64,
    /// The writer's day.
    pub today: Day,
    /// The parts it takes; their events have the sequences from `first` on.
    pub parts: Vec<LoggedPart>,
    /// New states of the endpoints that change.
    pub endpoints: Vec<(String, Endpoint)>,
    /// Changes of the tallies.
    pub delta: Delta,
    /// Changes of the top lists.
    pub tops: TopDelta,
}

/// What is known of a stream when a plan is made.
#[derive(Debug, Clone)]
pub struct Head {
    /// Sequence of the next event, from 1.
    pub next_sequence: u64,
    /// The tallies.
    pub tallies: Tallies,
}

impl Default for Head {
    fn default() -> Self {
        Self { next_sequence: 1, tallies: Tallies::default() }
    }
}

/// The events of a part, decoded once.
#[derive(Debug)]
pub struct Opened {
    part: Part,
    events: Vec<Result<Event, Unprocessable>>,
}

impl Opened {
    /// Decodes a part's events, and checks that each belongs to the part's stream.
    pub fn new(part: Part) -> Self {
        let events = part
            .events
            .iter()
            .map(|bytes| {
                let event = decode(bytes).map_err(|_| Unprocessable::Unreadable)?;
                let misrouted = event.happening.endpoint().is_some_and(|endpoint| {
                    part.partitions.of(endpoint.id.as_str().as_bytes()) != part.stream.partition
                });
                if misrouted { Err(Unprocessable::Misrouted) } else { Ok(event) }
            })
            .collect();
        Self { part, events }
    }

    /// Its identity.
    pub const fn id(&self) -> &PartId {
        &self.part.id
    }

    /// How many events it has.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The endpoints it names.
    pub fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.events
            .iter()
            .filter_map(|event| event.as_ref().ok()?.happening.endpoint())
            .map(|endpoint| endpoint.id.as_str())
    }
}

/// Plans the chunk at the head: pure, so that planning again after a rival gives what is right
/// then. `states` holds every endpoint that the parts name and that is stored.
pub fn plan<S: std::hash::BuildHasher>(
    head: &Head,
    today: Day,
    parts: &[Opened],
    states: &HashMap<String, Endpoint, S>,
) -> Chunk {
    let mut delta = Delta::default();
    let mut tops = TopDelta::new();
    let mut folded: BTreeMap<&str, Endpoint> = BTreeMap::new();
    let mut logged = Vec::with_capacity(parts.len());
    for Opened { part, events } in parts {
        delta.arrived(part.received_at);
        let mut unprocessable = Vec::new();
        for (position, event) in (0_u32..).zip(events) {
            let event = match event {
                Ok(event) => event,
                Err(reason) => {
                    delta.unprocessable();
                    unprocessable.push((position, *reason));
                    continue;
                }
            };
            let at = event.time.min(part.received_at);
            let day = Day::of_millis(at);
            let happening = &event.happening;
            delta.event(happening.event_type(), happening.severity(), day);
            if today.since(day) < KEPT_DAYS {
                for (list, name, count) in List::entries(happening) {
                    let counts = tops.entry((day, list)).or_default();
                    match counts.get_mut(name) {
                        Some(known) => *known += count,
                        None => {
                            counts.insert(name.to_owned(), count);
                        }
                    }
                }
            }
            if let Some(endpoint) = happening.endpoint() {
                let id = endpoint.id.as_str();
                folded
                    .entry(id)
                    .or_insert_with(|| states.get(id).cloned().unwrap_or_default())
                    .fold(endpoint.kind, at, happening);
            }
        }
        logged.push(LoggedPart {
            id: part.id.clone(),
            received_at: part.received_at,
            events: part.events.clone(),
            unprocessable,
        });
    }
    let mut names = head.tallies.names();
    let mut endpoints = Vec::new();
    let unknown = Endpoint::default();
    for (id, mut new) in folded {
        let old = states.get(id).unwrap_or(&unknown);
        if new == *old {
            continue;
        }
        if let Some(present) = &mut new.present {
            names.place(old.present.as_ref(), present);
        }
        delta.contribute(old.present.as_ref(), -1);
        delta.contribute(new.present.as_ref(), 1);
        endpoints.push((id.to_owned(), new));
    }
    delta.settle();
    Chunk { first: head.next_sequence, today, parts: logged, endpoints, delta, tops }
}

impl Chunk {
    /// How many events it takes.
    pub fn events(&self) -> u64 {
        self.parts.iter().map(|part| u64::try_from(part.events.len()).unwrap_or(0)).sum()
    }

    /// Packed bytes.
    ///
    /// # Errors
    /// [`Damaged`] when it does not encode, which is a fault of ours.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Damaged> {
        pack("chunk", self, LEVEL)
    }

    /// Reads [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`Damaged`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        unpack("chunk", bytes)
    }
}
