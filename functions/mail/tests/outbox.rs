//! The outbox from the transaction that fills it to the mail that leaves, on the embedded table.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use belfry_domain::id::OutboxId;
use belfry_domain::language::Language;
use belfry_domain::mail::{Letter, Mail};
use belfry_domain::outbox::{LEASE, OutboxEntry, Outgoing};
use belfry_domain::ports::Clock as _;
use belfry_runtime::events::{Events as _, SqsMessage};
use belfry_runtime::keys::Sealer as _;
use belfry_runtime::metrics::Metrics;
use belfry_store::{Table, outbox};
use belfry_testkit::{
    Crash, EmbeddedTable, FakeClock, FakeSealer, Fault, MailFault, MemoryMailer, MemoryQueue,
    Moment, SeededEntropy, Turnstile, Verdict,
};
use jiff::SignedDuration;
use mail::App;
use serde_json::json;
use std::sync::Arc;

const LINK: &str = "https://console.example/activate#SECRET-TOKEN";
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// The world around the function.
struct World {
    embedded: EmbeddedTable,
    clock: FakeClock,
    entropy: SeededEntropy,
    mailer: MemoryMailer,
    sealer: FakeSealer,
    telemetry: MemoryQueue,
}

impl World {
    fn new() -> Self {
        Self {
            embedded: EmbeddedTable::new(),
            clock: FakeClock::at("2026-11-22T23:59:30Z"),
            entropy: SeededEntropy::new(1),
            mailer: MemoryMailer::new(),
            sealer: FakeSealer::new(),
            telemetry: MemoryQueue::new(),
        }
    }

    /// A worker on this table.
    fn worker(&self, table: Table) -> App {
        App {
            table,
            mailer: Box::new(self.mailer.clone()),
            sealer: Box::new(self.sealer.clone()),
            telemetry: Box::new(self.telemetry.clone()),
            clock: Box::new(self.clock.clone()),
        }
    }

    fn app(&self) -> App {
        self.worker(self.embedded.table())
    }

    async fn store(&self, outgoing: Outgoing, id: OutboxId) {
        let entry = OutboxEntry::new(id, outgoing, self.clock.now());
        let table = self.embedded.table();
        let call = table.client().put_item().table_name(table.name());
        call.set_item(Some(outbox::item(&entry).unwrap())).send().await.unwrap();
    }

    async fn store_mail(&self, to: &str) -> OutboxId {
        let id = OutboxId::new(self.clock.now(), &self.entropy);
        let text = id.to_string();
        let context = [("purpose", "mail-link"), ("outbox", text.as_str())];
        let mail = Mail {
            to: to.parse().unwrap(),
            language: Language::Ja,
            letter: Letter::Activation {
                first_name: "Ann".parse().unwrap(),
                last_name: "Lee".parse().unwrap(),
                company: "Acme".parse().unwrap(),
            },
            sealed_link: Some(self.sealer.seal(LINK.as_bytes(), &context).await.unwrap()),
        };
        self.store(Outgoing::Mail(mail), id).await;
        id
    }

    /// The metrics of an invocation, without their frame.
    fn counted(metrics: &Metrics) -> String {
        let line: serde_json::Value =
            serde_json::from_str(&metrics.line(jiff::Timestamp::UNIX_EPOCH)).unwrap();
        let fields = line.as_object().unwrap().iter().filter(|(_, value)| value.is_f64());
        fields.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    /// One ring; answers what the metrics say, or the failed message's id.
    async fn ring(&self, app: &App, id: OutboxId) -> String {
        let mut metrics = Metrics::new("mail", "test");
        let ring = SqsMessage { id: "m".into(), body: id.to_string(), ..SqsMessage::default() };
        match app.messages(vec![ring], &mut metrics).await.pop() {
            Some(_) => "failed".to_owned(),
            None => Self::counted(&metrics),
        }
    }

    async fn sweep(&self, app: &App) -> String {
        let mut metrics = Metrics::new("mail", "test");
        app.invoked(json!({"sweep": true}), &mut metrics).await.unwrap();
        Self::counted(&metrics)
    }

    fn sent(&self) -> usize {
        self.mailer.sent().len()
    }

    fn left(&self) -> usize {
        self.embedded.dump_of("O#").len()
    }
}

#[tokio::test]
async fn a_ring_sends_the_mail_with_its_opened_link_and_removes_the_entry() {
    let world = World::new();
    let id = world.store_mail("ann@example.com").await;
    assert_eq!(world.embedded.dump()[0]["pk"]["S"], "O#20261122");
    assert!(!world.embedded.holds("SECRET-TOKEN"), "the table never holds a link readable");
    assert_eq!(world.ring(&world.app(), id).await, "outbox.delivered=1.0");
    let sent = world.mailer.sent();
    assert_eq!(sent[0].to, "ann@example.com");
    assert!(sent[0].mail.text.contains(LINK) && sent[0].mail.html.contains(LINK));
    assert!(sent[0].mail.text.contains("様"));
    assert_eq!(world.left(), 0);
    assert_eq!(world.ring(&world.app(), id).await, "outbox.not_due=1.0", "a ring may come twice");
    assert_eq!(world.sent(), 1);
}

#[tokio::test]
async fn telemetry_leaves_for_its_queue_with_its_group_and_deduplication_id() {
    let world = World::new();
    let id = OutboxId::new(world.clock.now(), &world.entropy);
    let outgoing = Outgoing::Telemetry {
        group: "ten/EPP/0".into(),
        deduplication: "once".into(),
        body: "{}".into(),
    };
    world.store(outgoing, id).await;
    world.telemetry.fail_next(Fault::LoseAnswer);
    assert_eq!(world.ring(&world.app(), id).await, "outbox.postponed=1.0");
    world.clock.advance(MINUTE);
    assert_eq!(world.sweep(&world.app()).await, "outbox.delivered=1.0");
    assert_eq!(world.telemetry.taken().len(), 2);
    let delivered = world.telemetry.delivered();
    assert_eq!(delivered.len(), 1, "the queue swallows the repeat");
    assert_eq!((delivered[0].group.as_str(), delivered[0].body.as_str()), ("ten/EPP/0", "{}"));
    assert_eq!(world.left(), 0);
}

#[tokio::test]
async fn the_sweep_finds_what_nobody_rang_for_up_to_three_days_back() {
    let world = World::new();
    world.store_mail("ann@example.com").await;
    world.clock.advance(SignedDuration::from_hours(71));
    world.store_mail("bob@example.com").await;
    assert_eq!(world.sweep(&world.app()).await, "outbox.delivered=2.0");
    assert_eq!(world.mailer.sent()[0].to, "ann@example.com");
    assert_eq!((world.sent(), world.left()), (2, 0));
    assert_eq!(world.sweep(&world.app()).await, "");
}

#[tokio::test]
async fn a_sweep_follows_a_day_that_is_longer_than_a_page() {
    let world = World::new();
    for n in 0..8 {
        let id = OutboxId::new(world.clock.now(), &world.entropy);
        let body = "x".repeat(200_000);
        let outgoing =
            Outgoing::Telemetry { group: "g".into(), deduplication: n.to_string(), body };
        world.store(outgoing, id).await;
    }
    assert_eq!(world.sweep(&world.app()).await, "outbox.delivered=8.0");
    assert_eq!(world.left(), 0);
}

#[tokio::test]
async fn a_failure_is_tried_again_later_and_only_then() {
    let world = World::new();
    let id = world.store_mail("ann@example.com").await;
    let app = world.app();
    world.sealer.set_down(true);
    assert_eq!(world.ring(&app, id).await, "outbox.postponed=1.0");
    world.sealer.set_down(false);
    world.mailer.fail_next(MailFault::Unavailable);
    assert_eq!(world.sweep(&app).await, "", "the pause is a minute");
    world.clock.advance(MINUTE);
    assert_eq!(world.sweep(&app).await, "outbox.postponed=1.0");
    world.clock.advance(MINUTE);
    assert_eq!(world.ring(&app, id).await, "outbox.not_due=1.0", "now it is two");
    world.clock.advance(MINUTE);
    assert_eq!(world.sweep(&app).await, "outbox.delivered=1.0");
    assert_eq!((world.sent(), world.left()), (1, 0));
}

#[tokio::test]
async fn what_is_refused_for_ever_is_parked_with_its_reason_and_let_alone() {
    let world = World::new();
    let id = world.store_mail("ann@example.com").await;
    world.mailer.fail_next(MailFault::Refuse);
    assert_eq!(world.ring(&world.app(), id).await, "outbox.parked=1.0");
    let parked = &world.embedded.dump()[0];
    assert_eq!(parked["parked"]["S"], "mail_refused");
    let expires = world.clock.now().as_second() + 30 * 86_400;
    assert_eq!(parked["expires_at"]["N"], expires.to_string());
    world.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(world.sweep(&world.app()).await, "");
    assert_eq!(world.ring(&world.app(), id).await, "outbox.not_due=1.0");
    assert_eq!((world.sent(), world.left()), (0, 1));
}

#[tokio::test]
async fn an_entry_that_fails_for_three_days_is_parked() {
    let world = World::new();
    world.store_mail("ann@example.com").await;
    world.sealer.set_down(true);
    let app = world.app();
    let mut postponed = 0;
    for _ in 0..80 {
        match world.sweep(&app).await.as_str() {
            "outbox.postponed=1.0" => postponed += 1,
            "outbox.parked=1.0" => break,
            _ => {}
        }
        world.clock.advance(SignedDuration::from_hours(1));
    }
    assert!(postponed > 15, "{postponed}");
    assert_eq!(world.embedded.dump()[0]["parked"]["S"], "given_up");
}

#[tokio::test]
async fn a_worker_that_dies_at_any_call_loses_nothing() {
    for moment in [Moment::Before, Moment::After] {
        for at in 0.. {
            let world = World::new();
            let id = world.store_mail("ann@example.com").await;
            let crash = Arc::new(Crash::new(at, moment));
            let dying = world.worker(world.embedded.shared("dying", crash.clone()).table());
            world.ring(&dying, id).await;
            if !crash.happened() {
                assert_eq!(at, 2, "claim and complete");
                break;
            }
            let sent_before = world.sent();
            world.clock.advance(LEASE);
            world.sweep(&world.app()).await;
            assert_eq!(world.left(), 0, "call {at} {moment:?}");
            // The documented repeat: it left, and its removal was not done.
            let repeated = at == 1 && moment == Moment::Before;
            assert_eq!(world.sent(), if repeated { 2 } else { 1 }, "call {at} {moment:?}");
            assert_eq!(sent_before, usize::from(at == 1), "call {at} {moment:?}");
        }
    }
}

#[tokio::test]
async fn a_ring_comes_again_when_the_table_does_not_answer_or_it_names_nothing() {
    let world = World::new();
    let id = world.store_mail("ann@example.com").await;
    let down = world.worker(world.embedded.client("down", |_: &_| Verdict::Throttle).table());
    assert_eq!(world.ring(&down, id).await, "failed");

    let rings = [("1", id.to_string()), ("2", "no id".to_owned())];
    let rings = rings.map(|(id, body)| SqsMessage { id: id.into(), body, ..Default::default() });
    let mut metrics = Metrics::new("mail", "test");
    assert_eq!(world.app().messages(rings.to_vec(), &mut metrics).await, ["2"]);
    assert_eq!(world.sent(), 1, "one bad ring does not hold up the others");
    world.app().invoked(json!({"other": 1}), &mut metrics).await.unwrap_err();
}

/// Two workers get a ring for one entry, `first` is the quicker; how often the mail was sent.
/// Without conditions when `stripped`, to show that they are what prevents it.
async fn rivals(first: usize, stripped: bool) -> usize {
    let world = World::new();
    let id = world.store_mail("ann@example.com").await;
    let turnstile = Arc::new(Turnstile::new());
    let workers = ["one", "two"].map(|name| {
        let client = world.embedded.shared(name, turnstile.clone());
        client.strip(move |_, _| stripped);
        tokio::spawn(ring_once(world.worker(client.table()), id))
    });
    let held = turnstile.settle().await;
    assert_eq!(held.len(), 2);
    turnstile.release(held[first].ticket, Verdict::Proceed);
    turnstile.settle().await;
    // The other one comes while the first has sent and not yet removed.
    assert_eq!(world.sent(), 1);
    turnstile.release(held[1 - first].ticket, Verdict::Proceed);
    turnstile.settle().await;
    turnstile.open();
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(world.left(), 0);
    world.sent()
}

async fn ring_once(app: App, id: OutboxId) {
    let ring = SqsMessage { id: "m".into(), body: id.to_string(), ..Default::default() };
    let failed = app.messages(vec![ring], &mut Metrics::new("mail", "test")).await;
    assert!(failed.is_empty());
}

#[tokio::test(start_paused = true)]
async fn two_workers_send_once_whoever_comes_first() {
    for first in [0, 1] {
        assert_eq!(rivals(first, false).await, 1);
        assert_eq!(rivals(first, true).await, 2, "the claim's condition prevents it");
    }
}

/// A worker that is to settle an entry when its lease ends and another one settles it; whether the
/// entry stays as that one left it.
async fn late(slow_fault: MailFault, next_fault: MailFault, stripped: bool) -> bool {
    let world = World::new();
    let id = world.store_mail("ann@example.com").await;
    let turnstile = Arc::new(Turnstile::new());
    let client = world.embedded.shared("slow", turnstile.clone());
    client.strip(move |_, _| stripped);
    world.mailer.fail_next(slow_fault);
    let slow = tokio::spawn(ring_once(world.worker(client.table()), id));
    turnstile.release(turnstile.settle().await[0].ticket, Verdict::Proceed);
    let held = turnstile.settle().await;
    assert_eq!(held[0].call.operation, "UpdateItem", "it is about to settle");
    world.clock.advance(LEASE);
    world.mailer.fail_next(next_fault);
    world.sweep(&world.app()).await;
    let settled = world.embedded.dump();
    turnstile.open();
    slow.await.unwrap();
    world.embedded.dump() == settled
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_lease_ended_says_nothing_more_about_the_entry() {
    let (later, never) = (MailFault::Unavailable, MailFault::Refuse);
    for (slow, next) in [(later, never), (never, later)] {
        assert!(late(slow, next, false).await, "{slow:?}");
        assert!(!late(slow, next, true).await, "the condition on attempts prevents it");
    }
}

#[tokio::test]
async fn a_sweep_and_a_delivery_cost_few_units() {
    let world = World::new();
    let id = world.store_mail("ann@example.com").await;
    let client = world.embedded.client("counted", |_: &_| Verdict::Proceed);
    let app = world.worker(client.table());
    world.sweep(&app).await;
    let counts = [("DeleteItem", 1), ("Query", 4), ("UpdateItem", 1)];
    assert_eq!(client.counts(), counts.map(|(name, n)| (name.to_owned(), n)).into());
    assert!((client.write_units() - 2.0).abs() < f64::EPSILON, "{}", client.write_units());
    client.reset();
    world.ring(&app, id).await;
    assert_eq!(client.counts(), [("UpdateItem".to_owned(), 1)].into());
}
