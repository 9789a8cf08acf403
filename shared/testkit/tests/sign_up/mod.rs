//! Sign-up and recovery, every answer that the description names.

use crate::faulty_bodies;
use crate::house::{House, sign_up_form};
use belfry_domain::account::Role;
use belfry_domain::captcha::{Captcha, Provider, SEALED_FOR};
use belfry_domain::product::Product;
use belfry_runtime::keys::Sealer as _;
use belfry_store::keys;
use belfry_testkit::{Answer, ask};
use serde_json::{Value, json};

const TRIALS: &str = "POST /onboarding/trials";
const REGISTRATIONS: &str = "POST /onboarding/registrations";
const CONFIRM: &str = "POST /onboarding/confirmation";

impl House {
    async fn sign_up(&self, route: &'static str, body: Value) -> Answer {
        self.send(&self.onboarding, route, ask(route), body).await
    }
}

fn trial(email: &str) -> Value {
    let mut form = sign_up_form(email);
    form["product"] = "EPP".into();
    form
}

async fn registration(house: &House, email: &str) -> Value {
    let mut form = sign_up_form(email);
    let key = house.world.product_key(Product::Emm).await;
    form["products"] = json!([{"product": "EMM", "product_key": key}]);
    form["license_agreement_accepted"] = true.into();
    form["privacy_policy_accepted"] = true.into();
    form
}

pub(crate) async fn all(house: &House) {
    let sealed_secret = house.world.sealer.seal(b"s3cret", &SEALED_FOR).await.unwrap();
    let captcha = Captcha::On {
        provider: Provider::Turnstile,
        verify_url: "https://captcha.example/siteverify".to_owned(),
        site_key: "site-7".to_owned(),
        sealed_secret,
    };
    house.world.put(&keys::captcha(), &captcha).await;
    lists(house).await;
    trials(house).await;
    // Another hour: the tries of the one address that all tests come from are forgotten.
    house.world.wait(3_600);
    registrations(house).await;
    house.world.wait(3_600);
    recovery(house).await;
}

async fn lists(house: &House) {
    let (options, states) = ("GET /onboarding/options", "GET /onboarding/countries/{code}/states");
    let function = &house.onboarding;
    for (header, role, country) in
        [("en", "Other", "India"), ("ja-JP", "その他", "インド"), ("ko", "기타", "인도")]
    {
        let asked = ask(options).header("Accept-Language", header);
        let answer = house.tell(function, options, asked).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json["captcha"], json!({"provider": "turnstile", "site_key": "site-7"}));
        let roles = answer.json["job_roles"].as_array().unwrap();
        assert_eq!(roles.last().unwrap()["name"], role);
        let countries = answer.json["countries"].as_array().unwrap();
        let india = countries.iter().find(|country| country["code"] == "IN").unwrap();
        assert_eq!((&india["name"], &india["has_states"]), (&json!(country), &json!(true)));
        assert!(!answer.text.contains("s3cret"));
    }
    let of = |code: &str| ask(states).path("code", code).header("Accept-Language", "ja");
    let answer = house.tell(function, states, of("JP")).await;
    assert_eq!(answer.json["items"][12], json!({"code": "JP-13", "name": "東京都"}));
    for unknown in ["XX", "jp", "JP-13"] {
        assert_eq!(house.tell(function, states, of(unknown)).await.status, 404);
    }
}

async fn trials(house: &House) {
    faulty_bodies(house, &house.onboarding, TRIALS, None).await;
    let mut solved = trial("zed@umbrella.example");
    solved["captcha"] = "solved".into();
    let answer = house.sign_up(TRIALS, solved.clone()).await;
    assert_eq!((answer.status, answer.at("/status")), (202, "accepted"));
    let unsolved = house.sign_up(TRIALS, trial("zed@umbrella.example")).await;
    assert_eq!(unsolved.faults(), [("/captcha", "required")]);
    house.settle().await;
    let token = json!({"token": house.mailed_token()});
    let confirmed = house.sign_up(CONFIRM, token.clone()).await;
    assert_eq!((confirmed.status, confirmed.at("/tenant/name")), (200, "Umbrella Works"));
    let again = house.sign_up(CONFIRM, token.clone()).await;
    assert_eq!((again.status, again.text), (200, confirmed.text));
    let check = "POST /auth/activation/check";
    let checked = house.send(&house.auth, check, ask(check), token).await;
    assert_eq!(checked.at("/status"), "password_required");
    // 3 mails an hour to one address.
    for expected in [202, 202, 429] {
        assert_eq!(house.sign_up(TRIALS, solved.clone()).await.status, expected);
    }
    faulty_bodies(house, &house.onboarding, CONFIRM, None).await;
    let gone = house.sign_up(CONFIRM, json!({"token": "unknown"})).await;
    assert_eq!(gone.verdict(), (410, "link_gone"));
}

async fn registrations(house: &House) {
    faulty_bodies(house, &house.onboarding, REGISTRATIONS, None).await;
    let mut bought = registration(house, "kim@tyrell.example").await;
    bought["captcha"] = "solved".into();
    let answer = house.sign_up(REGISTRATIONS, bought.clone()).await;
    assert_eq!((answer.status, answer.at("/status")), (202, "accepted"));
    house.settle().await;
    let token = json!({"token": house.mailed_token()});
    let mut rival = bought.clone();
    rival["email"] = "roy@wallace.example".into();
    let held = house.sign_up(REGISTRATIONS, rival.clone()).await;
    assert_eq!(held.verdict(), (409, "product_key_held"));
    // It is withdrawn while it is held.
    let key = bought["products"][0]["product_key"].as_str().unwrap().to_owned();
    for (revoked, status, code) in [(true, 409, "product_key_revoked"), (false, 200, "")] {
        let command = json!({"command": "revoke_product_key", "operator": "Kim", "reason": "x",
            "product_key": key, "revoked": revoked});
        house.obeyed(command).await;
        assert_eq!(house.sign_up(CONFIRM, token.clone()).await.verdict(), (status, code));
    }
    let used = house.sign_up(REGISTRATIONS, rival.clone()).await;
    assert_eq!(used.verdict(), (409, "product_key_used"));
    for expected in [409, 409, 409, 409, 409, 409, 409, 429] {
        let again = house.sign_up(REGISTRATIONS, rival.clone()).await;
        rival["email"] = format!("{expected}-{}", rival["email"].as_str().unwrap()).into();
        assert_eq!(again.status, expected, "{}", again.text);
    }
}

async fn recovery(house: &House) {
    let tenant = house.world.tenant("Hooli").await;
    house.world.member(tenant, "gil@hooli.example", Role::SuperAdmin).await;
    let stop = "POST /recoveries/stop";
    faulty_bodies(house, &house.tenant, stop, None).await;
    let unknown = json!({"token": "unknown"});
    let gone = house.send(&house.tenant, stop, ask(stop), unknown).await;
    assert_eq!(gone.verdict(), (410, "link_gone"));
    let command = json!({"command": "appoint_super_admin", "operator": "Kim", "reason": "left",
        "tenant_id": tenant, "first_name": "Eli", "last_name": "Stone",
        "email": "eli@hooli.example", "mobile": "+919876543212"});
    house.obeyed(command).await;
    house.settle().await;
    let token = json!({"token": house.mailed_token()});
    let stopped = house.send(&house.tenant, stop, ask(stop), token.clone()).await;
    assert_eq!((stopped.status, stopped.at("/status")), (200, "stopped"));
    assert_eq!(house.send(&house.tenant, stop, ask(stop), token).await.status, 410);
    house.settle().await;
}
