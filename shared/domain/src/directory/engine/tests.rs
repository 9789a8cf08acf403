use super::*;
use crate::directory::provider::{GroupRole, Protocol, default_mapping};
use crate::id::{IdentityId, IdentityProviderId, TenantId, UserId};
use crate::ports::Entropy;
use crate::secret::Secret;
use crate::text::GroupName;
use jiff::Timestamp;
use std::collections::BTreeSet;

struct Bytes(u8);
impl Entropy for Bytes {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0);
    }
}

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn settings(adopt_existing: bool) -> Settings {
    let of = |group: &str, role| GroupRole { group: group.parse().unwrap(), role };
    Settings {
        name: "Entra ID".parse().unwrap(),
        protocol: Protocol::Scim { mapping: default_mapping() },
        enabled: true,
        group_roles: vec![of("Admins", Role::Admin), of("Desk", Role::HelpDesk)],
        adopt_existing,
    }
}

fn link(n: u8) -> DirectoryLink {
    DirectoryLink {
        provider: IdentityProviderId::from_bytes([n; 16]),
        entry: UserId::from_bytes([n; 16]),
    }
}

fn groups(names: &[&str]) -> BTreeSet<GroupName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn person(names: &[&str]) -> Person {
    Person {
        email: "ann@globex.example".parse().unwrap(),
        first_name: "Ann".parse().unwrap(),
        last_name: "Lee".parse().unwrap(),
        mobile: None,
        phone: None,
        attributes: crate::attribute::UserAttributes::new(),
        active: true,
        groups: groups(names),
    }
}

fn off(names: &[&str]) -> Person {
    Person { active: false, ..person(names) }
}

fn at(address: &str, names: &[&str]) -> Person {
    Person { email: address.parse().unwrap(), ..person(names) }
}

/// The user that the person becomes when it is new.
fn user(person: &Person) -> User {
    let Ok(Verdict::Create(new)) = arrive(&settings(false), person, None, link(1)) else {
        panic!("somebody new")
    };
    let invited = new
        .has_console()
        .then(|| (IdentityId::from_bytes([1; 16]), Secret::from_bytes([1; 32]).hash()));
    let tenant = TenantId::from_bytes([1; 16]);
    let user = User::new(tenant, new, Source::Directory, invited, NOW, &Bytes(1));
    arrived(user, person, link(1))
}

/// The same, who has accepted the invitation.
fn member(person: &Person) -> User {
    User { status: Status::Active, invitation: None, ..user(person) }
}

fn manual(role: Role) -> User {
    let known = person(if role == Role::User { &[] } else { &["Admins"] });
    User { source: Source::Manual, directory: None, role, ..member(&known) }
}

fn followed(user: &User, person: &Person) -> (User, Move) {
    match follow(&settings(false), person, user, None) {
        Ok(Verdict::Change(next, moves)) => (*next, moves),
        Ok(Verdict::Unchanged) => (user.clone(), Move::Stays),
        other => panic!("{other:?}"),
    }
}

#[test]
fn somebody_new_has_the_role_of_the_groups() {
    let none = user(&person(&[]));
    assert_eq!((none.role, none.status), (Role::User, Status::Active));
    assert_eq!((none.source, none.directory), (Source::Directory, Some(link(1))));
    let desk = user(&person(&["desk", "Staff"]));
    assert_eq!((desk.role, desk.status), (Role::HelpDesk, Status::Invited));
    assert_eq!(desk.groups, groups(&["Staff", "desk"]));
    // Off, or not of a business: no console.
    let idle = user(&off(&["Admins"]));
    assert_eq!((idle.role, idle.status), (Role::User, Status::Deactivated));
    let private = user(&at("ann@gmail.com", &["Admins"]));
    assert_eq!((private.role, private.status), (Role::User, Status::Active));
}

#[test]
fn a_change_of_groups_is_a_change_of_role() {
    let ann = user(&person(&[]));
    let (desk, moves) = followed(&ann, &person(&["Desk"]));
    assert_eq!((desk.role, desk.status, moves), (Role::HelpDesk, Status::Invited, Move::Enters));
    assert_eq!((desk.version, desk.sessions), (2, 1));
    let desk = member(&person(&["Desk"]));
    let (admin, moves) = followed(&desk, &person(&["Desk", "Admins"]));
    assert_eq!((admin.role, admin.status, moves), (Role::Admin, Status::Active, Move::Stays));
    assert_eq!(admin.sessions, desk.sessions + 1, "what was opened under the old role is over");
    let (plain, moves) = followed(&desk, &person(&[]));
    assert_eq!((plain.role, plain.status, moves), (Role::User, Status::Active, Move::Leaves));
    assert_eq!(plain.identity, None);
    // Chosen by an administrator.
    let pinned = User { role_pinned: true, ..desk.clone() };
    assert_eq!(followed(&pinned, &person(&[])).0.role, Role::HelpDesk);
    assert_eq!(followed(&pinned, &person(&["Admins"])).0.role, Role::HelpDesk);
    assert_eq!(follow(&settings(false), &person(&["Desk"]), &desk, None), Ok(Verdict::Unchanged));
}

#[test]
fn off_and_on_again() {
    let desk = member(&person(&["Desk"]));
    let (idle, moves) = followed(&desk, &off(&["Desk"]));
    assert_eq!((idle.role, idle.status, moves), (Role::HelpDesk, Status::Deactivated, Move::Stays));
    assert_eq!(idle.sessions, desk.sessions + 1);
    // A higher role comes with being on only; a console is lost at once.
    assert_eq!(followed(&idle, &off(&["Admins"])).0.role, Role::HelpDesk);
    let (gone, moves) = followed(&idle, &off(&[]));
    assert_eq!((gone.role, gone.status, moves), (Role::User, Status::Deactivated, Move::Leaves));
    let (back, moves) = followed(&idle, &person(&["Desk"]));
    assert_eq!((back.status, moves), (Status::Active, Move::Stays));
    // An invitation that was not accepted is taken back, and given anew.
    let invited = user(&person(&["Desk"]));
    let (idle, moves) = followed(&invited, &off(&["Desk"]));
    assert_eq!((idle.status, idle.identity, moves), (Status::Deactivated, None, Move::Leaves));
    let (back, moves) = followed(&idle, &person(&["Desk"]));
    assert_eq!((back.status, moves), (Status::Invited, Move::Enters));
}

#[test]
fn a_super_admin_is_left_alone() {
    let boss = User { role: Role::SuperAdmin, role_pinned: true, ..member(&person(&["Admins"])) };
    let same = follow(&settings(true), &person(&["Admins"]), &boss, None);
    assert_eq!(same, Ok(Verdict::Unchanged));
    for person in [off(&["Admins"]), person(&[]), at("eve@globex.example", &["Admins"])] {
        let told = follow(&settings(true), &person, &boss, None);
        assert_eq!(told, Err(Conflict::SuperAdmin), "{person:?}");
    }
    let present = manual(Role::SuperAdmin);
    let told = arrive(&settings(true), &person(&["Admins"]), Some(&present), link(1));
    assert_eq!(told, Err(Conflict::Taken));
}

#[test]
fn an_address_that_is_taken_is_a_conflict_unless_it_is_adopted() {
    let ann = manual(Role::User);
    let judge = |adopt, person: &Person, present: &User| {
        arrive(&settings(adopt), person, Some(present), link(1))
    };
    assert_eq!(judge(false, &person(&[]), &ann), Err(Conflict::Taken));
    let Ok(Verdict::Change(adopted, Move::Enters)) = judge(true, &person(&["Desk"]), &ann) else {
        panic!("adopted")
    };
    assert_eq!((adopted.source, adopted.directory), (Source::Directory, Some(link(1))));
    assert_eq!((adopted.role, adopted.role_pinned), (Role::HelpDesk, false));
    // What an administrator gave, the directory neither takes nor raises.
    let admin = manual(Role::ReadOnly);
    let Ok(Verdict::Change(adopted, Move::Stays)) = judge(true, &person(&["Admins"]), &admin)
    else {
        panic!("adopted")
    };
    assert_eq!((adopted.role, adopted.role_pinned), (Role::ReadOnly, true));
    // Never another directory's.
    let theirs = User { directory: Some(link(2)), ..member(&person(&[])) };
    assert_eq!(judge(true, &person(&[]), &theirs), Err(Conflict::OtherDirectory));
    let own = member(&person(&[]));
    assert_eq!(judge(true, &person(&[]), &own), Err(Conflict::Taken));
}

#[test]
fn another_address_is_somebody_else() {
    let pinned = User { role_pinned: true, role: Role::Admin, ..member(&person(&["Desk"])) };
    let moved = at("ann.lee@globex.example", &["Desk"]);
    let Ok(Verdict::Replace(new)) = follow(&settings(false), &moved, &pinned, None) else {
        panic!("replaced")
    };
    assert_eq!(new.role, Role::HelpDesk, "whoever has the new address was chosen by nobody");
    let other = manual(Role::User);
    for adopt in [false, true] {
        let told = follow(&settings(adopt), &moved, &pinned, Some(&other));
        assert_eq!(told, Err(Conflict::Taken));
    }
}
