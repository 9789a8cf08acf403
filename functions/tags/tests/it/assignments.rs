//! Assigning a static tag, and who has it.

use crate::{House, dynamic, texts};
use belfry_domain::account::User;
use belfry_store::keys;
use serde_json::{Value, json};

const ASSIGN: &str = "POST /tags/{id}/members";
const TAKE: &str = "DELETE /tags/{id}/members";
const MEMBERS: &str = "GET /tags/{id}/members";

async fn people(house: &House, count: usize) -> Vec<String> {
    let none = |n: usize| (format!("u{n:03}@globex.example"), []);
    let users = house.world.users::<[(_, String); 0]>(house.tenant, count, none).await;
    users.iter().map(|user| user.id.to_string()).collect()
}

async fn count(house: &House, tag: &Value, value: usize) -> i64 {
    let tag = house.must(house.of("GET /tags/{id}", tag)).await;
    tag["counts"][value]["count"].as_i64().unwrap()
}

#[tokio::test]
async fn by_ids_all_or_none() {
    let house = House::new().await;
    let tag = house.fixed("Team", &["Red", "Blue"]).await;
    let ids = people(&house, 3).await;
    let assign = |body: Value| house.of(ASSIGN, &tag).json(body);
    let answer = house.must(assign(json!({"value": "red", "ids": &ids}))).await;
    assert_eq!(answer, json!({"changed": 3}));
    let again = house.must(assign(json!({"value": "RED", "ids": [&ids[0], &ids[0]]}))).await;
    assert_eq!(again, json!({"changed": 0}));
    house.must(assign(json!({"value": "Blue", "ids": [&ids[1]]}))).await;
    assert_eq!((count(&house, &tag, 0).await, count(&house, &tag, 1).await), (3, 1));
    assert_eq!(house.actions().await, ["tag.create", "tag.assign", "tag.assign"]);
    let members = house.must(house.of(MEMBERS, &tag)).await;
    assert_eq!(members["items"].as_array().unwrap().len(), 3);
    let both = members["items"].as_array().unwrap().iter().find(|m| m["id"] == *ids[1]).unwrap();
    let expected = json!({"id": ids[1], "email": "u001@globex.example", "first_name": "Kim",
        "last_name": "Berg", "status": "active", "values": ["Red", "Blue"]});
    assert_eq!(*both, expected);
    let blue = house.must(house.of(MEMBERS, &tag).query("value", "blue")).await;
    assert_eq!(texts(&blue, "/id"), [&ids[1]]);
    let none = house.asked(house.of(MEMBERS, &tag).query("value", "green")).await;
    assert_eq!(none.faults(), [("?value", "unknown_value")]);
    let take = house.of(TAKE, &tag).query("value", "Red").query("ids", ids[..2].join(", "));
    assert_eq!(house.must(take).await, json!({"changed": 2}));
    assert_eq!((count(&house, &tag, 0).await, count(&house, &tag, 1).await), (1, 1));
}

#[tokio::test]
async fn what_cannot_be_assigned_is_named_and_changes_nothing() {
    let house = House::new().await;
    let tag = house.fixed("Team", &["Red"]).await;
    let rules = house.tag(dynamic("Admins", &json!({"attribute": "role", "eq": "admin"}))).await;
    let ids = people(&house, 2).await;
    let (stranger, _) = house.neighbour().await;
    let stranger = house.world.user(stranger, "x@initech.example", &[]).await.id.to_string();
    let deleted = house.world.user(house.tenant, "gone@globex.example", &[]).await;
    house.world.keep(&deleted.archived().unwrap()).await;
    let (deleted, application) = (deleted.id.to_string(), house.application("CRM").await);
    let crm = application["id"].as_str().unwrap();
    let many: Vec<_> = (0..81).map(|_| ids[0].clone()).collect();
    let before = house.dump();
    let cases = [
        (json!({"value": "green", "ids": ids}), vec![("/value", "unknown_value")]),
        (json!({"value": "red"}), vec![("/ids", "required")]),
        (json!({"value": "red", "ids": ids, "filter": {}}), vec![("/ids", "required")]),
        (json!({"value": "red", "ids": []}), vec![("/ids", "too_many")]),
        (json!({"value": "red", "ids": many}), vec![("/ids", "too_many")]),
        (json!({"value": "red", "ids": [&ids[0], &stranger]}), vec![("/ids/1", "not_found")]),
        (json!({"value": "red", "ids": [&deleted, &ids[0]]}), vec![("/ids/0", "not_found")]),
        (
            json!({"value": "red", "ids": ["x", &ids[0], crm]}),
            vec![("/ids/0", "not_found"), ("/ids/2", "not_found")],
        ),
        (json!({"value": "red", "filter": {"role": "boss"}}), vec![("/filter/role", "invalid")]),
        (
            json!({"value": "red", "filter": {"status": "archived", "category": "x", "search": " "}}),
            vec![
                ("/filter/status", "invalid"),
                ("/filter/category", "invalid"),
                ("/filter/search", "invalid"),
            ],
        ),
    ];
    for (body, faults) in cases {
        let answer = house.asked(house.of(ASSIGN, &tag).json(body.clone())).await;
        assert_eq!((answer.status, answer.faults()), (422, faults), "{body} {}", answer.text);
    }
    let take = |query: &[(&str, &str)]| {
        query.iter().fold(house.of(TAKE, &tag), |asked, (name, value)| asked.query(name, value))
    };
    let cases = [
        (take(&[("ids", &ids[0])]), ("?value", "required")),
        (take(&[("value", "red")]), ("?ids", "required")),
        (take(&[("value", "red"), ("ids", &stranger)]), ("?ids", "not_found")),
        (take(&[("value", "red"), ("role", "boss")]), ("?role", "invalid")),
    ];
    for (asked, fault) in cases {
        let answer = house.asked(asked).await;
        assert_eq!((answer.status, answer.faults()), (422, vec![fault]), "{}", answer.text);
    }
    let by_rule = json!({"value": "yes", "ids": ids});
    let answer = house.asked(house.of(ASSIGN, &rules).json(by_rule)).await;
    assert_eq!(answer.verdict(), (409, "tag_dynamic"));
    assert_eq!(house.dump(), before);
    // 80 is as many as there may be.
    let people = people(&house, 80).await;
    let all = json!({"value": "red", "ids": people});
    assert_eq!(house.must(house.of(ASSIGN, &tag).json(all)).await, json!({"changed": 80}));
}

#[tokio::test]
async fn by_a_filter_in_the_background_one_at_a_time() {
    let house = House::new().await;
    let tag = house.fixed("Team", &["Red"]).await;
    people(&house, 3).await;
    let body = json!({"value": "red", "filter": {"role": "user"}});
    let answer = house.asked(house.of(ASSIGN, &tag).json(body.clone())).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let expected = json!({"value": "Red", "assign": true, "state": "running", "done": 0,
        "total": 4, "changed": 0, "started_at": "2026-11-22T12:00:00.000Z", "finished_at": null});
    assert_eq!(answer.json, expected);
    let id = tag["id"].as_str().unwrap();
    assert_eq!(house.bell.drain(), [format!("{} {id}", house.tenant)]);
    assert_eq!(house.must(house.of("GET /tags/{id}", &tag)).await["assignment"], expected);
    let again = house.asked(house.of(ASSIGN, &tag).json(body)).await;
    assert_eq!(again.verdict(), (409, "assignment_running"));
    let take = house.of(TAKE, &tag).query("value", "red").query("all", true);
    assert_eq!(house.asked(take).await.verdict(), (409, "assignment_running"));
}

#[tokio::test]
async fn applications_are_assigned_too() {
    let house = House::new().await;
    let body = json!({"key": "Team", "applies_to": "applications", "kind": "static",
        "values": ["Red"]});
    let tag = house.tag(body).await;
    let crm = house.application("CRM").await;
    let assign = json!({"value": "Red", "ids": [crm["id"]]});
    assert_eq!(house.must(house.of(ASSIGN, &tag).json(assign)).await, json!({"changed": 1}));
    let seen = house.must(house.of("GET /applications/{id}", &crm)).await;
    assert_eq!(seen["tags"], json!([{"key": "Team", "value": "Red"}]));
    let members = house.must(house.of(MEMBERS, &tag)).await;
    let expected = json!({"id": crm["id"], "name": "CRM", "host": "crm.globex.example",
        "values": ["Red"]});
    assert_eq!(members["items"], json!([expected]));
    let user = json!({"value": "Red", "ids": [house.admin.user.to_string()]});
    let answer = house.asked(house.of(ASSIGN, &tag).json(user)).await;
    assert_eq!(answer.faults(), [("/ids/0", "not_found")]);
    let of_users = json!({"value": "Red", "filter": {"role": "user"}});
    let answer = house.asked(house.of(ASSIGN, &tag).json(of_users)).await;
    assert_eq!(answer.faults(), [("/filter/role", "invalid")]);
}

#[tokio::test]
async fn the_list_of_members_goes_on_page_by_page() {
    let house = House::new().await;
    let tag = house.fixed("Team", &["Red"]).await;
    let ids = people(&house, 25).await;
    let body = json!({"value": "Red", "ids": ids[..20]});
    house.must(house.of(ASSIGN, &tag).json(body)).await;
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut asked = house.of(MEMBERS, &tag).query("limit", 7);
        if let Some(cursor) = &cursor {
            asked = asked.query("cursor", cursor);
        }
        let page = house.must(asked).await;
        found.extend(texts(&page, "/id").into_iter().map(str::to_owned));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    let mut expected = ids[..20].to_vec();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    let user: User =
        house.world.get(&keys::user(house.tenant, expected[0].parse().unwrap())).await.unwrap();
    assert_eq!((user.version, user.tags.iter().count()), (2, 1));
}
