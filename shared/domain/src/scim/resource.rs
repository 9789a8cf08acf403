//! A user or a group as a client wrote it, read.

use crate::scim::ScimError;
use crate::scim::edit::Editor;
use crate::scim::members::MemberChanges;
use crate::scim::patch::Operation;
use crate::scim::schema::{Reference, ResourceKind};
use crate::scim::value::is_primary;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub use crate::scim::edit::MOST_BYTES;
pub use crate::scim::value::{MOST_CHARACTERS, MOST_ELEMENTS};

/// What a client may write of a resource, and wrote: canonical names, values of their attributes'
/// types, what is required, no read-only attribute, nothing unassigned, nothing that the schemas do
/// not name; texts of at most [`MOST_CHARACTERS`], lists of at most [`MOST_ELEMENTS`], in all at most
/// [`MOST_BYTES`]. A group's members are not in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Resource {
    kind: ResourceKind,
    attributes: Map<String, Value>,
}

/// What only the server knows of a resource.
#[derive(Debug, Clone, Copy)]
pub struct Meta<'a> {
    /// Identifier.
    pub id: &'a str,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub last_modified: Timestamp,
    /// URL under which the endpoints lie.
    pub base: &'a str,
}

impl Resource {
    pub(super) fn new(kind: ResourceKind, attributes: Map<String, Value>) -> Self {
        Self { kind, attributes }
    }

    /// Reads the body of a POST or PUT of a user.
    ///
    /// Unknown keys and read-only attributes are passed over, as real clients send both; `schemas` is
    /// not asked for.
    ///
    /// # Errors
    /// [`ScimError`] with `invalidValue` or `invalidSyntax`, which names the attribute.
    pub fn read_user(body: &Value) -> Result<Self, ScimError> {
        read(ResourceKind::User, body).map(|(user, _)| user)
    }

    /// Reads the body of a POST or PUT of a group: the group, and the ids of its members.
    ///
    /// # Errors
    /// As for [`Self::read_user`].
    pub fn read_group(body: &Value) -> Result<(Self, BTreeSet<String>), ScimError> {
        read(ResourceKind::Group, body).map(|(group, members)| (group, members.added))
    }

    /// The resource that [`Self::to_json`] wrote.
    ///
    /// # Errors
    /// [`ScimError`], if it was damaged since.
    pub fn from_json(kind: ResourceKind, json: &str) -> Result<Self, ScimError> {
        let body = serde_json::from_str(json)
            .map_err(|_| ScimError::of_status(500, "a stored resource is damaged"))?;
        read(kind, &body).map(|(resource, _)| resource)
    }

    /// For the store.
    pub fn to_json(&self) -> String {
        Value::Object(self.attributes.clone()).to_string()
    }

    /// User or group.
    pub const fn kind(&self) -> ResourceKind {
        self.kind
    }

    /// All attributes, those of an extension in the object under its URN.
    pub const fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }

    /// Text of the attribute or sub-attribute of that name, such as `name.givenName`; none if it is
    /// unassigned, not a text, or in a list.
    pub fn text(&self, name: &str) -> Option<&str> {
        let Reference::Attribute(name) = self.kind.resolve(name) else { return None };
        let holder = match name.extension {
            Some(extension) => self.attributes.get(extension.id)?.as_object()?,
            None => &self.attributes,
        };
        let value = holder.get(name.attribute.name)?;
        name.sub.map_or(Some(value), |sub| value.get(sub.name))?.as_str()
    }

    /// Whether a user may log in: unless the client says no.
    pub fn is_active(&self) -> bool {
        self.attributes.get("active") != Some(&Value::Bool(false))
    }

    /// All e-mail addresses of a user, in the client's order.
    pub fn emails(&self) -> impl Iterator<Item = &str> {
        self.email_elements().filter_map(|email| email.get("value")?.as_str())
    }

    /// The address of a user to write to: the primary one, or the first for work, or the first.
    pub fn email(&self) -> Option<&str> {
        let is_for_work = |email: &Map<String, Value>| {
            email
                .get("type")
                .and_then(Value::as_str)
                .is_some_and(|kind| kind.eq_ignore_ascii_case("work"))
        };
        self.email_elements()
            .find(|email| is_primary(email))
            .or_else(|| self.email_elements().find(|email| is_for_work(email)))
            .or_else(|| self.email_elements().next())?
            .get("value")?
            .as_str()
    }

    fn email_elements(&self) -> impl Iterator<Item = &Map<String, Value>> {
        let emails = self.attributes.get("emails").and_then(Value::as_array);
        emails.into_iter().flatten().filter_map(Value::as_object)
    }

    /// The resource as it is answered, without what lies elsewhere: a group's `members`, a user's
    /// `groups`, the manager's `displayName`.
    pub fn answer(&self, meta: &Meta<'_>) -> Map<String, Value> {
        let extensions = self.kind.extensions().iter().map(|extension| extension.id);
        let schemas: Vec<&str> = std::iter::once(self.kind.core().id)
            .chain(extensions.filter(|id| self.attributes.contains_key(*id)))
            .collect();
        let mut answer = self.attributes.clone();
        answer.insert("schemas".to_owned(), schemas.into());
        answer.insert("id".to_owned(), meta.id.into());
        if self.kind == ResourceKind::User {
            answer.insert("active".to_owned(), self.is_active().into());
        }
        answer.insert(
            "meta".to_owned(),
            json!({
                "resourceType": self.kind.name(),
                "created": meta.created.to_string(),
                "lastModified": meta.last_modified.to_string(),
                "location": location(self.kind, meta.id, meta.base),
            }),
        );
        answer
    }
}

/// Where a resource is.
pub(super) fn location(kind: ResourceKind, id: &str, base: &str) -> String {
    format!("{}/{}/{id}", base.trim_end_matches('/'), kind.endpoint())
}

/// People's data is not for logs.
impl std::fmt::Debug for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Resource({}, ..)", self.kind.name())
    }
}

fn read(kind: ResourceKind, body: &Value) -> Result<(Resource, MemberChanges), ScimError> {
    let mut editor = Editor::new(kind, Map::new());
    editor.merge(Operation::Add, None, body)?;
    editor.finish()
}
