//! Who is asking: the first step of every request, from the console or from a product.

use belfry_api::auth::{Refused, Tokens, Unauthenticated, is_background, origin};
use belfry_api::{Problem, Request, request};
use belfry_domain::account::{Identity, Tenant, User};
use belfry_domain::audit::Access;
use belfry_domain::credential::{Credential, CredentialToken, NotAuthenticated, Scope};
use belfry_domain::policy::{Actor, Denial};
use belfry_domain::ports::{Clock, Entropy};
use belfry_domain::session::Session;
use belfry_store::Table;
use belfry_store::sessions::Seen;
use jiff::Timestamp;
use std::sync::Arc;

/// Checks access tokens and the sessions behind them.
#[derive(Clone)]
pub struct Authenticator {
    table: Table,
    tokens: Tokens,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// The person at the console, with session, membership and tenant as of this request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is.
    pub actor: Actor,
    /// The session.
    pub session: Session,
    /// The person.
    pub identity: Identity,
    /// The membership.
    pub user: User,
    /// The tenant.
    pub tenant: Tenant,
}

impl Authenticator {
    /// With the key and issuer of the tokens.
    pub fn new(
        table: Table,
        tokens: Tokens,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { table, tokens, clock, entropy }
    }

    /// Writes down what somebody was denied. The answer is the same when that fails.
    pub(crate) async fn note_denial(&self, denial: &Denial, request: &Request) {
        let (now, entropy) = (self.clock.now(), self.entropy.as_ref());
        let access = Access::denied(denial, &origin(request), now, entropy);
        if let Err(error) = self.table.note_access(Some(denial.tenant), &access).await {
            tracing::error!(cause = crate::log::whole(&error), "denial not written down");
        }
    }

    /// Who is asking. One consistent read of session, person, membership and tenant; and, unless the
    /// request is marked `X-Background: 1`, at most every 30 seconds a write of the last use.
    ///
    /// # Errors
    /// 401, the same for whatever is wrong with token, session or membership; 403 when the tenant is
    /// suspended; 503 when the table does not answer.
    pub async fn actor(&self, request: &Request) -> Result<Actor, Problem> {
        Ok(self.caller(request).await?.actor)
    }

    /// The same, with all that was read.
    ///
    /// # Errors
    /// As [`Self::actor`].
    pub async fn caller(&self, request: &Request) -> Result<Caller, Problem> {
        let caller = self.visitor(request).await?;
        if caller.tenant.suspended_at.is_some() {
            return Err(Problem::suspended());
        }
        Ok(caller)
    }

    /// The same, also in a tenant that is suspended: for who looks at the own profile, leaves or goes on
    /// in another tenant.
    ///
    /// # Errors
    /// 401, 503.
    pub async fn visitor(&self, request: &Request) -> Result<Caller, Problem> {
        let now = self.clock.now();
        let token = request::bearer(request).ok_or_else(|| refused(Refused::Missing))?;
        let claims = self.tokens.verify(token, now).map_err(refused)?;
        let seen = self.table.see(claims.sub, claims.sid, claims.tenant, claims.user).await?;
        let seen = seen.ok_or_else(|| refused(Refused::Session))?;
        let idle = seen.tenant.session_timeout;
        let actor =
            Actor::of(&seen.session, &seen.identity, &seen.user, idle, now, origin(request))
                .ok_or_else(|| refused(Refused::Session))?;
        if !is_background(request)
            && seen.session.wants_touch(now)
            && !self.table.touch_session(&seen.session, now).await?
        {
            return Err(refused(Refused::Session));
        }
        let Seen { session, identity, user, tenant } = seen;
        Ok(Caller { actor, session, identity, user, tenant })
    }
}

/// The one 401; the reason goes to the log.
fn refused(reason: Refused) -> Problem {
    Problem::from(Unauthenticated(reason))
}

/// The credential that a product shows, if it has the scope and its tenant and licence are good; every
/// fault of its own is the same 401. What is refused is no use of it. 1 RRU.
///
/// # Errors
/// 401; 403 without the scope, a licence, or while the tenant is suspended; 503.
pub async fn product(
    table: &Table,
    request: &Request,
    scope: Scope,
    now: Timestamp,
) -> Result<Credential, Problem> {
    let token: CredentialToken =
        request::bearer(request).and_then(|token| token.parse().ok()).ok_or(NotAuthenticated)?;
    let found = table.credential(token.id).await?;
    let credential = Credential::check(found, &token, scope, now)?;
    credential.licensed(now)?;
    // Bookkeeping, at most hourly: its failure is no reason to refuse.
    if let Err(error) = table.touch_credential(&credential, now).await {
        tracing::warn!(error = crate::log::whole(&error), "last use not written");
    }
    Ok(credential)
}
