//! Work on directories in the background: brings all users of one to what it said and to its provider's
//! settings, takes them out when the provider is deleted, and tells the members of large groups what
//! became of them. A schedule goes on with what is due; the table says how far each is, so that any
//! worker can go on with it, and two at once do no harm.

use belfry_domain::directory::entry::DirectoryGroup;
use belfry_domain::directory::provider::Provider;
use belfry_domain::id::{IdentityProviderId, TenantId};
use belfry_domain::ports::Clock;
use belfry_runtime::Error;
use belfry_runtime::directory::{Failed, Ran, Registrar, tell};
use belfry_runtime::events::Events;
use belfry_runtime::log::whole;
use belfry_runtime::metrics::{Metrics, Unit};
use belfry_runtime::post::Post;
use belfry_store::{StoreError, Table};
use serde_json::{Value, json};
use std::sync::Arc;

/// What the function is made of.
pub struct App {
    /// The table.
    pub table: Table,
    /// Mails.
    pub post: Post,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Events for App {
    /// The schedule's `{"sweep": true}`.
    async fn invoked(&self, input: Value, metrics: &mut Metrics) -> Result<Value, Error> {
        if input != json!({"sweep": true}) {
            return Err("the only input is {\"sweep\": true}".into());
        }
        let now = self.clock.now();
        let (providers, groups) =
            tokio::try_join!(self.table.due_providers(now), self.table.due_groups(now))?;
        let due = providers.len() + groups.len();
        let mut failed = 0_u32;
        for provider in providers {
            match self.work(provider).await {
                Ok(Ran { done, changed }) => {
                    metrics.add("directory.users", Unit::Count, f64::from(done));
                    metrics.add("directory.changed", Unit::Count, f64::from(changed));
                }
                Err(error) => {
                    failed += 1;
                    tracing::error!(cause = whole(&error), "users of a directory not worked on");
                }
            }
        }
        for group in groups {
            if let Err(error) = self.tell(group).await {
                failed += 1;
                tracing::error!(cause = whole(&error), "members of a group not told");
            }
        }
        metrics.add("directory.failed", Unit::Count, f64::from(failed));
        Ok(json!({"due": due, "failed": failed}))
    }
}

impl App {
    async fn work(&self, provider: Result<Provider, StoreError>) -> Result<Ran, Failed> {
        let provider = provider?;
        let Some((tenant, provider)) = self.present(provider.tenant, provider.id).await? else {
            return Ok(Ran::default());
        };
        let whose = (&tenant, &provider);
        Registrar::new(&self.table, &self.post, whose, self.clock.now()).work().await
    }

    async fn tell(&self, group: Result<DirectoryGroup, StoreError>) -> Result<(), Failed> {
        let group = group?;
        let Some((tenant, provider)) = self.present(group.tenant, group.provider).await? else {
            return Ok(());
        };
        let parts = (&self.table, &self.post);
        tell(parts, (&tenant, &provider), &group, self.clock.now()).await
    }

    /// A tenant and its provider, as they are now: the index of what is due may be behind.
    async fn present(
        &self,
        tenant: TenantId,
        provider: IdentityProviderId,
    ) -> Result<Option<(belfry_domain::account::Tenant, Provider)>, StoreError> {
        let provider = self.table.provider(tenant, provider).await?;
        Ok(self.table.tenant(tenant).await?.zip(provider))
    }
}
