//! Batches into parts: limits, partitions, identities, and what fits where.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test says so by a panic")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use belfry_domain::id::TenantId;
use belfry_domain::ports::{Day, Entropy};
use belfry_domain::product::Product;
use belfry_domain::telemetry::batch::{
    BadBatch, MOST_EVENTS, MOST_INFLATED_BYTES, MOST_WIRE_BYTES, PART_BYTES, PART_EVENTS, batch_id,
    cut, inflate,
};
use belfry_domain::telemetry::endpoint::Endpoint;
use belfry_domain::telemetry::envelope::Judge;
use belfry_domain::telemetry::part::{MOST_MESSAGE_BYTES, Part, PartId};
use belfry_domain::telemetry::plan::{Head, Opened, plan};
use belfry_domain::telemetry::stream::{Partitions, Stream, sha256};
use belfry_domain::telemetry::top::{List, TopList};
use jiff::Timestamp;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;

/// Bytes of one `DynamoDB` item.
const MOST_ITEM_BYTES: usize = 400 * 1024;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn tenant() -> TenantId {
    struct Seven;
    impl Entropy for Seven {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }
    TenantId::new(now(), &Seven)
}

fn body(events: &[Value]) -> Vec<u8> {
    serde_json::to_vec(events).unwrap()
}

/// The parts of a batch as they would be queued.
fn parts(product: Product, events: &[Value], partitions: u8) -> Vec<Part> {
    let partitions = Partitions::try_from(partitions).unwrap();
    let judge = Judge { product, received_at: now(), max_event_age_days: 30 };
    let body = body(events);
    let parts = cut(&body, partitions).unwrap().into_iter().map(|cut| {
        let stream = Stream { tenant: tenant(), product, partition: cut.partition };
        let id = PartId::new("b", cut.number, cut.content);
        let mut part = Part::new(stream, partitions, id, now().as_millisecond());
        for sent in &cut.events {
            let verdict = judge.judge(sent.raw, sent.value.as_ref());
            part.push(&verdict.event.unwrap_or_else(|| panic!("{:?}", verdict.errors))).unwrap();
        }
        part
    });
    parts.collect()
}

#[test]
fn parts_hold_every_event_once_in_order_within_their_limits() {
    let mut chance = ChaCha8Rng::seed_from_u64(1);
    for partitions in [1, 4, 16] {
        let events: Vec<Value> = (0..3_000)
            .map(|n| {
                let id = match n % 7 {
                    0 => json!(n),
                    1 => json!(null),
                    _ => json!(format!("e{}", chance.random_range(0..400))),
                };
                let pad = "x".repeat(chance.random_range(0..3_000));
                json!({"n": n, "pad": pad, "data": {"endpoint": {"id": id}}})
            })
            .collect();
        let body = body(&events);
        let split = Partitions::try_from(partitions).unwrap();
        let parts = cut(&body, split).unwrap();
        let mut seen = vec![false; events.len()];
        let mut last = (0, 0);
        for (number, part) in parts.iter().enumerate() {
            assert_eq!(part.number as usize, number, "numbers count over all partitions");
            assert!(part.events.len() <= PART_EVENTS && !part.events.is_empty());
            let bytes: usize = part.events.iter().map(|event| event.raw.len()).sum();
            assert!(bytes <= PART_BYTES, "{bytes}");
            for event in &part.events {
                let at = (part.partition.number(), event.index + 1);
                assert!(at > last, "by partition, then in request order");
                last = at;
                assert!(!std::mem::replace(&mut seen[event.index], true));
                let key = match &events[event.index]["data"]["endpoint"]["id"] {
                    Value::String(id) => id.as_bytes(),
                    _ => event.raw.as_bytes(),
                };
                assert_eq!(part.partition, split.of(key));
                let digest = sha256(key);
                assert_eq!(part.partition.number(), digest[31] % partitions, "SHA-256 mod n");
            }
        }
        assert!(seen.into_iter().all(|seen| seen));
        assert!(parts.len() > usize::from(partitions), "{} parts", parts.len());
    }
}

#[test]
fn identities_follow_from_the_bytes_and_nothing_else() {
    let events = |text: &str| [json!({"id": 1, "text": text}), json!({"id": 2})];
    let identity = |body: &[u8]| cut(body, Partitions::ONE).unwrap()[0].content;
    let first = body(&events("a"));
    assert_eq!(identity(&first), identity(&first));
    assert_ne!(identity(&first), identity(&body(&events("b"))));
    // White space between events is not theirs; where one ends and the next begins is.
    let spaced = String::from_utf8(first.clone()).unwrap().replace("},{", "} ,\n {");
    assert_eq!(identity(&first), identity(spaced.as_bytes()));
    assert_ne!(identity(b"[1,23]"), identity(b"[12,3]"));
    // A verdict that turns with time changes no identity: cutting knows no time.
    let id = |number, content| PartId::new("b", number, content);
    let product = Product::Epp;
    let same = id(0, [1; 32]).deduplication(tenant(), product);
    assert_eq!(same, id(0, [1; 32]).deduplication(tenant(), product));
    assert_eq!(same.len(), 64);
    for other in [id(1, [1; 32]), id(0, [2; 32]), PartId::new("c", 0, [1; 32])] {
        assert_ne!(same, other.deduplication(tenant(), product));
    }
    assert_ne!(same, id(0, [1; 32]).deduplication(tenant(), Product::Emm));
}

#[test]
fn a_batch_that_cannot_be_read_is_refused_whole() {
    let refused = |body: &[u8]| cut(body, Partitions::ONE).unwrap_err();
    assert!(matches!(refused(b"[]"), BadBatch::Empty));
    for bad in [&b""[..], b"{}", b"[1", b"[1]x", b"\xff", b"[\"\xff\"]", b"nonsense"] {
        assert!(matches!(refused(bad), BadBatch::NotJson(_)), "{bad:?}");
    }
    let many = |n: usize| format!("[{}1]", "1,".repeat(n - 1)).into_bytes();
    assert!(cut(&many(MOST_EVENTS), Partitions::ONE).is_ok());
    assert!(matches!(refused(&many(MOST_EVENTS + 1)), BadBatch::TooManyEvents));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn inflating_stops_at_the_limit() {
    assert_eq!(&*inflate(b"[1]").unwrap(), b"[1]", "plain stays plain");
    assert_eq!(&*inflate(&gzip(b"[1]")).unwrap(), b"[1]");
    // Members one after the other are one file (RFC 1952, section 2.2).
    assert_eq!(&*inflate(&[gzip(b"[1"), gzip(b"]")].concat()).unwrap(), b"[1]");
    let full = vec![b' '; MOST_INFLATED_BYTES];
    assert_eq!(inflate(&gzip(&full)).unwrap().len(), MOST_INFLATED_BYTES);
    let bomb = gzip(&vec![b' '; MOST_INFLATED_BYTES + 1]);
    assert!(matches!(inflate(&bomb), Err(BadBatch::InflatedTooLarge)));
    // A thousand members of a megabyte each: a gigabyte behind one megabyte.
    let bombs = gzip(&vec![0; 1 << 20]).repeat(1_000);
    assert!(bombs.len() < 1_100_000);
    assert!(matches!(inflate(&bombs), Err(BadBatch::InflatedTooLarge)));
    assert!(matches!(inflate(&vec![b' '; MOST_WIRE_BYTES + 1]), Err(BadBatch::WireTooLarge)));
    assert!(matches!(inflate(b"\x1f\x8bnonsense"), Err(BadBatch::NotGzip)));
    let mut cut_off = gzip(&full);
    cut_off.truncate(cut_off.len() / 2);
    assert!(matches!(inflate(&cut_off), Err(BadBatch::NotGzip)));
}

#[test]
fn a_batch_id_is_the_header_or_the_digest_of_the_body() {
    assert_eq!(batch_id(Some("a b~"), b"x").unwrap(), "a b~");
    assert_eq!(batch_id(None, b"x").unwrap(), hex::encode(sha256(b"x")));
    let long = "x".repeat(129);
    for bad in ["", "tab\t", "é", long.as_str()] {
        assert!(matches!(batch_id(Some(bad), b"x"), Err(BadBatch::BadBatchId)), "{bad}");
    }
    assert!(batch_id(Some(&long[1..]), b"x").is_ok());
}

/// How large packed bytes would be if nothing compressed.
fn plain(packed: &[u8]) -> usize {
    zstd::bulk::decompress(packed, 1 << 24).unwrap().len()
}

/// Random text of so many bytes, of characters that have three each.
fn noise(chance: &mut ChaCha8Rng, bytes: usize) -> String {
    let mut text: String = (0..bytes / 3)
        .map(|_| char::from_u32(0x4e00 + chance.next_u32() % 20_992).unwrap())
        .collect();
    text.push_str(&"x".repeat(bytes - text.len()));
    text
}

/// The largest parts there can be, of statuses or infections at the limits of their names.
fn largest(chance: &mut ChaCha8Rng, kind: &str, ids: &[String]) -> Vec<Value> {
    ids.iter()
        .map(|id| {
            let mut name = || noise(chance, 128);
            let data = if kind == "endpoint.status" {
                json!({"endpoint": {"id": id, "kind": "computer", "name": name(), "os": name(),
                       "os_version": name(), "agent_version": name()}})
            } else {
                json!({"endpoint": {"id": id, "kind": "mobile"}, "threat": name(),
                       "action": name(), "severity": "low", "path_hash": name()})
            };
            json!({"specversion": "1.0", "id": name(), "source": name(), "type": kind,
                   "time": "2026-11-22T10:00:00Z", "data": data})
        })
        .collect()
}

#[test]
fn a_part_always_fits_a_message_and_its_chunk_an_item() {
    let mut chance = ChaCha8Rng::seed_from_u64(2);
    let ids: Vec<String> = (0..200).map(|_| noise(&mut chance, 128)).collect();
    let mut states: HashMap<String, Endpoint> = HashMap::new();
    let mut head = Head::default();
    let mut largest_chunk = 0;
    // Statuses fill the states, infections carry them along, and each status renames everything.
    for kind in ["endpoint.status", "infection.detected", "endpoint.status"] {
        for part in parts(Product::Epp, &largest(&mut chance, kind, &ids), 1) {
            let message = part.message().unwrap();
            assert_eq!(Part::from_message(&message).unwrap(), part);
            let unpacked = plain(&STANDARD.decode(&message).unwrap());
            assert!(unpacked.div_ceil(3) * 4 <= MOST_MESSAGE_BYTES, "message of {unpacked}");
            let chunk = plan(&head, Day::of(now()), &[Opened::new(part)], &states);
            let unpacked = plain(&chunk.to_bytes().unwrap());
            largest_chunk = largest_chunk.max(unpacked);
            assert!(unpacked + 200 <= MOST_ITEM_BYTES, "chunk of {unpacked}");
            head.tallies.apply(&chunk.delta, chunk.today).unwrap();
            head.next_sequence += chunk.events();
            states.extend(chunk.endpoints);
        }
    }
    assert!(largest_chunk > 300 * 1024, "the names are at their limits: {largest_chunk}");
}

#[test]
fn names_beyond_two_hundred_count_as_other_and_leave_as_they_came() {
    let mut head = Head::default();
    let mut states: HashMap<String, Endpoint> = HashMap::new();
    let mut fold = |head: &mut Head, events: &[Value]| {
        for part in parts(Product::Epp, events, 1) {
            let chunk = plan(head, Day::of(now()), &[Opened::new(part)], &states);
            head.tallies.apply(&chunk.delta, chunk.today).unwrap();
            states.extend(chunk.endpoints);
        }
        let systems: BTreeMap<Option<String>, u64> = head
            .tallies
            .systems()
            .map(|(system, _, count)| (system.map(|(os, _)| os.clone()), count))
            .collect();
        (systems.len(), systems.get(&None).copied().unwrap_or(0))
    };
    let event = |kind: &str, n: usize, os: usize| {
        let endpoint = json!({"id": format!("e{n}"), "kind": "computer", "os": format!("os{os}"),
                              "os_version": "1", "agent_version": "1"});
        json!({"specversion": "1.0", "id": "i", "source": "s", "type": kind,
               "time": "2026-11-22T10:00:00Z", "data": {"endpoint": endpoint}})
    };
    let reports = |n, os| event("endpoint.status", n, os);
    let removed = |n| event("endpoint.removed", n, 0);
    let all: Vec<Value> = (0..250).map(|n| reports(n, n)).collect();
    assert_eq!(fold(&mut head, &all), (201, 50));
    // One with a cell leaves, one without stays where it was counted, though there is room now.
    assert_eq!(fold(&mut head, &[removed(0)]), (200, 50));
    assert_eq!(fold(&mut head, &[reports(249, 249)]), (200, 50));
    // A new name takes the free cell; an `other` that changes its system may get none.
    assert_eq!(fold(&mut head, &[reports(300, 300)]), (201, 50));
    assert_eq!(fold(&mut head, &[reports(249, 1)]), (201, 49));
    let rest: Vec<Value> = (1..=300).map(removed).collect();
    assert_eq!(fold(&mut head, &rest), (0, 0), "everything leaves the cell it came into");
}

#[test]
fn top_lists_are_exact_up_to_128_names_and_say_their_error_beyond() {
    let mut chance = ChaCha8Rng::seed_from_u64(3);
    let mut list = TopList::default();
    let mut truth: BTreeMap<String, u64> = BTreeMap::new();
    let mut add = |list: &mut TopList, truth: &mut BTreeMap<String, u64>, names: u32| {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for _ in 0..50 {
            // Low numbers far more often.
            let name = chance.random_range(0..names).min(chance.random_range(0..names));
            *counts.entry(format!("n{name}")).or_default() += 1;
        }
        for (name, count) in &counts {
            *truth.entry(name.clone()).or_default() += count;
        }
        list.add(&counts);
    };
    for _ in 0..100 {
        add(&mut list, &mut truth, 128);
    }
    assert_eq!((list.counts(), list.error()), (&truth, 0));
    for _ in 0..400 {
        add(&mut list, &mut truth, 1_000);
        assert!(list.counts().len() <= 128);
        let error = list.error();
        for (name, count) in list.counts() {
            let real = truth[name];
            assert!(real <= *count && *count <= real + error, "{name}: {count}, really {real}");
        }
        for (name, real) in &truth {
            assert!(list.counts().contains_key(name) || *real <= error, "{name} is missing");
        }
    }
    assert!(list.error() > 0);
    assert_eq!(TopList::from_bytes(&list.to_bytes().unwrap()).unwrap(), list);
    assert_eq!(List::ALL.len(), 3);
}
