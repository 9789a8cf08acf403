//! What an identity provider shall be, from a request's body: every fault of it at once.

use crate::App;
use crate::ldap::LdapBody;
use belfry_api::Problem;
use belfry_api::fields::Fields;
use belfry_domain::account::Role;
use belfry_domain::attribute::UserAttribute;
use belfry_domain::directory::provider::{
    GroupRole, MOST_GROUP_ROLES, Mapping, Protocol, Provider, Settings, default_mapping,
};
use belfry_domain::failure::pointer_token;
use belfry_domain::id::TenantId;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What clients send.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderBody {
    #[serde(default)]
    name: String,
    #[serde(default)]
    r#type: String,
    #[serde(default = "on")]
    enabled: bool,
    /// Of a directory that is read.
    ldap: Option<LdapBody>,
    /// Which attribute of the directory feeds which of ours; the usual ones when absent.
    pub(crate) mapping: Option<BTreeMap<String, Sources>>,
    #[serde(default)]
    group_roles: Vec<GroupRoleBody>,
    #[serde(default)]
    adopt_existing: bool,
    /// The version that was seen, of a change.
    pub(crate) version: Option<u64>,
}

/// One attribute of a directory, or several of which the first that has a text counts.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Sources {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupRoleBody {
    group: String,
    role: String,
}

const fn on() -> bool {
    true
}

/// What was read of a body.
pub(crate) struct Wanted {
    pub(crate) settings: Settings,
    /// The password, where one is given.
    pub(crate) password: Option<String>,
}

impl ProviderBody {
    /// The settings, checked as far as that is possible without connecting. What was there `before` and
    /// stays was looked at when it was given.
    ///
    /// # Errors
    /// 422 with every fault; 429 when the tenant has looked for too many hosts.
    pub(crate) async fn read(
        &self,
        app: &App,
        tenant: TenantId,
        before: Option<&Provider>,
    ) -> Result<Wanted, Problem> {
        let mut fields = Fields::new();
        let name = fields.read("/name", &self.name);
        if before.is_some_and(|before| before.settings.protocol.name() != self.r#type) {
            let detail =
                "A directory that pushes does not become one that is read; add another one.";
            fields.fault("/type", "immutable", detail);
        }
        let protocol = match (self.r#type.as_str(), &self.ldap) {
            ("scim", None) => Some(Protocol::Scim { mapping: self.scim_mapping(&mut fields) }),
            ("scim", Some(_)) => {
                fields.fault("/ldap", "not_of_this_type", "This does not go with scim.");
                None
            }
            ("ldap", Some(ldap)) => {
                let source = ldap.read(app, tenant, (self, before), &mut fields).await?;
                source.map(|source| Protocol::Ldap(Box::new(source)))
            }
            ("ldap", None) => {
                fields.fault("/ldap", "required", "Say where the directory is and how it is read.");
                None
            }
            _ => fields.want(None, "/type", "The type is scim or ldap."),
        };
        let group_roles = self.group_roles(&mut fields);
        let settings = || {
            Some(Settings {
                name: name?,
                protocol: protocol?,
                enabled: self.enabled,
                group_roles,
                adopt_existing: self.adopt_existing,
            })
        };
        let settings = settings();
        let settings = fields.finish(settings)?;
        let password = self.ldap.as_ref().and_then(|ldap| ldap.password.clone());
        Ok(Wanted { settings, password })
    }

    fn scim_mapping(&self, fields: &mut Fields) -> Mapping {
        let Some(given) = &self.mapping else { return default_mapping() };
        let mut mapping = Mapping::new();
        for (ours, theirs) in given {
            let pointer = pointer_of(ours);
            let Some(ours) = UserAttribute::named(ours) else {
                let names = UserAttribute::ALL.map(UserAttribute::name).join(", ");
                let detail = format!("There is no such attribute; there are {names}.");
                fields.fault(pointer, "unknown_attribute", detail);
                continue;
            };
            let Sources::One(theirs) = theirs else {
                fields.fault(pointer, "invalid", "By SCIM one attribute feeds one.");
                continue;
            };
            fields.read(pointer, theirs).and_then(|theirs| mapping.insert(ours, theirs));
        }
        mapping
    }

    fn group_roles(&self, fields: &mut Fields) -> Vec<GroupRole> {
        if self.group_roles.len() > MOST_GROUP_ROLES {
            let detail = format!("At most {MOST_GROUP_ROLES} groups give roles.");
            fields.fault("/group_roles", "too_many", detail);
            return Vec::new();
        }
        let mut read = Vec::new();
        for (n, GroupRoleBody { group, role }) in self.group_roles.iter().enumerate() {
            let group = fields.read(format!("/group_roles/{n}/group"), group);
            let at = format!("/group_roles/{n}/role");
            let role = match Role::named(role) {
                Some(Role::SuperAdmin) => {
                    let detail = "No directory makes a super admin; the highest is admin.";
                    fields.fault(at, "role_not_allowed", detail);
                    None
                }
                role => fields.want(role, at, "This is not a role."),
            };
            read.extend(group.zip(role).map(|(group, role)| GroupRole { group, role }));
        }
        read
    }
}

/// Where a mapped attribute stands. Where nobody reads on, an answer does not repeat its name.
pub(crate) fn pointer_of(ours: &str) -> String {
    let shown: String = ours.chars().take(64).collect();
    format!("/mapping/{}", pointer_token(&shown))
}
