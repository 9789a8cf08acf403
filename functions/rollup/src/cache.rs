//! Endpoint states that a warm writer still knows. Strong reads of endpoints are the largest cost
//! of a quiet stream; when the head stands where this writer left it, they need not be repeated.

use belfry_domain::telemetry::endpoint::Endpoint;
use belfry_domain::telemetry::stream::Stream;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Most states kept, over all streams: about 20 MB.
const MOST_STATES: usize = 50_000;

/// What a writer left behind in a stream.
#[derive(Debug)]
pub(crate) struct Warm {
    /// Where its head update left the stream.
    pub(crate) next_sequence: u64,
    /// The states it read and wrote.
    pub(crate) states: HashMap<String, Endpoint>,
}

#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    streams: HashMap<Stream, (u64, Warm)>,
    /// Counts stores, to know the least recent.
    tick: u64,
}

impl Cache {
    /// Takes a stream's states out: they are dropped before planning, and come back only after a
    /// head update of this writer.
    pub(crate) fn take(&self, stream: Stream) -> Option<Warm> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.streams.remove(&stream).map(|(_, warm)| warm)
    }

    /// Keeps a stream's states; forgets the least recent streams to stay within the limit.
    pub(crate) fn keep(&self, stream: Stream, warm: Warm) {
        if warm.states.len() > MOST_STATES {
            return;
        }
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.tick += 1;
        let tick = inner.tick;
        inner.streams.insert(stream, (tick, warm));
        while inner.streams.values().map(|(_, warm)| warm.states.len()).sum::<usize>() > MOST_STATES
        {
            let oldest = inner.streams.iter().min_by_key(|(_, (tick, _))| *tick);
            let Some(oldest) = oldest.map(|(stream, _)| *stream) else { break };
            inner.streams.remove(&oldest);
        }
    }
}
