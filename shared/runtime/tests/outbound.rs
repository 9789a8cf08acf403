//! Connections to servers that a customer names, against real servers on this machine.
#![expect(clippy::unwrap_used, reason = "tests")]

use belfry_domain::outbound::{Peer, Ports, Reach};
use belfry_domain::ports::Clock;
use belfry_runtime::outbound::{
    Authorities, CertificateFault, Confirmation, Connection, Identity, Outbound, OutboundError,
    Patience, Resolver, Seen, StepName, Tls, Trace, Trust,
};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::Full;
use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const NAME: &str = "siem.example.com";

/// The clock of every certificate here.
#[derive(Clone, Copy)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-06-15T12:00:00Z".parse().unwrap()
    }
}

/// Answers each look-up with the next of its answers, the last one for ever.
struct Answers(Mutex<(VecDeque<Vec<IpAddr>>, usize)>);

impl Answers {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parsed = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new((answers.iter().map(parsed).collect(), 0))))
    }

    fn look_ups(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

impl Resolver for Answers {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let (answers, look_ups) = &mut *self.0.lock().unwrap();
        *look_ups += 1;
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async { answer.ok_or_else(|| io::Error::other("no such name")) })
    }
}

fn outbound(answers: &Arc<Answers>, reach: Reach) -> Outbound {
    Outbound::new(answers.clone(), reach, Patience::default())
}

/// Where the tests' servers are.
fn here() -> Outbound {
    outbound(&Answers::new(&[&["127.0.0.1"]]), Reach::LocalStack)
}

fn peer(host: &str, port: u16) -> Peer {
    Peer::new(host.parse().unwrap(), port, Ports::Siem).unwrap()
}

fn trace() -> Trace {
    Trace::new(Arc::new(Noon))
}

fn names(trace: &Trace) -> Vec<StepName> {
    trace.steps().iter().map(|step| step.name).collect()
}

/// A listener of this machine, and who has connected to it.
struct Server {
    port: u16,
    callers: Arc<Mutex<Vec<SocketAddr>>>,
    knocks: AtomicUsize,
    /// The end of the last connection that was served.
    served: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Server {
    /// Serves each connection as told.
    async fn start<F, S>(serve: F) -> Self
    where
        F: Fn(TcpStream) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (callers, last) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<_>>::default());
        let server = Self {
            port,
            callers: Arc::clone(&callers),
            knocks: AtomicUsize::new(0),
            served: Arc::clone(&last),
        };
        tokio::spawn(async move {
            while let Ok((tcp, caller)) = listener.accept().await {
                callers.lock().unwrap().push(caller);
                *last.lock().unwrap() = Some(tokio::spawn(serve(tcp)));
            }
        });
        server
    }

    /// Serves each connection after the handshake; when that fails, ends it as it is.
    async fn start_tls<F, S>(config: ServerConfig, serve: F) -> Self
    where
        F: Fn(TlsStream<TcpStream>) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let serve = Arc::new(serve);
        Self::start(move |tcp| {
            let (acceptor, serve) = (acceptor.clone(), serve.clone());
            async move {
                if let Ok(tls) = acceptor.accept(tcp).await {
                    serve(tls).await;
                }
            }
        })
        .await
    }

    /// Connections until now. A knock of our own tells that all before it are counted.
    async fn accepted(&self) -> usize {
        let knocks_before = self.knocks.fetch_add(1, Ordering::SeqCst);
        let mut knock = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let ours = knock.local_addr().unwrap();
        while !self.callers.lock().unwrap().contains(&ours) {
            tokio::task::yield_now().await;
        }
        let _ = knock.shutdown().await;
        self.callers.lock().unwrap().len() - knocks_before - 1
    }

    /// Until the last connection is served.
    async fn served(&self) {
        let handle = loop {
            if let Some(handle) = self.served.lock().unwrap().take() {
                break handle;
            }
            tokio::task::yield_now().await;
        };
        handle.await.unwrap();
    }

    async fn connect(&self, tls: Option<&Tls>) -> Result<Connection, OutboundError> {
        here().connect(&peer(NAME, self.port), tls, &mut trace()).await
    }
}

/// An authority of the tests.
struct Ca {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
struct Pair {
    certificate: String,
    key: String,
}

fn params(names: &[&str], years: (i32, i32)) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    params.distinguished_name.push(DnType::CommonName, "the server");
    params
}

impl Ca {
    fn new(name: &str) -> Self {
        let mut params = params(&[], (2026, 2030));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, names: &[&str], years: (i32, i32)) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = params(names, years).signed_by(&key, &self.issuer).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    fn authorities(&self) -> Authorities {
        Authorities::from_pem(&self.pem, Noon.now()).unwrap()
    }

    /// TLS that trusts this authority only.
    fn tls(&self, identity: Option<&Identity>) -> Tls {
        Tls::new(Trust::Only(&self.authorities()), identity, Arc::new(Noon)).unwrap()
    }
}

fn self_signed(names: &[&str]) -> Pair {
    let key = KeyPair::generate().unwrap();
    let certificate = params(names, (2026, 2030)).self_signed(&key).unwrap().pem();
    Pair { certificate, key: key.serialize_pem() }
}

impl Pair {
    fn identity(&self) -> Result<Identity, CertificateFault> {
        Identity::from_pem(&self.certificate, &self.key, Noon.now())
    }

    /// A server with this certificate, which wants one of `clients`.
    fn server(
        &self,
        clients: Option<&Ca>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .unwrap();
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(ca) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_slice(ca.pem.as_bytes()).unwrap()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                config.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let chain = vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        config.with_single_cert(chain, key).unwrap()
    }
}

const BOTH: &[&SupportedProtocolVersion] = rustls::ALL_VERSIONS;
const TLS_1_2: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
const TLS_1_3: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// Reads to the client's end, then ends as TLS wants it.
async fn polite(mut tls: TlsStream<TcpStream>) {
    let mut taken = Vec::new();
    if tls.read_to_end(&mut taken).await.is_ok() {
        let _ = tls.shutdown().await;
    }
}

/// Reads to the client's end, then drops the connection.
async fn curt(mut tls: TlsStream<TcpStream>) {
    let _ = tls.read_to_end(&mut Vec::new()).await;
}

/// Writes a batch and waits for its confirmation.
async fn deliver(
    connection: Result<Connection, OutboundError>,
    bytes: &[u8],
) -> Result<Confirmation, OutboundError> {
    let mut connection = connection?;
    let mut trace = trace();
    connection.write_all(bytes, &mut trace).await?;
    connection.drain_close(&mut trace).await
}

mod addresses {
    use super::*;

    #[tokio::test]
    async fn production_never_reaches_this_machine() {
        let server = Server::start(|_| async {}).await;
        for (host, answer) in [
            ("127.0.0.1", &[][..]),
            ("127.8.8.8", &[]),
            ("::1", &[]),
            ("::ffff:127.0.0.1", &[]),
            ("169.254.169.254", &[]),
            (NAME, &["127.0.0.1"]),
            (NAME, &["::1"]),
            (NAME, &["::ffff:127.0.0.1"]),
            (NAME, &["64:ff9b::7f00:1"]),
            (NAME, &["169.254.169.254"]),
            (NAME, &["fd00:ec2::254"]),
            (NAME, &["0.0.0.0"]),
            (NAME, &["::"]),
        ] {
            let mut trace = trace();
            let production = outbound(&Answers::new(&[answer]), Reach::default());
            let refused = production.connect(&peer(host, server.port), None, &mut trace).await;
            let fault = refused.err().unwrap();
            assert_eq!((fault.code(), fault.is_lasting()), ("address_not_allowed", true), "{host}");
            assert_eq!(names(&trace), [StepName::Resolve]);
            assert_eq!(trace.steps()[0].fault, Some(fault));
        }
        assert_eq!(server.accepted().await, 0);
        let template = include_str!("../../../template.yaml");
        assert!(!template.contains("AWS_ENDPOINT_URL"), "it would make production a local stack");
    }

    #[tokio::test]
    async fn a_local_stack_reaches_this_machine_and_no_other_network() {
        for ip in ["10.0.0.1", "169.254.169.254", "192.168.0.1", "::ffff:127.0.0.1", "fe80::1"] {
            let local = outbound(&Answers::new(&[&[ip]]), Reach::LocalStack);
            let refused = local.connect(&peer(NAME, 20_000), None, &mut trace()).await;
            assert_eq!(refused.err().unwrap().code(), "address_not_allowed", "{ip}");
        }
    }

    #[tokio::test]
    async fn one_bad_address_refuses_the_name_wherever_it_stands() {
        let server = Server::start(|_| async {}).await;
        let mut many = vec!["127.0.0.1"; 40];
        many.push("10.0.0.1");
        for answer in [&["127.0.0.1", "10.0.0.1"][..], &["10.0.0.1", "127.0.0.1"], &many] {
            let local = outbound(&Answers::new(&[answer]), Reach::LocalStack);
            let mut trace = trace();
            let refused = local.connect(&peer(NAME, server.port), None, &mut trace).await;
            let bad = "10.0.0.1".parse().unwrap();
            assert_eq!(refused.err(), Some(OutboundError::AddressNotAllowed(bad)));
            let all = answer.iter().map(|ip| ip.parse().unwrap()).collect();
            assert_eq!(trace.steps()[0].seen, Some(Seen::Addresses(all)));
        }
        assert_eq!(server.accepted().await, 0);
    }

    #[tokio::test]
    async fn a_name_that_changes_its_mind_gains_nothing() {
        // The server listens at the second answer only.
        let server = Server::start(|_| async {}).await;
        let answers = Answers::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
        let mut trace = trace();
        let local = outbound(&answers, Reach::LocalStack);
        let refused = local.connect(&peer(NAME, server.port), None, &mut trace).await;
        assert_eq!(refused.err(), Some(OutboundError::ConnectRefused));
        assert_eq!((answers.look_ups(), server.accepted().await), (1, 0));
        let tried = format!("127.0.0.2:{}", server.port).parse().unwrap();
        assert_eq!(trace.steps()[1].seen, Some(Seen::Address(tried)));
    }

    #[tokio::test]
    async fn the_addresses_are_tried_in_their_order() {
        let server = Server::start(|_| async {}).await;
        let local =
            outbound(&Answers::new(&[&["::1", "127.0.0.2", "127.0.0.1"]]), Reach::LocalStack);
        let mut trace = trace();
        let connected = local.connect(&peer(NAME, server.port), None, &mut trace).await;
        assert!(connected.is_ok());
        let outcomes: Vec<_> = trace.steps().iter().map(|step| step.fault.is_none()).collect();
        assert_eq!(outcomes, [true, false, false, true]);
        assert_eq!(server.accepted().await, 1);
        let mut many = vec!["127.0.0.2"; 16];
        many.push("127.0.0.1");
        let local = outbound(&Answers::new(&[&many]), Reach::LocalStack);
        assert!(local.connect(&peer(NAME, server.port), None, &mut trace).await.is_err());
        assert_eq!(server.accepted().await, 1, "sixteen are enough");
    }

    #[tokio::test]
    async fn no_address_is_no_host() {
        for answers in [&[][..], &[&[][..]]] {
            let local = outbound(&Answers::new(answers), Reach::LocalStack);
            let missed = local.connect(&peer(NAME, 443), None, &mut trace()).await.err().unwrap();
            assert_eq!((missed.code(), missed.is_lasting()), ("host_not_found", false));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_resolver_that_hangs_is_given_up() {
        struct Hangs;
        impl Resolver for Hangs {
            fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
                Box::pin(std::future::pending())
            }
        }
        let outbound = Outbound::new(Arc::new(Hangs), Reach::Public, Patience::default());
        let late = outbound.connect(&peer(NAME, 443), None, &mut trace()).await;
        assert_eq!(late.err(), Some(OutboundError::ResolveTimeout));
    }
}

mod tls {
    use super::*;

    async fn against(config: ServerConfig, tls: &Tls) -> Result<Confirmation, OutboundError> {
        let server = Server::start_tls(config, polite).await;
        deliver(server.connect(Some(tls)).await, b"<14>1 - - - - - - x\n").await
    }

    #[tokio::test]
    async fn a_good_certificate_is_shown_with_its_dates() {
        let ca = Ca::new("Acme CA");
        let pair = ca.issue(&[NAME], (2026, 2027));
        for (versions, version) in [(TLS_1_2, "1.2"), (TLS_1_3, "1.3"), (BOTH, "1.3")] {
            let server = Server::start_tls(pair.server(None, versions), polite).await;
            let (mut trace, tls) = (trace(), ca.tls(None));
            let connected = here().connect(&peer(NAME, server.port), Some(&tls), &mut trace).await;
            let mut connection = connected.unwrap();
            connection.write_all(b"x", &mut trace).await.unwrap();
            assert_eq!(connection.drain_close(&mut trace).await, Ok(Confirmation::Clean));
            let names: Vec<_> = names(&trace).into_iter().map(StepName::name).collect();
            assert_eq!(names, ["resolve", "connect", "tls", "write", "close"]);
            assert!(trace.steps().iter().all(|step| step.fault.is_none()));
            let Some(Seen::Tls(seen)) = &trace.steps()[2].seen else { panic!("no session") };
            let facts = seen.certificate.as_ref().unwrap();
            assert_eq!(seen.version, version);
            assert_eq!(facts.subject, "CN=the server");
            assert_eq!(facts.issuer, "CN=Acme CA");
            assert_eq!(facts.not_before.to_string(), "2026-01-01T00:00:00Z");
            assert_eq!(facts.not_after.to_string(), "2027-01-01T00:00:00Z");
        }
    }

    #[tokio::test]
    async fn a_certificate_at_fault_is_told_by_its_fault() {
        let (ca, other) = (Ca::new("Acme CA"), Ca::new("Other CA"));
        let namesake = Ca::new("Acme CA");
        let mozilla = Tls::new(Trust::Mozilla, None, Arc::new(Noon)).unwrap();
        let good = ca.issue(&[NAME], (2026, 2027));
        for (what, pair, tls, code) in [
            ("no CA given", &good, &mozilla, "tls_certificate_unknown_issuer"),
            ("other CA", &good, &other.tls(None), "tls_certificate_unknown_issuer"),
            ("CA of the same name", &good, &namesake.tls(None), "tls_certificate_unknown_issuer"),
            ("self-signed", &self_signed(&[NAME]), &mozilla, "tls_certificate_unknown_issuer"),
            (
                "self-signed, other CA",
                &self_signed(&[NAME]),
                &ca.tls(None),
                "tls_certificate_unknown_issuer",
            ),
            (
                "other name",
                &ca.issue(&["other.example.com"], (2026, 2027)),
                &ca.tls(None),
                "tls_certificate_name",
            ),
            (
                "the address",
                &ca.issue(&["127.0.0.1"], (2026, 2027)),
                &ca.tls(None),
                "tls_certificate_name",
            ),
            ("expired", &ca.issue(&[NAME], (2020, 2026)), &ca.tls(None), "tls_certificate_expired"),
            (
                "to come",
                &ca.issue(&[NAME], (2027, 2030)),
                &ca.tls(None),
                "tls_certificate_not_yet_valid",
            ),
        ] {
            let fault = against(pair.server(None, BOTH), tls).await.unwrap_err();
            assert_eq!(fault.code(), code, "{what}: {fault}");
            assert!(fault.is_lasting(), "{what}");
        }
    }

    #[tokio::test]
    async fn a_self_signed_certificate_is_trusted_when_it_is_given() {
        let pair = self_signed(&[NAME]);
        let given = Authorities::from_pem(&pair.certificate, Noon.now()).unwrap();
        let tls = Tls::new(Trust::Only(&given), None, Arc::new(Noon)).unwrap();
        assert_eq!(against(pair.server(None, BOTH), &tls).await, Ok(Confirmation::Clean));
    }

    #[tokio::test]
    async fn an_address_is_a_name_too() {
        let ca = Ca::new("Acme CA");
        let good = ca.issue(&["127.0.0.1"], (2026, 2027)).server(None, BOTH);
        let bad = ca.issue(&[NAME], (2026, 2027)).server(None, BOTH);
        for (config, code) in [(good, None), (bad, Some("tls_certificate_name"))] {
            let server = Server::start_tls(config, polite).await;
            let peer = peer("127.0.0.1", server.port);
            let connected = here().connect(&peer, Some(&ca.tls(None)), &mut trace()).await;
            assert_eq!(connected.err().map(|fault| fault.code()), code);
        }
    }

    #[tokio::test]
    async fn a_client_certificate_is_presented_and_its_refusal_told() {
        let (ca, clients) = (Ca::new("Acme CA"), Ca::new("Acme clients"));
        let pair = ca.issue(&[NAME], (2026, 2027));
        let right = clients.issue(&["belfry.example.com"], (2026, 2027)).identity().unwrap();
        let wrong = ca.issue(&["belfry.example.com"], (2026, 2027)).identity().unwrap();
        for versions in [TLS_1_2, TLS_1_3] {
            for (what, identity, code) in [
                ("right", Some(&right), None),
                ("missing", None, Some("tls_client_certificate_refused")),
                ("wrong", Some(&wrong), Some("tls_client_certificate_refused")),
            ] {
                let config = pair.server(Some(&clients), versions);
                let outcome = against(config, &ca.tls(identity)).await;
                let version = versions[0].version;
                assert_eq!(
                    outcome.as_ref().err().map(OutboundError::code),
                    code,
                    "{what} {version:?}"
                );
                assert!(outcome.err().is_none_or(|fault| fault.is_lasting()));
            }
        }
    }

    #[tokio::test]
    async fn a_write_that_meets_a_closed_connection_tells_the_reason() {
        let (ca, clients) = (Ca::new("Acme CA"), Ca::new("Acme clients"));
        let config = ca.issue(&[NAME], (2026, 2027)).server(Some(&clients), TLS_1_3);
        let server = Server::start_tls(config, polite).await;
        let mut connection = server.connect(Some(&ca.tls(None))).await.unwrap();
        server.served().await;
        let mut trace = trace();
        // The first is answered with a reset, which the second meets.
        connection.write_all(b"x", &mut trace).await.unwrap();
        let fault = connection.write_all(b"x", &mut trace).await.unwrap_err();
        assert_eq!(fault, OutboundError::ClientCertificateRefused);
    }

    #[tokio::test]
    async fn a_server_that_does_not_speak_tls_is_told_so() {
        let server = Server::start(|mut tcp| async move {
            let _ = tcp.write_all(b"220 mail.example.com ESMTP ready\r\n").await;
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        })
        .await;
        let tls = Ca::new("Acme CA").tls(None);
        let fault = server.connect(Some(&tls)).await.err().unwrap();
        assert_eq!((fault.code(), fault.is_lasting()), ("tls_not_spoken", false));
        let server = Server::start(|_| async {}).await;
        let fault = server.connect(Some(&tls)).await.err().unwrap();
        assert!(["connection_closed", "connection_reset"].contains(&fault.code()), "{fault}");
    }

    #[tokio::test]
    async fn a_handshake_that_hangs_is_given_up() {
        let server = Server::start(|tcp| async move {
            std::future::pending::<()>().await;
            drop(tcp);
        })
        .await;
        let tls = Ca::new("Acme CA").tls(None);
        let patience = Patience { handshake: std::time::Duration::ZERO, ..Patience::default() };
        let here = Outbound::new(Answers::new(&[&["127.0.0.1"]]), Reach::LocalStack, patience);
        let mut trace = trace();
        let late = here.connect(&peer(NAME, server.port), Some(&tls), &mut trace).await;
        assert_eq!(late.err(), Some(OutboundError::Timeout));
        assert_eq!(names(&trace), [StepName::Resolve, StepName::Connect, StepName::Tls]);
    }

    #[test]
    fn certificates_are_read_before_they_are_kept() {
        let (ca, other) = (Ca::new("Acme CA"), Ca::new("Other CA"));
        let read = |pem: &str| {
            Authorities::from_pem(pem, Noon.now()).map(|authorities| authorities.facts().len())
        };
        let certificate = |years| ca.issue(&[NAME], years).certificate;
        let (good, expired, to_come) =
            (certificate((2026, 2027)), certificate((2020, 2026)), certificate((2027, 2030)));
        let key = ca.issue(&[NAME], (2026, 2027)).key;
        let damaged = good.replacen("MII", "AAA", 1);
        let half = &good[..good.len() / 2];
        let long = ca.pem.repeat(200);
        for (what, pem, expected) in [
            ("one", &*ca.pem, Ok(1)),
            ("two", &format!("Acme\n{}\n{}", ca.pem, other.pem), Ok(2)),
            ("CRLF", &ca.pem.replace('\n', "\r\n"), Ok(1)),
            ("a key among them", &format!("{key}{}", ca.pem), Ok(1)),
            ("expired", &expired, Err(CertificateFault::Expired)),
            ("one of two expired", &format!("{}{expired}", ca.pem), Err(CertificateFault::Expired)),
            ("to come", &to_come, Err(CertificateFault::NotYetValid)),
            ("empty", "", Err(CertificateFault::Unreadable)),
            ("prose", "my certificate", Err(CertificateFault::Unreadable)),
            ("a key", &key, Err(CertificateFault::Unreadable)),
            ("damaged", &damaged, Err(CertificateFault::Unreadable)),
            ("half", half, Err(CertificateFault::Unreadable)),
            ("too long", &long, Err(CertificateFault::Unreadable)),
        ] {
            assert_eq!(read(pem), expected, "{what}");
        }
        let facts = ca.authorities().facts().to_vec();
        assert_eq!(facts[0].subject, "CN=Acme CA");
        assert_eq!(facts[0].issuer, "CN=Acme CA");
    }

    #[test]
    fn a_key_belongs_to_its_certificate() {
        let ca = Ca::new("Acme CA");
        let (ann, bob) = (
            ca.issue(&["ann.example.com"], (2026, 2027)),
            ca.issue(&["b.example.com"], (2026, 2027)),
        );
        let of = |certificate: &str, key: &str| {
            Identity::from_pem(certificate, key, Noon.now()).map(|identity| identity.facts().len())
        };
        let chain = format!("{}{}", ann.certificate, ca.pem);
        let encrypted = ann.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let expired = ca.issue(&["ann.example.com"], (2020, 2026));
        assert_eq!(of(&ann.certificate, &ann.key), Ok(1));
        assert_eq!(of(&chain, &ann.key), Ok(2));
        assert_eq!(of(&ann.certificate, &bob.key), Err(CertificateFault::KeyMismatch));
        assert_eq!(of(&ann.certificate, &encrypted), Err(CertificateFault::KeyUnreadable));
        assert_eq!(of(&ann.certificate, ""), Err(CertificateFault::KeyUnreadable));
        assert_eq!(of(&ann.certificate, &ann.certificate), Err(CertificateFault::KeyUnreadable));
        assert_eq!(of(&ann.key, &ann.key), Err(CertificateFault::Unreadable));
        assert_eq!(of(&expired.certificate, &expired.key), Err(CertificateFault::Expired));
        let shown = format!("{:?}", ann.identity().unwrap());
        assert!(shown.contains("CN=the server") && !shown.contains("key:"), "{shown}");
    }
}

mod confirmation {
    use super::*;

    const BATCH: &[u8] = &[b'x'; 300_000];

    fn pair() -> (Tls, ServerConfig) {
        let ca = Ca::new("Acme CA");
        (ca.tls(None), ca.issue(&[NAME], (2026, 2027)).server(None, BOTH))
    }

    #[tokio::test]
    async fn a_server_that_reads_to_the_end_confirms() {
        let (tls, config) = pair();
        let server = Server::start_tls(config, polite).await;
        let outcome = deliver(server.connect(Some(&tls)).await, BATCH).await;
        assert_eq!(outcome, Ok(Confirmation::Clean));
        let (tls, config) = pair();
        let server = Server::start_tls(config, curt).await;
        let outcome = deliver(server.connect(Some(&tls)).await, BATCH).await;
        assert_eq!(outcome, Ok(Confirmation::Abrupt));
        let server = Server::start(|mut tcp| async move {
            let mut taken = Vec::new();
            tcp.read_to_end(&mut taken).await.unwrap();
            assert_eq!(taken.len(), BATCH.len());
        })
        .await;
        let outcome = deliver(server.connect(None).await, BATCH).await;
        assert_eq!(outcome, Ok(Confirmation::Clean));
        server.served().await;
    }

    #[tokio::test]
    async fn what_the_server_says_meanwhile_is_ignored_up_to_a_limit() {
        for (said, expected) in [
            (64 * 1024, Ok(Confirmation::Clean)),
            (64 * 1024 + 1, Err(OutboundError::AnswerTooLarge)),
        ] {
            let server = Server::start(move |mut tcp| async move {
                let _ = tcp.read_to_end(&mut Vec::new()).await;
                let _ = tcp.write_all(&vec![b'!'; said]).await;
            })
            .await;
            assert_eq!(deliver(server.connect(None).await, b"x").await, expected);
        }
    }

    #[tokio::test]
    async fn a_frozen_server_confirms_nothing() {
        // It takes megabytes into its system's buffers, and no more.
        for bytes in [1_000, 64 * 1024 * 1024] {
            for reads in [false, true] {
                let server = Server::start(move |mut tcp| async move {
                    if reads {
                        let _ = tcp.read_to_end(&mut Vec::new()).await;
                    }
                    std::future::pending::<()>().await;
                    drop(tcp);
                })
                .await;
                if reads && bytes > 1_000 {
                    continue;
                }
                let connection = server.connect(None).await;
                // From here on, waiting makes the time pass.
                tokio::time::pause();
                let outcome = deliver(connection, &vec![b'x'; bytes]).await;
                tokio::time::resume();
                assert_eq!(outcome, Err(OutboundError::Timeout), "{bytes} bytes, reads: {reads}");
            }
        }
    }

    #[tokio::test]
    async fn a_frozen_server_behind_tls_confirms_nothing() {
        for bytes in [1_000, 64 * 1024 * 1024] {
            let (tls, config) = pair();
            let server = Server::start_tls(config, |tls| async move {
                std::future::pending::<()>().await;
                drop(tls);
            })
            .await;
            let connection = server.connect(Some(&tls)).await;
            tokio::time::pause();
            let outcome = deliver(connection, &vec![b'x'; bytes]).await;
            tokio::time::resume();
            assert_eq!(outcome, Err(OutboundError::Timeout), "{bytes} bytes");
        }
    }

    #[tokio::test]
    async fn a_server_that_ends_first_confirms_nothing() {
        let ended = Arc::new(tokio::sync::Notify::new());
        let of_server = ended.clone();
        let server = Server::start(move |mut tcp| {
            let ended = of_server.clone();
            async move {
                tcp.shutdown().await.unwrap();
                ended.notify_one();
                std::future::pending::<()>().await;
            }
        })
        .await;
        let connection = server.connect(None).await;
        ended.notified().await;
        assert_eq!(deliver(connection, b"x").await, Err(OutboundError::ConnectionClosed));

        let (tls, config) = pair();
        let of_server = ended.clone();
        let server = Server::start_tls(config, move |mut tls| {
            let ended = of_server.clone();
            async move {
                tls.shutdown().await.unwrap();
                ended.notify_one();
                std::future::pending::<()>().await;
            }
        })
        .await;
        let connection = server.connect(Some(&tls)).await;
        ended.notified().await;
        assert_eq!(deliver(connection, b"x").await, Err(OutboundError::ConnectionClosed));
    }

    #[tokio::test]
    async fn a_server_that_ends_without_having_read_everything_confirms_nothing() {
        // Plain: the system resets, as there is unread data.
        let server = Server::start(|mut tcp| async move {
            tcp.read_u8().await.unwrap();
        })
        .await;
        let mut connection = server.connect(None).await.unwrap();
        let mut trace = trace();
        connection.write_all(b"xy", &mut trace).await.unwrap();
        server.served().await;
        let outcome = connection.drain_close(&mut trace).await;
        assert_eq!(outcome, Err(OutboundError::ConnectionReset));

        // TLS: it says `close_notify` all the same.
        let (tls, config) = pair();
        let (heard, gate) =
            (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
        let of_server = (heard.clone(), gate.clone());
        let server = Server::start_tls(config, move |mut tls| {
            let (heard, gate) = of_server.clone();
            async move {
                tls.read_exact(&mut [0; 5]).await.unwrap();
                heard.notify_one();
                gate.notified().await;
                // As OpenSSL's servers end: the alert, then `close` of a socket with unread data.
                let (mut tcp, mut session) = tls.into_inner();
                let mut alert = Vec::new();
                session.send_close_notify();
                session.write_tls(&mut alert).unwrap();
                tcp.write_all(&alert).await.unwrap();
                // The client has the alert before it has the reset.
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
            }
        })
        .await;
        let mut connection = server.connect(Some(&tls)).await.unwrap();
        connection.write_all(b"taken", &mut trace).await.unwrap();
        heard.notified().await;
        // This and our end are in the server's buffers when it ends.
        connection.write_all(b"never read", &mut trace).await.unwrap();
        let (outcome, ()) = futures::join!(connection.drain_close(&mut trace), async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            gate.notify_one();
        });
        assert_eq!(outcome, Err(OutboundError::ConnectionReset));
    }

    #[tokio::test]
    async fn a_reset_while_writing_confirms_nothing() {
        let server = Server::start(|mut tcp| async move {
            tcp.read_exact(&mut [0; 1_000]).await.unwrap();
        })
        .await;
        let outcome = deliver(server.connect(None).await, &vec![b'x'; 64 * 1024 * 1024]).await;
        assert_eq!(outcome, Err(OutboundError::ConnectionReset));
        let fault = outcome.unwrap_err();
        assert_eq!((fault.code(), fault.is_lasting()), ("connection_reset", false));
    }

    #[tokio::test]
    async fn a_renewed_budget_counts_from_now() {
        let server = Server::start(|mut tcp| async move {
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        })
        .await;
        let mut connection = server.connect(None).await.unwrap();
        tokio::time::pause();
        tokio::time::advance(std::time::Duration::from_secs(20)).await;
        connection.renew(std::time::Duration::from_secs(15));
        tokio::time::resume();
        assert_eq!(deliver(Ok(connection), b"x").await, Ok(Confirmation::Clean));
    }
}

mod over_http {
    use super::*;

    /// The head of a request.
    async fn hear(tcp: &mut TcpStream) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(tcp.read_u8().await.ok()?);
        }
        String::from_utf8(head).ok()
    }

    /// Answers each request of a connection with the next of these texts, then ends it.
    async fn canned(answers: &'static [&'static str]) -> (Server, Arc<Mutex<Vec<String>>>) {
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let of_server = heard.clone();
        let server = Server::start(move |mut tcp| {
            let heard = of_server.clone();
            async move {
                for answer in answers {
                    let Some(request) = hear(&mut tcp).await else { return };
                    heard.lock().unwrap().push(request);
                    let _ = tcp.write_all(answer.as_bytes()).await;
                }
            }
        })
        .await;
        (server, heard)
    }

    fn request() -> Request<Full<Bytes>> {
        let request = Request::get("/services/collector").header("host", NAME);
        request.body(Full::default()).unwrap()
    }

    async fn ask(server: &Server) -> Result<Response<Bytes>, OutboundError> {
        let connection = server.connect(None).await?;
        connection.http().await?.exchange(request(), &mut trace()).await
    }

    #[tokio::test]
    async fn several_requests_share_a_connection() {
        let (server, heard) = canned(&[
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 503 Busy\r\nretry-after: 7\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        ])
        .await;
        let mut trace = trace();
        let mut http = server.connect(None).await.unwrap().http().await.unwrap();
        let first = http.exchange(request(), &mut trace).await.unwrap();
        assert_eq!((first.status().as_u16(), &first.body()[..]), (200, &b"ok"[..]));
        http.renew(std::time::Duration::from_secs(5));
        let second = http.exchange(request(), &mut trace).await.unwrap();
        assert_eq!((second.status().as_u16(), &second.body()[..]), (503, &b"no"[..]));
        assert_eq!(second.headers()["retry-after"], "7");
        assert_eq!(server.accepted().await, 1);
        let third = http.exchange(request(), &mut trace).await.unwrap_err();
        assert_eq!(third.code(), "connection_closed");
        let seen: Vec<_> = trace.steps().iter().map(|step| step.seen.clone()).collect();
        assert_eq!(seen, [Some(Seen::Status(200)), Some(Seen::Status(503)), None]);
        let heard = heard.lock().unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            heard[0],
            format!(
                "GET /services/collector HTTP/1.1\r\nhost: {NAME}\r\nuser-agent: Belfry/{version}\r\n\r\n"
            ),
        );
    }

    #[tokio::test]
    async fn over_tls_too() {
        let ca = Ca::new("Acme CA");
        let config = ca.issue(&[NAME], (2026, 2027)).server(None, BOTH);
        let server = Server::start_tls(config, |mut tls| async move {
            let mut request = Vec::new();
            while !request.ends_with(b"{}") {
                request.push(tls.read_u8().await.unwrap());
            }
            let _ = tls.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        })
        .await;
        let mut http = server.connect(Some(&ca.tls(None))).await.unwrap().http().await.unwrap();
        let request = Request::post("/").header("host", NAME).body(Full::from("{}")).unwrap();
        assert_eq!(http.exchange(request, &mut trace()).await.unwrap().status(), 204);
    }

    #[tokio::test]
    async fn a_client_certificate_that_is_missed_is_told() {
        let (ca, clients) = (Ca::new("Acme CA"), Ca::new("Acme clients"));
        let config = ca.issue(&[NAME], (2026, 2027)).server(Some(&clients), TLS_1_3);
        let server = Server::start_tls(config, polite).await;
        let connection = server.connect(Some(&ca.tls(None))).await.unwrap();
        let mut http = connection.http().await.unwrap();
        let fault = http.exchange(request(), &mut trace()).await.unwrap_err();
        assert_eq!(fault, OutboundError::ClientCertificateRefused);
    }

    #[tokio::test]
    async fn no_redirect_is_followed() {
        let second = Server::start(|_| async {}).await;
        for status in [301, 302, 303, 307, 308] {
            let location = format!("http://127.0.0.1:{}/", second.port);
            let text = format!(
                "HTTP/1.1 {status} Away\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
            );
            let (server, _) = canned(Box::leak(Box::new([&*text.leak()]))).await;
            let answer = ask(&server).await.unwrap();
            assert_eq!(answer.status().as_u16(), status);
            assert_eq!(answer.headers()["location"], location);
            assert_eq!(server.accepted().await, 1);
        }
        assert_eq!(second.accepted().await, 0);
    }

    #[tokio::test]
    async fn a_long_answer_is_not_read() {
        let most = 64 * 1024;
        let sized = |bytes: usize| {
            format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n{}", "x".repeat(bytes))
        };
        let chunked = format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
            format!("400\r\n{}\r\n", "x".repeat(1_024)).repeat(65)
        );
        let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(most + 1));
        let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(3 * most));
        for (what, text, expected) in [
            ("just fits", sized(most), Ok(most)),
            ("sized", sized(most + 1), Err("answer_too_large")),
            ("chunked", chunked, Err("answer_too_large")),
            ("to the end", endless, Err("answer_too_large")),
            ("head", head, Err("http_not_spoken")),
        ] {
            let (server, _) = canned(Box::leak(Box::new([&*text.leak()]))).await;
            let outcome = ask(&server).await;
            let outcome = outcome.map(|answer| answer.body().len()).map_err(|fault| fault.code());
            assert_eq!(outcome, expected, "{what}");
        }
    }

    #[tokio::test]
    async fn half_an_answer_is_none() {
        for (text, codes) in [
            ("", &["connection_closed"][..]),
            ("HTTP/1.1 200 OK\r\n", &["connection_closed"]),
            ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", &["connection_closed"]),
            ("SSH-2.0-OpenSSH_9.9\r\n", &["http_not_spoken"]),
            ("HTTP/1.1 2000 OK\r\n\r\n", &["http_not_spoken"]),
        ] {
            let (server, _) = canned(Box::leak(Box::new([text]))).await;
            let fault = ask(&server).await.unwrap_err();
            assert!(codes.contains(&fault.code()), "{text:?}: {fault}");
            assert!(!fault.is_lasting());
        }
    }

    #[tokio::test]
    async fn a_slow_answer_is_given_up() {
        for text in
            ["", "HTTP/1.1 200 OK\r\ncontent-", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"]
        {
            let server = Server::start(move |mut tcp| async move {
                hear(&mut tcp).await.unwrap();
                let _ = tcp.write_all(text.as_bytes()).await;
                std::future::pending::<()>().await;
                drop(tcp);
            })
            .await;
            let mut http = server.connect(None).await.unwrap().http().await.unwrap();
            tokio::time::pause();
            let late = http.exchange(request(), &mut trace()).await;
            tokio::time::resume();
            assert_eq!(late.err(), Some(OutboundError::Timeout), "{text:?}");
        }
    }
}
