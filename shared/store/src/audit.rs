//! The audit trail. A change and its record are one transaction: there is no other way to write an
//! audited change.

use crate::changes::{Effects, Rules, Touched, Traces};
use crate::entity::{self, Entity};
use crate::keys;
use crate::table::{Item, StoreError, Table};
use crate::transaction::{Refused, TRIES, Transaction, number, pause, text};
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use belfry_domain::audit::{
    ANCHOR_KEPT, Access, Broken, Entry, Head, KEPT, Link, MOST_RECORDS, Personal, Record,
    StoredRecord, Trail, Verification, Walk, append,
};
use belfry_domain::id::{AuditId, TagId, TenantId};
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use belfry_domain::tag::catalogue::Catalogue;
use belfry_domain::tag::marks::Counts;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A record as it is stored: the text that was hashed, byte for byte; and beside it, for those who
/// follow the changes of a tenant, whom it touched and what it made of the counts of tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    text: String,
    #[serde(with = "serde_bytes")]
    hash: [u8; 32],
    #[serde(default, skip_serializing_if = "Touched::is_empty")]
    touched: Touched,
    #[serde(default, skip_serializing_if = "Counts::is_empty")]
    tag_counts: Counts,
}

/// The end of the chain as it is stored, with the number of the tenant's present rules of tags: every
/// change passes here, so none is written under others than it was worked out under.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredHead {
    sequence: u64,
    #[serde(with = "serde_bytes")]
    hash: [u8; 32],
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required", default)]
    at: Timestamp,
    #[serde(default)]
    rules: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    edited: Option<TagId>,
    #[serde(default)]
    edited_version: u64,
}

impl StoredHead {
    fn of(head: &Head, rules: Rules) -> Self {
        let Head { sequence, hash, at } = head.clone();
        let Rules { number: rules, edited, edited_version } = rules;
        Self { sequence, hash, at, rules, edited, edited_version }
    }

    const fn rules(&self) -> Rules {
        let Self { rules: number, edited, edited_version, .. } = *self;
        Rules { number, edited, edited_version }
    }

    const fn head(&self) -> Head {
        Head { sequence: self.sequence, hash: self.hash, at: self.at }
    }
}

/// The chain's end as it was at one of its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Anchor(Head);

/// The erasable part as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredPersonal {
    text: String,
    /// Whose names and addresses it has: by it a person's parts are found, to be erased.
    #[serde(default)]
    about: String,
}

impl Entity for Stored {
    const TYPE: &'static str = "audit";
}
impl Entity for StoredPersonal {
    const TYPE: &'static str = "audit_personal";
}
impl Entity for Head {
    const TYPE: &'static str = "audit_head";
}
impl Entity for StoredHead {
    const TYPE: &'static str = "audit_head";
}
impl Entity for Anchor {
    const TYPE: &'static str = "audit_anchor";
}
impl Entity for Access {
    const TYPE: &'static str = "access";
}

/// A record of the chain and its erasable part, byte for byte as hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The record as JSON.
    pub text: String,
    /// The erasable part as JSON, unless it was erased or there is none.
    pub personal: Option<String>,
}

impl Table {
    /// Does `change` and writes its record, both or neither. Reads the chain's end first and, when
    /// another change gets ahead, again, a bounded number of times.
    ///
    /// # Errors
    /// [`Refused::Condition`] with a place in `change`.
    pub async fn commit(
        &self,
        grant: &Grant,
        entry: &Entry,
        change: Transaction,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(), Refused> {
        self.commit_with(grant, entry, &Effects::default(), change, now, entropy).await
    }

    /// The same, with what follows from it for tags.
    ///
    /// # Errors
    /// As [`Self::commit`]; with the place behind the last of `change` when the rules of tags are not
    /// those it was worked out under.
    pub(crate) async fn commit_with(
        &self,
        grant: &Grant,
        entry: &Entry,
        effects: &Effects,
        change: Transaction,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(), Refused> {
        let own = change.len();
        for attempt in 0..TRIES {
            let stored: Option<StoredHead> =
                entity::get(self, &keys::audit_head(grant.tenant())).await?;
            let stored = stored.unwrap_or_else(|| StoredHead::of(&Head::EMPTY, Rules::default()));
            if effects.under.is_some_and(|under| under != stored.rules) {
                return Err(Refused::Condition(own));
            }
            let head = stored.head();
            let link = append(&head, grant, entry, now, entropy)
                .map_err(|error| StoreError::corrupt("an audit record", error))?;
            let rules = effects.rules.unwrap_or(stored.rules());
            let after = (&link, StoredHead::of(&link.head, rules), effects.traces(entry));
            let whole = change.clone().and(written(grant.tenant(), &head, after, entry, now)?);
            match whole.run(self, entropy).await {
                Err(Refused::Condition(place)) if place >= own => {
                    self.meter().rival();
                    pause(attempt, entropy).await;
                }
                done => return done,
            }
        }
        Err(Refused::Store(StoreError::Unavailable("the audit trail is too busy".into())))
    }

    /// Does a change that is worked out under the rules of tags; once more when they are others by
    /// then.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub(crate) async fn commit_tagged<T>(
        &self,
        grant: &Grant,
        entry: &Entry,
        work: impl Fn(&Catalogue) -> Result<(T, Effects, Transaction), StoreError>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<T, Refused> {
        for _ in 0..TRIES {
            let catalogue = self.known_catalogue(grant.tenant()).await?;
            let (made, effects, change) = work(&catalogue)?;
            let effects = Effects { under: Some(catalogue.rules), ..effects };
            let own = change.len();
            match self.commit_with(grant, entry, &effects, change, now, entropy).await {
                Ok(()) => return Ok(made),
                Err(Refused::Condition(place)) if place == own => {
                    self.catalogue(grant.tenant()).await?;
                }
                Err(refused) => return Err(refused),
            }
        }
        Err(Refused::Store(StoreError::Unavailable("the rules of tags keep changing".into())))
    }

    /// A tenant's present rules of tags, and the chain's end. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn present_rules(
        &self,
        tenant: TenantId,
    ) -> Result<(Rules, Head), StoreError> {
        let head: Option<StoredHead> = entity::get(self, &keys::audit_head(tenant)).await?;
        Ok(head.map_or((Rules::default(), Head::EMPTY), |head| (head.rules(), head.head())))
    }

    /// What the changes after number `after` touched and counted, in their order, one query's worth;
    /// each with its number. 1 RRU per 4 KB of records.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn feed(
        &self,
        tenant: TenantId,
        after: u64,
        limit: i32,
    ) -> Result<Vec<(u64, Traces)>, StoreError> {
        let (first, last) = (sort(after.saturating_add(1)), sort(u64::MAX));
        let range = Range { first, last, backwards: false, limit };
        let page = self.range(keys::audit_partition(tenant), &range, None).await?;
        let traces = page.items.into_iter().map(|item| {
            let (sk, stored) = entity::keyed::<Stored>(item)?;
            let damaged = || StoreError::corrupt(&sk, "a sort key that is no number");
            let Stored { touched, tag_counts, .. } = stored;
            Ok((keys::audit_sequence(&sk).ok_or_else(damaged)?, (touched, tag_counts)))
        });
        traces.collect()
    }

    /// The records after number `after`, at most `limit`, as [`Self::audit_records`] has them, and the chain's end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_trail(
        &self,
        tenant: TenantId,
        after: u64,
        limit: u32,
    ) -> Result<(Vec<Kept>, Head), StoreError> {
        let head = entity::get(self, &keys::audit_head(tenant)).await?.unwrap_or(Head::EMPTY);
        let last = head.sequence.min(after.saturating_add(u64::from(limit)));
        Ok((self.audit_records(tenant, (after, last)).await?, head))
    }

    /// The records after number `after` up to `last`, which is there; the text of one that cannot be read is empty.
    /// 1 RRU for each 4 KB of record and erasable part.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn audit_records(
        &self,
        tenant: TenantId,
        (after, last): (u64, u64),
    ) -> Result<Vec<Kept>, StoreError> {
        let wanted: Vec<_> = (after.saturating_add(1)..=last)
            .map(|n| (keys::audit_record(tenant, n), keys::audit_personal(tenant, n)))
            .collect();
        let flat: Vec<_> = wanted.iter().flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
        let mut found = entity::get_many(self, &flat).await?;
        let mut kept = Vec::with_capacity(wanted.len());
        for (record, personal) in &wanted {
            // Records over their time are dropped by the table from the beginning on.
            let text = match found.take::<Stored>(record) {
                Ok(Some(stored)) => stored.text,
                Ok(None) => continue,
                Err(_) => String::new(),
            };
            let personal = found.take::<StoredPersonal>(personal).unwrap_or(None);
            kept.push(Kept { text, personal: personal.map(|personal| personal.text) });
        }
        Ok(kept)
    }

    /// Writes down what happened at the door of `tenant` (or of nobody we know). 1 WRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_access(
        &self,
        tenant: Option<TenantId>,
        access: &Access,
    ) -> Result<(), StoreError> {
        self.client()
            .put_item()
            .table_name(self.name())
            .set_item(Some(access_item(tenant, access)?))
            .send()
            .await?;
        Ok(())
    }

    /// Writes several such down, in one call for up to 25. 1 WRU each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_accesses(
        &self,
        notes: &[(Option<TenantId>, Access)],
    ) -> Result<(), StoreError> {
        let items = notes.iter().map(|(tenant, access)| access_item(*tenant, access));
        entity::put_many(self, items.collect::<Result<_, _>>()?).await
    }

    /// The end of the chain: the one before the first record when there is none. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_head(&self, tenant: TenantId) -> Result<Head, StoreError> {
        Ok(entity::get(self, &keys::audit_head(tenant)).await?.unwrap_or(Head::EMPTY))
    }

    /// The records with a number below `below`, the latest first, at most `limit`; and whether there
    /// may be more. 1 RRU per 4 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn changes_below(
        &self,
        tenant: TenantId,
        below: u64,
        limit: i32,
    ) -> Result<(Vec<Record>, bool), StoreError> {
        let (first, last) = (sort(1), sort(below.saturating_sub(1)));
        if first > last {
            return Ok((Vec::new(), false));
        }
        let range = Range { first, last, backwards: true, limit };
        let page = self.range(keys::audit_partition(tenant), &range, None).await?;
        let records = page.items.into_iter().map(|item| {
            let (sk, stored) = entity::keyed::<Stored>(item)?;
            let what = || format!("{} / {sk}", keys::audit_partition(tenant));
            serde_json::from_str(&stored.text).map_err(|error| StoreError::corrupt(what(), error))
        });
        Ok((records.collect::<Result<_, _>>()?, page.more.is_some()))
    }

    /// The erasable parts, not erased, of the records from one number to another, by number. 1 RRU
    /// per 4 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn personal_parts(
        &self,
        tenant: TenantId,
        (from, to): (u64, u64),
    ) -> Result<BTreeMap<u64, Personal>, StoreError> {
        let pk = keys::audit_personal_partition(tenant);
        let found: Vec<(String, StoredPersonal)> =
            entity::query(self, &pk, Some((sort(from), sort(to))), true).await?;
        let parts = found.into_iter().map(|(sk, stored)| {
            let what = || format!("{pk} / {sk}");
            let part = serde_json::from_str(&stored.text)
                .map_err(|error| StoreError::corrupt(what(), error))?;
            let sequence = keys::audit_sequence(&sk)
                .ok_or_else(|| StoreError::corrupt(what(), "a sort key that is no number"))?;
            Ok((sequence, part))
        });
        parts.collect()
    }

    /// What happened at the door of `tenant` in the month of `at`, of the ids from `from` on and below
    /// `below`, the latest first, at most `limit`; and whether there may be more. 1 RRU per 4 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn accesses_below(
        &self,
        tenant: TenantId,
        at: Timestamp,
        (from, below): (AuditId, AuditId),
        limit: i32,
    ) -> Result<(Vec<Access>, bool), StoreError> {
        let (first, last) = (from.to_string(), below.to_string());
        let range = Range { first, last, backwards: true, limit };
        let page = self.range(keys::access_partition(Some(tenant), at), &range, None).await?;
        let mut found =
            page.items.into_iter().map(entity::value).collect::<Result<Vec<Access>, _>>()?;
        // The range includes its ends.
        found.retain(|access| access.id < below);
        Ok((found, page.more.is_some()))
    }

    /// Checks the trail's records from `from` (or from the oldest anchor that binds) to `to` (or its
    /// end), at most [`MOST_RECORDS`] of them, as [`Walk`] says. 1 RRU per 4 KB of records, erasable
    /// parts and all anchors.
    ///
    /// # Errors
    /// [`StoreError`] when the table does not answer; what is damaged is found, not refused.
    pub async fn verify_audit(
        &self,
        trail: Trail,
        from: Option<u64>,
        to: Option<u64>,
    ) -> Result<Verification, StoreError> {
        let stored = self.head_as_is(trail.tenant).await?;
        let anchors = self.anchors_as_they_are(trail.tenant).await?;
        let (anchors, ahead): (Vec<_>, Vec<_>) =
            anchors.into_iter().partition(|(sequence, _)| *sequence <= stored.sequence);
        let mut walk = match Walk::begin(trail, anchors, from) {
            Ok(walk) => walk,
            Err(broken) => {
                let walk = Walk::begin(trail, [], from);
                return match walk {
                    Ok(walk) => Ok(walk.broken(&stored, broken)),
                    Err(error) => Err(StoreError::corrupt("an audit trail", error)),
                };
            }
        };
        let done = match self.walk(&mut walk, trail, &stored, to).await? {
            Ok(more) => walk.end(&stored, to, more),
            Err(broken) => Err(broken),
        };
        let done = match self.ahead_of(trail.tenant, &stored, &ahead).await? {
            // What was read later may have been made later.
            Some(ahead) if self.head_as_is(trail.tenant).await?.sequence < ahead => {
                done.and(Err(Broken(stored.sequence.saturating_add(1))))
            }
            _ => done,
        };
        Ok(done.unwrap_or_else(|at| walk.broken(&stored, at)))
    }

    /// Walks up to the end, or `to`. Whether there is more than one call looks at.
    async fn walk(
        &self,
        walk: &mut Walk,
        trail: Trail,
        stored: &Head,
        to: Option<u64>,
    ) -> Result<Result<bool, Broken>, StoreError> {
        let last = to.map_or(stored.sequence, |to| to.min(stored.sequence));
        // The anchor's own record too, if it is still there.
        let first = walk.head().sequence.max(1);
        if first > last {
            return Ok(Ok(false));
        }
        let range = Range { first: sort(first), last: sort(last), backwards: false, limit: 1_000 };
        let mut start = None;
        let mut steps = 0;
        loop {
            let page = self.range(keys::audit_partition(trail.tenant), &range, start).await?;
            let personal = self.personal_as_is(trail.tenant, &page.items).await?;
            for item in page.items {
                if steps == MOST_RECORDS {
                    return Ok(Ok(true));
                }
                steps += 1;
                let sk = sort_key(&item).to_owned();
                let (text, hash) = match entity::value::<Stored>(item) {
                    Ok(Stored { text, hash, .. }) => (text, Some(hash)),
                    Err(_) => (String::new(), None),
                };
                let key = keys::audit_sequence(&sk);
                let record = StoredRecord { key, text, hash, personal: personal.get(&sk).cloned() };
                if let Err(broken) = walk.step(&record) {
                    return Ok(Err(broken));
                }
            }
            start = page.more;
            if start.is_none() {
                return Ok(Ok(false));
            }
        }
    }

    /// The stored end; the empty one when it cannot be read.
    async fn head_as_is(&self, tenant: TenantId) -> Result<Head, StoreError> {
        match self.audit_head(tenant).await {
            Err(StoreError::Corrupt { .. }) => Ok(Head::EMPTY),
            other => other,
        }
    }

    /// Every anchor by the number in its key; none when it cannot be read.
    async fn anchors_as_they_are(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<(u64, Option<Head>)>, StoreError> {
        let (first, last) = keys::audit_anchors();
        let range = Range { first, last, backwards: false, limit: 1_000 };
        let (mut anchors, mut start) = (Vec::new(), None);
        loop {
            let page = self.range(keys::audit_partition(tenant), &range, start).await?;
            for item in page.items {
                if let Some(sequence) = keys::audit_sequence(sort_key(&item)) {
                    let anchor = entity::value(item).ok().map(|Anchor(head)| head);
                    anchors.push((sequence, anchor));
                }
            }
            start = page.more;
            if start.is_none() {
                return Ok(anchors);
            }
        }
    }

    /// The erasable parts of these records, by sort key; one that cannot be read is empty.
    async fn personal_as_is(
        &self,
        tenant: TenantId,
        records: &[Item],
    ) -> Result<BTreeMap<String, String>, StoreError> {
        let mut parts = BTreeMap::new();
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return Ok(parts);
        };
        let (first, last) = (sort_key(first).to_owned(), sort_key(last).to_owned());
        let range = Range { first, last, backwards: false, limit: 1_000 };
        let mut start = None;
        loop {
            let page = self.range(keys::audit_personal_partition(tenant), &range, start).await?;
            for item in page.items {
                let sk = sort_key(&item).to_owned();
                let part = entity::value::<StoredPersonal>(item);
                let text = part.map_or_else(|_| String::new(), |part| part.text);
                parts.insert(sk, text);
            }
            start = page.more;
            if start.is_none() {
                return Ok(parts);
            }
        }
    }

    /// The greatest number of a record or an anchor behind the stored end. One that is no number is
    /// behind every end.
    async fn ahead_of(
        &self,
        tenant: TenantId,
        stored: &Head,
        anchors: &[(u64, Option<Head>)],
    ) -> Result<Option<u64>, StoreError> {
        // Also what lies between two numbers.
        let first = format!("{}\u{1}", sort(stored.sequence));
        let range = Range { first, last: sort(u64::MAX), backwards: true, limit: 1 };
        let page = self.range(keys::audit_partition(tenant), &range, None).await?;
        let record = page.items.first().map(sort_key);
        let record = record.map(|sk| keys::audit_sequence(sk).unwrap_or(u64::MAX));
        Ok(record.into_iter().chain(anchors.iter().map(|(sequence, _)| *sequence)).max())
    }

    async fn range(
        &self,
        pk: String,
        range: &Range,
        start: Option<Item>,
    ) -> Result<Page, StoreError> {
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", text(pk))
            .expression_attribute_values(":first", text(&range.first))
            .expression_attribute_values(":last", text(&range.last))
            .scan_index_forward(!range.backwards)
            .limit(range.limit)
            .set_exclusive_start_key(start)
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        self.meter().read(answer.consumed_capacity.iter());
        Ok(Page { items: answer.items.unwrap_or_default(), more: answer.last_evaluated_key })
    }

    /// Everything at the door of `tenant` in the month of `at`, oldest first, at most one page of 1 MB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn accesses(
        &self,
        tenant: TenantId,
        at: Timestamp,
    ) -> Result<Vec<Access>, StoreError> {
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(keys::access_partition(Some(tenant), at)))
            .consistent_read(true)
            .send()
            .await?;
        answer.items.unwrap_or_default().into_iter().map(entity::value).collect()
    }
}

/// So long after it was made all writes of a change show: many times what a transaction takes.
pub(crate) const SETTLING: SignedDuration = SignedDuration::from_secs(10);

/// Number of the last change whose writes all show: those of one are made visible item by item, so who
/// reads its record may still read what it touched as it was before. All change the chain's end, so each
/// begins when the one before it is done: only the last can be so.
pub(crate) fn settled(head: &Head, now: Timestamp) -> u64 {
    let all_show = now.duration_since(head.at) >= SETTLING;
    head.sequence.saturating_sub(u64::from(!all_show))
}
/// A range of sort keys, both ends included, and how much of it to read.
struct Range {
    first: String,
    last: String,
    backwards: bool,
    limit: i32,
}

/// What is read of a range, and where to go on.
struct Page {
    items: Vec<Item>,
    more: Option<Item>,
}

/// A number as sort keys have it.
fn sort(sequence: u64) -> String {
    format!("{sequence:020}")
}

fn sort_key(item: &Item) -> &str {
    item.get(keys::SK).and_then(|sk| sk.as_s().ok()).map_or("", String::as_str)
}

/// The writes of a link: the head first, because a rival shows there.
fn written(
    tenant: TenantId,
    before: &Head,
    (link, head, traces): (&Link, StoredHead, Traces),
    entry: &Entry,
    now: Timestamp,
) -> Result<Transaction, StoreError> {
    let until = now.checked_add(KEPT).unwrap_or(now);
    let sequence = link.head.sequence;
    let head = entity::item(&keys::audit_head(tenant), &head)?;
    let (touched, tag_counts) = traces;
    let record = Stored { text: link.text.clone(), hash: link.head.hash, touched, tag_counts };
    let mut writes = Transaction::new();
    writes = if before.sequence == 0 {
        writes.create(head)
    } else {
        let values = [(":before", number(before.sequence))];
        writes.put(head, "#sequence = :before", values)
    };
    writes =
        writes.create(entity::expiring(&keys::audit_record(tenant, sequence), &record, until)?);
    if link.head.is_anchor() {
        let until = now.checked_add(ANCHOR_KEPT).unwrap_or(now);
        let key = keys::audit_anchor(tenant, sequence);
        writes = writes.create(entity::expiring(&key, &Anchor(link.head.clone()), until)?);
    }
    if let Some(text) = &link.personal {
        let personal = StoredPersonal { text: text.clone(), about: entry.whose().to_owned() };
        let key = keys::audit_personal(tenant, sequence);
        writes = writes.create(entity::expiring(&key, &personal, until)?);
    }
    Ok(writes)
}

/// The item of an access, for a transaction.
pub(crate) fn access_item(tenant: Option<TenantId>, access: &Access) -> Result<Item, StoreError> {
    let until = access.at.checked_add(KEPT).unwrap_or(access.at);
    let mut item = entity::expiring(&keys::access(tenant, access.at, access.id), access, until)?;
    // Until it is numbered for the export; see `event_log`.
    let place =
        tenant.map_or_else(|| keys::nobodys_partition(access.id), keys::unnumbered_partition);
    item.insert("gsi1pk".to_owned(), text(place));
    item.insert("gsi1sk".to_owned(), text(access.id.to_string()));
    Ok(item)
}
