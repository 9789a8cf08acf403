//! Users and imports, every answer that the description names.

use crate::{House, faulty_bodies};
use belfry_domain::account::{Role, Source, Status, User};
use belfry_domain::id::{TenantId, UserId};
use belfry_domain::ports::Clock as _;
use belfry_domain::users::NewUser;
use belfry_runtime::events::{Events as _, SqsMessage};
use belfry_runtime::metrics::Metrics;
use belfry_testkit::{Answer, Ask, Member, SeededEntropy, ask};
use serde_json::{Value, json};
use std::sync::Arc;

const HEADER: &str = "First Name,Last Name,Email,Role\r\n";

impl House {
    async fn on_users(&self, route: &'static str, ask: Ask) -> Answer {
        self.tell(&self.users, route, ask).await
    }

    async fn send_users(&self, route: &'static str, ask: Ask, body: Value) -> Answer {
        self.send(&self.users, route, ask, body).await
    }

    /// Carries out the imports that were rung for.
    async fn import(&self) {
        let worker = user_import::App {
            table: self.db.table(),
            post: self.world.post(),
            clock: Arc::new(self.clock.clone()),
            entropy: self.world.entropy.clone(),
        };
        let rings = self.world.imports.drain().into_iter();
        let rings = rings.map(|body| SqsMessage { body, ..Default::default() }).collect();
        let mut metrics = Metrics::new("user-import", "test");
        assert_eq!(worker.messages(rings, &mut metrics).await, [""; 0]);
    }
}

/// Somebody of each kind, with a token.
struct People {
    boss: Member,
    chief: String,
    admin: String,
    looks: String,
    unknown: UserId,
}

pub(crate) async fn all(house: &House, tenant: TenantId) {
    let member = |name: &str, role| {
        let email = format!("{name}@globex.com");
        async move { house.world.member(tenant, &email, role).await }
    };
    let boss = member("chief", Role::SuperAdmin).await;
    let (admin, looks) = (member("adm", Role::Admin).await, member("look", Role::ReadOnly).await);
    let people = People {
        chief: house.world.token(&boss).await,
        admin: house.world.token(&admin).await,
        looks: house.world.token(&looks).await,
        unknown: UserId::new(house.clock.now(), &SeededEntropy::new(7)),
        boss,
    };
    let of = [
        "GET /users",
        "GET /users/{id}",
        "DELETE /users/{id}",
        "POST /users/{id}/activation",
        "GET /users/{id}/data",
        "POST /users/{id}/erasure",
        "GET /users/export",
        "GET /users/imports/template",
        "GET /users/imports/{id}",
        "GET /users/imports/{id}/errors",
    ];
    for route in of {
        let nobody = ask(route).path("id", people.unknown);
        assert_eq!(house.on_users(route, nobody).await.status, 401, "{route}");
    }
    create(house, &people).await;
    accept(house, &people).await;
    list(house, &people).await;
    change(house, &people).await;
    delete(house, &people).await;
    imports(house, &people).await;
    too_large(house).await;
}

/// So many people with the longest names that their file is more than an answer holds.
async fn too_large(house: &House) {
    let tenant = house.world.tenant("Long").await;
    let boss = house.world.member(tenant, "boss@long.example", Role::SuperAdmin).await;
    let name = "長".repeat(60);
    for n in 0..7_500 {
        let new = NewUser {
            first_name: name.parse().unwrap(),
            last_name: name.parse().unwrap(),
            email: format!("{n}@{}{}.example", "long.".repeat(40), "x".repeat(30)).parse().unwrap(),
            mobile: None,
            phone: None,
            attributes: belfry_domain::attribute::UserAttributes::new(),
            role: Role::User,
            two_factor_required: false,
        };
        let (now, entropy) = (house.clock.now(), house.world.entropy.as_ref());
        house.world.keep(&User::new(tenant, new, Source::Csv, None, now, entropy)).await;
    }
    let (route, token) = ("GET /users/export", house.world.token(&boss).await);
    let told = house.on_users(route, ask(route).bearer(token)).await;
    assert_eq!(told.verdict(), (409, "export_too_large"));
}

fn new(name: &str, role: &str) -> Value {
    json!({"first_name": name, "last_name": "Lee", "email": format!("{name}@globex.com"),
        "mobile": "+91 98765 43210", "role": role})
}

async fn create(house: &House, people: &People) {
    let route = "POST /users";
    let by = |token: &str| ask(route).bearer(token);
    let made = house.send_users(route, by(&people.admin), new("uma", "user")).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let again = house.send_users(route, by(&people.admin), new("uma", "admin")).await;
    assert_eq!(again.verdict(), (409, "already_exists"));
    let denied = house.send_users(route, by(&people.looks), new("vic", "user")).await;
    assert_eq!(denied.verdict(), (403, "forbidden"));
    let nobody = house.send_users(route, ask(route), new("vic", "user")).await;
    assert_eq!(nobody.status, 401);
    faulty_bodies(house, &house.users, route, Some(&people.admin)).await;
    // Three mails an hour to one address, whoever asks.
    let invite = "POST /users/{id}/activation";
    let made = house.send_users(route, by(&people.admin), new("ivy", "help_desk")).await;
    let again = || ask(invite).path("id", made.at("/id")).bearer(&people.admin);
    for expected in [202, 202, 429] {
        assert_eq!(house.on_users(invite, again()).await.status, expected);
    }
    let gone = "DELETE /users/{id}";
    let gone =
        house.on_users(gone, ask(gone).path("id", made.at("/id")).bearer(&people.admin)).await;
    assert_eq!(gone.status, 204);
    let anew = house.send_users(route, by(&people.admin), new("ivy", "help_desk")).await;
    assert_eq!(anew.verdict(), (429, "throttled"));
    for (id, token, expected) in [
        (people.boss.user, &people.admin, 403),
        (people.boss.user, &people.chief, 409),
        (people.unknown, &people.admin, 404),
    ] {
        let told = house.on_users(invite, ask(invite).path("id", id).bearer(token)).await;
        assert_eq!(told.status, expected);
    }
}

/// Somebody whom another company deactivated accepts by the password.
async fn accept(house: &House, people: &People) {
    let elsewhere = house.world.tenant("Elsewhere").await;
    let zia = house.world.member(elsewhere, "zia@globex.com", Role::Admin).await;
    house.world.change(&zia, |user| user.status = Status::Deactivated).await;
    let (create, check, accept) =
        ("POST /users", "POST /auth/activation/check", "POST /auth/activation");
    let made = house.send_users(create, ask(create).bearer(&people.admin), new("zia", "read_only"));
    assert_eq!(made.await.status, 201);
    house.settle().await;
    let token = house.mailed_token();
    let body = json!({"token": token});
    let told = house.send(&house.auth, check, ask(check), body).await;
    assert_eq!(told.at("/status"), "confirmation_required");
    let body = json!({"token": token, "password": "wrong"});
    for expected in [401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 429] {
        let told = house.send(&house.auth, accept, ask(accept), body.clone()).await;
        assert_eq!(told.status, expected);
    }
}

async fn list(house: &House, people: &People) {
    let (list, one, data) = ("GET /users", "GET /users/{id}", "GET /users/{id}/data");
    let page = house.on_users(list, ask(list).bearer(&people.looks).query("limit", 1)).await;
    assert_eq!(page.status, 200);
    let next = ask(list).bearer(&people.looks).query("limit", 1);
    let next = house.on_users(list, next.query("cursor", page.at("/next_cursor"))).await;
    assert_ne!(next.json["items"], page.json["items"]);
    for (name, value, expected) in [("cursor", "x", 400), ("role", "boss", 422)] {
        let told = house.on_users(list, ask(list).bearer(&people.looks).query(name, value)).await;
        assert_eq!(told.status, expected);
    }
    for (id, expected) in [(people.boss.user, 200), (people.unknown, 404)] {
        let told = house.on_users(one, ask(one).path("id", id).bearer(&people.looks)).await;
        assert_eq!(told.status, expected);
        let told = house.on_users(data, ask(data).path("id", id).bearer(&people.admin)).await;
        assert_eq!(told.status, expected, "{}", told.text);
    }
    let denied = ask(data).path("id", people.boss.user).bearer(&people.looks);
    assert_eq!(house.on_users(data, denied).await.status, 403);
    let export = "GET /users/export";
    let file = house.on_users(export, ask(export).bearer(&people.looks)).await;
    assert!(file.text.contains("chief@globex.com"));
    let bad = ask(export).bearer(&people.looks).query("ids", "x");
    assert_eq!(house.on_users(export, bad).await.status, 422);
}

async fn change(house: &House, people: &People) {
    let (route, create) = ("PATCH /users/{id}", "POST /users");
    let by = |id: &str, token: &str| ask(route).path("id", id).bearer(token);
    let made =
        house.send_users(create, ask(create).bearer(&people.admin), new("wes", "user")).await;
    let id = made.at("/id").to_owned();
    let rename = json!({"first_name": "Wesley", "mobile": "", "version": 1});
    let done = house.send_users(route, by(&id, &people.admin), rename.clone()).await;
    assert_eq!((done.status, done.at("/first_name")), (200, "Wesley"));
    let stale = house.send_users(route, by(&id, &people.admin), rename.clone()).await;
    assert_eq!(stale.verdict(), (409, "version_conflict"));
    let up = json!({"role": "super_admin", "version": 2});
    let denied = house.send_users(route, by(&id, &people.admin), up).await;
    assert_eq!(denied.verdict(), (403, "forbidden"));
    let (unknown, nobody) = (people.unknown.to_string(), ask(route).path("id", &id));
    let told = house.send_users(route, by(&unknown, &people.admin), rename.clone()).await;
    assert_eq!(told.status, 404);
    assert_eq!(house.send_users(route, nobody, rename).await.status, 401);
    faulty_bodies(house, &house.users, route, Some(&people.admin)).await;
    // Promoted again and again: three mails an hour.
    let mut version = 2;
    let mut statuses = Vec::new();
    for role in ["read_only", "user", "read_only", "user", "read_only", "user", "read_only"] {
        let body = json!({"role": role, "version": version});
        let told = house.send_users(route, by(&id, &people.admin), body).await;
        version += u64::from(told.status == 200);
        statuses.push(told.status);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 429]);
}

async fn delete(house: &House, people: &People) {
    let (route, erase, create) = ("DELETE /users/{id}", "POST /users/{id}/erasure", "POST /users");
    let by = |route: &str, id: &str, token: &str| ask(route).path("id", id).bearer(token);
    let made =
        house.send_users(create, ask(create).bearer(&people.admin), new("xan", "user")).await;
    let id = made.at("/id").to_owned();
    let unknown = people.unknown.to_string();
    let early = house.on_users(erase, by(erase, &id, &people.admin)).await;
    assert_eq!(early.verdict(), (409, "not_deleted"));
    let bad = by(route, &id, &people.admin).query("version", "x");
    assert_eq!(house.on_users(route, bad).await.status, 422);
    let stale = by(route, &id, &people.admin).query("version", 9);
    assert_eq!(house.on_users(route, stale).await.status, 409);
    for (id, token, expected) in
        [(&id, &people.looks, 403), (&unknown, &people.admin, 404), (&id, &people.admin, 204)]
    {
        assert_eq!(house.on_users(route, by(route, id, token)).await.status, expected);
    }
    for (id, token, expected) in
        [(&id, &people.looks, 403), (&unknown, &people.admin, 404), (&id, &people.admin, 200)]
    {
        assert_eq!(house.on_users(erase, by(erase, id, token)).await.status, expected);
    }
}

async fn imports(house: &House, people: &People) {
    let (start, template) = ("POST /users/imports", "GET /users/imports/template");
    let (one, errors) = ("GET /users/imports/{id}", "GET /users/imports/{id}/errors");
    let file = |token: &str, csv: &str| ask(start).bearer(token).text("text/csv", csv);
    let good = format!("{HEADER}Yul,Lee,yul@globex.com,User\r\nBad,Row,x,User\r\n");
    let dry = file(&people.admin, &good).query("dry_run", true);
    assert_eq!(house.on_users(start, dry).await.json["state"], "refused");
    let asked = house.on_users(start, file(&people.admin, &good).query("mode", "partial")).await;
    assert_eq!(asked.status, 202);
    house.import().await;
    let id = asked.at("/id").to_owned();
    let by = |route: &str, id: &str, token: &str| ask(route).path("id", id).bearer(token);
    let done = house.on_users(one, by(one, &id, &people.admin)).await;
    assert_eq!((done.at("/state"), &done.json["rows"]["imported"]), ("done", &json!(1)));
    let refused = house.on_users(errors, by(errors, &id, &people.admin)).await;
    assert!(refused.text.contains("Bad,Row"));
    let unknown = id.replace(|c: char| c.is_ascii_digit(), "0");
    for route in [one, errors] {
        assert_eq!(house.on_users(route, by(route, &unknown, &people.admin)).await.status, 404);
        assert_eq!(house.on_users(route, by(route, &id, &people.looks)).await.status, 403);
    }
    let example = house.on_users(template, ask(template).bearer(&people.admin)).await;
    assert_eq!(example.status, 200);
    let denied = house.on_users(template, ask(template).bearer(&people.looks)).await;
    assert_eq!(denied.status, 403);
    assert_eq!(house.on_users(start, file(&people.looks, &good)).await.status, 403);
    let nobody = ask(start).text("text/csv", &good);
    assert_eq!(house.on_users(start, nobody).await.status, 401);
    let json = ask(start).bearer(&people.admin).json(json!({}));
    assert_eq!(house.on_users(start, json).await.status, 415);
    let huge = "x".repeat(1_000_001);
    for (csv, expected) in [("\u{fffe}", 400), (&huge, 413), (HEADER, 422)] {
        let told = if expected == 400 {
            // An unclosed quote.
            house.on_users(start, file(&people.admin, &format!("{HEADER}\"a"))).await
        } else {
            house.on_users(start, file(&people.admin, csv)).await
        };
        assert_eq!(told.status, expected, "{}", told.text);
    }
    let mut last = 202;
    for _ in 0..61 {
        last = house.on_users(start, file(&people.admin, &good)).await.status;
    }
    assert_eq!(last, 429);
    house.import().await;
    house.settle().await;
}
