//! Looks at licences that come to their end, or to the end of their seats, and mails their tenants in time:
//! each thing once. It refuses nothing: that telemetry is no longer taken is in the credentials.

use belfry_domain::id::{OutboxId, TenantId};
use belfry_domain::license::License;
use belfry_domain::license::watch::{Look, Notice};
use belfry_domain::mail::Letter;
use belfry_domain::ports::{Clock, Entropy};
use belfry_runtime::Error;
use belfry_runtime::events::Events;
use belfry_runtime::log::whole;
use belfry_runtime::metrics::{Metrics, Unit};
use belfry_runtime::post;
use belfry_runtime::queue::Doorbell;
use belfry_store::table::Item;
use belfry_store::{StoreError, Table};
use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// Licences of each of the eight shards in one sweep; the next one takes what is left.
const LIMIT: i32 = 250;
/// Licences that are looked at side by side.
const AT_ONCE: usize = 8;

/// What the function is made of.
pub struct App {
    /// The table.
    pub table: Table,
    /// Rings for the outbox.
    pub bell: Arc<dyn Doorbell>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Events for App {
    /// The schedule's `{"sweep": true}`.
    async fn invoked(&self, input: Value, metrics: &mut Metrics) -> Result<Value, Error> {
        if input != json!({"sweep": true}) {
            return Err("the only input is {\"sweep\": true}".into());
        }
        let due = self.table.due_licenses(LIMIT, self.clock.now()).await?;
        let (mut told, mut failed) = (0, 0);
        let mut looked = Vec::with_capacity(due.len());
        for some in due.chunks(AT_ONCE) {
            let looks = some.iter().map(|due| self.look(due));
            looked.extend(join_all(looks).await);
        }
        for (due, looked) in due.iter().zip(looked) {
            match looked {
                Ok(mails) => told += mails,
                Err(cause) => {
                    failed += 1;
                    let tenant = due.as_ref().ok().map(|(tenant, _)| tenant.to_string());
                    let product = due.as_ref().ok().map(|(_, license)| license.product.name());
                    tracing::error!(tenant.id = tenant, product, cause, "not looked at");
                }
            }
        }
        metrics.add("license.looks", Unit::Count, f64::from(count(due.len())));
        metrics.add("license.notices", Unit::Count, f64::from(told));
        metrics.add("license.failed", Unit::Count, f64::from(failed));
        Ok(json!({"looked_at": due.len(), "told": told, "failed": failed}))
    }
}

/// A licence to be looked at with its tenant, or what is wrong with its item.
type Due = Result<(TenantId, License), StoreError>;

impl App {
    /// Looks at one licence; how many mails came of it. One that somebody changed meanwhile is looked at
    /// again by the next sweep.
    async fn look(&self, due: &Due) -> Result<u32, String> {
        let (tenant, license) = due.as_ref().map_err(|error| whole(error))?;
        self.looked(*tenant, license).await.map_err(|error| whole(&error))
    }

    async fn looked(&self, tenant: TenantId, license: &License) -> Result<u32, StoreError> {
        let (now, entropy) = (self.clock.now(), self.entropy.as_ref());
        let used = self.table.used_seats(tenant).await?.remove(&license.product).unwrap_or(0);
        let Look { tell, after } = license.look(used, now);
        let mails = self.mails(tenant, license, used, &tell, now).await?;
        let (ids, items): (Vec<_>, Vec<_>) = mails.into_iter().unzip();
        let (licenses, over) = ((license, &after), license.is_over(used));
        if !self.table.keep_look(tenant, licenses, over, items, now, entropy).await? {
            return Ok(0);
        }
        for id in &ids {
            post::ring(self.bell.as_ref(), *id).await;
        }
        Ok(count(ids.len()))
    }

    async fn mails(
        &self,
        tenant: TenantId,
        license: &License,
        used: u64,
        tell: &[Notice],
        now: Timestamp,
    ) -> Result<Vec<(OutboxId, Item)>, StoreError> {
        if tell.is_empty() {
            return Ok(Vec::new());
        }
        let lost = || StoreError::corrupt(tenant.to_string(), "a licence of no tenant");
        let tenant = self.table.tenant(tenant).await?.ok_or_else(lost)?;
        // Rounded up: on the day itself one day is left.
        let hours = license.ends_at.duration_since(now).as_hours().max(0);
        let days = u32::try_from(hours / 24 + 1).unwrap_or(u32::MAX);
        let mail = |notice: &Notice| {
            let (company, notice) = (tenant.company.clone(), *notice);
            let license = Box::new(license.into());
            let letter = Letter::LicenseNotice { company, notice, license, used, days };
            let (to, language) = (&tenant.registered_email, tenant.language);
            post::notice(to, language, letter, now, self.entropy.as_ref())
        };
        tell.iter().map(mail).collect()
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
