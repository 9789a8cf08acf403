//! What clients are answered when a session opens, goes on or needs one more step.

use crate::App;
use crate::client::Client;
use belfry_api::auth::LIFE;
use belfry_api::problem::ChallengeView;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::account::{Role, Tenant, User};
use belfry_domain::id::{TenantId, UserId};
use belfry_domain::second_factor::{CHALLENGE_LIFE, RECOVERY_CODES, RecoveryCode};
use belfry_domain::secret::Secret;
use belfry_domain::session::{ClientInfo, RefreshToken, Session};
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct TenantView<'a> {
    id: TenantId,
    name: &'a str,
    /// Whether the vendor lets nobody in.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    suspended: bool,
}

impl<'a> From<&'a Tenant> for TenantView<'a> {
    fn from(tenant: &'a Tenant) -> Self {
        let suspended = tenant.suspended_at.is_some();
        Self { id: tenant.id, name: tenant.company.as_str(), suspended }
    }
}

#[derive(Serialize)]
struct UserView {
    id: UserId,
    role: Role,
}

/// The tokens of a session.
#[derive(Serialize)]
struct Tokens {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

#[derive(Serialize)]
struct Authenticated<'a> {
    status: &'static str,
    #[serde(flatten)]
    tokens: Tokens,
    tenant: TenantView<'a>,
    tenants: Vec<TenantView<'a>>,
    user: UserView,
    /// Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes: Option<Vec<String>>,
}

/// A session that has just been opened, and what of it is told.
pub(crate) struct Opened<'a> {
    pub(crate) session: &'a Session,
    pub(crate) token: &'a RefreshToken,
    pub(crate) tenant: &'a Tenant,
    pub(crate) user: &'a User,
    /// All that the person may open.
    pub(crate) open: &'a [(Tenant, User)],
    pub(crate) recovery: Option<&'a [RecoveryCode; RECOVERY_CODES]>,
}

/// Tells of an opened session.
pub(crate) async fn authenticated(
    app: &App,
    request: &Request,
    opened: Opened<'_>,
) -> Result<Response<Body>, Problem> {
    let Opened { session, token, tenant, user, open, recovery } = opened;
    let view = |tokens| Authenticated {
        status: "authenticated",
        tokens,
        tenant: tenant.into(),
        tenants: open.iter().map(|(tenant, _)| tenant.into()).collect(),
        user: UserView { id: user.id, role: user.role },
        recovery_codes: recovery.map(expose),
    };
    with_tokens(app, request, session, token, view).await
}

/// Tells only the tokens.
pub(crate) async fn refreshed(
    app: &App,
    request: &Request,
    session: &Session,
    token: &RefreshToken,
) -> Result<Response<Body>, Problem> {
    with_tokens(app, request, session, token, |tokens| tokens).await
}

async fn with_tokens<T: Serialize>(
    app: &App,
    request: &Request,
    session: &Session,
    token: &RefreshToken,
    view: impl FnOnce(Tokens) -> T,
) -> Result<Response<Body>, Problem> {
    let access_token = app.signer.sign(app.tokens.draft(session, app.clock.now())).await?;
    let client = Client::of(request);
    let mut response = answer::ok(&view(Tokens {
        access_token,
        token_type: "Bearer",
        expires_in: LIFE,
        refresh_token: client.in_body(token),
    }));
    client.keep(token, &mut response);
    Ok(response)
}

/// The codes as their owner keeps them.
pub(crate) fn expose(codes: &[RecoveryCode; RECOVERY_CODES]) -> Vec<String> {
    codes.iter().map(RecoveryCode::expose_text).collect()
}

/// A challenge as its client sees it.
pub(crate) fn challenge(secret: &Secret) -> ChallengeView {
    ChallengeView { challenge: secret.expose_text(), expires_in: CHALLENGE_LIFE.as_secs() }
}

/// Longest name of a program that is kept.
const USER_AGENT: usize = 200;

/// Where a request comes from, for the list of sessions.
pub(crate) fn client_info(request: &Request) -> ClientInfo {
    let agent = request.headers().get(http::header::USER_AGENT).and_then(|v| v.to_str().ok());
    ClientInfo {
        source_address: belfry_api::request::source_address(request),
        user_agent: agent.map(|text| text.chars().take(USER_AGENT).collect()),
    }
}
