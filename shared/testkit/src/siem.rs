//! Receivers that remember what they took, and do as a test wants; names that lead where it wants.

use belfry_domain::outbound::Reach;
use belfry_domain::siem::progress::Verdict;
use belfry_domain::siem::record::{Record, StreamName};
use belfry_runtime::outbound::{Outbound, Patience, Resolver, Trace};
use belfry_runtime::siem::{Carrier, Outcome, Parcel, Refusal, Trouble};
use futures::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// What a receiver does with one parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reception {
    /// Takes so many records and confirms them; then there is trouble.
    TakeOnly(usize, Trouble),
    /// Takes all of it, and nobody hears of it.
    LoseAnswer(Trouble),
}

#[derive(Debug, Default)]
struct Inner {
    /// Every record that arrived, repeats too, in their order.
    arrived: Vec<Record>,
    receptions: VecDeque<Reception>,
    /// What is refused by itself.
    poison: BTreeSet<(StreamName, u64)>,
    /// The paces that were asked for.
    paces: Vec<usize>,
}

/// A receiver in memory. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct MemoryReceiver(Arc<Mutex<Inner>>);

impl MemoryReceiver {
    /// Takes everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does so with the next parcel that it is not yet told about.
    pub fn next(&self, reception: Reception) {
        self.0.lock().unwrap().receptions.push_back(reception);
    }

    /// Refuses this record from now on.
    pub fn refuse(&self, stream: StreamName, sequence: u64) {
        self.0.lock().unwrap().poison.insert((stream, sequence));
    }

    /// Every record that arrived, repeats too.
    pub fn arrived(&self) -> Vec<Record> {
        self.0.lock().unwrap().arrived.clone()
    }

    /// The sequences that arrived of each stream, in their order, repeats too.
    pub fn sequences(&self) -> BTreeMap<StreamName, Vec<u64>> {
        let mut sequences = BTreeMap::<_, Vec<_>>::new();
        for record in self.arrived() {
            sequences.entry(record.stream).or_default().push(record.sequence);
        }
        sequences
    }

    /// How many records were to be sent at once, of each parcel.
    pub fn paces(&self) -> Vec<usize> {
        self.0.lock().unwrap().paces.clone()
    }
}

impl Carrier for MemoryReceiver {
    fn carry<'a>(&'a self, parcel: Parcel<'a>, _: &'a mut Trace) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut inner = self.0.lock().unwrap();
            inner.paces.push(parcel.pace);
            let mut outcome = Outcome::default();
            let (most, confirmed, trouble) = match inner.receptions.pop_front() {
                None => (usize::MAX, true, None),
                Some(Reception::TakeOnly(most, trouble)) => (most, true, Some(trouble)),
                Some(Reception::LoseAnswer(trouble)) => (usize::MAX, false, Some(trouble)),
            };
            for (index, record) in parcel.records.iter().enumerate() {
                let verdict = if index >= most {
                    Verdict::Unknown
                } else if inner.poison.contains(&(record.stream, record.sequence)) {
                    let (code, detail) = ("invalid_data", "It says no.".to_owned());
                    outcome.refusals.push(Refusal { index, code, detail });
                    if confirmed { Verdict::Parked } else { Verdict::Unknown }
                } else {
                    inner.arrived.push(record.clone());
                    if confirmed { Verdict::Confirmed } else { Verdict::Unknown }
                };
                outcome.verdicts.push(verdict);
            }
            if !confirmed {
                outcome.refusals.clear();
            }
            outcome.trouble = trouble;
            outcome
        })
    }
}

/// Something that may heal, or not.
pub fn trouble(code: &'static str, lasting: bool) -> Trouble {
    Trouble { code, detail: "It does not work.".to_owned(), lasting, wish: None }
}

/// Leads every name to the same addresses.
#[derive(Debug, Clone)]
pub struct FixedResolver(pub Vec<IpAddr>);

impl Resolver for FixedResolver {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(self.0.clone()) })
    }
}

/// Connects where production may, and knows one public address for every name.
pub fn public_network() -> Outbound {
    let resolver = FixedResolver(vec!["93.184.215.14".parse().unwrap()]);
    Outbound::new(Arc::new(resolver), Reach::Public, Patience::default())
}
