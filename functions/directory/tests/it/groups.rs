//! Groups and who is in them.

use crate::{GROUPS, Office, USERS, error};
use belfry_domain::text::GroupName;
use serde_json::{Value, json};

/// The ids of a group's members, sorted.
async fn members(office: &Office, group: &str) -> Vec<String> {
    let shown = office.get(GROUPS, group).await;
    let members = shown.json["members"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<_> =
        members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn members_change_in_every_form() {
    let office = Office::new().await;
    let mut ids = Vec::new();
    for name in ["ann", "bob", "cas", "dan"] {
        ids.push(office.made(name).await);
    }
    let [a, b, c, d] = [0, 1, 2, 3].map(|n| ids[n].clone());
    let group = office.group("Staff", &[&a]).await;
    let each = |ids: &[&String]| ids.iter().map(|id| json!({"value": id})).collect::<Value>();
    for (operations, expected) in [
        (json!([{"op": "Add", "path": "members", "value": each(&[&b, &c])}]), vec![&a, &b, &c]),
        (json!([{"op": "add", "path": "members", "value": each(&[&b])}]), vec![&a, &b, &c]),
        (json!([{"op": "Remove", "path": "members", "value": each(&[&b])}]), vec![&a, &c]),
        (json!([{"op": "remove", "path": format!("members[value eq \"{c}\"]")}]), vec![&a]),
        (json!([{"op": "replace", "path": "members", "value": each(&[&c, &d])}]), vec![&c, &d]),
        (
            json!([{"op": "remove", "path": format!("members[value eq \"{c}\"]")},
                   {"op": "add", "value": {"members": each(&[&a])}}]),
            vec![&a, &d],
        ),
        (json!([{"op": "remove", "path": "members"}]), vec![]),
        (json!([{"op": "remove", "path": format!("members[value eq \"{a}\"]")}]), vec![]),
        (
            json!([{"op": "add", "path": "members", "value": each(&[&a, &b, &c, &d])}]),
            ids.iter().collect(),
        ),
    ] {
        let done = office.patch(GROUPS, &group, operations.clone()).await;
        assert_eq!(done.status, 200, "{operations}: {}", done.text);
        let mut expected: Vec<String> = expected.into_iter().cloned().collect();
        expected.sort();
        assert_eq!(members(&office, &group).await, expected, "{operations}");
    }
    let whole = json!({"displayName": "Staff", "members": each(&[&d])});
    assert_eq!(office.put(GROUPS, &group, whole).await.status, 200);
    assert_eq!(members(&office, &group).await, std::slice::from_ref(&d));
    let shown = office.get(USERS, &d).await;
    assert_eq!(shown.json["groups"][0]["display"], "Staff");
    assert_eq!(office.get(USERS, &a).await.json.get("groups"), None);
    let dan = office.user_at("dan@globex.example").await.unwrap();
    assert_eq!(dan.groups.iter().map(GroupName::as_str).collect::<Vec<_>>(), ["Staff"]);
    let unknown = json!([{"op": "add", "path": "members", "value": [{"value": "usr_x"}]}]);
    assert_eq!(error(&office.patch(GROUPS, &group, unknown).await), (400, "invalidValue"));
    assert_eq!(office.delete(GROUPS, &group).await.status, 204);
    assert_eq!(error(&office.get(GROUPS, &group).await), (404, ""));
}

#[tokio::test]
async fn a_name_is_there_once() {
    let office = Office::new().await;
    let staff = office.group("Staff", &[]).await;
    let again = office.post(GROUPS, json!({"displayName": "STAFF"})).await;
    assert_eq!(error(&again), (409, "uniqueness"));
    let other = office.group("Other", &[]).await;
    let taken = json!([{"op": "replace", "path": "displayName", "value": "staff"}]);
    assert_eq!(error(&office.patch(GROUPS, &other, taken).await), (409, "uniqueness"));
    assert_eq!(office.delete(GROUPS, &staff).await.status, 204);
    office.group("Staff", &[]).await;
    assert_eq!(error(&office.post(GROUPS, json!({})).await), (400, "invalidValue"));
    assert_eq!(
        error(&office.post(GROUPS, json!({"displayName": "a\u{7}"})).await),
        (400, "invalidValue")
    );
}

#[tokio::test]
async fn a_large_group_is_changed_in_parts_and_told_by_the_sweep() {
    let office = Office::new().await;
    let mut ids = Vec::new();
    for n in 0..60 {
        ids.push(office.made(&format!("user{n}")).await);
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let group = office.group("Desk", &ids).await;
    assert_eq!(members(&office, &group).await.len(), 60);
    assert_eq!(office.world.posted().await.len(), 60, "each is invited once");
    let listed = office.find(GROUPS, "displayName eq \"desk\"").await;
    assert_eq!(listed.json["Resources"][0]["members"].as_array().unwrap().len(), 60);
    let name = json!([{"op": "replace", "path": "displayName", "value": "Guests"}]);
    assert_eq!(office.patch(GROUPS, &group, name).await.status, 200);
    for n in [0, 59] {
        let user = office.user_at(&format!("user{n}@globex.example")).await.unwrap();
        assert_eq!(user.role.name(), "user");
        assert_eq!(user.groups.iter().next().unwrap().as_str(), "Guests");
    }
    assert_eq!(office.delete(GROUPS, &group).await.status, 204);
    let left = office.world.db.dump_of(&format!("T#{}#D#", office.tenant));
    assert!(left.iter().all(|item| !item.to_string().contains(&group)), "nothing is left of it");
}
