//! Whoever is at the door: looked up with the same work whether known or not, every failure counted
//! before it can happen and written down after.

use crate::App;
use belfry_api::auth::{Refused, Unauthenticated};
use belfry_api::{Problem, Request, request};
use belfry_domain::account::{Identity, Membership, Role, Status, Tenant, User};
use belfry_domain::audit::{Access, AccessKind, Outcome};
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{IdentityId, TenantId};
use belfry_domain::policy::Origin;
use belfry_domain::throttle::{PASSWORD_FROM_SOURCE, PASSWORD_OF_ACCOUNT};
use belfry_runtime::authenticate::Caller;
use belfry_store::StoreError;
use belfry_store::throttle::NotNow;
use futures::future::try_join;

/// Whoever it is, or nobody.
pub(crate) struct Person {
    pub(crate) identity: Option<Identity>,
    pub(crate) memberships: Vec<Membership>,
}

/// The one answer to an unknown address, a wrong password, a person without an active membership.
pub(crate) fn refused() -> Problem {
    Problem::new(401, "invalid_credentials", "The address or the password is wrong.")
}

/// Two at once kept changing the same person.
pub(crate) fn busy() -> Problem {
    Problem::busy("The account is being changed elsewhere; try again.")
}

/// Rivals at the same person: how often to look again.
pub(crate) const LOOKS: usize = 10;

impl Person {
    /// Looks an address up; with the same three reads when nobody has it, or it is none.
    pub(crate) async fn at(app: &App, address: Option<&EmailAddress>) -> Result<Self, Problem> {
        let nobody: EmailAddress = "nobody@belfry.invalid".parse().map_err(|_| refused())?;
        let found = app.table.identity_of(address.unwrap_or(&nobody)).await?;
        let id = found.unwrap_or_else(|| IdentityId::new(app.clock.now(), app.entropy.as_ref()));
        let person = Self::with(app, id).await?;
        if found.is_some() && person.identity.is_none() {
            return Err(StoreError::corrupt(id.to_string(), "an address leads nowhere").into());
        }
        Ok(person)
    }

    /// Looks a person up.
    pub(crate) async fn with(app: &App, id: IdentityId) -> Result<Self, StoreError> {
        let (identity, memberships) =
            try_join(app.table.identity(id), app.table.memberships(id)).await?;
        Ok(Self { identity, memberships })
    }

    /// The person behind a session as it stands now, for a change that was asked for within it: the
    /// change may not overrule another one that has ended the session meanwhile.
    ///
    /// # Errors
    /// 401.
    pub(crate) async fn within(app: &App, caller: &Caller) -> Result<(Self, Identity), Problem> {
        let person = Self::with(app, caller.identity.id).await?;
        let counts = |identity: &Identity| caller.session.still_counts(identity, &caller.user);
        let identity = person.identity.clone().filter(counts);
        let identity = identity.ok_or(Unauthenticated(Refused::Session))?;
        Ok((person, identity))
    }

    /// The tenants that the person may open.
    pub(crate) async fn open(&self, app: &App) -> Result<Vec<(Tenant, User)>, StoreError> {
        let mut open = app.table.members(&self.memberships).await?;
        open.retain(|(_, user)| user.status == Status::Active && user.role != Role::User);
        Ok(open)
    }

    /// The asked-for tenant, or the one that was opened last; a suspended one only where there is no other.
    pub(crate) fn choose<'a>(
        &self,
        open: &'a [(Tenant, User)],
        wanted: Option<&str>,
    ) -> Option<&'a (Tenant, User)> {
        if let Some(wanted) = wanted {
            return open.iter().find(|(tenant, _)| tenant.id.to_string() == wanted);
        }
        let opened_at = |tenant: TenantId| {
            self.memberships.iter().find(|m| m.tenant == tenant).and_then(|m| m.opened_at)
        };
        open.iter().max_by_key(|(tenant, _)| (tenant.suspended_at.is_none(), opened_at(tenant.id)))
    }

    /// What happened, once for each of the person's tenants but `except`.
    pub(crate) fn notes(
        &self,
        app: &App,
        (kind, outcome): (AccessKind, Outcome),
        origin: &Origin,
        except: Option<TenantId>,
    ) -> Vec<(TenantId, Access)> {
        let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
        let others = self.memberships.iter().filter(|m| Some(m.tenant) != except);
        let note = |user| Access::new(kind, outcome, Some(user), origin, now, entropy);
        others.map(|m| (m.tenant, note(m.user))).collect()
    }

    /// Writes a failure down in every tenant of the person; for nobody, beside all tenants: one call,
    /// whoever it is.
    pub(crate) async fn note_failure(
        &self,
        app: &App,
        kind: AccessKind,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let failure = (kind, Outcome::Failure);
        let mut notes: Vec<_> = self
            .notes(app, failure, origin, None)
            .into_iter()
            .map(|(tenant, access)| (Some(tenant), access))
            .collect();
        if notes.is_empty() {
            let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
            notes.push((None, Access::new(kind, Outcome::Failure, None, origin, now, entropy)));
        }
        app.table.note_accesses(&notes).await
    }
}

/// A try of a password, counted against account and source before it is made.
pub(crate) struct PasswordTry {
    account: String,
    source: String,
}

impl PasswordTry {
    /// Counts it. `account` need not be anybody's.
    pub(crate) async fn count(app: &App, request: &Request, account: &str) -> Result<Self, NotNow> {
        let account = account.trim().to_lowercase();
        let source = source(request);
        let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
        // In this order: who is stopped at the source uses up nobody's tries.
        app.table.count_try(&PASSWORD_FROM_SOURCE, &source, now, entropy).await?;
        app.table.count_try(&PASSWORD_OF_ACCOUNT, &account, now, entropy).await?;
        Ok(Self { account, source })
    }

    /// It was no failure.
    pub(crate) async fn forgive(self, app: &App) -> Result<(), StoreError> {
        let of_account = app.table.forgive_try(&PASSWORD_OF_ACCOUNT, &self.account);
        let from_source = app.table.forgive_try(&PASSWORD_FROM_SOURCE, &self.source);
        try_join(of_account, from_source).await.map(drop)
    }
}

/// Where a request comes from, as a subject of throttles.
pub(crate) fn source(request: &Request) -> String {
    request::source_address(request).unwrap_or_default()
}
