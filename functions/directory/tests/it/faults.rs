//! What dies midway leaves all of it or nothing, and many at once lose nothing.

use crate::{GROUPS, Office, USERS, user};
use belfry_testkit::{Call, Crash, Gate, Moment, Verdict};
use futures::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a repeat finds, whatever became of the first one.
async fn crashed(moment: Moment) {
    for at in 0.. {
        let office = Office::new().await;
        let ann = office.made("ann").await;
        let crash = Arc::new(Crash::new(at, moment));
        let broken = office.app_over(office.world.db.shared("dying", crash.clone()).table());
        let body = json!({"displayName": "Desk", "members": [{"value": ann}]});
        office.ask("POST /scim/v2/Groups").json(body.clone()).of(&broken).await;
        let found = office.find(GROUPS, "displayName eq \"Desk\"").await;
        let user = office.user_at("ann@globex.example").await.unwrap();
        let shown = office.get(USERS, &ann).await;
        let (there, role) = (found.json["totalResults"] == 1, user.role.name());
        let expected = if there { (1, "help_desk", true) } else { (0, "user", false) };
        let member = shown.json.get("groups").is_some();
        assert_eq!((user.groups.len(), role, member), expected, "call {at}");
        if !there {
            assert_eq!(office.post(GROUPS, body).await.status, 201, "call {at}");
        }
        if !crash.happened() {
            assert!(at > 5);
            return;
        }
    }
}

#[tokio::test]
async fn a_group_is_made_with_its_members_or_not_at_all() {
    crashed(Moment::Before).await;
    crashed(Moment::After).await;
}

/// Lets the others go on before each call: all of them are at it at the same time.
struct InTurn;

impl Gate for InTurn {
    fn before<'a>(&'a self, _: &'a Call) -> BoxFuture<'a, Verdict> {
        Box::pin(async {
            tokio::task::yield_now().await;
            Verdict::Proceed
        })
    }
}

#[tokio::test]
async fn many_writers_lose_nothing() {
    let office = Office::new().await;
    let calls = office.world.db.client("writers", InTurn);
    let table = calls.table();
    let app = office.app_over(table.clone());
    let one = |n: usize| {
        let (office, app) = (&office, &app);
        async move {
            for _ in 0..20 {
                let body = user(&format!("writer{n}"));
                let answer = office.ask("POST /scim/v2/Users").json(body).of(app).await;
                if answer.status == 201 {
                    return answer.at("/id").to_owned();
                }
                assert_eq!(answer.status, 503, "{}", answer.text);
            }
            unreachable!("a writer never got through")
        }
    };
    let ids = join_all((0..25).map(one)).await;
    // At most as often as each is tried; counted, as it is what many writers cost.
    let met = table.meter().take_rivals();
    assert!((1..25 * 10).contains(&met), "{met}");
    let staff = office.group("Staff", &[]).await;
    let join = |id: &String| {
        let body = json!({"Operations": [{"op": "add", "path": "members", "value": [id]}]});
        let (office, app, staff) = (&office, &app, &staff);
        async move {
            for _ in 0..20 {
                let asked = office.ask("PATCH /scim/v2/Groups/{id}").path("id", staff);
                let answer = asked.json(body.clone()).of(app).await;
                if answer.status == 200 {
                    return;
                }
                assert_eq!(answer.status, 503, "{}", answer.text);
            }
            unreachable!("a writer never got through")
        }
    };
    join_all(ids.iter().map(join)).await;
    let met = table.meter().take_rivals();
    assert!((1..25 * 20).contains(&met), "{met}");
    let group = office.get(GROUPS, &staff).await;
    assert_eq!(group.json["members"].as_array().unwrap().len(), 25);
    let all = office.ask("GET /scim/v2/Users").of(&office.app()).await;
    assert_eq!(all.json["totalResults"], 25);
    for n in 0..25 {
        let user = office.user_at(&format!("writer{n}@globex.example")).await.unwrap();
        assert_eq!(user.groups.len(), 1);
    }
    let trail = office.trail().await;
    let of = |action: &str| trail.iter().filter(|record| record["action"] == *action).count();
    assert_eq!((of("user.create"), of("group.change")), (25, 25));
    let numbers: Vec<_> = trail.iter().map(|record| record["sequence"].clone()).collect();
    assert_eq!(numbers, (1..=trail.len()).map(Value::from).collect::<Vec<_>>());
}
