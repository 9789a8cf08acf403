//! How many events a second of one core reach a receiver over TLS, and with how many bytes each: the
//! connections, rendering, encryption and confirmation of the SIEM export, to a receiver on this machine that
//! reads to the end. The time is that of the sending thread on the processor.
//!
//! `cargo run --release -p belfry-runtime --example siem_throughput`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]

use belfry_domain::id::{DestinationId, TenantId};
use belfry_domain::outbound::Reach;
use belfry_domain::product::Product;
use belfry_domain::siem::destination::{Address, Framing, Secrets, Settings, Transport};
use belfry_domain::siem::format::{Format, Renderer};
use belfry_domain::siem::progress::Verdict;
use belfry_domain::siem::record::{Record, RecordType, Source, StreamName, What};
use belfry_domain::telemetry::event::{
    EndpointRef, Event, EventType, Happening, Infection, Kind, Name, Severity, Status,
};
use belfry_domain::telemetry::stream::Partition;
use belfry_runtime::outbound::{Outbound, Patience, SystemResolver, Trace};
use belfry_runtime::siem::{Carrier as _, Network, Parcel};
use belfry_runtime::system::{SystemClock, SystemEntropy};
use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

const EVENTS: u64 = 100_000;

fn name(text: &str) -> Name {
    Name::try_from(text).unwrap()
}

/// Events as the reference load has them: ids of 36 characters, a status, a detection, a violation in turn.
fn record(tenant: TenantId, sequence: u64) -> Record {
    let endpoint = EndpointRef {
        id: name(&format!("{:08x}-1f0e-4b8e-9f0a-3c8a1a6f0d11", sequence % 1_000)),
        kind: Kind::Computer,
    };
    let happening = match sequence % 3 {
        0 => Happening::EndpointStatus {
            endpoint,
            status: Status {
                name: Some(name("LAPTOP-0042")),
                os: name("Windows"),
                os_version: name("11 25H2"),
                agent_version: name("12.0.0"),
            },
        },
        1 => Happening::InfectionDetected(Infection {
            endpoint,
            threat: name("EICAR-Test-File"),
            action: name("quarantined"),
            severity: Severity::High,
            path_hash: None,
        }),
        _ => Happening::PolicyViolated {
            endpoint,
            policy: name("USB storage"),
            severity: Severity::Medium,
        },
    };
    let time = 1_795_000_000_000 + i64::try_from(sequence).unwrap();
    let id = name(&format!("{sequence:08x}-c0de-7f0e-8b8e-9f0a3c8a1a6f"));
    let what = What::Event(Event { id, source: name("/epp/1"), time, happening });
    let stream = StreamName { source: Source::Product(Product::Epp), partition: Partition::ZERO };
    Record { tenant, stream, sequence, received_at: time + 500, what }
}

/// A receiver that reads to the end of each connection and ends its own; its port and its authority.
fn receiver() -> (u16, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&own, &issuer).unwrap().pem();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(own.serialize_pem().as_bytes()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let mut buffer = vec![0; 256 * 1024];
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let mut tls = acceptor.accept(tcp).await.unwrap();
                while tls.read(&mut buffer).await.unwrap() > 0 {}
                tls.shutdown().await.unwrap();
            }
        });
    });
    (port, ca)
}

/// Seconds that this thread was on the processor.
fn on_processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (port, ca) = receiver();
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let outbound = Outbound::new(Arc::new(SystemResolver), Reach::LocalStack, Patience::default());
    let network = Network::new(outbound, clock.clone(), entropy.clone());
    let tenant = TenantId::new(Timestamp::UNIX_EPOCH, entropy.as_ref());
    let records: Vec<_> = (1..=EVENTS).map(|sequence| record(tenant, sequence)).collect();
    let chosen = BTreeSet::from([RecordType::Event(EventType::PolicyViolated)]);
    for format in Format::ALL {
        let address = Address {
            host: "127.0.0.1".parse().unwrap(),
            port,
            path: None,
            ca_pem: Some(ca.clone()),
        };
        let settings = Settings {
            name: "Measured".parse().unwrap(),
            enabled: true,
            transport: Transport::SyslogTls,
            framing: Framing::OctetCounting,
            address: Some(address),
            client_certificate_pem: None,
            header_name: None,
            format,
            event_types: BTreeMap::from([(Source::Product(Product::Epp), chosen.clone())]),
            min_severity: Severity::Info,
        };
        let renderer = Renderer { format, host: "console.belfry.example".to_owned() };
        let (secrets, began) = (Secrets::default(), on_processor());
        let parcel = Parcel {
            id: DestinationId::new(Timestamp::UNIX_EPOCH, entropy.as_ref()),
            settings: &settings,
            secrets: &secrets,
            renderer: &renderer,
            records: &records,
            pace: 4_096,
        };
        let outcome = network.carry(parcel, &mut Trace::new(clock.clone())).await;
        let seconds = on_processor() - began;
        assert!(outcome.verdicts.iter().all(|verdict| *verdict == Verdict::Confirmed));
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let (events, bytes) = (EVENTS as f64, outcome.bytes as f64);
        println!(
            "{format:?}: {:.0} events/s of a core, {:.0} bytes each",
            events / seconds,
            bytes / events
        );
    }
}
