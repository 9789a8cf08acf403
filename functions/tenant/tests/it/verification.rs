//! Verification against a table that somebody meddled with.

use crate::{app, grant, member};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use belfry_domain::account::Role;
use belfry_domain::audit::{Entry, Head, Trail, Verification, append};
use belfry_domain::id::TenantId;
use belfry_domain::policy::{Action, Grant};
use belfry_store::entity::put_many;
use belfry_store::keys::{self, Key};
use belfry_store::table::{Item, key_item};
use belfry_store::transaction::Transaction;
use belfry_testkit::gate::Open;
use belfry_testkit::{Member, World, ask};
use jiff::Timestamp;
use serde_json::json;
use sha2::Digest as _;

const DAY: i64 = 86_400;

/// A trail in the making, written item by item as `commit` does, but quicker.
struct Writer<'a> {
    world: &'a World,
    member: Member,
    grant: Grant,
    since: Timestamp,
    head: Head,
}

fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn number(number: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(number.into().to_string())
}

fn bytes(bytes: [u8; 32]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

fn item<const N: usize>(key: &Key, kind: &str, values: [(&str, AttributeValue); N]) -> Item {
    let mut item = key_item(key);
    item.extend([("et".to_owned(), text(kind)), ("v".to_owned(), number(1))]);
    item.extend(values.map(|(name, value)| (name.to_owned(), value)));
    item
}

fn end(head: &Head) -> [(&'static str, AttributeValue); 3] {
    [
        ("sequence", number(head.sequence)),
        ("hash", bytes(head.hash)),
        ("at", number(head.at.as_millisecond())),
    ]
}

impl<'a> Writer<'a> {
    async fn new(world: &'a World, company: &str) -> Self {
        let tenant = world.tenant(company).await;
        let email = format!("ann@{}.example", company.to_lowercase());
        let member = world.member(tenant, &email, Role::Admin).await;
        let grant = grant(world, &member, Action::ChangeSettings).await;
        Self { world, member, grant, since: world.now(), head: Head::EMPTY }
    }

    fn tenant(&self) -> TenantId {
        self.member.tenant
    }

    /// Adds so many records, made now.
    async fn add(&mut self, count: u64) {
        let (tenant, entropy) = (self.tenant(), self.world.entropy.as_ref());
        let mut items = Vec::new();
        for _ in 0..count {
            let entry = Entry::about("thing", &self.head.sequence);
            let link = append(&self.head, &self.grant, &entry, self.world.now(), entropy).unwrap();
            self.head = link.head;
            let n = self.head.sequence;
            let record = [("text", text(link.text)), ("hash", bytes(self.head.hash))];
            items.push(item(&keys::audit_record(tenant, n), "audit", record));
            let part = [("text", text(link.personal.unwrap()))];
            items.push(item(&keys::audit_personal(tenant, n), "audit_personal", part));
            if self.head.is_anchor() {
                let key = keys::audit_anchor(tenant, n);
                items.push(item(&key, "audit_anchor", end(&self.head)));
            }
        }
        items.push(item(&keys::audit_head(tenant), "audit_head", end(&self.head)));
        put_many(&self.world.table(), items).await.unwrap();
    }

    async fn verify(&self, from: Option<u64>, to: Option<u64>) -> Verification {
        let trail = Trail { tenant: self.tenant(), since: self.since, now: self.world.now() };
        self.world.table().verify_audit(trail, from, to).await.unwrap()
    }

    fn record(&self, sequence: u64) -> Key {
        keys::audit_record(self.tenant(), sequence)
    }

    fn personal(&self, sequence: u64) -> Key {
        keys::audit_personal(self.tenant(), sequence)
    }

    fn anchor(&self, sequence: u64) -> Key {
        keys::audit_anchor(self.tenant(), sequence)
    }

    fn end(&self) -> Key {
        keys::audit_head(self.tenant())
    }

    async fn read(&self, key: &Key) -> Option<Item> {
        let table = self.world.table();
        let call = table.client().get_item().table_name(table.name());
        call.set_key(Some(key_item(key))).send().await.unwrap().item
    }

    /// Puts this at a key, or takes away what is there.
    async fn write(&self, key: &Key, item: Option<Item>) {
        let table = self.world.table();
        if let Some(mut item) = item {
            item.extend(key_item(key));
            put_many(&table, vec![item]).await.unwrap();
        } else {
            let call = table.client().delete_item().table_name(table.name());
            call.set_key(Some(key_item(key))).send().await.unwrap();
        }
    }

    async fn drop_records(&self, range: std::ops::RangeInclusive<u64>) {
        for n in range {
            self.write(&self.record(n), None).await;
        }
    }
}

/// Writes of a meddler: what is at these keys from then on.
type Meddling = Vec<(Key, Option<Item>)>;

fn flipped_text(item: &Item, at: usize) -> Item {
    let mut flipped = item.clone();
    let mut bytes = item["text"].as_s().unwrap().clone().into_bytes();
    let at = at % bytes.len();
    bytes[at] ^= 1;
    flipped.insert("text".into(), text(String::from_utf8(bytes).unwrap()));
    flipped
}

fn flipped_hash(item: &Item) -> Item {
    let mut flipped = item.clone();
    let mut hash: [u8; 32] = item["hash"].as_b().unwrap().as_ref().try_into().unwrap();
    hash[31] ^= 1;
    flipped.insert("hash".into(), bytes(hash));
    flipped
}

fn with(item: &Item, name: &str, value: AttributeValue) -> Item {
    let mut other = item.clone();
    other.insert(name.to_owned(), value);
    other
}

/// Every kind of meddling at a record, with the number at which it has to be found.
async fn at_a_record(
    trail: &Writer<'_>,
    other: &Writer<'_>,
    n: u64,
) -> Vec<(String, Meddling, u64)> {
    let last = trail.head.sequence;
    let record = trail.read(&trail.record(n)).await.unwrap();
    let personal = trail.read(&trail.personal(n)).await.unwrap();
    let foreign = other.read(&other.record(n)).await.unwrap();
    let foreign_personal = other.read(&other.personal(n)).await.unwrap();
    let mut cases = Vec::new();
    let mut case = |what: &str, meddling: Meddling, found: u64| {
        cases.push((format!("{what} at {n}"), meddling, found));
    };
    let length = record["text"].as_s().unwrap().len();
    for at in [0, length / 2, length - 1] {
        let flipped = flipped_text(&record, at);
        case(&format!("byte {at} of the text"), vec![(trail.record(n), Some(flipped))], n);
    }
    let spaced = format!("{} ", record["text"].as_s().unwrap());
    let spaced = with(&record, "text", text(spaced));
    case("a blank behind the text", vec![(trail.record(n), Some(spaced.clone()))], n);
    case("the hash", vec![(trail.record(n), Some(flipped_hash(&record)))], n);
    let typed = with(&record, "et", text("access"));
    case("the type", vec![(trail.record(n), Some(typed))], n);
    let unread = with(&record, "hash", text("none"));
    case("a hash that is none", vec![(trail.record(n), Some(unread))], n);
    case("dropped", vec![(trail.record(n), None)], n);
    for at in [0, 40, 70] {
        let flipped = flipped_text(&personal, at);
        case(&format!("byte {at} of the names"), vec![(trail.personal(n), Some(flipped))], n);
    }
    let empty = with(&personal, "et", text("audit"));
    case("names that cannot be read", vec![(trail.personal(n), Some(empty))], n);
    let moved = vec![(trail.record(n), Some(foreign)), (trail.personal(n), Some(foreign_personal))];
    case("another tenant's", moved, n);
    if n < last {
        let next = trail.read(&trail.record(n + 1)).await.unwrap();
        let names = trail.read(&trail.personal(n + 1)).await.unwrap();
        let swapped = vec![
            (trail.record(n), Some(next)),
            (trail.record(n + 1), Some(record.clone())),
            (trail.personal(n), Some(names)),
            (trail.personal(n + 1), Some(personal.clone())),
        ];
        case("swapped with the next", swapped, n);
        let twice = vec![
            (trail.record(n + 1), Some(record.clone())),
            (trail.personal(n + 1), Some(personal)),
        ];
        case("twice", twice, n + 1);
    }
    // With its hash made to fit, as whoever can write the table can.
    let before = trail.read(&trail.record(n - 1)).await;
    let before: [u8; 32] = before
        .map_or([0; 32], |before| before["hash"].as_b().unwrap().as_ref().try_into().unwrap());
    let words = record["text"].as_s().unwrap().replace("a request", "no request");
    let hash = sha2::Sha256::new().chain_update(before).chain_update(&words).finalize();
    let forged = with(&with(&record, "text", text(words)), "hash", bytes(hash.into()));
    let found = if n == last || n.is_multiple_of(256) { n } else { n + 1 };
    case("forged", vec![(trail.record(n), Some(forged))], found);
    let odd = Key { sk: format!("{n:020}x"), ..trail.record(n) };
    case("a key that is no number", vec![(odd, Some(record))], n + 1);
    let cut = (n..=last).map(|n| (trail.record(n), None)).collect();
    case("the tail cut", cut, n);
    cases
}

/// Every kind of meddling at the anchors and the end.
async fn at_the_ends(trail: &Writer<'_>) -> Vec<(String, Meddling, u64)> {
    let last = trail.head.sequence;
    let mut cases = Vec::new();
    for n in [256, 512] {
        let (key, anchor) = (trail.anchor(n), trail.read(&trail.anchor(n)).await.unwrap());
        let at = anchor["at"].as_n().unwrap().parse::<i64>().unwrap();
        for (what, item) in [
            ("hash", Some(flipped_hash(&anchor))),
            ("number", Some(with(&anchor, "sequence", number(n + 256)))),
            ("later", Some(with(&anchor, "at", number(at + 1)))),
            ("earlier", Some(with(&anchor, "at", number(at - 1)))),
            ("type", Some(with(&anchor, "et", text("audit_head")))),
            ("dropped", None),
        ] {
            cases.push((format!("anchor {n}: {what}"), vec![(key.clone(), item)], n));
        }
        let extra = vec![(trail.anchor(n + 4), Some(with(&anchor, "sequence", number(n + 4))))];
        cases.push((format!("anchor {n} copied"), extra, n + 4));
    }
    let head = trail.read(&trail.end()).await.unwrap();
    let end = |item| vec![(trail.end(), item)];
    let at = head["at"].as_n().unwrap().parse::<i64>().unwrap();
    cases.push(("the end's hash".into(), end(Some(flipped_hash(&head))), last));
    cases.push(("the end's time".into(), end(Some(with(&head, "at", number(at + 1)))), last));
    let number_of = |n: u64| end(Some(with(&head, "sequence", number(n))));
    cases.push(("the end too late".into(), number_of(last + 1), last + 1));
    cases.push(("the end too early".into(), number_of(last - 1), last - 1));
    cases.push(("the end's type".into(), end(Some(with(&head, "et", text("x")))), 1));
    cases.push(("no end".into(), end(None), 1));
    // The end and the tail as they once were, but an anchor is left behind them.
    let before = trail.read(&trail.record(500)).await.unwrap();
    let rolled = with(&with(&head, "sequence", number(500)), "hash", before["hash"].clone());
    let rolled = with(&rolled, "at", number(at - 1_000));
    let mut meddling = end(Some(rolled));
    meddling.extend((501..=last).map(|n| (trail.record(n), None)));
    cases.push(("rolled back".into(), meddling, 501));
    let record = trail.read(&trail.record(last)).await.unwrap();
    let behind = vec![(trail.record(last + 7), Some(record))];
    cases.push(("a record behind the end".into(), behind, last + 1));
    cases
}

#[tokio::test]
async fn whatever_was_meddled_with_is_found() {
    let world = World::new();
    let (mut trail, mut other) =
        (Writer::new(&world, "Globex").await, Writer::new(&world, "Initech").await);
    for count in [100, 100, 100, 100, 100, 30] {
        trail.add(count).await;
        other.add(count).await;
        world.wait(1);
    }
    let whole = trail.verify(None, None).await;
    assert_eq!((whole.from, whole.to, whole.checked, whole.broken_at), (1, 530, 530, None));
    assert_eq!((&whole.head, whole.next_from), (&trail.head, None));
    let mut cases = at_the_ends(&trail).await;
    for n in [1, 255, 256, 257, 512, 513, 530] {
        cases.extend(at_a_record(&trail, &other, n).await);
    }
    assert!(cases.len() > 130, "{}", cases.len());
    for (what, meddling, expected) in cases {
        let mut before = Vec::new();
        for (key, item) in meddling {
            before.push((key.clone(), trail.read(&key).await));
            trail.write(&key, item).await;
        }
        let found = trail.verify(None, None).await;
        assert_eq!(found.broken_at, Some(expected), "{what}: {found:?}");
        assert_eq!(found.next_from, None);
        // From the anchor before it as well.
        if expected > 256 {
            let found = trail.verify(Some(expected), None).await;
            assert_eq!(found.broken_at, Some(expected), "{what}: {found:?}");
        }
        for (key, item) in before.into_iter().rev() {
            trail.write(&key, item).await;
        }
    }
    assert_eq!(trail.verify(None, None).await, whole, "nothing is left of it");
}

#[tokio::test]
async fn erasing_names_leaves_it_whole() {
    let world = World::new();
    let mut trail = Writer::new(&world, "Globex").await;
    trail.add(300).await;
    for n in 1..=300 {
        trail.write(&trail.personal(n), None).await;
    }
    let found = trail.verify(None, None).await;
    assert_eq!((found.checked, found.broken_at), (300, None));
}

#[tokio::test]
async fn a_part_starts_at_the_anchor_below_it() {
    let world = World::new();
    let mut trail = Writer::new(&world, "Globex").await;
    let found = trail.verify(None, None).await;
    assert_eq!((found.from, found.to, found.checked, found.broken_at), (1, 0, 0, None));
    trail.add(600).await;
    for (from, to, expected) in [
        (None, None, (1, 600)),
        (Some(1), Some(1), (1, 1)),
        (Some(256), None, (1, 600)),
        (Some(257), None, (257, 600)),
        (Some(512), Some(512), (257, 512)),
        (Some(513), Some(10_000), (513, 600)),
        (Some(600), Some(600), (513, 600)),
        (Some(9_000), None, (513, 600)),
        (None, Some(77), (1, 77)),
    ] {
        let found = trail.verify(from, to).await;
        let (first, last) = expected;
        assert_eq!((found.from, found.to), expected, "{from:?} {to:?}");
        assert_eq!((found.checked, found.broken_at), (last + 1 - first, None));
    }
    // What is not asked for is not looked at.
    trail.drop_records(300..=300).await;
    assert_eq!(trail.verify(None, Some(299)).await.broken_at, None);
    assert_eq!(trail.verify(None, Some(300)).await.broken_at, Some(300));
    assert_eq!(trail.verify(Some(513), None).await.broken_at, None);
    // An anchor's hash is what its part hangs on.
    let anchor = trail.read(&trail.anchor(512)).await.unwrap();
    trail.write(&trail.anchor(512), Some(flipped_hash(&anchor))).await;
    assert_eq!(trail.verify(Some(513), None).await.broken_at, Some(512));
    trail.drop_records(512..=512).await;
    assert_eq!(trail.verify(Some(513), None).await.broken_at, Some(513));
}

#[tokio::test]
async fn a_long_trail_takes_several_calls() {
    let world = World::new();
    let mut trail = Writer::new(&world, "Globex").await;
    trail.add(5_300).await;
    let first = trail.verify(None, None).await;
    assert_eq!((first.from, first.to, first.checked), (1, 5_000, 5_000));
    assert_eq!((first.broken_at, first.next_from), (None, Some(5_001)));
    let second = trail.verify(first.next_from, None).await;
    assert_eq!((second.from, second.to), (4_865, 5_300));
    assert_eq!((second.broken_at, second.next_from), (None, None));
    assert_eq!(trail.verify(None, Some(5_000)).await.next_from, None);
    trail.drop_records(5_200..=5_200).await;
    assert_eq!(trail.verify(None, None).await.broken_at, None, "it did not get there");
    assert_eq!(trail.verify(Some(5_001), None).await.broken_at, Some(5_200));
}

/// Records of three times: 300 that are over theirs, then 300, then 100 that are not.
async fn old(world: &World) -> Writer<'_> {
    let mut trail = Writer::new(world, "Globex").await;
    trail.add(300).await;
    world.wait(200 * DAY);
    trail.add(300).await;
    world.wait(220 * DAY);
    trail.add(100).await;
    trail
}

#[tokio::test]
async fn what_is_over_its_time_may_be_gone_and_nothing_else() {
    let world = World::new();
    let trail = old(&world).await;
    let asked = async |from| {
        let found = trail.verify(from, None).await;
        (found.from, found.to, found.broken_at)
    };
    // Still there: checked when asked for.
    assert_eq!(asked(None).await, (513, 700, None));
    assert_eq!(asked(Some(1)).await, (1, 700, None));
    // The table drops in no certain order.
    trail.drop_records(1..=90).await;
    trail.drop_records(100..=299).await;
    assert_eq!(asked(Some(1)).await, (301, 700, None), "number 300 is believed");
    trail.drop_records(300..=300).await;
    assert_eq!(asked(None).await, (513, 700, None));
    for from in [1, 256, 257, 300] {
        assert_eq!(asked(Some(from)).await, (302, 700, None), "number 301 is believed");
    }
    for n in [302, 400, 512, 513, 600, 700] {
        let record = trail.read(&trail.record(n)).await.unwrap();
        for item in [None, Some(flipped_text(&record, 200)), Some(flipped_hash(&record))] {
            trail.write(&trail.record(n), item.clone()).await;
            let found = asked(Some(1)).await.2;
            // Of the first that is left nobody can tell whether one was before it.
            let expected = if n == 302 && item.is_none() { Some(302) } else { Some(n) };
            assert_eq!(found, expected, "{n}");
            let found = asked(None).await.2;
            assert_eq!(found.is_some(), n >= 512 && (n > 512 || item.is_some()), "{n}: {item:?}");
        }
        trail.write(&trail.record(n), Some(record)).await;
    }
    // After an anchor that is young enough, everything must be there.
    trail.drop_records(301..=520).await;
    assert_eq!(asked(Some(1)).await.2, Some(513));
    assert_eq!(asked(None).await.2, Some(513));
}

#[tokio::test]
async fn a_quiet_tenant_has_no_anchor_and_is_verified() {
    let world = World::new();
    let mut trail = Writer::new(&world, "Globex").await;
    trail.add(10).await;
    world.wait(300 * DAY);
    trail.add(10).await;
    world.wait(100 * DAY);
    trail.drop_records(1..=10).await;
    let found = trail.verify(None, None).await;
    assert_eq!((found.from, found.to, found.checked), (12, 20, 9));
    assert_eq!((found.broken_at, found.next_from), (None, None));
    let last = trail.read(&trail.record(20)).await;
    trail.write(&trail.record(20), None).await;
    assert_eq!(trail.verify(None, None).await.broken_at, Some(20));
    trail.drop_records(11..=20).await;
    assert!(trail.verify(None, None).await.broken_at.is_some(), "the last one is young");
    world.wait(300 * DAY);
    let found = trail.verify(None, None).await;
    assert_eq!((found.checked, found.broken_at), (0, None), "now it is not");
    trail.write(&trail.record(20), last).await;
    assert_eq!(trail.verify(None, None).await.broken_at, None);
}

#[tokio::test]
async fn an_anchor_comes_with_every_256th_change_and_outlives_it() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::Admin).await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let grant = grant(&world, &ann, Action::ChangeSettings).await;
    let table = world.table();
    for n in 0..520 {
        let entry = Entry::about("thing", &n);
        let done =
            table.commit(&grant, &entry, Transaction::new(), world.now(), world.entropy.as_ref());
        done.await.unwrap();
    }
    let items = world.db.dump_of(&format!("T#{tenant}#AU"));
    let anchors: Vec<_> = items.iter().filter(|item| item["et"]["S"] == "audit_anchor").collect();
    let day_800 = (world.now().as_second() + 800 * DAY).to_string();
    let shown: Vec<_> = anchors
        .iter()
        .map(|item| (item["sk"]["S"].as_str().unwrap(), item["expires_at"]["N"].as_str().unwrap()))
        .collect();
    let [first, second] = [256, 512].map(|n| format!("ANCHOR#{n:020}"));
    assert_eq!(shown, [(first.as_str(), day_800.as_str()), (second.as_str(), &day_800)]);
    let find = |sk: &str| items.iter().find(|item| item["sk"]["S"] == sk).unwrap();
    assert_eq!(anchors[0]["hash"], find(&format!("{:020}", 256))["hash"]);
    assert_eq!(anchors[0]["at"]["N"], world.now().as_millisecond().to_string());

    let answer = ask("GET /audit/verification").bearer(&token).of(&app(&world)).await;
    let head = table.audit_head(tenant).await.unwrap();
    assert_eq!(
        answer.json,
        json!({"status": "whole", "from": 1, "to": 520, "checked": 520, "broken_at": null,
            "head": {"sequence": 520, "hash": hex::encode(head.hash)}, "next_from": null})
    );
    let route = "GET /audit/verification";
    let part = ask(route).bearer(&token).query("from", 300).query("to", 400).of(&app(&world)).await;
    assert_eq!((&part.json["from"], &part.json["checked"]), (&json!(257), &json!(144)));
    for (name, value) in [("from", "0"), ("from", "-1"), ("to", "x"), ("limit", "5")] {
        let answer = ask(route).bearer(&token).query(name, value).of(&app(&world)).await;
        assert_eq!(answer.status, 422, "{name}={value}");
    }
    let wrong = ask(route).bearer(&token).query("from", 3).query("to", 2).of(&app(&world)).await;
    assert_eq!(wrong.faults(), [("?to", "out_of_range")]);

    let key = belfry_store::table::key_item(&keys::audit_record(tenant, 300));
    let delete = table.client().delete_item().table_name(table.name()).set_key(Some(key));
    delete.send().await.unwrap();
    let answer = ask(route).bearer(&token).of(&app(&world)).await;
    assert_eq!((answer.at("/status"), &answer.json["broken_at"]), ("broken", &json!(300)));
    assert_eq!((&answer.json["to"], &answer.json["checked"]), (&json!(299), &json!(299)));
}

/// What is written between two of a verification's reads is no break.
#[tokio::test]
async fn changes_meanwhile_do_no_harm() {
    let world = World::new();
    let (tenant, _) = member(&world, "Globex", Role::Admin).await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let grant = grant(&world, &ann, Action::ChangeSettings).await;
    let writer = world.table();
    let commits = async |count: u64| {
        for n in 0..count {
            let entry = Entry::about("thing", &n);
            let now = world.now();
            let done =
                writer.commit(&grant, &entry, Transaction::new(), now, world.entropy.as_ref());
            done.await.unwrap();
        }
    };
    commits(255).await;
    let trail = Trail { tenant, since: world.now(), now: world.now() };
    let calls = {
        let transport = world.db.client("counts", Open);
        transport.table().verify_audit(trail, None, None).await.unwrap();
        transport.calls().len()
    };
    assert!(calls >= 5, "{calls}");
    for at in 0..calls {
        let gate = std::sync::Arc::new(belfry_testkit::Turnstile::new());
        let table = world.db.shared("verifier", gate.clone()).table();
        let verifier =
            tokio::spawn(async move { table.verify_audit(trail, None, None).await.unwrap() });
        let mut held = 0;
        while !verifier.is_finished() {
            tokio::task::yield_now().await;
            for call in gate.settle().await {
                if held == at {
                    commits(2).await;
                }
                held += 1;
                gate.release(call.ticket, belfry_testkit::Verdict::Proceed);
            }
        }
        assert_eq!(verifier.await.unwrap().broken_at, None, "before call {at}");
    }
}
