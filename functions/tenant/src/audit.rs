//! `GET /audit`: changes and accesses as one list, the latest first.
//!
//! Both lie in the table in order, changes by number and accesses by id; a page merges the two from
//! where the page before left each.

use crate::App;
use crate::audit_view::AuditView;
use belfry_api::page::{Page, Query};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::audit::{Access, KEPT, Record};
use belfry_domain::id::{AuditId, TenantId, UserId};
use belfry_domain::policy::{Action, Author};
use belfry_store::{StoreError, Table};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;

/// Items read for one page: a filter that hits few must not read the whole trail.
const MOST_READ: usize = 2_000;
/// Items of one read, when a filter will drop most.
const PORTION: usize = 200;
/// Months read at once, while they give nothing.
const MOST_MONTHS: usize = 8;
/// How far the clocks of two functions may be apart: a later change may bear an earlier time.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// Where a page begins: below this number of the changes, and below this id of the accesses.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Position {
    changes: u64,
    accesses: AuditId,
}

/// A time in a query.
struct Moment(Timestamp);

/// What is none.
struct BadMoment;

impl fmt::Display for BadMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("give a time like 2027-01-31T00:00:00Z")
    }
}

impl FromStr for Moment {
    type Err = BadMoment;
    fn from_str(text: &str) -> Result<Self, BadMoment> {
        text.parse().map(Self).map_err(|_| BadMoment)
    }
}

#[derive(Debug)]
struct Filter {
    actor: Option<UserId>,
    action: Option<String>,
    entity: Option<String>,
    /// The first millisecond that is shown.
    from: Timestamp,
    /// The first that is not shown any more.
    to: Option<Timestamp>,
}

impl Filter {
    fn is_given(&self) -> bool {
        self.actor.is_some() || self.action.is_some() || self.entity.is_some() || self.to.is_some()
    }

    fn lets_pass(&self, row: &Row) -> bool {
        let (actor, action, entity) = match row {
            Row::Change(record) => {
                let actor = match record.actor {
                    Author::Person { id, .. } => Some(id),
                    Author::Directory { .. } | Author::BackOffice | Author::MailedLink => None,
                };
                (actor, record.action.as_str(), Some(record.entity.id.as_str()))
            }
            Row::Access(access) => (access.user, access.action(), None),
        };
        self.from <= row.at()
            && self.to.is_none_or(|to| row.at() < to)
            && self.actor.is_none_or(|wanted| Some(wanted) == actor)
            && self.action.as_ref().is_none_or(|wanted| wanted == action)
            && self.entity.as_ref().is_none_or(|wanted| Some(wanted.as_str()) == entity)
    }
}

enum Row {
    Change(Box<Record>),
    Access(Access),
}

impl Row {
    fn at(&self) -> Timestamp {
        match self {
            Self::Change(record) => record.at,
            Self::Access(access) => access.at,
        }
    }
}

pub(crate) async fn audit(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let now = app.clock.now();
    let mut query = Query::of(request, "GET /audit");
    let filter = Filter {
        actor: query.parsed("actor"),
        action: query.text("action"),
        entity: query.text("entity"),
        from: query.parsed("from").map_or(oldest(now), |Moment(at)| whole(at).max(oldest(now))),
        to: query.parsed("to").map(|Moment(at)| whole(at)),
    };
    let page: Page<Position> = query.page()?;
    actor.may(Action::ReadAudit)?;
    let tenant = actor.tenant();
    let from = match page.from {
        Some(from) => from,
        // What comes later than the first page is of no page.
        None => Position {
            changes: app.table.audit_head(tenant).await?.sequence.saturating_add(1),
            accesses: AuditId::first_at(now + SignedDuration::from_millis(1)),
        },
    };
    let (rows, next) = merge(&app.table, tenant, from, page.limit, &filter, now).await?;
    let numbers = rows.iter().filter_map(|row| match row {
        Row::Change(record) => Some(record.sequence),
        Row::Access(_) => None,
    });
    let range = numbers.clone().min().zip(numbers.max());
    let mut personal = match range {
        Some(range) => app.table.personal_parts(tenant, range).await?,
        None => BTreeMap::new(),
    };
    let views = rows.iter().map(|row| match row {
        Row::Change(record) => AuditView::change(record, personal.remove(&record.sequence)),
        Row::Access(access) => AuditView::access(access),
    });
    Ok(answer::ok(&page.view(views.collect(), next.as_ref())))
}

/// The first millisecond that is not over its time.
fn oldest(now: Timestamp) -> Timestamp {
    let over = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN).as_millisecond();
    Timestamp::from_millisecond(over.saturating_add(1)).unwrap_or(now)
}

/// The first whole millisecond that is not before `at`: what is stored is no finer.
fn whole(at: Timestamp) -> Timestamp {
    let floor = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
    if floor < at {
        floor.checked_add(SignedDuration::from_millis(1)).unwrap_or(floor)
    } else {
        floor
    }
}

/// The rows of a page, and where the next one begins, if there is one.
async fn merge(
    table: &Table,
    tenant: TenantId,
    from: Position,
    limit: usize,
    filter: &Filter,
    now: Timestamp,
) -> Result<(Vec<Row>, Option<Position>), StoreError> {
    let mut changes = Changes::new(from.changes);
    let mut accesses = Accesses::new(from.accesses, filter, now);
    let mut rows = Vec::new();
    while rows.len() < limit {
        let read = changes.read + accesses.read;
        let dry = changes.is_dry() || accesses.is_dry();
        if dry && read >= MOST_READ {
            break;
        }
        let wanted = if filter.is_given() { PORTION } else { limit - rows.len() };
        let portion = i32::try_from(wanted.saturating_add(1)).unwrap_or(i32::MAX);
        changes.fill(table, tenant, portion, filter).await?;
        accesses.fill(table, tenant, portion).await?;
        // Of the same time the change comes first: any rule will do that is always the same.
        let change_next = match (changes.ahead.front(), accesses.ahead.front()) {
            (Some(change), Some(access)) => change.at >= access.at,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => break,
        };
        let row = if change_next { changes.take() } else { accesses.take() };
        rows.extend(row.filter(|row| filter.lets_pass(row)));
    }
    let more = !changes.is_over() || !accesses.is_over();
    let next = Position { changes: changes.below, accesses: accesses.below };
    Ok((rows, more.then_some(next)))
}

/// The changes, from the latest on.
struct Changes {
    ahead: VecDeque<Record>,
    /// Numbers below this were not taken yet.
    below: u64,
    more: bool,
    read: usize,
}

impl Changes {
    fn new(below: u64) -> Self {
        Self { ahead: VecDeque::new(), below, more: below > 1, read: 0 }
    }

    fn is_dry(&self) -> bool {
        self.ahead.is_empty() && self.more
    }

    fn is_over(&self) -> bool {
        self.ahead.is_empty() && !self.more
    }

    async fn fill(
        &mut self,
        table: &Table,
        tenant: TenantId,
        portion: i32,
        filter: &Filter,
    ) -> Result<(), StoreError> {
        while self.is_dry() {
            let (records, more) = table.changes_below(tenant, self.below, portion).await?;
            self.read += records.len();
            self.more = more;
            // No later one of these is young enough, but for what clocks differ.
            let end = filter.from.checked_sub(SKEW).unwrap_or(Timestamp::MIN);
            if records.last().is_some_and(|last| last.at < end) {
                self.more = false;
            }
            self.ahead = records.into_iter().filter(|record| record.at >= end).collect();
            if self.is_over() {
                self.below = 1;
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Option<Row> {
        let record = self.ahead.pop_front()?;
        self.below = if self.is_over() { 1 } else { record.sequence };
        Some(Row::Change(Box::new(record)))
    }
}

/// The accesses, month by month, from the latest on.
struct Accesses {
    ahead: VecDeque<Access>,
    /// Ids below this were not taken yet.
    below: AuditId,
    /// The last one of all.
    from: AuditId,
    /// A moment of each month that is not read to its end.
    months: VecDeque<Timestamp>,
    at_once: usize,
    read: usize,
}

impl Accesses {
    fn new(below: AuditId, filter: &Filter, now: Timestamp) -> Self {
        // Whoever makes a cursor up may name any time.
        let latest = filter.to.unwrap_or(Timestamp::MAX).min(now + SignedDuration::from_millis(1));
        let (from, below) = (AuditId::first_at(filter.from), below.min(AuditId::first_at(latest)));
        // No access is about an entity.
        let none = filter.entity.is_some() || from >= below;
        let months = if none { VecDeque::new() } else { months(filter.from, below.made_at()) };
        Self { ahead: VecDeque::new(), below, from, months, at_once: 1, read: 0 }
    }

    fn is_dry(&self) -> bool {
        self.ahead.is_empty() && !self.months.is_empty()
    }

    fn is_over(&self) -> bool {
        self.ahead.is_empty() && self.months.is_empty()
    }

    async fn fill(
        &mut self,
        table: &Table,
        tenant: TenantId,
        portion: i32,
    ) -> Result<(), StoreError> {
        while self.is_dry() {
            let range = (self.from, self.below);
            let months = self.months.iter().take(self.at_once);
            let pages = months.map(|month| table.accesses_below(tenant, *month, range, portion));
            let mut open = true;
            for (accesses, more) in futures::future::try_join_all(pages).await? {
                self.read += accesses.len();
                if open {
                    self.ahead.extend(accesses);
                    open = !more;
                }
                if open {
                    self.months.pop_front();
                }
            }
            self.at_once = if open { (self.at_once * 2).min(MOST_MONTHS) } else { 1 };
            if self.is_over() {
                self.below = self.from;
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Option<Row> {
        let access = self.ahead.pop_front()?;
        self.below = if self.is_over() { self.from } else { access.id };
        Some(Row::Access(access))
    }
}

/// A moment of each month from that of `to` back to that of `from`.
fn months(from: Timestamp, to: Timestamp) -> VecDeque<Timestamp> {
    let mut months = VecDeque::new();
    let mut at = to;
    while at >= from {
        months.push_back(at);
        let first = TimeZone::UTC.to_datetime(at).date().first_of_month();
        let before = first.to_zoned(TimeZone::UTC).map(|start| start.timestamp());
        match before.map(|start| start.checked_sub(SignedDuration::from_millis(1))) {
            Ok(Ok(end)) => at = end,
            _ => break,
        }
    }
    months
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn every_month_has_its_moment() {
        let found = months(at("2025-10-18T12:00:00Z"), at("2026-11-22T12:00:00Z"));
        let found: Vec<_> = found.iter().map(|at| at.strftime("%Y%m").to_string()).collect();
        assert_eq!(found.len(), 14);
        assert_eq!((found[0].as_str(), found[10].as_str()), ("202611", "202601"));
        assert_eq!((found[11].as_str(), found[13].as_str()), ("202512", "202510"));
        assert_eq!(months(at("2026-11-01T00:00:00Z"), at("2026-11-30T23:59:59Z")).len(), 1);
        assert_eq!(months(at("2026-10-31T23:59:59Z"), at("2026-11-01T00:00:00Z")).len(), 2);
        assert!(months(at("2026-11-02T00:00:00Z"), at("2026-11-01T00:00:00Z")).is_empty());
    }

    #[test]
    fn bounds_are_whole_milliseconds() {
        let now = at("2026-11-22T12:00:00.0005Z");
        assert_eq!(oldest(now), at("2025-10-18T12:00:00.001Z"));
        assert_eq!(oldest(at("2026-11-22T12:00:00Z")), at("2025-10-18T12:00:00.001Z"));
        assert_eq!(whole(now), at("2026-11-22T12:00:00.001Z"));
        assert_eq!(whole(at("2026-11-22T12:00:00.001Z")), at("2026-11-22T12:00:00.001Z"));
    }
}
