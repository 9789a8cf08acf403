//! A licence walked by the clock, from the sign-up over warnings, end, grace, refusal, conversion, renewal and
//! extension: telemetry is taken or refused as the licence says, nothing that was taken is lost, and what
//! was refused can be sent again.

use crate::house::{EVENTS, House, sign_up_form};
use belfry_domain::account::Role;
use belfry_domain::captcha::Captcha;
use belfry_domain::id::TenantId;
use belfry_domain::license::activation_key::Purpose;
use belfry_domain::product::Product;
use belfry_domain::telemetry::event::Kind;
use belfry_runtime::events::Events as _;
use belfry_runtime::metrics::Metrics;
use belfry_store::keys;
use belfry_testkit::{Answer, Member, ask};
use serde_json::{Value, json};
use std::sync::Arc;

const DAY: i64 = 86_400;
const PASSWORD: &str = "orbit-mustard-ninety-kelp";

/// A company that has just signed up for a trial of EPP, and its product.
struct Company {
    house: House,
    tenant: TenantId,
    admin: Member,
    secret: String,
    /// Days since the trial began.
    day: i64,
    /// Endpoints that have reported and were taken.
    taken: u64,
    /// What was refused, to be sent again.
    refused: Vec<Value>,
    /// Day and subject of each mail about the licence.
    mails: Vec<(i64, String)>,
}

impl Company {
    async fn signed_up() -> Self {
        let house = House::new();
        house.world.put(&keys::captcha(), &Captcha::Off).await;
        let route = "POST /onboarding/trials";
        let mut form = sign_up_form("zed@umbrella.example");
        (form["product"], form["language"]) = ("EPP".into(), "en".into());
        let signed = house.send(&house.onboarding, route, ask(route), form).await;
        assert_eq!(signed.status, 202, "{}", signed.text);
        house.settle().await;
        // The trial begins with the link, not with the form.
        house.world.wait(2 * DAY);
        let (confirm, activate) = ("POST /onboarding/confirmation", "POST /auth/activation");
        let token = house.mailed_token();
        let body = json!({"token": token});
        let confirmed = house.send(&house.onboarding, confirm, ask(confirm), body).await;
        let tenant: TenantId = confirmed.at("/tenant/id").parse().unwrap();
        let body = json!({"token": token, "password": PASSWORD});
        assert_eq!(house.send(&house.auth, activate, ask(activate), body).await.status, 200);
        let admin = house.world.member(tenant, "kim@umbrella.example", Role::Admin).await;
        let create = "POST /products/{product}/credentials";
        let asked = ask(create).path("product", "EPP").bearer(house.world.token(&admin).await);
        let made = house.send(&house.tenant, create, asked, json!({})).await;
        let secret = made.at("/secret").to_owned();
        let (mails, refused) = (Vec::new(), Vec::new());
        Self { house, tenant, admin, secret, day: 0, taken: 0, refused, mails }
    }

    /// One more endpoint reports; whether it is taken.
    async fn report(&mut self) -> (u16, String) {
        let event = json!({"specversion": "1.0", "id": self.day.to_string(), "source": "/epp",
            "type": "endpoint.status", "time": self.house.world.now().to_string(),
            "data": {"endpoint": {"id": format!("pc-{}", self.day), "kind": "computer",
                "os": "Linux", "os_version": "13", "agent_version": "1"}}});
        let (status, code) = self.send(&json!([event])).await;
        if status == 202 {
            self.taken += 1;
        } else {
            self.refused.push(event);
        }
        (status, code)
    }

    async fn send(&self, batch: &Value) -> (u16, String) {
        let asked = ask("POST /telemetry").bearer(&self.secret).text(EVENTS, &batch.to_string());
        let answer = self.house.tell(&self.house.ingest, "POST /telemetry", asked).await;
        assert!(
            answer.status == 202
                || self.house.telemetry.delivered().is_empty()
                || answer.status == 403
        );
        let (status, code) = answer.verdict();
        (status, code.to_owned())
    }

    /// Lets days go by, with the sweep every six hours and a report a day, each to be answered so.
    async fn days(&mut self, days: i64, expected: (u16, &str)) {
        for _ in 0..days {
            let (status, code) = self.report().await;
            assert_eq!((status, code.as_str()), expected, "day {}", self.day);
            for _ in 0..4 {
                self.sweep().await;
                self.house.world.wait(DAY / 4);
            }
            self.day += 1;
        }
    }

    async fn sweep(&mut self) {
        let mut metrics = Metrics::new("license-watch", "test");
        let watch = license_watch::App {
            table: self.house.db.table(),
            bell: Arc::new(self.house.bell.clone()),
            clock: Arc::new(self.house.clock.clone()),
            entropy: self.house.world.entropy.clone(),
        };
        let swept = watch.invoked(json!({"sweep": true}), &mut metrics).await.unwrap();
        assert_eq!(swept["failed"], 0, "{swept}");
        let before = self.house.mailer.sent().len();
        self.house.settle().await;
        for sent in &self.house.mailer.sent()[before..] {
            assert_eq!(sent.to, "zed@umbrella.example", "the registered address");
            self.mails.push((self.day, sent.mail.subject.clone()));
        }
    }

    async fn activate(&mut self, purpose: Purpose, terms: (u32, u32)) -> Answer {
        let house = &self.house;
        let code = house.seller.code(purpose, Product::Epp, terms, house.world.now());
        let route = "POST /licenses/{product}/activation";
        let token = house.world.token(&self.admin).await;
        let asked = ask(route).path("product", "EPP").bearer(token);
        let body = json!({"activation_key": code});
        let done = house.send(&house.licenses, route, asked, body).await;
        assert_eq!(done.status, 200, "{}", done.text);
        self.sweep().await;
        done
    }

    /// What the tallies show is what was taken.
    async fn nothing_is_lost(&self) {
        let tallies = self.house.world.table().stream_tallies(self.tenant).await.unwrap();
        let endpoints: u64 = tallies.iter().map(|(_, t)| t.endpoints(Kind::Computer)).sum();
        assert_eq!(endpoints, self.taken);
    }

    fn told(&mut self) -> Vec<(i64, String)> {
        std::mem::take(&mut self.mails)
    }
}

fn owned(mails: &[(i64, &str)]) -> Vec<(i64, String)> {
    mails.iter().map(|(day, subject)| (*day, (*subject).to_owned())).collect()
}

#[tokio::test]
async fn a_licence_from_its_sign_up_to_its_second_renewal() {
    let taken = (202, "");
    let refused = (403, "license_expired");
    let mut company = Company::signed_up().await;

    company.days(30, taken).await;
    company.days(3, refused).await;
    company.nothing_is_lost().await;
    let told = company.told();
    let expected = [
        (23, "Your EPP licence in Belfry ends on 2026-12-24"),
        (29, "Your EPP licence in Belfry ends within a day"),
        (30, "Your EPP trial in Belfry has ended"),
    ];
    assert_eq!(told, owned(&expected), "a trial has no grace");

    // Converted: what was refused is taken now, within 30 days of its time.
    let done = company.activate(Purpose::Convert, (40, 60)).await;
    assert_eq!(done.at("/license/ends_at"), "2027-02-25T12:00:00.000Z");
    let again = std::mem::take(&mut company.refused);
    assert_eq!((again.len(), company.send(&again.into()).await), (3, (202, String::new())));
    company.taken += 3;
    company.days(60, taken).await;
    // 15 days of grace.
    company.days(15, taken).await;
    company.days(2, refused).await;
    company.nothing_is_lost().await;
    let told = company.told();
    let expected = [
        (33, "Your EPP trial in Belfry is now a commercial licence"),
        // The 36th endpoint of 40 seats reports on day 35.
        (35, "90 percent of your EPP seats in Belfry are used"),
        (39, "All of your EPP seats in Belfry are used"),
        (63, "Your EPP licence in Belfry ends on 2027-02-25"),
        (86, "Your EPP licence in Belfry ends on 2027-02-25"),
        (92, "Your EPP licence in Belfry ends within a day"),
        (93, "Your EPP licence in Belfry has ended"),
    ];
    let told: Vec<_> = told.into_iter().collect();
    assert_eq!(told, owned(&expected));

    // Renewed after the grace: from now on. Then extended, by seats and by days.
    let renewed = company.activate(Purpose::Renew, (200, 30)).await;
    assert_eq!(renewed.at("/license/state"), "active");
    company.days(10, taken).await;
    company.activate(Purpose::Extend, (0, 30)).await;
    company.activate(Purpose::Extend, (100, 0)).await;
    company.days(50 + 15, taken).await;
    company.days(1, refused).await;
    company.nothing_is_lost().await;
    let license = company.house.world.table().license(company.tenant, Product::Epp).await;
    let license = license.unwrap().unwrap();
    let history: Vec<_> = license.history.iter().map(|line| line.change.name()).collect();
    assert_eq!(history, ["started", "converted", "renewed", "extended", "extended"]);
    assert_eq!((license.seats, license.look_at), (300, None));
}

#[tokio::test]
async fn over_its_seats_telemetry_is_taken_and_says_so() {
    let mut company = Company::signed_up().await;
    let command = json!({"command": "set_seats", "operator": "Kim", "reason": "small",
        "tenant_id": company.tenant, "product": "EPP", "seats": 2});
    company.house.obeyed(command).await;
    company.days(3, (202, "")).await;
    let over = async |company: &Company| {
        let asked = ask("POST /telemetry").bearer(&company.secret);
        let batch = Value::from(company.house.events("EPP")).to_string();
        let answer = company
            .house
            .tell(&company.house.ingest, "POST /telemetry", asked.text(EVENTS, &batch))
            .await;
        answer.json["over_seats"].clone()
    };
    assert_eq!(over(&company).await, json!(true));
    let list = "GET /licenses";
    let token = company.house.world.token(&company.admin).await;
    let page = company.house.tell(&company.house.licenses, list, ask(list).bearer(token)).await;
    assert_eq!(
        (&page.json["items"][0]["used"], &page.json["items"][0]["over"]),
        (&json!(3), &json!(true))
    );
    company.activate(Purpose::Convert, (10, 60)).await;
    assert_eq!(over(&company).await, json!(false));
}
