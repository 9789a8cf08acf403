//! A super admin for a company that has none who can act: appointed a day after it was announced, once.

use crate::at_every_crash;
use crate::recoveries::{ADDRESS, Company, company, enrol, swept};
use belfry_domain::account::{
    Identity, IdleLimit, Link, LinkPurpose, MOST_USERS, Role, Source, Status, Tenant, User,
};
use belfry_domain::language::Language;
use belfry_domain::policy::{Action, Actor, Origin};
use belfry_domain::recovery::Stage;
use belfry_domain::secret::Secret;
use belfry_store::accounts::Invitation;
use belfry_store::keys;
use belfry_testkit::Member;
use jiff::SignedDuration;
use serde_json::{Value, json};

const DONE: &str = "What the vendor was asked to do at Globex in Belfry was done";
const MOOT: &str = "What the vendor was asked to do at Globex in Belfry is no longer needed";
const INVITED: &str = "Activate your Belfry account at Globex";
const ENABLED: &str = "Two-factor authentication is on for your Belfry account";
const ACTIVATE: &str = "https://console.example/activate#";

/// What Zoe is to the company before she is appointed; none is a stranger.
type Before = Option<(Role, Status, Source)>;

const STRANGER: Before = None;
/// Somebody who was added by hand.
const fn is(role: Role, status: Status) -> (Role, Status, Source) {
    (role, status, Source::Manual)
}

/// Everybody who can be appointed, and whether an invitation is needed for it.
const APPOINTED: [(Before, bool); 11] = [
    (STRANGER, true),
    (Some(is(Role::Admin, Status::Active)), false),
    (Some(is(Role::HelpDesk, Status::Active)), false),
    (Some(is(Role::ReadOnly, Status::Deactivated)), false),
    (Some(is(Role::SuperAdmin, Status::Deactivated)), false),
    (Some((Role::Admin, Status::Active, Source::Directory)), false),
    (Some((Role::Admin, Status::Active, Source::Csv)), false),
    (Some(is(Role::Admin, Status::Invited)), true),
    (Some(is(Role::SuperAdmin, Status::Invited)), true),
    (Some(is(Role::User, Status::Active)), true),
    (Some(is(Role::User, Status::Deactivated)), true),
];

fn mail(to: &str, subject: &str) -> (String, String) {
    (format!("{to}@globex.example"), subject.to_owned())
}

impl Company {
    async fn with(before: Before) -> (Self, Option<Member>) {
        let company = company().await;
        let zoe = match before {
            Some((role, status, source)) => Some(company.zoe(role, status, source).await),
            None => None,
        };
        (company, zoe)
    }

    /// Whoever has Zoe's address in the company.
    async fn appointee(&self) -> Option<User> {
        let found = self.world().table().user_at(self.tenant, &ADDRESS.parse().unwrap()).await;
        match found.unwrap() {
            Some(id) => Some(self.user(id).await),
            None => None,
        }
    }

    /// What the link in a mail leads to.
    async fn invitation(&self, mails: &[[String; 3]]) -> Option<Invitation> {
        let text = mails.iter().find_map(|[_, _, text]| text.split_once(ACTIVATE));
        let secret = text?.1.split_whitespace().next().unwrap();
        assert!(!self.world().db.holds(secret), "the link is stored hashed and sealed only");
        let hash = secret.parse::<Secret>().unwrap().hash();
        self.world().table().invitation(&hash).await.unwrap()
    }
}

#[tokio::test]
async fn whoever_has_the_address_becomes_super_admin() {
    for (before, invited) in APPOINTED {
        let (company, zoe) = Company::with(before).await;
        let world = company.world();
        let (was, counted) = (company.appointee().await, company.tenant().await);
        let session = match (&was, &zoe) {
            (Some(user), Some(zoe)) if user.identity.is_some() => Some(world.session(zoe).await.0),
            _ => None,
        };
        let (recovery, _) = company.announced(&company.appoint()).await;
        world.wait(86_399);
        assert_eq!(company.sweep().await, (0, 0));
        assert_eq!(
            (company.appointee().await, company.tenant().await.users),
            (was.clone(), counted.users)
        );
        world.wait(2);

        assert_eq!(company.sweep().await, (1, 0), "{before:?}");

        assert_eq!(company.stage(&recovery).await, Stage::Done);
        let user = company.appointee().await.unwrap();
        let status = if invited { Status::Invited } else { Status::Active };
        assert_eq!((user.role, user.status), (Role::SuperAdmin, status), "{before:?}");
        assert!(user.two_factor_required);
        let now = company.tenant().await;
        assert_eq!(now.users, counted.users + u32::from(was.is_none()));
        let admins = counted.super_admins + u32::from(!invited);
        assert_eq!(now.super_admins, admins, "{before:?}: counted once it can act");
        let identity = user.identity.unwrap();
        let person: Identity = world.get(&keys::identity(identity)).await.unwrap();
        assert_eq!(person.email.as_str(), ADDRESS);
        if let (Some(was), Some(session)) = (&was, session) {
            assert!(user.version > was.version);
            assert_eq!((user.id, user.identity), (was.id, was.identity));
            assert_eq!(user.first_name, was.first_name, "who is known keeps the own name");
            let over = (was.role, was.status) != (user.role, user.status);
            assert_eq!(session.still_counts(&person, &user), !over, "{before:?}");
        }

        let mails = world.posted().await;
        let mut told: Vec<_> =
            mails.iter().map(|[to, subject, _]| (to.clone(), subject.clone())).collect();
        told.sort();
        let hers = if invited { INVITED } else { ENABLED };
        assert_eq!(told, [mail("office", DONE), mail("zoe", hers)], "{before:?}");
        let invitation = company.invitation(&mails).await;
        assert_eq!(invitation.is_some(), invited, "{before:?}");
        if let Some(invitation) = invitation {
            assert_eq!((invitation.user, invitation.identity), (user.clone(), person));
            assert_eq!(invitation.link.valid_until, world.now() + SignedDuration::from_hours(72));
            let memberships = world.table().memberships(identity).await.unwrap();
            assert_eq!(memberships, [], "not accepted yet");
        }

        let (action, changes) = company.office.record(company.tenant).await;
        assert_eq!(action, "recovery.appoint_super_admin");
        let mut expected = json!([{"field": "recovery", "to": recovery.id}]);
        let expected = expected.as_array_mut().unwrap();
        if let Some(was) = &was {
            expected.extend([
                json!({"field": "role", "from": was.role.name(), "to": "super_admin"}),
                json!({"field": "status", "from": was.status.name(), "to": status.name()}),
                json!({"field": "two_factor_required", "from": false, "to": true}),
            ]);
        } else {
            expected.push(json!({"field": "role", "to": "super_admin"}));
        }
        assert_eq!(changes.as_array().unwrap(), expected, "{before:?}");
        let trail = company.office.trail(company.tenant).await;
        let (record, personal) = trail.last().unwrap();
        assert_eq!(record["entity"], json!({"kind": "user", "id": user.id}));
        assert!(!record.to_string().contains("zoe"), "an address can be erased");
        assert_eq!(personal["values"]["email"], ADDRESS);

        for _ in 0..2 {
            world.wait(86_400);
            let table = world.db.dump();
            assert_eq!(company.sweep().await, (0, 0));
            assert_eq!(world.db.dump(), table, "{before:?}: once");
        }
    }
}

#[tokio::test]
async fn a_stranger_is_who_the_operator_says() {
    let company = company().await;
    let world = company.world();
    let tenant = Tenant { language: Language::Ko, ..company.tenant().await };
    world.put(&keys::tenant(company.tenant), &tenant).await;
    company.announced(&company.appoint()).await;
    company.let_a_day_go_by();
    assert_eq!(company.sweep().await, (1, 0));
    let user = company.appointee().await.unwrap();
    assert_eq!((user.first_name.as_str(), user.last_name.as_str()), ("Zoe", "Ray"));
    assert_eq!(user.mobile.as_ref().unwrap().as_str(), "+919876543210");
    assert_eq!((user.source, user.created_at), (Source::Manual, world.now()));
    let person: Identity = world.get(&keys::identity(user.identity.unwrap())).await.unwrap();
    assert_eq!((person.password, person.language), (None, Language::Ko), "as the company's");
}

#[tokio::test]
async fn a_stranger_who_is_known_elsewhere_stays_the_same_person() {
    let company = company().await;
    let world = company.world();
    let initech = world.tenant("Initech").await;
    let zoe = world.member(initech, ADDRESS, Role::ReadOnly).await;
    world.change_person(&zoe, |person| person.language = Language::Ja).await;
    let person: Identity = world.get(&keys::identity(zoe.identity)).await.unwrap();
    company.announced(&company.appoint()).await;
    company.let_a_day_go_by();
    assert_eq!(company.sweep().await, (1, 0));
    assert_eq!(company.appointee().await.unwrap().identity, Some(zoe.identity));
    assert_eq!(world.get(&keys::identity(zoe.identity)).await, Some(person));
    let told = company.told().await;
    let hers = mail("zoe", "【Belfry】Globex アカウント有効化のお願い");
    assert_eq!(told, [mail("office", DONE), hers], "in the own language");
}

/// The link before was for another role, or may be over.
#[tokio::test]
async fn a_new_link_voids_the_one_before() {
    let (company, _) = Company::with(Some(is(Role::Admin, Status::Invited))).await;
    let world = company.world();
    let old = company.appointee().await.unwrap();
    let link = Link {
        identity: old.identity.unwrap(),
        purpose: LinkPurpose::Activation { tenant: company.tenant, user: old.id },
        valid_until: world.now() + SignedDuration::from_hours(72),
    };
    let hash = old.invitation.unwrap();
    world.put(&keys::link(&hash), &link).await;
    assert!(world.table().invitation(&hash).await.unwrap().is_some());
    company.announced(&company.appoint()).await;
    company.let_a_day_go_by();
    assert_eq!(company.sweep().await, (1, 0));
    assert!(world.table().invitation(&hash).await.unwrap().is_none());
}

#[tokio::test]
async fn who_had_a_second_factor_required_is_not_told_of_it_again() {
    let (company, zoe) = Company::with(Some(is(Role::Admin, Status::Active))).await;
    company.world().change(&zoe.unwrap(), |user| user.two_factor_required = true).await;
    company.announced(&company.appoint()).await;
    company.let_a_day_go_by();
    assert_eq!(company.sweep().await, (1, 0));
    assert_eq!(company.told().await, [mail("office", DONE)]);
    assert_eq!(company.appointee().await.unwrap().role, Role::SuperAdmin);
}

/// What has happened within the day, so that nobody is appointed.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    SheIsOneAlready,
    TwoCanHelp,
    NoRoom,
    TheDirectoryDeactivatedHer,
}

#[tokio::test]
async fn what_is_not_needed_or_not_possible_any_more_is_not_done() {
    use Meanwhile::{NoRoom, SheIsOneAlready, TheDirectoryDeactivatedHer, TwoCanHelp};
    for what in [SheIsOneAlready, TwoCanHelp, NoRoom, TheDirectoryDeactivatedHer] {
        let company = company().await;
        let world = company.world();
        let (recovery, _) = company.announced(&company.appoint()).await;
        match what {
            SheIsOneAlready => {
                company.zoe(Role::SuperAdmin, Status::Active, Source::Manual).await;
            }
            TwoCanHelp => {
                for email in ["tom@globex.example", "kim@globex.example"] {
                    world.member(company.tenant, email, Role::SuperAdmin).await;
                }
            }
            NoRoom => {
                let tenant = Tenant { users: MOST_USERS, ..company.tenant().await };
                world.put(&keys::tenant(company.tenant), &tenant).await;
            }
            TheDirectoryDeactivatedHer => {
                company.zoe(Role::Admin, Status::Deactivated, Source::Directory).await;
            }
        }
        let (zoe, tenant) = (company.appointee().await, company.tenant().await);
        company.let_a_day_go_by();
        assert_eq!(company.sweep().await, (1, 0), "{what:?}");
        assert_eq!(company.stage(&recovery).await, Stage::Moot, "{what:?}");
        assert_eq!((company.appointee().await, company.tenant().await), (zoe, tenant), "{what:?}");
        assert_eq!(company.told().await, [mail("office", MOOT)], "{what:?}");
        let (action, changes) = company.office.record(company.tenant).await;
        assert_eq!(action, "recovery.appoint_super_admin");
        let expected = json!([{"field": "recovery", "to": recovery.id},
            {"field": "remedy", "to": "appoint"},
            {"field": "stage", "from": "announced", "to": "moot"}]);
        assert_eq!(changes, expected, "{what:?}");
        world.wait(86_400);
        assert_eq!(company.sweep().await, (0, 0), "{what:?}");
    }
}

#[tokio::test]
async fn a_full_company_has_room_for_the_last_one_and_for_whom_it_has() {
    for (before, users) in
        [(STRANGER, MOST_USERS - 1), (Some(is(Role::Admin, Status::Active)), MOST_USERS)]
    {
        let (company, _) = Company::with(before).await;
        let tenant = Tenant { users, ..company.tenant().await };
        company.world().put(&keys::tenant(company.tenant), &tenant).await;
        let (recovery, _) = company.announced(&company.appoint()).await;
        company.let_a_day_go_by();
        assert_eq!(company.sweep().await, (1, 0));
        assert_eq!(company.stage(&recovery).await, Stage::Done);
        assert_eq!(company.tenant().await.users, MOST_USERS);
    }
}

/// One who can log in, as far as can be seen, may be gone all the same.
#[tokio::test]
async fn one_super_admin_who_seems_able_is_no_obstacle() {
    let company = company().await;
    enrol(company.world(), &company.sue, false).await;
    let (recovery, _) = company.announced(&company.appoint()).await;
    company.let_a_day_go_by();
    assert_eq!(company.sweep().await, (1, 0));
    assert_eq!(company.stage(&recovery).await, Stage::Done);
}

/// A sweep that dies before or after each call leaves all done or nothing, and the next one ends it.
#[tokio::test]
async fn a_sweep_that_crashes_appoints_once() {
    for (before, invited) in [0, 1, 8].map(|n| APPOINTED[n]) {
        let (mut nothing, mut all) = (0, 0);
        let crashes = at_every_crash(async |crash| {
            let (company, _) = Company::with(before).await;
            let world = company.world();
            let (was, counted) = (company.appointee().await, company.tenant().await);
            let (recovery, told) = company.announced(&company.appoint()).await;
            company.let_a_day_go_by();
            let whole = async || {
                let done = company.stage(&recovery).await == Stage::Done;
                let (user, tenant) = (company.appointee().await, company.tenant().await);
                assert_eq!(user != was, done);
                let super_admin =
                    |user: &User| user.role == Role::SuperAdmin && user.two_factor_required;
                assert_eq!(user.as_ref().is_some_and(super_admin), done);
                let version = |user: &Option<User>| user.as_ref().map_or(0, |user| user.version);
                assert_eq!(version(&user), version(&was) + u64::from(done), "once");
                assert_eq!(tenant.users, counted.users + u32::from(done && was.is_none()));
                let admins = counted.super_admins + u32::from(done && !invited);
                assert_eq!(tenant.super_admins, admins);
                let links = world.db.dump_of("L#").len() - 1;
                assert_eq!(links, usize::from(done && invited));
                let mails = world.db.dump_of("O#").len() - told.len();
                let records = company.office.trail(company.tenant).await.len() - 1;
                assert_eq!((records, mails), (usize::from(done), 2 * usize::from(done)));
                done
            };
            let swept = swept(&company.office.dying(&crash)).await;
            let done = whole().await;
            (nothing, all) = (nothing + usize::from(!done), all + usize::from(done));
            assert_eq!(company.sweep().await, (u64::from(!done), 0));
            assert!(whole().await);
            assert_eq!(company.sweep().await, (0, 0));
            swept.is_ok_and(|swept| swept == (1, 0))
        });
        assert!(crashes.await >= 28 && nothing >= 15 && all >= 1, "{before:?} {nothing} {all}");
    }
}

/// The link was followed while the day was not over, and the sweep came in between.
#[tokio::test(start_paused = true)]
async fn what_is_stopped_at_the_last_moment_appoints_nobody() {
    for (before, _) in APPOINTED {
        let (company, _) = Company::with(before).await;
        let (recovery, _) = company.announced(&company.appoint()).await;
        company.let_a_day_go_by();
        company.is_stopped_at_last(&recovery).await;
    }
}

/// Somebody adds her between the look and the write: the next sweep promotes her.
#[tokio::test(start_paused = true)]
async fn a_stranger_who_is_added_meanwhile_is_promoted() {
    let company = company().await;
    let (recovery, _) = company.announced(&company.appoint()).await;
    company.let_a_day_go_by();
    let rival = async {
        company.zoe(Role::HelpDesk, Status::Active, Source::Manual).await;
    };
    assert_eq!(company.sweep_against(rival).await, (1, 1));
    let zoe = company.appointee().await.unwrap();
    assert_eq!((zoe.role, company.stage(&recovery).await), (Role::HelpDesk, Stage::Announced));
    assert_eq!(company.sweep().await, (1, 0));
    let promoted = company.appointee().await.unwrap();
    assert_eq!((promoted.id, promoted.role), (zoe.id, Role::SuperAdmin));
    let records = company.office.trail(company.tenant).await;
    let of_it = |(record, _): &&(Value, Value)| record["action"] == "recovery.appoint_super_admin";
    assert_eq!(records.iter().filter(of_it).count(), 2, "the announcement and the promotion");
}

/// Who is deleted and erased is named nowhere any longer, neither by the announcement.
#[tokio::test]
async fn an_erased_appointee_is_named_by_no_record() {
    for before in [Some(is(Role::Admin, Status::Active)), STRANGER] {
        let (company, _) = Company::with(before).await;
        let world = company.world();
        company.announced(&company.appoint()).await;
        company.let_a_day_go_by();
        assert_eq!(company.sweep().await, (1, 0));
        let zoe = company.appointee().await.unwrap();
        let tom = world.member(company.tenant, "tom@globex.example", Role::SuperAdmin).await;
        let (session, _) = world.session(&tom).await;
        let person = world.get(&keys::identity(tom.identity)).await.unwrap();
        let user = company.user(tom.user).await;
        let (idle, origin, now) = (IdleLimit::default(), Origin::default(), world.now());
        let actor = Actor::of(&session, &person, &user, idle, now, origin).unwrap();
        let grant = actor.may(Action::EraseUser(Role::SuperAdmin)).unwrap();
        world.table().erase_traces(&grant, &zoe, now).await.unwrap();
        let kinds = ["audit", "audit_personal", "recovery"];
        let items = world.db.dump_of(&format!("T#{}", company.tenant));
        let named: Vec<_> = items
            .iter()
            .filter(|item| item.to_string().contains(ADDRESS))
            .filter_map(|item| kinds.into_iter().find(|kind| item["et"]["S"] == *kind))
            .collect();
        assert_eq!(named, [] as [&str; 0], "{before:?}");
    }
}

/// The one of the announcement is gone; whoever has the address becomes super admin as somebody new.
#[tokio::test]
async fn who_was_deleted_meanwhile_is_added_anew() {
    let (company, zoe) = Company::with(Some(is(Role::Admin, Status::Active))).await;
    let (world, zoe) = (company.world(), zoe.unwrap());
    let (recovery, _) = company.announced(&company.appoint()).await;
    world.change(&zoe, |user| *user = user.archived().unwrap()).await;
    world.remove(&keys::tenant_email(company.tenant, &zoe.email)).await;
    world.remove(&keys::membership(zoe.identity, company.tenant)).await;
    let deleted = company.user(zoe.user).await;
    company.let_a_day_go_by();
    assert_eq!(company.sweep().await, (1, 0));
    assert_eq!(company.stage(&recovery).await, Stage::Done);
    let added = company.appointee().await.unwrap();
    assert_eq!((added.role, added.status), (Role::SuperAdmin, Status::Invited));
    assert_ne!(added.id, deleted.id);
    assert_eq!(company.user(zoe.user).await, deleted, "kept as it was, for the trail");
}
