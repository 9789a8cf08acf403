//! Adding, changing, deleting users: the answer, what is stored, and the record.

use crate::{app, app_over};
use belfry_domain::account::{
    Identity, MOST_USERS, Membership, Role, Source, Status, Tenant, User,
};
use belfry_domain::id::{TenantId, UserId};
use belfry_store::keys;
use belfry_testkit::{Answer, Ask, Member, Turnstile, World, ask, in_lockstep};
use serde_json::{Value, json};
use std::sync::Arc;

const CREATE: &str = "POST /users";
const CHANGE: &str = "PATCH /users/{id}";
const DELETE: &str = "DELETE /users/{id}";
const INVITE: &str = "POST /users/{id}/activation";

/// A tenant with a super admin, and the super admin's token.
pub(crate) async fn globex(world: &World) -> (TenantId, Member, String) {
    let tenant = world.tenant("Globex").await;
    let boss = world.member(tenant, "boss@globex.example", Role::SuperAdmin).await;
    let token = world.token(&boss).await;
    (tenant, boss, token)
}

pub(crate) fn bob(role: &str) -> Value {
    json!({"first_name": "Bob", "last_name": "Lee", "email": "bob@globex.example", "role": role})
}

pub(crate) async fn create(world: &World, token: &str, body: Value) -> Answer {
    ask(CREATE).bearer(token).json(body).of(&app(world)).await
}

fn of(route: &str, id: impl ToString, token: &str) -> Ask {
    ask(route).path("id", id).bearer(token)
}

async fn change(world: &World, token: &str, id: impl ToString, body: Value) -> Answer {
    of(CHANGE, id, token).json(body).of(&app(world)).await
}

async fn stored(world: &World, tenant: TenantId, id: &str) -> User {
    world.get(&keys::user(tenant, id.parse().unwrap())).await.unwrap()
}

async fn counters(world: &World, tenant: TenantId) -> (u32, u32) {
    let tenant: Tenant = world.get(&keys::tenant(tenant)).await.unwrap();
    (tenant.users, tenant.super_admins)
}

/// Actions and changes of the tenant's records.
async fn records(world: &World, tenant: TenantId) -> Vec<(String, Value)> {
    let (kept, _) = world.table().audit_trail(tenant, 0, 100).await.unwrap();
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    kept.iter()
        .map(|kept| read(&kept.text))
        .map(|record| (record["action"].as_str().unwrap().to_owned(), record["changes"].clone()))
        .collect()
}

#[tokio::test]
async fn a_user_without_a_console_is_active_at_once_and_is_mailed_nothing() {
    let world = World::new();
    let (tenant, _, token) = globex(&world).await;
    let mut body = bob("user");
    body["email"] = "Bob@Gmail.com".into();
    body["mobile"] = "+91 98765 43210".into();
    let answer = create(&world, &token, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let expected = json!({"id": answer.at("/id"), "first_name": "Bob", "last_name": "Lee",
        "email": "bob@gmail.com", "mobile": "+919876543210", "phone": null, "role": "user",
        "status": "active", "source": "manual", "two_factor": {"required": false, "state": "off"},
        "attributes": {}, "groups": [], "role_pinned": false, "tags": [],
        "last_login_at": null, "created_at": "2026-11-22T12:00:00.000Z", "version": 1});
    assert_eq!(answer.json, expected);
    let user = stored(&world, tenant, answer.at("/id")).await;
    assert_eq!((user.identity, user.status, user.invitation), (None, Status::Active, None));
    assert!(world.bell.drain().is_empty());
    assert_eq!(world.table().identity_of(&user.email).await.unwrap(), None);
    assert_eq!(counters(&world, tenant).await, (2, 1));
    let [(action, changes)] = &records(&world, tenant).await[..] else { panic!("one record") };
    assert_eq!(action, "user.create");
    assert_eq!(changes[0], json!({"field": "role", "to": "user"}));
    assert!(!changes.to_string().contains("gmail"), "names lie in the erasable part");
}

#[tokio::test]
async fn a_console_user_is_invited_and_the_answer_does_not_tell_who_is_known_elsewhere() {
    let world = World::new();
    let (tenant, _, token) = globex(&world).await;
    let initech = world.tenant("Initech").await;
    let known = world.member(initech, "ann@globex.example", Role::Admin).await;
    let before: Identity = world.get(&keys::identity(known.identity)).await.unwrap();
    let mut told = Vec::new();
    for email in ["ann@globex.example", "new@globex.example"] {
        let mut body = bob("admin");
        body["email"] = email.into();
        body["two_factor_required"] = true.into();
        let answer = create(&world, &token, body).await;
        assert_eq!((answer.status, answer.at("/status")), (201, "invited"), "{}", answer.text);
        assert_eq!(answer.json["two_factor"], json!({"required": true, "state": "pending"}));
        let user = stored(&world, tenant, answer.at("/id")).await;
        assert!(user.identity.is_some() && user.invitation.is_some() && user.two_factor_required);
        assert_eq!(world.bell.drain().len(), 1, "one mail");
        let mut shown = answer.json;
        for varies in ["id", "email"] {
            shown[varies] = Value::Null;
        }
        told.push(shown);
    }
    assert_eq!(told[0], told[1]);
    let after: Identity = world.get(&keys::identity(known.identity)).await.unwrap();
    assert_eq!(after, before, "no power over a person before the invitation is accepted");
}

#[tokio::test]
async fn every_fault_of_a_new_user_is_named_and_nothing_is_written() {
    let world = World::new();
    let (tenant, _, token) = globex(&world).await;
    let stood = world.db.dump();
    let bad = json!({"first_name": "", "last_name": "<b>", "email": "x", "mobile": "12",
        "phone": "y", "role": "boss"});
    let answer = create(&world, &token, bad).await;
    let faults = [
        ("/first_name", "required"),
        ("/last_name", "invalid"),
        ("/email", "invalid"),
        ("/mobile", "invalid"),
        ("/phone", "invalid"),
        ("/role", "invalid"),
    ];
    assert_eq!((answer.status, answer.faults()), (422, faults.to_vec()));
    let free = |role: &str| {
        let mut body = bob(role);
        body["email"] = "bob@mail.gmail.com".into();
        body
    };
    let answer = create(&world, &token, free("read_only")).await;
    assert_eq!(answer.faults(), [("/email", "business_email_required")]);
    let mut without_console = bob("user");
    without_console["two_factor_required"] = true.into();
    let answer = create(&world, &token, without_console).await;
    assert_eq!(answer.faults(), [("/two_factor_required", "two_factor_not_allowed")]);
    assert_eq!(world.db.dump(), stood);
    assert_eq!(create(&world, &token, bob("user")).await.status, 201);
    let again = create(&world, &token, bob("admin")).await;
    assert_eq!(again.verdict(), (409, "already_exists"));
    assert_eq!(counters(&world, tenant).await, (2, 1));
}

#[tokio::test]
async fn the_same_key_makes_one_user_and_answers_it_again() {
    let world = World::new();
    let (tenant, _, token) = globex(&world).await;
    let keyed =
        || ask(CREATE).bearer(&token).header("Idempotency-Key", "k1").json(bob("help_desk"));
    let first = keyed().of(&app(&world)).await;
    let again = keyed().of(&app(&world)).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(again.json, first.json);
    assert_eq!(counters(&world, tenant).await, (2, 1));
    let other = ask(CREATE).bearer(&token).header("Idempotency-Key", "k2").json(bob("help_desk"));
    assert_eq!(other.of(&app(&world)).await.verdict(), (409, "already_exists"));
    // The same key for somebody else, and for whom was deleted since.
    let mut cy = bob("help_desk");
    cy["email"] = "cy@globex.example".into();
    let cy = ask(CREATE).bearer(&token).header("Idempotency-Key", "k1").json(cy);
    assert_eq!(cy.of(&app(&world)).await.verdict(), (409, "already_created"));
    assert_eq!(of(DELETE, first.at("/id"), &token).of(&app(&world)).await.status, 204);
    assert_eq!(keyed().of(&app(&world)).await.verdict(), (409, "already_created"));
    assert_eq!(counters(&world, tenant).await, (1, 1));
}

#[tokio::test(start_paused = true)]
async fn fifty_at_once_end_at_exactly_the_most() {
    let world = World::new();
    let (tenant, _, token) = globex(&world).await;
    let key = keys::tenant(tenant);
    let mut full: Tenant = world.get(&key).await.unwrap();
    full.users = MOST_USERS - 10;
    world.put(&key, &full).await;
    let app = Arc::new(app(&world));
    let tasks = (0..50).map(|n| {
        let (app, token) = (app.clone(), token.clone());
        tokio::spawn(async move {
            loop {
                let mut body = bob("user");
                body["email"] = format!("bob{n}@globex.example").into();
                let answer = ask(CREATE).bearer(&token).json(body).of(app.as_ref()).await;
                // Who is told to come again does.
                if answer.status != 503 {
                    return answer.verdict() == (409, "user_limit") || answer.status == 201;
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert!(task.await.unwrap());
    }
    assert_eq!(counters(&world, tenant).await.0, MOST_USERS);
    let (listed, _) = world.table().users(tenant, false, None, 100).await.unwrap();
    assert_eq!(listed.len(), 11, "ten more, and the super admin");
}

#[tokio::test]
async fn who_may_add_change_and_delete_whom() {
    let actors = [Role::SuperAdmin, Role::Admin, Role::HelpDesk, Role::ReadOnly];
    for (actor, may) in actors.into_iter().zip(["yyyyy", "nyyyy", "nnyyy", "nnnnn"]) {
        let world = World::new();
        let (tenant, _, _) = globex(&world).await;
        let ann = world.member(tenant, "ann@globex.example", actor).await;
        let token = world.token(&ann).await;
        for (role, may) in Role::ALL.into_iter().zip(may.chars()) {
            let may = may == 'y';
            let target = world.member(tenant, &format!("{}@x.example", role.name()), role).await;
            let stood = world.db.dump();
            let mut body = bob(role.name());
            body["email"] = format!("new-{}@globex.example", role.name()).into();
            let what = format!("{actor:?} on {role:?}");
            let expected = |done: u16| if may { done } else { 403 };
            let told = create(&world, &token, body).await;
            assert_eq!(told.status, expected(201), "{what}: {}", told.text);
            let named = json!({"first_name": "Cy", "version": 1});
            let told = change(&world, &token, target.user, named).await;
            assert_eq!(told.status, expected(200), "{what}: {}", told.text);
            let told = of(DELETE, target.user, &token).of(&app(&world)).await;
            assert_eq!(told.status, expected(204), "{what}: {}", told.text);
            if !may {
                let dump = world.db.dump();
                let new: Vec<_> = dump.iter().filter(|item| !stood.contains(item)).collect();
                let denied = new.iter().filter(|item| item["denied"].is_object()).count();
                assert_eq!((new.len(), denied), (3, 3), "{what}: only the denials are written");
            }
        }
    }
}

#[tokio::test]
async fn a_role_change_takes_the_right_for_both_roles() {
    let world = World::new();
    let (tenant, ..) = globex(&world).await;
    let help = world.member(tenant, "help@globex.example", Role::HelpDesk).await;
    let admin = world.member(tenant, "admin@globex.example", Role::Admin).await;
    let (help, admin) = (world.token(&help).await, world.token(&admin).await);
    let target = world.member(tenant, "ann@globex.example", Role::ReadOnly).await;
    let to = |role: &str| json!({"role": role, "version": 1});
    for (token, role, verdict) in [
        (&help, "admin", (403, "forbidden")),
        (&help, "super_admin", (403, "forbidden")),
        (&admin, "super_admin", (403, "forbidden")),
        (&admin, "admin", (200, "")),
    ] {
        assert_eq!(change(&world, token, target.user, to(role)).await.verdict(), verdict, "{role}");
    }
    let down = json!({"role": "read_only", "version": 2});
    assert_eq!(change(&world, &help, target.user, down).await.status, 403, "an admin now");
}

#[tokio::test]
async fn a_role_change_and_a_deactivation_act_on_the_next_request() {
    let world = World::new();
    let (tenant, _, boss) = globex(&world).await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let lists = async |token: &str| ask("GET /users").bearer(token).of(&app(&world)).await.status;
    let token = world.token(&ann).await;
    assert_eq!(lists(&token).await, 200);
    let lower = json!({"role": "help_desk", "version": 1});
    assert_eq!(change(&world, &boss, ann.user, lower).await.status, 200);
    assert_eq!(lists(&token).await, 401);

    let token = world.token(&ann).await;
    assert_eq!(lists(&token).await, 200);
    let off = json!({"status": "deactivated", "version": 2});
    let told = change(&world, &boss, ann.user, off).await;
    assert_eq!(told.at("/status"), "deactivated");
    assert_eq!(lists(&token).await, 401);
    let on = json!({"status": "active", "version": 3});
    assert_eq!(change(&world, &boss, ann.user, on).await.at("/status"), "active");
    assert_eq!(lists(&token).await, 401, "what was open before does not come back");
    assert_eq!(lists(&world.token(&ann).await).await, 200);
    let said: Vec<_> = records(&world, tenant).await.into_iter().map(|(_, c)| c).collect();
    assert_eq!(said[0], json!([{"field": "role", "from": "admin", "to": "help_desk"}]));
    assert_eq!(said[1], json!([{"field": "status", "from": "active", "to": "deactivated"}]));
}

#[tokio::test]
async fn nobody_changes_their_own_role_or_status_or_deletes_themselves() {
    let world = World::new();
    let (_, boss, token) = globex(&world).await;
    for body in
        [json!({"role": "admin", "version": 1}), json!({"status": "deactivated", "version": 1})]
    {
        let told = change(&world, &token, boss.user, body).await;
        assert_eq!(told.verdict(), (409, "own_account"));
    }
    let told = of(DELETE, boss.user, &token).of(&app(&world)).await;
    assert_eq!(told.verdict(), (409, "own_account"));
    let told = change(&world, &token, boss.user, json!({"first_name": "Zoe", "version": 1})).await;
    assert_eq!(told.at("/first_name"), "Zoe");
}

#[tokio::test(start_paused = true)]
async fn of_two_super_admins_who_remove_each_other_one_remains() {
    for (route, body) in [
        (DELETE, None),
        (CHANGE, Some(json!({"role": "admin", "version": 1}))),
        (CHANGE, Some(json!({"role": "user", "version": 1}))),
        (CHANGE, Some(json!({"status": "deactivated", "version": 1}))),
    ] {
        let world = World::new();
        let (tenant, boss, _) = globex(&world).await;
        let chief = world.member(tenant, "chief@globex.example", Role::SuperAdmin).await;
        let gate = Arc::new(Turnstile::new());
        let app = Arc::new(app_over(&world, world.db.shared("users", gate.clone()).table()));
        let mut tasks = Vec::new();
        for (by, on) in [(&boss, &chief), (&chief, &boss)] {
            let asked = of(route, on.user, &world.token(by).await);
            let asked = body.clone().map_or(asked.clone(), |body| asked.json(body));
            let app = app.clone();
            tasks.push(tokio::spawn(async move { asked.of(app.as_ref()).await.status }));
        }
        let mut statuses = in_lockstep(&gate, tasks).await;
        statuses.sort_unstable();
        assert!(matches!(statuses[..], [200 | 204, 401 | 409]), "{route} {statuses:?}");
        assert_eq!(counters(&world, tenant).await.1, 1, "{route}");
        let (listed, _) = world.table().users(tenant, false, None, 10).await.unwrap();
        let left = listed.iter().filter(|(_, user)| user.is_active_super_admin()).count();
        assert_eq!(left, 1, "{route}");
    }
}

#[tokio::test]
async fn what_a_source_forbids_is_refused_by_the_rules_name() {
    let change_of = [
        ("first_name", json!("Cy")),
        ("mobile", json!("+911111111111")),
        ("status", json!("deactivated")),
        ("role", json!("help_desk")),
    ];
    let rules = [
        (Source::Manual, ["", "", "", ""], ""),
        (Source::Csv, ["csv_not_editable", "csv_not_editable", "", ""], ""),
        (
            Source::Directory,
            ["directory_not_editable", "directory_not_editable", "directory_status", ""],
            "directory_not_deletable",
        ),
    ];
    for (source, told, delete) in rules {
        for ((field, value), code) in change_of.iter().zip(told) {
            let world = World::new();
            let (tenant, _, token) = globex(&world).await;
            let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
            world.change(&ann, |user| user.source = source).await;
            let body = json!({*field: value, "version": 1});
            let answer = change(&world, &token, ann.user, body).await;
            let expected = if code.is_empty() { (200, "") } else { (409, code) };
            assert_eq!(answer.verdict(), expected, "{source:?} {field}");
        }
        let world = World::new();
        let (tenant, _, token) = globex(&world).await;
        let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
        world.change(&ann, |user| user.source = source).await;
        let answer = of(DELETE, ann.user, &token).of(&app(&world)).await;
        let expected = if delete.is_empty() { (204, "") } else { (409, delete) };
        assert_eq!(answer.verdict(), expected, "{source:?}");
    }
}

#[tokio::test]
async fn a_stale_version_is_told_the_present_one_and_an_address_never_changes() {
    let world = World::new();
    let (tenant, _, token) = globex(&world).await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    world.change(&ann, |user| user.version = 7).await;
    let told = change(&world, &token, ann.user, json!({"first_name": "Cy", "version": 6})).await;
    assert_eq!((told.verdict(), &told.json["version"]), ((409, "version_conflict"), &json!(7)));
    let told = of(DELETE, ann.user, &token).query("version", 6).of(&app(&world)).await;
    assert_eq!(told.verdict(), (409, "version_conflict"));
    let body = json!({"email": "x@globex.example", "version": 7});
    let told = change(&world, &token, ann.user, body).await;
    assert_eq!(told.faults(), [("/email", "immutable")]);
    let told = change(&world, &token, ann.user, json!({"version": 7})).await;
    assert_eq!((told.status, &told.json["version"]), (200, &json!(7)), "nothing to change");
    assert_eq!(records(&world, tenant).await, []);
}

#[tokio::test]
async fn promotion_to_the_console_invites_and_demotion_ends_the_membership() {
    let world = World::new();
    let (tenant, _, token) = globex(&world).await;
    let id = create(&world, &token, bob("user")).await.at("/id").to_owned();
    let told = change(&world, &token, &id, json!({"role": "read_only", "version": 1})).await;
    assert_eq!((told.at("/status"), told.at("/role")), ("invited", "read_only"), "{}", told.text);
    let user = stored(&world, tenant, &id).await;
    assert!(user.identity.is_some() && user.invitation.is_some());
    assert_eq!(world.bell.drain().len(), 1);
    // Not accepted yet, so there is nothing to end.
    let told = change(&world, &token, &id, json!({"role": "user", "version": 2})).await;
    assert_eq!((told.at("/status"), told.at("/role")), ("active", "user"));
    let user = stored(&world, tenant, &id).await;
    assert_eq!((user.identity, user.invitation), (None, None));

    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let told = change(&world, &token, ann.user, json!({"role": "user", "version": 1})).await;
    assert_eq!(told.at("/role"), "user");
    let edge: Option<Membership> = world.get(&keys::membership(ann.identity, tenant)).await;
    assert_eq!(edge, None);
    let person: Identity = world.get(&keys::identity(ann.identity)).await.unwrap();
    assert_eq!(person.password, None, "nobody's member");

    let mut free = bob("user");
    free["email"] = "bob@gmail.com".into();
    let id = create(&world, &token, free).await.at("/id").to_owned();
    let told = change(&world, &token, &id, json!({"role": "admin", "version": 1})).await;
    assert_eq!(told.faults(), [("/role", "business_email_required")]);
}

#[tokio::test]
async fn a_deleted_user_is_gone_and_kept_and_its_address_is_free() {
    let world = World::new();
    let (tenant, _, token) = globex(&world).await;
    let initech = world.tenant("Initech").await;
    let ann = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let bob = world.member(tenant, "bob@globex.example", Role::Admin).await;
    world.member(initech, "bob@globex.example", Role::Admin).await;
    let open = world.token(&ann).await;
    for (member, remains) in [(&ann, false), (&bob, true)] {
        assert_eq!(of(DELETE, member.user, &token).of(&app(&world)).await.status, 204);
        let person: Identity = world.get(&keys::identity(member.identity)).await.unwrap();
        assert_eq!(person.password.is_some(), remains, "only with the last company");
        let user = stored(&world, tenant, &member.user.to_string()).await;
        assert_eq!((user.status, user.identity), (Status::Archived, None));
    }
    assert_eq!(ask("GET /users").bearer(open).of(&app(&world)).await.status, 401);
    assert_eq!(counters(&world, tenant).await, (1, 1));
    for route in [CHANGE, DELETE, INVITE] {
        let told = of(route, ann.user, &token).json(json!({"version": 2})).of(&app(&world)).await;
        assert_eq!(told.verdict(), (404, "not_found"), "{route}");
    }
    let shown = of("GET /users/{id}", ann.user, &token).of(&app(&world)).await;
    assert_eq!(shown.at("/status"), "archived");
    let anew = json!({"first_name": "Ann", "last_name": "Again", "email": "ann@globex.example",
        "role": "admin"});
    assert_eq!(create(&world, &token, anew).await.status, 201);
}

#[tokio::test]
async fn a_new_activation_link_voids_the_one_before_three_times_an_hour() {
    let world = World::new();
    let (tenant, boss, token) = globex(&world).await;
    let id = create(&world, &token, bob("admin")).await.at("/id").to_owned();
    let first = stored(&world, tenant, &id).await.invitation.unwrap();
    let again = async || of(INVITE, &id, world.token(&boss).await.as_str()).of(&app(&world)).await;
    assert_eq!(again().await.status, 202);
    let second = stored(&world, tenant, &id).await.invitation.unwrap();
    assert_eq!(world.table().invitation(&first).await.unwrap(), None);
    assert!(world.table().invitation(&second).await.unwrap().is_some());
    assert_eq!(again().await.status, 202);
    let told = again().await;
    assert_eq!(told.verdict(), (429, "throttled"));
    world.wait(3_600);
    assert_eq!(again().await.status, 202);
    let token = world.token(&boss).await;
    let told = of(INVITE, boss.user, &token).of(&app(&world)).await;
    assert_eq!(told.verdict(), (409, "not_invited"));
}

#[tokio::test]
async fn another_tenants_user_is_not_there() {
    let world = World::new();
    let (_, _, token) = globex(&world).await;
    let initech = world.tenant("Initech").await;
    let foreign = world.member(initech, "x@initech.example", Role::ReadOnly).await;
    let unknown = UserId::new(world.now(), world.entropy.as_ref());
    let stood = world.db.dump();
    for id in [foreign.user.to_string(), unknown.to_string(), "x".to_owned()] {
        for route in [
            "GET /users/{id}",
            CHANGE,
            DELETE,
            INVITE,
            "GET /users/{id}/data",
            "POST /users/{id}/erasure",
        ] {
            let told = of(route, &id, &token).json(json!({"version": 1})).of(&app(&world)).await;
            assert_eq!(told.verdict(), (404, "not_found"), "{route} {id}");
        }
    }
    assert_eq!(world.db.dump(), stood);
}

#[tokio::test]
async fn the_role_of_a_directorys_user_is_pinned_by_who_changes_it() {
    let world = World::new();
    let (tenant, _, token) = globex(&world).await;
    let ann = world.member(tenant, "ann@globex.example", Role::ReadOnly).await;
    let pin = json!({"role_pinned": true, "version": 1});
    let told = of(CHANGE, ann.user, &token).json(pin).of(&app(&world)).await;
    assert_eq!(told.verdict(), (409, "not_of_directory"));
    world.change(&ann, |user| user.source = Source::Directory).await;
    let role = json!({"role": "help_desk", "version": 1});
    let changed = of(CHANGE, ann.user, &token).json(role).of(&app(&world)).await;
    assert_eq!((changed.at("/role"), &changed.json["role_pinned"]), ("help_desk", &json!(true)));
    let free = json!({"role_pinned": false, "version": 2});
    let changed = of(CHANGE, ann.user, &token).json(free).of(&app(&world)).await;
    assert_eq!((changed.at("/role"), &changed.json["role_pinned"]), ("help_desk", &json!(false)));
    assert_eq!(changed.json["version"], 3);
}
