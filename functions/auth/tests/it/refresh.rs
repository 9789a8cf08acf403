use crate::{accesses, app, app_over, sessions};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use belfry_domain::account::{Role, Status};
use belfry_domain::session::{RefreshToken, Session};
use belfry_store::keys;
use belfry_testkit::{Ask, Member, Turnstile, World, ask, in_lockstep};
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;

fn refresh(token: &str) -> Ask {
    ask("POST /auth/refresh").json(json!({"refresh_token": token}))
}

async fn ann(world: &World) -> (Member, Session, RefreshToken) {
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let (session, token) = world.session(&ann).await;
    (ann, session, token)
}

async fn stored(world: &World, session: &Session) -> Option<Session> {
    world.get(&keys::session(session.identity, session.id)).await
}

#[tokio::test]
async fn rotates() {
    let world = World::new();
    let (_, session, first) = ann(&world).await;
    world.wait(240);
    let answer = refresh(&first.expose_text()).of(&app(&world)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let (access, second) = (answer.at("/access_token"), answer.at("/refresh_token"));
    assert_eq!(
        answer.json,
        json!({"access_token": access, "token_type": "Bearer", "expires_in": 300,
               "refresh_token": second})
    );
    assert_ne!(second, first.expose_text());
    assert_eq!(world.tokens().verify(access, world.now()).unwrap().sid, session.id);
    let now = stored(&world, &session).await.unwrap();
    assert_eq!((now.last_used_at, now.ends_at), (world.now(), session.ends_at));
    // The successor is in the table sealed, so no reader of the table has it.
    let token: RefreshToken = second.parse().unwrap();
    assert!(!world.db.holds(second) && !format!("{now:?}").contains(second));
    let sealed = now.rotation.unwrap().sealed_successor;
    assert!(!sealed.windows(32).any(|window| window == token.secret().expose()));
    assert_eq!(refresh(second).of(&app(&world)).await.status, 200);
}

#[tokio::test]
async fn the_old_token_gets_the_successor_again_for_ten_seconds_then_ends_the_family() {
    let world = World::new();
    let (ann, session, first) = ann(&world).await;
    let first = first.expose_text();
    let second = refresh(&first).of(&app(&world)).await.at("/refresh_token").to_owned();
    world.wait(10);
    let again = refresh(&first).of(&app(&world)).await;
    assert_eq!((again.status, again.at("/refresh_token")), (200, second.as_str()));
    world.wait(1);
    assert_eq!(refresh(&first).of(&app(&world)).await.verdict(), (401, "session_over"));
    assert_eq!(stored(&world, &session).await, None);
    let reused = ("session.refresh_reused".to_owned(), "failure".to_owned(), ann.user.to_string());
    assert_eq!(accesses(&world, &format!("T#{}#AC#", ann.tenant)), [reused]);
    assert_eq!(refresh(&second).of(&app(&world)).await.verdict(), (401, "session_over"));
}

#[tokio::test]
async fn a_token_of_two_rotations_ago_ends_the_family_at_once() {
    let world = World::new();
    let (_, session, first) = ann(&world).await;
    let first = first.expose_text();
    let second = refresh(&first).of(&app(&world)).await.at("/refresh_token").to_owned();
    let third = refresh(&second).of(&app(&world)).await.at("/refresh_token").to_owned();
    assert_eq!(refresh(&first).of(&app(&world)).await.status, 401);
    assert_eq!(stored(&world, &session).await, None);
    assert_eq!(refresh(&third).of(&app(&world)).await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn fifty_at_once_are_one_family_and_one_successor() {
    let world = World::new();
    let (_, session, first) = ann(&world).await;
    let gate = Arc::new(Turnstile::new());
    let app = Arc::new(app_over(&world, world.db.shared("auth", gate.clone()).table()));
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (app, ask) = (app.clone(), refresh(&first.expose_text()));
            tokio::spawn(async move { ask.of(app.as_ref()).await })
        })
        .collect();
    let mut successors = HashSet::new();
    for answer in in_lockstep(&gate, tasks).await {
        assert_eq!(answer.status, 200, "{}", answer.text);
        successors.insert(answer.at("/refresh_token").to_owned());
    }
    assert_eq!(successors.len(), 1);
    assert_eq!(sessions(&world), 1);
    let successor: RefreshToken = successors.into_iter().next().unwrap().parse().unwrap();
    let now = stored(&world, &session).await.unwrap();
    assert!(now.refresh.is_of(successor.secret()));
}

#[tokio::test]
async fn forged_tokens_learn_and_end_nothing() {
    let world = World::new();
    let (_, session, token) = ann(&world).await;
    let bob = world.member(session.tenant, "bob@globex.example", Role::Admin).await;
    let (_, bobs) = world.session(&bob).await;
    let text = token.expose_text();
    let bytes = URL_SAFE_NO_PAD.decode(&text[4..]).unwrap();
    let encoded = |bytes: &[u8]| format!("bfr_{}", URL_SAFE_NO_PAD.encode(bytes));
    // Of another version or prefix, cut, prolonged; one byte of each id and of the family's half.
    let mut forged = vec![String::new(), "bfr_".to_owned(), text[1..].to_owned()];
    forged.extend([encoded(&bytes[..127]), encoded(&[bytes.as_slice(), &[0]].concat())]);
    for place in [0, 15, 16, 31, 32, 47, 48, 63, 64, 80, 95] {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1;
        forged.push(encoded(&flipped));
    }
    // One's own secrets with somebody else's session, and the reverse.
    let theirs = URL_SAFE_NO_PAD.decode(&bobs.expose_text()[4..]).unwrap();
    forged.push(encoded(&[&theirs[..64], &bytes[64..]].concat()));
    forged.push(encoded(&[&bytes[..64], &theirs[64..]].concat()));
    for bad in forged {
        let answer = refresh(&bad).of(&app(&world)).await;
        assert_eq!(answer.verdict(), (401, "session_over"), "{bad}");
        assert_eq!(stored(&world, &session).await, Some(session.clone()), "{bad}");
    }
    assert_eq!(refresh(&text).of(&app(&world)).await.status, 200);

    // Who shows the family's half once held one of its tokens: with a wrong secret that is reuse.
    let mut flipped = bytes;
    flipped[127] ^= 1;
    assert_eq!(refresh(&encoded(&flipped)).of(&app(&world)).await.status, 401);
    assert_eq!(stored(&world, &session).await, None);
}

#[tokio::test]
async fn follows_limits_and_membership() {
    let world = World::new();
    let (ann, _, _) = ann(&world).await;
    world.set_idle_limit(ann.tenant, 5).await;
    for (wait, status) in [(299, 200), (300, 401)] {
        let (_, token) = world.session(&ann).await;
        world.wait(wait);
        assert_eq!(refresh(&token.expose_text()).of(&app(&world)).await.status, status, "{wait}");
    }
    let (_, token) = world.session(&ann).await;
    world.change(&ann, |user| user.status = Status::Deactivated).await;
    assert_eq!(refresh(&token.expose_text()).of(&app(&world)).await.status, 401);
}

#[tokio::test]
async fn a_background_refresh_is_no_activity_and_twelve_hours_are_the_end() {
    let world = World::new();
    let (_, session, token) = ann(&world).await;
    world.wait(300);
    let quiet = refresh(&token.expose_text()).header("X-Background", "1").of(&app(&world)).await;
    assert_eq!(quiet.status, 200);
    assert_eq!(stored(&world, &session).await.unwrap().last_used_at, session.last_used_at);

    let mut token = quiet.at("/refresh_token").to_owned();
    let mut passed = 300;
    while passed + 600 < 12 * 3600 {
        world.wait(600);
        passed += 600;
        let answer = refresh(&token).of(&app(&world)).await;
        assert_eq!(answer.status, 200, "{passed}");
        token = answer.at("/refresh_token").to_owned();
    }
    world.wait(12 * 3_600 - passed);
    assert_eq!(refresh(&token).of(&app(&world)).await.verdict(), (401, "session_over"));
}

#[tokio::test]
async fn a_browser_refreshes_by_cookie_only_with_its_header() {
    let world = World::new();
    let (_, _, token) = ann(&world).await;
    let cookie = format!("theme=dark; __Host-belfry-refresh={}", token.expose_text());
    let bare = ask("POST /auth/refresh").header("Cookie", &cookie);
    assert_eq!(bare.of(&app(&world)).await.status, 415);
    let answer = bare.header("X-Belfry-Client", "browser").of(&app(&world)).await;
    assert_eq!((answer.status, answer.json.get("refresh_token")), (200, None));
    assert!(answer.header("set-cookie").starts_with("__Host-belfry-refresh=bfr_"));
    let none = ask("POST /auth/refresh").header("X-Belfry-Client", "browser");
    assert_eq!(none.of(&app(&world)).await.verdict(), (401, "session_over"));
}
