//! The second factor enrolled at a log-in.

use crate::steps::{
    Phone, STEP, answer, challenge, changes, enrol, enrolled, holds_bytes, identity, letters,
    lives, log_in, post, recovery_codes, require, session_of,
};
use crate::{accesses, app, sessions};
use belfry_domain::account::Role;
use belfry_domain::language::Language;
use belfry_testkit::{Member, World, ask};
use serde_json::json;
use totp_rs::Secret;

async fn ann(world: &World) -> Member {
    let tenant = world.tenant("Globex").await;
    world.member(tenant, "ann@globex.example", Role::Admin).await
}

#[tokio::test]
async fn a_secret_is_offered_after_the_right_password_only() {
    let world = World::new();
    let ann = ann(&world).await;
    require(&world, &ann).await;
    let wrong = crate::steps::log_in_with(&world, "ann@globex.example", "wrong").await;
    assert_eq!(wrong.verdict(), (401, "invalid_credentials"));

    let offer = log_in(&world, &ann).await;

    let (challenge, secret) = (offer.at("/challenge"), offer.at("/secret"));
    let svg = offer.at("/qr_svg");
    assert_eq!(
        offer.json,
        json!({
            "status": "enrolment_required", "challenge": challenge, "expires_in": 300,
            "secret": secret, "qr_svg": svg,
            "otpauth_uri":
                format!("otpauth://totp/Belfry:ann%40globex.example?secret={secret}&issuer=Belfry"),
        })
    );
    assert!(svg.contains("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
    assert!(!svg.contains("<script") && !svg.contains("href"));
    let bytes = Secret::try_from_base32(secret).unwrap();
    assert_eq!((secret.len(), bytes.as_ref().len()), (32, 20));
    // Kept only hashed and sealed.
    assert!(!world.db.holds(challenge) && !world.db.holds(secret));
    assert!(!holds_bytes(&world, bytes.as_ref()));
    // Nothing is open yet, and nothing is enrolled.
    assert_eq!(sessions(&world), 0);
    assert_eq!(identity(&world, &ann).await.second_factor, None);
    let again = log_in(&world, &ann).await;
    assert_ne!((again.at("/secret"), again.at("/challenge")), (secret, challenge));
}

#[tokio::test]
async fn the_first_right_code_enrols_and_opens_the_one_session() {
    let world = World::new();
    let ann = ann(&world).await;
    let elsewhere = world.tenant("Initech").await;
    let there = world.member(elsewhere, "ann@globex.example", Role::ReadOnly).await;
    world.change_person(&ann, |person| person.language = Language::Ja).await;
    let old = world.token(&ann).await;
    let old_there = world.token(&there).await;
    require(&world, &ann).await;
    let body = json!({"email": "ann@globex.example", "password": belfry_testkit::world::PASSWORD,
        "tenant_id": ann.tenant});
    let offer = post(&world, "/auth/login", body).await;
    let phone = Phone::new(offer.at("/secret"));
    let before = identity(&world, &ann).await;

    // Wrong ones are not counted: there is nothing to guess yet.
    for _ in 0..5 {
        let wrong = enrol(&world, &offer, &phone.wrong(world.now())).await;
        assert_eq!(wrong.verdict(), (401, "invalid_code"));
    }
    assert_eq!(identity(&world, &ann).await, before);
    assert!(lives(&world, &old).await && lives(&world, &old_there).await);

    let code = phone.code(world.now());
    let right = enrol(&world, &offer, &code).await;

    assert_eq!((right.status, right.at("/status")), (200, "authenticated"), "{}", right.text);
    let recovery = recovery_codes(&right);
    assert_eq!(recovery.len(), 10);
    for code in &recovery {
        assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4, 4], "{code}");
        assert!(!world.db.holds(code) && !world.db.holds(&code.replace('-', "")));
        let bare = code.replace('-', "").to_uppercase();
        let bytes = Secret::try_from_base32(&bare).unwrap();
        assert!(!holds_bytes(&world, bytes.as_ref()));
    }
    let seed = Secret::try_from_base32(offer.at("/secret")).unwrap();
    assert!(!world.db.holds(offer.at("/secret")) && !holds_bytes(&world, seed.as_ref()));
    let token = right.at("/access_token");
    let session = session_of(&world, token).await.unwrap();
    assert!(session.two_factor);
    assert_eq!((session.tenant, session.proven_at), (ann.tenant, world.now()));
    let after = identity(&world, &ann).await;
    assert_eq!(after.second_factor.as_ref().unwrap().recovery_codes_left(), 10);
    assert_eq!((after.sessions, after.version), (before.sessions + 1, before.version + 1));
    // Every session of before is over, in every tenant.
    assert!(lives(&world, token).await);
    assert!(!lives(&world, &old).await && !lives(&world, &old_there).await);
    let view = crate::steps::me(&world, token).await.json["two_factor"].clone();
    assert_eq!(view, json!({"required": true, "state": "active", "recovery_codes_left": 10}));

    let mail = ("ann@globex.example".to_owned(), "ja".to_owned(), "TwoFactorEnabled".to_owned());
    assert_eq!(letters(&world), [mail]);
    let records = changes(&world, ann.tenant).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["action"], "two_factor.enrol");
    assert_eq!(records[0]["actor"], json!({"kind": "person", "id": ann.user, "role": "admin"}));
    assert_eq!(records[0]["entity"], json!({"kind": "user", "id": ann.user}));
    assert_eq!(records[0]["changes"], json!([{"field": "two_factor", "to": "active"}]));
    assert_eq!(records[0]["values"], json!({"source_address": belfry_testkit::ask::SOURCE}));
    assert_eq!(changes(&world, elsewhere).await.len(), 0);
    let noted = ("two_factor.changed".to_owned(), "success".to_owned(), there.user.to_string());
    assert_eq!(accesses(&world, &format!("T#{elsewhere}#AC#")), [noted]);

    // Answered at most once.
    let code = phone.code_in(world.now(), STEP);
    assert_eq!(enrol(&world, &offer, &code).await.verdict(), (410, "challenge_gone"));
    assert_eq!(world.db.dump_of("L#").len(), 0);
}

#[tokio::test]
async fn an_offer_lives_five_minutes_to_the_second() {
    for (wait, verdict) in [(299, (200, "")), (300, (410, "challenge_gone"))] {
        let world = World::new();
        let ann = ann(&world).await;
        require(&world, &ann).await;
        let offer = log_in(&world, &ann).await;
        world.wait(wait);
        let code = Phone::new(offer.at("/secret")).code(world.now());
        assert_eq!(enrol(&world, &offer, &code).await.verdict(), verdict, "{wait}");
        let enrolled = identity(&world, &ann).await.second_factor.is_some();
        assert_eq!((enrolled, sessions(&world)), (verdict.0 == 200, usize::from(enrolled)));
    }
}

#[tokio::test]
async fn the_code_that_enrolled_is_used_up() {
    let world = World::new();
    let ann = ann(&world).await;
    require(&world, &ann).await;
    let offer = log_in(&world, &ann).await;
    let phone = Phone::new(offer.at("/secret"));
    let code = phone.code(world.now());
    assert_eq!(enrol(&world, &offer, &code).await.status, 200);

    let asked = challenge(&world, &ann).await;
    assert_eq!(answer(&world, &asked, &code).await.verdict(), (401, "code_used"));
    // One of the step before is no way around it.
    let earlier = phone.code_in(world.now(), -STEP);
    assert_eq!(answer(&world, &asked, &earlier).await.verdict(), (401, "code_used"));
    world.wait(STEP);
    assert_eq!(answer(&world, &asked, &phone.code(world.now())).await.status, 200);
}

#[tokio::test]
async fn of_two_offers_the_first_to_be_answered_voids_the_other() {
    let world = World::new();
    let ann = ann(&world).await;
    require(&world, &ann).await;
    let (one, two) = (log_in(&world, &ann).await, log_in(&world, &ann).await);
    let code = |offer: &belfry_testkit::Answer| Phone::new(offer.at("/secret")).code(world.now());
    assert_eq!(enrol(&world, &two, &code(&two)).await.status, 200);
    let before = identity(&world, &ann).await;
    assert_eq!(enrol(&world, &one, &code(&one)).await.verdict(), (410, "challenge_gone"));
    assert_eq!(identity(&world, &ann).await, before);
}

#[tokio::test]
async fn a_challenge_answers_only_what_it_asks() {
    let world = World::new();
    let ann = ann(&world).await;
    let bob = world.member(ann.tenant, "bob@globex.example", Role::Admin).await;
    require(&world, &bob).await;
    let anns = enrolled(&world, &ann).await;
    let asked = challenge(&world, &ann).await;
    let offer = log_in(&world, &bob).await;
    // A challenge for a code enrols nothing; an offered secret is no second factor yet.
    let body = json!({"challenge": asked, "code": anns.phone.code(world.now())});
    let told = post(&world, "/auth/two-factor/enrolment", body).await;
    assert_eq!(told.verdict(), (410, "challenge_gone"));
    let code = Phone::new(offer.at("/secret")).code(world.now());
    let told = answer(&world, offer.at("/challenge"), &code).await;
    assert_eq!(told.verdict(), (410, "challenge_gone"));
    // Both still stand.
    assert_eq!(answer(&world, &asked, &anns.phone.code(world.now())).await.status, 200);
    assert_eq!(enrol(&world, &offer, &code).await.status, 200);
}

#[tokio::test]
async fn faulty_enrolments_are_named() {
    let world = World::new();
    let ann = ann(&world).await;
    require(&world, &ann).await;
    let offer = log_in(&world, &ann).await;
    let good = offer.at("/challenge");
    let at_code = Some(("/code", "invalid"));
    for (body, status, fault) in [
        (json!({"challenge": good}), 422, Some(("", "invalid"))),
        (json!({"challenge": good, "code": ""}), 422, Some(("/code", "required"))),
        (json!({"challenge": good, "code": "12345"}), 422, at_code),
        (json!({"challenge": good, "code": "1234567"}), 422, at_code),
        (json!({"challenge": good, "code": "12345x"}), 422, at_code),
        (json!({"challenge": good, "code": 123_456}), 422, at_code),
        (
            json!({"challenge": good, "code": "123456", "admin": true}),
            422,
            Some(("/admin", "invalid")),
        ),
        (json!({"challenge": "x", "code": "123456"}), 410, None),
        (json!({"challenge": "A".repeat(43), "code": "123456"}), 410, None),
    ] {
        let told = ask("POST /auth/two-factor/enrolment").json(body.clone()).of(&app(&world)).await;
        assert_eq!(told.status, status, "{body}: {}", told.text);
        assert_eq!(told.faults().first().copied(), fault, "{body}");
    }
}
