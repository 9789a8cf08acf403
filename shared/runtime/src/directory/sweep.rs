//! What is due of all directories, of all tenants.

use super::{Failed, Ran, Registrar, tell};
use crate::log::whole;
use crate::post::Post;
use belfry_domain::account::Tenant;
use belfry_domain::directory::entry::DirectoryGroup;
use belfry_domain::directory::provider::Provider;
use belfry_domain::id::{IdentityProviderId, TenantId};
use belfry_store::{StoreError, Table};
use jiff::Timestamp;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Directories and groups that were due.
    pub due: u32,
    /// Those of them that could not be worked on: the next sweep tries again.
    pub failed: u32,
    /// Users that were looked at, and that changed.
    pub ran: Ran,
}

/// Goes on with all work on directories that is due.
///
/// # Errors
/// [`StoreError`] when what is due cannot be read.
pub async fn sweep(table: &Table, post: &Post, now: Timestamp) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    for provider in table.due_providers(now).await? {
        swept.due += 1;
        match work(table, post, provider, now).await {
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
    for group in table.due_groups(now).await? {
        swept.due += 1;
        if let Err(error) = tell_group(table, post, group, now).await {
            swept.failed += 1;
            tracing::error!(cause = whole(&error), "members of a group not told");
        }
    }
    Ok(swept)
}

async fn work(
    table: &Table,
    post: &Post,
    due: Result<Provider, StoreError>,
    now: Timestamp,
) -> Result<Ran, Failed> {
    let due = due?;
    let Some((tenant, provider)) = present(table, due.tenant, due.id).await? else {
        return Ok(Ran::default());
    };
    Registrar::new(table, post, (&tenant, &provider), now).work().await
}

async fn tell_group(
    table: &Table,
    post: &Post,
    due: Result<DirectoryGroup, StoreError>,
    now: Timestamp,
) -> Result<(), Failed> {
    let group = due?;
    let Some((tenant, provider)) = present(table, group.tenant, group.provider).await? else {
        return Ok(());
    };
    tell((table, post), (&tenant, &provider), &group, now).await
}

/// A tenant and its provider, as they are now: the index of what is due may be behind.
async fn present(
    table: &Table,
    tenant: TenantId,
    provider: IdentityProviderId,
) -> Result<Option<(Tenant, Provider)>, StoreError> {
    let provider = table.provider(tenant, provider).await?;
    Ok(table.tenant(tenant).await?.zip(provider))
}
