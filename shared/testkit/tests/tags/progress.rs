//! How far a walk is, as the console shows it; rules that change in its middle; lists by tags.

use crate::house::{House, ring};
use belfry_domain::attribute::UserAttribute;
use belfry_testkit::gate::Gate;
use belfry_testkit::{Turnstile, Verdict};
use serde_json::{Value, json};
use std::sync::Arc;

fn department(name: &str) -> Value {
    json!({"attribute": "department", "eq": name})
}

async fn people(house: &House, count: usize) {
    let own = |n: usize| {
        let department = ["Sales", "IT", "HR"][n % 3].to_owned();
        (format!("u{n:04}@globex.example"), [(UserAttribute::Department, department)])
    };
    house.world.users(house.tenant, count, own).await;
}

/// Lets a worker go on until it has noted so many more times how far it is.
async fn noted(gate: &Turnstile, mut times: usize) {
    while times > 0 {
        let held = gate.settle().await;
        let call = &held[0].call;
        let notes = call.operation == "TransactWriteItems"
            && call.request["TransactItems"].as_array().unwrap().len() == 1;
        times -= usize::from(notes);
        gate.release(held[0].ticket, Verdict::Proceed);
    }
    gate.settle().await;
}

#[tokio::test(start_paused = true)]
async fn rules_that_change_in_the_middle_of_a_walk() {
    let house = House::new().await;
    people(&house, 598).await;
    house.must(house.ask("POST /applications").json(json!({"name": "CRM", "host": "crm"}))).await;
    let first = house.dynamic("First", department("sales")).await;
    let evaluation = |tag: Value| {
        let house = &house;
        async move { house.seen(&tag).await["evaluation"].clone() }
    };
    assert_eq!(evaluation(first.clone()).await, json!({"state": "waiting"}));
    let fixed = json!({"key": "Fixed", "applies_to": "users", "kind": "static", "values": ["a"]});
    let fixed = house.tag(fixed).await;
    let gate = Arc::new(Turnstile::new());
    let shared: Arc<dyn Gate> = gate.clone();
    let worker = house.functions("worker", &shared);
    let tenant = house.tenant.to_string();
    let work = tokio::spawn(async move { ring(&worker.tagging, &tenant).await });
    noted(&gate, 1).await;
    let running = |done: u64, changed: u64| {
        json!({"state": "running", "done": done, "total": 600, "changed": changed,
            "started_at": "2026-11-22T12:00:00.000Z"})
    };
    assert_eq!(evaluation(first.clone()).await, running(0, 0));
    noted(&gate, 1).await;
    let half = evaluation(first.clone()).await;
    let changed = half["changed"].as_u64().unwrap();
    assert_eq!(half, running(200, changed));
    assert!((40..=90).contains(&changed), "{changed}");
    // The first third is behind the walk: it goes on to the new rules, and is followed by another one.
    let edited = house.must(house.rule(&first, &department("it"))).await;
    assert_eq!(edited["evaluation"], json!({"state": "waiting"}));
    let second = house.dynamic("Second", department("hr")).await;
    assert_eq!(evaluation(second.clone()).await, json!({"state": "waiting"}));
    assert_eq!(evaluation(fixed.clone()).await, json!({"state": "done"}), "nobody is walked for");
    // Refused at first, as the tags changed.
    noted(&gate, 2).await;
    assert_eq!(evaluation(first.clone()).await, json!({"state": "waiting"}));
    // Users and applications of the first walk, then the second one is begun.
    noted(&gate, 3).await;
    let again = evaluation(first.clone()).await;
    assert_eq!((&again["state"], &again["done"]), (&json!("running"), &json!(0)));
    assert_eq!(again, evaluation(second.clone()).await);
    gate.open();
    assert!(work.await.unwrap());
    for (tag, count) in [(&first, 199), (&second, 199), (&fixed, 0)] {
        let seen = house.seen(tag).await;
        assert_eq!(seen["evaluation"], json!({"state": "done"}));
        assert_eq!(seen["counts"][0]["count"], count, "{seen}");
    }
}

#[tokio::test]
async fn users_are_listed_by_tag() {
    let house = House::new().await;
    people(&house, 90).await;
    house.dynamic("Dept", department("sales")).await;
    house.work().await;
    let list = |query: Vec<(&'static str, &'static str)>| {
        let house = &house;
        async move {
            let (mut users, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let mut asked = house.ask("GET /users").query("limit", 20);
                for (name, value) in &query {
                    asked = asked.query(name, value);
                }
                if let Some(cursor) = &cursor {
                    asked = asked.query("cursor", cursor);
                }
                let page = house.must(asked).await;
                users.extend(page["items"].as_array().unwrap().clone());
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = Some(next.to_owned()),
                    None => return users,
                }
            }
        }
    };
    let tagged = list(vec![("tag", "dept")]).await;
    assert_eq!(tagged.len(), 30);
    for user in &tagged {
        assert_eq!(user["tags"], json!([{"key": "Dept", "value": "yes"}]));
        assert_eq!(user["attributes"]["department"], "Sales");
    }
    assert_eq!(list(vec![("tag", "DEPT"), ("tag_value", "YES")]).await.len(), 30);
    assert_eq!(list(vec![("tag", "dept"), ("role", "admin")]).await.len(), 0);
    assert_eq!(list(vec![]).await.len(), 91);
    for (query, fault) in [
        ([("tag", "team")], ("?tag", "unknown_tag")),
        ([("tag_value", "yes")], ("?tag_value", "invalid")),
    ] {
        let asked = house.ask("GET /users").query(query[0].0, query[0].1);
        let answer = house.asked(asked).await;
        assert_eq!((answer.status, answer.faults()), (422, vec![fault]));
    }
    let asked = house.ask("GET /users").query("tag", "dept").query("tag_value", "no");
    assert_eq!(house.asked(asked).await.faults(), [("?tag_value", "unknown_tag")]);
    // A tag that is gone is shown nowhere, also before its walk.
    let tags = house.must(house.ask("GET /tags")).await;
    let id = tags["items"][0]["id"].as_str().unwrap().to_owned();
    house.must(house.ask("DELETE /tags/{id}").path("id", id).query("force", true)).await;
    assert!(list(vec![]).await.iter().all(|user| user["tags"] == json!([])));
}
