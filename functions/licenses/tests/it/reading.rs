//! The licence page.

use crate::{Office, key};
use belfry_domain::account::Role;
use belfry_domain::license::activation_key::Purpose;
use belfry_domain::product::Product;
use belfry_testkit::ask;
use serde_json::json;

#[tokio::test]
async fn shows_all_that_the_page_needs_and_only_the_own() {
    let office = Office::new(Role::ReadOnly).await;
    let world = &office.world;
    let other = world.tenant("Initech").await;
    world.license(other, Product::Ztna, 1).await;
    let answer = ask("GET /licenses").bearer(&office.token).of(&office.app()).await;
    let license = office.license(Product::Epp).await;
    assert_eq!(
        answer.json,
        json!({"items": [{
            "product": "EPP", "product_key": license.product_key, "edition": "Standard",
            "kind": "trial", "state": "active", "starts_at": "2026-11-22T12:00:00.000Z",
            "ends_at": "2026-12-22T12:00:00.000Z", "accepted_until": "2026-12-22T12:00:00.000Z",
            "seats": 100, "used": 0, "over": false,
            "history": [{"at": "2026-11-22T12:00:00.000Z", "change": "started", "kind": "trial",
                "edition": "Standard", "seats": 100, "ends_at": "2026-12-22T12:00:00.000Z"}],
        }]})
    );
    let one = office.ask("GET /licenses/{product}", "EPP").of(&office.app()).await;
    assert_eq!(one.json, answer.json["items"][0]);
    for absent in ["ZTNA", "NONE", "epp"] {
        let answer = office.ask("GET /licenses/{product}", absent).of(&office.app()).await;
        assert_eq!(answer.verdict(), (404, "not_found"), "{absent}");
    }
}

#[tokio::test]
async fn the_state_follows_the_clock() {
    let office = Office::new(Role::SuperAdmin).await;
    let world = &office.world;
    let state = async |token: &str| {
        let asked = ask("GET /licenses/{product}").path("product", "EPP").bearer(token);
        let answer = asked.of(&office.app()).await;
        format!("{} {}", answer.at("/kind"), answer.at("/state"))
    };
    assert_eq!(state(&office.token).await, "trial active");
    let member = world.member(office.tenant, "kit@globex.example", Role::Admin).await;
    world.wait(30 * 86_400);
    let token = world.token(&member).await;
    assert_eq!(state(&token).await, "trial expired", "a trial has no grace");
    let code = office.vendor.code(Purpose::Convert, Product::Epp, (10, 30), world.now());
    let asked = ask("POST /licenses/{product}/activation").path("product", "EPP").bearer(&token);
    assert_eq!(asked.json(key(&code)).of(&office.app()).await.status, 200);
    assert_eq!(state(&token).await, "commercial active");
    for (days, expected) in [(30, "commercial grace"), (15, "commercial expired")] {
        world.wait(days * 86_400);
        assert_eq!(state(&world.token(&member).await).await, expected);
    }
}
