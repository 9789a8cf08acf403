//! Who may read and who may change.

use crate::{House, fixed};
use belfry_domain::account::Role;
use belfry_testkit::ask;
use serde_json::json;

#[tokio::test]
async fn all_roles_of_the_console_read_and_admins_change() {
    let house = House::new().await;
    let tag = house.fixed("Team", &["a"]).await;
    let crm = house.application("CRM").await;
    let when = json!({"attribute": "role", "eq": "admin"});
    let own = [("id", tag["id"].as_str().unwrap()), ("id", crm["id"].as_str().unwrap())];
    let reads = [
        ask("GET /tags"),
        ask("GET /tags/{id}").path("id", own[0].1),
        ask("GET /tags/{id}/members").path("id", own[0].1),
        ask("POST /tags/preview").json(json!({"applies_to": "users", "when": when})),
        ask("GET /applications"),
        ask("GET /applications/{id}").path("id", own[1].1),
    ];
    let user = house.admin.user.to_string();
    let changes = [
        ask("POST /tags").json(fixed("Other", &["a"])),
        ask("PUT /tags/{id}").path("id", own[0].1).json(json!({"values": ["b"], "version": 1})),
        ask("DELETE /tags/{id}").path("id", own[0].1),
        ask("POST /tags/{id}/members")
            .path("id", own[0].1)
            .json(json!({"value": "a", "ids": [user]})),
        ask("POST /tags/{id}/members")
            .path("id", own[0].1)
            .json(json!({"value": "a", "filter": {}})),
        ask("DELETE /tags/{id}/members")
            .path("id", own[0].1)
            .query("value", "a")
            .query("all", true),
        ask("POST /applications").json(json!({"name": "X", "host": "x"})),
        ask("PUT /applications/{id}")
            .path("id", own[1].1)
            .json(json!({"name": "X", "host": "x", "version": 1})),
        ask("DELETE /applications/{id}").path("id", own[1].1),
    ];
    let strip = |dump: Vec<serde_json::Value>| {
        // A denial is written down, which is no change.
        dump.into_iter().filter(|item| item["et"]["S"] != "access").collect::<Vec<_>>()
    };
    for asked in reads.iter().chain(&changes) {
        assert_eq!(house.asked(asked.clone()).await.status, 401);
    }
    for role in [Role::HelpDesk, Role::ReadOnly] {
        let email = format!("{}@globex.example", role.name().replace('_', "-"));
        let member = house.world.member(house.tenant, &email, role).await;
        let token = house.world.token(&member).await;
        let before = strip(house.dump());
        for asked in &reads {
            let answer = house.asked(asked.clone().bearer(&token)).await;
            assert_eq!(answer.status, 200, "{role:?} {}", answer.text);
        }
        for asked in &changes {
            let answer = house.asked(asked.clone().bearer(&token)).await;
            assert_eq!(answer.status, 403, "{role:?} {}", answer.text);
        }
        assert_eq!(strip(house.dump()), before);
    }
}
