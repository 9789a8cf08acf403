//! Recovery codes: in place of a code, also when locked; each once; on to a new enrolment.

use crate::steps::{
    Enrolled, Phone, STEP, actions, answer, challenge, clear_mails, enrol, enrolled, enter,
    identity, letters, lives, log_in, mails, recover, recovery_codes,
};
use crate::{accesses, app_over, sessions};
use belfry_domain::account::Role;
use belfry_testkit::{Answer, Member, Turnstile, World, ask, in_lockstep};
use serde_json::json;
use std::sync::Arc;

async fn ann(world: &World) -> (Member, Enrolled) {
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::HelpDesk).await;
    let inside = enrolled(world, &ann).await;
    clear_mails(world).await;
    (ann, inside)
}

/// Three wrong codes.
async fn lock(world: &World, member: &Member, phone: &Phone) {
    let asked = challenge(world, member).await;
    for _ in 0..3 {
        answer(world, &asked, &phone.wrong(world.now())).await;
    }
    assert!(identity(world, member).await.second_factor.unwrap().is_locked());
}

#[tokio::test]
async fn one_opens_no_session_but_an_enrolment() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    let elsewhere = world.tenant("Initech").await;
    let there = world.member(elsewhere, "ann@globex.example", Role::ReadOnly).await;
    let before = sessions(&world);
    let asked = challenge(&world, &ann).await;

    // As people write it.
    let typed = inside.recovery[3].to_uppercase().replace('-', " ");
    let offer = recover(&world, &asked, &typed).await;

    assert_eq!((offer.status, offer.at("/status")), (200, "enrolment_required"), "{}", offer.text);
    assert_ne!(offer.at("/secret"), inside.secret);
    assert_eq!(sessions(&world), before);
    let stored = identity(&world, &ann).await.second_factor.unwrap();
    assert_eq!(stored.recovery_codes_left(), 9);
    let mail = &mails(&world)[0];
    assert_eq!(mail["letter"]["RecoveryCodeUsed"]["left"], 9);
    assert_eq!((mails(&world).len(), &mail["to"]), (1, &json!("ann@globex.example")));
    let said = actions(&world, ann.tenant).await;
    let left = json!([{"field": "recovery_codes_left", "to": 9}]);
    assert_eq!(said[1..], [("recovery_code.use".to_owned(), left)]);
    let noted = ("two_factor.changed".to_owned(), "success".to_owned(), there.user.to_string());
    assert_eq!(accesses(&world, &format!("T#{elsewhere}#AC#")), [noted]);

    // The challenge is used up, and so is the code; its failure is written down in every tenant.
    let told = recover(&world, &asked, &inside.recovery[4]).await;
    assert_eq!(told.verdict(), (410, "challenge_gone"));
    let asked = challenge(&world, &ann).await;
    let told = recover(&world, &asked, &inside.recovery[3]).await;
    assert_eq!(told.verdict(), (401, "invalid_code"));
    assert_eq!(accesses(&world, &format!("T#{elsewhere}#AC#")).len(), 2);
    assert_eq!(identity(&world, &ann).await.second_factor.as_ref(), Some(&stored));

    // Enrolled anew: the old app and the old codes are worth nothing.
    world.wait(1);
    let phone = Phone::new(offer.at("/secret"));
    let opened = enrol(&world, &offer, &phone.code(world.now())).await;
    assert_eq!(opened.status, 200, "{}", opened.text);
    assert!(!lives(&world, &inside.access).await);
    let fresh = recovery_codes(&opened);
    assert!(fresh.iter().all(|code| !inside.recovery.contains(code)));
    world.wait(STEP);
    let asked = challenge(&world, &ann).await;
    let told = recover(&world, &asked, &inside.recovery[5]).await;
    assert_eq!(told.verdict(), (401, "invalid_code"));
    let told = answer(&world, &asked, &inside.phone.code(world.now())).await;
    assert_eq!(told.verdict(), (401, "invalid_code"));
    assert_eq!(answer(&world, &asked, &phone.code(world.now())).await.status, 200);
}

#[tokio::test]
async fn an_abandoned_enrolment_leaves_the_old_factor() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    let offer = recover(&world, &challenge(&world, &ann).await, &inside.recovery[0]).await;
    world.wait(300);
    let phone = Phone::new(offer.at("/secret"));
    let told = enrol(&world, &offer, &phone.code(world.now())).await;
    assert_eq!(told.verdict(), (410, "challenge_gone"));
    assert_eq!(enter(&world, &ann, &inside.phone).await.status, 200);
    let stored = identity(&world, &ann).await.second_factor.unwrap();
    assert_eq!(stored.recovery_codes_left(), 9, "the code stays used");
}

#[tokio::test]
async fn one_works_when_locked_and_the_new_enrolment_unlocks() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    lock(&world, &ann, &inside.phone).await;
    let told = log_in(&world, &ann).await;
    assert_eq!(told.verdict(), (423, "two_factor_locked"));
    let asked = told.at("/challenge");
    // A wrong one helps nobody, the right one leads on.
    let told = recover(&world, asked, "aaaa-bbbb-cccc-dddd").await;
    assert_eq!(told.verdict(), (401, "invalid_code"));
    let offer = recover(&world, asked, &inside.recovery[9]).await;
    assert_eq!(offer.at("/status"), "enrolment_required");
    // Locked until then.
    assert!(identity(&world, &ann).await.second_factor.unwrap().is_locked());
    assert_eq!(log_in(&world, &ann).await.verdict(), (423, "two_factor_locked"));
    world.wait(1);
    let phone = Phone::new(offer.at("/secret"));
    let opened = enrol(&world, &offer, &phone.code(world.now())).await;
    assert_eq!(opened.at("/status"), "authenticated");
    assert!(!identity(&world, &ann).await.second_factor.unwrap().is_locked());
    world.wait(STEP);
    assert_eq!(enter(&world, &ann, &phone).await.status, 200);
    let mut said: Vec<_> = letters(&world).into_iter().map(|(_, _, letter)| letter).collect();
    said.sort();
    assert_eq!(said, ["RecoveryCodeUsed", "TwoFactorEnabled", "TwoFactorLocked"]);
    let said: Vec<_> = actions(&world, ann.tenant).await.into_iter().map(|said| said.0).collect();
    assert_eq!(
        said,
        ["two_factor.enrol", "two_factor.lock", "recovery_code.use", "two_factor.enrol"]
    );
}

#[tokio::test]
async fn five_tries_an_hour() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    let bob = world.member(ann.tenant, "bob@globex.example", Role::Admin).await;
    let bobs = enrolled(&world, &bob).await;
    let asked = challenge(&world, &ann).await;
    for n in 0..5 {
        let told = recover(&world, &asked, "aaaa-bbbb-cccc-dddd").await;
        assert_eq!(told.verdict(), (401, "invalid_code"), "{n}");
    }
    world.wait(10);
    // By whichever challenge, and the right one too.
    for asked in [asked, challenge(&world, &ann).await] {
        let told = recover(&world, &asked, &inside.recovery[0]).await;
        assert_eq!(told.verdict(), (429, "throttled"));
        assert_eq!(told.header("retry-after"), "3590");
        assert_eq!(told.header("ratelimit-policy"), "\"recovery-code\";q=5;w=3600");
        assert_eq!(told.header("ratelimit"), "\"recovery-code\";r=0;t=3590");
    }
    assert_eq!(identity(&world, &ann).await.second_factor.unwrap().recovery_codes_left(), 10);
    // Nobody else waits, nor do codes.
    let told = recover(&world, &challenge(&world, &bob).await, &bobs.recovery[0]).await;
    assert_eq!(told.status, 200);
    assert_eq!(enter(&world, &ann, &inside.phone).await.status, 200);
    world.wait(3_589);
    let told = recover(&world, &challenge(&world, &ann).await, &inside.recovery[0]).await;
    assert_eq!((told.status, told.header("retry-after")), (429, "1"));
    world.wait(1);
    let told = recover(&world, &challenge(&world, &ann).await, &inside.recovery[0]).await;
    assert_eq!(told.status, 200, "{}", told.text);
}

#[tokio::test(start_paused = true)]
async fn of_many_at_once_with_one_code_one_goes_on() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    let gate = Arc::new(Turnstile::new());
    let app = Arc::new(app_over(&world, world.db.shared("auth", gate.clone()).table()));
    let mut tasks = Vec::new();
    for _ in 0..5 {
        let asked = challenge(&world, &ann).await;
        let body = json!({"challenge": asked, "recovery_code": inside.recovery[0]});
        let (app, ask) = (app.clone(), ask("POST /auth/two-factor").json(body));
        tasks.push(tokio::spawn(async move { ask.of(app.as_ref()).await }));
    }
    let answers: Vec<Answer> = in_lockstep(&gate, tasks).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for told in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(told.verdict(), (401, "invalid_code"), "{}", told.text);
    }
    assert_eq!(identity(&world, &ann).await.second_factor.unwrap().recovery_codes_left(), 9);
    assert_eq!(mails(&world).len(), 1);
}
