//! Who may do what. The one place that makes a [`Grant`], without which the store changes nothing.

use crate::account::{Identity, IdleLimit, Link, LinkPurpose, Role, Status, Tenant, User};
use crate::challenge::Challenge;
use crate::failure::{Failure, FailureKind};
use crate::id::{IdentityId, IdentityProviderId, SessionId, TenantId, UserId};
use crate::import::Import;
use crate::password::{HashingFailed, Password, PasswordHash};
use crate::recovery::{Recovery, Remedy};
use crate::session::Session;
use crate::sign_up::SignUp;
use crate::tag::work::{Assignment, Tagging};
use crate::text::Operator;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod directory;
pub use directory::{Directory, carry_on_directory, tell_members};

/// Everything that somebody may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See the dashboard, endpoints and lists.
    ReadDashboard,
    /// See one's own profile and sessions.
    ReadProfile,
    /// Change one's own profile; end one's own sessions.
    ChangeProfile,
    /// Set another password for oneself.
    ChangePassword,
    /// Have other recovery codes.
    ReplaceRecoveryCodes,
    /// Require one's own second factor or no longer, or enrol it anew.
    ChangeOwnTwoFactor,
    /// Require somebody's second factor or no longer.
    RequireTwoFactor,
    /// Reset somebody's second factor.
    ResetTwoFactor,
    /// See the users and export their list.
    ReadUsers,
    /// Add a user of this role.
    CreateUser(Role),
    /// Change a user of this role: names, numbers, status; for another role it takes both.
    ChangeUser(Role),
    /// Delete a user of this role.
    DeleteUser(Role),
    /// Mail a user of this role a new activation link.
    InviteUser(Role),
    /// Import users; each row is [`Self::CreateUser`] of its role.
    ImportUsers,
    /// See all that is held of a person.
    ReadUserData,
    /// Erase what is held of a deleted user of this role.
    EraseUser(Role),
    /// See the tenant's settings.
    ReadSettings,
    /// Change the tenant's settings.
    ChangeSettings,
    /// See and verify the audit trail.
    ReadAudit,
    /// See how to reach support.
    ReadSupport,
    /// Ask support for help.
    CreateTicket,
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
    /// Set a new password by a mailed link.
    ResetPassword,
    /// Enrol one's second factor at a log-in.
    EnrolTwoFactor,
    /// Use a recovery code.
    UseRecoveryCode,
    /// Lock the second factor by one wrong code too many.
    LockTwoFactor,
    /// Agree by a mailed link to a reset of one's second factor.
    AcceptTwoFactorReset,
    /// See the licences and the products.
    ReadLicenses,
    /// Go on to a product's own console.
    LaunchProduct,
    /// Add a product, by a trial or by a product key.
    AddProduct,
    /// Make a trial commercial; the activation key is the authority.
    ConvertTrial,
    /// Give a licence another term.
    RenewLicense,
    /// Give a licence more seats or a longer term.
    ExtendLicense,
    /// See SIEM destinations, their statistics and previews, never their secrets.
    ReadSiem,
    /// Add a SIEM destination.
    CreateDestination,
    /// Change a SIEM destination.
    ChangeDestination,
    /// Delete a SIEM destination.
    DeleteDestination,
    /// Try a SIEM destination out.
    TestDestination,
    /// Have records sent to a SIEM destination once more.
    ReplayDestination,
    /// Have a SIEM destination tried at once.
    ResumeDestination,
    /// See tags, their members and previews.
    ReadTags,
    /// Make a tag.
    CreateTag,
    /// Change a tag's values and rules.
    ChangeTag,
    /// Delete a tag.
    DeleteTag,
    /// Assign a tag or take it away.
    AssignTag,
    /// See applications.
    ReadApplications,
    /// Add an application.
    CreateApplication,
    /// Change an application.
    ChangeApplication,
    /// Delete an application.
    DeleteApplication,
    /// See identity providers, never their secrets.
    ReadProviders,
    /// Add an identity provider.
    CreateProvider,
    /// Change an identity provider.
    ChangeProvider,
    /// Delete an identity provider.
    DeleteProvider,
    /// Make an identity provider another token.
    RotateProviderToken,
    /// Bring a directory's users to what it and its provider's settings say.
    SyncProvider,
    /// Try whether a directory can be read, and see what a sync would do.
    TestProvider,
    /// Make a group of a directory.
    CreateGroup,
    /// Change a group of a directory, or who is in it.
    ChangeGroup,
    /// Delete a group of a directory.
    DeleteGroup,
    /// Bring users and applications to new rules of tags.
    EvaluateTags,
    /// Begin a tenant by the link that its sign-up was mailed.
    SignUp,
    /// Stop a recovery by a mailed link.
    StopRecovery,
    /// Make a tenant with its first super admin and its products.
    CreateTenant,
    /// Make a credential for a customer's history.
    IssueHistoryCredential,
    /// Issue a product key.
    IssueProductKey,
    /// Withdraw a product key, or the licence that it became; or give it back.
    RevokeProductKey,
    /// Put an activation key on record that the vendor has signed.
    IssueActivationKey,
    /// Withdraw an activation key that nobody has redeemed.
    RevokeActivationKey,
    /// Raise the edition of a licence.
    UpgradeEdition,
    /// Make a trial longer.
    ExtendTrial,
    /// Set the seats of a licence.
    SetSeats,
    /// Let nobody of a tenant in and take none of its telemetry; or do so again.
    SuspendTenant,
    /// Reset the second factor of a company's last super admin, after a day.
    ResetSuperAdmin,
    /// Appoint a super admin of a company that has none who can act, after a day.
    AppointSuperAdmin,
    /// See all tenants.
    ListTenants,
    /// Set how the sign-up is guarded.
    SetCaptcha,
}

impl Action {
    /// All of them, each that is about a role once for every role.
    pub fn all() -> impl Iterator<Item = Self> {
        let about = [
            Self::CreateUser,
            Self::ChangeUser,
            Self::DeleteUser,
            Self::InviteUser,
            Self::EraseUser,
        ];
        let about = about.into_iter().flat_map(|action| Role::ALL.into_iter().map(action));
        Self::PLAIN.into_iter().chain(about)
    }

    /// Those that are about no role.
    const PLAIN: [Self; 75] = [
        Self::ReadDashboard,
        Self::ReadProfile,
        Self::ChangeProfile,
        Self::ChangePassword,
        Self::ReplaceRecoveryCodes,
        Self::ChangeOwnTwoFactor,
        Self::RequireTwoFactor,
        Self::ResetTwoFactor,
        Self::ReadUsers,
        Self::ImportUsers,
        Self::ReadUserData,
        Self::ReadSettings,
        Self::ChangeSettings,
        Self::ReadAudit,
        Self::ReadSupport,
        Self::CreateTicket,
        Self::DeleteEndpoint,
        Self::ReadCredentials,
        Self::CreateCredential,
        Self::RevokeCredential,
        Self::ActivateUser,
        Self::ResetPassword,
        Self::EnrolTwoFactor,
        Self::UseRecoveryCode,
        Self::LockTwoFactor,
        Self::AcceptTwoFactorReset,
        Self::ReadLicenses,
        Self::LaunchProduct,
        Self::AddProduct,
        Self::ConvertTrial,
        Self::RenewLicense,
        Self::ExtendLicense,
        Self::ReadSiem,
        Self::CreateDestination,
        Self::ChangeDestination,
        Self::DeleteDestination,
        Self::TestDestination,
        Self::ReplayDestination,
        Self::ResumeDestination,
        Self::ReadTags,
        Self::CreateTag,
        Self::ChangeTag,
        Self::DeleteTag,
        Self::AssignTag,
        Self::ReadApplications,
        Self::CreateApplication,
        Self::ChangeApplication,
        Self::DeleteApplication,
        Self::ReadProviders,
        Self::CreateProvider,
        Self::ChangeProvider,
        Self::DeleteProvider,
        Self::RotateProviderToken,
        Self::SyncProvider,
        Self::TestProvider,
        Self::CreateGroup,
        Self::ChangeGroup,
        Self::DeleteGroup,
        Self::EvaluateTags,
        Self::SignUp,
        Self::StopRecovery,
        Self::CreateTenant,
        Self::IssueHistoryCredential,
        Self::IssueProductKey,
        Self::RevokeProductKey,
        Self::IssueActivationKey,
        Self::RevokeActivationKey,
        Self::UpgradeEdition,
        Self::ExtendTrial,
        Self::SetSeats,
        Self::SuspendTenant,
        Self::ResetSuperAdmin,
        Self::AppointSuperAdmin,
        Self::ListTenants,
        Self::SetCaptcha,
    ];

    /// Its name in audit records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadDashboard => "dashboard.read",
            Self::ReadProfile => "profile.read",
            Self::ChangeProfile => "profile.change",
            Self::ChangePassword => "password.change",
            Self::ReplaceRecoveryCodes => "recovery_codes.replace",
            Self::ChangeOwnTwoFactor => "two_factor.change_own",
            Self::RequireTwoFactor => "two_factor.require",
            Self::ResetTwoFactor => "two_factor.reset",
            Self::ReadUsers => "user.read",
            Self::CreateUser(_) => "user.create",
            Self::ChangeUser(_) => "user.change",
            Self::DeleteUser(_) => "user.delete",
            Self::InviteUser(_) => "user.invite",
            Self::ImportUsers => "user.import",
            Self::ReadUserData => "user.read_data",
            Self::EraseUser(_) => "user.erase",
            Self::ReadSettings => "settings.read",
            Self::ChangeSettings => "settings.change",
            Self::ReadAudit => "audit.read",
            Self::ReadSupport => "support.read",
            Self::CreateTicket => "ticket.create",
            Self::DeleteEndpoint => "endpoint.delete",
            Self::ReadCredentials => "credential.read",
            Self::CreateCredential => "credential.create",
            Self::RevokeCredential => "credential.revoke",
            Self::ActivateUser => "user.activate",
            Self::ResetPassword => "password.reset",
            Self::EnrolTwoFactor => "two_factor.enrol",
            Self::UseRecoveryCode => "recovery_code.use",
            Self::LockTwoFactor => "two_factor.lock",
            Self::AcceptTwoFactorReset => "two_factor.accept_reset",
            Self::ReadLicenses => "license.read",
            Self::LaunchProduct => "product.launch",
            Self::AddProduct => "product.add",
            Self::ConvertTrial => "license.convert",
            Self::RenewLicense => "license.renew",
            Self::ExtendLicense => "license.extend",
            Self::ReadSiem => "siem.read",
            Self::CreateDestination => "siem.create",
            Self::ChangeDestination => "siem.change",
            Self::DeleteDestination => "siem.delete",
            Self::TestDestination => "siem.test",
            Self::ReplayDestination => "siem.replay",
            Self::ResumeDestination => "siem.resume",
            Self::ReadTags => "tag.read",
            Self::CreateTag => "tag.create",
            Self::ChangeTag => "tag.change",
            Self::DeleteTag => "tag.delete",
            Self::AssignTag => "tag.assign",
            Self::ReadApplications => "application.read",
            Self::CreateApplication => "application.create",
            Self::ChangeApplication => "application.change",
            Self::DeleteApplication => "application.delete",
            Self::ReadProviders => "provider.read",
            Self::CreateProvider => "provider.create",
            Self::ChangeProvider => "provider.change",
            Self::DeleteProvider => "provider.delete",
            Self::RotateProviderToken => "provider.rotate_token",
            Self::SyncProvider => "provider.sync",
            Self::TestProvider => "provider.test",
            Self::CreateGroup => "group.create",
            Self::ChangeGroup => "group.change",
            Self::DeleteGroup => "group.delete",
            Self::EvaluateTags => "tag.evaluate",
            Self::SignUp => "tenant.sign_up",
            Self::StopRecovery => "recovery.stop",
            Self::CreateTenant => "tenant.create",
            Self::IssueHistoryCredential => "credential.issue_history",
            Self::IssueProductKey => "product_key.issue",
            Self::RevokeProductKey => "product_key.revoke",
            Self::IssueActivationKey => "activation_key.issue",
            Self::RevokeActivationKey => "activation_key.revoke",
            Self::UpgradeEdition => "license.upgrade_edition",
            Self::ExtendTrial => "license.extend_trial",
            Self::SetSeats => "license.set_seats",
            Self::SuspendTenant => "tenant.suspend",
            Self::ResetSuperAdmin => "recovery.reset_super_admin",
            Self::AppointSuperAdmin => "recovery.appoint_super_admin",
            Self::ListTenants => "tenant.list",
            Self::SetCaptcha => "captcha.set",
        }
    }

    /// The matrix of rules.md: whether `role` may do it from a session.
    pub const fn allows(self, role: Role) -> bool {
        match self {
            Self::ReadDashboard
            | Self::ReadProfile
            | Self::ChangeProfile
            | Self::ChangePassword
            | Self::ReplaceRecoveryCodes
            | Self::ReadUsers
            | Self::ReadSettings
            | Self::ReadSupport
            | Self::CreateTicket
            | Self::ReadCredentials
            | Self::ReadLicenses
            | Self::ReadSiem
            | Self::ReadTags
            | Self::ReadApplications
            | Self::ReadProviders
            | Self::LaunchProduct
            | Self::ConvertTrial => !matches!(role, Role::User),
            Self::CreateUser(of)
            | Self::ChangeUser(of)
            | Self::DeleteUser(of)
            | Self::InviteUser(of) => manages(role, of),
            // What cannot be undone is not the help desk's.
            Self::EraseUser(of) => manages(role, of) && !matches!(role, Role::HelpDesk),
            Self::ImportUsers => {
                matches!(role, Role::SuperAdmin | Role::Admin | Role::HelpDesk)
            }
            Self::ReadAudit => matches!(role, Role::SuperAdmin | Role::Admin | Role::ReadOnly),
            Self::ChangeOwnTwoFactor | Self::RequireTwoFactor | Self::ResetTwoFactor => {
                matches!(role, Role::SuperAdmin)
            }
            Self::DeleteEndpoint
            | Self::CreateCredential
            | Self::RevokeCredential
            | Self::AddProduct
            | Self::RenewLicense
            | Self::ExtendLicense
            | Self::ReadUserData
            | Self::CreateDestination
            | Self::ChangeDestination
            | Self::DeleteDestination
            | Self::TestDestination
            | Self::ReplayDestination
            | Self::ResumeDestination
            | Self::CreateTag
            | Self::ChangeTag
            | Self::DeleteTag
            | Self::AssignTag
            | Self::CreateApplication
            | Self::ChangeApplication
            | Self::DeleteApplication
            | Self::CreateProvider
            | Self::ChangeProvider
            | Self::DeleteProvider
            | Self::RotateProviderToken
            | Self::SyncProvider
            | Self::TestProvider
            | Self::ChangeSettings => {
                matches!(role, Role::SuperAdmin | Role::Admin)
            }
            // By link, at the log-in, by a directory, in the background and by the back office only.
            Self::CreateGroup
            | Self::ChangeGroup
            | Self::DeleteGroup
            | Self::EvaluateTags
            | Self::ActivateUser
            | Self::ResetPassword
            | Self::EnrolTwoFactor
            | Self::UseRecoveryCode
            | Self::LockTwoFactor
            | Self::AcceptTwoFactorReset
            | Self::SignUp
            | Self::StopRecovery
            | Self::CreateTenant
            | Self::IssueHistoryCredential
            | Self::IssueProductKey
            | Self::RevokeProductKey
            | Self::IssueActivationKey
            | Self::RevokeActivationKey
            | Self::UpgradeEdition
            | Self::ExtendTrial
            | Self::SetSeats
            | Self::SuspendTenant
            | Self::ResetSuperAdmin
            | Self::AppointSuperAdmin
            | Self::ListTenants
            | Self::SetCaptcha => false,
        }
    }

    /// Whether it is the vendor's staff's, by direct invocation.
    pub const fn is_of_back_office(self) -> bool {
        matches!(
            self,
            Self::CreateTenant
                | Self::IssueHistoryCredential
                | Self::IssueProductKey
                | Self::RevokeProductKey
                | Self::IssueActivationKey
                | Self::RevokeActivationKey
                | Self::UpgradeEdition
                | Self::ExtendTrial
                | Self::SetSeats
                | Self::SuspendTenant
                | Self::ResetSuperAdmin
                | Self::AppointSuperAdmin
                | Self::ListTenants
                | Self::SetCaptcha
        )
    }

    /// Whether it changes what protects an account or a way into the system, and so needs a fresh
    /// proof that it is the person who asks.
    pub const fn needs_proof(self) -> bool {
        matches!(
            self,
            Self::ChangePassword
                | Self::ReplaceRecoveryCodes
                | Self::ChangeOwnTwoFactor
                | Self::RequireTwoFactor
                | Self::ResetTwoFactor
                | Self::CreateCredential
                | Self::RevokeCredential
                | Self::CreateDestination
                | Self::ChangeDestination
                | Self::DeleteDestination
                | Self::CreateProvider
                | Self::ChangeProvider
                | Self::DeleteProvider
                | Self::RotateProviderToken
                | Self::SyncProvider
                | Self::CreateUser(Role::SuperAdmin)
                | Self::ChangeUser(Role::SuperAdmin)
                | Self::DeleteUser(Role::SuperAdmin)
                | Self::InviteUser(Role::SuperAdmin)
                | Self::EraseUser(Role::SuperAdmin)
        )
    }
}

/// Whether users of role `own` look after users of role `of`.
const fn manages(own: Role, of: Role) -> bool {
    match own {
        Role::SuperAdmin => true,
        Role::Admin => !matches!(of, Role::SuperAdmin),
        Role::HelpDesk => matches!(of, Role::HelpDesk | Role::ReadOnly | Role::User),
        Role::ReadOnly | Role::User => false,
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
    /// A directory, which is the tenant's.
    Directory {
        /// Which identity provider.
        id: IdentityProviderId,
    },
    /// The vendor's staff. Who it was is in the erasable part.
    BackOffice,
    /// Whoever held a link that was mailed to the company's admins and its registered address.
    MailedLink,
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
    fn of(user: &User, action: Action, origin: Origin) -> Self {
        Self {
            tenant: user.tenant,
            action,
            author: Author::Person { id: user.id, role: user.role },
            operator: None,
            origin,
        }
    }

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
pub enum Denied {
    /// Never with this role.
    #[error("your role does not allow this")]
    Role,
    /// Not with a proof this old.
    #[error("confirm with your password first")]
    Unproven,
}

impl Failure for Denied {
    fn kind(&self) -> FailureKind {
        FailureKind::Forbidden
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Role => "forbidden",
            Self::Unproven => "confirmation_required",
        }
    }
}

/// Somebody tried what was not allowed; kept as an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Denial {
    /// Why not.
    pub why: Denied,
    /// What it was.
    pub action: Action,
    /// In which tenant.
    pub tenant: TenantId,
    /// Who.
    pub user: UserId,
}

impl Failure for Denial {
    fn kind(&self) -> FailureKind {
        self.why.kind()
    }
    fn code(&self) -> &'static str {
        self.why.code()
    }
    fn denial(&self) -> Option<Denial> {
        Some(*self)
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
    proven: bool,
    origin: Origin,
}

impl Actor {
    /// The person behind a session, or none when the session is over, the membership is not active
    /// or has no console, or the three do not belong together.
    pub fn of(
        session: &Session,
        identity: &Identity,
        user: &User,
        idle: IdleLimit,
        now: Timestamp,
        origin: Origin,
    ) -> Option<Self> {
        let belongs = session.user == user.id
            && session.tenant == user.tenant
            && session.identity == identity.id
            && Some(session.identity) == user.identity
            && session.still_counts(identity, user);
        let active = user.status == Status::Active && user.role != Role::User;
        (belongs && active && session.is_live(idle, now)).then_some(Self {
            tenant: user.tenant,
            user: user.id,
            identity: session.identity,
            session: session.id,
            role: user.role,
            proven: session.is_proven(now),
            origin,
        })
    }

    /// Leave to do `action` in the actor's own tenant. For a read, drop the grant.
    ///
    /// # Errors
    /// [`Denial`].
    pub fn may(&self, action: Action) -> Result<Grant, Denial> {
        let denial = |why| Denial { why, action, tenant: self.tenant, user: self.user };
        if !action.allows(self.role) {
            return Err(denial(Denied::Role));
        }
        if action.needs_proof() && !self.proven {
            return Err(denial(Denied::Unproven));
        }
        Ok(Grant {
            tenant: self.tenant,
            action,
            author: Author::Person { id: self.user, role: self.role },
            operator: None,
            origin: self.origin.clone(),
        })
    }

    /// That the person behind this session is it, as the person stands in what the session was
    /// checked against.
    pub const fn proof(&self, identity: &Identity) -> Proof {
        Proof { identity: self.identity, version: identity.version }
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

/// That somebody is a person, as that person's identity stood at this version: by the password, or by
/// the challenge that followed it. Opens a session, if the identity still stands there then.
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

/// The proof of who holds a challenge; none when it no longer stands.
pub fn prove_by(challenge: &Challenge, identity: &Identity, now: Timestamp) -> Option<Proof> {
    let stands = challenge.stands(identity, now);
    stands.then_some(Proof { identity: identity.id, version: identity.version })
}

impl Proof {
    /// Leave to do what comes with a log-in, as the person's user in one tenant.
    ///
    /// # Errors
    /// [`Denied`] for anything else, and for another person's user.
    pub fn may(&self, action: Action, user: &User, origin: Origin) -> Result<Grant, Denied> {
        let at_log_in = matches!(
            action,
            Action::EnrolTwoFactor | Action::UseRecoveryCode | Action::LockTwoFactor
        );
        let active = user.status == Status::Active && user.identity == Some(self.identity);
        if at_log_in && active { Ok(Grant::of(user, action, origin)) } else { Err(Denied::Role) }
    }
}

/// Leave for the holder of a mailed link to do what it is for, as the membership that it names, or,
/// for a new password, as any active one of the person. None when the link is over, is not the
/// present one, or there is nothing to do.
pub fn follow(
    link: &Link,
    identity: &Identity,
    user: &User,
    now: Timestamp,
    origin: Origin,
) -> Option<Grant> {
    let (action, status) = match link.purpose {
        LinkPurpose::Activation { .. } => (Action::ActivateUser, Status::Invited),
        LinkPurpose::PasswordReset => (Action::ResetPassword, Status::Active),
        LinkPurpose::TwoFactorReset { .. } => (Action::AcceptTwoFactorReset, Status::Active),
    };
    let named = match link.purpose {
        LinkPurpose::Activation { tenant, user: id }
        | LinkPurpose::TwoFactorReset { tenant, user: id } => {
            tenant == user.tenant && id == user.id
        }
        LinkPurpose::PasswordReset => identity.password.is_some(),
    };
    let fits = named
        && link.identity == identity.id
        && Some(link.identity) == user.identity
        && user.status == status
        && now < link.valid_until;
    fits.then(|| Grant::of(user, action, origin))
}

/// Leave to go on with an import, for who asked for it: as long as that user is active and has the
/// role still, and the tenant is not suspended.
pub fn carry_on(import: &Import, user: &User, tenant: &Tenant) -> Option<Grant> {
    let same = user.id == import.by && user.tenant == import.tenant && user.role == import.role;
    let may = Action::ImportUsers.allows(import.role) && user.status == Status::Active;
    let open = tenant.id == import.tenant && tenant.suspended_at.is_none();
    (same && may && open).then(|| Grant::of(user, Action::ImportUsers, import.origin()))
}

/// Leave to bring a tenant's users and applications to its rules: given with the change of a rule, in the
/// name of who changed the last one.
pub fn evaluate(tagging: &Tagging) -> Option<Grant> {
    let by = tagging.by.as_ref()?;
    Some(Grant {
        tenant: tagging.tenant,
        action: Action::EvaluateTags,
        author: Author::Person { id: by.user, role: by.role },
        operator: None,
        origin: by.origin(),
    })
}

/// Leave to go on with an assignment, for who asked for it: as [`carry_on`].
pub fn assign(assignment: &Assignment, user: &User, tenant: &Tenant) -> Option<Grant> {
    let (by, own) = (&assignment.by, assignment.tenant);
    let same = user.id == by.user && user.tenant == own && user.role == by.role;
    let may = Action::AssignTag.allows(by.role) && user.status == Status::Active;
    let open = tenant.id == own && tenant.suspended_at.is_none();
    (same && may && open).then(|| Grant::of(user, Action::AssignTag, by.origin()))
}

/// Leave to begin the tenant of a sign-up, for the holder of its mailed link, as its first user. None
/// when the link is over.
pub fn begin(sign_up: &SignUp, first: &User, now: Timestamp, origin: Origin) -> Option<Grant> {
    let fits = now < sign_up.valid_until && first.email == sign_up.email;
    fits.then(|| Grant::of(first, Action::SignUp, origin))
}

/// Leave to carry out a recovery whose day is over, for who asked for it.
pub fn act(recovery: &Recovery, now: Timestamp) -> Option<Grant> {
    let action = match recovery.remedy {
        Remedy::ResetTwoFactor { .. } => Action::ResetSuperAdmin,
        Remedy::Appoint(_) | Remedy::Appointed { .. } => Action::AppointSuperAdmin,
    };
    let origin = Origin { request_id: recovery.request_id.clone(), source_address: None };
    let staff = BackOffice { operator: recovery.operator.clone(), origin };
    if recovery.is_due(now) { staff.may(action, recovery.tenant).ok() } else { None }
}

/// Leave to stop a recovery that has not acted yet, for the holder of its mailed link.
pub fn stop(recovery: &Recovery, now: Timestamp, origin: Origin) -> Option<Grant> {
    let (tenant, action, author) = (recovery.tenant, Action::StopRecovery, Author::MailedLink);
    let waits = recovery.is_open() && now < recovery.acts_at;
    waits.then_some(Grant { tenant, action, author, operator: None, origin })
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
        let grant = || Grant {
            tenant,
            action,
            author: Author::BackOffice,
            operator: Some(self.operator.clone()),
            origin: self.origin.clone(),
        };
        action.is_of_back_office().then(grant).ok_or(Denied::Role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Source;
    use crate::email::EmailAddress;
    use crate::language::Language;
    use crate::ports::Entropy;
    use crate::session::ClientInfo;
    use crate::users::NewUser;

    struct Bytes(u8);
    impl Entropy for Bytes {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn active(role: Role) -> (Session, Identity, User) {
        let email: EmailAddress = "ann@example.com".parse().unwrap();
        let identity = Identity {
            password: Some(PasswordHash::nobody()),
            ..Identity::new(email.clone(), Language::En, at(0), &Bytes(1))
        };
        let new = NewUser {
            first_name: "Ann".parse().unwrap(),
            last_name: "Lee".parse().unwrap(),
            email,
            mobile: None,
            phone: None,
            attributes: crate::attribute::UserAttributes::new(),
            role,
            two_factor_required: false,
        };
        let tenant = TenantId::new(at(0), &Bytes(1));
        let user = User {
            identity: Some(identity.id),
            ..User::new(tenant, new, Source::Manual, None, at(0), &Bytes(1))
        };
        let client = ClientInfo::default();
        let (session, _) = Session::open(&identity, &user, false, client, at(0), &Bytes(1));
        (session, identity, user)
    }

    fn actor(session: &Session, identity: &Identity, user: &User, now: i64) -> Option<Actor> {
        Actor::of(session, identity, user, IdleLimit::default(), at(now), Origin::default())
    }

    /// Role by role, in the order of [`Role::ALL`].
    /// What each role may do, in the order of [`Role::ALL`].
    const ROWS: &[(Action, &str)] = &[
        (Action::ReadDashboard, "yyyyn"),
        (Action::ReadProfile, "yyyyn"),
        (Action::ChangeProfile, "yyyyn"),
        (Action::ChangePassword, "yyyyn"),
        (Action::ReplaceRecoveryCodes, "yyyyn"),
        (Action::ChangeOwnTwoFactor, "ynnnn"),
        (Action::RequireTwoFactor, "ynnnn"),
        (Action::ResetTwoFactor, "ynnnn"),
        (Action::ReadUsers, "yyyyn"),
        (Action::ImportUsers, "yyynn"),
        (Action::ReadUserData, "yynnn"),
        (Action::ReadSettings, "yyyyn"),
        (Action::ChangeSettings, "yynnn"),
        (Action::ReadAudit, "yynyn"),
        (Action::ReadSupport, "yyyyn"),
        (Action::CreateTicket, "yyyyn"),
        (Action::DeleteEndpoint, "yynnn"),
        (Action::ReadCredentials, "yyyyn"),
        (Action::CreateCredential, "yynnn"),
        (Action::RevokeCredential, "yynnn"),
        (Action::ActivateUser, "nnnnn"),
        (Action::ResetPassword, "nnnnn"),
        (Action::EnrolTwoFactor, "nnnnn"),
        (Action::UseRecoveryCode, "nnnnn"),
        (Action::LockTwoFactor, "nnnnn"),
        (Action::AcceptTwoFactorReset, "nnnnn"),
        (Action::ReadLicenses, "yyyyn"),
        (Action::LaunchProduct, "yyyyn"),
        (Action::AddProduct, "yynnn"),
        (Action::ConvertTrial, "yyyyn"),
        (Action::RenewLicense, "yynnn"),
        (Action::ExtendLicense, "yynnn"),
        (Action::ReadSiem, "yyyyn"),
        (Action::CreateDestination, "yynnn"),
        (Action::ChangeDestination, "yynnn"),
        (Action::DeleteDestination, "yynnn"),
        (Action::TestDestination, "yynnn"),
        (Action::ReplayDestination, "yynnn"),
        (Action::ResumeDestination, "yynnn"),
        (Action::ReadTags, "yyyyn"),
        (Action::CreateTag, "yynnn"),
        (Action::ChangeTag, "yynnn"),
        (Action::DeleteTag, "yynnn"),
        (Action::AssignTag, "yynnn"),
        (Action::ReadApplications, "yyyyn"),
        (Action::CreateApplication, "yynnn"),
        (Action::ChangeApplication, "yynnn"),
        (Action::DeleteApplication, "yynnn"),
        (Action::ReadProviders, "yyyyn"),
        (Action::CreateProvider, "yynnn"),
        (Action::ChangeProvider, "yynnn"),
        (Action::DeleteProvider, "yynnn"),
        (Action::RotateProviderToken, "yynnn"),
        (Action::SyncProvider, "yynnn"),
        (Action::TestProvider, "yynnn"),
        (Action::CreateGroup, "nnnnn"),
        (Action::ChangeGroup, "nnnnn"),
        (Action::DeleteGroup, "nnnnn"),
        (Action::EvaluateTags, "nnnnn"),
        (Action::SignUp, "nnnnn"),
        (Action::StopRecovery, "nnnnn"),
        (Action::CreateTenant, "nnnnn"),
        (Action::IssueHistoryCredential, "nnnnn"),
        (Action::IssueProductKey, "nnnnn"),
        (Action::RevokeProductKey, "nnnnn"),
        (Action::IssueActivationKey, "nnnnn"),
        (Action::RevokeActivationKey, "nnnnn"),
        (Action::UpgradeEdition, "nnnnn"),
        (Action::ExtendTrial, "nnnnn"),
        (Action::SetSeats, "nnnnn"),
        (Action::SuspendTenant, "nnnnn"),
        (Action::ResetSuperAdmin, "nnnnn"),
        (Action::AppointSuperAdmin, "nnnnn"),
        (Action::ListTenants, "nnnnn"),
        (Action::SetCaptcha, "nnnnn"),
        (Action::CreateUser(Role::SuperAdmin), "ynnnn"),
        (Action::CreateUser(Role::Admin), "yynnn"),
        (Action::CreateUser(Role::HelpDesk), "yyynn"),
        (Action::CreateUser(Role::ReadOnly), "yyynn"),
        (Action::CreateUser(Role::User), "yyynn"),
        (Action::ChangeUser(Role::SuperAdmin), "ynnnn"),
        (Action::ChangeUser(Role::Admin), "yynnn"),
        (Action::ChangeUser(Role::HelpDesk), "yyynn"),
        (Action::ChangeUser(Role::ReadOnly), "yyynn"),
        (Action::ChangeUser(Role::User), "yyynn"),
        (Action::DeleteUser(Role::SuperAdmin), "ynnnn"),
        (Action::DeleteUser(Role::Admin), "yynnn"),
        (Action::DeleteUser(Role::HelpDesk), "yyynn"),
        (Action::DeleteUser(Role::ReadOnly), "yyynn"),
        (Action::DeleteUser(Role::User), "yyynn"),
        (Action::InviteUser(Role::SuperAdmin), "ynnnn"),
        (Action::InviteUser(Role::Admin), "yynnn"),
        (Action::InviteUser(Role::HelpDesk), "yyynn"),
        (Action::InviteUser(Role::ReadOnly), "yyynn"),
        (Action::InviteUser(Role::User), "yyynn"),
        (Action::EraseUser(Role::SuperAdmin), "ynnnn"),
        (Action::EraseUser(Role::Admin), "yynnn"),
        (Action::EraseUser(Role::HelpDesk), "yynnn"),
        (Action::EraseUser(Role::ReadOnly), "yynnn"),
        (Action::EraseUser(Role::User), "yynnn"),
    ];

    #[test]
    fn matrix() {
        let listed: Vec<_> = ROWS.iter().map(|row| row.0).collect();
        assert_eq!(listed, Action::all().collect::<Vec<_>>());
        for (action, expected) in ROWS {
            let row: String =
                Role::ALL.iter().map(|r| if action.allows(*r) { 'y' } else { 'n' }).collect();
            assert_eq!(row, *expected, "{action:?}");
        }
        let office = BackOffice { operator: "Kim".parse().unwrap(), origin: Origin::default() };
        let tenant = TenantId::new(at(0), &Bytes(1));
        for action in Action::all() {
            let names = "tenant.create credential.issue_history product_key.issue product_key.revoke \
                activation_key.issue activation_key.revoke license.upgrade_edition license.extend_trial license.set_seats \
                tenant.suspend recovery.reset_super_admin recovery.appoint_super_admin tenant.list \
                captcha.set";
            let wanted = names.split_ascii_whitespace().any(|name| name == action.name());
            assert_eq!(office.may(action, tenant).is_ok(), wanted, "{action:?}");
        }
    }

    #[test]
    fn an_actor_needs_a_live_session_of_an_active_console_user() {
        let (session, person, user) = active(Role::Admin);
        let ann = actor(&session, &person, &user, 1).unwrap();
        let grant = ann.may(Action::DeleteEndpoint).unwrap();
        assert_eq!(grant.tenant(), user.tenant);
        assert_eq!(grant.author(), &Author::Person { id: user.id, role: Role::Admin });
        for status in [Status::Invited, Status::Deactivated, Status::Archived] {
            let user = User { status, ..user.clone() };
            assert_eq!(actor(&session, &person, &user, 1), None, "{status:?}");
        }
        let other = Bytes(2);
        let stranger = IdentityId::new(at(0), &other);
        for (session, person, user) in [
            active(Role::User),
            (session.clone(), person.clone(), User { identity: None, ..user.clone() }),
            (
                session.clone(),
                person.clone(),
                User { id: UserId::new(at(0), &other), ..user.clone() },
            ),
            (
                session.clone(),
                person.clone(),
                User { tenant: TenantId::new(at(0), &other), ..user.clone() },
            ),
            (Session { identity: stranger, ..session.clone() }, person.clone(), user.clone()),
            (session.clone(), Identity { id: stranger, ..person.clone() }, user.clone()),
            (session.clone(), person.clone(), User { role: Role::SuperAdmin, ..user.clone() }),
            (session.clone(), person.clone(), User { role: Role::HelpDesk, ..user.clone() }),
            // Ended with all others of the person, or of the membership.
            (session.clone(), Identity { sessions: 1, ..person.clone() }, user.clone()),
            (session.clone(), person.clone(), User { sessions: 1, ..user.clone() }),
        ] {
            assert_eq!(actor(&session, &person, &user, 1), None);
        }
        assert_eq!(actor(&session, &person, &user, 20 * 60), None);
    }

    #[test]
    fn what_protects_the_account_needs_a_fresh_proof() {
        let (session, person, user) = active(Role::SuperAdmin);
        let session = Session { last_used_at: at(600), ..session };
        for action in Action::all().filter(|action| action.allows(Role::SuperAdmin)) {
            for (now, proven) in [(600, true), (601, false)] {
                let expected =
                    if proven || !action.needs_proof() { None } else { Some(Denied::Unproven) };
                let told = actor(&session, &person, &user, now).unwrap().may(action).err();
                assert_eq!(told.map(|denial| denial.why), expected, "{action:?} {now}");
            }
        }
        // Who never may is told that, not to confirm.
        let (session, person, user) = active(Role::ReadOnly);
        let session = Session { last_used_at: at(900), ..session };
        let told = actor(&session, &person, &user, 900).unwrap().may(Action::ResetTwoFactor);
        let denial = Denial {
            why: Denied::Role,
            action: Action::ResetTwoFactor,
            tenant: user.tenant,
            user: user.id,
        };
        assert_eq!(told, Err(denial));
    }

    #[test]
    fn a_link_does_only_what_it_is_for() {
        let (_, person, user) = active(Role::Admin);
        let named = |tenant, user: &User| (tenant, user.id);
        let (tenant, id) = named(user.tenant, &user);
        for (purpose, status, action) in [
            (LinkPurpose::Activation { tenant, user: id }, Status::Invited, Action::ActivateUser),
            (LinkPurpose::PasswordReset, Status::Active, Action::ResetPassword),
            (
                LinkPurpose::TwoFactorReset { tenant, user: id },
                Status::Active,
                Action::AcceptTwoFactorReset,
            ),
        ] {
            let link = Link { identity: person.id, purpose, valid_until: at(100) };
            let try_it = |link: &Link, person: &Identity, user: &User, now| {
                follow(link, person, user, at(now), Origin::default()).map(|grant| grant.action())
            };
            let user = User { status, ..user.clone() };
            assert_eq!(try_it(&link, &person, &user, 99), Some(action));
            assert_eq!(try_it(&link, &person, &user, 100), None);
            for other in [Status::Invited, Status::Active, Status::Deactivated, Status::Archived] {
                let told = try_it(&link, &person, &User { status: other, ..user.clone() }, 1);
                assert_eq!(told.is_some(), other == status, "{purpose:?} {other:?}");
            }
            let stranger = IdentityId::new(at(0), &Bytes(2));
            let foreign = Link { identity: stranger, ..link.clone() };
            assert_eq!(try_it(&foreign, &person, &user, 1), None);
            let elsewhere = User { tenant: TenantId::new(at(0), &Bytes(2)), ..user.clone() };
            let anywhere = purpose == LinkPurpose::PasswordReset;
            assert_eq!(try_it(&link, &person, &elsewhere, 1).is_some(), anywhere);
        }
        let link =
            Link { identity: person.id, purpose: LinkPurpose::PasswordReset, valid_until: at(100) };
        let pending = Identity { password: None, ..person };
        assert_eq!(follow(&link, &pending, &user, at(1), Origin::default()), None);
    }
}
