//! OCSF 1.5 (schema.ocsf.io/1.5.0), with the profiles `host` and `security_control`.
//!
//! | record | class | activity |
//! |---|---|---|
//! | `infection.detected`, `policy.violated`, `application.violated` | Detection Finding 2004 | 1 create |
//! | `infection.cleaned` | Detection Finding 2004 | 3 close |
//! | `classifier.matched` | Data Security Finding 2006 | 1 create |
//! | `endpoint.status` | Device Inventory Info 5001 | 2 collect |
//! | `endpoint.removed` | Entity Management 3004 | 7 unenroll |
//! | `access.blocked` | Network Activity 4001 | 5 refuse |
//! | change of a user | Account Change 3001 | by action |
//! | other change | Entity Management 3004 | by action |
//! | log-in, second factor, log-out | Authentication 3002 | 1 logon, 2 logoff |
//! | password or second factor of another tenant's chain | Account Change 3001 | by action |
//! | export, look at data, denial | API Activity 6003 | 2 read, 99 other |
//! | test | Base Event 0 | 99 other |
//!
//! API Activity would ask of a blocked access where it came from, which is not told: a refused
//! connection has who asked and the service that was asked for. A detection and its clean-up share
//! `finding_info.uid`, the endpoint and the threat. What has no place in the class is `unmapped`.

use super::flat::{Flat, Key, Value};
use super::json::{Object, Place};
use super::writer::Writer;
use super::{VENDOR, VERSION, json};
use crate::audit::{AccessKind, Outcome};
use crate::siem::record::What;
use crate::telemetry::event::{Event, Happening, Severity};

const DETECTION: u32 = 2004;
const DATA_SECURITY: u32 = 2006;
const ACCOUNT: u32 = 3001;
const AUTHENTICATION: u32 = 3002;
const ENTITY: u32 = 3004;
const NETWORK: u32 = 4001;
const INVENTORY: u32 = 5001;
const API: u32 = 6003;

/// `activity_id`: what no other value says; `activity_name` says it.
const OTHER: u32 = 99;

pub(super) fn write(flat: &Flat<'_>, writer: &mut Writer<'_>) {
    let record = flat.record;
    let (class, activity) = class(&record.what);
    let severity = match record.severity() {
        Severity::Info => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    };
    let mut object = Object::open(writer);
    for (key, number) in [
        ("activity_id", activity),
        ("category_uid", class / 1000),
        ("class_uid", class),
        ("type_uid", class * 100 + activity),
        ("severity_id", severity),
        ("status_id", status(&record.what)),
    ] {
        object.at(("", key)).number(number);
    }
    if activity == OTHER {
        object.whole(("", "activity_name"), flat.class);
    }
    object.at(("", "time")).number(record.time());
    object.whole(("", "message"), flat.name);
    metadata(flat, &mut object);
    for (key, value) in &flat.fields {
        if let Some(path) = path(*key, class) {
            if let Some((path, json)) = beside(*key, class, value) {
                object.raw(path, json);
            }
            value.json(object.at(path));
        }
    }
    required(flat, class, &mut object);
    for (key, value) in &flat.fields {
        if path(*key, class).is_none() {
            value.json(object.at(("unmapped", key.names().json)));
        }
    }
    object.close(("unmapped", "truncated"));
}

/// Class and activity.
fn class(what: &What) -> (u32, u32) {
    match what {
        What::Event(event) => match event.happening {
            Happening::InfectionDetected(_)
            | Happening::PolicyViolated { .. }
            | Happening::ApplicationViolated { .. } => (DETECTION, 1),
            Happening::InfectionCleaned(_) => (DETECTION, 3),
            Happening::ClassifierMatched { .. } => (DATA_SECURITY, 1),
            Happening::EndpointStatus { .. } => (INVENTORY, 2),
            Happening::EndpointRemoved { .. } => (ENTITY, 7),
            Happening::AccessBlocked { .. } => (NETWORK, 5),
        },
        What::Change(change, _) if change.entity.kind == "user" => {
            (ACCOUNT, account_activity(&change.action))
        }
        What::Change(change, _) => (ENTITY, entity_activity(&change.action)),
        What::Access(access) => match access.action {
            AccessKind::Login
            | AccessKind::TwoFactor
            | AccessKind::Confirm
            | AccessKind::Switch => (AUTHENTICATION, 1),
            AccessKind::Logout | AccessKind::EndSession => (AUTHENTICATION, 2),
            AccessKind::RefreshReused => (AUTHENTICATION, OTHER),
            AccessKind::PasswordForgotten => (ACCOUNT, 4),
            AccessKind::PasswordSet => (ACCOUNT, 3),
            AccessKind::TwoFactorChanged => (ACCOUNT, OTHER),
            AccessKind::Export | AccessKind::ReadUserData => (API, 2),
            AccessKind::Denied => (API, OTHER),
        },
        What::Test(_) => (0, OTHER),
    }
}

fn account_activity(action: &str) -> u32 {
    match action {
        "user.create" | "tenant.create" | "tenant.sign_up" => 1,
        "user.activate" => 2,
        "password.change" => 3,
        "password.reset" => 4,
        "user.delete" => 6,
        "two_factor.lock" => 9,
        "two_factor.enrol" => 10,
        "two_factor.reset" | "two_factor.accept_reset" => 11,
        _ => OTHER,
    }
}

fn entity_activity(action: &str) -> u32 {
    match action.rsplit('.').next().unwrap_or_default() {
        "create" | "issue" | "issue_history" | "add" | "sign_up" | "import" => 1,
        "delete" | "revoke" => 4,
        "suspend" => 12,
        _ => 3,
    }
}

/// Of a finding: 1 new, 4 resolved. Else: 1 success, 2 failure.
fn status(what: &What) -> u32 {
    match what {
        What::Event(event) => match event.happening {
            Happening::InfectionCleaned(_) => 4,
            Happening::AccessBlocked { .. } => 2,
            _ => 1,
        },
        What::Access(access) if access.outcome != Outcome::Success => 2,
        What::Access(_) | What::Change(..) | What::Test(_) => 1,
    }
}

fn metadata(flat: &Flat<'_>, object: &mut Object<'_, '_>) {
    object.raw(("metadata", "version"), "\"1.5.0\"");
    object.raw(("metadata", "profiles"), "[\"host\",\"security_control\"]");
    object.whole(("metadata.product", "name"), flat.product);
    object.whole(("metadata.product", "vendor_name"), VENDOR);
    object.whole(("metadata.product", "version"), VERSION);
    object.whole(("metadata", "uid"), &flat.id);
    object.whole(("metadata", "tenant_uid"), &flat.tenant);
    object.whole(("metadata", "log_name"), &flat.stream);
    object.at(("metadata", "sequence")).number(flat.record.sequence);
    object.at(("metadata", "logged_time")).number(flat.record.received_at);
    object.whole(("metadata", "log_provider"), flat.source);
    object.whole(("metadata", "event_code"), flat.class);
}

/// Where a class has a field; `metadata` is still open when the first is written.
const fn path(key: Key, class: u32) -> Option<Place> {
    Some(match (key, class) {
        (Key::RequestId, _) => ("metadata", "correlation_uid"),
        (Key::EndpointId | Key::EntityId, ENTITY) => ("entity", "uid"),
        (Key::EntityKind, ENTITY) => ("entity", "type"),
        (Key::EndpointKind, ENTITY) => return None,
        (Key::EndpointId, _) => ("device", "uid"),
        (Key::EndpointKind, _) => ("device", "type"),
        (Key::HostName, _) => ("device", "hostname"),
        (Key::Os, _) => ("device.os", "name"),
        (Key::OsVersion, _) => ("device.os", "version"),
        (Key::AgentVersion, _) => ("device.agent_list[]", "version"),
        (Key::Threat, _) => ("malware[]", "name"),
        (Key::Action, DETECTION) => ("", "action"),
        (Key::Action, API) => ("api", "operation"),
        (Key::Policy, _) => ("policy", "name"),
        (Key::Application, _) => ("resources[]", "name"),
        (Key::Service, _) => ("dst_endpoint", "svc_name"),
        (Key::Classifier, _) => ("data_security.classifier_details", "name"),
        (Key::Matches, _) => ("data_security", "total"),
        (Key::User | Key::Operator, _) => ("actor.user", "name"),
        (Key::ActorId, _) | (Key::UserId, API) => ("actor.user", "uid"),
        (Key::UserId | Key::EntityUser, _) => ("user", "uid"),
        (Key::Outcome, _) => ("", "status_detail"),
        (Key::AddressV4 | Key::AddressV6, _) => ("src_endpoint", "ip"),
        (Key::AddressName, _) => ("src_endpoint", "name"),
        _ => return None,
    })
}

/// What OCSF wants to know beside a field.
fn beside(key: Key, class: u32, value: &Value<'_>) -> Option<(Place, &'static str)> {
    Some(match (key, class) {
        // A device.
        (Key::EndpointId, ENTITY) => (("entity", "type_id"), "1"),
        // Other, in our words: a computer is a desktop or a laptop, a mobile a phone or a tablet.
        (Key::EndpointKind, _) => (("device", "type_id"), "99"),
        (Key::EntityKind, ENTITY) => (("entity", "type_id"), "99"),
        (Key::Os, _) => (("device.os", "type_id"), os(value)),
        (Key::AgentVersion, _) => (("device.agent_list[]", "name"), "\"agent\""),
        // Unknown: a threat has a name and no class.
        (Key::Threat, _) => (("malware[]", "classification_ids"), "[0]"),
        // Other: what a product did, it says in its own words.
        (Key::Action, DETECTION) => (("", "action_id"), "99"),
        (Key::Application, _) => (("resources[]", "type"), "\"application\""),
        (Key::Classifier, _) => (("data_security.classifier_details", "type"), "\"classifier\""),
        _ => return None,
    })
}

/// The `type_id` of an operating system, by how its name begins.
fn os(value: &Value<'_>) -> &'static str {
    const KNOWN: [(&str, &str); 6] = [
        ("windows", "100"),
        ("linux", "200"),
        ("android", "201"),
        ("macos", "300"),
        ("ios", "301"),
        ("ipados", "302"),
    ];
    let begins = |start: &str| match value {
        Value::Text(text) => {
            text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
        }
        _ => false,
    };
    KNOWN.iter().find(|(start, _)| begins(start)).map_or("99", |(_, id)| id)
}

/// What a class requires and no field gave. `data_security` is still open when it is the first.
fn required(flat: &Flat<'_>, class: u32, object: &mut Object<'_, '_>) {
    let lacks = |keys: &[Key]| !flat.fields.iter().any(|(key, _)| keys.contains(key));
    let unknown = "\"unknown\"";
    match class {
        DETECTION | DATA_SECURITY => {
            if class == DATA_SECURITY {
                // 4 is data discovery and classification.
                object.raw(("data_security", "detection_system_id"), "4");
            }
            let writer = object.at(("finding_info", "uid"));
            writer.raw("\"");
            match &flat.record.what {
                What::Event(Event {
                    happening:
                        Happening::InfectionDetected(found) | Happening::InfectionCleaned(found),
                    ..
                }) => {
                    writer.whole(found.endpoint.id.as_str(), json::escape);
                    writer.raw("/");
                    writer.whole(found.threat.as_str(), json::escape);
                }
                _ => writer.whole(&flat.id, json::escape),
            }
            writer.raw("\"");
            object.whole(("finding_info", "title"), flat.name);
        }
        ACCOUNT | AUTHENTICATION => {
            if lacks(&[Key::UserId, Key::EntityUser]) {
                object.raw(("user", "name"), unknown);
            }
            if class == AUTHENTICATION {
                object.whole(("service", "name"), VENDOR);
            }
        }
        NETWORK => {
            // Denied, blocked.
            object.raw(("", "action_id"), "2");
            object.raw(("", "disposition_id"), "2");
        }
        API => {
            if lacks(&[Key::UserId]) {
                object.raw(("actor", "app_name"), unknown);
            }
            if lacks(&[Key::AddressV4, Key::AddressV6, Key::AddressName]) {
                object.raw(("src_endpoint", "name"), unknown);
            }
        }
        _ => {}
    }
}
