//! Applications in the table.

use crate::changes::Effects;
use crate::entity::{self, Entity};
use crate::keys;
use crate::listing;
use crate::table::{Item, StoreError, Table};
use crate::tags::{NotTagged, advanced, written};
use crate::transaction::{Refused, Transaction, number, text};
use belfry_domain::application::{Application, Filter};
use belfry_domain::audit::Entry;
use belfry_domain::id::{ApplicationId, TenantId};
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use belfry_domain::tag::catalogue::Catalogue;
use belfry_domain::tag::marks::Marks;
use belfry_domain::tag::work::Tagging;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// That a name is taken.
#[derive(Serialize, Deserialize)]
struct Taken {
    application: ApplicationId,
}

impl Entity for Taken {
    const TYPE: &'static str = "application_name";
}

impl Table {
    /// An application. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn application(
        &self,
        tenant: TenantId,
        id: ApplicationId,
    ) -> Result<Option<Application>, StoreError> {
        entity::get(self, &keys::application(tenant, id)).await
    }

    /// The applications of a tenant that a filter lets pass, in the order of their names, as
    /// [`listing::find`] says.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_applications(
        &self,
        tenant: TenantId,
        filter: &Filter,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Application>, Option<String>), StoreError> {
        let partition = keys::applications_partition(tenant);
        let passes = (!filter.is_any()).then_some(|one: &Application| filter.lets_pass(one));
        listing::find(self, &partition, passes, after, limit).await
    }

    /// Adds an application, with the tags that it has by the present rules and what is to be written
    /// `beside`.
    ///
    /// # Errors
    /// [`NotTagged`].
    #[expect(clippy::too_many_arguments, reason = "an application, its tenant's and its record")]
    pub async fn create_application(
        &self,
        grant: &Grant,
        entry: &Entry,
        application: &Application,
        (before, after): (&Tagging, &Tagging),
        beside: Transaction,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Application, NotTagged> {
        let tenant = application.tenant;
        let work = |catalogue: &Catalogue| {
            let application = catalogue.applied(application);
            let taken = Taken { application: application.id };
            let writes = advanced(before, after)?
                .create_value(&keys::application_name(tenant, &application.name), &taken)?
                .create(item(&application)?)
                .and(beside.clone());
            let effects = Effects::of(&Marks::default(), &application.tags);
            Ok((application, effects, writes))
        };
        match self.commit_tagged(grant, entry, work, now, entropy).await {
            Err(Refused::Condition(1)) => Err(NotTagged::Taken),
            done => written(done),
        }
    }

    /// Changes an application, and its tags as the present rules say.
    ///
    /// # Errors
    /// [`NotTagged`].
    pub async fn change_application(
        &self,
        grant: &Grant,
        entry: &Entry,
        (before, after): (&Application, &Application),
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Application, NotTagged> {
        let tenant = before.tenant;
        let (old, new) = (
            keys::application_name(tenant, &before.name),
            keys::application_name(tenant, &after.name),
        );
        let work = |catalogue: &Catalogue| {
            let after = catalogue.applied(after);
            let mut writes = Transaction::new();
            if old != new {
                let mine = [(":application", text(before.id.to_string()))];
                writes = writes.create_value(&new, &Taken { application: before.id })?.delete(
                    old.clone(),
                    "#application = :application",
                    mine,
                );
            }
            let version = [(":version", number(before.version))];
            let key = keys::application(tenant, before.id);
            let forms = (&item(before)?, item(&after)?);
            let writes = writes.differ(key, forms, "#version = :version", version);
            let effects = Effects::of(&before.tags, &after.tags);
            Ok((after, effects, writes))
        };
        match self.commit_tagged(grant, entry, work, now, entropy).await {
            Err(Refused::Condition(0)) if old != new => Err(NotTagged::Taken),
            done => written(done),
        }
    }

    /// Deletes an application.
    ///
    /// # Errors
    /// [`NotTagged`].
    pub async fn delete_application(
        &self,
        grant: &Grant,
        entry: &Entry,
        application: &Application,
        (before, after): (&Tagging, &Tagging),
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(), NotTagged> {
        let (tenant, id) = (application.tenant, application.id);
        let mine = [(":application", text(id.to_string()))];
        let version = [(":version", number(application.version))];
        let name = keys::application_name(tenant, &application.name);
        let writes = advanced(before, after)?
            .delete(keys::application(tenant, id), "#version = :version", version)
            .delete(name, "#application = :application", mine);
        let effects = Effects::of(&application.tags, &Marks::default());
        written(self.commit_with(grant, entry, &effects, writes, now, entropy).await)
    }
}

/// The item of an application, with its place in the list.
pub(crate) fn item(application: &Application) -> Result<Item, StoreError> {
    let key = keys::application(application.tenant, application.id);
    let mut item = entity::item(&key, application)?;
    item.insert("gsi1pk".to_owned(), text(keys::applications_partition(application.tenant)));
    item.insert("gsi1sk".to_owned(), text(keys::application_sort(application)));
    Ok(item)
}
