//! Log-ins with a code: no step twice, three strikes, and never past what changed meanwhile.

use crate::steps::{
    Enrolled, Phone, STEP, actions, answer, challenge, changes, clear_mails, enrol, enrolled,
    enter, identity, letters, lives, log_in, log_in_with, post, refreshed, require, session_of,
    user,
};
use crate::{accesses, app, app_over, sessions};
use belfry_domain::account::Role;
use belfry_domain::challenge::{Challenge, Wanted};
use belfry_domain::language::Language;
use belfry_domain::password::{Password, PasswordHash};
use belfry_domain::secret::Secret;
use belfry_testkit::{Answer, Member, Turnstile, World, ask, in_lockstep};
use serde_json::json;
use std::sync::Arc;

async fn ann(world: &World) -> (Member, Enrolled) {
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let inside = enrolled(world, &ann).await;
    (ann, inside)
}

fn entry(action: &str, outcome: &str, user: &impl ToString) -> (String, String, String) {
    (action.to_owned(), outcome.to_owned(), user.to_string())
}

#[tokio::test]
async fn a_code_opens_a_session_and_works_once() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    let before = sessions(&world);

    let asked = log_in(&world, &ann).await;

    let text = asked.at("/challenge");
    let expected = json!({"status": "two_factor_required", "challenge": text, "expires_in": 300});
    assert_eq!((asked.status, &asked.json), (200, &expected));
    assert!(!world.db.holds(text));
    assert_eq!(sessions(&world), before);
    let stood = identity(&world, &ann).await;

    let code = inside.phone.code(world.now());
    let opened = answer(&world, text, &code).await;

    assert_eq!((opened.status, opened.at("/status")), (200, "authenticated"));
    assert_eq!(opened.json.get("recovery_codes"), None);
    assert_eq!(opened.json["user"], json!({"id": ann.user, "role": "admin"}));
    let session = session_of(&world, opened.at("/access_token")).await.unwrap();
    assert!(session.two_factor);
    assert!(!world.db.holds(opened.at("/refresh_token")));
    let after = identity(&world, &ann).await;
    assert_eq!((after.version, after.sessions), (stood.version + 1, stood.sessions));
    assert_eq!(user(&world, &ann).await.last_login_at, Some(world.now()));
    let success = entry("session.two_factor", "success", &ann.user);
    assert_eq!(accesses(&world, &format!("T#{}#AC#", ann.tenant)), std::slice::from_ref(&success));

    // The challenge is used up.
    let again = answer(&world, text, &code).await;
    assert_eq!(again.verdict(), (410, "challenge_gone"));
    // The code is used up, and showing it again is no strike.
    for _ in 0..4 {
        let text = challenge(&world, &ann).await;
        let again = answer(&world, &text, &code).await;
        assert_eq!(again.verdict(), (401, "code_used"));
        assert_eq!(again.header("www-authenticate"), "Bearer");
    }
    assert_eq!(identity(&world, &ann).await, after);
    let failed = entry("session.two_factor", "failure", &ann.user);
    let mut noted = accesses(&world, &format!("T#{}#AC#", ann.tenant));
    noted.sort();
    assert_eq!(noted, [failed.clone(), failed.clone(), failed.clone(), failed, success]);
    assert_eq!(sessions(&world), before + 1);
    world.wait(STEP);
    assert_eq!(enter(&world, &ann, &inside.phone).await.status, 200);
}

#[tokio::test]
async fn one_step_early_or_late_is_taken_and_two_are_not() {
    for (seconds, verdict) in [
        (-60, (401, "invalid_code")),
        (-30, (200, "")),
        (0, (200, "")),
        (30, (200, "")),
        (60, (401, "invalid_code")),
    ] {
        let world = World::new();
        let (ann, inside) = ann(&world).await;
        world.wait(10 * STEP);
        let asked = challenge(&world, &ann).await;
        let code = inside.phone.code_in(world.now(), seconds);
        assert_eq!(answer(&world, &asked, &code).await.verdict(), verdict, "{seconds}");
    }
}

#[tokio::test]
async fn a_later_step_uses_up_the_earlier_ones() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    world.wait(10 * STEP);
    for (seconds, verdict) in
        [(STEP, (200, "")), (0, (401, "code_used")), (-STEP, (401, "code_used"))]
    {
        let asked = challenge(&world, &ann).await;
        let code = inside.phone.code_in(world.now(), seconds);
        assert_eq!(answer(&world, &asked, &code).await.verdict(), verdict, "{seconds}");
    }
}

#[tokio::test]
async fn a_challenge_lives_five_minutes_to_the_second() {
    for (wait, verdict) in [(299, (200, "")), (300, (410, "challenge_gone"))] {
        let world = World::new();
        let (ann, inside) = ann(&world).await;
        let asked = challenge(&world, &ann).await;
        world.wait(wait);
        let told = answer(&world, &asked, &inside.phone.code(world.now())).await;
        assert_eq!(told.verdict(), verdict, "{wait}");
    }
}

#[tokio::test]
async fn three_wrong_codes_over_different_challenges_lock() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    let elsewhere = world.tenant("Initech").await;
    let there = world.member(elsewhere, "ann@globex.example", Role::ReadOnly).await;
    world.change_person(&ann, |person| person.language = Language::Ko).await;
    clear_mails(&world).await;
    let phone = &inside.phone;
    let wrong = async || {
        let asked = challenge(&world, &ann).await;
        answer(&world, &asked, &phone.wrong(world.now())).await
    };
    // A right one in between begins anew; without a password nothing counts.
    for _ in 0..2 {
        assert_eq!(wrong().await.verdict(), (401, "invalid_code"));
    }
    let here = enter(&world, &ann, phone).await;
    let body = json!({"email": "ann@globex.example", "password": belfry_testkit::world::PASSWORD,
        "tenant_id": elsewhere});
    world.wait(STEP);
    let asked = post(&world, "/auth/login", body).await;
    let over = answer(&world, asked.at("/challenge"), &phone.code(world.now())).await;
    assert_eq!(over.at("/tenant/id"), elsewhere.to_string());
    world.wait(STEP);
    for _ in 0..2 {
        assert_eq!(wrong().await.verdict(), (401, "invalid_code"));
    }
    let standing = challenge(&world, &ann).await;
    let (one, two) = (here.at("/access_token"), over.at("/access_token"));
    assert!(lives(&world, one).await && lives(&world, two).await);
    let noted = accesses(&world, &format!("T#{}#AC#", ann.tenant)).len();

    let told = wrong().await;

    assert_eq!(told.verdict(), (423, "two_factor_locked"));
    assert_eq!(told.json.get("challenge"), None);
    assert!(identity(&world, &ann).await.second_factor.unwrap().is_locked());
    // Everything that was open is over.
    assert!(!lives(&world, one).await && !lives(&world, two).await);
    for refresh in [here.at("/refresh_token"), over.at("/refresh_token")] {
        let told = post(&world, "/auth/refresh", json!({"refresh_token": refresh})).await;
        assert_eq!(told.verdict(), (401, "session_over"));
    }
    let mail = ("ann@globex.example".to_owned(), "ko".to_owned(), "TwoFactorLocked".to_owned());
    assert_eq!(letters(&world), [mail]);
    // On the record of the tenant that was to be opened, the latest; the other one is told.
    let records = changes(&world, elsewhere).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["action"], "two_factor.lock");
    assert_eq!(records[0]["entity"], json!({"kind": "user", "id": there.user}));
    assert_eq!(
        records[0]["changes"],
        json!([{"field": "two_factor", "from": "active", "to": "locked"}])
    );
    assert_eq!(actions(&world, ann.tenant).await.len(), 1, "the enrolment");
    let here_noted = accesses(&world, &format!("T#{}#AC#", ann.tenant));
    assert_eq!(here_noted.len(), noted + 2);
    for kind in [("two_factor.changed", "success"), ("session.two_factor", "failure")] {
        assert!(here_noted.contains(&entry(kind.0, kind.1, &ann.user)), "{kind:?}");
    }

    // The lock is told only after the right password.
    let unknown = log_in_with(&world, "nobody@globex.example", "wrong").await;
    let told = log_in_with(&world, "ann@globex.example", "wrong").await;
    assert_eq!((told.status, &told.text), (401, &unknown.text));
    let told = log_in(&world, &ann).await;
    assert_eq!(told.verdict(), (423, "two_factor_locked"));
    assert_eq!(told.json["expires_in"], 300);
    // No code opens it, neither by this challenge nor by one from before, however long one waits.
    for text in [told.at("/challenge"), &standing] {
        world.wait(STEP);
        let told = answer(&world, text, &phone.code(world.now())).await;
        assert_eq!(told.verdict(), (423, "two_factor_locked"));
    }
    world.wait(24 * 3_600);
    let told = log_in(&world, &ann).await;
    assert_eq!(told.verdict(), (423, "two_factor_locked"));
    assert_eq!(letters(&world).len(), 1, "said once");
    assert_eq!(sessions(&world), 3, "over, not opened");
}

#[tokio::test]
async fn a_challenge_is_void_after_another_password_or_another_factor() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    let asked = challenge(&world, &ann).await;
    world.wait(1);
    let other = PasswordHash::of(&Password::new("another-one"), world.entropy.as_ref()).unwrap();
    let now = world.now();
    world
        .change_person(&ann, |person| {
            person.password = Some(other);
            person.password_set_at = Some(now);
        })
        .await;
    world.wait(STEP);
    let told = answer(&world, &asked, &inside.phone.code(world.now())).await;
    assert_eq!(told.verdict(), (410, "challenge_gone"));

    let world = World::new();
    let (bob, inside) = self::ann(&world).await;
    let (asked, code) = (challenge(&world, &bob).await, inside.phone.code(world.now()));
    world.wait(1);
    let offer =
        crate::steps::recover(&world, &challenge(&world, &bob).await, &inside.recovery[0]).await;
    let phone = Phone::new(offer.at("/secret"));
    assert_eq!(enrol(&world, &offer, &phone.code(world.now())).await.status, 200);
    world.wait(STEP);
    for code in [code, phone.code(world.now())] {
        assert_eq!(answer(&world, &asked, &code).await.verdict(), (410, "challenge_gone"));
    }
    // So is one after the factor was taken away.
    let asked = challenge(&world, &bob).await;
    world.change_person(&bob, |person| person.second_factor = None).await;
    let told = answer(&world, &asked, &phone.code(world.now())).await;
    assert_eq!(told.verdict(), (410, "challenge_gone"));
}

#[tokio::test]
async fn whoever_is_no_longer_active_has_nothing_of_a_challenge() {
    use belfry_domain::account::Status;
    for status in [Status::Invited, Status::Deactivated, Status::Archived] {
        let world = World::new();
        let (ann, inside) = ann(&world).await;
        let asked = challenge(&world, &ann).await;
        world.change(&ann, |user| user.status = status).await;
        let told = answer(&world, &asked, &inside.phone.code(world.now())).await;
        assert_eq!(told.verdict(), (401, "invalid_credentials"), "{status:?}");
        assert_eq!(log_in(&world, &ann).await.verdict(), (401, "invalid_credentials"));
    }
}

#[tokio::test]
async fn what_one_tenant_requires_every_log_in_shows() {
    let world = World::new();
    let globex = world.tenant("Globex").await;
    let initech = world.tenant("Initech").await;
    let ann = world.member(globex, "ann@globex.example", Role::Admin).await;
    let there = world.member(initech, "ann@globex.example", Role::Admin).await;
    let body = json!({"email": "ann@globex.example", "password": belfry_testkit::world::PASSWORD,
        "tenant_id": globex});
    assert_eq!(post(&world, "/auth/login", body.clone()).await.at("/status"), "authenticated");
    require(&world, &there).await;
    let offer = post(&world, "/auth/login", body.clone()).await;
    assert_eq!(offer.at("/status"), "enrolment_required");
    let phone = Phone::new(offer.at("/secret"));
    let opened = enrol(&world, &offer, &phone.code(world.now())).await;
    assert_eq!(opened.at("/tenant/id"), globex.to_string());
    let view =
        crate::steps::me(&world, opened.at("/access_token")).await.json["two_factor"].clone();
    assert_eq!((&view["required"], &view["state"]), (&json!(false), &json!("active")));
    world.wait(STEP);
    let asked = post(&world, "/auth/login", body.clone()).await;
    assert_eq!(asked.at("/status"), "two_factor_required");
    let opened = answer(&world, asked.at("/challenge"), &phone.code(world.now())).await;
    assert_eq!(opened.at("/tenant/id"), globex.to_string());
    // What a membership that is not active requires, nobody has to show.
    world.change(&there, |user| user.status = belfry_domain::account::Status::Deactivated).await;
    assert_eq!(post(&world, "/auth/login", body).await.at("/status"), "authenticated");
    assert_eq!(actions(&world, initech).await, []);
    let _ = ann;
}

#[tokio::test]
async fn a_browser_gets_its_cookie_with_the_code() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    let asked = challenge(&world, &ann).await;
    let body = json!({"challenge": asked, "code": inside.phone.code(world.now())});
    let opened = ask("POST /auth/two-factor")
        .json(body)
        .header("X-Belfry-Client", "browser")
        .of(&app(&world))
        .await;
    assert_eq!((opened.status, opened.json.get("refresh_token")), (200, None));
    assert!(opened.header("set-cookie").starts_with("__Host-belfry-refresh=bfr_"));
}

#[tokio::test]
async fn faulty_answers_are_named() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    let asked = challenge(&world, &ann).await;
    let before = identity(&world, &ann).await;
    let (good, recovery) = (inside.phone.code(world.now()), inside.recovery[0].clone());
    for (body, status, fault) in [
        (json!({"challenge": asked}), 422, Some(("/code", "required"))),
        (
            json!({"challenge": asked, "code": good, "recovery_code": recovery}),
            422,
            Some(("/code", "required")),
        ),
        (json!({"challenge": asked, "code": "12345"}), 422, Some(("/code", "invalid"))),
        (json!({"challenge": asked, "code": "１２３４５６"}), 422, Some(("/code", "invalid"))),
        (
            json!({"challenge": asked, "recovery_code": "abcd"}),
            422,
            Some(("/recovery_code", "invalid")),
        ),
        (json!({"challenge": asked, "code": good, "x": 1}), 422, Some(("/x", "invalid"))),
        (json!({"code": good}), 422, Some(("", "invalid"))),
        (json!({"challenge": "", "code": good}), 410, None),
        (json!({"challenge": Secret::from_bytes([9; 32]).expose_text(), "code": good}), 410, None),
    ] {
        let told = post(&world, "/auth/two-factor", body.clone()).await;
        assert_eq!(told.status, status, "{body}: {}", told.text);
        assert_eq!(told.faults().first().copied(), fault, "{body}");
    }
    assert_eq!(identity(&world, &ann).await, before);
    // In two groups, as apps show it.
    let spaced = format!("{} {}", &good[..3], &good[3..]);
    assert_eq!(answer(&world, &asked, &spaced).await.status, 200);
}

/// All at once with the same right code: whatever they answer, one gets in.
async fn rivals(world: &World, challenges: Vec<String>, code: &str) -> Vec<Answer> {
    let gate = Arc::new(Turnstile::new());
    let app = Arc::new(app_over(world, world.db.shared("auth", gate.clone()).table()));
    let tasks = challenges
        .into_iter()
        .map(|challenge| {
            let body = json!({"challenge": challenge, "code": code});
            let (app, ask) = (app.clone(), ask("POST /auth/two-factor").json(body));
            tokio::spawn(async move { ask.of(app.as_ref()).await })
        })
        .collect();
    in_lockstep(&gate, tasks).await
}

#[tokio::test(start_paused = true)]
async fn fifty_at_once_with_one_challenge_are_one_session() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    let before = sessions(&world);
    let asked = challenge(&world, &ann).await;
    let answers = rivals(&world, vec![asked; 50], &inside.phone.code(world.now())).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for told in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(told.verdict(), (410, "challenge_gone"));
    }
    assert_eq!(sessions(&world), before + 1);
}

#[tokio::test(start_paused = true)]
async fn fifty_at_once_with_fifty_challenges_are_one_session() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    let before = sessions(&world);
    let stood = identity(&world, &ann).await;
    let mut challenges = Vec::new();
    for _ in 0..50 {
        // As a log-in makes them, without its hashing.
        let secret = Secret::new(world.entropy.as_ref());
        let value = Challenge::new(&stood, ann.tenant, ann.user, Wanted::Code, world.now());
        world.table().issue(&secret.hash(), &value).await.unwrap();
        challenges.push(secret.expose_text());
    }
    let answers = rivals(&world, challenges, &inside.phone.code(world.now())).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for told in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(told.verdict(), (401, "code_used"));
    }
    assert_eq!(sessions(&world), before + 1);
    let factor = identity(&world, &ann).await;
    assert_eq!(factor.version, stood.version + 1, "no strike");
}

#[tokio::test(start_paused = true)]
async fn wrong_codes_at_once_lock_and_no_more_than_three_are_looked_at() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    clear_mails(&world).await;
    let asked = challenge(&world, &ann).await;
    let answers = rivals(&world, vec![asked; 20], &inside.phone.wrong(world.now())).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(401), count(423), count(200)), (2, 18, 0));
    assert!(identity(&world, &ann).await.second_factor.unwrap().is_locked());
    assert_eq!(letters(&world).len(), 1);
    assert_eq!(actions(&world, ann.tenant).await.len(), 2);
    let told = post(&world, "/auth/refresh", json!({"refresh_token": inside.refresh})).await;
    assert_eq!(told.status, 401);
}

#[tokio::test]
async fn a_sealer_that_is_down_costs_no_strike() {
    let world = World::new();
    let (ann, inside) = ann(&world).await;
    let token = refreshed(&world, &inside.refresh).await;
    assert!(lives(&world, &token).await);
    let asked = challenge(&world, &ann).await;
    let before = identity(&world, &ann).await;
    world.sealer.set_down(true);
    for _ in 0..4 {
        let told = answer(&world, &asked, &inside.phone.code(world.now())).await;
        assert_eq!(told.status, 503, "{}", told.text);
    }
    world.sealer.set_down(false);
    assert_eq!(identity(&world, &ann).await, before);
    assert_eq!(answer(&world, &asked, &inside.phone.code(world.now())).await.status, 200);
}
