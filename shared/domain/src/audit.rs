//! The audit trail: changes are numbered and chained by hash, so that none can be altered, dropped
//! or inserted unseen; names and addresses lie beside in an item that can be erased, whose hash is
//! in the chain.

use crate::id::{AuditId, TenantId, UserId};
use crate::policy::{Author, Denial, Grant, Origin};
use crate::ports::{Entropy, random};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

mod verification;
pub use verification::{MOST_RECORDS, StoredRecord, Trail, Verification, Walk};

/// Audit records are kept for so long.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24 * 400);

/// Every so many records the chain's end is kept as an anchor, from which a verification can start.
pub const ANCHOR_EVERY: u64 = 256;

/// Anchors are kept for so long: twice as long as records, so that one lies before every record that
/// is still there.
pub const ANCHOR_KEPT: SignedDuration = SignedDuration::from_hours(24 * 800);

/// What a change was done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// Kind of thing: `user`, `credential`, `endpoint`.
    pub kind: String,
    /// Its id.
    pub id: String,
}

/// One field that changed; absent is "was not" or "is no longer".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Which field.
    pub field: String,
    /// Value before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// Value after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// What the doer of a change says about it. Who did it, where and under which leave comes from the
/// [`Grant`]; when and with which number, from the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    entity: Entity,
    changes: Vec<Change>,
    personal: BTreeMap<String, Value>,
    /// Whose names and addresses they are, when the thing is not a person.
    whose: Option<String>,
}

impl Entry {
    /// About a thing of this kind with this id.
    pub fn about(kind: &str, id: &impl ToString) -> Self {
        let entity = Entity { kind: kind.to_owned(), id: id.to_string() };
        Self { entity, changes: Vec::new(), personal: BTreeMap::new(), whose: None }
    }

    /// What it is about: kind and id.
    pub fn entity(&self) -> (&str, &str) {
        (&self.entity.kind, &self.entity.id)
    }

    /// Whose names and addresses are in the erasable part: the thing's, unless it is said.
    pub fn whose(&self) -> &str {
        self.whose.as_deref().unwrap_or(&self.entity.id)
    }

    /// Says whose names and addresses are in the erasable part.
    #[must_use]
    pub fn naming(self, user: UserId) -> Self {
        Self { whose: Some(user.to_string()), ..self }
    }

    /// A field that was set.
    #[must_use]
    pub fn set(mut self, field: &str, to: impl Into<Value>) -> Self {
        self.changes.push(Change { field: field.to_owned(), from: None, to: Some(to.into()) });
        self
    }

    /// A field that changed.
    #[must_use]
    pub fn changed(mut self, field: &str, from: impl Into<Value>, to: impl Into<Value>) -> Self {
        self.changes.push(Change {
            field: field.to_owned(),
            from: Some(from.into()),
            to: Some(to.into()),
        });
        self
    }

    /// A name or an address: kept in the erasable part.
    #[must_use]
    pub fn personal(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.personal.insert(field.to_owned(), value.into());
        self
    }
}

/// A record of a change, as it is hashed and stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    pub id: AuditId,
    /// Whose trail.
    pub tenant: TenantId,
    /// Its number in the tenant, from 1, without gaps.
    pub sequence: u64,
    /// When.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// Who.
    pub actor: Author,
    /// On which request.
    pub request_id: String,
    /// What.
    pub action: String,
    /// To what.
    pub entity: Entity,
    /// The fields.
    pub changes: Vec<Change>,
    /// Hex SHA-256 of the erasable part's text, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal: Option<String>,
}

impl Record {
    /// Whether this is its erasable part: an erased one is.
    fn fits(&self, personal: Option<&str>) -> bool {
        personal.is_none_or(|text| self.personal == Some(hex::encode(Sha256::digest(text))))
    }
}

/// The erasable part of a record. Its salt keeps the hash in the chain from confirming a guess once
/// it is erased.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Personal {
    /// 128 random bits in hex.
    pub salt: String,
    /// Names and addresses by field.
    pub values: BTreeMap<String, Value>,
}

/// The end of a chain: what the next record builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of the last record; 0 before the first.
    pub sequence: u64,
    /// Its hash; zeros before the first.
    #[serde(with = "serde_bytes")]
    pub hash: [u8; 32],
    /// When it was made; the epoch before the first.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required", default)]
    pub at: Timestamp,
}

impl Head {
    /// Of an empty chain.
    pub const EMPTY: Self = Self { sequence: 0, hash: [0; 32], at: Timestamp::UNIX_EPOCH };

    /// Whether it is to be kept as an anchor.
    pub const fn is_anchor(&self) -> bool {
        self.sequence > 0 && self.sequence.is_multiple_of(ANCHOR_EVERY)
    }

    /// Whether what followed is at `now` young enough that all of it must still be there.
    fn binds(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) < KEPT
    }
}

/// A record ready to be stored: the exact text that was hashed, and what comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The record as JSON, byte for byte as hashed.
    pub text: String,
    /// The erasable part as JSON, byte for byte as hashed.
    pub personal: Option<String>,
    /// The chain's new end.
    pub head: Head,
}

/// A record that does not serialize, which is a fault of ours.
#[derive(Debug, thiserror::Error)]
#[error("an audit record cannot be written: {0}")]
pub struct Unwritable(#[from] serde_json::Error);

/// The next link of the chain that ends at `head`.
///
/// # Errors
/// [`Unwritable`].
pub fn append(
    head: &Head,
    grant: &Grant,
    entry: &Entry,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Link, Unwritable> {
    let mut values = entry.personal.clone();
    let origin = grant.origin();
    if let Some(address) = &origin.source_address {
        values.insert("source_address".to_owned(), address.clone().into());
    }
    if let Some(operator) = grant.operator() {
        values.insert("operator".to_owned(), operator.as_str().into());
    }
    let personal = if values.is_empty() {
        None
    } else {
        let salt = hex::encode(random::<16>(entropy));
        Some(serde_json::to_string(&Personal { salt, values })?)
    };
    let sequence = head.sequence.saturating_add(1);
    // As precise as it is stored.
    let at = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
    let text = serde_json::to_string(&Record {
        id: AuditId::new(now, entropy),
        tenant: grant.tenant(),
        sequence,
        at,
        actor: grant.author().clone(),
        request_id: origin.request_id.clone(),
        action: grant.action().name().to_owned(),
        entity: entry.entity.clone(),
        changes: entry.changes.clone(),
        personal: personal.as_ref().map(|text| hex::encode(Sha256::digest(text))),
    })?;
    let hash = chained(&head.hash, &text);
    Ok(Link { text, personal, head: Head { sequence, hash, at } })
}

fn chained(previous: &[u8; 32], text: &str) -> [u8; 32] {
    // The previous hash has a fixed length, so no two pairs give the same input.
    Sha256::new().chain_update(previous).chain_update(text).finalize().into()
}

/// Where a chain is broken: the number of the first record that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audit trail is broken at number {0}")]
pub struct Broken(pub u64);

/// Checks the records that follow `anchor` and gives the end they lead to, which the caller
/// compares with the stored head. An erased part counts as whole; an altered one does not.
///
/// # Errors
/// [`Broken`].
pub fn verify<'a>(
    anchor: &Head,
    records: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<Head, Broken> {
    let mut head = anchor.clone();
    for (text, personal) in records {
        let sequence = head.sequence.saturating_add(1);
        let record: Record = serde_json::from_str(text).map_err(|_| Broken(sequence))?;
        if record.sequence != sequence || !record.fits(personal) {
            return Err(Broken(sequence));
        }
        head = Head { sequence, hash: chained(&head.hash, text), at: record.at };
    }
    Ok(head)
}

/// Something that happened at the door and changed nothing: kept beside the chain, so that an
/// attacker's noise cannot slow a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Access {
    /// Its id.
    pub id: AuditId,
    /// When.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// Whom it concerns, as far as known: who asked is not proven when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// What.
    pub action: AccessKind,
    /// What was denied, by the name of its action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// On which request.
    pub request_id: String,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_address: Option<String>,
}

impl Access {
    /// What was done or tried: of a denial, what was denied.
    pub fn action(&self) -> &str {
        self.denied.as_deref().unwrap_or(self.action.name())
    }

    /// What happened, on which request.
    pub fn new(
        action: AccessKind,
        outcome: Outcome,
        user: Option<UserId>,
        origin: &Origin,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        Self {
            id: AuditId::new(now, entropy),
            at: now,
            user,
            action,
            denied: None,
            outcome,
            request_id: origin.request_id.clone(),
            source_address: origin.source_address.clone(),
        }
    }

    /// A try of what was not allowed.
    pub fn denied(denial: &Denial, origin: &Origin, now: Timestamp, entropy: &dyn Entropy) -> Self {
        let (kind, user) = (AccessKind::Denied, Some(denial.user));
        let denied = Some(denial.action.name().to_owned());
        Self { denied, ..Self::new(kind, Outcome::Denied, user, origin, now, entropy) }
    }
}

/// What can happen at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessKind {
    /// A log-in with a password.
    #[serde(rename = "session.login")]
    Login,
    /// A log-out.
    #[serde(rename = "session.logout")]
    Logout,
    /// A refresh token that had been used before: its session was ended.
    #[serde(rename = "session.refresh_reused")]
    RefreshReused,
    /// A second factor at a log-in.
    #[serde(rename = "session.two_factor")]
    TwoFactor,
    /// A fresh proof within a session.
    #[serde(rename = "session.confirm")]
    Confirm,
    /// A move to another tenant.
    #[serde(rename = "session.switch")]
    Switch,
    /// A session that its owner ended from another one.
    #[serde(rename = "session.end")]
    EndSession,
    /// Somebody said to have forgotten the password.
    #[serde(rename = "password.forgotten")]
    PasswordForgotten,
    /// A password was set: for the person's other tenants, whose chain does not hold it.
    #[serde(rename = "password.set")]
    PasswordSet,
    /// A second factor was enrolled, reset, recovered or locked: likewise.
    #[serde(rename = "two_factor.changed")]
    TwoFactorChanged,
    /// The list of users was exported.
    #[serde(rename = "user.export")]
    Export,
    /// All that is held of a person was looked at.
    #[serde(rename = "user.read_data")]
    ReadUserData,
    /// Somebody tried what the role does not allow, or not without a fresh proof.
    #[serde(rename = "access.denied")]
    Denied,
}

impl AccessKind {
    /// Its name in the audit list.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "session.login",
            Self::Logout => "session.logout",
            Self::RefreshReused => "session.refresh_reused",
            Self::TwoFactor => "session.two_factor",
            Self::Confirm => "session.confirm",
            Self::Switch => "session.switch",
            Self::EndSession => "session.end",
            Self::PasswordForgotten => "password.forgotten",
            Self::PasswordSet => "password.set",
            Self::TwoFactorChanged => "two_factor.changed",
            Self::Export => "user.export",
            Self::ReadUserData => "user.read_data",
            Self::Denied => "access.denied",
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Let in, or done.
    Success,
    /// Turned away.
    Failure,
    /// Known, and not allowed.
    Denied,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Action, BackOffice, Origin};

    struct Bytes(u8);
    impl Entropy for Bytes {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    fn chain() -> (Vec<Link>, Head) {
        let now = Timestamp::from_second(1_000).unwrap();
        let office = BackOffice {
            operator: "Kim".parse().unwrap(),
            origin: Origin {
                request_id: "r".into(),
                source_address: Some("198.51.100.7".to_owned()),
            },
        };
        let grant = office.may(Action::CreateTenant, TenantId::new(now, &Bytes(1))).unwrap();
        let mut head = Head::EMPTY;
        let links = (0u8..4)
            .map(|n| {
                let entry = Entry::about("thing", &n)
                    .set("n", n)
                    .changed("size", 1, 2)
                    .personal("email", "ann@example.com");
                let link = append(&head, &grant, &entry, now, &Bytes(n)).unwrap();
                head = link.head.clone();
                link
            })
            .collect();
        (links, head)
    }

    fn check(links: &[Link]) -> Result<Head, Broken> {
        verify(&Head::EMPTY, links.iter().map(|l| (l.text.as_str(), l.personal.as_deref())))
    }

    #[test]
    fn a_whole_chain_leads_to_its_head_from_any_anchor() {
        let (links, head) = chain();
        assert_eq!(check(&links), Ok(head.clone()));
        let later = links[2..].iter().map(|l| (l.text.as_str(), None));
        assert_eq!(verify(&links[1].head, later), Ok(head));
    }

    #[test]
    fn an_access_is_stored_under_the_name_that_is_shown() {
        use AccessKind as Kind;
        for kind in [
            Kind::Login,
            Kind::Logout,
            Kind::RefreshReused,
            Kind::TwoFactor,
            Kind::Confirm,
            Kind::Switch,
            Kind::EndSession,
            Kind::PasswordForgotten,
            Kind::PasswordSet,
            Kind::TwoFactorChanged,
            Kind::Export,
            Kind::ReadUserData,
            Kind::Denied,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    #[test]
    fn names_and_addresses_are_only_in_the_erasable_part() {
        let (mut links, head) = chain();
        for secret in ["ann@example.com", "198.51.100.7", "Kim"] {
            assert!(links.iter().all(|link| !link.text.contains(secret)));
            assert!(links.iter().all(|link| link.personal.as_ref().unwrap().contains(secret)));
        }
        for link in &mut links {
            link.personal = None;
        }
        assert_eq!(check(&links), Ok(head));
    }

    #[test]
    fn what_was_altered_dropped_or_moved_is_seen() {
        let (links, head) = chain();
        let mut altered = links.clone();
        altered[1].text = altered[1].text.replace("\"size\"", "\"cost\"");
        assert_ne!(check(&altered), Ok(head));
        let mut other_name = links.clone();
        other_name[1].personal = other_name[1].personal.take().map(|t| t.replace("ann", "bob"));
        assert_eq!(check(&other_name), Err(Broken(2)));
        let mut dropped = links.clone();
        dropped.remove(1);
        assert_eq!(check(&dropped), Err(Broken(2)));
        let mut swapped = links.clone();
        swapped.swap(1, 2);
        assert_eq!(check(&swapped), Err(Broken(2)));
        let mut garbage = links;
        garbage[3].text = "{".into();
        assert_eq!(check(&garbage), Err(Broken(4)));
    }
}
