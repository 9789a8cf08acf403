//! Groups of a directory, and who is in them.

use super::mapping::{MEMBER_OF, MEMBERS};
use super::{Dn, Entry, EntryFault, EntryKey, KeyAttribute, Rejected};
use crate::text::AttributeText;
use std::collections::{BTreeMap, HashMap};

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What it is known by.
    pub key: EntryKey,
    /// Its name.
    pub name: AttributeText,
}

impl Group {
    fn read(entry: &Entry, key: KeyAttribute) -> Result<Self, Rejected> {
        let found = entry.key(key);
        let name = entry.text("cn").map(str::parse);
        match (found, name) {
            (Some(key), Some(Ok(name))) => Ok(Self { key, name }),
            (None, _) => Err(Rejected::of(entry, found, [EntryFault::NoKey])),
            _ => Err(Rejected::of(entry, found, [EntryFault::GroupName])),
        }
    }
}

/// The groups below the base, and who is in them: found by what users say (`memberOf`) and by what groups
/// say (`member`, `uniqueMember`), as directories keep the one, the other or both.
///
/// A group that is not in here does not exist: a user may be in groups from elsewhere, and those have names
/// like ours. Groups in groups are not followed.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    all: Vec<Group>,
    /// By the key of its name.
    by_dn: HashMap<String, usize>,
    /// By the key of the member's name; 16 bits each, as they are many.
    by_member: HashMap<String, Vec<u16>>,
}

impl Groups {
    /// One more.
    ///
    /// # Errors
    /// [`Rejected`] when it cannot be a group.
    pub fn add(&mut self, entry: &Entry, key: KeyAttribute) -> Result<(), Rejected> {
        let group = Group::read(entry, key)?;
        let place = u16::try_from(self.all.len())
            .map_err(|_| Rejected::of(entry, Some(group.key), [EntryFault::TooManyGroups]))?;
        self.by_dn.insert(Dn::key_of(entry.dn()), self.all.len());
        for member in MEMBERS.into_iter().flat_map(|name| entry.texts(name)) {
            self.by_member.entry(Dn::key_of(member)).or_default().push(place);
        }
        self.all.push(group);
        Ok(())
    }

    /// All of them.
    pub fn all(&self) -> &[Group] {
        &self.all
    }

    /// Those that the entry is in: their names by their keys.
    pub fn of(&self, entry: &Entry) -> BTreeMap<EntryKey, AttributeText> {
        let said = entry.texts(MEMBER_OF).filter_map(|dn| self.by_dn.get(&Dn::key_of(dn)).copied());
        let listed = self.by_member.get(&Dn::key_of(entry.dn())).into_iter().flatten();
        let places = said.chain(listed.map(|place| usize::from(*place)));
        let groups = places.filter_map(|place| self.all.get(place));
        groups.map(|group| (group.key, group.name.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(dn: &str, attributes: &[(&str, &str)]) -> Entry {
        let mut entry = Entry::new(dn.to_owned());
        for (name, value) in attributes {
            entry.append(name, [value.as_bytes().to_vec()]);
        }
        entry
    }

    const STAFF: &str = "11111111-0000-4000-8000-000000000001";
    const SALES: &str = "11111111-0000-4000-8000-000000000002";

    #[test]
    fn a_user_s_groups_are_found_from_both_sides() {
        let mut groups = Groups::default();
        let key = KeyAttribute::EntryUuid;
        let staff = [("entryUUID", STAFF), ("cn", "Staff"), ("member", "UID=Ann, DC=Example")];
        groups.add(&entry("cn=Staff,dc=example", &staff), key).unwrap();
        let sales = [("entryUUID", SALES), ("cn", "Sales"), ("uniqueMember", "uid=ann,dc=example")];
        groups.add(&entry("cn=Sales,dc=example", &sales), key).unwrap();
        let of = |dn: &str, member_of: &[&str]| {
            let said: Vec<_> = member_of.iter().map(|dn| ("memberOf", *dn)).collect();
            let names = groups.of(&entry(dn, &said)).into_values().map(String::from);
            names.collect::<Vec<_>>()
        };
        assert_eq!(of("uid=ann,dc=example", &[]), ["Staff", "Sales"]);
        assert_eq!(of("uid=ann,dc=example", &["CN=staff,DC=example"]), ["Staff", "Sales"]);
        assert_eq!(of("uid=bob,dc=example", &["CN=staff,DC=example"]), ["Staff"]);
        // Of that name, but elsewhere.
        assert_eq!(of("uid=bob,dc=example", &["cn=Staff,ou=mine,dc=example"]), [""; 0]);
        assert_eq!(groups.all().len(), 2);
    }

    #[test]
    fn what_is_no_group() {
        let mut groups = Groups::default();
        for (attributes, fault) in [
            (&[("cn", "Staff")][..], EntryFault::NoKey),
            (&[("entryUUID", STAFF)], EntryFault::GroupName),
            (&[("entryUUID", STAFF), ("cn", &"x".repeat(129))], EntryFault::GroupName),
        ] {
            let rejected = groups.add(&entry("cn=x", attributes), KeyAttribute::EntryUuid);
            assert_eq!(rejected.unwrap_err().faults, [fault]);
        }
        assert!(groups.all().is_empty());
    }
}
