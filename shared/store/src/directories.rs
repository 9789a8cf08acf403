//! What directories say of users and groups, and what becomes of the tenant's own users by it: both,
//! with addresses, counters, tags, mails and the record, are one transaction.

use crate::accounts::held;
use crate::changes::{Effects, Thing};
use crate::due;
use crate::entity::{self, Entity};
use crate::keys::{self, Due, Key, Once};
use crate::table::{Item, StoreError, Table};
use crate::transaction::{Refused, Transaction, millis, number, text};
use crate::users::{NewMember, NotWritten, PersonMove, archived, changed_user, counted, moved};
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use belfry_domain::account::User;
use belfry_domain::audit::Entry;
use belfry_domain::directory::entry::{DirectoryGroup, DirectoryUser, GroupMember, Taken};
use belfry_domain::id::{GroupId, IdentityProviderId, TenantId, UserId};
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use belfry_domain::scim::ScimError;
use belfry_domain::scim::resource::Resource;
use belfry_domain::tag::catalogue::Catalogue;
use belfry_domain::tag::marks::{Counts, Marks};
use jiff::Timestamp;
use std::fmt::Display;
use std::str::FromStr;

/// A directory of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The tenant.
    pub tenant: TenantId,
    /// Its identity provider.
    pub provider: IdentityProviderId,
}

/// What becomes of one of the tenant's users by its directory's word.
#[derive(Debug)]
pub enum Became<'a> {
    /// It is new.
    Added(Box<NewMember>),
    /// It is another one, and its person does that.
    Changed(&'a User, &'a User, PersonMove<'a>),
    /// It is gone.
    Deleted(&'a User, &'a User, PersonMove<'a>),
}

/// The same, with what the tags of the moment do not change.
enum Prepared<'a> {
    Added(Box<NewMember>),
    Changed(&'a User, &'a User, Transaction),
    Deleted(&'a User, &'a User, Transaction),
}

impl<'a> Prepared<'a> {
    fn of(became: Became<'a>) -> Result<Self, StoreError> {
        Ok(match became {
            Became::Added(new) => Self::Added(new),
            Became::Changed(before, after, person) => {
                Self::Changed(before, after, moved(before, person)?)
            }
            Became::Deleted(before, after, person) => {
                Self::Deleted(before, after, moved(before, person)?)
            }
        })
    }

    /// How many more users the tenant has by it.
    const fn users(&self) -> i32 {
        match self {
            Self::Added(_) => 1,
            Self::Changed(..) => 0,
            Self::Deleted(..) => -1,
        }
    }

    fn writes(
        &self,
        tags: &Catalogue,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<Transaction, StoreError> {
        let (id, before, after, writes) = match self {
            Self::Added(new) => {
                let user = tags.applied(&new.user);
                let (id, marks) = (user.id, user.tags.clone());
                let new = NewMember { user, invite: new.invite.clone() };
                (id, Marks::default(), marks, new.writes()?)
            }
            Self::Changed(before, after, person) => {
                let after = tags.applied(*after);
                let writes = changed_user(before, &after)?.and(person.clone());
                (before.id, before.tags.clone(), after.tags, writes)
            }
            Self::Deleted(before, after, person) => {
                let writes = archived(before, after, now)?.and(person.clone());
                (before.id, before.tags.clone(), after.tags.clone(), writes)
            }
        };
        effects.touched.push(Thing::User(id));
        effects.counts.merge(&Counts::between(&before, &after));
        Ok(writes)
    }
}

/// A user or a group as its directory has it.
pub trait Kept: Entity + Clone {
    /// What names one.
    type Id: Copy + Display + FromStr;
    /// What the sort keys of all of them begin with.
    const PREFIX: &'static str;
    /// Its id.
    fn id(&self) -> Self::Id;
    /// Its version.
    fn version(&self) -> u64;
    /// Whether it is there for its directory.
    fn is_there(&self) -> bool;
    /// What of it a directory has once.
    fn once(resource: &Resource) -> Vec<Once<'_>>;
    /// The keys under which it says that what it has once is taken.
    ///
    /// # Errors
    /// When it is damaged.
    fn alone(&self, place: Place) -> Result<Vec<Key>, ScimError>;
    /// Its item.
    ///
    /// # Errors
    /// As [`entity::item`].
    fn item(&self, place: Place) -> Result<Item, StoreError>;
}

impl Kept for DirectoryUser {
    type Id = UserId;
    const PREFIX: &'static str = keys::DIRECTORY_USERS;
    fn id(&self) -> UserId {
        self.id
    }
    fn version(&self) -> u64 {
        self.version
    }
    fn is_there(&self) -> bool {
        true
    }
    fn alone(&self, place: Place) -> Result<Vec<Key>, ScimError> {
        match self.key() {
            Some(key) => Ok(vec![place.taken(Once::UserExternalId(&key.to_string()))]),
            None => Ok(place.all_taken(Self::once(&self.resource()?))),
        }
    }
    fn once(resource: &Resource) -> Vec<Once<'_>> {
        let name = resource.text("userName").map(Once::UserName);
        name.into_iter().chain(resource.text("externalId").map(Once::UserExternalId)).collect()
    }
    fn item(&self, place: Place) -> Result<Item, StoreError> {
        entity::item(&keys::directory_user(place.tenant, place.provider, self.id), self)
    }
}

impl Kept for DirectoryGroup {
    type Id = GroupId;
    const PREFIX: &'static str = keys::DIRECTORY_GROUPS;
    fn id(&self) -> GroupId {
        self.id
    }
    fn version(&self) -> u64 {
        self.version
    }
    fn is_there(&self) -> bool {
        !self.deleted
    }
    fn alone(&self, place: Place) -> Result<Vec<Key>, ScimError> {
        match self.key {
            // Names are told apart when all groups are read.
            Some(key) => Ok(vec![place.taken(Once::GroupExternalId(&key.to_string()))]),
            None => Ok(place.all_taken(Self::once(&self.resource()?))),
        }
    }
    fn once(resource: &Resource) -> Vec<Once<'_>> {
        let name = resource.text("displayName").map(Once::GroupName);
        name.into_iter().chain(resource.text("externalId").map(Once::GroupExternalId)).collect()
    }
    fn item(&self, place: Place) -> Result<Item, StoreError> {
        let key = keys::directory_group(place.tenant, place.provider, self.id);
        let mut item = entity::item(&key, self)?;
        if let Some(telling) = &self.telling {
            let shard = keys::due_shard(self.id.bytes());
            let at = keys::due_sort(telling.due_at, self.tenant, &self.id);
            due::insert(&mut item, (Due::Group, shard), at);
        }
        Ok(item)
    }
}

impl Place {
    fn key_of<T: Kept>(self, id: T::Id) -> Key {
        let pk = keys::directory_partition(self.tenant, self.provider);
        Key { pk, sk: format!("{}{id}", T::PREFIX) }
    }

    /// The writes of a user or group that was `before` and is `after`, with what it has alone in its
    /// directory.
    ///
    /// # Errors
    /// [`StoreError`] when what is stored is damaged.
    pub fn writes<T: Kept>(
        self,
        before: Option<&T>,
        after: Option<&T>,
    ) -> Result<Transaction, StoreError> {
        let mut writes = match (before, after) {
            (None, None) => Transaction::new(),
            (None, Some(after)) => Transaction::new().create(after.item(self)?),
            (Some(before), Some(after)) if before.version() == after.version() => {
                let version = [(":version", number(before.version()))];
                Transaction::new().check(
                    self.key_of::<T>(before.id()),
                    "#version = :version",
                    version,
                )
            }
            (Some(before), Some(after)) => {
                let version = [(":version", number(before.version()))];
                Transaction::new().put(after.item(self)?, "#version = :version", version)
            }
            (Some(before), None) => {
                let version = [(":version", number(before.version()))];
                let key = self.key_of::<T>(before.id());
                Transaction::new().delete(key, "#version = :version", version)
            }
        };
        let (had, has) = (self.alone(before)?, self.alone(after)?);
        for (key, id) in had.iter().filter(|taken| !has.contains(taken)) {
            writes = writes.delete(key.clone(), "#id = :id", [(":id", text(id.clone()))]);
        }
        for (key, id) in has.into_iter().filter(|taken| !had.contains(taken)) {
            writes = writes.create_value(&key, &Taken { id })?;
        }
        Ok(writes)
    }

    fn alone<T: Kept>(self, of: Option<&T>) -> Result<Vec<(Key, String)>, StoreError> {
        let Some(of) = of.filter(|of| of.is_there()) else { return Ok(Vec::new()) };
        let id = of.id().to_string();
        let keys = of.alone(self).map_err(|error| StoreError::corrupt(id.clone(), error))?;
        Ok(keys.into_iter().map(|key| (key, id.clone())).collect())
    }

    fn taken(self, once: Once<'_>) -> Key {
        keys::directory_taken(self.tenant, self.provider, once)
    }

    fn all_taken(self, all: Vec<Once<'_>>) -> Vec<Key> {
        all.into_iter().map(|once| self.taken(once)).collect()
    }

    /// The write that puts a user into a group, where it may be already.
    ///
    /// # Errors
    /// As [`entity::item`].
    pub fn joins(self, group: GroupId, member: UserId) -> Result<Transaction, StoreError> {
        let key = keys::group_member(self.tenant, self.provider, group, member);
        // Whatever is there says the same.
        let any = "attribute_not_exists(pk) OR attribute_exists(pk)";
        Ok(Transaction::new().put(entity::item(&key, &GroupMember { member })?, any, []))
    }

    /// The write that takes a user out of a group, where it may be no longer.
    pub fn leaves(self, group: GroupId, member: UserId) -> Transaction {
        let key = keys::group_member(self.tenant, self.provider, group, member);
        Transaction::new().delete(key, "attribute_not_exists(pk) OR attribute_exists(pk)", [])
    }

    /// Holds as long as the provider is what it was looked at: neither deleted nor set otherwise since.
    pub fn provider_stands(self, version: u64) -> Transaction {
        let key = keys::provider(self.tenant, self.provider);
        Transaction::new().check(key, "#version = :version", [(":version", number(version))])
    }

    /// Holds as long as a group is as it was looked at.
    pub fn group_stands(self, group: &DirectoryGroup) -> Transaction {
        let key = keys::directory_group(self.tenant, self.provider, group.id);
        Transaction::new().check(key, "#version = :version", [(":version", number(group.version))])
    }

    /// Holds as long as a group is as it was looked at, and says that who is in it changed.
    pub fn members_change(self, group: &DirectoryGroup, now: Timestamp) -> Transaction {
        let key = keys::directory_group(self.tenant, self.provider, group.id);
        // One that is deleted since has another version.
        let values = [(":version", number(group.version)), (":now", millis(now))];
        let update = "SET #modified_at = :now";
        Transaction::new().update(key, update, "#version = :version", values)
    }
}

impl Table {
    /// Does what follows from a directory's word: to the tenant's users, with their tags as the present
    /// rules say, and `beside` to what is kept of the directory itself.
    ///
    /// # Errors
    /// [`NotWritten::Limit`]; [`NotWritten::Changed`] when any of it is not as it was looked at.
    pub async fn follow_directory(
        &self,
        grant: &Grant,
        entry: &Entry,
        became: Vec<Became<'_>>,
        beside: Transaction,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(), NotWritten> {
        let all: Vec<_> = became.into_iter().map(Prepared::of).collect::<Result<_, _>>()?;
        let more: i32 = all.iter().map(Prepared::users).sum();
        let done = if all.is_empty() {
            self.commit(grant, entry, beside, now, entropy).await
        } else {
            let work = |tags: &Catalogue| {
                let mut effects = Effects::default();
                let mut writes = counted(grant.tenant(), more, 0);
                for one in &all {
                    writes = writes.and(one.writes(tags, now, &mut effects)?);
                }
                Ok(((), effects, writes.and(beside.clone())))
            };
            self.commit_tagged(grant, entry, work, now, entropy).await
        };
        match done {
            Ok(()) => Ok(()),
            Err(Refused::Condition(0)) if more > 0 => Err(NotWritten::Limit),
            Err(Refused::Condition(_)) => Err(NotWritten::Changed),
            Err(Refused::Store(error)) => Err(error.into()),
        }
    }

    /// Keeps how far the telling of a group's members is, or that it has ended. False when the group
    /// changed meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_group(
        &self,
        place: Place,
        before: &DirectoryGroup,
        after: Option<&DirectoryGroup>,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let version = [(":version", number(before.version))];
        let writes = match after {
            Some(after) => {
                Transaction::new().put(after.item(place)?, "#version = :version", version)
            }
            None => place.writes(Some(before), None)?,
        };
        held(writes.run(self, entropy).await)
    }

    /// A user or group of a directory. 1 RRU per 4 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn kept<T: Kept>(&self, place: Place, id: T::Id) -> Result<Option<T>, StoreError> {
        entity::get(self, &place.key_of::<T>(id)).await
    }

    /// Those with these ids that are there. 1 RRU per 4 KB of each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn kept_by_id<T: Kept>(
        &self,
        place: Place,
        ids: &[T::Id],
    ) -> Result<Vec<T>, StoreError> {
        let wanted: Vec<_> = ids.iter().map(|id| place.key_of::<T>(*id)).collect();
        let mut found = entity::get_many(self, &wanted).await?;
        let found = wanted.iter().filter_map(|key| found.take::<T>(key).transpose());
        Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().filter(Kept::is_there).collect())
    }

    /// Who has something of which a directory has each once. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn taken_by(
        &self,
        place: Place,
        once: Once<'_>,
    ) -> Result<Option<String>, StoreError> {
        let key = place.taken(once);
        Ok(entity::get::<Taken>(self, &key).await?.map(|taken| taken.id))
    }

    /// Users or groups of a directory in the order of their ids, from behind a sort key on, at most
    /// `limit`, each with its sort key; and whether there may be more. 1 RRU per 4 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn kept_page<T: Kept>(
        &self,
        place: Place,
        after: Option<&str>,
        limit: i32,
    ) -> Result<(Vec<(String, T)>, bool), StoreError> {
        let pk = keys::directory_partition(place.tenant, place.provider);
        let range = (after.unwrap_or(T::PREFIX), T::PREFIX);
        let (items, more) = self.directory_range(pk, range, limit, false).await?;
        Ok((items.into_iter().map(entity::keyed).collect::<Result<_, _>>()?, more))
    }

    /// The ids of all users or groups of a directory, in their order: also of groups that are gone and
    /// not forgotten yet. 1 RRU per 4 KB of all of them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn kept_ids<T: Kept>(&self, place: Place) -> Result<Vec<T::Id>, StoreError> {
        let pk = keys::directory_partition(place.tenant, place.provider);
        let all = self.sort_keys(pk, T::PREFIX).await?;
        Ok(all.iter().filter_map(|sk| sk.strip_prefix(T::PREFIX)?.parse().ok()).collect())
    }

    /// Who is in a group, by the directory's ids, in their order. 1 RRU per 4 KB: of some 20 of them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn group_members(
        &self,
        place: Place,
        group: GroupId,
    ) -> Result<Vec<UserId>, StoreError> {
        let pk = keys::group_partition(place.tenant, place.provider, group);
        let all = self.sort_keys(pk, "").await?;
        Ok(all.iter().filter_map(|sk| sk.parse().ok()).collect())
    }

    /// Which of these users are in a group. 1 RRU each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn are_members(
        &self,
        place: Place,
        group: GroupId,
        of: &[UserId],
    ) -> Result<Vec<UserId>, StoreError> {
        let key = |id: &UserId| keys::group_member(place.tenant, place.provider, group, *id);
        let wanted: Vec<_> = of.iter().map(key).collect();
        let mut found = entity::get_many(self, &wanted).await?;
        let found = wanted.iter().filter_map(|key| found.take::<GroupMember>(key).transpose());
        found.map(|member| member.map(|member| member.member)).collect()
    }

    /// Forgets that users are in groups, where that says nothing any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_members(
        &self,
        place: Place,
        members: impl IntoIterator<Item = (GroupId, UserId)>,
    ) -> Result<(), StoreError> {
        let keys = members
            .into_iter()
            .map(|(group, member)| keys::group_member(place.tenant, place.provider, group, member));
        entity::delete_many(self, keys.collect()).await
    }

    /// Forgets all that a directory said: of one that is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_directory(&self, place: Place) -> Result<(), StoreError> {
        for group in self.kept_ids::<DirectoryGroup>(place).await? {
            let members = self.group_members(place, group).await?;
            self.forget_members(place, members.into_iter().map(|member| (group, member))).await?;
        }
        let pk = keys::directory_partition(place.tenant, place.provider);
        let rest = self.sort_keys(pk.clone(), "").await?;
        let rest = rest.into_iter().map(|sk| Key { pk: pk.clone(), sk });
        entity::delete_many(self, rest.collect()).await
    }

    /// The groups whose members have to be told something; each by itself, as one may be damaged.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_groups(
        &self,
        now: Timestamp,
    ) -> Result<Vec<Result<DirectoryGroup, StoreError>>, StoreError> {
        due::items(self, Due::Group, 10, now).await
    }

    async fn sort_keys(&self, pk: String, prefix: &str) -> Result<Vec<String>, StoreError> {
        let mut all: Vec<String> = Vec::new();
        loop {
            let after = all.last().cloned();
            let range = (after.as_deref().unwrap_or(prefix), prefix);
            let (items, more) = self.directory_range(pk.clone(), range, i32::MAX, true).await?;
            let keys = items.into_iter().filter_map(|item| item.get("sk")?.as_s().ok().cloned());
            all.extend(keys);
            if !more {
                return Ok(all);
            }
        }
    }

    /// The items of a partition behind a sort key that begin with a prefix, or only their keys.
    async fn directory_range(
        &self,
        pk: String,
        (after, prefix): (&str, &str),
        limit: i32,
        keys_only: bool,
    ) -> Result<(Vec<Item>, bool), StoreError> {
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", text(pk))
            .expression_attribute_values(":first", text(format!("{after}\u{1}")))
            .expression_attribute_values(":last", text(format!("{prefix}~")))
            .set_projection_expression(keys_only.then(|| "sk".to_owned()))
            .consistent_read(true)
            .limit(limit)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        self.meter().read(answer.consumed_capacity.iter());
        let more = answer.last_evaluated_key.is_some();
        Ok((answer.items.unwrap_or_default(), more))
    }
}
