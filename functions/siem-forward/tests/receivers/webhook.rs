//! A webhook that checks what Standard Webhooks promises.

use crate::https::{Asked, Https, Told};
use crate::world::{EPP, World};
use crate::{backlog, heal, patience, settings, world};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use belfry_domain::id::DestinationId;
use belfry_domain::siem::destination::{Secrets, Transport};
use belfry_domain::siem::progress::Health;
use belfry_domain::telemetry::event::Severity;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KEY: &[u8] = b"a key of the receiver's own";

/// HMAC-SHA256 (RFC 2104), by the letter of the RFC.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    assert!(key.len() <= 64);
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

/// The records of a request whose signature is right.
fn records(asked: &Asked) -> Vec<Value> {
    let header = |name: &str| asked.headers[name].as_str();
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    let mut signed = format!("{id}.{at}.").into_bytes();
    signed.extend_from_slice(&asked.body);
    let signature = header("webhook-signature").strip_prefix("v1,").unwrap();
    assert_eq!(STANDARD.decode(signature).unwrap(), hmac(KEY, &signed));
    assert_eq!(header("content-type"), "application/json");
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(body["type"], "siem.records");
    body["data"]["records"].as_array().unwrap().clone()
}

async fn setup(
    answer: impl Fn(&Asked) -> Told + Send + Sync + 'static,
) -> (World, DestinationId, Https) {
    let server = Https::start(answer).await;
    let world = world(patience(Duration::from_secs(2))).await;
    let settings = settings(Transport::Webhook, server.port, Some(&server.ca.pem));
    let token = format!("whsec_{}", STANDARD.encode(KEY));
    let secrets = Secrets { token: Some(token), ..Secrets::default() };
    let id = world.create_with(settings, &secrets).await;
    world.log(EPP, 1_000, Severity::Low).await;
    (world, id, server)
}

/// The numbers of some records.
fn sequences(records: &[Value]) -> Vec<u64> {
    let number = |record: &Value| {
        let sequence = &record["sequence"];
        sequence.as_u64().or_else(|| sequence.as_str()?.parse().ok()).unwrap()
    };
    records.iter().map(number).collect()
}

#[tokio::test]
async fn a_success_confirms_what_was_signed() {
    let (world, id, server) = setup(|_| Told::status(204)).await;
    world.ring(id).await;
    world.check_all(id).await;
    let [asked] = &server.asked()[..] else { panic!("{} requests", server.asked().len()) };
    assert_eq!(sequences(&records(asked)), (1..=1_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_repeat_has_the_id_of_the_first() {
    let (world, id, server) =
        setup(|asked| if asked.number == 0 { Told::Nothing } else { Told::status(200) }).await;
    world.ring(id).await;
    assert_eq!(backlog(&world, id).await, 1_000);
    heal(&world, id).await;
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].headers["webhook-id"], asked[1].headers["webhook-id"]);
    assert_ne!(asked[0].headers["webhook-timestamp"], asked[1].headers["webhook-timestamp"]);
    assert_eq!(records(&asked[0]), records(&asked[1]));
}

#[tokio::test]
async fn gone_means_stop() {
    let (world, id, server) = setup(|_| Told::status(410)).await;
    world.ring(id).await;
    let progress = world.check(id).await;
    assert!(matches!(progress.health, Health::Suspended { .. }), "{progress:?}");
    assert_eq!(progress.last_error.unwrap().code, "gone");
    world.base.wait(24 * 3_600);
    world.ring(id).await;
    assert_eq!((server.asked().len(), backlog(&world, id).await), (1, 1_000));
}

#[tokio::test]
async fn a_server_error_is_tried_again() {
    let (world, id, _server) =
        setup(|asked| Told::status(if asked.number < 3 { 500 } else { 200 })).await;
    world.ring(id).await;
    let progress = world.check(id).await;
    assert!(matches!(progress.health, Health::Retrying { .. }), "{progress:?}");
    assert_eq!(progress.last_error.unwrap().code, "refused");
    heal(&world, id).await;
}

#[tokio::test]
async fn what_is_too_much_is_halved() {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let all = taken.clone();
    let (world, id, _server) = setup(move |asked| {
        let records = records(asked);
        // One of them alone is too large.
        let numbers = sequences(&records);
        if records.len() > 300 || numbers.contains(&500) {
            return Told::status(413);
        }
        all.lock().unwrap().extend(numbers);
        Told::status(200)
    })
    .await;
    world.ring(id).await;
    let progress = world.check_all(id).await;
    assert_eq!(progress.position(EPP).refused, 1);
    let parked = world.parked(id).await;
    assert_eq!((parked[0].sequence, parked[0].code.as_str()), (500, "too_large"));
    let expected: Vec<_> = (1..=1_000).filter(|number| *number != 500).collect();
    assert_eq!(*taken.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Https::start(|_| Told::status(200)).await;
    let there = format!("https://127.0.0.1:{}/", elsewhere.port);
    let (world, id, server) = setup(move |_| Told::status(307).with("Location", &there)).await;
    world.ring(id).await;
    assert_eq!(world.check(id).await.last_error.unwrap().code, "redirect_refused");
    assert_eq!((server.asked().len(), elsewhere.asked().len()), (1, 0));
    assert_eq!(backlog(&world, id).await, 1_000);
}

#[tokio::test]
async fn a_header_of_the_receivers_own_is_sent() {
    let server = Https::start(|_| Told::status(200)).await;
    let world = world(patience(Duration::from_secs(2))).await;
    let mut settings = settings(Transport::Webhook, server.port, Some(&server.ca.pem));
    settings.header_name = Some("X-Api-Key".parse().unwrap());
    let token = format!("whsec_{}", STANDARD.encode(KEY));
    let header_value = Some("open sesame".to_owned());
    let secrets = Secrets { token: Some(token), header_value, ..Secrets::default() };
    let id = world.create_with(settings, &secrets).await;
    world.log(EPP, 1, Severity::Low).await;
    world.ring(id).await;
    world.check_all(id).await;
    assert_eq!(server.asked()[0].headers["x-api-key"], "open sesame");
}

/// A receiver so slow that there would be no time left to write down what it took.
#[tokio::test]
async fn a_slow_receiver_is_served_in_portions() {
    let clock = Arc::new(Mutex::new(None::<belfry_testkit::FakeClock>));
    let slow = clock.clone();
    let taken = Arc::new(Mutex::new(BTreeMap::<u64, usize>::new()));
    let all = taken.clone();
    let (world, id, _server) = setup(move |asked| {
        for number in sequences(&records(asked)) {
            *all.lock().unwrap().entry(number).or_default() += 1;
        }
        if let Some(clock) = &*slow.lock().unwrap() {
            clock.advance(jiff::SignedDuration::from_secs(6));
        }
        Told::status(200)
    })
    .await;
    *clock.lock().unwrap() = Some(world.base.clock.clone());
    for _ in 0..4 {
        world.log(EPP, 1_000, Severity::Low).await;
    }
    let report = world.ring(id).await;
    assert_eq!(
        (&report["siem.confirmed"], &report["siem.troubles"]),
        (&2_000.0.into(), &0.0.into())
    );
    assert_eq!(world.check(id).await.position(EPP).cursor, 2_000);
    // The rest is the next one's, who is rung for.
    assert_eq!(world.rings.drain().len(), 1);
    heal(&world, id).await;
    assert_eq!(*taken.lock().unwrap(), (1..=5_000).map(|number| (number, 1)).collect());
}
