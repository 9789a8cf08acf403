//! Licences and products, every answer that the description names.

mod clock;

use crate::faulty_bodies;
use crate::house::{EVENTS, House};
use belfry_domain::account::Role;
use belfry_domain::id::TenantId;
use belfry_domain::license::activation_key::Purpose;
use belfry_domain::product::Product;
use belfry_store::keys;
use belfry_testkit::{Answer, ask};
use serde_json::{Value, json};

const ONE: &str = "GET /licenses/{product}";
const ACTIVATE: &str = "POST /licenses/{product}/activation";
const TRIAL: &str = "POST /licenses/{product}/trial";
const REGISTER: &str = "POST /licenses/{product}/registration";
const LAUNCH: &str = "POST /products/{product}/launch";

impl House {
    async fn license(
        &self,
        route: &'static str,
        product: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let asked = ask(route).path("product", product);
        let asked = token.map_or(asked.clone(), |token| asked.bearer(token));
        match body {
            Some(body) => self.send(&self.licenses, route, asked, body).await,
            None => self.tell(&self.licenses, route, asked).await,
        }
    }
}

pub(crate) async fn all(house: &House, tenant: TenantId) {
    let admin = house.world.member(tenant, "lic@globex.com", Role::Admin).await;
    let help = house.world.member(tenant, "help4@globex.com", Role::HelpDesk).await;
    let (admin, help) = (house.world.token(&admin).await, house.world.token(&help).await);
    let list = "GET /licenses";
    assert_eq!(house.tell(&house.licenses, list, ask(list)).await.status, 401);
    let all = house.tell(&house.licenses, list, ask(list).bearer(&help)).await;
    assert_eq!(all.json["items"].as_array().unwrap().len(), 4);
    assert_eq!(house.license(ONE, "EPP", None, None).await.status, 401);
    assert_eq!(house.license(ONE, "NONE", Some(&help), None).await.status, 404);
    assert_eq!(house.license(ONE, "EPP", Some(&help), None).await.at("/state"), "active");
    activation(house, &admin, &help).await;
    added(house, tenant, &admin, &help).await;
    launched(house, tenant, &help).await;
}

async fn activation(house: &House, admin: &str, help: &str) {
    let now = house.world.now();
    let code = |purpose, product| house.seller.code(purpose, product, (500, 365), now);
    let body = |code: String| Some(json!({"activation_key": code}));
    let renew = code(Purpose::Renew, Product::Epp);
    let unknown = house.license(ACTIVATE, "EPP", None, body(renew.clone())).await;
    assert_eq!(unknown.status, 401);
    let none = house.license(ACTIVATE, "NONE", Some(admin), body(renew.clone())).await;
    assert_eq!(none.status, 404);
    let denied = house.license(ACTIVATE, "EPP", Some(help), body(renew.clone())).await;
    assert_eq!(denied.verdict(), (403, "forbidden"));
    let done = house.license(ACTIVATE, "EPP", Some(admin), body(renew)).await;
    assert_eq!((done.status, &done.json["license"]["seats"]), (200, &json!(500)), "{}", done.text);
    let convert = code(Purpose::Convert, Product::Epp);
    let commercial = house.license(ACTIVATE, "EPP", Some(admin), body(convert)).await;
    assert_eq!(commercial.verdict(), (409, "purpose_mismatch"));
    faulty_bodies_of(house, ACTIVATE, admin).await;
    for status in [422, 422, 422, 422, 422, 429] {
        let wrong = body("bfa_AAAA".to_owned());
        assert_eq!(house.license(ACTIVATE, "EPP", Some(admin), wrong).await.status, status);
    }
}

async fn faulty_bodies_of(house: &House, route: &'static str, token: &str) {
    faulty_bodies(house, &house.licenses, route, Some(token)).await;
}

async fn added(house: &House, tenant: TenantId, admin: &str, help: &str) {
    for (route, product) in [(TRIAL, Product::Ztna), (REGISTER, Product::Emm)] {
        let key = house.world.product_key(product).await;
        let body = || {
            let register = route == REGISTER;
            Some(if register { json!({"product_key": key}) } else { json!({}) })
        };
        let name = product.name();
        assert_eq!(house.license(route, name, None, body()).await.status, 401);
        assert_eq!(house.license(route, "NONE", Some(admin), body()).await.status, 404);
        assert_eq!(house.license(route, name, Some(help), body()).await.status, 403);
        faulty_bodies_of(house, route, admin).await;
        let there = house.license(route, name, Some(admin), body()).await;
        assert_eq!(there.verdict(), (409, "edition_exists"));
        house.world.remove(&keys::license(tenant, product)).await;
        let made = house.license(route, name, Some(admin), body()).await;
        assert_eq!((made.status, made.at("/product")), (201, name));
    }
}

async fn launched(house: &House, tenant: TenantId, help: &str) {
    let list = "GET /products";
    assert_eq!(house.tell(&house.tenant, list, ask(list)).await.status, 401);
    let products = house.tell(&house.tenant, list, ask(list).bearer(help)).await;
    let launch: Vec<_> =
        products.json["items"].as_array().unwrap().iter().map(|item| &item["launch"]).collect();
    assert_eq!(launch, [&json!(true), &json!(false), &json!(false), &json!(true)]);
    let of = |product: &str| ask(LAUNCH).path("product", product);
    let tell = |asked| house.tell(&house.auth, LAUNCH, asked);
    assert_eq!(tell(of("EPP")).await.status, 401);
    assert_eq!(tell(of("NONE").bearer(help)).await.status, 404);
    let answer = tell(of("EPP").bearer(help)).await;
    assert_eq!((answer.status, answer.at("/url")), (200, "https://EPP.example/in"));
    let not_set_up = tell(of("EMM").bearer(help)).await;
    assert_eq!(not_set_up.verdict(), (409, "product_not_configured"));
    house.world.remove(&keys::license(tenant, Product::Ztna)).await;
    let missing = tell(of("ZTNA").bearer(help)).await;
    assert_eq!(missing.verdict(), (409, "license_missing"));
}

/// Telemetry of a product whose licence is over.
pub(crate) async fn over(house: &House, secret: &str) {
    let route = "POST /telemetry";
    // It was renewed for a second year.
    house.world.wait(800 * 86_400);
    let batch = Value::from(house.events("EPP")).to_string();
    let asked = ask(route).bearer(secret).text(EVENTS, &batch);
    let refused = house.tell(&house.ingest, route, asked).await;
    assert_eq!(refused.verdict(), (403, "license_expired"));
}
