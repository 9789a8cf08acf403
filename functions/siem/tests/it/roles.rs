//! Who may do what, with which proof, and to whose destinations.

use crate::{
    CHANGE, CREATE, DELETE, LIST, Office, PREVIEW, READ, REPLAY, RESUME, STATISTICS, TEST,
    TEST_UNSAVED, body, but, unknown_id,
};
use belfry_domain::account::Role;
use belfry_testkit::{Ask, ask};
use serde_json::json;

/// A right request for each route.
fn requests(id: &str) -> [(Ask, u16); 12] {
    let about = |route: &str| ask(route).path("id", id);
    [
        (ask("GET /siem/event-types"), 200),
        (ask(LIST), 200),
        (about(READ), 200),
        (about(STATISTICS), 200),
        (about(PREVIEW), 200),
        (ask(CREATE).json(body("webhook")), 201),
        (ask(TEST_UNSAVED).json(body("webhook")), 200),
        (about(TEST), 200),
        (about(REPLAY).json(json!({"stream": "CONSOLE/0", "from_sequence": 1})), 202),
        (about(RESUME), 200),
        (about(CHANGE).json(but(body("webhook"), json!({"version": 1}))), 200),
        (about(DELETE), 204),
    ]
}

/// Those that everybody may see come first.
const READS: usize = 5;

#[tokio::test]
async fn admins_do_all_and_others_read() {
    for role in Role::ALL {
        let office = Office::new().await;
        office.made(body("pull")).await;
        let id = office.made_id(body("webhook")).await;
        let member = office.world.member(office.tenant, "own@globex.example", role).await;
        let token = office.world.token(&member).await;
        let before = office.actions().await.len();
        for (n, (ask, good)) in requests(&id).into_iter().enumerate() {
            let answer = ask.clone().bearer(&token).of(&office.app()).await;
            let expected = match role {
                Role::SuperAdmin | Role::Admin => good,
                Role::HelpDesk | Role::ReadOnly if n < READS => good,
                Role::HelpDesk | Role::ReadOnly => 403,
                Role::User => 401,
            };
            assert_eq!(answer.status, expected, "{role:?} {ask:?}: {}", answer.text);
            if expected == 403 {
                assert_eq!(answer.verdict(), (403, "forbidden"));
            }
            assert_eq!(ask.of(&office.app()).await.verdict(), (401, "unauthenticated"));
        }
        if !matches!(role, Role::SuperAdmin | Role::Admin) {
            assert_eq!(office.actions().await.len(), before, "{role:?} changed something");
            assert_eq!(office.receiver.arrived().len(), 0, "{role:?} sent something");
        }
    }
}

#[tokio::test]
async fn changes_want_a_fresh_proof() {
    let office = Office::new().await;
    office.made(body("pull")).await;
    let id = office.made_id(body("webhook")).await;
    let (session, _) = office.world.session(&office.member).await;
    office.world.wait(601);
    let token = office.world.token_of(&session);
    for (n, (ask, good)) in requests(&id).into_iter().enumerate() {
        let answer = ask.bearer(&token).of(&office.app()).await;
        let changes = matches!(n, 5 | 10 | 11);
        let expected = if changes { (403, "confirmation_required") } else { (good, "") };
        assert_eq!(answer.verdict(), expected, "{n}: {}", answer.text);
    }
    assert_eq!(office.get(READ, &id).await.status, 401, "the token itself lives 5 minutes");
}

#[tokio::test]
async fn what_is_unknown_or_anothers_does_not_exist() {
    let office = Office::new().await;
    let id = office.made_id(body("webhook")).await;
    let other = office.neighbour().await;
    let before = office.world.db.dump_of(&format!("T#{}", office.tenant));
    let unknown = unknown_id(&office);
    for id in [&id, &unknown, "dst_1", "x", "usr_0193a5b0c0de7000800000000000abcd"] {
        for (ask, _) in
            requests(id).into_iter().filter(|(ask, _)| format!("{ask:?}").contains("{id}"))
        {
            let answer = ask.bearer(&other.token).of(&office.app()).await;
            assert_eq!(answer.verdict(), (404, "not_found"), "{id}");
        }
    }
    let listed = other.ask(LIST).of(&office.app()).await;
    assert_eq!(listed.json["items"], json!([]));
    assert_eq!(office.world.db.dump_of(&format!("T#{}", office.tenant)), before);
    assert_eq!(office.receiver.arrived().len(), 0);
}
