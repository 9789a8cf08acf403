//! The outbox: what has to leave the system because of a change, written in the change's own
//! transaction, delivered afterwards.
//!
//! `due_at` is both lease and back-off: whoever takes an entry moves it into the future, and only
//! the holder of that attempt may finish or reschedule it. Delivery is at least once: a worker
//! that dies between the mail service's answer and the deletion lets the lease run out, and the
//! entry is sent again.

use crate::id::OutboxId;
use crate::mail::Mail;
use crate::ports::Day;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long an attempt may take before another worker may try. Longer than the function may run.
pub const LEASE: SignedDuration = SignedDuration::from_mins(2);

/// After this age an entry is no longer tried but parked, for people to look at.
pub const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(72);

/// How long a parked entry is kept.
pub const KEEP_PARKED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The longest pause between two attempts.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(4);

/// What leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outgoing {
    /// A mail.
    Mail(Mail),
    /// A message for the telemetry queue.
    Telemetry {
        /// Message group: the stream.
        group: String,
        /// Deduplication id.
        deduplication: String,
        /// The message.
        body: String,
    },
    /// Nothing: written where a mail would have told whether somebody is known.
    Nothing,
}

/// One thing that has to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its identifier, whose time says under which day it is kept.
    pub id: OutboxId,
    /// What leaves.
    pub outgoing: Outgoing,
    /// Not before this time: due, or lent to a worker until then.
    pub due_at: Timestamp,
    /// How often it was taken.
    pub attempts: u32,
}

/// What to do with an entry whose delivery failed for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again at this time.
    Retry(Timestamp),
    /// It has been tried for long enough.
    GiveUp,
}

impl OutboxEntry {
    /// A new entry, due at once. Due a minute ago, so that clocks which differ by seconds do not
    /// make the first ring come too early.
    pub fn new(id: OutboxId, outgoing: Outgoing, now: Timestamp) -> Self {
        Self { id, outgoing, due_at: now - SignedDuration::from_mins(1), attempts: 0 }
    }

    /// What follows a failed attempt: pauses of 1, 2, 4 .. minutes, at most 4 hours, for 3 days.
    pub fn after_failure(&self, now: Timestamp) -> Next {
        let pause = 1_i64.checked_shl(self.attempts.saturating_sub(1)).filter(|m| *m > 0);
        let pause = pause.map_or(LONGEST_PAUSE, |minutes| {
            SignedDuration::from_mins(minutes.min(LONGEST_PAUSE.as_mins()))
        });
        // An attempt that no sweep would make is none.
        if now + pause > self.id.made_at() + GIVE_UP_AFTER {
            Next::GiveUp
        } else {
            Next::Retry(now + pause)
        }
    }
}

/// The day under which an entry is kept.
pub fn day(id: OutboxId) -> Day {
    Day::of(id.made_at())
}

/// The days a sweep looks at: today and those in which an entry that is still tried may have been
/// made.
pub fn days_to_sweep(now: Timestamp) -> [Day; 4] {
    let today = Day::of(now);
    [0, 1, 2, 3].map(|days| today.minus(days))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Entropy;

    struct Ones;
    impl Entropy for Ones {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0xff);
        }
    }

    fn entry(now: Timestamp, attempts: u32) -> OutboxEntry {
        let outgoing = Outgoing::Telemetry {
            group: String::new(),
            deduplication: String::new(),
            body: String::new(),
        };
        OutboxEntry { attempts, ..OutboxEntry::new(OutboxId::new(now, &Ones), outgoing, now) }
    }

    #[test]
    fn the_identifier_tells_the_day() {
        let late = "2026-11-22T23:59:59.999Z".parse().unwrap();
        assert_eq!(day(OutboxId::new(late, &Ones)), Day::of(late));
        assert_eq!(
            days_to_sweep(late).map(Day::compact),
            ["20261122", "20261121", "20261120", "20261119"]
        );
    }

    #[test]
    fn pauses_double_up_to_four_hours_until_the_sweep_no_longer_looks() {
        let start: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        assert!(entry(start, 0).due_at < start);
        let pause = |attempts| match entry(start, attempts).after_failure(start) {
            Next::Retry(at) => at.duration_since(start).as_mins(),
            Next::GiveUp => panic!("too early"),
        };
        let expected = [1, 1, 2, 4, 8, 16, 32, 64, 128, 240, 240];
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(pause), expected);
        assert_eq!([63, 64, 65, u32::MAX].map(pause), [240; 4]);

        let (mut now, mut attempts) = (start, 0);
        while let Next::Retry(at) = entry(start, attempts + 1).after_failure(now) {
            (now, attempts) = (at, attempts + 1);
            assert!(days_to_sweep(now).contains(&Day::of(start)), "nobody would look at {now}");
        }
        assert!(attempts > 20, "{attempts}");
    }
}
