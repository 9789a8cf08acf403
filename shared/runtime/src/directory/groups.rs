//! Groups of a directory: made, changed, deleted, and what their members become by it.

use super::step::{MOST_WRITES, Step};
use super::users::denied;
use super::{Failed, LOOKS, Registrar, faster};
use crate::post::Post;
use belfry_domain::account::Tenant;
use belfry_domain::audit::Entry;
use belfry_domain::directory::entry::{DirectoryGroup, DirectoryUser, MOST_MEMBERSHIPS, Telling};
use belfry_domain::directory::provider::Provider;
use belfry_domain::id::{GroupId, UserId};
use belfry_domain::policy::{Action, Directory, Grant, tell_members};
use belfry_domain::scim::members::MemberChanges;
use belfry_domain::scim::resource::Resource;
use belfry_domain::scim::{ScimError, ScimType};
use belfry_domain::text::GroupName;
use belfry_store::Table;
use belfry_store::transaction::Transaction;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Most members of a group that change by one request. Each takes a share of a transaction of its
/// tenant's trail, of which there are some tens in a second; a request has 29 s.
pub const MOST_MEMBER_CHANGES: usize = 2_000;
/// Members that are told at once, by the request itself, what became of their group.
const MOST_TOLD: usize = 500;
/// Members that are looked at together.
const PORTION: usize = 25;

/// How far the members of a group know what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// All of them do.
    All,
    /// Others have to be told: the sweep does it.
    Some,
}

/// One change of a group.
struct Change<'a> {
    before: Option<&'a DirectoryGroup>,
    after: DirectoryGroup,
    added: Vec<UserId>,
    removed: Vec<UserId>,
}

impl Registrar<'_> {
    /// Makes a group with members.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn create_group(
        &self,
        by: &Directory,
        resource: &Resource,
        members: &BTreeSet<String>,
    ) -> Result<DirectoryGroup, Failed> {
        let name = group_name(resource)?;
        let place = self.place();
        let id = GroupId::new(self.now, self.post.entropy.as_ref());
        let group = DirectoryGroup {
            id,
            tenant: place.tenant,
            provider: place.provider,
            key: None,
            name,
            resource: resource.to_json(),
            deleted: false,
            telling: None,
            created_at: self.now,
            modified_at: self.now,
            version: 1,
        };
        if members.len() > MOST_MEMBER_CHANGES {
            let detail = "a group begins with at most 2,000 members: add the others to it";
            return Err(ScimError::of_status(413, detail).into());
        }
        let grant = by.may(Action::CreateGroup).map_err(denied)?;
        for _ in 0..LOOKS {
            if self.group(id).await?.is_some() {
                // It is there, and not all of its members are.
                let again = |resource: &Resource| {
                    let added = members.clone();
                    Ok((resource.clone(), MemberChanges { added, ..MemberChanges::default() }))
                };
                return self.change_group(by, id, again).await?.ok_or(Failed::Busy);
            }
            self.is_free::<DirectoryGroup>(resource, None).await?;
            let added = self.users_named(members).await?;
            let change = Change { before: None, after: group.clone(), added, removed: Vec::new() };
            if self.write_group(&grant, change).await? {
                return Ok(group);
            }
        }
        Err(Failed::Busy)
    }

    /// Changes a group and who is in it: `change` is asked again when another one was faster. None when
    /// the directory has no such group.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn change_group(
        &self,
        by: &Directory,
        id: GroupId,
        change: impl Fn(&Resource) -> Result<(Resource, MemberChanges), ScimError>,
    ) -> Result<Option<DirectoryGroup>, Failed> {
        let (place, grant) = (self.place(), by.may(Action::ChangeGroup).map_err(denied)?);
        for _ in 0..LOOKS {
            let Some(before) = self.group(id).await? else { return Ok(None) };
            let was = before.resource()?;
            let (resource, members) = change(&was)?;
            let (added, removed) = self.differing(id, &members).await?;
            let mut after = before.clone();
            if resource != was {
                self.is_free::<DirectoryGroup>(&resource, Some(&id.to_string())).await?;
                after = DirectoryGroup { resource: resource.to_json(), ..before.changed(self.now) };
                after.name = group_name(&resource)?;
            }
            if after.name != before.name {
                after.telling = Some(self.telling(by));
            }
            if after == before && added.is_empty() && removed.is_empty() {
                return Ok(Some(before));
            }
            let more = added.len() + removed.len() > MOST_MEMBER_CHANGES;
            let change = Change { before: Some(&before), after, added, removed };
            if !self.write_group(&grant, change).await? {
                continue;
            }
            if more {
                return Err(Failed::More);
            }
            let Some(after) = self.group(id).await? else { return Ok(None) };
            if after.telling.is_some() {
                self.tell(&grant, &after, MOST_TOLD).await?;
            }
            return Ok(Some(self.table.kept(place, id).await?.unwrap_or(after)));
        }
        Err(Failed::Busy)
    }

    /// Deletes a group: its name is free at once. False when the directory has no such group.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn delete_group(&self, by: &Directory, id: GroupId) -> Result<bool, Failed> {
        let grant = by.may(Action::DeleteGroup).map_err(denied)?;
        for _ in 0..LOOKS {
            let Some(before) = self.group(id).await? else { return Ok(false) };
            let after = DirectoryGroup {
                deleted: true,
                telling: Some(self.telling(by)),
                ..before.changed(self.now)
            };
            let entry = about(&before).set("name", before.name.as_str());
            let writes = self.place().writes(Some(&before), Some(&after))?;
            if faster(self.commit((&grant, &entry), &[], writes).await)? {
                self.tell(&grant, &after, MOST_TOLD).await?;
                return Ok(true);
            }
        }
        Err(Failed::Busy)
    }

    /// A group that is there.
    async fn group(&self, id: GroupId) -> Result<Option<DirectoryGroup>, Failed> {
        let group = self.table.kept::<DirectoryGroup>(self.place(), id).await?;
        Ok(group.filter(|group| !group.deleted))
    }

    fn telling(&self, by: &Directory) -> Telling {
        Telling { request_id: by.origin().request_id.clone(), due_at: self.now }
    }

    /// Who is to come into a group that is not in it, and who is to go that is.
    async fn differing(
        &self,
        id: GroupId,
        changes: &MemberChanges,
    ) -> Result<(Vec<UserId>, Vec<UserId>), Failed> {
        if changes.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let place = self.place();
        let wanted = self.users_named(&changes.added).await?;
        let gone: Vec<UserId> = changes.removed.iter().filter_map(|id| id.parse().ok()).collect();
        let present = if changes.replaced_all {
            self.table.group_members(place, id).await?
        } else {
            let asked: Vec<_> = wanted.iter().chain(&gone).copied().collect();
            self.table.are_members(place, id, &asked).await?
        };
        let present: BTreeSet<UserId> = present.into_iter().collect();
        let stay: BTreeSet<UserId> = wanted.iter().copied().collect();
        let added = wanted.into_iter().filter(|id| !present.contains(id)).collect();
        let removed = if changes.replaced_all {
            present.difference(&stay).copied().collect()
        } else {
            gone.into_iter().filter(|id| present.contains(id)).collect()
        };
        Ok((added, removed))
    }

    /// The users with these ids.
    async fn users_named(&self, ids: &BTreeSet<String>) -> Result<Vec<UserId>, Failed> {
        let unknown = || ScimError::new(ScimType::InvalidValue, "members names an unknown user");
        let read: Result<Vec<UserId>, _> = ids.iter().map(|id| id.parse()).collect();
        let ids = read.map_err(|_| unknown())?;
        let found = self.table.kept_by_id::<DirectoryUser>(self.place(), &ids).await?;
        if found.len() == ids.len() { Ok(ids) } else { Err(unknown().into()) }
    }

    /// Writes a change of a group: itself with as many members as fit, the others after that. False when
    /// somebody else was faster: what is written by then stays.
    async fn write_group(&self, grant: &Grant, change: Change<'_>) -> Result<bool, Failed> {
        let place = self.place();
        let Change { before, after, added, removed } = change;
        let itself = before != Some(&after);
        let mut own = if itself { place.writes(before, Some(&after))? } else { Transaction::new() };
        let mut first = itself;
        // Who goes, goes first: nobody's invitation stands in the way of taking a role.
        let moves = removed.iter().map(|id| (*id, false));
        let moves: Vec<_> =
            moves.chain(added.iter().map(|id| (*id, true))).take(MOST_MEMBER_CHANGES).collect();
        let mut held = None;
        let mut batch = Batch::default();
        for portion in moves.chunks(PORTION) {
            let ids: Vec<_> = portion.iter().map(|(id, _)| *id).collect();
            let entries = self.table.kept_by_id::<DirectoryUser>(place, &ids).await?;
            let changed: Vec<_> = entries
                .into_iter()
                .map(|entry| {
                    let joins = portion.iter().any(|(id, joins)| *id == entry.id && *joins);
                    let mut next = entry.changed(self.now);
                    if joins {
                        next.groups.insert(after.id)
                    } else {
                        next.groups.remove(&after.id)
                    };
                    (entry, next, joins)
                })
                .collect();
            if changed.iter().any(|(_, next, _)| next.groups.len() > MOST_MEMBERSHIPS) {
                let detail = format!("a user is in at most {MOST_MEMBERSHIPS} groups");
                return Err(ScimError::new(ScimType::InvalidValue, detail).into());
            }
            let nexts: Vec<_> = changed.iter().map(|(_, next, _)| next.clone()).collect();
            let known = self.known(&nexts, Some((after.id, Some(&after.name)))).await?;
            for (entry, next, joins) in changed {
                let id = entry.id;
                let step = match self.lenient_step(&entry, next, &known).await {
                    // Who cannot be invited now keeps nobody else.
                    Err(error @ Failed::NotNow(_)) if before.is_some() => {
                        held = Some(error);
                        continue;
                    }
                    step => step?,
                };
                if !batch.has_room(&step) {
                    if !self.flush(grant, (&after, first), own, &mut batch).await? {
                        return Ok(false);
                    }
                    (own, first) = (Transaction::new(), false);
                }
                batch.push(
                    step,
                    if joins { place.joins(after.id, id)? } else { place.leaves(after.id, id) },
                    joins,
                );
            }
        }
        let rest = first || !batch.steps.is_empty();
        if rest && !self.flush(grant, (&after, first), own, &mut batch).await? {
            return Ok(false);
        }
        held.map_or(Ok(true), Err)
    }

    async fn flush(
        &self,
        grant: &Grant,
        (group, first): (&DirectoryGroup, bool),
        own: Transaction,
        batch: &mut Batch,
    ) -> Result<bool, Failed> {
        let Batch { steps, writes, joined, left, .. } = std::mem::take(batch);
        let mut entry = about(group).set("name", group.name.as_str());
        for (field, ids) in [("joined", joined), ("left", left)] {
            if !ids.is_empty() {
                entry = entry.set(field, ids);
            }
        }
        // Where the group itself is not written it has to be as it was looked at.
        let own = if first { own } else { self.place().members_change(group, self.now) };
        faster(self.commit((grant, &entry), &steps, own.and(writes)).await)
    }

    /// Tells the members of a group what became of it, at most so many of them.
    pub(super) async fn tell(
        &self,
        grant: &Grant,
        group: &DirectoryGroup,
        most: usize,
    ) -> Result<Told, Failed> {
        let place = self.place();
        let name: Option<&GroupName> = (!group.deleted).then_some(&group.name);
        let members = self.table.group_members(place, group.id).await?;
        let mut all = members.len() <= most;
        for portion in members.chunks(PORTION).take(most.div_ceil(PORTION)) {
            match self.tell_portion(grant, group, name, portion).await? {
                Some(told) => all &= told,
                // It changed again meanwhile, and who changed it tells.
                None => return Ok(Told::All),
            }
        }
        if !all {
            return Ok(Told::Some);
        }
        let entropy = self.post.entropy.as_ref();
        let known = DirectoryGroup { telling: None, ..group.clone() };
        let after = (!group.deleted).then_some(&known);
        // Else it changed again meanwhile, and who changed it tells.
        self.table.keep_group(place, group, after, entropy).await?;
        Ok(Told::All)
    }

    /// Whether all of these know: not who would be invited by it, and cannot be now. None when the group
    /// is another one by then.
    async fn tell_portion(
        &self,
        grant: &Grant,
        group: &DirectoryGroup,
        name: Option<&GroupName>,
        portion: &[UserId],
    ) -> Result<Option<bool>, Failed> {
        let place = self.place();
        for _ in 0..LOOKS {
            let present = self.table.kept::<DirectoryGroup>(place, group.id).await?;
            if present.is_none_or(|present| present.version != group.version) {
                return Ok(None);
            }
            let mut missed = false;
            let entries = self.table.kept_by_id::<DirectoryUser>(place, portion).await?;
            let next = |entry: &DirectoryUser| {
                let mut next = entry.clone();
                if group.deleted && next.groups.remove(&group.id) {
                    next = next.changed(self.now);
                }
                next
            };
            let nexts: Vec<_> = entries.iter().map(next).collect();
            let known = self.known(&nexts, Some((group.id, name))).await?;
            let mut batch = Batch::default();
            let mut all = true;
            for (entry, next) in entries.iter().zip(nexts) {
                let step = match self.lenient_step(entry, next, &known).await {
                    Err(Failed::NotNow(_)) => {
                        missed = true;
                        continue;
                    }
                    step => step?,
                };
                if step.is_nothing() {
                    continue;
                }
                if !batch.has_room(&step) {
                    all &= self.told(grant, group, &mut batch).await?;
                }
                batch.push(step, Transaction::new(), true);
            }
            if !batch.steps.is_empty() {
                all &= self.told(grant, group, &mut batch).await?;
            }
            if all {
                if group.deleted && !missed {
                    let members = portion.iter().map(|member| (group.id, *member));
                    self.table.forget_members(place, members).await?;
                }
                return Ok(Some(!missed));
            }
        }
        Err(Failed::Busy)
    }

    async fn told(
        &self,
        grant: &Grant,
        group: &DirectoryGroup,
        batch: &mut Batch,
    ) -> Result<bool, Failed> {
        let Batch { steps, .. } = std::mem::take(batch);
        let entry = about(group).set("name", group.name.as_str()).set("members", steps.len());
        // By a name that it has no longer nobody becomes anything.
        let stands = self.place().group_stands(group);
        faster(self.commit((grant, &entry), &steps, stands).await)
    }
}

/// Steps that go into one transaction.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) steps: Vec<Step>,
    writes: Transaction,
    joined: Vec<String>,
    left: Vec<String>,
    weight: usize,
}

impl Batch {
    pub(super) const fn has_room(&self, step: &Step) -> bool {
        // With the group itself, and what it has once.
        self.weight + step.weight() + 1 + 5 <= MOST_WRITES
    }

    pub(super) fn push(&mut self, step: Step, writes: Transaction, joins: bool) {
        self.weight += step.weight() + writes.len();
        let id = step.user.as_ref().map(|user| user.id.to_string());
        if joins {
            self.joined.extend(id);
        } else {
            self.left.extend(id);
        }
        self.writes = std::mem::take(&mut self.writes).and(writes);
        self.steps.push(step);
    }
}

fn about(group: &DirectoryGroup) -> Entry {
    Entry::about("group", &group.id).set("provider", group.provider.to_string())
}

fn group_name(resource: &Resource) -> Result<GroupName, ScimError> {
    let name = resource.text("displayName").and_then(|text| text.parse().ok());
    name.ok_or_else(|| {
        let detail = "displayName has 1 to 256 characters, none of them a control character";
        ScimError::new(ScimType::InvalidValue, detail)
    })
}

/// Goes on with telling a group's members what became of it, to its end; nothing when they know.
///
/// # Errors
/// [`Failed`]; what is done stays done.
pub async fn tell(
    (table, post): (&Table, &Post),
    (tenant, provider): (&Tenant, &Provider),
    group: &DirectoryGroup,
    now: Timestamp,
) -> Result<(), Failed> {
    let Some(grant) = tell_members(group) else { return Ok(()) };
    let registrar = Registrar::new(table, post, (tenant, provider), now);
    let told = registrar.tell(&grant, group, usize::MAX).await;
    if matches!(told, Ok(Told::All)) {
        return Ok(());
    }
    // Later again: it keeps no other group from its turn.
    let postponed = group.postponed(now);
    table.keep_group(registrar.place(), group, Some(&postponed), post.entropy.as_ref()).await?;
    told.map(drop)
}
