//! One's own profile and sessions, and every route against a session that is over.

use crate::steps::{actions, changes, identity, lives, me, own, user};
use crate::{accesses, app};
use belfry_domain::account::{Role, Source, Status};
use belfry_domain::session::ClientInfo;
use belfry_domain::session::Session;
use belfry_store::keys;
use belfry_testkit::ask::SOURCE;
use belfry_testkit::world::PASSWORD;
use belfry_testkit::{Answer, Member, World, ask};
use serde_json::{Value, json};

async fn ann(world: &World) -> (Member, String) {
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::ReadOnly).await;
    let token = world.token(&ann).await;
    (ann, token)
}

async fn patch(world: &World, token: &str, body: Value) -> Answer {
    ask("PATCH /me").bearer(token).json(body).of(&app(world)).await
}

#[tokio::test]
async fn names_number_and_language_change() {
    let world = World::new();
    let (ann, token) = ann(&world).await;
    let elsewhere = world.tenant("Initech").await;
    let there = world.member(elsewhere, "ann@globex.example", Role::Admin).await;

    let answer = patch(
        &world,
        &token,
        json!({"first_name": " Anna  Maria ", "last_name": "Ōkubo", "mobile": "+81 (3) 1234-5678",
            "language": "ja", "version": 1}),
    )
    .await;

    assert_eq!(answer.status, 200, "{}", answer.text);
    let told = &answer.json;
    assert_eq!((&told["first_name"], &told["last_name"]), (&json!("Anna Maria"), &json!("Ōkubo")));
    assert_eq!((&told["mobile"], &told["language"]), (&json!("+81312345678"), &json!("ja")));
    assert_eq!(told["version"], 2);
    assert_eq!(*told, me(&world, &token).await.json);
    let stored = user(&world, &ann).await;
    assert_eq!((stored.first_name.as_str(), stored.last_name.as_str()), ("Anna Maria", "Ōkubo"));
    assert_eq!(stored.mobile.unwrap().as_str(), "+81312345678");
    assert_eq!(stored.version, 2);
    assert_eq!(identity(&world, &ann).await.language.name(), "ja");
    // The language is the person's, names and number the membership's.
    assert_eq!(user(&world, &there).await.first_name.as_str(), "Ann");

    let records = changes(&world, ann.tenant).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["action"], "profile.change");
    assert_eq!(records[0]["actor"], json!({"kind": "person", "id": ann.user, "role": "read_only"}));
    assert_eq!(records[0]["entity"], json!({"kind": "user", "id": ann.user}));
    assert_eq!(records[0]["changes"], json!([{"field": "language", "from": "en", "to": "ja"}]));
    assert_eq!(
        records[0]["values"],
        json!({"first_name": "Anna Maria", "last_name": "Ōkubo", "mobile": "+81312345678",
            "source_address": SOURCE})
    );
    // Names and numbers stand only in the erasable part.
    for item in world.db.dump_of(&format!("T#{}#AU", ann.tenant)) {
        let chained = item["pk"]["S"].as_str().unwrap().ends_with("#AU");
        let text = item.to_string();
        for name in ["Anna Maria", "Ōkubo", "+81312345678", SOURCE] {
            assert!(!(chained && text.contains(name)), "{text}");
        }
    }
}

#[tokio::test]
async fn absent_stays_and_an_empty_number_goes() {
    let world = World::new();
    let (ann, token) = ann(&world).await;
    let answer = patch(&world, &token, json!({"language": "ko", "version": 1})).await;
    assert_eq!((answer.at("/first_name"), answer.at("/mobile")), ("Ann", "+919876543210"));
    for (mobile, version) in [("", 2), (" ", 3)] {
        let answer = patch(&world, &token, json!({"mobile": mobile, "version": version})).await;
        assert_eq!((answer.status, &answer.json["mobile"]), (200, &Value::Null));
    }
    assert_eq!(user(&world, &ann).await.mobile, None);
    assert_eq!(me(&world, &token).await.json["mobile"], Value::Null);
    assert_eq!(answer.at("/language"), "ko");
}

#[tokio::test]
async fn a_stale_version_changes_nothing() {
    let world = World::new();
    let (ann, token) = ann(&world).await;
    assert_eq!(patch(&world, &token, json!({"first_name": "Bea", "version": 1})).await.status, 200);
    for version in [0, 1, 3] {
        let told = patch(&world, &token, json!({"first_name": "Cay", "version": version})).await;
        assert_eq!(told.verdict(), (409, "version_conflict"), "{version}");
    }
    assert_eq!(user(&world, &ann).await.first_name.as_str(), "Bea");
    assert_eq!(actions(&world, ann.tenant).await.len(), 1);
}

#[tokio::test]
async fn what_comes_from_an_import_or_a_directory_is_changed_there() {
    for source in [Source::Csv, Source::Directory] {
        let world = World::new();
        let (ann, token) = ann(&world).await;
        world.change(&ann, |user| user.source = source).await;
        for body in [
            json!({"first_name": "Bea", "version": 1}),
            json!({"last_name": "Bea", "version": 1}),
            json!({"mobile": "+81312345678", "version": 1}),
            json!({"mobile": "", "language": "ja", "version": 1}),
        ] {
            let told = patch(&world, &token, body.clone()).await;
            assert_eq!(told.verdict(), (409, "not_editable"), "{source:?} {body}");
        }
        // The language is one's own.
        let told = patch(&world, &token, json!({"language": "ja", "version": 1})).await;
        assert_eq!((told.status, told.at("/language")), (200, "ja"));
        assert_eq!(user(&world, &ann).await.first_name.as_str(), "Ann");
    }
}

#[tokio::test]
async fn every_faulty_field_is_named_at_once() {
    let world = World::new();
    let (ann, token) = ann(&world).await;
    let body = json!({"first_name": "", "last_name": "<b>", "mobile": "12345", "language": "xx",
        "version": 1});
    let told = patch(&world, &token, body).await;
    assert_eq!(told.verdict(), (422, "invalid"));
    assert_eq!(
        told.faults(),
        [
            ("/first_name", "required"),
            ("/last_name", "invalid"),
            ("/mobile", "invalid"),
            ("/language", "invalid"),
        ]
    );
    for (field, value) in [
        ("email", json!("eve@globex.example")),
        ("role", json!("super_admin")),
        ("status", json!("active")),
        ("two_factor", json!({"required": false})),
        ("id", json!("usr_x")),
    ] {
        let mut body = json!({"first_name": "Eve", "version": 1});
        body[field] = value;
        let told = patch(&world, &token, body).await;
        assert_eq!((told.status, told.faults()), (422, vec![(&*format!("/{field}"), "invalid")]));
    }
    assert_eq!(patch(&world, &token, json!({"first_name": "Eve"})).await.status, 422);
    assert_eq!(user(&world, &ann).await.version, 1);
    assert_eq!(actions(&world, ann.tenant).await, []);
}

#[tokio::test]
async fn the_list_of_sessions_has_all_that_live_and_no_other() {
    let world = World::new();
    let (ann, _) = ann(&world).await;
    let elsewhere = world.tenant("Initech").await;
    let there = world.member(elsewhere, "ann@globex.example", Role::Admin).await;
    let bob = world.member(ann.tenant, "bob@globex.example", Role::Admin).await;
    // Idle too long by now.
    world.wait(20 * 60);
    world.session(&bob).await;
    let (over, _) = world.session(&there).await;
    world.wait(60);
    let opened = ask("POST /auth/login")
        .header("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)".repeat(9))
        .json(json!({"email": "ann@globex.example", "password": PASSWORD, "tenant_id": ann.tenant}))
        .of(&app(&world))
        .await;
    let token = opened.at("/access_token");
    let list = async || ask("GET /me/sessions").bearer(token).of(&app(&world)).await;

    let told = list().await;

    let id = me(&world, token).await.json["session_id"].clone();
    let agent = "Mozilla/5.0 (X11; Linux x86_64)".repeat(9)[..200].to_owned();
    assert_eq!(
        told.json,
        json!({"next_cursor": null, "items": [
            {"id": id, "current": true, "tenant": {"id": ann.tenant, "name": "Globex"},
             "created_at": "2026-11-22T12:21:00.000Z", "last_used_at": "2026-11-22T12:21:00.000Z",
             "ends_at": "2026-11-23T00:21:00.000Z", "source_address": SOURCE, "user_agent": agent},
            {"id": over.id, "current": false, "tenant": {"id": elsewhere, "name": "Initech"},
             "created_at": "2026-11-22T12:20:00.000Z", "last_used_at": "2026-11-22T12:20:00.000Z",
             "ends_at": "2026-11-23T00:20:00.000Z", "source_address": null, "user_agent": null},
        ]})
    );
    // Neither one of a membership that is not active, nor one that a change has ended.
    world.change(&there, |user| user.status = Status::Deactivated).await;
    assert_eq!(list().await.json["items"].as_array().unwrap().len(), 1);
    world
        .change(&there, |user| {
            user.status = Status::Active;
            user.sessions += 1;
        })
        .await;
    assert_eq!(list().await.json["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn one_ends_ones_own_sessions_and_nobody_elses() {
    let world = World::new();
    let (ann, token) = ann(&world).await;
    let elsewhere = world.tenant("Initech").await;
    let there = world.member(elsewhere, "ann@globex.example", Role::Admin).await;
    let bob = world.member(ann.tenant, "bob@globex.example", Role::SuperAdmin).await;
    let (bobs, _) = world.session(&bob).await;
    let (over, _) = world.session(&there).await;
    let end = async |id: &str| {
        ask("DELETE /me/sessions/{id}").path("id", id).bearer(&token).of(&app(&world)).await
    };
    let other = world.token_of(&over);
    assert!(lives(&world, &other).await);

    let told = end(&over.id.to_string()).await;

    assert_eq!((told.status, told.text.as_str()), (204, ""));
    assert!(!lives(&world, &other).await);
    let ended = ("session.end".to_owned(), "success".to_owned(), there.user.to_string());
    assert_eq!(accesses(&world, &format!("T#{elsewhere}#AC#")), [ended]);
    for id in [&over.id.to_string(), &bobs.id.to_string(), "x", &ann.user.to_string()] {
        assert_eq!(end(id).await.verdict(), (404, "not_found"), "{id}");
    }
    assert!(lives(&world, &world.token_of(&bobs)).await);
    // The present one too.
    let own = me(&world, &token).await.at("/session_id").to_owned();
    assert_eq!(end(&own).await.status, 204);
    assert!(!lives(&world, &token).await);
}

/// Every route of the function that asks who is calling, with a body it would take.
fn routes() -> Vec<(&'static str, Option<Value>)> {
    vec![
        ("POST /auth/confirm", Some(json!({"password": PASSWORD}))),
        ("POST /auth/tenant", Some(json!({"tenant_id": "x"}))),
        ("POST /auth/logout", None),
        ("GET /me", None),
        ("PATCH /me", Some(json!({"language": "ja", "version": 1}))),
        ("POST /me/password", Some(json!({"password": "velvet-harbour-sixty-tulip"}))),
        ("GET /me/sessions", None),
        ("DELETE /me/sessions/{id}", None),
        ("POST /me/two-factor", Some(json!({"enabled": true}))),
        ("POST /me/two-factor/enrolment", Some(json!({"challenge": "x", "code": "123456"}))),
        ("POST /me/two-factor/reset", Some(json!({}))),
        ("POST /me/recovery-codes", Some(json!({}))),
    ]
}

#[tokio::test]
async fn every_route_refuses_a_session_that_is_over() {
    for (route, body) in routes() {
        for what in [
            "no token",
            "deactivated",
            "archived",
            "role user",
            "another password",
            "ended by the membership",
            "ended",
            "idle",
        ] {
            let world = World::new();
            let tenant = world.tenant("Globex").await;
            let ann = world.member(tenant, "ann@globex.example", Role::SuperAdmin).await;
            let (session, _) = world.session(&ann).await;
            let mut token = world.token_of(&session);
            match what {
                "deactivated" => world.change(&ann, |user| user.status = Status::Deactivated).await,
                "archived" => world.change(&ann, |user| user.status = Status::Archived).await,
                "role user" => world.change(&ann, |user| user.role = Role::User).await,
                "ended by the membership" => world.change(&ann, |user| user.sessions += 1).await,
                "another password" => {
                    let other = world.token(&ann).await;
                    let body = json!({"password": "velvet-harbour-sixty-tulip"});
                    assert_eq!(own(&world, &other, "/me/password", body).await.status, 200);
                }
                "ended" => {
                    let table = world.table();
                    table.end_session(ann.identity, session.id).await.unwrap();
                }
                "idle" => {
                    world.wait(20 * 60);
                    token = world.token_of(&session);
                }
                _ => token.clear(),
            }
            let before = world.db.dump();
            let mut ask = ask(route).path("id", session.id);
            if !token.is_empty() {
                ask = ask.bearer(&token);
            } else if route == "POST /auth/logout" {
                continue;
            }
            if let Some(body) = &body {
                ask = ask.json(body.clone());
            }
            let told = ask.of(&app(&world)).await;
            assert_eq!(told.verdict(), (401, "unauthenticated"), "{route}: {what}");
            assert_eq!(world.db.dump(), before, "{route}: {what}");
        }
    }
}

#[tokio::test]
async fn the_session_says_where_it_was_opened_and_the_next_one_too() {
    let world = World::new();
    let (ann, _) = ann(&world).await;
    let opened = ask("POST /auth/login")
        .header("User-Agent", "curl/8")
        .json(json!({"email": "ann@globex.example", "password": PASSWORD}))
        .of(&app(&world))
        .await;
    let body = json!({"password": "velvet-harbour-sixty-tulip"});
    let next = own(&world, opened.at("/access_token"), "/me/password", body).await;
    let claims = world.tokens().verify(next.at("/access_token"), world.now()).unwrap();
    let stored: Session = world.get(&keys::session(ann.identity, claims.sid)).await.unwrap();
    let client = ClientInfo {
        source_address: Some(SOURCE.to_owned()),
        user_agent: Some("curl/8".to_owned()),
    };
    assert_eq!(stored.client, client);
}
