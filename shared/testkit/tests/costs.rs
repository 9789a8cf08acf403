//! What the users page costs, counted: the figures of `infra/table.md`.

use belfry_domain::account::{Role, Source, User};
use belfry_domain::users::NewUser;
use belfry_testkit::gate::Open;
use belfry_testkit::{Ask, World, ask};
use serde_json::json;
use std::sync::Arc;

const TABLE_MD: &str = include_str!("../../../infra/table.md");

async fn row(world: &World, what: &str, asked: Ask) -> String {
    let transport = world.db.client("users", Open);
    let app = users::App {
        authenticator: world.authenticator(transport.table()),
        table: transport.table(),
        post: world.post(),
        imports: Arc::new(world.imports.clone()),
        clock: Arc::new(world.clock.clone()),
        entropy: world.entropy.clone(),
    };
    let answer = asked.of(&app).await;
    assert!(answer.status < 300, "{}", answer.text);
    transport.cost(what)
}

#[tokio::test]
async fn each_stands_in_the_tables_description() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let boss = world.member(tenant, "boss@globex.example", Role::SuperAdmin).await;
    for n in 0..15_000 {
        let new = NewUser {
            first_name: format!("First{n}").parse().unwrap(),
            last_name: format!("Last{}", n % 100).parse().unwrap(),
            email: format!("user-{n}@globex.example").parse().unwrap(),
            mobile: Some(format!("+9198{n:08}").parse().unwrap()),
            phone: None,
            attributes: belfry_domain::attribute::UserAttributes::new(),
            role: Role::User,
            two_factor_required: false,
        };
        let (now, entropy) = (world.now(), world.entropy.as_ref());
        world.keep(&User::new(tenant, new, Source::Csv, None, now, entropy)).await;
    }
    let token = world.token(&boss).await;
    let get = |route: &str| ask(route).bearer(&token);
    let mut rows = vec![
        row(&world, "users, a page of 50", get("GET /users")).await,
        row(
            &world,
            "users, a search that finds one of 15,000, each of its requests",
            get("GET /users").query("search", "user-14999@"),
        )
        .await,
        row(&world, "users, export of 15,000", get("GET /users/export")).await,
    ];
    let new = |name: &str, role: &str| {
        let email = format!("{name}@globex.example");
        let body = json!({"first_name": name, "last_name": "Lee", "email": email, "role": role});
        get("POST /users").json(body)
    };
    rows.push(row(&world, "users, add one without a console", new("bob", "user")).await);
    rows.push(row(&world, "users, add one with a console", new("cy", "admin")).await);
    let member = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let rename = get("PATCH /users/{id}").path("id", member.user);
    let rename = rename.json(json!({"first_name": "Zoe", "version": 1}));
    rows.push(row(&world, "users, change a name", rename).await);
    let delete = get("DELETE /users/{id}").path("id", member.user);
    rows.push(row(&world, "users, delete one with a console", delete).await);
    rows.retain(|row| !TABLE_MD.contains(row));
    assert!(rows.is_empty(), "infra/table.md does not have\n{}", rows.join("\n"));
}
