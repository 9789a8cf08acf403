use super::*;
use crate::account::Source;
use crate::attribute::{UserAttribute, UserAttributes};
use crate::directory::ldap::{Entry, Flavor, Groups, KeyAttribute, Mapping};
use crate::directory::provider::{GroupRole, LdapSource, Protocol};
use crate::id::{IdentityId, TenantId};
use crate::ports::Entropy;
use crate::secret::{Secret, SecretHash};
use crate::users::{Move, NewUser};
use jiff::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};

struct Bytes(u8);
impl Entropy for Bytes {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0);
    }
}

/// How many users were made: no two have one id.
static MADE: AtomicU64 = AtomicU64::new(0);

const PROVIDER: IdentityProviderId = IdentityProviderId::from_bytes([1; 16]);
const OTHER: IdentityProviderId = IdentityProviderId::from_bytes([2; 16]);

fn settings() -> Settings {
    let server = serde_json::json!({"host": "dc1.example.com", "port": 636, "security": "ldaps",
        "base_dn": "dc=example", "bind_dn": "cn=x", "filter": "(objectClass=person)"});
    Settings {
        name: "Example".parse().unwrap(),
        protocol: Protocol::Ldap(Box::new(LdapSource {
            server: serde_json::from_value(server).unwrap(),
            flavor: Flavor::OpenLdap,
            mapping: Mapping::of(Flavor::OpenLdap),
            every: None,
        })),
        enabled: true,
        group_roles: vec![GroupRole { group: "Admins".parse().unwrap(), role: Role::Admin }],
        adopt_existing: false,
    }
}

fn provider() -> Provider {
    Provider {
        id: PROVIDER,
        tenant: TenantId::from_bytes([1; 16]),
        settings: settings(),
        tokens: Vec::new(),
        work: None,
        last_sync: None,
        next_sync_at: None,
        bound: BTreeMap::new(),
        sealed_password: None,
        created_at: Timestamp::UNIX_EPOCH,
        version: 1,
        revision: 1,
    }
}

fn key(n: u8) -> EntryKey {
    EntryKey::try_from(format!("11111111-0000-4000-8000-0000000000{n:02x}")).unwrap()
}

fn person(name: &str) -> Person {
    Person {
        email: format!("{name}@example.com").parse().unwrap(),
        first_name: name.parse().unwrap(),
        last_name: "Lee".parse().unwrap(),
        mobile: None,
        phone: None,
        attributes: UserAttributes::new(),
        active: true,
        groups: BTreeSet::new(),
    }
}

fn reading(n: u8, person: Person, groups: &[u8]) -> Reading {
    let groups = groups.iter().map(|group| key(*group)).collect();
    Reading { key: key(n), person, groups, notes: Vec::new() }
}

fn groups(all: &[(u8, &str)]) -> Vec<Group> {
    let mut groups = Groups::default();
    for (n, name) in all {
        let mut entry = Entry::new(format!("cn={name}{n},dc=example"));
        entry.append("entryUUID", [key(*n).to_string().into_bytes()]);
        entry.append("cn", [name.as_bytes().to_vec()]);
        groups.add(&entry, KeyAttribute::EntryUuid).unwrap();
    }
    groups.all().to_vec()
}

/// What is there after the plan was carried out on it.
fn carried_out(plan: &Plan, mut present: Present) -> Present {
    let at = Timestamp::UNIX_EPOCH;
    for change in &plan.groups {
        match change {
            GroupChange::Create(key, name) => present.groups.push(DirectoryGroup {
                id: GroupId::from_bytes(key_bytes(*key)),
                tenant: TenantId::from_bytes([1; 16]),
                provider: PROVIDER,
                key: Some(*key),
                name: name.clone(),
                resource: String::new(),
                deleted: false,
                telling: None,
                created_at: at,
                modified_at: at,
                version: 1,
            }),
            GroupChange::Rename(was, name) => {
                let group = present.groups.iter_mut().find(|group| group.id == was.id).unwrap();
                group.name = name.clone();
            }
            GroupChange::Delete(was) => present.groups.retain(|group| group.id != was.id),
        }
    }
    let ids: HashMap<_, _> =
        present.groups.iter().map(|group| (group.key.unwrap(), group.id)).collect();
    for step in &plan.steps {
        let id = step.before.as_ref().map_or(UserId::from_bytes(key_bytes(step.key)), |of| of.id);
        let link = DirectoryLink { provider: PROVIDER, entry: id };
        let groups = present.groups.iter().filter(|of| step.groups.contains(&of.key.unwrap()));
        let groups = groups.map(|of| of.name.clone()).collect();
        let person = Person { groups, ..step.person.clone() };
        let settings = settings_that_adopt();
        let other = present.users.iter().find(|user| user.email == step.person.email).cloned();
        let own = step.before.as_ref();
        let own = own.and_then(|of| present.users.iter().find(|user| user.id == of.user)).cloned();
        let verdict = match &own {
            Some(user) => {
                let other = other.filter(|other| other.id != user.id);
                engine::follow(&settings, &person, user, other.as_ref())
            }
            None => engine::arrive(&settings, &person, other.as_ref(), link),
        };
        let user = match verdict.unwrap() {
            Verdict::Create(new) | Verdict::Replace(new) => {
                present.users.retain(|user| own.as_ref().is_none_or(|own| own.id != user.id));
                let mut id = [3; 16];
                id[..8].copy_from_slice(&MADE.fetch_add(1, Ordering::Relaxed).to_be_bytes());
                let user = User { id: UserId::from_bytes(id), ..made(new, 1, Source::Directory) };
                engine::arrived(user, &person, link)
            }
            Verdict::Change(next, Move::Enters) => {
                let (identity, invitation) = somebody();
                User { identity: Some(identity), invitation: Some(invitation), ..*next }
            }
            Verdict::Change(next, _) => *next,
            Verdict::Unchanged => own.unwrap(),
        };
        present.users.retain(|other| other.id != user.id);
        let person = Person { groups: BTreeSet::new(), ..step.person.clone() };
        present.entries.retain(|entry| entry.id != id);
        present.entries.push(DirectoryUser {
            id,
            user: user.id,
            said: Said::Entry { key: step.key, person: Box::new(person) },
            groups: step.groups.iter().map(|key| ids[key]).collect(),
            created_at: at,
            modified_at: at,
            version: 1,
        });
        present.users.push(user);
    }
    present
}

fn key_bytes(key: EntryKey) -> [u8; 16] {
    key.value(KeyAttribute::ObjectGuid).try_into().unwrap()
}

fn settings_that_adopt() -> Settings {
    Settings { adopt_existing: true, ..settings() }
}

fn made(new: NewUser, seed: u8, source: Source) -> User {
    let tenant = TenantId::from_bytes([1; 16]);
    let invited = new.has_console().then(somebody);
    User::new(tenant, new, source, invited, Timestamp::UNIX_EPOCH, &Bytes(seed))
}

/// A person who is invited.
fn somebody() -> (IdentityId, SecretHash) {
    (IdentityId::from_bytes([1; 16]), Secret::from_bytes([1; 32]).hash())
}

fn by_hand(name: &str, role: Role, seed: u8) -> User {
    let Person { email, first_name, last_name, .. } = person(name);
    let new = NewUser {
        first_name,
        last_name,
        email,
        mobile: None,
        phone: None,
        attributes: UserAttributes::new(),
        role,
        two_factor_required: false,
    };
    made(new, seed, Source::Manual)
}

fn plan(people: Vec<Reading>, of: &[(u8, &str)], present: Present) -> Plan {
    let snapshot = Snapshot { people, groups: groups(of), rejected: Vec::new() };
    compare(&provider(), snapshot, present)
}

fn copy(present: &Present) -> Present {
    Present {
        entries: present.entries.clone(),
        groups: present.groups.clone(),
        users: present.users.clone(),
    }
}

/// Who is there: ann, an admin, and bob.
fn two() -> Present {
    let people = vec![reading(1, person("ann"), &[101]), reading(2, person("bob"), &[])];
    carried_out(&plan(people, &[(101, "Admins")], Present::default()), Present::default())
}

fn whats(plan: &Plan) -> Vec<(What, String)> {
    let of = |step: &Planned| (step.what, step.person.email.local_part().to_owned());
    let mut all: Vec<_> = plan.steps.iter().map(of).collect();
    all.sort();
    all
}

fn codes(plan: &Plan) -> Vec<&str> {
    plan.problems.iter().map(|problem| problem.code.as_str()).collect()
}

#[test]
fn who_is_new_is_created_with_the_role_of_its_groups_and_then_nothing_changes() {
    let people = || vec![reading(1, person("ann"), &[101]), reading(2, person("bob"), &[])];
    let of = [(101, "Admins")];
    let first = plan(people(), &of, Present::default());
    assert_eq!(whats(&first), [(What::Create, "ann".to_owned()), (What::Create, "bob".to_owned())]);
    let roles: Vec<_> = first.steps.iter().map(|step| step.role).collect();
    assert_eq!(roles, [Role::Admin, Role::User]);
    assert_eq!((first.counts.users, first.counts.created, first.counts.groups), (2, 2, 1));
    assert_eq!(first.leaving, Leaving::default());
    let second = plan(people(), &of, carried_out(&first, Present::default()));
    assert_eq!((whats(&second), second.groups), (vec![], vec![]));
    assert_eq!(second.leaving, Leaving { users: 0, of: 2 });
}

#[test]
fn what_becomes_of_those_who_are_there() {
    let titled = |title: &str| Person {
        attributes: [(UserAttribute::Title, title.parse().unwrap())].into(),
        ..person("bob")
    };
    let off = |name| Person { active: false, ..person(name) };
    let ann = || reading(1, person("ann"), &[101]);
    let groups = [(101, "Admins")];
    for (bob, expected) in [
        (Some(reading(2, titled("Clerk"), &[])), vec![(What::Change, "bob")]),
        (Some(reading(2, person("bob"), &[101])), vec![(What::Change, "bob")]),
        (Some(reading(2, off("bob"), &[])), vec![(What::Deactivate, "bob")]),
        // Whoever is off is off, whatever its address.
        (Some(reading(2, off("robert"), &[])), vec![(What::Deactivate, "bob")]),
        (None, vec![(What::Deactivate, "bob")]),
        (Some(reading(2, person("robert"), &[])), vec![(What::Replace, "robert")]),
        // Made anew in the directory: under its address it is whom that has no longer.
        (Some(reading(3, person("bob"), &[])), vec![(What::Change, "bob")]),
    ] {
        let people = [ann()].into_iter().chain(bob.clone()).collect();
        let plan = plan(people, &groups, two());
        let expected: Vec<_> =
            expected.into_iter().map(|(what, name)| (what, name.to_owned())).collect();
        assert_eq!(whats(&plan), expected, "{bob:?}");
        let leaves = matches!(expected[0].0, What::Deactivate | What::Replace);
        assert_eq!(plan.leaving, Leaving { users: u32::from(leaves), of: 2 });
    }
}

#[test]
fn whoever_is_disabled_before_it_was_known_is_left_out_and_comes_when_it_is_not() {
    let off = Person { active: false, ..person("cy") };
    let people = |cy| vec![reading(1, person("ann"), &[101]), reading(2, person("bob"), &[]), cy];
    let plan_of = |cy| plan(people(cy), &[(101, "Admins")], two());
    let off = plan_of(reading(3, off, &[]));
    assert_eq!((whats(&off), off.counts.skipped), (vec![], 1));
    let on = plan_of(reading(3, person("cy"), &[]));
    assert_eq!(whats(&on), [(What::Create, "cy".to_owned())]);
}

#[test]
fn an_address_that_somebody_has_is_taken_from_nobody() {
    let of = |users: Vec<User>, people| {
        let mut present = two();
        present.users.extend(users);
        plan(people, &[(101, "Admins")], present)
    };
    let people = |cy: Person| {
        vec![reading(1, person("ann"), &[101]), reading(2, person("bob"), &[]), reading(3, cy, &[])]
    };
    let cy = by_hand("cy", Role::ReadOnly, 200);
    let by_others = User {
        source: Source::Directory,
        directory: Some(DirectoryLink { provider: OTHER, entry: NOBODY }),
        ..cy.clone()
    };
    let boss = by_hand("cy", Role::SuperAdmin, 200);
    for (user, code) in
        [(cy.clone(), "already_exists"), (by_others, "other_directory"), (boss, "already_exists")]
    {
        let plan = of(vec![user], people(person("cy")));
        assert_eq!((whats(&plan), codes(&plan)), (vec![], vec![code]));
    }
    let twice = of(vec![], people(person("bob")));
    assert_eq!((whats(&twice), codes(&twice)), (vec![], vec!["already_exists"]));
    let mut both = people(person("cy"));
    both.push(reading(4, person("cy"), &[]));
    let both = of(vec![], both);
    assert_eq!(whats(&both), [(What::Create, "cy".to_owned())]);
    assert_eq!(codes(&both), ["address_twice"]);
    assert_eq!(both.counts.conflicts, 1);
}

#[test]
fn a_super_admin_is_reported_and_left_alone() {
    let mut present = two();
    for user in &mut present.users {
        if user.role == Role::Admin {
            user.role = Role::SuperAdmin;
        }
    }
    for ann in [None, Some(reading(1, Person { active: false, ..person("ann") }, &[]))] {
        let people = [reading(2, person("bob"), &[])].into_iter().chain(ann).collect();
        let plan = plan(people, &[(101, "Admins")], copy(&present));
        assert_eq!((whats(&plan), codes(&plan)), (vec![], vec!["super_admin"]));
        assert_eq!(plan.leaving.users, 0);
    }
}

/// A plan where one entry cannot be read: that of bob, or that of the group of the admins.
fn with_unreadable(n: u8, attributes: &[(&str, &str)]) -> Plan {
    let mut entry = Entry::new("cn=x".into());
    entry.append("entryUUID", [key(n).to_string().into_bytes()]);
    for (name, value) in attributes {
        entry.append(name, [value.as_bytes().to_vec()]);
    }
    let mapping = Mapping::of(Flavor::OpenLdap);
    let mut people = vec![reading(1, person("ann"), &[101])];
    let (rejected, groups) = if n == 101 {
        people = vec![reading(1, person("ann"), &[]), reading(2, person("bob"), &[])];
        (Groups::default().add(&entry, KeyAttribute::EntryUuid).unwrap_err(), Vec::new())
    } else {
        let rejected = Reading::of(&entry, &mapping, &Groups::default()).unwrap_err();
        (rejected, groups(&[(101, "Admins")]))
    };
    compare(&provider(), Snapshot { people, groups, rejected: vec![rejected] }, two())
}

#[test]
fn an_entry_that_cannot_be_read_keeps_its_user_as_it_is_unless_it_is_disabled() {
    let plan = with_unreadable(2, &[]);
    assert_eq!((whats(&plan), codes(&plan)), (vec![], vec!["no_email"]));
    assert_eq!(plan.counts.rejected, 1);
    let left = with_unreadable(2, &[("pwdAccountLockedTime", "000001010000Z")]);
    assert_eq!(whats(&left), [(What::Deactivate, "bob".to_owned())]);
    let group = with_unreadable(101, &[]);
    assert_eq!((whats(&group), codes(&group)), (vec![], vec!["bad_group_name"]));
    assert_eq!(group.groups, []);
}

#[test]
fn whoever_loses_the_console_leaves() {
    let people = || vec![reading(1, person("ann"), &[]), reading(2, person("bob"), &[])];
    // The groups are seen no longer.
    let blind = plan(people(), &[], two());
    assert_eq!(blind.leaving, Leaving { users: 1, of: 2 });
    assert!(blind.leaving.is_too_many(None));
}

#[test]
fn a_name_that_gives_a_role_is_for_good_that_of_who_had_it_first() {
    let people = || vec![reading(1, person("ann"), &[102]), reading(2, person("bob"), &[])];
    let first =
        plan(vec![reading(1, person("ann"), &[101])], &[(101, "Admins")], Present::default());
    assert_eq!(first.bound, [("admins".to_owned(), key(101))].into());
    let after = |bound: &BTreeMap<String, EntryKey>| {
        let snapshot =
            Snapshot { people: people(), groups: groups(&[(102, "Admins")]), rejected: Vec::new() };
        compare(&Provider { bound: bound.clone(), ..provider() }, snapshot, two())
    };
    // The true one is gone, and another one of its name waits.
    let waiting = after(&first.bound);
    assert_eq!(codes(&waiting), ["group_name_taken"]);
    assert!(waiting.steps.iter().all(|step| step.role == Role::User));
    assert_eq!(after(&BTreeMap::new()).problems, []);
}

#[test]
fn a_name_that_two_groups_have_is_the_known_one_s_or_nobody_s() {
    let people = || vec![reading(1, person("ann"), &[101]), reading(2, person("bob"), &[102])];
    // One who may make groups below the base makes one of the name that gives a role.
    let plan_of = |present| plan(people(), &[(101, "Admins"), (102, "ADMINS")], present);
    let later = plan_of(two());
    assert_eq!((whats(&later), codes(&later)), (vec![], vec!["group_name_taken"]));
    let first = plan_of(Present::default());
    assert_eq!(codes(&first), ["group_name_taken"; 2]);
    assert!(first.steps.iter().all(|step| step.role == Role::User));
}

#[test]
fn groups_are_renamed_and_deleted_and_their_members_know() {
    let people = || vec![reading(1, person("ann"), &[101]), reading(2, person("bob"), &[])];
    let renamed = plan(people(), &[(101, "Staff")], two());
    assert!(
        matches!(&renamed.groups[..], [GroupChange::Rename(_, name)] if name.as_str() == "Staff")
    );
    assert_eq!(whats(&renamed), [(What::Change, "ann".to_owned())]);
    assert_eq!(renamed.leaving.users, 1);
    assert_eq!(renamed.steps[0].role, Role::User);
    // An invitation to the console that nobody has accepted is taken back.
    assert_eq!(renamed.steps[0].fields, ["groups", "role", "status"]);
    let deleted = plan(people(), &[], two());
    assert!(matches!(&deleted.groups[..], [GroupChange::Delete(_)]));
    assert_eq!(whats(&deleted), [(What::Change, "ann".to_owned())]);
}

#[test]
fn nobody_comes_above_the_limit_of_a_company() {
    let mut present = two();
    let most = usize::try_from(MOST_USERS).unwrap();
    let template = by_hand("template", Role::User, 9);
    while present.users.len() < most - 1 {
        let n = present.users.len();
        let mut bytes = [200; 16];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        let email = format!("u{n}@example.com").parse().unwrap();
        present.users.push(User { id: UserId::from_bytes(bytes), email, ..template.clone() });
    }
    let mut people = vec![reading(1, person("ann"), &[101]), reading(2, person("bob"), &[])];
    people.extend([reading(3, person("cy"), &[]), reading(4, person("di"), &[])]);
    let plan = plan(people, &[(101, "Admins")], present);
    assert_eq!(whats(&plan), [(What::Create, "cy".to_owned())]);
    assert_eq!(codes(&plan), ["user_limit"]);
}

mod histories {
    use super::*;
    use proptest::prelude::*;

    /// Who is in the directory: by key, under which of five addresses, on or off, in which groups.
    type People = BTreeMap<u8, (u8, bool, BTreeSet<u8>)>;

    fn people() -> impl Strategy<Value = People> {
        let groups = proptest::collection::btree_set(101_u8..104, 0..3);
        proptest::collection::btree_map(1_u8..6, (0_u8..5, any::<bool>(), groups), 0..6)
    }

    const NAMES: [&str; 5] = ["ann", "bob", "cy", "di", "ed"];
    const GROUPS: [(u8, &str); 3] = [(101, "Admins"), (102, "Staff"), (103, "Desk")];

    fn readings(people: &People) -> Vec<Reading> {
        let of = |(n, (name, active, groups)): (&u8, &(u8, bool, BTreeSet<u8>))| {
            let person = Person { active: *active, ..person(NAMES[usize::from(*name)]) };
            reading(*n, person, &groups.iter().copied().collect::<Vec<_>>())
        };
        people.iter().map(of).collect()
    }

    proptest! {
        #[test]
        fn after_a_sync_another_one_does_nothing_and_everybody_is_as_the_directory_says(
            history in proptest::collection::vec(people(), 1..6),
        ) {
            let mut present = Present::default();
            for people in history {
                // An address that is given up is free for others when that is done.
                for _ in 0..NAMES.len() {
                    let plan = plan(readings(&people), &GROUPS, copy(&present));
                    present = carried_out(&plan, present);
                }
                let last = plan(readings(&people), &GROUPS, copy(&present));
                prop_assert_eq!(whats(&last), vec![]);
                let mut addresses: Vec<_> =
                    present.users.iter().map(|user| user.email.as_str()).collect();
                addresses.sort_unstable();
                addresses.dedup();
                prop_assert_eq!(addresses.len(), present.users.len());
                let entry = |key| present.entries.iter().find(|entry| entry.key() == Some(key));
                let conflicts = usize::try_from(last.counts.conflicts).unwrap();
                let mut differ = 0;
                for n in 1..6 {
                    let user = entry(key(n)).map(|entry| {
                        present.users.iter().find(|user| user.id == entry.user).unwrap()
                    });
                    let Some((name, true, groups)) = people.get(&n) else {
                        prop_assert!(user.is_none_or(|user| user.status == Status::Deactivated));
                        continue;
                    };
                    let is_right = user.is_some_and(|user| {
                        let names = GROUPS.iter().filter(|(n, _)| groups.contains(n));
                        let names: BTreeSet<_> =
                            names.map(|(_, name)| name.parse().unwrap()).collect();
                        let role = if groups.contains(&101) { Role::Admin } else { Role::User };
                        user.email.local_part() == NAMES[usize::from(*name)]
                            && user.status != Status::Deactivated
                            && (&user.groups, user.role) == (&names, role)
                    });
                    differ += usize::from(!is_right);
                }
                // Whoever is not is named.
                prop_assert_eq!(differ, conflicts);
            }
        }
    }
}
