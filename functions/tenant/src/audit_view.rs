//! How answers show what was done and what was tried.

use belfry_api::answer;
use belfry_domain::account::Role;
use belfry_domain::audit::{Access, Change, Entity, Outcome, Personal, Record};
use belfry_domain::id::{AuditId, UserId};
use belfry_domain::policy::Author;
use serde::Serialize;
use serde_json::{Map, Value};

/// A change or an access.
#[derive(Serialize)]
pub(crate) struct AuditView<'a> {
    id: AuditId,
    /// Accesses are not numbered.
    sequence: Option<u64>,
    at: String,
    actor: Option<ActorView>,
    source_address: Option<String>,
    request_id: &'a str,
    action: &'a str,
    entity: Option<&'a Entity>,
    outcome: Outcome,
    changes: Vec<ChangeView<'a>>,
    personal: Option<Map<String, Value>>,
}

#[derive(Serialize)]
struct ActorView {
    kind: &'static str,
    id: Option<String>,
    role: Option<Role>,
}

#[derive(Serialize)]
struct ChangeView<'a> {
    field: &'a str,
    from: Option<&'a Value>,
    to: Option<&'a Value>,
}

impl<'a> AuditView<'a> {
    /// A change, with its erasable part unless that was erased.
    pub(crate) fn change(record: &'a Record, personal: Option<Personal>) -> Self {
        let mut values: Map<_, _> =
            personal.map(|part| part.values.into_iter().collect()).unwrap_or_default();
        let source_address = values.remove("source_address");
        let source_address = source_address.and_then(|text| text.as_str().map(str::to_owned));
        Self {
            id: record.id,
            sequence: Some(record.sequence),
            at: answer::time(record.at),
            actor: Some(match record.actor {
                Author::Person { id, role } => {
                    ActorView { kind: "person", id: Some(id.to_string()), role: Some(role) }
                }
                Author::Directory { id } => {
                    ActorView { kind: "directory", id: Some(id.to_string()), role: None }
                }
                Author::BackOffice => ActorView { kind: "back_office", id: None, role: None },
                Author::MailedLink => ActorView { kind: "mailed_link", id: None, role: None },
            }),
            source_address,
            request_id: &record.request_id,
            action: &record.action,
            entity: Some(&record.entity),
            outcome: Outcome::Success,
            changes: record.changes.iter().map(ChangeView::of).collect(),
            personal: (!values.is_empty()).then_some(values),
        }
    }

    /// An access. Who it was is not proven when it failed, and the role is not known.
    pub(crate) fn access(access: &'a Access) -> Self {
        let actor = |id: UserId| ActorView { kind: "person", id: Some(id.to_string()), role: None };
        Self {
            id: access.id,
            sequence: None,
            at: answer::time(access.at),
            actor: access.user.map(actor),
            source_address: access.source_address.clone(),
            request_id: &access.request_id,
            action: access.action(),
            entity: None,
            outcome: access.outcome,
            changes: Vec::new(),
            personal: None,
        }
    }
}

impl<'a> ChangeView<'a> {
    fn of(change: &'a Change) -> Self {
        Self { field: &change.field, from: change.from.as_ref(), to: change.to.as_ref() }
    }
}
