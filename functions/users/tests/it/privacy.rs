//! What is held of a person, and erasing it.

use crate::app;
use crate::users::{bob, create, globex};
use belfry_domain::account::Role;
use belfry_domain::audit::{Access, AccessKind, Head, Outcome, verify};
use belfry_domain::policy::Origin;
use belfry_testkit::{World, ask};
use serde_json::json;

#[tokio::test]
async fn all_that_is_held_here_and_nothing_of_other_companies() {
    let world = World::new();
    let (tenant, boss, token) = globex(&world).await;
    let initech = world.tenant("Initech").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let there = world.member(initech, "ann@globex.example", Role::Admin).await;
    let (here, _) = world.session(&ann).await;
    world.session(&there).await;
    let data = |id: String| ask("GET /users/{id}/data").path("id", id).bearer(&token);
    let answer = data(ann.user.to_string()).of(&app(&world)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.at("/user/email"), "ann@globex.example");
    assert_eq!(answer.at("/person/language"), "en");
    let sessions = answer.json["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0]["id"], here.id.to_string());
    assert!(!answer.text.contains("Initech") && !answer.text.contains(&initech.to_string()));
    let noted = world.table().accesses(tenant, world.now()).await.unwrap();
    let [looked] = &noted[..] else { panic!("one access") };
    assert_eq!((looked.action, looked.user), (AccessKind::ReadUserData, Some(boss.user)));

    // Of somebody who is only invited nothing of the person is shown.
    let mut body = bob("admin");
    body["email"] = "zed@initech.example".into();
    world.member(initech, "zed@initech.example", Role::Admin).await;
    let id = create(&world, &token, body).await.at("/id").to_owned();
    let answer = data(id).of(&app(&world)).await;
    assert_eq!((&answer.json["person"], &answer.json["sessions"]), (&json!(null), &json!([])));
}

#[tokio::test]
async fn an_erased_person_is_nowhere_and_the_trail_is_whole() {
    let world = World::new();
    let (tenant, _, token) = globex(&world).await;
    let mut body = bob("user");
    body["first_name"] = "Zanzibar".into();
    body["last_name"] = "Quimby".into();
    body["email"] = "zanzibar@globex.example".into();
    body["mobile"] = "+919812345678".into();
    let id = create(&world, &token, body).await.at("/id").to_owned();
    let other = create(&world, &token, bob("user")).await.at("/id").to_owned();
    let asked = |method: &str, rest: &str| {
        ask(&format!("{method} /users/{{id}}{rest}")).path("id", &id).bearer(&token)
    };
    let rename = json!({"first_name": "Zenobia", "version": 1});
    assert_eq!(asked("PATCH", "").json(rename).of(&app(&world)).await.status, 200);
    let origin = Origin { request_id: "r".into(), source_address: Some("198.51.100.77".into()) };
    let user = Some(id.parse().unwrap());
    let (now, entropy) = (world.now(), world.entropy.as_ref());
    let access = Access::new(AccessKind::Login, Outcome::Failure, user, &origin, now, entropy);
    world.table().note_access(Some(tenant), &access).await.unwrap();

    let told = asked("POST", "/erasure").of(&app(&world)).await;
    assert_eq!(told.verdict(), (409, "not_deleted"));
    assert_eq!(asked("DELETE", "").of(&app(&world)).await.status, 204);
    let secrets = ["anzibar", "Quimby", "9812345678", "Zenobia", "198.51.100.77"];
    assert!(secrets.iter().all(|secret| world.db.holds(secret)), "kept until it is erased");
    world.wait(60);
    for _ in 0..2 {
        let told = asked("POST", "/erasure").of(&app(&world)).await;
        assert_eq!(told.status, 200, "{}", told.text);
        assert_eq!(told.at("/email"), format!("{id}@erased.invalid"));
        assert_eq!(told.at("/erased_at"), "2026-11-22T12:01:00.000Z");
    }
    for secret in secrets {
        assert!(!world.db.holds(secret), "{secret}");
    }
    let shown = ask("GET /users/{id}").path("id", &other).bearer(&token).of(&app(&world)).await;
    assert_eq!(shown.at("/first_name"), "Bob", "nobody else is erased");
    let (kept, head) = world.table().audit_trail(tenant, 0, 100).await.unwrap();
    let records = kept.iter().map(|kept| (kept.text.as_str(), kept.personal.as_deref()));
    assert_eq!(verify(&Head::EMPTY, records), Ok(head.clone()));
    let actions: Vec<_> = kept
        .iter()
        .map(|kept| {
            serde_json::from_str::<serde_json::Value>(&kept.text).unwrap()["action"].clone()
        })
        .collect();
    let expected = ["user.create", "user.create", "user.change", "user.delete", "user.erase"];
    assert_eq!(actions, expected);
}
