//! Persons, their memberships and their links.

use crate::entity::{self, Entity};
use crate::keys;
use crate::table::{StoreError, Table};
use crate::transaction::{Refused, Transaction, bytes, number, text};
use belfry_domain::account::{Identity, Link, Membership, Status, Tenant, User};
use belfry_domain::audit::Entry;
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{IdentityId, TenantId, UserId};
use belfry_domain::password::PasswordHash;
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use belfry_domain::secret::SecretHash;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// From an address to the person.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) identity: IdentityId,
}

/// From an address to the user of a tenant.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TenantAddress {
    pub(crate) user: UserId,
}

impl Entity for Address {
    const TYPE: &'static str = "email";
}
impl Entity for TenantAddress {
    const TYPE: &'static str = "tenant_email";
}

/// What a mailed link leads to, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The link.
    pub link: Link,
    /// The membership that it accepts.
    pub user: User,
    /// Its tenant.
    pub tenant: Tenant,
    /// Whose it is.
    pub identity: Identity,
}

impl Table {
    /// Who has this address. 1 RRU, also when nobody has.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn identity_of(
        &self,
        address: &EmailAddress,
    ) -> Result<Option<IdentityId>, StoreError> {
        let found = entity::get::<Address>(self, &keys::email(address)).await?;
        Ok(found.map(|address| address.identity))
    }

    /// A person. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn identity(&self, id: IdentityId) -> Result<Option<Identity>, StoreError> {
        entity::get(self, &keys::identity(id)).await
    }

    /// A person's accepted memberships. One strong query.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn memberships(&self, id: IdentityId) -> Result<Vec<Membership>, StoreError> {
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
            .expression_attribute_values(":pk", text(keys::identity_partition(id)))
            .expression_attribute_values(":sk", text(keys::MEMBERSHIPS))
            .consistent_read(true)
            .send()
            .await?;
        // A page is 1 MB: nobody is in 5,000 companies.
        answer.items.unwrap_or_default().into_iter().map(entity::value).collect()
    }

    /// The users and tenants of these memberships, in their order. One call per 50.
    ///
    /// # Errors
    /// [`StoreError`]; damaged when one is missing.
    pub async fn members(
        &self,
        memberships: &[Membership],
    ) -> Result<Vec<(Tenant, User)>, StoreError> {
        let keys: Vec<_> = memberships
            .iter()
            .map(|m| (keys::tenant(m.tenant), keys::user(m.tenant, m.user)))
            .collect();
        let flat: Vec<_> = keys.iter().flat_map(|(t, u)| [t.clone(), u.clone()]).collect();
        let mut found = entity::get_many(self, &flat).await?;
        keys.iter()
            .map(|(tenant, user)| match (found.take(tenant)?, found.take(user)?) {
                (Some(tenant), Some(user)) => Ok((tenant, user)),
                _ => Err(StoreError::corrupt(&user.pk, "a membership leads nowhere")),
            })
            .collect()
    }

    /// Keeps a newly made hash of the same password in place of an outdated one. Nothing happens
    /// when the password changed meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rehash(
        &self,
        identity: &Identity,
        hash: &PasswordHash,
        entropy: &dyn Entropy,
    ) -> Result<(), StoreError> {
        let done = Transaction::new()
            .update(
                keys::identity(identity.id),
                "SET #password = :hash",
                "#version = :before",
                [(":hash", text(hash.exposed())), (":before", number(identity.version))],
            )
            .run(self, entropy)
            .await;
        match done {
            Ok(()) | Err(Refused::Condition(_)) => Ok(()),
            Err(Refused::Store(error)) => Err(error),
        }
    }

    /// What the link with this hash leads to; none when there is no such link any longer. 2 calls.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invitation(&self, hash: &SecretHash) -> Result<Option<Invitation>, StoreError> {
        let Some(link) = entity::get::<Link>(self, &keys::link(hash)).await? else {
            return Ok(None);
        };
        let (tenant, user) = (keys::tenant(link.tenant), keys::user(link.tenant, link.user));
        let identity = keys::identity(link.identity);
        let wanted = [tenant.clone(), user.clone(), identity.clone()];
        let mut found = entity::get_many(self, &wanted).await?;
        match (found.take(&tenant)?, found.take::<User>(&user)?, found.take(&identity)?) {
            (Some(tenant), Some(user), Some(identity)) => {
                // A newer link has taken its place.
                let present = user.invitation == Some(*hash);
                Ok(present.then_some(Invitation { link, user, tenant, identity }))
            }
            _ => Err(StoreError::corrupt(&user.pk, "a link leads nowhere")),
        }
    }

    /// Accepts an invitation: the link is used up, the membership active, and, for a person who had
    /// none, the password set. False when any of it changed meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn accept(
        &self,
        grant: &Grant,
        invitation: &Invitation,
        hash: &SecretHash,
        password: Option<&PasswordHash>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let Invitation { user, identity, .. } = invitation;
        let membership = Membership { tenant: user.tenant, user: user.id, opened_at: None };
        let version = number(identity.version);
        let change = Transaction::new()
            .delete(keys::link(hash), "attribute_exists(pk)", [])
            .update(
                keys::user(user.tenant, user.id),
                "SET #status = :active, #version = :next REMOVE #invitation",
                "#status = :invited AND #invitation = :hash AND #version = :before",
                [
                    (":active", text(Status::Active.name())),
                    (":invited", text(Status::Invited.name())),
                    (":hash", bytes(*hash.bytes())),
                    (":before", number(user.version)),
                    (":next", number(user.version.saturating_add(1))),
                ],
            )
            .create_value(&keys::membership(identity.id, user.tenant), &membership)?;
        let change = match password {
            Some(password) => change.update(
                keys::identity(identity.id),
                "SET #password = :hash, #version = :next",
                "attribute_not_exists(#password) AND #version = :before",
                [
                    (":hash", text(password.exposed())),
                    (":before", version),
                    (":next", number(identity.version.saturating_add(1))),
                ],
            ),
            None => change.check(
                keys::identity(identity.id),
                "attribute_exists(#password) AND #version = :before",
                [(":before", version)],
            ),
        };
        let entry = Entry::about("user", &user.id)
            .changed("status", Status::Invited.name(), Status::Active.name())
            .personal("email", user.email.as_str());
        match self.commit(grant, &entry, change, now, entropy).await {
            Ok(()) => Ok(true),
            Err(Refused::Condition(_)) => Ok(false),
            Err(Refused::Store(error)) => Err(error),
        }
    }

    /// A tenant. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>, StoreError> {
        entity::get(self, &keys::tenant(id)).await
    }
}
