//! One record of every type, for previews: what names something in it says that it is a sample.

use crate::account::Role;
use crate::audit::{Access, AccessKind, Change, Entity, Outcome, Personal, Record as AuditRecord};
use crate::id::{AuditId, TenantId, UserId};
use crate::policy::Author;
use crate::product::Product;
use crate::siem::record::{Record, RecordType, Source, StreamName, What};
use crate::telemetry::event::{
    BadName, EndpointRef, Event, EventType, Happening, Infection, Kind, Name, Severity, Status,
};
use crate::telemetry::stream::Partition;
use jiff::Timestamp;

/// A record of this type as the log of `source` could hold it, made at `now`.
///
/// # Errors
/// None: its names are as long as names may be.
pub fn sample(
    source: Source,
    kind: RecordType,
    tenant: TenantId,
    now: Timestamp,
) -> Result<Record, BadName> {
    let (stream, what) = match kind {
        RecordType::Event(kind) => (
            StreamName { source, partition: Partition::ZERO },
            What::Event(event(source, kind, now)?),
        ),
        RecordType::Change => (StreamName::CHANGES, change(tenant, now)),
        RecordType::Access => (StreamName::ACCESSES, What::Access(Box::new(access(now)))),
    };
    Ok(Record { tenant, stream, sequence: 1, received_at: now.as_millisecond(), what })
}

fn event(source: Source, kind: EventType, now: Timestamp) -> Result<Event, BadName> {
    let name = |text: &str| Name::try_from(text);
    let device = match source {
        Source::Product(Product::Emm) => Kind::Mobile,
        _ => Kind::Computer,
    };
    let endpoint = EndpointRef { id: name("sample-endpoint-0001")?, kind: device };
    let infection = |endpoint, action| {
        Ok::<_, BadName>(Infection {
            endpoint,
            threat: name("Sample.Test.EICAR")?,
            action: name(action)?,
            severity: Severity::High,
            path_hash: Some(name(
                "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f",
            )?),
        })
    };
    let happening = match kind {
        EventType::EndpointStatus => {
            let (os, os_version) = match device {
                Kind::Computer => ("Windows 11", "10.0.26200"),
                Kind::Mobile => ("Android", "16"),
            };
            let (os, os_version) = (name(os)?, name(os_version)?);
            let host = Some(name("sample-host")?);
            let status = Status { name: host, os, os_version, agent_version: name("7.4.1")? };
            Happening::EndpointStatus { endpoint, status }
        }
        EventType::EndpointRemoved => {
            Happening::EndpointRemoved { endpoint, actor: Some(name("sample.admin")?) }
        }
        EventType::InfectionDetected => {
            Happening::InfectionDetected(infection(endpoint, "quarantined")?)
        }
        EventType::InfectionCleaned => Happening::InfectionCleaned(infection(endpoint, "removed")?),
        EventType::PolicyViolated => Happening::PolicyViolated {
            endpoint,
            policy: name("Sample policy: removable media")?,
            severity: Severity::Medium,
        },
        EventType::ApplicationViolated => Happening::ApplicationViolated {
            endpoint,
            application: name("sample-torrent.exe")?,
            severity: Severity::Low,
        },
        EventType::ClassifierMatched => Happening::ClassifierMatched {
            endpoint,
            classifier: name("sample-passport")?,
            count: 12,
        },
        EventType::AccessBlocked => Happening::AccessBlocked {
            application: name("sample-payroll")?,
            user: name("sample.user@example.com")?,
        },
    };
    Ok(Event {
        id: name("sample-event-0001")?,
        source: name("urn:example:sample")?,
        time: now.as_millisecond(),
        happening,
    })
}

fn change(tenant: TenantId, now: Timestamp) -> What {
    let field = |field: &str, from: Option<&str>, to: &str| Change {
        field: field.to_owned(),
        from: from.map(Into::into),
        to: Some(to.into()),
    };
    let known = [("email", "sample.user@example.com"), ("source_address", "198.51.100.7")];
    let record = AuditRecord {
        id: AuditId::first_at(now),
        tenant,
        sequence: 1,
        at: now,
        actor: Author::Person { id: UserId::first_at(now), role: Role::SuperAdmin },
        request_id: "sample-request".to_owned(),
        action: "user.change".to_owned(),
        entity: Entity { kind: "user".to_owned(), id: UserId::first_at(now).to_string() },
        changes: vec![
            field("role", Some("read_only"), "help_desk"),
            field("note", None, "This is a sample."),
        ],
        personal: None,
    };
    let values = known.map(|(field, value)| (field.to_owned(), value.into()));
    let personal = Personal { salt: String::new(), values: values.into() };
    What::Change(Box::new(record), Some(personal))
}

fn access(now: Timestamp) -> Access {
    Access {
        id: AuditId::first_at(now),
        at: now,
        user: Some(UserId::first_at(now)),
        action: AccessKind::Login,
        denied: None,
        outcome: Outcome::Failure,
        request_id: "sample-request".to_owned(),
        source_address: Some("2001:db8::7".to_owned()),
    }
}
