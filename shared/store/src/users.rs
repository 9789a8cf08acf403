//! The users of a tenant: added, changed, deleted, listed. A tenant's counters change with them, in
//! the same transaction.

use crate::accounts::{Address, TenantAddress, changed_identity};
use crate::changes::Effects;
use crate::entity;
use crate::keys::{self, EXPIRES_AT};
use crate::listing::{self, Listed};
use crate::table::{Item, StoreError, Table};
use crate::transaction::{Refused, Transaction, number, text};
use aws_sdk_dynamodb::types::AttributeValue;
use belfry_domain::account::{Identity, Link, MOST_USERS, Role, Status, User};
use belfry_domain::audit::{Entry, KEPT};
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{TenantId, UserId};
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use belfry_domain::secret::SecretHash;
use belfry_domain::tag::catalogue::Catalogue;
use belfry_domain::tag::facts::Facts;
use belfry_domain::tag::marks::Marks;
use belfry_domain::users::Filter;
use jiff::Timestamp;
use std::collections::HashMap;

/// The person of a user who gets a console.
#[derive(Debug, Clone)]
pub enum Invitee {
    /// Somebody new.
    New(Box<Identity>),
    /// Somebody who is known from another tenant.
    Known,
}

/// The invitation of a person to a console.
#[derive(Debug, Clone)]
pub struct Invite {
    /// Whom.
    pub person: Invitee,
    /// The link's hash, and what it is for.
    pub link: (SecretHash, Link),
    /// The mail with the link; none when its holder has it already.
    pub mail: Option<Item>,
}

impl Invite {
    fn writes(self, email: &EmailAddress) -> Result<Transaction, StoreError> {
        let (hash, link) = self.link;
        let address = keys::email(email);
        let writes = match self.person {
            Invitee::New(identity) => Transaction::new()
                .create_value(&address, &Address { identity: identity.id })?
                .create_value(&keys::identity(identity.id), identity.as_ref())?,
            Invitee::Known => Transaction::new().check(
                address,
                "#identity = :identity",
                [(":identity", text(link.identity.to_string()))],
            ),
        };
        let writes = writes.create(entity::expiring(&keys::link(&hash), &link, link.valid_until)?);
        Ok(match self.mail {
            Some(mail) => writes.create(mail),
            None => writes,
        })
    }
}

/// A new user with the invitation of its person, if it has a console.
#[derive(Debug, Clone)]
pub struct NewMember {
    /// The user.
    pub user: User,
    /// None without a console.
    pub invite: Option<Invite>,
}

impl NewMember {
    /// Its writes; the first fails when the tenant has the address already, a later one when the
    /// person changed meanwhile.
    pub(crate) fn writes(self) -> Result<Transaction, StoreError> {
        let Self { user, invite } = self;
        let address = keys::tenant_email(user.tenant, &user.email);
        let writes = Transaction::new()
            .create_value(&address, &TenantAddress { user: user.id })?
            .create(item(&user)?);
        match invite {
            Some(invite) => Ok(writes.and(invite.writes(&user.email)?)),
            None => Ok(writes),
        }
    }
}

/// Why a user was not written.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// The tenant has as many users as it may.
    #[error("the tenant has {MOST_USERS} users")]
    Limit,
    /// The tenant has a user with this address.
    #[error("the address is taken")]
    Taken,
    /// It would take the last active super admin away.
    #[error("the last active super admin")]
    LastSuperAdmin,
    /// User or person changed meanwhile: look again.
    #[error("changed meanwhile")]
    Changed,
    /// The table did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What becomes of the person when a user changes.
#[derive(Debug)]
pub enum PersonMove<'a> {
    /// Nothing.
    Stays,
    /// It is invited.
    Enters(Invite),
    /// It is a member no longer: before and after.
    Leaves(&'a Identity, &'a Identity),
}

/// Users of one read of all.
const PAGE: i32 = 1_000;

impl Table {
    /// Adds a user, with the tags that it has by the present rules and what is to be written `beside`:
    /// the user as it is then.
    ///
    /// # Errors
    /// [`NotWritten`].
    pub async fn create_user(
        &self,
        grant: &Grant,
        entry: &Entry,
        new: NewMember,
        beside: Transaction,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<User, NotWritten> {
        let work = |catalogue: &Catalogue| {
            let user = catalogue.applied(&new.user);
            let effects = Effects::of(&Marks::default(), &user.tags);
            let new = NewMember { user: user.clone(), invite: new.invite.clone() };
            let writes = counted(user.tenant, 1, 0).and(new.writes()?).and(beside.clone());
            Ok((user, effects, writes))
        };
        match self.commit_tagged(grant, entry, work, now, entropy).await {
            Ok(user) => Ok(user),
            Err(Refused::Condition(0)) => Err(NotWritten::Limit),
            Err(Refused::Condition(1)) => Err(NotWritten::Taken),
            Err(Refused::Condition(_)) => Err(NotWritten::Changed),
            Err(Refused::Store(error)) => Err(error.into()),
        }
    }

    /// Changes a user and its person, with what is to be written `beside`, and its tags as the present
    /// rules say: the user as it is then.
    ///
    /// # Errors
    /// [`NotWritten`].
    pub async fn change_user(
        &self,
        grant: &Grant,
        entry: &Entry,
        (before, after): (&User, &User),
        (person, beside): (PersonMove<'_>, Transaction),
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<User, NotWritten> {
        let more = i32::from(after.is_active_super_admin());
        let super_admins = more - i32::from(before.is_active_super_admin());
        let beside = moved(before, person)?.and(beside);
        let work = |after: User| {
            let effects = Effects::of(&before.tags, &after.tags);
            let writes = counted(before.tenant, 0, super_admins)
                .and(changed_user(before, &after)?)
                .and(beside.clone());
            Ok((after, effects, writes))
        };
        let done = if Facts::from(before) == Facts::from(after) {
            let (after, effects, writes) = work(after.clone())?;
            let done = self.commit_with(grant, entry, &effects, writes, now, entropy).await;
            done.map(|()| after)
        } else {
            let work = |catalogue: &Catalogue| work(catalogue.applied(after));
            self.commit_tagged(grant, entry, work, now, entropy).await
        };
        user_written(done, super_admins)
    }

    /// Deletes a user: `after` is kept for the audit trail, its address is free again.
    ///
    /// # Errors
    /// [`NotWritten`].
    pub async fn archive_user(
        &self,
        grant: &Grant,
        entry: &Entry,
        (before, after): (&User, &User),
        person: PersonMove<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(), NotWritten> {
        let super_admins = -i32::from(before.is_active_super_admin());
        let writes = counted(before.tenant, -1, super_admins)
            .and(archived(before, after, now)?)
            .and(moved(before, person)?);
        let effects = Effects::of(&before.tags, &after.tags);
        let done = self.commit_with(grant, entry, &effects, writes, now, entropy).await;
        user_written(done, super_admins)
    }

    /// Mails an invited user a new link, which voids the one before. False when the user changed
    /// meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invite_again(
        &self,
        grant: &Grant,
        entry: &Entry,
        (before, after): (&User, &User),
        invite: Invite,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let writes = changed_user(before, after)?.and(invite.writes(&before.email)?);
        crate::accounts::held(self.commit(grant, entry, writes, now, entropy).await)
    }

    /// The users of a tenant in the order of their names, from behind a place in it on, at most
    /// `limit`; or those that were deleted. And whether there may be more. Eventually consistent: 0.5
    /// RRU per 4 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn users(
        &self,
        tenant: TenantId,
        archived: bool,
        after: Option<&str>,
        limit: i32,
    ) -> Result<(Listed<User>, bool), StoreError> {
        listing::page(self, &keys::users_partition(tenant, archived), after, limit).await
    }

    /// The users of a tenant that a filter lets pass, as [`listing::find`] says.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_users(
        &self,
        tenant: TenantId,
        filter: &Filter,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<User>, Option<String>), StoreError> {
        let partition = keys::users_partition(tenant, filter.archived());
        let passes = (!filter.is_any()).then_some(|user: &User| filter.lets_pass(user));
        listing::find(self, &partition, passes, after, limit).await
    }

    /// Who runs a tenant: its active super admins and admins, super admins first, the oldest first.
    /// Eventually consistent: reads all users, 0.5 RRU per 4 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn admins(&self, tenant: TenantId) -> Result<Vec<User>, StoreError> {
        let (mut admins, mut after): (Vec<User>, Option<String>) = (Vec::new(), None);
        loop {
            let (page, more) = self.users(tenant, false, after.as_deref(), PAGE).await?;
            after = page.last().map(|(place, _)| place.clone());
            admins.extend(page.into_iter().map(|(_, user)| user).filter(|user| {
                user.status == Status::Active && matches!(user.role, Role::SuperAdmin | Role::Admin)
            }));
            if !more {
                admins.sort_by_key(|user| (user.role, user.created_at));
                return Ok(admins);
            }
        }
    }

    /// The persons behind users, each with its user. 1 RRU each.
    ///
    /// # Errors
    /// [`StoreError`], also when one is missing.
    pub async fn persons<'a>(
        &self,
        users: &'a [User],
    ) -> Result<Vec<(&'a User, Identity)>, StoreError> {
        let ids = users.iter().filter_map(|user| Some((user, keys::identity(user.identity?))));
        let (users, wanted): (Vec<_>, Vec<_>) = ids.unzip();
        let mut found = entity::get_many(self, &wanted).await?;
        let persons = users.into_iter().zip(&wanted).map(|(user, key)| {
            let person = found.take::<Identity>(key)?;
            let lost = || StoreError::corrupt(key.pk.clone(), "a user without its person");
            Ok((user, person.ok_or_else(lost)?))
        });
        persons.collect()
    }

    /// The users with these ids, those that the tenant has; 1 RRU each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn users_by_id(
        &self,
        tenant: TenantId,
        ids: &[UserId],
    ) -> Result<Vec<User>, StoreError> {
        self.tagged_by_id(tenant, ids).await
    }

    /// Which user of a tenant has an address. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn user_at(
        &self,
        tenant: TenantId,
        address: &EmailAddress,
    ) -> Result<Option<UserId>, StoreError> {
        let found =
            entity::get::<TenantAddress>(self, &keys::tenant_email(tenant, address)).await?;
        Ok(found.map(|address| address.user))
    }

    /// The same of many addresses: those that somebody has. 1 RRU each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn users_at(
        &self,
        tenant: TenantId,
        addresses: &[EmailAddress],
    ) -> Result<HashMap<EmailAddress, UserId>, StoreError> {
        let key = |address| keys::tenant_email(tenant, address);
        let wanted: Vec<_> = addresses.iter().map(key).collect();
        let mut found = entity::get_many(self, &wanted).await?;
        let mut users = HashMap::new();
        for (address, key) in addresses.iter().zip(&wanted) {
            if let Some(taken) = found.take::<TenantAddress>(key)? {
                users.insert(address.clone(), taken.user);
            }
        }
        Ok(users)
    }
}

/// Why a change of a user was not written, whose first write counts super admins when some are fewer.
fn user_written<T>(done: Result<T, Refused>, super_admins: i32) -> Result<T, NotWritten> {
    match done {
        Ok(made) => Ok(made),
        Err(Refused::Condition(0)) if super_admins < 0 => Err(NotWritten::LastSuperAdmin),
        Err(Refused::Condition(_)) => Err(NotWritten::Changed),
        Err(Refused::Store(error)) => Err(error.into()),
    }
}

/// The item of a user, with its place in the list.
///
/// # Errors
/// [`StoreError::Corrupt`] when it does not serialize, which is a fault of ours.
pub fn item(user: &User) -> Result<Item, StoreError> {
    let mut item = entity::item(&keys::user(user.tenant, user.id), user)?;
    let place = keys::users_partition(user.tenant, user.is_archived());
    item.insert("gsi1pk".to_owned(), text(place));
    item.insert("gsi1sk".to_owned(), text(keys::user_sort(user)));
    Ok(item)
}

/// The write of a changed user, if nobody else changed it since `before`. What a log-in or a change
/// of the person writes beside it stays.
pub(crate) fn changed_user(before: &User, after: &User) -> Result<Transaction, StoreError> {
    let forms = (&item(before)?, item(after)?);
    let version = [(":version", number(before.version))];
    let key = keys::user(before.tenant, before.id);
    Ok(Transaction::new().differ(key, forms, "#version = :version", version))
}

/// Holds as long as a user is as it was looked at.
pub fn unchanged(user: &User) -> Transaction {
    let version = [(":version", number(user.version))];
    Transaction::new().check(keys::user(user.tenant, user.id), "#version = :version", version)
}

/// The write of a tenant's counters: so many more users, so many more active super admins.
pub(crate) fn counted(tenant: TenantId, users: i32, super_admins: i32) -> Transaction {
    let (key, none) = (keys::tenant(tenant), Transaction::new());
    let number = |n: i32| AttributeValue::N(n.to_string());
    let (more, admins) = ((":users", number(users)), (":admins", number(super_admins)));
    let one = (":one", number(1));
    match (users, super_admins) {
        (0, 0) => none,
        (1.., _) => {
            let room = i64::from(MOST_USERS) - i64::from(users);
            none.update(
                key,
                "SET #users = #users + :users",
                "#users <= :room",
                [more, (":room", AttributeValue::N(room.to_string()))],
            )
        }
        (0, 1..) => none.update(
            key,
            "SET #super_admins = #super_admins + :admins",
            "attribute_exists(pk)",
            [admins],
        ),
        (0, _) => none.update(
            key,
            "SET #super_admins = #super_admins + :admins",
            "#super_admins > :one",
            [admins, one],
        ),
        (_, 0) => none.update(key, "SET #users = #users + :users", "attribute_exists(pk)", [more]),
        _ => none.update(
            key,
            "SET #users = #users + :users, #super_admins = #super_admins + :admins",
            "#super_admins > :one",
            [more, admins, one],
        ),
    }
}

/// The writes of a user who is deleted: kept for the audit trail, the address free again.
pub(crate) fn archived(
    before: &User,
    after: &User,
    now: Timestamp,
) -> Result<Transaction, StoreError> {
    let gone = now.checked_add(KEPT).unwrap_or(now).as_second();
    let mine = [(":user", text(before.id.to_string()))];
    let key = keys::user(before.tenant, before.id);
    Ok(changed_user(before, after)?
        .also(key, EXPIRES_AT, AttributeValue::N(gone.to_string()))
        .delete(keys::tenant_email(before.tenant, &before.email), "#user = :user", mine))
}

pub(crate) fn moved(before: &User, person: PersonMove<'_>) -> Result<Transaction, StoreError> {
    match person {
        PersonMove::Stays => Ok(Transaction::new()),
        PersonMove::Enters(invite) => invite.writes(&before.email),
        PersonMove::Leaves(identity, after) => {
            let writes = changed_identity(identity, after)?;
            let edge = keys::membership(identity.id, before.tenant);
            Ok(writes.delete(edge, "attribute_exists(pk)", []))
        }
    }
}
