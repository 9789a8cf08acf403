//! Groups of a directory, and who is in them.

use super::mapping::{MEMBER_OF, MEMBERS};
use super::{Dn, Entry, EntryFault, EntryKey, KeyAttribute, Rejected};
use crate::directory::entry::MOST_MEMBERSHIPS;
use crate::text::GroupName;
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What it is known by.
    pub key: EntryKey,
    /// Its name.
    pub name: GroupName,
    /// Its name in the directory, as names are compared.
    dn: String,
}

impl Group {
    fn read(entry: &Entry, key: KeyAttribute) -> Result<Self, Rejected> {
        let found = entry.key(key);
        let name = entry.text("cn").map(str::parse);
        match (found, name) {
            (Some(key), Some(Ok(name))) => Ok(Self { key, name, dn: Dn::key_of(entry.dn()) }),
            (None, _) => Err(Rejected::of(entry, found, [EntryFault::NoKey])),
            _ => Err(Rejected::of(entry, found, [EntryFault::GroupName])),
        }
    }
}

/// The groups below the base, and who is in them: found by what users say (`memberOf`) and by what groups
/// say (`member`, `uniqueMember`), as directories keep the one, the other or both. Who is in a group that
/// is in another one is in both.
///
/// A group that is not in here does not exist: a user may be in groups from elsewhere, and those have names
/// like ours.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    all: Vec<Group>,
    /// By the key of its name.
    by_dn: HashMap<String, usize>,
    /// By the key of the member's name; 16 bits each, as they are many.
    by_member: HashMap<String, Vec<u16>>,
    /// By the group's own key of its name: in which groups it says to be.
    said: HashMap<String, Vec<String>>,
    /// In which groups each is, itself among them, as bits; made when it is first asked for.
    above: OnceCell<Vec<Vec<u64>>>,
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
        self.by_dn.insert(group.dn.clone(), self.all.len());
        for member in MEMBERS.into_iter().flat_map(|name| entry.texts(name)) {
            self.by_member.entry(Dn::key_of(member)).or_default().push(place);
        }
        let above: Vec<_> = entry.texts(MEMBER_OF).map(Dn::key_of).collect();
        if !above.is_empty() {
            self.said.insert(group.dn.clone(), above);
        }
        self.all.push(group);
        self.above.take();
        Ok(())
    }

    /// How many names are kept of who is in them.
    pub fn weight(&self) -> usize {
        self.by_member.len()
    }

    /// All of them.
    pub fn all(&self) -> &[Group] {
        &self.all
    }

    /// Those that the entry is in, by their keys; at most [`MOST_MEMBERSHIPS`].
    pub fn of(&self, entry: &Entry) -> BTreeSet<EntryKey> {
        let above = self.above.get_or_init(|| self.closed());
        let mut bits = vec![0; self.words()];
        for place in self.direct(&Dn::key_of(entry.dn()), entry.texts(MEMBER_OF).map(Dn::key_of)) {
            unite(&mut bits, above.get(place).map_or(&[], Vec::as_slice));
        }
        let in_it = |place: &usize| is_set(&bits, *place);
        let groups = (0..self.all.len()).filter(in_it).filter_map(|place| self.all.get(place));
        groups.map(|group| group.key).take(MOST_MEMBERSHIPS).collect()
    }

    const fn words(&self) -> usize {
        self.all.len().div_ceil(64)
    }

    /// Of whoever has this name and says to be in those.
    fn direct(&self, dn: &str, said: impl Iterator<Item = String>) -> BTreeSet<usize> {
        said.filter_map(|dn| self.by_dn.get(&dn).copied()).chain(self.listing(dn)).collect()
    }

    /// Which groups each group is in, over any number of others (Warshall's algorithm): by bits, as a
    /// stranger may have put all of them into all.
    fn closed(&self) -> Vec<Vec<u64>> {
        let row = |(place, group): (usize, &Group)| {
            let mut row = vec![0; self.words()];
            set(&mut row, place);
            let said = self.said.get(&group.dn).into_iter().flatten().cloned();
            self.direct(&group.dn, said).into_iter().for_each(|above| set(&mut row, above));
            row
        };
        let mut rows: Vec<Vec<u64>> = self.all.iter().enumerate().map(row).collect();
        for through in 0..rows.len() {
            let Some(above) = rows.get(through).cloned() else { continue };
            for row in rows.iter_mut().filter(|row| is_set(row, through)) {
                unite(row, &above);
            }
        }
        rows
    }

    /// The groups that list whoever has this name.
    fn listing(&self, dn: &str) -> impl Iterator<Item = usize> {
        self.by_member.get(dn).into_iter().flatten().map(|place| usize::from(*place))
    }
}

fn set(bits: &mut [u64], place: usize) {
    if let Some(word) = bits.get_mut(place / 64) {
        *word |= 1 << (place % 64);
    }
}

fn is_set(bits: &[u64], place: usize) -> bool {
    bits.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
}

fn unite(bits: &mut [u64], other: &[u64]) {
    bits.iter_mut().zip(other).for_each(|(word, other)| *word |= other);
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

    /// The names of the groups that an entry is in.
    fn named(groups: &Groups, entry: &Entry) -> Vec<String> {
        let keys = groups.of(entry);
        let of = groups.all().iter().filter(|group| keys.contains(&group.key));
        of.map(|group| group.name.as_str().to_owned()).collect()
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
            named(&groups, &entry(dn, &said))
        };
        assert_eq!(of("uid=ann,dc=example", &[]), ["Staff", "Sales"]);
        assert_eq!(of("uid=ann,dc=example", &["CN=staff,DC=example"]), ["Staff", "Sales"]);
        assert_eq!(of("uid=bob,dc=example", &["CN=staff,DC=example"]), ["Staff"]);
        // Of that name, but elsewhere.
        assert_eq!(of("uid=bob,dc=example", &["cn=Staff,ou=mine,dc=example"]), [""; 0]);
        assert_eq!(groups.all().len(), 2);
    }

    #[test]
    fn who_is_in_a_group_is_in_those_that_it_is_in() {
        let mut groups = Groups::default();
        let mut add = |name: &str, n: u8, attributes: &[(&str, &str)]| {
            let key = format!("11111111-0000-4000-8000-0000000000{n:02}");
            let own = [("entryUUID", key.as_str()), ("cn", name)];
            let all: Vec<_> = own.iter().chain(attributes).copied().collect();
            let entry = entry(&format!("cn={name},dc=example"), &all);
            groups.add(&entry, KeyAttribute::EntryUuid).unwrap();
        };
        add("berlin", 1, &[("member", "uid=ann,dc=example")]);
        add("germany", 2, &[("member", "cn=berlin,dc=example")]);
        // A circle, said by the member.
        add(
            "europe",
            3,
            &[("member", "cn=germany,dc=example"), ("memberOf", "cn=berlin,dc=example")],
        );
        add("asia", 4, &[]);
        assert_eq!(
            named(&groups, &entry("uid=ann,dc=example", &[])),
            ["berlin", "germany", "europe"]
        );
        let of_europe = [("memberOf", "cn=europe,dc=example")];
        let bob = entry("uid=bob,dc=example", &of_europe);
        assert_eq!(named(&groups, &bob), ["berlin", "germany", "europe"]);
    }

    #[test]
    fn what_is_no_group() {
        let mut groups = Groups::default();
        for (attributes, fault) in [
            (&[("cn", "Staff")][..], EntryFault::NoKey),
            (&[("entryUUID", STAFF)], EntryFault::GroupName),
            (&[("entryUUID", STAFF), ("cn", &"x".repeat(257))], EntryFault::GroupName),
        ] {
            let rejected = groups.add(&entry("cn=x", attributes), KeyAttribute::EntryUuid);
            assert_eq!(rejected.unwrap_err().faults, [fault]);
        }
        assert!(groups.all().is_empty());
    }
}
