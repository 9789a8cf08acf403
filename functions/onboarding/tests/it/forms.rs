//! What is asked for, and what is wrong with it: all of it at once.

use crate::{CONFIRM, Door, REGISTRATIONS, TRIALS, company, registration, trial};
use belfry_domain::license::ProductKey;
use belfry_domain::product::Product;
use belfry_testkit::ask;
use serde_json::{Value, json};

#[tokio::test]
async fn every_fault_at_once_and_nothing_begun() {
    let door = Door::new().await;
    let before = door.world.db.dump();
    let empty = door.send(TRIALS, &json!({})).await;
    let required = "first_name last_name email mobile job_role company industry company_size country \
        city language product";
    let mut wanted: Vec<_> =
        required.split_ascii_whitespace().map(|name| (format!("/{name}"), "required")).collect();
    wanted.sort();
    let faults = |answer: &belfry_testkit::Answer| {
        let mut faults: Vec<_> =
            answer.faults().iter().map(|(p, c)| ((*p).to_owned(), (*c).to_owned())).collect();
        faults.sort();
        faults
    };
    let wanted: Vec<_> = wanted.into_iter().map(|(p, c)| (p, c.to_owned())).collect();
    assert_eq!(faults(&empty), wanted);
    let wrong = json!({"first_name": "<b>", "last_name": "x".repeat(61), "email": "zed", "mobile": "12",
        "job_role": "boss", "company": "", "industry": "none", "company_size": "7", "country": "XX",
        "state": "IN-KA", "city": "x".repeat(81), "language": "de", "product": "XYZ",
        "products": [], "privacy_policy_accepted": true});
    let pointers: Vec<_> =
        faults(&door.send(TRIALS, &wrong).await).into_iter().map(|f| f.0).collect();
    assert_eq!(
        pointers,
        [
            "/city",
            "/company",
            "/company_size",
            "/country",
            "/email",
            "/first_name",
            "/industry",
            "/job_role",
            "/language",
            "/last_name",
            "/mobile",
            "/privacy_policy_accepted",
            "/product",
            "/products"
        ]
    );
    for (field, value, code) in [
        ("state", Value::Null, "required"),
        ("state", json!(""), "required"),
        ("state", json!("JP-13"), "invalid"),
        ("state", json!("ka"), "invalid"),
    ] {
        let mut form = trial("zed@umbrella.example");
        form[field] = value;
        assert_eq!(door.send(TRIALS, &form).await.faults(), [("/state", code)]);
    }
    let mut island = trial("zed@umbrella.example");
    (island["country"], island["state"]) = ("AX".into(), "AX-1".into());
    assert_eq!(door.send(TRIALS, &island).await.faults(), [("/state", "invalid")]);
    assert_eq!(door.world.db.dump(), before, "not even a try is counted");
    island.as_object_mut().unwrap().remove("state");
    assert_eq!(door.send(TRIALS, &island).await.status, 202, "a country without states");
    let unknown = door.send(TRIALS, &json!({"admin": true})).await;
    assert_eq!(unknown.faults(), [("/admin", "invalid")]);
}

#[tokio::test]
async fn a_business_address_is_asked_for_subdomains_included() {
    let door = Door::new().await;
    for address in
        ["zed@gmail.com", "zed@mail.gmail.com", "ZED@YAHOO.co.jp", "z@a.b.mailinator.com"]
    {
        for route in [TRIALS, REGISTRATIONS] {
            let answer = door.send(route, &company(address)).await;
            assert!(answer.faults().contains(&("/email", "business_email_required")), "{address}");
        }
    }
}

#[tokio::test]
async fn a_registration_names_keys_and_accepts_both_agreements() {
    let door = Door::new().await;
    let key = door.world.product_key(Product::Epp).await;
    let known = json!({"product": "EPP", "product_key": key});
    let never = ProductKey::new(door.world.entropy.as_ref());
    let mut slip = key.to_string();
    slip.replace_range(0..1, if slip.starts_with('Z') { "Y" } else { "Z" });
    for (products, faults) in [
        (json!([]), vec![("/products", "required")]),
        (json!([known, known, known, known, known]), vec![("/products", "required")]),
        (
            json!([{}]),
            vec![("/products/0/product", "required"), ("/products/0/product_key", "required")],
        ),
        (
            json!([known, known]),
            vec![("/products/1/product", "duplicate"), ("/products/1/product_key", "duplicate")],
        ),
        (
            json!([{"product": "EMM", "product_key": key}, {"product": "ZTNA", "product_key": key}]),
            vec![("/products/1/product_key", "duplicate")],
        ),
        (
            json!([{"product": "EPP", "product_key": slip}]),
            vec![("/products/0/product_key", "invalid")],
        ),
        (
            json!([{"product": "EMM", "product_key": key}, {"product": "ZTNA", "product_key": never}]),
            vec![
                ("/products/0/product_key", "product_key_unknown"),
                ("/products/1/product_key", "product_key_unknown"),
            ],
        ),
    ] {
        let answer =
            door.send(REGISTRATIONS, &registration("zed@umbrella.example", products)).await;
        assert_eq!((answer.status, answer.faults()), (422, faults));
    }
    for field in ["license_agreement_accepted", "privacy_policy_accepted"] {
        for value in [json!(false), Value::Null] {
            let mut form = registration("zed@umbrella.example", json!([known]));
            form[field] = value;
            let answer = door.send(REGISTRATIONS, &form).await;
            assert_eq!(answer.faults(), [(format!("/{field}").as_str(), "not_accepted")]);
        }
    }
    let mut stray = registration("zed@umbrella.example", json!([known]));
    stray["product"] = "EPP".into();
    assert_eq!(door.send(REGISTRATIONS, &stray).await.faults(), [("/product", "invalid")]);
    // Nothing of it is held.
    let issued = door.world.table().product_key(key).await.unwrap().unwrap();
    assert_eq!(issued.version, 1);
}

#[tokio::test]
async fn nothing_is_claimed_before_the_link_is_used() {
    let door = Door::new().await;
    let token = door.mailed(TRIALS, &trial("zed@umbrella.example")).await;
    assert!(!door.world.db.holds(&token), "the link is stored hashed and sealed only");
    for entity in ["tenant", "identity", "user", "license", "membership", "product_key"] {
        let there = door.world.db.dump().iter().any(|item| item["et"]["S"] == entity);
        assert!(!there, "a {entity}");
    }
    for bad in ["", "x", &token[1..], &format!("{token}A")] {
        assert_eq!(door.confirm(bad).await.verdict(), (410, "link_gone"), "{bad}");
    }
    let other = ask(CONFIRM).json(json!({"token": token, "password": "x"})).of(&door.app()).await;
    assert_eq!(other.faults(), [("/password", "invalid")]);
    door.world.wait(72 * 3_600);
    assert_eq!(door.confirm(&token).await.verdict(), (410, "link_gone"), "72 hours");
}

#[tokio::test]
async fn the_mail_speaks_the_chosen_language() {
    for (language, subject) in [
        ("en", "Confirm the sign-up of Umbrella Works for Belfry"),
        ("ja", "【Belfry】Umbrella Works ご登録の確認のお願い"),
        ("ko", "[Belfry] Umbrella Works 가입 확인 안내"),
    ] {
        let door = Door::new().await;
        let mut form = trial("zed@umbrella.example");
        form["language"] = language.into();
        assert_eq!(door.send(TRIALS, &form).await.status, 202);
        assert_eq!(door.world.posted().await[0][1], subject);
    }
}
