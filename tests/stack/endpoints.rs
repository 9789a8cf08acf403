//! `GET /endpoints`: filters, paging, one endpoint, and its removal.

use std::collections::BTreeSet;

use belfry_demo::oracle::Endpoint;
use belfry_demo::{Demo, Scale};
use serde_json::{Value, json};

use crate::dashboard::post;
use crate::event::{batch, status, violation};
use crate::stack::{equal, eventually, now};
use crate::tenant::Tenant;

/// All rows of a list, by pages of `limit`.
async fn rows(tenant: &Tenant, query: &str, limit: usize) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/endpoints?limit={limit}{query}{cursor}");
        let page = tenant.admin.get(&path).await.is(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit, "{} rows for {path}", items.len());
        rows.extend(items.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return rows,
        }
    }
}

/// Which endpoints a filter chooses, in the oracle's words.
type Choice<'a> = &'a dyn Fn(&Endpoint) -> bool;

/// What list and oracle both say of an endpoint.
fn row(endpoint: &Endpoint) -> Value {
    json!([
        endpoint.product,
        endpoint.id,
        endpoint.kind,
        endpoint.name,
        endpoint.os,
        endpoint.os_version,
        endpoint.agent_version,
        endpoint.infected,
        day(endpoint.last_contact)
    ])
}

fn row_of(item: &Value) -> Value {
    let fields = [
        "product",
        "id",
        "kind",
        "name",
        "os",
        "os_version",
        "agent_version",
        "infected",
        "last_seen",
    ];
    fields.iter().map(|field| item[*field].clone()).collect()
}

/// Days since the epoch as a date.
fn day(days: i64) -> String {
    jiff::Timestamp::from_second(days * 86_400).unwrap().strftime("%Y-%m-%d").to_string()
}

fn sorted(rows: impl IntoIterator<Item = Value>) -> Vec<String> {
    rows.into_iter().map(|row| row.to_string()).collect::<BTreeSet<_>>().into_iter().collect()
}

#[tokio::test]
async fn lists_equal_the_oracles() {
    let tenant = Tenant::with_partitions(4).await;
    let now = now();
    let demo = Demo::new(8, now, Scale::SMALL);
    post(&tenant, &demo).await;
    let mut wanted = demo.oracle(now).unwrap().endpoints();
    wanted.retain(|endpoint| !endpoint.removed);
    let chosen =
        |choose: Choice| sorted(wanted.iter().filter(|endpoint| choose(endpoint)).map(row));

    eventually("all endpoints", async || {
        let rows = rows(&tenant, "", 200).await;
        equal(sorted(rows.iter().map(row_of)), &chosen(&|_| true))
    })
    .await;
    let pages = rows(&tenant, "", 7).await;
    assert_eq!(pages.len(), wanted.len(), "no endpoint is on two pages");
    assert_eq!(sorted(pages.iter().map(row_of)), chosen(&|_| true));

    let today = now.as_second().div_euclid(86_400);
    let cases: [(&str, Choice); 8] = [
        ("&product=EMM", &|e| e.product == "EMM"),
        ("&kind=mobile", &|e| e.kind == "mobile"),
        ("&os=macOS", &|e| e.os == "macOS"),
        ("&infected=true", &|e| e.infected),
        ("&infected=false", &|e| !e.infected),
        ("&last_seen=3-6d", &|e| (3..=6).contains(&(today - e.last_contact))),
        ("&product=EPP&infected=true", &|e| e.product == "EPP" && e.infected),
        ("&product=EPP&kind=mobile", &|e| e.product == "EPP" && e.kind == "mobile"),
    ];
    for (query, choose) in cases {
        let found = rows(&tenant, query, 11).await;
        assert_eq!(sorted(found.iter().map(row_of)), chosen(choose), "{query}");
    }
    assert!(!chosen(&|e| e.infected).is_empty(), "the demo has infected endpoints");

    let one = &wanted[0];
    let path = format!("/endpoints/{}/{}", one.product, one.id);
    assert_eq!(row_of(&tenant.admin.get(&path).await.is(200)), row(one));
}

#[tokio::test]
async fn faulty_parameters_are_all_named() {
    let tenant = Tenant::new().await;
    let query = "product=TOASTER&kind=lamp&infected=maybe&last_seen=soon&limit=201";
    let answer = tenant.admin.get(&format!("/endpoints?{query}")).await;
    let wanted = ["?infected", "?kind", "?last_seen", "?limit", "?product"];
    assert_eq!(answer.faulty_fields(), wanted);
    let answer = tenant.admin.get("/endpoints?limit=0&colour=red").await;
    assert_eq!(answer.faulty_fields(), ["?colour", "?limit"]);
}

#[tokio::test]
async fn a_cursor_is_good_for_its_list_only() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    for tenant in [&tenant, &other] {
        let events: Vec<Value> = (0..5).map(|n| status(&format!("c-{n}"), 1)).collect();
        tenant.product("EPP").await.report(None, batch(&events)).await.is(202);
        tenant.shows("/endpoints/total", 5).await;
    }
    let page = tenant.admin.get("/endpoints?limit=2").await.is(200);
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    let damaged = cursor.chars().rev().collect::<String>();
    for (query, cursor) in [("limit=2&product=EPP", &cursor), ("limit=2", &damaged)] {
        let answer = tenant.admin.get(&format!("/endpoints?{query}&cursor={cursor}")).await;
        answer.is_problem(400, "cursor_invalid");
    }
    // In another tenant's hands it shows that tenant's own, or nothing.
    let answer = other.admin.get(&format!("/endpoints?limit=2&cursor={cursor}")).await;
    assert!([200, 400].contains(&answer.status), "{answer}");
}

#[tokio::test]
async fn a_removed_endpoint_is_gone_from_every_figure_and_may_come_back() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    let events = [status("dead", 1), violation("dead", 1), status("alive", 1)];
    product.report(None, batch(&events)).await.is(202);
    tenant.shows("/endpoints/total", 2).await;

    tenant.admin.delete("/endpoints/EPP/dead").await.is(202);
    eventually("the endpoint's end", async || {
        equal(tenant.admin.get("/endpoints/EPP/dead").await.status, &404)
    })
    .await;
    tenant.shows("/endpoints/total", 1).await;
    let dashboard = tenant.dashboard().await;
    assert_eq!(dashboard["violations"]["policy"], json!({"endpoints": 0, "events": 1}));
    assert_eq!(dashboard["not_seen"], json!({"computers": 1, "mobiles": 0}));
    assert_eq!(dashboard["operating_systems"][0]["count"], 1);
    let left = rows(&tenant, "", 50).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["id"], "alive");
    tenant.admin.delete("/endpoints/EPP/dead").await.is_problem(404, "not_found");

    // What it had reported before is past, however late it comes.
    product.report(None, batch(&[violation("dead", 24 * 3)])).await.is(202);
    // What it reports anew begins a new life, without the old signs.
    product.report(None, batch(&[status("dead", 0)])).await.is(202);
    tenant.shows("/endpoints/total", 2).await;
    let dashboard = tenant.dashboard().await;
    assert_eq!(dashboard["violations"]["policy"]["endpoints"], 0, "{dashboard}");
    let older = tenant.admin.get("/dashboard?period=3-6d").await.is(200);
    assert_eq!(older["violations"]["policy"], json!({"endpoints": 0, "events": 1}));
}

#[tokio::test]
async fn those_of_another_tenant_do_not_exist() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    other.product("EPP").await.report(None, batch(&[status("theirs", 1)])).await.is(202);
    other.shows("/endpoints/total", 1).await;
    tenant.admin.get("/endpoints/EPP/theirs").await.is_problem(404, "not_found");
    tenant.admin.delete("/endpoints/EPP/theirs").await.is_problem(404, "not_found");
    other.admin.get("/endpoints/EMM/theirs").await.is_problem(404, "not_found");
    other.admin.get("/endpoints/TOASTER/theirs").await.is_problem(404, "not_found");
    other.admin.get("/endpoints/EPP/theirs").await.is(200);
    assert_eq!(rows(&tenant, "", 50).await, Vec::<Value>::new());
}
