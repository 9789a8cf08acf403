//! Work on directories in the background: brings all users of one to what it said and to its provider's
//! settings, takes them out when the provider is deleted, and tells the members of large groups what
//! became of them. A schedule goes on with what is due; the table says how far each is, so that any
//! worker can go on with it, and two at once do no harm.

use belfry_domain::ports::Clock;
use belfry_runtime::Error;
use belfry_runtime::directory::sweep;
use belfry_runtime::events::Events;
use belfry_runtime::metrics::{Metrics, Unit};
use belfry_runtime::post::Post;
use belfry_store::Table;
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
        let swept = sweep(&self.table, &self.post, self.clock.now()).await?;
        for (name, value) in [
            ("directory.due", swept.due),
            ("directory.failed", swept.failed),
            ("directory.users", swept.ran.done),
            ("directory.changed", swept.ran.changed),
        ] {
            metrics.add(name, Unit::Count, f64::from(value));
        }
        Ok(json!({"due": swept.due, "failed": swept.failed}))
    }
}
