//! Whom TLS trusts, and with what it presents itself.

use super::fault::bounded;
use super::{OutboundError, TlsSeen};
use belfry_domain::failure::FieldFault;
use belfry_domain::outbound::Host;
use belfry_domain::ports::Clock;
use jiff::Timestamp;
use rustls::client::ResolvesClientCert;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, InconsistentKeys, ProtocolVersion, RootCertStore};
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode as _;
use x509_cert::name::Name;

/// Most bytes of a PEM text: some 30 certificates.
const MOST_PEM: usize = 64 * 1024;

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Who issued it (RFC 4514), at most 200 characters.
    pub issuer: String,
    /// Whose it is (RFC 4514), at most 200 characters.
    pub subject: String,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid, this second included.
    pub not_after: Timestamp,
}

impl CertificateFacts {
    fn read(der: &[u8]) -> Option<Self> {
        let certificate = CertificateInner::<Raw>::from_der(der).ok()?;
        let certificate = certificate.tbs_certificate();
        let at = |since_1970: Duration| {
            Timestamp::from_second(i64::try_from(since_1970.as_secs()).ok()?).ok()
        };
        let named = |name: &Name| {
            let mut text = String::new();
            // A name that cannot be written ends where it cannot.
            let _ = write!(text, "{name}");
            bounded(&text)
        };
        Some(Self {
            issuer: named(certificate.issuer()),
            subject: named(certificate.subject()),
            not_before: at(certificate.validity().not_before.to_unix_duration())?,
            not_after: at(certificate.validity().not_after.to_unix_duration())?,
        })
    }
}

/// Why certificates or a key that somebody gave cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// Not PEM, no certificate in it, or one that cannot be read.
    #[error("the certificate cannot be read: it is one or more CERTIFICATE blocks in PEM")]
    Unreadable,
    /// At least one is over.
    #[error("the certificate has expired")]
    Expired,
    /// At least one is still to come.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// Not PEM, encrypted, or of an algorithm that TLS does not know.
    #[error("the private key cannot be read: it is one unencrypted PRIVATE KEY block in PEM")]
    KeyUnreadable,
    /// The key is another certificate's.
    #[error("the private key does not belong to the first certificate")]
    KeyMismatch,
}

impl FieldFault for CertificateFault {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable => "certificate_unreadable",
            Self::Expired => "certificate_expired",
            Self::NotYetValid => "certificate_not_yet_valid",
            Self::KeyUnreadable => "key_unreadable",
            Self::KeyMismatch => "key_mismatch",
        }
    }
}

/// At least one certificate, each of them valid now.
fn certificates(
    pem: &str,
    now: Timestamp,
) -> Result<(Vec<CertificateDer<'static>>, Vec<CertificateFacts>), CertificateFault> {
    if pem.len() > MOST_PEM {
        return Err(CertificateFault::Unreadable);
    }
    let ders = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| CertificateFault::Unreadable)?;
    if ders.is_empty() {
        return Err(CertificateFault::Unreadable);
    }
    let mut facts = Vec::with_capacity(ders.len());
    for der in &ders {
        let read = CertificateFacts::read(der).ok_or(CertificateFault::Unreadable)?;
        if now < read.not_before {
            return Err(CertificateFault::NotYetValid);
        }
        if read.not_after < now {
            return Err(CertificateFault::Expired);
        }
        facts.push(read);
    }
    Ok((ders, facts))
}

/// A customer's own authorities.
#[derive(Debug, Clone)]
pub struct Authorities {
    roots: Arc<RootCertStore>,
    facts: Vec<CertificateFacts>,
}

impl Authorities {
    /// From one or more certificates in PEM, at most 64 KB.
    ///
    /// # Errors
    /// [`CertificateFault`] when one of them cannot be read or is not valid `now`.
    pub fn from_pem(pem: &str, now: Timestamp) -> Result<Self, CertificateFault> {
        let (ders, facts) = certificates(pem, now)?;
        let mut roots = RootCertStore::empty();
        for der in ders {
            roots.add(der).map_err(|_| CertificateFault::Unreadable)?;
        }
        Ok(Self { roots: Arc::new(roots), facts })
    }

    /// What each says of itself, in their order.
    pub fn facts(&self) -> &[CertificateFacts] {
        &self.facts
    }
}

/// A client certificate with its key.
#[derive(Clone)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    facts: Vec<CertificateFacts>,
}

impl Identity {
    /// From a certificate and what leads to its authority, and the certificate's key (PKCS #8, PKCS #1 or
    /// SEC 1, unencrypted), all in PEM, at most 64 KB each.
    ///
    /// # Errors
    /// [`CertificateFault`] when something cannot be read, does not fit, or is not valid `now`.
    pub fn from_pem(chain: &str, key: &str, now: Timestamp) -> Result<Self, CertificateFault> {
        let (ders, facts) = certificates(chain, now)?;
        if key.len() > MOST_PEM {
            return Err(CertificateFault::KeyUnreadable);
        }
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
            .map_err(|_| CertificateFault::KeyUnreadable)?;
        let key = CertifiedKey::from_der(ders, key, &aws_lc_rs::default_provider());
        let key = key.map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                CertificateFault::KeyMismatch
            }
            rustls::Error::InvalidCertificate(_) => CertificateFault::Unreadable,
            _ => CertificateFault::KeyUnreadable,
        })?;
        Ok(Self { key: Arc::new(key), facts })
    }

    /// What each certificate of the chain says of itself; the first is the client's own.
    pub fn facts(&self) -> &[CertificateFacts] {
        &self.facts
    }
}

/// Not the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// Who may vouch for a server.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// Mozilla's authorities.
    Mozilla,
    /// These and nobody else.
    Only(&'a Authorities),
}

/// How TLS is spoken: versions 1.2 and 1.3, under the host's name.
#[derive(Debug, Clone)]
pub struct Tls(Arc<ClientConfig>);

impl Tls {
    /// The clock says whether a server's certificate is valid.
    ///
    /// # Errors
    /// [`OutboundError::Tls`] when the TLS library refuses its own defaults.
    pub fn new(
        trust: Trust<'_>,
        identity: Option<&Identity>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OutboundError> {
        let roots = match trust {
            Trust::Mozilla => {
                Arc::new(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<RootCertStore>())
            }
            Trust::Only(authorities) => Arc::clone(&authorities.roots),
        };
        let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_details(provider, Arc::new(Watch(clock)))
            .with_safe_default_protocol_versions()
            .map_err(|error| OutboundError::of_tls(&error))?
            .with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let key: Arc<dyn ResolvesClientCert> =
                    Arc::new(SingleCertAndKey::from(Arc::clone(&identity.key)));
                config.with_client_cert_resolver(key)
            }
        };
        Ok(Self(Arc::new(config)))
    }

    pub(super) async fn handshake(
        &self,
        host: &Host,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, OutboundError> {
        let name = match host.address() {
            Some(ip) => ServerName::IpAddress(ip.into()),
            None => ServerName::try_from(host.to_string())
                .map_err(|error| OutboundError::Tls(error.to_string()))?,
        };
        let connector = TlsConnector::from(Arc::clone(&self.0));
        connector.connect(name, tcp).await.map_err(|error| OutboundError::of_io(&error))
    }
}

pub(super) fn seen(stream: &TlsStream<TcpStream>) -> TlsSeen {
    let (_, session) = stream.get_ref();
    let leaf = session.peer_certificates().and_then(|chain| chain.first());
    TlsSeen {
        version: if session.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
            "1.3"
        } else {
            "1.2"
        },
        certificate: leaf.and_then(|der| CertificateFacts::read(der)),
    }
}

/// Our clock, as the TLS library wants to be told the time.
struct Watch(Arc<dyn Clock>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl TimeProvider for Watch {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}
