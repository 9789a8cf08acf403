//! Products that a tenant adds, by trial and by product key.

use crate::Office;
use belfry_domain::account::Role;
use belfry_domain::license::product_key::KeyState;
use belfry_domain::license::{LicenseKind, ProductKey};
use belfry_domain::product::Product;
use belfry_testkit::{Turnstile, ask, in_lockstep};
use serde_json::json;
use std::sync::Arc;

const TRIAL: &str = "POST /licenses/{product}/trial";
const REGISTER: &str = "POST /licenses/{product}/registration";

#[tokio::test]
async fn a_trial_of_thirty_days_once() {
    let office = Office::empty(Role::Admin).await;
    let made = office.send(TRIAL, "ZTNA", json!({})).await;
    assert_eq!((made.status, made.at("/kind"), made.at("/state")), (201, "trial", "active"));
    assert_eq!(made.at("/ends_at"), "2026-12-22T12:00:00.000Z");
    let license = office.license(Product::Ztna).await;
    let issued = office.world.table().product_key(license.product_key).await.unwrap().unwrap();
    assert_eq!(issued.state, KeyState::Used { tenant: office.tenant });
    assert_eq!((issued.seats, issued.term_days), (100, 30));
    let mails = office.world.posted().await;
    assert_eq!((mails.len(), mails[0][1].as_str()), (1, "ZTNA was added to Belfry"));
    assert_eq!(office.trail().await[0]["action"], "product.add");
    let again = office.send(TRIAL, "ZTNA", json!({})).await;
    assert_eq!(again.verdict(), (409, "edition_exists"));
    office.world.wait(31 * 86_400);
    let member = office.world.member(office.tenant, "kit@globex.example", Role::Admin).await;
    let asked = ask(TRIAL).path("product", "ZTNA").bearer(office.world.token(&member).await);
    let over = asked.json(json!({})).of(&office.app()).await;
    assert_eq!(over.verdict(), (409, "edition_exists"), "one trial of a product, ever");
}

#[tokio::test]
async fn what_was_bought_by_its_key() {
    let office = Office::new(Role::SuperAdmin).await;
    let key = office.world.product_key(Product::Emm).await;
    let typed = key.to_string().to_lowercase().replace('-', " ");
    let made = office.send(REGISTER, "EMM", json!({"product_key": typed})).await;
    assert_eq!((made.status, made.at("/kind")), (201, "commercial"), "{}", made.text);
    let license = office.license(Product::Emm).await;
    assert_eq!((license.product_key, license.kind), (key, LicenseKind::Commercial));
    assert_eq!((license.seats, license.edition.as_str()), (50, "Total"));
    let again = office.send(REGISTER, "EMM", json!({"product_key": key})).await;
    assert_eq!((again.status, &again.json), (201, &made.json), "a repeat is told the same");
    for (product, body, status, code) in [
        ("ZTNA", json!({"product_key": key}), 422, "invalid"),
        ("ZTNA", json!({"product_key": "x"}), 422, "invalid"),
        (
            "ZTNA",
            json!({"product_key": ProductKey::new(office.world.entropy.as_ref())}),
            422,
            "invalid",
        ),
        (
            "EPP",
            json!({"product_key": office.world.product_key(Product::Epp).await}),
            409,
            "edition_exists",
        ),
    ] {
        let answer = office.send(REGISTER, product, body).await;
        assert_eq!(answer.verdict(), (status, code), "{product}: {}", answer.text);
    }
    assert_eq!(office.world.posted().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_tenants_with_one_key_at_once() {
    let office = Office::empty(Role::Admin).await;
    let world = &office.world;
    let other = world.tenant("Initech").await;
    let eve = world.member(other, "eve@initech.example", Role::Admin).await;
    let key = world.product_key(Product::Emm).await;
    let tokens = [office.token.clone(), world.token(&eve).await];
    let gate = Arc::new(Turnstile::new());
    let app = Arc::new(office.app_over(world.db.shared("licenses", gate.clone()).table()));
    let rivals = tokens.map(|token| {
        let app = app.clone();
        let asked = ask(REGISTER).path("product", "EMM").bearer(token);
        let asked = asked.json(json!({"product_key": key}));
        tokio::spawn(async move { asked.of(app.as_ref()).await.status })
    });
    let mut statuses = in_lockstep(&gate, rivals.into()).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let mut there = 0;
    for tenant in [office.tenant, other] {
        let license = world.table().license(tenant, Product::Emm).await.unwrap();
        there += usize::from(license.is_some());
    }
    assert_eq!(there, 1);
}
