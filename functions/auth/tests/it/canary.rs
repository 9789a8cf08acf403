//! Nothing secret or personal reaches a log line, whatever happens.

use crate::app_over;
use crate::steps::{
    Phone, STEP, answer, challenge, enrol, enrolled, identity, link, log_in, log_in_with, own,
    post, recover, recovery_codes, require, send,
};
use belfry_domain::account::{Link, LinkPurpose, Role, Status};
use belfry_domain::id::TenantId;
use belfry_domain::secret::Secret;
use belfry_store::keys;
use belfry_testkit::ask::SOURCE;
use belfry_testkit::world::PASSWORD;
use belfry_testkit::{Answer, World, ask};
use serde_json::{Value, json};
use std::io;
use std::sync::{Arc, Mutex};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt as _;

const NEW: &str = "velvet-harbour-sixty-tulip";

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything that must not be logged, with a name for the one who finds it there.
#[derive(Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn add(&mut self, what: &str, secret: impl Into<String>) {
        self.0.push((what.to_owned(), secret.into()));
    }

    /// Six digits alone may stand in an id by chance; as a value or a word of their own they may not.
    fn code(&mut self, code: &str) {
        self.add("code", format!("\"{code}\""));
        self.add("code", format!(" {code}"));
    }

    /// Every secret in an answer.
    fn of(&mut self, answer: &Answer) {
        for name in
            ["access_token", "refresh_token", "challenge", "secret", "otpauth_uri", "qr_svg"]
        {
            if let Some(secret) = answer.json[name].as_str() {
                self.add(name, secret);
            }
        }
        if answer.json["recovery_codes"].is_array() {
            for code in recovery_codes(answer) {
                self.add("recovery code", code.replace('-', ""));
                self.add("recovery code", code);
            }
        }
        let cookie = answer.header("set-cookie");
        if let Some((_, rest)) = cookie.split_once('=') {
            self.add("cookie", rest.split(';').next().unwrap_or_default());
        }
    }
}

/// As `belfry_runtime::log` writes them, but every level of ours.
fn subscriber(lines: &Lines) -> impl tracing::Subscriber + Send + Sync + use<> {
    let ours = ["auth", "belfry_api", "belfry_domain", "belfry_runtime", "belfry_store"];
    let levels = ours.map(|name| (name, LevelFilter::TRACE));
    // Other people's crates only as far as production lets them.
    let filter = Targets::new().with_default(LevelFilter::INFO).with_targets(levels);
    let layer = tracing_subscriber::fmt::layer()
        .json()
        .with_span_events(FmtSpan::FULL)
        .with_span_list(true)
        .with_current_span(true)
        .with_writer(lines.clone())
        .with_filter(filter);
    tracing_subscriber::registry().with(layer)
}

#[tokio::test]
async fn no_secret_and_no_personal_data_reach_the_log() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(subscriber(&lines));
    let mut secrets = Secrets::default();
    secrets.add("password", PASSWORD);
    secrets.add("password", NEW);
    secrets.add("address", "globex.example");
    secrets.add("address", "ann@");
    secrets.add("source", SOURCE);
    secrets.add("name", "Lindqvist");
    secrets.add("number", "9876543210");
    secrets.add("program", "curl/8");

    whole_run(&mut secrets).await;
    with_faults(&mut secrets).await;

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    // It listened: to a refusal, a success and a fault.
    for said in
        ["two_factor_locked", "membership accepted", "store_unavailable", "\"level\":\"ERROR\""]
    {
        assert!(text.contains(said), "{said} in {text}");
    }
    assert!(text.lines().count() > 100 && secrets.0.len() > 60);
    for line in text.lines() {
        let _: Value = serde_json::from_str(line).unwrap();
        let plain = line.to_lowercase();
        for (what, secret) in &secrets.0 {
            assert!(!secret.is_empty(), "{what}");
            assert!(
                !line.contains(secret) && !plain.contains(&secret.to_lowercase()),
                "{what}: {line}"
            );
        }
    }
}

/// Every route, right and wrong.
async fn whole_run(secrets: &mut Secrets) {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::SuperAdmin).await;
    let elsewhere = world.tenant("Initech").await;
    let there = world.member(elsewhere, "ann@globex.example", Role::SuperAdmin).await;
    secrets.of(&log_in_with(&world, "ann@globex.example", NEW).await);
    secrets.of(&log_in_with(&world, "ann@globex.example", &format!("{PASSWORD}x")).await);
    secrets.of(&log_in_with(&world, "zed@globex.example", PASSWORD).await);
    secrets.of(&send(
        &world,
        ask("POST /auth/login")
            .header("X-Belfry-Client", "browser")
            .header("User-Agent", "curl/8")
            .json(json!({"email": "ann@globex.example", "password": PASSWORD})),
    )
    .await);

    // Enrolment, wrong and right, and log-ins with codes.
    require(&world, &ann).await;
    let offer = log_in(&world, &ann).await;
    secrets.of(&offer);
    let phone = Phone::new(offer.at("/secret"));
    let codes = [phone.wrong(world.now()), phone.code(world.now())];
    for code in &codes {
        secrets.code(code);
    }
    secrets.of(&enrol(&world, &offer, &codes[0]).await);
    let opened = enrol(&world, &offer, &codes[1]).await;
    secrets.of(&opened);
    let recovery = recovery_codes(&opened);
    let asked = challenge(&world, &ann).await;
    secrets.add("challenge", &asked);
    secrets.of(&answer(&world, &asked, &codes[1]).await);
    world.wait(STEP);
    let code = phone.code(world.now());
    secrets.code(&code);
    let inside = answer(&world, &asked, &code).await;
    secrets.of(&inside);

    // From within.
    from_within(&world, &inside, &phone, there.tenant, secrets).await;

    // A link that sets a password, a changed one, and one that accepts an invitation.
    secrets.of(
        &post(&world, "/auth/password/forgotten", json!({"email": "ann@globex.example"})).await,
    );
    secrets.of(
        &post(&world, "/auth/password/forgotten", json!({"email": "zed@globex.example"})).await,
    );
    let (_, reset) = link(&world).await;
    secrets.add("link", &reset);
    for password in ["Lindqvist", NEW, NEW] {
        let body = json!({"token": reset, "password": password});
        secrets.of(&post(&world, "/auth/password/reset", body).await);
    }
    world.change(&ann, |user| user.two_factor_required = false).await;
    let inside = log_in_with(&world, "ann@globex.example", NEW).await;
    secrets.of(&inside);
    let changed =
        own(&world, inside.at("/access_token"), "/me/password", json!({"password": PASSWORD}))
            .await;
    secrets.of(&changed);
    let token = changed.at("/access_token").to_owned();
    let offer = own(&world, &token, "/me/two-factor", json!({"enabled": true})).await;
    secrets.of(&offer);
    let phone = Phone::new(offer.at("/secret"));
    let code = phone.code(world.now());
    secrets.code(&code);
    let body = json!({"challenge": offer.at("/challenge"), "code": code});
    let opened = own(&world, &token, "/me/two-factor/enrolment", body).await;
    secrets.of(&opened);
    invitation(&world, secrets).await;

    // Locked, recovered.
    let asked = challenge(&world, &ann).await;
    secrets.add("challenge", &asked);
    for _ in 0..3 {
        let code = phone.wrong(world.now());
        secrets.code(&code);
        secrets.of(&answer(&world, &asked, &code).await);
    }
    let locked = log_in(&world, &ann).await;
    assert_eq!(locked.status, 423);
    secrets.of(&locked);
    for code in [&recovery[0], &recovery_codes(&opened)[0]] {
        secrets.of(&recover(&world, locked.at("/challenge"), code).await);
    }
    // Over and forged.
    for bad in [token.as_str(), "x.y.z", ""] {
        secrets.of(&send(&world, ask("GET /me").bearer(bad)).await);
    }
    secrets.of(&send(&world, ask("POST /auth/logout").bearer(&token)).await);
    assert!(identity(&world, &ann).await.second_factor.is_some());
    // Bodies of another shape quote what was sent only to the one who sent it.
    for body in [
        json!({"email": PASSWORD, "password": [PASSWORD]}),
        json!({"email": "ann@globex.example", "password": 7, PASSWORD: 1}),
        json!(PASSWORD),
    ] {
        secrets.of(&post(&world, "/auth/login", body).await);
    }
}

/// What somebody who is logged in does.
async fn from_within(
    world: &World,
    inside: &Answer,
    phone: &Phone,
    tenant: TenantId,
    secrets: &mut Secrets,
) {
    let token = inside.at("/access_token");
    let proof = json!({"password": PASSWORD, "code": phone.code(world.now())});
    secrets.of(&own(world, token, "/auth/confirm", proof).await);
    world.wait(STEP);
    let code = phone.code(world.now());
    secrets.code(&code);
    let proof = json!({"password": PASSWORD, "code": code});
    secrets.of(&own(world, token, "/auth/confirm", proof).await);
    let fresh = own(world, token, "/me/recovery-codes", json!({})).await;
    secrets.of(&fresh);
    let profile = json!({"first_name": "Lindqvist", "mobile": "+919876543210", "version": 1});
    secrets.of(&send(world, ask("PATCH /me").bearer(token).json(profile)).await);
    secrets.of(&send(world, ask("GET /me").bearer(token)).await);
    secrets.of(&send(world, ask("GET /me/sessions").bearer(token)).await);
    let to_there = json!({"tenant_id": tenant, "refresh_token": inside.at("/refresh_token")});
    let switched = own(world, token, "/auth/tenant", to_there).await;
    secrets.of(&switched);
    let shown = json!({"refresh_token": switched.at("/refresh_token")});
    let next = post(world, "/auth/refresh", shown.clone()).await;
    secrets.of(&next);
    world.wait(11);
    secrets.of(&post(world, "/auth/refresh", shown).await);
}

/// Somebody invited with a first password.
async fn invitation(world: &World, secrets: &mut Secrets) {
    let tenant = world.tenant("Umbrella").await;
    let bob = world.member(tenant, "bob@globex.example", Role::Admin).await;
    let secret = Secret::new(world.entropy.as_ref());
    let hash = secret.hash();
    world.change_person(&bob, |person| person.password = None).await;
    world
        .change(&bob, |user| {
            user.status = Status::Invited;
            user.invitation = Some(hash);
        })
        .await;
    let table = world.table();
    let edge = belfry_store::table::key_item(&keys::membership(bob.identity, tenant));
    table.client().delete_item().table_name(table.name()).set_key(Some(edge)).send().await.unwrap();
    let purpose = LinkPurpose::Activation { tenant, user: bob.user };
    let valid_until = world.now() + jiff::SignedDuration::from_hours(72);
    let link = Link { identity: bob.identity, purpose, valid_until };
    world.put(&keys::link(&hash), &link).await;
    let token = secret.expose_text();
    secrets.add("link", &token);
    post(world, "/auth/activation/check", json!({"token": token})).await;
    let body = json!({"token": token, "password": PASSWORD});
    assert_eq!(post(world, "/auth/activation", body).await.status, 200);
    secrets.of(&log_in(world, &bob).await);
}

/// What goes wrong inside is told in words of ours.
async fn with_faults(secrets: &mut Secrets) {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::SuperAdmin).await;
    let inside = enrolled(&world, &ann).await;
    secrets.add("secret", &inside.secret);
    secrets.add("access_token", &inside.access);
    secrets.add("refresh_token", &inside.refresh);
    let login = || {
        ask("POST /auth/login").json(json!({"email": "ann@globex.example", "password": PASSWORD}))
    };
    let forgotten =
        || ask("POST /auth/password/forgotten").json(json!({"email": "ann@globex.example"}));
    for moment in [belfry_testkit::Moment::Before, belfry_testkit::Moment::After] {
        for at in 0..12 {
            for ask in [login(), forgotten()] {
                let gate = belfry_testkit::Crash::new(at, moment);
                let table = world.db.client("auth", gate).table();
                let app = app_over(&world, table);
                secrets.of(&ask.of(&app).await);
            }
            world.wait(3_600);
        }
    }
    world.sealer.set_down(true);
    secrets.of(&send(&world, forgotten()).await);
    let asked = challenge(&world, &ann).await;
    secrets.add("challenge", &asked);
    assert_eq!(answer(&world, &asked, "123456").await.status, 503);
    world.sealer.set_down(false);
    world.key.set_down(true);
    assert_eq!(answer(&world, &asked, &inside.phone.code(world.now())).await.status, 503);
    world.key.set_down(false);
    world.bell.fail_next(1);
    secrets.of(&send(&world, forgotten()).await);
    // Damaged items: the address' edge, the person, the link.
    let table = world.table();
    for key in [keys::email(&ann.email), keys::identity(ann.identity)] {
        let item = belfry_store::table::key_item(&key);
        table
            .client()
            .update_item()
            .table_name(table.name())
            .set_key(Some(item))
            .update_expression("SET v = :v")
            .expression_attribute_values(
                ":v",
                aws_sdk_dynamodb::types::AttributeValue::N("9".to_owned()),
            )
            .send()
            .await
            .unwrap();
        let told = send(&world, login()).await;
        assert_eq!(told.verdict(), (500, "internal"));
    }
}
