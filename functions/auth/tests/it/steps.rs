//! Steps that many tests take: log-ins, an authenticator app, mails and audit records as they stand.

use crate::app;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use belfry_domain::account::{Identity, User};
use belfry_domain::audit::{Head, verify};
use belfry_domain::id::TenantId;
use belfry_domain::session::Session;
use belfry_runtime::keys::Sealer as _;
use belfry_store::keys;
use belfry_testkit::world::PASSWORD;
use belfry_testkit::{Answer, Ask, Member, World, ask};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use totp_rs::{Algorithm, Builder, Secret, Totp};

/// Seconds of a step of the authenticator app.
pub(crate) const STEP: i64 = 30;

/// An authenticator app: RFC 6238 with SHA-1, 6 digits, 30 s.
pub(crate) struct Phone(Totp);

impl Phone {
    /// With the secret as it is shown, in base32.
    pub(crate) fn new(secret: &str) -> Self {
        let builder = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_step_duration(30)
            .with_secret(Secret::try_from_base32(secret).unwrap());
        Self(builder.build().unwrap())
    }

    /// The code of a moment.
    pub(crate) fn code(&self, at: Timestamp) -> String {
        self.0.generate(u64::try_from(at.as_second()).unwrap()).to_string()
    }

    /// The code of so many seconds from a moment.
    pub(crate) fn code_in(&self, at: Timestamp, seconds: i64) -> String {
        self.code(at + jiff::SignedDuration::from_secs(seconds))
    }

    /// A code that is of no step near a moment.
    pub(crate) fn wrong(&self, at: Timestamp) -> String {
        let near: Vec<_> = (-3..=3).map(|steps| self.code_in(at, steps * STEP)).collect();
        (0..10).map(|n| format!("{n:06}")).find(|code| !near.contains(code)).unwrap()
    }
}

/// Whoever has enrolled and is logged in.
pub(crate) struct Enrolled {
    pub(crate) phone: Phone,
    pub(crate) secret: String,
    pub(crate) recovery: Vec<String>,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// Asks the function.
pub(crate) async fn send(world: &World, ask: Ask) -> Answer {
    ask.of(&app(world)).await
}

pub(crate) async fn post(world: &World, route: &str, body: Value) -> Answer {
    send(world, ask(&format!("POST {route}")).json(body)).await
}

/// A POST from a session.
pub(crate) async fn own(world: &World, token: &str, route: &str, body: Value) -> Answer {
    send(world, ask(&format!("POST {route}")).bearer(token).json(body)).await
}

pub(crate) async fn log_in_with(world: &World, email: &str, password: &str) -> Answer {
    post(world, "/auth/login", json!({"email": email, "password": password})).await
}

/// A log-in with the password of every member.
pub(crate) async fn log_in(world: &World, member: &Member) -> Answer {
    log_in_with(world, member.email.as_str(), PASSWORD).await
}

/// The challenge of a log-in that asks for a code.
pub(crate) async fn challenge(world: &World, member: &Member) -> String {
    let answer = log_in(world, member).await;
    assert_eq!((answer.status, answer.at("/status")), (200, "two_factor_required"));
    answer.at("/challenge").to_owned()
}

/// Answers a challenge with a code.
pub(crate) async fn answer(world: &World, challenge: &str, code: &str) -> Answer {
    post(world, "/auth/two-factor", json!({"challenge": challenge, "code": code})).await
}

/// Answers a challenge with a recovery code.
pub(crate) async fn recover(world: &World, challenge: &str, code: &str) -> Answer {
    post(world, "/auth/two-factor", json!({"challenge": challenge, "recovery_code": code})).await
}

/// The first code of an offered secret.
pub(crate) async fn enrol(world: &World, offer: &Answer, code: &str) -> Answer {
    let body = json!({"challenge": offer.at("/challenge"), "code": code});
    post(world, "/auth/two-factor/enrolment", body).await
}

/// A log-in with the code of now.
pub(crate) async fn enter(world: &World, member: &Member, phone: &Phone) -> Answer {
    let challenge = challenge(world, member).await;
    answer(world, &challenge, &phone.code(world.now())).await
}

/// Has the member's tenant require the second factor, as a super admin does.
pub(crate) async fn require(world: &World, member: &Member) {
    world.change(member, |user| user.two_factor_required = true).await;
}

/// Requires the second factor and enrols it; a step later, so that the next code is a new one.
pub(crate) async fn enrolled(world: &World, member: &Member) -> Enrolled {
    require(world, member).await;
    let offer = log_in(world, member).await;
    let secret = offer.at("/secret").to_owned();
    let phone = Phone::new(&secret);
    let answer = enrol(world, &offer, &phone.code(world.now())).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    world.wait(STEP);
    Enrolled {
        phone,
        secret,
        recovery: recovery_codes(&answer),
        access: answer.at("/access_token").to_owned(),
        refresh: answer.at("/refresh_token").to_owned(),
    }
}

/// The recovery codes in an answer.
pub(crate) fn recovery_codes(answer: &Answer) -> Vec<String> {
    let codes = answer.json["recovery_codes"].as_array().unwrap();
    codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

/// A fresh access token, without that it were an activity.
pub(crate) async fn refreshed(world: &World, refresh: &str) -> String {
    let body = json!({"refresh_token": refresh});
    let ask = ask("POST /auth/refresh").header("X-Background", "1").json(body);
    let answer = send(world, ask).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.at("/access_token").to_owned()
}

/// How `GET /me` answers a token: status and code.
pub(crate) async fn me(world: &World, token: &str) -> Answer {
    send(world, ask("GET /me").bearer(token)).await
}

/// Whether a token still opens anything.
pub(crate) async fn lives(world: &World, token: &str) -> bool {
    let answer = me(world, token).await;
    let lives = answer.status == 200;
    assert!(lives || answer.verdict() == (401, "unauthenticated"), "{}", answer.text);
    lives
}

/// The session behind an access token, as it is stored.
pub(crate) async fn session_of(world: &World, token: &str) -> Option<Session> {
    let claims = world.tokens().verify(token, world.now()).unwrap();
    world.get(&keys::session(claims.sub, claims.sid)).await
}

pub(crate) async fn identity(world: &World, member: &Member) -> Identity {
    world.get(&keys::identity(member.identity)).await.unwrap()
}

pub(crate) async fn user(world: &World, member: &Member) -> User {
    world.get(&keys::user(member.tenant, member.user)).await.unwrap()
}

/// What the tenant's chain says, from the beginning; it must be whole. Each record with its erasable
/// part under `values`.
pub(crate) async fn changes(world: &World, tenant: TenantId) -> Vec<Value> {
    let (records, head) = world.table().audit_trail(tenant, 0, 100).await.unwrap();
    let texts = records.iter().map(|r| (r.text.as_str(), r.personal.as_deref()));
    assert_eq!(verify(&Head::EMPTY, texts), Ok(head));
    let whole = records.iter().map(|record| {
        let mut value: Value = serde_json::from_str(&record.text).unwrap();
        let personal: Value = serde_json::from_str(record.personal.as_deref().unwrap()).unwrap();
        value["values"] = personal["values"].clone();
        value
    });
    whole.collect()
}

/// Of the tenant's records: action and changed fields.
pub(crate) async fn actions(world: &World, tenant: TenantId) -> Vec<(String, Value)> {
    let records = changes(world, tenant).await;
    let said = records
        .into_iter()
        .map(|record| (record["action"].as_str().unwrap().to_owned(), record["changes"].clone()));
    said.collect()
}

/// What waits in the outbox, the oldest first: the mails with their id under `outbox`.
pub(crate) fn mails(world: &World) -> Vec<Value> {
    let entries = world.db.dump_of("O#");
    let mails = entries.iter().filter_map(|item| {
        let mut mail = plain(&item["outgoing"]).get("mail")?.clone();
        mail["outbox"] = item["sk"]["S"].clone();
        Some(mail)
    });
    mails.collect()
}

/// The same, short: to whom, in which language, which letter.
pub(crate) fn letters(world: &World) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let short = |mail: &Value| {
        let letter = mail["letter"].as_object().unwrap().keys().next().unwrap();
        (text(&mail["to"]), text(&mail["language"]), letter.clone())
    };
    mails(world).iter().map(short).collect()
}

/// Forgets the mails so far.
pub(crate) async fn clear_mails(world: &World) {
    let table = world.table();
    for item in world.db.dump_of("O#") {
        let key = keys::Key {
            pk: item["pk"]["S"].as_str().unwrap().to_owned(),
            sk: item["sk"]["S"].as_str().unwrap().to_owned(),
        };
        let call = table.client().delete_item().table_name(table.name());
        call.set_key(Some(belfry_store::table::key_item(&key))).send().await.unwrap();
    }
}

/// The address behind the button of the latest mail that has one: where to, and the link's secret.
pub(crate) async fn link(world: &World) -> (String, String) {
    let mails = mails(world);
    let mail = mails.iter().rfind(|mail| mail["sealed_link"].is_string()).unwrap();
    let sealed = STANDARD.decode(mail["sealed_link"].as_str().unwrap()).unwrap();
    let context = [("purpose", "mail-link"), ("outbox", mail["outbox"].as_str().unwrap())];
    let address = String::from_utf8(world.sealer.open(&sealed, &context).await.unwrap()).unwrap();
    let (page, token) = address.split_once('#').unwrap();
    (page.to_owned(), token.to_owned())
}

/// Whether any item holds these bytes.
pub(crate) fn holds_bytes(world: &World, needle: &[u8]) -> bool {
    fn within(value: &Value, needle: &[u8]) -> bool {
        match value {
            Value::Object(fields) => fields.iter().any(|(name, value)| match (name, value) {
                (name, Value::String(text)) if name == "B" => STANDARD
                    .decode(text)
                    .is_ok_and(|bytes| bytes.windows(needle.len()).any(|part| part == needle)),
                (_, value) => within(value, needle),
            }),
            Value::Array(values) => values.iter().any(|value| within(value, needle)),
            _ => false,
        }
    }
    world.db.dump().iter().any(|item| within(item, needle))
}

/// `DynamoDB` JSON without its types; bytes stay base64.
fn plain(value: &Value) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|fields| fields.iter().next()) else {
        return Value::Null;
    };
    match (kind.as_str(), inner) {
        ("M", Value::Object(fields)) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), plain(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        ("L", Value::Array(values)) => values.iter().map(plain).collect(),
        ("N", Value::String(number)) => serde_json::from_str(number).unwrap(),
        ("NULL", _) => Value::Null,
        _ => inner.clone(),
    }
}
