//! A super admin's own second factor from the profile, anybody's recovery codes, and the reset that
//! a mailed link agrees to.

use crate::steps::{
    Enrolled, Phone, STEP, actions, answer, challenge, clear_mails, enrol, enrolled, enter,
    identity, letters, lives, log_in, own, post, recover, recovery_codes, require, session_of,
    user,
};
use crate::{accesses, sessions};
use belfry_domain::account::{Link, LinkPurpose, Role, Status};
use belfry_domain::secret::Secret;
use belfry_store::keys;
use belfry_testkit::{Answer, Member, World};
use jiff::SignedDuration;
use serde_json::{Value, json};

async fn ann(world: &World) -> Member {
    let tenant = world.tenant("Globex").await;
    world.member(tenant, "ann@globex.example", Role::SuperAdmin).await
}

/// The first code of an offer from the profile.
async fn first_code(world: &World, token: &str, offer: &Answer) -> Answer {
    let code = Phone::new(offer.at("/secret")).code(world.now());
    let body = json!({"challenge": offer.at("/challenge"), "code": code});
    own(world, token, "/me/two-factor/enrolment", body).await
}

fn enable() -> Value {
    json!({"enabled": true})
}

fn disable() -> Value {
    json!({"enabled": false})
}

#[tokio::test]
async fn enabling_takes_effect_with_the_first_code() {
    let world = World::new();
    let ann = ann(&world).await;
    let elsewhere = world.tenant("Initech").await;
    let there = world.member(elsewhere, "ann@globex.example", Role::Admin).await;
    let (other, over) = (world.token(&ann).await, world.token(&there).await);
    let (present, refresh) = world.session(&ann).await;
    let token = world.token_of(&present);
    let stood = (identity(&world, &ann).await, user(&world, &ann).await);

    let offer = own(&world, &token, "/me/two-factor", enable()).await;

    assert_eq!((offer.status, offer.at("/status")), (200, "enrolment_required"), "{}", offer.text);
    assert!(offer.at("/otpauth_uri").contains("ann%40globex.example"));
    assert_eq!((identity(&world, &ann).await, user(&world, &ann).await), stood);
    assert_eq!(log_in(&world, &ann).await.at("/status"), "authenticated", "not yet");
    let before = sessions(&world);
    let wrong = Phone::new(offer.at("/secret")).wrong(world.now());
    let body = json!({"challenge": offer.at("/challenge"), "code": wrong});
    let told = own(&world, &token, "/me/two-factor/enrolment", body).await;
    assert_eq!(told.verdict(), (401, "invalid_code"));
    world.wait(60);

    let opened = first_code(&world, &token, &offer).await;

    assert_eq!((opened.status, opened.at("/status")), (200, "authenticated"), "{}", opened.text);
    assert_eq!(recovery_codes(&opened).len(), 10);
    let next = opened.at("/access_token");
    let session = session_of(&world, next).await.unwrap();
    assert!(session.two_factor && session.id != present.id);
    assert_eq!((session.ends_at, session.proven_at), (present.ends_at, present.proven_at));
    for dead in [&token, &other, &over] {
        assert!(!lives(&world, dead).await);
    }
    let told = post(&world, "/auth/refresh", json!({"refresh_token": refresh.expose_text()})).await;
    assert_eq!(told.verdict(), (401, "session_over"));
    assert!(lives(&world, next).await);
    assert_eq!(sessions(&world), before, "one in another's place");
    let mine = user(&world, &ann).await;
    assert!(mine.two_factor_required);
    assert_eq!(mine.version, stood.1.version + 1);
    assert!(!user(&world, &there).await.two_factor_required);
    assert_eq!(
        letters(&world),
        [("ann@globex.example".to_owned(), "en".to_owned(), "TwoFactorEnabled".to_owned())]
    );
    let set = json!([{"field": "two_factor", "to": "active"}]);
    assert_eq!(actions(&world, ann.tenant).await, [("two_factor.change_own".to_owned(), set)]);
    let noted = ("two_factor.changed".to_owned(), "success".to_owned(), there.user.to_string());
    assert!(accesses(&world, &format!("T#{elsewhere}#AC#")).contains(&noted));
    // Each log-in asks for it from now on, wherever to.
    world.wait(STEP);
    let phone = Phone::new(offer.at("/secret"));
    assert_eq!(enter(&world, &ann, &phone).await.status, 200);
    let told = first_code(&world, next, &offer).await;
    assert_eq!(told.verdict(), (410, "challenge_gone"));
}

#[tokio::test]
async fn an_offer_belongs_to_the_session_that_asked_for_it() {
    let world = World::new();
    let ann = ann(&world).await;
    let bob = world.member(ann.tenant, "bob@globex.example", Role::SuperAdmin).await;
    let (token, other, bobs) =
        (world.token(&ann).await, world.token(&ann).await, world.token(&bob).await);
    let offer = own(&world, &token, "/me/two-factor", enable()).await;
    let before = (identity(&world, &ann).await, identity(&world, &bob).await);
    for foreign in [&other, &bobs] {
        let told = first_code(&world, foreign, &offer).await;
        assert_eq!(told.verdict(), (410, "challenge_gone"));
    }
    // Nor is it for a log-in, nor a log-in's for the profile.
    let code = Phone::new(offer.at("/secret")).code(world.now());
    assert_eq!(enrol(&world, &offer, &code).await.verdict(), (410, "challenge_gone"));
    let told = answer(&world, offer.at("/challenge"), &code).await;
    assert_eq!(told.verdict(), (410, "challenge_gone"));
    require(&world, &ann).await;
    let at_log_in = log_in(&world, &ann).await;
    let told = first_code(&world, &token, &at_log_in).await;
    assert_eq!(told.verdict(), (410, "challenge_gone"));
    assert_eq!((identity(&world, &ann).await, identity(&world, &bob).await), before);
    // Its own session may.
    assert_eq!(first_code(&world, &token, &offer).await.status, 200);
}

#[tokio::test]
async fn an_offer_from_the_profile_lives_five_minutes_to_the_second() {
    for (wait, status) in [(299, 200), (300, 410)] {
        let world = World::new();
        let ann = ann(&world).await;
        let token = world.token(&ann).await;
        let offer = own(&world, &token, "/me/two-factor", enable()).await;
        world.wait(wait);
        let told = first_code(&world, &token, &offer).await;
        assert_eq!(told.status, status, "{wait}");
    }
}

#[tokio::test]
async fn disabling_forgets_a_factor_that_nobody_requires_any_more() {
    for (elsewhere_requires, status, kept) in [
        (false, Status::Active, false),
        (true, Status::Active, true),
        (true, Status::Deactivated, false),
    ] {
        let world = World::new();
        let ann = ann(&world).await;
        let elsewhere = world.tenant("Initech").await;
        let there = world.member(elsewhere, "ann@globex.example", Role::ReadOnly).await;
        world
            .change(&there, |user| {
                user.two_factor_required = elsewhere_requires;
                user.status = status;
            })
            .await;
        let body = json!({"email": "ann@globex.example",
            "password": belfry_testkit::world::PASSWORD, "tenant_id": ann.tenant});
        require(&world, &ann).await;
        let offer = post(&world, "/auth/login", body).await;
        let phone = Phone::new(offer.at("/secret"));
        let opened = enrol(&world, &offer, &phone.code(world.now())).await;
        let (token, other) = (opened.at("/access_token"), world.token(&ann).await);
        clear_mails(&world).await;
        let present = session_of(&world, token).await.unwrap();

        let answer = own(&world, token, "/me/two-factor", disable()).await;

        assert_eq!(
            (answer.status, answer.at("/status")),
            (200, "authenticated"),
            "{}",
            answer.text
        );
        assert_eq!(answer.json.get("recovery_codes"), None);
        assert_eq!(identity(&world, &ann).await.second_factor.is_some(), kept);
        assert!(!user(&world, &ann).await.two_factor_required);
        assert_eq!(user(&world, &there).await.two_factor_required, elsewhere_requires);
        let next = answer.at("/access_token");
        assert!(lives(&world, next).await);
        assert!(!lives(&world, token).await && !lives(&world, &other).await);
        let session = session_of(&world, next).await.unwrap();
        assert_eq!((session.ends_at, session.proven_at), (present.ends_at, present.proven_at));
        let mail =
            ("ann@globex.example".to_owned(), "en".to_owned(), "TwoFactorDisabled".to_owned());
        assert_eq!(letters(&world), [mail]);
        let said = actions(&world, ann.tenant).await;
        let off = json!([{"field": "two_factor_required", "from": true, "to": false}]);
        assert_eq!(said[1..], [("two_factor.change_own".to_owned(), off)]);
        let noted = accesses(&world, &format!("T#{elsewhere}#AC#"));
        let changed =
            ("two_factor.changed".to_owned(), "success".to_owned(), there.user.to_string());
        assert_eq!(noted, [changed.clone(), changed]);
        world.wait(STEP);
        let expected = if kept { "two_factor_required" } else { "authenticated" };
        assert_eq!(log_in(&world, &ann).await.at("/status"), expected);
    }
}

#[tokio::test]
async fn a_reset_leaves_the_old_app_until_the_new_ones_first_code() {
    let world = World::new();
    let ann = ann(&world).await;
    let Enrolled { phone, access, recovery, .. } = enrolled(&world, &ann).await;
    let offer = own(&world, &access, "/me/two-factor/reset", json!({})).await;
    assert_eq!(offer.at("/status"), "enrolment_required");
    let other = enter(&world, &ann, &phone).await;
    assert_eq!(other.status, 200, "the old one works");
    let asked = challenge(&world, &ann).await;
    world.wait(STEP);
    clear_mails(&world).await;

    let opened = first_code(&world, &access, &offer).await;

    assert_eq!(opened.status, 200, "{}", opened.text);
    assert!(!lives(&world, &access).await && !lives(&world, other.at("/access_token")).await);
    assert!(lives(&world, opened.at("/access_token")).await);
    assert_eq!(letters(&world).len(), 1);
    // A challenge from before is void; the old app and the old recovery codes are worth nothing.
    world.wait(STEP);
    let told = answer(&world, &asked, &phone.code(world.now())).await;
    assert_eq!(told.verdict(), (410, "challenge_gone"));
    let told = enter(&world, &ann, &phone).await;
    assert_eq!(told.verdict(), (401, "invalid_code"));
    let told = recover(&world, &challenge(&world, &ann).await, &recovery[0]).await;
    assert_eq!(told.verdict(), (401, "invalid_code"));
    assert_eq!(enter(&world, &ann, &Phone::new(offer.at("/secret"))).await.status, 200);
    // Abandoned, it changes nothing.
    let stood = identity(&world, &ann).await;
    let token = world.token(&ann).await;
    let offer = own(&world, &token, "/me/two-factor/reset", json!({})).await;
    world.wait(300);
    let token = world.token(&ann).await;
    assert_eq!(first_code(&world, &token, &offer).await.status, 410);
    assert_eq!(identity(&world, &ann).await, stood);
}

#[tokio::test]
async fn only_super_admins_choose_for_themselves() {
    for role in [Role::Admin, Role::HelpDesk, Role::ReadOnly] {
        let world = World::new();
        let tenant = world.tenant("Globex").await;
        let ann = world.member(tenant, "ann@globex.example", role).await;
        let inside = enrolled(&world, &ann).await;
        let stood = world.db.dump();
        for (route, body) in [
            ("/me/two-factor", enable()),
            ("/me/two-factor", disable()),
            ("/me/two-factor/reset", json!({})),
            ("/me/two-factor/enrolment", json!({"challenge": "x", "code": "123456"})),
        ] {
            // Told so even when the proof is old: confirming would not help.
            let told = own(&world, &inside.access, route, body).await;
            assert_eq!(told.verdict(), (403, "forbidden"), "{role:?} {route}");
        }
        // The denials are written down, and the look may be as a use of the session; nothing else.
        let dump = world.db.dump();
        let changed =
            dump.iter().filter(|item| !stood.contains(item) && item["et"]["S"] != "session");
        let denied: Vec<_> = changed.map(|item| item["denied"]["S"].as_str().unwrap()).collect();
        assert_eq!(denied, ["two_factor.change_own"; 4], "{role:?}");
        let told = own(&world, &inside.access, "/me/recovery-codes", json!({})).await;
        assert_eq!(told.status, 200, "{role:?}");
    }
}

#[tokio::test]
async fn recovery_codes_are_replaced_all_at_once() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::ReadOnly).await;
    let token = world.token(&ann).await;
    let told = own(&world, &token, "/me/recovery-codes", json!({})).await;
    assert_eq!(told.verdict(), (409, "two_factor_off"));
    let inside = enrolled(&world, &ann).await;
    clear_mails(&world).await;
    let factor = identity(&world, &ann).await.second_factor.unwrap();

    let answer = own(&world, &inside.access, "/me/recovery-codes", json!({})).await;

    assert_eq!(answer.status, 200, "{}", answer.text);
    let fresh = recovery_codes(&answer);
    assert_eq!(answer.json, json!({"recovery_codes": fresh}));
    assert_eq!(fresh.len(), 10);
    assert!(fresh.iter().all(|code| !inside.recovery.contains(code) && !world.db.holds(code)));
    let stored = identity(&world, &ann).await.second_factor.unwrap();
    assert_eq!(stored.sealed_seed(), factor.sealed_seed());
    assert!(lives(&world, &inside.access).await, "the session goes on");
    assert_eq!(letters(&world)[0].2, "RecoveryCodesReplaced");
    let said = actions(&world, tenant).await;
    let replaced = json!([{"field": "recovery_codes", "to": "replaced"}]);
    assert_eq!(said[1..], [("recovery_codes.replace".to_owned(), replaced)]);
    let told = recover(&world, &challenge(&world, &ann).await, &inside.recovery[0]).await;
    assert_eq!(told.verdict(), (401, "invalid_code"));
    let told = recover(&world, &challenge(&world, &ann).await, &fresh[0]).await;
    assert_eq!(told.status, 200);
}

#[tokio::test]
async fn a_mailed_link_agrees_to_a_reset_that_one_of_several_tenants_asked_for() {
    for (wait, status) in [(3_599, 204), (3_600, 410)] {
        let world = World::new();
        let ann = ann(&world).await;
        let elsewhere = world.tenant("Initech").await;
        let there = world.member(elsewhere, "ann@globex.example", Role::ReadOnly).await;
        let inside = enrolled(&world, &ann).await;
        clear_mails(&world).await;
        let secret = Secret::new(world.entropy.as_ref());
        let hash = secret.hash();
        world.change(&ann, |user| user.two_factor_reset = Some(hash)).await;
        let purpose = LinkPurpose::TwoFactorReset { tenant: ann.tenant, user: ann.user };
        let valid_until = world.now() + SignedDuration::from_hours(1);
        let link = Link { identity: ann.identity, purpose, valid_until };
        world.put(&keys::link(&hash), &link).await;
        world.wait(wait);
        let token = world.token(&ann).await;
        let accept = async |token: &str| {
            post(&world, "/auth/two-factor/reset", json!({"token": token})).await
        };
        for other in ["", "x", &Secret::from_bytes([3; 32]).expose_text()] {
            assert_eq!(accept(other).await.verdict(), (410, "link_gone"));
        }

        let told = accept(&secret.expose_text()).await;

        assert_eq!(told.status, status, "{wait}: {}", told.text);
        let stored = identity(&world, &ann).await.second_factor;
        assert_eq!(stored.is_none(), status == 204);
        assert_eq!(lives(&world, &token).await, status == 410);
        if status == 410 {
            continue;
        }
        assert_eq!(letters(&world)[0].2, "TwoFactorReset");
        let said = actions(&world, ann.tenant).await;
        let reset = json!([{"field": "two_factor", "to": "reset"}]);
        assert_eq!(said.last(), Some(&("two_factor.accept_reset".to_owned(), reset)));
        let noted = ("two_factor.changed".to_owned(), "success".to_owned(), there.user.to_string());
        assert!(accesses(&world, &format!("T#{elsewhere}#AC#")).contains(&noted));
        assert_eq!(accept(&secret.expose_text()).await.verdict(), (410, "link_gone"));
        let offer = log_in(&world, &ann).await;
        assert_eq!(offer.at("/status"), "enrolment_required");
        assert_ne!(offer.at("/secret"), inside.secret);
    }
}
