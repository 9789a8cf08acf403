//! A product that keeps copies of users, tags and applications right by `changed_since`.

use crate::histories::op;
use crate::house::{House, functions, ring};
use crate::oracle::Snapshot;
use belfry_domain::attribute::UserAttribute;
use belfry_testkit::gate::Gate;
use belfry_testkit::{Ask, Crash, Moment, SeededEntropy, ask};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const LISTS: [&str; 3] = ["users", "tags", "applications"];

/// A product: what it keeps, and where it reads on, of each list.
struct Product {
    token: String,
    copies: [BTreeMap<String, Value>; 3],
    /// A cursor, or a token of the last round.
    next: [Option<(&'static str, String)>; 3],
    since: [Option<String>; 3],
    /// Rows that were sent, to see that not everything is sent anew.
    rows: usize,
}

impl Product {
    async fn new(house: &House) -> Self {
        let (copies, next, since) = Default::default();
        Self { token: house.reader().await, copies, next, since, rows: 0 }
    }

    fn asked(&self, list: usize, limit: usize) -> Ask {
        let asked = ask(&format!("GET /product/{}", LISTS[list])).bearer(&self.token);
        let mut asked = asked.query("limit", limit);
        // The cursor belongs to the round that the token began.
        if let Some(since) = &self.since[list] {
            asked = asked.query("changed_since", since);
        }
        if let Some((name, text)) = &self.next[list] {
            asked = asked.query(name, text);
        }
        asked
    }

    /// One page; whether the round goes on.
    async fn page(&mut self, house: &House, list: usize, limit: usize) -> bool {
        let page = house.must(self.asked(list, limit)).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        self.rows += items.len();
        for item in items {
            let id = item["id"].as_str().unwrap().to_owned();
            if item["deleted"] == true {
                assert_eq!(*item, json!({"id": id, "deleted": true}));
                self.copies[list].remove(&id);
            } else {
                self.copies[list].insert(id, item.clone());
            }
        }
        match (page["next_cursor"].as_str(), page["changed_since"].as_str()) {
            (Some(cursor), None) => self.next[list] = Some(("cursor", cursor.to_owned())),
            (None, Some(since)) => {
                self.next[list] = None;
                self.since[list] = Some(since.to_owned());
            }
            other => panic!("one of the two: {other:?}"),
        }
        self.next[list].is_some()
    }

    /// It begins anew with a list.
    fn forget(&mut self, list: usize) {
        (self.copies[list], self.next[list], self.since[list]) = Default::default();
    }

    async fn round(&mut self, house: &House, limit: usize) {
        for list in 0..3 {
            while self.page(house, list, limit).await {}
        }
    }

    /// What it keeps is what there is.
    async fn is_right(&self, house: &House) {
        let now = Snapshot::of(&house.world, house.tenant).await;
        let tags = |marks: &std::collections::BTreeSet<crate::oracle::Pair>| {
            let shown = now.shown(marks).into_iter();
            shown.map(|(key, value)| json!({"key": key, "value": value})).collect::<Value>()
        };
        let given = |value: &Value| if value.is_null() { json!({}) } else { value.clone() };
        let user = |m: &crate::oracle::Member| {
            let own = |name: &str| m.item[name].clone();
            let view = json!({"id": m.id, "email": own("email"), "first_name": own("first_name"),
                "last_name": own("last_name"), "role": own("role"), "status": own("status"),
                "source": own("source"), "attributes": given(&m.item["attributes"]), "groups": [],
                "tags": tags(&m.marks)});
            (m.id.clone(), view)
        };
        let application = |m: &crate::oracle::Member| {
            let own = |name: &str| m.item[name].clone();
            let view = json!({"id": m.id, "name": own("name"), "host": own("host"),
                "category": own("category"), "attributes": given(&m.item["attributes"]),
                "tags": tags(&m.marks)});
            (m.id.clone(), view)
        };
        let tag = |t: &crate::oracle::TagItem| {
            let values: Vec<_> = t.values.iter().map(|(_, text, _)| text).collect();
            let view = json!({"id": t.id, "key": t.key, "values": values,
                "applies_to": if t.users { "users" } else { "applications" },
                "kind": if t.dynamic { "dynamic" } else { "static" }});
            (t.id.clone(), view)
        };
        let expected: [BTreeMap<String, Value>; 3] = [
            now.live(true).into_iter().map(user).collect(),
            now.tags.iter().map(tag).collect(),
            now.live(false).into_iter().map(application).collect(),
        ];
        for (list, expected) in expected.iter().enumerate() {
            assert_eq!(&self.copies[list], expected, "{}", LISTS[list]);
        }
    }
}

#[tokio::test]
async fn copies_stay_right_through_a_thousand_changes() {
    let house = House::new().await;
    let mut product = Product::new(&house).await;
    let chance = SeededEntropy::new(11);
    let (mut runner, ops) = (TestRunner::deterministic(), op());
    let mut history = crate::histories::Asking::default();
    let (mut done, mut asked, mut right) = (0, 0, 0);
    let (mut now, mut stale) = (Snapshot::default(), true);
    while done < 1_000 {
        asked += 1;
        assert!(asked < 6_000, "hardly anything is done");
        if asked % 150 == 0 {
            house.wait(60).await;
        }
        let op = ops.new_tree(&mut runner).unwrap().current();
        if stale {
            now = Snapshot::of(&house.world, house.tenant).await;
        }
        stale = true;
        if let Some(asked) = history.only(&house, &op, &now) {
            let answer = house.asked(asked).await;
            assert!(answer.status < 500, "{}", answer.text);
            stale = answer.status < 300;
            done += usize::from(stale);
        } else {
            // A worker that goes a part of its way.
            let crash =
                Crash::new(chance.below(30), [Moment::Before, Moment::After][chance.below(2)]);
            let gate: Arc<dyn Gate> = Arc::new(crash);
            let worker = functions(&house.world, &house.bell, |name| {
                house.world.db.shared(name, gate.clone()).table()
            });
            for body in house.bell.drain().into_iter().chain([house.tenant.to_string()]) {
                ring(&worker.tagging, &body).await;
            }
        }
        let limit = [1, 2, 3, 7, 50, 200][chance.below(6)];
        match chance.below(60) {
            0..20 => drop(product.page(&house, chance.below(3), limit).await),
            20 => {
                // Whatever was going on, a whole round makes it right, be a walk under way or not.
                product.round(&house, limit).await;
                product.is_right_but_for_walks(&house).await;
                right += 1;
            }
            21 => product.forget(chance.below(3)),
            _ => {}
        }
    }
    assert!(right > 10, "{right}");
    house.work().await;
    // The round that is under way, and one that begins now.
    product.round(&house, 7).await;
    product.round(&house, 7).await;
    product.is_right(&house).await;
}

impl Product {
    /// A round that was begun in the past is ended and followed by a whole one.
    async fn is_right_but_for_walks(&mut self, house: &House) {
        self.round(house, 200).await;
        // Of a tag that is gone the members' copies hear with the walk.
        let tagging = Snapshot::of(&house.world, house.tenant).await.tagging;
        if tagging["pass"].is_null() && tagging["wanted"].as_u64() <= tagging["completed"].as_u64()
        {
            self.is_right(house).await;
        }
    }
}

#[tokio::test]
async fn a_rule_that_changes_300_users_arrives_and_nothing_else_does() {
    let house = House::new().await;
    let own = |n: usize| {
        let department = ["Sales", "IT"][n % 2].to_owned();
        (format!("u{n}@globex.example"), [(UserAttribute::Department, department)])
    };
    house.world.users(house.tenant, 600, own).await;
    let mut product = Product::new(&house).await;
    product.round(&house, 200).await;
    product.is_right(&house).await;
    product.rows = 0;
    product.round(&house, 200).await;
    assert_eq!(product.rows, 0, "nothing changed");
    house.dynamic("Dept", json!({"attribute": "department", "eq": "it"})).await;
    house.work().await;
    product.round(&house, 33).await;
    assert_eq!(product.rows, 301, "300 users and a tag");
    product.is_right(&house).await;
}

#[tokio::test]
async fn tokens_of_long_ago_and_of_others() {
    let house = House::new().await;
    let mut product = Product::new(&house).await;
    house.wait(11).await;
    product.round(&house, 200).await;
    let old = product.since.clone();
    for n in 0..3 {
        house.dynamic(&format!("Tag {n}"), json!({"attribute": "role", "eq": "user"})).await;
    }
    let (_, last) = house.world.table().audit_trail(house.tenant, 0, 1).await.unwrap();
    // The table drops records in any order.
    house.world.remove(&belfry_store::keys::audit_record(house.tenant, last.sequence - 1)).await;
    house.wait(11).await;
    for list in 0..3 {
        let answer = house.asked(product.asked(list, 50)).await;
        assert_eq!(answer.verdict(), (410, "changes_expired"));
    }
    // All anew, and it goes on from there.
    product.since = Default::default();
    product.copies = Default::default();
    product.round(&house, 2).await;
    product.is_right(&house).await;
    house.dynamic("Tag 4", json!({"attribute": "role", "eq": "user"})).await;
    product.round(&house, 1).await;
    product.is_right(&house).await;
    // A token is good for its own list of its own tenant only.
    let since = old[0].clone().unwrap();
    let faulty = |token: &str, route: &str, since: &str| {
        let asked = ask(route).bearer(token).query("changed_since", since);
        let house = &house;
        async move {
            let answer = house.asked(asked).await;
            let faults: Vec<_> = answer.faults().iter().map(|(p, c)| format!("{p} {c}")).collect();
            (answer.status, faults)
        }
    };
    let wrong = (422, vec!["?changed_since invalid".to_owned()]);
    assert_eq!(faulty(&product.token, "GET /product/tags", &since).await, wrong);
    assert_eq!(faulty(&product.token, "GET /product/users", "x").await, wrong);
    let other = house.world.tenant("Initech").await;
    house.world.license(other, belfry_domain::product::Product::Epp, 1).await;
    let scopes = [belfry_domain::credential::Scope::DirectoryRead];
    let token = house
        .world
        .credential_for(other, belfry_domain::product::Product::Epp, &scopes)
        .await
        .expose_text();
    assert_eq!(faulty(&token, "GET /product/users", &since).await, wrong);
    let theirs = house.must(ask("GET /product/tags").bearer(&token)).await;
    assert_eq!(theirs["items"], json!([]));
}
