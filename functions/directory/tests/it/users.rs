//! One user: made, changed, deactivated, deleted, and what the tenant's own user is by then.

use crate::{CREATE, Office, USERS, error, settings, user};
use belfry_domain::account::{Role, Source, Status};
use belfry_store::keys;
use serde_json::json;

#[tokio::test]
async fn a_user_comes_with_everything_and_is_on_record() {
    let office = Office::new().await;
    let mut body = user("ann");
    body["title"] = "Engineer".into();
    body["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] =
        json!({"department": "Sales"});
    body["phoneNumbers"] = json!([{"value": "+49 151 1234567", "type": "mobile"}]);
    let made = office.post(USERS, body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.at("/id");
    assert_eq!(made.at("/meta/location"), format!("https://api.example/v1/scim/v2/Users/{id}"));
    assert_eq!(made.header("location"), made.at("/meta/location"));
    let ann = office.user_at("ann@globex.example").await.unwrap();
    assert_eq!(ann.id.to_string(), id);
    assert_eq!((ann.role, ann.status, ann.source), (Role::User, Status::Active, Source::Directory));
    assert_eq!(ann.directory.unwrap().provider.to_string(), office.provider);
    assert_eq!(ann.mobile.unwrap().as_str(), "+491511234567");
    let attributes: Vec<_> =
        ann.attributes.iter().map(|(name, text)| (name.name(), text.as_str())).collect();
    assert_eq!(attributes, [("department", "Sales"), ("title", "Engineer")]);
    let record = office.last_record().await;
    assert_eq!(record["action"], "user.create");
    assert_eq!(record["actor"], json!({"kind": "directory", "id": office.provider}));
    assert!(office.world.posted().await.is_empty(), "who has no console is sent no mail");
    let tenant: belfry_domain::account::Tenant =
        office.world.get(&keys::tenant(office.tenant)).await.unwrap();
    assert_eq!(tenant.users, 2);
}

#[tokio::test]
async fn what_is_there_already_is_a_conflict() {
    let office = Office::new().await;
    office.made("ann").await;
    for (change, detail) in [
        (json!({"userName": "ANN", "externalId": "y"}), "userName is another resource's already"),
        (json!({"userName": "other"}), "externalId is another resource's already"),
        (
            json!({"userName": "other", "externalId": "y"}),
            "another user of the company has this address",
        ),
    ] {
        let mut body = user("ann");
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let refused = office.post(USERS, body).await;
        assert_eq!(error(&refused), (409, "uniqueness"));
        assert_eq!(refused.at("/detail"), detail);
    }
    // Of somebody who was added by hand, by import or by sign-up.
    let mut body = user("boss");
    let refused = office.post(USERS, body.clone()).await;
    assert_eq!(error(&refused), (409, "uniqueness"));
    let bob = office.made("bob").await;
    body["userName"] = "bob".into();
    let refused = office.put(USERS, &bob, body).await;
    assert_eq!(error(&refused), (409, "uniqueness"));
    let mut taken = user("bob");
    taken["userName"] = "ann".into();
    assert_eq!(error(&office.put(USERS, &bob, taken).await), (409, "uniqueness"));
}

#[tokio::test]
async fn whoever_is_there_is_adopted_when_that_was_chosen() {
    let mut body = settings();
    body["adopt_existing"] = true.into();
    let office = Office::with(body).await;
    let desk = office.world.member(office.tenant, "desk@globex.example", Role::ReadOnly).await;
    let made = office.post(USERS, user("desk")).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let adopted = office.user(desk.user).await;
    assert_eq!((adopted.source, adopted.role), (Source::Directory, Role::ReadOnly));
    assert!(adopted.role_pinned, "what an administrator gave stays");
    assert_eq!(adopted.first_name.as_str(), "desk");
    // Never a super admin; nothing is written.
    let before = office.trail().await.len();
    assert_eq!(error(&office.post(USERS, user("boss")).await), (409, "uniqueness"));
    let boss = office.user(office.member.user).await;
    assert_eq!((boss.source, boss.role), (Source::Manual, Role::SuperAdmin));
    assert_eq!(office.trail().await.len(), before);
    // Never another directory's.
    let second = json!({"name": "Okta", "type": "scim", "adopt_existing": true});
    let second = office.console(CREATE, "", Some(second)).await;
    let token = second.at("/token");
    let asked = belfry_testkit::ask("POST /scim/v2/Users").bearer(token).json(user("desk"));
    let refused = asked.of(&office.app()).await;
    assert_eq!(error(&refused), (409, "uniqueness"));
}

#[tokio::test]
async fn nobody_is_refused_but_for_want_of_an_address() {
    let office = Office::new().await;
    let refused = office.post(USERS, json!({"userName": "ann"})).await;
    assert_eq!(error(&refused), (400, "invalidValue"));
    let made = office.post(USERS, json!({"userName": "Ann@globex.example"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let ann = office.user_at("ann@globex.example").await.unwrap();
    assert_eq!((ann.first_name.as_str(), ann.last_name.as_str()), ("ann", "-"));
    assert_eq!(
        error(&office.post(USERS, json!({"emails": ["a@b.example"]})).await),
        (400, "invalidValue")
    );
    let bad = office.ask("POST /scim/v2/Users").text("application/json", "{");
    assert_eq!(error(&bad.of(&office.app()).await), (400, "invalidSyntax"));
    let bad = office.ask("POST /scim/v2/Users").text("text/plain", "{}");
    assert_eq!(error(&bad.of(&office.app()).await), (415, ""));
}

#[tokio::test]
async fn off_and_on_again() {
    let office = Office::new().await;
    let id = office.made("ann").await;
    let idle = json!([{"op": "Replace", "path": "active", "value": "False"}]);
    let off = office.patch(USERS, &id, idle).await;
    assert_eq!((off.status, &off.json["active"]), (200, &json!(false)), "{}", off.text);
    let ann = office.user_at("ann@globex.example").await.unwrap();
    assert_eq!((ann.status, ann.sessions), (Status::Deactivated, 1));
    assert_eq!(office.get(USERS, &id).await.json["active"], false, "still there");
    let on = office.patch(USERS, &id, json!([{"op": "replace", "value": {"active": true}}])).await;
    assert_eq!(on.json["active"], true);
    assert_eq!(office.user_at("ann@globex.example").await.unwrap().status, Status::Active);
    // A change of nothing is no change.
    let (records, version) = (office.trail().await.len(), on.json["meta"]["lastModified"].clone());
    let again =
        office.patch(USERS, &id, json!([{"op": "replace", "value": {"active": true}}])).await;
    assert_eq!(again.json["meta"]["lastModified"], version);
    assert_eq!(office.trail().await.len(), records);
}

#[tokio::test]
async fn deleted_is_gone_and_the_address_is_free() {
    let office = Office::new().await;
    let id = office.made("ann").await;
    let staff = office.group("Staff", &[&id]).await;
    assert_eq!(office.delete(USERS, &id).await.status, 204);
    assert_eq!(error(&office.get(USERS, &id).await), (404, ""));
    assert_eq!(error(&office.delete(USERS, &id).await), (404, ""));
    assert_eq!(office.get(crate::GROUPS, &staff).await.json.get("members"), None);
    assert!(office.user_at("ann@globex.example").await.is_none());
    let gone = office.user(id.parse().unwrap()).await;
    assert_eq!((gone.status, gone.directory, gone.groups.len()), (Status::Archived, None, 0));
    let again = office.made("ann").await;
    assert_ne!(again, id);
}

#[tokio::test]
async fn another_address_is_another_user_under_the_same_id() {
    let office = Office::new().await;
    let id = office.made("ann").await;
    let staff = office.group("Desk", &[&id]).await;
    office.world.posted().await;
    let old = office.user_at("ann@globex.example").await.unwrap();
    let path = "emails[type eq \"work\"].value";
    let moved = json!([{"op": "replace", "path": path, "value": "ann.lee@globex.example"}]);
    let moved = office.patch(USERS, &id, moved).await;
    assert_eq!((moved.status, moved.at("/id")), (200, id.as_str()), "{}", moved.text);
    assert!(office.user_at("ann@globex.example").await.is_none());
    let new = office.user_at("ann.lee@globex.example").await.unwrap();
    assert_ne!(new.id, old.id);
    assert_eq!((new.role, new.status), (Role::HelpDesk, Status::Invited), "invited anew");
    assert_eq!(office.world.posted().await[0][0], "ann.lee@globex.example");
    assert_eq!(office.user(old.id).await.status, Status::Archived);
    // It stays in its groups, and is followed from now on.
    assert_eq!(office.get(crate::GROUPS, &staff).await.json["members"][0]["value"], id);
    let renamed = json!([{"op": "replace", "path": "name.givenName", "value": "Anna"}]);
    office.patch(USERS, &id, renamed).await;
    let new = office.user_at("ann.lee@globex.example").await.unwrap();
    assert_eq!(new.first_name.as_str(), "Anna");
    // Upper case is no other address.
    let same = json!([{"op": "replace", "path": path, "value": "Ann.Lee@GLOBEX.example"}]);
    assert_eq!(office.patch(USERS, &id, same).await.status, 200);
    assert_eq!(office.user_at("ann.lee@globex.example").await.unwrap().id, new.id);
}

#[tokio::test]
async fn another_directorys_and_another_tenants_are_unknown() {
    let office = Office::new().await;
    let id = office.made("ann").await;
    let second = json!({"name": "Okta", "type": "scim"});
    let second = office.console(CREATE, "", Some(second)).await;
    let staff = office.group("Staff", &[&id]).await;
    let token = second.at("/token");
    for (route, id) in [
        ("GET /scim/v2/Users/{id}", &id),
        ("PUT /scim/v2/Users/{id}", &id),
        ("PATCH /scim/v2/Users/{id}", &id),
        ("DELETE /scim/v2/Users/{id}", &id),
        ("GET /scim/v2/Groups/{id}", &staff),
        ("PUT /scim/v2/Groups/{id}", &staff),
        ("PATCH /scim/v2/Groups/{id}", &staff),
        ("DELETE /scim/v2/Groups/{id}", &staff),
        ("GET /scim/v2/Users/{id}", &"no-id".to_owned()),
    ] {
        let body = json!({"userName": "x", "displayName": "x", "emails": ["x@globex.example"],
            "Operations": [{"op": "replace", "path": "displayName", "value": "y"}]});
        let asked = belfry_testkit::ask(route).path("id", id).bearer(token).json(body);
        let answer = asked.of(&office.app()).await;
        assert_eq!(error(&answer), (404, ""), "{route}");
    }
    let none = office.ask("GET /scim/v2/Users").bearer(token).of(&office.app()).await;
    assert_eq!(none.json["totalResults"], 0);
}
