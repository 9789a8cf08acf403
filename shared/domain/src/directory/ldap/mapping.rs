//! Which attribute of a directory becomes what of a user.

use super::Flavor;
use super::filter::{MOST_ATTRIBUTE, is_attribute};
use crate::attribute::UserAttribute;
use crate::failure::FieldFault;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// The name of an attribute, with options if any, at most 128 bytes (RFC 4512, section 2.5).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttributeName(String);

/// A text that is not the name of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the name of an attribute, like mail, at most {MOST_ATTRIBUTE} characters")]
pub struct BadAttributeName;

impl FieldFault for BadAttributeName {}

impl AttributeName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AttributeName {
    type Err = BadAttributeName;
    fn from_str(text: &str) -> Result<Self, BadAttributeName> {
        is_attribute(text).then(|| Self(text.to_owned())).ok_or(BadAttributeName)
    }
}

impl TryFrom<String> for AttributeName {
    type Error = BadAttributeName;
    fn try_from(text: String) -> Result<Self, BadAttributeName> {
        text.parse()
    }
}

impl From<AttributeName> for String {
    fn from(name: AttributeName) -> Self {
        name.0
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// By what an entry is known for life; neither name nor address are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyAttribute {
    /// `objectGUID` of Active Directory: 16 bytes.
    ObjectGuid,
    /// `entryUUID` of RFC 4530: text.
    EntryUuid,
}

impl KeyAttribute {
    /// What the attribute is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ObjectGuid => "objectGUID",
            Self::EntryUuid => "entryUUID",
        }
    }
}

/// What a person has beside what [`UserAttribute`] lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonField {
    /// Address.
    Email,
    /// First name.
    FirstName,
    /// Last name.
    LastName,
    /// Both, where one of them is missing.
    DisplayName,
    /// Mobile number.
    Mobile,
    /// Another number.
    Phone,
}

impl PersonField {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Email,
        Self::FirstName,
        Self::LastName,
        Self::DisplayName,
        Self::Mobile,
        Self::Phone,
    ];

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::DisplayName => "display_name",
            Self::Mobile => "mobile",
            Self::Phone => "phone",
        }
    }
}

/// How one sees that an account is disabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "when")]
pub enum DisabledWhen {
    /// The attribute's number has one of these bits. Without the attribute nobody knows: an account that
    /// may not read it would see all as enabled.
    HasBits {
        /// Which attribute.
        attribute: AttributeName,
        /// Which bits.
        bits: u32,
    },
    /// The attribute has this value, in any case.
    Equals {
        /// Which attribute.
        attribute: AttributeName,
        /// Which value.
        value: String,
    },
    /// The attribute has any value.
    IsPresent {
        /// Which attribute.
        attribute: AttributeName,
    },
}

impl DisabledWhen {
    /// Which attribute is looked at.
    pub const fn attribute(&self) -> &AttributeName {
        match self {
            Self::HasBits { attribute, .. }
            | Self::Equals { attribute, .. }
            | Self::IsPresent { attribute } => attribute,
        }
    }
}

/// Which attribute becomes what. Of several for one field the first that has a text counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// By what an entry is known.
    pub key: KeyAttribute,
    /// For names, address and numbers.
    pub person: BTreeMap<PersonField, Vec<AttributeName>>,
    /// For what else is known.
    pub attributes: BTreeMap<UserAttribute, Vec<AttributeName>>,
    /// An account is disabled when one of these is so.
    pub disabled: Vec<DisabledWhen>,
}

/// The attribute in which a user's groups stand.
pub(super) const MEMBER_OF: &str = "memberOf";

/// The attributes in which a group's members stand: `groupOfNames` and `group`, `groupOfUniqueNames`.
pub(super) const MEMBERS: [&str; 2] = ["member", "uniqueMember"];

impl Mapping {
    /// What a kind of directory has for it, as delivered.
    pub fn of(flavor: Flavor) -> Self {
        let active = flavor == Flavor::ActiveDirectory;
        let person = [
            (PersonField::Email, &["mail"][..]),
            (PersonField::FirstName, &["givenName"]),
            (PersonField::LastName, &["sn"]),
            (PersonField::DisplayName, &["displayName", "cn"]),
            (PersonField::Mobile, &["mobile"]),
            (PersonField::Phone, &["telephoneNumber"]),
        ];
        let attributes = [
            (
                UserAttribute::Department,
                if active { &["department"][..] } else { &["department", "ou"] },
            ),
            (UserAttribute::Division, &["division"]),
            (UserAttribute::Organization, if active { &["company"] } else { &["company", "o"] }),
            (UserAttribute::EmployeeNumber, &["employeeNumber", "employeeID"]),
            (UserAttribute::Title, &["title"]),
            (UserAttribute::UserType, &["employeeType"]),
            (UserAttribute::Location, &["physicalDeliveryOfficeName", "l"]),
            (UserAttribute::Country, &["co", "c"]),
            (UserAttribute::Manager, &["manager"]),
        ];
        let (key, disabled) = match flavor {
            // `ADS_UF_ACCOUNTDISABLE` of [MS-ADTS], section 2.2.16.
            Flavor::ActiveDirectory => (
                KeyAttribute::ObjectGuid,
                DisabledWhen::HasBits { attribute: known("userAccountControl"), bits: 2 },
            ),
            // slapo-ppolicy(5): locked for ever, by an administrator. A real time is that of too many wrong
            // passwords, which anybody can bring about.
            Flavor::OpenLdap => (
                KeyAttribute::EntryUuid,
                DisabledWhen::Equals {
                    attribute: known("pwdAccountLockedTime"),
                    value: "000001010000Z".to_owned(),
                },
            ),
        };
        let all = |names: &[&str]| names.iter().copied().map(known).collect();
        Self {
            key,
            person: person.into_iter().map(|(field, names)| (field, all(names))).collect(),
            attributes: attributes.into_iter().map(|(field, names)| (field, all(names))).collect(),
            disabled: vec![disabled],
        }
    }

    /// The attributes of users that have to be asked for. Keys and groups are operational in some
    /// directories: such ones come only when named.
    pub fn of_users(&self) -> Vec<String> {
        let names = self.person.values().chain(self.attributes.values()).flatten();
        let names = names.chain(self.disabled.iter().map(DisabledWhen::attribute));
        let mut names: BTreeSet<String> = names.map(ToString::to_string).collect();
        names.extend([self.key.name(), MEMBER_OF].map(str::to_owned));
        names.into_iter().collect()
    }

    /// The attributes of groups that have to be asked for.
    pub fn of_groups(&self) -> Vec<String> {
        [self.key.name(), "cn", MEMBER_OF].into_iter().chain(MEMBERS).map(str::to_owned).collect()
    }
}

/// A name that stands in this file.
fn known(name: &str) -> AttributeName {
    AttributeName(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_are_names_of_attributes_each_once() {
        for flavor in [Flavor::ActiveDirectory, Flavor::OpenLdap] {
            let mapping = Mapping::of(flavor);
            for names in [mapping.of_users(), mapping.of_groups()] {
                assert!(
                    names.iter().all(|name| name.parse::<AttributeName>().is_ok()),
                    "{names:?}"
                );
                assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
                assert!(names.contains(&mapping.key.name().to_owned()));
            }
            assert!(mapping.of_users().contains(&"memberOf".to_owned()));
            let stored = serde_json::to_string(&mapping).unwrap();
            assert_eq!(serde_json::from_str::<Mapping>(&stored).unwrap(), mapping);
        }
    }

    #[test]
    fn names_of_attributes() {
        for good in ["mail", "cn;lang-de", "1.2.840.113556.1.4.8", "a-b", "extensionAttribute15"] {
            assert!(good.parse::<AttributeName>().is_ok(), "{good}");
        }
        for bad in
            ["", "1a", "-a", "a b", "a=b", "a)(b", "*", "+", "a;", "ü", "1..2", &"a".repeat(129)]
        {
            assert!(bad.parse::<AttributeName>().is_err(), "{bad}");
        }
    }
}
