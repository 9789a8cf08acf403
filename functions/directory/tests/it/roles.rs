//! What a directory can make of anybody's role: what a mapped group gives, and nothing else.

use crate::{CHANGE, GROUPS, Office, USERS, error, settings, user};
use belfry_domain::account::{Role, Status, User};
use serde_json::json;

async fn ann(office: &Office) -> User {
    office.user_at("ann@globex.example").await.unwrap()
}

#[tokio::test]
async fn no_attribute_makes_anybody_an_admin() {
    let office = Office::new().await;
    let id = office.made("ann").await;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let of_belfry = "urn:ietf:params:scim:schemas:extension:belfry:2.0:User";
    let attributes = [
        json!({"roles": [{"value": "admin", "primary": true}]}),
        json!({"roles": ["super_admin"]}),
        json!({"entitlements": [{"value": "admin"}]}),
        json!({"userType": "admin"}),
        json!({"title": "super_admin"}),
        json!({"role": "admin"}),
        json!({"source": "manual"}),
        json!({"status": "active", "two_factor_required": false}),
        json!({"role_pinned": true}),
        json!({"groups": [{"value": "Belfry Admins", "display": "Belfry Admins"}]}),
        json!({"groups": ["Belfry Admins"]}),
        json!({enterprise: {"department": "Belfry Admins", "organization": "admin"}}),
        json!({enterprise: {"manager": {"displayName": "Belfry Admins"}}}),
        json!({of_belfry: {"role": "admin"}}),
        json!({"displayName": "Belfry Admins"}),
        json!({"meta": {"resourceType": "Admin"}}),
        json!({"id": "usr_0", "schemas": ["admin"]}),
        json!({"password": "orbit-mustard-ninety-kelp"}),
        json!({"x509Certificates": [{"value": "admin"}]}),
    ];
    for attribute in attributes {
        let mut whole = user("ann");
        whole.as_object_mut().unwrap().extend(attribute.as_object().unwrap().clone());
        assert_eq!(office.put(USERS, &id, whole).await.status, 200, "{attribute}");
        let patch = json!([{"op": "add", "value": attribute}]);
        assert_eq!(office.patch(USERS, &id, patch).await.status, 200, "{attribute}");
        let ann = ann(&office).await;
        assert_eq!((ann.role, ann.identity), (Role::User, None), "{attribute}");
        assert!(!ann.role_pinned);
    }
    // A group that is named like a role, or almost like a mapped one, is none of them.
    for name in ["admin", "super_admin", "Belfry Admin", "Belfry Admins "] {
        let group = office.group(&format!("{name}x"), &[&id]).await;
        assert_eq!(ann(&office).await.role, Role::User, "{name}");
        office.delete(GROUPS, &group).await;
    }
    assert!(office.world.posted().await.is_empty());
}

#[tokio::test]
async fn a_mapped_group_gives_its_role_and_takes_it() {
    let office = Office::new().await;
    let id = office.made("ann").await;
    let admins = office.group("belfry admins", &[&id]).await;
    let invited = ann(&office).await;
    assert_eq!((invited.role, invited.status), (Role::Admin, Status::Invited));
    assert_eq!(office.world.posted().await[0][0], "ann@globex.example");
    let record = office.last_record().await;
    assert_eq!(record["action"], "group.create");
    let out = json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}]);
    assert_eq!(office.patch(GROUPS, &admins, out).await.status, 200);
    let gone = ann(&office).await;
    assert_eq!((gone.role, gone.status, gone.identity), (Role::User, Status::Active, None));
    // Renaming a group into a mapped one, and deleting it.
    let staff = office.group("Staff", &[&id]).await;
    assert_eq!(ann(&office).await.role, Role::User);
    let name = json!([{"op": "replace", "path": "displayName", "value": "Desk"}]);
    assert_eq!(office.patch(GROUPS, &staff, name).await.status, 200);
    assert_eq!(ann(&office).await.role, Role::HelpDesk);
    assert_eq!(office.delete(GROUPS, &staff).await.status, 204);
    let ann = ann(&office).await;
    assert_eq!((ann.role, ann.groups.len()), (Role::User, 0));
}

/// What an administrator makes of a user at the console.
async fn chosen(office: &Office, id: &str, change: impl FnOnce(&mut User)) {
    let mut user = office.user(id.parse().unwrap()).await;
    change(&mut user);
    user.version += 1;
    office.world.keep(&user).await;
}

#[tokio::test]
async fn what_an_administrator_chose_stays_until_it_is_taken_back() {
    let office = Office::new().await;
    let id = office.made("ann").await;
    chosen(&office, &id, |ann| ann.role_pinned = true).await;
    let desk = office.group("Desk", &[&id]).await;
    let pinned = ann(&office).await;
    assert_eq!((pinned.role, pinned.groups.len()), (Role::User, 1));
    chosen(&office, &id, |ann| ann.role_pinned = false).await;
    // With the next word of the directory, or when all are brought to it.
    office.console("POST /identity-providers/{id}/sync", &office.provider, None).await;
    office.sweep().await;
    assert_eq!(ann(&office).await.role, Role::HelpDesk);
    assert_eq!(office.delete(GROUPS, &desk).await.status, 204);
    assert_eq!(ann(&office).await.role, Role::User);
}

#[tokio::test]
async fn a_super_admin_is_reported_and_left_alone() {
    let office = Office::new().await;
    let id = office.made("ann").await;
    let promoted = |ann: &mut User| {
        (ann.role, ann.role_pinned) = (Role::SuperAdmin, true);
        ann.identity = Some(office.member.identity);
    };
    chosen(&office, &id, promoted).await;
    let before = (ann(&office).await, office.trail().await.len());
    let mut off = user("ann");
    off["active"] = false.into();
    assert_eq!(error(&office.put(USERS, &id, off).await), (400, "mutability"));
    let name = json!([{"op": "replace", "path": "name.givenName", "value": "Eve"}]);
    assert_eq!(error(&office.patch(USERS, &id, name).await), (400, "mutability"));
    assert_eq!(error(&office.delete(USERS, &id).await), (400, "mutability"));
    assert_eq!((ann(&office).await, office.trail().await.len()), before);
    // What is the directory's own, it may change: also whom it has in a group.
    let nick = json!([{"op": "replace", "path": "preferredLanguage", "value": "ko"}]);
    assert_eq!(office.patch(USERS, &id, nick).await.status, 200);
    let desk = office.group("Desk", &[&id]).await;
    assert_eq!(ann(&office).await, before.0);
    assert_eq!(office.get(GROUPS, &desk).await.json["members"][0]["value"], id);
}

#[tokio::test]
async fn other_settings_are_brought_to_all() {
    let office = Office::new().await;
    let mut body = user("ann");
    body["userType"] = "Contractor".into();
    let id = office.post(USERS, body).await.at("/id").to_owned();
    office.group("Auditors", &[&id]).await;
    let mut other = settings();
    other["group_roles"] = json!([{"group": "Auditors", "role": "read_only"}]);
    other["mapping"] = json!({"location": "userType"});
    other["version"] = 1.into();
    let changed = office.console(CHANGE, &office.provider, Some(other)).await;
    assert_eq!((changed.status, changed.at("/state")), (200, "syncing"), "{}", changed.text);
    assert_eq!(ann(&office).await.role, Role::User);
    office.sweep().await;
    let ann = ann(&office).await;
    assert_eq!((ann.role, ann.status), (Role::ReadOnly, Status::Invited));
    let attributes: Vec<_> = ann.attributes.keys().map(|name| name.name()).collect();
    assert_eq!(attributes, ["location"]);
    let shown = office.console(crate::READ, &office.provider, None).await;
    assert_eq!(
        (shown.at("/state"), &shown.json["last_sync"]["counts"]["changed"]),
        ("active", &json!(1))
    );
    assert_eq!(shown.json["version"], 2);
}
