//! What a directory says of one entry.

use super::KeyAttribute;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use uuid::Uuid;

/// An entry as the server gave it: bytes, as not all values are text.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Entry {
    dn: String,
    /// By name, lower-cased. A name has its options (`usercertificate;binary`), but for ranges.
    attributes: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Entry {
    /// Without attributes.
    pub const fn new(dn: String) -> Self {
        Self { dn, attributes: BTreeMap::new() }
    }

    /// Its name, as the server wrote it.
    pub fn dn(&self) -> &str {
        &self.dn
    }

    /// More values of an attribute.
    pub fn append(&mut self, name: &str, values: impl IntoIterator<Item = Vec<u8>>) {
        self.attributes.entry(name.to_ascii_lowercase()).or_default().extend(values);
    }

    /// The values of an attribute.
    pub fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes.get(&name.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// Those of them that are text: UTF-8 of more than blanks.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        let texts = self.values(name).iter().filter_map(|value| str::from_utf8(value).ok());
        texts.filter(|text| !text.trim().is_empty())
    }

    /// The first text among the values of an attribute.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).next()
    }

    /// What the entry is known by.
    pub fn key(&self, attribute: KeyAttribute) -> Option<EntryKey> {
        let [value] = self.values(attribute.name()) else { return None };
        let uuid = match attribute {
            KeyAttribute::ObjectGuid => Uuid::from_bytes_le(value.as_slice().try_into().ok()?),
            KeyAttribute::EntryUuid => Uuid::try_parse_ascii(value).ok()?,
        };
        (!uuid.is_nil()).then_some(EntryKey(uuid))
    }
}

/// Entries are about people, and so not for logs.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("attributes", &self.attributes.len()).finish_non_exhaustive()
    }
}

/// What an entry is known by as long as it lives, whatever becomes of its name: 128 bits, written
/// `8-4-4-4-12` in lower case. That of Active Directory is written as Microsoft's tools do: its first three
/// parts are stored with the lowest byte first (`GUID` of \[MS-DTYP\], section 2.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryKey(Uuid);

impl EntryKey {
    /// As the value of the attribute is searched for: bytes of `objectGUID`, text of `entryUUID`.
    pub fn value(self, attribute: KeyAttribute) -> Vec<u8> {
        match attribute {
            KeyAttribute::ObjectGuid => self.0.to_bytes_le().to_vec(),
            KeyAttribute::EntryUuid => self.to_string().into_bytes(),
        }
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl TryFrom<String> for EntryKey {
    type Error = uuid::Error;
    fn try_from(text: String) -> Result<Self, uuid::Error> {
        Uuid::try_parse(&text).map(Self)
    }
}

impl From<EntryKey> for String {
    fn from(key: EntryKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &[u8]) -> Entry {
        let mut entry = Entry::new("cn=x".into());
        entry.append(name, [value.to_vec()]);
        entry
    }

    #[test]
    fn a_key_is_written_as_the_directory_s_own_tools_do() {
        // The example of the .NET documentation of Guid.ToByteArray.
        let bytes = hex::decode("c98b918035198f469d4a3a0cb9ba9c9a").unwrap();
        let key = with("objectGUID", &bytes).key(KeyAttribute::ObjectGuid).unwrap();
        assert_eq!(key.to_string(), "80918bc9-1935-468f-9d4a-3a0cb9ba9c9a");
        assert_eq!(key.value(KeyAttribute::ObjectGuid), bytes);
        let text = b"597AE2F6-16A6-1027-98F4-D28B5365DC14";
        let key = with("entryUUID", text).key(KeyAttribute::EntryUuid).unwrap();
        assert_eq!(key.to_string(), "597ae2f6-16a6-1027-98f4-d28b5365dc14");
        assert_eq!(key.value(KeyAttribute::EntryUuid), text.to_ascii_lowercase());
        let stored = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<EntryKey>(&stored).unwrap(), key);
    }

    #[test]
    fn what_is_no_key() {
        for bad in [&[][..], &[0; 16], &[1; 15], &[1; 17]] {
            assert_eq!(with("objectGUID", bad).key(KeyAttribute::ObjectGuid), None);
        }
        for bad in [&b""[..], b"1", &[0xff; 36], b"00000000-0000-0000-0000-000000000000"] {
            assert_eq!(with("entryUUID", bad).key(KeyAttribute::EntryUuid), None);
        }
        let mut two = with("objectGUID", &[1; 16]);
        two.append("OBJECTguid", [vec![2; 16]]);
        assert_eq!(two.key(KeyAttribute::ObjectGuid), None);
    }

    #[test]
    fn texts_are_those_values_that_are_text() {
        let mut entry = with("Mail", &[0xff, 0xfe]);
        entry.append("mail", [b" ".to_vec(), b"a@example.com".to_vec(), b"b@example.com".to_vec()]);
        assert_eq!(entry.values("MAIL").len(), 4);
        assert_eq!(entry.text("mail"), Some("a@example.com"));
        assert_eq!(entry.texts("mail").count(), 2);
        assert_eq!(entry.text("cn"), None);
        assert_eq!(format!("{entry:?}"), "Entry { attributes: 1, .. }");
    }
}
