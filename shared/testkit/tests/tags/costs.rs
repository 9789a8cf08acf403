//! What tags cost, counted: the figures of `infra/table.md`.

use crate::house::{Functions, House, answer, functions, ring};
use belfry_domain::attribute::UserAttribute;
use belfry_testkit::gate::{Gate, Open};
use belfry_testkit::{Ask, Transport, Turnstile, Verdict, ask};
use serde_json::{Value, json};
use std::sync::Arc;

const TABLE_MD: &str = include_str!("../../../../infra/table.md");

/// Users of the largest tenant, and its tags.
const USERS: usize = 14_999;
const TAGS: usize = 100;

fn department(name: &str) -> Value {
    json!({"attribute": "department", "eq": name})
}

/// Functions that share one client, whose calls are counted.
struct Counted {
    transport: Transport,
    functions: Functions,
}

impl Counted {
    fn new(house: &House) -> Self {
        let transport = house.world.db.client("counted", Open);
        let functions = functions(&house.world, &house.bell, |_| transport.table());
        Self { transport, functions }
    }

    /// A row as `infra/table.md` must have it, and the answer.
    async fn row(&self, what: &str, asked: Ask) -> (String, Value) {
        self.transport.reset();
        let answer = answer(&self.functions, asked).await;
        assert!(answer.status < 300, "{}", answer.text);
        (self.transport.cost(what), answer.json)
    }

    async fn walk(&self, what: &str, house: &House) -> String {
        self.transport.reset();
        assert!(ring(&self.functions.tagging, &house.tenant.to_string()).await);
        self.transport.cost(what)
    }
}

/// The largest tenant: everybody in one department, and tags of another one.
async fn large() -> (House, Vec<String>, Vec<Value>) {
    let house = House::new().await;
    let own = |n: usize| {
        let own = [(UserAttribute::Department, "Off".to_owned())];
        (format!("u{n}@globex.example"), own)
    };
    let users = house.world.users(house.tenant, USERS, own).await;
    let mut tags = Vec::new();
    for n in 0..TAGS {
        tags.push(house.dynamic(&format!("Tag {n}"), department("on")).await);
        house.world.wait(1);
    }
    house.wait(0).await;
    (house, users.iter().map(|user| user.id.to_string()).collect(), tags)
}

#[tokio::test(start_paused = true)]
async fn each_stands_in_the_tables_description() {
    let (house, ids, tags) = large().await;
    let mut rows = Vec::new();
    let counted = Counted::new(&house);
    rows.push(counted.walk("tagging, a walk over 15,000 users, nobody changes", &house).await);
    let change = |id: usize, version: u64, department: &str| {
        let body = json!({"attributes": {"department": department}, "version": version});
        house.ask("PATCH /users/{id}").path("id", &ids[id]).json(body)
    };
    // Each by a process of its own, and by one that has worked before.
    for (what, id, to, version) in [
        ("users, an attribute, 100 tags, none flips, cold", 0, "Other", 1),
        ("users, an attribute, 100 tags, all flip, cold", 1, "On", 1),
    ] {
        let cold = Counted::new(&house);
        rows.push(cold.row(what, change(id, version, to)).await.0);
        assert!(cold.transport.write_units() <= 10.0, "{}", cold.transport.cost(what));
    }
    let warm = Counted::new(&house);
    warm.row("", change(2, 1, "Other")).await;
    for (what, id, to, version) in [
        ("users, an attribute, 100 tags, none flips, warm", 2, "Another", 2),
        ("users, an attribute, 100 tags, all flip, warm", 3, "On", 1),
    ] {
        let (row, user) = warm.row(what, change(id, version, to)).await;
        rows.push(row);
        assert!(warm.transport.write_units() <= 10.0, "{}", warm.transport.cost(what));
        assert_eq!(user["tags"].as_array().unwrap().len(), if to == "On" { TAGS } else { 0 });
    }
    let one = |route: &str| house.ask(route).path("id", tags[0]["id"].as_str().unwrap());
    let list = || house.ask("GET /tags");
    warm.row("", list()).await;
    rows.push(warm.row("tags, a page of 50 of 100", list()).await.0);
    rows.push(warm.row("tags, one", one("GET /tags/{id}")).await.0);
    let body = json!({"rules": [{"value": "yes", "when": department("off")}], "version": 1});
    rows.push(warm.row("tags, another rule", one("PUT /tags/{id}").json(body)).await.0);
    rows.push(counted.walk("tagging, a walk over 15,000 users, nearly all change", &house).await);
    let preview = json!({"applies_to": "users", "when": department("off")});
    let preview = house.ask("POST /tags/preview").json(preview);
    rows.push(warm.row("tags, a preview over 15,000 users", preview).await.0);
    let page = || house.ask("GET /users").query("limit", 50);
    warm.row("", page()).await;
    rows.push(warm.row("users, a page of 50 with tags", page()).await.0);
    let seen = warm.row("", one("GET /tags/{id}")).await.1;
    assert_eq!(seen["counts"][0]["count"], USERS - 4);
    products(&house, &warm, &mut rows, &ids).await;
    rows.retain(|row| !TABLE_MD.contains(row));
    assert!(rows.is_empty(), "infra/table.md does not have\n{}", rows.join("\n"));
}

/// What products read.
async fn products(house: &House, warm: &Counted, rows: &mut Vec<String>, ids: &[String]) {
    let reader = house.reader().await;
    // Nothing has happened for a while.
    house.wait(11).await;
    let product = |route: &str| ask(route).bearer(&reader);
    warm.row("", product("GET /product/tags")).await;
    let page = product("GET /product/users").query("limit", 200);
    rows.push(warm.row("product, a page of 200 users", page).await.0);
    let whole = product("GET /product/tags").query("limit", 200);
    let (row, tags) = warm.row("product, all of 100 tags", whole).await;
    rows.push(row);
    let since = |route: &str, token: &Value| {
        product(route).query("limit", 200).query("changed_since", token.as_str().unwrap())
    };
    let nothing = since("GET /product/tags", &tags["changed_since"]);
    rows.push(warm.row("product, what changed, nothing", nothing).await.0);
    let applications = warm.row("", product("GET /product/applications")).await.1;
    drop(applications);
    // A list of users that has come to its end.
    let mut asked = product("GET /product/users").query("limit", 200);
    let token = loop {
        let page = warm.row("", asked).await.1;
        match page["next_cursor"].as_str() {
            Some(cursor) => {
                asked = product("GET /product/users").query("limit", 200).query("cursor", cursor);
            }
            None => break page["changed_since"].clone(),
        }
    };
    for id in &ids[10..20] {
        let user: Value = warm.row("", house.ask("GET /users/{id}").path("id", id)).await.1;
        let body = json!({"attributes": {"title": "Lead"}, "version": user["version"]});
        warm.row("", house.ask("PATCH /users/{id}").path("id", id).json(body)).await;
    }
    let (row, page) =
        warm.row("product, what changed, 10 users", since("GET /product/users", &token)).await;
    rows.push(row);
    assert_eq!(page["items"].as_array().unwrap().len(), 10);
}

/// Calls and units of what people do while a walk stands still in its middle are those without one.
#[tokio::test(start_paused = true)]
async fn a_request_during_a_walk_costs_what_it_costs_without() {
    let house = House::new().await;
    let own = |n: usize| {
        let department = ["On", "Off"][n % 2].to_owned();
        (format!("u{n:03}@globex.example"), [(UserAttribute::Department, department)])
    };
    let users = house.world.users(house.tenant, 600, own).await;
    let tag = house.dynamic("Tag", department("on")).await;
    house.work().await;
    let warm = Counted::new(&house);
    let requests = |n: usize| {
        let user = users[n].id.to_string();
        let version = 2 - u64::try_from(n % 2).unwrap();
        let body = json!({"attributes": {"title": "Lead"}, "version": version});
        [
            ("page", house.ask("GET /users").query("limit", 50)),
            ("user", house.ask("GET /users/{id}").path("id", &user)),
            ("change", house.ask("PATCH /users/{id}").path("id", &user).json(body)),
        ]
    };
    let mut without = Vec::new();
    for (_, asked) in requests(0) {
        warm.row("", asked).await;
    }
    for (what, asked) in requests(2) {
        without.push(warm.row(what, asked).await.0);
    }
    house.must(house.rule(&tag, &department("off"))).await;
    let gate = Arc::new(Turnstile::new());
    let shared: Arc<dyn Gate> = gate.clone();
    let worker = house.functions("worker", &shared);
    let tenant = house.tenant.to_string();
    let work = tokio::spawn(async move { ring(&worker.tagging, &tenant).await });
    for _ in 0..9 {
        let held = gate.settle().await;
        gate.release(held[0].ticket, Verdict::Proceed);
    }
    gate.settle().await;
    assert_eq!(house.seen(&tag).await["evaluation"]["state"], "running");
    // Whoever knows the old rules reads the new ones once.
    let [(_, page), ..] = requests(0);
    warm.row("", page).await;
    // Whom the walk has not come to: one that has the tag still, and one that shall have it.
    let last = |odd: usize| {
        let own = users.iter().enumerate().filter(|(n, _)| n % 2 == odd);
        own.max_by_key(|(_, user)| user.id).unwrap().0
    };
    let [page, user, _] = requests(last(0));
    let [_, _, change] = requests(last(1));
    let mut during = Vec::new();
    for (what, asked) in [page, user, change] {
        during.push(warm.row(what, asked).await.0);
    }
    assert_eq!(during, without);
    gate.open();
    assert!(work.await.unwrap());
}
