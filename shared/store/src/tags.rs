//! Tags in the table: each an item of its tenant. What users and applications have of them lies in
//! their own items; how many have each value is told by the changes (see [`crate::changes`]).

use crate::changes::{Effects, Rules, Thing};
use crate::due;
use crate::entity::{self, Entity};
use crate::keys::{self, Due, Key};
use crate::listing::{self, Listed};
use crate::table::{Item, StoreError, Table};
use crate::transaction::{Refused, TRIES, Transaction, number, text};
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use belfry_domain::account::User;
use belfry_domain::application::Application;
use belfry_domain::audit::{Entry, Head};
use belfry_domain::id::{ApplicationId, TagId, TenantId, UserId};
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use belfry_domain::tag::Tag;
use belfry_domain::tag::catalogue::{Catalogue, Tagged};
use belfry_domain::tag::marks::{Counts, Marks};
use belfry_domain::tag::work::Tagging;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Tenants whose tags a warm function keeps. Their values and what their rules weigh are bounded, so they
/// have a MB each at the very most.
const TENANTS_KEPT: usize = 64;

/// The tags that were read last, so that a warm function reads them again only when they changed.
#[derive(Debug, Default)]
pub(crate) struct Catalogues(Mutex<HashMap<TenantId, Arc<Catalogue>>>);

impl Catalogues {
    fn get(&self, tenant: TenantId) -> Option<Arc<Catalogue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }

    fn keep(&self, tenant: TenantId, catalogue: Arc<Catalogue>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= TENANTS_KEPT {
            kept.clear();
        }
        kept.insert(tenant, catalogue);
    }
}

/// That a key is taken.
#[derive(Serialize, Deserialize)]
struct Taken {
    tag: TagId,
}

impl Entity for Taken {
    const TYPE: &'static str = "tag_key";
}

/// How many members each value had after a change.
#[derive(Debug, Serialize, Deserialize)]
struct Counted {
    sequence: u64,
    #[serde(default, skip_serializing_if = "Counts::is_empty")]
    counts: Counts,
}

impl Entity for Counted {
    const TYPE: &'static str = "tag_counts";
}

/// Why a tag was not written.
#[derive(Debug, thiserror::Error)]
pub enum NotTagged {
    /// The tenant has a tag of this key for the same subject.
    #[error("the key is taken")]
    Taken,
    /// Something changed meanwhile: look again.
    #[error("changed meanwhile")]
    Changed,
    /// The table did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A user or an application, as tags are put on it.
pub trait Member: Tagged + Entity {
    /// What names one.
    type Id: Copy + Ord + Display + FromStr;
    /// What the sort keys of all of them begin with.
    const PREFIX: &'static str;
    /// The key of the one with this id.
    fn key_of(tenant: TenantId, id: Self::Id) -> Key;
    /// The index partition of those that are there, in the order of their names.
    fn list(tenant: TenantId) -> String;
    /// Which one it is.
    fn id(&self) -> Self::Id;
    /// Its key.
    fn key(&self) -> Key;
    /// Its item.
    ///
    /// # Errors
    /// As [`entity::item`].
    fn item(&self) -> Result<Item, StoreError>;
    /// What it is in the feed of changes.
    fn thing(&self) -> Thing;
    /// Its version.
    fn version(&self) -> u64;
    /// The same after a change.
    #[must_use]
    fn next(&self) -> Self;
}

impl Member for User {
    type Id = UserId;
    const PREFIX: &'static str = keys::USERS;
    fn key_of(tenant: TenantId, id: UserId) -> Key {
        keys::user(tenant, id)
    }
    fn list(tenant: TenantId) -> String {
        keys::users_partition(tenant, false)
    }
    fn id(&self) -> UserId {
        self.id
    }
    fn key(&self) -> Key {
        keys::user(self.tenant, self.id)
    }
    fn item(&self) -> Result<Item, StoreError> {
        crate::users::item(self)
    }
    fn thing(&self) -> Thing {
        Thing::User(self.id)
    }
    fn version(&self) -> u64 {
        self.version
    }
    fn next(&self) -> Self {
        self.changed()
    }
}

impl Member for Application {
    type Id = ApplicationId;
    const PREFIX: &'static str = keys::APPLICATIONS;
    fn key_of(tenant: TenantId, id: ApplicationId) -> Key {
        keys::application(tenant, id)
    }
    fn list(tenant: TenantId) -> String {
        keys::applications_partition(tenant)
    }
    fn id(&self) -> ApplicationId {
        self.id
    }
    fn key(&self) -> Key {
        keys::application(self.tenant, self.id)
    }
    fn item(&self) -> Result<Item, StoreError> {
        crate::applications::item(self)
    }
    fn thing(&self) -> Thing {
        Thing::Application(self.id)
    }
    fn version(&self) -> u64 {
        self.version
    }
    fn next(&self) -> Self {
        self.changed()
    }
}

/// Most members whose tags change in one transaction.
pub const MOST_AT_ONCE: usize = 80;
/// Changes that may follow the stored counts before they are stored anew.
const MOST_UNCOUNTED: u64 = 64;
/// How often counting everything anew is tried while changes go on.
const RECOUNTS: usize = 5;
/// Members of one read.
const PAGE: i32 = 1_000;

impl Table {
    /// The present tags of a tenant. 1 RRU, and when they changed since this process read them last
    /// 1 RRU for 4 KB of them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn catalogue(&self, tenant: TenantId) -> Result<Arc<Catalogue>, StoreError> {
        for attempt in 0..TRIES {
            let (rules, _) = self.present_rules(tenant).await?;
            let known = self.catalogues().get(tenant);
            if let Some(known) = known.filter(|known| known.rules == rules.number) {
                return Ok(known);
            }
            // Read after their number: they may be newer than it says, and then nothing is written
            // under it, and they are read again.
            let tags = if rules.number == 0 { Vec::new() } else { self.tags(tenant).await? };
            if rules.show_in(&tags) {
                let catalogue = Arc::new(Catalogue::new(rules.number, tags));
                self.catalogues().keep(tenant, catalogue.clone());
                return Ok(catalogue);
            }
            tokio::time::sleep(Duration::from_millis(10 << attempt.min(6))).await;
        }
        Err(StoreError::corrupt(
            keys::tenant_partition(tenant),
            "the tag that changed last is lost",
        ))
    }

    /// The tags of a tenant as this process read them last: for a change, which is not written under
    /// others. Mostly no read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn known_catalogue(
        &self,
        tenant: TenantId,
    ) -> Result<Arc<Catalogue>, StoreError> {
        match self.catalogues().get(tenant) {
            Some(known) => Ok(known),
            None => self.catalogue(tenant).await,
        }
    }

    /// The tags of a tenant by which these members' are shown: none are read when nobody has one. 1 RRU
    /// otherwise, as [`Self::catalogue`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn catalogue_of<'a, T: Member + 'a>(
        &self,
        tenant: TenantId,
        members: impl IntoIterator<Item = &'a T>,
    ) -> Result<Arc<Catalogue>, StoreError> {
        if members.into_iter().all(|member| member.marks().is_empty()) {
            return Ok(Arc::default());
        }
        self.catalogue(tenant).await
    }

    async fn tags(&self, tenant: TenantId) -> Result<Vec<Tag>, StoreError> {
        let range = (keys::TAGS.to_owned(), format!("{}~", keys::TAGS));
        let partition = keys::tenant_partition(tenant);
        let found = entity::query(self, &partition, Some(range), true).await?;
        Ok(found.into_iter().map(|(_, tag)| tag).collect())
    }

    /// A tag. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tag(&self, tenant: TenantId, id: TagId) -> Result<Option<Tag>, StoreError> {
        entity::get(self, &keys::tag(tenant, id)).await
    }

    /// The tags of a tenant as a whole. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tagging(&self, tenant: TenantId) -> Result<Tagging, StoreError> {
        let found = entity::get(self, &keys::tagging(tenant)).await?;
        Ok(found.unwrap_or_else(|| Tagging::new(tenant)))
    }

    /// Adds a tag, with what is to be written `beside`.
    ///
    /// # Errors
    /// [`NotTagged`].
    #[expect(clippy::too_many_arguments, reason = "a tag, its tenant's tags and its record")]
    pub async fn create_tag(
        &self,
        grant: &Grant,
        entry: &Entry,
        tag: &Tag,
        (before, after): (&Tagging, &Tagging),
        beside: Transaction,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(), NotTagged> {
        let key = keys::tag_key(tag.tenant, tag.applies_to, &tag.key);
        let mut writes = advanced(before, after)?
            .create_value(&key, &Taken { tag: tag.id })?
            .create_value(&keys::tag(tag.tenant, tag.id), tag)?;
        if before.rules == 0 {
            // Nobody has a tag so far: counting begins here.
            let sequence = self.present_rules(tag.tenant).await?.1.sequence;
            let none = Counted { sequence, counts: Counts::default() };
            writes = writes.create_value(&keys::tag_counts(tag.tenant), &none)?;
        }
        let rules = Some(Rules::made_by(after.rules, tag.id, tag.version));
        let effects = Effects { rules, ..Effects::default() };
        let writes = writes.and(beside);
        match self.commit_with(grant, entry, &effects, writes, now, entropy).await {
            Err(Refused::Condition(1)) => Err(NotTagged::Taken),
            done => written(done),
        }
    }

    /// Changes a tag.
    ///
    /// # Errors
    /// [`NotTagged`].
    pub async fn change_tag(
        &self,
        grant: &Grant,
        entry: &Entry,
        (before, after): (&Tag, &Tag),
        (old, new): (&Tagging, &Tagging),
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(), NotTagged> {
        let key = keys::tag(before.tenant, before.id);
        let forms = (&entity::item(&key, before)?, entity::item(&key, after)?);
        let version = [(":version", number(before.version))];
        let writes = advanced(old, new)?.differ(key, forms, "#version = :version", version);
        let rules = Some(Rules::made_by(new.rules, after.id, after.version));
        let effects = Effects { rules, ..Effects::default() };
        written(self.commit_with(grant, entry, &effects, writes, now, entropy).await)
    }

    /// Deletes a tag. Who has it loses it with the walk that follows.
    ///
    /// # Errors
    /// [`NotTagged`].
    pub async fn delete_tag(
        &self,
        grant: &Grant,
        entry: &Entry,
        tag: &Tag,
        (before, after): (&Tagging, &Tagging),
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(), NotTagged> {
        let mine = [(":tag", text(tag.id.to_string()))];
        let version = [(":version", number(tag.version))];
        let writes = advanced(before, after)?
            .delete(keys::tag(tag.tenant, tag.id), "#version = :version", version)
            .delete(keys::tag_key(tag.tenant, tag.applies_to, &tag.key), "#tag = :tag", mine);
        let effects =
            Effects { rules: Some(Rules::made_by(after.rules, tag.id, 0)), ..Effects::default() };
        written(self.commit_with(grant, entry, &effects, writes, now, entropy).await)
    }

    /// Writes other tag values of members, all or none, as worked out under the rules of a number, and
    /// in the record their ids. False when a member or the rules changed meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mark<T: Member>(
        &self,
        grant: &Grant,
        entry: &Entry,
        changes: &[(T, Marks)],
        under: u64,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let mut effects = Effects { under: Some(under), ..Effects::default() };
        let mut writes = Transaction::new();
        // Whose they are is what the trail is asked for; ids are no names.
        let members: Vec<_> = changes.iter().map(|(member, _)| member.id().to_string()).collect();
        let entry = &entry.clone().set("members", members);
        for (before, marks) in changes {
            let after = before.next().marked(marks.clone());
            effects.touched.push(before.thing());
            effects.counts.merge(&Counts::between(before.marks(), marks));
            let version = [(":version", number(before.version()))];
            let forms = (&before.item()?, after.item()?);
            writes = writes.differ(before.key(), forms, "#version = :version", version);
        }
        crate::accounts::held(self.commit_with(grant, entry, &effects, writes, now, entropy).await)
    }

    /// Members of a tenant in the order of their ids, from behind a sort key on, at most `limit`, the
    /// deleted ones too; each with its sort key, and whether there may be more. 1 RRU for 4 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tagged<T: Member>(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: i32,
    ) -> Result<(Vec<(String, T)>, bool), StoreError> {
        let first = after.map_or_else(|| T::PREFIX.to_owned(), |after| format!("{after}\u{1}"));
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", text(keys::tenant_partition(tenant)))
            .expression_attribute_values(":first", text(first))
            .expression_attribute_values(":last", text(format!("{}~", T::PREFIX)))
            .consistent_read(true)
            .limit(limit)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        self.meter().read(answer.consumed_capacity.iter());
        let more = answer.last_evaluated_key.is_some();
        let members = answer.items.unwrap_or_default().into_iter().map(entity::keyed);
        Ok((members.collect::<Result<_, _>>()?, more))
    }

    /// The members with these ids, those that the tenant has, the deleted ones too; 1 RRU each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tagged_by_id<T: Member>(
        &self,
        tenant: TenantId,
        ids: &[T::Id],
    ) -> Result<Vec<T>, StoreError> {
        let wanted: Vec<_> = ids.iter().map(|id| T::key_of(tenant, *id)).collect();
        let mut found = entity::get_many(self, &wanted).await?;
        wanted.iter().filter_map(|key| found.take(key).transpose()).collect()
    }

    /// The members of a tenant in the order of their names, from behind a place in it on, one read of
    /// them, and whether there may be more. Eventually consistent: 0.5 RRU for 4 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tagged_in_order<T: Member>(
        &self,
        tenant: TenantId,
        after: Option<&str>,
    ) -> Result<(Listed<T>, bool), StoreError> {
        listing::page(self, &T::list(tenant), after, PAGE).await
    }

    /// The members with one of these tag values in the order of their names, as
    /// [`listing::find`] says.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_tagged<T: Member>(
        &self,
        tenant: TenantId,
        marks: &Marks,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<T>, Option<String>), StoreError> {
        let passes = |member: &T| marks.iter().any(|mark| member.marks().has(mark));
        listing::find(self, &T::list(tenant), Some(passes), after, limit).await
    }

    /// How many members each tag value has at this moment: what was stored and what the changes since
    /// then made of it. 2 RRU, and 1 for 4 KB of at most about 64 records.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tag_counts(&self, tenant: TenantId) -> Result<Counts, StoreError> {
        let (rules, Head { sequence: last, .. }) = self.present_rules(tenant).await?;
        if rules.number == 0 {
            return Ok(Counts::default());
        }
        let stored: Option<Counted> = entity::get(self, &keys::tag_counts(tenant)).await?;
        let uncounted = || StoreError::corrupt(keys::tag_counts(tenant).pk, "tags without counts");
        let Counted { sequence: mut base, mut counts } = stored.ok_or_else(uncounted)?;
        let mut sequence = base;
        while sequence < last {
            let feed = self.feed(tenant, sequence, PAGE).await?;
            if feed.is_empty() {
                return self.recounted(tenant).await;
            }
            for (number, (_, more)) in feed {
                if number != sequence.saturating_add(1) {
                    return self.recounted(tenant).await;
                }
                counts.merge(&more);
                sequence = number;
            }
            // With every part, so that who comes after a request that ran out of time goes on.
            if sequence.saturating_sub(base) >= MOST_UNCOUNTED {
                self.keep_counts(tenant, &Counted { sequence, counts: counts.clone() }).await?;
                base = sequence;
            }
        }
        Ok(counts)
    }

    /// Counts all members, when the changes since the last count are no longer kept.
    async fn recounted(&self, tenant: TenantId) -> Result<Counts, StoreError> {
        for _ in 0..RECOUNTS {
            let sequence = self.audit_head(tenant).await?.sequence;
            let mut counts = self.counted::<User>(tenant).await?;
            counts.merge(&self.counted::<Application>(tenant).await?);
            // Else somebody changed while all were looked at, who may be counted as before or after.
            if self.audit_head(tenant).await?.sequence == sequence {
                self.keep_counts(tenant, &Counted { sequence, counts: counts.clone() }).await?;
                return Ok(counts);
            }
        }
        Err(StoreError::Unavailable("the members of tags keep changing".into()))
    }

    async fn counted<T: Member>(&self, tenant: TenantId) -> Result<Counts, StoreError> {
        let (mut counts, mut after) = (Counts::default(), None::<String>);
        loop {
            let (members, more) = self.tagged::<T>(tenant, after.as_deref(), PAGE).await?;
            for (sk, member) in members {
                counts.merge(&Counts::between(&Marks::default(), member.marks()));
                after = Some(sk);
            }
            if !more {
                return Ok(counts);
            }
        }
    }

    /// Stores counts, unless later ones are stored.
    async fn keep_counts(&self, tenant: TenantId, counted: &Counted) -> Result<(), StoreError> {
        let kept = self
            .client()
            .put_item()
            .table_name(self.name())
            .set_item(Some(entity::item(&keys::tag_counts(tenant), counted)?))
            .condition_expression("#sequence < :sequence")
            .expression_attribute_names("#sequence", "sequence")
            .expression_attribute_values(":sequence", number(counted.sequence))
            .send()
            .await;
        match kept {
            Err(error)
                if !error.as_service_error().is_some_and(
                    aws_sdk_dynamodb::operation::put_item::PutItemError::is_conditional_check_failed_exception,
                ) =>
            {
                Err(error.into())
            }
            _ => Ok(()),
        }
    }
}

/// The write of a tenant's tags as a whole, if nobody else changed them since `before`.
pub(crate) fn advanced(before: &Tagging, after: &Tagging) -> Result<Transaction, StoreError> {
    let item = tagging_item(after)?;
    Ok(if before.version == 0 {
        Transaction::new().create(item)
    } else {
        let version = [(":version", number(before.version))];
        Transaction::new().put(item, "#version = :version", version)
    })
}

fn tagging_item(tagging: &Tagging) -> Result<Item, StoreError> {
    let mut item = entity::item(&keys::tagging(tagging.tenant), tagging)?;
    if let Some(due_at) = tagging.due_at {
        let shard = keys::due_shard(tagging.tenant.bytes());
        let place = keys::due_sort(due_at, tagging.tenant, &tagging.tenant);
        due::insert(&mut item, (Due::Tagging, shard), place);
    }
    Ok(item)
}

pub(crate) fn written<T>(done: Result<T, Refused>) -> Result<T, NotTagged> {
    match done {
        Ok(made) => Ok(made),
        Err(Refused::Condition(_)) => Err(NotTagged::Changed),
        Err(Refused::Store(error)) => Err(error.into()),
    }
}
