//! The one form of a record that all formats write: what names it, and an ordered list of fields.

use crate::audit::{Outcome, Personal, Record as Change};
use crate::policy::Author;
use crate::product::Product;
use crate::siem::format::json;
use crate::siem::format::writer::Writer;
use crate::siem::record::{Record, Source, What};
use crate::telemetry::event::{EndpointRef, Happening};
use std::borrow::Cow;
use std::net::IpAddr;

/// Most bytes of a class: our own names are far shorter.
const MOST_CLASS: usize = 128;

/// A record in the neutral form.
pub(super) struct Flat<'a> {
    /// What it was made of.
    pub record: &'a Record,
    pub tenant: String,
    pub stream: String,
    pub id: Cow<'a, str>,
    /// CloudEvents source, or `console`.
    pub source: &'a str,
    /// The part of Belfry that it is from.
    pub product: &'static str,
    /// What rules select by: the type of telemetry, else what was done.
    pub class: &'a str,
    /// For people.
    pub name: &'static str,
    pub fields: Vec<(Key, Value<'a>)>,
}

/// What a field holds.
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Number(u32),
    /// The fields of a change.
    Changes(&'a Change, Option<&'a Personal>),
}

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    RequestId,
    EndpointId,
    EndpointKind,
    HostName,
    Os,
    OsVersion,
    AgentVersion,
    Threat,
    Action,
    PathHash,
    Policy,
    /// An application on an endpoint.
    Application,
    /// An application that is reached through the network.
    Service,
    Classifier,
    Matches,
    /// A name that a product knows somebody by.
    User,
    /// A user of the console who was at the door.
    UserId,
    /// A user of the console who changed something.
    ActorId,
    ActorKind,
    Role,
    /// Who of the vendor's staff.
    Operator,
    EntityKind,
    EntityId,
    /// The id of a changed thing that is a user.
    EntityUser,
    Outcome,
    AddressV4,
    AddressV6,
    /// An address that is none of IP.
    AddressName,
    Changes,
}

/// How the formats call a field.
pub(super) struct Names {
    /// In flat JSON, and as label of a custom field of CEF.
    pub json: &'static str,
    pub leef: &'static str,
    pub cef: &'static str,
    /// Whether `cef` is a custom field, which takes a label.
    pub custom: bool,
}

impl Key {
    /// Standard names where the formats have one: LEEF's predefined attributes, CEF's dictionary.
    pub(super) const fn names(self) -> Names {
        const fn all(json: &'static str, leef: &'static str, cef: &'static str) -> Names {
            Names { json, leef, cef, custom: false }
        }
        const fn custom(json: &'static str, leef: &'static str, cef: &'static str) -> Names {
            Names { json, leef, cef, custom: true }
        }
        match self {
            Self::RequestId => custom("request_id", "request_id", "cs4"),
            Self::EndpointId => all("endpoint_id", "endpoint_id", "deviceExternalId"),
            Self::EndpointKind => custom("endpoint_kind", "endpoint_kind", "cs3"),
            Self::HostName => all("host_name", "identHostName", "dhost"),
            Self::Os => custom("os", "os", "cs4"),
            Self::OsVersion => custom("os_version", "os_version", "cs5"),
            Self::AgentVersion => custom("agent_version", "agent_version", "flexString1"),
            Self::Threat => custom("threat", "threat", "cs4"),
            Self::Action => all("action", "action", "act"),
            Self::PathHash => all("path_hash", "path_hash", "fileHash"),
            Self::Policy => custom("policy", "policy", "cs4"),
            Self::Application => custom("application", "resource", "cs4"),
            Self::Service => all("application", "resource", "destinationServiceName"),
            Self::Classifier => custom("classifier", "classifier", "cs4"),
            Self::Matches => custom("matches", "matches", "cn2"),
            Self::User => all("user", "usrName", "suser"),
            Self::UserId => all("user_id", "usrName", "suid"),
            Self::ActorId => all("actor_id", "usrName", "suid"),
            Self::ActorKind => custom("actor_kind", "actor_kind", "flexString2"),
            Self::Role => all("role", "role", "spriv"),
            Self::Operator => all("operator", "usrName", "suser"),
            Self::EntityKind => custom("entity_kind", "entity_kind", "cs3"),
            Self::EntityId => custom("entity_id", "resource", "flexString1"),
            Self::EntityUser => all("entity_id", "accountName", "duid"),
            Self::Outcome => all("outcome", "outcome", "outcome"),
            Self::AddressV4 => all("source_address", "src", "src"),
            Self::AddressV6 => custom("source_address", "src", "c6a2"),
            Self::AddressName => all("source_address", "source_address", "shost"),
            Self::Changes => custom("changes", "changes", "cs5"),
        }
    }
}

impl<'a> Flat<'a> {
    pub(super) fn of(record: &'a Record) -> Self {
        let class = match &record.what {
            What::Change(change, _) => clipped(&change.action),
            What::Access(access) => access.action.name(),
            What::Event(_) | What::Test(_) => record.type_name(),
        };
        let mut fields = Fields(Vec::with_capacity(10));
        let (source, name) = match &record.what {
            What::Event(event) => (event.source.as_str(), fields.happening(&event.happening)),
            What::Change(change, personal) => {
                fields.change(change, personal.as_ref());
                ("console", "Change in the console")
            }
            What::Access(access) => {
                fields.text(Key::RequestId, &access.request_id);
                if let Some(user) = access.user {
                    fields.text(Key::UserId, user.to_string());
                }
                fields.text(Key::Action, access.action());
                let outcome = match access.outcome {
                    Outcome::Success => "success",
                    Outcome::Failure => "failure",
                    Outcome::Denied => "denied",
                };
                fields.text(Key::Outcome, outcome);
                fields.address(access.source_address.as_deref());
                ("console", "Access to the console")
            }
            What::Test(_) => ("console", "Test of this destination"),
        };
        let product = match record.stream.source {
            Source::Product(Product::Epp) => "Belfry EPP",
            Source::Product(Product::Emm) => "Belfry EMM",
            Source::Product(Product::DataPrivacy) => "Belfry Data Privacy",
            Source::Product(Product::Ztna) => "Belfry ZTNA",
            Source::Console => "Belfry Console",
        };
        Self {
            record,
            tenant: record.tenant.to_string(),
            stream: record.stream.to_string(),
            id: record.id(),
            source,
            product,
            class,
            name,
            fields: fields.0,
        }
    }
}

fn clipped(class: &str) -> &str {
    class.get(..class.floor_char_boundary(MOST_CLASS)).unwrap_or_default()
}

struct Fields<'a>(Vec<(Key, Value<'a>)>);

impl<'a> Fields<'a> {
    fn text(&mut self, key: Key, text: impl Into<Cow<'a, str>>) {
        self.0.push((key, Value::Text(text.into())));
    }

    fn endpoint(&mut self, endpoint: &'a EndpointRef) {
        self.text(Key::EndpointId, endpoint.id.as_str());
        self.text(Key::EndpointKind, endpoint.kind.name());
    }

    fn address(&mut self, address: Option<&'a str>) {
        if let Some(address) = address {
            let key = match address.parse() {
                Ok(IpAddr::V4(_)) => Key::AddressV4,
                Ok(IpAddr::V6(_)) => Key::AddressV6,
                Err(_) => Key::AddressName,
            };
            self.text(key, address);
        }
    }

    /// Takes the fields of telemetry; gives its name for people.
    fn happening(&mut self, happening: &'a Happening) -> &'static str {
        if let Some(endpoint) = happening.endpoint() {
            self.endpoint(endpoint);
        }
        match happening {
            Happening::EndpointStatus { status, .. } => {
                if let Some(name) = &status.name {
                    self.text(Key::HostName, name.as_str());
                }
                self.text(Key::Os, status.os.as_str());
                self.text(Key::OsVersion, status.os_version.as_str());
                self.text(Key::AgentVersion, status.agent_version.as_str());
                "Status of an endpoint"
            }
            Happening::EndpointRemoved { actor, .. } => {
                if let Some(actor) = actor {
                    self.text(Key::User, actor.as_str());
                }
                "Endpoint removed"
            }
            Happening::InfectionDetected(infection) | Happening::InfectionCleaned(infection) => {
                self.text(Key::Threat, infection.threat.as_str());
                self.text(Key::Action, infection.action.as_str());
                if let Some(hash) = &infection.path_hash {
                    self.text(Key::PathHash, hash.as_str());
                }
                match happening {
                    Happening::InfectionCleaned(_) => "Malware removed",
                    _ => "Malware found",
                }
            }
            Happening::PolicyViolated { policy, .. } => {
                self.text(Key::Policy, policy.as_str());
                "Policy violated"
            }
            Happening::ApplicationViolated { application, .. } => {
                self.text(Key::Application, application.as_str());
                "Forbidden application used"
            }
            Happening::ClassifierMatched { classifier, count, .. } => {
                self.text(Key::Classifier, classifier.as_str());
                self.0.push((Key::Matches, Value::Number(*count)));
                "Personal data found"
            }
            Happening::AccessBlocked { application, user } => {
                self.text(Key::Service, application.as_str());
                self.text(Key::User, user.as_str());
                self.text(Key::Action, "blocked");
                "Access to an application blocked"
            }
        }
    }

    fn change(&mut self, change: &'a Change, personal: Option<&'a Personal>) {
        let known = |field| personal.and_then(|known| known.values.get(field)?.as_str());
        self.text(Key::RequestId, &change.request_id);
        let kind = match &change.actor {
            Author::Person { id, role } => {
                self.text(Key::ActorId, id.to_string());
                self.text(Key::Role, role.name());
                "person"
            }
            Author::Directory { id } => {
                self.text(Key::ActorId, id.to_string());
                "directory"
            }
            Author::BackOffice => "back_office",
            Author::MailedLink => "mailed_link",
        };
        if let Some(operator) = known("operator") {
            self.text(Key::Operator, operator);
        }
        self.text(Key::ActorKind, kind);
        self.text(Key::Action, clipped(&change.action));
        let entity = &change.entity;
        let id = if entity.kind == "user" { Key::EntityUser } else { Key::EntityId };
        self.text(id, &entity.id);
        self.text(Key::EntityKind, &entity.kind);
        self.address(known("source_address"));
        self.0.push((Key::Changes, Value::Changes(change, personal)));
    }
}

impl Value<'_> {
    /// As JSON.
    pub(super) fn json(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Text(text) => {
                writer.raw("\"");
                writer.text(text, json::escape);
                writer.raw("\"");
            }
            Self::Number(number) => writer.number(number),
            Self::Changes(change, personal) => changes(change, *personal, writer),
        }
    }

    /// In a line of fields: text as `escape` says, and lists as JSON therein.
    pub(super) fn line(
        &self,
        writer: &mut Writer<'_>,
        escape: impl Fn(&str, char) -> Option<&'static str>,
    ) {
        match self {
            Self::Text(text) => writer.text(text, escape),
            Self::Number(number) => writer.number(number),
            Self::Changes(..) => writer.holding(|inner| self.json(inner), escape),
        }
    }
}

/// `[{"field","from","to"}]`, all of them text, so that a field has one type in the SIEM's index;
/// what is neither text nor absent is its JSON. Names and addresses that belong to the change follow
/// as `to`.
fn changes(change: &Change, personal: Option<&Personal>, writer: &mut Writer<'_>) {
    let fields = change.changes.iter().map(|c| (&c.field, c.from.as_ref(), c.to.as_ref()));
    let known = personal.iter().flat_map(|known| &known.values);
    let known = known.filter(|(field, _)| !matches!(field.as_str(), "operator" | "source_address"));
    let known = known.map(|(field, value)| (field, None, Some(value)));
    writer.raw("[");
    writer.few(fields.chain(known), |writer, (field, from, to)| {
        writer.raw(if writer.ends_with('[') { "{\"field\":\"" } else { ",{\"field\":\"" });
        writer.text(field, json::escape);
        for (key, value) in [("\",\"from\":\"", from), ("\",\"to\":\"", to)] {
            if let Some(value) = value {
                writer.raw(key);
                let text = value.as_str().map_or_else(|| value.to_string().into(), Cow::Borrowed);
                writer.text(&text, json::escape);
            }
        }
        writer.raw("\"}");
    });
    writer.raw("]");
}
