//! What a directory says, as it is kept beside the tenant's own users: its users and its groups.

use crate::directory::ldap::EntryKey;
use crate::directory::person::Person;
use crate::directory::provider::Settings;
use crate::id::{GroupId, IdentityProviderId, TenantId, UserId};
use crate::scim::ScimError;
use crate::scim::resource::Resource;
use crate::scim::schema::ResourceKind;
use crate::tag::work::LEASE;
use crate::text::GroupName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most groups that a directory may have a user in.
pub const MOST_MEMBERSHIPS: usize = 1_000;

/// A user as its directory has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryUser {
    /// By which its directory knows it: never changes.
    pub id: UserId,
    /// The tenant's user that it is: another one after its address changed.
    pub user: UserId,
    /// What the directory says.
    pub said: Said,
    /// In which groups it is; at most [`MOST_MEMBERSHIPS`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<GroupId>,
    /// When it was made.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// When the directory last changed it.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub modified_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

/// What a directory says of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// What it wrote by SCIM, as [`Resource::to_json`] has it.
    Resource(String),
    /// What was read of it by LDAP.
    Entry {
        /// What it is known by there.
        key: EntryKey,
        /// The person; its groups are kept beside.
        person: Box<Person>,
    },
}

impl DirectoryUser {
    /// What the directory wrote by SCIM.
    ///
    /// # Errors
    /// [`ScimError`] of status 500 when it is damaged, or was not written but read.
    pub fn resource(&self) -> Result<Resource, ScimError> {
        match &self.said {
            Said::Resource(text) => Resource::from_json(ResourceKind::User, text),
            Said::Entry { .. } => Err(ScimError::of_status(500, "this user is not one of SCIM")),
        }
    }

    /// The person that it is, who is in groups of these names.
    ///
    /// # Errors
    /// As [`Person::of_scim`].
    pub fn person(
        &self,
        settings: &Settings,
        groups: BTreeSet<GroupName>,
    ) -> Result<Person, ScimError> {
        match &self.said {
            Said::Resource(_) => Person::of_scim(&self.resource()?, settings, groups),
            Said::Entry { person, .. } => Ok(Person { groups, ..(**person).clone() }),
        }
    }

    /// What it is known by in a directory that is read.
    pub const fn key(&self) -> Option<EntryKey> {
        match &self.said {
            Said::Entry { key, .. } => Some(*key),
            Said::Resource(_) => None,
        }
    }

    /// The same after a change.
    #[must_use]
    pub fn changed(&self, now: Timestamp) -> Self {
        Self { modified_at: now, version: self.version.saturating_add(1), ..self.clone() }
    }
}

/// A group as its directory has it; who is in it lies apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryGroup {
    /// Its id.
    pub id: GroupId,
    /// In which tenant.
    pub tenant: TenantId,
    /// Of which directory.
    pub provider: IdentityProviderId,
    /// What it is known by in a directory that is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<EntryKey>,
    /// Its name, of which a directory has each once.
    pub name: GroupName,
    /// What the directory wrote by SCIM, as [`Resource::to_json`] has it.
    pub resource: String,
    /// Whether it is gone: then it is here until all who were in it know.
    #[serde(default)]
    pub deleted: bool,
    /// Who has to be told that it has another name or is gone, while that goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telling: Option<Telling>,
    /// When it was made.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// When the directory last changed it or who is in it.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub modified_at: Timestamp,
    /// Grows with every change of the group itself.
    pub version: u64,
}

/// The work of telling a group's members what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    /// On which request it began.
    pub request_id: String,
    /// From when on a worker may go on with it.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub due_at: Timestamp,
}

impl DirectoryGroup {
    /// What the directory wrote.
    ///
    /// # Errors
    /// [`ScimError`] of status 500 when it is damaged.
    pub fn resource(&self) -> Result<Resource, ScimError> {
        Resource::from_json(ResourceKind::Group, &self.resource)
    }

    /// The same after a change.
    #[must_use]
    pub fn changed(&self, now: Timestamp) -> Self {
        Self { modified_at: now, version: self.version.saturating_add(1), ..self.clone() }
    }

    /// Its members are told later.
    #[must_use]
    pub fn postponed(&self, now: Timestamp) -> Self {
        let due_at = now.checked_add(LEASE).unwrap_or(now);
        let telling = self.telling.clone().map(|telling| Telling { due_at, ..telling });
        Self { telling, ..self.clone() }
    }
}

/// That a user is in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// Who, by the directory's id.
    pub member: UserId,
}

/// That a name or an external id is taken in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// By which user or group.
    pub id: String,
}
