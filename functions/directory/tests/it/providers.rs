//! Identity providers at the console: made, changed, their tokens, deleted.

use crate::{CHANGE, CREATE, Office, READ, USERS, error, settings, user};
use belfry_domain::account::{Role, Source, Status};
use belfry_testkit::ask;
use serde_json::{Value, json};

const TOKEN: &str = "POST /identity-providers/{id}/token";
const DELETE: &str = "DELETE /identity-providers/{id}";

async fn works(office: &Office, token: &str) -> u16 {
    let asked = ask("GET /scim/v2/Users").bearer(token);
    asked.of(&office.app()).await.status
}

#[tokio::test]
async fn a_token_is_shown_once_and_only_its_hash_is_kept() {
    let office = Office::new().await;
    assert!(office.token.starts_with("bfs_"));
    let secret = office.token.rsplit('_').next().unwrap();
    assert!(!office.world.db.holds(secret));
    let shown = office.console(READ, &office.provider, None).await;
    assert_eq!(shown.json.get("token"), None);
    assert_eq!(shown.at("/scim_url"), "https://api.example/v1/scim/v2");
    assert_eq!(shown.at("/state"), "active");
    assert_eq!(shown.json["mapping"]["title"], "title");
    let listed = office.console("GET /identity-providers", "", None).await;
    assert_eq!(listed.json["items"][0], shown.json);
    let record = office.trail().await.remove(0);
    assert_eq!(record["action"], "provider.create");
    assert!(!record.to_string().contains(secret));
}

#[tokio::test]
async fn every_fault_of_a_body_is_named() {
    let office = Office::new().await;
    let bad = json!({"name": "", "type": "scim", "mapping": {"x": "title", "title": "emails"},
        "group_roles": [{"group": "", "role": "super_admin"}, {"group": "x", "role": "boss"}]});
    let refused = office.console(CREATE, "", Some(bad)).await;
    assert_eq!(refused.status, 422);
    let mut faults = refused.faults();
    faults.sort_unstable();
    assert_eq!(
        faults,
        [
            ("/group_roles/0/group", "required"),
            ("/group_roles/0/role", "role_not_allowed"),
            ("/group_roles/1/role", "invalid"),
            ("/mapping/title", "unknown_attribute"),
            ("/mapping/x", "unknown_attribute"),
            ("/name", "required"),
        ]
    );
    let unknown = json!({"name": "x", "type": "saml"});
    let refused = office.console(CREATE, "", Some(unknown)).await;
    assert_eq!(refused.faults(), [("/type", "invalid")]);
    let named = json!({"name": "ENTRA id", "type": "scim"});
    assert_eq!(office.console(CREATE, "", Some(named)).await.verdict(), (409, "name_taken"));
    for n in 0..4 {
        let more = json!({"name": format!("p{n}"), "type": "scim"});
        assert_eq!(office.console(CREATE, "", Some(more)).await.status, 201);
    }
    let sixth = json!({"name": "six", "type": "scim"});
    assert_eq!(office.console(CREATE, "", Some(sixth)).await.verdict(), (409, "provider_limit"));
    let mut stale = settings();
    stale["version"] = 7.into();
    let stale = office.console(CHANGE, &office.provider, Some(stale)).await;
    assert_eq!(stale.verdict(), (409, "version_conflict"));
    let mut taken = settings();
    (taken["name"], taken["version"]) = ("P1".into(), 1.into());
    let taken = office.console(CHANGE, &office.provider, Some(taken)).await;
    assert_eq!(taken.verdict(), (409, "name_taken"));
    let none = office.console(DELETE, &office.provider, None).await;
    assert_eq!(none.faults(), [("?users", "required")]);
}

#[tokio::test]
async fn a_repeat_of_the_request_makes_nothing() {
    let office = Office::new().await;
    let body = json!({"name": "Okta", "type": "scim"});
    let asked = ask(CREATE).bearer(&office.access).header("Idempotency-Key", "k").json(body);
    assert_eq!(asked.clone().of(&office.app()).await.status, 201);
    assert_eq!(asked.of(&office.app()).await.verdict(), (409, "already_created"));
}

#[tokio::test]
async fn two_tokens_overlap_as_long_as_it_was_said() {
    let office = Office::new().await;
    let rotate = async |body: Value| {
        let made = office.console(TOKEN, &office.provider, Some(body)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.at("/token").to_owned()
    };
    let second = rotate(json!({"overlap_hours": 2})).await;
    assert_eq!((works(&office, &office.token).await, works(&office, &second).await), (200, 200));
    office.world.wait(2 * 3600 - 1);
    assert_eq!(works(&office, &office.token).await, 200);
    office.world.wait(1);
    assert_eq!((works(&office, &office.token).await, works(&office, &second).await), (401, 200));
    let access = office.world.token(&office.member).await;
    let office = Office { access, ..office };
    let rotate = async |body: Value| {
        let made = office.console(TOKEN, &office.provider, Some(body)).await;
        made.at("/token").to_owned()
    };
    // There are never more than two.
    let third = rotate(json!({})).await;
    let fourth = rotate(json!({})).await;
    let all = [&second, &third, &fourth];
    let mut answers = Vec::new();
    for token in all {
        answers.push(works(&office, token).await);
    }
    assert_eq!(answers, [401, 200, 200]);
    let fifth = rotate(json!({"overlap_hours": 0})).await;
    assert_eq!((works(&office, &fourth).await, works(&office, &fifth).await), (401, 200));
    let long = office.console(TOKEN, &office.provider, Some(json!({"overlap_hours": 169}))).await;
    assert_eq!(long.faults(), [("/overlap_hours", "out_of_range")]);
}

#[tokio::test]
async fn nobody_else_gets_in() {
    let office = Office::new().await;
    let flipped = format!("{}A", &office.token[..office.token.len() - 1]);
    let other = if flipped == office.token { "bfs_".to_owned() } else { flipped };
    for token in ["", "x", &other, &office.token.replace("bfs", "bfc"), &office.access] {
        let asked = ask("GET /scim/v2/Users").bearer(token);
        let answer = asked.of(&office.app()).await;
        assert_eq!(error(&answer), (401, ""));
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let none = ask("GET /scim/v2/Users").of(&office.app()).await;
    assert_eq!(error(&none), (401, ""));
    // Nor does a directory at the console.
    let console = ask("GET /identity-providers").bearer(&office.token).of(&office.app()).await;
    assert_eq!(console.status, 401);
    let mut off = settings();
    (off["enabled"], off["version"]) = (false.into(), 1.into());
    assert_eq!(office.console(CHANGE, &office.provider, Some(off)).await.status, 200);
    assert_eq!(error(&office.post(USERS, user("ann")).await), (403, ""));
}

#[tokio::test]
async fn the_deleted_one_is_heard_no_more_and_its_users_go() {
    let office = Office::new().await;
    let ann = office.made("ann").await;
    office.made("bob").await;
    office.group("Desk", &[&ann]).await;
    office.world.change(&office.member, |_| {}).await;
    let asked = ask(DELETE).path("id", &office.provider).query("users", "archive");
    let gone = asked.bearer(&office.access).of(&office.app()).await;
    assert_eq!((gone.status, gone.at("/state")), (202, "deleting"), "{}", gone.text);
    assert_eq!(works(&office, &office.token).await, 401);
    let again = office.console(TOKEN, &office.provider, Some(json!({}))).await;
    assert_eq!(again.verdict(), (409, "provider_deleting"));
    office.sweep().await;
    assert_eq!(office.console(READ, &office.provider, None).await.status, 404);
    for name in ["ann", "bob"] {
        assert!(office.user_at(&format!("{name}@globex.example")).await.is_none());
    }
    let left = office.world.db.dump_of(&format!("T#{}#D#", office.tenant));
    assert!(left.is_empty(), "{left:?}");
    // Its name is free.
    assert_eq!(office.console(CREATE, "", Some(settings())).await.status, 201);
}

#[tokio::test]
async fn its_users_stay_when_that_was_chosen() {
    let office = Office::new().await;
    let ann = office.made("ann").await;
    office.group("Desk", &[&ann]).await;
    let asked = ask(DELETE).path("id", &office.provider).query("users", "keep_as_manual");
    assert_eq!(asked.bearer(&office.access).of(&office.app()).await.status, 202);
    office.sweep().await;
    let ann = office.user_at("ann@globex.example").await.unwrap();
    assert_eq!((ann.source, ann.directory), (Source::Manual, None));
    assert_eq!((ann.role, ann.status), (Role::HelpDesk, Status::Invited));
    assert!(ann.groups.is_empty());
    assert_eq!(office.console(READ, &office.provider, None).await.status, 404);
}
