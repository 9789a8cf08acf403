//! Tags as an administrator makes them and as a product reads them, on the deployed stack.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use reqwest::Method;
use serde_json::{Value, json};

use crate::actor::Actor;
use crate::stack::{equal, eventually, unique};
use crate::tenant::Tenant;

/// A product's copy of users, tags and applications, kept by what changed since.
struct Copy {
    product: Actor,
    rows: BTreeMap<String, BTreeMap<String, Value>>,
    since: BTreeMap<String, String>,
}

impl Copy {
    const LISTS: [&str; 3] = ["users", "tags", "applications"];

    const fn new(product: Actor) -> Self {
        Self { product, rows: BTreeMap::new(), since: BTreeMap::new() }
    }

    /// One round: all, the first time, and then what changed.
    async fn follow(&mut self) {
        for list in Self::LISTS {
            let mut path = format!("/product/{list}?limit=50");
            if let Some(since) = self.since.get(list) {
                path = format!("{path}&changed_since={since}");
            }
            let mut next = path.clone();
            loop {
                let page = self.product.get(&next).await.is(200);
                let rows = self.rows.entry(list.to_owned()).or_default();
                for row in page["items"].as_array().unwrap() {
                    let id = row["id"].as_str().unwrap().to_owned();
                    match row["deleted"].as_bool() {
                        Some(true) => rows.remove(&id),
                        _ => rows.insert(id, row.clone()),
                    };
                }
                let Some(cursor) = page["next_cursor"].as_str() else {
                    let since = page["changed_since"].as_str().unwrap().to_owned();
                    self.since.insert(list.to_owned(), since);
                    break;
                };
                next = format!("{path}&cursor={cursor}");
            }
        }
    }

    fn tags(&self, list: &str, id: &str) -> Value {
        self.rows[list].get(id).map_or(Value::Null, |row| row["tags"].clone())
    }
}

async fn user(tenant: &Tenant, name: &str, department: &str) -> String {
    let new = json!({"first_name": name, "last_name": "Tagged", "role": "user",
        "email": format!("{name}@{}.example", unique("tags")),
        "attributes": {"department": department}});
    tenant.admin.post("/users", &new).await.is(201)["id"].as_str().unwrap().to_owned()
}

async fn evaluated(tenant: &Tenant, tag: &str) -> Value {
    let path = format!("/tags/{tag}");
    eventually("the walk", async || {
        let tag = tenant.admin.get(&path).await.is(200);
        equal(tag["evaluation"]["state"].clone(), &json!("done")).map(|_| tag)
    })
    .await
}

#[tokio::test]
async fn a_product_sees_who_may_use_what_through_every_change() {
    let tenant = Tenant::new().await;
    let ann = user(&tenant, "ann", "Finance").await;
    let bob = user(&tenant, "bob", "Sales").await;
    let scopes = json!({"scopes": ["directory:read"]});
    let made = tenant.admin.post("/products/ZTNA/credentials", &scopes).await.is(201);
    let product = tenant.anon.bearing(made["secret"].as_str().unwrap());
    let mut copy = Copy::new(product);
    copy.follow().await;
    assert_eq!(copy.rows["users"].len(), 3, "the administrator is one of them");

    let rule = |department: &str| json!([{"value": "Finance", "when": {"attribute": "department", "eq": department}}]);
    let new =
        json!({"key": "Unit", "applies_to": "users", "kind": "dynamic", "rules": rule("finance")});
    let tag = tenant.admin.post("/tags", &new).await.is(201);
    let tag = tag["id"].as_str().unwrap();
    let shown = evaluated(&tenant, tag).await;
    assert_eq!(shown["counts"], json!([{"value": "Finance", "count": 1}]), "{shown}");
    let label = json!({"key": "Unit", "applies_to": "applications", "kind": "static", "values": ["Finance"]});
    let label = tenant.admin.post("/tags", &label).await.is(201);
    let ledger = json!({"name": "Ledger", "host": "ledger.example.com"});
    let ledger = tenant.admin.post("/applications", &ledger).await.is(201);
    let (label, ledger) = (label["id"].as_str().unwrap(), ledger["id"].as_str().unwrap());
    let assign = json!({"value": "Finance", "ids": [ledger]});
    tenant.admin.post(&format!("/tags/{label}/members"), &assign).await.is(200);
    copy.follow().await;
    let finance = json!([{"key": "Unit", "value": "Finance"}]);
    assert_eq!(copy.tags("applications", ledger), finance);
    assert_eq!((copy.tags("users", &ann), copy.tags("users", &bob)), (finance.clone(), json!([])));

    // An attribute, at once; the rule, in the background; and the tag itself.
    let moved = json!({"attributes": {"department": "FINANCE"}, "version": 1});
    let moved = tenant.admin.patch(&format!("/users/{bob}"), &moved).await.is(200);
    assert_eq!(moved["tags"], finance, "{moved}");
    copy.follow().await;
    assert_eq!(copy.tags("users", &bob), finance);
    let change = json!({"rules": rule("sales"), "version": 1});
    tenant.admin.put(&format!("/tags/{tag}"), &change).await.is(200);
    let shown = evaluated(&tenant, tag).await;
    assert_eq!(shown["counts"], json!([{"value": "Finance", "count": 0}]), "{shown}");
    copy.follow().await;
    assert_eq!((copy.tags("users", &ann), copy.tags("users", &bob)), (json!([]), json!([])));
    let path = format!("/tags/{label}");
    tenant.admin.delete(&path).await.is_problem(409, "tag_in_use");
    tenant.admin.delete(&format!("{path}?force=true")).await.is(204);
    eventually("the detached application", async || {
        copy.follow().await;
        equal(copy.tags("applications", ledger), &json!([]))
    })
    .await;
    assert_eq!(copy.rows["tags"].len(), 1);
    tenant.admin.delete(&format!("/applications/{ledger}")).await.is(204);
    tenant.admin.delete(&format!("/users/{ann}")).await.is(204);
    copy.follow().await;
    assert_eq!((copy.rows["applications"].len(), copy.rows["users"].len()), (0, 2));
}

#[tokio::test]
async fn three_hundred_are_tagged_by_a_filter_with_visible_progress() {
    let tenant = Tenant::new().await;
    let domain = format!("{}.example", unique("tagged"));
    let mut csv = "First Name,Last Name,Email,Country Code,Mobile Number,Phone Number,Role,2FA\r\n"
        .to_owned();
    for n in 0..300 {
        write!(csv, "U{n},Tagged,u{n}@{domain},,,,User,\r\n").unwrap();
    }
    let request = tenant.admin.request(Method::POST, "/users/imports");
    let import =
        tenant.admin.send(request.header("content-type", "text/csv").body(csv)).await.is(202);
    let path = format!("/users/imports/{}", import["id"].as_str().unwrap());
    eventually("the import", async || {
        equal(tenant.admin.get(&path).await.is(200)["state"].clone(), &json!("done"))
    })
    .await;
    let new = json!({"key": "Batch", "applies_to": "users", "kind": "static", "values": ["one"]});
    let tag = tenant.admin.post("/tags", &new).await.is(201);
    let path = format!("/tags/{}", tag["id"].as_str().unwrap());
    let members = format!("{path}/members");
    let all = json!({"value": "one", "filter": {"source": "csv"}});
    let started = tenant.admin.post(&members, &all).await.is(202);
    assert_eq!(started["state"], "running", "{started}");
    let done = eventually("the assignment", async || {
        let tag = tenant.admin.get(&path).await.is(200);
        equal(tag["assignment"]["state"].clone(), &json!("done")).map(|_| tag)
    })
    .await;
    assert_eq!(done["assignment"]["changed"], 300, "{done}");
    assert_eq!(done["counts"], json!([{"value": "one", "count": 300}]), "{done}");
    let page = tenant.admin.get("/users?tag=batch&tag_value=one&limit=200").await.is(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 200);
    tenant.admin.delete(&format!("{members}?value=one&search=u1")).await.is(202);
    eventually("the taking away", async || {
        let tag = tenant.admin.get(&path).await.is(200);
        // u1, u10 to u19, u100 to u199.
        equal(tag["counts"].clone(), &json!([{"value": "one", "count": 189}]))
    })
    .await;
}
