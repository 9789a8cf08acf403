//! A forwarder that dies at any of its calls, and rivals that make theirs at the same moment.

use crate::world::{EPP, EPP_1, World, ZTNA, numbers, ring};
use belfry_domain::audit::Outcome;
use belfry_domain::id::DestinationId;
use belfry_domain::policy::Action;
use belfry_domain::siem::progress::Health;
use belfry_domain::siem::record::StreamName;
use belfry_domain::telemetry::event::Severity;
use belfry_testkit::{Crash, Moment, Reception, Turnstile, in_lockstep, siem::trouble};
use std::sync::Arc;

/// Streams, what is refused, what cannot be read, what is over, and a recovery that is told.
async fn busy() -> (World, DestinationId) {
    let world = World::new().await;
    let mut settings = World::settings();
    settings.min_severity = Severity::Low;
    let id = world.create(settings).await;
    for _ in 0..3 {
        world.log(EPP, 3, Severity::Low).await;
    }
    world.log(EPP_1, 2, Severity::Info).await;
    world.log(EPP_1, 2, Severity::High).await;
    world.append(ZTNA, vec![vec![0xff]]).await;
    world.access(Outcome::Denied).await;
    world.sweep().await;
    world.drop_chunk(EPP, 1).await;
    world.receiver.refuse(EPP, 5);
    // Suspended and resumed: its end is told.
    world.receiver.next(Reception::TakeOnly(2, trouble("gone", true)));
    world.ring(id).await;
    let now = world.base.now();
    world.direct(id, Action::ResumeDestination, |p| p.resumed(now)).await;
    world.base.posted().await;
    (world, id)
}

async fn judge(world: &World, id: DestinationId) {
    let progress = world.check_all(id).await;
    assert_eq!(progress.health, Health::Healthy);
    let counts = |stream| {
        let of = progress.position(stream);
        (of.confirmed, of.refused, of.skipped, of.expired)
    };
    assert_eq!(counts(EPP), (5, 1, 0, 3));
    assert_eq!(counts(EPP_1), (2, 0, 2, 0));
    assert_eq!(counts(ZTNA), (0, 1, 0, 0));
    assert_eq!(counts(StreamName::ACCESSES), (1, 0, 0, 0));
    assert_eq!(world.firsts(EPP), [vec![4], numbers(6, 9)].concat());
    assert_eq!(world.firsts(EPP_1), numbers(3, 4));
    assert_eq!(world.firsts(StreamName::ACCESSES), [1]);
    let parked: Vec<_> =
        world.parked(id).await.iter().map(|parked| (parked.stream, parked.sequence)).collect();
    assert_eq!(parked, [(ZTNA, 1), (EPP, 5)]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_call_loses_nothing_and_counts_nothing_twice() {
    for moment in [Moment::Before, Moment::After] {
        for at in 0.. {
            let (world, id) = busy().await;
            let gate = Arc::new(Crash::new(at, moment));
            let client = world.base.db.shared("forwarder", gate.clone());
            let done = world.ring_on(&world.app_on(client.table()), id).await;
            world.check(id).await;
            assert_eq!(done.is_some(), !gate.happened(), "call {at}");
            world.ring(id).await;
            judge(&world, id).await;
            // Of the recovery each admin is told once, whatever died when.
            assert_eq!(world.base.db.dump_of("O#").len(), 2, "{moment:?} {at}");
            if !gate.happened() {
                assert!(at >= 8, "a delivery has more calls than {at}");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rivals_lose_nothing_and_count_nothing_twice() {
    let (world, id) = busy().await;
    let gate = Arc::new(Turnstile::new());
    let rivals = (0..3).map(|rival| {
        let name = format!("forwarder {rival}");
        let app = world.app_on(world.base.db.shared(&name, gate.clone()).table());
        let tenant = world.tenant;
        tokio::spawn(async move { ring(&app, tenant, id).await })
    });
    let ends = in_lockstep(&gate, rivals.collect()).await;
    assert!(ends.iter().all(Option::is_some));
    world.check(id).await;
    world.ring(id).await;
    judge(&world, id).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_deleted_meanwhile_stays_deleted() {
    let (world, id) = busy().await;
    let gate = Arc::new(Turnstile::new());
    let app = world.app_on(world.base.db.shared("forwarder", gate.clone()).table());
    let tenant = world.tenant;
    let forwarder = tokio::spawn(async move { ring(&app, tenant, id).await });
    loop {
        let held = gate.settle().await.remove(0);
        if held.call.operation == "TransactWriteItems" {
            break;
        }
        gate.release(held.ticket, belfry_testkit::Verdict::Proceed);
    }
    world.delete(id).await;
    gate.open();
    assert!(forwarder.await.unwrap().is_some());
    assert!(world.table().destination(world.tenant, id).await.unwrap().is_none());
    let left = world.base.db.dump_of(&format!("T#{tenant}"));
    assert!(
        left.iter().all(|item| item["sk"]["S"].as_str().unwrap() != format!("SIEM_PROGRESS#{id}"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_replay_survives_a_crash_at_any_call() {
    for at in 0.. {
        let world = World::new().await;
        let id = world.create_for_products().await;
        world.log(EPP, 4, Severity::Low).await;
        world.ring(id).await;
        world.replay(id, EPP, 1).await;
        world.ring(id).await;
        world.replay(id, EPP, 2).await;
        let gate = Arc::new(Crash::new(at, Moment::After));
        let client = world.base.db.shared("forwarder", gate.clone());
        world.ring_on(&world.app_on(client.table()), id).await;
        world.check(id).await;
        world.ring(id).await;
        let progress = world.check_all(id).await;
        assert!(progress.replay.is_empty());
        assert_eq!((progress.replayed, progress.position(EPP).confirmed), (7, 4));
        let arrived = world.receiver.sequences().remove(&EPP).unwrap();
        assert_eq!(arrived[..4], numbers(1, 4));
        assert_eq!(arrived[arrived.len() - 3..], numbers(2, 4));
        if !gate.happened() {
            break;
        }
    }
}

/// A batch that is settled is not settled once more by somebody who came later with an older view.
#[tokio::test(start_paused = true)]
async fn without_the_revision_rivals_would_count_twice() {
    let (world, id) = busy().await;
    let gate = Arc::new(Turnstile::new());
    let mut stripped = 0;
    let rivals: Vec<_> = (0..2)
        .map(|rival| {
            let client = world.base.db.shared(&format!("forwarder {rival}"), gate.clone());
            client.strip(|_, write| write.to_string().contains("SIEM_PROGRESS"));
            let app = world.app_on(client.table());
            let tenant = world.tenant;
            (client, tokio::spawn(async move { ring(&app, tenant, id).await }))
        })
        .collect();
    let (clients, tasks): (Vec<_>, Vec<_>) = rivals.into_iter().unzip();
    in_lockstep(&gate, tasks).await;
    for client in &clients {
        stripped += client.stripped();
    }
    assert!(stripped > 0);
    // Both told the admins of the recovery.
    assert_eq!(world.base.db.dump_of("O#").len(), 3);
}
