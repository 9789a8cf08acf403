//! How the sign-up is guarded: said by the vendor's staff, its secret sealed.

use crate::{Office, at_every_crash, command, office, said};
use belfry_domain::captcha::{Captcha, Provider, SEALED_FOR};
use belfry_runtime::keys::Sealer as _;
use belfry_store::keys;
use serde_json::{Value, json};

const SECRET: &str = "0x4AAAAAAAsecret-of-the-provider";

fn set(provider: &str, more: Value) -> Value {
    let mut fields = json!({"provider": provider});
    if provider != "off" {
        (fields["site_key"], fields["secret"]) = ("site-key-1".into(), SECRET.into());
    }
    if provider == "custom" {
        fields["verify_url"] = "https://captcha.example/siteverify".into();
    }
    let Value::Object(more) = more else { panic!("{more}") };
    for (field, value) in more {
        fields[field] = value;
    }
    command("set_captcha", fields)
}

impl Office {
    async fn captcha(&self) -> Option<Captcha> {
        self.world.table().captcha().await.unwrap()
    }
}

#[tokio::test]
async fn each_provider_and_its_secret_sealed() {
    for (provider, name, url) in [
        (Provider::Recaptcha, "recaptcha", "https://www.google.com/recaptcha/api/siteverify"),
        (Provider::Hcaptcha, "hcaptcha", "https://api.hcaptcha.com/siteverify"),
        (
            Provider::Turnstile,
            "turnstile",
            "https://challenges.cloudflare.com/turnstile/v0/siteverify",
        ),
        (Provider::Custom, "custom", "https://captcha.example/siteverify"),
    ] {
        let office = office();
        let answer = office.say(&set(name, json!({}))).await;
        assert_eq!(answer, json!({"status": "ok", "captcha": {"provider": name}}));
        let Some(Captcha::On { provider: kept, verify_url, site_key, sealed_secret }) =
            office.captcha().await
        else {
            panic!("{name}")
        };
        assert_eq!((kept, verify_url.as_str(), site_key.as_str()), (provider, url, "site-key-1"));
        let opened = office.sealer.open(&sealed_secret, &SEALED_FOR).await.unwrap();
        assert_eq!(opened, SECRET.as_bytes());
        office.sealer.open(&sealed_secret, &[("purpose", "mail-link")]).await.unwrap_err();
        assert!(!office.world.db.holds(SECRET), "neither in the table nor in its log");
        assert_eq!(office.log(), [["captcha.set", name]]);
        assert_eq!(office.world.db.dump().len(), 2);
    }
}

#[tokio::test]
async fn whoever_speaks_last_is_right() {
    let office = office();
    assert_eq!(office.captcha().await, None, "nobody has said it yet");
    for name in ["turnstile", "off", "off", "custom", "hcaptcha", "off"] {
        office.world.wait(1);
        let answer = office.say(&set(name, json!({}))).await;
        assert_eq!(answer, json!({"status": "ok", "captcha": {"provider": name}}));
        assert_eq!(office.captcha().await == Some(Captcha::Off), name == "off");
    }
    let said: Vec<_> = office.log().into_iter().map(|[_, subject]| subject).collect();
    assert_eq!(said, ["turnstile", "off", "off", "custom", "hcaptcha", "off"]);
    let item = office.world.db.dump_of(&keys::captcha().pk);
    assert_eq!(item.len(), 1);
    assert_eq!(item[0]["sealed_secret"], Value::Null, "what is off keeps no secret");
}

#[tokio::test]
async fn what_does_not_belong_there_is_refused() {
    let office = office();
    let empty = json!({"command": "set_captcha"});
    let missing = [
        "/operator required",
        "/reason required",
        "/provider required",
        "/site_key invalid",
        "/secret invalid",
    ];
    assert_eq!(office.faults(&empty).await, missing);
    let most = "x".repeat(512);
    let over = "x".repeat(513);
    let (url, http) = ("https://captcha.example/x", "http://captcha.example/x");
    let no_url = ["/verify_url invalid"];
    for (provider, more, faults) in [
        ("Turnstile", json!({}), &["/provider invalid"][..]),
        ("on", json!({}), &["/provider invalid"]),
        ("off", json!({"site_key": "x"}), &["/site_key invalid"]),
        ("off", json!({"secret": SECRET}), &["/secret invalid"]),
        ("off", json!({"verify_url": url}), &no_url),
        ("turnstile", json!({"site_key": ""}), &["/site_key invalid"]),
        ("turnstile", json!({"secret": ""}), &["/secret invalid"]),
        ("turnstile", json!({"site_key": over}), &["/site_key invalid"]),
        ("turnstile", json!({"secret": over}), &["/secret invalid"]),
        ("turnstile", json!({"verify_url": url}), &no_url),
        ("turnstile", json!({"verify_url": ""}), &no_url),
        ("custom", json!({"verify_url": null}), &no_url),
        ("custom", json!({"verify_url": ""}), &no_url),
        ("custom", json!({"verify_url": "https://"}), &no_url),
        ("custom", json!({"verify_url": "https://a b"}), &no_url),
        ("custom", json!({"verify_url": "https://["}), &no_url),
        ("custom", json!({"verify_url": "https://us@captcha.example"}), &no_url),
        ("custom", json!({"verify_url": "captcha.example"}), &no_url),
        ("custom", json!({"verify_url": "ftp://captcha.example"}), &no_url),
        ("custom", json!({"verify_url": http}), &no_url),
        ("custom", json!({"verify_url": "http://127.0.0.1:8080/x"}), &no_url),
        ("custom", json!({"verify_url": format!("https://{most}")}), &no_url),
    ] {
        let order = set(provider, more);
        assert_eq!(office.faults(&order).await, faults, "{order}");
        let answer = office.say(&order).await;
        assert!(!answer.to_string().contains(SECRET), "{answer}");
    }
    for more in [json!({"site_key": most}), json!({"secret": most})] {
        assert_eq!(office.say(&set("turnstile", more)).await["status"], "ok");
    }
    let mut stray = set("turnstile", json!({"key": SECRET}));
    assert_eq!(office.refused(&stray).await, "malformed");
    stray["secret"] = json!([SECRET]);
    assert_eq!(office.refused(&stray).await, "malformed");
}

/// Only on a stack on one machine, and only that machine.
#[tokio::test]
async fn plain_http_stays_on_the_machine() {
    let mut office = office();
    office.app.local = true;
    let order = |url: &str| set("custom", json!({"verify_url": url}));
    for bad in [
        "http://captcha.example/x",
        "http://localhost:8080/x",
        "http://127.0.0.1/x",
        "http://127.0.0.1:/x",
        "http://127.0.0.1:x@captcha.example/",
        "http://127.0.0.1:8@captcha.example/",
        "http://127.0.0.10:8080/x",
        "http://127.0.0.1.captcha.example:8080/x",
    ] {
        assert_eq!(office.faults(&order(bad)).await, ["/verify_url invalid"], "{bad}");
    }
    for good in ["http://127.0.0.1:8080/siteverify", "https://captcha.example/siteverify"] {
        assert_eq!(office.say(&order(good)).await["status"], "ok", "{good}");
        let Some(Captcha::On { verify_url, .. }) = office.captcha().await else { panic!() };
        assert_eq!(verify_url, good);
    }
}

#[tokio::test]
async fn a_key_service_that_is_down_changes_nothing() {
    let office = office();
    office.say(&set("hcaptcha", json!({}))).await;
    office.sealer.set_down(true);
    assert_eq!(office.refused(&set("turnstile", json!({}))).await, "key_unavailable");
    assert_eq!(office.say(&set("off", json!({}))).await["status"], "ok", "nothing to seal");
}

#[tokio::test]
async fn a_crash_leaves_the_guard_and_its_log_together_or_not_at_all() {
    let crashes = at_every_crash(async |crash| {
        let office = office();
        let answer = said(&office.dying(&crash), &set("turnstile", json!({}))).await;
        let set = usize::from(office.captcha().await.is_some());
        assert_eq!(office.log().len(), set);
        answer["status"] == "ok"
    });
    assert!(crashes.await >= 2);
}
