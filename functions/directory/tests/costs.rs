//! What a directory costs, counted: the figures of `infra/table.md`.

use belfry_domain::account::Role;
use belfry_testkit::gate::Open;
use belfry_testkit::{Answer, Ask, World, ask, public_network};
use serde_json::{Value, json};
use std::sync::Arc;

const TABLE_MD: &str = include_str!("../../../infra/table.md");

struct Counted<'a> {
    world: &'a World,
    rows: Vec<String>,
}

impl Counted<'_> {
    fn app(&self, table: belfry_store::Table) -> directory::App {
        directory::App {
            authenticator: self.world.authenticator(table.clone()),
            table,
            post: self.world.post(),
            ldap: Arc::new(self.world.directory.clone()),
            outbound: public_network(),
            bell: Arc::new(self.world.syncs.clone()),
            clock: Arc::new(self.world.clock.clone()),
            entropy: self.world.entropy.clone(),
        }
    }

    async fn row(&mut self, what: &str, asked: Ask) -> Answer {
        let transport = self.world.db.client("directory", Open);
        let answer = asked.of(&self.app(transport.table())).await;
        assert!(answer.status < 300, "{}", answer.text);
        self.rows.push(transport.cost(what));
        answer
    }
}

fn user(name: &str) -> Value {
    json!({"userName": name, "externalId": format!("x-{name}"),
        "name": {"givenName": "Ann", "familyName": "Lindqvist"}, "active": true,
        "emails": [{"value": format!("{name}@globex.example"), "type": "work", "primary": true}]})
}

#[tokio::test]
async fn each_stands_in_the_tables_description() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let boss = world.member(tenant, "boss@globex.example", Role::SuperAdmin).await;
    let access = world.token(&boss).await;
    let mut counted = Counted { world: &world, rows: Vec::new() };
    let body = json!({"name": "Entra ID", "type": "scim",
        "group_roles": [{"group": "Desk", "role": "help_desk"}]});
    let made = ask("POST /identity-providers").bearer(access).json(body);
    let token = made.of(&counted.app(world.table())).await.at("/token").to_owned();
    let scim = |route: &str| ask(route).bearer(&token);
    let made = counted.row("SCIM, a new user", scim("POST /scim/v2/Users").json(user("u0"))).await;
    let id = made.at("/id");
    let mut ids = Vec::new();
    for n in 1..1_000 {
        let asked = scim("POST /scim/v2/Users").json(user(&format!("u{n}")));
        ids.push(asked.of(&counted.app(world.table())).await.at("/id").to_owned());
    }
    let one = |route: &str| scim(route).path("id", id);
    let known = scim("GET /scim/v2/Users").query("filter", "userName eq \"u0\"");
    counted.row("SCIM, a user by its userName", known).await;
    let page = scim("GET /scim/v2/Users").query("startIndex", 801).query("count", 200);
    counted.row("SCIM, a page of 200 of 1,000 users", page).await;
    let scan = scim("GET /scim/v2/Users").query("filter", "name.givenName sw \"B\"");
    counted.row("SCIM, a filter that looks at 1,000 users", scan).await;
    let patch = |path: &str, value: Value| json!({"Operations": [{"op": "replace", "path": path, "value": value}]});
    let title = one("PATCH /scim/v2/Users/{id}").json(patch("title", "Engineer".into()));
    counted.row("SCIM, a user changes", title.clone()).await;
    counted.row("SCIM, the same again", title).await;
    let off = one("PATCH /scim/v2/Users/{id}").json(patch("active", false.into()));
    counted.row("SCIM, a user is deactivated", off).await;
    let staff = json!({"displayName": "Staff"});
    let staff = counted.row("SCIM, a new group", scim("POST /scim/v2/Groups").json(staff)).await;
    let join =
        |ids: &[String]| json!({"Operations": [{"op": "add", "path": "members", "value": ids}]});
    let group = |body| scim("PATCH /scim/v2/Groups/{id}").path("id", staff.at("/id")).json(body);
    counted.row("SCIM, a member joins a group", group(join(&ids[..1]))).await;
    counted.row("SCIM, 100 members join a group", group(join(&ids[1..101]))).await;
    let desk = json!({"displayName": "Desk", "members": [id]});
    counted.row("SCIM, a new group with a member", scim("POST /scim/v2/Groups").json(desk)).await;
    counted.row("SCIM, a user is deleted", one("DELETE /scim/v2/Users/{id}")).await;
    let missing: Vec<_> =
        counted.rows.iter().filter(|row| !TABLE_MD.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "infra/table.md does not have:\n{missing:#?}");
}
