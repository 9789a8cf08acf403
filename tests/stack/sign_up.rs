//! From the sign-up to the dashboard, as a company's first administrator goes: trial and commercial, in three
//! languages, with the mails of the stack and a captcha on this machine. One test, as the captcha is one
//! for the whole stack.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::actor::{Actor, Answer};
use crate::aws;
use crate::event::{batch, status};
use crate::siteverify;
use crate::stack::{Stack, eventually, unique};
use crate::tenant::{PASSWORD, code, mailed_token};

const TRIALS: &str = "/onboarding/trials";
const REGISTRATIONS: &str = "/onboarding/registrations";

/// What the texts of a language are written in.
type Written = fn(char) -> bool;

const LANGUAGES: [(&str, Written); 3] = [
    ("en", |c| c.is_ascii_alphabetic()),
    ("ja", |c| ('\u{3040}'..='\u{30ff}').contains(&c) || ('\u{4e00}'..='\u{9fff}').contains(&c)),
    ("ko", |c| ('\u{ac00}'..='\u{d7a3}').contains(&c)),
];

#[tokio::test]
async fn from_the_sign_up_to_the_dashboard() {
    let stack = Arc::new(Stack::open());
    let anon = Actor::anon(&stack);
    let url = siteverify::start();
    captcha(
        &stack,
        json!({"provider": "custom", "site_key": "site-7",
        "secret": siteverify::SECRET, "verify_url": url}),
    )
    .await;
    guarded(&stack, &anon).await;
    for (language, written) in LANGUAGES {
        let email = format!("ada@{}.example", unique("signup"));
        let form = form(&anon, &email, language, written).await;
        let mut trial = form.clone();
        trial["product"] = json!("EPP");
        aws::forget_tries(&stack).await;
        anon.post(TRIALS, &trial).await.is(202);
        let admin = first_day(&stack, &anon, &email, written).await;
        let license = admin.get("/licenses/EPP").await.is(200);
        assert_eq!((&license["kind"], &license["state"]), (&json!("trial"), &json!("active")));

        let email = format!("ada@{}.example", unique("signup"));
        let key = product_key(&stack, "ZTNA").await;
        let mut bought = form;
        bought["email"] = json!(email);
        bought["products"] = json!([{"product": "ZTNA", "product_key": key}]);
        bought["license_agreement_accepted"] = json!(true);
        bought["privacy_policy_accepted"] = json!(true);
        anon.post(REGISTRATIONS, &bought).await.is(202);
        let admin = first_day(&stack, &anon, &email, written).await;
        let license = admin.get("/licenses/ZTNA").await.is(200);
        assert_eq!(
            (&license["kind"], &license["product_key"]),
            (&json!("commercial"), &json!(key))
        );
        aws::forget_tries(&stack).await;
        let used = anon.post(REGISTRATIONS, &bought).await;
        used.is_problem(409, "product_key_used");
    }
    captcha(&stack, json!({"provider": "off"})).await;
}

async fn captcha(stack: &Stack, mut command: Value) {
    command["command"] = json!("set_captcha");
    command["operator"] = json!("tests");
    command["reason"] = json!("whole-system test");
    let set = aws::backoffice(stack, &command).await;
    assert_eq!(set["status"], "ok", "{set}");
}

/// The captcha refuses, and when it fails nobody gets in.
async fn guarded(stack: &Stack, anon: &Actor) {
    let email = format!("ada@{}.example", unique("signup"));
    let mut trial = form(anon, &email, "en", |c| c.is_ascii()).await;
    trial["product"] = json!("EPP");
    for (response, status, code) in [
        ("wrong", 422, "invalid"),
        ("", 422, "invalid"),
        ("broken", 503, "captcha_unavailable"),
        ("cut", 503, "captcha_unavailable"),
    ] {
        aws::forget_tries(stack).await;
        trial["captcha"] = json!(response);
        anon.post(TRIALS, &trial).await.is_problem(status, code);
    }
    trial["captcha"] = json!("solved");
    trial["email"] = json!("ada@mail.gmail.com");
    assert_eq!(anon.post(TRIALS, &trial).await.faulty_fields(), ["/email"]);
    assert_eq!(aws::mails(stack, &email).await.len(), 0);
}

/// The form as the console fills it in, from the lists in the language of the browser.
async fn form(anon: &Actor, email: &str, language: &str, written: Written) -> Value {
    let listed = async |path: &str| -> Answer {
        let request = anon.request(Method::GET, path).header("accept-language", language);
        anon.send(request).await
    };
    let options = listed("/onboarding/options").await.is(200);
    assert_eq!(options["language"], language);
    for list in ["job_roles", "industries", "company_sizes", "countries", "languages", "products"] {
        let choices = options[list].as_array().unwrap();
        assert!(!choices.is_empty(), "{list}");
        for choice in choices {
            assert!(
                choice["name"].as_str().unwrap().contains(written),
                "{language} {list}: {choice}"
            );
        }
    }
    let states = listed("/onboarding/countries/JP/states").await.is(200);
    let tokyo = states["items"].as_array().unwrap().iter().find(|s| s["code"] == "JP-13").unwrap();
    assert!(tokyo["name"].as_str().unwrap().contains(written), "{tokyo}");
    let first = |list: &str| options[list][0]["code"].clone();
    json!({"first_name": "Ada", "last_name": "Byron", "email": email, "mobile": "+91 98765 43210",
        "job_role": first("job_roles"), "company": "Kestrel Works", "industry": first("industries"),
        "company_size": first("company_sizes"), "country": "JP", "state": "JP-13",
        "city": "Chiyoda", "language": language, "captcha": "solved"})
}

/// The link is followed, the account activated, the second factor enrolled, and telemetry seen.
async fn first_day(stack: &Arc<Stack>, anon: &Actor, email: &str, written: Written) -> Actor {
    let token = mailed_token(stack, email, "/confirm-sign-up#").await;
    let mails = aws::mails(stack, email).await;
    let [[subject, text, html]] = &mails[..] else { panic!("one mail is enough: {mails:?}") };
    for part in [subject, text, html] {
        assert!(part.contains(written), "{part}");
    }
    let body = json!({"token": token});
    anon.post("/auth/activation", &body).await.is_problem(410, "link_gone");
    let confirmed = anon.post("/onboarding/confirmation", &body).await.is(200);
    assert_eq!(anon.post("/onboarding/confirmation", &body).await.is(200), confirmed);
    let product = confirmed["products"][0].as_str().unwrap().to_owned();
    let checked = anon.post("/auth/activation/check", &body).await.is(200);
    assert_eq!(checked["status"], "password_required", "{checked}");
    let first = json!({"token": token, "password": PASSWORD});
    anon.post("/auth/activation", &first).await.is(200);
    anon.post("/onboarding/confirmation", &body).await.is_problem(410, "link_gone");

    let login = json!({"email": email, "password": PASSWORD});
    let offer = anon.post("/auth/login", &login).await.is(200);
    assert_eq!(offer["status"], "enrolment_required", "the second factor is on: {offer}");
    let code = code(offer["secret"].as_str().unwrap(), 0);
    let answer = json!({"challenge": offer["challenge"], "code": code});
    let session = anon.post("/auth/two-factor/enrolment", &answer).await.is(200);
    assert_eq!(session["user"]["role"], "super_admin");
    let admin = anon.bearing(session["access_token"].as_str().unwrap());

    let path = format!("/products/{product}/credentials");
    let made = admin.post(&path, &json!({})).await.is(201);
    let sender = anon.bearing(made["secret"].as_str().unwrap());
    sender.report(None, batch(&[status("pc-1", 1)])).await.is(202);
    let listed = format!("/endpoints?product={product}");
    eventually("the first endpoint", async || {
        let page = admin.get(&listed).await.is(200);
        if page["items"].as_array().unwrap().len() == 1 { Ok(()) } else { Err(page.to_string()) }
    })
    .await;
    admin.get("/dashboard").await.is(200);
    admin
}

/// A product key, as the vendor's staff issues it.
pub(crate) async fn product_key(stack: &Stack, product: &str) -> String {
    let command = json!({"command": "issue_product_key", "operator": "tests",
        "reason": "whole-system test", "product": product, "edition": "Total", "seats": 50,
        "term_days": 365, "partitions": 1});
    let issued = aws::backoffice(stack, &command).await;
    assert_eq!(issued["status"], "ok", "{issued}");
    issued["product_key"]["product_key"].as_str().unwrap().to_owned()
}
