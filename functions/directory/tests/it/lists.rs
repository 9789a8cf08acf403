//! Lists: filters, pages, and what is answered of each.

use crate::{GROUPS, Office, USERS, error};
use serde_json::{Value, json};

fn names(answer: &belfry_testkit::Answer) -> Vec<String> {
    let list = answer.json["Resources"].as_array().unwrap();
    let name = |one: &Value| {
        let name = one["userName"].as_str().or(one["displayName"].as_str());
        name.unwrap().to_owned()
    };
    let mut names: Vec<_> = list.iter().map(name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn who_is_wanted_is_found() {
    let office = Office::new().await;
    let ann = office.made("ann").await;
    let bob = office.made("bob").await;
    office.patch(USERS, &bob, json!([{"op": "replace", "path": "active", "value": false}])).await;
    for (filter, expected) in [
        ("userName eq \"ANN\"".to_owned(), vec!["ann"]),
        ("userName eq \"nobody\"".to_owned(), vec![]),
        ("externalId eq \"x-bob\"".to_owned(), vec!["bob"]),
        ("externalId eq \"X-BOB\"".to_owned(), vec![]),
        (format!("id eq \"{ann}\""), vec!["ann"]),
        ("id eq \"usr_1\"".to_owned(), vec![]),
        ("emails[type eq \"work\"].value eq \"Ann@globex.example\"".to_owned(), vec!["ann"]),
        ("emails.value eq \"nobody@globex.example\"".to_owned(), vec![]),
        ("userName eq \"ann\" and active eq false".to_owned(), vec![]),
        ("active eq true".to_owned(), vec!["ann"]),
        ("not (active eq true)".to_owned(), vec!["bob"]),
        ("userName sw \"a\" or userName ew \"B\"".to_owned(), vec!["ann", "bob"]),
        ("name.familyName co \"qvist\"".to_owned(), vec!["ann", "bob"]),
        ("meta.created gt \"2030-01-01T00:00:00Z\"".to_owned(), vec![]),
        ("nickName pr".to_owned(), vec![]),
    ] {
        let found = office.find(USERS, &filter).await;
        assert_eq!(found.status, 200, "{filter}: {}", found.text);
        assert_eq!(names(&found), expected, "{filter}");
        assert_eq!(found.json["totalResults"], expected.len(), "{filter}");
    }
    let bad = office.find(USERS, "userName eq").await;
    assert_eq!(error(&bad), (400, "invalidFilter"));
    assert!(bad.at("/detail").contains("byte"), "{}", bad.text);
    let staff = office.group("Staff", &[&ann]).await;
    for filter in [
        "displayName eq \"STAFF\"".to_owned(),
        format!("members.value eq \"{ann}\""),
        format!("members[value eq \"{ann}\"]"),
        format!("id eq \"{staff}\""),
        "displayName co \"taf\"".to_owned(),
    ] {
        assert_eq!(names(&office.find(GROUPS, &filter).await), ["Staff"], "{filter}");
    }
    let none = format!("members.value eq \"{bob}\"");
    assert_eq!(names(&office.find(GROUPS, &none).await), [""; 0]);
}

#[tokio::test]
async fn pages_and_parts() {
    let office = Office::new().await;
    for n in 0..7 {
        office.made(&format!("u{n}")).await;
    }
    let page = async |query: &[(&str, &str)]| {
        let asked = query
            .iter()
            .fold(office.ask("GET /scim/v2/Users"), |ask, (name, value)| ask.query(name, value));
        asked.of(&office.app()).await
    };
    let first = page(&[("startIndex", "1"), ("count", "1")]).await;
    assert_eq!((&first.json["totalResults"], &first.json["itemsPerPage"]), (&json!(7), &json!(1)));
    let mut all = Vec::new();
    for start in ["1", "4", "7", "10"] {
        let page = page(&[("startIndex", start), ("count", "3")]).await;
        assert_eq!(page.json["totalResults"], 7);
        all.extend(names(&page));
    }
    all.sort();
    assert_eq!(all, (0..7).map(|n| format!("u{n}")).collect::<Vec<_>>());
    let none = page(&[("count", "0")]).await;
    assert_eq!((&none.json["totalResults"], &none.json["Resources"]), (&json!(7), &json!([])));
    let filtered =
        page(&[("filter", "userName sw \"u\""), ("startIndex", "6"), ("count", "5")]).await;
    assert_eq!(names(&filtered).len(), 2);
    assert_eq!(filtered.json["totalResults"], 7);
    let part = page(&[("attributes", "userName"), ("count", "1")]).await;
    let one = part.json["Resources"][0].as_object().unwrap();
    assert_eq!(one.keys().collect::<Vec<_>>(), ["id", "schemas", "userName"]);
    let less = page(&[("excludedAttributes", "emails,name"), ("count", "1")]).await;
    assert_eq!(less.json["Resources"][0].get("emails"), None);
    assert_eq!(error(&page(&[("count", "x")]).await), (400, "invalidValue"));
}

#[tokio::test]
async fn the_server_says_what_it_is() {
    let office = Office::new().await;
    for (route, id, key) in [
        ("GET /scim/v2/ServiceProviderConfig", "", "/patch/supported"),
        ("GET /scim/v2/ResourceTypes", "", "/Resources/1/name"),
        ("GET /scim/v2/ResourceTypes/{id}", "Group", "/endpoint"),
        ("GET /scim/v2/Schemas", "", "/Resources/2/id"),
        ("GET /scim/v2/Schemas/{id}", "urn:ietf:params:scim:schemas:core:2.0:User", "/name"),
    ] {
        let said = office.scim(route, id, None).await;
        assert_eq!(said.status, 200);
        assert!(said.json.pointer(key).is_some(), "{route}: {}", said.text);
    }
    let none = office.scim("GET /scim/v2/Schemas/{id}", "urn:x", None).await;
    assert_eq!(error(&none), (404, ""));
}
