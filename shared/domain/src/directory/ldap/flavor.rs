//! What kind of directory one speaks to.

use super::{Entry, Filter};
use serde::{Deserialize, Serialize};

/// `LDAP_CAP_ACTIVE_DIRECTORY_OID` of \[MS-ADTS\], section 3.1.1.3.4.3.1; Active Directory and its
/// lightweight edition name it among their capabilities.
const ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";

/// The control of RFC 2696.
const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";

/// A kind of directory: it decides what attributes are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flavor {
    /// Microsoft's Active Directory.
    ActiveDirectory,
    /// `OpenLDAP`, and others with `inetOrgPerson` (RFC 2798) and `entryUUID` (RFC 4530).
    #[serde(rename = "openldap")]
    OpenLdap,
}

impl Flavor {
    /// The users of this kind of directory.
    pub const fn user_filter(self) -> &'static str {
        match self {
            // People, disabled ones too; computers, and the service accounts that are computers, are users
            // to `objectClass`.
            Self::ActiveDirectory => "(&(objectClass=user)(!(objectClass=computer)))",
            Self::OpenLdap => "(objectClass=inetOrgPerson)",
        }
    }

    /// The groups of this kind of directory.
    pub const fn group_filter(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "(objectClass=group)",
            Self::OpenLdap => "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))",
        }
    }

    /// [`Self::user_filter`], taken apart.
    ///
    /// # Errors
    /// None: the text is a constant.
    pub fn users(self) -> Result<Filter, super::FilterFault> {
        self.user_filter().parse()
    }

    /// [`Self::group_filter`], taken apart.
    ///
    /// # Errors
    /// None: the text is a constant.
    pub fn groups(self) -> Result<Filter, super::FilterFault> {
        self.group_filter().parse()
    }
}

/// What a server says of itself (RFC 4512, section 5.1). Any of it may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RootDse {
    /// Who made it.
    pub vendor: Option<String>,
    /// Where its trees begin.
    pub naming_contexts: Vec<String>,
    /// Which controls it knows, as object identifiers.
    pub controls: Vec<String>,
    /// What Active Directory can, as object identifiers.
    pub capabilities: Vec<String>,
}

impl RootDse {
    /// The attributes that are asked for.
    pub const ATTRIBUTES: &'static [&'static str] = &[
        "vendorName",
        "vendorVersion",
        "objectClass",
        "namingContexts",
        "supportedControl",
        "supportedCapabilities",
    ];

    /// Of the entry that the server gave.
    pub fn of(entry: &Entry) -> Self {
        // The server is a stranger: what it says is shown to people.
        let shown = |text: &str| text.chars().filter(|c| !c.is_control()).take(200).collect();
        let all = |name| entry.texts(name).take(100).map(shown).collect::<Vec<String>>();
        let vendor: Vec<_> = ["vendorName", "vendorVersion"]
            .into_iter()
            .filter_map(|name| entry.text(name))
            .collect();
        let open_ldap = entry.texts("objectClass").any(|class| class == "OpenLDAProotDSE");
        let vendor = match vendor.as_slice() {
            [] if open_ldap => Some("OpenLDAP".to_owned()),
            [] => None,
            some => Some(shown(&some.join(" "))),
        };
        Self {
            vendor,
            naming_contexts: all("namingContexts"),
            controls: all("supportedControl"),
            capabilities: all("supportedCapabilities"),
        }
    }

    /// The kind of directory.
    pub fn flavor(&self) -> Flavor {
        if self.capabilities.iter().any(|oid| oid == ACTIVE_DIRECTORY) {
            Flavor::ActiveDirectory
        } else {
            Flavor::OpenLdap
        }
    }

    /// Whether the server can answer in pages.
    pub fn pages(&self) -> bool {
        self.controls.iter().any(|oid| oid == PAGED_RESULTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_told_by_what_it_says() {
        let entry = |attributes: &[(&str, &[&str])]| {
            let mut entry = Entry::new(String::new());
            for (name, values) in attributes {
                entry.append(name, values.iter().map(|value| value.as_bytes().to_vec()));
            }
            RootDse::of(&entry)
        };
        let active = entry(&[
            ("supportedCapabilities", &["1.2.840.113556.1.4.1851", ACTIVE_DIRECTORY]),
            ("supportedControl", &[PAGED_RESULTS]),
        ]);
        assert_eq!((active.flavor(), active.pages()), (Flavor::ActiveDirectory, true));
        let open = entry(&[
            ("objectClass", &["top", "OpenLDAProotDSE"]),
            ("namingContexts", &["dc=example,dc=com"]),
        ]);
        assert_eq!((open.flavor(), open.pages()), (Flavor::OpenLdap, false));
        assert_eq!(open.vendor.as_deref(), Some("OpenLDAP"));
        assert_eq!(open.naming_contexts, ["dc=example,dc=com"]);
        let other = entry(&[("vendorName", &["389 Project"]), ("vendorVersion", &["3.1"])]);
        assert_eq!(other.vendor.as_deref(), Some("389 Project 3.1"));
        assert_eq!(RootDse::default().flavor(), Flavor::OpenLdap);
    }

    #[test]
    fn the_filters_are_filters() {
        for flavor in [Flavor::ActiveDirectory, Flavor::OpenLdap] {
            assert_eq!(flavor.users().unwrap().as_str(), flavor.user_filter());
            assert_eq!(flavor.groups().unwrap().as_str(), flavor.group_filter());
        }
    }
}
