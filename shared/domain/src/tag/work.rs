//! What is done in the background: bringing every user and application to new rules, and assigning a
//! tag value to all that a filter lets pass.

use super::marks::Mark;
use super::{BadTag, MOST_TAGS, MOST_VALUES_IN_ALL, MOST_WEIGHT, Subject, Tag};
use crate::account::Role;
use crate::id::{TagId, TenantId, UserId};
use crate::policy::Origin;
use crate::users::Filter;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a worker may be silent before another one goes on in its place.
pub const LEASE: SignedDuration = SignedDuration::from_mins(6);

/// How long an assignment is shown after it began.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Who asked for it, as its records say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requester {
    /// Which user.
    pub user: UserId,
    /// With which role.
    pub role: Role,
    /// On which request.
    pub request_id: String,
}

impl Requester {
    /// The request.
    pub fn origin(&self) -> Origin {
        Origin { request_id: self.request_id.clone(), source_address: None }
    }
}

/// How far a walk over the members of a tenant is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// The last one that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Members looked at.
    pub done: u32,
    /// Members that there were when it began.
    pub total: u32,
    /// Members that changed.
    pub changed: u32,
}

/// The tags of a tenant as a whole: counters, and how far its users and applications are with its
/// rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tagging {
    /// Whose.
    pub tenant: TenantId,
    /// How many tags there are.
    pub tags: u32,
    /// How many values all of them have.
    #[serde(default)]
    pub values: u32,
    /// What all their rules weigh; see [`Rule::weight`](super::rule::Rule::weight).
    #[serde(default)]
    pub weight: u32,
    /// How many applications there are.
    pub applications: u32,
    /// Number of the next tag.
    pub next_number: u16,
    /// Number of the present rules: raised by every change of a tag.
    pub rules: u64,
    /// Number of the rules that all members have to come to.
    pub wanted: u64,
    /// Number of the rules that all members have come to.
    pub completed: u64,
    /// Who wanted the last of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Requester>,
    /// The walk that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<Pass>,
    /// From when on a worker may go on with it; none when nothing is to be done.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Grows with every change.
    pub version: u64,
}

/// A walk that brings members to new rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// Number of the rules when it began: those, or later ones, is what it brings everybody to.
    pub rules: u64,
    /// Who is walked over at the moment: users first.
    pub subject: Subject,
    /// How far it is.
    pub walk: Walk,
    /// When it began.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub started_at: Timestamp,
}

/// How far the members of a tag are with its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evaluation<'a> {
    /// They are as the rules say.
    Done,
    /// A walk goes on.
    Running(&'a Pass),
    /// A walk will begin.
    Waiting,
}

impl Tagging {
    /// Of a tenant that never had a tag or an application.
    pub const fn new(tenant: TenantId) -> Self {
        Self {
            tenant,
            tags: 0,
            values: 0,
            weight: 0,
            applications: 0,
            next_number: 1,
            rules: 0,
            wanted: 0,
            completed: 0,
            by: None,
            pass: None,
            due_at: None,
            version: 0,
        }
    }

    /// The same after a change.
    #[must_use]
    pub fn changed(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.clone() }
    }

    /// With one tag in place of another, or more, or less.
    ///
    /// # Errors
    /// [`BadTag`] when that is more than there may be.
    pub fn holding(&self, before: Option<&Tag>, after: Option<&Tag>) -> Result<Self, BadTag> {
        let of = |tag: Option<&Tag>| {
            tag.map_or((0, 0, 0), |tag| {
                (1, u32::try_from(tag.values.len()).unwrap_or(u32::MAX), tag.weight())
            })
        };
        let (less, more) = (of(before), of(after));
        let sum = |held: u32, less: u32, more: u32| held.saturating_sub(less).saturating_add(more);
        let tags = sum(self.tags, less.0, more.0);
        let values = sum(self.values, less.1, more.1);
        let weight = sum(self.weight, less.2, more.2);
        if tags > MOST_TAGS && tags > self.tags {
            Err(BadTag::Limit)
        } else if values > MOST_VALUES_IN_ALL && values > self.values {
            Err(BadTag::Values)
        } else if weight > MOST_WEIGHT && weight > self.weight {
            Err(BadTag::Weight)
        } else {
            Ok(Self { tags, values, weight, ..self.clone() })
        }
    }

    /// With the next rules. When that changes who has a tag, everybody has to come to them.
    #[must_use]
    pub fn with_rules(&self, walk: Option<&Requester>, now: Timestamp) -> Self {
        let mut next = self.changed();
        next.rules = self.rules.saturating_add(1);
        if let Some(by) = walk {
            next.wanted = next.rules;
            next.by = Some(by.clone());
            // A walk that goes on is its worker's, and followed by another one.
            next.due_at = next.due_at.or(Some(now));
        }
        next
    }

    /// How far the members of a tag are whose membership last changed with the rules of this number.
    pub fn evaluation(&self, rules: u64) -> Evaluation<'_> {
        match &self.pass {
            _ if rules <= self.completed => Evaluation::Done,
            Some(pass) if rules <= pass.rules => Evaluation::Running(pass),
            _ if rules <= self.wanted => Evaluation::Waiting,
            _ => Evaluation::Done,
        }
    }

    /// Lent to a worker: the walk goes on where it is, or begins. None when there is nothing to do.
    pub fn lent(&self, total: u32, now: Timestamp) -> Option<Self> {
        let mut next = self.changed();
        if next.pass.is_none() {
            if self.completed >= self.wanted {
                return None;
            }
            let walk = Walk { total, ..Walk::default() };
            let (rules, subject) = (self.rules, Subject::Users);
            next.pass = Some(Pass { rules, subject, walk, started_at: now });
        }
        next.due_at = Some(now.checked_add(LEASE).unwrap_or(now));
        Some(next)
    }

    /// After a part of the walk: so many looked at and changed, and where it goes on, if it does.
    #[must_use]
    pub fn walked(
        &self,
        (done, changed): (u32, u32),
        after: Option<String>,
        now: Timestamp,
    ) -> Self {
        let mut next = self.changed();
        next.due_at = Some(now.checked_add(LEASE).unwrap_or(now));
        let Some(pass) = &mut next.pass else { return next };
        let (done, changed) = (pass.walk.done + done, pass.walk.changed + changed);
        let total = pass.walk.total.max(done);
        pass.walk = Walk { after, done, total, changed };
        if pass.walk.after.is_none() {
            match pass.subject {
                Subject::Users => pass.subject = Subject::Applications,
                Subject::Applications => {
                    next.completed = pass.rules;
                    next.pass = None;
                    next.due_at = (next.completed < next.wanted).then_some(now);
                }
            }
        }
        next
    }
}

/// Whom an assignment concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Among {
    /// Users that a filter lets pass.
    Users(Filter),
    /// Applications that a filter lets pass.
    Applications(crate::application::Filter),
}

/// Where an assignment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It goes on.
    Running,
    /// It has come to its end.
    Done,
    /// Who asked for it may no longer, or the value is gone: what is not assigned yet is not.
    Stopped,
}

impl Stage {
    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Stopped => "stopped",
        }
    }
}

/// A tag value that is assigned to, or taken from, all that a filter lets pass. A tag has at most one
/// that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// In which tenant.
    pub tenant: TenantId,
    /// Which tag.
    pub tag: TagId,
    /// Number of the tag.
    pub number: u16,
    /// Number of its value.
    pub value: u16,
    /// Whether it is assigned; else it is taken away.
    pub assign: bool,
    /// From or to whom.
    pub among: Among,
    /// Who asked for it.
    pub by: Requester,
    /// Where it stands.
    pub stage: Stage,
    /// How far it is.
    pub walk: Walk,
    /// When it was asked for.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// From when on a worker may go on with it.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub due_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl Assignment {
    /// What it is about.
    pub const fn mark(&self) -> Mark {
        Mark { tag: self.number, value: self.value }
    }

    /// The same after a change, lent for as long as a worker may be silent.
    #[must_use]
    pub fn changed(&self, now: Timestamp) -> Self {
        let due_at = now.checked_add(LEASE).unwrap_or(now);
        Self { version: self.version.saturating_add(1), due_at, ..self.clone() }
    }

    /// After a part of the walk.
    #[must_use]
    pub fn walked(
        &self,
        (done, changed): (u32, u32),
        after: Option<String>,
        now: Timestamp,
    ) -> Self {
        let mut next = self.changed(now);
        let (done, changed) = (self.walk.done + done, self.walk.changed + changed);
        let total = self.walk.total.max(done);
        next.walk = Walk { after, done, total, changed };
        if next.walk.after.is_none() {
            return next.ended(Stage::Done, now);
        }
        next
    }

    /// At its end.
    #[must_use]
    pub fn ended(&self, stage: Stage, now: Timestamp) -> Self {
        // Whom it was looked for by may be a name, and is of no use any longer.
        let among = match &self.among {
            Among::Users(filter) => Among::Users(Filter { search: None, ..filter.clone() }),
            Among::Applications(filter) => Among::Applications(filter.clone()),
        };
        Self { stage, among, finished_at: Some(now), ..self.clone() }
    }
}
