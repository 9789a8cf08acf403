//! The hand-off to a product's own console, and what is left to a company that is suspended.

use crate::app;
use crate::steps::{log_in, own, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use belfry_domain::account::{Role, Tenant};
use belfry_domain::id::TenantId;
use belfry_domain::license::License;
use belfry_domain::product::Product;
use belfry_store::keys;
use belfry_testkit::{Answer, World, ask};
use serde_json::{Value, json};

const ROUTE: &str = "POST /products/{product}/launch";

async fn launch(world: &World, token: &str, product: &str) -> Answer {
    ask(ROUTE).path("product", product).bearer(token).of(&app(world)).await
}

async fn suspend(world: &World, tenant: TenantId) {
    let key = keys::tenant(tenant);
    let found: Tenant = world.get(&key).await.unwrap();
    world.put(&key, &Tenant { suspended_at: Some(world.now()), ..found }).await;
}

/// A part of a token, without regard to its signature.
fn part(token: &str, at: usize) -> Value {
    let text = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_of_a_minute_for_one_product_each_with_a_name_of_its_own() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    for product in [Product::Epp, Product::Ztna] {
        world.license(tenant, product, 1).await;
    }
    let mut names = Vec::new();
    for (role, product) in [(Role::ReadOnly, "EPP"), (Role::HelpDesk, "ZTNA"), (Role::Admin, "EPP")]
    {
        let email = format!("{}@globex.example", role.name());
        let member = world.member(tenant, &email, role).await;
        let access = world.token(&member).await;
        let answer = launch(&world, &access, product).await;
        assert_eq!((answer.status, answer.at("/method")), (200, "POST"), "{}", answer.text);
        let url = answer.at("/url").to_owned();
        assert!(url == format!("https://{product}.example/in") && !url.contains('?'), "{url}");
        let token = answer.at("/token");
        assert_eq!(part(token, 0)["typ"], "handoff+jwt");
        let claims = part(token, 1);
        let said = json!({"iss": part(&access, 1)["iss"], "aud": product, "sub": member.identity,
            "tenant": tenant, "user": member.user, "role": role, "jti": claims["jti"],
            "iat": world.now().as_second(), "exp": world.now().as_second() + 60});
        assert_eq!(claims, said);
        names.push(claims["jti"].clone());
        // It opens a product's console, and none of ours.
        let asked = ask("GET /me").bearer(token).of(&app(&world)).await;
        assert_eq!(asked.verdict(), (401, "unauthenticated"));
    }
    names.sort_by_key(Value::to_string);
    names.dedup();
    assert_eq!(names.len(), 3);
}

#[tokio::test]
async fn a_licence_that_is_over_leads_to_where_it_is_renewed_and_a_revoked_one_nowhere() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let license = world.license(tenant, Product::Epp, 1).await;
    let over = License { ends_at: world.now(), ..license.clone() };
    for (license, status, code) in
        [(over, 200, ""), (license.withdrawn(true, world.now()), 409, "license_missing")]
    {
        world.keep_license(tenant, &license).await;
        let answer = launch(&world, &world.token(&ann).await, "EPP").await;
        assert_eq!(answer.verdict(), (status, code));
    }
}

#[tokio::test]
async fn a_suspended_company_is_seen_and_left_and_nothing_else() {
    let world = World::new();
    let (globex, initech) = (world.tenant("Globex").await, world.tenant("Initech").await);
    let here = world.member(globex, "ann@globex.example", Role::Admin).await;
    world.license(globex, Product::Epp, 1).await;
    let (session, refresh) = world.session(&here).await;
    let token = world.token_of(&session);
    suspend(&world, globex).await;

    let me = ask("GET /me").bearer(&token).of(&app(&world)).await;
    assert_eq!((me.status, &me.json["tenant"]["suspended"]), (200, &json!(true)), "{}", me.text);
    let refused = launch(&world, &token, "EPP").await;
    assert_eq!(refused.verdict(), (403, "tenant_suspended"));
    let refreshed = post(&world, "/auth/refresh", json!({"refresh_token": refresh.expose_text()}));
    let refreshed = refreshed.await;
    assert_eq!(refreshed.status, 200, "a session outlives it");

    // Where there is another company, a log-in leads there, though this one was opened last.
    let there = world.member(initech, "ann@globex.example", Role::ReadOnly).await;
    let answer = log_in(&world, &here).await;
    assert_eq!(answer.json["tenant"], json!({"id": initech, "name": "Initech"}));
    let known = answer.json["tenants"].as_array().unwrap();
    assert!(
        known.contains(&json!({"id": globex, "name": "Globex", "suspended": true})),
        "{known:?}"
    );
    let (access, refresh) = (answer.at("/access_token"), answer.at("/refresh_token"));
    let back = json!({"tenant_id": globex, "refresh_token": refresh});
    let back = own(&world, access, "/auth/tenant", back).await;
    let seen = ask("GET /me").bearer(back.at("/access_token")).of(&app(&world)).await;
    assert_eq!((back.status, seen.status), (200, 200), "{}", back.text);
    let away = json!({"tenant_id": initech, "refresh_token": back.at("/refresh_token")});
    let away = own(&world, back.at("/access_token"), "/auth/tenant", away).await;
    assert_eq!(away.json["user"], json!({"id": there.user, "role": "read_only"}), "{}", away.text);
}
