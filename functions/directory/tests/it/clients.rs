//! What the directories of the field really send, from the first question on.

use crate::{GROUPS, Office, USERS, error};
use belfry_domain::account::Status;
use serde_json::json;

#[tokio::test]
async fn okta() {
    let office = Office::new().await;
    // Its test of the connection, and whether it knows somebody.
    let asked = office.ask("GET /scim/v2/Users").query("startIndex", "1").query("count", "1");
    let list = asked.of(&office.app()).await;
    assert_eq!((list.status, &list.json["totalResults"]), (200, &json!(0)));
    let none = office.find(USERS, "userName eq \"test.user@globex.example\"").await;
    assert_eq!((none.status, &none.json["Resources"]), (200, &json!([])));
    let unknown = office.get(USERS, "00u1").await;
    assert_eq!(error(&unknown), (404, ""));
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "test.user@globex.example",
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": true, "value": "test.user@globex.example", "type": "work",
                    "display": "x"}],
        "displayName": "Test User",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": true,
    });
    let made = office.ask("POST /scim/v2/Users").json(body.clone()).of(&office.app()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    for echoed in ["userName", "name", "displayName", "locale", "externalId", "active"] {
        assert_eq!(made.json[echoed], body[echoed], "{echoed}");
    }
    assert_eq!(made.json.get("password"), None);
    let id = made.at("/id");
    let again = office.post(USERS, body.clone()).await;
    assert_eq!(error(&again), (409, "uniqueness"));
    // It deactivates by PUT and never deletes; people return by another POST.
    let mut off = body.clone();
    off["active"] = false.into();
    assert_eq!(office.put(USERS, id, off).await.json["active"], false);
    let user = office.user_at("test.user@globex.example").await.unwrap();
    assert_eq!(user.status, Status::Deactivated);
    let back = office.post(USERS, body).await;
    assert_eq!((back.status, back.at("/id"), &back.json["active"]), (201, id, &json!(true)));
    let user = office.user_at("test.user@globex.example").await.unwrap();
    assert_eq!(user.status, Status::Active);
    let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "Test SCIMv2", "members": []});
    let group = office.post(GROUPS, group).await;
    let members = json!([{"op": "add", "path": "members",
        "value": [{"value": id, "display": "test.user@globex.example"}]}]);
    let told = office.patch(GROUPS, group.at("/id"), members).await;
    assert_eq!(told.json["members"][0]["value"], id);
}

#[tokio::test]
async fn entra_id() {
    let office = Office::new().await;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let none = office.find(USERS, "externalId eq \"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef\"").await;
    assert_eq!(none.json["totalResults"], 0);
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", enterprise],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": "Test_User@contoso.example",
        "active": true,
        "addresses": [{"type": "work", "country": "US"}],
        "displayName": "lennay",
        "emails": [{"type": "work", "value": "lennay@contoso.example", "primary": true}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "givenName familyName", "familyName": "familyName",
                 "givenName": "givenName"},
        "roles": [],
        enterprise: {"department": "Sales"},
    });
    let made = office.post(USERS, body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.at("/id").to_owned();
    let found = office.find(USERS, "userName eq \"test_user@contoso.example\"").await;
    assert_eq!(found.json["Resources"][0]["id"], id);
    let filter = "emails[type eq \"work\"].value eq \"lennay@contoso.example\"";
    assert_eq!(office.find(USERS, filter).await.json["totalResults"], 1);
    // Several changes at once, with paths and without, one of them of what is not kept.
    let changes = json!([
        {"op": "Replace", "path": "name.givenName", "value": "Lennay"},
        {"op": "Add", "path": "addresses[type eq \"work\"].country", "value": "DE"},
        {"op": "Add", "path": format!("{enterprise}:department"), "value": "Research"},
        {"op": "Replace", "value": {"displayName": "Lennay F", "active": "True"}},
    ]);
    let answer = office.patch(USERS, &id, changes).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json[enterprise]["department"], "Research");
    let user = office.user_at("lennay@contoso.example").await.unwrap();
    assert_eq!(user.first_name.as_str(), "Lennay");
    // A manager, by the id that is known from here.
    let boss = office.made("boss2").await;
    let manager = json!([{"op": "Add", "path": format!("{enterprise}:manager"), "value": boss}]);
    assert_eq!(office.patch(USERS, &id, manager).await.status, 200);
    let user = office.user_at("lennay@contoso.example").await.unwrap();
    let manager = user.attributes.iter().find(|(name, _)| name.name() == "manager").unwrap();
    assert_eq!(manager.1.as_str(), "boss2");
    let group = office
        .post(
            GROUPS,
            json!({"displayName": "Staff",
        "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group",
            "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"]}),
        )
        .await;
    let group = group.at("/id");
    let add = json!([{"op": "Add", "path": "members",
        "value": [{"$ref": null, "value": id}, {"value": boss}]}]);
    assert_eq!(office.patch(GROUPS, group, add).await.status, 200);
    let asked = office.ask("GET /scim/v2/Groups/{id}").path("id", group);
    let less = asked.query("excludedAttributes", "members").of(&office.app()).await;
    assert_eq!((less.json.get("members"), less.at("/displayName")), (None, "Staff"));
    // Soft, then for good.
    let off = json!([{"op": "Replace", "path": "active", "value": "False"}]);
    assert_eq!(office.patch(USERS, &id, off).await.json["active"], false);
    assert_eq!(office.get(USERS, &id).await.status, 200);
    assert_eq!(office.delete(USERS, &id).await.status, 204);
    assert_eq!(office.get(USERS, &id).await.status, 404);
}
