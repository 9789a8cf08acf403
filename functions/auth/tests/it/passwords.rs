//! A password forgotten, set anew by a mailed link, or changed from the profile.

use crate::steps::{
    Enrolled, actions, challenge, changes, clear_mails, enrolled, identity, letters, link, lives,
    log_in, log_in_with, mails, own, post, recover, session_of,
};
use crate::{accesses, app_over, sessions};
use belfry_domain::account::{Identity, Role, Status};
use belfry_domain::language::Language;
use belfry_domain::second_factor::{RecoveryCode, SecondFactor};
use belfry_store::keys;
use belfry_testkit::gate::Open;
use belfry_testkit::world::PASSWORD;
use belfry_testkit::{Answer, Ask, Member, Turnstile, Verdict, World, ask, in_lockstep};
use serde_json::json;
use std::sync::Arc;

const NEW: &str = "velvet-harbour-sixty-tulip";

fn forgotten(email: &str) -> Ask {
    ask("POST /auth/password/forgotten").json(json!({"email": email}))
}

async fn forget(world: &World, email: &str) -> Answer {
    forgotten(email).of(&crate::app(world)).await
}

async fn reset(world: &World, token: &str, password: &str) -> Answer {
    post(world, "/auth/password/reset", json!({"token": token, "password": password})).await
}

/// Asks for a link and takes it from the mail.
async fn mailed(world: &World, member: &Member) -> String {
    clear_mails(world).await;
    assert_eq!(forget(world, member.email.as_str()).await.status, 202);
    link(world).await.1
}

async fn ann(world: &World) -> Member {
    let tenant = world.tenant("Globex Corporation").await;
    world.member(tenant, "ann@globex.example", Role::Admin).await
}

#[tokio::test]
async fn forgetting_tells_nobody_whether_the_address_is_known() {
    let world = World::new();
    let ann = ann(&world).await;
    let pending = world.member(ann.tenant, "pending@globex.example", Role::Admin).await;
    world.change_person(&pending, |person| person.password = None).await;
    let gone = world.member(ann.tenant, "gone@globex.example", Role::Admin).await;
    world.change(&gone, |user| user.status = Status::Deactivated).await;
    let product = world.member(ann.tenant, "product@globex.example", Role::User).await;
    // Invited, not accepted: no edge leads from the person to the membership yet.
    let invited = world.member(ann.tenant, "invited@globex.example", Role::Admin).await;
    world.change_person(&invited, |person| person.password = None).await;
    let table = world.table();
    let edge = keys::membership(invited.identity, ann.tenant);
    let call = table.client().delete_item().table_name(table.name());
    call.set_key(Some(belfry_store::table::key_item(&edge))).send().await.unwrap();

    let mut all = Vec::new();
    for email in [
        "ann@globex.example",
        "nobody@globex.example",
        pending.email.as_str(),
        gone.email.as_str(),
        product.email.as_str(),
        invited.email.as_str(),
    ] {
        world.bell.drain();
        let transport = world.db.client("auth", Open);
        let answer = forgotten(email).of(&app_over(&world, transport.table())).await;
        assert_eq!((answer.status, &answer.json), (202, &json!({"status": "accepted"})), "{email}");
        assert_eq!(world.bell.drain().len(), 1, "{email}");
        let work = (transport.counts(), transport.read_units(), transport.write_units());
        all.push((email.to_owned(), answer.text, answer.headers, work));
    }
    let first = all[0].clone();
    for (email, text, headers, work) in &all {
        assert_eq!((text, headers), (&first.1, &first.2), "{email}");
        assert_eq!(work, &first.3, "{email}");
    }
    let mail = ("ann@globex.example".to_owned(), "en".to_owned(), "PasswordReset".to_owned());
    assert_eq!(letters(&world), [mail]);
    assert!(!world.db.holds("nobody@globex.example"));
    let noted = accesses(&world, &format!("T#{}#AC#", ann.tenant));
    let asked = ("password.forgotten".to_owned(), "success".to_owned(), ann.user.to_string());
    assert!(noted.contains(&asked), "{noted:?}");
}

#[tokio::test]
async fn a_link_sets_a_password_once_and_opens_nothing() {
    let world = World::new();
    let ann = ann(&world).await;
    let elsewhere = world.tenant("Initech").await;
    let there = world.member(elsewhere, "ann@globex.example", Role::ReadOnly).await;
    world.change_person(&ann, |person| person.language = Language::Ja).await;
    let (one, two) = (world.token(&ann).await, world.token(&there).await);
    forget(&world, "Ann@Globex.example").await;
    assert_eq!(mails(&world)[0]["language"], "ja");
    let (page, token) = link(&world).await;
    assert_eq!(page, "https://console.example/reset-password");
    assert!(!world.db.holds(&token));
    let before = identity(&world, &ann).await;
    assert!(lives(&world, &one).await, "asking ends nothing");
    clear_mails(&world).await;
    world.wait(60);

    let answer = reset(&world, &token, NEW).await;

    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(answer.header("set-cookie"), "");
    let after = identity(&world, &ann).await;
    assert_eq!((after.password_reset, after.password_set_at), (None, Some(world.now())));
    assert_eq!(after.sessions, before.sessions + 1);
    assert_ne!(after.password, before.password);
    assert!(!world.db.holds(NEW));
    assert!(!lives(&world, &one).await && !lives(&world, &two).await);
    assert_eq!(sessions(&world), 2, "none opened");
    assert_eq!(world.db.dump_of("L#").len(), 0);
    assert_eq!(log_in(&world, &ann).await.verdict(), (401, "invalid_credentials"));
    assert_eq!(log_in_with(&world, "ann@globex.example", NEW).await.status, 200);

    let mail = ("ann@globex.example".to_owned(), "ja".to_owned(), "PasswordChanged".to_owned());
    assert_eq!(letters(&world), [mail]);
    // On the record of one tenant; the other is told.
    let (here, over) = (changes(&world, ann.tenant).await, changes(&world, elsewhere).await);
    let records = [here, over].concat();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["action"], "password.reset");
    assert_eq!(records[0]["changes"], json!([{"field": "password", "to": "set"}]));
    let (other, user) = if records[0]["tenant"] == json!(ann.tenant) {
        (elsewhere, there.user)
    } else {
        (ann.tenant, ann.user)
    };
    let noted = accesses(&world, &format!("T#{other}#AC#"));
    assert!(noted.contains(&("password.set".to_owned(), "success".to_owned(), user.to_string())));

    let again = reset(&world, &token, "another-mustard-ninety-kelp").await;
    assert_eq!(again.verdict(), (410, "link_gone"));
}

#[tokio::test]
async fn a_link_lives_an_hour_to_the_second() {
    for (wait, status) in [(3_599, 204), (3_600, 410)] {
        let world = World::new();
        let ann = ann(&world).await;
        let token = mailed(&world, &ann).await;
        world.wait(wait);
        assert_eq!(reset(&world, &token, NEW).await.status, status, "{wait}");
        assert_eq!(
            log_in_with(&world, "ann@globex.example", NEW).await.status == 200,
            status == 204
        );
    }
}

#[tokio::test]
async fn replaced_used_foreign_and_unknown_links_are_one_answer() {
    let world = World::new();
    let ann = ann(&world).await;
    let first = mailed(&world, &ann).await;
    let second = mailed(&world, &ann).await;
    let gone = reset(&world, &first, NEW).await;
    assert_eq!(gone.verdict(), (410, "link_gone"));
    let unknown = belfry_domain::secret::Secret::from_bytes([5; 32]).expose_text();
    for token in [unknown.as_str(), "", "x", &second[1..]] {
        let answer = reset(&world, token, NEW).await;
        assert_eq!((answer.status, &answer.text), (410, &gone.text), "{token}");
    }
    // A reset link is no activation, nor is it a reset of the second factor.
    for route in ["/auth/activation", "/auth/activation/check", "/auth/two-factor/reset"] {
        let told = post(&world, route, json!({"token": second})).await;
        assert_eq!(told.verdict(), (410, "link_gone"), "{route}");
    }
    // Nobody who may not come in sets a password, and the link was not used up by the try.
    world.change(&ann, |user| user.status = Status::Deactivated).await;
    assert_eq!(reset(&world, &second, NEW).await.verdict(), (410, "link_gone"));
    world.change(&ann, |user| user.status = Status::Active).await;
    assert_eq!(reset(&world, &second, NEW).await.status, 204);
}

#[tokio::test]
async fn a_reset_never_leads_past_the_second_factor() {
    let world = World::new();
    let ann = ann(&world).await;
    let inside = enrolled(&world, &ann).await;
    let asked = challenge(&world, &ann).await;
    world.wait(1);
    let token = mailed(&world, &ann).await;
    let factor = identity(&world, &ann).await.second_factor;
    assert_eq!(reset(&world, &token, NEW).await.status, 204);
    assert_eq!(identity(&world, &ann).await.second_factor, factor);
    assert!(!lives(&world, &inside.access).await);
    world.wait(30);
    // A challenge from before is void, for codes and recovery codes.
    let code = inside.phone.code(world.now());
    let told = crate::steps::answer(&world, &asked, &code).await;
    assert_eq!(told.verdict(), (410, "challenge_gone"));
    let told = recover(&world, &asked, &inside.recovery[0]).await;
    assert_eq!(told.verdict(), (410, "challenge_gone"));
    let told = log_in_with(&world, "ann@globex.example", NEW).await;
    assert_eq!(told.at("/status"), "two_factor_required");
    let told = crate::steps::answer(&world, told.at("/challenge"), &code).await;
    assert_eq!(told.status, 200);
}

#[tokio::test]
async fn a_locked_factor_stays_locked_through_a_reset() {
    let world = World::new();
    let ann = ann(&world).await;
    let inside = enrolled(&world, &ann).await;
    let asked = challenge(&world, &ann).await;
    for _ in 0..3 {
        crate::steps::answer(&world, &asked, &inside.phone.wrong(world.now())).await;
    }
    let token = mailed(&world, &ann).await;
    assert_eq!(reset(&world, &token, NEW).await.status, 204);
    let told = log_in_with(&world, "ann@globex.example", NEW).await;
    assert_eq!(told.verdict(), (423, "two_factor_locked"));
}

const WEAK: [(&str, &[(&str, &str)]); 5] = [
    ("", &[("/password", "too_short"), ("/password", "too_weak")]),
    ("password1234", &[("/password", "too_weak")]),
    (
        "Lindqvist1",
        &[("/password", "too_short"), ("/password", "contains_name"), ("/password", "too_weak")],
    ),
    ("orbit-mustard-globex-kelp", &[("/password", "contains_name")]),
    ("orbit-mustard-initech-kelp", &[("/password", "contains_name")]),
];

#[tokio::test]
async fn weak_passwords_are_refused_with_every_reason_by_either_way() {
    let world = World::new();
    let ann = ann(&world).await;
    let elsewhere = world.tenant("Initech").await;
    world.member(elsewhere, "ann@globex.example", Role::ReadOnly).await;
    let session = world.token(&ann).await;
    let token = mailed(&world, &ann).await;
    let before = identity(&world, &ann).await;
    for (password, faults) in WEAK {
        let by_link = reset(&world, &token, password).await;
        let body = json!({"password": password});
        let by_session = own(&world, &session, "/me/password", body).await;
        for told in [by_link, by_session] {
            assert_eq!(told.verdict(), (422, "invalid"), "{password}");
            assert_eq!(told.faults(), faults, "{password}");
        }
    }
    assert_eq!(identity(&world, &ann).await, before);
    assert!(lives(&world, &session).await);
    assert_eq!(reset(&world, &token, NEW).await.status, 204);
}

#[tokio::test]
async fn three_mails_an_hour_to_one_address_known_or_not() {
    for email in ["ann@globex.example", "nobody@globex.example"] {
        let world = World::new();
        ann(&world).await;
        for same in [email, &email.to_uppercase(), &format!(" {} ", email.replace('.', "。"))] {
            assert_eq!(forget(&world, same).await.status, 202, "{same}");
        }
        world.wait(600);
        let told = forget(&world, email).await;
        assert_eq!(told.verdict(), (429, "throttled"));
        assert_eq!(told.header("retry-after"), "3000");
        assert_eq!(told.header("ratelimit-policy"), "\"mail-recipient\";q=3;w=3600");
        assert_eq!(told.header("ratelimit"), "\"mail-recipient\";r=0;t=3000");
        let sent = if email.starts_with("ann") { 3 } else { 0 };
        assert_eq!(mails(&world).len(), sent);
        assert_eq!(forget(&world, "cay@globex.example").await.status, 202);
        world.wait(3_000);
        assert_eq!(forget(&world, email).await.status, 202);
    }
}

#[tokio::test]
async fn ten_tries_an_hour_from_one_source() {
    let world = World::new();
    let ann = ann(&world).await;
    for n in 0..10 {
        assert_eq!(forget(&world, &format!("x{n}@globex.example")).await.status, 202);
    }
    let told = forget(&world, ann.email.as_str()).await;
    assert_eq!(told.verdict(), (429, "throttled"));
    assert_eq!(told.header("retry-after"), "3600");
    assert_eq!(told.header("ratelimit-policy"), "\"mail-source\";q=10;w=3600");
    assert_eq!(mails(&world).len(), 0);
    world.wait(3_600);
    assert_eq!(forget(&world, ann.email.as_str()).await.status, 202);
}

#[tokio::test]
async fn what_is_no_address_is_said() {
    let world = World::new();
    for (email, code) in [("", "required"), ("ann", "invalid"), ("ann@", "invalid")] {
        let told = forget(&world, email).await;
        assert_eq!((told.status, told.faults()), (422, vec![("/email", code)]), "{email}");
    }
    assert_eq!(world.db.dump().len(), 0);
}

#[tokio::test]
async fn changing_it_ends_every_other_session_and_this_one_goes_on_anew() {
    let world = World::new();
    let ann = ann(&world).await;
    let elsewhere = world.tenant("Initech").await;
    let there = world.member(elsewhere, "ann@globex.example", Role::ReadOnly).await;
    let (other, over) = (world.token(&ann).await, world.token(&there).await);
    let (present, refresh) = world.session(&ann).await;
    let token = world.token_of(&present);
    let reset_link = mailed(&world, &ann).await;
    clear_mails(&world).await;
    world.wait(60);

    let answer = own(&world, &token, "/me/password", json!({"password": NEW})).await;

    assert_eq!((answer.status, answer.at("/status")), (200, "authenticated"), "{}", answer.text);
    let next = answer.at("/access_token");
    for dead in [&token, &other, &over] {
        assert!(!lives(&world, dead).await);
    }
    let told = post(&world, "/auth/refresh", json!({"refresh_token": refresh.expose_text()})).await;
    assert_eq!(told.verdict(), (401, "session_over"));
    assert!(lives(&world, next).await);
    let session = session_of(&world, next).await.unwrap();
    assert_ne!(session.id, present.id);
    // It ends when it would have, and proves no more.
    assert_eq!((session.ends_at, session.proven_at), (present.ends_at, present.proven_at));
    assert_eq!(session.tenant, ann.tenant);
    let after = identity(&world, &ann).await;
    assert_eq!((after.password_set_at, after.password_reset), (Some(world.now()), None));
    // A link asked for before does not undo it.
    assert_eq!(reset(&world, &reset_link, PASSWORD).await.verdict(), (410, "link_gone"));
    assert_eq!(log_in(&world, &ann).await.status, 401);
    assert_eq!(log_in_with(&world, "ann@globex.example", NEW).await.status, 200);

    let mail = ("ann@globex.example".to_owned(), "en".to_owned(), "PasswordChanged".to_owned());
    assert_eq!(letters(&world), [mail]);
    let set = json!([{"field": "password", "to": "set"}]);
    assert_eq!(actions(&world, ann.tenant).await, [("password.change".to_owned(), set)]);
    let noted = accesses(&world, &format!("T#{elsewhere}#AC#"));
    let set = ("password.set".to_owned(), "success".to_owned(), there.user.to_string());
    assert!(noted.contains(&set), "{noted:?}");
}

#[tokio::test]
async fn changing_it_keeps_the_second_factor() {
    let world = World::new();
    let ann = ann(&world).await;
    let Enrolled { phone, access, .. } = enrolled(&world, &ann).await;
    let factor = identity(&world, &ann).await.second_factor;
    let answer = own(&world, &access, "/me/password", json!({"password": NEW})).await;
    assert!(session_of(&world, answer.at("/access_token")).await.unwrap().two_factor);
    assert_eq!(identity(&world, &ann).await.second_factor, factor);
    let told = log_in_with(&world, "ann@globex.example", NEW).await;
    let told = crate::steps::answer(&world, told.at("/challenge"), &phone.code(world.now())).await;
    assert_eq!(told.status, 200);
}

#[tokio::test(start_paused = true)]
async fn of_many_at_once_with_one_link_one_sets_it() {
    let world = World::new();
    let ann = ann(&world).await;
    let token = mailed(&world, &ann).await;
    let gate = Arc::new(Turnstile::new());
    let tasks: Vec<_> = (0..4)
        .map(|n| {
            let app = app_over(&world, world.db.shared("auth", gate.clone()).table());
            let body = json!({"token": token, "password": format!("{NEW}-{n}")});
            let ask = ask("POST /auth/password/reset").json(body);
            tokio::spawn(async move { ask.of(&app).await.status })
        })
        .collect();
    let mut statuses = in_lockstep(&gate, tasks).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 410, 410, 410]);
    assert_eq!(actions(&world, ann.tenant).await.len(), 1);
}

/// Between the look at the session and the write, another change ends all sessions: what the ended
/// session asked for must not overrule it.
#[tokio::test(start_paused = true)]
async fn a_session_that_ends_meanwhile_changes_nothing_any_more() {
    for route in
        ["POST /me/password", "POST /me/recovery-codes", "POST /me/two-factor", "PATCH /me"]
    {
        let world = World::new();
        let tenant = world.tenant("Globex").await;
        let ann = world.member(tenant, "ann@globex.example", Role::SuperAdmin).await;
        let codes = RecoveryCode::set(world.entropy.as_ref());
        let factor = SecondFactor::enrolled(vec![1], 1, &codes, world.now());
        world.change_person(&ann, |person| person.second_factor = Some(factor)).await;
        let (session, _) = world.session(&ann).await;
        let body = match route {
            "POST /me/password" => json!({"password": "another-mustard-ninety-kelp"}),
            "POST /me/two-factor" => json!({"enabled": false}),
            _ => json!({"language": "ja", "version": 1}),
        };
        let asked = ask(route).bearer(world.token_of(&session)).json(body);
        let gate = Arc::new(Turnstile::new());
        let app = app_over(&world, world.db.shared("auth", gate.clone()).table());
        let answer = tokio::spawn(async move { asked.of(&app).await });
        'held: loop {
            for held in gate.settle().await {
                if held.call.operation == "TransactWriteItems" {
                    break 'held;
                }
                gate.release(held.ticket, Verdict::Proceed);
            }
        }
        world.change_person(&ann, |person| *person = person.changed().without_sessions()).await;
        let key = keys::identity(ann.identity);
        let before: Identity = world.get(&key).await.unwrap();
        gate.open();
        assert_eq!(answer.await.unwrap().verdict(), (401, "unauthenticated"), "{route}");
        assert_eq!(world.get::<Identity>(&key).await.unwrap(), before, "{route}");
    }
}
