//! An identity provider: what an administrator chose of it.

use crate::account::Role;
use crate::attribute::UserAttribute;
use crate::directory::ldap::{self, EntryKey, Flavor, LdapSettings};
use crate::directory::sync::Summary;
use crate::failure::FieldFault;
use crate::id::{IdentityProviderId, ProviderTokenId, SyncId, TenantId};
use crate::scim::schema::{AttributeName, Reference, ResourceKind, Type};
use crate::tag::work::{LEASE, Requester, Walk};
use crate::text::{GroupName, ProviderName, folded};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;

/// Most identity providers of a tenant.
pub const MOST_PROVIDERS: usize = 5;
/// Most groups that a provider gives roles for.
pub const MOST_GROUP_ROLES: usize = 50;

/// How a directory tells of its users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// It sends them by SCIM 2.0.
    Scim {
        /// Which of its attributes feeds which of ours.
        mapping: Mapping,
    },
    /// It is read by LDAP.
    Ldap(Box<LdapSource>),
}

impl Protocol {
    /// The name used in the API.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Scim { .. } => "scim",
            Self::Ldap(_) => "ldap",
        }
    }
}

/// A directory that is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LdapSource {
    /// Where it is, and what of it is read.
    pub server: LdapSettings,
    /// What kind of directory it is.
    pub flavor: Flavor,
    /// Which of its attributes becomes what.
    pub mapping: ldap::Mapping,
    /// So often it is read; only when somebody wants it, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Interval>,
}

/// How long after a sync the next one is due: 15 minutes to 7 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Interval(u16);

impl Interval {
    /// `None` outside 15 to 10,080 minutes.
    pub fn new(minutes: u32) -> Option<Self> {
        u16::try_from(minutes).ok().filter(|minutes| (15..=10_080).contains(minutes)).map(Self)
    }

    /// In minutes.
    pub const fn minutes(self) -> u16 {
        self.0
    }

    fn after(self, at: Timestamp) -> Timestamp {
        at.checked_add(SignedDuration::from_mins(i64::from(self.0))).unwrap_or(at)
    }
}

/// The attribute of a directory's users that feeds one of ours: of SCIM, by its full name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceAttribute(String);

/// No such attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a text attribute of a SCIM user, such as title or department")]
pub struct BadSourceAttribute;

impl FieldFault for BadSourceAttribute {
    fn code(&self) -> &'static str {
        "unknown_attribute"
    }
}

/// What the names of the enterprise extension begin with (RFC 7643, section 4.3).
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:";

impl SourceAttribute {
    /// Its full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SourceAttribute {
    type Err = BadSourceAttribute;
    /// Reads the name of a single text that a client may write; one of the enterprise extension also
    /// without its URN.
    fn from_str(text: &str) -> Result<Self, BadSourceAttribute> {
        let named = |text: &str| match ResourceKind::User.resolve(text) {
            Reference::Attribute(name) => is_text(&name).then(|| Self(name.to_string())),
            _ => None,
        };
        named(text).or_else(|| named(&format!("{ENTERPRISE}{text}"))).ok_or(BadSourceAttribute)
    }
}

fn is_text(name: &AttributeName) -> bool {
    name.leaf().kind == Type::Text && !name.attribute.multi_valued && !name.is_read_only()
}

/// Which attribute of the directory feeds which of ours.
pub type Mapping = BTreeMap<UserAttribute, SourceAttribute>;

/// What is mapped unless it is said otherwise: title, kind, and what the enterprise extension has.
pub fn default_mapping() -> Mapping {
    [
        (UserAttribute::Title, "title"),
        (UserAttribute::UserType, "userType"),
        (UserAttribute::Department, "department"),
        (UserAttribute::Division, "division"),
        (UserAttribute::Organization, "organization"),
        (UserAttribute::CostCenter, "costCenter"),
        (UserAttribute::EmployeeNumber, "employeeNumber"),
        (UserAttribute::Manager, "manager.value"),
    ]
    .into_iter()
    .filter_map(|(ours, theirs)| Some((ours, theirs.parse().ok()?)))
    .collect()
}

/// A group whose members get a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRole {
    /// The group, by its name; case does not count.
    pub group: GroupName,
    /// The role, at most admin.
    pub role: Role,
}

/// What an administrator chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What it is called.
    pub name: ProviderName,
    /// How it tells of its users.
    pub protocol: Protocol,
    /// Whether it is heard.
    pub enabled: bool,
    /// Whose members get which role; all others are users without a console.
    pub group_roles: Vec<GroupRole>,
    /// Whether a user who is there already, added by hand or imported, becomes the directory's when it
    /// tells of one with the same address.
    pub adopt_existing: bool,
}

impl Settings {
    /// The role of who is in these groups: the highest that one of them gives, at most admin.
    pub fn role<'a>(&self, groups: impl IntoIterator<Item = &'a GroupName>) -> Role {
        let groups: Vec<String> = groups.into_iter().map(|name| folded(name.as_str())).collect();
        let given =
            self.group_roles.iter().filter(|of| groups.contains(&folded(of.group.as_str())));
        // What is stored was read with the same limit; that it holds does not hang on that.
        let given = given.map(|of| of.role).filter(|role| *role != Role::SuperAdmin);
        // The mightiest is the smallest.
        given.min().unwrap_or(Role::User)
    }

    /// Whether the users of the directory are to become others by these settings than by those. What is
    /// read by LDAP becomes another with the next sync only: it has to be read first.
    pub fn changes_users(&self, before: &Self) -> bool {
        self.scim_mapping() != before.scim_mapping() || self.group_roles != before.group_roles
    }

    /// Which attribute of SCIM feeds which of ours, where the directory speaks it.
    pub const fn scim_mapping(&self) -> Option<&Mapping> {
        match &self.protocol {
            Protocol::Scim { mapping } => Some(mapping),
            Protocol::Ldap(_) => None,
        }
    }

    /// The directory that is read.
    pub fn ldap(&self) -> Option<&LdapSource> {
        match &self.protocol {
            Protocol::Ldap(source) => Some(source),
            Protocol::Scim { .. } => None,
        }
    }
}

/// A token of a provider, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenEntry {
    /// Its id.
    pub id: ProviderTokenId,
    /// When it was made.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// From when on it is refused.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
}

impl TokenEntry {
    /// Whether its time is not over.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.valid_until.is_none_or(|until| now < until)
    }
}

/// What becomes of a directory's users when their provider is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// They are deleted.
    Archive,
    /// They stay, as if added by hand.
    KeepAsManual,
}

impl Fate {
    /// The fate of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Archive, Self::KeepAsManual].into_iter().find(|fate| fate.name() == name)
    }

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::KeepAsManual => "keep_as_manual",
        }
    }
}

/// What is done to all users of a directory, in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// They become what the directory said and the present settings say.
    Apply,
    /// The directory is read, and they become what it says.
    Pull {
        /// Up to so many may be deactivated, whatever share of all they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accepted: Option<u32>,
    },
    /// They go, and the provider after them.
    Remove(Fate),
}

/// Such work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Under which it is known afterwards.
    pub id: SyncId,
    /// What.
    pub task: Task,
    /// How far it is.
    pub walk: Walk,
    /// Who wanted it; the schedule when nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Requester>,
    /// When it began.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub started_at: Timestamp,
    /// From when on a worker may go on with it.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub due_at: Timestamp,
    /// How many workers have taken it up.
    #[serde(default)]
    pub attempts: u32,
}

/// How many workers may fall silent over a sync before it is given up.
pub const MOST_ATTEMPTS: u32 = 5;

/// A directory that a tenant's users come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Its id.
    pub id: IdentityProviderId,
    /// Whose.
    pub tenant: TenantId,
    /// What an administrator chose.
    pub settings: Settings,
    /// Its tokens, the oldest first; those whose time is over until another one is made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<TokenEntry>,
    /// What goes on with all its users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// The last of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync: Option<Summary>,
    /// When it is to be read next without anybody's wish.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_sync_at: Option<Timestamp>,
    /// Of the groups that give a role, those that were seen: which entry has the name, as it is compared.
    /// Another one of that name gives none, until the settings are changed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bound: BTreeMap<String, EntryKey>,
    /// The password with which it is read, sealed for this provider.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    pub sealed_password: Option<Vec<u8>>,
    /// When it was made.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// Grows with every change by an administrator.
    pub version: u64,
    /// Grows with every write: also with its work, of which an administrator need not know.
    pub revision: u64,
}

impl Provider {
    /// Whether it is being deleted.
    pub fn is_going(&self) -> bool {
        self.work.as_ref().is_some_and(|work| matches!(work.task, Task::Remove(_)))
    }

    /// Whether it is heard.
    pub fn is_live(&self) -> bool {
        self.settings.enabled && !self.is_going()
    }

    /// The same after a change by an administrator.
    #[must_use]
    pub fn changed(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.moved() }
    }

    fn moved(&self) -> Self {
        Self { revision: self.revision.saturating_add(1), ..self.clone() }
    }

    /// The same version with work on all its users, from the beginning on.
    #[must_use]
    pub fn with_work(&self, id: SyncId, task: Task, by: Option<Requester>, now: Timestamp) -> Self {
        let walk = Walk::default();
        let work = Work { id, task, walk, by, started_at: now, due_at: now, attempts: 0 };
        Self { work: Some(work), ..self.clone() }
    }

    /// The same version, read next as its settings say: the schedule begins with the first sync that
    /// somebody wants.
    #[must_use]
    pub fn scheduled(&self) -> Self {
        let every = self.settings.ldap().and_then(|source| source.every);
        let last = self.last_sync.as_ref().map(|last| last.finished_at);
        let next = every.zip(last).map(|(every, last)| every.after(last));
        Self { next_sync_at: next.filter(|_| self.is_live()), ..self.clone() }
    }

    /// When a worker has to look at it.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.work.as_ref().map(|work| work.due_at).or(self.next_sync_at)
    }

    /// Nothing can be done at present: looked at again when a worker would have been thought silent.
    #[must_use]
    pub fn postponed(&self, now: Timestamp) -> Self {
        let mut next = self.moved();
        let later = now.checked_add(LEASE).unwrap_or(now);
        match &mut next.work {
            Some(work) => work.due_at = later,
            None => next.next_sync_at = Some(later),
        }
        next
    }

    /// Taken up by a worker: lent for as long as it may be silent.
    #[must_use]
    pub fn lent(&self, now: Timestamp) -> Self {
        let mut next = self.moved();
        if let Some(work) = &mut next.work {
            work.attempts += 1;
            work.due_at = now.checked_add(LEASE).unwrap_or(now);
        }
        next
    }

    /// After a part of its work (none of it to begin with): so many looked at and changed, and where it
    /// goes on; lent for as long as a worker may be silent.
    #[must_use]
    pub fn walked(
        &self,
        (done, changed): (u32, u32),
        after: Option<String>,
        now: Timestamp,
    ) -> Self {
        let mut next = self.moved();
        if let Some(work) = &mut next.work {
            let (done, changed) = (work.walk.done + done, work.walk.changed + changed);
            work.walk = Walk { after, done, changed, total: work.walk.total.max(done) };
            work.due_at = now.checked_add(LEASE).unwrap_or(now);
        }
        next
    }

    /// Amid a sync: of so many users who are not as the directory says so many are, and so many of them
    /// were changed for it.
    #[must_use]
    pub fn progressed(&self, (done, total): (u32, u32), changed: u32, now: Timestamp) -> Self {
        let mut next = self.moved();
        if let Some(work) = &mut next.work {
            work.walk = Walk { after: None, done, total, changed };
            work.due_at = now.checked_add(LEASE).unwrap_or(now);
        }
        next
    }

    /// After all of its work. Of a directory that is read only a sync counts as one: what else is done to
    /// its users neither begins its schedule nor answers what a sync asked.
    #[must_use]
    pub fn done(&self, summary: Summary) -> Self {
        let work = self.work.as_ref();
        let applied = work.is_some_and(|work| work.task == Task::Apply);
        let mut next = Self { work: None, ..self.moved() };
        if !applied || self.settings.ldap().is_none() {
            next.last_sync = Some(summary);
        }
        next.scheduled()
    }

    /// What a password is sealed for.
    pub fn sealed_for(&self) -> [(&'static str, String); 3] {
        [
            ("purpose", "ldap".to_owned()),
            ("tenant", self.tenant.to_string()),
            ("provider", self.id.to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_feeds_an_attribute_is_a_single_text() {
        let read = |text: &str| text.parse::<SourceAttribute>().map(|attribute| attribute.0);
        assert_eq!(read("TITLE").as_deref(), Ok("title"));
        assert_eq!(read("name.formatted").as_deref(), Ok("name.formatted"));
        let department = format!("{ENTERPRISE}department");
        assert_eq!(read("department"), Ok(department.clone()));
        assert_eq!(read(&department), Ok(department));
        for bad in
            ["", "emails", "emails.value", "active", "roles", "id", "manager.displayName", "x"]
        {
            assert_eq!(read(bad), Err(BadSourceAttribute), "{bad}");
        }
        assert_eq!(default_mapping().len(), 8);
    }

    #[test]
    fn the_highest_mapped_group_gives_the_role_and_none_makes_a_super_admin() {
        let of = |group: &str, role| GroupRole { group: group.parse().unwrap(), role };
        let settings = Settings {
            name: "Entra ID".parse().unwrap(),
            protocol: Protocol::Scim { mapping: Mapping::new() },
            enabled: true,
            group_roles: vec![
                of("Staff", Role::ReadOnly),
                of("Belfry Admins", Role::Admin),
                of("Owners", Role::SuperAdmin),
            ],
            adopt_existing: false,
        };
        let role = |names: &[&str]| {
            let names: Vec<GroupName> = names.iter().map(|name| name.parse().unwrap()).collect();
            settings.role(&names)
        };
        assert_eq!(role(&[]), Role::User);
        assert_eq!(role(&["Guests"]), Role::User);
        assert_eq!(role(&["staff"]), Role::ReadOnly);
        assert_eq!(role(&["STAFF", "belfry admins"]), Role::Admin);
        assert_eq!(role(&["Owners"]), Role::User);
    }
}
