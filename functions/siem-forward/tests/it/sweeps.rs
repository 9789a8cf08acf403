//! The sweep rings for what waits and is due, and for nothing else.

use crate::world::{EPP, World, sweep};
use belfry_domain::id::DestinationId;
use belfry_domain::policy::Action;
use belfry_domain::siem::destination::Transport;
use belfry_domain::telemetry::event::Severity;
use belfry_runtime::siem_ring::Ring;
use belfry_store::entity::Entity;
use belfry_store::keys::{self, Due};
use belfry_testkit::{Crash, Fault, Moment, Reception, siem::trouble};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;

/// Whom the queue has rings for.
fn rung(world: &World) -> BTreeSet<DestinationId> {
    let rings = world.rings.drain();
    for ring in &rings {
        assert!(ring.body.ends_with(&ring.group), "{ring:?}: one forwarder at a time");
    }
    rings.iter().map(|ring| ring.body.parse::<Ring>().unwrap().destination).collect()
}

#[tokio::test]
async fn it_rings_for_what_waits_and_is_due() {
    let world = World::new().await;
    let waits = world.create_for_products().await;
    let mut pull = World::settings();
    (pull.transport, pull.address) = (Transport::Pull, None);
    world.create(pull).await;
    let off = world.create_for_products().await;
    world.change(off, |settings| settings.enabled = false).await;
    let fails = world.create_for_products().await;
    world.log(EPP, 1, Severity::Low).await;
    let gone = world.create_for_products().await;
    world.ring(gone).await;
    world.receiver.next(Reception::TakeOnly(0, trouble("gone", true)));
    world.ring(fails).await;
    let again = world.create_for_products().await;
    world.replay(again, EPP, 1).await;
    let swept = world.sweep().await;
    // Even what comes after the making of a destination is a change, which these do not want and yet
    // have to move past: the replay, and all but those that are off, asked or suspended.
    assert_eq!(swept["failed"], 0);
    assert_eq!(swept["destinations"], 5, "{swept}");
    let expected = BTreeSet::from([waits, gone, again]);
    assert_eq!(rung(&world), expected);
    for id in &expected {
        world.ring(*id).await;
    }
    assert_eq!(world.sweep().await["rung"], 0);
    let now = world.base.now();
    world.direct(fails, Action::ResumeDestination, |p| p.resumed(now)).await;
    world.sweep().await;
    assert!(rung(&world).contains(&fails));
}

#[tokio::test]
async fn within_a_minute_it_rings_once() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    world.log(EPP, 1, Severity::Low).await;
    for _ in 0..3 {
        world.sweep().await;
    }
    assert_eq!((world.rings.taken().len(), world.rings.delivered().len()), (3, 1));
    world.base.wait(60);
    world.sweep().await;
    assert_eq!(world.rings.delivered().len(), 2);
    assert_eq!(rung(&world), [id].into());
}

#[tokio::test]
async fn a_queue_that_takes_nothing_costs_a_minute() {
    let world = World::new().await;
    world.create_for_products().await;
    world.log(EPP, 1, Severity::Low).await;
    world.rings.fail_next(Fault::Refuse);
    world.sweep().await;
    assert!(world.rings.taken().is_empty());
    world.base.wait(60);
    world.sweep().await;
    assert_eq!(world.rings.taken().len(), 1);
}

/// Something among the destinations that is none.
#[derive(Serialize, Deserialize)]
struct Junk {
    gsi1pk: String,
    gsi1sk: String,
}

impl Entity for Junk {
    const TYPE: &'static str = "siem_destination";
}

#[tokio::test]
async fn a_damaged_destination_keeps_nobody_from_the_others() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    world.log(EPP, 1, Severity::Low).await;
    for shard in 0..keys::DUE_SHARDS {
        let other = DestinationId::new(world.base.now(), world.base.entropy.as_ref());
        let junk = Junk { gsi1pk: keys::due(Due::Siem, shard), gsi1sk: "0".to_owned() };
        world.base.put(&keys::destination(world.tenant, other), &junk).await;
    }
    let swept = world.sweep().await;
    assert_eq!((&swept["failed"], &swept["rung"]), (&8.into(), &1.into()));
    assert_eq!(rung(&world), [id].into());
}

#[tokio::test]
async fn there_may_be_more_than_a_page_of_them() {
    let mut world = World::new().await;
    let mut made = BTreeSet::new();
    // Each as large as its certificates allow, so that each shard has more than a megabyte.
    for tenant in 0..16 {
        if tenant > 0 {
            world.tenant = world.base.tenant("Globex").await;
            let email = format!("admin{tenant}@globex.example");
            world.admin =
                world.base.member(world.tenant, &email, belfry_domain::account::Role::Admin).await;
        }
        for _ in 0..10 {
            let mut settings = World::settings();
            settings.address.as_mut().unwrap().ca_pem = Some("x".repeat(90_000));
            made.insert(world.create(settings).await);
        }
    }
    let swept = world.sweep().await;
    assert_eq!((&swept["destinations"], &swept["failed"]), (&160.into(), &0.into()));
    assert_eq!(rung(&world), made);
}

#[tokio::test]
async fn a_sweep_that_dies_is_done_by_the_next() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    world.log(EPP, 1, Severity::Low).await;
    for at in 0.. {
        let gate = std::sync::Arc::new(Crash::new(at, Moment::Before));
        let client = world.base.db.shared("sweep", gate.clone());
        sweep(&world.app_on(client.table())).await;
        world.check(id).await;
        world.base.wait(60);
        world.rings.drain();
        world.sweep().await;
        assert_eq!(rung(&world), [id].into(), "call {at}");
        if !gate.happened() {
            break;
        }
    }
}

#[tokio::test]
async fn it_has_one_input() {
    let world = World::new().await;
    let mut metrics = belfry_runtime::metrics::Metrics::new("siem-forward", "test");
    let app = world.app();
    for input in [json!({}), json!({"sweep": false}), json!({"sweep": true, "x": 1}), json!(null)] {
        belfry_runtime::events::Events::invoked(&app, input, &mut metrics).await.unwrap_err();
    }
}
