//! Groups and who is in them.

use crate::{GROUPS, Office, USERS, error};
use belfry_domain::account::Role;
use belfry_domain::directory::entry::{DirectoryGroup, Telling};
use belfry_domain::text::GroupName;
use belfry_runtime::directory::tell;
use belfry_store::directories::Place;
use belfry_store::keys;
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

#[tokio::test]
async fn by_a_name_that_a_group_has_no_longer_nobody_becomes_anything() {
    let office = Office::new().await;
    let ann = office.made("ann").await;
    let group = office.group("Staff", &[&ann]).await;
    let rename = |name: &str| json!([{"op": "replace", "path": "displayName", "value": name}]);
    assert_eq!(office.patch(GROUPS, &group, rename("Belfry Admins")).await.status, 200);
    let table = office.world.table();
    let provider = office.provider.parse().unwrap();
    let place = Place { tenant: office.tenant, provider };
    let kept = table.kept::<DirectoryGroup>(place, group.parse().unwrap()).await.unwrap().unwrap();
    let telling = Telling { request_id: "r".into(), due_at: office.world.now() };
    let stale = DirectoryGroup { telling: Some(telling), ..kept };
    assert_eq!(office.patch(GROUPS, &group, rename("Staff")).await.status, 200);
    let role = async || office.user_at("ann@globex.example").await.unwrap().role;
    assert_eq!(role().await, Role::User);
    // A sweep that was held up.
    let tenant = office.world.get(&keys::tenant(office.tenant)).await.unwrap();
    let provider = table.provider(office.tenant, provider).await.unwrap().unwrap();
    let post = office.world.post();
    tell((&table, &post), (&tenant, &provider), &stale, office.world.now()).await.unwrap();
    assert_eq!(role().await, Role::User);
}

#[tokio::test]
async fn whoever_cannot_be_invited_now_keeps_no_role_for_others() {
    let office = Office::new().await;
    let (ann, bob) = (office.made("ann").await, office.made("bob").await);
    let group = office.group("Desk", &[&bob]).await;
    let members =
        |op: &str, id: &str| json!([{"op": op, "path": "members", "value": [{"value": id}]}]);
    for _ in 0..3 {
        assert_eq!(office.patch(GROUPS, &group, members("add", &ann)).await.status, 200);
        let gone = json!([{"op": "remove", "path": format!("members[value eq \"{ann}\"]")}]);
        assert_eq!(office.patch(GROUPS, &group, gone).await.status, 200);
    }
    // In one request the one goes and the other, who was invited too often, comes.
    let body = json!({"displayName": "Desk", "members": [{"value": ann}]});
    assert_eq!(error(&office.put(GROUPS, &group, body).await).0, 429);
    let role =
        async |name: &str| office.user_at(&format!("{name}@globex.example")).await.unwrap().role;
    assert_eq!((role("ann").await, role("bob").await), (Role::User, Role::User));
}
