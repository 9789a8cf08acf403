//! A collector that behaves as Splunk's does on bad days.

use crate::https::{Asked, Https, Then, Told};
use crate::world::{EPP, World, ZTNA};
use crate::{backlog, heal, patience, settings, world};
use belfry_domain::id::DestinationId;
use belfry_domain::siem::destination::{Secrets, Transport};
use belfry_domain::siem::progress::Health;
use belfry_domain::telemetry::event::Severity;
use belfry_testkit::SeededEntropy;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TOKEN: &str = "0d9a6f2e-8d7c-4a51-9a3e-4d5c6b7a8f90";

/// What goes wrong with a request, if anything does.
type Wrong = Box<dyn FnMut(&Asked) -> Option<Told> + Send>;

/// What it has and what it does next.
#[derive(Default)]
struct Inner {
    /// `stream:sequence` and id of each event, repeats too.
    taken: Vec<(String, String)>,
    acknowledged: BTreeSet<u64>,
    ids: u64,
    poison: BTreeSet<String>,
    /// Whether it says which event it does not want.
    names_poison: bool,
    acknowledges: bool,
    /// Decides what goes wrong with a request; none where all is well.
    wrong: Option<Wrong>,
    /// Whether an acknowledgement is lost.
    loses: Option<Box<dyn FnMut() -> bool + Send>>,
}

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Inner>>);

impl Collector {
    fn new() -> Self {
        let this = Self::default();
        this.set(|inner| (inner.names_poison, inner.acknowledges) = (true, true));
        this
    }

    fn set(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.0.lock().unwrap());
    }

    fn taken(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().taken.clone()
    }

    fn answer(&self, asked: &Asked) -> Told {
        let inner = &mut *self.0.lock().unwrap();
        if asked.headers["authorization"] != format!("Splunk {TOKEN}") {
            return Told::json(403, &json!({"text": "Invalid token", "code": 4}));
        }
        let channel = &asked.headers["x-splunk-request-channel"];
        assert_eq!(channel.len(), 36, "a GUID: {channel}");
        if let Some(channel_asked) = asked.path.strip_prefix("/services/collector/ack?channel=") {
            assert_eq!(channel_asked, channel);
            return inner.acknowledge(&asked.body);
        }
        assert_eq!(asked.path, "/services/collector/event");
        // What goes wrong before anything is taken.
        let wrong = inner.wrong.as_mut().and_then(|wrong| wrong(asked));
        if let Some(told @ Told::Answer(503, ..)) = wrong {
            return told;
        }
        let events: Vec<Value> = serde_json::Deserializer::from_slice(&asked.body)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap();
        let field = |event: &Value, name: &str| event["fields"][name].as_str().unwrap().to_owned();
        for (number, event) in events.iter().enumerate() {
            let place = format!("{}:{}", field(event, "stream"), field(event, "sequence"));
            if inner.poison.contains(&place) {
                // What stood before it is indexed already.
                let mut said = json!({"text": "Invalid data format", "code": 6});
                if inner.names_poison {
                    said["invalid-event-number"] = number.into();
                }
                return Told::json(400, &said);
            }
            inner.taken.push((place, field(event, "id")));
        }
        if let Some(told) = wrong {
            // It has them, and says so badly.
            return match told {
                Told::Answer(.., then) => inner.success().then(then),
                other => other,
            };
        }
        inner.success()
    }
}

impl Inner {
    fn success(&mut self) -> Told {
        let mut said = json!({"text": "Success", "code": 0});
        said["ackId"] = self.ids.into();
        if !self.loses.as_mut().is_some_and(|loses| loses()) {
            self.acknowledged.insert(self.ids);
        }
        self.ids += 1;
        Told::json(200, &said)
    }

    fn acknowledge(&mut self, body: &[u8]) -> Told {
        if !self.acknowledges {
            return Told::json(400, &json!({"text": "ACK is disabled", "code": 14}));
        }
        let question: Value = serde_json::from_slice(body).unwrap();
        let ids = question["acks"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap());
        // It forgets what it has said.
        let acks: BTreeMap<_, _> =
            ids.map(|id| (id.to_string(), self.acknowledged.remove(&id))).collect();
        Told::json(200, &json!({"acks": acks}))
    }
}

async fn setup(collector: &Collector, token: &str) -> (World, DestinationId, Https) {
    let answering = collector.clone();
    let server = Https::start(move |asked| answering.answer(asked)).await;
    let world = world(patience(Duration::from_millis(500))).await;
    let settings = settings(Transport::SplunkHec, server.port, Some(&server.ca.pem));
    let secrets = Secrets { token: Some(token.to_owned()), ..Secrets::default() };
    let id = world.create_with(settings, &secrets).await;
    (world, id, server)
}

/// Everything but what is refused arrived, each under one id, and what is refused is parked.
async fn judge(world: &World, id: DestinationId, collector: &Collector) {
    let progress = world.check_all(id).await;
    let poison = collector.0.lock().unwrap().poison.clone();
    let mut ids = BTreeMap::new();
    for (place, id) in collector.taken() {
        assert_eq!(ids.entry(place).or_insert(id.clone()), &id);
    }
    let mut expected = BTreeSet::new();
    for (stream, last) in world.ends().await {
        let of = progress.position(stream);
        if of.confirmed > 0 {
            expected.extend((1..=last).map(|sequence| format!("{stream}:{sequence}")));
            let refused = poison.iter().filter(|p| p.starts_with(&format!("{stream}:"))).count();
            assert_eq!((of.refused, of.confirmed), (refused as u64, last - refused as u64));
        }
    }
    assert_eq!(ids.into_keys().collect::<BTreeSet<_>>(), &expected - &poison);
    let parked = world.parked(id).await;
    let places: BTreeSet<_> =
        parked.iter().map(|parked| format!("{}:{}", parked.stream, parked.sequence)).collect();
    assert_eq!(places, poison);
    for parked in parked {
        assert_eq!(parked.code, "invalid_data");
        assert_eq!(parked.detail, "The collector refuses the event: Invalid data format");
    }
}

/// Where what is poison is the records themselves, whether they are named or have to be looked for.
async fn poisoned(names: bool) -> usize {
    let collector = Collector::new();
    collector.set(|inner| {
        inner.names_poison = names;
        inner.poison = ["EPP/0:1", "EPP/0:1500", "EPP/0:2999", "ZTNA/0:7"].map(Into::into).into();
    });
    let (world, id, server) = setup(&collector, TOKEN).await;
    for _ in 0..3 {
        world.log(EPP, 1_000, Severity::Low).await;
    }
    world.log(ZTNA, 1_000, Severity::Low).await;
    world.ring(id).await;
    assert_eq!(world.check(id).await.health, Health::Healthy);
    judge(&world, id, &collector).await;
    server.asked().len()
}

#[tokio::test]
async fn a_poison_event_that_is_named_is_parked_and_all_others_arrive() {
    let requests = poisoned(true).await;
    assert!(requests < 30, "{requests} requests");
}

#[tokio::test]
async fn a_poison_event_that_is_not_named_is_found_by_halves() {
    let requests = poisoned(false).await;
    assert!(requests < 150, "{requests} requests");
}

#[tokio::test]
async fn lost_acknowledgements_send_again() {
    let collector = Collector::new();
    let mut lost = 2;
    collector.set(|inner| {
        inner.loses = Some(Box::new(move || {
            lost -= i32::from(lost > 0);
            lost > 0
        }));
    });
    let (world, id, _server) = setup(&collector, TOKEN).await;
    world.log(EPP, 1_500, Severity::Low).await;
    world.ring(id).await;
    let progress = world.check(id).await;
    assert_eq!(progress.last_error.as_ref().unwrap().code, "not_acknowledged");
    // The first request's are not known to be there, and so is nothing behind them.
    assert_eq!(progress.position(EPP).cursor, 0);
    heal(&world, id).await;
    judge(&world, id, &collector).await;
    assert!(collector.taken().len() >= 2_500);
}

#[tokio::test]
async fn bursts_of_503_are_waited_for_as_long_as_it_wishes() {
    let collector = Collector::new();
    let mut left = 3;
    collector.set(|inner| {
        inner.wrong = Some(Box::new(move |asked| {
            let burst = asked.number > 0 && left > 0;
            left -= i32::from(burst);
            let busy = json!({"text": "Server is busy", "code": 9});
            burst.then(|| Told::json(503, &busy).with("Retry-After", "40"))
        }));
    });
    let (world, id, _server) = setup(&collector, TOKEN).await;
    for _ in 0..5 {
        world.log(EPP, 1_000, Severity::Low).await;
    }
    world.ring(id).await;
    let progress = world.check(id).await;
    let before = collector.taken().len() as u64;
    assert!(before > 0 && before < 5_000);
    assert_eq!(progress.position(EPP).cursor, before, "what was taken before is confirmed");
    let Health::Retrying { next_at, .. } = progress.health else { panic!("{progress:?}") };
    assert_eq!(next_at, world.base.now() + SignedDuration::from_secs(40));
    assert_eq!(progress.last_error.as_ref().unwrap().code, "busy");
    heal(&world, id).await;
    judge(&world, id, &collector).await;
}

#[tokio::test]
async fn what_was_taken_without_an_answer_goes_again_with_the_same_ids() {
    for told in [Told::Nothing, Told::Half] {
        let collector = Collector::new();
        let mut once = Some(told);
        collector.set(|inner| inner.wrong = Some(Box::new(move |_| once.take())));
        let (world, id, _server) = setup(&collector, TOKEN).await;
        world.log(EPP, 100, Severity::Low).await;
        world.ring(id).await;
        assert_eq!(backlog(&world, id).await, 100);
        heal(&world, id).await;
        judge(&world, id, &collector).await;
        assert_eq!(collector.taken().len(), 200);
    }
}

#[tokio::test]
async fn a_connection_may_end_after_each_answer() {
    for then in [Then::Close, Then::HangUp] {
        let collector = Collector::new();
        collector.set(|inner| {
            inner.wrong = Some(Box::new(move |_| Some(Told::status(200).then(then))));
        });
        let (world, id, server) = setup(&collector, TOKEN).await;
        for _ in 0..4 {
            world.log(EPP, 1_000, Severity::Low).await;
        }
        let report = world.ring(id).await;
        assert_eq!(report["siem.troubles"], 0.0, "{:?}", world.progress(id).await.last_error);
        judge(&world, id, &collector).await;
        assert_eq!(collector.taken().len(), 4_000, "{then:?}");
        let connections: BTreeSet<_> = server.asked().iter().map(|a| a.connection).collect();
        assert!(connections.len() >= 4, "{connections:?}");
    }
}

#[tokio::test]
async fn without_acknowledgements_the_200_is_all_there_is() {
    let collector = Collector::new();
    collector.set(|inner| inner.acknowledges = false);
    let (world, id, _server) = setup(&collector, TOKEN).await;
    world.log(EPP, 10, Severity::Low).await;
    world.ring(id).await;
    judge(&world, id, &collector).await;
}

#[tokio::test]
async fn a_wrong_token_suspends() {
    let collector = Collector::new();
    let (world, id, _server) = setup(&collector, "another").await;
    world.log(EPP, 10, Severity::Low).await;
    world.ring(id).await;
    let progress = world.check(id).await;
    assert!(matches!(progress.health, Health::Suspended { .. }), "{progress:?}");
    let fault = progress.last_error.unwrap();
    let said = (fault.code.as_str(), fault.detail.as_str());
    assert_eq!(said, ("credential_refused", "The collector answered: Invalid token"));
    assert_eq!(backlog(&world, id).await, 10);
}

#[tokio::test]
async fn one_that_refuses_everything_is_not_what_the_records_are_at_fault_for() {
    let collector = Collector::new();
    collector.set(|inner| inner.poison = (1..=40).map(|n| format!("EPP/0:{n}")).collect());
    let (world, id, _server) = setup(&collector, TOKEN).await;
    world.log(EPP, 40, Severity::Low).await;
    world.ring(id).await;
    let progress = world.check(id).await;
    assert_eq!(progress.last_error.unwrap().code, "refuses_everything");
    assert_eq!((backlog(&world, id).await, world.parked(id).await.len()), (40, 0));
}

#[tokio::test]
async fn on_a_bad_day_all_of_it_at_once() {
    let chance = Arc::new(SeededEntropy::new(7));
    let collector = Collector::new();
    collector.set(|inner| {
        inner.poison = (0..5).map(|n| format!("EPP/0:{}", n * 1_000 + 137)).collect();
        let dice = chance.clone();
        inner.wrong = Some(Box::new(move |_| match dice.below(8) {
            0 => Some(Told::status(503).with("Retry-After", "5")),
            1 => Some(Told::Nothing),
            2 => Some(Told::Half),
            3 => Some(Told::status(200).then(Then::HangUp)),
            4 => Some(Told::status(200).then(Then::Close)),
            _ => None,
        }));
        let dice = chance.clone();
        inner.loses = Some(Box::new(move || dice.below(30) == 0));
    });
    let (world, id, _server) = setup(&collector, TOKEN).await;
    for _ in 0..5 {
        world.log(EPP, 1_000, Severity::Low).await;
        world.log(ZTNA, 100, Severity::Low).await;
    }
    heal(&world, id).await;
    judge(&world, id, &collector).await;
}
