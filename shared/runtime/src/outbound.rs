//! Connections to servers that a customer names: the address checked, TLS, what the server has really
//! taken, and HTTP/1.1 on top. Every step is told to a [`Trace`], which an administrator may be shown.
//!
//! A name is resolved once; all its addresses must be admitted by the [`Reach`], and the connection goes to
//! one of those very addresses. So a name that resolves otherwise a moment later gains nothing.

mod connection;
mod fault;
mod http;
mod resolve;
mod tls;
mod trace;
pub mod view;

pub use connection::{Confirmation, Connection};
pub use fault::OutboundError;
pub(crate) use fault::bounded;
pub use http::Http;
pub use resolve::{Resolver, SystemResolver};
pub use tls::{Authorities, CertificateFacts, CertificateFault, Identity, Tls, Trust};
pub use trace::{Seen, Step, StepName, TlsSeen, Trace};

use belfry_domain::outbound::{Host, Peer, PrivateNetworks, Reach};
use connection::Io;
use std::future::Future;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// Most addresses of a name that are tried. All that the resolver gives are checked.
const MOST_ADDRESSES: usize = 16;

/// How long each part may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the resolver.
    pub resolve: Duration,
    /// For a TCP connection, over all addresses.
    pub connect: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the server to end its side after we have ended ours.
    pub close: Duration,
    /// In all, from the resolver to the end; [`Connection::renew`] gives more.
    pub whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            resolve: Duration::from_secs(3),
            connect: Duration::from_secs(3),
            handshake: Duration::from_secs(5),
            close: Duration::from_secs(5),
            whole: Duration::from_secs(15),
        }
    }
}

/// Opens connections to servers that a customer names.
#[derive(Clone)]
pub struct Outbound {
    resolver: Arc<dyn Resolver>,
    reach: Reach,
    private: Arc<PrivateNetworks>,
    patience: Patience,
}

impl Outbound {
    /// Makes no call.
    pub fn new(resolver: Arc<dyn Resolver>, reach: Reach, patience: Patience) -> Self {
        Self { resolver, reach, private: Arc::default(), patience }
    }

    /// The same, into these private networks too.
    #[must_use]
    pub fn admitting(self, private: Arc<PrivateNetworks>) -> Self {
        Self { private, ..self }
    }

    /// Whether private networks are admitted: then so are hosts with names that mean something there only.
    pub fn admits_private(&self) -> bool {
        !self.private.is_empty()
    }

    /// How long each part may take.
    pub const fn patience(&self) -> Patience {
        self.patience
    }

    /// Resolves, checks, connects and, with `tls`, shakes hands under the host's name.
    ///
    /// # Errors
    /// [`OutboundError`]; the trace has the steps until then.
    pub async fn connect(
        &self,
        peer: &Peer,
        tls: Option<&Tls>,
        trace: &mut Trace,
    ) -> Result<Connection, OutboundError> {
        let deadline = Instant::now() + self.patience.whole;
        let addresses = trace.step(StepName::Resolve, self.resolve(peer.host(), deadline)).await?;
        let tcp = self.connect_to(&addresses, peer.port(), deadline, trace).await?;
        // A batch is written in one go: waiting for more to fill a packet only costs time.
        tcp.set_nodelay(true).map_err(|error| OutboundError::of_io(&error))?;
        let io = match tls {
            None => Io::Plain(tcp),
            Some(tls) => self.handshake(tcp, peer.host(), tls, deadline, trace).await?,
        };
        Ok(Connection::new(io, deadline, self.patience.close))
    }

    /// Shakes hands on a connection that was plain until now, as `StartTLS` has it. One that is encrypted
    /// already is given back.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub(crate) async fn secure(
        &self,
        plain: Connection,
        host: &Host,
        tls: &Tls,
        trace: &mut Trace,
    ) -> Result<Connection, OutboundError> {
        let (io, deadline) = plain.into_parts();
        let io = match io {
            Io::Plain(tcp) => self.handshake(tcp, host, tls, deadline, trace).await?,
            encrypted @ Io::Tls(_) => encrypted,
        };
        Ok(Connection::new(io, deadline, self.patience.close))
    }

    async fn handshake(
        &self,
        tcp: TcpStream,
        host: &Host,
        tls: &Tls,
        deadline: Instant,
        trace: &mut Trace,
    ) -> Result<Io, OutboundError> {
        let until = deadline.min(Instant::now() + self.patience.handshake);
        let handshake = async {
            let stream = within(until, OutboundError::Timeout, tls.handshake(host, tcp)).await;
            (stream.as_ref().ok().map(|stream| Seen::Tls(tls::seen(stream))), stream)
        };
        Ok(Io::Tls(Box::new(trace.step(StepName::Tls, handshake).await?)))
    }

    /// Resolves and checks, and connects to nobody.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn check(&self, peer: &Peer, trace: &mut Trace) -> Result<(), OutboundError> {
        let deadline = Instant::now() + self.patience.whole;
        trace.step(StepName::Resolve, self.resolve(peer.host(), deadline)).await.map(drop)
    }

    /// All addresses of the host, none of them outside the reach.
    async fn resolve(
        &self,
        host: &Host,
        deadline: Instant,
    ) -> (Option<Seen>, Result<Vec<IpAddr>, OutboundError>) {
        let until = deadline.min(Instant::now() + self.patience.resolve);
        let addresses = async {
            match host.address() {
                Some(ip) => Ok(vec![ip]),
                None => self.resolver.resolve(&host.to_string()).await.map_err(|error| {
                    tracing::info!(error.kind = %error.kind(), "a customer's host was not resolved");
                    OutboundError::HostNotFound
                }),
            }
        };
        match within(until, OutboundError::ResolveTimeout, addresses).await {
            Err(fault) => (None, Err(fault)),
            Ok(addresses) => {
                let admitted = |ip: &IpAddr| self.reach.admits(*ip) || self.private.admits(*ip);
                let outside = addresses.iter().find(|ip| !admitted(ip));
                let checked = match outside {
                    Some(ip) => Err(OutboundError::AddressNotAllowed(*ip)),
                    None if addresses.is_empty() => Err(OutboundError::HostNotFound),
                    None => Ok(addresses.iter().copied().take(MOST_ADDRESSES).collect()),
                };
                (Some(Seen::Addresses(addresses)), checked)
            }
        }
    }

    /// The first address that accepts, in the resolver's order. Each has its share of the time left, so that
    /// one that swallows packets does not keep the others from being tried.
    async fn connect_to(
        &self,
        addresses: &[IpAddr],
        port: u16,
        deadline: Instant,
        trace: &mut Trace,
    ) -> Result<TcpStream, OutboundError> {
        let until = deadline.min(Instant::now() + self.patience.connect);
        let mut last = OutboundError::HostNotFound;
        let mut addresses = addresses.iter();
        while let Some(ip) = addresses.next() {
            let address = SocketAddr::new(*ip, port);
            let now = Instant::now();
            let left = u32::try_from(addresses.len()).unwrap_or(u32::MAX).saturating_add(1);
            let share = now + until.saturating_duration_since(now) / left;
            let attempt = async {
                let connected = within(share, OutboundError::ConnectTimeout, async {
                    TcpStream::connect(address).await.map_err(|error| match error.kind() {
                        ErrorKind::ConnectionRefused => OutboundError::ConnectRefused,
                        ErrorKind::TimedOut => OutboundError::ConnectTimeout,
                        _ => OutboundError::Unreachable,
                    })
                });
                (Some(Seen::Address(address)), connected.await)
            };
            match trace.step(StepName::Connect, attempt).await {
                Ok(tcp) => return Ok(tcp),
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }
}

/// The work's outcome, or `late` when it takes longer.
async fn within<T>(
    until: Instant,
    late: OutboundError,
    work: impl Future<Output = Result<T, OutboundError>>,
) -> Result<T, OutboundError> {
    timeout_at(until, work).await.unwrap_or(Err(late))
}
