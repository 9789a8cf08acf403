//! `belfry siem receive`: shows and verifies what the SIEM export delivers, on one machine, to try it out.

mod frame;
mod hec;
mod intervals;
mod receiver;
mod show;
mod syslog;
mod tls;
mod verify;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use belfry_domain::ports::random;
use belfry_domain::siem::record::{RecordType, Source};
use belfry_domain::telemetry::event::Severity;
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

use crate::console::Console;
use crate::demo::now;
use crate::entropy::SystemEntropy;
use crate::failure::{Doing, Failure, Result};
use crate::siem::frame::Framing;
use crate::siem::hec::Hec;
use crate::siem::receiver::{Receiver, Screen};
use crate::siem::tls::Authority;
use crate::siem::verify::{Ending, Expected, Transport, Verifier};
use crate::workspace::Workspace;

/// How long a client may take to agree on TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long to wait when the system gives no connection, for want of files mostly.
const PAUSE: Duration = Duration::from_millis(200);

/// The file that keeps the token.
const TOKEN: &str = "token";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Siem {
    /// Show and verify what the SIEM export delivers, until Ctrl-C
    ///
    /// A receiver to try the export with, on this machine: syslog over TLS and over TCP, and Splunk's HTTP
    /// Event Collector. It is no SIEM: it keeps nothing, and who reaches its ports can talk to it, so it
    /// listens on loopback unless told otherwise.
    ///
    /// It follows each stream of each tenant, on each way in: numbers that are missing, records that come
    /// again, another record for a number, records after higher ones, bytes that are no frame. It ends
    /// with a summary, and with exit code 0 when there was no error and 1 when there was. A gap is an
    /// error only with --all: a destination that selects some types has gaps. The latest 100,000 records
    /// of a stream are remembered by their ids, and 256 streams are followed.
    Receive(Receive),
}

/// Where to receive, and what is expected.
#[derive(Debug, clap::Args)]
pub(crate) struct Receive {
    /// Address for syslog over TLS (RFC 5425), or `off`
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6514")]
    syslog: Door,
    /// Address for Splunk's HTTP Event Collector over TLS, or `off`
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8088")]
    hec: Door,
    /// Address for syslog over TCP (RFC 6587), or `off`
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:1514")]
    plain: Door,
    /// Name or address by which the export reaches this machine
    #[arg(long, default_value = "127.0.0.1")]
    name: String,
    /// Folder of the CA, which is made on first use, and of the destinations' settings; .local/siem if none
    /// is given
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Token of the collector; else one is made up, and kept in the folder
    #[arg(long, env = "BELFRY_SIEM_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Do not acknowledge, as Splunk Cloud does not
    #[arg(long)]
    no_ack: bool,
    #[command(flatten)]
    expected: Expected,
    /// Print no line a record; errors are printed all the same
    #[arg(long)]
    quiet: bool,
    /// End when something has come and the last connection is gone
    #[arg(long)]
    once_idle: bool,
    /// File that always holds the latest summary, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Where a way in is, if it is open at all.
#[derive(Debug, Clone, Copy)]
struct Door(Option<SocketAddr>);

impl FromStr for Door {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self(None));
        }
        text.parse()
            .map(|at| Self(Some(at)))
            .map_err(|_| "neither an address like 127.0.0.1:6514 nor off")
    }
}

/// What is done with the connections of a way in.
#[derive(Clone)]
enum Way {
    Tls(TlsAcceptor),
    Plain,
    Hec(TlsAcceptor, Arc<Hec>),
}

impl Receive {
    /// Receives until it is told to stop; tells whether there was no error.
    pub(crate) async fn run(&self, workspace: &Workspace, console: Console) -> Result<bool> {
        let began = now();
        let folder = self.dir.clone().unwrap_or_else(|| workspace.local("siem"));
        let authority = Authority::ensure(&folder, began)?;
        let token = self.token(&folder)?;
        let tls = TlsAcceptor::from(authority.server(&self.name, began)?);
        let doors = [
            (Transport::SyslogTls, self.syslog, "--syslog"),
            (Transport::SplunkHec, self.hec, "--hec"),
            (Transport::SyslogTcp, self.plain, "--plain"),
        ];
        let mut listeners = Vec::new();
        for (transport, door, option) in doors {
            let Door(Some(at)) = door else { continue };
            let listener = TcpListener::bind(at).await.doing(format!("listen on {at}"));
            let listener = listener.map_err(|failure| {
                failure.next(format!("Another address: {option} ADDRESS, or none: {option} off"))
            })?;
            let at = listener.local_addr().doing("listen")?;
            listeners.push((transport, listener, at));
        }
        if listeners.is_empty() {
            return Err(Failure::new("all ways in are off"));
        }
        let listening =
            listeners.iter().map(|(transport, _, at)| (transport.name().to_owned(), json!(at)));
        let receiver = Arc::new(Receiver::new(
            Verifier::new(self.expected),
            Screen::new(self.quiet, console.json),
            self.report.clone(),
            Value::Object(listening.collect()),
        ));
        let screen = receiver.screen();
        // Before anybody is told that it is there, so that whoever is told can stop it.
        let mut interrupt = signal(SignalKind::interrupt()).doing("wait for Ctrl-C")?;
        let mut terminate = signal(SignalKind::terminate()).doing("wait for the end")?;
        screen.say(&format!("CA certificate: {}", authority.file.display()));
        for (transport, _, at) in &listeners {
            self.announce(*transport, *at, &folder, &authority, &token, screen)?;
        }
        receiver.report(true);
        screen.say("Receiving; Ctrl-C ends it.");
        let hec = Arc::new(Hec::new(token, !self.no_ack, receiver.clone()));
        for (transport, listener, _) in listeners {
            let way = match transport {
                Transport::SyslogTls => Way::Tls(tls.clone()),
                Transport::SyslogTcp => Way::Plain,
                Transport::SplunkHec => Way::Hec(tls.clone(), hec.clone()),
            };
            tokio::spawn(accept(listener, way, receiver.clone()));
        }
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = receiver.idle.notified(), if self.once_idle => {}
        }
        screen.close();
        receiver.report(false);
        let summary = receiver.summary();
        let lasted = Duration::try_from(now().duration_since(began)).unwrap_or_default();
        console.outcome(&summary, || summary.text(lasted));
        Ok(summary.is_well())
    }

    /// The token that was given, or that was kept, or a new one.
    fn token(&self, folder: &Path) -> Result<String> {
        let is_token = |token: &str| {
            (1..=256).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if let Some(token) = &self.token {
            let fits = is_token(token).then(|| token.clone());
            return fits.ok_or_else(|| Failure::new("--token: 1 to 256 visible ASCII characters"));
        }
        // A destination that was made once goes on when the receiver is started again.
        let file = folder.join(TOKEN);
        match fs::read_to_string(&file) {
            Ok(token) if is_token(token.trim()) => return Ok(token.trim().to_owned()),
            _ => {}
        }
        let digits = hex::encode(random::<16>(&SystemEntropy));
        // In the form of Splunk's own.
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
        let token = parts.map(|part| digits.get(part).unwrap_or_default()).join("-");
        tls::keep(&file, token.as_bytes())?;
        Ok(token)
    }

    /// Says how to make a destination that delivers to a way in.
    fn announce(
        &self,
        transport: Transport,
        at: SocketAddr,
        folder: &Path,
        authority: &Authority,
        token: &str,
        screen: &Screen,
    ) -> Result<()> {
        let body = destination(transport, &self.name, at.port(), &authority.pem, token);
        let file = folder.join(format!("{}.json", transport.name()));
        tls::keep(&file, body.to_string().as_bytes())?;
        screen.say(&format!(
            "\n{} on {at}. POST this to /siem/destinations (it is in {} too):\n{body}",
            transport.name(),
            file.display(),
        ));
        if !at.ip().is_loopback() {
            screen.say("! Whoever reaches this address can talk to it: this is no SIEM.");
        }
        Ok(())
    }
}

/// The body that makes a destination of everything there is.
fn destination(transport: Transport, host: &str, port: u16, ca: &str, token: &str) -> Value {
    let types = |source: Source| {
        let names: Vec<&str> = source.types().map(RecordType::name).collect();
        (source.name().to_owned(), json!(names))
    };
    let types: Map<String, Value> = Source::ALL.map(types).into_iter().collect();
    let mut body = json!({
        "name": format!("Trial receiver, {}", transport.name()),
        "enabled": true,
        "transport": transport.name(),
        "host": host,
        "port": port,
        "format": if transport == Transport::SplunkHec { "ocsf" } else { "rfc5424" },
        "event_types": types,
        "min_severity": Severity::Info.name(),
    });
    if let Some(body) = body.as_object_mut() {
        if transport != Transport::SyslogTcp {
            body.insert("ca_pem".to_owned(), json!(ca));
        }
        if transport == Transport::SplunkHec {
            body.insert("token".to_owned(), json!(token));
        }
    }
    body
}

/// Takes connections for good.
async fn accept(listener: TcpListener, way: Way, receiver: Arc<Receiver>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                receiver.screen().say(&format!("✗ no connection: {error}"));
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(seat) = receiver.seat() else {
            syslog::close_harshly(&stream);
            continue;
        };
        let (way, receiver) = (way.clone(), receiver.clone());
        tokio::spawn(async move {
            serve(stream, way, &receiver).await;
            drop(seat);
            receiver.left();
        });
    }
}

async fn serve(stream: TcpStream, way: Way, receiver: &Receiver) {
    let (tls, transport) = match &way {
        Way::Plain => {
            // Should the receiver stop before the end, the sender must not take that for a confirmation.
            syslog::close_harshly(&stream);
            let transport = Transport::SyslogTcp;
            return syslog::serve(stream, Framing::Either, transport, receiver, |tcp| tcp).await;
        }
        Way::Tls(tls) => (tls, Transport::SyslogTls),
        Way::Hec(tls, _) => (tls, Transport::SplunkHec),
    };
    let stream = match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return receiver.ended(transport, Ending::NoTls, &error.to_string()),
        Err(_) => return receiver.ended(transport, Ending::NoTls, "it took too long"),
    };
    if let Way::Hec(_, hec) = &way {
        return hec.serve(stream).await;
    }
    syslog::close_harshly(stream.get_ref().0);
    syslog::serve(stream, Framing::Counted, transport, receiver, |tls| tls.get_ref().0).await;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const TOKEN: &str = "11111111-2222-3333-4444-555555555555";

    /// A receiver with one way in, on a port of its own.
    pub(crate) struct Trial {
        pub(crate) address: SocketAddr,
        /// Its CA's certificate.
        pub(crate) ca: String,
        pub(crate) receiver: Arc<Receiver>,
        folder: PathBuf,
    }

    impl Trial {
        pub(crate) async fn start(name: &str, transport: Transport) -> Self {
            let folder = tls::tests::folder(name);
            let authority = Authority::ensure(&folder, now()).unwrap();
            let server = TlsAcceptor::from(authority.server("localhost", now()).unwrap());
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let receiver = Arc::new(Receiver::new(
                Verifier::new(Expected { all: true, replay: false }),
                Screen::new(false, false),
                Some(folder.join("report.json")),
                json!({transport.name(): address}),
            ));
            let way = match transport {
                Transport::SyslogTls => Way::Tls(server),
                Transport::SyslogTcp => Way::Plain,
                Transport::SplunkHec => {
                    let hec = Hec::new(TOKEN.to_owned(), true, receiver.clone());
                    Way::Hec(server, Arc::new(hec))
                }
            };
            tokio::spawn(accept(listener, way, receiver.clone()));
            Self { address, ca: authority.pem, receiver, folder }
        }

        /// The report as it is now.
        pub(crate) fn report(&self) -> Value {
            serde_json::from_slice(&fs::read(self.folder.join("report.json")).unwrap()).unwrap()
        }

        /// Waits until something has come and nobody is connected.
        pub(crate) async fn idle(&self) {
            self.receiver.idle.notified().await;
        }
    }

    impl Drop for Trial {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        receive: Receive,
    }

    fn receive(line: &str) -> Result<Receive, clap::Error> {
        let words = std::iter::once("receive").chain(line.split_whitespace());
        <Line as clap::Parser>::try_parse_from(words).map(|line| line.receive)
    }

    #[test]
    fn ways_in_are_on_loopback_unless_told_otherwise() {
        let standard = receive("").unwrap();
        for Door(door) in [standard.syslog, standard.hec, standard.plain] {
            assert!(door.unwrap().ip().is_loopback());
        }
        assert!(receive("--hec off").unwrap().hec.0.is_none());
        assert!(receive("--hec localhost").is_err());
    }

    #[test]
    fn a_token_is_kept_unless_it_is_given() {
        let folder = tls::tests::folder("siem-token");
        Authority::ensure(&folder, now()).unwrap();
        let made = receive("").unwrap().token(&folder).unwrap();
        assert_eq!(made.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(receive("").unwrap().token(&folder).unwrap(), made);
        assert_eq!(receive("--token abc").unwrap().token(&folder).unwrap(), "abc");
        assert_eq!(receive("").unwrap().token(&folder).unwrap(), made);
        let mut bad = receive("").unwrap();
        for token in ["", "a b", "é"] {
            bad.token = Some(token.to_owned());
            assert!(bad.token(&folder).is_err(), "{token}");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_destination_has_what_its_transport_needs() {
        let body = |transport| destination(transport, "localhost", 6514, "PEM", "secret");
        let tls = body(Transport::SyslogTls);
        assert_eq!((&tls["transport"], &tls["port"]), (&json!("syslog_tls"), &json!(6514)));
        assert_eq!((&tls["ca_pem"], &tls["token"]), (&json!("PEM"), &Value::Null));
        assert_eq!(tls["event_types"]["CONSOLE"], json!(["change", "access"]));
        let hec = body(Transport::SplunkHec);
        assert_eq!((&hec["ca_pem"], &hec["token"]), (&json!("PEM"), &json!("secret")));
        let plain = body(Transport::SyslogTcp);
        assert_eq!((&plain["ca_pem"], &plain["token"]), (&Value::Null, &Value::Null));
    }
}
