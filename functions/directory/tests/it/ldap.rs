//! Directories that are read: settings, test, preview, sync, its guard, its schedule, its history.

use super::{CHANGE, CREATE, Office, READ};
use belfry_domain::account::{Role, Source, Status, Tenant};
use belfry_domain::text::{AttributeText, GroupName};
use belfry_store::keys;
use belfry_testkit::ldap::Employee;
use belfry_testkit::{Answer, Call, Crash, Gate, Moment, Verdict, ask};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

const SYNC: &str = "POST /identity-providers/{id}/sync";
const SYNCS: &str = "GET /identity-providers/{id}/syncs";
const TEST: &str = "POST /identity-providers/{id}/test";
const PREVIEW: &str = "POST /identity-providers/{id}/preview";

pub(crate) fn corporate() -> Value {
    json!({"name": "Corporate", "type": "ldap",
        "ldap": {"host": "dc1.example.com", "base_dn": "DC=example", "bind_dn": "cn=belfry,dc=example",
            "password": "a secret", "flavor": "openldap"},
        "group_roles": [{"group": "Admins", "role": "admin"}, {"group": "Desk", "role": "help_desk"}]})
}

impl Office {
    /// One with a directory of ann, an admin, and bob.
    pub(crate) async fn reading() -> Self {
        let office = Self::with(corporate()).await;
        office.world.directory.person(1, "ann").person(2, "bob").group(1, "Admins", &[1]);
        office
    }

    pub(crate) async fn provider(&self, route: &str, body: Option<Value>) -> Answer {
        // However long the last request was ago.
        let asked = ask(route).path("id", &self.provider);
        let asked = asked.bearer(self.world.token(&self.member).await);
        body.map_or(asked.clone(), |body| asked.json(body)).of(&self.app()).await
    }

    /// A sync that is wanted, to its end; what it came to.
    pub(crate) async fn synced(&self) -> Value {
        let wanted = self.provider(SYNC, None).await;
        assert_eq!(wanted.status, 202, "{}", wanted.text);
        assert_eq!(wanted.at("/state"), "syncing");
        let rung = self.world.syncs.drain().pop();
        assert_eq!(rung, Some(format!("{} {}", self.tenant, self.provider)));
        self.sweep().await;
        self.last_sync().await
    }

    async fn last_sync(&self) -> Value {
        let shown = self.provider(READ, None).await;
        assert_eq!(shown.json["progress"], Value::Null);
        shown.json["last_sync"].clone()
    }

    pub(crate) async fn role(&self, name: &str) -> Option<(Role, Status)> {
        let user = self.user_at(&format!("{name}@globex.example")).await?;
        Some((user.role, user.status))
    }
}

/// The counts of a sync that are not 0.
fn counts(sync: &Value) -> Vec<(&str, u64)> {
    let all = sync["counts"].as_object().unwrap().iter();
    all.map(|(name, count)| (name.as_str(), count.as_u64().unwrap()))
        .filter(|(_, n)| *n > 0)
        .collect()
}

#[tokio::test]
async fn a_directory_is_read_and_its_users_are_there_with_roles_and_then_nothing_is_written() {
    let office = Office::reading().await;
    let first = office.synced().await;
    assert_eq!((&first["outcome"], &first["trigger"]), (&json!("completed"), &json!("manual")));
    assert_eq!(counts(&first), [("created", 2), ("groups", 1), ("users", 2)]);
    assert_eq!(office.role("ann").await, Some((Role::Admin, Status::Invited)));
    assert_eq!(office.role("bob").await, Some((Role::User, Status::Active)));
    let ann = office.user_at("ann@globex.example").await.unwrap();
    assert_eq!(ann.source, Source::Directory);
    assert_eq!(ann.groups.iter().map(GroupName::as_str).collect::<Vec<_>>(), ["Admins"]);
    let title = ann.attributes.values().map(AttributeText::as_str).collect::<Vec<_>>();
    assert_eq!(title, ["Clerk"]);
    assert_eq!(office.world.posted().await.len(), 1);
    let record = office.last_record().await;
    assert_eq!(record["actor"]["kind"], "directory");

    let trail = office.trail().await.len();
    let second = office.synced().await;
    assert_eq!(counts(&second), [("groups", 1), ("users", 2)]);
    // That it was wanted.
    assert_eq!(office.trail().await.len(), trail + 1);
}

#[tokio::test]
async fn renames_moves_disables_and_groups_arrive() {
    let office = Office::reading().await;
    let directory = &office.world.directory;
    for n in 3..30 {
        directory.person(n, &format!("u{n}"));
    }
    office.synced().await;
    let bob = office.user_at("bob@globex.example").await.unwrap();
    directory.change(2, |bob| bob.title = "Chief".to_owned());
    directory.change(3, |user| user.enabled = false);
    directory.change(4, |user| user.name = "robert".to_owned());
    directory.remove(5);
    directory.group(1, "Admins", &[2]).group(2, "Desk", &[6, 7]);
    let sync = office.synced().await;
    let expected =
        [("changed", 4), ("deactivated", 2), ("groups", 2), ("replaced", 1), ("users", 28)];
    assert_eq!(counts(&sync), expected);
    let after = office.user(bob.id).await;
    assert_eq!((after.role, after.status), (Role::Admin, Status::Invited));
    assert_eq!(office.role("ann").await.unwrap().0, Role::User);
    assert_eq!(office.role("u3").await.unwrap().1, Status::Deactivated);
    assert_eq!(office.role("u5").await.unwrap().1, Status::Deactivated);
    assert_eq!(office.role("u6").await.unwrap().0, Role::HelpDesk);
    assert_eq!((office.role("u4").await, office.role("robert").await.is_some()), (None, true));
    // Who comes back under the same key is the same user.
    let gone = office.user_at("u5@globex.example").await.unwrap();
    directory.person(5, "u5").remove_group(2);
    let sync = office.synced().await;
    assert_eq!(counts(&sync), [("changed", 3), ("groups", 1), ("users", 29)]);
    let back = office.user(gone.id).await;
    assert_eq!((back.status, back.id), (Status::Active, gone.id));
    assert_eq!(office.role("u6").await.unwrap().0, Role::User);
    assert_eq!(counts(&office.synced().await), [("groups", 1), ("users", 29)]);
}

#[tokio::test]
async fn too_many_who_would_leave_stop_the_sync_until_that_is_accepted() {
    let office = Office::reading().await;
    let directory = &office.world.directory;
    for n in 3..11 {
        directory.person(n, &format!("u{n}"));
    }
    office.synced().await;
    for n in 3..6 {
        directory.remove(n);
    }
    directory.person(20, "new");
    let stopped = office.synced().await;
    assert_eq!(stopped["outcome"], "stopped");
    assert_eq!(stopped["leaving"], json!({"users": 3, "of": 10, "stops": true}));
    assert_eq!(office.provider(READ, None).await.at("/state"), "stopped");
    assert_eq!(office.role("u3").await.unwrap().1, Status::Active);
    assert_eq!(office.role("new").await, None);
    let preview = office.provider(PREVIEW, None).await;
    assert_eq!(preview.json["leaving"], stopped["leaving"]);

    let accept = |n: u32| Some(json!({"accept_deactivations": n}));
    assert_eq!(office.provider(SYNC, accept(2)).await.status, 202);
    office.sweep().await;
    assert_eq!(office.last_sync().await["outcome"], "stopped");
    assert_eq!(office.provider(SYNC, accept(3)).await.status, 202);
    let wanted = office.last_record().await;
    let accepted = json!({"field": "accepted_deactivations", "to": 3});
    assert!(wanted["changes"].as_array().unwrap().contains(&accepted), "{wanted}");
    office.sweep().await;
    assert_eq!(office.last_sync().await["outcome"], "completed");
    assert_eq!(office.role("u3").await.unwrap().1, Status::Deactivated);
    assert!(office.role("new").await.is_some());
}

#[tokio::test]
async fn a_directory_that_is_not_read_to_its_end_changes_nothing() {
    let office = Office::reading().await;
    let directory = &office.world.directory;
    office.synced().await;
    let trail = office.trail().await.len();
    directory.remove(2);
    for pages in [0, 1] {
        directory.fails_after(Some(pages));
        let failed = office.synced().await;
        assert_eq!(failed["outcome"], "failed");
        let expected = json!({"step": "read", "code": "ldap_not_spoken",
            "detail": "The server's answer is not one of LDAP."});
        assert_eq!(failed["error"], expected);
    }
    directory.fails_after(None);
    // An empty base is none with nobody in it.
    directory.remove(1);
    assert_eq!(office.synced().await["error"]["code"], "base_empty");
    assert_eq!(office.role("bob").await.unwrap().1, Status::Active);
    assert_eq!(office.trail().await.len(), trail + 3);
    let history = office.provider(SYNCS, None).await;
    let outcomes: Vec<_> =
        history.json["items"].as_array().unwrap().iter().map(|sync| &sync["outcome"]).collect();
    assert_eq!(outcomes, ["failed", "failed", "failed", "completed"]);
}

#[tokio::test]
async fn the_history_has_pages_the_youngest_first() {
    let office = Office::reading().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(office.synced().await["id"].clone());
    }
    ids.reverse();
    let mut cursor = None::<String>;
    let mut shown = Vec::new();
    loop {
        let asked = ask(SYNCS).path("id", &office.provider).bearer(&office.access);
        let asked = asked.query("limit", 2);
        let asked = cursor.iter().fold(asked, |asked, cursor| asked.query("cursor", cursor));
        let page = asked.of(&office.app()).await;
        let items = page.json["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        shown.extend(items.iter().map(|sync| sync["id"].clone()));
        cursor = page.json["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(shown, ids);
}

#[tokio::test]
async fn a_preview_tells_what_a_sync_does_and_does_nothing() {
    let office = Office::reading().await;
    let directory = &office.world.directory;
    let boss = office.member.email.as_str();
    directory.person(3, boss.split('@').next().unwrap());
    let trail = office.trail().await.len();
    let preview = office.provider(PREVIEW, None).await;
    assert_eq!(preview.status, 200, "{}", preview.text);
    assert_eq!(
        counts(&preview.json),
        [("conflicts", 1), ("created", 2), ("groups", 1), ("users", 3)]
    );
    let samples = json!([
        {"action": "create", "email": "ann@globex.example", "first_name": "ann", "last_name": "Lee",
            "role": "admin", "fields": []},
        {"action": "create", "email": "bob@globex.example", "first_name": "bob", "last_name": "Lee",
            "role": "user", "fields": []},
    ]);
    assert_eq!(preview.json["samples"], samples);
    let problem = json!([{"who": boss, "code": "already_exists",
        "detail": "Another user of the company has this address."}]);
    assert_eq!(preview.json["problems"], problem);
    assert_eq!(office.trail().await.len(), trail);
    assert_eq!(office.role("ann").await, None);
    let sync = office.synced().await;
    assert_eq!(sync["counts"], preview.json["counts"]);
    directory.change(2, |bob| bob.title = "Chief".to_owned());
    directory.group(1, "Admins", &[1, 2]);
    let preview = office.provider(PREVIEW, None).await;
    assert_eq!(
        preview.json["samples"][0]["fields"],
        json!(["attributes", "groups", "role", "status"])
    );
    // What keeps it from being read, too.
    directory.fails_after(Some(0));
    let failed = office.provider(PREVIEW, None).await;
    assert_eq!((failed.status, failed.at("/error/code")), (200, "ldap_not_spoken"));
}

#[tokio::test]
async fn a_schedule_begins_with_the_first_sync_that_somebody_wants() {
    let mut body = corporate();
    body["ldap"]["sync_every_minutes"] = 60.into();
    let office = Office::with(body).await;
    office.world.directory.person(1, "ann");
    office.world.wait(3 * 3_600);
    office.sweep().await;
    assert_eq!((office.world.directory.reads(), office.last_sync().await), (0, Value::Null));
    office.synced().await;
    for (seconds, reads) in [(3_500, 1), (200, 2), (3_000, 2), (700, 3)] {
        office.world.wait(seconds);
        office.sweep().await;
        assert_eq!(office.world.directory.reads(), reads);
    }
    let last = office.last_sync().await;
    assert_eq!(last["trigger"], "schedule");
    // Switched off, it is not read; nor when somebody wants it.
    let mut body = corporate();
    body["ldap"]["sync_every_minutes"] = 60.into();
    body["enabled"] = false.into();
    body["version"] = 1.into();
    let off = office.provider(CHANGE, Some(body)).await;
    assert_eq!((off.status, &off.json["next_sync_at"]), (200, &Value::Null), "{}", off.text);
    office.world.wait(7_200);
    office.sweep().await;
    assert_eq!(office.world.directory.reads(), 3);
    let refused = office.provider(SYNC, None).await;
    assert_eq!(refused.verdict(), (409, "provider_disabled"));
}

#[tokio::test]
async fn a_password_is_shown_to_nobody_and_goes_nowhere_else_unasked() {
    let office = Office::reading().await;
    let shown = office.provider(READ, None).await;
    assert!(!shown.text.contains("secret"), "{}", shown.text);
    assert!(!office.trail().await.iter().any(|record| record.to_string().contains("a secret")));
    let with = |field: &str, value: Value| {
        let mut body = corporate();
        body["ldap"].as_object_mut().unwrap().remove("password");
        body["ldap"][field] = value;
        body["version"] = 1.into();
        body
    };
    for (field, value) in [
        ("host", json!("dc2.example.com")),
        ("port", json!(3269)),
        ("tls", json!("starttls")),
        ("bind_dn", json!("cn=other")),
    ] {
        let told = office.provider(CHANGE, Some(with(field, value))).await;
        assert_eq!(told.faults(), [("/ldap/password", "secret_required")], "{field}");
    }
    let kept = office.provider(CHANGE, Some(with("filter", json!("(objectClass=person)")))).await;
    assert_eq!(kept.status, 200, "{}", kept.text);
    assert_eq!(office.provider(TEST, None).await.json["readable"], true);
    let mut wrong = with("host", json!("dc2.example.com"));
    (wrong["version"], wrong["ldap"]["password"]) = (2.into(), "wrong".into());
    assert_eq!(office.provider(CHANGE, Some(wrong)).await.status, 200);
    let test = office.provider(TEST, None).await;
    assert_eq!(
        (test.at("/error/code"), &test.json["readable"]),
        ("invalid_credentials", &json!(false))
    );
    // Of settings that are not saved, no stored one is used.
    let mut unsaved = with("filter", Value::Null);
    unsaved.as_object_mut().unwrap().remove("version");
    let told = office.console("POST /identity-providers/test", "", Some(unsaved)).await;
    assert_eq!(told.faults(), [("/ldap/password", "required")]);
}

#[tokio::test]
async fn every_fault_of_the_settings_is_named_at_once() {
    let office = Office::reading().await;
    let faults = async |change: Value| {
        let mut body = corporate();
        body["name"] = "Other".into();
        for (field, value) in change.as_object().unwrap() {
            let at = if ["type", "mapping", "ldap"].contains(&field.as_str()) {
                &mut body
            } else {
                &mut body["ldap"]
            };
            at[field] = value.clone();
        }
        let told = office.console(CREATE, "", Some(body)).await;
        let found = told.faults();
        found.into_iter().map(|(at, code)| format!("{at} {code}")).collect::<Vec<_>>()
    };
    for (change, expected) in [
        (json!({"host": "localhost"}), "/ldap/host host_not_public"),
        (json!({"host": "dc1.corp.internal"}), "/ldap/host host_not_public"),
        (json!({"host": "10.0.0.7"}), "/ldap/host address_not_allowed"),
        (json!({"host": ""}), "/ldap/host required"),
        (json!({"port": 22}), "/ldap/port port_not_allowed"),
        (json!({"port": 65_636}), "/ldap/port invalid"),
        (json!({"tls": "none"}), "/ldap/tls invalid"),
        (json!({"base_dn": "example"}), "/ldap/base_dn invalid"),
        (json!({"bind_dn": "svc@example.com"}), "/ldap/bind_dn invalid"),
        (json!({"password": ""}), "/ldap/password invalid"),
        (json!({"password": "x".repeat(257)}), "/ldap/password invalid"),
        (json!({"flavor": "novell"}), "/ldap/flavor invalid"),
        (json!({"filter": "(cn=*"}), "/ldap/filter invalid"),
        (json!({"sync_every_minutes": 5}), "/ldap/sync_every_minutes out_of_range"),
        (json!({"ca_pem": "x"}), "/ldap/ca_pem invalid"),
        (json!({"mapping": {"salary": "pay"}}), "/mapping/salary unknown_attribute"),
        (json!({"mapping": {"title": "a b"}}), "/mapping/title invalid"),
        (json!({"mapping": {"title": []}}), "/mapping/title invalid"),
        (json!({"type": "scim"}), "/ldap not_of_this_type"),
        (json!({"ldap": null}), "/ldap required"),
    ] {
        let found = faults(change.clone()).await;
        assert_eq!(found.len(), 1, "{change}: {found:?}");
        let (at, code) = expected.split_once(' ').unwrap();
        let (found_at, found_code) = found[0].split_once(' ').unwrap();
        assert_eq!(found_at, at, "{change}");
        if code != "invalid" {
            assert_eq!(found_code, code, "{change}");
        }
    }
    let several = json!({"host": "localhost", "port": 22, "flavor": "x", "password": ""});
    assert_eq!(faults(several).await.len(), 4);
    // One kind does not become the other.
    let scim = json!({"name": "Corporate", "type": "scim", "version": 1});
    let told = office.provider(CHANGE, Some(scim)).await;
    assert_eq!(told.faults(), [("/type", "immutable")]);
}

#[tokio::test]
async fn who_is_there_is_adopted_by_choice_and_never_a_super_admin() {
    let office = Office::reading().await;
    let here = office.world.member(office.tenant, "bob@globex.example", Role::ReadOnly).await;
    office.world.directory.person(3, "boss");
    let sync = office.synced().await;
    assert_eq!(counts(&sync), [("conflicts", 2), ("created", 1), ("groups", 1), ("users", 3)]);
    let mut body = corporate();
    (body["adopt_existing"], body["version"]) = (true.into(), 1.into());
    assert_eq!(office.provider(CHANGE, Some(body)).await.status, 200);
    let sync = office.synced().await;
    assert_eq!(counts(&sync), [("adopted", 1), ("conflicts", 1), ("groups", 1), ("users", 3)]);
    let bob = office.user(here.user).await;
    assert_eq!((bob.source, bob.role, bob.role_pinned), (Source::Directory, Role::ReadOnly, true));
    let boss = office.user(office.member.user).await;
    assert_eq!((boss.source, boss.role), (Source::Manual, Role::SuperAdmin));
    // It is not taken back by a second sync either.
    assert_eq!(counts(&office.synced().await), [("conflicts", 1), ("groups", 1), ("users", 3)]);
}

#[tokio::test]
async fn a_role_that_somebody_changes_is_the_groups_again_with_the_next_sync_unless_it_is_pinned() {
    let office = Office::reading().await;
    office.synced().await;
    let bob = office.user_at("bob@globex.example").await.unwrap();
    for (pinned, expected) in [(true, Role::ReadOnly), (false, Role::User)] {
        let mut user = office.user(bob.id).await;
        (user.role, user.role_pinned) = (Role::ReadOnly, pinned);
        let version = user.version;
        user.version += 1;
        office.world.put(&keys::user(office.tenant, bob.id), &user).await;
        office.synced().await;
        let after = office.user(bob.id).await;
        assert_eq!(after.role, expected, "after {version}");
    }
}

#[tokio::test]
async fn a_provider_that_is_deleted_lets_its_users_stay_or_takes_them_along() {
    for (fate, left) in [("keep_as_manual", true), ("archive", false)] {
        let office = Office::reading().await;
        office.synced().await;
        let asked = ask("DELETE /identity-providers/{id}").query("users", fate);
        let asked = asked.path("id", &office.provider).bearer(&office.access);
        assert_eq!(asked.of(&office.app()).await.status, 202);
        office.sweep().await;
        assert_eq!(office.provider(READ, None).await.status, 404);
        let bob = office.user_at("bob@globex.example").await;
        assert_eq!(bob.map(|bob| bob.source == Source::Manual), left.then_some(true));
        let partition = format!("T#{}#D#{}", office.tenant, office.provider);
        assert_eq!(office.world.db.dump_of(&partition), Vec::<Value>::new());
    }
}

#[tokio::test]
async fn no_attribute_of_a_directory_makes_anybody_an_admin() {
    let mut body = corporate();
    // Even where an attribute is mapped that says so.
    body["mapping"] = json!({"title": "title", "user_type": "role"});
    let office = Office::with(body).await;
    let names = ["Admins2", "admins\u{200b}", "super_admin", "Domain Admins", "cn=Admins", "Admin"];
    office
        .world
        .directory
        .employee(1, Employee { name: "eve".into(), title: "super_admin".into(), enabled: true });
    for (n, name) in (1..).zip(names) {
        office.world.directory.group(n, name, &[1]);
    }
    let sync = office.synced().await;
    assert_eq!(sync["outcome"], "completed", "{sync}");
    assert_eq!(office.role("eve").await, Some((Role::User, Status::Active)));
}

#[tokio::test]
async fn a_worker_that_falls_silent_is_taken_over_and_one_that_always_does_is_given_up() {
    let office = Office::reading().await;
    assert_eq!(office.provider(SYNC, None).await.status, 202);
    // Each begins, and its password cannot be opened.
    office.world.sealer.set_down(true);
    office.world.wait(1);
    for _ in 0..5 {
        let swept = office.swept(office.world.table()).await.unwrap();
        assert_eq!((swept.due, swept.failed), (1, 1));
        // Lent to the one who fell silent.
        assert_eq!(office.swept(office.world.table()).await.unwrap().due, 0);
        office.world.wait(400);
    }
    office.sweep().await;
    let last = office.last_sync().await;
    assert_eq!(
        (&last["outcome"], &last["error"]["code"]),
        (&json!("failed"), &json!("interrupted"))
    );
    office.world.sealer.set_down(false);
    assert_eq!(office.synced().await["outcome"], "completed");
}

/// What there is of the tenant's users and of the directory's: names, roles, groups.
async fn everybody(office: &Office) -> Vec<String> {
    let table = office.world.table();
    let (users, _) = table.users(office.tenant, false, None, 1_000).await.unwrap();
    let mut all: Vec<_> = users
        .into_iter()
        .map(|(_, user)| {
            let groups: Vec<_> = user.groups.iter().map(|name| name.as_str().to_owned()).collect();
            format!("{} {:?} {:?} {groups:?}", user.email.as_str(), user.role, user.status)
        })
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn killed_at_any_call_the_next_worker_completes_it() {
    let mut whole = None;
    let (mut calls, mut crashed) = (0, 0);
    while calls == crashed {
        let office = Office::reading().await;
        let directory = &office.world.directory;
        for n in 3..12 {
            directory.person(n, &format!("u{n}"));
        }
        office.synced().await;
        directory.group(1, "Admins", &[1, 2, 3]).group(2, "Desk", &[4]).person(30, "new");
        directory.change(5, |user| user.name = "other".to_owned());
        directory.remove(6);
        assert_eq!(office.provider(SYNC, None).await.status, 202);
        let moment = if calls % 2 == 0 { Moment::Before } else { Moment::After };
        let crash = Arc::new(Crash::new(calls / 2, moment));
        let transport = office.world.db.shared("worker", crash.clone());
        office.world.wait(1);
        let _ = office.swept(transport.table()).await;
        crashed += usize::from(crash.happened());
        calls += 1;
        for _ in 0..3 {
            office.world.wait(400);
            office.sweep().await;
        }
        assert_eq!(office.last_sync().await["outcome"], "completed", "after {calls}");
        let users = office.world.get::<Tenant>(&keys::tenant(office.tenant)).await.unwrap().users;
        let found = everybody(&office).await;
        assert_eq!(found.len(), usize::try_from(users).unwrap());
        assert_eq!(whole.get_or_insert(found.clone()), &found, "after {calls}");
        assert_eq!(counts(&office.synced().await), [("groups", 2), ("users", 11)]);
    }
    assert!(crashed > 30, "{crashed}");
}

/// A worker that stands still before its nth transaction.
#[derive(Default)]
struct Hold {
    at: usize,
    calls: AtomicUsize,
    held: Notify,
    go: Notify,
}

impl Gate for Hold {
    fn before<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Verdict> {
        let counts = usize::from(call.operation == "TransactWriteItems");
        Box::pin(async move {
            if self.calls.fetch_add(counts, Ordering::Relaxed) == self.at && counts == 1 {
                self.held.notify_one();
                self.go.notified().await;
            }
            Verdict::Proceed
        })
    }
}

#[tokio::test]
async fn two_workers_at_once_make_nobody_twice() {
    let office = Office::reading().await;
    for n in 3..60 {
        office.world.directory.person(n, &format!("u{n}"));
    }
    assert_eq!(office.provider(SYNC, None).await.status, 202);
    // The second one takes over from one that is thought to be silent.
    let hold = Arc::new(Hold { at: 6, ..Hold::default() });
    let transport = office.world.db.shared("first", hold.clone());
    office.world.wait(1);
    let slow = office.swept(transport.table());
    let fast = async {
        // Some of what the first one does is done.
        hold.held.notified().await;
        office.world.wait(400);
        office.sweep().await;
        hold.go.notify_one();
    };
    let (slow, ()) = futures::join!(slow, fast);
    slow.unwrap();
    office.world.wait(400);
    office.sweep().await;
    assert_eq!(counts(&office.synced().await), [("groups", 1), ("users", 59)]);
    assert_eq!(everybody(&office).await.len(), 60);
}

#[tokio::test]
async fn who_is_switched_off_amid_a_sync_is_heard_no_longer() {
    let office = Office::reading().await;
    for n in 3..60 {
        office.world.directory.person(n, &format!("u{n}"));
    }
    assert_eq!(office.provider(SYNC, None).await.status, 202);
    let hold = Arc::new(Hold { at: 6, ..Hold::default() });
    let transport = office.world.db.shared("worker", hold.clone());
    office.world.wait(1);
    let slow = office.swept(transport.table());
    let change = async {
        hold.held.notified().await;
        let mut body = corporate();
        (body["group_roles"], body["version"]) = (json!([]), 1.into());
        // Who has which role is decided once.
        let refused = office.provider(CHANGE, Some(body.clone())).await;
        assert_eq!(refused.verdict(), (409, "sync_running"));
        body["enabled"] = false.into();
        assert_eq!(office.provider(CHANGE, Some(body)).await.status, 200);
        hold.go.notify_one();
    };
    let (_, ()) = futures::join!(slow, change);
    // What was read counts for nothing more; the new roles are everybody's who is there.
    let some = everybody(&office).await.len();
    office.world.wait(400);
    office.sweep().await;
    assert_eq!(office.role("ann").await.map(|(role, _)| role), Some(Role::User));
    assert_eq!((office.last_sync().await, everybody(&office).await.len()), (Value::Null, some));
    let mut body = corporate();
    (body["group_roles"], body["version"]) = (json!([]), 2.into());
    assert_eq!(office.provider(CHANGE, Some(body)).await.status, 200);
    let sync = office.synced().await;
    let created = sync["counts"]["created"].as_u64().unwrap();
    assert!((1..59).contains(&created), "{sync}");
    assert_eq!(everybody(&office).await.len(), 60);
}
