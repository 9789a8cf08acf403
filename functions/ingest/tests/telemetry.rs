//! `POST /telemetry` from the gateway's event to the queue.
#![expect(clippy::unwrap_used, reason = "a failed test says so by a panic")]

use belfry_domain::credential::{Credential, HistoryDays, Scope, Term};
use belfry_domain::id::TenantId;
use belfry_domain::product::Product;
use belfry_domain::telemetry::part::Part;
use belfry_domain::telemetry::stream::Partitions;
use belfry_store::keys;
use belfry_testkit::{Answer, Ask, Fault, MemoryQueue, World, ask};
use ingest::App;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

const EVENTS: &str = "application/cloudevents-batch+json";
const CURRENT: Term = Term::Current { until: None };

struct House {
    world: World,
    app: App,
    queue: MemoryQueue,
    tenant: TenantId,
}

impl House {
    async fn new() -> Self {
        let world = World::new();
        let queue = MemoryQueue::new();
        let app = App {
            table: world.table(),
            queue: Arc::new(queue.clone()),
            clock: Arc::new(world.clock.clone()),
        };
        let tenant = world.tenant("Globex").await;
        Self { world, app, queue, tenant }
    }

    async fn credential(&self, term: Term) -> (Credential, String) {
        let (now, entropy) = (self.world.now(), self.world.entropy.as_ref());
        let license = self.world.license(self.tenant, Product::Epp, 4).await;
        let (credential, token) = Credential::issue(
            self.tenant,
            &license,
            ([Scope::TelemetryWrite].into(), term),
            now,
            entropy,
        );
        self.world.put(&keys::credential(credential.id), &credential).await;
        (credential, token.expose_text())
    }

    async fn post(&self, token: &str, key: Option<&str>, body: &str) -> Answer {
        let ask = ask("POST /telemetry").bearer(token).text(EVENTS, body);
        let ask = match key {
            Some(key) => ask.header("Idempotency-Key", key),
            None => ask,
        };
        ask.of(&self.app).await
    }

    fn event(&self, n: usize, age: SignedDuration) -> Value {
        let time = self.world.now() - age;
        json!({"specversion": "1.0", "id": format!("i{n}"), "source": "/s",
               "type": "policy.violated", "time": time.to_string(),
               "data": {"endpoint": {"id": format!("e{n}"), "kind": "computer"}, "policy": "p",
                        "severity": "low"}})
    }

    fn batch(&self, events: usize) -> String {
        let events: Vec<Value> = (0..events).map(|n| self.event(n, SignedDuration::ZERO)).collect();
        Value::from(events).to_string()
    }

    fn queued_events(&self) -> usize {
        let messages = self.queue.delivered();
        messages.iter().map(|m| Part::from_message(&m.body).unwrap().events.len()).sum()
    }
}

#[tokio::test]
async fn a_batch_is_judged_event_by_event_and_queued_by_stream() {
    let house = House::new().await;
    let (_, token) = house.credential(CURRENT).await;
    let mut events: Vec<Value> = serde_json::from_str(&house.batch(10)).unwrap();
    events[3]["data"]["severity"] = "high-ish".into();
    events[3]["data"]["endpoint"]["kind"] = "lamp".into();
    events[7]["data"]["owner"] = "somebody".into();
    events.push(house.event(10, SignedDuration::from_hours(24 * 31)));
    let answer = house.post(&token, Some("batch-1"), &json!(events).to_string()).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let issue = |list: &str, at: usize| {
        let issue = &answer.json[list][at];
        json!([issue["index"], issue["id"], issue["code"], issue["pointer"]])
    };
    assert_eq!(answer.json["batch_id"], "batch-1");
    assert_eq!((&answer.json["accepted"], &answer.json["rejected"]), (&json!(9), &json!(2)));
    assert_eq!(issue("errors", 0), json!([3, "i3", "unknown_kind", "/data/endpoint/kind"]));
    assert_eq!(issue("errors", 1), json!([3, "i3", "unknown_severity", "/data/severity"]));
    assert_eq!(issue("errors", 2), json!([10, "i10", "too_old", "/time"]));
    assert_eq!(issue("warnings", 0), json!([7, "i7", "unknown_attribute", "/data/owner"]));
    assert_eq!(house.queued_events(), 9);
    for message in house.queue.delivered() {
        let part = Part::from_message(&message.body).unwrap();
        assert_eq!(part.stream.to_string(), message.group);
        assert_eq!((part.stream.tenant, part.stream.product), (house.tenant, Product::Epp));
        assert_eq!(part.id.deduplication(house.tenant, Product::Epp), message.deduplication);
        assert!(!format!("{part:?}").contains("somebody"));
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_a_credential_is_the_same_401() {
    let house = House::new().await;
    let (credential, token) = house.credential(CURRENT).await;
    let until = Some(house.world.now() + SignedDuration::from_hours(1));
    let (_, expiring) = house.credential(Term::Current { until }).await;
    let (revoked, revoked_token) = house.credential(CURRENT).await;
    let now = Some(house.world.now());
    let gone = Credential { revoked_at: now, ..revoked };
    house.world.put(&keys::credential(gone.id), &gone).await;
    let (_, other) = house.credential(CURRENT).await;
    // The id of one and the secret of another.
    let swapped = format!("{}_{}", &token[..36], &other[37..]);
    assert_eq!(swapped.len(), token.len());
    assert_eq!(house.post(&expiring, None, &house.batch(1)).await.status, 202);
    house.world.clock.advance(SignedDuration::from_hours(1));
    let mut bodies = Vec::new();
    for bad in ["", "x", "bfc_", &swapped, &token[..40], &revoked_token, &expiring] {
        let answer = house.post(bad, None, &house.batch(1)).await;
        assert_eq!(answer.verdict(), (401, "unauthenticated"), "{bad}");
        bodies.push(answer.text);
    }
    let none = ask("POST /telemetry").text(EVENTS, "[]").of(&house.app).await;
    bodies.push(none.text);
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(house.post(&token, None, &house.batch(1)).await.status, 202);
    assert!(credential.last_used_at.is_none());
    let used: Credential = house.world.get(&keys::credential(credential.id)).await.unwrap();
    assert_eq!(used.last_used_at, Some(house.world.now()));
}

#[tokio::test]
async fn a_queue_that_fails_gives_503_and_the_repeat_is_the_same_messages() {
    let house = House::new().await;
    let (_, token) = house.credential(CURRENT).await;
    let batch = house.batch(900);
    for fault in [Fault::Refuse, Fault::TakeOnly(2), Fault::LoseAnswer] {
        house.queue.fail_next(fault);
        let answer = house.post(&token, Some("b"), &batch).await;
        assert_eq!(answer.verdict(), (503, "queue_unavailable"), "{fault:?}");
        assert_eq!(answer.header("retry-after"), "5");
    }
    // Later, and with the rotated credential: the same parts, to the letter of their identities.
    house.world.clock.advance(SignedDuration::from_hours(1));
    let (_, rotated) = house.credential(CURRENT).await;
    assert_eq!(house.post(&rotated, Some("b"), &batch).await.status, 202);
    assert_eq!(house.queued_events(), 900, "each message once, by its deduplication id");
    // Without a key, the body is its own; another key is another batch.
    assert_eq!(house.post(&token, None, &batch).await.status, 202);
    assert_eq!(house.post(&token, None, &batch).await.status, 202);
    assert_eq!(house.queued_events(), 1_800);
}

#[tokio::test]
async fn a_part_without_an_accepted_event_is_not_sent_and_keeps_its_number() {
    let house = House::new().await;
    let (_, token) = house.credential(CURRENT).await;
    let mut events: Vec<Value> = serde_json::from_str(&house.batch(1_000)).unwrap();
    let whole = house.post(&token, Some("b"), &json!(events).to_string()).await;
    assert_eq!(whole.json["accepted"], 1_000);
    let numbers = |house: &House| {
        let parts = house.queue.drain();
        let parts = parts.iter().map(|m| Part::from_message(&m.body).unwrap());
        parts.map(|part| (part.id.number, part.stream.partition)).collect::<Vec<_>>()
    };
    let all = numbers(&house);
    let (_, first) = all[0];
    let split = Partitions::try_from(4).unwrap();
    for event in &mut events {
        if split.of(event["data"]["endpoint"]["id"].as_str().unwrap().as_bytes()) == first {
            event["data"]["severity"] = "x".into();
        }
    }
    house.post(&token, Some("c"), &json!(events).to_string()).await;
    let rest: Vec<_> = all.into_iter().filter(|(_, partition)| *partition != first).collect();
    assert_eq!(numbers(&house), rest);
}

#[tokio::test]
async fn what_cannot_be_taken_at_all() {
    let house = House::new().await;
    let (_, token) = house.credential(CURRENT).await;
    let with = |ask: Ask| async { ask.bearer(&token).of(&house.app).await };
    let batch = house.batch(1);
    let json = ask("POST /telemetry").text("application/json", &batch);
    assert_eq!(with(json).await.verdict(), (415, "unsupported_media_type"));
    let charset = ask("POST /telemetry").text(&format!("{EVENTS}; charset=UTF-8"), &batch);
    assert_eq!(with(charset).await.status, 202);
    let cases = [
        ("[]", 400, "empty_batch"),
        ("{}", 400, "not_json"),
        ("[", 400, "not_json"),
        (&*format!("[{}1]", "1,".repeat(5_000)), 413, "too_many_events"),
        (&*format!("[\"{}\"]", "x".repeat(4 << 20)), 413, "batch_too_large"),
    ];
    for (body, status, code) in cases {
        assert_eq!(house.post(&token, None, body).await.verdict(), (status, code));
    }
    let long = "k".repeat(129);
    let answer = house.post(&token, Some(&long), &batch).await;
    assert_eq!(answer.verdict(), (400, "bad_idempotency_key"));
    let before = house.queue.taken().len();
    let answer = house.post(&token, None, r#"[{"id":"1"},2]"#).await;
    assert_eq!(answer.verdict(), (422, "all_rejected"));
    assert!(answer.faults().contains(&("/0/data", "required")));
    assert!(answer.faults().contains(&("/1", "not_an_object")));
    assert_eq!(house.queue.taken().len(), before, "nothing is half done");
}

#[tokio::test]
async fn lists_of_issues_are_cut_and_counted() {
    let house = House::new().await;
    let (_, token) = house.credential(CURRENT).await;
    let mut events: Vec<Value> = serde_json::from_str(&house.batch(300)).unwrap();
    for event in &mut events[..150] {
        event["data"]["severity"] = "x".into();
    }
    for event in &mut events[150..] {
        event["data"]["unknown"] = "x".into();
    }
    let answer = house.post(&token, None, &json!(events).to_string()).await;
    for list in ["errors", "warnings"] {
        assert_eq!(answer.json[list].as_array().unwrap().len(), 100);
        assert_eq!(answer.json[format!("{list}_omitted")], 50);
    }
}

#[tokio::test]
async fn a_history_credential_brings_400_days_and_ends() {
    let house = House::new().await;
    let days = HistoryDays::new(7).unwrap();
    let (_, token) = house.credential(Term::History { days }).await;
    let aged = |days: i64| json!([house.event(0, SignedDuration::from_hours(24 * days))]);
    assert_eq!(house.post(&token, None, &aged(400).to_string()).await.status, 202);
    let answer = house.post(&token, None, &aged(401).to_string()).await;
    assert_eq!(answer.faults(), [("/0/time", "too_old")]);
    house.world.clock.advance(SignedDuration::from_hours(24 * 7));
    assert_eq!(house.post(&token, None, &aged(1).to_string()).await.status, 401);
}

#[tokio::test]
async fn an_answer_repeats_little_of_what_was_sent() {
    let house = House::new().await;
    let (_, token) = house.credential(CURRENT).await;
    let text = format!("\"{}\"", "x".repeat(1_000_000));
    let answer = house.post(&token, None, &text).await;
    assert_eq!(answer.verdict(), (400, "not_json"));
    assert!(answer.at("/detail").len() < 100, "{answer:?}");

    // A name that is too long may be cut in the middle of a character.
    let mut event = house.event(1, SignedDuration::ZERO);
    event["id"] = json!(format!("x{}", "\u{e9}".repeat(20_000)));
    let batch = json!([event, house.event(2, SignedDuration::ZERO)]).to_string();
    let answer = house.post(&token, None, &batch).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.at("/errors/0/id").len(), 127);
}
