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
    /// [`ScimError`] of status 500, if it was damaged since.
    pub fn from_json(kind: ResourceKind, json: &str) -> Result<Self, ScimError> {
        let body = serde_json::from_str(json).ok();
        body.and_then(|body| read(kind, &body).ok())
            .map(|(resource, _)| resource)
            .ok_or_else(|| ScimError::of_status(500, "a stored resource is damaged"))
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

    /// The same user, who is active if the client did not say: what a whole user is taken for (RFC 7643,
    /// section 2.5, lets a server assign what is not given).
    #[must_use]
    pub fn active_unless_said(mut self) -> Self {
        self.attributes.entry("active").or_insert(Value::Bool(true));
        self
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::ScimType;

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

    /// What Entra ID sends for a new user, by its default mapping.
    fn entra_body() -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
            "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
            "userName": "Test_User_ab6490ee@contoso.example",
            "active": true,
            "addresses": [{"type": "work", "country": "US"}],
            "displayName": "lennay",
            "emails": [{"type": "work", "value": "t@contoso.example", "primary": true}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": "givenName familyName", "familyName": "familyName",
                     "givenName": "givenName"},
            "roles": [],
            (ENTERPRISE): {"department": "Sales", "manager": "usr_9"},
        })
    }

    #[test]
    fn a_user_of_entra_id() {
        let user = Resource::read_user(&entra_body()).unwrap();
        let mut expected = entra_body();
        let expected = expected.as_object_mut().unwrap();
        for dropped in ["schemas", "addresses", "meta", "roles"] {
            expected.remove(dropped);
        }
        expected[ENTERPRISE]["manager"] = json!({"value": "usr_9"});
        assert_eq!(user.attributes(), expected);
        assert_eq!(user.text("name.GIVENNAME"), Some("givenName"));
        assert_eq!(user.text(&format!("{ENTERPRISE}:manager.value")), Some("usr_9"));
        assert_eq!(user.text("emails.value"), None);
        assert_eq!(user.email(), Some("t@contoso.example"));
        assert!(user.is_active());
        assert_eq!(Resource::from_json(ResourceKind::User, &user.to_json()), Ok(user.clone()));
        assert_eq!(format!("{user:?}"), "Resource(User, ..)");
    }

    /// What Okta sends for a new user; unknown keys at every level, no `schemas` of the extension.
    #[test]
    fn a_user_of_okta() {
        let user = Resource::read_user(&json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": "mine",
            "userName": "test.user@okta.local",
            "name": {"givenName": "Test", "middleName": "Q", "familyName": "User"},
            "emails": [{"primary": true, "value": "test.user@okta.local", "type": "work",
                        "display": "x"}],
            "displayName": "Test User",
            "locale": "en-US",
            "externalId": "00ujl29u0le5T6Aj10h7",
            "groups": [{"value": "grp_1"}],
            "password": "1mz050nq",
            "active": true,
            (ENTERPRISE.to_uppercase()): {"COSTCENTER": 4130, "x": {"y": []}},
        }))
        .unwrap();
        assert_eq!(
            *user.attributes(),
            *json!({
                "userName": "test.user@okta.local",
                "name": {"givenName": "Test", "familyName": "User"},
                "emails": [{"primary": true, "value": "test.user@okta.local", "type": "work"}],
                "displayName": "Test User",
                "locale": "en-US",
                "externalId": "00ujl29u0le5T6Aj10h7",
                "active": true,
                (ENTERPRISE): {"costCenter": "4130"},
            })
            .as_object()
            .unwrap()
        );
    }

    fn read(mut more: Value) -> Result<Value, (Option<ScimType>, String)> {
        let body = more.as_object_mut().unwrap();
        body.insert("userName".to_owned(), "a".into());
        let user = Resource::read_user(&more).map_err(|error| (error.scim_type, error.detail))?;
        let mut attributes = user.attributes().clone();
        assert_eq!(attributes.remove("userName"), Some("a".into()));
        Ok(attributes.into())
    }

    #[test]
    fn lenience() {
        let long = "é".repeat(1_024);
        for (given, kept) in [
            (json!({"active": "True"}), json!({"active": true})),
            (json!({"ACTIVE": "false"}), json!({"active": false})),
            (json!({"active": ""}), json!({})),
            (json!({"active": [{"$ref": null, "value": "False"}]}), json!({"active": false})),
            (json!({"title": null, "emails": [], "name": {}}), json!({})),
            (json!({"title": ""}), json!({})),
            (json!({"title": ["x"]}), json!({"title": "x"})),
            (json!({"title": 7}), json!({"title": "7"})),
            (json!({"title": long}), json!({"title": long})),
            (json!({"name": [{"givenName": "x"}]}), json!({"name": {"givenName": "x"}})),
            (json!({"name.givenName": "x"}), json!({"name": {"givenName": "x"}})),
            (json!({"emails": "a@b"}), json!({"emails": [{"value": "a@b"}]})),
            (json!({"emails": {"Value": "a@b"}}), json!({"emails": [{"value": "a@b"}]})),
            (
                json!({"emails": [null, "a@b", {"type": "home"}, {"value": ""}, {"value": "c"}]}),
                json!({"emails": [{"value": "a@b"}, {"value": "c"}]}),
            ),
            (
                json!({"emails": [{"value": "a", "type": "work"},
                                  {"value": "a", "type": "work", "primary": "True"}]}),
                json!({"emails": [{"value": "a", "type": "work", "primary": true}]}),
            ),
            (
                json!({"emails": [{"value": "a", "type": "work"}, {"value": "a", "type": "home"}]}),
                json!({"emails": [{"value": "a", "type": "work"}, {"value": "a", "type": "home"}]}),
            ),
            (json!({(ENTERPRISE): null}), json!({})),
            (json!({(ENTERPRISE): {"manager": {"value": ""}}}), json!({})),
            (json!({(ENTERPRISE): {"manager": {"displayName": "x"}}}), json!({})),
            (
                json!({(ENTERPRISE): {"manager": {"value": "m", "displayName": "x", "$ref": "y"}}}),
                json!({(ENTERPRISE): {"manager": {"value": "m"}}}),
            ),
            (
                json!({(format!("{ENTERPRISE}:department")): "x"}),
                json!({(ENTERPRISE): {"department": "x"}}),
            ),
            (json!({"": 1, "a b": 2, "emails[": 3, "photos": [[[[]]]]}), json!({})),
        ] {
            assert_eq!(read(given.clone()), Ok(kept), "{given}");
        }
    }

    #[test]
    fn refused() {
        let invalid = Some(ScimType::InvalidValue);
        let many: Vec<String> = (0..101).map(|n| n.to_string()).collect();
        let large: Vec<String> = (0..100).map(|n| format!("{n}{}", "x".repeat(1_000))).collect();
        for (given, scim_type, detail) in [
            (json!({"active": "yes"}), invalid, "active must be true or false"),
            (json!({"active": 1}), invalid, "active must be true or false"),
            (json!({"title": true}), invalid, "title must be a text"),
            (json!({"title": {"x": 1}}), invalid, "title must not be an object"),
            (json!({"title": ["a", "b"]}), invalid, "title has only one value"),
            (json!({"title": "x".repeat(1_025)}), invalid, "title has more than 1024 characters"),
            (json!({"name": "Ann"}), invalid, "name must be an object"),
            (json!({"name": [{}, {}]}), invalid, "name has only one value"),
            (json!({"name": {"givenName": [1, 2]}}), invalid, "name.givenName has only one value"),
            (json!({"emails": [true]}), invalid, "emails.value must be a text"),
            (json!({"emails": many}), invalid, "emails has more than 100 values"),
            (
                json!({"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}),
                invalid,
                "emails has more than one primary value",
            ),
            (
                json!({(ENTERPRISE): {"department": false}}),
                invalid,
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department must be a text",
            ),
            (json!({(ENTERPRISE): "x"}), invalid, "the value must be an object of attributes"),
            (json!({"emails": large}), invalid, "the resource has more than 65536 bytes"),
            (
                json!({"title": "a", "Title": "b"}),
                Some(ScimType::InvalidSyntax),
                "title is given twice",
            ),
        ] {
            assert_eq!(read(given.clone()), Err((scim_type, detail.to_owned())), "{given}");
        }
        for body in [json!({}), json!({"userName": ""}), json!({"userName": null})] {
            let error = Resource::read_user(&body).unwrap_err();
            assert_eq!(error.to_string(), "userName is required");
        }
        for body in [json!([]), json!("x"), json!(null), json!({"displayName": []})] {
            let error = Resource::read_group(&body).unwrap_err();
            assert_eq!(error.scim_type, invalid, "{body}");
        }
        for damaged in ["{", "{}", "null", "{\"userName\": true}"] {
            let error = Resource::from_json(ResourceKind::User, damaged).unwrap_err();
            assert_eq!(error.status, 500, "{damaged}");
        }
    }

    #[test]
    fn a_group_and_its_members() {
        let (group, members) = Resource::read_group(&json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group",
                        "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
            "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
            "displayName": "Staff",
            "members": [{"$ref": null, "value": "usr_2"}, "usr_1", {"value": "usr_2"}, {}],
        }))
        .unwrap();
        assert_eq!(
            Value::Object(group.attributes().clone()),
            json!({"externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159", "displayName": "Staff"})
        );
        assert_eq!(Vec::from_iter(members), ["usr_1", "usr_2"]);
        let many = |n: u32| {
            let ids: Vec<String> = (0..n).map(|n| n.to_string()).collect();
            Resource::read_group(&json!({"displayName": "x", "members": ids}))
        };
        assert_eq!(many(15_000).unwrap().1.len(), 15_000);
        assert_eq!(many(15_001).unwrap_err().detail, "members names more than 15000 users");
    }

    #[test]
    fn the_address_to_write_to() {
        for (emails, email) in [
            (json!([]), None),
            (json!(["a", "b"]), Some("a")),
            (json!(["a", {"value": "b", "type": "Work"}]), Some("b")),
            (json!([{"value": "b", "type": "work"}, {"value": "c", "primary": true}]), Some("c")),
        ] {
            let user = Resource::read_user(&json!({"userName": "x", "emails": emails})).unwrap();
            assert_eq!(user.email(), email, "{emails}");
        }
    }

    #[test]
    fn an_answer_has_what_the_server_knows() {
        let meta = Meta {
            id: "usr_1",
            created: "2026-11-01T08:00:00Z".parse().unwrap(),
            last_modified: "2026-11-02T08:00:00.25Z".parse().unwrap(),
            base: "https://c.example/scim/v2/",
        };
        let user = Resource::read_user(&json!({"userName": "a", (ENTERPRISE): {"division": "x"}}));
        assert_eq!(
            Value::Object(user.unwrap().active_unless_said().answer(&meta)),
            json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
                "id": "usr_1",
                "userName": "a",
                "active": true,
                (ENTERPRISE): {"division": "x"},
                "meta": {
                    "resourceType": "User",
                    "created": "2026-11-01T08:00:00Z",
                    "lastModified": "2026-11-02T08:00:00.25Z",
                    "location": "https://c.example/scim/v2/Users/usr_1",
                },
            })
        );
        let (group, _) = Resource::read_group(&json!({"displayName": "g"})).unwrap();
        let answer = group.answer(&meta);
        assert_eq!(answer["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:Group"]));
        assert_eq!(answer.get("active"), None);
    }
}
