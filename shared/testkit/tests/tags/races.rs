//! Rivals and crashes at the places where it matters most.

use crate::house::{Functions, House, answer, functions, ring, sweep};
use crate::oracle::Snapshot;
use belfry_domain::attribute::UserAttribute;
use belfry_domain::tag::marks::{Counts, Mark};
use belfry_testkit::gate::Gate;
use belfry_testkit::{Answer, Ask, Crash, Moment, Turnstile, Verdict, in_lockstep};
use serde_json::{Value, json};
use std::sync::Arc;

fn department(name: &str) -> Value {
    json!({"attribute": "department", "eq": name})
}

async fn people(house: &House, count: usize) -> Vec<String> {
    let own = |n: usize| {
        let department = ["Sales", "IT"][n % 2].to_owned();
        (format!("u{n}@globex.example"), [(UserAttribute::Department, department)])
    };
    let users = house.world.users(house.tenant, count, own).await;
    users.iter().map(|user| user.id.to_string()).collect()
}

/// Everybody has what rules and, of a static tag, `assigned` say; counts are right.
async fn all_right(house: &House, assigned: &dyn Fn(&str) -> bool) {
    let now = Snapshot::of(&house.world, house.tenant).await;
    let mut counts = Counts::default();
    for user in &now.users {
        let mut expected = now.by_rules(user, true);
        for tag in now.tags.iter().filter(|tag| !tag.dynamic) {
            let own = tag.values.iter().filter(|_| assigned(&user.id));
            expected.extend(own.map(|(number, ..)| (tag.number, *number)));
        }
        assert_eq!(user.marks, expected, "{}", user.item);
    }
    for ((tag, value), count) in now.counts() {
        let mark = Mark { tag: tag.try_into().unwrap(), value: value.try_into().unwrap() };
        counts.add(mark, count);
    }
    let table = house.world.table();
    assert_eq!(table.tag_counts(house.tenant).await.unwrap(), counts);
}

/// Functions whose calls are all held.
fn held(house: &House, name: &str) -> (Arc<Turnstile>, Arc<Functions>) {
    let gate = Arc::new(Turnstile::new());
    let shared: Arc<dyn Gate> = gate.clone();
    (gate, Arc::new(house.functions(name, &shared)))
}

fn spawn(functions: &Arc<Functions>, asked: Ask) -> tokio::task::JoinHandle<Answer> {
    let functions = functions.clone();
    tokio::spawn(async move { answer(&functions, asked).await })
}

/// Lets calls go until the first transaction waits that is about to write.
async fn until_it_writes(gate: &Turnstile) -> usize {
    loop {
        let held = gate.settle().await;
        let first = held.first().unwrap();
        if first.call.operation == "TransactWriteItems" {
            return first.ticket;
        }
        gate.release(first.ticket, Verdict::Proceed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_worked_out_under_old_rules_is_worked_out_anew() {
    for first_tag in [false, true] {
        let house = House::new().await;
        let ids = people(&house, 5).await;
        let tag =
            if first_tag { None } else { Some(house.dynamic("Dept", department("sales")).await) };
        house.work().await;
        let (gate, rival) = held(&house, "rival");
        let body = json!({"attributes": {"department": "HR"}, "version": 1});
        let id = if first_tag { &ids[0] } else { &ids[1] };
        let asked = house.ask("PATCH /users/{id}").path("id", id).json(body);
        let change = spawn(&rival, asked);
        let write = until_it_writes(&gate).await;
        // Meanwhile the rules change, and everybody is brought to them.
        match &tag {
            Some(tag) => drop(house.must(house.rule(tag, &department("hr"))).await),
            None => drop(house.dynamic("Dept", department("hr")).await),
        }
        assert!(ring(&house.open.tagging, &house.tenant.to_string()).await);
        gate.release(write, Verdict::Proceed);
        gate.open();
        let changed = change.await.unwrap();
        assert_eq!(changed.status, 200, "{}", changed.text);
        assert_eq!(changed.json["tags"], json!([{"key": "Dept", "value": "yes"}]));
        all_right(&house, &|_| false).await;
        house.work().await;
        all_right(&house, &|_| false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_user_is_worked_out_under_the_rules_of_the_moment() {
    let house = House::new().await;
    house.dynamic("Dept", department("sales")).await;
    house.work().await;
    let (gate, rival) = held(&house, "rival");
    let body = json!({"first_name": "Kim", "last_name": "Berg", "email": "kim@globex.example",
        "role": "user", "attributes": {"department": "HR"}});
    let create = spawn(&rival, house.ask("POST /users").json(body));
    let write = until_it_writes(&gate).await;
    house.dynamic("Other", department("hr")).await;
    assert!(ring(&house.open.tagging, &house.tenant.to_string()).await);
    gate.release(write, Verdict::Proceed);
    gate.open();
    let made = create.await.unwrap();
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.json["tags"], json!([{"key": "Other", "value": "yes"}]));
    all_right(&house, &|_| false).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_assigned_while_the_value_goes_is_not_assigned() {
    let house = House::new().await;
    let ids = people(&house, 2).await;
    let body = json!({"key": "Team", "applies_to": "users", "kind": "static",
        "values": ["red", "blue"]});
    let tag = house.tag(body).await;
    let of = |route: &str| house.ask(route).path("id", tag["id"].as_str().unwrap());
    let (gate, rival) = held(&house, "rival");
    let assign = json!({"value": "red", "ids": ids});
    let assign = spawn(&rival, of("POST /tags/{id}/members").json(assign));
    let write = until_it_writes(&gate).await;
    let fewer = json!({"values": ["blue"], "version": 1});
    house.must(of("PUT /tags/{id}").json(fewer)).await;
    assert!(ring(&house.open.tagging, &house.tenant.to_string()).await);
    gate.release(write, Verdict::Proceed);
    gate.open();
    let answer = assign.await.unwrap();
    assert_eq!((answer.status, answer.faults()), (422, vec![("/value", "unknown_value")]));
    all_right(&house, &|_| false).await;
    // A value of the same name is another one.
    let again = json!({"values": ["blue", "red"], "version": 2});
    let again = house.must(of("PUT /tags/{id}").json(again)).await;
    assert_eq!(again["counts"][1], json!({"value": "red", "count": 0}));
    all_right(&house, &|_| false).await;
}

#[tokio::test(start_paused = true)]
async fn an_assignment_by_a_filter_ends_with_its_value() {
    let house = House::new().await;
    people(&house, 250).await;
    let body = json!({"key": "Team", "applies_to": "users", "kind": "static",
        "values": ["red", "blue"]});
    let tag = house.tag(body).await;
    let id = tag["id"].as_str().unwrap();
    let of = |route: &str| house.ask(route).path("id", id);
    let assign = json!({"value": "red", "filter": {}});
    house.must(of("POST /tags/{id}/members").json(assign)).await;
    let (gate, worker) = held(&house, "worker");
    let body = format!("{} {id}", house.tenant);
    let work = tokio::spawn(async move { ring(&worker.tagging, &body).await });
    // One page of the two is written.
    let mut noted = 0;
    while noted < 2 {
        let held = gate.settle().await;
        noted += usize::from(
            held[0].call.request.to_string().contains("TAG_ASSIGNMENT")
                && held[0].call.operation == "TransactWriteItems",
        );
        gate.release(held[0].ticket, Verdict::Proceed);
    }
    let seen = house.seen(&tag).await;
    assert_eq!(seen["assignment"]["state"], "running");
    let used = house.asked(of("PUT /tags/{id}").json(json!({"values": ["blue"], "version": 1})));
    assert_eq!(used.await.verdict(), (409, "tag_in_use"));
    let fewer = json!({"values": ["blue"], "version": 1});
    house.must(of("PUT /tags/{id}").query("force", true).json(fewer)).await;
    gate.open();
    assert!(work.await.unwrap());
    assert_eq!(house.seen(&tag).await["assignment"]["state"], "stopped");
    house.work().await;
    all_right(&house, &|_| false).await;
}

#[tokio::test(start_paused = true)]
async fn two_workers_at_one_walk_do_no_harm() {
    for users in [30, 230] {
        let house = House::new().await;
        people(&house, users).await;
        house.dynamic("Dept", department("sales")).await;
        let gate = Arc::new(Turnstile::new());
        let shared: Arc<dyn Gate> = gate.clone();
        let rivals = (0..2).map(|n| {
            let functions = house.functions(&format!("worker {n}"), &shared);
            let tenant = house.tenant.to_string();
            tokio::spawn(async move { ring(&functions.tagging, &tenant).await })
        });
        let ends = in_lockstep(&gate, rivals.collect()).await;
        assert!(ends.contains(&true), "{ends:?}");
        gate.open();
        all_right(&house, &|_| false).await;
        house.work().await;
        let records = records(&house).await;
        // Each page once: 80, 80 and what is left of those that change.
        let changed: u64 = records.iter().map(members).sum();
        assert_eq!(changed, users as u64 / 2, "nobody twice");
        all_right(&house, &|_| false).await;
    }
}

/// The records of walks.
async fn records(house: &House) -> Vec<Value> {
    let (kept, _) = house.world.table().audit_trail(house.tenant, 0, 1_000).await.unwrap();
    let records = kept.iter().map(|kept| serde_json::from_str::<Value>(&kept.text).unwrap());
    records.filter(|record| record["action"] == "tag.evaluate").collect()
}

fn members(record: &Value) -> u64 {
    let changes = record["changes"].as_array().unwrap();
    let members = changes.iter().find(|change| change["field"] == "members").unwrap();
    members["to"].as_u64().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_walk_that_dies_at_any_call_is_ended_by_the_sweep() {
    let mut died = 0;
    for moment in [Moment::Before, Moment::After] {
        for at in 0.. {
            let house = House::new().await;
            let ids = people(&house, 205).await;
            let body = json!({"key": "Team", "applies_to": "users", "kind": "static",
                "values": ["red"]});
            let team = house.tag(body).await;
            let some = json!({"value": "red", "ids": ids[..3]});
            let of = house.ask("POST /tags/{id}/members").path("id", team["id"].as_str().unwrap());
            house.must(of.json(some)).await;
            house.dynamic("Dept", department("sales")).await;
            let crash = Arc::new(Crash::new(at, moment));
            let gate: Arc<dyn Gate> = crash.clone();
            let worker = house.functions("worker", &gate);
            let done = ring(&worker.tagging, &house.tenant.to_string()).await;
            assert_eq!(done, !crash.happened());
            if !crash.happened() {
                died += at;
                break;
            }
            // Nothing is due before its lease is over, and all is done by one sweep after that.
            house.wait(361).await;
            sweep(&house.open.tagging).await;
            all_right(&house, &|id| ids[..3].iter().any(|own| own == id)).await;
            let seen = house.seen(&team).await;
            assert_eq!(seen["counts"], json!([{"value": "red", "count": 3}]));
            house.work().await;
        }
    }
    assert!(died > 20, "{died}");
}

#[tokio::test(start_paused = true)]
async fn an_assignment_that_dies_at_any_call_is_ended_by_the_sweep() {
    for moment in [Moment::Before, Moment::After] {
        for at in 0.. {
            let house = House::new().await;
            people(&house, 205).await;
            let body = json!({"key": "Team", "applies_to": "users", "kind": "static",
                "values": ["red"]});
            let team = house.tag(body).await;
            let id = team["id"].as_str().unwrap();
            let of = house.ask("POST /tags/{id}/members").path("id", id);
            house.must(of.json(json!({"value": "red", "filter": {"role": "user"}}))).await;
            let crash = Arc::new(Crash::new(at, moment));
            let gate: Arc<dyn Gate> = crash.clone();
            let worker = house.functions("worker", &gate);
            ring(&worker.tagging, &format!("{} {id}", house.tenant)).await;
            house.wait(361).await;
            sweep(&house.open.tagging).await;
            let boss = house.boss.user.to_string();
            all_right(&house, &|id| id != boss).await;
            let seen = house.seen(&team).await["assignment"].clone();
            assert_eq!((&seen["state"], &seen["total"]), (&json!("done"), &json!(206)));
            assert!(seen["finished_at"].is_string());
            if !crash.happened() {
                assert_eq!((&seen["done"], &seen["changed"]), (&json!(206), &json!(205)));
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_dies_at_any_call_leaves_nothing_half_done() {
    for moment in [Moment::Before, Moment::After] {
        for at in 0.. {
            let house = House::new().await;
            people(&house, 4).await;
            let crash = Arc::new(Crash::new(at, moment));
            let gate: Arc<dyn Gate> = crash.clone();
            let dying = functions(&house.world, &house.bell, |name| {
                house.world.db.shared(name, gate.clone()).table()
            });
            let rules = json!([{"value": "yes", "when": department("it")}]);
            let body = json!({"key": "Dept", "applies_to": "users", "kind": "dynamic",
                "rules": rules});
            let create = || {
                let asked = house.ask("POST /tags").header("Idempotency-Key", "k");
                asked.json(body.clone())
            };
            answer(&dying, create()).await;
            let again = house.asked(create()).await;
            assert_eq!(again.status, 201, "{}", again.text);
            house.work().await;
            all_right(&house, &|_| false).await;
            let list = house.must(house.ask("GET /tags")).await;
            assert_eq!(list["items"].as_array().unwrap().len(), 1);
            if !crash.happened() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn counts_are_counted_anew_when_their_records_are_gone() {
    let house = House::new().await;
    let ids = people(&house, 4).await;
    let tag = house.dynamic("Dept", department("sales")).await;
    house.work().await;
    let (_, last) = house.world.table().audit_trail(house.tenant, 0, 1).await.unwrap();
    for gone in [last.sequence..=last.sequence, 1..=last.sequence] {
        let body = json!({"attributes": {"department": "Sales"}, "version": 1});
        let at = usize::from(gone.start() == gone.end());
        let asked = house.ask("PATCH /users/{id}").path("id", &ids[at * 2 + 1]).json(body);
        house.must(asked).await;
        for sequence in gone {
            let key = belfry_store::keys::audit_record(house.tenant, sequence);
            house.world.remove(&key).await;
        }
        let seen = house.seen(&tag).await;
        assert_eq!(seen["counts"], json!([{"value": "yes", "count": 4 - at}]));
    }
    // Also when none is left at all.
    let (_, last) = house.world.table().audit_trail(house.tenant, 0, 1).await.unwrap();
    let body = json!({"attributes": {"department": "x"}, "version": 2});
    let asked = house.ask("PATCH /users/{id}").path("id", &ids[1]).json(body);
    house.must(asked).await;
    for sequence in 1..=last.sequence + 1 {
        house.world.remove(&belfry_store::keys::audit_record(house.tenant, sequence)).await;
    }
    assert_eq!(house.seen(&tag).await["counts"], json!([{"value": "yes", "count": 3}]));
}
