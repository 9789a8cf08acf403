//! Log-in sessions and their refresh tokens.

use crate::account::{Identity, IdleLimit, Role, User};
use crate::id::{IdentityId, SessionId, TenantId, UserId};
use crate::ports::Entropy;
use crate::secret::{Secret, SecretHash};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// No session lives longer.
pub const ABSOLUTE_LIFE: SignedDuration = SignedDuration::from_hours(12);
/// "Last used" is written at most once in so long; so an end may come that much early, never late.
pub const LAST_USED_STEP: SignedDuration = SignedDuration::from_secs(30);
/// For so long after a proof (a log-in is one) the person may change what protects the account.
pub const PROOF_LIFE: SignedDuration = SignedDuration::from_mins(10);
/// For so long after a rotation the old token's holder can have the successor again.
pub const ROTATION_GRACE: SignedDuration = SignedDuration::from_secs(10);

/// A session: one person in one tenant, and the family of refresh tokens that keeps it going.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub identity: IdentityId,
    /// In which tenant; a switch opens another session.
    pub tenant: TenantId,
    /// As which user.
    pub user: UserId,
    /// When it began.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// When it ends at the latest.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub ends_at: Timestamp,
    /// When it was last used, to [`LAST_USED_STEP`].
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub last_used_at: Timestamp,
    /// When the person last proved to be it.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub proven_at: Timestamp,
    /// Whether a second factor was part of the log-in.
    pub two_factor: bool,
    /// The person's and the membership's number of this moment; when one has gone on, it is over.
    pub number: (u32, u32),
    /// The role of this moment; with another one it is over.
    pub role: Role,
    /// Where it was opened: address and program, as far as known.
    #[serde(default)]
    pub client: ClientInfo,
    /// Hash of what all its refresh tokens have in common: who shows it once held one of them.
    pub family: SecretHash,
    /// Hash of the one refresh token that works.
    pub refresh: SecretHash,
    /// The rotation that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// Where a session was opened, for its owner to recognise it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientInfo {
    /// Address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_address: Option<String>,
    /// Program, as it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// The latest rotation of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// Hash of the token that was given up.
    pub previous: SecretHash,
    /// The token that took its place, sealed under a key that only the old token yields.
    #[serde(with = "serde_bytes")]
    pub sealed_successor: Vec<u8>,
    /// When.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
}

/// What a refresh token is worth to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worth {
    /// It is the one that works: rotate.
    Current,
    /// It was rotated a moment ago and its holder missed the answer: open the sealed successor.
    Previous {
        /// The successor, sealed under a key that the shown token yields.
        sealed_successor: Vec<u8>,
    },
    /// It worked once and was used again: one of two holders is a thief. The session must end.
    Reused,
    /// It never was one of this session's.
    Foreign,
}

impl Session {
    /// A new session, after a log-in, and its first refresh token.
    pub fn open(
        identity: &Identity,
        user: &User,
        two_factor: bool,
        client: ClientInfo,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> (Self, RefreshToken) {
        let token = RefreshToken {
            identity: identity.id,
            session: SessionId::new(now, entropy),
            tenant: user.tenant,
            user: user.id,
            family: Secret::new(entropy),
            secret: Secret::new(entropy),
        };
        let session = Self {
            id: token.session,
            identity: identity.id,
            tenant: user.tenant,
            user: user.id,
            created_at: now,
            ends_at: now.checked_add(ABSOLUTE_LIFE).unwrap_or(now),
            last_used_at: now,
            proven_at: now,
            two_factor,
            number: (identity.sessions, user.sessions),
            role: user.role,
            client,
            family: token.family.hash(),
            refresh: token.secret.hash(),
            rotation: None,
        };
        (session, token)
    }

    /// The session that goes on in this one's place, under a new id: in another tenant, or after a
    /// change that ends all others. It ends when this one would have, and proves no more.
    pub fn succeed(
        &self,
        identity: &Identity,
        user: &User,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> (Self, RefreshToken) {
        let (next, token) =
            Self::open(identity, user, self.two_factor, self.client.clone(), now, entropy);
        let next = Self { ends_at: self.ends_at, proven_at: self.proven_at, ..next };
        (next, token)
    }

    /// Whether neither a change of the person nor one of the membership or its role has ended it.
    pub fn still_counts(&self, identity: &Identity, user: &User) -> bool {
        self.number == (identity.sessions, user.sessions) && self.role == user.role
    }

    /// Whether the last proof is young enough to change what protects the account.
    pub fn is_proven(&self, now: Timestamp) -> bool {
        now.duration_since(self.proven_at) <= PROOF_LIFE
    }

    /// Whether it has neither idled too long, by the tenant's setting of this moment, nor reached
    /// its end.
    pub fn is_live(&self, idle: IdleLimit, now: Timestamp) -> bool {
        now < self.ends_at && now.duration_since(self.last_used_at) < idle.duration()
    }

    /// Whether "last used" is old enough to be written again.
    pub fn wants_touch(&self, now: Timestamp) -> bool {
        now.duration_since(self.last_used_at) >= LAST_USED_STEP
    }

    /// What `token` is worth now.
    pub fn worth(&self, token: &RefreshToken, now: Timestamp) -> Worth {
        if !self.family.is_of(&token.family) {
            return Worth::Foreign;
        }
        if self.refresh.is_of(&token.secret) {
            return Worth::Current;
        }
        match &self.rotation {
            Some(rotation)
                if rotation.previous.is_of(&token.secret)
                    && now.duration_since(rotation.at) <= ROTATION_GRACE =>
            {
                Worth::Previous { sealed_successor: rotation.sealed_successor.clone() }
            }
            _ => Worth::Reused,
        }
    }

    /// The session after its token was given up for `successor`.
    #[must_use]
    pub fn rotated(&self, successor: &Secret, sealed_successor: Vec<u8>, now: Timestamp) -> Self {
        let rotation = Rotation { previous: self.refresh, sealed_successor, at: now };
        Self { refresh: successor.hash(), rotation: Some(rotation), ..self.clone() }
    }
}

/// A refresh token: `bfr_` and base64url of identity, session, tenant and user (16 bytes each, so
/// that one read finds all), what the family has in common and the secret that rotates (32 bytes
/// each); 175 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// Whose session it says it belongs to.
    pub identity: IdentityId,
    /// Which session.
    pub session: SessionId,
    /// In which tenant.
    pub tenant: TenantId,
    /// As which user.
    pub user: UserId,
    family: Secret,
    secret: Secret,
}

/// A text that is not a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a refresh token")]
pub struct BadRefreshToken;

impl RefreshToken {
    /// The half that rotates.
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The same session's token with another secret.
    #[must_use]
    pub fn with(&self, secret: Secret) -> Self {
        Self { secret, ..self.clone() }
    }

    /// The text for its owner.
    pub fn expose_text(&self) -> String {
        let Self { identity, session, tenant, user, family, secret } = self;
        let ids = [identity.bytes(), session.bytes(), tenant.bytes(), user.bytes()];
        let secrets = [family.expose(), secret.expose()];
        let bytes = [ids.map(|id| *id).concat(), secrets.map(|secret| *secret).concat()].concat();
        format!("bfr_{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for RefreshToken {
    type Err = BadRefreshToken;
    fn from_str(text: &str) -> Result<Self, BadRefreshToken> {
        let text = text.strip_prefix("bfr_").ok_or(BadRefreshToken)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadRefreshToken)?;
        let bytes: [u8; 128] = bytes.try_into().map_err(|_| BadRefreshToken)?;
        let (ids, secrets) = bytes.split_at(64);
        let (ids, secrets) = (ids.as_chunks::<16>().0, secrets.as_chunks::<32>().0);
        let ([identity, session, tenant, user], [family, secret]) = (ids, secrets) else {
            return Err(BadRefreshToken);
        };
        Ok(Self {
            identity: id("idn", identity)?,
            session: id("ses", session)?,
            tenant: id("ten", tenant)?,
            user: id("usr", user)?,
            family: Secret::from_bytes(*family),
            secret: Secret::from_bytes(*secret),
        })
    }
}

fn id<T: FromStr>(prefix: &str, bytes: &[u8]) -> Result<T, BadRefreshToken> {
    format!("{prefix}_{}", hex::encode(bytes)).parse().map_err(|_| BadRefreshToken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Source;
    use crate::email::EmailAddress;
    use crate::language::Language;
    use crate::users::NewUser;
    use std::sync::atomic::{AtomicU8, Ordering};

    #[derive(Default)]
    struct Counting(AtomicU8);
    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn open() -> (Session, RefreshToken) {
        let chance = Counting::default();
        let email: EmailAddress = "ann@example.com".parse().unwrap();
        let identity =
            Identity { sessions: 3, ..Identity::new(email.clone(), Language::En, at(0), &chance) };
        let new = NewUser {
            first_name: "Ann".parse().unwrap(),
            last_name: "Lee".parse().unwrap(),
            email,
            mobile: None,
            phone: None,
            attributes: crate::attribute::UserAttributes::new(),
            role: Role::Admin,
            two_factor_required: false,
        };
        let tenant = TenantId::new(at(0), &chance);
        let user = User {
            identity: Some(identity.id),
            sessions: 4,
            ..User::new(tenant, new, Source::Manual, None, at(0), &chance)
        };
        Session::open(&identity, &user, false, ClientInfo::default(), at(0), &chance)
    }

    #[test]
    fn token_prints_and_parses() {
        let (session, token) = open();
        let text = token.expose_text();
        assert_eq!(text.len(), 175);
        assert_eq!(text.parse(), Ok(token.clone()));
        assert_eq!((token.tenant, token.user), (session.tenant, session.user));
        assert_eq!((token.identity, token.session), (session.identity, session.id));
        let long = format!("{text}A");
        for bad in ["", "bfr_", &text[4..], &text[..174], &long, &text.replace('A', "+")] {
            assert_eq!(bad.parse::<RefreshToken>(), Err(BadRefreshToken), "{bad}");
        }
    }

    #[test]
    fn idle_and_absolute_limits_to_the_second() {
        let (session, _) = open();
        for (minutes, last_used) in [(5, 0), (20, 0), (120, 0), (20, 1_000)] {
            let idle = IdleLimit::try_from(minutes).unwrap();
            let session = Session { last_used_at: at(last_used), ..session.clone() };
            let end = last_used + i64::from(minutes) * 60;
            assert!(session.is_live(idle, at(end - 1)));
            assert!(!session.is_live(idle, at(end)));
        }
        let used = Session { last_used_at: at(12 * 3_600 - 5), ..session };
        assert!(used.is_live(IdleLimit::default(), at(12 * 3_600 - 1)));
        assert!(!used.is_live(IdleLimit::default(), at(12 * 3_600)));
        assert!(IdleLimit::try_from(4).is_err() && IdleLimit::try_from(121).is_err());
    }

    #[test]
    fn last_use_is_written_every_30_seconds() {
        let (session, _) = open();
        assert!(!session.wants_touch(at(29)));
        assert!(session.wants_touch(at(30)));
    }

    #[test]
    fn a_token_works_once_then_leads_to_its_successor_then_ends_the_family() {
        let (first, t0) = open();
        assert_eq!(first.worth(&t0, at(1)), Worth::Current);
        let s1 = Secret::from_bytes([0xa1; 32]);
        let second = first.rotated(&s1, vec![1], at(100));
        let t1 = t0.with(s1);
        assert_eq!(second.worth(&t1, at(100)), Worth::Current);
        let again = Worth::Previous { sealed_successor: vec![1] };
        assert_eq!(second.worth(&t0, at(100)), again);
        assert_eq!(second.worth(&t0, at(110)), again);
        assert_eq!(second.worth(&t0, at(111)), Worth::Reused);
        let third = second.rotated(&Secret::from_bytes([0xa2; 32]), vec![2], at(105));
        // Two generations back is reuse even within the grace.
        assert_eq!(third.worth(&t0, at(105)), Worth::Reused);
        let again = Worth::Previous { sealed_successor: vec![2] };
        assert_eq!(third.worth(&t1, at(105)), again);
        // Who never held one of the family cannot end it.
        let forged = RefreshToken { family: Secret::from_bytes([0xff; 32]), ..t0 };
        assert_eq!(third.worth(&forged, at(105)), Worth::Foreign);
    }
}
