//! The tallies of one stream: what makes the dashboard's cost independent of the number of events
//! and endpoints, and its figures exact.

use crate::ports::Day;
use crate::telemetry::Damaged;
use crate::telemetry::endpoint::{Cell, Present, Sign};
use crate::telemetry::event::{EventType, Kind, Severity};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Days kept apart; older ones are summed.
pub const WINDOW_DAYS: i32 = 31;
/// Most (system, version) pairs and most agent versions of a stream; later ones are `other`.
pub const MOST_NAMES: usize = 200;

/// A number for each kind of endpoint. A name stands once beside both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerKind<T> {
    computers: T,
    mobiles: T,
}

impl<T: Copy + Default + PartialEq> PerKind<T> {
    /// The number of one kind.
    pub const fn of(self, kind: Kind) -> T {
        match kind {
            Kind::Computer => self.computers,
            Kind::Mobile => self.mobiles,
        }
    }

    const fn of_mut(&mut self, kind: Kind) -> &mut T {
        match kind {
            Kind::Computer => &mut self.computers,
            Kind::Mobile => &mut self.mobiles,
        }
    }

    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// A system and its version.
pub type System = (String, String);

/// What a fold changes in the tallies. Days are absolute; entries that come to nothing are left
/// out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    signs: BTreeMap<(Sign, Kind, Day), i64>,
    endpoints: PerKind<i64>,
    infected: PerKind<i64>,
    /// `None` is `other`.
    systems: BTreeMap<Option<System>, PerKind<i64>>,
    agents: BTreeMap<Option<String>, PerKind<i64>>,
    events: BTreeMap<(EventType, Option<Severity>, Day), u64>,
    unprocessable: u64,
    /// Latest receive time, Unix milliseconds.
    data_as_of: i64,
}

impl Delta {
    /// Takes the contribution of a state in (`weight` 1) or out (-1): one pure function says what
    /// a stored state contributes, so kind changes, removal and re-registration need no rule of
    /// their own. A tombstone contributes nothing.
    pub fn contribute(&mut self, present: Option<&Present>, weight: i64) {
        let Some(present) = present else { return };
        let kind = present.kind;
        *self.endpoints.of_mut(kind) += weight;
        if present.infected() {
            *self.infected.of_mut(kind) += weight;
        }
        for sign in Sign::ALL {
            if let Some(day) = present.last(sign) {
                *self.signs.entry((sign, kind, day)).or_default() += weight;
            }
        }
        let system = (present.system_cell == Cell::Named).then(|| {
            let (os, version) = present.system();
            (os.to_owned(), version.to_owned())
        });
        *self.systems.entry(system).or_default().of_mut(kind) += weight;
        let agent = (present.agent_cell == Cell::Named).then(|| present.agent().to_owned());
        *self.agents.entry(agent).or_default().of_mut(kind) += weight;
    }

    /// Counts an event.
    pub fn event(&mut self, kind: EventType, severity: Option<Severity>, day: Day) {
        *self.events.entry((kind, severity, day)).or_default() += 1;
    }

    /// Counts an event that could not be processed.
    pub const fn unprocessable(&mut self) {
        self.unprocessable += 1;
    }

    /// Notes that something arrived, Unix milliseconds.
    pub fn arrived(&mut self, at: i64) {
        self.data_as_of = self.data_as_of.max(at);
    }

    /// Drops what comes to nothing.
    pub fn settle(&mut self) {
        self.signs.retain(|_, n| *n != 0);
        self.systems.retain(|_, n| !n.is_nothing());
        self.agents.retain(|_, n| !n.is_nothing());
    }
}

/// Endpoints by the day of their latest sign of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ages {
    days: BTreeMap<Day, u64>,
    older: u64,
}

/// Events of one type and severity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daily {
    days: BTreeMap<Day, u64>,
    total: u64,
}

/// A range of ages in days, both ends included; `None` is without end.
pub type AgeRange = (i32, Option<i32>);

impl Ages {
    /// Endpoints whose latest sign is so many days before `today`. A day in the future has age 0.
    pub fn within(&self, today: Day, range: AgeRange) -> u64 {
        let recent = sum_days(&self.days, today, range);
        recent + if range.1.is_none() { self.older } else { 0 }
    }
}

impl Daily {
    /// Events so many days before `today`; without an end, the total less the later days.
    pub fn within(&self, today: Day, (from, to): AgeRange) -> u64 {
        match to {
            Some(_) => sum_days(&self.days, today, (from, to)),
            None => self.total.saturating_sub(sum_days(&self.days, today, (0, Some(from - 1)))),
        }
    }
}

fn sum_days(days: &BTreeMap<Day, u64>, today: Day, (from, to): AgeRange) -> u64 {
    days.iter()
        .filter(|(day, _)| {
            let age = today.since(**day).max(0);
            from <= age && to.is_none_or(|to| age <= to)
        })
        .map(|(_, count)| count)
        .sum()
}

/// The tallies of one stream; written whole, together with the stream's next sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tallies {
    /// Days before it are summed.
    horizon: Day,
    signs: BTreeMap<(Sign, Kind), Ages>,
    endpoints: PerKind<u64>,
    infected: PerKind<u64>,
    systems: BTreeMap<Option<System>, PerKind<u64>>,
    agents: BTreeMap<Option<String>, PerKind<u64>>,
    events: BTreeMap<(EventType, Option<Severity>), Daily>,
    unprocessable: u64,
    data_as_of: i64,
}

impl Default for Tallies {
    fn default() -> Self {
        Self {
            horizon: Day::from_number(0),
            signs: BTreeMap::new(),
            endpoints: PerKind::default(),
            infected: PerKind::default(),
            systems: BTreeMap::new(),
            agents: BTreeMap::new(),
            events: BTreeMap::new(),
            unprocessable: 0,
            data_as_of: 0,
        }
    }
}

/// Adds signed changes to counts; a count that would fall below zero is damage.
fn shift(count: &mut u64, by: i64) -> Result<(), Damaged> {
    *count = count
        .checked_add_signed(by)
        .ok_or_else(|| Damaged::new("tallies", "a count falls below zero"))?;
    Ok(())
}

fn shift_kinds(counts: &mut PerKind<u64>, by: PerKind<i64>) -> Result<(), Damaged> {
    shift(&mut counts.computers, by.computers)?;
    shift(&mut counts.mobiles, by.mobiles)
}

fn shift_names<K: Ord + Clone>(
    counts: &mut BTreeMap<K, PerKind<u64>>,
    by: &BTreeMap<K, PerKind<i64>>,
) -> Result<(), Damaged> {
    for (name, change) in by {
        shift_kinds(counts.entry(name.clone()).or_default(), *change)?;
    }
    counts.retain(|_, n| !n.is_nothing());
    Ok(())
}

impl Tallies {
    /// Applies a delta whose writer's day was `today`: sums the days that fall out of the window
    /// into `older`. The horizon never moves back.
    ///
    /// # Errors
    /// [`Damaged`] when a count would fall below zero.
    pub fn apply(&mut self, delta: &Delta, today: Day) -> Result<(), Damaged> {
        let horizon = self.horizon.max(today.minus(WINDOW_DAYS - 1));
        self.horizon = horizon;
        for ages in self.signs.values_mut() {
            let kept = ages.days.split_off(&horizon);
            ages.older += std::mem::replace(&mut ages.days, kept).values().sum::<u64>();
        }
        for ((sign, kind, day), change) in &delta.signs {
            let ages = self.signs.entry((*sign, *kind)).or_default();
            if *day < horizon {
                shift(&mut ages.older, *change)?;
            } else {
                shift(ages.days.entry(*day).or_default(), *change)?;
                ages.days.retain(|_, n| *n != 0);
            }
        }
        shift_kinds(&mut self.endpoints, delta.endpoints)?;
        shift_kinds(&mut self.infected, delta.infected)?;
        shift_names(&mut self.systems, &delta.systems)?;
        shift_names(&mut self.agents, &delta.agents)?;
        for daily in self.events.values_mut() {
            daily.days = daily.days.split_off(&horizon);
        }
        for ((kind, severity, day), count) in &delta.events {
            let daily = self.events.entry((*kind, *severity)).or_default();
            daily.total += count;
            if *day >= horizon {
                *daily.days.entry(*day).or_default() += count;
            }
        }
        self.unprocessable += delta.unprocessable;
        self.data_as_of = self.data_as_of.max(delta.data_as_of);
        Ok(())
    }

    /// Endpoints present, by kind.
    pub const fn endpoints(&self, kind: Kind) -> u64 {
        self.endpoints.of(kind)
    }

    /// Endpoints infected now, by kind.
    pub const fn infected(&self, kind: Kind) -> u64 {
        self.infected.of(kind)
    }

    /// Endpoints by the age of their latest sign.
    pub fn aged(&self, sign: Sign, kind: Kind, today: Day, range: AgeRange) -> u64 {
        self.signs.get(&(sign, kind)).map_or(0, |ages| ages.within(today, range))
    }

    /// Events of a type by their age, over all severities.
    pub fn events(&self, kind: EventType, today: Day, range: AgeRange) -> u64 {
        self.events
            .iter()
            .filter(|((of, _), _)| *of == kind)
            .map(|(_, daily)| daily.within(today, range))
            .sum()
    }

    /// Endpoints by system and kind; `None` is `other`.
    pub fn systems(&self) -> impl Iterator<Item = (Option<&System>, Kind, u64)> {
        by_kind(&self.systems).map(|(system, kind, n)| (system.as_ref(), kind, n))
    }

    /// Endpoints by agent version and kind; `None` is `other`.
    pub fn agents(&self) -> impl Iterator<Item = (Option<&str>, Kind, u64)> {
        by_kind(&self.agents).map(|(agent, kind, n)| (agent.as_deref(), kind, n))
    }

    /// Events that could not be processed, since the beginning.
    pub const fn unprocessable_total(&self) -> u64 {
        self.unprocessable
    }

    /// Latest receive time, Unix milliseconds; 0 when nothing came.
    pub const fn data_as_of(&self) -> i64 {
        self.data_as_of
    }

    /// The names that have a cell of their own.
    pub fn names(&self) -> Names {
        Names {
            systems: self.systems.keys().flatten().cloned().collect(),
            agents: self.agents.keys().flatten().cloned().collect(),
        }
    }

    /// Compact bytes.
    ///
    /// # Errors
    /// [`Damaged`] when it does not encode, which is a fault of ours.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Damaged> {
        postcard::to_allocvec(self).map_err(|e| Damaged::new("tallies", e))
    }

    /// Reads [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`Damaged`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        postcard::from_bytes(bytes).map_err(|e| Damaged::new("tallies", e))
    }
}

fn by_kind<K>(counts: &BTreeMap<K, PerKind<u64>>) -> impl Iterator<Item = (&K, Kind, u64)> {
    let each = |(name, n): (_, &PerKind<u64>)| Kind::ALL.map(|kind| (name, kind, n.of(kind)));
    counts.iter().flat_map(each).filter(|(_, _, n)| *n > 0)
}

/// Which names have a cell, while a plan is made.
#[derive(Debug, Clone, Default)]
pub struct Names {
    systems: BTreeSet<System>,
    agents: BTreeSet<String>,
}

fn assign<K: Ord>(names: &mut BTreeSet<K>, name: K) -> Cell {
    if names.contains(&name) {
        Cell::Named
    } else if names.len() < MOST_NAMES {
        names.insert(name);
        Cell::Named
    } else {
        Cell::Other
    }
}

impl Names {
    /// Decides in which cells a new state is counted. What did not change stays where it is.
    pub fn place(&mut self, old: Option<&Present>, new: &mut Present) {
        match old {
            Some(old) if old.system() == new.system() => new.system_cell = old.system_cell,
            _ => {
                let (os, version) = new.system();
                new.system_cell = assign(&mut self.systems, (os.to_owned(), version.to_owned()));
            }
        }
        match old {
            Some(old) if old.agent() == new.agent() => new.agent_cell = old.agent_cell,
            _ => new.agent_cell = assign(&mut self.agents, new.agent().to_owned()),
        }
    }
}
