//! `directory` from the gateway's event to the table: every answer, stored state and record.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by a panic"
)]

mod clients;
mod faults;
mod groups;
mod ldap;
mod lists;
mod providers;
mod roles;
mod users;

use belfry_domain::account::{Role, User};
use belfry_domain::id::{TenantId, UserId};
use belfry_domain::ports::Clock;
use belfry_runtime::directory::{Swept, Worker};
use belfry_store::{StoreError, Table, keys};
use belfry_testkit::{Answer, Ask, Member, World, ask, public_network};
use directory::App;
use serde_json::{Value, json};
use std::sync::Arc;

const CREATE: &str = "POST /identity-providers";
const READ: &str = "GET /identity-providers/{id}";
const CHANGE: &str = "PUT /identity-providers/{id}";
const USERS: &str = "/scim/v2/Users";
const GROUPS: &str = "/scim/v2/Groups";

/// A tenant with an admin and a directory that may ask.
struct Office {
    world: World,
    tenant: TenantId,
    member: Member,
    access: String,
    provider: String,
    token: String,
}

fn settings() -> Value {
    json!({"name": "Entra ID", "type": "scim", "group_roles": [
        {"group": "Belfry Admins", "role": "admin"}, {"group": "Desk", "role": "help_desk"}]})
}

impl Office {
    async fn new() -> Self {
        Self::with(settings()).await
    }

    async fn with(body: Value) -> Self {
        let world = World::new();
        let tenant = world.tenant("Globex").await;
        let member = world.member(tenant, "boss@globex.example", Role::SuperAdmin).await;
        let access = world.token(&member).await;
        let (provider, token) = (String::new(), String::new());
        let mut office = Self { world, tenant, member, access, provider, token };
        let made = office.console(CREATE, "", Some(body)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.at("/id").clone_into(&mut office.provider);
        made.json["token"].as_str().unwrap_or_default().clone_into(&mut office.token);
        office
    }

    fn app_over(&self, table: Table) -> App {
        App {
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

    fn app(&self) -> App {
        self.app_over(self.world.table())
    }

    /// A request of the admin.
    async fn console(&self, route: &str, id: &str, body: Option<Value>) -> Answer {
        let asked = ask(route).path("id", id).bearer(&self.access);
        let asked = body.map_or(asked.clone(), |body| asked.json(body));
        asked.of(&self.app()).await
    }

    /// A request of the directory.
    fn ask(&self, route: &str) -> Ask {
        ask(route).bearer(&self.token)
    }

    async fn scim(&self, route: &str, id: &str, body: Option<Value>) -> Answer {
        let asked = self.ask(route).path("id", id);
        let asked = match body {
            Some(body) => asked.text("application/scim+json", &body.to_string()),
            None => asked,
        };
        let answer = asked.of(&self.app()).await;
        if answer.status != 204 {
            assert_eq!(answer.header("content-type"), "application/scim+json", "{}", answer.text);
        }
        answer
    }

    async fn post(&self, of: &str, body: Value) -> Answer {
        self.scim(&format!("POST {of}"), "", Some(body)).await
    }

    async fn get(&self, of: &str, id: &str) -> Answer {
        self.scim(&format!("GET {of}/{{id}}"), id, None).await
    }

    async fn put(&self, of: &str, id: &str, body: Value) -> Answer {
        self.scim(&format!("PUT {of}/{{id}}"), id, Some(body)).await
    }

    async fn patch(&self, of: &str, id: &str, operations: Value) -> Answer {
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations});
        self.scim(&format!("PATCH {of}/{{id}}"), id, Some(body)).await
    }

    async fn delete(&self, of: &str, id: &str) -> Answer {
        self.scim(&format!("DELETE {of}/{{id}}"), id, None).await
    }

    /// The resources of a list, by a filter.
    async fn find(&self, of: &str, filter: &str) -> Answer {
        self.ask(&format!("GET {of}")).query("filter", filter).of(&self.app()).await
    }

    /// A user that is made, by its id.
    async fn made(&self, name: &str) -> String {
        let made = self.post(USERS, user(name)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.at("/id").to_owned()
    }

    /// A group that is made, by its id.
    async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<_> = members.iter().map(|id| json!({"value": id})).collect();
        let made = self.post(GROUPS, json!({"displayName": name, "members": members})).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.at("/id").to_owned()
    }

    /// The tenant's user with an address.
    async fn user_at(&self, email: &str) -> Option<User> {
        let table = self.world.table();
        let id = table.user_at(self.tenant, &email.parse().unwrap()).await.unwrap()?;
        table.user(self.tenant, id).await.unwrap()
    }

    async fn user(&self, id: UserId) -> User {
        self.world.get(&keys::user(self.tenant, id)).await.unwrap()
    }

    /// The tenant's records, each whole.
    async fn trail(&self) -> Vec<Value> {
        let (records, _) = self.world.table().audit_trail(self.tenant, 0, 1_000).await.unwrap();
        records.iter().map(|record| serde_json::from_str(&record.text).unwrap()).collect()
    }

    async fn last_record(&self) -> Value {
        self.trail().await.pop().unwrap()
    }

    /// What the schedule does.
    async fn sweep(&self) {
        self.world.wait(1);
        assert_eq!(self.swept(self.world.table()).await.unwrap().failed, 0);
    }

    /// The same over a table that may fail.
    async fn swept(&self, table: Table) -> Result<Swept, StoreError> {
        let (post, directory) = (self.world.post(), self.world.directory.clone());
        let clock: Arc<dyn Clock> = Arc::new(self.world.clock.clone());
        let (table, post, directory, clock) = (&table, &post, &directory, &clock);
        Worker { table, post, directory, clock }.sweep().await
    }
}

/// A user as a directory sends one: `ann` of globex.
fn user(name: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name,
        "externalId": format!("x-{name}"),
        "name": {"givenName": name, "familyName": "Lindqvist"},
        "emails": [{"value": format!("{name}@globex.example"), "type": "work", "primary": true}],
        "active": true,
    })
}

/// Status and keyword of an error.
fn error(answer: &Answer) -> (u16, &str) {
    assert_eq!(answer.json["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(answer.json["status"], answer.status.to_string());
    assert!(!answer.at("/detail").is_empty());
    (answer.status, answer.json["scimType"].as_str().unwrap_or_default())
}
