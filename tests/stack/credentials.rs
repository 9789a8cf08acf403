//! Product credentials: made, listed, rotated, revoked, refused.

use serde_json::{Value, json};

use crate::event::{batch, status};
use crate::tenant::Tenant;

const CREDENTIALS: &str = "/products/EPP/credentials";

#[tokio::test]
async fn the_secret_is_shown_once() {
    let tenant = Tenant::new().await;
    let created = tenant.admin.post(CREDENTIALS, &json!({})).await.is(201);
    let secret = created["secret"].as_str().unwrap();
    assert_eq!(created["product"], "EPP");
    assert_eq!(created["scopes"], json!(["telemetry:write"]));
    assert_eq!(created["max_event_age_days"], 30);
    assert_eq!(created["last_used_at"], Value::Null);

    let listed = tenant.admin.get(CREDENTIALS).await.is(200);
    assert!(!listed.to_string().contains(secret), "{listed}");
    let mut shown = created.clone();
    shown.as_object_mut().unwrap().remove("secret");
    assert_eq!(listed["items"], json!([shown]));

    let product = tenant.anon.bearing(secret);
    product.report(None, batch(&[status("c-1", 1)])).await.is(202);
    let listed = tenant.admin.get(CREDENTIALS).await.is(200);
    assert!(listed["items"][0]["last_used_at"].is_string(), "{listed}");
}

#[tokio::test]
async fn two_may_live_for_a_rotation_a_third_is_refused() {
    let tenant = Tenant::new().await;
    let (first, id) = tenant.credential("EPP").await;
    let (second, _) = tenant.credential("EPP").await;
    let third = tenant.admin.post(CREDENTIALS, &json!({})).await;
    third.is(409);
    // Each product has its own two.
    tenant.credential("ZTNA").await;

    let events = batch(&[status("c-1", 1)]);
    first.report(None, events.clone()).await.is(202);
    second.report(None, events.clone()).await.is(202);
    let path = format!("{CREDENTIALS}/{id}");
    assert_eq!(tenant.admin.delete(&path).await.status, 204);
    first.report(None, events.clone()).await.is(401);
    second.report(None, events).await.is(202);
    assert_eq!(tenant.admin.get(CREDENTIALS).await.is(200)["items"].as_array().unwrap().len(), 1);
    tenant.credential("EPP").await;
}

#[tokio::test]
async fn a_wrong_a_revoked_and_a_foreign_one_get_the_same_answer() {
    let tenant = Tenant::new().await;
    let (revoked, id) = tenant.credential("EPP").await;
    tenant.admin.delete(&format!("{CREDENTIALS}/{id}")).await.is(204);
    let (live, _) = tenant.credential("EPP").await;
    let (key, last) = live.bearer().split_at(live.bearer().len() - 1);
    let wrong = format!("{key}{}", if last == "A" { "B" } else { "A" });

    let events = batch(&[status("c-1", 1)]);
    let mut answers = Vec::new();
    for actor in [
        tenant.anon.clone(),
        tenant.anon.bearing("no credential at all"),
        tenant.anon.bearing(&wrong),
        revoked,
        // An administrator's token is no credential.
        tenant.admin.clone(),
    ] {
        let mut problem = actor.report(None, events.clone()).await.is(401);
        problem.as_object_mut().unwrap().remove("instance");
        answers.push(problem);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    // Nor is a credential an administrator's token.
    live.get("/dashboard").await.is(401);
    live.report(None, events).await.is(202);
}

#[tokio::test]
async fn those_of_another_tenant_do_not_exist() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let (product, id) = other.credential("EPP").await;
    tenant.admin.delete(&format!("{CREDENTIALS}/{id}")).await.is_problem(404, "not_found");
    assert_eq!(tenant.admin.get(CREDENTIALS).await.is(200)["items"], json!([]));
    other
        .admin
        .delete(&format!("/products/EMM/credentials/{id}"))
        .await
        .is_problem(404, "not_found");
    other.admin.delete(&format!("{CREDENTIALS}/nonsense")).await.is_problem(404, "not_found");
    product.report(None, batch(&[status("c-1", 1)])).await.is(202);
}

#[tokio::test]
async fn an_unknown_product_or_field_is_refused() {
    let tenant = Tenant::new().await;
    tenant.admin.get("/products/TOASTER/credentials").await.is(404);
    let answer = tenant.admin.post(CREDENTIALS, &json!({"secret": "mine"})).await;
    answer.is(422);
    tenant.anon.get(CREDENTIALS).await.is(401);
    tenant.anon.post(CREDENTIALS, &json!({})).await.is(401);
}
