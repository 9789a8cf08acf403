//! What a tenant is told of a licence before it is too late, each thing once: its end 30, 7 and 1 days
//! ahead and when it is there, its seats at 90 and at 100 percent.

use crate::license::{License, LicenseState};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Something that a tenant is told of a licence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// It ends within 30 days.
    Days30,
    /// It ends within 7 days.
    Days7,
    /// It ends within a day.
    Days1,
    /// It has ended.
    Ended,
    /// 90 of 100 seats are used.
    Seats90,
    /// All seats are used.
    Seats100,
}

impl Notice {
    /// Those of the end, the first first.
    const OF_END: [Self; 4] = [Self::Days30, Self::Days7, Self::Days1, Self::Ended];
    /// Those of the seats.
    const OF_SEATS: [Self; 2] = [Self::Seats90, Self::Seats100];

    /// Whether it is about seats, and not the end.
    pub const fn is_of_seats(self) -> bool {
        matches!(self, Self::Seats90 | Self::Seats100)
    }

    /// How long before the end it is told.
    const fn ahead(self) -> SignedDuration {
        SignedDuration::from_hours(match self {
            Self::Days30 => 24 * 30,
            Self::Days7 => 24 * 7,
            Self::Days1 => 24,
            Self::Ended | Self::Seats90 | Self::Seats100 => 0,
        })
    }

    /// The percentage of seats that it is about.
    const fn percent(self) -> u64 {
        match self {
            Self::Seats90 => 90,
            _ => 100,
        }
    }
}

/// Seats are counted so often, and when few are left more often.
const LOOK_EVERY: SignedDuration = SignedDuration::from_hours(6);
const LOOK_OFTEN: SignedDuration = SignedDuration::from_hours(1);
/// From so many percent on few are left.
const FEW_LEFT: u64 = 80;

/// What comes of a look at a licence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What its tenant is to be told now: at most one thing of the end and one of the seats.
    pub tell: Vec<Notice>,
    /// The licence with that noted, and when it is looked at next.
    pub after: License,
}

impl License {
    /// Looks at a licence of which `used` seats are used.
    pub fn look(&self, used: u64, now: Timestamp) -> Look {
        let mut after = self.clone();
        after.version = self.version.saturating_add(1);
        let mut tell = Vec::new();
        let gone = self.state(now) == LicenseState::Revoked;
        if !gone {
            // Of several that were missed, only the last is still news; the term has to be longer than
            // what is told ahead, else it would be told on its first day.
            let begun = |notice: &Notice| {
                self.told_at(*notice).is_some_and(|at| now >= at && at > self.starts_at)
            };
            tell.extend(latest(&Notice::OF_END, begun, &mut after.notices));
        }
        if self.state(now) == LicenseState::Active {
            let full = |notice: &Notice| {
                used.saturating_mul(100) >= u64::from(self.seats).saturating_mul(notice.percent())
            };
            tell.extend(latest(&Notice::OF_SEATS, full, &mut after.notices));
        }
        after.look_at = self.next_look(used, now);
        Look { tell, after }
    }

    fn told_at(&self, notice: Notice) -> Option<Timestamp> {
        self.ends_at.checked_sub(notice.ahead()).ok()
    }

    fn next_look(&self, used: u64, now: Timestamp) -> Option<Timestamp> {
        if matches!(self.state(now), LicenseState::Expired | LicenseState::Revoked) {
            return None;
        }
        let few = used.saturating_mul(100) >= u64::from(self.seats).saturating_mul(FEW_LEFT);
        let pause = if few { LOOK_OFTEN } else { LOOK_EVERY };
        let at = now.checked_add(pause).unwrap_or(now);
        let ends = Notice::OF_END.iter().filter_map(|notice| self.told_at(*notice));
        let ends = ends.chain([self.accepted_until()]).filter(|end| *end > now);
        Some(ends.fold(at, Timestamp::min))
    }

    /// Whether more endpoints report than it covers.
    pub fn is_over(&self, used: u64) -> bool {
        used > u64::from(self.seats)
    }
}

/// The last of `order` that holds, unless it was told; it and those before it are noted.
fn latest(
    order: &[Notice],
    holds: impl Fn(&Notice) -> bool,
    noted: &mut Vec<Notice>,
) -> Option<Notice> {
    let last = order.iter().rposition(holds)?;
    let told = order.iter().take(last + 1).copied();
    let latest = *order.get(last)?;
    let news = !noted.contains(&latest);
    for notice in told {
        if !noted.contains(&notice) {
            noted.push(notice);
        }
    }
    news.then_some(latest)
}
