//! The receiver is killed, frozen and cut off in the middle of a frame, at random.

use crate::proxy::{Cut, Proxy};
use crate::rsyslog::{Rsyslog, halt, signal};
use crate::world::{EPP, EPP_1, World, ZTNA};
use crate::{backlog, heal, patience, settings, world};
use belfry_domain::id::DestinationId;
use belfry_domain::policy::Action;
use belfry_domain::siem::destination::Transport;
use belfry_domain::siem::progress::Health;
use belfry_domain::siem::record::StreamName;
use belfry_domain::telemetry::event::Severity;
use belfry_testkit::SeededEntropy;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::time::Duration;

const ROUNDS: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Kill,
    Freeze,
    Cut,
}

async fn cursors(world: &World, id: DestinationId) -> BTreeMap<StreamName, u64> {
    let progress = world.check(id).await;
    [EPP, EPP_1, ZTNA].map(|stream| (stream, progress.position(stream).cursor)).into()
}

#[tokio::test]
async fn whatever_happens_to_the_receiver_nothing_is_missing() {
    let chance = SeededEntropy::new(2026);
    let world = world(patience(Duration::from_millis(700))).await;
    let mut rsyslog = Rsyslog::start().await;
    let proxy = Proxy::before(rsyslog.port).await;
    let ca = Some(rsyslog.ca.pem.as_str());
    let id = world.create(settings(Transport::SyslogTls, proxy.port, ca)).await;
    let mut happened = BTreeMap::<_, usize>::new();
    for round in 0..ROUNDS {
        for stream in [EPP, EPP_1, ZTNA] {
            world.log(stream, 1 + chance.below(120), Severity::Low).await;
        }
        let fault = [Fault::Kill, Fault::Freeze, Fault::Cut][chance.below(3)];
        let pid = rsyslog.pid();
        // From the first byte of the handshake to the middle of the records.
        let after = chance.below(if chance.below(4) == 0 { 1_000 } else { 20_000 });
        proxy.arm(after, move || match fault {
            Fault::Kill => {
                halt(pid, "KILL");
                Cut::No
            }
            Fault::Freeze => {
                halt(pid, "STOP");
                Cut::No
            }
            Fault::Cut => Cut::Reset,
        });
        // All of it by one connection, so that none of it is confirmed before.
        world.direct(id, Action::ResumeDestination, |progress| progress.pace = 4_096).await;
        let before = cursors(&world, id).await;
        let report = world.ring(id).await;
        if proxy.is_armed() {
            // Too few bytes for it: then everything was taken.
            assert_eq!(backlog(&world, id).await, 0, "round {round}");
            continue;
        }
        *happened.entry(format!("{fault:?}")).or_default() += 1;
        assert_eq!(report["siem.confirmed"], 0.0, "round {round}: {fault:?} after {after}");
        assert_eq!(cursors(&world, id).await, before, "round {round}: {fault:?} after {after}");
        let progress = world.progress(id).await;
        assert!(matches!(progress.health, Health::Retrying { .. }), "{fault:?}: {progress:?}");
        match fault {
            Fault::Kill => {
                rsyslog.bury();
                rsyslog.revive().await;
            }
            Fault::Freeze => {
                // It accepts still, and takes nothing.
                world.base.clock.advance(SignedDuration::from_mins(16));
                world.ring(id).await;
                assert_eq!(cursors(&world, id).await, before, "round {round}: frozen");
                signal(pid, "CONT");
            }
            Fault::Cut => {}
        }
        heal(&world, id).await;
    }
    assert!(happened.values().sum::<usize>() > ROUNDS * 3 / 4, "{happened:?}");
    assert_eq!(happened.len(), 3, "{happened:?}");
    let progress = heal(&world, id).await;
    let mut ids = BTreeMap::<_, BTreeMap<u64, String>>::new();
    let mut repeats = 0;
    for line in rsyslog.taken() {
        let of = ids.entry(line.stream).or_default();
        if let Some(known) = of.insert(line.sequence, line.id.clone()) {
            repeats += 1;
            assert_eq!(known, line.id, "{} {}", line.stream, line.sequence);
        }
    }
    for (stream, last) in world.ends().await {
        let of = progress.position(stream);
        let taken = ids.remove(&stream).unwrap_or_default();
        if of.confirmed > 0 {
            assert_eq!(
                taken.into_keys().collect::<Vec<_>>(),
                (1..=last).collect::<Vec<_>>(),
                "{stream}"
            );
            assert_eq!(of.confirmed, last);
        }
    }
    assert!(repeats > 0, "what was taken and not confirmed came again");
}
