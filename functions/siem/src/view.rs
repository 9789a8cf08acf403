//! How answers show a destination: never a secret, but the one that was made just now.

use belfry_api::answer;
use belfry_domain::id::DestinationId;
use belfry_domain::siem::destination::{Destination, Framing, HeaderName, Transport, UrlPath};
use belfry_domain::siem::format::Format;
use belfry_domain::siem::progress::{Fault, Health, Progress};
use belfry_domain::siem::record::{RecordType, Source};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Serialize)]
pub(crate) struct DestinationView<'a> {
    id: DestinationId,
    name: &'a str,
    enabled: bool,
    transport: Transport,
    framing: Option<Framing>,
    host: Option<String>,
    port: Option<u16>,
    path: Option<String>,
    format: Format,
    event_types: &'a BTreeMap<Source, BTreeSet<RecordType>>,
    min_severity: &'static str,
    ca_pem: Option<&'a str>,
    client_certificate_pem: Option<&'a str>,
    header_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    warnings: Vec<WarningView>,
    #[serde(flatten)]
    state: StateView<'a>,
    created_at: String,
    version: u64,
}

#[derive(Serialize)]
struct WarningView {
    code: &'static str,
    detail: &'static str,
}

/// How a destination does.
#[derive(Serialize)]
pub(crate) struct StateView<'a> {
    state: &'static str,
    /// Since when it fails.
    failing_since: Option<String>,
    next_attempt_at: Option<String>,
    last_confirmed_at: Option<String>,
    last_error: Option<FaultView<'a>>,
}

#[derive(Serialize)]
struct FaultView<'a> {
    code: &'a str,
    detail: &'a str,
    at: String,
}

impl<'a> FaultView<'a> {
    fn of(fault: &'a Fault) -> Self {
        Self { code: &fault.code, detail: &fault.detail, at: answer::time(fault.at) }
    }
}

impl<'a> StateView<'a> {
    pub(crate) fn of(destination: &Destination, progress: &'a Progress) -> Self {
        let (state, since, next) = match progress.health {
            _ if !destination.settings.enabled => ("off", None, None),
            Health::Healthy => ("healthy", None, None),
            Health::Retrying { since, next_at, .. } => ("retrying", Some(since), Some(next_at)),
            // Other settings than those that failed are tried at once.
            Health::Suspended { since } if destination.version > progress.tried_version => {
                ("retrying", Some(since), None)
            }
            Health::Suspended { since } => ("suspended", Some(since), None),
        };
        Self {
            state,
            failing_since: since.map(answer::time),
            next_attempt_at: next.map(answer::time),
            last_confirmed_at: progress.confirmed_at.map(answer::time),
            last_error: progress.last_error.as_ref().map(FaultView::of),
        }
    }
}

impl<'a> DestinationView<'a> {
    pub(crate) fn of(destination: &'a Destination, progress: &'a Progress) -> Self {
        let settings = &destination.settings;
        let address = settings.address.as_ref();
        let plain = settings.transport == Transport::SyslogTcp;
        Self {
            id: destination.id,
            name: settings.name.as_str(),
            enabled: settings.enabled,
            transport: settings.transport,
            framing: settings.transport.is_syslog().then_some(settings.framing),
            host: address.map(|address| address.host.to_string()),
            port: address.map(|address| address.port),
            path: address.and_then(|address| address.path.as_ref()).map(UrlPath::shown),
            format: settings.format,
            event_types: &settings.event_types,
            min_severity: settings.min_severity.name(),
            ca_pem: address.and_then(|address| address.ca_pem.as_deref()),
            client_certificate_pem: settings.client_certificate_pem.as_deref(),
            header_name: settings.header_name.as_ref().map(HeaderName::as_str),
            token: None,
            warnings: if plain { vec![PLAIN] } else { Vec::new() },
            state: StateView::of(destination, progress),
            created_at: answer::time(destination.created_at),
            version: destination.version,
        }
    }

    /// With the token that was made for it, this once.
    pub(crate) fn with_token(self, token: Option<&'a str>) -> Self {
        Self { token, ..self }
    }
}

const PLAIN: WarningView = WarningView {
    code: "not_encrypted",
    detail: "Everybody on the way can read and change what is sent; prefer syslog_tls.",
};
