//! Identity providers, and what pushes to them.

use std::process::Command;

use belfry_domain::directory::ldap::{Flavor, Security};
use belfry_testkit::slapd::{BASE, PASSWORD, READER, TLS_PORT};
use belfry_testkit::{Ldif, Slapd};
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

/// A client of SCIM, in Python, that speaks to a new directory of a new tenant.
async fn plays(environment: &str, script: &str) -> (Tenant, String) {
    let tenant = Tenant::new().await;
    let body = json!({"name": script, "type": "scim"});
    let made = tenant.admin.post("/identity-providers", &body).await.is(201);
    let python = repository().join(".local").join(environment).join("bin/python");
    let played = Command::new(&python)
        .arg(repository().join("tests").join(script))
        .arg(format!("{}/scim/v2", tenant.anon.url()))
        .env("SCIM_TOKEN", made["token"].as_str().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&played.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success(), "{said}{complaint}");
    (tenant, said)
}

#[tokio::test]
async fn the_judge_of_scim_finds_nothing() {
    let (_, said) = plays("tools", "scim_compliance.py").await;
    assert!(said.contains(" checks passed"), "{said}");
}

#[tokio::test]
async fn an_identity_provider_that_pushes_is_followed() {
    let (tenant, _) = plays("canaille", "scim_push.py").await;
    // Of the three that it made one is deleted.
    let users = tenant.admin.get("/users?search=ann").await.is(200);
    assert_eq!(users["items"][0]["source"], "directory", "{users}");
    let users = tenant.admin.get("/users?search=cid").await.is(200);
    assert_eq!(users["items"], json!([]));
}

/// A directory that is read, with forty people of whom the first is in `Desk`.
fn company() -> Slapd {
    let mut ldif = Ldif::new();
    let names: Vec<_> = (0..40).map(|n| format!("u{n:02}")).collect();
    for name in &names {
        ldif.open_ldap_user(name, &[("title", "Clerk")]);
    }
    ldif.open_ldap_group("Desk", &["u00"]);
    Slapd::start(&ldif)
}

#[tokio::test]
async fn a_directory_is_read_tested_previewed_and_synced() {
    let slapd = company();
    let ca = slapd.settings(Security::Ldaps, Flavor::OpenLdap).ca_pem;
    let tenant = Tenant::new().await;
    let mut body = json!({"name": "Corporate", "type": "ldap",
        "ldap": {"host": slapd.address(), "port": TLS_PORT, "ca_pem": ca, "base_dn": BASE,
            "bind_dn": READER, "password": "wrong", "flavor": "openldap"},
        "group_roles": [{"group": "Desk", "role": "help_desk"}]});
    let wrong = tenant.admin.post("/identity-providers/test", &body).await.is(200);
    assert_eq!(wrong["error"]["code"], "invalid_credentials", "{wrong}");
    body["ldap"]["password"] = PASSWORD.into();
    let made = tenant.admin.post("/identity-providers", &body).await.is(201);
    let path = format!("/identity-providers/{}", made["id"].as_str().unwrap());
    let none = json!({});
    let tested = tenant.admin.post(&format!("{path}/test"), &none).await.is(200);
    let steps: Vec<_> =
        tested["steps"].as_array().unwrap().iter().map(|step| &step["step"]).collect();
    assert_eq!(steps, ["resolve", "connect", "tls", "bind", "root", "base"], "{tested}");
    let preview = tenant.admin.post(&format!("{path}/preview"), &none).await.is(200);
    assert_eq!(preview["counts"]["created"], 40, "{preview}");

    let synced = async |counts: Value| {
        tenant.admin.post(&format!("{path}/sync"), &none).await.is(202);
        eventually("a sync", async || {
            let shown = tenant.admin.get(&path).await.is(200);
            equal(shown["progress"].clone(), &Value::Null)?;
            equal(shown["last_sync"]["outcome"].clone(), &json!("completed"))?;
            for (name, count) in counts.as_object().unwrap() {
                equal(shown["last_sync"]["counts"][name].clone(), count)?;
            }
            Ok(())
        })
        .await;
    };
    synced(json!({"created": 40, "changed": 0})).await;
    let first = found(&tenant, "u00").await;
    assert_eq!((&first["role"], &first["status"]), (&json!("help_desk"), &json!("invited")));
    assert_eq!(first["attributes"]["title"], "Clerk");
    slapd.change(&format!(
        "dn: uid=u01,{BASE}\nchangetype: modrdn\nnewrdn: uid=other\ndeleteoldrdn: 1\n"
    ));
    slapd
        .change(&format!("dn: uid=u02,{BASE}\nchangetype: modify\nreplace: title\ntitle: Chief\n"));
    slapd.change(&format!("dn: uid=u03,{BASE}\nchangetype: delete\n"));
    synced(json!({"created": 0, "changed": 1, "deactivated": 1})).await;
    assert_eq!(found(&tenant, "u02").await["attributes"]["title"], "Chief");
    assert_eq!(found(&tenant, "u03").await["status"], "deactivated");
    let history = tenant.admin.get(&format!("{path}/syncs")).await.is(200);
    assert_eq!(history["items"].as_array().unwrap().len(), 2);
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
