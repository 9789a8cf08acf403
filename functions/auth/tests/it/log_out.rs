use crate::{accesses, app, sessions};
use belfry_domain::account::Role;
use belfry_testkit::{World, ask};
use serde_json::json;

#[tokio::test]
async fn the_very_next_request_is_refused() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let (session, refresh) = world.session(&ann).await;
    let other = world.token(&ann).await;
    let token = world.token_of(&session);
    let me = |token: &str| ask("GET /me").bearer(token);
    assert_eq!(me(&token).of(&app(&world)).await.status, 200);

    let answer = ask("POST /auth/logout").bearer(&token).of(&app(&world)).await;

    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(me(&token).of(&app(&world)).await.verdict(), (401, "unauthenticated"));
    let refresh = json!({"refresh_token": refresh.expose_text()});
    let answer = ask("POST /auth/refresh").json(refresh.clone()).of(&app(&world)).await;
    assert_eq!(answer.verdict(), (401, "session_over"));
    // Once more is a session that is over; the other session lives.
    assert_eq!(ask("POST /auth/logout").bearer(&token).of(&app(&world)).await.status, 401);
    assert_eq!(ask("POST /auth/logout").json(refresh).of(&app(&world)).await.status, 401);
    assert_eq!(me(&other).of(&app(&world)).await.status, 200);
    let out = ("session.logout".to_owned(), "success".to_owned(), ann.user.to_string());
    assert_eq!(accesses(&world, &format!("T#{tenant}#AC#")), [out]);
}

#[tokio::test]
async fn works_by_refresh_token_when_the_access_token_ran_out() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let (_, token) = world.session(&ann).await;
    world.wait(600);
    let cookie = format!("__Host-belfry-refresh={}", token.expose_text());
    let ask = ask("POST /auth/logout").header("Cookie", cookie);
    assert_eq!(ask.of(&app(&world)).await.status, 415, "without its header no cookie is read");
    assert_eq!(sessions(&world), 1);
    let answer = ask.header("X-Belfry-Client", "browser").of(&app(&world)).await;
    assert_eq!((answer.status, sessions(&world)), (204, 0));
    assert!(answer.header("set-cookie").starts_with("__Host-belfry-refresh=; "));
    assert!(answer.header("set-cookie").ends_with("Max-Age=0"));
}

/// The client need not know which of its tokens still work.
#[tokio::test]
async fn an_access_token_that_ran_out_does_not_keep_the_refresh_token_from_ending_the_session() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let (session, token) = world.session(&ann).await;
    let access = world.token_of(&session);
    world.wait(600);
    let out = ask("POST /auth/logout").bearer(&access);
    assert_eq!(out.of(&app(&world)).await.verdict(), (401, "unauthenticated"));
    assert_eq!(sessions(&world), 1);
    let out = out.json(json!({"refresh_token": token.expose_text()}));
    assert_eq!(out.of(&app(&world)).await.status, 204);
    assert_eq!(sessions(&world), 0);
}
