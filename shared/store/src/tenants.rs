//! Making tenants; their licences; the back office's log.

use crate::accounts::{Address, TenantAddress};
use crate::entity::{self, Entity};
use crate::keys;
use crate::table::{Item, StoreError, Table};
use crate::transaction::{Refused, Transaction, text};
use belfry_domain::account::{Identity, Link, Tenant, User};
use belfry_domain::audit::Entry;
use belfry_domain::id::{AuditId, TenantId};
use belfry_domain::license::License;
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use belfry_domain::product::Product;
use belfry_domain::secret::SecretHash;
use belfry_domain::text::Reason;
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

/// The person of a new tenant's first user.
#[derive(Debug)]
pub enum FirstPerson {
    /// Somebody new.
    New(Box<Identity>),
    /// Somebody who is known from another tenant.
    Known,
}

/// A new tenant with its first user, invited by `link`, and its licences.
#[derive(Debug)]
pub struct NewTenant {
    /// The tenant.
    pub tenant: Tenant,
    /// The first user; its `invitation` is the hash of the link.
    pub user: User,
    /// Its person.
    pub person: FirstPerson,
    /// The link's hash, and what it is for.
    pub link: (SecretHash, Link),
    /// At most one a product.
    pub licenses: Vec<License>,
    /// The mail with the link.
    pub mail: Item,
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
        let NewTenant { tenant, user, person, link: (hash, link), licenses, mail } = new;
        let now = tenant.created_at;
        let address = keys::email(&user.email);
        let mut change = match person {
            FirstPerson::New(identity) => Transaction::new()
                .create_value(&address, &Address { identity: identity.id })?
                .create_value(&keys::identity(identity.id), identity.as_ref())?,
            FirstPerson::Known => Transaction::new().check(
                address,
                "#identity = :identity",
                [(":identity", text(link.identity.to_string()))],
            ),
        };
        let at_person = change.len();
        change = change
            .create_value(&keys::tenant(tenant.id), &tenant)?
            .create_value(&keys::user(tenant.id, user.id), &user)?
            .create_value(
                &keys::tenant_email(tenant.id, &user.email),
                &TenantAddress { user: user.id },
            )?
            .create(entity::expiring(&keys::link(&hash), &link, link.valid_until)?)
            .create(mail);
        let mut entry = Entry::about("tenant", &tenant.id)
            .set("country", tenant.country.as_str())
            .set("language", tenant.language.name())
            .set("first_user", user.id.to_string())
            .personal("company", tenant.company.as_str())
            .personal("email", user.email.as_str());
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
}
