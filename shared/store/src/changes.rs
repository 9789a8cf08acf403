//! What changed since when: every audited change leaves beside its record whom it touched, so that who
//! keeps a copy of users, applications and tags reads on from where it was. The audit trail is the
//! feed: numbered without gaps, written in the same transaction, at no cost of its own.

use crate::audit::SETTLING;
use crate::entity;
use crate::keys;
use crate::table::{StoreError, Table};
use belfry_domain::audit::Entry;
use belfry_domain::id::{ApplicationId, TagId, TenantId, UserId};
use belfry_domain::tag::Tag;
use belfry_domain::tag::marks::{Counts, Marks};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeSet;

/// Somebody or something that a change touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thing {
    /// A user.
    User(UserId),
    /// An application.
    Application(ApplicationId),
    /// A tag.
    Tag(TagId),
}

impl Thing {
    /// What a record is about, when it is one of these.
    fn of(entry: &Entry) -> Option<Self> {
        let (kind, id) = entry.entity();
        match kind {
            "user" => id.parse().ok().map(Self::User),
            "application" => id.parse().ok().map(Self::Application),
            "tag" => id.parse().ok().map(Self::Tag),
            _ => None,
        }
    }

    fn bytes(self) -> [u8; 17] {
        let (kind, id) = match &self {
            Self::User(id) => (b'u', id.bytes()),
            Self::Application(id) => (b'a', id.bytes()),
            Self::Tag(id) => (b't', id.bytes()),
        };
        let mut bytes = [kind; 17];
        for (to, from) in bytes.iter_mut().skip(1).zip(id) {
            *to = *from;
        }
        bytes
    }

    fn read([kind, id @ ..]: [u8; 17]) -> Option<Self> {
        match kind {
            b'u' => Some(Self::User(UserId::from_bytes(id))),
            b'a' => Some(Self::Application(ApplicationId::from_bytes(id))),
            b't' => Some(Self::Tag(TagId::from_bytes(id))),
            _ => None,
        }
    }
}

/// All that a change touched: 17 bytes each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Touched(Vec<Thing>);

impl Touched {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Touched {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|thing| thing.bytes()).collect();
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Touched {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        let (things, rest) = bytes.as_chunks::<17>();
        let things: Option<Vec<_>> = things.iter().map(|bytes| Thing::read(*bytes)).collect();
        match things {
            Some(things) if rest.is_empty() => Ok(Self(things)),
            _ => Err(serde::de::Error::custom("what was touched is 17 bytes each")),
        }
    }
}

/// What a change leaves beside its record.
pub(crate) type Traces = (Touched, Counts);

/// What follows from a change for tags.
#[derive(Debug, Clone, Default)]
pub(crate) struct Effects {
    /// What it touches beside the thing that its record is about.
    pub touched: Vec<Thing>,
    /// How many more members tag values have by it.
    pub counts: Counts,
    /// Number of the rules that it was worked out under; any, when absent.
    pub under: Option<u64>,
    /// The rules from now on, when it changes them.
    pub rules: Option<Rules>,
}

/// Which rules of tags a tenant has, as the one item says that every change passes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Their number; 0 before the first tag.
    pub number: u64,
    /// The tag whose change made them these.
    pub edited: Option<TagId>,
    /// Its version since then; 0 when it was deleted.
    pub edited_version: u64,
}

impl Rules {
    /// Those of this number, made by the change of a tag to this version.
    pub(crate) const fn made_by(number: u64, tag: TagId, version: u64) -> Self {
        Self { number, edited: Some(tag), edited_version: version }
    }

    /// Whether the change that made them shows in these tags: its writes become visible one by one,
    /// and those of the one before it do before it begins.
    pub(crate) fn show_in(&self, tags: &[Tag]) -> bool {
        let Some(edited) = self.edited else { return true };
        let found = tags.iter().find(|tag| tag.id == edited);
        match (found, self.edited_version) {
            (found, 0) => found.is_none(),
            // One that is gone by now is found so with the next look at the rules.
            (found, version) => found.is_some_and(|tag| tag.version >= version),
        }
    }
}

impl Effects {
    /// Of a change of one member's tags.
    pub(crate) fn of(before: &Marks, after: &Marks) -> Self {
        Self { counts: Counts::between(before, after), ..Self::default() }
    }

    /// What is left beside the record of this entry.
    pub(crate) fn traces(&self, entry: &Entry) -> Traces {
        let touched: BTreeSet<_> =
            Thing::of(entry).into_iter().chain(self.touched.clone()).collect();
        (Touched(touched.into_iter().collect()), self.counts.clone())
    }
}

/// A place in the feed: behind the first `skip` of what the change after number `after` touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Number of a change.
    pub after: u64,
    /// So many of the next one were seen.
    pub skip: usize,
}

/// A part of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// What was touched, each once.
    pub things: BTreeSet<Thing>,
    /// Where to go on.
    pub next: Place,
    /// Whether there may be more already.
    pub more: bool,
}

/// Why a place in the feed leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum NoChanges {
    /// What followed is over its time.
    #[error("the changes since then are no longer kept")]
    Expired,
    /// No such place was ever given out.
    #[error("there is no such place")]
    Unknown,
    /// The table did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Changes of one read.
const PORTION: i32 = 100;

impl Table {
    /// The place behind everything that shows by now: what happened just now may come after it once more.
    /// 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settled_place(
        &self,
        tenant: TenantId,
        now: Timestamp,
    ) -> Result<Place, StoreError> {
        Ok(Place { after: self.settled(tenant, now).await?, skip: 0 })
    }

    /// What was touched since a place, of what is `wanted`, at most `limit` of it. 1 RRU, and 1 per
    /// 4 KB of at most 100 records.
    ///
    /// # Errors
    /// [`NoChanges`].
    pub async fn changes_since(
        &self,
        tenant: TenantId,
        from: Place,
        (limit, now): (usize, Timestamp),
        wanted: impl Fn(&Thing) -> bool,
    ) -> Result<Changes, NoChanges> {
        let (_, head) = self.present_rules(tenant).await?;
        let last = head.sequence;
        if from.after > last {
            return Err(NoChanges::Unknown);
        }
        let mut changes = Changes { things: BTreeSet::new(), next: from, more: false };
        if from.after == last {
            return Ok(changes);
        }
        let traces = self.feed(tenant, from.after, PORTION).await?;
        // The table drops records that are over their time in any order.
        if traces.is_empty() && now.duration_since(head.at) < SETTLING {
            // The head shows, its record does not yet.
            return Ok(changes);
        }
        let due = (from.after.saturating_add(1)..).zip(&traces);
        if traces.is_empty() || due.into_iter().any(|(due, (number, _))| due != *number) {
            return Err(NoChanges::Expired);
        }
        for (number, (Touched(things), _)) in traces {
            // One that came after the end was read: what it touched is read later than it was written,
            // too.
            for (at, thing) in things.into_iter().enumerate().skip(changes.next.skip) {
                if wanted(&thing) && !changes.things.contains(&thing) {
                    if changes.things.len() == limit {
                        changes.more = true;
                        return Ok(changes);
                    }
                    changes.things.insert(thing);
                }
                changes.next.skip = at.saturating_add(1);
            }
            changes.next = Place { after: number, skip: 0 };
        }
        changes.more = changes.next.after < last;
        Ok(changes)
    }

    /// The tags with these ids, those that there are; 1 RRU each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tags_by_id(
        &self,
        tenant: TenantId,
        ids: &[TagId],
    ) -> Result<Vec<Tag>, StoreError> {
        let wanted: Vec<_> = ids.iter().map(|id| keys::tag(tenant, *id)).collect();
        let mut found = entity::get_many(self, &wanted).await?;
        wanted.iter().filter_map(|key| found.take(key).transpose()).collect()
    }
}
