//! A tenant whose tags are worked with, by functions that each have their own handle to the table.

use belfry_domain::account::Role;
use belfry_domain::credential::Scope;
use belfry_domain::id::TenantId;
use belfry_domain::product::Product;
use belfry_runtime::events::{Events as _, SqsMessage};
use belfry_runtime::metrics::Metrics;
use belfry_store::Table;
use belfry_testkit::gate::Gate;
use belfry_testkit::{Answer, Ask, Member, MemoryDoorbell, World, ask};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// The functions that have to do with tags, as one process each.
pub(crate) struct Functions {
    pub(crate) tags: tags::App,
    pub(crate) users: users::App,
    pub(crate) tagging: tagging::App,
    pub(crate) product: product::App,
}

pub(crate) struct House {
    pub(crate) world: World,
    pub(crate) tenant: TenantId,
    pub(crate) boss: Member,
    pub(crate) bell: MemoryDoorbell,
    token: Mutex<String>,
    /// Called straight through.
    pub(crate) open: Functions,
}

impl House {
    pub(crate) async fn new() -> Self {
        let world = World::new();
        let tenant = world.tenant("Globex").await;
        let boss = world.member(tenant, "boss@globex.example", Role::SuperAdmin).await;
        let token = Mutex::new(world.token(&boss).await);
        let bell = MemoryDoorbell::new();
        let open = functions(&world, &bell, |_| world.table());
        Self { world, tenant, boss, bell, token, open }
    }

    /// Functions whose calls go through this gate.
    pub(crate) fn functions(&self, name: &str, gate: &Arc<dyn Gate>) -> Functions {
        functions(&self.world, &self.bell, |function| {
            self.world.db.shared(&format!("{name} {function}"), gate.clone()).table()
        })
    }

    pub(crate) fn token(&self) -> String {
        self.token.lock().unwrap().clone()
    }

    /// Lets time go by and logs in anew.
    pub(crate) async fn wait(&self, seconds: i64) {
        self.world.wait(seconds);
        let token = self.world.token(&self.boss).await;
        *self.token.lock().unwrap() = token;
    }

    pub(crate) fn ask(&self, route: &str) -> Ask {
        ask(route).bearer(self.token())
    }

    /// Asked by the boss, who is answered well.
    pub(crate) async fn must(&self, asked: Ask) -> Value {
        let answer = self.asked(asked).await;
        assert!(answer.status < 300, "{}", answer.text);
        answer.json
    }

    /// Asked of whoever has the route.
    pub(crate) async fn asked(&self, asked: Ask) -> Answer {
        answer(&self.open, asked).await
    }

    pub(crate) async fn tag(&self, body: Value) -> Value {
        self.must(self.ask("POST /tags").json(body)).await
    }

    pub(crate) async fn dynamic(&self, key: &str, when: Value) -> Value {
        let rules = json!([{"value": "yes", "when": when}]);
        let body = json!({"key": key, "applies_to": "users", "kind": "dynamic", "rules": rules});
        self.tag(body).await
    }

    /// Another rule for the one value of a dynamic tag.
    pub(crate) fn rule(&self, tag: &Value, when: &Value) -> Ask {
        let body = json!({"rules": [{"value": "yes", "when": when}], "version": tag["version"]});
        self.ask("PUT /tags/{id}").path("id", tag["id"].as_str().unwrap()).json(body)
    }

    pub(crate) async fn seen(&self, tag: &Value) -> Value {
        let asked = self.ask("GET /tags/{id}").path("id", tag["id"].as_str().unwrap());
        self.must(asked).await
    }

    /// All work in the background to its end: that which was rung for, and what fell silent.
    pub(crate) async fn work(&self) {
        for _ in 0..8 {
            self.wait(400).await;
            if sweep(&self.open.tagging).await == Some(0) {
                return;
            }
        }
        panic!("work that does not end");
    }

    pub(crate) async fn reader(&self) -> String {
        self.world.license(self.tenant, Product::Ztna, 1).await;
        let scopes = [Scope::DirectoryRead];
        let token = self.world.credential_for(self.tenant, Product::Ztna, &scopes).await;
        token.expose_text()
    }
}

pub(crate) fn functions(
    world: &World,
    bell: &MemoryDoorbell,
    table: impl Fn(&str) -> Table,
) -> Functions {
    let clock = || Arc::new(world.clock.clone());
    let of_tags = table("tags");
    let tags = tags::App {
        authenticator: world.authenticator(of_tags.clone()),
        table: of_tags,
        bell: Arc::new(bell.clone()),
        clock: clock(),
        entropy: world.entropy.clone(),
    };
    let of_users = table("users");
    let users = users::App {
        authenticator: world.authenticator(of_users.clone()),
        table: of_users,
        post: world.post(),
        imports: Arc::new(world.imports.clone()),
        clock: clock(),
        entropy: world.entropy.clone(),
    };
    let tagging =
        tagging::App { table: table("tagging"), clock: clock(), entropy: world.entropy.clone() };
    let product = product::App { table: table("product"), clock: clock() };
    Functions { tags, users, tagging, product }
}

/// Asks whoever has the route.
pub(crate) async fn answer(functions: &Functions, asked: Ask) -> Answer {
    let route = belfry_api::request::route(&asked.request());
    match route.split(' ').nth(1).unwrap().split('/').nth(1).unwrap() {
        "users" => asked.of(&functions.users).await,
        "product" => asked.of(&functions.product).await,
        _ => asked.of(&functions.tags).await,
    }
}

/// A ring; whether it was answered well.
pub(crate) async fn ring(app: &tagging::App, body: &str) -> bool {
    let ring = SqsMessage { id: "1".to_owned(), body: body.to_owned(), ..SqsMessage::default() };
    app.messages(vec![ring], &mut Metrics::new("tagging", "test")).await.is_empty()
}

/// A sweep; how much was due.
pub(crate) async fn sweep(app: &tagging::App) -> Option<u64> {
    let swept = app.invoked(json!({"sweep": true}), &mut Metrics::new("tagging", "test")).await;
    swept.ok()?["due"].as_u64()
}
