//! The SIEM export on the deployed stack, to the operator's own receiver: what is reported and what is
//! changed arrives, once, in order, over TLS and over HTTPS.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::event::{batch, violation};
use crate::stack::{equal, eventually, repository, unique};
use crate::tenant::Tenant;

/// `belfry siem receive` on ports of its own; ended when it goes.
struct Receiver {
    process: Child,
    folder: PathBuf,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

impl Receiver {
    async fn start() -> Self {
        let tests = std::env::current_exe().unwrap();
        let tool = tests.ancestors().nth(2).unwrap().join("belfry");
        let folder = std::env::temp_dir().join(unique("belfry-siem"));
        let process = Command::new(tool)
            .args(["siem", "receive", "--quiet", "--plain", "off"])
            .args(["--syslog", "127.0.0.1:0", "--hec", "127.0.0.1:0", "--dir"])
            .arg(&folder)
            .arg("--report")
            .arg(folder.join("report.json"))
            .current_dir(repository())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let receiver = Self { process, folder };
        eventually("the receiver", async || receiver.read("report.json").ok_or("no report".into()))
            .await;
        receiver
    }

    fn read(&self, name: &str) -> Option<Value> {
        serde_json::from_slice(&std::fs::read(self.folder.join(name)).ok()?).ok()
    }

    /// The body of the destination that leads here.
    fn body(&self, transport: &str) -> Value {
        self.read(&format!("{transport}.json")).unwrap()
    }

    /// What has arrived of a tenant by a transport: for each stream how many different records, and
    /// whether something was wrong.
    fn streams(&self, tenant: &str) -> Vec<Value> {
        let report = self.read("report.json").unwrap();
        assert_eq!(report["errors"]["other_id"], 0, "{report}");
        assert_eq!(report["errors"]["stepped_back"], 0, "{report}");
        let streams = report["streams"].as_array().unwrap().iter();
        streams.filter(|stream| stream["tenant"] == tenant).cloned().collect()
    }

    fn distinct(&self, tenant: &str, transport: &str, stream: &str) -> u64 {
        let streams = self.streams(tenant);
        let found =
            streams.iter().find(|one| one["transport"] == transport && one["stream"] == stream);
        found.map_or(0, |found| found["distinct"].as_u64().unwrap())
    }
}

fn adds_up(figures: &Value) {
    let figure = |name: &str| figures[name].as_u64().unwrap();
    let parts = ["confirmed", "refused", "skipped", "expired", "backlog"];
    assert_eq!(figure("produced"), parts.map(figure).iter().sum::<u64>(), "{figures}");
}

#[tokio::test]
async fn reports_and_changes_arrive_at_the_receiver_of_the_tool() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    let receiver = Receiver::start().await;
    let mut ids = Vec::new();
    for transport in ["syslog_tls", "splunk_hec"] {
        let body = receiver.body(transport);
        let tried = tenant.admin.post("/siem/destinations/test", &body).await.is(200);
        assert_eq!(tried["confirmed"], true, "{tried}");
        let made = tenant.admin.post("/siem/destinations", &body).await.is(201);
        assert!(made["token"].is_null(), "a given token is not shown: {made}");
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    let events: Vec<_> = (0..300).map(|n| violation(&format!("pc-{n}"), 1)).collect();
    product.report(None, batch(&events)).await.is(202);
    // Somebody is turned away: an access, which is numbered by the sweep.
    tenant
        .anon
        .post("/auth/login", &json!({"email": tenant.email, "password": "wrong"}))
        .await
        .is(401);
    for transport in ["syslog_tls", "splunk_hec"] {
        eventually("the events", async || {
            equal(receiver.distinct(&tenant.id, transport, "EPP/0"), &300)
        })
        .await;
    }
    eventually("the access", async || {
        let arrived = receiver.distinct(&tenant.id, "syslog_tls", "CONSOLE/1");
        if arrived > 0 { Ok(()) } else { Err("not yet".into()) }
    })
    .await;
    // The second destination was made while the first one was there.
    eventually("the change", async || {
        let arrived = receiver.distinct(&tenant.id, "syslog_tls", "CONSOLE/0");
        if arrived > 0 { Ok(()) } else { Err("not yet".into()) }
    })
    .await;
    for id in ids {
        let path = format!("/siem/destinations/{id}/statistics");
        let figures = eventually("the figures", async || {
            let figures = tenant.admin.get(&path).await.is(200);
            adds_up(&figures["totals"]);
            equal(figures["totals"]["backlog"].clone(), &json!(0)).map(|_| figures)
        })
        .await;
        assert_eq!(figures["state"], "healthy", "{figures}");
        assert_eq!(figures["totals"]["refused"], 0, "{figures}");
    }
}

#[tokio::test]
async fn a_receiver_that_is_down_costs_time_and_nothing_else() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    let mut body = {
        let receiver = Receiver::start().await;
        receiver.body("syslog_tls")
    };
    // Nobody listens there any longer.
    let made = tenant.admin.post("/siem/destinations", &body).await.is(201);
    let id = made["id"].as_str().unwrap();
    let events: Vec<_> = (0..20).map(|n| violation(&format!("pc-{n}"), 1)).collect();
    product.report(None, batch(&events)).await.is(202);
    let path = format!("/siem/destinations/{id}");
    let retrying = eventually("the failure", async || {
        let found = tenant.admin.get(&path).await.is(200);
        equal(found["state"].clone(), &json!("retrying")).map(|_| found)
    })
    .await;
    assert_eq!(retrying["last_error"]["code"], "connect_refused", "{retrying}");
    // Another receiver, with other certificates, at another port: its settings are tried at once.
    let receiver = Receiver::start().await;
    body = receiver.body("syslog_tls");
    body["version"] = retrying["version"].clone();
    tenant.admin.put(&path, &body).await.is(200);
    eventually("the events", async || {
        equal(receiver.distinct(&tenant.id, "syslog_tls", "EPP/0"), &20)
    })
    .await;
}

#[tokio::test]
async fn an_asked_for_log_is_read_to_its_end() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    let body = json!({"name": "Pull", "transport": "pull", "format": "ocsf",
        "event_types": {"EPP": ["policy.violated"]}});
    let made = tenant.admin.post("/siem/destinations", &body).await.is(201);
    let puller = tenant.anon.bearing(made["token"].as_str().unwrap());
    let events: Vec<_> = (0..25).map(|n| violation(&format!("pc-{n}"), 1)).collect();
    product.report(None, batch(&events)).await.is(202);
    eventually("the stream", async || {
        let streams = puller.get("/events").await.is(200);
        let found =
            streams["items"].as_array().unwrap().iter().find(|one| one["stream"] == "EPP/0");
        equal(found.map(|one| one["last_sequence"].clone()), &Some(json!(25))).map(|_| ())
    })
    .await;
    let (mut after, mut sequences) = (0, Vec::new());
    loop {
        let page =
            puller.get(&format!("/events?stream=EPP/0&after={after}&limit=10")).await.is(200);
        let items = page["items"].as_array().unwrap();
        if items.is_empty() {
            break;
        }
        assert!(items.len() <= 10);
        sequences.extend(items.iter().map(|item| item["sequence"].as_u64().unwrap()));
        assert_eq!(items[0]["record"]["metadata"]["version"], "1.5.0", "{page}");
        after = page["next_after"].as_u64().unwrap();
    }
    assert_eq!(sequences, (1..=25).collect::<Vec<_>>());
    let path = format!("/siem/destinations/{}", made["id"].as_str().unwrap());
    tenant.admin.delete(&path).await.is(204);
    puller.get("/events").await.is_problem(401, "unauthenticated");
    tenant.anon.bearing("bfp_0").get("/events").await.is_problem(401, "unauthenticated");
    tenant.admin.get("/events").await.is_problem(401, "unauthenticated");
}
