//! Why a server was not reached, or is not known to have taken what it was sent.

use super::CertificateFault;
use crate::ldap::LdapFault;
use rustls::{AlertDescription, CertificateError};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::IpAddr;

/// Why a server was not reached, or is not known to have taken what it was sent.
///
/// `Display` is for the administrator who named the server. What a server says about itself is cut to 200
/// characters without control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// No such name, no address, or no answer of the name's servers.
    #[error("the host's name resolves to no address")]
    HostNotFound,
    /// The resolver took too long.
    #[error("the host's name was not resolved in time")]
    ResolveTimeout,
    /// At least this one of the host's addresses may not be connected to.
    #[error("the host's address {0} is not a public one")]
    AddressNotAllowed(IpAddr),
    /// Nobody listens.
    #[error("the server refuses connections on this port")]
    ConnectRefused,
    /// Nobody answers.
    #[error("the server did not accept a connection in time")]
    ConnectTimeout,
    /// No way there.
    #[error("the server cannot be reached from here")]
    Unreachable,
    /// The server's certificate is over.
    #[error("the server's certificate has expired")]
    CertificateExpired,
    /// The server's certificate is still to come.
    #[error("the server's certificate is not valid yet")]
    CertificateNotYetValid,
    /// The server's certificate is for others.
    #[error("the server's certificate is for another name{}", of(.0))]
    CertificateName(String),
    /// Self-signed, or by an authority that is not trusted here.
    #[error("the server's certificate is not issued by a trusted authority")]
    CertificateUnknownIssuer,
    /// Any other fault of the server's certificate.
    #[error("the server's certificate cannot be used{}", of(.0))]
    CertificateUnsuitable(String),
    /// The server wants a client certificate, or another one. With TLS 1.3 it says so after the handshake.
    #[error("the server refuses the client certificate, or misses one")]
    ClientCertificateRefused,
    /// What the server sends is not TLS.
    #[error("the server does not speak TLS on this port")]
    NotTls,
    /// Any other fault of TLS.
    #[error("TLS failed{}", of(.0))]
    Tls(String),
    /// The configured certificates or key cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateFault),
    /// The server took too long.
    #[error("the server did not answer in time")]
    Timeout,
    /// The server ended the connection too early.
    #[error("the server closed the connection too early")]
    ConnectionClosed,
    /// The connection broke.
    #[error("the connection broke")]
    ConnectionReset,
    /// The server sends more than is read.
    #[error("the server's answer is longer than 64 KB")]
    AnswerTooLarge,
    /// What the server sends is not HTTP/1.1, or its head is longer than 64 KB.
    #[error("the server's answer is not one of HTTP/1.1")]
    NotHttp,
    /// A directory's answer.
    #[error(transparent)]
    Ldap(#[from] LdapFault),
}

impl OutboundError {
    /// Stable, `snake_case`.
    pub fn code(&self) -> &'static str {
        use belfry_domain::failure::FieldFault as _;
        match self {
            Self::HostNotFound => "host_not_found",
            Self::ResolveTimeout => "resolve_timeout",
            Self::AddressNotAllowed(_) => "address_not_allowed",
            Self::ConnectRefused => "connect_refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::Unreachable => "unreachable",
            Self::CertificateExpired => "tls_certificate_expired",
            Self::CertificateNotYetValid => "tls_certificate_not_yet_valid",
            Self::CertificateName(_) => "tls_certificate_name",
            Self::CertificateUnknownIssuer => "tls_certificate_unknown_issuer",
            Self::CertificateUnsuitable(_) => "tls_certificate_unsuitable",
            Self::ClientCertificateRefused => "tls_client_certificate_refused",
            Self::NotTls => "tls_not_spoken",
            Self::Tls(_) => "tls_failed",
            Self::Certificate(fault) => fault.code(),
            Self::Timeout => "timeout",
            Self::ConnectionClosed => "connection_closed",
            Self::ConnectionReset => "connection_reset",
            Self::AnswerTooLarge => "answer_too_large",
            Self::NotHttp => "http_not_spoken",
            Self::Ldap(fault) => fault.code(),
        }
    }

    /// Whether the same will happen again until somebody changes something: a certificate, a setting, an
    /// address. All else may heal by itself.
    pub const fn is_lasting(&self) -> bool {
        match self {
            Self::Ldap(fault) => fault.is_lasting(),
            Self::AddressNotAllowed(_)
            | Self::CertificateExpired
            | Self::CertificateNotYetValid
            | Self::CertificateName(_)
            | Self::CertificateUnknownIssuer
            | Self::CertificateUnsuitable(_)
            | Self::ClientCertificateRefused
            | Self::Certificate(_) => true,
            _ => false,
        }
    }

    /// Of an open connection. TLS speaks through the errors of the stream under it.
    pub(super) fn of_io(error: &io::Error) -> Self {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
            return Self::of_tls(tls);
        }
        match error.kind() {
            ErrorKind::TimedOut => Self::Timeout,
            ErrorKind::UnexpectedEof => Self::ConnectionClosed,
            _ => Self::ConnectionReset,
        }
    }

    pub(super) fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(fault) => Self::of_certificate(fault),
            // A server's alerts about a certificate are about ours.
            rustls::Error::AlertReceived(
                AlertDescription::CertificateRequired
                | AlertDescription::NoCertificate
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied,
            ) => Self::ClientCertificateRefused,
            rustls::Error::InvalidMessage(_) => Self::NotTls,
            other => Self::Tls(bounded(&other.to_string())),
        }
    }

    fn of_certificate(fault: &CertificateError) -> Self {
        match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Self::CertificateExpired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::CertificateNotYetValid
            }
            CertificateError::NotValidForName => Self::CertificateName(String::new()),
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::CertificateName(bounded(&presented.join(", ")))
            }
            // A bad signature: an authority of the same name has another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Self::CertificateUnknownIssuer
            }
            other => Self::CertificateUnsuitable(bounded(&other.to_string())),
        }
    }

    pub(super) fn of_hyper(error: &hyper::Error) -> Self {
        let mut source = error.source();
        while let Some(inner) = source {
            if let Some(io) = inner.downcast_ref() {
                return Self::of_io(io);
            }
            source = inner.source();
        }
        if error.is_parse() { Self::NotHttp } else { Self::ConnectionClosed }
    }
}

/// `: text`, when there is one.
fn of(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// A server's text as it may be shown: at most 200 characters, none of them a control character.
pub(crate) fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_puts_no_control_characters_and_no_novels_into_our_sentences() {
        let names = vec![format!("DnsName(\"a\u{1b}[2J\r\n{}\")", "b".repeat(500))];
        let fault = OutboundError::of_certificate(&CertificateError::NotValidForNameContext {
            expected: rustls::pki_types::ServerName::try_from("a.example.com").unwrap(),
            presented: names,
        });
        let sentence = fault.to_string();
        assert!(!sentence.chars().any(char::is_control), "{sentence}");
        assert!(sentence.starts_with("the server's certificate is for another name: DnsName"));
        assert!(sentence.chars().count() < 260, "{sentence}");
        assert!(fault.is_lasting());
    }
}
