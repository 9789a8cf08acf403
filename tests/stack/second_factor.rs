//! The second factor with `oathtool` as the authenticator app, and what ends sessions.

use std::collections::BTreeSet;
use std::process::Command;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::actor::{Actor, Answer};
use crate::aws;
use crate::stack::{eventually, now};
use crate::tenant::{PASSWORD, Tenant, mailed_token, open_invitation};

/// An authenticator app that shows each code once, as the server takes each step once.
struct App {
    secret: String,
    next: i64,
}

impl App {
    /// Of a newly shown secret. Its first code is that of the step before: so three steps can be had
    /// without waiting.
    fn new(offer: &Value) -> Self {
        let uri = offer["otpauth_uri"].as_str().unwrap();
        assert!(uri.starts_with("otpauth://totp/Belfry:"), "{uri}");
        assert!(offer["qr_svg"].as_str().unwrap().contains("<svg"), "{offer}");
        Self { secret: offer["secret"].as_str().unwrap().to_owned(), next: 0 }
    }

    /// The code of a step: 0 is now.
    fn code_at(&self, step: i64) -> String {
        let at = format!("@{step}");
        let output = Command::new("oathtool")
            .args(["--totp", "--base32", "--now", &at, &self.secret])
            .output()
            .expect("oathtool is missing. Debian: apt-get install oathtool");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A code that was not shown before, of a step that the server takes now; waits for one when all
    /// three were shown.
    async fn code(&mut self) -> String {
        let step = eventually("a new step", async || {
            let step = now().as_second() / 30;
            let free = self.next.max(step - 1);
            if free <= step + 1 { Ok(free) } else { Err(format!("step {free} at {step}")) }
        })
        .await;
        self.next = step + 1;
        self.code_at(step * 30)
    }

    fn wrong(&self) -> String {
        let step = now().as_second() / 30;
        let right: BTreeSet<_> = (step - 2..=step + 2).map(|s| self.code_at(s * 30)).collect();
        (0..9).map(|n| format!("{n:06}")).find(|code| !right.contains(code)).unwrap()
    }
}

async fn start(anon: &Actor, email: &str) -> Answer {
    anon.post("/auth/login", &json!({"email": email, "password": PASSWORD})).await
}

async fn show(anon: &Actor, challenge: &Value, code: &str) -> Answer {
    let body = json!({"challenge": challenge["challenge"], "code": code});
    anon.post("/auth/two-factor", &body).await
}

async fn enrol(anon: &Actor, offer: &Value, app: &mut App) -> Value {
    let body = json!({"challenge": offer["challenge"], "code": app.code().await});
    anon.post("/auth/two-factor/enrolment", &body).await.is(200)
}

#[tokio::test]
async fn an_authenticator_app_from_enrolment_to_recovery() {
    let tenant = Tenant::activated().await;
    let (anon, email) = (&tenant.anon, tenant.email.as_str());
    let offer = start(anon, email).await.is(200);
    assert_eq!(offer["status"], "enrolment_required");
    let mut app = App::new(&offer);
    let wrong = json!({"challenge": offer["challenge"], "code": app.wrong()});
    anon.post("/auth/two-factor/enrolment", &wrong).await.is_problem(401, "invalid_code");
    let enrolled = enrol(anon, &offer, &mut app).await;
    let recovery = enrolled["recovery_codes"].as_array().unwrap().clone();
    assert_eq!(recovery.len(), 10);

    // A code works once; again it is refused and not counted.
    let challenge = start(anon, email).await.is(200);
    assert_eq!(challenge["status"], "two_factor_required");
    let code = app.code().await;
    show(anon, &challenge, &code).await.is(200);
    show(anon, &challenge, &code).await.is_problem(410, "challenge_gone");
    let challenge = start(anon, email).await.is(200);
    for _ in 0..4 {
        show(anon, &challenge, &code).await.is_problem(401, "code_used");
    }
    let session = show(anon, &challenge, &app.code().await).await.is(200);
    let admin = anon.bearing(session["access_token"].as_str().unwrap());
    admin.get("/me").await.is(200);

    // Three wrong codes, over two log-ins, lock, and end what was open.
    let first = start(anon, email).await.is(200);
    let second = start(anon, email).await.is(200);
    show(anon, &first, &app.wrong()).await.is_problem(401, "invalid_code");
    show(anon, &second, &app.wrong()).await.is_problem(401, "invalid_code");
    show(anon, &second, &app.wrong()).await.is_problem(423, "two_factor_locked");
    admin.get("/me").await.is_problem(401, "unauthenticated");
    let wrong = json!({"email": email, "password": "wrong-horse-battery-47-staple"});
    anon.post("/auth/login", &wrong).await.is_problem(401, "invalid_credentials");
    let locked = start(anon, email).await.is_problem(423, "two_factor_locked");

    // A recovery code leads to a new enrolment.
    let body = json!({"challenge": locked["challenge"], "recovery_code": recovery[3]});
    let offer = anon.post("/auth/two-factor", &body).await.is(200);
    assert_eq!(offer["status"], "enrolment_required");
    let mut app = App::new(&offer);
    let enrolled = enrol(anon, &offer, &mut app).await;
    let admin = anon.bearing(enrolled["access_token"].as_str().unwrap());

    // A fresh proof takes password and code.
    let confirm = |code: String| json!({"password": PASSWORD, "code": code});
    admin.post("/auth/confirm", &json!({"password": PASSWORD})).await.is(422);
    admin.post("/auth/confirm", &confirm(app.code().await)).await.is(200);
    let renewed = admin.post("/me/recovery-codes", &json!({})).await.is(200);
    assert_ne!(renewed["recovery_codes"], enrolled["recovery_codes"]);

    // Another telephone: the old one works until the new one has shown a code.
    let offer = admin.post("/me/two-factor/reset", &json!({})).await.is(200);
    let mut new_app = App::new(&offer);
    let challenge = start(anon, email).await.is(200);
    show(anon, &challenge, &app.code().await).await.is(200);
    let body = json!({"challenge": offer["challenge"], "code": new_app.code().await});
    let renewed = admin.post("/me/two-factor/enrolment", &body).await.is(200);
    admin.get("/me").await.is(401);
    let admin = anon.bearing(renewed["access_token"].as_str().unwrap());
    let sessions = admin.get("/me/sessions").await.is(200);
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1, "all others ended: {sessions}");

    let subjects: Vec<_> = eventually("five notices", async || {
        let mails = aws::mails(&tenant.stack, email).await;
        if mails.len() >= 7 { Ok(mails) } else { Err(format!("{} mails", mails.len())) }
    })
    .await;
    let all = subjects.concat().concat();
    for secret in recovery.iter().filter_map(Value::as_str).chain([app.secret.as_str(), PASSWORD]) {
        assert!(!all.contains(secret), "a secret in a mail");
    }
}

#[tokio::test]
async fn of_fifty_log_ins_with_one_code_one_opens() {
    let tenant = Tenant::activated().await;
    let (anon, email) = (&tenant.anon, tenant.email.as_str());
    let offer = start(anon, email).await.is(200);
    let mut app = App::new(&offer);
    enrol(anon, &offer, &mut app).await;
    let mut challenges = Vec::new();
    for _ in 0..5 {
        challenges.push(start(anon, email).await.is(200));
    }
    let code = app.code().await;
    let tries = (0..50).map(|n| show(anon, &challenges[n % 5], &code));
    let statuses: Vec<u16> = join_all(tries).await.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 401, 410, 503].contains(status)), "{statuses:?}");
}

#[tokio::test]
async fn of_fifty_refreshes_all_get_the_one_successor() {
    let tenant = Tenant::new().await;
    let session = start(&tenant.anon, &tenant.email).await.is(200);
    let body = json!({"refresh_token": session["refresh_token"]});
    let answers = join_all((0..50).map(|_| tenant.anon.post("/auth/refresh", &body))).await;
    let successors: BTreeSet<_> = answers
        .iter()
        .filter(|answer| answer.status != 503)
        .map(|answer| answer.is(200)["refresh_token"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(successors.len(), 1);
}

#[tokio::test]
async fn a_browser_keeps_its_token_in_the_cookie() {
    let tenant = Tenant::new().await;
    let anon = &tenant.anon;
    let browser =
        |path: &str| anon.request(Method::POST, path).header("x-belfry-client", "browser");
    let body = json!({"email": tenant.email, "password": PASSWORD});
    let opened = anon.send(browser("/auth/login").json(&body)).await;
    assert_eq!(opened.is(200).get("refresh_token"), None);
    let cookie = opened.header("set-cookie").to_owned();
    for attribute in ["__Host-", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let kept = cookie.split(';').next().unwrap();
    let refreshed = anon.send(browser("/auth/refresh").header("cookie", kept)).await;
    refreshed.is(200);
    assert_ne!(refreshed.header("set-cookie"), cookie);
    // Without the header no foreign page can send, the cookie is not looked at.
    let bare = anon.request(Method::POST, "/auth/refresh").header("cookie", kept);
    anon.send(bare).await.is(415);
}

#[tokio::test]
async fn a_forgotten_password() {
    let tenant = Tenant::new().await;
    let (anon, email) = (&tenant.anon, tenant.email.as_str());
    // All tests come from one address.
    aws::forget_tries(&tenant.stack).await;
    let unknown = json!({"email": format!("x{email}")});
    let unknown = anon.post("/auth/password/forgotten", &unknown).await.is(202);
    let known = anon.post("/auth/password/forgotten", &json!({"email": email})).await.is(202);
    assert_eq!(known, unknown);
    let token = mailed_token(&tenant.stack, email, "/reset-password#").await;
    let fresh = "another-horse-battery-47-staple";
    let body = json!({"token": token, "password": fresh});
    anon.post("/auth/password/reset", &body).await.is(204);
    anon.post("/auth/password/reset", &body).await.is_problem(410, "link_gone");
    tenant.admin.get("/me").await.is_problem(401, "unauthenticated");
    start(anon, email).await.is_problem(401, "invalid_credentials");
    let body = json!({"email": email, "password": fresh});
    anon.post("/auth/login", &body).await.is(200);
}

#[tokio::test]
async fn one_changes_oneself_and_moves_between_companies() {
    let tenant = Tenant::new().await;
    let (anon, admin) = (&tenant.anon, &tenant.admin);
    let me = admin.get("/me").await.is(200);
    let change = json!({"first_name": "Augusta", "language": "ko", "version": me["version"]});
    let patch = admin.request(Method::PATCH, "/me").json(&change);
    let me = admin.send(patch).await.is(200);
    assert_eq!((&me["first_name"], &me["language"]), (&json!("Augusta"), &json!("ko")));

    let opened = start(anon, &tenant.email).await.is(200);
    let plain = anon.bearing(opened["access_token"].as_str().unwrap());

    // A second company, whose first super admin is the same person.
    let command = crate::tenant::create_tenant(&tenant.email, 1, "en");
    let created = aws::backoffice(&tenant.stack, &command).await;
    let token = open_invitation(anon, &tenant.stack, &tenant.email).await;
    admin.post("/auth/activation", &json!({"token": token})).await.is(200);
    let to_there = |session: &Value| json!({"tenant_id": created["tenant"]["id"], "refresh_token": session["refresh_token"]});
    // It requires the second factor, which this session was opened without.
    plain.post("/auth/tenant", &to_there(&opened)).await.is_problem(403, "two_factor_required");
    let offer = start(anon, &tenant.email).await.is(200);
    let mut app = App::new(&offer);
    let session = enrol(anon, &offer, &mut app).await;
    assert_eq!(session["tenants"].as_array().unwrap().len(), 2);
    let person = anon.bearing(session["access_token"].as_str().unwrap());
    let alone = json!({"tenant_id": created["tenant"]["id"]});
    person.post("/auth/tenant", &alone).await.is_problem(401, "session_over");
    let moved = person.post("/auth/tenant", &to_there(&session)).await.is(200);
    assert_eq!(moved["tenant"]["id"], created["tenant"]["id"]);
    person.get("/me").await.is(401);
}

#[tokio::test]
async fn a_super_admin_requires_and_resets_a_colleagues_factor() {
    let tenant = Tenant::new().await;
    let (anon, boss) = (&tenant.anon, &tenant.admin);
    let email = format!("colleague-{}", tenant.email);
    let id = tenant.colleague(&email, "super_admin").await;
    let path = format!("/users/{id}/two-factor");
    let session = start(anon, &email).await.is(200);
    let colleague = anon.bearing(session["access_token"].as_str().unwrap());
    colleague.get("/me").await.is(200);

    let required = boss.put(&path, &json!({"required": true})).await.is(200);
    assert_eq!(required["two_factor"], json!({"required": true, "state": "pending"}));
    colleague.get("/me").await.is_problem(401, "unauthenticated");
    let offer = start(anon, &email).await.is(200);
    let mut app = App::new(&offer);
    let session = enrol(anon, &offer, &mut app).await;
    let colleague = anon.bearing(session["access_token"].as_str().unwrap());

    // A locked one is reset, and enrols anew.
    let challenge = start(anon, &email).await.is(200);
    for status in [401, 401, 423] {
        show(anon, &challenge, &app.wrong()).await.is(status);
    }
    colleague.get("/me").await.is(401);
    let reset = boss.post(&format!("{path}/reset"), &json!({})).await.is(202);
    assert_eq!(reset["status"], "reset");
    let offer = start(anon, &email).await.is(200);
    let mut app = App::new(&offer);
    enrol(anon, &offer, &mut app).await;
    let off = boss.put(&path, &json!({"required": false})).await.is(200);
    assert_eq!(off["two_factor"], json!({"required": false, "state": "off"}));
    assert_eq!(start(anon, &email).await.is(200)["status"], "authenticated");

    // Once the colleague is in another company too, a reset takes the colleague's consent.
    boss.put(&path, &json!({"required": true})).await.is(200);
    let offer = start(anon, &email).await.is(200);
    let mut app = App::new(&offer);
    let session = enrol(anon, &offer, &mut app).await;
    let colleague = anon.bearing(session["access_token"].as_str().unwrap());
    aws::backoffice(&tenant.stack, &crate::tenant::create_tenant(&email, 1, "en")).await;
    let token = open_invitation(anon, &tenant.stack, &email).await;
    colleague.post("/auth/activation", &json!({"token": token})).await.is(200);
    let reset = boss.post(&format!("{path}/reset"), &json!({})).await.is(202);
    assert_eq!(reset["status"], "offered");
    colleague.get("/me").await.is(200);
    let token = mailed_token(&tenant.stack, &email, "/reset-two-factor#").await;
    let link = json!({"token": token});
    anon.post("/auth/two-factor/reset", &link).await.is(204);
    anon.post("/auth/two-factor/reset", &link).await.is_problem(410, "link_gone");
    colleague.get("/me").await.is(401);
    assert_eq!(start(anon, &email).await.is(200)["status"], "enrolment_required");

    // Another company's people are not there, whoever asks.
    let other = Tenant::new().await;
    other.admin.put(&path, &json!({"required": true})).await.is_problem(404, "not_found");
    let reset = other.admin.post(&format!("{path}/reset"), &json!({})).await;
    reset.is_problem(404, "not_found");
    eventually("the notices", async || {
        let mails = aws::mails(&tenant.stack, &email).await;
        if mails.len() >= 6 { Ok(()) } else { Err(format!("{} mails", mails.len())) }
    })
    .await;
}
