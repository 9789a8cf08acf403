//! Work on directories in the background: reads those that are read, on a schedule or when somebody wants
//! it, and brings their users to what they say; brings users to their provider's new settings, takes them
//! out when it is deleted, and tells the members of large groups what became of them. A ring names a
//! provider; a schedule goes on with what is due. The table says how far each is, so that any worker can go
//! on with it, and two at once do no harm.

use belfry_domain::id::{IdentityProviderId, TenantId};
use belfry_domain::ports::Clock;
use belfry_runtime::Error;
use belfry_runtime::directory::{Ran, Worker};
use belfry_runtime::events::{Events, SqsMessage};
use belfry_runtime::ldap::Directory;
use belfry_runtime::metrics::{Metrics, Unit};
use belfry_runtime::post::Post;
use belfry_store::Table;
use serde_json::{Value, json};
use std::sync::Arc;

/// What the function is made of.
pub struct App {
    /// The table.
    pub table: Table,
    /// Mails, and the key that seals passwords.
    pub post: Post,
    /// Opens directories that are read.
    pub ldap: Arc<dyn Directory>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl App {
    fn worker(&self) -> Worker<'_> {
        let Self { table, post, ldap, clock } = self;
        Worker { table, post, directory: ldap.as_ref(), clock }
    }

    fn count(&self, ran: Ran, metrics: &mut Metrics) {
        // A transaction that met another one, and was done again.
        let conflicts = u32::try_from(self.table.meter().take_rivals()).unwrap_or(u32::MAX);
        for (name, value) in [
            ("directory.users", ran.done),
            ("directory.changed", ran.changed),
            ("directory.conflicts", conflicts),
        ] {
            metrics.add(name, Unit::Count, f64::from(value));
        }
    }
}

/// The provider that a ring names.
fn named(ring: &str) -> Option<(TenantId, IdentityProviderId)> {
    let (tenant, provider) = ring.split_once(' ')?;
    Some((tenant.parse().ok()?, provider.parse().ok()?))
}

impl Events for App {
    /// Rings: each text is `<tenant> <provider>`. What failed is left to the sweep, after a while: to read
    /// a directory again at once would not be kind to it.
    async fn messages(&self, rings: Vec<SqsMessage>, metrics: &mut Metrics) -> Vec<String> {
        let mut failed = Vec::new();
        for ring in rings {
            let Some((tenant, provider)) = named(&ring.body) else {
                // Nobody of ours sends such a ring: let it end among the dead letters.
                tracing::error!(message.id = ring.id, "a ring that names nothing");
                failed.push(ring.id);
                continue;
            };
            match Box::pin(self.worker().carry_on(tenant, provider)).await {
                Ok(ran) => self.count(ran, metrics),
                Err(error) => {
                    let cause = belfry_runtime::log::whole(&error);
                    tracing::error!(provider.id = %provider, cause, "users of a directory not worked on");
                    metrics.add("directory.failed", Unit::Count, 1.0);
                }
            }
        }
        failed
    }

    /// The schedule's `{"sweep": true}`.
    async fn invoked(&self, input: Value, metrics: &mut Metrics) -> Result<Value, Error> {
        if input != json!({"sweep": true}) {
            return Err("the only input is {\"sweep\": true}".into());
        }
        let swept = Box::pin(self.worker().sweep()).await?;
        metrics.add("directory.due", Unit::Count, f64::from(swept.due));
        metrics.add("directory.failed", Unit::Count, f64::from(swept.failed));
        self.count(swept.ran, metrics);
        Ok(json!({"due": swept.due, "failed": swept.failed}))
    }
}
