//! Adding, changing, deleting and listing applications.

use crate::{House, texts};
use belfry_domain::ports::Day;
use belfry_domain::product::Product;
use belfry_domain::tag::work::Tagging;
use belfry_domain::telemetry::stream::{Partition, Stream};
use belfry_domain::telemetry::top::{List, TopList};
use belfry_store::keys;
use serde_json::{Value, json};

const CREATE: &str = "POST /applications";
const CHANGE: &str = "PUT /applications/{id}";
const DELETE: &str = "DELETE /applications/{id}";
const READ: &str = "GET /applications/{id}";
const LIST: &str = "GET /applications";

#[tokio::test]
async fn an_application_as_it_is_made_changed_and_deleted() {
    let house = House::new().await;
    let body = json!({"name": " Our  CRM ", "host": "CRM.Globex.Example", "category": "Sales",
        "attributes": {"zone": "DMZ"}});
    let answer = house.asked(house.ask(CREATE).json(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let mut expected = json!({"id": answer.at("/id"), "name": "Our CRM",
        "host": "crm.globex.example", "category": "Sales", "attributes": {"zone": "DMZ"},
        "tags": [], "blocked_accesses": {"count": 0, "error": 0},
        "created_at": "2026-11-22T12:00:00.000Z", "version": 1});
    assert_eq!(answer.json, expected);
    assert_eq!(house.must(house.of(READ, &answer.json)).await, expected);
    let change = |body: Value| house.of(CHANGE, &answer.json).json(body);
    let body = json!({"name": "CRM", "host": "10.0.0.7", "version": 1});
    let changed = house.must(change(body.clone())).await;
    expected["name"] = "CRM".into();
    expected["host"] = "10.0.0.7".into();
    expected["category"] = Value::Null;
    expected["attributes"] = json!({});
    expected["version"] = 2.into();
    assert_eq!(changed, expected);
    assert_eq!(house.asked(change(body)).await.verdict(), (409, "version_conflict"));
    let same = json!({"name": "CRM", "host": "10.0.0.7", "version": 2});
    assert_eq!(house.must(change(same)).await["version"], 2);
    let none = house.asked(change(json!({"name": "CRM", "host": "10.0.0.7"}))).await;
    assert_eq!(none.faults(), [("/version", "required")]);
    assert_eq!(house.asked(house.of(DELETE, &answer.json)).await.status, 204);
    assert_eq!(house.asked(house.of(READ, &answer.json)).await.status, 404);
    assert_eq!(house.asked(house.of(DELETE, &answer.json)).await.status, 404);
    let made = ["application.create", "application.change", "application.delete"];
    assert_eq!(house.actions().await, made);
}

#[tokio::test]
async fn every_fault_of_a_body_is_named() {
    let house = House::new().await;
    let attributes: Value = (0..21).map(|n| (format!("a{n}"), json!("x"))).collect();
    let cases = [
        (
            json!({"name": "", "host": "a b", "category": "<", "version": 1}),
            vec![("/name", "required"), ("/host", "invalid"), ("/category", "invalid")],
        ),
        (
            json!({"name": "x", "host": "x", "attributes": attributes}),
            vec![("/attributes", "too_many")],
        ),
        (
            json!({"name": "x", "host": "x", "attributes": {"Zone": "x", "a/b": "x", "ok": ""}}),
            vec![
                ("/attributes/Zone", "invalid"),
                ("/attributes/a~1b", "invalid"),
                ("/attributes/ok", "required"),
            ],
        ),
        (json!({"name": "x", "host": "x", "version": 1}), vec![("/version", "invalid")]),
    ];
    for (body, faults) in cases {
        let answer = house.asked(house.ask(CREATE).json(body.clone())).await;
        assert_eq!((answer.status, answer.faults()), (422, faults), "{body} {}", answer.text);
    }
}

#[tokio::test]
async fn a_name_is_taken_whatever_its_case() {
    let house = House::new().await;
    let crm = house.application("CRM").await;
    let wiki = house.application("Wiki").await;
    let create = |name: &str| house.ask(CREATE).json(json!({"name": name, "host": "x"}));
    assert_eq!(house.asked(create("ｃrm")).await.verdict(), (409, "already_exists"));
    let rename = |of: &Value, name: &str| {
        house.of(CHANGE, of).json(json!({"name": name, "host": "x", "version": of["version"]}))
    };
    let taken = house.asked(rename(&wiki, "crm")).await;
    assert_eq!(taken.verdict(), (409, "already_exists"));
    // Its own in another case is free, and the one it had is free afterwards.
    let crm = house.must(rename(&crm, "crm")).await;
    let crm = house.must(rename(&crm, "Sales")).await;
    house.must(rename(&wiki, "CRM")).await;
    house.asked(house.of(DELETE, &crm)).await;
    house.must(create("SALES")).await;
}

#[tokio::test]
async fn the_2001st_is_refused_and_a_repeated_request_makes_one() {
    let house = House::new().await;
    let create = |name: &str, key: &str| {
        let asked = house.ask(CREATE).header("Idempotency-Key", key);
        asked.json(json!({"name": name, "host": "x"}))
    };
    let first = house.asked(create("One", "k1")).await;
    let again = house.asked(create("One", "k1")).await;
    assert_eq!((first.status, &again.json), (201, &first.json));
    assert_eq!(house.actions().await.len(), 1);
    let key = keys::tagging(house.tenant);
    let tagging: Tagging = house.world.get(&key).await.unwrap();
    assert_eq!(tagging.applications, 1);
    house.world.put(&key, &Tagging { applications: 1_999, ..tagging }).await;
    house.must(create("Two", "k2")).await;
    assert_eq!(house.asked(create("Three", "k3")).await.verdict(), (422, "application_limit"));
    // A repeat is told what it was told, however many there are.
    assert_eq!(house.asked(create("Two", "k2")).await.status, 201);
    house.asked(house.of(DELETE, &first.json)).await;
    assert_eq!(house.asked(create("One", "k1")).await.verdict(), (409, "already_created"));
    house.must(create("Three", "k4")).await;
}

#[tokio::test]
async fn another_tenants_applications_are_not_there() {
    let house = House::new().await;
    let crm = house.application("CRM").await;
    let (_, token) = house.neighbour().await;
    let before = house.dump();
    let body = json!({"name": "X", "host": "x", "version": 1});
    for asked in [house.of(READ, &crm), house.of(CHANGE, &crm).json(body), house.of(DELETE, &crm)] {
        assert_eq!(house.asked(asked.bearer(&token)).await.verdict(), (404, "not_found"));
    }
    let list = house.asked(house.ask(LIST).bearer(&token)).await;
    assert_eq!(list.json["items"], json!([]));
    assert_eq!(house.dump(), before);
}

#[tokio::test]
async fn the_list_is_filtered_and_in_the_order_of_names() {
    let house = House::new().await;
    for (name, host, category) in [
        ("Wiki", "wiki", Some("Docs")),
        ("crm", "crm.globex.example", Some("Sales")),
        ("Shop", "crm-shop", Some("SALES")),
        ("Build", "10.0.0.7", None),
    ] {
        let body = json!({"name": name, "host": host, "category": category});
        house.must(house.ask(CREATE).json(body)).await;
    }
    let rule = json!({"attribute": "category", "eq": "sales"});
    let tag = json!({"key": "Kind", "applies_to": "applications", "kind": "dynamic",
        "rules": [{"value": "money", "when": rule}]});
    house.tag(tag).await;
    // Made after the rule: in it at once.
    let till = json!({"name": "Till", "host": "till", "category": "Sales"});
    let till = house.must(house.ask(CREATE).json(till)).await;
    assert_eq!(till["tags"], json!([{"key": "Kind", "value": "money"}]));
    let list = |query: &[(&str, &str)]| {
        let asked = query.iter().fold(house.ask(LIST), |asked, (k, v)| asked.query(k, v));
        let house = &house;
        async move {
            let page = house.must(asked).await;
            texts(&page, "/name").into_iter().map(str::to_owned).collect::<Vec<_>>()
        }
    };
    assert_eq!(list(&[]).await, ["Build", "crm", "Shop", "Till", "Wiki"]);
    assert_eq!(list(&[("search", "CRM")]).await, ["crm", "Shop"]);
    assert_eq!(list(&[("category", "Sales")]).await, ["crm", "Shop", "Till"]);
    assert_eq!(list(&[("tag", "kind")]).await, ["Till"]);
    assert_eq!(list(&[("tag", "KIND"), ("tag_value", "Money")]).await, ["Till"]);
    let faults = |query: [(&'static str, &'static str); 1]| {
        let asked = query.iter().fold(house.ask(LIST), |asked, (k, v)| asked.query(k, v));
        let house = &house;
        async move {
            let answer = house.asked(asked).await;
            answer.faults().iter().map(|(p, c)| format!("{p} {c}")).collect::<Vec<_>>()
        }
    };
    assert_eq!(faults([("tag", "team")]).await, ["?tag unknown_tag"]);
    assert_eq!(faults([("tag_value", "money")]).await, ["?tag_value invalid"]);
    let page = house.must(house.ask(LIST).query("limit", 2)).await;
    let rest =
        house.ask(LIST).query("limit", 3).query("cursor", page["next_cursor"].as_str().unwrap());
    let rest = house.must(rest).await;
    assert_eq!(texts(&rest, "/name"), ["Shop", "Till", "Wiki"]);
}

/// What is known of a day.
async fn blocked(house: &House, days_ago: i32, names: &[(&str, u64)]) {
    let mut top = TopList::default();
    top.add(&names.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect());
    let day = Day::of(house.world.now()).minus(days_ago);
    let (tenant, product, partition) = (house.tenant, Product::Ztna, Partition::ZERO);
    let stream = Stream { tenant, product, partition };
    house.world.top(stream, day, List::BlockedApplications, &top).await;
}

#[tokio::test]
async fn blocked_accesses_are_those_of_the_last_seven_days() {
    let house = House::new().await;
    let crm = house.application("CRM").await;
    house.application("Wiki").await;
    blocked(&house, 0, &[("CRM", 3), ("Other", 9)]).await;
    blocked(&house, 6, &[("CRM", 4)]).await;
    blocked(&house, 7, &[("CRM", 100)]).await;
    let seen = house.must(house.of(READ, &crm)).await;
    assert_eq!(seen["blocked_accesses"], json!({"count": 7, "error": 0}));
    let list = house.must(house.ask(LIST)).await;
    let counts: Vec<_> = list["items"].as_array().unwrap().iter().collect();
    let of = |n: usize| counts[n]["blocked_accesses"]["count"].as_u64().unwrap();
    assert_eq!((of(0), of(1)), (7, 0));
}
