//! How records reach a receiver, and how we know that it has them.

mod hec;
mod http;
mod syslog;
mod webhook;

use crate::keys::{SealError, Sealer};
use crate::outbound::{
    Authorities, Connection, Identity, Outbound, OutboundError, Tls, Trace, Trust,
};
use belfry_domain::id::DestinationId;
use belfry_domain::outbound::{Peer, Ports};
use belfry_domain::ports::{Clock, Entropy};
use belfry_domain::siem::destination::{Destination, Secrets, Settings, Transport};
use belfry_domain::siem::format::Renderer;
use belfry_domain::siem::progress::Verdict;
use belfry_domain::siem::record::Record;
use futures::future::BoxFuture;
use hec::Hec;
use jiff::SignedDuration;
use std::ops::Range;
use std::sync::Arc;
use webhook::Webhook;

/// So long connections and requests are begun for a parcel. What is left of it is unknown and goes again:
/// a slow receiver is not to take more time than there is to write down what it took.
const LONGEST: SignedDuration = SignedDuration::from_secs(10);

/// Records for one destination, in the order in which they are to arrive.
#[derive(Debug, Clone, Copy)]
pub struct Parcel<'a> {
    /// To which one.
    pub id: DestinationId,
    /// What was chosen there.
    pub settings: &'a Settings,
    /// Its secrets.
    pub secrets: &'a Secrets,
    /// Writes the records.
    pub renderer: &'a Renderer,
    /// The records.
    pub records: &'a [Record],
    /// How many of them are sent at once.
    pub pace: usize,
}

/// Why a receiver wants a record not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which one, by its place in the parcel.
    pub index: usize,
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// One sentence, with what the receiver said.
    pub detail: String,
}

/// Why a delivery ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// One sentence for the administrator, with what the receiver said.
    pub detail: String,
    /// Whether it does not heal by itself.
    pub lasting: bool,
    /// For how long the receiver wants to be left alone.
    pub wish: Option<SignedDuration>,
}

/// What became of a parcel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Of each record, in their order.
    pub verdicts: Vec<Verdict>,
    /// Why those are parked that are.
    pub refusals: Vec<Refusal>,
    /// Why not all of it was settled.
    pub trouble: Option<Trouble>,
    /// Bytes that were sent, before TLS.
    pub bytes: u64,
    /// Connections that the receiver confirmed by their end, but not as TLS wants it.
    pub abrupt: u32,
}

/// Carries parcels to their receivers.
pub trait Carrier: Send + Sync {
    /// Delivers as much as it can; no record is confirmed before the receiver said so. The trace has every
    /// step.
    fn carry<'a>(&'a self, parcel: Parcel<'a>, trace: &'a mut Trace) -> BoxFuture<'a, Outcome>;
}

impl Outcome {
    /// Nothing is known yet of so many records.
    fn unknown(records: usize) -> Self {
        Self { verdicts: vec![Verdict::Unknown; records], ..Self::default() }
    }

    /// All records of a range have this verdict.
    fn say(&mut self, range: Range<usize>, verdict: Verdict) {
        for known in self.verdicts.iter_mut().skip(range.start).take(range.len()) {
            *known = verdict;
        }
    }
}

impl From<OutboundError> for Trouble {
    fn from(error: OutboundError) -> Self {
        let (code, lasting) = (error.code(), error.is_lasting());
        Self { code, detail: belfry_api::sentence(&error.to_string()), lasting, wish: None }
    }
}

/// The secrets of a destination; none where it has none.
///
/// # Errors
/// [`SealError`].
pub async fn open_secrets(
    key: &dyn Sealer,
    destination: &Destination,
) -> Result<Secrets, SealError> {
    let Some(sealed) = &destination.sealed_secrets else { return Ok(Secrets::default()) };
    let context = destination.sealed_for();
    let context = context.each_ref().map(|(name, value)| (*name, value.as_str()));
    let plain = key.open(sealed, &context).await?;
    serde_json::from_slice(&plain).map_err(|error| SealError::Damaged(Box::new(error)))
}

/// Secrets as JSON, sealed for their destination.
///
/// # Errors
/// [`SealError`].
pub async fn seal_secrets(
    key: &dyn Sealer,
    destination: &Destination,
    plain: &[u8],
) -> Result<Vec<u8>, SealError> {
    let context = destination.sealed_for();
    let context = context.each_ref().map(|(name, value)| (*name, value.as_str()));
    key.seal(plain, &context).await
}

/// What records call their sender: the host of the console's address.
pub fn sender(console: &str) -> String {
    let uri = console.parse::<::http::Uri>().ok();
    let host = uri.as_ref().and_then(::http::Uri::host);
    host.unwrap_or("belfry").to_owned()
}

/// Carries over the network.
#[derive(Clone)]
pub struct Network {
    outbound: Outbound,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Network {
    /// Makes no call.
    pub fn new(outbound: Outbound, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { outbound, clock, entropy }
    }

    /// A connection to a destination.
    async fn connect(
        &self,
        settings: &Settings,
        secrets: &Secrets,
        trace: &mut Trace,
    ) -> Result<Connection, OutboundError> {
        let address = settings.address.as_ref().ok_or(OutboundError::HostNotFound)?;
        let peer = Peer::new(address.host.clone(), address.port, Ports::Siem)
            .map_err(|_| OutboundError::HostNotFound)?;
        let tls = if settings.transport.is_encrypted() {
            Some(self.tls(settings, secrets)?)
        } else {
            None
        };
        self.outbound.connect(&peer, tls.as_ref(), trace).await
    }

    fn tls(&self, settings: &Settings, secrets: &Secrets) -> Result<Tls, OutboundError> {
        let now = self.clock.now();
        let ca = settings.address.as_ref().and_then(|address| address.ca_pem.as_deref());
        let authorities = ca.map(|pem| Authorities::from_pem(pem, now)).transpose()?;
        let trust = authorities.as_ref().map_or(Trust::Mozilla, Trust::Only);
        let pair =
            settings.client_certificate_pem.as_deref().zip(secrets.client_key_pem.as_deref());
        let identity = pair.map(|(chain, key)| Identity::from_pem(chain, key, now)).transpose()?;
        Tls::new(trust, identity.as_ref(), self.clock.clone())
    }
}

impl Carrier for Network {
    fn carry<'a>(&'a self, parcel: Parcel<'a>, trace: &'a mut Trace) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match parcel.settings.transport {
                Transport::SyslogTls | Transport::SyslogTcp => self.syslog(parcel, trace).await,
                Transport::SplunkHec => {
                    let hec = Hec::of(&parcel, self.entropy.as_ref());
                    self.http(parcel, hec, trace).await
                }
                Transport::Webhook => {
                    self.http(parcel, Webhook::of(&parcel, self.clock.clone()), trace).await
                }
                // It is asked for.
                Transport::Pull => Outcome::unknown(parcel.records.len()),
            }
        })
    }
}
