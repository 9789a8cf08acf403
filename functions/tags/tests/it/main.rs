//! `tags`, from the gateway's event to the table.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by a panic"
)]

mod applications;
mod assignments;
mod preview;
mod roles;
mod tags;

use ::tags::App;
use belfry_domain::account::Role;
use belfry_domain::id::TenantId;
use belfry_testkit::{Answer, Ask, Member, MemoryDoorbell, World, ask};
use serde_json::{Value, json};
use std::sync::Arc;

/// A tenant with an admin who asks.
pub(crate) struct House {
    pub(crate) world: World,
    pub(crate) tenant: TenantId,
    pub(crate) admin: Member,
    pub(crate) token: String,
    pub(crate) bell: MemoryDoorbell,
    pub(crate) app: App,
}

impl House {
    pub(crate) async fn new() -> Self {
        let world = World::new();
        let tenant = world.tenant("Globex").await;
        let admin = world.member(tenant, "admin@globex.example", Role::Admin).await;
        let token = world.token(&admin).await;
        let bell = MemoryDoorbell::new();
        let app = App {
            authenticator: world.authenticator(world.table()),
            table: world.table(),
            bell: Arc::new(bell.clone()),
            clock: Arc::new(world.clock.clone()),
            entropy: world.entropy.clone(),
        };
        Self { world, tenant, admin, token, bell, app }
    }

    /// The same table seen by another tenant's admin.
    pub(crate) async fn neighbour(&self) -> (TenantId, String) {
        let tenant = self.world.tenant("Initech").await;
        let admin = self.world.member(tenant, "admin@initech.example", Role::Admin).await;
        (tenant, self.world.token(&admin).await)
    }

    pub(crate) fn ask(&self, route: &str) -> Ask {
        ask(route).bearer(&self.token)
    }

    pub(crate) fn of(&self, route: &str, tag: &Value) -> Ask {
        self.ask(route).path("id", tag["id"].as_str().unwrap())
    }

    pub(crate) async fn asked(&self, asked: Ask) -> Answer {
        asked.of(&self.app).await
    }

    pub(crate) async fn must(&self, asked: Ask) -> Value {
        let answer = self.asked(asked).await;
        assert!(answer.status < 300, "{}", answer.text);
        answer.json
    }

    pub(crate) async fn tag(&self, body: Value) -> Value {
        self.must(self.ask("POST /tags").json(body)).await
    }

    /// A static tag of users.
    pub(crate) async fn fixed(&self, key: &str, values: &[&str]) -> Value {
        self.tag(fixed(key, values)).await
    }

    pub(crate) async fn application(&self, name: &str) -> Value {
        let body = json!({"name": name, "host": "crm.globex.example", "category": "Sales"});
        self.must(self.ask("POST /applications").json(body)).await
    }

    /// Everything there is, to see that nothing changed.
    pub(crate) fn dump(&self) -> Vec<Value> {
        self.world.db.dump_of(&format!("T#{}", self.tenant))
    }

    /// Actions that were recorded.
    pub(crate) async fn actions(&self) -> Vec<String> {
        let (kept, _) = self.world.table().audit_trail(self.tenant, 0, 100).await.unwrap();
        let action = |text: &str| {
            let record: Value = serde_json::from_str(text).unwrap();
            record["action"].as_str().unwrap().to_owned()
        };
        kept.iter().map(|kept| action(&kept.text)).collect()
    }
}

pub(crate) fn fixed(key: &str, values: &[&str]) -> Value {
    json!({"key": key, "applies_to": "users", "kind": "static", "values": values})
}

pub(crate) fn dynamic(key: &str, when: &Value) -> Value {
    json!({"key": key, "applies_to": "users", "kind": "dynamic",
        "rules": [{"value": "yes", "when": when}]})
}

pub(crate) fn texts<'a>(list: &'a Value, pointer: &str) -> Vec<&'a str> {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item.pointer(pointer).unwrap().as_str().unwrap()).collect()
}
