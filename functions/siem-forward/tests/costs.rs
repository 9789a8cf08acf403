//! What the forwarder's calls to the table cost, counted: the figures of `infra/table.md`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed test says so by a panic"
)]

#[expect(dead_code, reason = "each test binary uses a part of it")]
mod world;

use belfry_domain::audit::Outcome;
use belfry_domain::id::AuditId;
use belfry_domain::telemetry::event::Severity;
use belfry_testkit::gate::Open;
use world::{EPP, World, ZTNA, ring, sweep};

/// Calls, read units and write units as infra/table.md has them.
#[tokio::test]
async fn of_the_forwarder() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    world.log(EPP, 1, Severity::Low).await;
    world.log(ZTNA, 1, Severity::Low).await;
    world.ring(id).await;
    let client = world.base.db.client("forwarder", Open);
    let app = world.app_on(client.table());
    let mut rows = Vec::new();
    let mut row = |what: &str| {
        rows.push(client.cost(what));
        client.reset();
    };

    ring(&app, world.tenant, id).await.expect("served");
    row("siem-forward, a ring that finds nothing, two streams");

    world.log(EPP, 1_000, Severity::Low).await;
    ring(&app, world.tenant, id).await.expect("served");
    row("siem-forward, 1,000 records of one stream, delivered");

    sweep(&app).await.expect("swept");
    row("siem-forward, a sweep that finds nothing, one destination");

    for _ in 0..10 {
        world.access(Outcome::Success).await;
    }
    let since = world.table().exports_since(world.tenant).await.unwrap().unwrap();
    let since = AuditId::first_at(since);
    let (now, entropy) = (world.base.now(), world.base.entropy.as_ref());
    let numbered = app.table.number_accesses(world.tenant, since, now, entropy).await.unwrap();
    assert_eq!(numbered, (10, None));
    row("siem-forward, 10 accesses numbered");

    rows.retain(|row| !TABLE_MD.contains(row));
    assert!(rows.is_empty(), "infra/table.md does not have\n{}", rows.join("\n"));
}

const TABLE_MD: &str = include_str!("../../../infra/table.md");
