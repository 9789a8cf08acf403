//! Settings, audit trail and support, every answer that the description names.

use crate::faulty_bodies;
use crate::house::House;
use belfry_domain::account::Role;
use belfry_domain::id::TenantId;
use belfry_testkit::{Answer, Ask, ask};
use serde_json::{Value, json};

impl House {
    async fn read(&self, route: &'static str, token: &str, query: &[(&str, &str)]) -> Answer {
        let with = |ask: Ask, (name, value): &(&str, &str)| ask.query(name, value);
        let ask = query.iter().fold(ask(route).bearer(token), with);
        self.tell(&self.tenant, route, ask).await
    }

    async fn write(&self, route: &'static str, token: &str, body: Value) -> Answer {
        self.send(&self.tenant, route, ask(route).bearer(token), body).await
    }
}

pub(crate) async fn all(house: &House, tenant: TenantId) {
    let admin = house.world.member(tenant, "kit@globex.com", Role::Admin).await;
    let help = house.world.member(tenant, "help3@globex.com", Role::HelpDesk).await;
    let (admin, help) = (house.world.token(&admin).await, house.world.token(&help).await);
    for route in ["GET /settings", "GET /audit", "GET /audit/verification", "GET /support"] {
        assert_eq!(house.tell(&house.tenant, route, ask(route)).await.status, 401, "{route}");
    }
    settings(house, &admin, &help).await;
    support(house, &admin).await;
    audit(house, &admin, &help).await;
}

async fn settings(house: &House, admin: &str, help: &str) {
    let (get, put) = ("GET /settings", "PUT /settings");
    let present = house.read(get, help, &[]).await.json;
    let body = |minutes: u8, version: &Value| json!({"session_timeout_minutes": minutes, "version": version});
    let nobody = body(30, &present["version"]);
    let nobody = house.send(&house.tenant, put, ask(put), nobody).await;
    assert_eq!(nobody.status, 401);
    faulty_bodies(house, &house.tenant, put, Some(admin)).await;
    let denied = house.write(put, help, body(30, &present["version"])).await;
    assert_eq!(denied.verdict(), (403, "forbidden"));
    let changed = house.write(put, admin, body(30, &present["version"])).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let stale = house.write(put, admin, body(40, &present["version"])).await;
    assert_eq!(stale.verdict(), (409, "version_conflict"));
}

async fn support(house: &House, admin: &str) {
    let (get, create) = ("GET /support", "POST /support/tickets");
    assert_eq!(house.read(get, admin, &[]).await.status, 200);
    let body = json!({"subject": "No log-in", "message": "It says\n401.", "product": "EPP"});
    let nobody = house.send(&house.tenant, create, ask(create), body.clone()).await;
    assert_eq!(nobody.status, 401);
    faulty_bodies(house, &house.tenant, create, Some(admin)).await;
    for expected in [202, 202, 202, 202, 202, 202, 202, 202, 202, 202, 429] {
        assert_eq!(house.write(create, admin, body.clone()).await.status, expected);
    }
    house.settle().await;
    let mail = house.mailer.sent().pop().unwrap();
    assert_eq!(mail.to, "support@example.com");
    assert_eq!(mail.mail.reply_to.unwrap().as_str(), "kit@globex.com");
}

async fn audit(house: &House, admin: &str, help: &str) {
    let (list, verify) = ("GET /audit", "GET /audit/verification");
    for route in [list, verify] {
        assert_eq!(house.read(route, help, &[]).await.verdict(), (403, "forbidden"), "{route}");
        assert_eq!(house.read(route, admin, &[("from", "x")]).await.status, 422, "{route}");
    }
    let bad = house.read(list, admin, &[("cursor", "x")]).await;
    assert_eq!(bad.verdict(), (400, "cursor_invalid"));
    // All that every other step of this test left behind is of the described form.
    let (mut rows, mut cursor) = (0, None::<String>);
    loop {
        let mut query = vec![("limit", "20")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = house.read(list, admin, &query).await;
        rows += page.json["items"].as_array().unwrap().len();
        match page.json["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    let tickets = house.read(list, admin, &[("action", "ticket.create")]).await;
    assert_eq!(tickets.json["items"].as_array().unwrap().len(), 10);
    let whole = house.read(verify, admin, &[("from", "1"), ("to", "100000")]).await;
    assert_eq!(whole.at("/status"), "whole", "{}", whole.text);
    assert!(rows > 10 && whole.json["checked"].as_u64().unwrap() > 10);
}
