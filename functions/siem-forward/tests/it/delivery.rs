//! What is delivered, in which order, and how it is counted.

use crate::world::{EPP, EPP_1, World, ZTNA, numbers, text};
use belfry_domain::audit::Outcome;
use belfry_domain::id::DestinationId;
use belfry_domain::policy::Action;
use belfry_domain::product::Product;
use belfry_domain::siem::progress::Position;
use belfry_domain::siem::record::{RecordType, Source, StreamName, What};
use belfry_domain::telemetry::event::{EventType, Severity};
use belfry_runtime::siem_ring::Ring;
use belfry_testkit::{Reception, siem::trouble};
use std::collections::BTreeSet;

#[tokio::test]
async fn everything_selected_arrives_in_the_order_of_its_stream() {
    let world = World::new().await;
    world.log(EPP, 3, Severity::Low).await;
    let id = world.create(World::settings()).await;
    // A second chunk, a second partition, another product, and both logs of the console.
    world.log(EPP, 250, Severity::Low).await;
    world.log(EPP, 7, Severity::Critical).await;
    world.log(EPP_1, 5, Severity::Low).await;
    world.log(ZTNA, 4, Severity::Info).await;
    world.audited("one").await;
    world.audited("two").await;
    for _ in 0..3 {
        world.access(Outcome::Success).await;
    }
    world.sweep().await;
    let report = world.ring(id).await;
    let changes = world.ends().await[&StreamName::CHANGES];
    assert_eq!(changes, 3, "the making of the destination is a change too");
    let arrived = world.receiver.sequences();
    // What was there before it began is none of its business.
    assert_eq!(arrived[&EPP], numbers(4, 260));
    assert_eq!(arrived[&EPP_1], numbers(1, 5));
    assert_eq!(arrived[&ZTNA], numbers(1, 4));
    assert_eq!(arrived[&StreamName::CHANGES], numbers(1, 3));
    assert_eq!(arrived[&StreamName::ACCESSES], numbers(1, 3));
    assert_eq!(report["siem.confirmed"], 272.0);
    let progress = world.check_all(id).await;
    let expected = Position { start: 3, cursor: 260, confirmed: 257, ..Position::default() };
    assert_eq!(progress.position(EPP), expected);
    assert_eq!((progress.sent, progress.replayed), (272, 0));
    assert_eq!(progress.confirmed_at, Some(world.base.now()));
    // Every record is told once, with an id of its own.
    let ids: BTreeSet<_> = world.receiver.arrived().iter().map(|r| r.id().into_owned()).collect();
    assert_eq!(ids.len(), 272);
    let again = world.ring(id).await;
    assert_eq!(again["siem.confirmed"], 0.0);
    assert_eq!(world.receiver.arrived().len(), 272);
}

#[tokio::test]
async fn what_is_not_selected_is_counted_as_skipped() {
    let world = World::new().await;
    let mut settings = World::settings();
    settings.min_severity = Severity::High;
    settings.event_types = [(
        Source::Product(Product::Epp),
        BTreeSet::from([RecordType::Event(EventType::PolicyViolated)]),
    )]
    .into();
    let id = world.create(settings).await;
    world.log(EPP, 4, Severity::Medium).await;
    world.log(EPP, 3, Severity::High).await;
    world.log(EPP, 2, Severity::Info).await;
    world.log(ZTNA, 6, Severity::Info).await;
    world.ring(id).await;
    assert_eq!(world.receiver.sequences(), [(EPP, numbers(5, 7))].into());
    let progress = world.check_all(id).await;
    let of = progress.position(EPP);
    assert_eq!((of.confirmed, of.skipped, of.cursor), (3, 6, 9));
    let of = progress.position(ZTNA);
    assert_eq!((of.confirmed, of.skipped, of.cursor), (0, 6, 6));
    // A day on which nothing is selected is no delivery.
    let confirmed = progress.confirmed_at;
    world.base.wait(60);
    world.log(EPP, 2, Severity::Info).await;
    world.ring(id).await;
    let progress = world.check_all(id).await;
    assert_eq!((progress.position(EPP).skipped, progress.confirmed_at), (8, confirmed));
}

#[tokio::test]
async fn a_stream_that_begins_later_counts_from_its_first_record() {
    let world = World::new().await;
    let id = world.create(World::settings()).await;
    world.ring(id).await;
    world.log(ZTNA, 5, Severity::Info).await;
    world.ring(id).await;
    assert_eq!(world.firsts(ZTNA), numbers(1, 5));
    let progress = world.check_all(id).await;
    assert_eq!(progress.position(ZTNA).start, 0);
}

#[tokio::test]
async fn a_record_says_what_happened() {
    let world = World::new().await;
    let id = world.create(World::settings()).await;
    world.audited("ann@globex.example").await;
    let access = world.access(Outcome::Denied).await;
    world.log(EPP, 1, Severity::Critical).await;
    world.sweep().await;
    world.ring(id).await;
    let arrived = world.receiver.arrived();
    let of = |stream, sequence| {
        arrived.iter().find(|r| (r.stream, r.sequence) == (stream, sequence)).unwrap()
    };
    let What::Change(change, personal) = &of(StreamName::CHANGES, 2).what else { panic!() };
    assert_eq!((change.sequence, change.action.as_str()), (2, "siem.test"));
    assert_eq!(personal.as_ref().unwrap().values["email"], "ann@globex.example");
    let What::Access(told) = &of(StreamName::ACCESSES, 1).what else { panic!() };
    assert_eq!(**told, access);
    let What::Event(event) = &of(EPP, 1).what else { panic!() };
    assert_eq!(event.happening.severity(), Some(Severity::Critical));
    assert!(arrived.iter().all(|record| record.tenant == world.tenant));
}

#[tokio::test]
async fn a_long_log_goes_in_several_batches() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    for _ in 0..30 {
        world.log(EPP, 500, Severity::Low).await;
        world.log(EPP_1, 100, Severity::Low).await;
    }
    world.ring(id).await;
    assert_eq!(world.firsts(EPP), numbers(1, 15_000));
    assert_eq!(world.firsts(EPP_1), numbers(1, 3_000));
    world.check_all(id).await;
    assert!(world.receiver.paces().len() > 1, "{:?}", world.receiver.paces());
}

#[tokio::test]
async fn several_destinations_are_apart() {
    let world = World::new().await;
    let first = world.create_for_products().await;
    world.log(EPP, 2, Severity::Low).await;
    let second = world.create_for_products().await;
    world.log(EPP, 3, Severity::Low).await;
    world.ring(second).await;
    assert_eq!(world.firsts(EPP), numbers(3, 5));
    assert_eq!(world.check(first).await.position(EPP).backlog(5), 5);
    world.ring(first).await;
    for id in [first, second] {
        world.check_all(id).await;
    }
}

#[tokio::test]
async fn a_destination_that_is_off_goes_on_where_it_was() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    world.log(EPP, 2, Severity::Low).await;
    world.ring(id).await;
    world.change(id, |settings| settings.enabled = false).await;
    world.log(EPP, 3, Severity::Low).await;
    world.ring(id).await;
    assert_eq!(world.firsts(EPP), numbers(1, 2));
    assert_eq!(world.check(id).await.position(EPP).backlog(5), 3);
    world.change(id, |settings| settings.enabled = true).await;
    world.ring(id).await;
    assert_eq!(world.receiver.sequences()[&EPP], numbers(1, 5));
    world.check_all(id).await;
}

#[tokio::test]
async fn a_ring_for_nobody_does_nothing_and_nonsense_comes_again() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    world.log(EPP, 2, Severity::Low).await;
    world.delete(id).await;
    let before = world.base.db.dump();
    for unknown in [id, DestinationId::new(world.base.now(), world.base.entropy.as_ref())] {
        assert!(world.ring_on(&world.app(), unknown).await.is_some());
    }
    // Of another tenant: there is none of this id.
    let other = world.base.tenant("Initech").await;
    let ring = Ring { tenant: other, destination: id };
    assert!(text(&world.app(), &ring.to_string()).await.is_some());
    let after = world.base.db.dump().len();
    assert_eq!(after, before.len() + 1, "the other tenant");
    assert!(world.receiver.arrived().is_empty());
    for nonsense in ["", "/", "x/y", &format!("{}", world.tenant), &format!("{ring}/")] {
        assert!(text(&world.app(), nonsense).await.is_none(), "{nonsense}");
    }
}

#[tokio::test]
async fn a_replay_is_counted_apart_and_comes_after_what_is_new() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    world.log(EPP, 10, Severity::Low).await;
    world.ring(id).await;
    let before = world.check_all(id).await;
    assert!(world.replay(id, EPP, 4).await);
    world.log(EPP, 2, Severity::Low).await;
    world.ring(id).await;
    let arrived = world.receiver.sequences().remove(&EPP).unwrap();
    assert_eq!(arrived[10..], [numbers(11, 12), numbers(4, 10)].concat());
    let after = world.check_all(id).await;
    assert_eq!((after.replayed, after.sent), (7, before.sent + 9));
    assert_eq!(after.position(EPP).confirmed, 12);
    assert!(after.replay.is_empty());
    // The same records: a receiver knows them by their ids.
    let ids: BTreeSet<_> = world.receiver.arrived().iter().map(|r| r.id().into_owned()).collect();
    assert_eq!(ids.len(), 12);
}

#[tokio::test]
async fn a_replay_that_fails_goes_on_where_it_was() {
    let world = World::new().await;
    let id = world.create_for_products().await;
    world.log(EPP, 10, Severity::Low).await;
    world.ring(id).await;
    world.replay(id, EPP, 1).await;
    world.receiver.next(Reception::TakeOnly(6, trouble("timeout", false)));
    world.ring(id).await;
    let progress = world.check_all(id).await;
    assert_eq!((progress.replayed, progress.replay[&EPP].cursor), (6, 6));
    // What is refused is refused already.
    world.receiver.refuse(EPP, 8);
    world.direct(id, Action::ResumeDestination, |p| p.resumed(world.base.now())).await;
    world.ring(id).await;
    let progress = world.check_all(id).await;
    assert_eq!((progress.replayed, progress.position(EPP).refused), (9, 0));
    assert!(progress.replay.is_empty() && world.parked(id).await.is_empty());
}
