//! How far a destination is. At every moment, for each stream and in all:
//! produced = confirmed + refused + skipped + expired + backlog.

use crate::ports::{Entropy, random};
use crate::siem::record::StreamName;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The first pause after a failure; doubled with each.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(5);
/// The longest.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(15);
/// The longest that a receiver may ask for by `Retry-After`.
const LONGEST_WISH: SignedDuration = SignedDuration::from_hours(1);
/// After so long without a delivery the admins are told, and once more after a day.
const TELL_AFTER: SignedDuration = SignedDuration::from_mins(15);
const TELL_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// Most and fewest records that are sent at once.
const MOST_PACE: u32 = 4_096;
const LEAST_PACE: u32 = 32;

/// Where a destination stands in one stream. What was sent before it began is none of its business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// The last sequence that was there when it began.
    pub start: u64,
    /// The last sequence that is settled; moves only when the receiver has taken what lies before.
    pub cursor: u64,
    /// Records that the receiver has confirmed.
    pub confirmed: u64,
    /// Records that the receiver refuses, or that cannot be read: parked.
    pub refused: u64,
    /// Records that are not selected.
    pub skipped: u64,
    /// Records that the log had dropped before they could be sent.
    pub expired: u64,
}

impl Position {
    /// At the end of a stream.
    pub fn at(last: u64) -> Self {
        Self { start: last, cursor: last, ..Self::default() }
    }

    /// Records since it began, in a stream whose last sequence is `last`.
    pub const fn produced(&self, last: u64) -> u64 {
        last.saturating_sub(self.start)
    }

    /// Records that wait.
    pub const fn backlog(&self, last: u64) -> u64 {
        last.saturating_sub(self.cursor)
    }

    /// Moves to `to`: of the records up to there so many were confirmed, refused and gone; the others
    /// were not selected.
    fn settle(&mut self, to: u64, confirmed: u64, refused: u64, expired: u64) {
        let moved = to.saturating_sub(self.cursor);
        self.cursor = self.cursor.max(to);
        self.confirmed += confirmed;
        self.refused += refused;
        self.expired += expired;
        self.skipped += moved.saturating_sub(confirmed + refused + expired);
    }
}

/// What was read of a stream to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Of which stream.
    pub stream: StreamName,
    /// The last sequence that was looked at.
    pub to: u64,
    /// Sequences before the first that the log still has.
    pub expired: u64,
}

/// What became of one record that was to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver has it.
    Confirmed,
    /// It was put aside.
    Parked,
    /// It goes again.
    Unknown,
}

/// From where to where streams are to be read: after the first number, up to the second.
pub type Spans = BTreeMap<StreamName, (u64, u64)>;

/// Up to where a read of a stream is settled, and how many were confirmed and parked until there: up to its
/// first record that is unknown.
fn reached(read: &Read, records: &[(StreamName, u64, Verdict)]) -> (u64, u64, u64) {
    let (mut confirmed, mut refused) = (0, 0);
    for (_, sequence, verdict) in records.iter().filter(|(stream, ..)| *stream == read.stream) {
        match verdict {
            Verdict::Confirmed => confirmed += 1,
            Verdict::Parked => refused += 1,
            Verdict::Unknown => return (sequence.saturating_sub(1), confirmed, refused),
        }
    }
    (read.to, confirmed, refused)
}

/// Records to be sent once more, of one stream: those after `cursor` up to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// The last sequence that was sent.
    pub cursor: u64,
    /// Up to which.
    pub last: u64,
}

/// What went wrong, to be shown to the administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Stable, `snake_case`.
    pub code: String,
    /// One sentence, with what the receiver said.
    pub detail: String,
    /// When.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
}

/// What the admins were told of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Nothing yet.
    Nothing,
    /// That it fails.
    Once,
    /// That it has failed for a day.
    Twice,
}

/// How a destination does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Health {
    /// The last delivery was confirmed, or there was none yet.
    Healthy,
    /// Deliveries fail and are tried again.
    Retrying {
        /// Since when.
        #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
        since: Timestamp,
        /// How often it was tried.
        attempts: u32,
        /// When it is tried next.
        #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
        next_at: Timestamp,
        /// What the admins know.
        told: Told,
    },
    /// What is wrong does not heal by itself: it waits for other settings, or to be resumed.
    Suspended {
        /// Since when deliveries fail.
        #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
        since: Timestamp,
    },
}

/// What the admins are to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// It has failed for 15 minutes.
    Failing,
    /// It has failed for a day.
    FailingForADay,
    /// It is suspended.
    Suspended,
    /// It works again.
    Recovered,
}

/// How far a destination is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// By stream.
    pub streams: BTreeMap<StreamName, Position>,
    /// What is to be sent once more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replay: BTreeMap<StreamName, Replay>,
    /// Records that were sent, however often.
    pub sent: u64,
    /// Records that were confirmed when they were sent once more.
    pub replayed: u64,
    /// How it does.
    pub health: Health,
    /// When a delivery was last confirmed.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// What last went wrong; stays when it works again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<Fault>,
    /// How many records are sent at once: halved when the receiver was too slow, doubled when it took them.
    pub pace: u32,
    /// The version of the settings with which it was last tried: others are tried at once.
    pub tried_version: u64,
    /// Grows with every change.
    pub revision: u64,
}

impl Progress {
    /// At the end of every stream, given the last sequences.
    pub fn begin(lasts: &BTreeMap<StreamName, u64>) -> Self {
        let streams = lasts.iter().map(|(stream, last)| (*stream, Position::at(*last)));
        Self {
            streams: streams.collect(),
            replay: BTreeMap::new(),
            sent: 0,
            replayed: 0,
            health: Health::Healthy,
            confirmed_at: None,
            last_error: None,
            pace: MOST_PACE,
            tried_version: 0,
            revision: 0,
        }
    }

    /// Where it stands in a stream: one that came later it takes from its first record on.
    pub fn position(&self, stream: StreamName) -> Position {
        self.streams.get(&stream).copied().unwrap_or_default()
    }

    /// What waits of every stream that ends so.
    pub fn waiting(&self, ends: &BTreeMap<StreamName, u64>) -> Spans {
        let spans =
            ends.iter().map(|(stream, last)| (*stream, (self.position(*stream).cursor, *last)));
        spans.filter(|(_, (after, last))| after < last).collect()
    }

    /// What is to be sent once more.
    pub fn again(&self) -> Spans {
        self.replay.iter().map(|(stream, replay)| (*stream, (replay.cursor, replay.last))).collect()
    }

    /// Whether it may be delivered to now, with the settings of this version.
    pub fn is_due(&self, version: u64, now: Timestamp) -> bool {
        let waits = match self.health {
            Health::Healthy => false,
            Health::Retrying { next_at, .. } => next_at > now,
            Health::Suspended { .. } => true,
        };
        !waits || version > self.tried_version
    }

    /// Takes in what became of a batch: `records` are those that were to be sent, in their order, each
    /// stream's in its own. A stream moves up to its first record that is unknown.
    pub fn settle(&mut self, reads: &[Read], records: &[(StreamName, u64, Verdict)]) {
        for read in reads {
            let (to, confirmed, refused) = reached(read, records);
            let position = self.streams.entry(read.stream).or_default();
            position.settle(to, confirmed, refused, read.expired);
        }
    }

    /// The same of records that were sent once more.
    pub fn settle_replay(&mut self, reads: &[Read], records: &[(StreamName, u64, Verdict)]) {
        for read in reads {
            let (to, confirmed, _) = reached(read, records);
            self.replayed += confirmed;
            if let Some(replay) = self.replay.get_mut(&read.stream) {
                replay.cursor = replay.cursor.max(to);
                if replay.cursor >= replay.last {
                    self.replay.remove(&read.stream);
                }
            }
        }
    }

    /// A delivery was confirmed. What the admins are to be told of it.
    pub fn succeeded(&mut self, now: Timestamp) -> Option<Notice> {
        self.confirmed_at = Some(now);
        self.pace = self.pace.saturating_mul(2).min(MOST_PACE);
        let before = std::mem::replace(&mut self.health, Health::Healthy);
        let told = match before {
            Health::Healthy => false,
            Health::Retrying { told, .. } => told > Told::Nothing,
            Health::Suspended { .. } => true,
        };
        told.then_some(Notice::Recovered)
    }

    /// Some of a delivery was confirmed before it failed: it is tried again soon.
    pub fn moved(&mut self, now: Timestamp) {
        self.confirmed_at = Some(now);
        if let Health::Retrying { attempts, .. } = &mut self.health {
            *attempts = 0;
        }
    }

    /// A delivery failed in a way that may heal: the next try after a random part of 5 s that double up
    /// to 15 min (full jitter), or as late as the receiver wishes. What the admins are to be told of it.
    pub fn failed(
        &mut self,
        fault: Fault,
        wish: Option<SignedDuration>,
        entropy: &dyn Entropy,
    ) -> Option<Notice> {
        let now = fault.at;
        self.pace = (self.pace / 2).max(LEAST_PACE);
        self.last_error = Some(fault);
        let (since, attempts, told) = match self.health {
            Health::Healthy => (now, 0, Told::Nothing),
            Health::Retrying { since, attempts, told, .. } => (since, attempts, told),
            Health::Suspended { since } => (since, 0, Told::Once),
        };
        let most = FIRST_PAUSE.as_secs() << attempts.min(8);
        let most = SignedDuration::from_secs(most).min(LONGEST_PAUSE).as_millis();
        let part = i128::from(u64::from_le_bytes(random(entropy))) % most.max(1);
        let pause = SignedDuration::from_millis(i64::try_from(part).unwrap_or(0));
        let next_at = now + pause.max(wish.unwrap_or_default().min(LONGEST_WISH));
        let (told, notice) = if now >= since + TELL_AGAIN_AFTER && told < Told::Twice {
            (Told::Twice, Some(Notice::FailingForADay))
        } else if now >= since + TELL_AFTER && told < Told::Once {
            (Told::Once, Some(Notice::Failing))
        } else {
            (told, None)
        };
        let attempts = attempts.saturating_add(1);
        self.health = Health::Retrying { since, attempts, next_at, told };
        notice
    }

    /// A delivery failed in a way that does not heal. What the admins are to be told of it.
    pub fn suspended(&mut self, fault: Fault) -> Option<Notice> {
        let since = match self.health {
            Health::Healthy => fault.at,
            Health::Retrying { since, .. } | Health::Suspended { since } => since,
        };
        let new = !matches!(self.health, Health::Suspended { .. });
        self.last_error = Some(fault);
        self.health = Health::Suspended { since };
        new.then_some(Notice::Suspended)
    }

    /// An administrator wants it tried at once. Whoever was told of the failure is told of its end too.
    pub fn resumed(&mut self, now: Timestamp) {
        let (since, told) = match self.health {
            Health::Healthy => return,
            Health::Retrying { since, told, .. } => (since, told),
            Health::Suspended { since } => (since, Told::Once),
        };
        self.health = Health::Retrying { since, attempts: 0, next_at: now, told };
    }
}
