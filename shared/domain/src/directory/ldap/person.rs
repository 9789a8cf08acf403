//! A user of a directory, as Belfry sees it.

use super::{DisabledWhen, Dn, Entry, EntryKey, Groups, Mapping, PersonField};
use crate::attribute::{UserAttribute, UserAttributes};
use crate::directory::person::Person;
use crate::email::EmailAddress;
use crate::failure::FieldFault;
use crate::text::{BadText, PersonName};
use std::collections::BTreeSet;
use std::str::FromStr;

/// A person, and what of its entry was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What it is known by.
    pub key: EntryKey,
    /// The person; its groups are not named yet.
    pub person: Person,
    /// The groups below the base that it is in.
    pub groups: BTreeSet<EntryKey>,
    /// What was left out.
    pub notes: Vec<Note>,
}

/// A value that was left out, without keeping the person out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// Where it would have gone, `snake_case`.
    pub field: &'static str,
    /// Why it does not.
    pub fault: BadText,
}

/// An entry that cannot be a person or a group. A person that Belfry knows by this key stays as it is, as it
/// has not left the directory; unless its account is disabled: whoever leaves often loses the address too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its name in the directory, at most 200 characters.
    pub dn: String,
    /// What it is known by, if that can be told.
    pub key: Option<EntryKey>,
    /// Whether the account is known to be disabled.
    pub disabled: bool,
    /// All that is wrong with it.
    pub faults: Vec<EntryFault>,
}

impl Rejected {
    pub(super) fn of(
        entry: &Entry,
        key: Option<EntryKey>,
        faults: impl IntoIterator<Item = EntryFault>,
    ) -> Self {
        let dn = entry.dn().chars().filter(|c| !c.is_control()).take(200).collect();
        Self { dn, key, disabled: false, faults: faults.into_iter().collect() }
    }
}

/// Why an entry cannot be a person or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// Neither `objectGUID` nor `entryUUID`, or no good one.
    #[error("the entry has no objectGUID or entryUUID")]
    NoKey,
    /// Another entry has it too.
    #[error("another entry has the same objectGUID or entryUUID")]
    KeyTaken,
    /// No address.
    #[error("the entry has no e-mail address")]
    NoEmail,
    /// What is there for an address is none.
    #[error("the entry's e-mail address is none")]
    BadEmail,
    /// No first name, and no full name to take it from.
    #[error("the entry has no first name")]
    NoFirstName,
    /// A first name that is none.
    #[error("the first name: {0}")]
    FirstName(BadText),
    /// No last name, and no full name to take it from.
    #[error("the entry has no last name")]
    NoLastName,
    /// A last name that is none.
    #[error("the last name: {0}")]
    LastName(BadText),
    /// The attribute that says so is missing or no number.
    #[error("whether the account is disabled cannot be read")]
    UnknownStatus,
    /// A group without a name, or with one of more than 256 characters.
    #[error("the group has no name of 1 to 256 characters")]
    GroupName,
    /// Another group below the base has the name: a role would go to the members of both.
    #[error("another group has this name; names of groups that are read must differ")]
    GroupNameTaken,
    /// More groups than can be counted.
    #[error("there are too many groups")]
    TooManyGroups,
}

impl FieldFault for EntryFault {
    fn code(&self) -> &'static str {
        match self {
            Self::NoKey => "no_key",
            Self::KeyTaken => "key_taken",
            Self::NoEmail => "no_email",
            Self::BadEmail => "bad_email",
            Self::NoFirstName => "no_first_name",
            Self::FirstName(_) => "bad_first_name",
            Self::NoLastName => "no_last_name",
            Self::LastName(_) => "bad_last_name",
            Self::UnknownStatus => "unknown_status",
            Self::GroupName => "bad_group_name",
            Self::GroupNameTaken => "group_name_taken",
            Self::TooManyGroups => "too_many_groups",
        }
    }
}

impl Reading {
    /// From an entry.
    ///
    /// # Errors
    /// [`Rejected`] with all that is wrong.
    pub fn of(entry: &Entry, mapping: &Mapping, groups: &Groups) -> Result<Self, Rejected> {
        let reader = Reader { entry, mapping };
        let key = entry.key(mapping.key);
        let (first, last) = reader.names();
        let mut faults = Vec::new();
        let found_key = keep(key.ok_or(EntryFault::NoKey), &mut faults);
        let email = keep(reader.email(), &mut faults);
        let first_name = keep(first, &mut faults);
        let last_name = keep(last, &mut faults);
        let active = keep(reader.active(), &mut faults);
        let (Some(found), Some(email), Some(first_name), Some(last_name), Some(active)) =
            (found_key, email, first_name, last_name, active)
        else {
            let disabled = active == Some(false);
            return Err(Rejected { disabled, ..Rejected::of(entry, key, faults) });
        };
        let mut notes = Vec::new();
        let person = Person {
            email,
            first_name,
            last_name,
            mobile: noted("mobile", reader.person(PersonField::Mobile), &mut notes),
            phone: noted("phone", reader.person(PersonField::Phone), &mut notes),
            attributes: reader.attributes(&mut notes),
            active,
            groups: BTreeSet::new(),
        };
        Ok(Self { key: found, person, groups: groups.of(entry), notes })
    }
}

/// The value; a fault goes to the others.
fn keep<T>(read: Result<T, EntryFault>, faults: &mut Vec<EntryFault>) -> Option<T> {
    read.map_err(|fault| faults.push(fault)).ok()
}

/// The value; one that does not fit is left out and noted.
fn noted<T: FromStr<Err = BadText>>(
    field: &'static str,
    text: Option<&str>,
    notes: &mut Vec<Note>,
) -> Option<T> {
    text?.parse().map_err(|fault| notes.push(Note { field, fault })).ok()
}

struct Reader<'a> {
    entry: &'a Entry,
    mapping: &'a Mapping,
}

impl<'a> Reader<'a> {
    fn person(&self, field: PersonField) -> Option<&'a str> {
        self.mapping.person.get(&field)?.iter().find_map(|name| self.entry.text(name.as_str()))
    }

    fn email(&self) -> Result<EmailAddress, EntryFault> {
        let text = self.person(PersonField::Email).ok_or(EntryFault::NoEmail)?;
        text.parse().map_err(|_| EntryFault::BadEmail)
    }

    /// First and last name; one that is missing is taken from the full name.
    fn names(&self) -> (Result<PersonName, EntryFault>, Result<PersonName, EntryFault>) {
        let full = self.person(PersonField::DisplayName).unwrap_or_default().trim();
        let taken = match full.split_once(',') {
            Some((last, first)) => Some((first, last)),
            None => full.rsplit_once(' '),
        };
        let first = self.person(PersonField::FirstName).or(taken.map(|(first, _)| first));
        let last = self.person(PersonField::LastName).or(taken.map(|(_, last)| last));
        (
            first
                .ok_or(EntryFault::NoFirstName)
                .and_then(|text| text.parse().map_err(EntryFault::FirstName)),
            last.ok_or(EntryFault::NoLastName)
                .and_then(|text| text.parse().map_err(EntryFault::LastName)),
        )
    }

    fn active(&self) -> Result<bool, EntryFault> {
        for rule in &self.mapping.disabled {
            let mut texts = self.entry.texts(rule.attribute().as_str());
            let disabled = match rule {
                DisabledWhen::HasBits { bits, .. } => {
                    // Of 32 bits with a sign, as Active Directory writes it.
                    let number = texts.next().and_then(|text| text.trim().parse::<i32>().ok());
                    number.ok_or(EntryFault::UnknownStatus)?.cast_unsigned() & bits != 0
                }
                DisabledWhen::Equals { value, .. } => {
                    texts.any(|text| text.trim().eq_ignore_ascii_case(value))
                }
                DisabledWhen::IsPresent { .. } => texts.next().is_some(),
            };
            if disabled {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn attributes(&self, notes: &mut Vec<Note>) -> UserAttributes {
        let mut attributes = UserAttributes::new();
        for (attribute, names) in &self.mapping.attributes {
            let text = names.iter().find_map(|name| self.entry.text(name.as_str()));
            // A manager is given as the name of an entry.
            let leaf = text.filter(|_| *attribute == UserAttribute::Manager).and_then(Dn::leaf_of);
            let text = leaf.as_deref().or(text);
            if let Some(value) = noted(attribute.name(), text, notes) {
                attributes.insert(*attribute, value);
            }
        }
        attributes
    }
}

#[cfg(test)]
#[path = "person_tests.rs"]
mod tests;
