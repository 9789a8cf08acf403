//! Who may do what. The one place that makes a [`Grant`], without which the store changes nothing.

use crate::account::{Identity, IdleLimit, Link, Role, Status, User};
use crate::failure::{Failure, FailureKind};
use crate::id::{IdentityId, SessionId, TenantId, UserId};
use crate::password::{HashingFailed, Password, PasswordHash};
use crate::session::Session;
use crate::text::Operator;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Everything that somebody may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See the dashboard, endpoints and lists.
    ReadDashboard,
    /// See and change one's own profile.
    ReadProfile,
    /// Remove an endpoint.
    DeleteEndpoint,
    /// See product credentials, never their secrets.
    ReadCredentials,
    /// Make a product credential.
    CreateCredential,
    /// Revoke a product credential.
    RevokeCredential,
    /// Accept one's invitation.
    ActivateUser,
    /// Make a tenant with its first super admin and its products.
    CreateTenant,
    /// Make a credential for a customer's history.
    IssueHistoryCredential,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::ReadDashboard,
        Self::ReadProfile,
        Self::DeleteEndpoint,
        Self::ReadCredentials,
        Self::CreateCredential,
        Self::RevokeCredential,
        Self::ActivateUser,
        Self::CreateTenant,
        Self::IssueHistoryCredential,
    ];

    /// Its name in audit records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadDashboard => "dashboard.read",
            Self::ReadProfile => "profile.read",
            Self::DeleteEndpoint => "endpoint.delete",
            Self::ReadCredentials => "credential.read",
            Self::CreateCredential => "credential.create",
            Self::RevokeCredential => "credential.revoke",
            Self::ActivateUser => "user.activate",
            Self::CreateTenant => "tenant.create",
            Self::IssueHistoryCredential => "credential.issue_history",
        }
    }

    /// The matrix of rules.md: whether `role` may do it from a session.
    pub const fn allows(self, role: Role) -> bool {
        match self {
            Self::ReadDashboard | Self::ReadProfile | Self::ReadCredentials => {
                !matches!(role, Role::User)
            }
            Self::DeleteEndpoint | Self::CreateCredential | Self::RevokeCredential => {
                matches!(role, Role::SuperAdmin | Role::Admin)
            }
            // By link and by the back office only.
            Self::ActivateUser | Self::CreateTenant | Self::IssueHistoryCredential => false,
        }
    }
}

/// Where a request came from. The address is personal data: it goes into the erasable part of an
/// audit record, and into no log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The gateway's id of the request.
    pub request_id: String,
    /// The caller's address.
    pub source_address: Option<String>,
}

/// Who did something, as audit records say it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Author {
    /// A person, as user of the tenant.
    Person {
        /// Which user.
        id: UserId,
        /// With which role.
        role: Role,
    },
    /// The vendor's staff. Who it was is in the erasable part.
    BackOffice,
}

/// Leave to do one thing in one tenant, made by the policy and by nothing else. A store call that
/// changes something takes one, and its audit record says who it was given to.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    tenant: TenantId,
    action: Action,
    author: Author,
    operator: Option<Operator>,
    origin: Origin,
}

impl Grant {
    /// In which tenant.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// What for.
    pub const fn action(&self) -> Action {
        self.action
    }

    /// To whom.
    pub const fn author(&self) -> &Author {
        &self.author
    }

    /// The name of the vendor's staff member, when it was one.
    pub const fn operator(&self) -> Option<&Operator> {
        self.operator.as_ref()
    }

    /// On which request.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// Known, seen, and not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("your role does not allow this")]
pub struct Denied;

impl Failure for Denied {
    fn kind(&self) -> FailureKind {
        FailureKind::Forbidden
    }
    fn code(&self) -> &'static str {
        "forbidden"
    }
}

/// A person at the console: exists only while the session lives and the membership is active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    tenant: TenantId,
    user: UserId,
    identity: IdentityId,
    session: SessionId,
    role: Role,
    origin: Origin,
}

impl Actor {
    /// The person behind a session, or none when the session is over, the membership is not active
    /// or has no console, or the two do not belong together.
    pub fn of(
        session: &Session,
        user: &User,
        idle: IdleLimit,
        now: Timestamp,
        origin: Origin,
    ) -> Option<Self> {
        let belongs = session.user == user.id
            && session.tenant == user.tenant
            && Some(session.identity) == user.identity;
        let active = user.status == Status::Active && user.role != Role::User;
        (belongs && active && session.is_live(idle, now)).then_some(Self {
            tenant: user.tenant,
            user: user.id,
            identity: session.identity,
            session: session.id,
            role: user.role,
            origin,
        })
    }

    /// Leave to do `action` in the actor's own tenant. For a read, drop the grant.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn may(&self, action: Action) -> Result<Grant, Denied> {
        action
            .allows(self.role)
            .then(|| Grant {
                tenant: self.tenant,
                action,
                author: Author::Person { id: self.user, role: self.role },
                operator: None,
                origin: self.origin.clone(),
            })
            .ok_or(Denied)
    }

    /// In which tenant the session is.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// As which user.
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// Which person.
    pub const fn identity(&self) -> IdentityId {
        self.identity
    }

    /// In which session.
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// With which role, as of this request.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// On which request.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// That somebody knows a person's password, as that person's identity stood at this version. Opens
/// a session, if the identity still stands there then.
#[derive(Debug, PartialEq, Eq)]
pub struct Proof {
    identity: IdentityId,
    version: u64,
}

impl Proof {
    /// Whose password.
    pub const fn identity(&self) -> IdentityId {
        self.identity
    }

    /// As of which version of the identity.
    pub const fn version(&self) -> u64 {
        self.version
    }
}

/// Checks a password; none when it is wrong. Does the same work when nobody has the address or no
/// password is set yet.
///
/// # Errors
/// [`HashingFailed`] when the stored hash is damaged.
pub fn prove(
    identity: Option<&Identity>,
    password: &Password,
) -> Result<Option<Proof>, HashingFailed> {
    let nobody = PasswordHash::nobody();
    let hash = identity.and_then(|identity| identity.password.as_ref()).unwrap_or(&nobody);
    let right = hash.is_of(password)?;
    Ok(identity
        .filter(|_| right)
        .map(|identity| Proof { identity: identity.id, version: identity.version }))
}

/// Leave for the holder of a mailed link to accept the one membership that it names. None when the
/// link is over, is not the membership's present one, or there is nothing to accept.
pub fn accept(link: &Link, user: &User, now: Timestamp, origin: Origin) -> Option<Grant> {
    let fits = link.user == user.id
        && link.tenant == user.tenant
        && Some(link.identity) == user.identity
        && user.status == Status::Invited
        && now < link.valid_until;
    fits.then_some(Grant {
        tenant: user.tenant,
        action: Action::ActivateUser,
        author: Author::Person { id: user.id, role: user.role },
        operator: None,
        origin,
    })
}

/// The vendor's staff, let in by IAM. May do what the back office is for, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackOffice {
    /// Who it is, by their own word: IAM let them in.
    pub operator: Operator,
    /// The invocation.
    pub origin: Origin,
}

impl BackOffice {
    /// Leave to do `action` in `tenant`.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn may(&self, action: Action, tenant: TenantId) -> Result<Grant, Denied> {
        matches!(action, Action::CreateTenant | Action::IssueHistoryCredential)
            .then(|| Grant {
                tenant,
                action,
                author: Author::BackOffice,
                operator: Some(self.operator.clone()),
                origin: self.origin.clone(),
            })
            .ok_or(Denied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Source;
    use crate::ports::Entropy;

    struct Bytes(u8);
    impl Entropy for Bytes {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn active(role: Role) -> (Session, User) {
        let identity = IdentityId::new(at(0), &Bytes(1));
        let (tenant, id) = (TenantId::new(at(0), &Bytes(1)), UserId::new(at(0), &Bytes(1)));
        let (session, _) = Session::open(identity, tenant, id, at(0), &Bytes(1));
        let user = User {
            id,
            tenant,
            identity: Some(identity),
            email: "ann@example.com".parse().unwrap(),
            first_name: "Ann".parse().unwrap(),
            last_name: "Lee".parse().unwrap(),
            mobile: None,
            role,
            status: Status::Active,
            source: Source::Manual,
            invitation: None,
            created_at: at(0),
            last_login_at: None,
            version: 1,
        };
        (session, user)
    }

    fn actor(session: &Session, user: &User, now: i64) -> Option<Actor> {
        Actor::of(session, user, IdleLimit::default(), at(now), Origin::default())
    }

    /// Role by role, in the order of [`Role::ALL`].
    #[test]
    fn matrix() {
        for (action, expected) in [
            (Action::ReadDashboard, "yyyyn"),
            (Action::ReadProfile, "yyyyn"),
            (Action::DeleteEndpoint, "yynnn"),
            (Action::ReadCredentials, "yyyyn"),
            (Action::CreateCredential, "yynnn"),
            (Action::RevokeCredential, "yynnn"),
            (Action::ActivateUser, "nnnnn"),
            (Action::CreateTenant, "nnnnn"),
            (Action::IssueHistoryCredential, "nnnnn"),
        ] {
            let row: String =
                Role::ALL.iter().map(|r| if action.allows(*r) { 'y' } else { 'n' }).collect();
            assert_eq!(row, expected, "{action:?}");
        }
        let office = BackOffice { operator: "Kim".parse().unwrap(), origin: Origin::default() };
        let tenant = TenantId::new(at(0), &Bytes(1));
        for action in Action::ALL {
            let wanted = matches!(action, Action::CreateTenant | Action::IssueHistoryCredential);
            assert_eq!(office.may(action, tenant).is_ok(), wanted, "{action:?}");
        }
    }

    #[test]
    fn an_actor_needs_a_live_session_of_an_active_console_user() {
        let (session, user) = active(Role::Admin);
        let grant = actor(&session, &user, 1).unwrap().may(Action::DeleteEndpoint).unwrap();
        assert_eq!(grant.tenant(), user.tenant);
        assert_eq!(grant.author(), &Author::Person { id: user.id, role: Role::Admin });
        for status in [Status::Invited, Status::Deactivated, Status::Archived] {
            assert_eq!(actor(&session, &User { status, ..user.clone() }, 1), None, "{status:?}");
        }
        let other = Bytes(2);
        for (session, user) in [
            active(Role::User),
            (session.clone(), User { identity: None, ..user.clone() }),
            (session.clone(), User { id: UserId::new(at(0), &other), ..user.clone() }),
            (session.clone(), User { tenant: TenantId::new(at(0), &other), ..user.clone() }),
            (Session { identity: IdentityId::new(at(0), &other), ..session.clone() }, user.clone()),
        ] {
            assert_eq!(actor(&session, &user, 1), None);
        }
        assert_eq!(actor(&session, &user, 20 * 60), None);
    }

    #[test]
    fn a_link_accepts_only_its_own_invitation() {
        let (session, user) = active(Role::Admin);
        let user = User { status: Status::Invited, ..user };
        let link = Link {
            tenant: user.tenant,
            user: user.id,
            identity: session.identity,
            valid_until: at(100),
        };
        let try_it = |link: &Link, user: &User, now| {
            accept(link, user, at(now), Origin::default()).map(|grant| grant.action())
        };
        assert_eq!(try_it(&link, &user, 99), Some(Action::ActivateUser));
        assert_eq!(try_it(&link, &user, 100), None);
        for status in [Status::Active, Status::Deactivated, Status::Archived] {
            assert_eq!(try_it(&link, &User { status, ..user.clone() }, 1), None);
        }
        let other = TenantId::new(at(0), &Bytes(2));
        assert_eq!(try_it(&Link { tenant: other, ..link }, &user, 1), None);
    }
}
