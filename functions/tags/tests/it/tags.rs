//! Making, changing, deleting and listing tags.

use crate::{House, dynamic, fixed, texts};
use belfry_domain::tag::work::Tagging;
use belfry_store::keys;
use serde_json::{Value, json};

const CREATE: &str = "POST /tags";
const CHANGE: &str = "PUT /tags/{id}";
const DELETE: &str = "DELETE /tags/{id}";
const READ: &str = "GET /tags/{id}";

fn role(role: &str) -> Value {
    json!({"attribute": "role", "eq": role})
}

#[tokio::test]
async fn a_static_tag_as_it_is_made_and_read() {
    let house = House::new().await;
    let answer = house.asked(house.ask(CREATE).json(fixed(" Team ", &["Red", "blue"]))).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let expected = json!({"id": answer.at("/id"), "key": "Team", "values": ["Red", "blue"],
        "applies_to": "users", "kind": "static", "rules": [],
        "counts": [{"value": "Red", "count": 0}, {"value": "blue", "count": 0}],
        "evaluation": {"state": "done"}, "created_at": "2026-11-22T12:00:00.000Z", "version": 1,
        "assignment": null});
    assert_eq!(answer.json, expected);
    assert_eq!(house.must(house.of(READ, &answer.json)).await, expected);
    assert!(house.bell.drain().is_empty(), "nobody has to be looked at");
    assert_eq!(house.actions().await, ["tag.create"]);
}

#[tokio::test]
async fn a_dynamic_tag_has_its_values_from_its_rules_and_is_rung_for() {
    let house = House::new().await;
    let tag = house.tag(dynamic("Admins", &role("admin"))).await;
    assert_eq!(tag["values"], json!(["yes"]));
    assert_eq!(tag["rules"], json!([{"value": "yes", "when": role("admin")}]));
    assert_eq!(tag["evaluation"], json!({"state": "waiting"}));
    assert_eq!(house.bell.drain(), [house.tenant.to_string()]);
    // Values may be listed too, in an order of their own.
    let body = json!({"key": "Both", "applies_to": "users", "kind": "dynamic",
        "values": ["b", "A"], "rules": [{"value": "a", "when": role("admin")},
            {"value": "B", "when": role("user")}]});
    let both = house.tag(body).await;
    assert_eq!(both["values"], json!(["b", "A"]));
    assert_eq!(both["rules"][0]["value"], "b");
    // A lost ring is none of the client's.
    house.bell.fail_next(1);
    house.tag(dynamic("More", &role("user"))).await;
}

#[tokio::test]
async fn every_fault_of_a_body_is_named() {
    let house = House::new().await;
    let when = || role("admin");
    let rule = |value: &str| json!({"value": value, "when": when()});
    let of = |kind: &str, rest: Value| {
        let mut body = json!({"key": "k", "applies_to": "users", "kind": kind});
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        body
    };
    let many: Vec<_> = (0..51).map(|n| format!("v{n}")).collect();
    let rules: Vec<_> = many.iter().map(|value| rule(value)).collect();
    let choices: Vec<_> = (0..100).map(|n| format!("{n:0>128}")).collect();
    let long = json!({"any": [{"attribute": "title", "in": choices},
        {"attribute": "division", "in": choices}]});
    let conditions = json!({"any": vec![when(); 21]});
    let cases = [
        (json!({}), vec![("/key", "required"), ("/applies_to", "invalid"), ("/kind", "invalid")]),
        (of("static", json!({})), vec![("/values", "required")]),
        (of("static", json!({"values": []})), vec![("/values", "required")]),
        (of("static", json!({"values": many})), vec![("/values", "too_many")]),
        (of("static", json!({"values": ["a", "b", " A "]})), vec![("/values/2", "duplicate")]),
        (of("static", json!({"values": ["<b>"]})), vec![("/values/0", "invalid")]),
        (of("static", json!({"values": ["a"], "rules": [rule("a")]})), vec![("/rules", "invalid")]),
        (of("static", json!({"values": ["a"], "version": 1})), vec![("/version", "invalid")]),
        (of("dynamic", json!({})), vec![("/values", "required")]),
        (of("dynamic", json!({"rules": rules})), vec![("/values", "too_many")]),
        (of("dynamic", json!({"values": ["a"]})), vec![("/rules", "required")]),
        (
            of("dynamic", json!({"values": ["a"], "rules": [rule("a"), rule("b")]})),
            vec![("/rules/1/value", "unknown_value")],
        ),
        (
            of("dynamic", json!({"values": ["a"], "rules": [rule("a"), rule("A")]})),
            vec![("/rules/1/value", "duplicate")],
        ),
        (
            of(
                "dynamic",
                json!({"rules": [{"value": "a", "when": {"attribute": "x", "eq": "1"}}]}),
            ),
            vec![("/rules/0/when/attribute", "unknown_attribute")],
        ),
        (
            of("dynamic", json!({"rules": [{"value": "a", "when": conditions}]})),
            vec![("/rules/0/when", "too_many_conditions")],
        ),
        (
            of("dynamic", json!({"rules": [{"value": "a", "when": long}]})),
            vec![("/rules", "too_long")],
        ),
    ];
    let before = house.dump();
    for (body, faults) in cases {
        let answer = house.asked(house.ask(CREATE).json(body.clone())).await;
        assert_eq!((answer.status, answer.faults()), (422, faults), "{body} {}", answer.text);
    }
    let unknown = of("static", json!({"values": ["a"], "colour": "red"}));
    assert_eq!(house.asked(house.ask(CREATE).json(unknown)).await.status, 422);
    assert_eq!(house.dump(), before);
}

#[tokio::test]
async fn a_key_is_taken_whatever_its_case_by_the_same_subject() {
    let house = House::new().await;
    let tag = house.fixed("Team", &["a"]).await;
    for key in ["team", "TEAM ", "ＴＥＡＭ"] {
        let answer = house.asked(house.ask(CREATE).json(fixed(key, &["b"]))).await;
        assert_eq!(answer.verdict(), (409, "already_exists"), "{key}");
    }
    let mut of_applications = fixed("team", &["a"]);
    of_applications["applies_to"] = "applications".into();
    house.tag(of_applications).await;
    let gone = house.asked(house.of(DELETE, &tag)).await;
    assert_eq!(gone.status, 204);
    house.fixed("TEAM", &["b"]).await;
}

#[tokio::test]
async fn the_501st_tag_is_refused() {
    let house = House::new().await;
    house.fixed("First", &["a"]).await;
    let key = keys::tagging(house.tenant);
    let tagging: Tagging = house.world.get(&key).await.unwrap();
    house.world.put(&key, &Tagging { tags: 499, ..tagging.clone() }).await;
    house.fixed("500th", &["a"]).await;
    let answer = house.asked(house.ask(CREATE).json(fixed("501st", &["a"]))).await;
    assert_eq!(answer.verdict(), (422, "tag_limit"));
    // Numbers are never given again; one who used them all up has as many as there may be.
    let worn = Tagging { tags: 1, next_number: u16::MAX, ..tagging };
    house.world.put(&key, &worn).await;
    let answer = house.asked(house.ask(CREATE).json(fixed("worn", &["a"]))).await;
    assert_eq!(answer.verdict(), (422, "tag_limit"));
}

#[tokio::test]
async fn key_subject_and_kind_never_change() {
    let house = House::new().await;
    let tag = house.fixed("Team", &["a", "Bee"]).await;
    let body = json!({"key": "team", "applies_to": "applications", "kind": "dynamic",
        "values": ["a", "bee"], "version": 1});
    let answer = house.asked(house.of(CHANGE, &tag).json(body)).await;
    let immutable = |pointer| (pointer, "immutable");
    assert_eq!(answer.status, 422);
    assert_eq!(
        answer.faults(),
        ["/key", "/applies_to", "/kind", "/values/1"].map(immutable),
        "{}",
        answer.text
    );
    let same = json!({"key": "Team", "applies_to": "users", "kind": "static",
        "values": ["a", "Bee"], "version": 1});
    let answer = house.must(house.of(CHANGE, &tag).json(same)).await;
    assert_eq!(answer["version"], 1, "nothing changed");
    assert_eq!(house.actions().await, ["tag.create"]);
}

#[tokio::test]
async fn a_change_names_the_version_that_was_seen() {
    let house = House::new().await;
    let tag = house.fixed("Team", &["a"]).await;
    let change = |body: Value| house.of(CHANGE, &tag).json(body);
    let answer = house.asked(change(json!({"values": ["a", "b"]}))).await;
    assert_eq!((answer.status, answer.faults()), (422, vec![("/version", "required")]));
    let changed = house.must(change(json!({"values": ["a", "b"], "version": 1}))).await;
    assert_eq!((&changed["version"], &changed["values"]), (&json!(2), &json!(["a", "b"])));
    assert!(house.bell.drain().is_empty(), "nobody loses it");
    let answer = house.asked(change(json!({"values": ["c"], "version": 1}))).await;
    assert_eq!(answer.verdict(), (409, "version_conflict"));
    assert_eq!(answer.json["version"], 2);
    let answer = house.asked(change(json!({"values": ["a"], "version": 2}))).await;
    assert_eq!(answer.status, 200, "nobody has b");
    assert_eq!(house.bell.drain(), [house.tenant.to_string()]);
}

#[tokio::test]
async fn what_is_in_use_is_taken_away_only_by_force() {
    let house = House::new().await;
    let tag = house.fixed("Team", &["a", "b", "c"]).await;
    let mut ids = vec![house.admin.user.to_string()];
    for n in 0..2 {
        let user = house.world.user(house.tenant, &format!("u{n}@x.example"), &[]).await;
        ids.push(user.id.to_string());
    }
    for (value, ids) in [("a", &ids[..]), ("b", &ids[..1])] {
        let body = json!({"value": value, "ids": ids});
        house.must(house.of("POST /tags/{id}/members", &tag).json(body)).await;
    }
    let change =
        |values: Value| house.of(CHANGE, &tag).json(json!({"values": values, "version": 1}));
    let before = house.dump();
    for (asked, count) in [
        (change(json!(["c"])), 4),
        (change(json!(["a", "c"])), 1),
        (house.of(DELETE, &tag), 4),
        (house.of(DELETE, &tag).query("force", false), 4),
    ] {
        let answer = house.asked(asked).await;
        assert_eq!(answer.verdict(), (409, "tag_in_use"));
        assert_eq!(answer.json["count"], count, "{}", answer.text);
    }
    let answer = house.asked(house.of(DELETE, &tag).query("force", "perhaps")).await;
    assert_eq!(answer.faults(), [("?force", "invalid")]);
    assert_eq!(house.dump(), before);
    let kept = house.must(change(json!(["a", "b"]))).await;
    assert_eq!(kept["version"], 2, "nobody has c");
    let forced = json!({"values": ["a"], "version": 2});
    let asked = house.of(CHANGE, &tag).query("force", true).json(forced);
    let forced = house.must(asked).await;
    assert_eq!(forced["counts"], json!([{"value": "a", "count": 3}]));
    let gone = house.asked(house.of(DELETE, &tag).query("force", true)).await;
    assert_eq!(gone.status, 204);
    assert_eq!(house.asked(house.of(READ, &tag)).await.verdict(), (404, "not_found"));
    let again = house.asked(house.of(DELETE, &tag).query("force", true)).await;
    assert_eq!(again.verdict(), (404, "not_found"));
}

#[tokio::test]
async fn a_repeated_request_makes_one_tag() {
    let house = House::new().await;
    let create = |key: &str| house.ask(CREATE).header("Idempotency-Key", key);
    let body = dynamic("Admins", &role("admin"));
    let first = house.asked(create("k1").json(body.clone())).await;
    let again = house.asked(create("k1").json(body.clone())).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.json, again.json);
    assert_eq!(house.actions().await.len(), 1);
    let other = house.asked(create("k2").json(body.clone())).await;
    assert_eq!(other.verdict(), (409, "already_exists"));
    house.asked(house.of(DELETE, &first.json)).await;
    let gone = house.asked(create("k1").json(body)).await;
    assert_eq!(gone.verdict(), (409, "already_created"));
}

#[tokio::test]
async fn another_tenants_tags_are_not_there() {
    let house = House::new().await;
    let tag = house.fixed("Team", &["a"]).await;
    let (_, token) = house.neighbour().await;
    let before = house.dump();
    let body = json!({"values": ["b"], "version": 1});
    let assign = json!({"value": "a", "ids": [house.admin.user.to_string()]});
    for asked in [
        house.of(READ, &tag),
        house.of(CHANGE, &tag).json(body),
        house.of(DELETE, &tag).query("force", true),
        house.of("GET /tags/{id}/members", &tag),
        house.of("POST /tags/{id}/members", &tag).json(assign),
        house.of("DELETE /tags/{id}/members", &tag).query("value", "a").query("all", true),
    ] {
        let answer = house.asked(asked.bearer(&token)).await;
        assert_eq!(answer.verdict(), (404, "not_found"));
    }
    let list = house.asked(house.ask("GET /tags").bearer(&token)).await;
    assert_eq!(list.json["items"], json!([]));
    assert_eq!(house.dump(), before);
    // An id of another kind is none.
    let user = house.admin.user.to_string();
    let answer = house.asked(house.ask(READ).path("id", user)).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn the_list_goes_on_page_by_page_and_is_filtered() {
    let house = House::new().await;
    let mut expected = Vec::new();
    for n in 0..7 {
        let (users, fixed) = (n % 2 == 0, n % 3 != 0);
        let (subject, key) = (["users", "applications"][n % 2], format!("Key {n}"));
        let when = if users { role("admin") } else { json!({"attribute": "name", "eq": "x"}) };
        let mut body = json!({"key": key, "applies_to": subject});
        if fixed {
            body["kind"] = "static".into();
            body["values"] = json!(["a"]);
        } else {
            body["kind"] = "dynamic".into();
            body["rules"] = json!([{"value": "a", "when": when}]);
        }
        house.tag(body).await;
        house.world.wait(1);
        expected.push((key, users, fixed));
    }
    let list = |query: &[(&str, &str)]| {
        let query: Vec<_> = query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let house = &house;
        async move {
            let (mut keys, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let mut asked = house.ask("GET /tags").query("limit", 2);
                for (name, value) in &query {
                    asked = asked.query(name, value);
                }
                if let Some(cursor) = &cursor {
                    asked = asked.query("cursor", cursor);
                }
                let page = house.must(asked).await;
                assert!(page["items"].as_array().unwrap().len() <= 2);
                keys.extend(texts(&page, "/key").into_iter().map(str::to_owned));
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = Some(next.to_owned()),
                    None => return keys,
                }
            }
        }
    };
    let keys = |passes: &dyn Fn(bool, bool) -> bool| {
        let own = expected.iter().filter(|(_, users, fixed)| passes(*users, *fixed));
        own.map(|(key, ..)| key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(list(&[]).await, keys(&|_, _| true));
    assert_eq!(list(&[("applies_to", "users")]).await, keys(&|users, _| users));
    assert_eq!(list(&[("kind", "dynamic")]).await, keys(&|_, fixed| !fixed));
    let both = [("kind", "static"), ("applies_to", "applications")];
    assert_eq!(list(&both).await, keys(&|users, fixed| !users && fixed));
    assert_eq!(list(&[("search", "KEY 3")]).await, ["Key 3"]);
    assert_eq!(list(&[("search", "3")]).await, Vec::<String>::new());
    let bad = house.asked(house.ask("GET /tags").query("kind", "odd").query("colour", "x")).await;
    assert_eq!(bad.faults(), [("?colour", "unknown_parameter"), ("?kind", "invalid")]);
    let first = house.must(house.ask("GET /tags").query("limit", 2)).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let other = house.ask("GET /tags").query("kind", "static").query("cursor", cursor);
    assert_eq!(house.asked(other).await.verdict(), (400, "cursor_invalid"));
}
