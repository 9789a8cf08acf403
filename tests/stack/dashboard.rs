//! `GET /dashboard` against the oracle, which knows the posted bodies only.

use belfry_demo::oracle::{self, Oracle, PERIODS};
use belfry_demo::{Demo, PRODUCTS, Scale};
use futures::future::join_all;

use crate::event::{batch, violation};
use crate::stack::{equal, eventually, now};
use crate::tenant::Tenant;

/// Posts a demo, each product in its order and all beside each other.
pub(crate) async fn post(tenant: &Tenant, demo: &Demo) {
    join_all(PRODUCTS.map(|product| async move {
        let (ordinary, history) = (tenant.product(product).await, tenant.history(product).await);
        for batch in demo.batches().filter(|batch| batch.product == product) {
            let sender = if batch.history { &history } else { &ordinary };
            let answer =
                sender.report(Some(&batch.idempotency_key), batch.body.clone()).await.is(202);
            assert_eq!(answer["accepted"], batch.events, "{answer}");
        }
    }))
    .await;
}

/// Waits until all five answers are the oracle's.
async fn agrees(tenant: &Tenant, oracle: &Oracle) {
    for (period, _) in PERIODS {
        let path = format!("/dashboard?period={}", period.replace('+', "%2B"));
        eventually(&format!("the figures of {period}"), async || {
            // Logged in anew, as the whole may take longer than a token lives.
            let answer = tenant.log_in().await.get(&path).await.is(200);
            // Null until the first telemetry is taken.
            if let Some(as_of) = answer["data_as_of"].as_str() {
                assert!(as_of.parse::<jiff::Timestamp>().unwrap() <= now());
            }
            equal(oracle::in_order(answer), &oracle.dashboard(period, now()))
        })
        .await;
    }
}

#[tokio::test]
async fn every_figure_equals_the_oracles() {
    let tenant = Tenant::with_partitions(4).await;
    let now = now();
    let demo = Demo::new(20_261_122, now, Scale::SMALL);
    let mut oracle = demo.oracle(now).unwrap();
    post(&tenant, &demo).await;
    agrees(&tenant, &oracle).await;

    // What comes later moves the figures of the endpoints it names.
    let product = tenant.product("EPP").await;
    let present =
        oracle.endpoints().into_iter().find(|e| e.product == "EPP" && !e.removed).unwrap();
    let body = batch(&[violation(&present.id, 24 * 4), violation("new-one", 24 * 8)]);
    oracle.read("EPP", "later", &body, crate::stack::now()).unwrap();
    product.report(Some("later"), body).await.is(202);
    agrees(&tenant, &oracle).await;
}

#[tokio::test]
async fn a_tenant_without_telemetry_has_zeros() {
    let tenant = Tenant::new().await;
    agrees(&tenant, &Oracle::default()).await;
    let default = oracle::in_order(tenant.admin.get("/dashboard").await.is(200));
    assert_eq!(default, Oracle::default().dashboard("0-2d", now()));
}

#[tokio::test]
async fn an_unknown_period_is_refused() {
    let tenant = Tenant::new().await;
    for period in ["1-2d", "", "30d", "0-2d%20"] {
        let answer = tenant.admin.get(&format!("/dashboard?period={period}")).await;
        assert_eq!(answer.faulty_fields(), ["?period"], "{period}");
    }
}
