//! Directories that are read by LDAP: Active Directory and `OpenLDAP`.
//!
//! What an administrator chooses ([`LdapSettings`], with [`Dn`] and [`Filter`]), what a directory says
//! ([`Entry`]), and what Belfry makes of it ([`Mapping`], [`Reading`], [`Group`]).

mod dn;
mod entry;
mod filter;
mod flavor;
mod group;
mod mapping;
mod person;

pub use dn::{Dn, DnFault, escape_dn};
pub use entry::{Entry, EntryKey};
pub use filter::{Filter, FilterFault, FilterFaultKind, Node, escape_filter, escape_filter_bytes};
pub use flavor::{Flavor, RootDse};
pub use group::{Group, Groups};
pub use mapping::{
    AttributeName, BadAttributeName, DisabledWhen, KeyAttribute, Mapping, PersonField,
};
pub use person::{EntryFault, Note, Reading, Rejected};

use crate::outbound::{Host, Peer, PortFault, Ports};
use serde::{Deserialize, Serialize};

/// How the connection is encrypted. There is no other way: a bind's password is in clear text below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// TLS from the first byte, usually on port 636 or 3269.
    Ldaps,
    /// TLS after the server agreed to it (RFC 4511, section 4.14), usually on port 389 or 3268.
    #[serde(rename = "starttls")]
    StartTls,
}

/// Where a directory is, as whom it is read, and what of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LdapSettings {
    /// Host.
    pub host: Host,
    /// One of [`Ports::Directory`].
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// The only certificate authorities that are trusted (PEM); without them Mozilla's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
    /// Below this entry, itself included, are users and groups.
    pub base_dn: Dn,
    /// As whom Belfry reads.
    pub bind_dn: Dn,
    /// Which entries are users.
    pub filter: Filter,
}

impl LdapSettings {
    /// Where to connect.
    ///
    /// # Errors
    /// [`PortFault`].
    pub fn peer(&self) -> Result<Peer, PortFault> {
        Peer::new(self.host.clone(), self.port, Ports::Directory)
    }

    /// Whether the password may not go to where `self` leads without being given again: another host,
    /// port, encryption, authority or name to bind as.
    pub fn needs_secret_again(&self, before: &Self) -> bool {
        self.host != before.host
            || self.port != before.port
            || self.security != before.security
            || self.ca_pem != before.ca_pem
            || self.bind_dn != before.bind_dn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> LdapSettings {
        serde_json::from_value(serde_json::json!({
            "host": "DC1.example.com",
            "port": 636,
            "security": "ldaps",
            "base_dn": "DC=example, DC=com",
            "bind_dn": "cn=belfry,ou=services,dc=example,dc=com",
            "filter": "(objectClass=user)",
        }))
        .unwrap()
    }

    #[test]
    fn settings_are_read_as_they_are_stored() {
        let settings = settings();
        assert_eq!(settings.base_dn.to_string(), "DC=example,DC=com");
        let stored = serde_json::to_value(&settings).unwrap();
        assert_eq!(stored["host"], "dc1.example.com");
        assert_eq!(serde_json::from_value::<LdapSettings>(stored).unwrap(), settings);
        assert_eq!(settings.peer().unwrap().to_string(), "dc1.example.com:636");
        assert!(LdapSettings { port: 10_636, ..settings }.peer().is_err());
    }

    #[test]
    fn a_password_goes_nowhere_else_unasked() {
        let before = settings();
        let same_server = [
            LdapSettings { base_dn: "dc=other".parse().unwrap(), ..before.clone() },
            LdapSettings { filter: "(mail=*)".parse().unwrap(), ..before.clone() },
        ];
        let elsewhere = [
            LdapSettings { host: "dc2.example.com".parse().unwrap(), ..before.clone() },
            LdapSettings { port: 3269, ..before.clone() },
            LdapSettings { security: Security::StartTls, ..before.clone() },
            LdapSettings { ca_pem: Some("x".into()), ..before.clone() },
            LdapSettings { bind_dn: "cn=x".parse().unwrap(), ..before.clone() },
        ];
        assert!(same_server.iter().all(|after| !after.needs_secret_again(&before)));
        assert!(elsewhere.iter().all(|after| after.needs_secret_again(&before)));
    }
}
