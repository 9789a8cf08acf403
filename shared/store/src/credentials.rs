//! Product credentials. Each lies under its key id; a tenant's roster names those of a product, so
//! that listing and the limit need no index and are exact.

use crate::entity::{self, Entity};
use crate::keys::{self, Key};
use crate::table::{StoreError, Table, if_held, key_item};
use crate::transaction::{Refused, TRIES, Transaction, millis, number, pause};
use belfry_domain::audit::Entry;
use belfry_domain::credential::{Credential, LAST_USED_STEP, LIVE_LIMIT};
use belfry_domain::failure::{Failure, FailureKind};
use belfry_domain::id::{CredentialId, TenantId};
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use belfry_domain::product::Product;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Which credentials a tenant has for a product, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Roster {
    credentials: Vec<CredentialId>,
    /// Grows with every change; 0 before the first.
    version: u64,
}

impl Entity for Roster {
    const TYPE: &'static str = "credential_roster";
}

/// The credentials of a product that are neither revoked nor expired, as of one moment.
#[derive(Debug)]
pub(crate) struct Live {
    key: Key,
    version: u64,
    pub(crate) credentials: Vec<Credential>,
}

impl Live {
    /// Holds as long as no credential of the product was made since.
    pub(crate) fn unchanged(&self) -> Transaction {
        let key = self.key.clone();
        if self.version == 0 {
            return Transaction::new().check(key, "attribute_not_exists(pk)", []);
        }
        let version = [(":before", number(self.version))];
        Transaction::new().check(key, "#version = :before", version)
    }
}

/// Why a credential was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Two live ones are there.
    #[error("there are two live credentials for this product; revoke one first")]
    Limit,
    /// The tenant has no licence for the product any longer.
    #[error("there is no licence for this product")]
    Unlicensed,
    /// The tenant is suspended.
    #[error("the company is suspended; ask its vendor")]
    Suspended,
    /// It was made when this was asked for first; its secret was shown then.
    #[error("this credential was created already, and its secret is shown only once")]
    Repeated,
    /// The table did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure for CreateError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Limit | Self::Repeated | Self::Unlicensed | Self::Suspended => {
                FailureKind::Conflict
            }
            Self::Store(error) => error.kind(),
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Limit => "credential_limit",
            Self::Repeated => "already_created",
            Self::Unlicensed => "license_missing",
            Self::Suspended => "tenant_suspended",
            Self::Store(error) => error.code(),
        }
    }
}

/// How long an expired credential stays in the table.
const KEPT_EXPIRED: SignedDuration = SignedDuration::from_hours(24 * 35);

impl Table {
    /// Reads a credential, strongly consistent, so that a revocation acts at once. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn credential(&self, id: CredentialId) -> Result<Option<Credential>, StoreError> {
        entity::get(self, &keys::credential(id)).await
    }

    /// Writes when a credential was last used, unless that was written within the hour; then it
    /// makes no call. 1 WRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn touch_credential(
        &self,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if !credential.wants_touch(now) {
            return Ok(());
        }
        let before = now.checked_sub(LAST_USED_STEP).unwrap_or(now);
        let call = self
        .client()
        .update_item()
        .table_name(self.name())
        .set_key(Some(key_item(&keys::credential(credential.id))))
        .update_expression("SET last_used_at = :now")
        .condition_expression(
            "attribute_exists(pk) AND (attribute_not_exists(last_used_at) OR last_used_at <= :before)",
        )
        .expression_attribute_values(":now", millis(now))
        .expression_attribute_values(":before", millis(before));
        // Else a rival wrote it, or it is gone: nothing is left to do.
        if_held(call.send().await).map(drop)
    }

    /// A tenant's credentials for a product, the oldest first; not the revoked ones. 2 calls.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn credentials(
        &self,
        tenant: TenantId,
        product: Product,
    ) -> Result<Vec<Credential>, StoreError> {
        Ok(self.rostered(tenant, product).await?.1)
    }

    /// Those that telemetry can come with. 2 calls.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn live_credentials(
        &self,
        tenant: TenantId,
        product: Product,
        now: Timestamp,
    ) -> Result<Live, StoreError> {
        let (roster, mut credentials) = self.rostered(tenant, product).await?;
        credentials.retain(|credential| credential.is_live(now));
        let key = keys::credential_roster(tenant, product);
        Ok(Live { key, version: roster.version, credentials })
    }

    async fn rostered(
        &self,
        tenant: TenantId,
        product: Product,
    ) -> Result<(Roster, Vec<Credential>), StoreError> {
        let key = keys::credential_roster(tenant, product);
        let roster: Roster = entity::get(self, &key).await?.unwrap_or_default();
        let wanted: Vec<_> = roster.credentials.iter().map(|id| keys::credential(*id)).collect();
        let mut found = entity::get_many(self, &wanted).await?;
        let mut credentials = Vec::with_capacity(wanted.len());
        for key in &wanted {
            credentials.extend(found.take::<Credential>(key)?.filter(|c| c.revoked_at.is_none()));
        }
        Ok((roster, credentials))
    }

    /// Adds a credential for the tenant of the grant, at most [`LIVE_LIMIT`] live ones of its product
    /// and reach; it carries what its licence says at that moment. `beside` happens in the same
    /// transaction; its first write may have a condition, which is that this was not asked before.
    ///
    /// # Errors
    /// [`CreateError`].
    pub async fn create_credential(
        &self,
        grant: &Grant,
        credential: &Credential,
        beside: Option<Transaction>,
        entropy: &dyn Entropy,
    ) -> Result<(), CreateError> {
        let now = credential.created_at;
        let beside = beside.unwrap_or_default();
        let until = credential.valid_until.map(|until| until.to_string());
        let entry = Entry::about("credential", &credential.id)
            .set("product", credential.product.name())
            .set("scopes", credential.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>())
            .set("max_event_age_days", credential.max_event_age_days())
            .set("expires_at", until);
        let (tenant, product) = (grant.tenant(), credential.product);
        let used = self.used_seats(tenant).await?.remove(&product).unwrap_or(0);
        for attempt in 0..TRIES {
            let license = self.license(tenant, product).await?.ok_or(CreateError::Unlicensed)?;
            let accepted_until = license.accepted_until();
            let over_seats = license.is_over(used);
            let credential = &Credential { accepted_until, over_seats, ..credential.clone() };
            let (roster, present) = self.rostered(tenant, product).await?;
            let live: Vec<_> = present.into_iter().filter(|present| present.is_live(now)).collect();
            let alike = |present: &&Credential| {
                let shared = |scope| present.scopes.contains(scope);
                present.reach == credential.reach && credential.scopes.iter().any(shared)
            };
            if live.iter().filter(alike).count() >= LIVE_LIMIT {
                return Err(CreateError::Limit);
            }
            let mut credentials: Vec<_> = live.iter().map(|present| present.id).collect();
            credentials.push(credential.id);
            let next = Roster { credentials, version: roster.version.saturating_add(1) };
            let key = keys::credential_roster(grant.tenant(), credential.product);
            let item = entity::item(&key, &next)?;
            let mut change = if roster.version == 0 {
                Transaction::new().create(item)
            } else {
                let before = [(":before", number(roster.version))];
                Transaction::new().put(item, "#version = :before", before)
            };
            let key = keys::credential(credential.id);
            change = change.create(match credential.valid_until {
                Some(until) => {
                    let gone = until.checked_add(KEPT_EXPIRED).unwrap_or(until);
                    entity::expiring(&key, credential, gone)?
                }
                None => entity::item(&key, credential)?,
            });
            let version = [(":license", number(license.version))];
            let not_suspended = "attribute_exists(pk) AND attribute_not_exists(#suspended_at)";
            change = change
                .check(keys::license(tenant, product), "#version = :license", version)
                .check(keys::tenant(tenant), not_suspended, []);
            match self.commit(grant, &entry, change.and(beside.clone()), now, entropy).await {
                Ok(()) => return Ok(()),
                // The roster is 0, the credential 1, the licence 2, the tenant 3; what is beside follows.
                // A rival changed roster or licence: look again.
                Err(Refused::Condition(0 | 2)) => {
                    pause(attempt, entropy).await;
                }
                Err(Refused::Condition(3)) => return Err(CreateError::Suspended),
                Err(Refused::Condition(4)) => return Err(CreateError::Repeated),
                Err(error) => return Err(error.unexpected().into()),
            }
        }
        Err(StoreError::Unavailable("the credential roster is too busy".into()).into())
    }

    /// Revokes a credential of the tenant of the grant; from then on it is refused. False when there is
    /// none of this product, or it was revoked before: then nothing is written.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn revoke_credential(
        &self,
        grant: &Grant,
        product: Product,
        id: CredentialId,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let found = self.credential(id).await?.filter(|credential| {
            credential.tenant == grant.tenant()
                && credential.product == product
                && credential.revoked_at.is_none()
        });
        if found.is_none() {
            return Ok(false);
        }
        let entry = Entry::about("credential", &id).set("product", product.name());
        let change = Transaction::new().update(
            keys::credential(id),
            "SET revoked_at = :now",
            "attribute_exists(pk) AND attribute_not_exists(revoked_at)",
            [(":now", millis(now))],
        );
        match self.commit(grant, &entry, change, now, entropy).await {
            Ok(()) => Ok(true),
            Err(Refused::Condition(_)) => Ok(false),
            Err(error) => Err(error.unexpected()),
        }
    }
}
