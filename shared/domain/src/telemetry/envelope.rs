//! Judges one CloudEvent (CloudEvents 1.0, JSON format) by itself.
//!
//! The schema is closed: what it does not know is named in a warning and kept nowhere. A verdict
//! may only turn from accepted to refused as time passes, never back, so that a repeated batch is
//! never taken in part twice: nothing is refused for being early.

use crate::ports::DAY_MS;
use crate::product::Product;
use crate::telemetry::event::{
    EndpointRef, Event, EventType, Happening, Infection, Kind, Name, Severity, Status,
};
use jiff::Timestamp;
use serde_json_borrow::{ObjectAsVec, Value};

/// Most bytes of one event as sent. The largest valid event has about 1 KiB; the rest is room for
/// attributes of newer products.
pub const MOST_EVENT_BYTES: usize = 64 * 1024;

/// Something to say about one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// JSON pointer (RFC 6901) into the event; empty for the whole event.
    pub pointer: String,
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// One English sentence.
    pub detail: String,
}

/// Against what events are judged.
#[derive(Debug, Clone, Copy)]
pub struct Judge {
    /// The product of the credential.
    pub product: Product,
    /// When the batch arrived.
    pub received_at: Timestamp,
    /// The credential's limit on the age of events, in days.
    pub max_event_age_days: u16,
}

/// The verdict on one event.
#[derive(Debug)]
pub struct Verdict {
    /// The event, when nothing is wrong with it.
    pub event: Option<Event>,
    /// Why it is refused; empty when it is taken.
    pub errors: Vec<Issue>,
    /// What the sender should know although it is taken.
    pub warnings: Vec<Issue>,
}

/// Most issues kept for one event; it can hardly have more fields than that.
const MOST_ISSUES: usize = 20;

#[derive(Default)]
struct Issues(Vec<Issue>);

impl Issues {
    fn add(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        if self.0.len() < MOST_ISSUES {
            self.0.push(Issue { pointer: pointer.into(), code, detail: detail.into() });
        }
    }
}

impl Judge {
    /// Judges an event; `value` is `None` when its JSON nests too deeply to be read, or holds half
    /// a surrogate pair or a number too large.
    pub fn judge(&self, raw: &str, value: Option<&Value<'_>>) -> Verdict {
        let mut errors = Issues::default();
        let mut warnings = Issues::default();
        let event = if raw.len() > MOST_EVENT_BYTES {
            errors.add("", "event_too_large", "An event has at most 64 KiB.");
            None
        } else {
            match value {
                Some(Value::Object(envelope)) => {
                    self.envelope(envelope, &mut errors, &mut warnings)
                }
                Some(_) => {
                    errors.add("", "not_an_object", "An event is a JSON object.");
                    None
                }
                None => {
                    let detail = "It nests too deeply, or holds half a surrogate pair or a number \
                                  too large.";
                    errors.add("", "unreadable", detail);
                    None
                }
            }
        };
        let event = event.filter(|_| errors.0.is_empty());
        if event.is_none() {
            warnings.0.clear();
        }
        Verdict { event, errors: errors.0, warnings: warnings.0 }
    }

    fn envelope(
        &self,
        envelope: &ObjectAsVec<'_>,
        errors: &mut Issues,
        warnings: &mut Issues,
    ) -> Option<Event> {
        let mut fields = Fields { object: envelope, base: "", errors };
        match fields.text("specversion") {
            Some("1.0") | None => {}
            Some(_) => fields.errors.add("/specversion", "unsupported", "specversion is 1.0."),
        }
        let id = fields.name("id");
        let source = fields.name("source");
        let time = fields.text("time");
        let kind = fields.text("type");
        let data = fields.required("data");
        if let Some(Value::Str(media)) = fields.optional("datacontenttype")
            && !media.split(';').next().is_some_and(|m| {
                let m = m.trim();
                m.eq_ignore_ascii_case("application/json") || m.ends_with("+json")
            })
        {
            fields.errors.add("/datacontenttype", "unsupported", "data is application/json.");
        }
        let time = time.and_then(|text| self.time(text, errors, warnings));
        let kind = kind.and_then(|text| {
            let kind = EventType::named(text);
            match kind {
                None => errors.add("/type", "unknown_type", "There is no such type of event."),
                Some(kind) if !kind.sent_by(self.product) => {
                    let detail = format!("{} does not send {}.", self.product, kind.name());
                    errors.add("/type", "type_of_other_product", detail);
                }
                Some(_) => {}
            }
            kind.filter(|kind| kind.sent_by(self.product))
        });
        let Value::Object(data) = data? else {
            errors.add("/data", "not_an_object", "data is a JSON object.");
            return None;
        };
        let happening = happening(kind?, data, errors, warnings);
        Some(Event { id: id?, source: source?, time: time?, happening: happening? })
    }

    /// RFC 3339, at most the credential's limit old.
    fn time(&self, text: &str, errors: &mut Issues, warnings: &mut Issues) -> Option<i64> {
        let shaped = text.as_bytes().get(10).is_some_and(|b| b.eq_ignore_ascii_case(&b'T'))
            && !text.contains('[');
        let Some(time) = shaped.then(|| text.parse::<Timestamp>().ok()).flatten() else {
            errors.add("/time", "not_a_time", "time is an RFC 3339 date and time with offset.");
            return None;
        };
        let (time, received) = (time.as_millisecond(), self.received_at.as_millisecond());
        if received - time > i64::from(self.max_event_age_days) * DAY_MS {
            let detail = format!("The event is more than {} days old.", self.max_event_age_days);
            errors.add("/time", "too_old", detail);
            return None;
        }
        if time > received {
            warnings.add("/time", "time_ahead", "The event is dated after its arrival.");
        }
        Some(time)
    }
}

/// Reads `data` of a known type; says what is missing, wrong or unknown.
fn happening(
    kind: EventType,
    data: &ObjectAsVec<'_>,
    errors: &mut Issues,
    warnings: &mut Issues,
) -> Option<Happening> {
    warn_unknown(data, "/data", known(kind), warnings);
    let mut fields = Fields { object: data, base: "/data", errors };
    match kind {
        EventType::EndpointStatus => {
            let known = &["id", "kind", "name", "os", "os_version", "agent_version"];
            let (endpoint, own) = fields.endpoint(known, warnings);
            let mut own = Fields { object: own?, base: "/data/endpoint", errors: fields.errors };
            let name = own.optional_name("name");
            let os = own.name("os");
            let os_version = own.name("os_version");
            let agent_version = own.name("agent_version");
            let status = Status {
                name: name?,
                os: os?,
                os_version: os_version?,
                agent_version: agent_version?,
            };
            Some(Happening::EndpointStatus { endpoint: endpoint?, status })
        }
        EventType::EndpointRemoved => {
            let endpoint = fields.named_endpoint(warnings);
            Some(Happening::EndpointRemoved { endpoint: endpoint?, actor: None })
        }
        EventType::InfectionDetected | EventType::InfectionCleaned => {
            let endpoint = fields.named_endpoint(warnings);
            let threat = fields.name("threat");
            let action = fields.name("action");
            let severity = fields.severity();
            let path_hash = fields.optional_name("path_hash");
            let infection = Infection {
                endpoint: endpoint?,
                threat: threat?,
                action: action?,
                severity: severity?,
                path_hash: path_hash?,
            };
            Some(if kind == EventType::InfectionDetected {
                Happening::InfectionDetected(infection)
            } else {
                Happening::InfectionCleaned(infection)
            })
        }
        EventType::PolicyViolated => {
            let endpoint = fields.named_endpoint(warnings);
            let policy = fields.name("policy");
            let severity = fields.severity();
            Some(Happening::PolicyViolated {
                endpoint: endpoint?,
                policy: policy?,
                severity: severity?,
            })
        }
        EventType::ApplicationViolated => {
            let endpoint = fields.named_endpoint(warnings);
            let application = fields.name("application");
            let severity = fields.severity();
            Some(Happening::ApplicationViolated {
                endpoint: endpoint?,
                application: application?,
                severity: severity?,
            })
        }
        EventType::ClassifierMatched => {
            let endpoint = fields.named_endpoint(warnings);
            let classifier = fields.name("classifier");
            let count = fields.count();
            Some(Happening::ClassifierMatched {
                endpoint: endpoint?,
                classifier: classifier?,
                count: count?,
            })
        }
        EventType::AccessBlocked => {
            let application = fields.name("application");
            let user = fields.name("user");
            Some(Happening::AccessBlocked { application: application?, user: user? })
        }
    }
}

/// The attributes of `data` that a type has.
const fn known(kind: EventType) -> &'static [&'static str] {
    match kind {
        EventType::EndpointStatus | EventType::EndpointRemoved => &["endpoint"],
        EventType::InfectionDetected | EventType::InfectionCleaned => {
            &["endpoint", "threat", "action", "severity", "path_hash"]
        }
        EventType::PolicyViolated => &["endpoint", "policy", "severity"],
        EventType::ApplicationViolated => &["endpoint", "application", "severity"],
        EventType::ClassifierMatched => &["endpoint", "classifier", "count"],
        EventType::AccessBlocked => &["application", "user"],
    }
}

fn warn_unknown(object: &ObjectAsVec<'_>, base: &str, known: &[&str], warnings: &mut Issues) {
    for (key, _) in object.iter() {
        if !known.contains(&key) {
            let key: String = key.chars().take(128).collect();
            let pointer = format!("{base}/{}", key.replace('~', "~0").replace('/', "~1"));
            warnings.add(pointer, "unknown_attribute", "This attribute is not known and not kept.");
        }
    }
}

/// Takes fields out of one object and notes what is wrong with them.
struct Fields<'o, 'v, 'e> {
    object: &'o ObjectAsVec<'v>,
    base: &'static str,
    errors: &'e mut Issues,
}

impl<'o, 'v> Fields<'o, 'v, '_> {
    fn wrong(&mut self, key: &str, code: &'static str, detail: impl Into<String>) {
        self.errors.add(format!("{}/{key}", self.base), code, detail);
    }

    /// The value of a key; `null` counts as absent. A key given twice has no one meaning.
    fn optional(&mut self, key: &str) -> Option<&'o Value<'v>> {
        let object = self.object;
        let mut values = object.iter().filter(|(k, _)| *k == key).map(|(_, value)| value);
        let first = values.next().filter(|value| !matches!(value, Value::Null));
        if values.next().is_some() {
            self.wrong(key, "duplicate", format!("{key} is given twice."));
        }
        first
    }

    fn required(&mut self, key: &str) -> Option<&'o Value<'v>> {
        let value = self.optional(key);
        if value.is_none() {
            self.wrong(key, "required", format!("{key} is required."));
        }
        value
    }

    fn text(&mut self, key: &str) -> Option<&'o str> {
        let value = self.required(key)?;
        if let Value::Str(text) = value {
            return Some(text);
        }
        self.wrong(key, "not_a_string", format!("{key} is a string."));
        None
    }

    fn name(&mut self, key: &str) -> Option<Name> {
        let text = self.text(key)?;
        let name = Name::try_from(text);
        if let Err(error) = name {
            self.wrong(key, "length", format!("{key} {error}."));
        }
        name.ok()
    }

    /// `Some(None)` when it is absent, `None` when it is wrong.
    #[expect(clippy::option_option, reason = "absent and wrong are different answers")]
    fn optional_name(&mut self, key: &str) -> Option<Option<Name>> {
        match self.optional(key) {
            None => Some(None),
            Some(_) => self.name(key).map(Some),
        }
    }

    fn severity(&mut self) -> Option<Severity> {
        let text = self.text("severity")?;
        let severity = Severity::named(text);
        if severity.is_none() {
            self.wrong(
                "severity",
                "unknown_severity",
                "severity is info, low, medium, high or critical.",
            );
        }
        severity
    }

    fn count(&mut self) -> Option<u32> {
        let count = match self.required("count")? {
            Value::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()),
            _ => None,
        };
        let count = count.filter(|count| *count > 0);
        if count.is_none() {
            self.wrong("count", "out_of_range", "count is a whole number, 1 to 4294967295.");
        }
        count
    }

    /// An endpoint that is only named.
    fn named_endpoint(&mut self, warnings: &mut Issues) -> Option<EndpointRef> {
        self.endpoint(&["id", "kind"], warnings).0
    }

    /// The endpoint's reference, and its object for the attributes that a status has.
    fn endpoint(
        &mut self,
        known: &[&str],
        warnings: &mut Issues,
    ) -> (Option<EndpointRef>, Option<&'o ObjectAsVec<'v>>) {
        let object = match self.required("endpoint") {
            Some(Value::Object(object)) => object,
            Some(_) => {
                self.wrong("endpoint", "not_an_object", "endpoint is a JSON object.");
                return (None, None);
            }
            None => return (None, None),
        };
        warn_unknown(object, "/data/endpoint", known, warnings);
        let mut own = Fields { object, base: "/data/endpoint", errors: self.errors };
        let id = own.name("id");
        let kind = own.text("kind").and_then(|text| {
            let kind = Kind::named(text);
            if kind.is_none() {
                own.wrong("kind", "unknown_kind", "kind is computer or mobile.");
            }
            kind
        });
        (id.zip(kind).map(|(id, kind)| EndpointRef { id, kind }), Some(object))
    }
}
