//! Rings for SIEM destinations when there is something new for them. Which ones a tenant has is read
//! once a minute at most; what a ring misses meanwhile is the sweep's.

use belfry_domain::id::{DestinationId, TenantId};
use belfry_domain::telemetry::stream::Stream;
use belfry_runtime::log::whole;
use belfry_runtime::queue::FifoQueue;
use belfry_runtime::siem_ring::{Ring, ring};
use belfry_store::Table;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// For so long a roster is taken to be true.
const FRESH: SignedDuration = SignedDuration::from_secs(60);
/// Tenants whose roster is kept.
const MOST_TENANTS: usize = 10_000;

/// What is known of a tenant's destinations, and since when.
type Rosters = HashMap<TenantId, (Timestamp, Arc<[DestinationId]>)>;

pub(crate) struct Exports {
    rings: Arc<dyn FifoQueue>,
    rosters: Mutex<Rosters>,
}

impl Exports {
    pub(crate) fn new(rings: Arc<dyn FifoQueue>) -> Self {
        Self { rings, rosters: Mutex::default() }
    }

    /// The stream has reached `next`. What fails here is no reason to fail what was written.
    pub(crate) async fn tell(&self, table: &Table, stream: Stream, next: u64, now: Timestamp) {
        let destinations = match self.destinations(table, stream.tenant, now).await {
            Ok(destinations) => destinations,
            Err(error) => {
                tracing::warn!(cause = whole(&error), "SIEM destinations not known");
                return;
            }
        };
        let tenant = stream.tenant;
        let rings =
            destinations.iter().map(|destination| Ring { tenant, destination: *destination });
        let why = format!("{}-{}-{next}", stream.product, stream.partition.number());
        ring(self.rings.as_ref(), rings, &why).await;
    }

    async fn destinations(
        &self,
        table: &Table,
        tenant: TenantId,
        now: Timestamp,
    ) -> Result<Arc<[DestinationId]>, belfry_store::StoreError> {
        let known = self.lock().get(&tenant).cloned();
        if let Some((read_at, destinations)) = known
            && now.duration_since(read_at) < FRESH
        {
            return Ok(destinations);
        }
        let destinations: Arc<[_]> = table.delivered_to(tenant).await?.into();
        let mut rosters = self.lock();
        if rosters.len() >= MOST_TENANTS {
            rosters.clear();
        }
        rosters.insert(tenant, (now, destinations.clone()));
        Ok(destinations)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Rosters> {
        self.rosters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
