//! The state of one endpoint: a fold of its events that does not need them in order.
//!
//! It equals the fold of the same events ordered by (UTC day, sequence) in which a removal forgets
//! everything before it. Signs keep the latest day only, so a late removal need only compare.

use crate::ports::Day;
use crate::telemetry::event::{Happening, Kind, Name, Status};
use serde::{Deserialize, Serialize};

/// The kinds of sign whose latest day is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Sign {
    /// Any event that names the endpoint.
    Contact,
    /// Malware was found.
    Infection,
    /// A policy was violated.
    PolicyViolation,
    /// A forbidden application was used.
    ApplicationViolation,
}

impl Sign {
    /// All kinds of sign.
    pub const ALL: [Self; 4] =
        [Self::Contact, Self::Infection, Self::PolicyViolation, Self::ApplicationViolation];
}

/// In which cell of a limited table of names an endpoint was counted; kept, so that it is taken
/// out of the very cell it was put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cell {
    /// Under its own name.
    Named,
    /// Under `other`: the table was full.
    Other,
}

/// A detection: when, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// Unix milliseconds.
    pub at: i64,
    /// The threat's name.
    pub threat: Name,
}

/// An endpoint that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {
    /// Its kind, by the latest event.
    pub kind: Kind,
    /// Day of the latest event.
    pub contact: Day,
    /// Day of the latest infection.
    pub infection: Option<Day>,
    /// Day of the latest policy violation.
    pub policy: Option<Day>,
    /// Day of the latest application violation.
    pub application: Option<Day>,
    /// The latest detection by time.
    pub detected: Option<Detection>,
    /// The latest cleaning by time, Unix milliseconds.
    pub cleaned: Option<i64>,
    /// What it last said of itself, and on which day; `None` while only others named it.
    pub status: Option<(Day, Status)>,
    /// Where its system is counted.
    pub system_cell: Cell,
    /// Where its agent version is counted.
    pub agent_cell: Cell,
}

/// What is known of one endpoint id.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Endpoint {
    /// Day of the latest removal: events before it no longer concern the endpoint.
    pub removed: Option<Day>,
    /// The endpoint, or `None`: never seen, or a tombstone.
    pub present: Option<Present>,
}

impl Present {
    fn new(kind: Kind, contact: Day) -> Self {
        Self {
            kind,
            contact,
            infection: None,
            policy: None,
            application: None,
            detected: None,
            cleaned: None,
            status: None,
            system_cell: Cell::Named,
            agent_cell: Cell::Named,
        }
    }

    /// Infected: the last detection is later than the last cleaning; equal means cleaned.
    pub fn infected(&self) -> bool {
        match (&self.detected, self.cleaned) {
            (Some(detected), Some(cleaned)) => detected.at > cleaned,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Day of the latest sign of this kind.
    pub const fn last(&self, sign: Sign) -> Option<Day> {
        match sign {
            Sign::Contact => Some(self.contact),
            Sign::Infection => self.infection,
            Sign::PolicyViolation => self.policy,
            Sign::ApplicationViolation => self.application,
        }
    }

    /// System and version as they are counted and shown; `unknown` until a status came.
    pub fn system(&self) -> (&str, &str) {
        match &self.status {
            Some((_, status)) => (status.os.as_str(), status.os_version.as_str()),
            None => ("unknown", ""),
        }
    }

    /// Agent version as it is counted and shown; empty until a status came.
    pub fn agent(&self) -> &str {
        self.status.as_ref().map_or("", |(_, status)| status.agent_version.as_str())
    }

    /// Forgets what lies on `day` or before; `None` when nothing is left.
    fn since(mut self, day: Day) -> Option<Self> {
        if self.contact <= day {
            return None;
        }
        let later = |sign: Option<Day>| sign.filter(|d| *d > day);
        self.infection = later(self.infection);
        self.policy = later(self.policy);
        self.application = later(self.application);
        self.detected = self.detected.filter(|d| Day::of_millis(d.at) > day);
        self.cleaned = self.cleaned.filter(|at| Day::of_millis(*at) > day);
        self.status = self.status.filter(|(d, _)| *d > day);
        Some(self)
    }
}

impl Endpoint {
    /// Folds one event in. `at` is min(time, receive time) in Unix milliseconds. Events are
    /// folded in the order of their sequences; their days may come in any order.
    pub fn fold(&mut self, kind: Kind, at: i64, happening: &Happening) {
        let day = Day::of_millis(at);
        if matches!(happening, Happening::EndpointRemoved { .. }) {
            self.present = self.present.take().and_then(|present| present.since(day));
            self.removed = self.removed.max(Some(day));
            return;
        }
        if self.removed.is_some_and(|removed| day < removed) {
            return;
        }
        let present = self.present.get_or_insert_with(|| Present::new(kind, day));
        if day >= present.contact {
            present.contact = day;
            present.kind = kind;
        }
        match happening {
            Happening::EndpointStatus { status, .. } => {
                if present.status.as_ref().is_none_or(|(known, _)| day >= *known) {
                    present.status = Some((day, status.clone()));
                }
            }
            Happening::InfectionDetected(infection) => {
                present.infection = present.infection.max(Some(day));
                if present.detected.as_ref().is_none_or(|known| at >= known.at) {
                    present.detected = Some(Detection { at, threat: infection.threat.clone() });
                }
            }
            Happening::InfectionCleaned(_) => present.cleaned = present.cleaned.max(Some(at)),
            Happening::PolicyViolated { .. } => present.policy = present.policy.max(Some(day)),
            Happening::ApplicationViolated { .. } => {
                present.application = present.application.max(Some(day));
            }
            Happening::ClassifierMatched { .. }
            | Happening::EndpointRemoved { .. }
            | Happening::AccessBlocked { .. } => {}
        }
    }
}
