//! Licences, and what of them product credentials carry: every change of a licence changes its
//! credentials in the same transaction, so that taking telemetry reads one item.

use crate::accounts::held;
use crate::credentials::Live;
use crate::due;
use crate::entity::{self, Entity};
use crate::keys::{self, Due};
use crate::product_keys::KeyClaim;
use crate::table::{Item, StoreError, Table};
use crate::transaction::{Refused, Transaction, millis, number};
use aws_sdk_dynamodb::types::AttributeValue;
use belfry_domain::account::Tenant;
use belfry_domain::audit::Entry;
use belfry_domain::id::{ActivationKeyId, TenantId};
use belfry_domain::license::License;
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use belfry_domain::product::Product;
use belfry_domain::telemetry::event::Kind;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What became of an activation key, for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Spent {
    /// A tenant redeemed it: a repeat is told the same.
    Redeemed(Box<Redeemed>),
    /// The vendor withdrew it before anybody did.
    Withdrawn {},
}

impl Entity for Spent {
    const TYPE: &'static str = "activation_key";
}

/// What came of an activation key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeemed {
    /// By which tenant.
    pub tenant: TenantId,
    /// The licence as it became.
    pub license: License,
    /// Seats that were used then.
    pub used: u64,
}

/// A licence of whichever tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owned {
    tenant: TenantId,
    #[serde(flatten)]
    license: License,
}

impl Entity for Owned {
    const TYPE: &'static str = License::TYPE;
    const VERSION: u32 = License::VERSION;
}

/// Why a licence was not added.
#[derive(Debug, thiserror::Error)]
pub enum NotAdded {
    /// The tenant has one for the product.
    #[error("there is a licence for this product already")]
    Exists,
    /// The product key changed meanwhile: look again.
    #[error("changed meanwhile")]
    Changed,
    /// The table did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Table {
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

    /// Endpoints present of each product that has any: the seats that are used. Eventually consistent:
    /// 0.5 RRU for each 4 KB of stream heads.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn used_seats(&self, tenant: TenantId) -> Result<BTreeMap<Product, u64>, StoreError> {
        let mut used = BTreeMap::new();
        for (product, tallies) in self.stream_tallies(tenant).await? {
            let endpoints = Kind::ALL.iter().map(|kind| tallies.endpoints(*kind)).sum::<u64>();
            *used.entry(product).or_default() += endpoints;
        }
        Ok(used)
    }

    /// Adds a licence with its product key, and a mail.
    ///
    /// # Errors
    /// [`NotAdded`].
    pub async fn add_license(
        &self,
        grant: &Grant,
        (license, claim): (&License, &KeyClaim),
        mail: Item,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(), NotAdded> {
        let writes = Transaction::new()
            .create(item(grant.tenant(), license)?)
            .and(claim.writes()?)
            .create(mail);
        let entry = Entry::about("license", &license.product).set("license", summary(license));
        match self.commit(grant, &entry, writes, now, entropy).await {
            Ok(()) => Ok(()),
            Err(Refused::Condition(0)) => Err(NotAdded::Exists),
            Err(Refused::Condition(_)) => Err(NotAdded::Changed),
            Err(Refused::Store(error)) => Err(error.into()),
        }
    }

    /// What became of an activation key; none while it can be redeemed. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn spent(&self, id: ActivationKeyId) -> Result<Option<Spent>, StoreError> {
        entity::get(self, &keys::activation_key(id)).await
    }

    /// Withdraws an activation key, with what is to be written `beside`. False when it is spent already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn withdraw_activation_key(
        &self,
        id: ActivationKeyId,
        beside: Transaction,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let key = keys::activation_key(id);
        let writes = Transaction::new().create_value(&key, &Spent::Withdrawn {})?;
        held(writes.and(beside).run(self, entropy).await)
    }

    /// Redeems an activation key: that it was, the licence, its history, its credentials, the mail and the
    /// record are one transaction. False when the key was redeemed, or licence or credentials changed,
    /// meanwhile: look again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn redeem(
        &self,
        grant: &Grant,
        id: ActivationKeyId,
        (before, after): (&License, &License),
        (used, mail): (u64, Item),
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let redeemed = Redeemed { tenant: grant.tenant(), license: after.clone(), used };
        let spent = Spent::Redeemed(Box::new(redeemed));
        let beside =
            Transaction::new().create_value(&keys::activation_key(id), &spent)?.create(mail);
        let entry = changed(before, after).set("activation_key", id.to_string());
        let forms = (before, after, used);
        self.change_license(grant, &entry, forms, beside, now, entropy).await
    }

    /// Changes a licence of which `used` seats are used, and its credentials with it. False when one of them
    /// changed meanwhile, or a condition in `beside` does not hold.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_license(
        &self,
        grant: &Grant,
        entry: &Entry,
        (before, after, used): (&License, &License, u64),
        beside: Transaction,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let tenant = grant.tenant();
        let live = self.live_credentials(tenant, before.product, now).await?;
        let writes = written(tenant, before, after)?
            .and(carried(
                &live,
                "SET #accepted_until = :until, #over_seats = :over",
                &[
                    (":until", millis(after.accepted_until())),
                    (":over", AttributeValue::Bool(after.is_over(used))),
                ],
            ))
            .and(beside);
        held(self.commit(grant, entry, writes, now, entropy).await)
    }

    /// The licences that are to be looked at, with their tenants, at most `limit` of each shard; each by itself,
    /// as one may be damaged.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_licenses(
        &self,
        limit: i32,
        now: Timestamp,
    ) -> Result<Vec<Result<(TenantId, License), StoreError>>, StoreError> {
        let due = due::items(self, Due::License, limit, now).await?.into_iter();
        Ok(due.map(|owned| owned.map(|Owned { tenant, license }| (tenant, license))).collect())
    }

    /// Keeps what a look at a licence came to: what was told, with its mails, and whether its credentials
    /// say that it is over its seats. False when somebody else changed it meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_look(
        &self,
        tenant: TenantId,
        (before, after): (&License, &License),
        over: bool,
        mails: Vec<Item>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let mut writes = written(tenant, before, after)?;
        let live = self.live_credentials(tenant, before.product, now).await?;
        if live.credentials.iter().any(|credential| credential.over_seats != over) {
            let over = [(":over", AttributeValue::Bool(over))];
            writes = writes.and(carried(&live, "SET #over_seats = :over", &over));
        }
        for mail in mails {
            writes = writes.create(mail);
        }
        held(writes.run(self, entropy).await)
    }

    /// Suspends a tenant, or lets it in again: its console at once, its telemetry by all its credentials.
    /// False when tenant or credentials changed meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn suspend_tenant(
        &self,
        grant: &Grant,
        before: &Tenant,
        suspended: bool,
        beside: Transaction,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let next = number(before.version.saturating_add(1));
        let versions = [(":before", number(before.version)), (":next", next)];
        let key = keys::tenant(before.id);
        let mut writes = if suspended {
            let [a, b] = versions;
            let values = [a, b, (":now", millis(now))];
            let update = "SET #suspended_at = :now, #version = :next";
            Transaction::new().update(key, update, "#version = :before", values)
        } else {
            let update = "SET #version = :next REMOVE #suspended_at";
            Transaction::new().update(key, update, "#version = :before", versions)
        };
        for product in Product::ALL {
            let live = self.live_credentials(before.id, product, now).await?;
            let value = [(":suspended", AttributeValue::Bool(suspended))];
            writes = writes.and(carried(&live, "SET #suspended = :suspended", &value));
        }
        let was = before.suspended_at.is_some();
        let entry = Entry::about("tenant", &before.id).changed("suspended", was, suspended);
        held(self.commit(grant, &entry, writes.and(beside), now, entropy).await)
    }
}

/// A licence as audit records show it.
pub fn summary(license: &License) -> serde_json::Value {
    serde_json::json!({
        "product": license.product.name(),
        "edition": license.edition.as_str(),
        "kind": license.kind.name(),
        "seats": license.seats,
        "ends_at": told(license.ends_at),
        "partitions": u8::from(license.partitions),
    })
}

/// A time as it is kept.
fn told(at: Timestamp) -> String {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at).to_string()
}

/// The record of a changed licence: what differs.
pub fn changed(before: &License, after: &License) -> Entry {
    let mut entry = Entry::about("license", &before.product);
    if before.kind != after.kind {
        entry = entry.changed("kind", before.kind.name(), after.kind.name());
    }
    if before.edition != after.edition {
        entry = entry.changed("edition", before.edition.as_str(), after.edition.as_str());
    }
    if before.seats != after.seats {
        entry = entry.changed("seats", before.seats, after.seats);
    }
    if before.ends_at != after.ends_at {
        entry = entry.changed("ends_at", told(before.ends_at), told(after.ends_at));
    }
    if before.revoked_at != after.revoked_at {
        let (was, is) = (before.revoked_at.is_some(), after.revoked_at.is_some());
        entry = entry.changed("revoked", was, is);
    }
    entry
}

/// A licence's item; while something is left to be told of it, with its place among what is due.
///
/// # Errors
/// [`StoreError::Corrupt`] when it does not serialize, which is a fault of ours.
pub fn item(tenant: TenantId, license: &License) -> Result<Item, StoreError> {
    let owned = Owned { tenant, license: license.clone() };
    let mut item = entity::item(&keys::license(tenant, license.product), &owned)?;
    if let Some(at) = license.look_at {
        let shard = keys::due_shard(tenant.bytes());
        let place = keys::due_sort(at, tenant, &license.product);
        due::insert(&mut item, (Due::License, shard), place);
    }
    Ok(item)
}

/// The write of a changed licence, if nobody else changed it since `before`.
fn written(tenant: TenantId, before: &License, after: &License) -> Result<Transaction, StoreError> {
    let version = [(":before", number(before.version))];
    Ok(Transaction::new().put(item(tenant, after)?, "#version = :before", version))
}

/// The writes of what credentials carry, if none came or went meanwhile.
fn carried<const N: usize>(
    live: &Live,
    update: &'static str,
    values: &[(&str, AttributeValue); N],
) -> Transaction {
    live.credentials.iter().fold(live.unchanged(), |writes, credential| {
        let key = keys::credential(credential.id);
        writes.update(key, update, "attribute_exists(pk)", values.clone())
    })
}
