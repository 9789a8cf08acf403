//! Receivers that lose answers, take a part or refuse a record; logs that are damaged or over.

use crate::world::{EPP, EPP_1, World, ZTNA, numbers};
use belfry_domain::audit::Outcome;
use belfry_domain::id::DestinationId;
use belfry_domain::policy::Action;
use belfry_domain::siem::progress::Health;
use belfry_domain::siem::record::StreamName;
use belfry_domain::telemetry::event::Severity;
use belfry_domain::telemetry::part::encode;
use belfry_store::entity::Entity;
use belfry_testkit::{Reception, siem::trouble};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;

async fn resume(world: &World, id: DestinationId) {
    let now = world.base.now();
    assert!(world.direct(id, Action::ResumeDestination, |p| p.resumed(now)).await);
}

#[tokio::test]
async fn a_lost_answer_sends_the_same_records_with_the_same_ids() {
    let world = World::new().await;
    let id = world.create(World::settings()).await;
    world.log(EPP, 5, Severity::Low).await;
    world.access(Outcome::Success).await;
    world.sweep().await;
    world.receiver.next(Reception::LoseAnswer(trouble("timeout", false)));
    let report = world.ring(id).await;
    assert_eq!((&report["siem.unknown"], &report["siem.troubles"]), (&7.0.into(), &1.0.into()));
    let progress = world.check(id).await;
    assert!(progress.streams.values().all(|of| of.cursor == of.start), "{progress:?}");
    assert_eq!(progress.last_error.as_ref().unwrap().code, "timeout");
    resume(&world, id).await;
    world.ring(id).await;
    let mut ids = BTreeMap::<_, Vec<_>>::new();
    for record in world.receiver.arrived() {
        ids.entry((record.stream, record.sequence)).or_default().push(record);
    }
    for (place, records) in &ids {
        assert!(records.iter().all(|record| *record == records[0]), "{place:?}: {records:?}");
    }
    assert_eq!(ids.values().filter(|records| records.len() == 2).count(), 7);
    let progress = world.check_all(id).await;
    assert_eq!(progress.position(EPP).confirmed, 5);
}

#[tokio::test]
async fn a_part_that_was_taken_moves_each_stream_to_what_is_not_known() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    for stream in [EPP, EPP_1, ZTNA] {
        world.log(stream, 4, Severity::Low).await;
    }
    world.receiver.next(Reception::TakeOnly(6, trouble("connection_reset", false)));
    world.ring(id).await;
    let arrived = world.receiver.sequences();
    let progress = world.check(id).await;
    let mut cursors = Vec::new();
    for stream in [EPP, EPP_1, ZTNA] {
        let of = progress.position(stream);
        let taken = arrived.get(&stream).cloned().unwrap_or_default();
        assert_eq!(numbers(1, of.cursor), taken, "{stream}");
        cursors.push(of.cursor);
    }
    cursors.sort_unstable();
    assert_eq!(cursors, [0, 2, 4]);
    resume(&world, id).await;
    world.ring(id).await;
    world.check_all(id).await;
    // Nothing was sent twice: what was confirmed is over.
    assert_eq!(world.receiver.arrived().len(), 12);
}

#[tokio::test]
async fn a_refused_record_is_parked_once_counted_and_shown() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    world.log(EPP, 1_000, Severity::Low).await;
    world.log(ZTNA, 3, Severity::Low).await;
    world.receiver.refuse(EPP, 400);
    world.receiver.refuse(ZTNA, 3);
    let report = world.ring(id).await;
    assert_eq!(
        (&report["siem.confirmed"], &report["siem.refused"]),
        (&1_001.0.into(), &2.0.into())
    );
    assert_eq!(report["siem.troubles"], 0.0);
    let progress = world.check_all(id).await;
    assert_eq!((progress.position(EPP).refused, progress.position(ZTNA).refused), (1, 1));
    let parked = world.parked(id).await;
    let places: Vec<_> = parked.iter().map(|parked| (parked.stream, parked.sequence)).collect();
    assert_eq!(places, [(ZTNA, 3), (EPP, 400)]);
    for parked in parked {
        assert_eq!((parked.code.as_str(), parked.detail.as_str()), ("invalid_data", "It says no."));
        assert!(parked.id.unwrap().starts_with("event-"));
        assert_eq!(parked.at, world.base.now());
    }
}

#[tokio::test]
async fn behind_what_goes_again_nothing_is_parked_yet() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    world.log(EPP, 3, Severity::Low).await;
    // The first has not arrived for sure, and the second would be refused.
    world.receiver.refuse(EPP, 2);
    world.receiver.next(Reception::TakeOnly(0, trouble("timeout", false)));
    let garbage = vec![0xff; 3];
    world.append(EPP, vec![garbage]).await;
    let report = world.ring(id).await;
    assert_eq!((&report["siem.refused"], &report["siem.unknown"]), (&0.0.into(), &4.0.into()));
    world.check(id).await;
    assert!(world.parked(id).await.is_empty());
    resume(&world, id).await;
    world.ring(id).await;
    let progress = world.check_all(id).await;
    assert_eq!((progress.position(EPP).refused, world.parked(id).await.len()), (2, 2));
}

#[tokio::test]
async fn what_cannot_be_read_is_parked_and_keeps_nobody() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    let whole = encode(&world.event(EPP, Severity::Low)).unwrap().into_vec();
    world.append(EPP, vec![whole.clone(), vec![0xff; 5], whole]).await;
    world.ring(id).await;
    let progress = world.check_all(id).await;
    let of = progress.position(EPP);
    assert_eq!((of.confirmed, of.refused), (2, 1));
    assert_eq!(world.firsts(EPP), [1, 3]);
    let parked = world.parked(id).await;
    assert_eq!(
        (parked[0].sequence, parked[0].code.as_str(), &parked[0].id),
        (2, "unreadable", &None)
    );
}

/// A chunk that is none inside.
#[derive(Serialize, Deserialize)]
struct Damaged {
    events: u64,
    chunk: ByteBuf,
}

impl Entity for Damaged {
    const TYPE: &'static str = "chunk";
}

#[tokio::test]
async fn a_chunk_that_cannot_be_read_is_parked_whole() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    for _ in 0..3 {
        world.log(EPP, 4, Severity::Low).await;
    }
    world.log(ZTNA, 2, Severity::Low).await;
    let damaged = Damaged { events: 4, chunk: ByteBuf::from(vec![1, 2, 3]) };
    world.base.put(&world.chunk_key(EPP, 5), &damaged).await;
    world.ring(id).await;
    let progress = world.check_all(id).await;
    assert_eq!(world.firsts(EPP), [numbers(1, 4), numbers(9, 12)].concat());
    assert_eq!((progress.position(EPP).refused, progress.position(ZTNA).confirmed), (4, 2));
    let parked: Vec<_> = world.parked(id).await.into_iter().map(|p| p.sequence).collect();
    assert_eq!(parked, [8, 7, 6, 5]);
}

/// An item of another kind where a chunk should be.
#[derive(Serialize, Deserialize)]
struct Stranger {}

impl Entity for Stranger {
    const TYPE: &'static str = "stranger";
}

#[tokio::test]
async fn a_stream_that_cannot_be_read_keeps_nobody_from_the_others() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    for stream in [EPP, EPP_1, ZTNA] {
        world.log(stream, 2, Severity::Low).await;
    }
    world.base.put(&world.chunk_key(EPP_1, 1), &Stranger {}).await;
    // The sweep tries it again, and somebody is alarmed.
    assert!(world.ring_on(&world.app(), id).await.is_none());
    let progress = world.check(id).await;
    let cursors = [EPP, EPP_1, ZTNA].map(|stream| progress.position(stream).cursor);
    assert_eq!(cursors, [2, 0, 2]);
}

#[tokio::test]
async fn what_the_log_has_dropped_is_counted() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    for _ in 0..5 {
        world.log(EPP, 3, Severity::Low).await;
    }
    world.log(ZTNA, 4, Severity::Low).await;
    // The table drops in any order.
    for first in [1, 7] {
        world.drop_chunk(EPP, first).await;
    }
    world.drop_chunk(ZTNA, 1).await;
    world.ring(id).await;
    let progress = world.check_all(id).await;
    assert_eq!(world.firsts(EPP), [numbers(4, 6), numbers(10, 15)].concat());
    let of = progress.position(EPP);
    assert_eq!((of.confirmed, of.expired, of.skipped), (9, 6, 0));
    assert_eq!(progress.position(ZTNA).expired, 4);
}

#[tokio::test]
async fn a_cursor_within_a_chunk_goes_on_there() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    world.log(EPP, 9, Severity::Low).await;
    world.log(EPP, 9, Severity::Low).await;
    world.receiver.next(Reception::TakeOnly(5, trouble("timeout", false)));
    world.ring(id).await;
    // Everything before the cursor may go, and the rest of its chunk is there.
    resume(&world, id).await;
    world.receiver.next(Reception::TakeOnly(6, trouble("timeout", false)));
    world.ring(id).await;
    assert_eq!(world.check(id).await.position(EPP).cursor, 11);
    world.drop_chunk(EPP, 1).await;
    resume(&world, id).await;
    world.ring(id).await;
    let progress = world.check_all(id).await;
    assert_eq!((progress.position(EPP).confirmed, progress.position(EPP).expired), (18, 0));
    assert_eq!(world.receiver.sequences()[&EPP], numbers(1, 18));
}

#[tokio::test]
async fn secrets_that_cannot_be_opened_move_nothing() {
    let world = World::new().await;
    let secrets = belfry_domain::siem::destination::Secrets {
        token: Some("whsec_AAAA".to_owned()),
        ..Default::default()
    };
    let id = world.create_with(World::settings(), &secrets).await;
    world.log(EPP, 2, Severity::Low).await;
    world.base.sealer.set_down(true);
    assert!(world.ring_on(&world.app(), id).await.is_none(), "the sweep tries it again");
    let progress = world.check(id).await;
    assert_eq!((progress.position(EPP).cursor, &progress.health), (0, &Health::Healthy));
    world.base.sealer.set_down(false);
    world.ring(id).await;
    world.check_all(id).await;
}

#[tokio::test]
async fn a_trail_that_says_other_numbers_is_not_believed() {
    let world = World::new().await;
    let id = world.create(World::settings()).await;
    for what in ["a", "b", "c"] {
        world.audited(what).await;
    }
    world.base.remove(&belfry_store::keys::audit_record(world.tenant, 3)).await;
    world.ring(id).await;
    let progress = world.check_all(id).await;
    let of = progress.position(StreamName::CHANGES);
    // The last stands where it says; of the others it is not known, and nothing has a wrong number.
    assert_eq!((of.confirmed, of.refused, of.expired), (1, 2, 1));
    assert_eq!(world.firsts(StreamName::CHANGES), [4]);
}
