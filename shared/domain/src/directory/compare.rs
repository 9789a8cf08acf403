//! What a directory that is read says, held against what is there: who is new, who becomes another one,
//! who goes. Nothing is done by it, so that it serves a preview as well as a sync.

use crate::account::{DirectoryLink, MOST_USERS, Role, Status, User};
use crate::directory::engine::{self, Verdict};
use crate::directory::entry::{DirectoryGroup, DirectoryUser, MOST_MEMBERSHIPS, Said};
use crate::directory::ldap::{EntryFault, EntryKey, Group, Reading, Rejected};
use crate::directory::person::Person;
use crate::directory::provider::{Provider, Settings};
use crate::directory::sync::{Counts, Leaving, MOST_PROBLEMS, Problem};
use crate::email::EmailAddress;
use crate::failure::{Failure as _, FieldFault as _};
use crate::id::{GroupId, IdentityProviderId, UserId};
use crate::text::{GroupName, folded};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// All that was read of a directory, to its end.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Who is there.
    pub people: Vec<Reading>,
    /// Which groups.
    pub groups: Vec<Group>,
    /// What can be neither.
    pub rejected: Vec<Rejected>,
}

/// What is there already.
#[derive(Debug, Default)]
pub struct Present {
    /// Users as the directory had them.
    pub entries: Vec<DirectoryUser>,
    /// Groups as the directory had them.
    pub groups: Vec<DirectoryGroup>,
    /// All users of the tenant that are not archived.
    pub users: Vec<User>,
}

/// What becomes of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupChange {
    /// It is new.
    Create(EntryKey, GroupName),
    /// It has another name.
    Rename(DirectoryGroup, GroupName),
    /// It is gone.
    Delete(DirectoryGroup),
}

/// What becomes of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// It is new.
    Create,
    /// It was there and is the directory's now.
    Adopt,
    /// It is another one than before.
    Change,
    /// It may use nothing any more.
    Deactivate,
    /// Its address is another one: it is archived, and new again.
    Replace,
}

impl What {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Create, Self::Adopt, Self::Change, Self::Deactivate, Self::Replace];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Adopt => "adopt",
            Self::Change => "change",
            Self::Deactivate => "deactivate",
            Self::Replace => "replace",
        }
    }

    /// Where such users are counted.
    pub const fn count(self, counts: &mut Counts) -> &mut u32 {
        match self {
            Self::Create => &mut counts.created,
            Self::Adopt => &mut counts.adopted,
            Self::Change => &mut counts.changed,
            Self::Deactivate => &mut counts.deactivated,
            Self::Replace => &mut counts.replaced,
        }
    }
}

/// One user who is not as the directory says.
#[derive(Debug)]
pub struct Planned {
    /// What becomes of it.
    pub what: What,
    /// What it is known by.
    pub key: EntryKey,
    /// As the directory had it.
    pub before: Option<DirectoryUser>,
    /// As the directory has it; its groups stand beside.
    pub person: Person,
    /// In which groups.
    pub groups: BTreeSet<EntryKey>,
    /// The tenant's user, as it is.
    pub user: Option<User>,
    /// The role that it has then.
    pub role: Role,
    /// What of the user becomes another.
    pub fields: Vec<&'static str>,
}

/// What a sync would do.
#[derive(Debug, Default)]
pub struct Plan {
    /// What becomes of groups.
    pub groups: Vec<GroupChange>,
    /// What becomes of users: those whose address stays first, so that one that is given up is free.
    pub steps: Vec<Planned>,
    /// What cannot be as the directory says.
    pub problems: Vec<Problem>,
    /// How many.
    pub counts: Counts,
    /// Who would lose access.
    pub leaving: Leaving,
    /// Which entries have the names that give roles.
    pub bound: BTreeMap<String, EntryKey>,
}

/// Holds a directory against what is there.
pub fn compare(provider: &Provider, snapshot: Snapshot, present: Present) -> Plan {
    let Snapshot { people, groups, rejected } = snapshot;
    let mut plan = Plan { bound: provider.bound.clone(), ..Plan::default() };
    let unreadable: HashSet<EntryKey> =
        rejected.iter().filter(|entry| !entry.disabled).filter_map(|entry| entry.key).collect();
    for entry in &rejected {
        let fault = entry.faults.first().copied().unwrap_or(EntryFault::NoKey);
        plan.reject(entry.dn.clone(), fault);
    }
    let settings = &provider.settings;
    let names = plan.compare_groups(settings, groups, (&present.groups, &unreadable));
    let keys: HashMap<_, _> =
        present.groups.iter().filter_map(|group| Some((group.id, group.key?))).collect();
    let mut known: BTreeMap<EntryKey, DirectoryUser> =
        present.entries.into_iter().filter_map(|entry| Some((entry.key()?, entry))).collect();
    let users: HashMap<UserId, User> =
        present.users.into_iter().map(|user| (user.id, user)).collect();
    plan.leaving.of = known
        .values()
        .filter_map(|entry| users.get(&entry.user))
        .fold(0, |of, user| if user.status == Status::Deactivated { of } else { of + 1 });

    let mut judge = Judge::new(settings, provider.id, &users, &keys);
    let mut seen: HashSet<EntryKey> = HashSet::new();
    let mut all = Vec::with_capacity(people.len());
    for reading in people {
        if seen.insert(reading.key) {
            all.push((known.remove(&reading.key), reading));
        } else {
            plan.reject(reading.person.email.as_str().to_owned(), EntryFault::KeyTaken);
        }
    }
    // Who was made anew in the directory, under the same address, is the one whom it has no longer.
    let gone: HashMap<&EmailAddress, EntryKey> = known
        .iter()
        .filter(|(key, _)| !unreadable.contains(key))
        .filter_map(|(key, entry)| Some((&users.get(&entry.user)?.email, *key)))
        .collect();
    let again = all.iter().filter(|(before, reading)| before.is_none() && reading.person.active);
    let again: Vec<_> = again
        .filter_map(|(_, reading)| Some((reading.key, *gone.get(&reading.person.email)?)))
        .collect();
    let again: HashMap<EntryKey, DirectoryUser> =
        again.into_iter().filter_map(|(key, old)| Some((key, known.remove(&old)?))).collect();
    for (before, reading) in &mut all {
        if before.is_none() {
            *before = again.get(&reading.key).cloned();
        }
    }
    // An address is whose it was; then somebody's who moves there; then somebody's who is new.
    all.sort_by_cached_key(|(before, reading)| {
        let user = before.as_ref().and_then(|before| users.get(&before.user));
        (user.map(|user| user.email != reading.person.email).map_or(2, u8::from), reading.key)
    });
    for (before, Reading { key, mut person, groups, .. }) in all {
        plan.counts.users += 1;
        // Who is in a group that cannot be read is not known: whoever was, is.
        let had = before.iter().flat_map(|before| &before.groups).filter_map(|id| keys.get(id));
        let had = had.filter(|key| unreadable.contains(key)).copied();
        let groups = groups.into_iter().chain(had).filter(|key| names.contains_key(key));
        let groups: BTreeSet<EntryKey> = groups.take(MOST_MEMBERSHIPS).collect();
        person.groups = groups.iter().filter_map(|key| names.get(key).cloned()).collect();
        judge.person(&mut plan, before, (key, person, groups));
    }
    // What cannot be read of somebody is no reason to think that it is gone.
    for (key, before) in known.into_iter().filter(|(key, _)| !unreadable.contains(key)) {
        let Said::Entry { person, .. } = &before.said else { continue };
        let person = Person { active: false, ..(**person).clone() };
        judge.person(&mut plan, Some(before), (key, person, BTreeSet::new()));
    }
    plan
}

/// Looks at one after the other.
struct Judge<'a> {
    settings: &'a Settings,
    provider: IdentityProviderId,
    users: &'a HashMap<UserId, User>,
    /// The keys of the groups that there are.
    keys: &'a HashMap<GroupId, EntryKey>,
    addresses: HashMap<&'a EmailAddress, &'a User>,
    /// Addresses that somebody gets by this.
    claimed: HashSet<EmailAddress>,
    /// How many more users the tenant may have.
    room: usize,
}

impl<'a> Judge<'a> {
    fn new(
        settings: &'a Settings,
        provider: IdentityProviderId,
        users: &'a HashMap<UserId, User>,
        keys: &'a HashMap<GroupId, EntryKey>,
    ) -> Self {
        let addresses = users.values().map(|user| (&user.email, user)).collect();
        let room = usize::try_from(MOST_USERS).unwrap_or(usize::MAX).saturating_sub(users.len());
        Self { settings, provider, users, keys, addresses, claimed: HashSet::new(), room }
    }

    fn person(
        &mut self,
        plan: &mut Plan,
        before: Option<DirectoryUser>,
        (key, mut person, groups): (EntryKey, Person, BTreeSet<EntryKey>),
    ) {
        let user = before.as_ref().and_then(|before| self.users.get(&before.user));
        match user {
            // Whoever is off is off under the address that it had.
            Some(user) if !person.active => person.email = user.email.clone(),
            None if !person.active => {
                plan.counts.skipped += 1;
                return;
            }
            _ => {}
        }
        let other = self.addresses.get(&person.email).copied();
        let verdict = if let Some(user) = user {
            let other = other.filter(|other| other.id != user.id);
            engine::follow(self.settings, &person, user, other)
        } else {
            let entry = before.as_ref().map_or(NOBODY, |before| before.id);
            let link = DirectoryLink { provider: self.provider, entry };
            engine::arrive(self.settings, &person, other, link)
        };
        let stays = before.as_ref().is_some_and(|before| {
            let had = before.groups.iter().filter_map(|id| self.keys.get(id)).copied();
            had.collect::<BTreeSet<_>>() == groups
                && matches!(&before.said, Said::Entry { key: known, person: was }
                    if *known == key && Person { groups: BTreeSet::new(), ..person.clone() } == **was)
        });
        let (what, role, fields) = match verdict {
            Err(conflict) => return plan.conflict(&person, conflict.code(), conflict.to_string()),
            Ok(Verdict::Unchanged) if stays => return,
            Ok(Verdict::Unchanged) => (What::Change, user.map_or(Role::User, |of| of.role), vec![]),
            Ok(Verdict::Create(new)) => (What::Create, new.role, vec![]),
            Ok(Verdict::Replace(new)) => (What::Replace, new.role, vec!["email"]),
            Ok(Verdict::Change(next, _)) => {
                let was = user.or(other);
                let fields = was.map_or(vec![], |was| differing(was, &next));
                let goes = next.status == Status::Deactivated
                    && was.is_some_and(|was| was.status != Status::Deactivated);
                let what = match user {
                    None => What::Adopt,
                    Some(_) if goes => What::Deactivate,
                    Some(_) => What::Change,
                };
                (what, next.role, fields)
            }
        };
        if matches!(what, What::Create | What::Adopt | What::Replace) {
            if !self.claimed.insert(person.email.clone()) {
                let detail = "another entry of the directory has this address";
                return plan.conflict(&person, "address_twice", detail.to_owned());
            }
            if what == What::Create {
                let Some(room) = self.room.checked_sub(1) else {
                    let detail = format!("the company has {MOST_USERS} users, as many as it may");
                    return plan.conflict(&person, "user_limit", detail);
                };
                self.room = room;
            }
        }
        let user = user.or(other).cloned();
        // They are many, and have done what they are for.
        person.groups.clear();
        plan.step(Planned { what, key, before, person, groups, user, role, fields });
    }
}

/// Most problems of one kind that are told.
const MOST_ALIKE: usize = 20;

/// The id of somebody who has none yet.
const NOBODY: UserId = UserId::from_bytes([0; 16]);

impl Plan {
    fn step(&mut self, step: Planned) {
        let was = step.user.as_ref().filter(|user| user.status != Status::Deactivated);
        let loses_console = step.role == Role::User && was.is_some_and(User::has_console);
        let leaves = match step.what {
            What::Create => false,
            What::Adopt | What::Change => loses_console,
            What::Deactivate | What::Replace => was.is_some(),
        };
        self.leaving.users += u32::from(leaves);
        *step.what.count(&mut self.counts) += 1;
        self.steps.push(step);
    }

    fn conflict(&mut self, person: &Person, code: &str, detail: String) {
        self.counts.conflicts += 1;
        self.problem(person.email.as_str().to_owned(), code, detail);
    }

    fn reject(&mut self, who: String, fault: EntryFault) {
        self.counts.rejected += 1;
        self.problem(who, fault.code(), fault.to_string());
    }

    fn problem(&mut self, who: String, code: &str, detail: String) {
        // One kind does not hide the others.
        let alike = self.problems.iter().filter(|problem| problem.code == code).count();
        if self.problems.len() < MOST_PROBLEMS && alike < MOST_ALIKE {
            self.problems.push(Problem { who, code: code.to_owned(), detail });
        }
    }

    /// Compares the groups; the names of those that count.
    ///
    /// Whoever may make a group anywhere below the base could give it the name of one that gives a role.
    /// So of several with one name none counts, but for the one that is known by it; and a name that gives
    /// a role is for good that of the entry that had it first.
    fn compare_groups(
        &mut self,
        settings: &Settings,
        groups: Vec<Group>,
        (present, unreadable): (&[DirectoryGroup], &HashSet<EntryKey>),
    ) -> HashMap<EntryKey, GroupName> {
        let mut known: BTreeMap<EntryKey, &DirectoryGroup> =
            present.iter().filter_map(|group| Some((group.key?, group))).collect();
        let mut namesakes: HashMap<String, Vec<EntryKey>> = HashMap::new();
        for group in &groups {
            namesakes.entry(folded(group.name.as_str())).or_default().push(group.key);
        }
        let mut names = HashMap::new();
        for Group { key, name, .. } in groups {
            let own = folded(name.as_str());
            let alone = namesakes.get(&own).is_none_or(|keys| keys.len() == 1);
            let has_it = known.get(&key).is_some_and(|known| folded(known.name.as_str()) == own);
            let others = self.bound.get(&own).is_some_and(|bound| *bound != key);
            if others || !alone && !has_it {
                self.reject(name.as_str().to_owned(), EntryFault::GroupNameTaken);
                continue;
            }
            match known.remove(&key) {
                None if names.contains_key(&key) => {
                    self.reject(name.as_str().to_owned(), EntryFault::KeyTaken);
                    continue;
                }
                None => self.groups.push(GroupChange::Create(key, name.clone())),
                Some(was) if was.name != name => {
                    self.groups.push(GroupChange::Rename(was.clone(), name.clone()));
                }
                Some(_) => {}
            }
            if settings.group_roles.iter().any(|of| folded(of.group.as_str()) == own) {
                self.bound.insert(own, key);
            }
            names.insert(key, name);
        }
        // One that cannot be read is no reason to think that it is gone.
        let unread = known.iter().filter(|(key, _)| unreadable.contains(key));
        names.extend(unread.map(|(key, group)| (*key, group.name.clone())));
        known.retain(|key, _| !unreadable.contains(key));
        self.groups.extend(known.into_values().cloned().map(GroupChange::Delete));
        self.counts.groups = u32::try_from(names.len()).unwrap_or(u32::MAX);
        names
    }
}

/// What of a user is another one, as the API names it.
fn differing(before: &User, after: &User) -> Vec<&'static str> {
    let fields = [
        ("first_name", before.first_name != after.first_name),
        ("last_name", before.last_name != after.last_name),
        ("mobile", before.mobile != after.mobile),
        ("phone", before.phone != after.phone),
        ("attributes", before.attributes != after.attributes),
        ("groups", before.groups != after.groups),
        ("role", before.role != after.role),
        ("status", before.status != after.status),
        ("source", before.source != after.source),
    ];
    fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests;
