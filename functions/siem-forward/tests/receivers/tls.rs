//! Certificates that do not fit: the destination waits for somebody to mend it, and says why.

use crate::https::{Https, Told};
use crate::pki::{Ca, Pair};
use crate::world::{EPP, RECEIVER};
use crate::{backlog, patience, settings, world};
use belfry_domain::siem::destination::Transport;
use belfry_domain::siem::progress::Health;
use belfry_domain::telemetry::event::Severity;
use std::time::Duration;

#[tokio::test]
async fn a_certificate_that_does_not_fit_suspends_with_its_reason() {
    let (ca, other) = (Ca::new(), Ca::new());
    let name = ca.issue("other.example.com", (2020, 2040));
    let over = ca.issue(RECEIVER, (2020, 2026));
    let early = ca.issue(RECEIVER, (2030, 2040));
    let nobodys = Pair::self_signed(RECEIVER);
    let others = other.issue(RECEIVER, (2020, 2040));
    for (pair, code) in [
        (name, "tls_certificate_name"),
        (over, "tls_certificate_expired"),
        (early, "tls_certificate_not_yet_valid"),
        (nobodys, "tls_certificate_unknown_issuer"),
        (others, "tls_certificate_unknown_issuer"),
    ] {
        for transport in [Transport::SyslogTls, Transport::SplunkHec, Transport::Webhook] {
            let server = Https::with(Ca::new(), &pair, |_| Told::status(200)).await;
            let world = world(patience(Duration::from_secs(2))).await;
            let id = world.create(settings(transport, server.port, Some(&ca.pem))).await;
            world.log(EPP, 3, Severity::Low).await;
            world.ring(id).await;
            let progress = world.check(id).await;
            let suspended = matches!(progress.health, Health::Suspended { .. });
            assert!(suspended, "{code}: {progress:?}");
            assert_eq!(progress.last_error.unwrap().code, code, "{transport:?}");
            assert_eq!((backlog(&world, id).await, server.asked().len()), (3, 0));
            assert_eq!(world.base.posted().await.len(), 1, "the admin is told");
        }
    }
}

#[tokio::test]
async fn without_the_authority_a_private_receiver_is_not_trusted() {
    let server = Https::start(|_| Told::status(200)).await;
    let world = world(patience(Duration::from_secs(2))).await;
    let id = world.create(settings(Transport::Webhook, server.port, None)).await;
    world.log(EPP, 3, Severity::Low).await;
    world.ring(id).await;
    let progress = world.check(id).await;
    assert_eq!(progress.last_error.unwrap().code, "tls_certificate_unknown_issuer");
    // With it, it is.
    let pem = server.ca.pem.clone();
    world.change(id, |s| s.address.as_mut().unwrap().ca_pem = Some(pem)).await;
    world.ring(id).await;
    world.check_all(id).await;
}
