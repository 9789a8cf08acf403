//! The dashboard: sums over the tallies of a tenant's streams. Its cost depends neither on the
//! number of events nor on that of endpoints.

use crate::ports::Day;
use crate::product::Product;
use crate::telemetry::endpoint::Sign;
use crate::telemetry::event::{EventType, Kind};
use crate::telemetry::tally::{AgeRange, Tallies};
use crate::telemetry::top::{List, TopList};
use crate::text::folded;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::str::FromStr;

/// Top lists look at today and the six days before.
pub const TOP_DAYS: i32 = 7;

/// The five periods; together they cover everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Period {
    /// Today and the two days before.
    #[default]
    Days0To2,
    /// 3 to 6 days ago.
    Days3To6,
    /// 7 to 14 days ago.
    Days7To14,
    /// 15 to 29 days ago.
    Days15To29,
    /// 30 days ago and earlier.
    Days30AndMore,
}

/// A name that is none of the periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the period is one of 0-2d, 3-6d, 7-14d, 15-29d, 30d+")]
pub struct UnknownPeriod;

impl Period {
    /// All periods, youngest first.
    pub const ALL: [Self; 5] =
        [Self::Days0To2, Self::Days3To6, Self::Days7To14, Self::Days15To29, Self::Days30AndMore];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Days0To2 => "0-2d",
            Self::Days3To6 => "3-6d",
            Self::Days7To14 => "7-14d",
            Self::Days15To29 => "15-29d",
            Self::Days30AndMore => "30d+",
        }
    }

    /// Its ages in days.
    pub const fn ages(self) -> AgeRange {
        match self {
            Self::Days0To2 => (0, Some(2)),
            Self::Days3To6 => (3, Some(6)),
            Self::Days7To14 => (7, Some(14)),
            Self::Days15To29 => (15, Some(29)),
            Self::Days30AndMore => (30, None),
        }
    }
}

impl FromStr for Period {
    type Err = UnknownPeriod;
    fn from_str(text: &str) -> Result<Self, UnknownPeriod> {
        // A query string's bare `+` means a space, and `30d+` is easily sent bare.
        let text = if text == "30d " { Self::Days30AndMore.name() } else { text };
        Self::ALL.into_iter().find(|period| period.name() == text).ok_or(UnknownPeriod)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A count by kind of endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ByKind {
    /// Computers.
    pub computers: u64,
    /// Mobiles.
    pub mobiles: u64,
}

impl ByKind {
    fn count(of: impl Fn(Kind) -> u64) -> Self {
        Self { computers: of(Kind::Computer), mobiles: of(Kind::Mobile) }
    }

    const fn total(self) -> u64 {
        self.computers + self.mobiles
    }
}

/// Endpoints present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoints {
    /// All.
    pub total: u64,
    /// Computers.
    pub computers: u64,
    /// Mobiles.
    pub mobiles: u64,
    /// Those infected at present.
    pub infected_now: ByKind,
}

/// Violations in the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Violations {
    /// Endpoints whose latest violation falls in it.
    pub endpoints: u64,
    /// Events of it.
    pub events: u64,
}

/// Violations by what was violated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ViolationsByKind {
    /// Policies.
    pub policy: Violations,
    /// Applications.
    pub application: Violations,
}

/// Endpoints of one system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SystemCount {
    /// Operating system; `unknown`, or `other` beyond 200 pairs.
    pub os: String,
    /// Its version.
    pub version: String,
    /// `computer` or `mobile`.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
}

/// Endpoints of one agent version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentCount {
    /// Whose agent.
    pub product: Product,
    /// Its version; empty when unknown, `other` beyond 200.
    pub version: String,
    /// `computer` or `mobile`.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
}

/// A row of a top list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopRow {
    /// Name.
    pub name: String,
    /// Sum over the days.
    pub count: u64,
    /// By how much it may be off; 0 when exact.
    pub error: u64,
}

/// Endpoints by period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ageing {
    /// By their latest contact.
    pub not_seen: BTreeMap<Period, u64>,
    /// By their latest infection.
    pub infected: BTreeMap<Period, u64>,
}

/// The answer of `GET /dashboard`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dashboard {
    /// The period that was asked for.
    pub period: Period,
    /// When the latest telemetry arrived that the figures contain; `null` before any.
    pub data_as_of: Option<Timestamp>,
    /// Endpoints of EPP and EMM, at present.
    pub endpoints: Endpoints,
    /// Endpoints last seen in the period.
    pub not_seen: ByKind,
    /// Endpoints last infected in the period.
    pub infected: ByKind,
    /// Violations in the period.
    pub violations: ViolationsByKind,
    /// Endpoints by system, at present, most first.
    pub operating_systems: Vec<SystemCount>,
    /// Endpoints by agent version, at present, most first.
    pub agent_versions: Vec<AgentCount>,
    /// Personal data found, at most 10 rows.
    pub top_classifiers: Vec<TopRow>,
    /// Blocked applications, at most 5 rows.
    pub top_blocked_applications: Vec<TopRow>,
    /// Users whose access was blocked, at most 5 rows.
    pub top_blocked_users: Vec<TopRow>,
    /// Endpoints by all periods.
    pub ageing: Ageing,
    /// Whether any `error` is above 0.
    pub approximate: bool,
}

impl Dashboard {
    /// Sums up. `tops` holds the lists of today and the six days before.
    pub fn new(
        period: Period,
        today: Day,
        streams: &[(Product, Tallies)],
        tops: &[(List, TopList)],
    ) -> Self {
        let shown: Vec<&(Product, Tallies)> =
            streams.iter().filter(|(product, _)| product.counts_on_dashboard()).collect();
        let sum = |of: &dyn Fn(&Tallies) -> u64| shown.iter().map(|(_, t)| of(t)).sum::<u64>();
        let aged = |sign, kind, ages| sum(&|t| t.aged(sign, kind, today, ages));
        let by_kind = |sign| ByKind::count(|kind| aged(sign, kind, period.ages()));
        let violations = |sign, event| Violations {
            endpoints: by_kind(sign).total(),
            events: sum(&|t| t.events(event, today, period.ages())),
        };
        let by_period = |sign| {
            let count = |period: Period| ByKind::count(|kind| aged(sign, kind, period.ages()));
            Period::ALL.into_iter().map(|period| (period, count(period).total())).collect()
        };
        let present = ByKind::count(|kind| sum(&|t| t.endpoints(kind)));
        let (top_classifiers, top_blocked_applications, top_blocked_users) = (
            rows(tops, List::Classifiers, 10),
            rows(tops, List::BlockedApplications, 5),
            rows(tops, List::BlockedUsers, 5),
        );
        let approximate = [&top_classifiers, &top_blocked_applications, &top_blocked_users]
            .into_iter()
            .flatten()
            .any(|row| row.error > 0);
        let as_of = streams.iter().map(|(_, t)| t.data_as_of()).max().filter(|at| *at > 0);
        Self {
            period,
            data_as_of: as_of.and_then(|at| Timestamp::from_millisecond(at).ok()),
            endpoints: Endpoints {
                total: present.total(),
                computers: present.computers,
                mobiles: present.mobiles,
                infected_now: ByKind::count(|kind| sum(&|t| t.infected(kind))),
            },
            not_seen: by_kind(Sign::Contact),
            infected: by_kind(Sign::Infection),
            violations: ViolationsByKind {
                policy: violations(Sign::PolicyViolation, EventType::PolicyViolated),
                application: violations(Sign::ApplicationViolation, EventType::ApplicationViolated),
            },
            operating_systems: systems(&shown),
            agent_versions: agents(&shown),
            top_classifiers,
            top_blocked_applications,
            top_blocked_users,
            ageing: Ageing {
                not_seen: by_period(Sign::Contact),
                infected: by_period(Sign::Infection),
            },
            approximate,
        }
    }
}

fn systems(streams: &[&(Product, Tallies)]) -> Vec<SystemCount> {
    let mut counts: BTreeMap<(&str, &str, Kind), u64> = BTreeMap::new();
    for (_, tallies) in streams {
        for (system, kind, count) in tallies.systems() {
            let (os, version) = system.map_or(("other", ""), |(os, version)| (os, version));
            *counts.entry((os, version, kind)).or_default() += count;
        }
    }
    let mut rows: Vec<SystemCount> = counts
        .into_iter()
        .map(|((os, version, kind), count)| SystemCount {
            os: os.to_owned(),
            version: version.to_owned(),
            kind: kind.name(),
            count,
        })
        .collect();
    // A stable sort: rows of the same count stay in the order of their names.
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    rows
}

fn agents(streams: &[&(Product, Tallies)]) -> Vec<AgentCount> {
    let mut counts: BTreeMap<(Product, &str, Kind), u64> = BTreeMap::new();
    for (product, tallies) in streams {
        for (version, kind, count) in tallies.agents() {
            *counts.entry((*product, version.unwrap_or("other"), kind)).or_default() += count;
        }
    }
    let mut rows: Vec<AgentCount> = counts
        .into_iter()
        .map(|((product, version, kind), count)| AgentCount {
            product,
            version: version.to_owned(),
            kind: kind.name(),
            count,
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    rows
}

/// A name's count is the sum over days and streams; its error the sum of their errors, for a name
/// may be overcounted in one summary and missing from another.
fn rows(tops: &[(List, TopList)], list: List, most: usize) -> Vec<TopRow> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut error = 0;
    for (_, top) in tops.iter().filter(|(of, _)| *of == list) {
        error += top.error();
        for (name, count) in top.counts() {
            *counts.entry(name).or_default() += count;
        }
    }
    let mut rows: Vec<TopRow> = counts
        .into_iter()
        .map(|(name, count)| TopRow { name: name.to_owned(), count, error })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    rows.truncate(most);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_have_their_names_and_no_others() {
        for period in Period::ALL {
            assert_eq!(period.name().parse(), Ok(period));
        }
        assert_eq!("30d ".parse(), Ok(Period::Days30AndMore), "a bare + in a query is a space");
        for bad in ["", "30d", "0-2d ", "1d", "3-6D"] {
            assert_eq!(bad.parse::<Period>(), Err(UnknownPeriod), "{bad}");
        }
    }

    #[test]
    fn the_periods_cover_every_age_once() {
        for age in 0..1_000 {
            let covering = Period::ALL.into_iter().filter(|period| {
                let (from, to) = period.ages();
                from <= age && to.is_none_or(|to| age <= to)
            });
            assert_eq!(covering.count(), 1, "{age}");
        }
    }
}

/// Accesses to applications that were blocked, by the application's name as telemetry has it: of the
/// days and streams whose lists they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockedAccesses(Vec<TopList>);

impl BlockedAccesses {
    /// Those of these lists.
    pub const fn new(lists: Vec<TopList>) -> Self {
        Self(lists)
    }

    /// How many to one application, and by how much that may be too high or, of one that no list
    /// names, too low: 0 when it is exact.
    pub fn of(&self, application: &str) -> (u64, u64) {
        let wanted = folded(application);
        self.0.iter().fold((0, 0), |(count, error), list| {
            // No two applications of a tenant differ in case alone.
            let own = list.counts().iter().filter(|(name, _)| folded(name) == wanted);
            (count + own.map(|(_, count)| count).sum::<u64>(), error + list.error())
        })
    }
}
