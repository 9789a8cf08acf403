//! Identity providers and their SCIM server, every answer that the description names.

use crate::faulty_bodies;
use crate::house::House;
use belfry_api::routes::{Caller, ROUTES};
use belfry_domain::account::Role;
use belfry_domain::id::TenantId;
use belfry_domain::ports::Clock;
use belfry_runtime::directory::Worker;
use belfry_testkit::{Answer, ask};
use serde_json::{Value, json};
use std::sync::Arc;

const CREATE: &str = "POST /identity-providers";
const CHANGE: &str = "PUT /identity-providers/{id}";
const DELETE: &str = "DELETE /identity-providers/{id}";
const TOKEN: &str = "POST /identity-providers/{id}/token";
const SYNC: &str = "POST /identity-providers/{id}/sync";
const SYNCS: &str = "GET /identity-providers/{id}/syncs";
const TEST: &str = "POST /identity-providers/{id}/test";
const TEST_UNSAVED: &str = "POST /identity-providers/test";
const PREVIEW: &str = "POST /identity-providers/{id}/preview";
const SCIM: &str = "application/scim+json";

impl House {
    /// Does the work on directories that is due.
    async fn synced(&self) {
        let world = &self.world;
        let (table, post) = (world.table(), world.post());
        let clock: Arc<dyn Clock> = Arc::new(world.clock.clone());
        let worker =
            Worker { table: &table, post: &post, directory: &world.directory, clock: &clock };
        world.wait(1);
        assert_eq!(worker.sweep().await.unwrap().failed, 0);
    }

    async fn providers(
        &self,
        route: &'static str,
        token: &str,
        id: &str,
        body: Option<Value>,
    ) -> Answer {
        let asked = ask(route).path("id", id).bearer(token);
        match body {
            Some(body) => self.send(&self.directory, route, asked, body).await,
            None if route == DELETE => {
                let asked = asked.query("users", "keep_as_manual");
                self.tell(&self.directory, route, asked).await
            }
            None => self.tell(&self.directory, route, asked).await,
        }
    }

    async fn pushed(&self, route: &str, token: &str, id: &str, body: Option<Value>) -> Answer {
        let asked = ask(route).path("id", id).bearer(token);
        let asked = match body {
            Some(body) => {
                self.description.check_request(route, &body);
                asked.text(SCIM, &body.to_string())
            }
            None => asked,
        };
        self.tell(&self.directory, route, asked).await
    }
}

fn provider(name: &str) -> Value {
    json!({"name": name, "type": "scim", "mapping": {"department": "department"},
        "group_roles": [{"group": "Admins", "role": "admin"}]})
}

fn changed(name: &str, version: u64) -> Value {
    let mut body = provider(name);
    body["version"] = version.into();
    body
}

fn user(name: &str) -> Value {
    json!({"userName": name, "emails": [{"value": format!("{name}@globex.com")}]})
}

pub(crate) async fn all(house: &House, tenant: TenantId) {
    let admin = house.world.member(tenant, "idp@globex.com", Role::Admin).await;
    let token = house.world.token(&admin).await;
    let help = house.world.member(tenant, "idp-help@globex.com", Role::HelpDesk).await;
    let help = house.world.token(&help).await;
    let made = house.providers(CREATE, &token, "", Some(provider("Entra ID"))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (id, scim) = (made.at("/id").to_owned(), made.at("/token").to_owned());
    nobody(house, &id).await;
    for route in [CREATE, CHANGE, TOKEN, SYNC, TEST_UNSAVED] {
        faulty_bodies(house, &house.directory, route, Some(&token)).await;
    }
    console(house, &token, &help, &id).await;
    users(house, &scim).await;
    groups(house, &scim).await;
    tags_follow(house, tenant, &token, &scim).await;
    server(house, &scim).await;
    off(house, &token, &id, &scim).await;
    ldap(house, &token, &help, &id).await;
    assert_eq!(house.providers(DELETE, &token, &id, None).await.status, 202);
    for (route, body) in [
        (CHANGE, Some(changed("x", 4))),
        (DELETE, None),
        (TOKEN, Some(json!({}))),
        (SYNC, None),
        (TEST, None),
        (PREVIEW, None),
    ] {
        let told = house.providers(route, &token, &id, body).await;
        assert_eq!(told.verdict(), (409, "provider_deleting"), "{route}");
    }
}

/// A directory that is read.
async fn ldap(house: &House, token: &str, help: &str, pushing: &str) {
    house.world.directory.person(1, "ann").group(1, "Staff", &[1]);
    let body = json!({"name": "Corporate", "type": "ldap", "ldap": {"host": "dc1.example.com", "port": 636,
        "tls": "ldaps", "base_dn": "dc=example", "bind_dn": "cn=belfry", "password": "secret",
        "flavor": "openldap", "sync_every_minutes": 60}, "mapping": {"title": ["title", "employeeType"]}});
    let made = house.providers(CREATE, token, "", Some(body.clone())).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.at("/id");
    for route in [TEST, PREVIEW] {
        assert_eq!(house.providers(route, token, id, None).await.status, 200, "{route}");
        let told = house.providers(route, token, pushing, None).await;
        assert_eq!(told.verdict(), (409, "not_connected_to"), "{route}");
    }
    let unsaved = house.providers(TEST_UNSAVED, token, "", Some(body.clone())).await;
    assert_eq!(unsaved.json["readable"], true, "{}", unsaved.text);
    let told = house.providers(TEST_UNSAVED, token, "", Some(provider("x"))).await;
    assert_eq!(told.verdict(), (409, "not_connected_to"));
    let told = house.providers(TOKEN, token, id, Some(json!({}))).await;
    assert_eq!(told.verdict(), (409, "no_tokens"));
    let accept = json!({"accept_deactivations": 3});
    assert_eq!(house.providers(SYNC, token, id, Some(accept.clone())).await.status, 202);
    let told = house.providers(SYNC, token, id, Some(accept)).await;
    assert_eq!(told.verdict(), (409, "sync_running"));
    house.synced().await;
    assert_eq!(
        house.providers(SYNCS, token, id, None).await.json["items"][0]["outcome"],
        "completed"
    );
    let cursor = ask(SYNCS).path("id", id).bearer(token).query("cursor", "x");
    assert_eq!(house.tell(&house.directory, SYNCS, cursor).await.status, 400);
    let unknown = ask(SYNCS).path("id", id).bearer(token).query("x", "y");
    assert_eq!(house.tell(&house.directory, SYNCS, unknown).await.status, 422);
    let none = "idp_00000000000000000000000000000000";
    for route in [SYNCS, TEST, PREVIEW] {
        assert_eq!(house.providers(route, token, none, None).await.status, 404, "{route}");
    }
    for (route, body) in [(TEST, None), (PREVIEW, None), (TEST_UNSAVED, Some(body.clone()))] {
        let told = house.providers(route, help, id, body).await;
        assert_eq!(told.verdict(), (403, "forbidden"), "{route}");
    }
    while house.providers(TEST, token, id, None).await.status != 429 {}
    let mut elsewhere = body.clone();
    elsewhere["ldap"]["host"] = "dc2.example.com".into();
    elsewhere["version"] = 1.into();
    let mut other = body;
    other["name"] = "Other".into();
    for (route, body) in [
        (PREVIEW, None),
        (CREATE, Some(other.clone())),
        (TEST_UNSAVED, Some(other)),
        (CHANGE, Some(elsewhere)),
    ] {
        assert_eq!(house.providers(route, token, id, body).await.status, 429, "{route}");
    }
}

/// Without a token.
async fn nobody(house: &House, id: &str) {
    for route in ROUTES.iter().filter(|route| route.function == "directory") {
        let asked = ask(route.route).path("id", id);
        let answer = house.tell(&house.directory, route.route, asked).await;
        assert_eq!(answer.status, 401, "{}", route.route);
    }
}

async fn console(house: &House, token: &str, help: &str, id: &str) {
    let list = "GET /identity-providers";
    let read = "GET /identity-providers/{id}";
    assert_eq!(house.providers(list, token, "", None).await.json["items"][0]["id"], id);
    assert_eq!(house.providers(read, token, id, None).await.at("/state"), "active");
    let bad = ask(list).bearer(token).query("x", "y");
    assert_eq!(house.tell(&house.directory, list, bad).await.status, 422);
    let bad = ask(DELETE).path("id", id).bearer(token);
    assert_eq!(house.tell(&house.directory, DELETE, bad).await.status, 422);
    let none = "idp_00000000000000000000000000000000";
    for (route, body) in [
        (read, None),
        (CHANGE, Some(changed("x", 1))),
        (DELETE, None),
        (TOKEN, Some(json!({}))),
        (SYNC, None),
    ] {
        let told = house.providers(route, token, none, body).await;
        assert_eq!(told.status, 404, "{route}");
    }
    for (route, body) in [
        (CREATE, Some(provider("x"))),
        (CHANGE, Some(changed("x", 1))),
        (DELETE, None),
        (TOKEN, Some(json!({}))),
        (SYNC, None),
    ] {
        let told = house.providers(route, help, id, body).await;
        assert_eq!(told.verdict(), (403, "forbidden"), "{route}");
    }
    let twice = house.providers(CREATE, token, "", Some(provider("Entra ID"))).await;
    assert_eq!(twice.verdict(), (409, "name_taken"));
    let change = house.providers(CHANGE, token, id, Some(changed("Entra", 1))).await;
    assert_eq!(change.status, 200, "{}", change.text);
    let stale = house.providers(CHANGE, token, id, Some(changed("Entra", 1))).await;
    assert_eq!(stale.verdict(), (409, "version_conflict"));
    assert_eq!(house.providers(TOKEN, token, id, Some(json!({}))).await.status, 201);
    assert_eq!(house.providers(SYNC, token, id, None).await.status, 202);
}

/// What every route with a body of SCIM answers to what is none, and to what is not there.
async fn faulty(house: &House, scim: &str, of: &str, id: &str) {
    for method in ["POST", "PUT", "PATCH"] {
        let one = if method == "POST" { "" } else { "/{id}" };
        let route = format!("{method} /scim/v2/{of}{one}");
        for (media, text, status) in [(SCIM, "{", 400), ("text/plain", "{}", 415)] {
            let asked = ask(&route).path("id", id).bearer(scim).text(media, text);
            assert_eq!(house.tell(&house.directory, &route, asked).await.status, status);
        }
    }
    let body = json!({"userName": "x", "displayName": "x", "emails": ["x@globex.com"],
        "Operations": [{"op": "remove", "path": "externalId"}]});
    for (method, body) in
        [("GET", None), ("PUT", Some(&body)), ("PATCH", Some(&body)), ("DELETE", None)]
    {
        let route = format!("{method} /scim/v2/{of}/{{id}}");
        let told = house.pushed(&route, scim, "nobody", body.cloned()).await;
        assert_eq!(told.status, 404, "{route}");
    }
    let route = format!("GET /scim/v2/{of}");
    let asked = ask(&route).bearer(scim).query("filter", "x eq");
    assert_eq!(house.tell(&house.directory, &route, asked).await.status, 400);
    let listed = house.pushed(&route, scim, "", None).await;
    assert_eq!(listed.json["totalResults"], 2, "{}", listed.text);
}

async fn users(house: &House, scim: &str) {
    let create = "POST /scim/v2/Users";
    let made = house.pushed(create, scim, "", Some(user("pushed"))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let other = house.pushed(create, scim, "", Some(user("other"))).await;
    let (id, other) = (made.at("/id"), other.at("/id"));
    assert_eq!(house.pushed(create, scim, "", Some(user("pushed"))).await.status, 409);
    faulty(house, scim, "Users", id).await;
    let (read, put) = ("GET /scim/v2/Users/{id}", "PUT /scim/v2/Users/{id}");
    let patch = "PATCH /scim/v2/Users/{id}";
    assert_eq!(house.pushed(read, scim, id, None).await.status, 200);
    assert_eq!(house.pushed(put, scim, id, Some(user("pushed"))).await.status, 200);
    assert_eq!(house.pushed(put, scim, other, Some(user("pushed"))).await.status, 409);
    let set = |value: &str| json!({"Operations": [{"op": "replace", "path": "userName", "value": value}]});
    assert_eq!(house.pushed(patch, scim, id, Some(set("pushed2"))).await.status, 200);
    assert_eq!(house.pushed(patch, scim, id, Some(set("other"))).await.status, 409);
    let delete = "DELETE /scim/v2/Users/{id}";
    assert_eq!(house.pushed(delete, scim, other, None).await.status, 204);
}

async fn groups(house: &House, scim: &str) {
    let create = "POST /scim/v2/Groups";
    let group = |name: &str| json!({"displayName": name});
    let made = house.pushed(create, scim, "", Some(group("Staff"))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let other = house.pushed(create, scim, "", Some(group("Other"))).await;
    let (id, other) = (made.at("/id"), other.at("/id"));
    assert_eq!(house.pushed(create, scim, "", Some(group("staff"))).await.status, 409);
    faulty(house, scim, "Groups", id).await;
    let (read, put) = ("GET /scim/v2/Groups/{id}", "PUT /scim/v2/Groups/{id}");
    let patch = "PATCH /scim/v2/Groups/{id}";
    assert_eq!(house.pushed(read, scim, id, None).await.status, 200);
    assert_eq!(house.pushed(put, scim, id, Some(group("Staff"))).await.status, 200);
    assert_eq!(house.pushed(put, scim, other, Some(group("Staff"))).await.status, 409);
    let set = |value: &str| json!({"Operations": [{"op": "replace", "path": "displayName", "value": value}]});
    assert_eq!(house.pushed(patch, scim, id, Some(set("Staff 2"))).await.status, 200);
    assert_eq!(house.pushed(patch, scim, id, Some(set("Other"))).await.status, 409);
    let delete = "DELETE /scim/v2/Groups/{id}";
    assert_eq!(house.pushed(delete, scim, other, None).await.status, 204);
}

/// Whom a rule of tags fits by a group has the tag as long as the directory has it there.
async fn tags_follow(house: &House, tenant: TenantId, token: &str, scim: &str) {
    let tag = json!({"key": "By group", "applies_to": "users", "kind": "dynamic", "rules": [
        {"value": "sales", "when": {"attribute": "group", "eq": "SALES"}}]});
    let create = "POST /tags";
    let asked = ask(create).bearer(token);
    assert_eq!(house.send(&house.tags, create, asked, tag).await.status, 201);
    house.tag_rings().await;
    let ann = house.pushed("POST /scim/v2/Users", scim, "", Some(user("tagged"))).await;
    let email = "tagged@globex.com".parse().unwrap();
    let table = house.world.table();
    let tagged = async || {
        let id = table.user_at(tenant, &email).await.unwrap().unwrap();
        !table.user(tenant, id).await.unwrap().unwrap().tags.is_empty()
    };
    assert!(!tagged().await);
    let group = json!({"displayName": "Sales", "members": [{"value": ann.at("/id")}]});
    let group = house.pushed("POST /scim/v2/Groups", scim, "", Some(group)).await;
    assert!(tagged().await);
    let patch = "PATCH /scim/v2/Groups/{id}";
    let name =
        json!({"Operations": [{"op": "replace", "path": "displayName", "value": "Other sales"}]});
    assert_eq!(house.pushed(patch, scim, group.at("/id"), Some(name)).await.status, 200);
    assert!(!tagged().await);
    for (route, id) in [
        ("DELETE /scim/v2/Groups/{id}", group.at("/id")),
        ("DELETE /scim/v2/Users/{id}", ann.at("/id")),
    ] {
        assert_eq!(house.pushed(route, scim, id, None).await.status, 204);
    }
}

/// What the server says of itself, and what it does not do.
async fn server(house: &House, scim: &str) {
    for (route, id, status) in [
        ("GET /scim/v2/ServiceProviderConfig", "", 200),
        ("GET /scim/v2/ResourceTypes", "", 200),
        ("GET /scim/v2/ResourceTypes/{id}", "User", 200),
        ("GET /scim/v2/ResourceTypes/{id}", "Robot", 404),
        ("GET /scim/v2/Schemas", "", 200),
        ("GET /scim/v2/Schemas/{id}", "urn:ietf:params:scim:schemas:core:2.0:Group", 200),
        ("GET /scim/v2/Schemas/{id}", "urn:x", 404),
        ("GET /scim/v2/{id}", "Bulk", 404),
    ] {
        assert_eq!(house.pushed(route, scim, id, None).await.status, status, "{route}");
    }
    let search = "POST /scim/v2/.search";
    for (body, status) in [(json!({"filter": "externalId pr"}), 200), (json!({"filter": "x"}), 400)]
    {
        assert_eq!(house.pushed(search, scim, "", Some(body)).await.status, status);
    }
    let asked = ask(search).bearer(scim).text("text/plain", "{}");
    assert_eq!(house.tell(&house.directory, search, asked).await.status, 415);
    let read_only = |route: &&belfry_api::routes::Route| {
        route.caller == Caller::Directory && route.answers.iter().any(|(status, _)| *status == 405)
    };
    for route in ROUTES.iter().filter(read_only) {
        assert_eq!(house.pushed(route.route, scim, "", None).await.status, 405);
    }
}

/// A provider that is switched off hears nobody.
async fn off(house: &House, token: &str, id: &str, scim: &str) {
    let mut off = changed("Entra", 2);
    off["enabled"] = false.into();
    assert_eq!(house.providers(CHANGE, token, id, Some(off)).await.status, 200);
    for route in ROUTES.iter().filter(|route| route.caller == Caller::Directory) {
        let told = house.pushed(route.route, scim, "any", None).await;
        assert_eq!(told.status, 403, "{}", route.route);
    }
}
