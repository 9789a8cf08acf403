//! Making tenants; their licences; the back office's log.

use crate::accounts::held;
use crate::entity::{self, Entity};
use crate::keys;
use crate::licenses;
use crate::product_keys::KeyClaim;
use crate::table::{Item, StoreError, Table};
use crate::transaction::{Transaction, number, text};
use crate::users::NewMember;
use belfry_domain::account::{IdleLimit, Tenant};
use belfry_domain::audit::Entry;
use belfry_domain::id::{AuditId, TenantId};
use belfry_domain::license::License;
use belfry_domain::policy::{Action, BackOffice, Grant};
use belfry_domain::ports::Entropy;
use belfry_domain::product::Product;
use belfry_domain::sign_up::Profile;
use belfry_domain::text::Reason;
use belfry_domain::ticket::Ticket;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// That there is a tenant.
#[derive(Debug, Serialize, Deserialize)]
struct TenantEntry {
    tenant: TenantId,
}

impl Entity for TenantEntry {
    const TYPE: &'static str = "tenant_entry";
}

/// A tenant as the back office lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTenant {
    /// The tenant.
    pub tenant: Tenant,
    /// What it said of itself, if it signed up.
    pub profile: Option<Profile>,
    /// Its licences, in the order of the products.
    pub licenses: Vec<License>,
}

/// What the vendor's staff did, for the vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackOfficeRecord {
    /// When.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// Who.
    pub operator: String,
    /// Why.
    pub reason: Reason,
    /// What.
    pub action: String,
    /// In which tenant; none for what is about none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// What it was about, where that is no tenant: never a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// In which invocation.
    pub request_id: String,
}

impl Entity for BackOfficeRecord {
    const TYPE: &'static str = "back_office";
}

/// What a line of the back office's log is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// A tenant.
    pub tenant: Option<TenantId>,
    /// Anything else, in words: never a secret.
    pub other: Option<String>,
}

impl From<TenantId> for Subject {
    fn from(tenant: TenantId) -> Self {
        Self { tenant: Some(tenant), other: None }
    }
}

/// The write of the back office's log for what the vendor's staff does.
///
/// # Errors
/// [`StoreError`].
pub fn back_office_log(
    staff: &BackOffice,
    action: Action,
    subject: impl Into<Subject>,
    reason: &Reason,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Transaction, StoreError> {
    let Subject { tenant, other } = subject.into();
    let record = BackOfficeRecord {
        at: now,
        operator: staff.operator.as_str().to_owned(),
        reason: reason.clone(),
        action: action.name().to_owned(),
        tenant,
        subject: other,
        request_id: staff.origin.request_id.clone(),
    };
    let key = keys::back_office(now, AuditId::new(now, entropy));
    Transaction::new().create_value(&key, &record)
}

/// A new tenant with its first user, and its licences.
#[derive(Debug)]
pub struct NewTenant {
    /// The tenant.
    pub tenant: Tenant,
    /// The first user, invited.
    pub member: NewMember,
    /// At most one a product.
    pub licenses: Vec<(License, KeyClaim)>,
    /// What it said of itself, if it signed up.
    pub profile: Option<Profile>,
}

impl Table {
    /// Makes a tenant, with what is to be written `beside`. False when the person of its first user or a
    /// product key changed meanwhile, or a condition in `beside` does not hold: look again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_tenant(
        &self,
        grant: &Grant,
        new: NewTenant,
        beside: Transaction,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let NewTenant { tenant, member, licenses, profile } = new;
        let (now, user) = (tenant.created_at, member.user.clone());
        let mut change = member
            .writes()?
            .create_value(&keys::tenant(tenant.id), &tenant)?
            .create_value(&keys::tenant_entry(tenant.id), &TenantEntry { tenant: tenant.id })?;
        if let Some(profile) = profile {
            change = change.create_value(&keys::profile(tenant.id), &profile)?;
        }
        let mut entry = Entry::about("tenant", &tenant.id)
            .set("country", tenant.country.as_str())
            .set("language", tenant.language.name())
            .set("first_user", user.id.to_string())
            .personal("company", tenant.company.as_str())
            .personal("email", user.email.as_str())
            .naming(user.id);
        for (license, claim) in &licenses {
            change = change.create(licenses::item(tenant.id, license)?).and(claim.writes()?);
            entry = entry.set("license", licenses::summary(license));
        }
        held(self.commit(grant, &entry, change.and(beside), now, entropy).await)
    }

    /// The tenants made after `after`, in the order in which they were made, at most `limit`. Eventually
    /// consistent: one query, and one read of the items that are shown.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tenants(
        &self,
        after: Option<TenantId>,
        limit: i32,
    ) -> Result<Vec<ListedTenant>, StoreError> {
        let after = after.map_or_else(String::new, |tenant| tenant.to_string());
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .key_condition_expression("pk = :pk AND sk > :after")
            .expression_attribute_values(":pk", text(keys::TENANTS))
            // No key is empty, and a blank is before every id.
            .expression_attribute_values(":after", text(format!("{after} ")))
            .limit(limit)
            .send()
            .await?;
        let entries = answer.items.unwrap_or_default().into_iter();
        let ids = entries.map(|item| Ok(entity::value::<TenantEntry>(item)?.tenant));
        let ids = ids.collect::<Result<Vec<_>, StoreError>>()?;
        let of = |id: TenantId| {
            let licenses = Product::ALL.map(|product| keys::license(id, product));
            [keys::tenant(id), keys::profile(id)].into_iter().chain(licenses)
        };
        let wanted: Vec<_> = ids.iter().copied().flat_map(of).collect();
        let mut found = entity::get_many(self, &wanted).await?;
        let mut listed = Vec::with_capacity(ids.len());
        for id in ids {
            let licenses = Product::ALL.map(|product| keys::license(id, product));
            let licenses = licenses.iter().filter_map(|key| found.take(key).transpose());
            let licenses = licenses.collect::<Result<_, _>>()?;
            let lost = || StoreError::corrupt(id.to_string(), "an entry leads nowhere");
            let tenant = found.take(&keys::tenant(id))?.ok_or_else(lost)?;
            listed.push(ListedTenant {
                tenant,
                profile: found.take(&keys::profile(id))?,
                licenses,
            });
        }
        Ok(listed)
    }

    /// Sets the idle limit of the tenant's sessions, and leaves everything else of its item to those
    /// who change it. False when the tenant changed since `before`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_settings(
        &self,
        grant: &Grant,
        before: &Tenant,
        timeout: IdleLimit,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let (old, new) = (u8::from(before.session_timeout), u8::from(timeout));
        let change = Transaction::new().update(
            keys::tenant(before.id),
            "SET #session_timeout = :timeout, #version = :next",
            "#version = :before",
            [
                (":timeout", number(new.into())),
                (":before", number(before.version)),
                (":next", number(before.version.saturating_add(1))),
            ],
        );
        let entry = Entry::about("tenant", &before.id).changed("session_timeout_minutes", old, new);
        held(self.commit(grant, &entry, change, now, entropy).await)
    }

    /// Hands a ticket's mail in and writes its record. False when `once`, which is that this was not
    /// asked before, does not hold.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_ticket(
        &self,
        grant: &Grant,
        ticket: &Ticket,
        mail: Item,
        once: Option<Transaction>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let change = Transaction::new().create(mail).and(once.unwrap_or_default());
        let product = ticket.product.map(|product| product.name().to_owned());
        let entry = Entry::about("ticket", &ticket.reference.as_str())
            .set("product", product)
            .personal("subject", ticket.subject.as_str());
        held(self.commit(grant, &entry, change, now, entropy).await)
    }
}
