//! What log-ins and console requests cost, counted: the figures of `infra/table.md`.

use crate::app_over;
use crate::steps::{enrolled, log_in};
use belfry_domain::account::Role;
use belfry_testkit::gate::Open;
use belfry_testkit::world::PASSWORD;
use belfry_testkit::{Ask, World, ask};
use serde_json::json;

const TABLE_MD: &str = include_str!("../../../../infra/table.md");

/// A row as `infra/table.md` must have it: calls, read units, write units.
async fn row(world: &World, what: &str, asked: Ask) -> String {
    let transport = world.db.client("auth", Open);
    let answer = asked.of(&app_over(world, transport.table())).await;
    assert!(answer.status < 500, "{}", answer.text);
    transport.cost(what)
}

#[tokio::test]
async fn each_stands_in_the_tables_description() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let bob = world.member(tenant, "bob@globex.example", Role::SuperAdmin).await;
    let phone = enrolled(&world, &bob).await.phone;
    let login = |email: &str, password: &str| {
        ask("POST /auth/login").json(json!({"email": email, "password": password}))
    };
    let mut rows = Vec::new();
    let wrong = login("ann@globex.example", "wrong");
    rows.push(row(&world, "log-in, wrong password or unknown address", wrong).await);
    let right = login("ann@globex.example", PASSWORD);
    rows.push(row(&world, "log-in by password alone", right).await);
    let careful = login("bob@globex.example", PASSWORD);
    rows.push(row(&world, "log-in, password of two factors", careful).await);
    let challenge = log_in(&world, &bob).await.at("/challenge").to_owned();
    let code = json!({"challenge": challenge, "code": phone.code(world.now())});
    rows.push(row(&world, "log-in, code", ask("POST /auth/two-factor").json(code)).await);
    let (session, refresh) = world.session(&ann).await;
    let refresh = json!({"refresh_token": refresh.expose_text()});
    rows.push(row(&world, "refresh", ask("POST /auth/refresh").json(refresh)).await);
    let token = world.token_of(&session);
    let sessions = || ask("GET /me/sessions").bearer(&token);
    rows.push(
        row(&world, "any console request, and a query of the own sessions", sessions()).await,
    );
    world.wait(30);
    rows.push(row(&world, "the same, half a minute after the last", sessions()).await);
    rows.retain(|row| !TABLE_MD.contains(row));
    assert!(rows.is_empty(), "infra/table.md does not have\n{}", rows.join("\n"));
}
