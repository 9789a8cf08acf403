//! What happened on the way, step by step.

use super::{CertificateFacts, Confirmation, OutboundError};
use belfry_domain::ports::Clock;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// A part of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepName {
    /// The host's name to its addresses, and their check.
    Resolve,
    /// A TCP connection to one address; once for each that is tried.
    Connect,
    /// The TLS handshake.
    Tls,
    /// A plain connection is to become an encrypted one; the server's consent to it.
    StartTls,
    /// A name and a password, and what a directory says to them.
    Bind,
    /// What a directory says of itself.
    Root,
    /// The base of a directory, and whether there is anybody.
    Base,
    /// Bytes handed to the connection.
    Write,
    /// An HTTP request and its answer.
    Answer,
    /// The end, which confirms what was written.
    Close,
}

impl StepName {
    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::StartTls => "starttls",
            Self::Bind => "bind",
            Self::Root => "root",
            Self::Base => "base",
            Self::Write => "write",
            Self::Answer => "answer",
            Self::Close => "close",
        }
    }
}

/// What a step found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// All addresses that the resolver gave.
    Addresses(Vec<IpAddr>),
    /// The address that was tried.
    Address(SocketAddr),
    /// The TLS session.
    Tls(TlsSeen),
    /// So many bytes were handed to the connection.
    Written(usize),
    /// The status code of the answer.
    Status(u16),
    /// How the connection ended.
    Closed(Confirmation),
}

/// A TLS session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSeen {
    /// `1.2` or `1.3`.
    pub version: &'static str,
    /// Of the server's own certificate; none when it cannot be read.
    pub certificate: Option<CertificateFacts>,
}

/// A step, with what it found and how it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub name: StepName,
    /// Milliseconds that it took.
    pub elapsed_ms: u64,
    /// What was found, of a failed step too.
    pub seen: Option<Seen>,
    /// How it failed.
    pub fault: Option<OutboundError>,
}

/// Collects the steps.
#[derive(Clone)]
pub struct Trace {
    clock: Arc<dyn Clock>,
    steps: Vec<Step>,
}

impl Trace {
    /// Empty; the clock measures the steps.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, steps: Vec::new() }
    }

    /// In their order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(crate) async fn step<T>(
        &mut self,
        name: StepName,
        work: impl Future<Output = (Option<Seen>, Result<T, OutboundError>)>,
    ) -> Result<T, OutboundError> {
        let start = self.clock.now();
        let (seen, outcome) = work.await;
        let elapsed = self.clock.now().duration_since(start).as_millis();
        self.steps.push(Step {
            name,
            // A clock that was set back meanwhile counts as no time.
            elapsed_ms: u64::try_from(elapsed).unwrap_or(0),
            seen,
            fault: outcome.as_ref().err().cloned(),
        });
        outcome
    }
}
