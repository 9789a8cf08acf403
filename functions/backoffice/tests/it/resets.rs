//! The second factor of a company's last super admin: reset a day after it was announced, once.

use crate::recoveries::{Company, company, enrol, swept};
use crate::{at_every_crash, overtaken, said};
use belfry_domain::account::{Identity, Link, LinkPurpose, Role, Status};
use belfry_domain::id::TenantId;
use belfry_domain::recovery::{Recovery, Stage};
use belfry_domain::secret::Secret;
use belfry_store::keys;
use belfry_testkit::gate::Open;
use belfry_testkit::{Call, Turnstile, Verdict};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

const RESET: &str = "Two-factor authentication for your Belfry account was reset";
const OFFERED: &str = "Globex asks to reset your two-factor authentication for Belfry";
const DONE: &str = "What the vendor was asked to do at Globex in Belfry was done";
const MOOT: &str = "What the vendor was asked to do at Globex in Belfry is no longer needed";
const AGREE: &str = "https://console.example/reset-two-factor#";

fn mail(to: &str, subject: &str) -> (String, String) {
    (format!("{to}@globex.example"), subject.to_owned())
}

impl Company {
    async fn person(&self) -> Identity {
        self.world().get(&keys::identity(self.sue.identity)).await.unwrap()
    }

    /// Makes Sue somebody's in another company too.
    async fn sue_elsewhere(&self, role: Role, status: Status) -> TenantId {
        let elsewhere = self.world().tenant("Initech").await;
        let other = self.world().member(elsewhere, "sue@globex.example", role).await;
        self.world().change(&other, |user| user.status = status).await;
        elsewhere
    }

    /// The records of what was done, beside the announcement: the fields that changed.
    async fn done(&self) -> Vec<Value> {
        let trail = self.office.trail(self.tenant).await.into_iter();
        let mut records: Vec<_> = trail.map(|(mut record, _)| record["changes"].take()).collect();
        assert_eq!(records.remove(0)[1]["field"], "remedy");
        records
    }
}

#[tokio::test]
async fn nothing_happens_before_the_day_is_over_and_then_it_happens_once() {
    let company = company().await;
    let world = company.world();
    let (session, _) = world.session(&company.sue).await;
    let (person, user) = (company.person().await, company.user(company.sue.user).await);
    let counted = company.tenant().await.super_admins;
    let (recovery, _) = company.announced(&company.reset()).await;
    for _ in 0..3 {
        let before = world.db.dump();
        assert_eq!(company.sweep().await, (0, 0));
        assert_eq!(world.db.dump(), before);
        world.wait(28_799);
    }
    assert_eq!(company.person().await, person);
    world.wait(4);

    assert_eq!(company.sweep().await, (1, 0));

    assert_eq!(company.stage(&recovery).await, Stage::Done);
    let (after, now) = (company.person().await, company.user(company.sue.user).await);
    assert_eq!(after.second_factor, None);
    assert_eq!((after.version, after.sessions), (person.version + 1, person.sessions + 1));
    assert!(!session.still_counts(&after, &now), "the sessions are over");
    assert_eq!((after.password, after.email), (person.password, person.email));
    assert_eq!((now.role, now.status), (user.role, user.status), "the last one stays what she is");
    assert_eq!((now.factor, now.two_factor_required), (None, user.two_factor_required));
    assert_eq!(company.tenant().await.super_admins, counted);
    assert_eq!(company.told().await, [mail("office", DONE), mail("sue", RESET)]);
    let (action, changes) = company.office.record(company.tenant).await;
    assert_eq!(action, "recovery.reset_super_admin");
    let expected = json!([{"field": "recovery", "to": recovery.id},
        {"field": "two_factor", "to": "reset"}]);
    assert_eq!(changes, expected);

    // Who enrols anew keeps that, however often the clock comes round.
    enrol(world, &company.sue, true).await;
    for _ in 0..3 {
        world.wait(86_400);
        let before = world.db.dump();
        assert_eq!(company.sweep().await, (0, 0));
        assert_eq!(world.db.dump(), before);
    }
    assert_eq!(company.office.log().len(), 1, "the log has the command");
}

#[tokio::test]
async fn it_acts_from_the_announced_moment_on() {
    for (seconds, due) in [(86_399, 0), (86_401, 1), (30 * 86_400, 1)] {
        let company = company().await;
        company.announced(&company.reset()).await;
        company.world().wait(seconds);
        assert_eq!(company.sweep().await, (due, 0), "{seconds}");
        assert_eq!(company.person().await.second_factor.is_none(), due == 1);
    }
}

/// A sweep that dies before or after each call leaves all done or nothing, and the next one ends it.
#[tokio::test]
async fn a_sweep_that_crashes_resets_once() {
    for elsewhere in [false, true] {
        let (mut before, mut after) = (0, 0);
        let crashes = at_every_crash(async |crash| {
            let company = company().await;
            let world = company.world();
            if elsewhere {
                company.sue_elsewhere(Role::ReadOnly, Status::Active).await;
            }
            let person = company.person().await;
            let (recovery, told) = company.announced(&company.reset()).await;
            company.let_a_day_go_by();
            let whole = async || {
                let done = usize::from(company.stage(&recovery).await == Stage::Done);
                let (now, user) = (company.person().await, company.user(company.sue.user).await);
                let reset = now.second_factor.is_none();
                assert_eq!(reset, done == 1 && !elsewhere);
                assert_eq!(user.factor.is_none(), reset);
                assert_eq!(user.two_factor_reset.is_some(), done == 1 && elsewhere);
                assert_eq!(now.version, person.version + u64::from(reset), "once");
                let mails = world.db.dump_of("O#").len() - told.len();
                assert_eq!((company.done().await.len(), mails), (done, 2 * done));
                done
            };
            let swept = swept(&company.office.dying(&crash)).await;
            let done = whole().await;
            (before, after) = (before + 1 - done, after + done);
            assert_eq!(company.sweep().await, (1 - u64::try_from(done).unwrap(), 0));
            assert_eq!(whole().await, 1);
            assert_eq!(company.sweep().await, (0, 0));
            swept.is_ok_and(|swept| swept == (1, 0))
        });
        assert!(crashes.await >= 30 && before >= 16 && after >= 1, "{before} {after}");
    }
}

/// What other companies require of a person is not this one's to take away.
#[tokio::test]
async fn who_is_in_another_company_too_is_asked_to_agree() {
    let company = company().await;
    let world = company.world();
    let elsewhere = company.sue_elsewhere(Role::ReadOnly, Status::Active).await;
    let person = company.person().await;
    let (recovery, _) = company.announced(&company.reset()).await;
    company.let_a_day_go_by();
    assert_eq!(company.sweep().await, (1, 0));
    assert_eq!(company.stage(&recovery).await, Stage::Done);
    assert_eq!(company.person().await, person, "the factor stays, and so do the sessions");

    let mails = world.posted().await;
    let [to, subject, text] = mails.iter().find(|[to, ..]| to == "sue@globex.example").unwrap();
    assert_eq!((to.as_str(), subject.as_str()), ("sue@globex.example", OFFERED));
    let (_, link) = text.split_once(AGREE).unwrap_or_else(|| panic!("{text}"));
    let secret = link.split_whitespace().next().unwrap();
    let hash = secret.parse::<Secret>().unwrap().hash();
    assert_eq!(company.user(company.sue.user).await.two_factor_reset, Some(hash));
    let link: Link = world.get(&keys::link(&hash)).await.unwrap();
    let purpose = LinkPurpose::TwoFactorReset { tenant: company.tenant, user: company.sue.user };
    assert_eq!((link.purpose, link.identity), (purpose, company.sue.identity));
    assert_eq!(link.valid_until, world.now() + SignedDuration::from_hours(1));
    assert!(!world.db.holds(secret), "the link is stored hashed and sealed only");
    let other: Vec<_> = mails.iter().filter(|[to, ..]| to != "sue@globex.example").collect();
    assert_eq!(
        (other.len(), &other[0][0], &other[0][1]),
        (1, &"office@globex.example".into(), &DONE.into())
    );
    let expected = json!([{"field": "recovery", "to": recovery.id},
        {"field": "two_factor_reset", "to": "offered"}]);
    let (action, changes) = company.office.record(company.tenant).await;
    assert_eq!((action.as_str(), changes), ("recovery.reset_super_admin", expected));
    assert_eq!(company.office.trail(elsewhere).await.len(), 0);
}

/// Nobody there is asked who can do nothing there; but it is told.
#[tokio::test]
async fn a_company_where_the_person_can_do_nothing_is_told_and_not_asked() {
    for (role, status) in [(Role::Admin, Status::Deactivated), (Role::User, Status::Active)] {
        let company = company().await;
        let elsewhere = company.sue_elsewhere(role, status).await;
        let (recovery, _) = company.announced(&company.reset()).await;
        company.let_a_day_go_by();
        assert_eq!(company.sweep().await, (1, 0));
        assert_eq!(company.stage(&recovery).await, Stage::Done);
        assert_eq!(company.person().await.second_factor, None, "{role:?} {status:?}");
        let door = company.world().db.dump_of(&format!("T#{elsewhere}#AC#"));
        assert_eq!(door.len(), 1, "{role:?} {status:?}");
        assert!(!door[0].to_string().contains("Kim"));
    }
}

/// What happens within the day, and whether it is needed still.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Meanwhile {
    Deleted,
    Demoted,
    Deactivated,
    ResetAlready,
    LoggedIn,
    LoggedInBefore,
    AnotherOne,
    AnotherLockedOne,
    MoreAdmins,
    Unlocked,
}

#[tokio::test]
async fn what_is_not_needed_any_more_is_not_done() {
    use Meanwhile::{
        AnotherLockedOne, AnotherOne, Deactivated, Deleted, Demoted, LoggedIn, LoggedInBefore,
        MoreAdmins, ResetAlready, Unlocked,
    };
    for (what, needed) in [
        (Deleted, false),
        (Demoted, false),
        (Deactivated, false),
        (ResetAlready, false),
        (LoggedIn, false),
        (AnotherOne, false),
        (LoggedInBefore, true),
        (AnotherLockedOne, true),
        (MoreAdmins, true),
        (Unlocked, true),
    ] {
        let company = company().await;
        let world = company.world();
        let login = world.now() - SignedDuration::from_secs(1);
        world.change(&company.sue, |user| user.last_login_at = Some(login)).await;
        let (recovery, _) = company.announced(&company.reset()).await;
        world.wait(60);
        let now = world.now();
        match what {
            Deleted => {
                world.change(&company.sue, |user| *user = user.archived().unwrap()).await;
            }
            Demoted => world.change(&company.sue, |user| user.role = Role::Admin).await,
            Deactivated => {
                world.change(&company.sue, |user| user.status = Status::Deactivated).await;
            }
            ResetAlready => {
                world.change_person(&company.sue, |person| person.second_factor = None).await;
            }
            LoggedIn => {
                world.change(&company.sue, |user| user.last_login_at = Some(now)).await;
            }
            AnotherOne | AnotherLockedOne => {
                let email = "tom@globex.example";
                let tom = world.member(company.tenant, email, Role::SuperAdmin).await;
                enrol(world, &tom, what == AnotherLockedOne).await;
            }
            MoreAdmins => {
                world.member(company.tenant, "kim@globex.example", Role::Admin).await;
            }
            // A telephone that is lost locks nothing.
            Unlocked => enrol(world, &company.sue, false).await,
            LoggedInBefore => {}
        }
        let (person, user) = (company.person().await, company.user(company.sue.user).await);
        company.let_a_day_go_by();
        assert_eq!(company.sweep().await, (1, 0), "{what:?}");
        let stage = if needed { Stage::Done } else { Stage::Moot };
        assert_eq!(company.stage(&recovery).await, stage, "{what:?}");
        if needed {
            assert_eq!(company.person().await.second_factor, None, "{what:?}");
        } else {
            assert_eq!(company.person().await, person, "{what:?}");
            assert_eq!(company.user(company.sue.user).await, user, "{what:?}");
            assert_eq!(company.told().await, [mail("office", MOOT)], "{what:?}");
            let (action, changes) = company.office.record(company.tenant).await;
            assert_eq!(action, "recovery.reset_super_admin");
            let ended = json!({"field": "stage", "from": "announced", "to": "moot"});
            assert_eq!(changes[2], ended, "{what:?}: {changes}");
        }
        world.wait(86_400);
        assert_eq!(company.sweep().await, (0, 0), "{what:?}");
    }
}

impl Company {
    /// A sweep of a day that is over, and what a rival does after its looks and before its write.
    pub(crate) async fn sweep_against(&self, rival: impl Future<Output = ()>) -> (u64, u64) {
        let gate = Arc::new(Turnstile::new());
        let table = self.world().db.shared("backoffice", gate.clone()).table();
        let app = self.office.over(table);
        let task = tokio::spawn(async move { swept(&app).await.unwrap() });
        Box::pin(overtaken(&gate, task, rival)).await
    }

    /// Nothing is done of a recovery that is stopped when its sweep has looked already.
    pub(crate) async fn is_stopped_at_last(&self, recovery: &Recovery) {
        let before = std::cell::Cell::new(Vec::new());
        let rival = async {
            assert!(self.stop_at_last(recovery).await);
            before.set(self.world().db.dump());
        };
        assert_eq!(self.sweep_against(rival).await, (1, 1));
        assert_eq!(self.world().db.dump(), before.take(), "nothing was written after that");
        assert_eq!(self.told().await, []);
        assert_eq!(self.sweep().await, (0, 0));
        assert_eq!(self.stage(recovery).await, Stage::Stopped);
    }
}

/// The link was followed while the day was not over, and the sweep came in between.
#[tokio::test(start_paused = true)]
async fn what_is_stopped_at_the_last_moment_does_not_act() {
    for (elsewhere, moot) in [(false, false), (true, false), (false, true)] {
        let company = company().await;
        if elsewhere {
            company.sue_elsewhere(Role::Admin, Status::Active).await;
        }
        let (recovery, _) = company.announced(&company.reset()).await;
        if moot {
            company.world().change(&company.sue, |user| user.role = Role::Admin).await;
        }
        company.let_a_day_go_by();
        company.is_stopped_at_last(&recovery).await;
    }
}

/// Another change of the person between the look and the write is not undone; the next sweep acts.
#[tokio::test(start_paused = true)]
async fn a_person_that_changes_meanwhile_is_looked_at_again() {
    let company = company().await;
    let world = company.world();
    let (recovery, _) = company.announced(&company.reset()).await;
    company.let_a_day_go_by();
    let rival = world.change_person(&company.sue, |person| *person = person.changed());
    assert_eq!(company.sweep_against(rival).await, (1, 1));
    assert_eq!(company.stage(&recovery).await, Stage::Announced);
    assert!(company.person().await.second_factor.is_some());
    assert_eq!(company.sweep().await, (1, 0));
    assert_eq!(company.person().await.second_factor, None);
    assert_eq!(company.done().await.len(), 1);
}

/// Two sweeps at the same moment.
#[tokio::test(start_paused = true)]
async fn sweeps_at_once_reset_once() {
    let company = company().await;
    let (recovery, _) = company.announced(&company.reset()).await;
    company.let_a_day_go_by();
    let rival = async { assert_eq!(company.sweep().await, (1, 0)) };
    assert_eq!(company.sweep_against(rival).await, (1, 1));
    assert_eq!(company.stage(&recovery).await, Stage::Done);
    assert_eq!(company.told().await, [mail("office", DONE), mail("sue", RESET)]);
    assert_eq!((company.done().await.len(), company.sweep().await), (1, (0, 0)));
}

/// One company's trouble is not another one's.
#[tokio::test]
async fn a_recovery_that_fails_keeps_nobody_from_the_others() {
    let company = company().await;
    let world = company.world();
    let initech = world.tenant("Initech").await;
    let eve = world.member(initech, "eve@initech.example", Role::SuperAdmin).await;
    enrol(world, &eve, true).await;
    let (mine, _) = company.announced(&company.reset()).await;
    let mut reset = company.reset();
    reset["tenant_id"] = json!(initech);
    assert_eq!(company.office.say(&reset).await["status"], "ok");
    company.let_a_day_go_by();
    let tenant = company.tenant.to_string();
    let fails = move |call: &Call| {
        let writes = call.operation == "TransactWriteItems";
        let mine = writes && call.request.to_string().contains(&tenant);
        if mine { Verdict::Fail } else { Verdict::Proceed }
    };
    let app = company.office.over(world.db.client("backoffice", fails).table());
    assert_eq!(swept(&app).await.unwrap(), (2, 1));
    let factor = async |identity| {
        let person: Identity = world.get(&keys::identity(identity)).await.unwrap();
        person.second_factor
    };
    assert_eq!(factor(eve.identity).await, None);
    assert!(factor(company.sue.identity).await.is_some());
    assert_eq!(company.stage(&mine).await, Stage::Announced);
    assert_eq!(company.sweep().await, (1, 0));
    assert_eq!(factor(company.sue.identity).await, None);
}

/// An item that cannot be read counts as failed, and the others are done.
#[tokio::test]
async fn a_damaged_recovery_keeps_nobody_from_the_others() {
    let company = company().await;
    let world = company.world();
    let damage = |_: &str, write: &mut Value| {
        let item = &mut write["Item"];
        if item["et"]["S"] == "recovery" {
            item["stage"]["S"] = "undone".into();
        }
    };
    let initech = world.tenant("Initech").await;
    let eve = world.member(initech, "eve@initech.example", Role::SuperAdmin).await;
    enrol(world, &eve, true).await;
    let transport = world.db.client("backoffice", Open);
    transport.rewrite(damage);
    let mut reset = company.reset();
    reset["tenant_id"] = json!(initech);
    let app = company.office.over(transport.table());
    assert_eq!(said(&app, &reset).await["status"], "ok");
    assert!(transport.stripped() > 0);
    let (mine, _) = company.announced(&company.reset()).await;
    company.let_a_day_go_by();
    assert_eq!(company.sweep().await, (2, 1));
    assert_eq!(company.stage(&mine).await, Stage::Done);
    assert_eq!(company.sweep().await, (1, 1), "it is told every time");
}

#[tokio::test]
async fn a_table_that_does_not_answer_fails_the_sweep() {
    let company = company().await;
    company.announced(&company.reset()).await;
    company.let_a_day_go_by();
    let fails = |call: &Call| {
        if call.operation == "Query" { Verdict::Fail } else { Verdict::Proceed }
    };
    let app = company.office.over(company.world().db.client("backoffice", fails).table());
    swept(&app).await.unwrap_err();
    assert_eq!(company.sweep().await, (1, 0));
}

#[tokio::test]
async fn lost_rings_and_a_sealer_that_is_down() {
    for elsewhere in [false, true] {
        let company = company().await;
        if elsewhere {
            company.sue_elsewhere(Role::Admin, Status::Active).await;
        }
        let (recovery, _) = company.announced(&company.reset()).await;
        company.let_a_day_go_by();
        company.office.sealer.set_down(true);
        let failed = u64::from(elsewhere);
        assert_eq!(company.sweep().await, (1, failed), "a link has to be sealed");
        company.office.sealer.set_down(false);
        company.office.bell.fail_next(2);
        assert_eq!(company.sweep().await, (failed, 0));
        assert_eq!(company.stage(&recovery).await, Stage::Done);
    }
}

/// Demoted between the look and the write: a reset is for super admins, so the next sweep finds it moot.
#[tokio::test(start_paused = true)]
async fn who_is_demoted_at_the_last_moment_is_not_reset() {
    let company = company().await;
    let world = company.world();
    let (recovery, _) = company.announced(&company.reset()).await;
    company.let_a_day_go_by();
    let rival = world.change(&company.sue, |user| {
        *user = user.changed();
        user.role = Role::Admin;
    });
    let swept = company.sweep_against(rival).await;
    assert!(company.person().await.second_factor.is_some(), "swept {swept:?}");
    assert_eq!((swept, company.sweep().await), ((1, 1), (1, 0)));
    assert_eq!(company.stage(&recovery).await, Stage::Moot);
}
