//! The generator's promises.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn noon() -> Timestamp {
    "2026-11-22T12:34:56.789Z".parse().unwrap()
}

fn full() -> Demo {
    Demo::new(7, noon(), Scale::FULL)
}

fn events(batch: &Batch) -> Vec<Value> {
    serde_json::from_slice(&batch.body).unwrap()
}

fn time(event: &Value) -> Timestamp {
    event["time"].as_str().unwrap().parse().unwrap()
}

fn day(at: Timestamp) -> i64 {
    at.as_millisecond().div_euclid(DAY_MS)
}

#[test]
fn the_same_seed_and_time_give_the_same_bytes() {
    let batches =
        |seed, now| Demo::new(seed, now, Scale::SMALL).batches().cloned().collect::<Vec<_>>();
    assert_eq!(batches(1, noon()), batches(1, noon()));
    assert_ne!(batches(1, noon()), batches(2, noon()));
    let later = noon() + jiff::SignedDuration::from_secs(1);
    let keys = |batches: Vec<Batch>| {
        batches.into_iter().map(|b| b.idempotency_key).collect::<BTreeSet<_>>()
    };
    assert!(keys(batches(1, noon())).is_disjoint(&keys(batches(1, later))));
}

#[test]
fn every_batch_keeps_the_limits_of_the_api() {
    let now = noon();
    let ordinary_from = now.as_millisecond() - ORDINARY_AGE_DAYS * DAY_MS;
    let mut history = 0;
    for batch in full().batches() {
        let events = events(batch);
        assert_eq!(events.len(), batch.events);
        assert!((1..=MAX_BATCH_EVENTS).contains(&events.len()));
        assert!(batch.body.len() < 4 * 1024 * 1024);
        assert!(PRODUCTS.contains(&batch.product));
        assert!(batch.idempotency_key.len() <= 128 && batch.idempotency_key.is_ascii());
        assert!(events.iter().all(|event| {
            let age = now.as_millisecond() - time(event).as_millisecond();
            (120_000..=60 * DAY_MS).contains(&age)
        }));
        let old = events.iter().any(|event| time(event).as_millisecond() < ordinary_from);
        assert_eq!(batch.history, old);
        history += usize::from(old);
    }
    assert!(history > 0);
}

#[test]
fn counts_are_as_promised() {
    let demo = full();
    assert_eq!(demo.events(), 40_000);
    let ids: BTreeSet<String> = demo
        .batches()
        .flat_map(|batch| {
            events(batch).into_iter().map(|event| event["id"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(ids.len(), 40_000, "ids are unique, but for repeated batches");

    let endpoints = demo.oracle(noon()).unwrap().endpoints();
    let of_dashboard = |e: &&oracle::Endpoint| ["EPP", "EMM"].contains(&e.product.as_str());
    let (removed, present): (Vec<_>, Vec<_>) =
        endpoints.iter().filter(of_dashboard).partition(|endpoint| endpoint.removed);
    assert_eq!(present.len(), 2_500);
    assert_eq!(removed.len(), 50);
    assert!(present.iter().any(|e| e.os == "unknown"), "one has come back and not told its system");
    for product in PRODUCTS {
        assert!(endpoints.iter().any(|e| e.product == product), "{product} has endpoints");
    }
    let systems: BTreeSet<_> = present.iter().map(|e| (&e.os, &e.os_version)).collect();
    assert!((20..200).contains(&systems.len()));
}

#[test]
fn each_event_type_comes_from_the_products_that_know_it() {
    let mut products: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let demo = full();
    for batch in demo.batches() {
        for event in events(batch) {
            let kind = event["type"].as_str().unwrap().to_owned();
            products.entry(kind).or_default().insert(batch.product);
        }
    }
    let all = BTreeSet::from(PRODUCTS);
    let two = BTreeSet::from(["EPP", "EMM"]);
    assert_eq!(products["endpoint.status"], all);
    assert_eq!(products["endpoint.removed"], two);
    assert_eq!(products["infection.detected"], two);
    assert_eq!(products["infection.cleaned"], two);
    assert_eq!(products["policy.violated"], two);
    assert_eq!(products["application.violated"], two);
    assert_eq!(products["classifier.matched"], BTreeSet::from(["DATA_PRIVACY"]));
    assert_eq!(products["access.blocked"], BTreeSet::from(["ZTNA"]));
    assert_eq!(products.len(), 8);
}

#[test]
fn some_batches_are_repeated_word_for_word() {
    let demo = full();
    let mut first: BTreeMap<&str, (usize, &Batch)> = BTreeMap::new();
    let (mut at_once, mut later) = (0, 0);
    for (number, batch) in demo.batches().enumerate() {
        match first.get(batch.idempotency_key.as_str()) {
            Some((before, same)) => {
                assert_eq!(*same, batch);
                if number == before + 1 { at_once += 1 } else { later += 1 }
            }
            None => drop(first.insert(&batch.idempotency_key, (number, batch))),
        }
    }
    assert!(at_once > 0 && later > 0, "{at_once} at once, {later} later");
}

#[test]
fn some_events_are_late() {
    let demo = full();
    let mut latest: BTreeMap<&str, i64> = BTreeMap::new();
    let mut keys = BTreeSet::new();
    let mut late = 0;
    for batch in demo.batches().filter(|batch| keys.insert(&batch.idempotency_key)) {
        for event in events(batch) {
            let latest = latest.entry(batch.product).or_insert(i64::MIN);
            late += usize::from(day(time(&event)) < *latest);
            *latest = day(time(&event)).max(*latest);
        }
    }
    assert!((400..2_000).contains(&late), "{late} events come after those of a later day");
}

#[test]
fn an_outbreak_is_seen_on_one_day() {
    let demo = full();
    let mut by_day: BTreeMap<i64, u32> = BTreeMap::new();
    let mut keys = BTreeSet::new();
    for batch in demo.batches().filter(|batch| keys.insert(&batch.idempotency_key)) {
        for event in events(batch).iter().filter(|event| event["type"] == "infection.detected") {
            *by_day.entry(day(time(event))).or_default() += 1;
        }
    }
    let mut counts: Vec<u32> = by_day.values().copied().collect();
    counts.sort_unstable();
    let (most, usual) = (counts[counts.len() - 1], counts[counts.len() / 2]);
    assert!(most > 4 * usual, "{most} detections on the worst day, {usual} on a usual one");
}

#[test]
fn no_period_is_empty_at_any_scale_or_hour() {
    for now in ["2026-11-22T12:34:56Z", "2026-11-22T00:00:30Z", "2026-12-31T23:59:59.999Z"] {
        let now: Timestamp = now.parse().unwrap();
        for scale in [Scale::SMALL, Scale::FULL] {
            let oracle = Demo::new(3, now, scale).oracle(now).unwrap();
            for (period, _) in oracle::PERIODS {
                let answer = oracle.dashboard(period, now);
                let both = |list: &str| {
                    answer[list]["computers"].as_u64().unwrap()
                        + answer[list]["mobiles"].as_u64().unwrap()
                };
                assert!(both("not_seen") > 0, "{period} at {now}: {answer}");
                assert!(answer["violations"]["policy"]["events"].as_u64().unwrap() > 0);
            }
            let answer = oracle.dashboard("0-2d", now);
            assert_eq!(answer["endpoints"]["total"], scale.endpoints);
            assert_eq!(answer["top_blocked_applications"].as_array().unwrap().len(), 5);
            assert_eq!(answer["top_blocked_users"].as_array().unwrap().len(), 5);
            let infected = &answer["endpoints"]["infected_now"];
            assert!(infected["computers"].as_u64() > Some(0), "at {now}: {infected}");
        }
    }
}

#[test]
fn names_stay_below_what_top_lists_hold_exactly() {
    let demo = full();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for batch in demo.batches() {
        for event in events(batch) {
            let data = &event["data"];
            for field in ["classifier", "user"] {
                names.extend(data[field].as_str().map(str::to_owned));
            }
            if event["type"] == "access.blocked" {
                names.extend(data["application"].as_str().map(str::to_owned));
            }
        }
    }
    assert!(names.len() < 128);
}

#[test]
fn a_scale_too_small_for_its_endpoints_is_raised() {
    let demo = Demo::new(1, noon(), Scale { endpoints: 50, events: 1, days: 1 });
    assert_eq!(demo.events(), 400);
    assert_eq!(demo.oracle(noon()).unwrap().dashboard("0-2d", noon())["endpoints"]["total"], 50);
}
