//! Log-in, refresh, log-out, activation, one's own profile.

mod activate;
mod check_activation;
mod client;
mod log_in;
mod log_out;
mod me;
mod refresh;

use belfry_api::auth::Tokens;
use belfry_api::{Body, Problem, Request, Response};
use belfry_domain::ports::{Clock, Entropy};
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::http::Routes;
use belfry_runtime::keys::Signer;
use belfry_store::Table;
use std::sync::Arc;

/// The function's parts.
pub struct App {
    /// The table: persons, memberships, sessions, links.
    pub table: Table,
    /// Drafts of access tokens.
    pub tokens: Tokens,
    /// Signs them.
    pub signer: Arc<dyn Signer>,
    /// Who is asking.
    pub authenticator: Authenticator,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Routes for App {
    async fn answer(&self, route: &str, request: &Request) -> Result<Response<Body>, Problem> {
        match route {
            "POST /auth/login" => log_in::log_in(self, request).await,
            "POST /auth/refresh" => refresh::refresh(self, request).await,
            "POST /auth/logout" => log_out::log_out(self, request).await,
            "POST /auth/activation/check" => {
                check_activation::check_activation(self, request).await
            }
            "POST /auth/activation" => activate::activate(self, request).await,
            "GET /me" => me::me(self, request).await,
            _ => Err(Problem::not_found()),
        }
    }
}
