use crate::{app, app_over, grant, member, statuses};
use belfry_domain::account::Role;
use belfry_domain::audit::{Access, AccessKind, Entry, Outcome};
use belfry_domain::id::{AuditId, TenantId, UserId};
use belfry_domain::policy::{Action, Grant, Origin};
use belfry_store::transaction::Transaction;
use belfry_testkit::gate::Open;
use belfry_testkit::{Answer, Ask, SeededEntropy, World, ask};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

fn list(token: &str) -> Ask {
    ask("GET /audit").bearer(token)
}

async fn change(world: &World, grant: &Grant, entry: &Entry, at: Timestamp) {
    let nothing = Transaction::new();
    world.table().commit(grant, entry, nothing, at, world.entropy.as_ref()).await.unwrap();
}

fn access(world: &World, kind: AccessKind, user: Option<UserId>, at: Timestamp) -> Access {
    let origin = Origin { request_id: "r".to_owned(), source_address: Some("192.0.2.1".into()) };
    Access::new(kind, Outcome::Failure, user, &origin, at, world.entropy.as_ref())
}

#[tokio::test]
async fn a_row_says_who_did_what_to_what() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let help = world.member(tenant, "help@globex.example", Role::HelpDesk).await;
    let token = world.token(&ann).await;
    let grant = grant(&world, &ann, Action::ChangeSettings).await;
    let entry = Entry::about("thing", &7)
        .set("a", 1)
        .changed("b", "x", Value::Null)
        .personal("email", "eve@globex.example");
    change(&world, &grant, &entry, world.now()).await;
    world.wait(1);
    change(&world, &grant, &Entry::about("thing", &8), world.now()).await;
    world.wait(1);
    let failed = access(&world, AccessKind::Login, None, world.now());
    world.table().note_access(Some(tenant), &failed).await.unwrap();
    world.wait(1);
    let denied = list(&world.token(&help).await).of(&app(&world)).await;
    assert_eq!(denied.verdict(), (403, "forbidden"));

    let mut page = list(&token).of(&app(&world)).await.json;
    assert_eq!(page["next_cursor"], Value::Null);
    let rows = page["items"].as_array_mut().unwrap().iter_mut();
    let ids: Vec<_> = rows.map(|row| row["id"].take()).collect();
    assert_eq!(ids[1], failed.id.to_string());
    assert!(ids.iter().all(|id| id.as_str().unwrap().parse::<AuditId>().is_ok()));
    let person = |id, role| json!({"kind": "person", "id": id, "role": role});
    let row = |sequence: Option<u64>, second: u32, actor: Value, more: Value| {
        let mut row = json!({
            "id": null, "sequence": sequence, "at": format!("2026-11-22T12:00:0{second}.000Z"),
            "actor": actor, "source_address": "203.0.113.50", "request_id": "a request",
            "action": "settings.change", "entity": null, "outcome": "success", "changes": [],
            "personal": null,
        });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    let expected = json!([
        row(
            None,
            3,
            person(help.user, None::<&str>),
            json!({"action": "audit.read",
            "outcome": "denied", "source_address": "203.0.113.9",
            "request_id": "5f1e8f0a-0000-4000-8000-000000000001"})
        ),
        row(
            None,
            2,
            Value::Null,
            json!({"action": "session.login", "outcome": "failure",
            "source_address": "192.0.2.1", "request_id": "r"})
        ),
        row(
            Some(2),
            1,
            person(ann.user, Some("admin")),
            json!({
            "entity": {"kind": "thing", "id": "8"}})
        ),
        row(
            Some(1),
            0,
            person(ann.user, Some("admin")),
            json!({
            "entity": {"kind": "thing", "id": "7"},
            "changes": [{"field": "a", "from": null, "to": 1},
                        {"field": "b", "from": "x", "to": null}],
            "personal": {"email": "eve@globex.example"}})
        ),
    ]);
    assert_eq!(page["items"], expected);

    // What was erased is no longer shown, and nothing of another tenant ever.
    let gone = belfry_store::keys::audit_personal(tenant, 1);
    let table = world.table();
    let key = belfry_store::table::key_item(&gone);
    let delete = table.client().delete_item().table_name(table.name()).set_key(Some(key));
    delete.send().await.unwrap();
    let row = &list(&token).of(&app(&world)).await.json["items"][3];
    assert_eq!((&row["personal"], &row["source_address"]), (&Value::Null, &Value::Null));
    let (_, other) = member(&world, "Initech", Role::SuperAdmin).await;
    assert_eq!(list(&other).of(&app(&world)).await.json["items"], json!([]));
}

#[tokio::test]
async fn what_the_back_office_did_has_its_name_in_the_erasable_part() {
    let world = World::new();
    let (tenant, token) = member(&world, "Globex", Role::ReadOnly).await;
    let office = belfry_domain::policy::BackOffice {
        operator: "Kim".parse().unwrap(),
        origin: Origin { request_id: "r".into(), source_address: None },
    };
    let grant = office.may(Action::CreateTenant, tenant).unwrap();
    change(&world, &grant, &Entry::about("tenant", &tenant), world.now()).await;
    let row = list(&token).of(&app(&world)).await.json["items"][0].take();
    assert_eq!(row["actor"], json!({"kind": "back_office", "id": null, "role": null}));
    assert_eq!(row["personal"], json!({"operator": "Kim"}));
}

/// A row of the oracle: what the filters look at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    id: String,
    at: i64,
    sequence: Option<u64>,
    actor: Option<String>,
    action: String,
    entity: Option<String>,
}

/// Everything that lies in the table, by its raw items.
fn known(world: &World, tenant: TenantId) -> Vec<Known> {
    let mut rows = Vec::new();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    for item in world.db.dump_of(&format!("T#{tenant}#A")) {
        match item["et"]["S"].as_str().unwrap() {
            "audit" => {
                let record: Value =
                    serde_json::from_str(item["text"]["S"].as_str().unwrap()).unwrap();
                rows.push(Known {
                    id: text(&record["id"]).unwrap(),
                    at: record["at"].as_i64().unwrap(),
                    sequence: record["sequence"].as_u64(),
                    actor: text(&record["actor"]["id"]),
                    action: text(&record["action"]).unwrap(),
                    entity: text(&record["entity"]["id"]),
                });
            }
            "access" => rows.push(Known {
                id: text(&item["id"]["S"]).unwrap(),
                at: item["at"]["N"].as_str().unwrap().parse().unwrap(),
                sequence: None,
                actor: text(&item["user"]["S"]),
                action: text(&item["denied"]["S"]).or(text(&item["action"]["S"])).unwrap(),
                entity: None,
            }),
            _ => {}
        }
    }
    // The latest first; of one time the change, the greater number, the greater id.
    rows.sort_by_key(|row| (row.at, row.sequence, row.id.clone()));
    rows.reverse();
    rows
}

/// Walks all pages.
async fn walk(world: &World, query: &[(&str, String)], limit: usize) -> (Vec<Value>, usize) {
    let (mut rows, mut pages, mut cursor) = (Vec::new(), 0, None);
    let (token, app) = (world.token(&reader(world)).await, app(world));
    loop {
        let mut ask = list(&token).query("limit", limit);
        for (name, value) in query {
            ask = ask.query(name, value);
        }
        if let Some(cursor) = &cursor {
            ask = ask.query("cursor", cursor);
        }
        let mut answer: Answer = ask.of(&app).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let items = answer.json["items"].as_array_mut().unwrap();
        assert!(items.len() <= limit);
        rows.append(items);
        pages += 1;
        match answer.json["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return (rows, pages),
        }
    }
}

/// A member that reads the trail of the one tenant of a world.
fn reader(world: &World) -> belfry_testkit::Member {
    let user = &world
        .db
        .dump()
        .into_iter()
        .find(|item| item["email"]["S"] == "ann@globex.example" && item["et"]["S"] == "user")
        .unwrap();
    let of = |name: &str| user[name]["S"].as_str().unwrap().to_owned();
    belfry_testkit::Member {
        identity: of("identity").parse().unwrap(),
        tenant: of("tenant").parse().unwrap(),
        user: of("id").parse().unwrap(),
        email: of("email").parse().unwrap(),
    }
}

/// Fills a trail with changes and accesses over 460 days, many of them at one millisecond.
async fn fill(world: &World, chance: &SeededEntropy) -> TenantId {
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::SuperAdmin).await;
    let bob = world.member(tenant, "bob@globex.example", Role::SuperAdmin).await;
    let mut grants = Vec::new();
    for member in [&ann, &bob] {
        for action in [Action::ChangeSettings, Action::DeleteEndpoint] {
            grants.push(grant(world, member, action).await);
        }
    }
    let mut at = world.now() - SignedDuration::from_hours(24 * 460);
    let mut notes = Vec::new();
    let end = world.now() - SignedDuration::from_hours(24);
    while at < end {
        for _ in 0..chance.below(3) {
            let entry = Entry::about("thing", &chance.below(3)).personal("n", chance.below(9));
            change(world, &grants[chance.below(4)], &entry, at).await;
        }
        for _ in 0..chance.below(3) {
            let user = [None, Some(ann.user), Some(bob.user)][chance.below(3)];
            let kind = [AccessKind::Login, AccessKind::Denied][chance.below(2)];
            let mut note = access(world, kind, user, at);
            if kind == AccessKind::Denied {
                note.denied = Some("endpoint.delete".to_owned());
            }
            notes.push((Some(tenant), note));
        }
        let steps = [0, 1, 999, 60_000, 86_400_000, 9 * 86_400_000, 30 * 86_400_000];
        at += SignedDuration::from_millis(steps[chance.below(steps.len())]);
    }
    world.table().note_accesses(&notes).await.unwrap();
    tenant
}

#[tokio::test]
async fn all_pages_of_any_size_and_filter_are_the_whole_list_once() {
    for seed in 0..3 {
        let world = World::new();
        let chance = SeededEntropy::new(seed);
        let tenant = fill(&world, &chance).await;
        let all = known(&world, tenant);
        let oldest = (world.now() - SignedDuration::from_hours(24 * 400)).as_millisecond();
        assert!(all.iter().any(|row| row.at <= oldest) && all.len() > 80, "{}", all.len());
        for round in 0..30 {
            let row = &all[chance.below(all.len())];
            let mut query = Vec::new();
            let mut wanted = all.clone();
            wanted.retain(|row| row.at > oldest);
            if chance.below(3) == 0 {
                let actor =
                    row.actor.clone().unwrap_or_else(|| "usr_".to_owned() + &"0".repeat(32));
                wanted.retain(|row| row.actor.as_ref() == Some(&actor));
                query.push(("actor", actor));
            }
            if chance.below(3) == 0 {
                wanted.retain(|other| other.action == row.action);
                query.push(("action", row.action.clone()));
            }
            if chance.below(4) == 0 {
                let entity = row.entity.clone().unwrap_or_else(|| "none".to_owned());
                wanted.retain(|row| row.entity.as_ref() == Some(&entity));
                query.push(("entity", entity));
            }
            let moment = |ms: i64| Timestamp::from_millisecond(ms).unwrap();
            if chance.below(3) == 0 {
                let from = all[chance.below(all.len())].at;
                wanted.retain(|row| row.at >= from);
                query.push(("from", moment(from).to_string()));
            }
            if chance.below(3) == 0 {
                // Half a millisecond later, so that the row itself is shown.
                let to = moment(all[chance.below(all.len())].at) + SignedDuration::from_micros(500);
                wanted.retain(|row| moment(row.at) < to);
                query.push(("to", to.to_string()));
            }
            let limit = [1, 2, 3, 7, 50, 200][chance.below(6)];
            let (rows, _) = walk(&world, &query, limit).await;
            let found: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
            let wanted: Vec<_> = wanted.iter().map(|row| row.id.as_str()).collect();
            assert_eq!(found, wanted, "seed {seed}, round {round}: {query:?} by {limit}");
        }
    }
}

#[tokio::test]
async fn clocks_that_differ_lose_and_repeat_nothing() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let grant = grant(&world, &ann, Action::ChangeSettings).await;
    let now = world.now();
    let seconds = [-100, -90, -95, -80, -110, -70];
    for n in seconds {
        let at = now + SignedDuration::from_secs(n);
        change(&world, &grant, &Entry::about("thing", &n), at).await;
        let note = access(&world, AccessKind::Login, None, at);
        world.table().note_access(Some(tenant), &note).await.unwrap();
    }
    for limit in [1, 2, 5, 50] {
        let (rows, _) = walk(&world, &[], limit).await;
        let numbers: Vec<_> = rows.iter().filter_map(|row| row["sequence"].as_u64()).collect();
        assert_eq!((rows.len(), numbers), (12, vec![6, 5, 4, 3, 2, 1]), "{limit}");
    }
    // Those of a later number and an earlier time too.
    let from = (now - SignedDuration::from_secs(95)).to_string();
    let (rows, _) = walk(&world, &[("from", from)], 1).await;
    let numbers: Vec<_> = rows.iter().filter_map(|row| row["sequence"].as_u64()).collect();
    assert_eq!((rows.len(), numbers), (8, vec![6, 4, 3, 2]));
}

#[tokio::test]
async fn what_comes_while_somebody_reads_is_on_no_later_page() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let grant = grant(&world, &ann, Action::ChangeSettings).await;
    let note = async || {
        let note = access(&world, AccessKind::Login, None, world.now());
        world.table().note_access(Some(tenant), &note).await.unwrap();
    };
    change(&world, &grant, &Entry::about("thing", &1), world.now()).await;
    world.wait(1);
    note().await;
    let token = world.token(&ann).await;
    let first = list(&token).query("limit", 1).of(&app(&world)).await;
    assert_eq!(first.at("/items/0/action"), "session.login");
    world.wait(1);
    change(&world, &grant, &Entry::about("thing", &2), world.now()).await;
    note().await;
    let next = list(&token).query("limit", 1).query("cursor", first.at("/next_cursor"));
    let next = next.of(&app(&world)).await;
    assert_eq!(next.at("/items/0/entity/id"), "1", "{}", next.text);
    assert_eq!(list(&token).of(&app(&world)).await.json["items"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_filter_that_hits_little_reads_a_bounded_part_for_a_page() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let start = world.now() - SignedDuration::from_hours(1);
    let noise = |n: i64, kind| {
        let at = start + SignedDuration::from_millis(n);
        (Some(tenant), access(&world, kind, None, at))
    };
    let mut notes = vec![noise(0, AccessKind::Logout)];
    notes.extend((1..4_500).map(|n| noise(n, AccessKind::Login)));
    world.table().note_accesses(&notes).await.unwrap();
    let token = world.token(&ann).await;
    let transport = world.db.client("tenant", Open);
    let app = app_over(&world, transport.table());
    let mut cursor = None;
    for (page, expected) in [0, 0, 1].into_iter().enumerate() {
        transport.reset();
        let mut ask = list(&token).query("action", "session.logout");
        if let Some(cursor) = &cursor {
            ask = ask.query("cursor", cursor);
        }
        let answer = ask.of(&app).await;
        assert_eq!(answer.json["items"].as_array().unwrap().len(), expected, "{}", answer.text);
        assert_eq!(answer.json["next_cursor"].is_null(), page == 2);
        cursor = answer.json["next_cursor"].as_str().map(str::to_owned);
        let queries = transport.calls().iter().filter(|call| call.operation == "Query").count();
        assert!((1..=25).contains(&queries), "{queries}");
    }
}

#[tokio::test]
async fn quiet_months_are_read_side_by_side() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let long_ago = world.now() - SignedDuration::from_hours(24 * 390);
    let note = access(&world, AccessKind::Login, Some(ann.user), long_ago);
    world.table().note_access(Some(tenant), &note).await.unwrap();
    let (rows, pages) = walk(&world, &[], 50).await;
    assert_eq!((rows.len(), pages), (1, 1));
    assert_eq!(rows[0]["at"], belfry_api::answer::time(long_ago));
}

#[tokio::test]
async fn faulty_queries_and_cursors() {
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let token = world.token(&ann).await;
    for (name, value) in [
        ("actor", "ann"),
        ("action", ""),
        ("entity", &"x".repeat(257)),
        ("from", "yesterday"),
        ("to", "2026-11-22"),
        ("limit", "201"),
        ("outcome", "denied"),
    ] {
        let answer = list(&token).query(name, value).of(&app(&world)).await;
        assert_eq!(answer.status, 422, "{name}: {}", answer.text);
        assert_eq!(answer.faults()[0].0, format!("?{name}"));
    }
    let bad = list(&token).query("cursor", "AAAA").of(&app(&world)).await;
    assert_eq!(bad.verdict(), (400, "cursor_invalid"));
    let grant = grant(&world, &ann, Action::ChangeSettings).await;
    for n in 0..3 {
        change(&world, &grant, &Entry::about("thing", &n), world.now()).await;
    }
    // A cursor is of its own filter, and of its own tenant's trail whoever shows it.
    let page = list(&token).query("limit", 1).of(&app(&world)).await;
    let cursor = page.at("/next_cursor");
    let other = list(&token).query("action", "x").query("cursor", cursor).of(&app(&world)).await;
    assert_eq!(other.verdict(), (400, "cursor_invalid"));
    let (_, theirs) = member(&world, "Initech", Role::Admin).await;
    let theirs = list(&theirs).query("cursor", cursor).of(&app(&world)).await;
    assert_eq!(theirs.json, json!({"items": [], "next_cursor": null}));
    // The far ends of time are no errors.
    for (from, to) in [
        ("-009999-01-03T00:00:00Z", "9999-12-30T00:00:00Z"),
        ("9999-12-30T00:00:00Z", "-009999-01-03T00:00:00Z"),
    ] {
        let answer = list(&token).query("from", from).query("to", to).of(&app(&world)).await;
        let rows = if from.starts_with('-') { 3 } else { 0 };
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json["items"].as_array().unwrap().len(), rows, "{}", answer.text);
    }
}

#[tokio::test]
async fn roles() {
    let world = World::new();
    for route in ["GET /audit", "GET /audit/verification"] {
        assert_eq!(statuses(&world, |ask| ask, route).await, [200, 200, 403, 200, 401], "{route}");
    }
}
