//! Carries out imports of users. A ring names one import; a schedule goes on with those whose worker
//! fell silent. The table says how far each one is, so that any worker can go on with it, and two at
//! once do no harm.

mod run;

use belfry_domain::id::{ImportId, TenantId};
use belfry_domain::ports::{Clock, Entropy};
use belfry_runtime::Error;
use belfry_runtime::events::{Events, SqsMessage};
use belfry_runtime::metrics::{Metrics, Unit};
use belfry_runtime::post::Post;
use belfry_store::Table;
use serde_json::{Value, json};
use std::sync::Arc;

pub use run::{Failed, Ran};

/// What the function is made of.
pub struct App {
    /// The table.
    pub table: Table,
    /// Mails.
    pub post: Post,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Events for App {
    /// Rings: each text is `<tenant> <import>`. What failed comes again.
    async fn messages(&self, rings: Vec<SqsMessage>, metrics: &mut Metrics) -> Vec<String> {
        let mut failed = Vec::new();
        for ring in rings {
            let Some((tenant, import)) = named(&ring.body) else {
                // Nobody of ours sends such a ring: let it end among the dead letters.
                tracing::error!(message.id = ring.id, "a ring that names no import");
                failed.push(ring.id);
                continue;
            };
            if !self.carry_out(tenant, import, metrics).await {
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
        let due = self.table.due_imports(self.clock.now()).await?;
        let all = due.len();
        for import in due {
            match import {
                // One a sweep: it has the time of a whole invocation, and the next sweep is near.
                Ok((tenant, import)) => {
                    self.carry_out(tenant, import, metrics).await;
                    break;
                }
                Err(error) => {
                    let cause = belfry_runtime::log::whole(&error);
                    tracing::error!(cause, "import not read");
                }
            }
        }
        Ok(json!({"due": all}))
    }
}

impl App {
    /// Goes on with an import until it has ended. False when it has to come again.
    async fn carry_out(&self, tenant: TenantId, import: ImportId, metrics: &mut Metrics) -> bool {
        match self.run(tenant, import).await {
            Ok(ran) => {
                metrics.add("import.rows", Unit::Count, f64::from(ran.rows));
                tracing::info!(tenant.id = %tenant, import.id = %import, ran.rows, "import run");
                true
            }
            Err(error) => {
                let cause = belfry_runtime::log::whole(&error);
                tracing::error!(tenant.id = %tenant, import.id = %import, cause, "import not run");
                false
            }
        }
    }
}

fn named(ring: &str) -> Option<(TenantId, ImportId)> {
    let (tenant, import) = ring.split_once(' ')?;
    Some((tenant.parse().ok()?, import.parse().ok()?))
}
