//! The user that a request names, with the person behind it.

use crate::App;
use belfry_api::{Problem, Request, request};
use belfry_domain::account::{Identity, Membership, Role, Status, Tenant, User};
use belfry_domain::id::UserId;
use belfry_runtime::authenticate::Caller;
use belfry_runtime::reset;

/// Somebody else at the console of the caller's tenant.
pub(crate) struct Target {
    pub(crate) user: User,
    pub(crate) identity: Identity,
    /// The person's accepted memberships.
    pub(crate) memberships: Vec<Membership>,
    /// The other tenants in which the person may do something.
    pub(crate) elsewhere: Vec<(Tenant, User)>,
}

impl Target {
    /// Whom the request names. A tenant has no power over a person before the invitation is
    /// accepted.
    ///
    /// # Errors
    /// 404 for another tenant's user too; 409 for oneself, for somebody without a console, and
    /// before the invitation is accepted.
    pub(crate) async fn of(app: &App, request: &Request, caller: &Caller) -> Result<Self, Problem> {
        let user = present(app, request, caller).await?;
        if user.id == caller.user.id {
            let detail = "Your own second factor is changed from your profile.";
            return Err(Problem::new(409, "own_account", detail));
        }
        let identity = match user.identity.filter(|_| user.role != Role::User) {
            Some(identity) => app.table.identity(identity).await?,
            None => None,
        };
        let identity = identity.ok_or_else(|| {
            Problem::new(409, "no_console", "This user has no console and so no second factor.")
        })?;
        let memberships = app.table.memberships(identity.id).await?;
        let elsewhere = reset::elsewhere(&app.table, &memberships, &user).await?;
        Ok(Self { user, identity, memberships, elsewhere })
    }

    /// Whether another company requires the person's second factor.
    pub(crate) fn is_required_elsewhere(&self) -> bool {
        self.elsewhere.iter().any(|(_, user)| user.two_factor_required)
    }
}

/// The user that the request names, if the caller's tenant has it and it was not deleted.
///
/// # Errors
/// 404, for another tenant's user too.
pub(crate) async fn present(
    app: &App,
    request: &Request,
    caller: &Caller,
) -> Result<User, Problem> {
    let id: UserId = request::path(request, "id")?;
    let user = app.table.user(caller.tenant.id, id).await?;
    user.filter(|user| user.status != Status::Archived).ok_or_else(Problem::not_found)
}

/// Two at once kept changing the same user.
pub(crate) fn busy() -> Problem {
    Problem::busy("The user is being changed elsewhere; try again.")
}

/// Rivals at the same user: how often to look again.
pub(crate) const LOOKS: usize = 10;
