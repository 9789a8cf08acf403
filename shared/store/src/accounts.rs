//! Persons, their memberships and their links.

use crate::audit;
use crate::entity::{self, Entity};
use crate::keys::{self, Key};
use crate::sessions::NOTES;
use crate::table::{Item, StoreError, Table};
use crate::transaction::{Refused, Transaction, number, text};
use crate::users::{changed_user, counted};
use aws_sdk_dynamodb::types::AttributeValue;
use belfry_domain::account::{
    Factor, Identity, Link, LinkPurpose, Membership, Status, Tenant, User,
};
use belfry_domain::audit::{Access, Entry};
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{IdentityId, TenantId, UserId};
use belfry_domain::password::PasswordHash;
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use belfry_domain::secret::{Secret, SecretHash};
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

    /// The users and tenants of these memberships, in their order. One call per 50, and one where
    /// there is none: so that it does not show whether somebody is known.
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
        let mut flat: Vec<_> = keys.iter().flat_map(|(t, u)| [t.clone(), u.clone()]).collect();
        if flat.is_empty() {
            flat = ["TENANT", "USER"].map(|sk| Key { pk: "T#nobody".into(), sk: sk.into() }).into();
        }
        let mut found = entity::get_many(self, &flat).await?;
        keys.iter()
            .map(|(tenant, user)| match (found.take(tenant)?, found.take(user)?) {
                (Some(tenant), Some(user)) => Ok((tenant, user)),
                _ => Err(StoreError::corrupt(&user.pk, "a membership leads nowhere")),
            })
            .collect()
    }

    /// Keeps a person that changed in a way nobody has to hear of: a newly made hash of the same
    /// password, a wrong code. False when somebody else changed it meanwhile. 2 WRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_identity(
        &self,
        before: &Identity,
        after: &Identity,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        held(changed_identity(before, after)?.run(self, entropy).await)
    }

    /// What the link with this hash leads to, when it names a membership; none when there is no such
    /// link any longer. 2 calls.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invitation(&self, hash: &SecretHash) -> Result<Option<Invitation>, StoreError> {
        let Some(link) = entity::get::<Link>(self, &keys::link(hash)).await? else {
            return Ok(None);
        };
        let (tenant, id) = match link.purpose {
            LinkPurpose::Activation { tenant, user }
            | LinkPurpose::TwoFactorReset { tenant, user } => (tenant, user),
            LinkPurpose::PasswordReset => return Ok(None),
        };
        let (tenant, user) = (keys::tenant(tenant), keys::user(tenant, id));
        let identity = keys::identity(link.identity);
        let wanted = [tenant.clone(), user.clone(), identity.clone()];
        let mut found = entity::get_many(self, &wanted).await?;
        match (found.take(&tenant)?, found.take::<User>(&user)?, found.take(&identity)?) {
            (Some(tenant), Some(user), Some(identity)) => {
                // A newer link has taken its place.
                let present = match link.purpose {
                    LinkPurpose::Activation { .. } => user.invitation,
                    _ => user.two_factor_reset,
                };
                let present = present == Some(*hash);
                Ok(present.then_some(Invitation { link, user, tenant, identity }))
            }
            _ => Err(StoreError::corrupt(&user.pk, "a link leads nowhere")),
        }
    }

    /// The link with this hash and its person, when it sets a new password; none when there is no such
    /// link any longer. 2 calls.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn password_reset(
        &self,
        hash: &SecretHash,
    ) -> Result<Option<(Link, Identity)>, StoreError> {
        let Some(link) = entity::get::<Link>(self, &keys::link(hash)).await? else {
            return Ok(None);
        };
        let Some(identity) = self.identity(link.identity).await? else { return Ok(None) };
        let present =
            link.purpose == LinkPurpose::PasswordReset && identity.password_reset == Some(*hash);
        Ok(present.then_some((link, identity)))
    }

    /// A user. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn user(&self, tenant: TenantId, id: UserId) -> Result<Option<User>, StoreError> {
        entity::get(self, &keys::user(tenant, id)).await
    }

    /// Changes a person's own names, number and language. False when user or person changed
    /// meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_profile(
        &self,
        grant: &Grant,
        entry: &Entry,
        (before, after): (&User, &User),
        (person, changed): (&Identity, &Identity),
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let writes = changed_identity(person, changed)?.and(changed_user(before, after)?);
        held(self.commit(grant, entry, writes, now, entropy).await)
    }

    /// Offers a new password: keeps link and mail, and voids the link before. For nobody, who is
    /// offered nothing, it writes as much. False when the person changed meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn offer_password_reset(
        &self,
        person: Option<(&Identity, &Identity)>,
        (hash, link): (SecretHash, &Link),
        mail: Item,
        notes: &[(Option<TenantId>, Access)],
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let mut writes = if let Some((before, after)) = person {
            changed_identity(before, after)?
        } else {
            let nowhere = keys::link(&Secret::new(entropy).hash());
            Transaction::new().create(entity::expiring(&nowhere, link, link.valid_until)?)
        };
        writes = writes.create(entity::expiring(&keys::link(&hash), link, link.valid_until)?);
        writes = writes.create(mail);
        let (with_it, later) = notes.split_at(notes.len().min(NOTES));
        for (tenant, access) in with_it {
            writes = writes.create(audit::access_item(*tenant, access)?);
        }
        let done = held(writes.run(self, entropy).await)?;
        if done {
            self.note_accesses(later).await?;
        }
        Ok(done)
    }

    /// Requires the second factor of somebody's membership, or no longer, and ends its sessions. With
    /// `person`, the factor that nobody requires any more is forgotten. False when either changed
    /// meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn require_two_factor(
        &self,
        grant: &Grant,
        (user, required): (&User, bool),
        person: Option<(&Identity, &Identity, &[Membership])>,
        mail: Option<Item>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let after = User {
            two_factor_required: required,
            sessions: user.sessions.wrapping_add(1),
            ..user.changed()
        };
        let mut writes = changed_user(user, &after)?;
        if let Some((before, after, members)) = person {
            writes = shown(writes.and(changed_identity(before, after)?), after, members);
        }
        if let Some(mail) = mail {
            writes = writes.create(mail);
        }
        let entry = Entry::about("user", &user.id)
            .changed("two_factor_required", user.two_factor_required, required)
            .personal("email", user.email.as_str());
        held(self.commit(grant, &entry, writes, now, entropy).await)
    }

    /// Asks a person who is in other companies too to agree to a reset of the second factor: keeps
    /// the link, with its mail `beside`, and voids the link before. False when the membership changed
    /// meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn offer_two_factor_reset(
        &self,
        grant: &Grant,
        (user, entry): (&User, &Entry),
        (hash, link): (SecretHash, &Link),
        beside: Transaction,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let after = User { two_factor_reset: Some(hash), ..user.changed() };
        let writes = changed_user(user, &after)?
            .create(entity::expiring(&keys::link(&hash), link, link.valid_until)?)
            .and(beside);
        held(self.commit(grant, entry, writes, now, entropy).await)
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
        // The person changes in any case: who changes it at the same moment counts its members anew.
        let mut person = identity.changed();
        if let Some(password) = password {
            person.password = Some(password.clone());
            person.password_set_at = Some(now);
        }
        let active = User {
            status: Status::Active,
            invitation: None,
            factor: Factor::of(identity),
            ..user.changed()
        };
        let change = Transaction::new()
            .delete(keys::link(hash), "attribute_exists(pk)", [])
            .and(changed_user(user, &active)?)
            .create_value(&keys::membership(identity.id, user.tenant), &membership)?
            .and(changed_identity(identity, &person)?)
            .and(counted(user.tenant, 0, i32::from(active.is_active_super_admin())));
        let entry = Entry::about("user", &user.id)
            .changed("status", Status::Invited.name(), Status::Active.name())
            .personal("email", user.email.as_str());
        held(self.commit(grant, &entry, change, now, entropy).await)
    }

    /// A tenant. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>, StoreError> {
        entity::get(self, &keys::tenant(id)).await
    }
}

/// The write of a changed person, if nobody else changed it since `before`.
pub(crate) fn changed_identity(
    before: &Identity,
    after: &Identity,
) -> Result<Transaction, StoreError> {
    let item = entity::item(&keys::identity(before.id), after)?;
    let version = [(":before", number(before.version))];
    Ok(Transaction::new().put(item, "#version = :before", version))
}

/// With what a person has enrolled shown by its memberships, as many as a transaction has room for.
pub(crate) fn shown(
    writes: Transaction,
    identity: &Identity,
    members: &[Membership],
) -> Transaction {
    let factor = Factor::of(identity).map(|factor| text(factor.name()));
    let factor = factor.unwrap_or(AttributeValue::Null(true));
    members.iter().take(NOTES).fold(writes, |writes, member| {
        writes.also(keys::user(member.tenant, member.user), "factor", factor.clone())
    })
}

/// False when a condition did not hold: somebody else was faster.
pub(crate) fn held(done: Result<(), Refused>) -> Result<bool, StoreError> {
    match done {
        Ok(()) => Ok(true),
        Err(Refused::Condition(_)) => Ok(false),
        Err(Refused::Store(error)) => Err(error),
    }
}
