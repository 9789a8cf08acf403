//! `POST /telemetry`: verdicts, limits, and counting once.

use std::process::Command;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::actor::{Actor, Answer, BATCH};
use crate::aws;
use crate::event::{VIOLATIONS, batch, event, gzip, status, violation};
use crate::stack::{eventually, repository, unique};
use crate::tenant::Tenant;

const MIB: usize = 1024 * 1024;

/// Waits until all that was posted before it is counted: an endpoint's later events are folded
/// after its earlier ones, so when these are seen, a repeat that is counted would be seen too.
async fn settled(tenant: &Tenant, product: &Actor, endpoints: usize) {
    let markers: Vec<Value> = (0..endpoints)
        .map(|n| {
            event(
                "infection.detected",
                0,
                &json!({"threat": "marker", "action": "none",
                "severity": "info", "endpoint": {"id": format!("c-{n}"), "kind": "computer"}}),
            )
        })
        .collect();
    product.report(None, batch(&markers)).await.is(202);
    tenant.shows("/infected/computers", endpoints.try_into().unwrap()).await;
}

#[tokio::test]
async fn every_event_is_judged_by_itself() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    let mut incomplete = violation("c-1", 1);
    incomplete["data"] = json!({"endpoint": {"id": "", "kind": "toaster"}, "severity": "mild"});
    let mut undated = violation("c-1", 1);
    undated["time"] = json!("yesterday");
    let events = [
        status("c-1", 2),
        incomplete,
        violation("c-1", 1),
        json!("not an object"),
        violation("c-1", 24 * 31),
        event("access.blocked", 1, &json!({"application": "a", "user": "u"})),
        event("weather.changed", 1, &json!({})),
        undated,
        json!({}),
    ];
    let answer = product.report(Some("verdicts"), batch(&events)).await.is(202);
    assert_eq!(answer["batch_id"], "verdicts");
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(2), &json!(7)), "{answer}");
    let mut faults: Vec<(u64, &str)> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["index"].as_u64().unwrap(), error["pointer"].as_str().unwrap()))
        .collect();
    faults.sort_unstable();
    assert_eq!(
        faults,
        [
            (1, "/data/endpoint/id"),
            (1, "/data/endpoint/kind"),
            (1, "/data/policy"),
            (1, "/data/severity"),
            (3, ""),
            (4, "/time"),
            (5, "/type"),
            (6, "/type"),
            (7, "/time"),
            (8, "/data"),
            (8, "/id"),
            (8, "/source"),
            (8, "/specversion"),
            (8, "/time"),
            (8, "/type"),
        ]
    );
    let named = answer["errors"].as_array().unwrap().iter().find(|error| error["index"] == 1);
    assert_eq!(named.unwrap()["id"], events[1]["id"], "an error names its event");
    tenant.shows(VIOLATIONS, 1).await;
    tenant.shows("/endpoints/total", 1).await;
}

#[tokio::test]
async fn a_list_of_errors_has_a_hundred_rows_and_the_rest_is_counted() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    let mut events = vec![json!(7); 150];
    events.push(status("c-1", 1));
    let answer = product.report(None, batch(&events)).await.is(202);
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(1), &json!(150)));
    assert_eq!(answer["errors"].as_array().unwrap().len(), 100);
    assert_eq!(answer["errors_omitted"], 50);
}

#[rstest]
#[case::wire(vec![b' '; 4 * MIB + 1])]
#[case::wire_gzip([&[0x1f, 0x8b][..], &vec![0; 4 * MIB]].concat())]
#[case::inflated(gzip(&vec![b' '; 5 * MIB + 1]))]
#[case::bomb(gzip(&vec![b' '; 1024 * MIB]))]
#[case::events(batch(&vec![json!({}); 5_001]))]
#[tokio::test]
async fn too_large_is_413(#[case] body: Vec<u8>) {
    let tenant = Tenant::new().await;
    tenant.product("EPP").await.report(None, body).await.is(413);
}

#[rstest]
#[case::cut_short(b"[{\"id\":".to_vec())]
#[case::no_array(b"{}".to_vec())]
#[case::nothing(Vec::new())]
#[case::not_utf8(b"[\"\xff\"]".to_vec())]
#[case::goes_on(b"[{}] []".to_vec())]
#[case::gzip_cut_short(gzip(b"[{}]")[..12].to_vec())]
#[case::deep("[".repeat(100_000).into_bytes())]
#[tokio::test]
async fn a_batch_that_cannot_be_read_is_400(#[case] body: Vec<u8>) {
    let tenant = Tenant::new().await;
    tenant.product("EPP").await.report(None, body).await.is(400);
}

#[tokio::test]
async fn only_batches_of_cloud_events_are_taken() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    let post = |media: &'static str| {
        let request = product.request(Method::POST, "/telemetry").header("content-type", media);
        product.send(request.body(batch(&[status("c-1", 1)])))
    };
    for media in ["application/json", "application/cloudevents+json", "text/plain"] {
        post(media).await.is(415);
    }
    post("application/cloudevents-batch+json; charset=utf-8").await.is(202);
}

#[tokio::test]
async fn when_every_event_is_refused_it_is_422() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    let answer = product.report(None, batch(&[json!({}), json!(1)])).await;
    let fields = ["/data", "/id", "/source", "/specversion", "/time", "/type"];
    let mut wanted: Vec<String> = fields.iter().map(|field| format!("/0{field}")).collect();
    wanted.push("/1".to_owned());
    assert_eq!(answer.faulty_fields(), wanted);
    // As many as a batch may have.
    product.report(None, batch(&vec![json!({}); 5_000])).await.is(422);
}

#[tokio::test]
async fn gzip_is_known_by_its_first_bytes() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    let post = async |body: Vec<u8>, encoding: Option<&'static str>| -> Answer {
        let mut request = product.request(Method::POST, "/telemetry").header("content-type", BATCH);
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        product.send(request.body(body)).await
    };
    post(gzip(&batch(&[violation("c-1", 1)])), Some("gzip")).await.is(202);
    post(gzip(&batch(&[violation("c-1", 1)])), None).await.is(202);
    // The gateway may have inflated it already.
    post(batch(&[violation("c-1", 1)]), Some("gzip")).await.is(202);
    tenant.shows(VIOLATIONS, 3).await;
}

#[tokio::test]
async fn an_unknown_attribute_is_named_and_kept_nowhere() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    let (known, secret) = (unique("known"), unique("private"));
    let mut of_data = violation(&known, 1);
    of_data["data"]["file/path"] = json!(secret);
    let mut of_endpoint = status(&known, 1);
    of_endpoint["data"]["endpoint"]["owner"] = json!({"name": secret});
    let answer = product.report(None, batch(&[of_data, of_endpoint])).await.is(202);
    assert_eq!(answer["accepted"], 2);
    let warnings: Vec<(&Value, &Value)> = answer["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| (&warning["index"], &warning["pointer"]))
        .collect();
    let wanted =
        [(&json!(0), &json!("/data/file~1path")), (&json!(1), &json!("/data/endpoint/owner"))];
    assert_eq!(warnings, wanted, "{answer}");

    tenant.shows(VIOLATIONS, 1).await;
    let found = aws::everything_of(&tenant.stack, &tenant.id).await;
    let log: Vec<_> = found.iter().filter(|(pk, _)| pk.contains("#LG#")).cloned().collect();
    assert!(aws::holds(&log, &known), "the event log can be searched");
    for private in [&secret, "file/path", "owner"] {
        assert!(!aws::holds(&found, private), "{private} is in the table");
    }
}

#[tokio::test]
async fn an_event_ahead_of_its_receipt_is_taken_with_a_warning() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    let answer = product.report(None, batch(&[violation("c-1", -48)])).await.is(202);
    let [warning] = &answer["warnings"].as_array().unwrap()[..] else { panic!("{answer}") };
    assert_eq!((&warning["code"], &warning["pointer"]), (&json!("time_ahead"), &json!("/time")));
    tenant.shows(VIOLATIONS, 1).await;
}

#[tokio::test]
async fn old_events_need_a_history_credential() {
    let tenant = Tenant::new().await;
    let old = batch(&[violation("c-1", 24 * 45)]);
    tenant.product("EPP").await.report(None, old.clone()).await.is(422);
    let history = tenant.history("EPP").await;
    history.report(None, old).await.is(202);
    history.report(None, batch(&[violation("c-1", 24 * 401)])).await.is(422);
    eventually("the old violation", async || {
        let answer = tenant.admin.get("/dashboard?period=30d%2B").await.is(200);
        crate::stack::equal(
            answer["violations"]["policy"].clone(),
            &json!({"endpoints": 1, "events": 1}),
        )
    })
    .await;
}

#[tokio::test]
async fn a_batch_of_the_python_sdk_is_taken_as_it_comes() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    let python = repository().join(".local/tools/bin/python");
    let script = repository().join("tests/cloudevents_batch.py");
    let written = Command::new(&python).arg(script).arg("sdk").output().unwrap();
    let complaint = String::from_utf8_lossy(&written.stderr);
    assert!(written.status.success(), "{}: {complaint}", python.display());
    let answer = product.report(None, written.stdout).await.is(202);
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(4), &json!(0)), "{answer}");
    assert_eq!(answer["warnings"], json!([]));
    tenant.shows("/endpoints/total", 3).await;
    tenant.shows("/endpoints/infected_now/computers", 1).await;
    let endpoint = tenant.admin.get("/endpoints/EPP/sdk-2").await.is(200);
    assert_eq!(endpoint["name"], "営業部のPC 2");
}

#[tokio::test]
async fn the_same_batch_twice_counts_once() {
    let tenant = Tenant::with_partitions(4).await;
    let product = tenant.product("EPP").await;
    let events: Vec<Value> = (0..40).map(|n| violation(&format!("c-{n}"), 1)).collect();
    let events = batch(&events);
    let first = product.report(Some("one"), events.clone()).await.is(202);
    assert_eq!(product.report(Some("one"), events.clone()).await.is(202), first);
    // Two at once, and after the first is long in the table.
    let both = futures::future::join(
        product.report(Some("one"), events.clone()),
        product.report(Some("one"), gzip(&events)),
    );
    let (left, right) = both.await;
    assert_eq!((left.status, right.status), (202, 202));
    tenant.shows(VIOLATIONS, 40).await;
    product.report(Some("one"), events).await.is(202);
    // One of the same words under another id is another batch.
    product.report(Some("two"), batch(&[violation("c-1", 1)])).await.is(202);
    tenant.shows(VIOLATIONS, 41).await;
    settled(&tenant, &product, 40).await;
    tenant.shows(VIOLATIONS, 41).await;
}

#[tokio::test]
async fn without_a_batch_id_the_same_body_counts_once() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    let events = batch(&[violation("c-1", 1)]);
    let first = product.report(None, events.clone()).await.is(202);
    assert_eq!(product.report(None, gzip(&events)).await.is(202)["batch_id"], first["batch_id"]);
    settled(&tenant, &product, 2).await;
    tenant.shows(VIOLATIONS, 1).await;
}

#[tokio::test]
async fn a_rotated_credential_repeats_safely() {
    let tenant = Tenant::new().await;
    let (old, id) = tenant.credential("EPP").await;
    let events = batch(&[violation("c-1", 1), violation("c-2", 1)]);
    old.report(Some("rotated"), events.clone()).await.is(202);
    tenant.admin.delete(&format!("/products/EPP/credentials/{id}")).await.is(204);
    let new = tenant.product("EPP").await;
    new.report(Some("rotated"), events).await.is(202);
    settled(&tenant, &new, 3).await;
    tenant.shows(VIOLATIONS, 2).await;
}

#[tokio::test]
async fn a_batch_id_used_again_for_other_events_is_another_batch() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    product.report(Some("same"), batch(&[violation("c-1", 1)])).await.is(202);
    product.report(Some("same"), batch(&[violation("c-1", 2)])).await.is(202);
    tenant.shows(VIOLATIONS, 2).await;
    let long = "k".repeat(129);
    product.report(Some(&long), batch(&[violation("c-1", 1)])).await.is(400);
}

#[tokio::test]
async fn the_products_and_tenants_are_kept_apart() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let events = batch(&[violation("c-1", 1)]);
    tenant.product("EPP").await.report(Some("same"), events.clone()).await.is(202);
    tenant.product("EMM").await.report(Some("same"), events.clone()).await.is(202);
    other.product("EPP").await.report(Some("same"), events).await.is(202);
    tenant.shows(VIOLATIONS, 2).await;
    other.shows(VIOLATIONS, 1).await;
}
