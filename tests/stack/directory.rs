//! Identity providers, and what pushes to them.

use std::process::Command;

use serde_json::{Value, json};

use crate::stack::{equal, eventually, repository};
use crate::tenant::Tenant;

fn user(name: &str) -> Value {
    json!({"userName": name, "active": true,
        "emails": [{"value": format!("{name}@globex.example"), "type": "work", "primary": true}]})
}

/// The tenant's user whose name begins so.
async fn found(tenant: &Tenant, name: &str) -> Value {
    let page = tenant.admin.get(&format!("/users?search={name}")).await.is(200);
    page["items"][0].clone()
}

#[tokio::test]
async fn the_judge_of_scim_finds_nothing() {
    let tenant = Tenant::new().await;
    let body = json!({"name": "Judge", "type": "scim"});
    let made = tenant.admin.post("/identity-providers", &body).await.is(201);
    let python = repository().join(".local/tools/bin/python");
    let script = repository().join("tests/scim_compliance.py");
    let url = format!("{}/scim/v2", tenant.anon.url());
    let judged = Command::new(&python)
        .arg(script)
        .arg(url)
        .env("SCIM_TOKEN", made["token"].as_str().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&judged.stdout);
    let complaint = String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success(), "{said}{complaint}");
}

#[tokio::test]
async fn a_directory_brings_changes_and_takes_its_users_along() {
    let tenant = Tenant::new().await;
    let body = json!({"name": "Entra ID", "type": "scim",
        "group_roles": [{"group": "Desk", "role": "help_desk"}]});
    let made = tenant.admin.post("/identity-providers", &body).await.is(201);
    let provider = made["id"].as_str().unwrap();
    let scim = tenant.anon.bearing(made["token"].as_str().unwrap());
    let ann = scim.post("/scim/v2/Users", &user("pushed")).await.is(201);
    scim.post("/scim/v2/Users", &user("pushed")).await.is(409);
    let group = json!({"displayName": "Desk", "members": [{"value": ann["id"]}]});
    scim.post("/scim/v2/Groups", &group).await.is(201);
    eventually("the role of the group", async || {
        equal(found(&tenant, "pushed").await["role"].clone(), &json!("help_desk"))
    })
    .await;
    let path = format!("/scim/v2/Users/{}", ann["id"].as_str().unwrap());
    let off = json!({"Operations": [{"op": "Replace", "path": "active", "value": "False"}]});
    scim.patch(&path, &off).await.is(200);
    eventually("deactivated", async || {
        equal(found(&tenant, "pushed").await["status"].clone(), &json!("deactivated"))
    })
    .await;
    tenant.admin.post(&format!("/identity-providers/{provider}/sync"), &json!({})).await.is(202);
    let gone = format!("/identity-providers/{provider}?users=archive");
    tenant.admin.delete(&gone).await.is(202);
    scim.get("/scim/v2/Users").await.is(401);
    eventually("the provider is gone", async || {
        let status = tenant.admin.get(&format!("/identity-providers/{provider}")).await.status;
        equal(status, &404)
    })
    .await;
    assert_eq!(found(&tenant, "pushed").await, Value::Null);
}
