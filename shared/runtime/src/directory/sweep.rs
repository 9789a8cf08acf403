//! What is due of all directories, of all tenants.

use super::{Failed, Ran, tell, walk};
use crate::ldap;
use crate::log::whole;
use crate::post::Post;
use belfry_domain::account::Tenant;
use belfry_domain::directory::entry::DirectoryGroup;
use belfry_domain::directory::provider::{Provider, Task};
use belfry_domain::id::{IdentityProviderId, SyncId, TenantId};
use belfry_domain::policy::{Grant, carry_on_directory};
use belfry_domain::ports::Clock;
use belfry_store::directories::Place;
use belfry_store::{StoreError, Table};
use std::sync::Arc;

/// Who works on directories in the background.
pub struct Worker<'a> {
    /// The table.
    pub table: &'a Table,
    /// Mails.
    pub post: &'a Post,
    /// Opens directories that are read.
    pub directory: &'a dyn ldap::Directory,
    /// The time.
    pub clock: &'a Arc<dyn Clock>,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Directories and groups that were due.
    pub due: u32,
    /// Those of them that could not be worked on: a later sweep tries again.
    pub failed: u32,
    /// Users that were looked at, and that changed.
    pub ran: Ran,
}

impl Worker<'_> {
    /// Goes on with all work on directories that is due.
    ///
    /// # Errors
    /// [`StoreError`] when what is due cannot be read.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        for provider in self.table.due_providers(self.clock.now()).await? {
            swept.due += 1;
            let ran = match provider {
                Ok(due) => self.carry_on(due.tenant, due.id).await,
                Err(error) => Err(error.into()),
            };
            match ran {
                Ok(Ran { done, changed }) => {
                    swept.ran.done += done;
                    swept.ran.changed += changed;
                }
                Err(error) => {
                    swept.failed += 1;
                    tracing::error!(cause = whole(&error), "users of a directory not worked on");
                }
            }
        }
        for group in self.table.due_groups(self.clock.now()).await? {
            swept.due += 1;
            if let Err(error) = self.tell(group).await {
                swept.failed += 1;
                tracing::error!(cause = whole(&error), "members of a group not told");
            }
        }
        Ok(swept)
    }

    /// Goes on with the work on a directory's users that is due, if there is any; begins a sync that its
    /// schedule wants.
    ///
    /// # Errors
    /// [`Failed`]; what is done stays done.
    pub async fn carry_on(
        &self,
        tenant: TenantId,
        provider: IdentityProviderId,
    ) -> Result<Ran, Failed> {
        let now = self.clock.now();
        // As they are now: the index of what is due may be behind, and so may a ring.
        let Some((tenant, mut provider)) = self.present(tenant, provider).await? else {
            return Ok(Ran::default());
        };
        if provider.due_at().is_none_or(|at| at > now) {
            return Ok(Ran::default());
        }
        if provider.work.is_none() {
            let id = SyncId::new(now, self.post.entropy.as_ref());
            provider = provider.with_work(id, Task::Pull { accepted: None }, None, now);
        }
        match (provider.work.as_ref().map(|work| work.task), provider.settings.ldap()) {
            (Some(Task::Pull { .. }), Some(source)) => {
                Box::pin(self.pull((&tenant, &provider), source)).await
            }
            _ => Box::pin(walk::work(self, &tenant, &provider)).await,
        }
    }

    /// Takes up the work on a provider: leave to do it, unless another worker was faster. Of a tenant that
    /// is suspended it waits, and keeps nobody else from its turn.
    pub(super) async fn lend(
        &self,
        tenant: &Tenant,
        provider: &Provider,
        lent: &Provider,
    ) -> Result<Option<Grant>, Failed> {
        let grant = carry_on_directory(lent, tenant);
        let postponed = provider.postponed(self.clock.now());
        let next = if grant.is_some() { lent } else { &postponed };
        let kept = self.table.keep_provider(provider, next, self.post.entropy.as_ref()).await?;
        Ok(grant.filter(|_| kept))
    }

    async fn tell(&self, group: Result<DirectoryGroup, StoreError>) -> Result<(), Failed> {
        let due = group?;
        let Some((tenant, provider)) = self.present(due.tenant, due.provider).await? else {
            return Ok(());
        };
        // As it is now: the index may be behind, and it may have waited.
        let place = Place { tenant: due.tenant, provider: due.provider };
        let group = self.table.kept::<DirectoryGroup>(place, due.id).await?;
        let Some(group) = group.filter(|group| group.telling.is_some()) else { return Ok(()) };
        let now = self.clock.now();
        tell((self.table, self.post), (&tenant, &provider), &group, now).await
    }

    async fn present(
        &self,
        tenant: TenantId,
        provider: IdentityProviderId,
    ) -> Result<Option<(Tenant, Provider)>, StoreError> {
        let provider = self.table.provider(tenant, provider).await?;
        Ok(self.table.tenant(tenant).await?.zip(provider))
    }
}
