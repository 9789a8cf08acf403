//! What the admins are told of a destination.

use crate::App;
use belfry_domain::id::OutboxId;
use belfry_domain::mail::{Letter, SiemNotice};
use belfry_domain::recovery::MOST_TOLD;
use belfry_domain::siem::destination::Destination;
use belfry_domain::siem::progress::{Health, Notice, Progress};
use belfry_domain::siem::record::StreamName;
use belfry_runtime::post;
use belfry_store::StoreError;
use belfry_store::table::Item;
use jiff::Timestamp;
use std::collections::BTreeMap;

impl App {
    /// A mail to every admin, in each one's language.
    pub(crate) async fn mails(
        &self,
        destination: &Destination,
        progress: &Progress,
        notice: Notice,
        ends: &BTreeMap<StreamName, u64>,
        now: Timestamp,
    ) -> Result<Vec<(OutboxId, Item)>, StoreError> {
        let since = match progress.health {
            Health::Retrying { since, .. } | Health::Suspended { since } => since,
            Health::Healthy => now,
        };
        let waiting = progress.waiting(ends);
        let backlog = waiting.values().map(|(after, last)| last - after).sum();
        let oldest = self.table.oldest_logged(destination.tenant, &waiting).await?;
        let age = oldest.map_or(0, |oldest| now.duration_since(oldest).as_mins());
        let reason = progress.last_error.as_ref().map(|fault| fault.detail.clone());
        let admins = self.table.admins(destination.tenant).await?;
        let persons = self.table.persons(admins.get(..MOST_TOLD).unwrap_or(&admins)).await?;
        let mails = persons.into_iter().map(|(admin, person)| {
            let letter = Letter::SiemNotice(Box::new(SiemNotice {
                reader: post::reader(admin),
                destination: destination.settings.name.clone(),
                notice,
                since,
                backlog,
                age_minutes: u64::try_from(age).unwrap_or(0),
                reason: reason.clone().unwrap_or_default(),
            }));
            post::notice(&person.email, person.language, letter, now, self.entropy.as_ref())
        });
        mails.collect()
    }
}
