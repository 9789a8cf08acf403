//! `onboarding` from the gateway's event to the table: every answer, stored state and record.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed test says so by a panic"
)]

mod confirmation;
mod costs;
mod forms;
mod guards;

use belfry_domain::captcha::{Captcha, Provider, SEALED_FOR};
use belfry_runtime::keys::Sealer as _;
use belfry_store::{Table, keys};
use belfry_testkit::{Answer, MemoryCaptcha, World, ask};
use onboarding::App;
use serde_json::{Value, json};
use std::sync::Arc;

const TRIALS: &str = "POST /onboarding/trials";
const REGISTRATIONS: &str = "POST /onboarding/registrations";
const CONFIRM: &str = "POST /onboarding/confirmation";

struct Door {
    world: World,
    captcha: MemoryCaptcha,
}

impl Door {
    /// Guarded by a captcha that says yes.
    async fn new() -> Self {
        let door = Self { world: World::new(), captcha: MemoryCaptcha::default() };
        let sealed_secret = door.world.sealer.seal(b"s3cret", &SEALED_FOR).await.unwrap();
        let captcha = Captcha::On {
            provider: Provider::Custom,
            verify_url: "https://captcha.example/siteverify".to_owned(),
            site_key: "site-7".to_owned(),
            sealed_secret,
        };
        door.world.put(&keys::captcha(), &captcha).await;
        door
    }

    fn app_over(&self, table: Table) -> App {
        App {
            table,
            post: self.world.post(),
            captcha: Arc::new(self.captcha.clone()),
            trial_edition: "Standard".parse().unwrap(),
            clock: Arc::new(self.world.clock.clone()),
            entropy: self.world.entropy.clone(),
        }
    }

    fn app(&self) -> App {
        self.app_over(self.world.table())
    }

    async fn send(&self, route: &str, body: &Value) -> Answer {
        ask(route).json(body.clone()).of(&self.app()).await
    }

    /// Signs up; the token of the mailed link.
    async fn mailed(&self, route: &str, body: &Value) -> String {
        let answer = self.send(route, body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let mails = self.world.posted().await;
        let [[to, _, text]] = &mails[..] else { panic!("{mails:?}") };
        assert_eq!(body["email"].as_str().unwrap().to_lowercase(), *to);
        let (_, rest) = text.split_once("https://console.example/confirm-sign-up#").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    }

    async fn confirm(&self, token: &str) -> Answer {
        self.send(CONFIRM, &json!({"token": token})).await
    }
}

fn company(email: &str) -> Value {
    json!({"first_name": "Zed", "last_name": "Okafor", "email": email, "mobile": "+91 98765 43211",
        "job_role": "it_manager", "company": "Umbrella Works", "industry": "manufacturing",
        "company_size": "101-250", "country": "IN", "state": "IN-KA", "city": "Bengaluru",
        "language": "ja", "captcha": "solved"})
}

fn trial(email: &str) -> Value {
    let mut form = company(email);
    form["product"] = "EPP".into();
    form
}

fn registration(email: &str, products: Value) -> Value {
    let mut form = company(email);
    form["products"] = products;
    form["license_agreement_accepted"] = true.into();
    form["privacy_policy_accepted"] = true.into();
    form
}
