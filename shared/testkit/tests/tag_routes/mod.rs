//! Tags, applications and what products read, every answer that the description names.

use crate::faulty_bodies;
use crate::house::House;
use belfry_domain::account::Role;
use belfry_domain::id::TenantId;
use belfry_domain::tag::work::Tagging;
use belfry_store::keys;
use belfry_testkit::{Answer, Ask, ask};
use serde_json::{Value, json};

const TAG: &str = "/tags/{id}";
const CREATE: &str = "POST /tags";
const ASSIGN: &str = "POST /tags/{id}/members";
const UNASSIGN: &str = "DELETE /tags/{id}/members";
const CREATE_APPLICATION: &str = "POST /applications";

impl House {
    async fn tags(
        &self,
        route: &'static str,
        token: &str,
        id: &str,
        body: Option<Value>,
    ) -> Answer {
        let asked = ask(route).path("id", id).bearer(token);
        match body {
            Some(body) => self.send(&self.tags, route, asked, body).await,
            None => self.tell(&self.tags, route, asked).await,
        }
    }

    async fn tags_by(
        &self,
        route: &'static str,
        token: &str,
        id: &str,
        query: &[(&str, &str)],
    ) -> Answer {
        let with = |ask: Ask, (name, value): &(&str, &str)| ask.query(name, value);
        let asked = query.iter().fold(ask(route).path("id", id).bearer(token), with);
        self.tell(&self.tags, route, asked).await
    }
}

fn fixed() -> Value {
    json!({"key": "Clearance", "applies_to": "users", "kind": "static", "values": ["high", "low"]})
}

fn dynamic() -> Value {
    json!({"key": "Unit", "applies_to": "users", "kind": "dynamic", "rules": [
        {"value": "Finance", "when": {"any": [
            {"attribute": "department", "eq": "Finance"},
            {"all": [{"attribute": "email", "prefix": "fin"}, {"not":
                {"attribute": "title", "exists": true}}]},
            {"attribute": "cost_center", "in": ["4711", "4712"]}]}}]})
}

fn application(name: &str) -> Value {
    json!({"name": name, "host": "ledger.globex.com", "category": "finance",
        "attributes": {"owner": "accounting"}})
}

pub(crate) async fn all(house: &House, tenant: TenantId) {
    let admin = house.world.member(tenant, "tags@globex.com", Role::Admin).await;
    let token = house.world.token(&admin).await;
    let help = house.world.member(tenant, "tags-help@globex.com", Role::HelpDesk).await;
    let help = house.world.token(&help).await;
    let user = admin.user.to_string();
    let made = house.tags(CREATE, &token, "", Some(fixed())).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let fixed_id = made.at("/id").to_owned();
    let made = house.tags(CREATE, &token, "", Some(dynamic())).await;
    assert_eq!(made.at("/evaluation/state"), "waiting", "{}", made.text);
    let dynamic_id = made.at("/id").to_owned();
    let made = house.tags(CREATE_APPLICATION, &token, "", Some(application("Ledger"))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let app = made.at("/id").to_owned();
    nobody(house, &fixed_id).await;
    unknown(house, &token).await;
    denied(house, &help, (&fixed_id, &app)).await;
    for route in [
        CREATE,
        "POST /tags/preview",
        "PUT /tags/{id}",
        ASSIGN,
        CREATE_APPLICATION,
        "PUT /applications/{id}",
    ] {
        faulty_bodies(house, &house.tags, route, Some(&token)).await;
    }
    house.tag_rings().await;
    assign(house, &token, (&fixed_id, &dynamic_id), &user).await;
    reads(house, &token, (&fixed_id, &app), &user).await;
    conflicts(house, tenant, &token, (&fixed_id, &app)).await;
    products(house).await;
    for (route, id) in [("DELETE /tags/{id}", &dynamic_id), ("DELETE /applications/{id}", &app)] {
        assert_eq!(house.tags(route, &token, id, None).await.status, 204, "{route}");
    }
    house.tag_rings().await;
}

/// Without a token.
async fn nobody(house: &House, id: &str) {
    let routes = belfry_api::routes::ROUTES.iter().filter(|route| route.function == "tags");
    for route in routes {
        let answer = house.tell(&house.tags, route.route, ask(route.route).path("id", id)).await;
        assert_eq!(answer.status, 401, "{}", route.route);
    }
}

/// An id that there is not.
async fn unknown(house: &House, token: &str) {
    let (tag, app) =
        ("tag_00000000000000000000000000000000", "app_00000000000000000000000000000000");
    let assigned = json!({"value": "x", "filter": {"role": "user"}});
    let mut changed = application("Ledger");
    changed["version"] = 1.into();
    for (route, id, body) in [
        ("GET /tags/{id}", tag, None),
        ("PUT /tags/{id}", tag, Some(json!({"values": ["x"], "version": 1}))),
        ("DELETE /tags/{id}", tag, None),
        ("GET /tags/{id}/members", tag, None),
        (ASSIGN, tag, Some(assigned)),
        ("GET /applications/{id}", app, None),
        ("PUT /applications/{id}", app, Some(changed)),
        ("DELETE /applications/{id}", app, None),
    ] {
        let answer = house.tags(route, token, id, body).await;
        assert_eq!(answer.verdict(), (404, "not_found"), "{route}");
    }
    let answer = house.tags_by(UNASSIGN, token, tag, &[("value", "x"), ("all", "true")]).await;
    assert_eq!(answer.verdict(), (404, "not_found"));
}

/// Who may look only.
async fn denied(house: &House, help: &str, (tag, app): (&str, &str)) {
    let mut changed = application("Ledger");
    changed["version"] = 1.into();
    for (route, id, body) in [
        (CREATE, "", Some(fixed())),
        ("PUT /tags/{id}", tag, Some(json!({"values": ["x"], "version": 1}))),
        ("DELETE /tags/{id}", tag, None),
        (ASSIGN, tag, Some(json!({"value": "high", "filter": {}}))),
        (CREATE_APPLICATION, "", Some(application("Other"))),
        ("PUT /applications/{id}", app, Some(changed)),
        ("DELETE /applications/{id}", app, None),
    ] {
        let answer = house.tags(route, help, id, body).await;
        assert_eq!(answer.verdict(), (403, "forbidden"), "{route}");
    }
    let answer = house.tags_by(UNASSIGN, help, tag, &[("value", "high"), ("all", "true")]).await;
    assert_eq!(answer.verdict(), (403, "forbidden"));
}

async fn assign(house: &House, token: &str, (fixed, dynamic): (&str, &str), user: &str) {
    let one = json!({"value": "high", "ids": [user]});
    let done = house.tags(ASSIGN, token, fixed, Some(one.clone())).await;
    assert_eq!((done.status, &done.json["changed"]), (200, &json!(1)), "{}", done.text);
    assert_eq!(house.tags(ASSIGN, token, dynamic, Some(one)).await.verdict(), (409, "tag_dynamic"));
    let all = json!({"value": "low", "filter": {"role": "admin", "status": "active"}});
    assert_eq!(house.tags(ASSIGN, token, fixed, Some(all.clone())).await.status, 202);
    let again = house.tags(ASSIGN, token, fixed, Some(all)).await;
    assert_eq!(again.verdict(), (409, "assignment_running"));
    let take = [("value", "low"), ("all", "true")];
    let taken = house.tags_by(UNASSIGN, token, fixed, &take).await;
    assert_eq!(taken.verdict(), (409, "assignment_running"));
    house.tag_rings().await;
    let whole = house.tags("GET /tags/{id}", token, fixed, None).await;
    assert_eq!(whole.at("/assignment/state"), "done", "{}", whole.text);
    assert_eq!(house.tags_by(UNASSIGN, token, fixed, &take).await.status, 202);
    house.tag_rings().await;
    let by_id = [("value", "low"), ("ids", user)];
    let none = house.tags_by(UNASSIGN, token, fixed, &by_id).await;
    assert_eq!((none.status, &none.json["changed"]), (200, &json!(0)));
    assert_eq!(house.tags_by(UNASSIGN, token, fixed, &[("value", "low")]).await.status, 422);
    let nowhere = json!({"value": "none", "ids": [user]});
    assert_eq!(house.tags(ASSIGN, token, fixed, Some(nowhere)).await.status, 422);
}

async fn reads(house: &House, token: &str, (tag, app): (&str, &str), user: &str) {
    let tags = house.tags("GET /tags", token, "", None).await;
    assert_eq!(tags.json["items"].as_array().unwrap().len(), 2, "{}", tags.text);
    let members = house.tags("GET /tags/{id}/members", token, tag, None).await;
    assert_eq!(members.at("/items/0/id"), user, "{}", members.text);
    assert_eq!(house.tags("GET /applications", token, "", None).await.status, 200);
    assert_eq!(house.tags("GET /applications/{id}", token, app, None).await.status, 200);
    let preview = json!({"applies_to": "users", "member": user,
        "when": {"attribute": "email_domain", "eq": "GLOBEX.com"}});
    let preview = house.tags("POST /tags/preview", token, "", Some(preview)).await;
    assert_eq!(preview.json["member"]["matches"], true, "{}", preview.text);
    for route in ["GET /tags", "GET /tags/{id}/members", "GET /applications"] {
        let bad = house.tags_by(route, token, tag, &[("cursor", "x")]).await;
        assert_eq!(bad.verdict(), (400, "cursor_invalid"), "{route}");
        assert_eq!(house.tags_by(route, token, tag, &[("page", "2")]).await.status, 422, "{route}");
    }
    for route in ["DELETE /tags/{id}", "PUT /tags/{id}"] {
        let asked = ask(route).path("id", tag).query("force", "perhaps").bearer(token);
        let body = json!({"values": ["high"], "version": 1});
        let asked = if route.starts_with("PUT") { asked.json(body) } else { asked };
        assert_eq!(house.tell(&house.tags, route, asked).await.status, 422, "{route} {TAG}");
    }
    // By a tag, and with it.
    let users = "GET /users";
    let tagged = ask(users).query("tag", "clearance").query("tag_value", "HIGH").bearer(token);
    let tagged = house.tell(&house.users, users, tagged).await;
    assert_eq!(tagged.at("/items/0/tags/0/value"), "high", "{}", tagged.text);
}

/// What cannot be.
async fn conflicts(house: &House, tenant: TenantId, token: &str, (tag, app): (&str, &str)) {
    let taken = house.tags(CREATE, token, "", Some(fixed())).await;
    assert_eq!(taken.verdict(), (409, "already_exists"));
    let used = house.tags("DELETE /tags/{id}", token, tag, None).await;
    assert_eq!((used.verdict(), &used.json["count"]), ((409, "tag_in_use"), &json!(1)));
    let change = |version: u64, values: Value| json!({"values": values, "version": version});
    let put = "PUT /tags/{id}";
    let used = house.tags(put, token, tag, Some(change(1, json!(["low"])))).await;
    assert_eq!(used.verdict(), (409, "tag_in_use"));
    let more = change(1, json!(["high", "low", "none"]));
    assert_eq!(house.tags(put, token, tag, Some(more.clone())).await.status, 200);
    assert_eq!(house.tags(put, token, tag, Some(more)).await.verdict(), (409, "version_conflict"));
    let other = house.tags(CREATE_APPLICATION, token, "", Some(application("Mail"))).await;
    assert_eq!(other.status, 201);
    let taken = house.tags(CREATE_APPLICATION, token, "", Some(application("LEDGER"))).await;
    assert_eq!(taken.verdict(), (409, "already_exists"));
    let put = "PUT /applications/{id}";
    let mut changed = application("Mail");
    changed["version"] = 1.into();
    let taken = house.tags(put, token, app, Some(changed.clone())).await;
    assert_eq!(taken.verdict(), (409, "already_exists"));
    changed["name"] = "Ledger 2".into();
    assert_eq!(house.tags(put, token, app, Some(changed.clone())).await.status, 200);
    let stale = house.tags(put, token, app, Some(changed)).await;
    assert_eq!(stale.verdict(), (409, "version_conflict"));
    // As many as there may be.
    let key = keys::tagging(tenant);
    let before: Tagging = house.world.get(&key).await.unwrap();
    let full = Tagging { tags: 500, applications: 2_000, ..before.changed() };
    house.world.put(&key, &full).await;
    let mut one_more = fixed();
    one_more["key"] = "One more".into();
    assert_eq!(house.tags(CREATE, token, "", Some(one_more)).await.verdict(), (422, "tag_limit"));
    let one_more = house.tags(CREATE_APPLICATION, token, "", Some(application("One more"))).await;
    assert_eq!(one_more.verdict(), (422, "application_limit"));
    let (tags, applications) = (before.tags, before.applications);
    house.world.put(&key, &Tagging { tags, applications, ..full.changed() }).await;
}

/// What a product reads with its credential, of a company whose records may get lost.
async fn products(house: &House) {
    let tenant = house.create_tenant().await;
    let admin = house.world.member(tenant, "feed@globex.com", Role::Admin).await;
    let token = &house.world.token(&admin).await;
    for (key, subject) in [("A", "users"), ("B", "users"), ("C", "applications")] {
        let body = json!({"key": key, "applies_to": subject, "kind": "static", "values": ["x"]});
        assert_eq!(house.tags(CREATE, token, "", Some(body)).await.status, 201);
        assert_eq!(
            house.tags(CREATE_APPLICATION, token, "", Some(application(key))).await.status,
            201
        );
    }
    let create = "POST /products/{product}/credentials";
    let mut secrets = Vec::new();
    for scope in ["directory:read", "telemetry:write"] {
        let asked = ask(create).path("product", "ZTNA").bearer(token);
        let made = house.send(&house.tenant, create, asked, json!({"scopes": [scope]})).await;
        secrets.push(made.at("/secret").to_owned());
    }
    let [good, other] = &secrets[..] else { unreachable!("two credentials") };
    for route in ["GET /product/users", "GET /product/tags", "GET /product/applications"] {
        let read = async |secret: &str, query: &[(&str, &str)]| {
            let with = |ask: Ask, (name, value): &(&str, &str)| ask.query(name, value);
            let asked = query.iter().fold(ask(route).bearer(secret), with);
            house.tell(&house.product, route, asked).await
        };
        // What happened just now is told once more.
        house.world.wait(11);
        assert_eq!(house.tell(&house.product, route, ask(route)).await.status, 401, "{route}");
        assert_eq!(read(other, &[]).await.verdict(), (403, "scope_missing"), "{route}");
        assert_eq!(read(good, &[("cursor", "x")]).await.verdict(), (400, "cursor_invalid"));
        assert_eq!(read(good, &[("changed_since", "x")]).await.status, 422, "{route}");
        let page = read(good, &[("limit", "1")]).await;
        let next = page.at("/next_cursor").to_owned();
        assert_eq!(read(good, &[("limit", "1"), ("cursor", &next)]).await.status, 200, "{route}");
        let all = read(good, &[("limit", "200")]).await;
        let since = all.at("/changed_since").to_owned();
        let nothing = read(good, &[("changed_since", &since)]).await;
        assert_eq!(nothing.json["items"], json!([]), "{route}");
        // Something changes, and its record is over its time.
        let put = "PUT /settings";
        let settings = "GET /settings";
        let present = house.tell(&house.tenant, settings, ask(settings).bearer(token)).await.json;
        let minutes = if present["session_timeout_minutes"] == 30 { 40 } else { 30 };
        let body = json!({"session_timeout_minutes": minutes, "version": present["version"]});
        let changed = house.send(&house.tenant, put, ask(put).bearer(token), body).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        let last = house.world.table().audit_head(tenant).await.unwrap().sequence;
        let record = keys::audit_record(tenant, last);
        house.world.wait(11);
        house.world.remove(&record).await;
        assert_eq!(
            read(good, &[("changed_since", &since)]).await.verdict(),
            (410, "changes_expired")
        );
    }
}
