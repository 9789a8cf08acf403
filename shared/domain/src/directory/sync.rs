//! What a sync of a directory came to: shown while it is the last one, and kept as history.

use crate::directory::provider::{Task, Work};
use crate::id::SyncId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long the history goes back. What could not be done names people.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Most problems of a sync that are kept; all are counted.
pub const MOST_PROBLEMS: usize = 100;

/// What made it happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// An administrator.
    Manual,
    /// The provider's schedule.
    Schedule,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything that can be is as the directory says.
    Completed,
    /// It would have deactivated too many, and did nothing: somebody has to accept that first.
    Stopped,
    /// The directory was not read to its end, or the work was given up. Of the former nothing was done.
    Failed,
}

/// How many users. Whoever is in none of the others is unchanged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Looked at.
    pub users: u32,
    /// New.
    pub created: u32,
    /// Were there, added by hand or imported, and are the directory's now.
    pub adopted: u32,
    /// Others than before; active again, too.
    pub changed: u32,
    /// Deactivated: disabled in the directory, or no longer there.
    pub deactivated: u32,
    /// Archived and new again, because the address is another one.
    pub replaced: u32,
    /// Disabled in the directory and never known here: left out.
    pub skipped: u32,
    /// Not as the directory says, because that must not be.
    pub conflicts: u32,
    /// Entries that cannot be users or groups.
    pub rejected: u32,
    /// Groups that are there.
    pub groups: u32,
}

impl Counts {
    /// Users whose items are written.
    pub const fn written(&self) -> u32 {
        self.created + self.adopted + self.changed + self.deactivated + self.replaced
    }
}

/// Who would lose access by a sync.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// So many, deactivated or archived.
    pub users: u32,
    /// Of so many whom the directory has and who are not deactivated.
    pub of: u32,
}

impl Leaving {
    /// Most that leave without being asked about, and most of a hundred.
    const MOST: u32 = 50;
    const MOST_PERCENT: u64 = 20;

    /// Whether somebody has to be asked first: they are more than 50, or more than a fifth of all, and
    /// more than were accepted.
    pub fn is_too_many(self, accepted: Option<u32>) -> bool {
        let share = u64::from(self.users) * 100 > u64::from(self.of) * Self::MOST_PERCENT;
        (share || self.users > Self::MOST) && accepted.is_none_or(|accepted| self.users > accepted)
    }
}

/// Why a directory was not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The step that failed: `resolve`, `connect`, `starttls`, `tls`, `bind`, `root`, `base`, `read`;
    /// `sync` for what is our own.
    pub step: String,
    /// Stable, `snake_case`.
    pub code: String,
    /// For the administrator, with the server's own words.
    pub detail: String,
}

/// A person or group who is not as the directory says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The address, or the entry's name in the directory.
    pub who: String,
    /// Stable, `snake_case`.
    pub code: String,
    /// For the administrator.
    pub detail: String,
}

/// What a sync came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Its id.
    pub id: SyncId,
    /// What made it happen.
    pub trigger: Trigger,
    /// How it ended.
    pub outcome: Outcome,
    /// How many.
    pub counts: Counts,
    /// Why it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<Leaving>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// When it began.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub finished_at: Timestamp,
}

impl Summary {
    /// Of work that ended so.
    pub fn of(work: &Work, outcome: Outcome, counts: Counts, now: Timestamp) -> Self {
        let trigger = if work.by.is_some() { Trigger::Manual } else { Trigger::Schedule };
        Self {
            id: work.id,
            trigger,
            outcome,
            counts,
            leaving: None,
            fault: None,
            started_at: work.started_at,
            finished_at: now,
        }
    }

    /// Of work on users whom nobody had to read, at its end.
    pub fn of_walk(work: &Work, now: Timestamp) -> Self {
        let counts =
            Counts { users: work.walk.done, changed: work.walk.changed, ..Counts::default() };
        Self::of(work, Outcome::Completed, counts, now)
    }

    /// Whether somebody has to decide something.
    pub fn is_stopped(&self) -> bool {
        self.outcome == Outcome::Stopped
    }
}

/// A sync of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRun {
    /// What it came to.
    pub summary: Summary,
    /// At most [`MOST_PROBLEMS`] of what could not be done.
    pub problems: Vec<Problem>,
}

impl Task {
    /// How many may be deactivated without being asked about again.
    pub const fn accepted(self) -> Option<u32> {
        match self {
            Self::Pull { accepted } => accepted,
            Self::Apply | Self::Remove(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_fifty_or_a_fifth_have_to_be_accepted() {
        let asks = |users, of, accepted| Leaving { users, of }.is_too_many(accepted);
        for (users, of, expected) in [
            (0, 0, false),
            (0, 10, false),
            (2, 10, false),
            (3, 10, true),
            (1, 4, true),
            (1, 5, false),
            (50, 15_000, false),
            (51, 15_000, true),
            (u32::MAX, u32::MAX, true),
        ] {
            assert_eq!(asks(users, of, None), expected, "{users} of {of}");
            assert!(!asks(users, of, Some(users)), "{users} of {of}");
        }
        assert!(asks(60, 100, Some(59)));
    }
}
