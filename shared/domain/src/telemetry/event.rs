//! An event that was taken: a CloudEvent reduced to what Belfry was asked to hold.

use crate::product::Product;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of device an endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Desktop or laptop.
    Computer,
    /// Phone or tablet.
    Mobile,
}

impl Kind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Computer, Self::Mobile];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Computer => "computer",
            Self::Mobile => "mobile",
        }
    }

    /// The kind of this name.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text)
    }
}

/// How bad it is; a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// For information.
    Info,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// All, in rising order.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity of this name.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == text)
    }
}

/// The types of events, a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventType {
    /// An endpoint reports itself.
    EndpointStatus,
    /// An endpoint was removed from its product.
    EndpointRemoved,
    /// Malware was found.
    InfectionDetected,
    /// Malware was removed.
    InfectionCleaned,
    /// A policy of the product was violated.
    PolicyViolated,
    /// A forbidden application was used.
    ApplicationViolated,
    /// Personal data was found.
    ClassifierMatched,
    /// An access to an application was blocked.
    AccessBlocked,
}

impl EventType {
    /// All types.
    pub const ALL: [Self; 8] = [
        Self::EndpointStatus,
        Self::EndpointRemoved,
        Self::InfectionDetected,
        Self::InfectionCleaned,
        Self::PolicyViolated,
        Self::ApplicationViolated,
        Self::ClassifierMatched,
        Self::AccessBlocked,
    ];

    /// The CloudEvents `type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndpointStatus => "endpoint.status",
            Self::EndpointRemoved => "endpoint.removed",
            Self::InfectionDetected => "infection.detected",
            Self::InfectionCleaned => "infection.cleaned",
            Self::PolicyViolated => "policy.violated",
            Self::ApplicationViolated => "application.violated",
            Self::ClassifierMatched => "classifier.matched",
            Self::AccessBlocked => "access.blocked",
        }
    }

    /// The type of this name.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text)
    }

    /// Whether `product` sends this type.
    pub const fn sent_by(self, product: Product) -> bool {
        match self {
            Self::EndpointStatus | Self::EndpointRemoved => true,
            Self::InfectionDetected
            | Self::InfectionCleaned
            | Self::PolicyViolated
            | Self::ApplicationViolated => matches!(product, Product::Epp | Product::Emm),
            Self::ClassifierMatched => matches!(product, Product::DataPrivacy),
            Self::AccessBlocked => matches!(product, Product::Ztna),
        }
    }
}

/// An endpoint as an event names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRef {
    /// The product's own id of it, 1 to 128 bytes.
    pub id: Name,
    /// Its kind.
    pub kind: Kind,
}

/// What was found on an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Infection {
    /// Where.
    pub endpoint: EndpointRef,
    /// The threat's name.
    pub threat: Name,
    /// What the product did.
    pub action: Name,
    /// How bad.
    pub severity: Severity,
    /// Digest of the path, where the product gives one. The path itself is private.
    pub path_hash: Option<Name>,
}

/// What happened. New variants go to the end: stored events name them by position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happening {
    /// `endpoint.status`
    EndpointStatus {
        /// Which endpoint.
        endpoint: EndpointRef,
        /// What it says of itself.
        status: Status,
    },
    /// `endpoint.removed`
    EndpointRemoved {
        /// Which endpoint.
        endpoint: EndpointRef,
        /// The user who removed it at the console; `None` when the product did.
        actor: Option<Name>,
    },
    /// `infection.detected`
    InfectionDetected(Infection),
    /// `infection.cleaned`
    InfectionCleaned(Infection),
    /// `policy.violated`
    PolicyViolated {
        /// Where.
        endpoint: EndpointRef,
        /// Which policy.
        policy: Name,
        /// How bad.
        severity: Severity,
    },
    /// `application.violated`
    ApplicationViolated {
        /// Where.
        endpoint: EndpointRef,
        /// Which application.
        application: Name,
        /// How bad.
        severity: Severity,
    },
    /// `classifier.matched`
    ClassifierMatched {
        /// Where.
        endpoint: EndpointRef,
        /// Which classifier of personal data.
        classifier: Name,
        /// How many matches, at least 1.
        count: u32,
    },
    /// `access.blocked`
    AccessBlocked {
        /// The application that was asked for.
        application: Name,
        /// Who asked.
        user: Name,
    },
}

/// What an endpoint says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its host name.
    pub name: Option<Name>,
    /// Operating system.
    pub os: Name,
    /// Its version.
    pub os_version: Name,
    /// Version of the product's agent.
    pub agent_version: Name,
}

/// An event that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// CloudEvents `id`, 1 to 128 bytes, unique per source.
    pub id: Name,
    /// CloudEvents `source`, 1 to 128 bytes.
    pub source: Name,
    /// CloudEvents `time`, Unix milliseconds.
    pub time: i64,
    /// What happened.
    pub happening: Happening,
}

impl Happening {
    /// Its type.
    pub const fn event_type(&self) -> EventType {
        match self {
            Self::EndpointStatus { .. } => EventType::EndpointStatus,
            Self::EndpointRemoved { .. } => EventType::EndpointRemoved,
            Self::InfectionDetected(_) => EventType::InfectionDetected,
            Self::InfectionCleaned(_) => EventType::InfectionCleaned,
            Self::PolicyViolated { .. } => EventType::PolicyViolated,
            Self::ApplicationViolated { .. } => EventType::ApplicationViolated,
            Self::ClassifierMatched { .. } => EventType::ClassifierMatched,
            Self::AccessBlocked { .. } => EventType::AccessBlocked,
        }
    }

    /// The endpoint it names, if any.
    pub const fn endpoint(&self) -> Option<&EndpointRef> {
        match self {
            Self::EndpointStatus { endpoint, .. }
            | Self::EndpointRemoved { endpoint, .. }
            | Self::InfectionDetected(Infection { endpoint, .. })
            | Self::InfectionCleaned(Infection { endpoint, .. })
            | Self::PolicyViolated { endpoint, .. }
            | Self::ApplicationViolated { endpoint, .. }
            | Self::ClassifierMatched { endpoint, .. } => Some(endpoint),
            Self::AccessBlocked { .. } => None,
        }
    }

    /// Its severity, if its type has one.
    pub const fn severity(&self) -> Option<Severity> {
        match self {
            Self::InfectionDetected(Infection { severity, .. })
            | Self::InfectionCleaned(Infection { severity, .. })
            | Self::PolicyViolated { severity, .. }
            | Self::ApplicationViolated { severity, .. } => Some(*severity),
            _ => None,
        }
    }
}

/// A name from telemetry: 1 to 128 bytes of any Unicode text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Box<str>", into = "Box<str>")]
pub struct Name(Box<str>);

/// Text that is empty or longer than [`Name::MOST_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 128 bytes")]
pub struct BadName;

impl Name {
    /// The longest name, in bytes of UTF-8.
    pub const MOST_BYTES: usize = 128;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Name {
    type Error = BadName;
    fn try_from(text: &str) -> Result<Self, BadName> {
        Box::<str>::from(text).try_into()
    }
}

impl TryFrom<Box<str>> for Name {
    type Error = BadName;
    fn try_from(text: Box<str>) -> Result<Self, BadName> {
        if text.is_empty() || text.len() > Self::MOST_BYTES { Err(BadName) } else { Ok(Self(text)) }
    }
}

impl From<Name> for Box<str> {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
