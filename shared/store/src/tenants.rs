//! Making tenants; their licences; the back office's log.

use crate::accounts::held;
use crate::entity::{self, Entity};
use crate::keys;
use crate::table::{Item, StoreError, Table};
use crate::transaction::{Refused, Transaction, number};
use crate::users::NewMember;
use belfry_domain::account::{IdleLimit, Tenant};
use belfry_domain::audit::Entry;
use belfry_domain::id::{AuditId, TenantId};
use belfry_domain::license::License;
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use belfry_domain::product::Product;
use belfry_domain::text::Reason;
use belfry_domain::ticket::Ticket;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// From a product key to its tenant.
#[derive(Debug, Serialize, Deserialize)]
struct KeyHolder {
    tenant: TenantId,
    product: Product,
}

impl Entity for KeyHolder {
    const TYPE: &'static str = "product_key";
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
    /// In which tenant.
    pub tenant: TenantId,
    /// In which invocation.
    pub request_id: String,
}

impl Entity for BackOfficeRecord {
    const TYPE: &'static str = "back_office";
}

/// The write of the back office's log for what a grant allows.
///
/// # Errors
/// [`StoreError`].
pub fn back_office_log(
    grant: &Grant,
    reason: &Reason,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Transaction, StoreError> {
    let record = BackOfficeRecord {
        at: now,
        operator: grant.operator().map_or_else(String::new, |who| who.as_str().to_owned()),
        reason: reason.clone(),
        action: grant.action().name().to_owned(),
        tenant: grant.tenant(),
        request_id: grant.origin().request_id.clone(),
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
    pub licenses: Vec<License>,
}

impl Table {
    /// Makes a tenant. False when the person of its first user changed meanwhile: look again.
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
        let NewTenant { tenant, member, licenses } = new;
        let (now, user) = (tenant.created_at, member.user.clone());
        let mut change = member.writes()?;
        let at_person = change.len();
        change = change.create_value(&keys::tenant(tenant.id), &tenant)?;
        let mut entry = Entry::about("tenant", &tenant.id)
            .set("country", tenant.country.as_str())
            .set("language", tenant.language.name())
            .set("first_user", user.id.to_string())
            .personal("company", tenant.company.as_str())
            .personal("email", user.email.as_str())
            .naming(user.id);
        for license in &licenses {
            let holder = KeyHolder { tenant: tenant.id, product: license.product };
            change = change
                .create_value(&keys::license(tenant.id, license.product), license)?
                .create_value(&keys::product_key(license.product_key), &holder)?;
            let granted = serde_json::json!({
                "product": license.product.name(),
                "edition": license.edition.as_str(),
                "kind": license.kind.name(),
                "seats": license.seats,
                "ends_at": license.ends_at.to_string(),
                "partitions": u8::from(license.partitions),
            });
            entry = entry.set("license", granted);
        }
        match self.commit(grant, &entry, change.and(beside), now, entropy).await {
            Ok(()) => Ok(true),
            Err(Refused::Condition(place)) if place < at_person => Ok(false),
            Err(refused) => Err(refused.unexpected()),
        }
    }

    /// A tenant's licence for a product. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn license(
        &self,
        tenant: TenantId,
        product: Product,
    ) -> Result<Option<License>, StoreError> {
        entity::get(self, &keys::license(tenant, product)).await
    }

    /// All licences of a tenant, in the order of the products. One call.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn licenses(&self, tenant: TenantId) -> Result<Vec<License>, StoreError> {
        let wanted = Product::ALL.map(|product| keys::license(tenant, product));
        let mut found = entity::get_many(self, &wanted).await?;
        let licenses = wanted.iter().filter_map(|key| found.take(key).transpose());
        licenses.collect()
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
