//! What happens at the door is numbered: each access once, without a gap, whoever else is at it.

use crate::world::{World, numbers, sweep};
use belfry_domain::audit::{Access, Outcome};
use belfry_domain::id::DestinationId;
use belfry_domain::policy::Action;
use belfry_domain::siem::record::{Source, StreamName, What};
use belfry_store::entity::Entity;
use belfry_store::keys;
use belfry_testkit::{Crash, Moment, Turnstile, Verdict, in_lockstep};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A destination for accesses only, and so many of them.
async fn with(count: usize) -> (World, DestinationId, Vec<Access>) {
    let world = World::new().await;
    let mut settings = World::settings();
    settings.event_types.retain(|source, _| *source == Source::Console);
    settings.event_types.get_mut(&Source::Console).unwrap().retain(|kind| kind.name() == "access");
    let id = world.create(settings).await;
    let mut made = Vec::new();
    for _ in 0..count {
        made.push(world.access(Outcome::Failure).await);
    }
    (world, id, made)
}

/// Every access has one number, and they are numbered in their order.
async fn judge(world: &World, id: DestinationId, made: &[Access]) {
    assert_eq!(world.ends().await[&StreamName::ACCESSES], made.len() as u64);
    world.ring(id).await;
    world.check_all(id).await;
    let told: Vec<_> = world.receiver.arrived().into_iter().map(|record| record.what).collect();
    let expected: Vec<_> =
        made.iter().map(|access| What::Access(Box::new(access.clone()))).collect();
    assert_eq!(told, expected);
    assert_eq!(world.firsts(StreamName::ACCESSES), numbers(1, made.len() as u64));
}

#[tokio::test]
async fn more_than_a_transaction_holds() {
    let (world, id, made) = with(205).await;
    let swept = world.sweep().await;
    assert_eq!((&swept["numbered"], &swept["rung"]), (&205.into(), &1.into()));
    assert_eq!(world.sweep().await["numbered"], 0);
    judge(&world, id, &made).await;
}

#[tokio::test]
async fn later_ones_follow() {
    let (world, id, mut made) = with(3).await;
    world.sweep().await;
    for _ in 0..4 {
        made.push(world.access(Outcome::Denied).await);
    }
    world.sweep().await;
    judge(&world, id, &made).await;
}

#[tokio::test(start_paused = true)]
async fn rivals_number_each_access_once() {
    let (world, id, made) = with(120).await;
    let gate = Arc::new(Turnstile::new());
    let rivals = (0..3).map(|rival| {
        let app =
            world.app_on(world.base.db.shared(&format!("sweep {rival}"), gate.clone()).table());
        tokio::spawn(async move { sweep(&app).await })
    });
    in_lockstep(&gate, rivals.collect()).await;
    world.sweep().await;
    judge(&world, id, &made).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_call_leaves_no_gap() {
    for moment in [Moment::Before, Moment::After] {
        for at in 0.. {
            let (world, id, made) = with(4).await;
            let gate = Arc::new(Crash::new(at, moment));
            let client = world.base.db.shared("sweep", gate.clone());
            sweep(&world.app_on(client.table())).await;
            world.check(id).await;
            world.sweep().await;
            judge(&world, id, &made).await;
            if !gate.happened() {
                assert!(at >= 10, "a sweep has more calls than {at}");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_index_that_is_late_numbers_nothing_twice() {
    let (world, id, mut made) = with(3).await;
    let gate = Arc::new(Turnstile::new());
    let late = world.app_on(world.base.db.shared("late", gate.clone()).table());
    let late = tokio::spawn(async move { sweep(&late).await });
    // What the late one saw in the index is numbered by somebody else before it goes on.
    loop {
        let held = gate.settle().await.remove(0);
        let seen = held.call.operation == "GetItem" && held.call.key().1 == "HEAD";
        if seen {
            break;
        }
        gate.release(held.ticket, Verdict::Proceed);
    }
    assert_eq!(world.sweep().await["numbered"], 3);
    made.push(world.access(Outcome::Success).await);
    gate.open();
    assert_eq!(late.await.unwrap().unwrap()["numbered"], 0);
    assert_eq!(world.sweep().await["numbered"], 1);
    judge(&world, id, &made).await;
}

#[tokio::test]
async fn what_was_erased_is_not_told() {
    let (world, id, made) = with(3).await;
    world.sweep().await;
    let user = world.base.get(&keys::user(world.tenant, world.admin.user)).await.unwrap();
    let grant = world.grant(Action::TestDestination).await;
    world.table().erase_traces(&grant, &user, world.base.now()).await.unwrap();
    // One that is gone altogether has its number still.
    world.base.remove(&keys::access(Some(world.tenant), made[1].at, made[1].id)).await;
    world.ring(id).await;
    let progress = world.check_all(id).await;
    let of = progress.position(StreamName::ACCESSES);
    assert_eq!((of.confirmed, of.refused), (2, 1));
    assert_eq!(world.parked(id).await[0].code, "unreadable");
    for record in world.receiver.arrived() {
        let What::Access(access) = record.what else { panic!("{record:?}") };
        assert_eq!(access.source_address, None);
    }
}

/// Something in the index that is no access.
#[derive(Serialize, Deserialize)]
struct Junk {
    gsi1pk: String,
    gsi1sk: String,
}

impl Entity for Junk {
    const TYPE: &'static str = "access";
}

#[tokio::test]
async fn a_damaged_one_keeps_nobody_from_the_others() {
    let (world, id, mut made) = with(2).await;
    let damaged = world.access(Outcome::Success).await;
    let key = keys::access(Some(world.tenant), damaged.at, damaged.id);
    let junk =
        Junk { gsi1pk: keys::unnumbered_partition(world.tenant), gsi1sk: damaged.id.to_string() };
    world.base.put(&key, &junk).await;
    made.push(world.access(Outcome::Success).await);
    let swept = world.sweep().await;
    assert_eq!((&swept["numbered"], &swept["failed"]), (&3.into(), &0.into()));
    judge(&world, id, &made).await;
}

#[tokio::test]
async fn what_happened_while_there_was_no_destination_is_nobodys() {
    let (world, first, _) = with(2).await;
    world.sweep().await;
    world.delete(first).await;
    world.access(Outcome::Success).await;
    world.base.wait(1);
    let id = world.create(World::settings()).await;
    let later = world.access(Outcome::Failure).await;
    assert_eq!(world.sweep().await["numbered"], 1);
    world.ring(id).await;
    let told: BTreeSet<_> = world.receiver.arrived().iter().map(|r| r.id().into_owned()).collect();
    assert!(told.contains(&later.id.to_string()));
    let progress = world.check_all(id).await;
    assert_eq!(progress.position(StreamName::ACCESSES).confirmed, 1);
}
