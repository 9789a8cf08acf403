//! Wrong passwords make an account slow and a source wait; nobody is locked out for good.

use crate::steps::{enrolled, log_in, log_in_with, post};
use crate::{app, sessions};
use belfry_domain::account::Role;
use belfry_testkit::world::PASSWORD;
use belfry_testkit::{Answer, World, ask};
use serde_json::json;

const ANN: &str = "ann@globex.example";

async fn globex() -> World {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    world.member(tenant, ANN, Role::Admin).await;
    world
}

async fn wrong(world: &World, email: &str) -> Answer {
    log_in_with(world, email, "wrong").await
}

#[tokio::test]
async fn after_ten_wrong_passwords_an_account_gets_slower_known_or_not() {
    let mut told = Vec::new();
    for email in [ANN, "nobody@globex.example", "not an address"] {
        let world = globex().await;
        let mut answers = Vec::new();
        // Each pause is twice the one before; one second too early is too early.
        for wait in [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 1, 29, 1, 59, 1, 119, 1] {
            world.wait(wait);
            let answer = wrong(&world, email).await;
            let limit = ["retry-after", "ratelimit", "ratelimit-policy"]
                .map(|name| answer.header(name).to_owned());
            answers.push((answer.status, limit, answer.text));
        }
        told.push(answers);
    }
    let statuses: Vec<_> = told[0].iter().map(|answer| answer.0).collect();
    let expected = [&[401; 10][..], &[429, 429, 401, 429, 401, 429, 401, 429, 401]].concat();
    assert_eq!(statuses, expected);
    let waits: Vec<_> = told[0].iter().skip(10).map(|answer| answer.1[0].as_str()).collect();
    assert_eq!(waits, ["15", "1", "", "1", "", "1", "", "1", ""]);
    let first = &told[0][10].1;
    assert_eq!(first, &["15", "\"password-account\";r=0;t=15", "\"password-account\";q=10;w=900"]);
    assert!(told[0][0].1.iter().all(String::is_empty));
    assert!(told.iter().all(|answers| *answers == told[0]));
}

#[tokio::test]
async fn a_throttled_account_refuses_the_right_password_too_and_then_takes_it() {
    let world = globex().await;
    for _ in 0..10 {
        assert_eq!(wrong(&world, ANN).await.status, 401);
    }
    let told = log_in_with(&world, ANN, PASSWORD).await;
    assert_eq!((told.verdict(), sessions(&world)), ((429, "throttled"), 0));
    // Others go on.
    assert_eq!(wrong(&world, "bob@globex.example").await.status, 401);
    world.wait(15);
    assert_eq!(log_in_with(&world, ANN, PASSWORD).await.status, 200);
    // After a quarter of an hour without a failure it is as if nothing had been.
    world.wait(15 * 60);
    for _ in 0..10 {
        assert_eq!(wrong(&world, ANN).await.status, 401);
    }
    assert_eq!(wrong(&world, ANN).await.status, 429);
}

#[tokio::test]
async fn one_account_is_one_however_its_address_is_written() {
    let world = globex().await;
    let written = [
        ANN,
        "ANN@globex.example",
        " ann@globex.example ",
        "ann@GLOBEX.example",
        "ann@globex。example",
        "ann@glo\u{ad}bex.example",
        "ann@g\u{ad}lobex.example",
        "ann@\u{ff47}lobex.example",
        "ann@globex．example",
        "aNn@globeX.exAmple",
    ];
    for email in written {
        assert_eq!(log_in_with(&world, email, PASSWORD).await.status, 200, "{email}");
    }
    for email in written {
        assert_eq!(wrong(&world, email).await.status, 401, "{email}");
    }
    for email in written {
        assert_eq!(wrong(&world, email).await.status, 429, "{email}");
    }
}

#[tokio::test]
async fn right_passwords_are_never_counted() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, ANN, Role::Admin).await;
    for _ in 0..12 {
        assert_eq!(log_in(&world, &ann).await.at("/status"), "authenticated");
    }
    let inside = enrolled(&world, &ann).await;
    for _ in 0..12 {
        assert_eq!(log_in(&world, &ann).await.at("/status"), "two_factor_required");
    }
    let asked = log_in(&world, &ann).await;
    for _ in 0..3 {
        let wrong = inside.phone.wrong(world.now());
        crate::steps::answer(&world, asked.at("/challenge"), &wrong).await;
    }
    // A lock is no wrong password either.
    for n in 0..12 {
        assert_eq!(log_in(&world, &ann).await.verdict(), (423, "two_factor_locked"), "{n}");
    }
}

#[tokio::test]
async fn a_right_password_with_a_wrong_code_is_no_wrong_password() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, ANN, Role::Admin).await;
    let inside = enrolled(&world, &ann).await;
    let code = inside.phone.code_in(world.now(), -crate::steps::STEP);
    for n in 0..12 {
        let proof = json!({"password": PASSWORD, "code": code});
        let told = crate::steps::own(&world, &inside.access, "/auth/confirm", proof).await;
        assert_eq!(told.verdict(), (401, "code_used"), "{n}");
    }
}

#[tokio::test]
async fn a_hundred_wrong_passwords_from_one_source_over_many_accounts() {
    let world = globex().await;
    for n in 0..100 {
        assert_eq!(wrong(&world, &format!("x{n}@globex.example")).await.status, 401, "{n}");
    }
    world.wait(60);
    let told = log_in_with(&world, ANN, PASSWORD).await;
    assert_eq!(told.verdict(), (429, "throttled"));
    assert_eq!(told.header("retry-after"), "540");
    assert_eq!(told.header("ratelimit-policy"), "\"password-source\";q=100;w=600");
    assert_eq!(told.header("ratelimit"), "\"password-source\";r=0;t=540");
    world.wait(540);
    assert_eq!(log_in_with(&world, ANN, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn the_subjects_are_kept_only_hashed() {
    let world = globex().await;
    wrong(&world, "stranger@globex.example").await;
    post(&world, "/auth/password/forgotten", json!({"email": "other@globex.example"})).await;
    assert_eq!(world.db.dump_of("R#").len(), 4);
    for item in world.db.dump_of("R#") {
        let text = item.to_string();
        assert!(!text.contains("globex") && !text.contains(belfry_testkit::ask::SOURCE), "{text}");
        assert!(item["expires_at"]["N"].is_string(), "{text}");
    }
    // No header changes where a request comes from.
    ask("POST /auth/login")
        .header("X-Forwarded-For", "198.51.100.7")
        .json(json!({"email": "stranger@globex.example", "password": "wrong"}))
        .of(&app(&world))
        .await;
    assert_eq!(world.db.dump_of("R#").len(), 4);
}
