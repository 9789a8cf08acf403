//! Users, imports, settings, audit and support as an administrator meets them.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::actor::{Actor, Answer};
use crate::aws;
use crate::stack::{eventually, unique};
use crate::tenant::{PASSWORD, Tenant, activation_token, log_in};

async fn send_in(actor: &Actor, path: &str, csv: impl Into<Vec<u8>>) -> Answer {
    let request = actor.request(Method::POST, path).header("content-type", "text/csv");
    actor.send(request.body(csv.into())).await
}

/// Follows an import to its end; how many rows were done at each look.
async fn follow(actor: &Actor, id: &str) -> (Value, Vec<u64>) {
    /// So many looks without a row more, some ten seconds, and nobody is at it.
    const STALLED: usize = 60;
    let mut looks = Vec::new();
    loop {
        let import = actor.get(&format!("/users/imports/{id}")).await.is(200);
        looks.push(import["rows"]["done"].as_u64().unwrap());
        if import["state"] != "running" {
            return (import, looks);
        }
        let stalled = looks.iter().rev().take(STALLED).all(|done| Some(done) == looks.last());
        assert!(looks.len() < STALLED || !stalled, "{import}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// As a spreadsheet program of another continent saves it: BOM, CRLF, semicolons, newlines in quotes,
/// blank lines at the end.
fn from_a_spreadsheet(rows: usize, domain: &str) -> String {
    let mut csv =
        "\u{feff}First Name;Last Name;Email;Country Code;Mobile Number;Phone Number;Role;2FA\r\n"
            .to_owned();
    let names = [("山田", "太郎"), ("김", "민준"), ("Ann", "O'Hara"), ("\"Zoë\r\n\"", "Ng")];
    for n in 0..rows {
        let (first, last) = names[n % names.len()];
        let mobile = 9_800_000_000_usize + n;
        write!(csv, "{first};{last};u{n}@{domain};+91;{mobile};;User;\r\n").unwrap();
    }
    csv + "\r\n;;;;;;;\r\n\r\n"
}

#[tokio::test]
async fn a_thousand_users_are_imported_with_visible_progress_and_exported_again() {
    let tenant = Tenant::new().await;
    let domain = format!("{}.example", unique("import"));
    let csv = from_a_spreadsheet(1_000, &domain);
    let dry = send_in(&tenant.admin, "/users/imports?dry_run=true", csv.clone()).await.is(200);
    assert_eq!((&dry["state"], &dry["rows"]["imported"]), (&json!("done"), &json!(1_000)), "{dry}");
    let asked = send_in(&tenant.admin, "/users/imports", csv.clone()).await.is(202);
    let (done, looks) = follow(&tenant.admin, asked["id"].as_str().unwrap()).await;
    assert_eq!((&done["state"], &done["rows"]["imported"]), (&json!("done"), &json!(1_000)));
    assert!(looks.iter().any(|done| (1..1_000).contains(done)), "progress shows: {looks:?}");
    assert!(looks.is_sorted(), "{looks:?}");
    eventually("the mail that it has ended", async || {
        let mails = aws::mails(&tenant.stack, &tenant.email).await;
        let told = mails.iter().any(|[subject, text, _]| {
            subject.contains("import") && text.contains("1000") && !text.contains('{')
        });
        if told { Ok(()) } else { Err(format!("{} mails", mails.len())) }
    })
    .await;

    let again = send_in(&tenant.admin, "/users/imports?mode=partial", csv).await.is(202);
    let admin = tenant.log_in().await;
    let (again, _) = follow(&admin, again["id"].as_str().unwrap()).await;
    assert_eq!(again["rows"]["refused"], 1_000, "the same file again changes nothing");
    let path = format!("/users/imports/{}/errors", again["id"].as_str().unwrap());
    let errors = admin.get(&path).await;
    assert_eq!(errors.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(String::from_utf8_lossy(errors.bytes()).matches("u999@").count(), 1);

    let export = admin.get("/users/export?source=csv").await;
    assert_eq!(export.status, 200);
    assert!(export.bytes().starts_with("\u{feff}First Name,".as_bytes()), "for spreadsheets");
    let other = Tenant::new().await;
    let moved = send_in(&other.admin, "/users/imports", export.bytes()).await.is(202);
    let (moved, _) = follow(&other.admin, moved["id"].as_str().unwrap()).await;
    assert_eq!(moved["rows"]["imported"], 1_000, "{}", moved["rows"]);
    let same = other.log_in().await.get("/users/export?source=csv").await;
    // Not by `assert_eq!`: nobody reads two hundred thousand numbers.
    assert!(same.bytes() == export.bytes(), "{}", String::from_utf8_lossy(same.bytes()));

    let found = admin.get("/users?search=u999@&limit=10").await.is(200);
    assert_eq!(found["items"][0]["mobile"], "+919800000999", "{found}");
    // Bytes that are not UTF-8 reach us as they are, and are named.
    send_in(&admin, "/users/imports", b"First Name,\xff\r\n").await.is_problem(400, "csv_encoding");
}

#[tokio::test]
async fn an_imported_colleague_follows_the_mailed_link_and_the_sweep_looks_for_more() {
    let tenant = Tenant::new().await;
    let email = format!("grace@{}.example", unique("corp"));
    let csv = format!("First Name,Last Name,Email,Role\r\nGrace,Murray,{email},Read Only\r\n");
    let asked = send_in(&tenant.admin, "/users/imports", csv).await.is(202);
    let (done, _) = follow(&tenant.admin, asked["id"].as_str().unwrap()).await;
    assert_eq!(done["rows"]["imported"], 1, "{done}");
    let token = activation_token(&tenant.stack, &email).await;
    let body = json!({"token": token, "password": PASSWORD});
    tenant.anon.post("/auth/activation", &body).await.is(200);
    log_in(&tenant.anon, &email).await.get("/users").await.is(200);
    // Another company's invitation of the same person looks as that of a stranger.
    let other = Tenant::new().await;
    let new = json!({"first_name": "G", "last_name": "M", "email": email, "role": "read_only"});
    let invited = other.admin.post("/users", &new).await.is(201);
    assert_eq!(
        (&invited["status"], &invited["two_factor"]["state"]),
        (&json!("invited"), &json!("off"))
    );
    let sweep = json!({"sweep": true});
    let swept = aws::invoke(&tenant.stack, "UserImportFunction", &sweep).await;
    assert!(swept["due"].is_u64(), "{swept}");
}

#[tokio::test]
async fn a_colleague_from_invitation_to_erasure() {
    let tenant = Tenant::new().await;
    let boss = &tenant.admin;
    let email = format!("grace@{}.example", unique("corp"));
    let id = tenant.colleague(&email, "admin").await;
    let path = format!("/users/{id}");
    let grace = log_in(&tenant.anon, &email).await;
    grace.get("/users").await.is(200);
    let denied = json!({"role": "super_admin", "version": 2});
    let own = grace.patch(&path, &denied).await;
    own.is_problem(403, "forbidden");

    let user = boss.get(&path).await.is(200);
    let version = &user["version"];
    let change = json!({"role": "read_only", "version": version});
    let changed = boss.patch(&path, &change).await.is(200);
    grace.get("/me").await.is_problem(401, "unauthenticated");
    boss.patch(&path, &change).await.is_problem(409, "version_conflict");
    let grace = log_in(&tenant.anon, &email).await;
    let off = json!({"status": "deactivated", "version": changed["version"]});
    boss.patch(&path, &off).await.is(200);
    grace.get("/me").await.is_problem(401, "unauthenticated");
    let body = json!({"email": email, "password": PASSWORD});
    tenant.anon.post("/auth/login", &body).await.is_problem(401, "invalid_credentials");

    boss.post(&format!("{path}/erasure"), &json!({})).await.is_problem(409, "not_deleted");
    boss.delete(&path).await.is(204);
    let erased = boss.post(&format!("{path}/erasure"), &json!({})).await.is(200);
    assert_eq!(erased["email"], format!("{id}@erased.invalid"));
    assert_eq!(boss.get(&format!("{path}/data")).await.is(200)["user"]["id"], id);

    let found = boss.get(&format!("/audit?entity={id}&limit=200")).await.is(200);
    let actions: Vec<_> =
        found["items"].as_array().unwrap().iter().map(|row| row["action"].clone()).collect();
    let expected =
        ["user.erase", "user.delete", "user.change", "user.change", "user.activate", "user.create"];
    assert_eq!(actions, expected, "{found}");
    assert!(!found.to_string().contains(&email), "{found}");
    let denials = boss.get(&format!("/audit?actor={id}")).await.is(200);
    assert!(denials.to_string().contains("denied"), "{denials}");
    let trail = boss.get("/audit/verification").await.is(200);
    assert_eq!(trail["status"], "whole", "{trail}");
    // Another company sees and changes nothing of it.
    let other = Tenant::new().await;
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::GET, format!("{path}/data")),
    ] {
        let answer = other.admin.send(other.admin.request(method, &path)).await;
        answer.is_problem(404, "not_found");
    }
}

#[tokio::test]
async fn settings_act_at_once_and_support_hears_of_a_ticket() {
    let tenant = Tenant::new().await;
    let admin = &tenant.admin;
    let settings = admin.get("/settings").await.is(200);
    assert_eq!(settings["session_timeout_minutes"], 20);
    let body = json!({"session_timeout_minutes": 5, "version": settings["version"]});
    let changed = admin.put("/settings", &body).await.is(200);
    assert_eq!(changed["session_timeout_minutes"], 5);
    admin.put("/settings", &body).await.is_problem(409, "version_conflict");
    let support = admin.get("/support").await.is(200);
    assert!(support.to_string().contains("https://"), "{support}");
    let ticket = json!({"subject": "No log-in", "message": "It says:\n401", "product": "EPP"});
    let told = admin.post("/support/tickets", &ticket).await.is(202);
    let reference = told["reference"].as_str().unwrap();
    eventually("the ticket at support", async || {
        let mails = aws::mails(&tenant.stack, "support@example.com").await;
        let mine = mails.iter().find(|[subject, ..]| subject.contains(reference));
        let [_, text, _] = mine.ok_or("no such mail yet")?;
        assert!(text.contains(&tenant.email) && text.contains("It says:"), "{text}");
        Ok(())
    })
    .await;
}
