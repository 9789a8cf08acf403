//! Recoveries: who is told of one, what refuses it, and what stops it.

use crate::{Office, at_every_crash, command, office, said};
use belfry_domain::account::{Role, Source, Status, Tenant, User};
use belfry_domain::audit::Entry;
use belfry_domain::id::{TenantId, UserId};
use belfry_domain::language::Language;
use belfry_domain::policy::{self, Grant, Origin};
use belfry_domain::recovery::{Recovery, Remedy, Stage};
use belfry_domain::second_factor::{RecoveryCode, SecondFactor, Verdict};
use belfry_domain::secret::Secret;
use belfry_runtime::Error;
use belfry_runtime::events::handle;
use belfry_runtime::metrics::Metrics;
use belfry_store::keys;
use belfry_store::recoveries::ended;
use belfry_testkit::{Member, Turnstile, World, in_lockstep};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const ADDRESS: &str = "zoe@globex.example";
const STOP: &str = "https://console.example/stop-recovery#";

/// A company whose one super admin, Sue, has locked her second factor.
pub(crate) struct Company {
    pub(crate) office: Office,
    pub(crate) tenant: TenantId,
    pub(crate) sue: Member,
}

pub(crate) async fn company() -> Company {
    let office = office();
    let tenant = office.world.tenant("Globex").await;
    let sue = office.world.member(tenant, "sue@globex.example", Role::SuperAdmin).await;
    enrol(&office.world, &sue, true).await;
    Company { office, tenant, sue }
}

/// Enrols a second factor, and locks it or not.
pub(crate) async fn enrol(world: &World, member: &Member, locked: bool) {
    let codes = RecoveryCode::set(world.entropy.as_ref());
    let mut factor = SecondFactor::enrolled(vec![1], 1, &codes, world.now());
    while locked && !factor.is_locked() {
        let Verdict::Wrong(next) = factor.judge(None) else { panic!("a wrong code") };
        factor = next;
    }
    world.change_person(member, |person| person.second_factor = Some(factor)).await;
}

/// How many recoveries were due, and how many of them failed.
pub(crate) async fn swept(app: &backoffice::App) -> Result<(u64, u64), Error> {
    let mut metrics = Metrics::new("backoffice", "test");
    let swept = handle(app, r#"{"sweep": true}"#, &mut metrics).await?;
    let failed = swept["failed"].as_u64().unwrap();
    let line = metrics.line(app.clock.now());
    assert!(line.contains(&format!(r#""recovery.failed":{failed}.0"#)), "{line}");
    Ok((swept["due"].as_u64().unwrap(), failed))
}

impl Company {
    pub(crate) const fn world(&self) -> &World {
        &self.office.world
    }

    pub(crate) fn reset(&self) -> Value {
        command("reset_super_admin", json!({"tenant_id": self.tenant}))
    }

    /// To make Zoe super admin.
    pub(crate) fn appoint(&self) -> Value {
        let fields = json!({"tenant_id": self.tenant, "first_name": "Zoe", "last_name": "Ray",
            "email": ADDRESS, "mobile": "+91 98765 43210"});
        command("appoint_super_admin", fields)
    }

    /// A recovery that everybody was told of, and the mails.
    pub(crate) async fn announced(&self, command: &Value) -> (Recovery, Vec<[String; 3]>) {
        let answer = self.office.say(command).await;
        let id = answer["recovery"]["id"].as_str().unwrap_or_else(|| panic!("{answer}"));
        let found = self.world().table().recovery(self.tenant, id.parse().unwrap()).await;
        (found.unwrap().unwrap(), self.world().posted().await)
    }

    /// The recovery as it stands.
    pub(crate) async fn stage(&self, recovery: &Recovery) -> Stage {
        let found = self.world().table().recovery(self.tenant, recovery.id).await;
        found.unwrap().unwrap().stage
    }

    pub(crate) async fn sweep(&self) -> (u64, u64) {
        swept(&self.office.app).await.unwrap()
    }

    /// The day after which it acts goes by.
    pub(crate) fn let_a_day_go_by(&self) {
        self.world().wait(86_401);
    }

    pub(crate) async fn tenant(&self) -> Tenant {
        self.world().get(&keys::tenant(self.tenant)).await.unwrap()
    }

    pub(crate) async fn user(&self, id: UserId) -> User {
        self.world().get(&keys::user(self.tenant, id)).await.unwrap()
    }

    /// The addresses that were mailed to since the last look, with the subjects, sorted.
    pub(crate) async fn told(&self) -> Vec<(String, String)> {
        let mails = self.world().posted().await.into_iter();
        let mut told: Vec<_> = mails.map(|[to, subject, _]| (to, subject)).collect();
        told.sort();
        told
    }

    /// Zoe as a user that the company has already.
    pub(crate) async fn zoe(&self, role: Role, status: Status, source: Source) -> Member {
        let (world, tenant) = (self.world(), self.tenant);
        let zoe = world.member(tenant, ADDRESS, role).await;
        let console = role != Role::User;
        let invitation = Secret::new(world.entropy.as_ref()).hash();
        world
            .change(&zoe, |user| {
                user.identity = user.identity.filter(|_| console);
                user.invitation = (status == Status::Invited).then_some(invitation);
                (user.status, user.source) = (status, source);
            })
            .await;
        if status == Status::Invited || !console {
            world.remove(&keys::membership(zoe.identity, tenant)).await;
        }
        if !console {
            world.remove(&keys::email(&zoe.email)).await;
            world.remove(&keys::identity(zoe.identity)).await;
        }
        if role == Role::SuperAdmin && status != Status::Active {
            let found = self.tenant().await;
            let counted = Tenant { super_admins: found.super_admins - 1, ..found };
            world.put(&keys::tenant(tenant), &counted).await;
        }
        zoe
    }

    /// Stops a recovery by a leave that was given for it.
    pub(crate) async fn stop(&self, recovery: &Recovery, grant: &Grant) -> bool {
        let after = recovery.ended(Stage::Stopped);
        let entry = Entry::about("recovery", &recovery.id).changed(
            "stage",
            recovery.stage.name(),
            after.stage.name(),
        );
        let (writes, now) = (ended(recovery, &after).unwrap(), self.world().now());
        let (table, entropy) = (self.world().table(), self.world().entropy.as_ref());
        table.end_recovery(grant, &entry, writes, now, entropy).await.unwrap()
    }

    /// Stops a recovery by its link at the last moment at which that can be asked for.
    pub(crate) async fn stop_at_last(&self, recovery: &Recovery) -> bool {
        let last = recovery.acts_at - SignedDuration::from_millis(1);
        let grant = policy::stop(recovery, last, Origin::default()).unwrap();
        self.stop(recovery, &grant).await
    }
}

/// The secret of the link in a mail.
fn token(text: &str) -> &str {
    let (_, link) = text.split_once(STOP).unwrap_or_else(|| panic!("{text}"));
    link.split_whitespace().next().unwrap()
}

/// Subject of an announcement at Globex.
fn subject(reset: bool, language: Language) -> &'static str {
    match (reset, language) {
        (true, Language::En) => {
            "The vendor will reset a super administrator's two-factor authentication at Globex in \
             Belfry"
        }
        (true, Language::Ja) => "【Belfry】Globex スーパー管理者の二要素認証リセット予定のお知らせ",
        (true, Language::Ko) => "[Belfry] Globex 최고 관리자 2단계 인증 초기화 예정 알림",
        (false, Language::En) => {
            "The vendor will appoint a super administrator at Globex in Belfry"
        }
        (false, Language::Ja) => "【Belfry】Globex スーパー管理者任命予定のお知らせ",
        (false, Language::Ko) => "[Belfry] Globex 최고 관리자 임명 예정 알림",
    }
}

/// Two super admins, admins, and those who are nobody's admin: the last ones are not told.
#[tokio::test]
async fn all_admins_and_the_registered_address_are_told_each_in_their_language() {
    for reset in [true, false] {
        let company = company().await;
        let world = company.world();
        let found = company.tenant().await;
        let tenant = Tenant { language: Language::Ko, ..found };
        world.put(&keys::tenant(company.tenant), &tenant).await;
        for (name, role, status, language) in [
            ("tom", Role::SuperAdmin, Status::Active, Language::Ja),
            ("jun", Role::Admin, Status::Active, Language::Ja),
            ("min", Role::Admin, Status::Active, Language::Ko),
            ("off", Role::Admin, Status::Deactivated, Language::En),
            ("new", Role::Admin, Status::Invited, Language::En),
            ("sup", Role::SuperAdmin, Status::Deactivated, Language::En),
            ("hal", Role::HelpDesk, Status::Active, Language::En),
            ("ray", Role::ReadOnly, Status::Active, Language::En),
            ("use", Role::User, Status::Active, Language::En),
        ] {
            let email = format!("{name}@globex.example");
            let member = world.member(company.tenant, &email, role).await;
            if name == "tom" {
                enrol(world, &member, true).await;
            }
            world.change_person(&member, |person| person.language = language).await;
            world.change(&member, |user| user.status = status).await;
        }
        let elsewhere = world.tenant("Initech").await;
        world.member(elsewhere, "eve@initech.example", Role::SuperAdmin).await;
        let mut command = if reset { company.reset() } else { company.appoint() };
        if reset {
            command["user_id"] = json!(company.sue.user);
        }

        let answer = company.office.say(&command).await;

        let user = reset.then_some(company.sue.user);
        let expected = json!({"status": "ok", "recovery": {
            "id": answer["recovery"]["id"], "acts_at": "2026-11-23T12:00:00.000Z",
            "remedy": if reset { "reset_two_factor" } else { "appoint" }, "user_id": user,
            "told": 5, "not_told": 0}});
        assert_eq!(answer, expected);
        let mails = world.posted().await;
        let mut told: Vec<_> =
            mails.iter().map(|[to, subject, _]| (&to[..], &subject[..])).collect();
        told.sort_unstable();
        let expected = [
            ("jun@globex.example", subject(reset, Language::Ja)),
            ("min@globex.example", subject(reset, Language::Ko)),
            ("office@globex.example", subject(reset, Language::Ko)),
            ("sue@globex.example", subject(reset, Language::En)),
            ("tom@globex.example", subject(reset, Language::Ja)),
        ];
        assert_eq!(told, expected);
        let secret = token(&mails[0][2]);
        for [_, _, text] in &mails {
            assert_eq!(token(text), secret, "any of them stops it");
            assert!(text.contains("2026-11-23 12:00") && text.contains("Globex"), "{text}");
            let whom = if reset { ["Ann", "Lindqvist"] } else { ["Zoe Ray", ADDRESS] };
            assert!(whom.iter().all(|name| text.contains(name)), "{text}");
        }
        assert!(!world.db.holds(secret), "the link is stored hashed and sealed only");
    }
}

#[tokio::test]
async fn a_recovery_is_on_record_before_anything_happens() {
    for reset in [true, false] {
        let company = company().await;
        let command = if reset { company.reset() } else { company.appoint() };
        let before = (company.user(company.sue.user).await, company.tenant().await.users);
        let (recovery, mails) = company.announced(&command).await;
        let (sue, now) = (company.sue.user, company.world().now());
        assert_eq!((recovery.tenant, recovery.stage), (company.tenant, Stage::Announced));
        assert_eq!(recovery.acts_at, now + SignedDuration::from_hours(24));
        let hash = token(&mails[0][2]).parse::<Secret>().unwrap().hash();
        assert_eq!(recovery.stop, hash);
        let behind = company.world().table().recovery_behind(&hash).await.unwrap();
        assert_eq!(behind.as_ref(), Some(&recovery));
        assert_eq!((company.user(sue).await, company.tenant().await.users), before);

        let (action, changes) = company.office.record(company.tenant).await;
        let of = |name: &str| [name.to_owned(), company.tenant.to_string()];
        let (name, fields) = if reset {
            assert_eq!(recovery.remedy, Remedy::ResetTwoFactor { user: sue });
            let fields = json!([{"field": "recovery", "to": recovery.id},
                {"field": "remedy", "to": "reset_two_factor"}, {"field": "stage", "to": "announced"}]);
            ("recovery.reset_super_admin", fields)
        } else {
            let fields = json!([{"field": "recovery", "to": recovery.id},
                {"field": "remedy", "to": "appoint"}, {"field": "stage", "to": "announced"}]);
            ("recovery.appoint_super_admin", fields)
        };
        assert_eq!((action.as_str(), changes), (name, fields));
        let trail = company.office.trail(company.tenant).await;
        let (record, personal) = &trail[0];
        assert_eq!(record["entity"], json!({"kind": "user", "id": recovery.remedy.user()}));
        assert!(!record.to_string().contains("zoe"), "an address can be erased");
        let email = if reset { Value::Null } else { ADDRESS.into() };
        assert_eq!(personal["values"]["email"], email);
        assert_eq!(company.office.log(), [of(name)]);
    }
}

#[tokio::test]
async fn an_admin_at_the_registered_address_is_told_once() {
    let company = company().await;
    let world = company.world();
    let ann = world.member(company.tenant, "office@globex.example", Role::Admin).await;
    world.change_person(&ann, |person| person.language = Language::Ja).await;
    let (_, mails) = company.announced(&company.reset()).await;
    let mut to: Vec<_> = mails.iter().map(|[to, ..]| to.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["office@globex.example", "sue@globex.example"]);
}

/// As many mails as a transaction has room for, and the answer says how many more there would be.
#[tokio::test]
async fn of_very_many_admins_the_super_admins_are_told_first() {
    let company = company().await;
    let world = company.world();
    for n in 0..69 {
        world.member(company.tenant, &format!("a{n}@globex.example"), Role::Admin).await;
    }
    world.wait(1);
    let late = world.member(company.tenant, "late@globex.example", Role::SuperAdmin).await;
    enrol(world, &late, true).await;
    let answer = company.office.say(&company.appoint()).await;
    let told = &answer["recovery"];
    assert_eq!((&told["told"], &told["not_told"]), (&json!(61), &json!(11)), "{answer}");
    let mails = world.posted().await;
    let count = |address: &str| mails.iter().filter(|[to, ..]| to == address).count();
    for address in ["late@globex.example", "sue@globex.example", "office@globex.example"] {
        assert_eq!(count(address), 1, "{address}");
    }
    assert_eq!(mails.len(), 61);
}

#[tokio::test]
async fn a_company_that_can_help_itself_is_left_alone() {
    let stranger = UserId::new(office().world.now(), office().world.entropy.as_ref());
    // Who else is there, and what comes of a reset of Sue's factor and of an appointment.
    for (others, reset, appoint) in [
        (&[][..], "ok", "ok"),
        (&[(Role::SuperAdmin, Some(true))], "ok", "ok"),
        (&[(Role::SuperAdmin, Some(false))], "other_super_admins", "ok"),
        (&[(Role::SuperAdmin, None)], "other_super_admins", "ok"),
        (&[(Role::Admin, None)], "ok", "ok"),
        (
            &[(Role::SuperAdmin, None), (Role::SuperAdmin, Some(false))],
            "other_super_admins",
            "other_super_admins",
        ),
    ] {
        for (asks, expected) in [(true, reset), (false, appoint)] {
            let company = company().await;
            let world = company.world();
            for (n, (role, factor)) in others.iter().enumerate() {
                let email = format!("o{n}@globex.example");
                let member = world.member(company.tenant, &email, *role).await;
                if let Some(locked) = factor {
                    enrol(world, &member, *locked).await;
                }
            }
            let mut command = if asks { company.reset() } else { company.appoint() };
            if asks {
                command["user_id"] = json!(company.sue.user);
            }
            if expected == "ok" {
                let answer = company.office.say(&command).await;
                assert_eq!(answer["status"], "ok", "{others:?}: {answer}");
            } else {
                assert_eq!(company.office.refused(&command).await, expected, "{others:?}");
            }
        }
    }
    let company = company().await;
    let world = company.world();
    let kim = world.member(company.tenant, "kim@globex.example", Role::Admin).await;
    let elsewhere = world.tenant("Initech").await;
    let eve = world.member(elsewhere, "eve@initech.example", Role::SuperAdmin).await;
    for who in [stranger, kim.user, eve.user] {
        let mut command = company.reset();
        command["user_id"] = json!(who);
        assert_eq!(company.office.refused(&command).await, "no_super_admin", "{who}");
    }
    world.change_person(&company.sue, |person| person.second_factor = None).await;
    assert_eq!(company.office.refused(&company.reset()).await, "two_factor_not_enrolled");
    let mut appoint = company.appoint();
    appoint["email"] = "Sue@Globex.Example".into();
    assert_eq!(company.office.refused(&appoint).await, "already_super_admin");
    world.change(&company.sue, |user| user.status = Status::Deactivated).await;
    assert_eq!(company.office.refused(&company.reset()).await, "no_super_admin");
    assert_eq!(company.office.say(&company.appoint()).await["status"], "ok", "she is gone");
}

#[tokio::test]
async fn one_of_several_has_to_be_named() {
    let company = company().await;
    let world = company.world();
    let tom = world.member(company.tenant, "tom@globex.example", Role::SuperAdmin).await;
    enrol(world, &tom, true).await;
    assert_eq!(company.office.refused(&company.reset()).await, "several_super_admins");
    let answer = company.office.say(&company.reset()).await;
    let detail = answer["problem"]["detail"].as_str().unwrap();
    for user in [tom.user, company.sue.user] {
        assert!(detail.contains(&user.to_string()), "{detail}");
    }
    let mut named = company.reset();
    named["user_id"] = json!(tom.user);
    let (recovery, _) = company.announced(&named).await;
    assert_eq!(recovery.remedy, Remedy::ResetTwoFactor { user: tom.user });
}

#[tokio::test]
async fn every_fault_at_once() {
    let company = company().await;
    let office = &company.office;
    let missing = ["/operator required", "/reason required", "/tenant_id required"];
    let empty = json!({"command": "reset_super_admin"});
    assert_eq!(office.faults(&empty).await, missing);
    let empty = json!({"command": "appoint_super_admin"});
    let faults = office.faults(&empty).await;
    assert_eq!(faults[..3], missing);
    let who =
        ["/first_name required", "/last_name required", "/email required", "/mobile required"];
    assert_eq!(faults[3..], who);
    let mut reset = company.reset();
    reset["user_id"] = "sue@globex.example".into();
    assert_eq!(office.faults(&reset).await, ["/user_id invalid"]);
    for (field, bad, fault) in [
        ("email", "zoe", "/email invalid"),
        ("email", "zoe@gmail.com", "/email business_email_required"),
        ("email", "Zoe@Mail.GMX.de", "/email business_email_required"),
        ("mobile", "12", "/mobile invalid"),
        ("first_name", "<Zoe>", "/first_name invalid"),
    ] {
        let mut appoint = company.appoint();
        appoint[field] = bad.into();
        assert_eq!(office.faults(&appoint).await, [fault], "{appoint}");
    }
    let stranger = TenantId::new(office.world.now(), office.world.entropy.as_ref());
    for mut command in [company.reset(), company.appoint()] {
        command["tenant_id"] = json!(stranger);
        assert_eq!(office.refused(&command).await, "not_found", "{command}");
    }
    for bad in [json!({"sweep": false}), json!({"sweep": true, "operator": "Kim"})] {
        assert_eq!(office.faults(&bad).await, ["/command invalid"]);
    }
}

#[tokio::test]
async fn a_second_one_waits_for_the_end_of_the_first() {
    for (first, after) in [(true, Stage::Done), (true, Stage::Stopped), (false, Stage::Stopped)] {
        let company = company().await;
        let command = |reset: bool| if reset { company.reset() } else { company.appoint() };
        let (recovery, _) = company.announced(&command(first)).await;
        for second in [true, false] {
            assert_eq!(company.office.refused(&command(second)).await, "recovery_pending");
        }
        if after == Stage::Stopped {
            assert!(company.stop_at_last(&recovery).await);
        } else {
            company.let_a_day_go_by();
            assert_eq!(company.sweep().await, (1, 0));
        }
        assert_eq!(company.stage(&recovery).await, after);
        let (second, _) = company.announced(&company.appoint()).await;
        assert_ne!(second.id, recovery.id);
        assert_ne!(second.stop, recovery.stop);
    }
}

/// Eight at once, each of whom has looked before the first one writes.
#[tokio::test(start_paused = true)]
async fn of_many_at_once_one_is_announced() {
    let company = company().await;
    let world = company.world();
    let gate = Arc::new(Turnstile::new());
    let app = Arc::new(company.office.over(world.db.shared("backoffice", gate.clone()).table()));
    let rivals = (0..8).map(|n| {
        let command = if n % 2 == 0 { company.reset() } else { company.appoint() };
        let app = app.clone();
        tokio::spawn(async move { said(&app, &command).await })
    });
    let answers = in_lockstep(&gate, rivals.collect()).await;
    let well = answers.iter().filter(|answer| answer["status"] == "ok").count();
    let codes = answers.iter().filter_map(|answer| answer["problem"]["code"].as_str());
    assert!(codes.clone().all(|code| matches!(code, "busy" | "recovery_pending")), "{answers:?}");
    assert_eq!((well, codes.count()), (1, 7));
    let recoveries = world.table().recoveries(company.tenant).await.unwrap();
    assert_eq!((recoveries.len(), company.office.log().len()), (1, 1));
    assert_eq!(world.posted().await.len(), 2);
}

#[tokio::test]
async fn what_is_stopped_by_the_link_never_acts() {
    for reset in [true, false] {
        let company = company().await;
        let world = company.world();
        let command = if reset { company.reset() } else { company.appoint() };
        let (recovery, mails) = company.announced(&command).await;
        let (before, users) = (company.user(company.sue.user).await, company.tenant().await.users);
        world.wait(86_399);
        let hash = token(&mails[0][2]).parse::<Secret>().unwrap().hash();
        let behind = world.table().recovery_behind(&hash).await.unwrap().unwrap();
        let grant = policy::stop(&behind, world.now(), Origin::default()).unwrap();
        assert!(company.stop(&behind, &grant).await);
        assert!(!company.stop(&behind, &grant).await, "it is over");
        for _ in 0..3 {
            assert_eq!(company.sweep().await, (0, 0));
            world.wait(86_400);
        }
        assert_eq!(company.stage(&recovery).await, Stage::Stopped);
        assert_eq!(company.user(company.sue.user).await, before);
        assert_eq!(company.tenant().await.users, users);
        assert_eq!(world.posted().await.len(), 0);
        let behind = world.table().recovery_behind(&hash).await.unwrap().unwrap();
        assert!(policy::stop(&behind, recovery.announced_at(), Origin::default()).is_none());
        let actors: Vec<_> = company
            .office
            .trail(company.tenant)
            .await
            .into_iter()
            .map(|(r, _)| r["actor"].clone())
            .collect();
        assert_eq!(actors, [json!({"kind": "back_office"}), json!({"kind": "mailed_link"})]);
    }
}

#[tokio::test]
async fn a_link_stops_nothing_once_the_day_is_over() {
    let company = company().await;
    let (recovery, _) = company.announced(&company.reset()).await;
    let stop = |seconds: i64| {
        let at = recovery.acts_at + SignedDuration::from_secs(seconds);
        (policy::stop(&recovery, at, Origin::default()), policy::act(&recovery, at))
    };
    for seconds in [-86_400, -1, 0, 1] {
        let (stops, acts) = stop(seconds);
        assert_eq!((stops.is_some(), acts.is_some()), (seconds < 0, seconds >= 0), "{seconds}");
    }
}

/// A crash before or after each call leaves the recovery, its link, its mails, its record and the log's
/// line together or not at all.
#[tokio::test]
async fn a_crash_leaves_no_recovery_half_announced() {
    for reset in [true, false] {
        let (mut before, mut after) = (0, 0);
        let crashes = at_every_crash(async |crash| {
            let company = company().await;
            let (office, world) = (&company.office, company.world());
            let command = if reset { company.reset() } else { company.appoint() };
            let answer = said(&office.dying(&crash), &command).await;
            let recoveries = world.table().recoveries(company.tenant).await.unwrap();
            let done = recoveries.len();
            (before, after) = (before + 1 - done, after + done);
            let links = world.db.dump_of("L#").len();
            let (records, mails) =
                (office.trail(company.tenant).await.len(), world.db.dump_of("O#"));
            assert_eq!((links, records, office.log().len()), (done, done, done));
            assert_eq!(mails.len(), 2 * done);
            if done == 0 {
                assert_eq!(office.say(&command).await["status"], "ok");
            } else {
                assert_eq!(office.refused(&command).await, "recovery_pending");
            }
            answer["status"] == "ok"
        });
        assert!(crashes.await >= 10 && before >= 5 && after >= 1, "{before} {after}");
    }
}

#[tokio::test]
async fn a_key_service_that_is_down_announces_nothing() {
    let company = company().await;
    company.office.sealer.set_down(true);
    for command in [company.reset(), company.appoint()] {
        assert_eq!(company.office.refused(&command).await, "key_unavailable");
    }
    company.office.sealer.set_down(false);
    company.office.bell.fail_next(2);
    let (_, mails) = company.announced(&company.reset()).await;
    assert_eq!(mails.len(), 0, "their rings are lost");
    assert_eq!(company.world().db.dump_of("O#").len(), 2, "they wait for the sweep");
}

#[tokio::test]
async fn a_company_without_any_admin_is_told_at_its_registered_address() {
    let company = company().await;
    let world = company.world();
    world.change(&company.sue, |user| user.status = Status::Deactivated).await;
    let (_, mails) = company.announced(&company.appoint()).await;
    let to: Vec<_> = mails.iter().map(|[to, ..]| to.as_str()).collect();
    assert_eq!(to, ["office@globex.example"]);
}
