//! What an identity provider shall be, from a request's body: every fault of it at once.

use belfry_api::Problem;
use belfry_api::fields::Fields;
use belfry_domain::account::Role;
use belfry_domain::attribute::UserAttribute;
use belfry_domain::directory::provider::{
    GroupRole, MOST_GROUP_ROLES, Mapping, ProviderKind, Settings, default_mapping,
};
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
    /// Which attribute of the directory feeds which of ours; the usual ones when absent.
    mapping: Option<BTreeMap<String, String>>,
    #[serde(default)]
    group_roles: Vec<GroupRoleBody>,
    #[serde(default)]
    adopt_existing: bool,
    /// The version that was seen, of a change.
    pub(crate) version: Option<u64>,
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

impl ProviderBody {
    /// The settings.
    ///
    /// # Errors
    /// 422 with every fault.
    pub(crate) fn read(&self) -> Result<Settings, Problem> {
        let mut fields = Fields::new();
        let name = fields.read("/name", &self.name);
        let kind = match self.r#type.as_str() {
            "scim" => Some(ProviderKind::Scim),
            "ldap" => {
                let detail = "Directories that are asked by LDAP cannot be added yet.";
                fields.fault("/type", "not_supported", detail);
                None
            }
            _ => fields.want(None, "/type", "The type is scim."),
        };
        let mapping = self.mapping(&mut fields);
        let group_roles = self.group_roles(&mut fields);
        let settings = || {
            Some(Settings {
                name: name?,
                kind: kind?,
                enabled: self.enabled,
                mapping,
                group_roles,
                adopt_existing: self.adopt_existing,
            })
        };
        let settings = settings();
        fields.finish(settings)
    }

    fn mapping(&self, fields: &mut Fields) -> Mapping {
        let Some(given) = &self.mapping else { return default_mapping() };
        let mut mapping = Mapping::new();
        for (ours, theirs) in given {
            // Where nobody reads on, an answer does not repeat it.
            let shown: String = ours.chars().take(64).collect();
            let pointer = format!("/mapping/{}", shown.replace('~', "~0").replace('/', "~1"));
            let Some(ours) = UserAttribute::named(ours) else {
                let names = UserAttribute::ALL.map(UserAttribute::name).join(", ");
                let detail = format!("There is no such attribute; there are {names}.");
                fields.fault(pointer, "unknown_attribute", detail);
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
