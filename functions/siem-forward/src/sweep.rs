//! The sweep: every minute, of every destination that is on.

use crate::App;
use belfry_domain::id::{AuditId, TenantId};
use belfry_domain::siem::destination::Destination;
use belfry_runtime::log::whole;
use belfry_runtime::siem_ring::{Ring, ring};
use belfry_store::StoreError;
use belfry_store::keys::DUE_SHARDS;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Destinations that are looked at side by side.
const AT_ONCE: usize = 16;
/// Accesses of a tenant that are numbered by one sweep, in portions of 90: the next one goes on.
const PORTIONS: u32 = 100;

/// What a sweep did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Destinations that were looked at.
    pub(crate) destinations: u32,
    /// Destinations that were rung for.
    pub(crate) rung: u32,
    /// Accesses that were numbered.
    pub(crate) numbered: u32,
    /// Destinations that could not be looked at.
    pub(crate) failed: u32,
}

impl App {
    pub(crate) async fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let numbered = Mutex::default();
        let numbered: &Mutex<HashSet<TenantId>> = &numbered;
        for shard in 0..DUE_SHARDS {
            let mut after = None;
            loop {
                let (found, more) = self.table.exporting(shard, after).await?;
                let looks = found.into_iter().map(|destination| async move {
                    match destination {
                        Ok(destination) => self.look(&destination, numbered).await,
                        Err(error) => Err(error),
                    }
                });
                let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
                while let Some(look) = looks.next().await {
                    swept.destinations += 1;
                    match look {
                        Ok((numbered, rung)) => {
                            swept.numbered += numbered;
                            swept.rung += u32::from(rung);
                        }
                        Err(error) => {
                            swept.failed += 1;
                            tracing::error!(cause = whole(&error), "destination not looked at");
                        }
                    }
                }
                after = more;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(swept)
    }

    /// Numbers what happened at the tenant's door, and rings for the destination if something waits
    /// for it and it is due.
    async fn look(
        &self,
        seen: &Destination,
        done: &Mutex<HashSet<TenantId>>,
    ) -> Result<(u32, bool), StoreError> {
        let (tenant, id, now) = (seen.tenant, seen.id, self.clock.now());
        let first = done.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant);
        let numbered = if first { self.number(tenant, now).await? } else { 0 };
        let Some((destination, progress)) = self.table.destination(tenant, id).await? else {
            return Ok((numbered, false));
        };
        if !destination.is_delivered_to() || !progress.is_due(destination.version, now) {
            return Ok((numbered, false));
        }
        let ends = self.table.stream_ends(tenant).await?;
        let work = !progress.waiting(&ends).is_empty() || !progress.again().is_empty();
        if work {
            let why = format!("sweep-{}-{}", progress.revision, now.as_second() / 60);
            ring(self.rings.as_ref(), [Ring { tenant, destination: id }], &why).await;
        }
        Ok((numbered, work))
    }

    /// Numbers what happened at a tenant's door since it exports.
    async fn number(&self, tenant: TenantId, now: Timestamp) -> Result<u32, StoreError> {
        let Some(since) = self.table.exports_since(tenant).await? else { return Ok(0) };
        let (mut numbered, mut after) = (0, Some(AuditId::first_at(since)));
        for _ in 0..PORTIONS {
            let Some(id) = after else { break };
            let entropy = self.entropy.as_ref();
            let (portion, more) = self.table.number_accesses(tenant, id, now, entropy).await?;
            numbered += u32::try_from(portion).unwrap_or(u32::MAX);
            after = more;
        }
        Ok(numbered)
    }
}
