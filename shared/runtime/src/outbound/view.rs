//! How an administrator is shown what happened on the way to a server, and what is wrong with the
//! certificates that one gives.

use super::{CertificateFault, Confirmation, OutboundError, Seen, Step, Trace};
use belfry_api::answer;
use belfry_api::fields::Fields;
use serde::Serialize;

/// Most bytes of certificates.
const MOST_PEM: usize = 32 * 1024;

/// What went wrong.
#[derive(Debug, Serialize)]
pub struct ErrorView {
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// For the administrator.
    pub detail: String,
}

impl ErrorView {
    /// Of a connection.
    pub fn of(error: &OutboundError) -> Self {
        Self { code: error.code(), detail: belfry_api::sentence(&error.to_string()) }
    }
}

/// A step of the way.
#[derive(Debug, Serialize, Default)]
pub struct StepView {
    step: &'static str,
    elapsed_ms: u64,
    ok: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<TlsView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Whether the connection ended as TLS wants it.
    #[serde(skip_serializing_if = "Option::is_none")]
    clean_end: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorView>,
}

#[derive(Debug, Serialize)]
struct TlsView {
    version: &'static str,
    subject: Option<String>,
    issuer: Option<String>,
    not_after: Option<String>,
}

impl StepView {
    /// All steps that were gone.
    pub fn all(trace: &Trace) -> Vec<Self> {
        trace.steps().iter().map(Self::of).collect()
    }

    fn of(step: &Step) -> Self {
        let error = step.fault.as_ref().map(ErrorView::of);
        let mut view = Self {
            step: step.name.name(),
            elapsed_ms: step.elapsed_ms,
            ok: error.is_none(),
            error,
            ..Self::default()
        };
        match &step.seen {
            Some(Seen::Addresses(addresses)) => {
                view.addresses = addresses.iter().map(ToString::to_string).collect();
            }
            Some(Seen::Address(address)) => view.addresses = vec![address.to_string()],
            Some(Seen::Tls(tls)) => {
                let certificate = tls.certificate.as_ref();
                view.tls = Some(TlsView {
                    version: tls.version,
                    subject: certificate.map(|facts| facts.subject.clone()),
                    issuer: certificate.map(|facts| facts.issuer.clone()),
                    not_after: certificate.map(|facts| answer::time(facts.not_after)),
                });
            }
            Some(Seen::Written(bytes)) => view.bytes = Some(*bytes),
            Some(Seen::Status(status)) => view.status = Some(*status),
            Some(Seen::Closed(end)) => view.clean_end = Some(*end == Confirmation::Clean),
            None => {}
        }
        view
    }
}

/// Notes what is wrong with certificates, which are shown to whoever reads the settings.
pub fn certificates(
    fields: &mut Fields,
    pointer: &str,
    pem: &str,
    read: impl FnOnce(&str) -> Result<(), CertificateFault>,
) {
    if pem.len() > MOST_PEM {
        fields.fault(pointer, "too_long", "Certificates have at most 32 KB.");
    } else if pem.contains("PRIVATE KEY") {
        let detail = "There is a private key among the certificates; it does not belong here.";
        fields.fault(pointer, "holds_private_key", detail);
    } else if let Err(fault) = read(pem) {
        let of_key =
            matches!(fault, CertificateFault::KeyUnreadable | CertificateFault::KeyMismatch);
        fields.refuse(if of_key { "/client_key_pem" } else { pointer }, &fault);
    }
}
