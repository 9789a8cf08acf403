//! Over the network to real receivers: rsyslog over TLS, a collector and a webhook of our own that
//! behave as theirs do on bad days.
//!
//! Needs Debian's packages rsyslog and rsyslog-openssl.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test says so by a panic"
)]

mod chaos;
mod collector;
mod https;
mod pki;
mod proxy;
mod rsyslog;
mod syslog;
mod tls;
mod webhook;
#[path = "../world/mod.rs"]
#[expect(dead_code, reason = "each test binary uses a part of it")]
mod world;

use belfry_domain::id::DestinationId;
use belfry_domain::outbound::Reach;
use belfry_domain::siem::destination::{Settings, Transport};
use belfry_domain::siem::progress::{Health, Progress};
use belfry_runtime::outbound::{Outbound, Patience};
use belfry_runtime::siem::Network;
use belfry_testkit::{FakeClock, FixedResolver, SeededEntropy};
use jiff::SignedDuration;
use std::sync::Arc;
use std::time::Duration;
use world::World;

/// Leads every name to this machine, and gives up soon where a test waits for it.
fn patience(close: Duration) -> Patience {
    Patience { handshake: close, close, whole: 4 * close, ..Patience::default() }
}

/// A world whose way to its receivers is the real one.
async fn world(patience: Patience) -> World {
    let clock = FakeClock::at("2026-11-22T12:00:00Z");
    let resolver = FixedResolver(vec!["127.0.0.1".parse().unwrap()]);
    let outbound = Outbound::new(Arc::new(resolver), Reach::LocalStack, patience);
    let mut world = World::with(Arc::new(Network::new(
        outbound,
        Arc::new(clock.clone()),
        Arc::new(SeededEntropy::new(7)),
    )))
    .await;
    // The carrier's clock is the function's.
    world.base.clock = clock;
    world
}

/// Everything of the products, to this port of this machine, whose certificate is by this authority.
fn settings(transport: Transport, port: u16, ca_pem: Option<&str>) -> Settings {
    let mut settings = World::settings();
    settings.transport = transport;
    let address = settings.address.as_mut().unwrap();
    (address.port, address.ca_pem) = (port, ca_pem.map(str::to_owned));
    settings.event_types.remove(&belfry_domain::siem::record::Source::Console);
    settings
}

/// How much waits.
async fn backlog(world: &World, id: DestinationId) -> u64 {
    let (ends, progress) = (world.ends().await, world.check(id).await);
    ends.iter().map(|(stream, last)| progress.position(*stream).backlog(*last)).sum()
}

/// Rings, as time goes by, until nothing waits.
async fn heal(world: &World, id: DestinationId) -> Progress {
    for _ in 0..100 {
        // Longer than any pause, and than a receiver may ask for.
        world.base.clock.advance(SignedDuration::from_mins(61));
        world.ring(id).await;
        if backlog(world, id).await == 0 {
            let progress = world.check_all(id).await;
            assert_eq!(progress.health, Health::Healthy);
            return progress;
        }
    }
    panic!("it does not heal: {:?}", world.progress(id).await);
}
