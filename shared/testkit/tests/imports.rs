//! Imports of users, from the file that is sent in to the mail that tells of the end: what becomes of
//! every row, whatever crashes, and whoever else is at it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by a panic"
)]

use belfry_domain::account::{MOST_USERS, Role, Source, Status, Tenant, User};
use belfry_domain::audit::{Head, verify};
use belfry_domain::id::{ImportId, TenantId};
use belfry_domain::import::LEASE;
use belfry_domain::mail::Letter;
use belfry_domain::outbox::Outgoing;
use belfry_runtime::events::{Events as _, SqsMessage};
use belfry_runtime::metrics::Metrics;
use belfry_store::{Table, keys};
use belfry_testkit::gate::Open;
use belfry_testkit::{Answer, Ask, Crash, Member, Moment, Turnstile, Verdict, World, ask};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

const HEADER: &str =
    "First Name,Last Name,Email,Country Code,Mobile Number,Phone Number,Role,2FA\r\n";

fn users(world: &World) -> users::App {
    users::App {
        authenticator: world.authenticator(world.table()),
        table: world.table(),
        post: world.post(),
        imports: Arc::new(world.imports.clone()),
        clock: Arc::new(world.clock.clone()),
        entropy: world.entropy.clone(),
    }
}

fn worker(world: &World, table: Table) -> user_import::App {
    user_import::App {
        table,
        post: world.post(),
        clock: Arc::new(world.clock.clone()),
        entropy: world.entropy.clone(),
    }
}

/// A tenant with somebody of this role, and a token.
async fn globex(world: &World, role: Role) -> (TenantId, Member, String) {
    let tenant = world.tenant("Globex").await;
    let ann = world.member(tenant, "ann@globex.example", role).await;
    let token = world.token(&ann).await;
    (tenant, ann, token)
}

fn sent_in(token: &str, mode: &str, csv: &str) -> Ask {
    ask("POST /users/imports").bearer(token).query("mode", mode).text("text/csv", csv)
}

/// Asks for an import; its id.
async fn start(world: &World, token: &str, mode: &str, csv: &str) -> String {
    let answer = sent_in(token, mode, csv).of(&users(world)).await;
    assert_eq!((answer.status, answer.at("/state")), (202, "running"), "{}", answer.text);
    answer.at("/id").to_owned()
}

/// What was rung for is carried out; the ids of rings that failed.
async fn carry_out(world: &World, worker: &user_import::App) -> Vec<String> {
    let rings = world.imports.drain().into_iter().enumerate();
    let rings = rings.map(|(n, body)| SqsMessage { id: n.to_string(), body, ..Default::default() });
    worker.messages(rings.collect(), &mut Metrics::new("user-import", "test")).await
}

async fn progress(world: &World, token: &str, id: &str) -> Answer {
    let asked = ask("GET /users/imports/{id}").path("id", id).bearer(token);
    let answer = asked.of(&users(world)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

/// Imports to the end; the answer that tells of it.
async fn import(world: &World, token: &str, mode: &str, csv: &str) -> Answer {
    let id = start(world, token, mode, csv).await;
    assert_eq!(carry_out(world, &worker(world, world.table())).await, [""; 0]);
    progress(world, token, &id).await
}

/// Everybody of a tenant by address.
async fn everybody(world: &World, tenant: TenantId) -> BTreeMap<String, User> {
    let mut all = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let (page, more) = world.table().users(tenant, false, after.as_deref(), 500).await.unwrap();
        after = page.last().map(|(place, _)| place.clone());
        all.extend(page.into_iter().map(|(_, user)| (String::from(user.email.clone()), user)));
        if !more {
            return all;
        }
    }
}

async fn counted(world: &World, tenant: TenantId) -> u32 {
    world.get::<Tenant>(&keys::tenant(tenant)).await.unwrap().users
}

fn rows(count: usize, role: &str) -> String {
    let mut csv = HEADER.to_owned();
    for n in 0..count {
        let mobile = 9_800_000_000_usize + n;
        writeln!(csv, "First{n},Last{n},u{n}@globex.example,91,{mobile},,{role},\r").unwrap();
    }
    csv
}

/// What became of a row, and the code of what was wrong with it.
fn row(line: u64, outcome: &str, code: &str) -> String {
    format!("{line} {outcome} {code}")
}

/// The same of every verdict in an answer.
fn codes(answer: &Answer) -> Vec<String> {
    let text = |verdict: &Value, name: &str| verdict[name].as_str().unwrap_or_default().to_owned();
    let verdicts = answer.json["verdicts"].as_array().unwrap().iter();
    verdicts
        .map(|v| row(v["line"].as_u64().unwrap(), &text(v, "outcome"), &text(v, "code")))
        .collect()
}

#[tokio::test]
async fn a_file_becomes_users_and_the_importer_hears_of_it() {
    let world = World::new();
    let (tenant, ann, token) = globex(&world, Role::SuperAdmin).await;
    let initech = world.tenant("Initech").await;
    world.member(initech, "known@globex.example", Role::Admin).await;
    let csv = format!(
        "{HEADER}Bob,Lee,bob@gmail.com,91,98765 43210,,User,\r\n\
         Cy,Ng,cy@globex.example,,,,Read Only,Enable\r\n\
         Kim,Known,known@globex.example,,,,Admin,\r\n"
    );
    let id = start(&world, &token, "strict", &csv).await;
    let before = progress(&world, &token, &id).await;
    let none = json!({"total": 3, "done": 0, "imported": 0, "refused": 0, "skipped": 0});
    assert_eq!((before.at("/state"), &before.json["rows"]), ("running", &none));
    assert_eq!(carry_out(&world, &worker(&world, world.table())).await, [""; 0]);
    let after = progress(&world, &token, &id).await;
    let all = json!({"total": 3, "done": 3, "imported": 3, "refused": 0, "skipped": 0});
    assert_eq!((after.at("/state"), &after.json["rows"]), ("done", &all), "{}", after.text);
    assert_eq!(codes(&after), [2, 3, 4].map(|line| row(line, "imported", "")));

    let people = everybody(&world, tenant).await;
    let bob = &people["bob@gmail.com"];
    assert_eq!((bob.status, bob.source, bob.identity), (Status::Active, Source::Csv, None));
    assert_eq!(bob.mobile.as_ref().unwrap().as_str(), "+919876543210");
    let cy = &people["cy@globex.example"];
    assert_eq!(
        (cy.status, cy.role, cy.two_factor_required),
        (Status::Invited, Role::ReadOnly, true)
    );
    let known = &people["known@globex.example"];
    assert_eq!(known.status, Status::Invited);
    assert_eq!(counted(&world, tenant).await, 4);

    let mut letters = Vec::new();
    for ring in world.bell.drain() {
        let claim = world.table().claim_outbox(ring.parse().unwrap(), world.now()).await.unwrap();
        let Outgoing::Mail(mail) = claim.unwrap().entry().outgoing.clone() else {
            panic!("a mail")
        };
        letters.push((String::from(mail.to), mail.letter));
    }
    letters.sort_by(|a, b| a.0.cmp(&b.0));
    let to: Vec<_> = letters.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(to, ["ann@globex.example", "cy@globex.example", "known@globex.example"]);
    let ended = Letter::ImportFinished {
        reader: belfry_domain::mail::Reader {
            first_name: "Ann".parse().unwrap(),
            last_name: "Lindqvist".parse().unwrap(),
        },
        imported: 3,
        refused: 0,
        skipped: 0,
    };
    assert_eq!(letters[0].1, ended);

    // One record for the asking, one for the batch, by the person who asked, on the same request.
    let (kept, head) = world.table().audit_trail(tenant, 0, 10).await.unwrap();
    let texts = kept.iter().map(|kept| (kept.text.as_str(), kept.personal.as_deref()));
    assert_eq!(verify(&Head::EMPTY, texts), Ok(head));
    let records: Vec<Value> =
        kept.iter().map(|kept| serde_json::from_str(&kept.text).unwrap()).collect();
    assert_eq!(records.len(), 2);
    for record in &records {
        assert_eq!(record["action"], "user.import");
        assert_eq!(record["entity"], json!({"kind": "import", "id": id}));
        assert_eq!(record["actor"]["id"], ann.user.to_string());
    }
    assert_eq!(records[1]["changes"].as_array().unwrap().len(), 3);
    assert!(!records[1].to_string().contains("globex.example"), "no address in the chain");
}

#[tokio::test]
async fn strict_imports_all_or_nothing_and_partial_the_good_ones() {
    let csv = format!(
        "{HEADER}Bob,Lee,bob@globex.example,,,,User,\r\n\
         ,Ng,cy@x,,12345678,,Boss,Maybe\r\n\
         Dee,Day,dee@globex.example,,,,User,\r\n\
         Ann,Again,ann@globex.example,,,,User,\r\n\
         Dir,Ectory,dir@globex.example,,,,User,\r\n"
    );
    for mode in ["strict", "partial"] {
        let world = World::new();
        let (tenant, _, token) = globex(&world, Role::Admin).await;
        let dir = world.member(tenant, "dir@globex.example", Role::User).await;
        world.change(&dir, |user| user.source = Source::Directory).await;
        let before = everybody(&world, tenant).await;
        let (outcome, code) =
            if mode == "strict" { ("skipped", "others_refused") } else { ("imported", "") };
        let bad = |code| row(3, "refused", code);
        let expected = vec![
            row(2, outcome, code),
            bad("required"),
            bad("invalid"),
            bad("country_code_required"),
            bad("invalid"),
            bad("invalid"),
            row(4, outcome, code),
            row(5, "refused", "already_exists"),
            row(6, "skipped", "directory_user"),
        ];
        let dry = sent_in(&token, mode, &csv).query("dry_run", true);
        let stood = world.db.dump();
        let dry = dry.of(&users(&world)).await;
        assert_eq!((dry.status, codes(&dry)), (200, expected.clone()), "{mode}: {}", dry.text);
        assert_eq!((&dry.json["id"], &dry.json["dry_run"]), (&Value::Null, &json!(true)));
        assert_eq!(world.db.dump(), stood, "a dry run writes nothing");
        assert!(world.imports.drain().is_empty());

        let answer = import(&world, &token, mode, &csv).await;
        assert_eq!(codes(&answer), expected, "{mode}");
        assert_eq!(answer.at("/state"), if mode == "strict" { "refused" } else { "done" });
        let after = everybody(&world, tenant).await;
        let new: Vec<_> = after.keys().filter(|email| !before.contains_key(*email)).collect();
        if mode == "strict" {
            assert!(new.is_empty());
        } else {
            assert_eq!(new, ["bob@globex.example", "dee@globex.example"]);
        }
        // The refused rows come back with their reasons.
        let id = answer.at("/id");
        let asked = ask("GET /users/imports/{id}/errors").path("id", id).bearer(&token);
        let file = asked.of(&users(&world)).await;
        let lines: Vec<_> = file.text.trim_end().lines().collect();
        assert_eq!(lines.len(), 3, "{}", file.text);
        assert!(lines[2].contains("ann@globex.example") && lines[2].contains("5,"), "{}", lines[2]);
    }
}

#[tokio::test]
async fn what_a_role_may_not_import_is_refused_by_its_row() {
    let csv = format!(
        "{HEADER}A,A,a@globex.example,,,,Admin,\r\n\
         B,B,b@globex.example,,,,Help Desk,Enable\r\n\
         C,C,c@globex.example,,,,Super Admin,\r\n\
         D,D,d@globex.example,,,,User,\r\n"
    );
    let refused = |lines: &[(u64, &str)]| -> Vec<String> {
        let told = |line| match lines.iter().find(|(at, _)| *at == line) {
            Some((_, code)) => row(line, "refused", code),
            None => row(line, "imported", ""),
        };
        (2..=5).map(told).collect()
    };
    for (role, expected) in [
        (Role::SuperAdmin, refused(&[(4, "role_not_allowed")])),
        (Role::Admin, refused(&[(3, "two_factor_not_allowed"), (4, "role_not_allowed")])),
        (
            Role::HelpDesk,
            refused(&[
                (2, "role_not_allowed"),
                (3, "two_factor_not_allowed"),
                (4, "role_not_allowed"),
            ]),
        ),
    ] {
        let world = World::new();
        let (_, _, token) = globex(&world, role).await;
        assert_eq!(codes(&import(&world, &token, "partial", &csv).await), expected, "{role:?}");
    }
    let world = World::new();
    let (_, _, token) = globex(&world, Role::ReadOnly).await;
    let told = sent_in(&token, "partial", &csv).of(&users(&world)).await;
    assert_eq!(told.verdict(), (403, "forbidden"));
    // To require the second factor of others takes a fresh proof.
    let world = World::new();
    let (_, ann, _) = globex(&world, Role::SuperAdmin).await;
    let (session, _) = world.session(&ann).await;
    world.wait(601);
    let told = sent_in(&world.token_of(&session), "partial", &csv).of(&users(&world)).await;
    assert_eq!(told.verdict(), (403, "confirmation_required"));
}

#[tokio::test]
async fn the_same_file_again_changes_nothing_and_two_at_once_import_each_row_once() {
    let world = World::new();
    let (tenant, _, token) = globex(&world, Role::Admin).await;
    let csv = rows(45, "User");
    let first = import(&world, &token, "partial", &csv).await;
    assert_eq!(first.json["rows"]["imported"], 45);
    let people = everybody(&world, tenant).await;
    for mode in ["partial", "strict"] {
        let again = import(&world, &token, mode, &csv).await;
        assert_eq!(again.json["rows"]["refused"], 45);
        assert_eq!(everybody(&world, tenant).await, people);
    }
    assert_eq!(counted(&world, tenant).await, 46);

    let world = World::new();
    let (tenant, _, token) = globex(&world, Role::Admin).await;
    let ids = [
        start(&world, &token, "partial", &csv).await,
        start(&world, &token, "partial", &csv).await,
    ];
    let run = |ring: &str| {
        let (tenant, import) = ring.split_once(' ').unwrap();
        let (tenant, import): (TenantId, ImportId) =
            (tenant.parse().unwrap(), import.parse().unwrap());
        let worker = worker(&world, world.table());
        async move { worker.run(tenant, import).await.unwrap() }
    };
    let rings = world.imports.drain();
    futures::future::join_all(rings.iter().map(|ring| run(ring))).await;
    let mut imported = 0;
    for id in ids {
        let done = progress(&world, &token, &id).await;
        assert_eq!(done.at("/state"), "done");
        imported += done.json["rows"]["imported"].as_u64().unwrap();
    }
    assert_eq!((imported, counted(&world, tenant).await), (45, 46));
    assert_eq!(everybody(&world, tenant).await.len(), 46);
}

#[tokio::test]
async fn a_crash_at_any_call_leaves_each_row_done_or_not_and_the_import_ends() {
    // Two batches: one with consoles, one without.
    let mut csv = rows(17, "Read Only");
    csv += rows(24, "User").strip_prefix(HEADER).unwrap().replace("u1", "v1").as_str();
    let mut calls = 0;
    for moment in [Moment::Before, Moment::After] {
        for at in 0.. {
            let world = World::new();
            let (tenant, _, token) = globex(&world, Role::Admin).await;
            let id = start(&world, &token, "partial", &csv).await;
            let crash = Arc::new(Crash::new(at, moment));
            carry_out(&world, &worker(&world, world.db.shared("dying", crash.clone()).table()))
                .await;
            if !crash.happened() {
                calls = at;
                break;
            }
            // Whatever stands now: as many users as the counter says, each with its verdict.
            let halfway = everybody(&world, tenant).await;
            assert_eq!(counted(&world, tenant).await as usize, halfway.len(), "{at} {moment:?}");
            let told = progress(&world, &token, &id).await;
            let imported = told.json["rows"]["imported"].as_u64().unwrap();
            assert_eq!(imported + 1, halfway.len() as u64, "{at} {moment:?}");
            // The sweep goes on with it once the dead worker's lease is over.
            world.wait(LEASE.as_secs() + 1);
            let mut metrics = Metrics::new("user-import", "test");
            let sweep = worker(&world, world.table());
            sweep.invoked(json!({"sweep": true}), &mut metrics).await.unwrap();
            let (_, ann) = halfway.iter().find(|(_, user)| user.role == Role::Admin).unwrap();
            let ann = Member {
                identity: ann.identity.unwrap(),
                tenant,
                user: ann.id,
                email: ann.email.clone(),
            };
            let token = world.token(&ann).await;
            let told = progress(&world, &token, &id).await;
            assert_eq!(told.at("/state"), "done", "{at} {moment:?}: {}", told.text);
            let counts = &told.json["rows"];
            let settled =
                counts["imported"].as_u64().unwrap() + counts["refused"].as_u64().unwrap();
            assert_eq!((settled, &counts["done"]), (41, &counts["total"]), "{at} {moment:?}");
            let people = everybody(&world, tenant).await;
            assert_eq!(counted(&world, tenant).await as usize, people.len());
            assert_eq!(people.len() as u64, 1 + counts["imported"].as_u64().unwrap());
            assert!(halfway.iter().all(|(email, user)| people[email].id == user.id));
        }
    }
    assert!(calls > 15, "{calls}");
}

#[tokio::test]
async fn who_may_no_longer_import_stops_it() {
    let world = World::new();
    let (tenant, ann, token) = globex(&world, Role::Admin).await;
    let boss = world.member(tenant, "boss@globex.example", Role::SuperAdmin).await;
    let id = start(&world, &token, "partial", &rows(3, "User")).await;
    world.change(&ann, |user| user.role = Role::ReadOnly).await;
    assert_eq!(carry_out(&world, &worker(&world, world.table())).await, [""; 0]);
    let told = progress(&world, &world.token(&boss).await, &id).await;
    assert_eq!(told.at("/state"), "stopped");
    assert_eq!(codes(&told)[0], row(2, "skipped", "importer_gone"));
    assert_eq!(counted(&world, tenant).await, 2);
}

#[tokio::test(start_paused = true)]
async fn who_is_demoted_or_suspended_while_it_runs_stops_it_there() {
    // The write of the second batch holds the importer as it was; that a tenant is suspended is seen by the
    // third.
    for (suspended, expected) in [(false, 20), (true, 40)] {
        stopped_by(suspended, expected).await;
    }
}

async fn stopped_by(suspended: bool, expected: u64) {
    let world = World::new();
    let (tenant, ann, token) = globex(&world, Role::Admin).await;
    let boss = world.member(tenant, "boss@globex.example", Role::SuperAdmin).await;
    let id = start(&world, &token, "partial", &rows(60, "User")).await;
    // After the first batch is written.
    let mut writes = 0;
    let gate = Arc::new(Turnstile::new());
    let worker = Arc::new(worker(&world, world.db.shared("worker", gate.clone()).table()));
    let ring = world.imports.drain().remove(0);
    let (of, import) = ring.split_once(' ').unwrap();
    let (of, import): (TenantId, ImportId) = (of.parse().unwrap(), import.parse().unwrap());
    let run = tokio::spawn(async move { worker.run(of, import).await });
    loop {
        let held = gate.settle().await;
        if held.is_empty() {
            break;
        }
        for held in held {
            writes += usize::from(held.call.operation == "TransactWriteItems");
            // Behind lease, decision and the first batch.
            if writes == 4 && suspended {
                let key = keys::tenant(tenant);
                let found: Tenant = world.get(&key).await.unwrap();
                world.put(&key, &Tenant { suspended_at: Some(world.now()), ..found }).await;
            } else if writes == 4 {
                world.change(&ann, |user| user.role = Role::ReadOnly).await;
            }
            gate.release(held.ticket, Verdict::Proceed);
        }
    }
    run.await.unwrap().unwrap();
    let found: Tenant = world.get(&keys::tenant(tenant)).await.unwrap();
    world.put(&keys::tenant(tenant), &Tenant { suspended_at: None, ..found }).await;
    let told = progress(&world, &world.token(&boss).await, &id).await;
    assert_eq!(told.at("/state"), "stopped", "{}", told.text);
    let written = told.json["rows"]["imported"].as_u64().unwrap();
    assert_eq!(written, expected, "{}", told.json["rows"]);
    assert_eq!(u64::from(counted(&world, tenant).await), 2 + written);
}

#[tokio::test]
async fn invitations_that_are_too_many_are_refused_by_their_rows() {
    let world = World::new();
    let (_, _, token) = globex(&world, Role::Admin).await;
    let csv = format!("{HEADER}Bob,Lee,bob@globex.example,,,,Admin,\r\n");
    let delete = async |told: &Answer| {
        assert_eq!(told.json["rows"]["imported"], 1, "{}", told.text);
        let list =
            ask("GET /users").bearer(&token).query("search", "bob@").of(&users(&world)).await;
        let asked = ask("DELETE /users/{id}").path("id", list.at("/items/0/id")).bearer(&token);
        assert_eq!(asked.of(&users(&world)).await.status, 204);
    };
    for _ in 0..3 {
        delete(&import(&world, &token, "partial", &csv).await).await;
    }
    let told = import(&world, &token, "partial", &csv).await;
    assert_eq!(codes(&told), [row(2, "refused", "throttled")]);
}

#[tokio::test]
async fn the_same_key_begins_one_import() {
    let world = World::new();
    let (_, _, token) = globex(&world, Role::Admin).await;
    let csv = rows(2, "User");
    let keyed = || sent_in(&token, "strict", &csv).header("Idempotency-Key", "k1");
    let first = keyed().of(&users(&world)).await;
    assert_eq!(carry_out(&world, &worker(&world, world.table())).await, [""; 0]);
    let again = keyed().of(&users(&world)).await;
    assert_eq!((again.status, again.at("/id")), (202, first.at("/id")));
    assert_eq!((again.at("/state"), &again.json["rows"]["imported"]), ("done", &json!(2)));
    assert!(world.imports.drain().is_empty());
}

#[tokio::test]
async fn the_most_users_are_never_passed() {
    for (mode, imported, refused) in [("partial", 25, 3), ("strict", 0, 3)] {
        let world = World::new();
        let (tenant, _, token) = globex(&world, Role::Admin).await;
        let key = keys::tenant(tenant);
        let mut full: Tenant = world.get(&key).await.unwrap();
        full.users = MOST_USERS - 25;
        world.put(&key, &full).await;
        // More than a batch: what is over the limit is so in the file, not in its batch.
        let told = import(&world, &token, mode, &rows(28, "User")).await;
        assert_eq!(told.json["rows"]["imported"], imported, "{}", told.text);
        assert_eq!(told.json["rows"]["refused"], refused);
        assert!(codes(&told).contains(&row(29, "refused", "user_limit")));
        assert_eq!(u64::from(counted(&world, tenant).await), u64::from(MOST_USERS) - 25 + imported);
    }
}

#[tokio::test]
async fn an_export_imports_into_an_empty_tenant_and_exports_the_same_again() {
    let world = World::new();
    let (_, _, token) = globex(&world, Role::SuperAdmin).await;
    let csv = format!(
        "{HEADER}\"O\"\"Hara, Ann\",=Lee,ann.o@globex.example,+81,9012345678,+81312345678,Admin,Enable\r\n\
         山田,太郎,yamada@globex.example,81,090-1234-5679,,Help Desk,Disable\r\n\
         김,민준,kim@gmail.com,82,1012345678,,User,\r\n"
    );
    assert_eq!(import(&world, &token, "strict", &csv).await.json["rows"]["imported"], 3);
    let export = async |token: &str| {
        let asked = ask("GET /users/export").bearer(token).query("source", "csv");
        asked.of(&users(&world)).await.text
    };
    let first = export(&token).await;
    let initech = world.tenant("Initech").await;
    let boss = world.member(initech, "boss@initech.example", Role::SuperAdmin).await;
    let token = world.token(&boss).await;
    let told = import(&world, &token, "strict", &first).await;
    assert_eq!(told.json["rows"]["imported"], 3, "{}", told.text);
    assert_eq!(export(&token).await, first);
    assert_eq!(first.lines().count(), 4);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused_whole() {
    let world = World::new();
    let (_, _, token) = globex(&world, Role::Admin).await;
    let stood = world.db.dump();
    for (csv, verdict) in [
        (String::new(), (422, "csv_empty")),
        (HEADER.to_owned(), (422, "csv_no_rows")),
        ("First Name,Email,Nickname\r\nA,a@b.co,x\r\n".to_owned(), (422, "csv_columns")),
        (rows(1_001, "User"), (422, "csv_too_many_rows")),
        (HEADER.to_owned() + &"x".repeat(1_000_000), (413, "csv_too_large")),
    ] {
        let told = sent_in(&token, "strict", &csv).of(&users(&world)).await;
        assert_eq!(told.verdict(), verdict);
    }
    let told = ask("POST /users/imports").bearer(&token).json(json!({})).of(&users(&world)).await;
    assert_eq!(told.verdict(), (415, "unsupported_media_type"));
    let told = sent_in(&token, "lenient", &rows(1, "User")).of(&users(&world)).await;
    assert_eq!(told.faults(), [("?mode", "invalid")]);
    assert_eq!(world.db.dump(), stood);
    assert!(world.imports.drain().is_empty());
}

#[tokio::test]
async fn another_tenants_import_is_not_there() {
    let world = World::new();
    let (_, _, token) = globex(&world, Role::Admin).await;
    let id = start(&world, &token, "partial", &rows(1, "User")).await;
    let initech = world.tenant("Initech").await;
    let other = world.member(initech, "x@initech.example", Role::SuperAdmin).await;
    let other = world.token(&other).await;
    for route in ["GET /users/imports/{id}", "GET /users/imports/{id}/errors"] {
        let told = ask(route).path("id", &id).bearer(&other).of(&users(&world)).await;
        assert_eq!(told.verdict(), (404, "not_found"), "{route}");
    }
}

/// What an import of 1,000 costs; the limits are those of the targets.
#[tokio::test]
async fn a_thousand_rows_cost_so_much() {
    for (role, most) in [("User", 6_000.0), ("Read Only", 16_000.0)] {
        let world = World::new();
        let (_, _, token) = globex(&world, Role::Admin).await;
        start(&world, &token, "partial", &rows(1_000, role)).await;
        let transport = world.db.client("user-import", Open);
        assert_eq!(carry_out(&world, &worker(&world, transport.table())).await, [""; 0]);
        let cost = transport.cost(&format!("import of 1,000, role {role}"));
        assert!(transport.write_units() <= most, "{cost}");
        let table = include_str!("../../../infra/table.md");
        assert!(table.contains(&cost), "infra/table.md does not have\n{cost}");
    }
}
