//! What keeps machines out: captcha and throttles.

use crate::{Door, REGISTRATIONS, TRIALS, registration, trial};
use belfry_domain::account::Role;
use belfry_domain::captcha::Captcha;
use belfry_domain::product::Product;
use belfry_store::keys;
use belfry_testkit::gate::Open;
use belfry_testkit::{World, ask};
use serde_json::json;

#[tokio::test]
async fn a_captcha_is_asked_refuses_and_fails_closed() {
    let door = Door::new().await;
    let form = trial("zed@umbrella.example");
    assert_eq!(door.send(TRIALS, &form).await.status, 202);
    let asked = ["https://captcha.example/siteverify", "s3cret", "solved"].map(str::to_owned);
    assert_eq!(door.captcha.asked(), [asked]);
    assert!(!door.world.db.holds("s3cret"), "its secret is sealed");
    door.world.posted().await;

    door.captcha.answer_next(Some(false));
    let refused = door.send(TRIALS, &form).await;
    assert_eq!((refused.status, refused.faults()), (422, vec![("/captcha", "captcha_failed")]));
    door.captcha.answer_next(None);
    let down = door.send(TRIALS, &form).await;
    assert_eq!(down.verdict(), (503, "captcha_unavailable"));
    assert!(!down.header("retry-after").is_empty());
    for (response, code) in [("", "required"), (&"x".repeat(5_000), "too_long")] {
        let mut form = form.clone();
        form["captcha"] = response.into();
        assert_eq!(door.send(TRIALS, &form).await.faults(), [("/captcha", code)]);
    }
    assert_eq!((door.world.posted().await.len(), door.captcha.asked().len()), (0, 3));
    let sign_ups = door.world.db.dump().iter().filter(|i| i["et"]["S"] == "sign_up").count();
    assert_eq!(sign_ups, 1);
}

#[tokio::test]
async fn it_is_open_only_where_somebody_said_so() {
    let door = Door::new().await;
    let mut form = trial("zed@umbrella.example");
    form.as_object_mut().unwrap().remove("captcha");
    door.world.remove(&keys::captcha()).await;
    let closed = door.send(TRIALS, &form).await;
    assert_eq!(closed.verdict(), (503, "captcha_unavailable"), "never set up");
    door.world.put(&keys::captcha(), &Captcha::Off).await;
    assert_eq!(door.send(TRIALS, &form).await.status, 202);
    assert_eq!(door.captcha.asked().len(), 0);
    let options = ask("GET /onboarding/options").of(&door.app()).await;
    assert_eq!(options.json["captcha"], json!(null));
}

#[tokio::test]
async fn three_mails_to_an_address_and_ten_tries_of_a_source_an_hour() {
    let door = Door::new().await;
    for expected in [202, 202, 202, 429] {
        assert_eq!(door.send(TRIALS, &trial("zed@umbrella.example")).await.status, expected);
    }
    // What a machine tries uses up nobody's mails.
    for _ in 0..3 {
        door.captcha.answer_next(Some(false));
        assert_eq!(door.send(TRIALS, &trial("kim@tyrell.example")).await.status, 422);
    }
    for expected in [202, 202, 202, 429] {
        assert_eq!(door.send(TRIALS, &trial("kim@tyrell.example")).await.status, expected);
    }
    let source = door.send(TRIALS, &trial("roy@wallace.example")).await;
    assert_eq!(source.header("ratelimit-policy"), "\"mail-source\";q=10;w=3600");
    door.world.wait(3_600);
    assert_eq!(door.send(TRIALS, &trial("roy@wallace.example")).await.status, 202);
}

/// The same answer and the same calls, whether or not somebody has the address.
#[tokio::test]
async fn nobody_learns_who_is_known() {
    let mut seen = Vec::new();
    for known in [false, true] {
        let door = Door::new().await;
        let World { db, .. } = &door.world;
        if known {
            let home = door.world.tenant("Initech").await;
            door.world.member(home, "zed@umbrella.example", Role::SuperAdmin).await;
        }
        let key = door.world.product_key(Product::Emm).await;
        let products = json!([{"product": "EMM", "product_key": key}]);
        for (route, form) in [
            (TRIALS, trial("zed@umbrella.example")),
            (REGISTRATIONS, registration("zed@umbrella.example", products)),
        ] {
            let transport = db.client("onboarding", Open);
            let answer = ask(route).json(form).of(&door.app_over(transport.table())).await;
            let calls: Vec<_> =
                transport.calls().iter().map(|call| call.operation.clone()).collect();
            seen.push((route, answer.status, answer.text, calls));
        }
    }
    let (strangers, known) = seen.split_at(2);
    assert_eq!(strangers, known);
}
