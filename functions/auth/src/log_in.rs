//! `POST /auth/login`

use crate::App;
use crate::client::Client;
use belfry_api::auth::{LIFE, origin};
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::{Identity, Membership, Role, Status, Tenant, User};
use belfry_domain::audit::{Access, AccessKind, Outcome};
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{IdentityId, TenantId, UserId};
use belfry_domain::password::{Password, PasswordHash};
use belfry_domain::policy::{self, Origin};
use belfry_domain::session::Session;
use belfry_store::StoreError;
use belfry_store::transaction::Refused;
use futures::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogInBody {
    email: String,
    password: String,
    tenant_id: Option<String>,
}

#[derive(Serialize)]
struct TenantView {
    id: TenantId,
    name: String,
}

#[derive(Serialize)]
struct UserView {
    id: UserId,
    role: Role,
}

#[derive(Serialize)]
struct Authenticated {
    status: &'static str,
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    tenant: TenantView,
    tenants: Vec<TenantView>,
    user: UserView,
}

impl From<&Tenant> for TenantView {
    fn from(tenant: &Tenant) -> Self {
        Self { id: tenant.id, name: tenant.company.as_str().to_owned() }
    }
}

/// The one answer to an unknown address, a wrong password, a person without an active membership.
fn refused() -> Problem {
    Problem::new(401, "invalid_credentials", "The address or the password is wrong.")
}

pub(crate) async fn log_in(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let body: LogInBody = request::body(request)?;
    let (now, origin) = (app.clock.now(), origin(request));
    let person = Person::with(app, body.email.parse().ok().as_ref(), now).await?;
    let password = Password::new(&body.password);
    let Some(proof) = policy::prove(person.identity.as_ref(), &password)? else {
        person.note_failure(app, &origin, now).await?;
        return Err(refused());
    };
    let mut open = app.table.members(&person.memberships).await?;
    open.retain(|(_, user)| user.status == Status::Active && user.role != Role::User);
    let chosen = person.choose(&open, body.tenant_id.as_deref());
    let Some((tenant, user)) = chosen else {
        person.note_failure(app, &origin, now).await?;
        return Err(refused());
    };
    let entropy = app.entropy.as_ref();
    let (session, token) = Session::open(proof.identity(), tenant.id, user.id, now, entropy);
    let success = Outcome::Success;
    let access = Access::new(AccessKind::Login, success, Some(user.id), &origin, now, entropy);
    match app.table.open_session(&proof, &session, &access, entropy).await {
        Ok(()) => {}
        // Password or membership changed between our look and our write.
        Err(Refused::Condition(_)) => return Err(refused()),
        Err(Refused::Store(error)) => return Err(error.into()),
    }
    person.rehash_if_outdated(app, &password).await;
    let access_token = app.signer.sign(app.tokens.draft(&session, now)).await?;
    let client = Client::of(request);
    let mut response = answer::ok(&Authenticated {
        status: "authenticated",
        access_token,
        token_type: "Bearer",
        expires_in: LIFE,
        refresh_token: client.in_body(&token),
        tenant: tenant.into(),
        tenants: open.iter().map(|(tenant, _)| tenant.into()).collect(),
        user: UserView { id: user.id, role: user.role },
    });
    client.keep(&token, &mut response);
    Ok(response)
}

/// Whoever has the address, or nobody.
struct Person {
    identity: Option<Identity>,
    memberships: Vec<Membership>,
}

impl Person {
    /// Looks the address up; with the same three reads when nobody has it, or it is none.
    async fn with(
        app: &App,
        address: Option<&EmailAddress>,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let nobody: EmailAddress = "nobody@belfry.invalid".parse().map_err(|_| refused())?;
        let found = app.table.identity_of(address.unwrap_or(&nobody)).await?;
        let id = found.unwrap_or_else(|| IdentityId::new(now, app.entropy.as_ref()));
        let (identity, memberships) =
            futures::future::try_join(app.table.identity(id), app.table.memberships(id)).await?;
        if found.is_some() && identity.is_none() {
            return Err(StoreError::corrupt(id.to_string(), "an address leads nowhere").into());
        }
        Ok(Self { identity, memberships })
    }

    /// The asked-for tenant, or the one that was opened last.
    fn choose<'a>(
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
        open.iter().max_by_key(|(tenant, _)| opened_at(tenant.id))
    }

    /// Writes a failure down in every tenant of the person; for nobody, beside all tenants, so that
    /// it costs the same.
    async fn note_failure(
        &self,
        app: &App,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let note = |user| {
            let entropy = app.entropy.as_ref();
            Access::new(AccessKind::Login, Outcome::Failure, user, origin, now, entropy)
        };
        if self.memberships.is_empty() {
            return app.table.note_access(None, &note(None)).await;
        }
        let notes = self.memberships.iter().map(|m| (Some(m.tenant), note(Some(m.user))));
        let writes = notes
            .map(|(tenant, access)| async move { app.table.note_access(tenant, &access).await });
        try_join_all(writes).await.map(drop)
    }

    /// Hashes the password again when the parameters have risen since. The log-in does not depend
    /// on it.
    async fn rehash_if_outdated(&self, app: &App, password: &Password) {
        let Some(identity) = &self.identity else { return };
        if !identity.password.as_ref().is_some_and(PasswordHash::is_outdated) {
            return;
        }
        let entropy = app.entropy.as_ref();
        let done = match PasswordHash::of(password, entropy) {
            Ok(hash) => app.table.rehash(identity, &hash, entropy).await.map_err(Problem::from),
            Err(error) => Err(error.into()),
        };
        if let Err(problem) = done {
            let cause = problem.internal.as_deref().unwrap_or("");
            tracing::warn!(cause, "password not hashed again");
        }
    }
}
