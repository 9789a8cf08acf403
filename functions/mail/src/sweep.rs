//! The sweep: every minute, what is due and nobody rang for.

use crate::{App, Outcome};
use belfry_domain::outbox::days_to_sweep;
use belfry_store::StoreError;
use futures::{StreamExt as _, TryStreamExt as _, stream};

/// Entries of one sweep; the next one, a minute later, takes what is left.
const LIMIT: usize = 200;
/// Deliveries at the same time: SES allows a new account out of its sandbox 14 mails a second.
/// <https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas.html>
const AT_ONCE: usize = 4;

impl App {
    /// Delivers what is due, oldest day first.
    pub(crate) async fn sweep(&self) -> Result<Vec<Outcome>, StoreError> {
        let now = self.clock.now();
        let mut due = Vec::new();
        for day in days_to_sweep(now).into_iter().rev() {
            due.extend(self.table.due_outbox(day, now, LIMIT - due.len()).await?);
            if due.len() == LIMIT {
                break;
            }
        }
        stream::iter(due.into_iter().map(|id| self.deliver(id)))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }
}
