//! Licences on the deployed stack: activation keys from the operator's tool, hand-offs that a JWT library
//! verifies, and what the vendor's staff can do to a company.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::aws;
use crate::event::{batch, status};
use crate::sign_up::product_key;
use crate::stack::{eventually, repository};
use crate::tenant::{Tenant, mailed_token};

/// Runs the operator's tool; its JSON.
fn belfry(arguments: &[&str]) -> Value {
    // Built with the tests, into the folder above theirs.
    let tests = std::env::current_exe().unwrap();
    let tool = tests.ancestors().nth(2).unwrap().join("belfry");
    let staff = ["--operator", "tests", "--reason", "whole-system test", "--json"];
    let run =
        Command::new(tool).args(arguments).args(staff).current_dir(repository()).output().unwrap();
    let complaint = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{arguments:?}: {complaint}");
    serde_json::from_slice(&run.stdout).unwrap()
}

fn activation_key(purpose: &str, product: &str) -> String {
    let issued = belfry(&[
        "license",
        "issue",
        "--purpose",
        purpose,
        "--product",
        product,
        "--edition",
        "Total",
        "--seats",
        "250",
        "--days",
        "365",
    ]);
    issued["activation_key"].as_str().unwrap().to_owned()
}

/// A tenant whose EPP is a trial.
async fn on_trial() -> Tenant {
    let tenant = Tenant::without("EPP").await;
    tenant.admin.post("/licenses/EPP/trial", &json!({})).await.is(201);
    tenant
}

#[tokio::test]
async fn an_activation_key_of_the_tool_converts_a_trial_once() {
    let (tenant, other) = (on_trial().await, on_trial().await);
    // Its credential has to follow the licence.
    tenant.product("EPP").await;
    let code = activation_key("convert", "EPP");
    let path = "/licenses/EPP/activation";
    let trial = tenant.admin.get("/licenses/EPP").await.is(200);
    let dry = json!({"activation_key": code, "dry_run": true});
    let dry = tenant.admin.post(path, &dry).await.is(200);
    assert_eq!(dry["license"]["seats"], 250);
    assert_eq!(tenant.admin.get("/licenses/EPP").await.is(200), trial);

    let body = json!({"activation_key": code});
    let done = tenant.admin.post(path, &body).await.is(200);
    assert_eq!(done["license"]["kind"], "commercial");
    assert_eq!(done["license"]["product_key"], trial["product_key"]);
    assert_eq!(tenant.admin.post(path, &body).await.is(200), done, "the same again");
    other.admin.post(path, &body).await.is_problem(409, "activation_key_used");
    let flipped = code.replace("bfa_A", "bfa_B");
    assert_eq!(tenant.admin.post(path, &json!({"activation_key": flipped})).await.status, 422);
    let told = |mails: &[[String; 3]]| {
        mails.iter().filter(|[subject, ..]| subject.contains("commercial licence")).count()
    };
    eventually("the mail", async || match told(&aws::mails(&tenant.stack, &tenant.email).await) {
        1 => Ok(()),
        other => Err(format!("{other} mails")),
    })
    .await;
    let audit = tenant.admin.get("/audit?action=license.convert").await.is(200);
    assert_eq!(audit["items"].as_array().unwrap().len(), 1);
    // The sweep looks at every licence that is due; all of them can be looked at.
    let swept = aws::invoke(&tenant.stack, "LicenseWatchFunction", &json!({"sweep": true})).await;
    assert_eq!(swept["failed"], 0, "{swept}");
}

/// What a sweep finds is told by mail, and carried by the credentials.
#[tokio::test]
async fn a_sweep_tells_that_the_seats_are_used_up() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    belfry(&["license", "seats", "--tenant", &tenant.id, "--product", "EPP", "--seats", "1"]);
    let report =
        async || product.report(None, batch(&[status("pc-1", 1), status("pc-2", 2)])).await;
    assert_eq!(report().await.is(202)["over_seats"], false);
    eventually("the endpoints", async || {
        let license = tenant.admin.get("/licenses/EPP").await.is(200);
        if license["used"] == 2 { Ok(()) } else { Err(license.to_string()) }
    })
    .await;
    let swept = aws::invoke(&tenant.stack, "LicenseWatchFunction", &json!({"sweep": true})).await;
    assert_eq!(swept["failed"], 0, "{swept}");
    assert_eq!(report().await.is(202)["over_seats"], true);
    let told = |[subject, ..]: &[String; 3]| subject.contains("All of your EPP seats");
    eventually("the mail", async || {
        let mails = aws::mails(&tenant.stack, &tenant.email).await;
        if mails.iter().any(told) { Ok(()) } else { Err(format!("{mails:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_product_is_added_with_its_key() {
    let (tenant, other) = (Tenant::without("EMM").await, Tenant::without("EMM").await);
    let key = json!({"product_key": product_key(&tenant.stack, "EMM").await});
    let path = "/licenses/EMM/registration";
    let made = tenant.admin.post(path, &key).await.is(201);
    assert_eq!(made["product_key"], key["product_key"]);
    let again = tenant.admin.post(path, &key).await.is(201);
    assert_eq!(again, made, "a repeat is told the same");
    other.admin.post(path, &key).await.is_problem(409, "product_key_used");
    let fresh = json!({"product_key": product_key(&tenant.stack, "EMM").await});
    tenant.admin.post(path, &fresh).await.is_problem(409, "edition_exists");
}

/// Any JWT library verifies it; a second too late, for another product and as anything else it is refused.
#[tokio::test]
async fn a_hand_off_verifies_with_pyjwt() {
    let tenant = Tenant::new().await;
    let products = tenant.admin.get("/products").await.is(200);
    assert!(products["items"].as_array().unwrap().iter().all(|item| item["launch"] == true));
    let launch = tenant.admin.post("/products/EPP/launch", &json!({})).await.is(200);
    assert_eq!(
        (&launch["method"], launch["url"].as_str().unwrap().contains("token")),
        (&json!("POST"), false)
    );
    let token = launch["token"].as_str().unwrap();
    let verdict = |token: &str, product: &str, ahead: &str| -> Value {
        let keys = format!("{}/.well-known/jwks.json", tenant.stack.api);
        let mut python = Command::new(repository().join(".local/tools/bin/python"))
            .arg(repository().join("tests/hand_off.py"))
            .args([keys.as_str(), product, ahead])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        python.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
        let output = python.wait_with_output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let claims = verdict(token, "EPP", "0");
    assert_eq!(
        (&claims["tenant"], &claims["role"]),
        (&json!(tenant.id), &json!("super_admin")),
        "{claims}"
    );
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    assert_eq!(verdict(token, "EPP", "61")["error"], "ExpiredSignatureError");
    assert_eq!(verdict(token, "EMM", "0")["error"], "InvalidAudienceError");
    let access = tenant.admin.bearer();
    assert_eq!(
        verdict(access, "EPP", "0")["error"],
        "InvalidTokenError",
        "an access token is none"
    );
    tenant.anon.bearing(token).get("/me").await.is_problem(401, "unauthenticated");

    // A `user` has no console: there is no session that could ask.
    let new = json!({"first_name": "Bob", "last_name": "Lee", "role": "user",
        "email": format!("bob@{}", tenant.email.split_once('@').unwrap().1)});
    let bob = tenant.admin.post("/users", &new).await.is(201);
    assert_eq!(bob["status"], "active");
    let login = json!({"email": bob["email"], "password": crate::tenant::PASSWORD});
    tenant.anon.post("/auth/login", &login).await.is_problem(401, "invalid_credentials");
    tenant.anon.post("/products/EPP/launch", &json!({})).await.is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn what_is_revoked_or_suspended_takes_no_telemetry_until_it_is_back() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    let report = async || product.report(None, batch(&[status("pc-1", 1)])).await;
    report().await.is(202);
    let license = tenant.admin.get("/licenses/EPP").await.is(200);
    let key = license["product_key"].as_str().unwrap();
    belfry(&["product-key", "revoke", key]);
    report().await.is_problem(403, "license_expired");
    tenant.admin.post("/products/EPP/launch", &json!({})).await.is_problem(409, "license_missing");
    belfry(&["product-key", "restore", key]);
    report().await.is(202);

    belfry(&["tenant", "suspend", &tenant.id]);
    report().await.is_problem(403, "tenant_suspended");
    tenant.admin.get("/dashboard").await.is_problem(403, "tenant_suspended");
    tenant.admin.post("/products/EPP/launch", &json!({})).await.is_problem(403, "tenant_suspended");
    assert_eq!(tenant.admin.get("/me").await.is(200)["tenant"]["suspended"], true);
    belfry(&["tenant", "resume", &tenant.id]);
    report().await.is(202);
    tenant.admin.get("/dashboard").await.is(200);
    let audit = tenant.admin.get("/audit?action=tenant.suspend").await.is(200);
    assert_eq!(audit["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_recovery_is_announced_and_stopped() {
    let tenant = Tenant::new().await;
    let domain = tenant.email.split_once('@').unwrap().1.to_owned();
    let email = format!("eli@{domain}");
    let announced = belfry(&[
        "super-admin",
        "appoint",
        "--tenant",
        &tenant.id,
        "--first-name",
        "Eli",
        "--last-name",
        "Stone",
        "--email",
        &email,
        "--mobile",
        "+919876543212",
    ]);
    assert_eq!(announced["recovery"]["told"], 1, "{announced}");
    let token =
        json!({"token": mailed_token(&tenant.stack, &tenant.email, "/stop-recovery#").await});
    let swept = aws::invoke(&tenant.stack, "BackofficeFunction", &json!({"sweep": true})).await;
    assert_eq!(swept["failed"], 0, "{swept}");
    tenant.anon.post("/recoveries/stop", &token).await.is(200);
    tenant.anon.post("/recoveries/stop", &token).await.is_problem(410, "link_gone");
    let users = tenant.admin.get("/users").await.is(200);
    assert_eq!(users["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_tool_lists_tenants_page_by_page() {
    let tenant = Tenant::new().await;
    let (mut after, mut found) = (String::new(), false);
    loop {
        let mut arguments = vec!["tenant", "list", "--limit", "50"];
        if !after.is_empty() {
            arguments.extend(["--after", after.as_str()]);
        }
        let page = belfry(&arguments);
        let tenants = page["tenants"].as_array().unwrap();
        found |= tenants.iter().any(|listed| listed["id"] == json!(tenant.id));
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert!(found, "{}", tenant.id);
}
