//! Product credentials: what a point product shows with its telemetry.

use crate::failure::{Failure, FailureKind};
use crate::id::{CredentialId, TenantId};
use crate::license::License;
use crate::ports::Entropy;
use crate::product::Product;
use crate::secret::{Secret, SecretHash, keyed};
use crate::telemetry::stream::Partitions;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::str::FromStr;

/// What the holder of a credential may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// `POST /telemetry`.
    #[serde(rename = "telemetry:write")]
    TelemetryWrite,
    /// `GET /product/users`, `/product/tags`, `/product/applications`.
    #[serde(rename = "directory:read")]
    DirectoryRead,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::TelemetryWrite, Self::DirectoryRead];

    /// The scope of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TelemetryWrite => "telemetry:write",
            Self::DirectoryRead => "directory:read",
        }
    }
}

/// How old events may be that come with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// 30 days: every credential that a tenant makes.
    Current,
    /// 400 days: issued by the back office for at most 7 days, to bring a customer's history.
    History,
}

impl Reach {
    /// Events older than this are refused, in days.
    pub const fn max_event_age_days(self) -> u16 {
        match self {
            Self::Current => 30,
            Self::History => 400,
        }
    }
}

/// At most so many live credentials a product, [`Reach`] and scope: two allow a rotation without a gap.
pub const LIVE_LIMIT: usize = 2;

/// "Last used" is written at most once in so long.
pub const LAST_USED_STEP: SignedDuration = SignedDuration::from_hours(1);

/// A product credential as it is stored: never the secret, only its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Public half; part of the token.
    pub id: CredentialId,
    /// Whose telemetry it brings. Tenant and product come from here, never from a request.
    pub tenant: TenantId,
    /// Which product's.
    pub product: Product,
    /// What its holder may do.
    pub scopes: Vec<Scope>,
    /// Hash of the secret half.
    pub secret_hash: SecretHash,
    /// Partitions of the product's streams, copied from its licence.
    pub partitions: Partitions,
    /// How old events may be.
    pub reach: Reach,
    /// Until when telemetry is taken, grace included: copied from its licence with every change of it, so
    /// that taking telemetry reads one item.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub accepted_until: Timestamp,
    /// Whether its tenant is suspended: copied likewise.
    #[serde(default)]
    pub suspended: bool,
    /// Whether more endpoints report than the licence covers, as of the last look at it.
    #[serde(default)]
    pub over_seats: bool,
    /// When it was made.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// From when on it is refused; never, when absent.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// When it was revoked; it is refused from then on.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the hour.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

impl Credential {
    /// A new credential and its token, which is shown once and stored nowhere.
    pub fn issue(
        tenant: TenantId,
        license: &License,
        (scopes, term): (BTreeSet<Scope>, Term),
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> (Self, CredentialToken) {
        let (reach, valid_until) = match term {
            Term::Current { until } => (Reach::Current, until),
            Term::History { days } => {
                let until = now.checked_add(SignedDuration::from_hours(24 * i64::from(days.0)));
                (Reach::History, Some(until.unwrap_or(now)))
            }
        };
        let token =
            CredentialToken { id: CredentialId::new(now, entropy), secret: Secret::new(entropy) };
        let credential = Self {
            id: token.id,
            tenant,
            product: license.product,
            scopes: scopes.into_iter().collect(),
            secret_hash: token.secret.hash(),
            partitions: license.partitions,
            reach,
            accepted_until: license.accepted_until(),
            suspended: false,
            over_seats: false,
            created_at: now,
            valid_until,
            revoked_at: None,
            last_used_at: None,
        };
        (credential, token)
    }

    /// Whether it is neither revoked nor expired.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.valid_until.is_none_or(|until| now < until)
    }

    /// Events older than this are refused, in days.
    pub const fn max_event_age_days(&self) -> u16 {
        self.reach.max_event_age_days()
    }

    /// Checks what a request showed: `found` is what the table holds under the token's id.
    ///
    /// # Errors
    /// [`NotAdmitted::Unknown`], one and the same for an unknown id, a wrong secret, an expired or
    /// revoked credential; [`NotAdmitted::Scope`].
    pub fn check(
        found: Option<Self>,
        token: &CredentialToken,
        scope: Scope,
        now: Timestamp,
    ) -> Result<Self, NotAdmitted> {
        let known = found.filter(|credential| {
            credential.secret_hash.is_of(&token.secret) && credential.is_live(now)
        });
        let credential = known.ok_or(NotAuthenticated)?;
        if credential.scopes.contains(&scope) {
            Ok(credential)
        } else {
            Err(NotAdmitted::Scope(scope.name()))
        }
    }

    /// Whether its licence lets telemetry in.
    ///
    /// # Errors
    /// [`NotLicensed`].
    pub fn licensed(&self, now: Timestamp) -> Result<(), NotLicensed> {
        if self.suspended {
            Err(NotLicensed::Suspended)
        } else if now >= self.accepted_until {
            Err(NotLicensed::Expired)
        } else {
            Ok(())
        }
    }

    /// Whether "last used" is old enough to be written again (see [`LAST_USED_STEP`]).
    pub fn wants_touch(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|last| now.duration_since(last) >= LAST_USED_STEP)
    }
}

/// Known, and telemetry is not taken: nothing of it. It may be sent again within 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotLicensed {
    /// The licence is over, its grace too, or it was taken away.
    #[error("the licence for this product is over; renew it, and try the same again")]
    Expired,
    /// The tenant is suspended.
    #[error("the company is suspended; ask its vendor, and try the same again after that")]
    Suspended,
}

impl Failure for NotLicensed {
    fn kind(&self) -> FailureKind {
        FailureKind::Forbidden
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Expired => "license_expired",
            Self::Suspended => "tenant_suspended",
        }
    }
}

/// For how long a credential is issued, and what it may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// A tenant's own, with an optional end.
    Current {
        /// From when on it is refused.
        until: Option<Timestamp>,
    },
    /// The back office's, for a customer's history.
    History {
        /// How long.
        days: HistoryDays,
    },
}

/// Life of a history credential: 1 to 7 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryDays(u8);

impl HistoryDays {
    /// `None` outside 1 to 7.
    pub fn new(days: u32) -> Option<Self> {
        u8::try_from(days).ok().filter(|days| (1..=7).contains(days)).map(Self)
    }
}

/// Nobody known is asking. Says nothing about why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the credential is not valid")]
pub struct NotAuthenticated;

impl Failure for NotAuthenticated {
    fn kind(&self) -> FailureKind {
        FailureKind::Unauthenticated
    }
    fn code(&self) -> &'static str {
        "unauthenticated"
    }
}

/// Why a credential opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// It is none.
    #[error(transparent)]
    Unknown(#[from] NotAuthenticated),
    /// It is for something else.
    #[error("the credential does not have the scope {0}")]
    Scope(&'static str),
}

impl Failure for NotAdmitted {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Unknown(unknown) => unknown.kind(),
            Self::Scope(_) => FailureKind::Forbidden,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown(unknown) => unknown.code(),
            Self::Scope(_) => "scope_missing",
        }
    }
}

/// What a product sends as its bearer token: `bfc_<key id, 32 hex digits>_<secret, 43 characters>`.
/// The prefix lets secret scanners recognise it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialToken {
    /// Where the credential is to be found.
    pub id: CredentialId,
    secret: Secret,
}

impl CredentialToken {
    /// The text for its owner.
    pub fn expose_text(&self) -> String {
        format!("bfc_{}_{}", hex::encode(self.id.bytes()), self.secret.expose_text())
    }
}

impl FromStr for CredentialToken {
    type Err = NotAuthenticated;
    fn from_str(text: &str) -> Result<Self, NotAuthenticated> {
        let (id, secret) = keyed("bfc", text).ok_or(NotAuthenticated)?;
        Ok(Self { id: CredentialId::from_bytes(id), secret })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::license::Terms;

    struct Bytes(u8);
    impl Entropy for Bytes {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn issue(term: Term) -> (Credential, CredentialToken) {
        let tenant = TenantId::new(at(0), &Bytes(1));
        let terms = Terms::trial(Product::Epp, "Standard".parse().unwrap());
        let license = License::new(terms, at(500), &Bytes(3));
        Credential::issue(
            tenant,
            &license,
            ([Scope::TelemetryWrite].into(), term),
            at(1_000),
            &Bytes(2),
        )
    }

    #[test]
    fn token_prints_and_parses() {
        let (credential, token) = issue(Term::Current { until: None });
        let text = token.expose_text();
        assert_eq!(text.len(), 4 + 32 + 1 + 43);
        assert_eq!(text.parse(), Ok(token.clone()));
        assert_eq!(token.id, credential.id);
        let upper = text.to_uppercase();
        for bad in ["", "bfc_", "bfc__", &text[4..], &text[..79], &format!("{text}A"), &upper] {
            assert_eq!(bad.parse::<CredentialToken>(), Err(NotAuthenticated), "{bad}");
        }
    }

    #[test]
    fn unknown_wrong_expired_and_revoked_are_one_answer_and_only_who_is_known_lacks_a_scope() {
        let write = Scope::TelemetryWrite;
        let (good, token) = issue(Term::Current { until: Some(at(2_000)) });
        let check = |found, now| Credential::check(found, &token, write, at(now));
        assert_eq!(check(Some(good.clone()), 1_999), Ok(good.clone()));
        let wrong = Credential { secret_hash: Secret::from_bytes([9; 32]).hash(), ..good.clone() };
        let revoked = Credential { revoked_at: Some(at(1_001)), ..good.clone() };
        let unscoped = Credential { scopes: vec![Scope::DirectoryRead], ..good.clone() };
        let lacks = NotAdmitted::Scope("telemetry:write");
        assert_eq!(check(Some(unscoped.clone()), 1_500), Err(lacks));
        let cases =
            [(None, 1_500), (Some(wrong), 1_500), (Some(revoked), 1_500), (Some(unscoped), 2_000)];
        for (found, now) in cases.into_iter().chain([(Some(good), 2_000)]) {
            assert_eq!(check(found, now), Err(NotAdmitted::Unknown(NotAuthenticated)));
        }
    }

    #[test]
    fn a_history_credential_lives_days_and_reaches_further() {
        let days = HistoryDays::new(7).unwrap();
        let (credential, _) = issue(Term::History { days });
        assert_eq!(credential.max_event_age_days(), 400);
        assert_eq!(credential.valid_until, Some(at(1_000 + 7 * 86_400)));
        assert_eq!([0, 8, 300].map(HistoryDays::new), [None; 3]);
    }

    #[test]
    fn telemetry_is_taken_until_the_licence_is_over_and_never_of_the_suspended() {
        let (credential, _) = issue(Term::Current { until: None });
        let end = 500 + 30 * 86_400;
        assert_eq!(credential.licensed(at(end - 1)), Ok(()));
        assert_eq!(credential.licensed(at(end)), Err(NotLicensed::Expired));
        let suspended = Credential { suspended: true, ..credential };
        assert_eq!(suspended.licensed(at(1_000)), Err(NotLicensed::Suspended));
    }

    #[test]
    fn last_used_is_written_hourly() {
        let (mut credential, _) = issue(Term::Current { until: None });
        assert!(credential.wants_touch(at(1_000)));
        credential.last_used_at = Some(at(1_000));
        assert!(!credential.wants_touch(at(4_599)));
        assert!(credential.wants_touch(at(4_600)));
    }
}
