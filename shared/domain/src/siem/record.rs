//! What is exported: one numbered entry of one of a tenant's logs.

use crate::audit::{Access, Outcome, Personal, Record as Change};
use crate::failure::FieldFault;
use crate::id::{AuditId, TenantId};
use crate::product::Product;
use crate::telemetry::event::{Event, EventType, Happening, Severity};
use crate::telemetry::stream::Partition;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Whose log it is: a product's, or the console's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "&'static str")]
pub enum Source {
    /// A product's telemetry.
    Product(Product),
    /// Belfry's own audit log.
    Console,
}

impl Source {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 5] = [
        Self::Product(Product::Epp),
        Self::Product(Product::Emm),
        Self::Product(Product::DataPrivacy),
        Self::Product(Product::Ztna),
        Self::Console,
    ];

    /// The name used in the API and in the export.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Product(product) => product.name(),
            Self::Console => "CONSOLE",
        }
    }

    /// The source of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }

    /// The types of records that it has.
    pub fn types(self) -> impl Iterator<Item = RecordType> {
        RecordType::ALL.into_iter().filter(move |kind| kind.is_of(self))
    }
}

/// Text that names no source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the source is one of EPP, EMM, DATA_PRIVACY, ZTNA, CONSOLE")]
pub struct BadSource;

impl TryFrom<Cow<'_, str>> for Source {
    type Error = BadSource;
    fn try_from(text: Cow<'_, str>) -> Result<Self, BadSource> {
        Self::named(&text).ok_or(BadSource)
    }
}

impl From<Source> for &'static str {
    fn from(source: Source) -> Self {
        source.name()
    }
}

/// A numbered log of a tenant; its text form is `EPP/0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct StreamName {
    /// Whose.
    pub source: Source,
    /// Which part of it.
    pub partition: Partition,
}

/// Text that names no stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stream is named like EPP/0")]
pub struct BadStreamName;

impl FieldFault for BadStreamName {}

impl StreamName {
    /// The audited changes, numbered by their chain.
    pub const CHANGES: Self = Self { source: Source::Console, partition: Partition::ZERO };
    /// What happened at the door, numbered when it is exported.
    pub const ACCESSES: Self = Self { source: Source::Console, partition: Partition::ONE };
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.source.name(), self.partition.number())
    }
}

impl FromStr for StreamName {
    type Err = BadStreamName;
    fn from_str(text: &str) -> Result<Self, BadStreamName> {
        let (source, partition) = text.split_once('/').ok_or(BadStreamName)?;
        let source = Source::named(source).ok_or(BadStreamName)?;
        let number: u8 = partition.parse().map_err(|_| BadStreamName)?;
        let stream = Self { source, partition: number.try_into().map_err(|_| BadStreamName)? };
        // The console has two; and only the form that we print is a name.
        let known = source != Source::Console || number < 2;
        if known && stream.to_string() == text { Ok(stream) } else { Err(BadStreamName) }
    }
}

impl TryFrom<Cow<'_, str>> for StreamName {
    type Error = BadStreamName;
    fn try_from(text: Cow<'_, str>) -> Result<Self, BadStreamName> {
        text.parse()
    }
}

impl From<StreamName> for String {
    fn from(stream: StreamName) -> Self {
        stream.to_string()
    }
}

/// What kind of thing a record tells: what a destination selects by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "&'static str")]
pub enum RecordType {
    /// Telemetry of this type.
    Event(EventType),
    /// A change that a person, a directory or the vendor made.
    Change,
    /// A log-in, a denial, an export.
    Access,
}

/// Text that names no type of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such type of event")]
pub struct BadRecordType;

impl FieldFault for BadRecordType {}

impl RecordType {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Event(EventType::EndpointStatus),
        Self::Event(EventType::EndpointRemoved),
        Self::Event(EventType::InfectionDetected),
        Self::Event(EventType::InfectionCleaned),
        Self::Event(EventType::PolicyViolated),
        Self::Event(EventType::ApplicationViolated),
        Self::Event(EventType::ClassifierMatched),
        Self::Event(EventType::AccessBlocked),
        Self::Change,
        Self::Access,
    ];

    /// The name used in the API and in the export.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event(event) => event.name(),
            Self::Change => "change",
            Self::Access => "access",
        }
    }

    /// The type of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the logs of `source` have it.
    pub const fn is_of(self, source: Source) -> bool {
        match (self, source) {
            (Self::Event(event), Source::Product(product)) => event.sent_by(product),
            (Self::Change | Self::Access, Source::Console) => true,
            _ => false,
        }
    }
}

impl TryFrom<Cow<'_, str>> for RecordType {
    type Error = BadRecordType;
    fn try_from(text: Cow<'_, str>) -> Result<Self, BadRecordType> {
        Self::named(&text).ok_or(BadRecordType)
    }
}

impl From<RecordType> for &'static str {
    fn from(kind: RecordType) -> Self {
        kind.name()
    }
}

/// What a record tells.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Telemetry.
    Event(Event),
    /// A change, with the names and addresses that belong to it unless they were erased.
    Change(Box<Change>, Option<Personal>),
    /// What happened at the door.
    Access(Box<Access>),
    /// That somebody tries the destination out. It has no number.
    Test(AuditId),
}

/// One numbered entry of a log. Tenant, stream and sequence together name it for good: a record that is
/// sent again has the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Whose.
    pub tenant: TenantId,
    /// Of which log.
    pub stream: StreamName,
    /// Its number there, from 1, without gaps; 0 for a test.
    pub sequence: u64,
    /// When Belfry took it, Unix milliseconds.
    pub received_at: i64,
    /// What it tells.
    pub what: What,
}

impl Record {
    /// The event's own id: CloudEvents `id` of telemetry (unique within its `source`), the id of an
    /// audit record.
    pub fn id(&self) -> Cow<'_, str> {
        match &self.what {
            What::Event(event) => Cow::Borrowed(event.id.as_str()),
            What::Change(change, _) => Cow::Owned(change.id.to_string()),
            What::Access(access) => Cow::Owned(access.id.to_string()),
            What::Test(id) => Cow::Owned(id.to_string()),
        }
    }

    /// When it happened as its source says, Unix milliseconds.
    pub fn time(&self) -> i64 {
        match &self.what {
            What::Event(event) => event.time,
            What::Change(change, _) => change.at.as_millisecond(),
            What::Access(access) => access.at.as_millisecond(),
            What::Test(_) => self.received_at,
        }
    }

    /// What kind of thing it tells; none of a test, which nobody selects.
    pub const fn kind(&self) -> Option<RecordType> {
        match &self.what {
            What::Event(event) => Some(RecordType::Event(event.happening.event_type())),
            What::Change(..) => Some(RecordType::Change),
            What::Access(_) => Some(RecordType::Access),
            What::Test(_) => None,
        }
    }

    /// The name of its kind.
    pub fn type_name(&self) -> &'static str {
        self.kind().map_or("test", RecordType::name)
    }

    /// How bad it is: the event's own severity; where its type has none, medium for what was blocked,
    /// denied or found, low for what failed, else for information.
    pub fn severity(&self) -> Severity {
        match &self.what {
            What::Event(event) => event.happening.severity().unwrap_or(match event.happening {
                Happening::AccessBlocked { .. } | Happening::ClassifierMatched { .. } => {
                    Severity::Medium
                }
                _ => Severity::Info,
            }),
            What::Access(access) => match access.outcome {
                Outcome::Success => Severity::Info,
                Outcome::Failure => Severity::Low,
                Outcome::Denied => Severity::Medium,
            },
            What::Change(..) | What::Test(_) => Severity::Info,
        }
    }
}
