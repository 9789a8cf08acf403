//! Where a tenant's records go: what its administrators choose.

use crate::failure::FieldFault;
use crate::id::{DestinationId, TenantId};
use crate::outbound::Host;

use crate::siem::format::Format;
use crate::siem::record::{Record, RecordType, Source};
use crate::telemetry::event::Severity;
use crate::text::DestinationName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// Most destinations of a tenant.
pub const MOST_DESTINATIONS: usize = 10;

/// How records travel. There is no UDP: it loses without anybody seeing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Syslog over TLS (RFC 5425).
    SyslogTls,
    /// Syslog over plain TCP (RFC 6587).
    SyslogTcp,
    /// Splunk's HTTP Event Collector over HTTPS.
    SplunkHec,
    /// An HTTPS address that is posted to, signed by Standard Webhooks.
    Webhook,
    /// Nothing is sent: the receiver asks for it with a token.
    Pull,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::SyslogTls, Self::SyslogTcp, Self::SplunkHec, Self::Webhook, Self::Pull];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SyslogTls => "syslog_tls",
            Self::SyslogTcp => "syslog_tcp",
            Self::SplunkHec => "splunk_hec",
            Self::Webhook => "webhook",
            Self::Pull => "pull",
        }
    }

    /// Whether it is an HTTP request, which has a path and shows a token.
    pub const fn is_http(self) -> bool {
        matches!(self, Self::SplunkHec | Self::Webhook)
    }

    /// Whether it is syslog.
    pub const fn is_syslog(self) -> bool {
        matches!(self, Self::SyslogTls | Self::SyslogTcp)
    }

    /// Whether its connection is encrypted.
    pub const fn is_encrypted(self) -> bool {
        matches!(self, Self::SyslogTls | Self::SplunkHec | Self::Webhook)
    }

    /// The port where nothing else is said.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::SyslogTls => 6514,
            Self::SyslogTcp => 601,
            Self::SplunkHec => 8088,
            Self::Webhook | Self::Pull => 443,
        }
    }

    /// The path where nothing else is said.
    pub const fn default_path(self) -> &'static str {
        match self {
            Self::SplunkHec => "/services/collector/event",
            _ => "/",
        }
    }

    /// Whether records can travel in this format: what is syslog's own makes sense there only.
    pub const fn carries(self, format: Format) -> bool {
        self.is_syslog() || !matches!(format, Format::Rfc5424)
    }
}

/// How messages are kept apart on a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// By their length in front (RFC 6587, section 3.4.1); the only one of TLS.
    #[default]
    OctetCounting,
    /// By a line feed behind (RFC 6587, section 3.4.2).
    Lf,
}

impl Framing {
    /// Both.
    pub const ALL: [Self; 2] = [Self::OctetCounting, Self::Lf];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OctetCounting => "octet_counting",
            Self::Lf => "lf",
        }
    }
}

/// Path and query of an HTTP destination: begins with `/`, at most 512 printable characters of ASCII.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UrlPath(String);

/// Name of an HTTP header that a webhook's receiver wants to see (RFC 9110, section 5.1), at most 64
/// characters; none of those that a request has anyway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HeaderName(String);

/// A text that is no path, or no header's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHttpText {
    /// Not a path.
    #[error("a path begins with / and has at most 512 printable characters without blanks and #")]
    Path,
    /// Not a header's name.
    #[error("a header's name has at most 64 letters, digits and hyphens")]
    Header,
    /// A header that the request has anyway.
    #[error("this header belongs to the request itself")]
    Reserved,
}

impl FieldFault for BadHttpText {}

impl UrlPath {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text without what follows `?`, where many receivers have their secret.
    pub fn shown(&self) -> String {
        match self.0.split_once('?') {
            None => self.0.clone(),
            Some((path, _)) => format!("{path}?..."),
        }
    }
}

impl FromStr for UrlPath {
    type Err = BadHttpText;
    fn from_str(text: &str) -> Result<Self, BadHttpText> {
        let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'#' | b'"' | b'<' | b'>' | b'\\');
        let good = text.starts_with('/') && !text.starts_with("//") && text.len() <= 512;
        if good && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadHttpText::Path)
        }
    }
}

impl HeaderName {
    /// What the request says itself, or what would change how it is read.
    const RESERVED: [&'static str; 14] = [
        "host",
        "content-length",
        "content-type",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "user-agent",
        "keep-alive",
        "proxy-connection",
        "accept",
    ];

    /// The name, in small letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HeaderName {
    type Err = BadHttpText;
    fn from_str(text: &str) -> Result<Self, BadHttpText> {
        let good = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let name = text.to_ascii_lowercase();
        if !good {
            Err(BadHttpText::Header)
        } else if Self::RESERVED.contains(&&*name) || name.starts_with("webhook-") {
            Err(BadHttpText::Reserved)
        } else {
            Ok(Self(name))
        }
    }
}

impl TryFrom<String> for UrlPath {
    type Error = BadHttpText;
    fn try_from(text: String) -> Result<Self, BadHttpText> {
        text.parse()
    }
}
impl From<UrlPath> for String {
    fn from(path: UrlPath) -> Self {
        path.0
    }
}
impl TryFrom<String> for HeaderName {
    type Error = BadHttpText;
    fn try_from(text: String) -> Result<Self, BadHttpText> {
        text.parse()
    }
}
impl From<HeaderName> for String {
    fn from(name: HeaderName) -> Self {
        name.0
    }
}

/// Where to connect. Whoever changes any of it has to give the secrets again, so that nobody can have
/// them sent elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Host.
    pub host: Host,
    /// Port.
    pub port: u16,
    /// Path, of HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<UrlPath>,
    /// The only certificate authorities that are trusted (PEM); without them those of browsers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
}

/// What an administrator chooses, but for the secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What it is called.
    pub name: DestinationName,
    /// Whether it is on. What happens while it is off is sent when it is on again, as far as the logs reach.
    pub enabled: bool,
    /// How records travel.
    pub transport: Transport,
    /// How messages are kept apart, of plain TCP.
    #[serde(default)]
    pub framing: Framing,
    /// Where to; none of a pull destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// What we show of ourselves (PEM); its key is among the secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_pem: Option<String>,
    /// The header in which a webhook's receiver wants its own secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_name: Option<HeaderName>,
    /// In which language.
    pub format: Format,
    /// What is sent, by source.
    pub event_types: BTreeMap<Source, BTreeSet<RecordType>>,
    /// From which severity on.
    pub min_severity: Severity,
}

impl Settings {
    /// Whether a record is to be sent.
    pub fn selects(&self, record: &Record) -> bool {
        let types = self.event_types.get(&record.stream.source);
        let wanted = |types: &BTreeSet<_>| record.kind().is_some_and(|kind| types.contains(&kind));
        types.is_some_and(wanted) && record.severity() >= self.min_severity
    }
}

/// A destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// Its id.
    pub id: DestinationId,
    /// Whose.
    pub tenant: TenantId,
    /// What was chosen.
    pub settings: Settings,
    /// The secrets, sealed for this destination; none where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    pub sealed_secrets: Option<Vec<u8>>,
    /// When it was made.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// Grows with every change of the settings.
    pub version: u64,
}

impl Destination {
    /// For what its secrets are sealed.
    pub fn sealed_for(&self) -> [(&'static str, String); 3] {
        [
            ("purpose", "siem".to_owned()),
            ("tenant", self.tenant.to_string()),
            ("destination", self.id.to_string()),
        ]
    }

    /// Whether something is to be delivered to it.
    pub const fn is_delivered_to(&self) -> bool {
        self.settings.enabled && !matches!(self.settings.transport, Transport::Pull)
    }
}

/// What is kept sealed. All of them together fit what the key service seals at once, 4,096 bytes.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Secrets {
    /// Splunk's token; the key by which webhooks are signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What a webhook's receiver wants in its header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_value: Option<String>,
    /// The key of the client certificate (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key_pem: Option<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Secrets {
    /// Most bytes of a token and of a header's value.
    pub const MOST_TEXT: usize = 256;
    /// Most bytes of a client key: one of RSA with 4,096 bits has 3,272.
    pub const MOST_KEY: usize = 3_400;
    /// Most bytes of all of them as they are sealed: what the key service takes at once.
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>
    pub const MOST_SEALED: usize = 4_096;

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
