//! Work on tags in the background: brings users and applications to new rules, and assigns a tag to all
//! that a filter lets pass. A ring names a tenant, or a tenant and a tag; a schedule goes on with what
//! fell silent. The table says how far each is, so that any worker can go on with it, and two at once do
//! no harm.

mod assign;
mod evaluate;
mod walk;

use belfry_domain::id::{TagId, TenantId};
use belfry_domain::ports::{Clock, Entropy};
use belfry_runtime::Error;
use belfry_runtime::events::{Events, SqsMessage};
use belfry_runtime::metrics::{Metrics, Unit};
use belfry_store::{StoreError, Table};
use serde_json::{Value, json};
use std::sync::Arc;

pub use walk::{Failed, Ran};

/// What the function is made of.
pub struct App {
    /// The table.
    pub table: Table,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

/// What a ring is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// A tenant's members have to come to new rules.
    Evaluate(TenantId),
    /// A tag is being assigned.
    Assign(TenantId, TagId),
}

impl Work {
    fn named(ring: &str) -> Option<Self> {
        match ring.split_once(' ') {
            None => ring.parse().ok().map(Self::Evaluate),
            Some((tenant, tag)) => Some(Self::Assign(tenant.parse().ok()?, tag.parse().ok()?)),
        }
    }
}

impl Events for App {
    /// Rings: each text is `<tenant>` or `<tenant> <tag>`. What failed comes again.
    async fn messages(&self, rings: Vec<SqsMessage>, metrics: &mut Metrics) -> Vec<String> {
        let mut failed = Vec::new();
        for ring in rings {
            let Some(work) = Work::named(&ring.body) else {
                // Nobody of ours sends such a ring: let it end among the dead letters.
                tracing::error!(message.id = ring.id, "a ring that names nothing");
                failed.push(ring.id);
                continue;
            };
            if !self.carry_out(work, metrics).await {
                failed.push(ring.id);
            }
        }
        failed
    }

    /// The schedule's `{"sweep": true}`.
    async fn invoked(&self, input: Value, metrics: &mut Metrics) -> Result<Value, Error> {
        if input != json!({"sweep": true}) {
            return Err("the only input is {\"sweep\": true}".into());
        }
        let now = self.clock.now();
        let (tenants, tags) =
            tokio::try_join!(self.table.due_tagging(now), self.table.due_assignments(now))?;
        let all = tenants.len() + tags.len();
        let assignments =
            tags.into_iter().map(|due| due.map(|(tenant, tag)| Work::Assign(tenant, tag)));
        let due = tenants.into_iter().map(|due| due.map(Work::Evaluate)).chain(assignments);
        for work in readable(due) {
            self.carry_out(work, metrics).await;
        }
        Ok(json!({"due": all}))
    }
}

/// What could be read of what is due.
fn readable(due: impl Iterator<Item = Result<Work, StoreError>>) -> impl Iterator<Item = Work> {
    due.filter_map(|work| {
        work.inspect_err(|error| {
            let cause = belfry_runtime::log::whole(error);
            tracing::error!(cause, "work on tags not read");
        })
        .ok()
    })
}

impl App {
    /// Goes on with some work until it has ended. False when it has to come again.
    async fn carry_out(&self, work: Work, metrics: &mut Metrics) -> bool {
        let (tenant, ran) = match work {
            Work::Evaluate(tenant) => (tenant, self.evaluate(tenant).await),
            Work::Assign(tenant, tag) => (tenant, self.assign(tenant, tag).await),
        };
        match ran {
            Ok(Ran { done, changed }) => {
                metrics.add("tags.members", Unit::Count, f64::from(done));
                metrics.add("tags.changed", Unit::Count, f64::from(changed));
                tracing::info!(tenant.id = %tenant, done, changed, "members of tags walked over");
                true
            }
            Err(error) => {
                let cause = belfry_runtime::log::whole(&error);
                tracing::error!(tenant.id = %tenant, cause, "members of tags not walked over");
                false
            }
        }
    }
}
