//! What a destination shall be, from a request's body: every fault of it is named before anything is
//! saved, also where its host leads and whether its certificates are good.

use crate::App;
use belfry_api::Problem;
use belfry_api::fields::Fields;
use belfry_domain::failure::pointer_token;
use belfry_domain::id::TenantId;
use belfry_domain::outbound::{Peer, Ports};
use belfry_domain::siem::destination::{Address, Framing, Secrets, Settings, Transport, UrlPath};
use belfry_domain::siem::format::Format;
use belfry_domain::siem::record::{RecordType, Source};
use belfry_domain::telemetry::event::Severity;
use belfry_runtime::outbound::view::certificates;
use belfry_runtime::outbound::{Authorities, Trace};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What clients send.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DestinationBody {
    #[serde(default)]
    name: String,
    #[serde(default = "on")]
    enabled: bool,
    #[serde(default)]
    transport: String,
    framing: Option<String>,
    host: Option<String>,
    port: Option<i64>,
    path: Option<String>,
    #[serde(default)]
    format: String,
    #[serde(default)]
    event_types: BTreeMap<String, Vec<String>>,
    min_severity: Option<String>,
    ca_pem: Option<String>,
    pub(crate) client_certificate_pem: Option<String>,
    pub(crate) client_key_pem: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) header_name: Option<String>,
    pub(crate) header_value: Option<String>,
    /// The version that was seen, of a change.
    pub(crate) version: Option<u64>,
}

const fn on() -> bool {
    true
}

/// What is there already. A secret of it stays where none is given; a host or a certificate that stays
/// was looked at when it was given, and is again with every connection: so a destination whose
/// certificate is over, or whose host is gone, can still be switched off.
#[derive(Default)]
pub(crate) struct Before<'a> {
    pub(crate) settings: Option<&'a Settings>,
    pub(crate) secrets: Secrets,
}

/// What was read of a body.
pub(crate) struct Wanted {
    pub(crate) settings: Settings,
    /// All of them, from now on.
    pub(crate) secrets: Secrets,
    /// The token that was made here and not given, to be shown this once.
    pub(crate) made: Option<String>,
}

impl DestinationBody {
    /// The settings, checked as far as that is possible without connecting.
    ///
    /// # Errors
    /// 422 with every fault; 429 when the tenant has looked for too many hosts.
    pub(crate) async fn read(
        &self,
        app: &App,
        tenant: TenantId,
        before: &Before<'_>,
    ) -> Result<Wanted, Problem> {
        let mut fields = Fields::new();
        let name = fields.read("/name", &self.name);
        let (transports, detail) =
            (named(&Transport::ALL, Transport::name, &self.transport), TRANSPORTS);
        let transport = chosen(&mut fields, "/transport", &self.transport, transports, detail);
        let formats = named(&Format::ALL, Format::name, &self.format);
        let detail = "The format is cef, leef, rfc5424 or ocsf.";
        let format = chosen(&mut fields, "/format", &self.format, formats, detail);
        let framing = match self.framing.as_deref() {
            None => Some(Framing::default()),
            Some(text) => fields.want(
                named(&Framing::ALL, Framing::name, text),
                "/framing",
                "The framing is octet_counting or lf.",
            ),
        };
        let min_severity = match self.min_severity.as_deref() {
            None => Some(Severity::Info),
            Some(text) => fields.want(
                Severity::named(text),
                "/min_severity",
                "The severity is info, low, medium, high or critical.",
            ),
        };
        let event_types = self.event_types(&mut fields);
        let header_name = self.header_name.as_deref().map(|text| fields.read("/header_name", text));
        let known = before.settings;
        let (mut address, mut secrets, mut made) = (None, Secrets::default(), None);
        if let Some(transport) = transport {
            self.misplaced(transport, framing, format, &mut fields);
            let was = known.map(|known| known.transport);
            if was.is_some_and(|was| (was == Transport::Pull) != (transport == Transport::Pull)) {
                let detail = "What is asked and what is delivered to do not become each other; add another one.";
                fields.fault("/transport", "immutable", detail);
            }
            let place = known.and_then(|known| known.address.as_ref());
            if transport != Transport::Pull {
                address = self.address(app, tenant, transport, place, &mut fields).await?;
            }
            let elsewhere = was.is_some_and(|was| was != transport)
                || (address.is_some() && place.is_some() && address.as_ref() != place);
            (secrets, made) = self.secrets(app, transport, elsewhere, before, &mut fields);
        }
        let settings = || {
            Some(Settings {
                name: name?,
                enabled: self.enabled,
                transport: transport?,
                framing: framing?,
                address,
                client_certificate_pem: self.client_certificate_pem.clone(),
                header_name: match header_name {
                    None => None,
                    Some(name) => Some(name?),
                },
                format: format?,
                event_types,
                min_severity: min_severity?,
            })
        };
        let settings = settings();
        let settings = fields.finish(settings)?;
        Ok(Wanted { settings, secrets, made })
    }

    /// Notes what a destination of this transport does not have.
    fn misplaced(
        &self,
        transport: Transport,
        framing: Option<Framing>,
        format: Option<Format>,
        fields: &mut Fields,
    ) {
        let asked = transport == Transport::Pull;
        let webhook = transport == Transport::Webhook;
        let (http, encrypted) = (transport.is_http(), transport.is_encrypted());
        let plain = transport == Transport::SyslogTcp;
        let framed = framing.is_some_and(|framing| framing != Framing::default());
        for (pointer, given, had) in [
            ("/framing", framed, plain),
            ("/format", format.is_some_and(|format| !transport.carries(format)), false),
            ("/host", self.host.is_some(), !asked),
            ("/port", self.port.is_some(), !asked),
            ("/path", self.path.is_some(), http),
            ("/ca_pem", self.ca_pem.is_some(), encrypted),
            ("/client_certificate_pem", self.client_certificate_pem.is_some(), encrypted),
            ("/client_key_pem", self.client_key_pem.is_some(), encrypted),
            ("/token", self.token.is_some(), http),
            ("/header_name", self.header_name.is_some(), webhook),
            ("/header_value", self.header_value.is_some(), webhook),
        ] {
            if given && !had {
                let detail = format!("This does not go with {}.", transport.name());
                fields.fault(pointer, "not_of_this_transport", detail);
            }
        }
    }

    fn event_types(&self, fields: &mut Fields) -> BTreeMap<Source, BTreeSet<RecordType>> {
        let mut selection = BTreeMap::<Source, BTreeSet<RecordType>>::new();
        for (key, types) in &self.event_types {
            let pointer = format!("/event_types/{}", pointer_token(key));
            let Some(source) = Source::named(key) else {
                let detail = "The sources are EPP, EMM, DATA_PRIVACY, ZTNA and CONSOLE.";
                fields.fault(pointer, "invalid", detail);
                continue;
            };
            for (n, text) in types.iter().enumerate() {
                let kind = RecordType::named(text).filter(|kind| kind.is_of(source));
                let detail = format!("{key} has no such type of event; see GET /siem/event-types.");
                if let Some(kind) = fields.want(kind, format!("{pointer}/{n}"), &detail) {
                    selection.entry(source).or_default().insert(kind);
                }
            }
        }
        if self.event_types.values().all(Vec::is_empty) {
            fields.fault("/event_types", "required", "Choose at least one type of event.");
        }
        selection
    }

    /// Where to connect; also whether it may be connected to, unless it was there `before`.
    async fn address(
        &self,
        app: &App,
        tenant: TenantId,
        transport: Transport,
        before: Option<&Address>,
        fields: &mut Fields,
    ) -> Result<Option<Address>, Problem> {
        let host = fields.read("/host", self.host.as_deref().unwrap_or_default());
        let port = self.port(transport, fields);
        let path = self.path(transport, before.and_then(|before| before.path.as_ref()), fields);
        let known = before.and_then(|before| before.ca_pem.as_deref());
        if let Some(pem) = self.ca_pem.as_deref().filter(|pem| known != Some(*pem))
            && transport.is_encrypted()
        {
            certificates(fields, "/ca_pem", pem, |pem| {
                Authorities::from_pem(pem, app.clock.now()).map(drop)
            });
        }
        let (Some(host), Some(port), Some(path)) = (host, port, path) else { return Ok(None) };
        if before.is_none_or(|before| before.host != host || before.port != port)
            && let Ok(peer) = Peer::new(host.clone(), port, Ports::Siem)
        {
            app.may_connect(tenant).await?;
            if let Err(error) = app.outbound.check(&peer, &mut Trace::new(app.clock.clone())).await
            {
                fields.fault("/host", error.code(), belfry_api::sentence(&error.to_string()));
            }
        }
        Ok(Some(Address { host, port, path, ca_pem: self.ca_pem.clone() }))
    }

    fn port(&self, transport: Transport, fields: &mut Fields) -> Option<u16> {
        let Some(port) = self.port else { return Some(transport.default_port()) };
        let port = u16::try_from(port).ok();
        let port = fields.want(port, "/port", "A port is a number up to 65535.")?;
        match Ports::Siem.check(port) {
            Ok(()) => Some(port),
            Err(fault) => {
                fields.refuse("/port", &fault);
                None
            }
        }
    }

    /// The path of a transport that has one.
    #[expect(clippy::option_option, reason = "not readable, and none at all, are two things")]
    fn path(
        &self,
        transport: Transport,
        before: Option<&UrlPath>,
        fields: &mut Fields,
    ) -> Option<Option<UrlPath>> {
        if !transport.is_http() {
            return Some(None);
        }
        let text = self.path.as_deref().unwrap_or(transport.default_path());
        // As it is shown, it is the one that is known.
        if let Some(before) = before.filter(|before| before.shown() == text) {
            return Some(Some(before.clone()));
        }
        let path: UrlPath = fields.read("/path", text)?;
        if transport == Transport::SplunkHec && !path.as_str().contains("/services/collector") {
            let detail =
                "A collector's path has /services/collector, beside which it acknowledges.";
            fields.fault("/path", "invalid", detail);
        }
        Some(Some(path))
    }
}

const TRANSPORTS: &str = "The transport is syslog_tls, syslog_tcp, splunk_hec, webhook or pull.";

/// Takes what a name stands for.
fn chosen<T>(
    fields: &mut Fields,
    pointer: &str,
    text: &str,
    value: Option<T>,
    detail: &str,
) -> Option<T> {
    if text.is_empty() {
        fields.fault(pointer, "required", detail);
        return None;
    }
    fields.want(value, pointer, detail)
}

/// What has this name.
fn named<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, text: &str) -> Option<T> {
    all.iter().copied().find(|one| name(*one) == text)
}
