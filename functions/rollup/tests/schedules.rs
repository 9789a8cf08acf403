//! Directed schedules: a writer stopped at each of its calls while a rival passes it, or killed
//! there; each condition of a write taken away in turn; and the traps that once broke the design.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed test says so by a panic"
)]

mod world;

use belfry_domain::product::Product;
use belfry_domain::telemetry::part::Part;
use belfry_domain::telemetry::stream::Stream;
use belfry_testkit::transport::Call;
use belfry_testkit::{Held, Moment, Transport, Turnstile, Verdict};
use serde_json::{Value, json};
use std::sync::Arc;
use world::{World, status};

/// Calls of a writer, by what they are for.
const STOPS: [&str; 9] = [
    "head read",
    "marker read",
    "endpoint read",
    "chunk",
    "endpoint",
    "markers",
    "top read",
    "top",
    "head",
];

/// Conditional writes, by what they write.
const CONDITIONAL: [&str; 4] = ["chunk", "endpoint", "top", "head"];

fn purpose(call: &Call) -> &'static str {
    let (pk, sk) = call.key();
    match call.operation.as_str() {
        "Query" => "marker read",
        "BatchGetItem" => "endpoint read",
        "BatchWriteItem" => "markers",
        "GetItem" if sk.starts_with("HEAD#") => "head read",
        "GetItem" if sk.starts_with("TOP#") => "top read",
        "GetItem" => "chunk read",
        "PutItem" => written(pk, sk),
        other => panic!("unexpected {other}"),
    }
}

fn written(pk: &str, sk: &str) -> &'static str {
    if sk.starts_with("HEAD#") {
        "head"
    } else if sk.starts_with("TOP#") {
        "top"
    } else if pk.contains("#LG#") {
        "chunk"
    } else {
        "endpoint"
    }
}

fn strip(client: &Transport, what: &'static str) {
    client.strip(move |_, write| {
        let key = |name: &str| write["Item"][name]["S"].as_str().unwrap_or_default();
        written(key("pk"), key("sk")) == what
    });
}

/// What the rival does while the first writer stands still.
#[derive(Debug, Clone, Copy)]
enum Rival {
    /// Takes the same part, delivered to it as well.
    Same,
    /// Takes the next part.
    Next,
    /// Takes both, the next one first: order is lost.
    Both,
}

/// What becomes of the first writer afterwards.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It goes on.
    GoesOn,
    /// It dies before the call.
    DiesBefore,
    /// It dies when the call was done, before it hears of it.
    DiesAfter,
}

#[derive(Debug, Clone, Copy)]
struct Schedule {
    product: Product,
    /// Whether the stream has a past.
    past: bool,
    stop: &'static str,
    rival: Rival,
    fate: Fate,
}

fn schedules() -> Vec<Schedule> {
    let mut all = Vec::new();
    for product in [Product::Epp, Product::DataPrivacy] {
        for past in [false, true] {
            for stop in STOPS {
                for rival in [Rival::Same, Rival::Next, Rival::Both] {
                    for fate in [Fate::GoesOn, Fate::DiesBefore, Fate::DiesAfter] {
                        all.push(Schedule { product, past, stop, rival, fate });
                    }
                }
            }
        }
    }
    all
}

/// Two events of one endpoint, on two days: both contradict the batch before and after.
fn events(world: &World, product: Product, day: i64) -> Vec<Value> {
    use belfry_domain::ports::Clock as _;
    let time = world.clock.now() - jiff::SignedDuration::from_hours(24 * day);
    let mut second =
        status("a", ["Windows", "macOS", "Linux"][usize::try_from(day).unwrap()], time);
    if product == Product::DataPrivacy {
        // All on one day: they meet in one top list.
        second["time"] = world.clock.now().to_string().into();
        second["type"] = "classifier.matched".into();
        second["data"] = json!({"endpoint": {"id": "a", "kind": "mobile"},
                                "classifier": format!("c{day}"), "count": 1 + day});
    }
    vec![status("b", "Windows", time), second]
}

/// Runs a schedule with the condition of one kind of write taken away.
async fn run(schedule: Schedule, without: Option<&'static str>) -> Result<(), String> {
    let Schedule { product, past, stop, rival, fate } = schedule;
    let mut world = World::with_partitions(1);
    let client = |gate: Arc<Turnstile>, name: &str| {
        let client = world.table.shared(name, gate);
        if let Some(what) = without {
            strip(&client, what);
        }
        client
    };
    let open = Arc::new(Turnstile::new());
    open.open();
    let turnstile = Arc::new(Turnstile::both_sides());
    let first = world.writer(client(turnstile.clone(), "first").table());
    let second = world.writer(client(open, "second").table());
    if past {
        let events = events(&world, product, 2);
        world.post_events(product, events);
        let stream = world.streams()[0];
        second.write(stream, world.parts_of(stream)).await.map_err(|e| e.to_string())?;
    }
    let earlier = world.queued.len();
    for day in [1, 0] {
        let events = events(&world, product, day);
        world.post_events(product, events);
    }
    let stream = world.streams()[0];
    let (own, next) = (world.queued[earlier].clone(), world.queued[earlier + 1].clone());

    let part = own.clone();
    let task = tokio::spawn(async move { first.write(stream, vec![part]).await });
    let stopped = stop_at(&turnstile, stop).await;
    let of_rival: &[&Part] = match rival {
        Rival::Same => &[&own],
        Rival::Next => &[&next],
        Rival::Both => &[&next, &own],
    };
    if let (Fate::DiesAfter, Some(held)) = (fate, &stopped) {
        turnstile.release(held.ticket, Verdict::Proceed);
        turnstile.settle().await;
    }
    if !matches!(fate, Fate::GoesOn) {
        task.abort();
        turnstile.settle().await;
    }
    for part in of_rival {
        second.write(stream, vec![(*part).clone()]).await.map_err(|e| e.to_string())?;
    }
    turnstile.open();
    if matches!(fate, Fate::GoesOn) {
        task.await.unwrap().map_err(|e| e.to_string())?;
    }
    // The queue delivers again what nobody reported as written, and nothing else: a head that was
    // set back would be healed by any further write.
    let own_done = matches!(fate, Fate::GoesOn) || matches!(rival, Rival::Same | Rival::Both);
    let next_done = matches!(rival, Rival::Next | Rival::Both);
    for (part, done) in [(own, own_done), (next, next_done)] {
        if !done {
            second.write(stream, vec![part]).await.map_err(|e| e.to_string())?;
        }
    }
    world.judge().await
}

/// Lets calls go on until the only ones that wait are those it shall stop at.
async fn stop_at(turnstile: &Turnstile, stop: &str) -> Option<Held> {
    loop {
        let held = turnstile.settle().await;
        let at = |held: &&Held| purpose(&held.call) == stop && held.moment == Moment::Before;
        match held.iter().find(|held| !at(held)) {
            Some(other) => turnstile.release(other.ticket, Verdict::Proceed),
            None => return held.into_iter().next(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_stopped_at_each_call_and_passed_by_a_rival() {
    for schedule in schedules() {
        assert_eq!(run(schedule, None).await, Ok(()), "{schedule:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_condition_is_needed() {
    for what in CONDITIONAL {
        let mut broken = 0;
        for schedule in schedules() {
            // Without a condition a damaged tally may be refused before it is judged: also seen.
            if run(schedule, Some(what)).await.is_err() {
                broken += 1;
            }
        }
        assert!(broken > 0, "nothing notices that {what} has no condition");
    }
}

async fn taken(world: &World, parts: Vec<Part>) {
    let writer = world.writer(world.table.table());
    let stream = parts[0].stream;
    writer.write(stream, parts).await.unwrap();
}

#[tokio::test]
async fn a_part_twice_in_one_call_is_taken_once() {
    let mut world = World::with_partitions(1);
    world.post(Product::Epp, 5);
    let part = world.queued[0].clone();
    taken(&world, vec![part.clone(), part]).await;
    assert_eq!(world.judge().await, Ok(()));
}

#[tokio::test]
async fn the_streams_of_a_product_do_not_share_tallies() {
    let mut world = World::with_partitions(4);
    world.post(Product::Epp, 40);
    world.post(Product::DataPrivacy, 40);
    let streams: Vec<Stream> = world.streams();
    assert!(streams.len() > 4, "the events spread over {} streams", streams.len());
    let writer = world.writer(world.table.table());
    let all = streams.iter().map(|stream| writer.write(*stream, world.parts_of(*stream)));
    futures::future::try_join_all(all).await.unwrap();
    assert_eq!(world.judge().await, Ok(()));
}

#[tokio::test]
async fn a_crash_after_the_markers_does_not_hide_the_events_until_the_next_one() {
    let mut world = World::with_partitions(1);
    world.post(Product::Epp, 5);
    let dying = world.table.client("dying", |call: &Call| {
        if purpose(call) == "head" { Verdict::Fail } else { Verdict::Proceed }
    });
    let part = world.queued[0].clone();
    let stream = part.stream;
    world.writer(dying.table()).write(stream, vec![part.clone()]).await.unwrap_err();
    // The queue delivers the same part again; its marker is there already.
    taken(&world, vec![part]).await;
    assert_eq!(world.judge().await, Ok(()));
}

#[tokio::test]
async fn a_warm_writer_reads_no_endpoint_and_forgets_when_passed() {
    let mut world = World::with_partitions(1);
    world.post_events(Product::Epp, events(&world, Product::Epp, 2));
    let client = world.table.client("warm", belfry_testkit::gate::Open);
    let warm = world.writer(client.table());
    let stream = world.queued[0].stream;
    warm.write(stream, vec![world.queued[0].clone()]).await.unwrap();
    client.reset();
    world.post_events(Product::Epp, events(&world, Product::Epp, 1));
    warm.write(stream, vec![world.queued[1].clone()]).await.unwrap();
    assert_eq!(client.counts().get("BatchGetItem"), None, "its cache holds");
    // A rival passes; what the warm writer knew is no longer true.
    world.post_events(Product::Epp, events(&world, Product::Epp, 0));
    taken(&world, vec![world.queued[2].clone()]).await;
    world.post_events(Product::Epp, events(&world, Product::Epp, 1));
    client.reset();
    warm.write(stream, vec![world.queued[3].clone()]).await.unwrap();
    assert_eq!(client.counts().get("BatchGetItem"), Some(&1), "it reads again");
    assert_eq!(world.judge().await, Ok(()));
}

#[tokio::test]
async fn a_cache_of_a_failed_head_update_is_not_kept() {
    let mut world = World::with_partitions(1);
    world.post_events(Product::Epp, events(&world, Product::Epp, 2));
    let fail = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let failing = fail.clone();
    let client = world.table.client("first", move |call: &Call| {
        let fails = failing.load(std::sync::atomic::Ordering::SeqCst);
        if fails && purpose(call) == "head" { Verdict::Fail } else { Verdict::Proceed }
    });
    let writer = world.writer(client.table());
    let stream = world.queued[0].stream;
    writer.write(stream, vec![world.queued[0].clone()]).await.unwrap_err();
    fail.store(false, std::sync::atomic::Ordering::SeqCst);
    world.post_events(Product::Epp, events(&world, Product::Epp, 0));
    taken(&world, vec![world.queued[1].clone()]).await;
    world.post_events(Product::Epp, events(&world, Product::Epp, 1));
    writer.write(stream, vec![world.queued[2].clone()]).await.unwrap();
    assert_eq!(world.judge().await, Ok(()));
}

#[tokio::test]
async fn a_heartbeat_that_changes_nothing_writes_no_endpoint() {
    let mut world = World::with_partitions(1);
    for _ in 0..2 {
        world.post_events(Product::Epp, events(&world, Product::Epp, 0));
    }
    let client = world.table.client("writer", belfry_testkit::gate::Open);
    let writer = world.writer(client.table());
    let stream = world.queued[0].stream;
    writer.write(stream, vec![world.queued[0].clone()]).await.unwrap();
    client.reset();
    writer.write(stream, vec![world.queued[1].clone()]).await.unwrap();
    let puts: Vec<_> = client.calls().iter().map(purpose).collect();
    assert_eq!(puts, ["head read", "marker read", "chunk", "markers", "head"]);
    assert_eq!(world.judge().await, Ok(()));
}

#[tokio::test]
async fn throttled_batches_are_finished() {
    let mut world = World::with_partitions(1);
    world.post(Product::Epp, 30);
    world.post(Product::Epp, 30);
    let cut = std::sync::atomic::AtomicUsize::new(0);
    let client = world.table.client("throttled", move |_: &Call| {
        match cut.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 2 {
            0 => Verdict::Partly(1),
            _ => Verdict::Proceed,
        }
    });
    let stream = world.queued[0].stream;
    let writer = world.writer(client.table());
    writer.write(stream, world.parts_of(stream)).await.unwrap();
    assert_eq!(world.judge().await, Ok(()));
}
