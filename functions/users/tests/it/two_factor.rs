use crate::app;
use belfry_domain::account::{Identity, LinkPurpose, Role, Status, User};
use belfry_domain::audit::{Head, verify};
use belfry_domain::id::TenantId;
use belfry_domain::mail::Letter;
use belfry_domain::outbox::Outgoing;
use belfry_domain::second_factor::{RecoveryCode, SecondFactor};
use belfry_store::keys;
use belfry_testkit::{Answer, Member, World, ask};
use serde_json::{Value, json};

const REQUIRE: &str = "PUT /users/{id}/two-factor";
const RESET: &str = "POST /users/{id}/two-factor/reset";

async fn require(world: &World, token: &str, target: &Member, required: bool) -> Answer {
    let body = json!({"required": required});
    ask(REQUIRE).path("id", target.user).bearer(token).json(body).of(&app(world)).await
}

async fn reset(world: &World, token: &str, target: &Member) -> Answer {
    ask(RESET).path("id", target.user).bearer(token).of(&app(world)).await
}

/// Globex with a super admin and Ann, who has a second factor.
async fn globex(world: &World) -> (TenantId, Member, Member) {
    let tenant = world.tenant("Globex").await;
    let boss = world.member(tenant, "boss@globex.example", Role::SuperAdmin).await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    world.change(&ann, |user| user.two_factor_required = true).await;
    enrol(world, &ann).await;
    (tenant, boss, ann)
}

async fn enrol(world: &World, member: &Member) {
    let codes = RecoveryCode::set(world.entropy.as_ref());
    let factor = SecondFactor::enrolled(vec![1], 1, &codes, world.now());
    world.change_person(member, |person| person.second_factor = Some(factor)).await;
}

async fn person(world: &World, member: &Member) -> Identity {
    world.get(&keys::identity(member.identity)).await.unwrap()
}

async fn user(world: &World, member: &Member) -> User {
    world.get(&keys::user(member.tenant, member.user)).await.unwrap()
}

/// Whether a session of the member still opens anything, seen by a route that nobody may use
/// without one.
async fn is_open(world: &World, member: &Member, token: &str) -> bool {
    reset(world, token, member).await.status != 401
}

/// The mails that were rung for: to whom, what about.
async fn mails(world: &World) -> Vec<(String, Letter)> {
    let mut mails = Vec::new();
    for ring in world.bell.drain() {
        let claim = world.table().claim_outbox(ring.parse().unwrap(), world.now()).await.unwrap();
        if let Outgoing::Mail(mail) = claim.unwrap().entry().outgoing.clone() {
            mails.push((mail.to.into(), mail.letter));
        }
    }
    mails
}

/// Actions and changes on a tenant's record, which must be whole.
async fn record(world: &World, tenant: TenantId) -> Vec<(String, Value)> {
    let (records, head) = world.table().audit_trail(tenant, 0, 100).await.unwrap();
    let texts = records.iter().map(|r| (r.text.as_str(), r.personal.as_deref()));
    assert_eq!(verify(&Head::EMPTY, texts), Ok(head));
    let read = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let action =
        |record: Value| (record["action"].as_str().unwrap().to_owned(), record["changes"].clone());
    records.iter().map(|record| action(read(&record.text))).collect()
}

#[tokio::test]
async fn requiring_ends_the_sessions_here_and_disabling_forgets_the_factor() {
    let world = World::new();
    let (tenant, boss, ann) = globex(&world).await;
    world.change(&ann, |user| user.two_factor_required = false).await;
    let token = world.token(&boss).await;
    let open = world.token(&ann).await;
    let answer = require(&world, &token, &ann, true).await;
    let expected = json!({"id": ann.user, "two_factor": {"required": true, "state": "active"}});
    assert_eq!((answer.status, answer.json), (200, expected));
    assert!(!is_open(&world, &boss, &open).await, "the very next request");
    assert!(person(&world, &ann).await.second_factor.is_some());
    // Again: nothing changes, and nobody is told.
    let version = user(&world, &ann).await.version;
    assert_eq!(require(&world, &token, &ann, true).await.status, 200);
    assert_eq!(user(&world, &ann).await.version, version);

    let answer = require(&world, &token, &ann, false).await;
    assert_eq!(answer.json["two_factor"], json!({"required": false, "state": "off"}));
    assert_eq!(person(&world, &ann).await.second_factor, None);
    let told = mails(&world).await;
    assert!(
        matches!(&told[..], [(_, Letter::TwoFactorEnabled(_)), (to, Letter::TwoFactorDisabled { .. })]
        if to == "ann@globex.example"),
        "{told:?}"
    );
    let field = |from, to| json!([{"field": "two_factor_required", "from": from, "to": to}]);
    let expected = [
        ("two_factor.require".to_owned(), field(false, true)),
        ("two_factor.require".to_owned(), field(true, false)),
    ];
    assert_eq!(record(&world, tenant).await, expected);
}

#[tokio::test]
async fn a_reset_acts_at_once_for_a_person_of_this_company_only() {
    let world = World::new();
    let (tenant, boss, ann) = globex(&world).await;
    let (token, open) = (world.token(&boss).await, world.token(&ann).await);
    let answer = reset(&world, &token, &ann).await;
    assert_eq!((answer.status, answer.json), (202, json!({"status": "reset"})));
    assert_eq!(person(&world, &ann).await.second_factor, None);
    assert!(!is_open(&world, &boss, &open).await, "the very next request");
    assert!(matches!(&mails(&world).await[..], [(_, Letter::TwoFactorReset(_))]));
    let set = json!([{"field": "two_factor", "to": "reset"}]);
    assert_eq!(record(&world, tenant).await, [("two_factor.reset".to_owned(), set)]);
    let answer = reset(&world, &token, &ann).await;
    assert_eq!(answer.verdict(), (409, "two_factor_not_enrolled"));
}

/// What a company may do to somebody who is in another one too: ask.
#[tokio::test]
async fn a_company_does_not_weaken_a_person_of_another() {
    let world = World::new();
    let (_, _, ann) = globex(&world).await;
    let initech = world.tenant("Initech").await;
    let boss = world.member(initech, "boss@initech.example", Role::SuperAdmin).await;
    let there = world.member(initech, "ann@globex.example", Role::ReadOnly).await;
    world.change(&there, |user| user.two_factor_required = true).await;
    let before = person(&world, &ann).await;
    let (token, open) = (world.token(&boss).await, world.token(&ann).await);

    // By the other company's user: as if she were not there.
    for answer in [require(&world, &token, &ann, false).await, reset(&world, &token, &ann).await] {
        assert_eq!(answer.verdict(), (404, "not_found"));
    }
    let answer = require(&world, &token, &there, false).await;
    assert_eq!(answer.json["two_factor"], json!({"required": false, "state": "active"}));
    assert_eq!(person(&world, &ann).await, before, "Globex still requires it");
    let answer = reset(&world, &token, &there).await;
    assert_eq!((answer.status, answer.json), (202, json!({"status": "offered"})));
    assert_eq!(person(&world, &ann).await, before);
    assert!(is_open(&world, &boss, &open).await, "her session at Globex goes on");
    let links = world.db.dump_of("L#");
    assert_eq!(links.len(), 1);
    let told = mails(&world).await;
    let [_, (to, Letter::TwoFactorResetLink { company, .. })] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((to.as_str(), company.as_str()), ("ann@globex.example", "Initech"));
    let hash = user(&world, &there).await.two_factor_reset.unwrap();
    let link: belfry_domain::account::Link = world.get(&keys::link(&hash)).await.unwrap();
    let purpose = LinkPurpose::TwoFactorReset { tenant: initech, user: there.user };
    assert_eq!((link.identity, link.purpose), (ann.identity, purpose));
}

#[tokio::test]
async fn before_the_invitation_is_accepted_a_company_has_no_power_over_the_person() {
    let world = World::new();
    let (_, _, ann) = globex(&world).await;
    let initech = world.tenant("Initech").await;
    let boss = world.member(initech, "boss@initech.example", Role::SuperAdmin).await;
    let there = world.member(initech, "ann@globex.example", Role::Admin).await;
    world.change(&there, |user| user.status = Status::Invited).await;
    let before = person(&world, &ann).await;
    let token = world.token(&boss).await;
    for (required, state) in [(true, "pending"), (false, "off")] {
        // Nothing shows of the factor that she has.
        let answer = require(&world, &token, &there, required).await;
        assert_eq!(answer.json["two_factor"], json!({"required": required, "state": state}));
        assert_eq!(person(&world, &ann).await, before);
    }
    assert_eq!(reset(&world, &token, &there).await.verdict(), (409, "two_factor_not_enrolled"));
    assert!(mails(&world).await.is_empty(), "an invited person is told by the invitation");
}

#[tokio::test]
async fn only_a_super_admin_with_a_fresh_proof_and_never_oneself() {
    let world = World::new();
    let (tenant, boss, ann) = globex(&world).await;
    for (name, role) in [("a", Role::Admin), ("h", Role::HelpDesk), ("r", Role::ReadOnly)] {
        let other = world.member(tenant, &format!("{name}@globex.example"), role).await;
        let token = world.token(&other).await;
        assert_eq!(require(&world, &token, &ann, false).await.verdict(), (403, "forbidden"));
        assert_eq!(reset(&world, &token, &ann).await.verdict(), (403, "forbidden"));
    }
    let (session, _) = world.session(&boss).await;
    let token = world.token_of(&session);
    assert_eq!(require(&world, &token, &boss, true).await.verdict(), (409, "own_account"));
    assert_eq!(reset(&world, &token, &boss).await.verdict(), (409, "own_account"));
    let product = world.member(tenant, "p@globex.example", Role::User).await;
    assert_eq!(require(&world, &token, &product, true).await.verdict(), (409, "no_console"));
    world.change(&ann, |user| user.status = Status::Archived).await;
    assert_eq!(require(&world, &token, &ann, true).await.verdict(), (404, "not_found"));
    world.wait(601);
    let token = world.token_of(&session);
    let unproven = (403, "confirmation_required");
    assert_eq!(require(&world, &token, &ann, true).await.verdict(), unproven);
    assert_eq!(reset(&world, &token, &ann).await.verdict(), unproven);
}
