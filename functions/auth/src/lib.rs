//! Log-in, second factor, sessions, links, one's own profile.

mod accept_two_factor_reset;
mod activate;
mod answers;
mod change_me;
mod change_password;
mod check_activation;
mod client;
mod confirm;
mod enrol;
mod enrolment;
mod forgotten;
mod launch;
mod log_in;
mod log_out;
mod me;
mod own_two_factor;
mod person;
mod refresh;
mod reset_password;
mod sessions;
mod switch;
mod two_factor;

use belfry_api::auth::Tokens;
use belfry_api::{Body, Problem, Request, Response};
use belfry_domain::ports::{Clock, Entropy};
use belfry_domain::product::Product;
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::http::Routes;
use belfry_runtime::keys::Signer;
use belfry_runtime::post::Post;
use belfry_store::Table;
use std::collections::BTreeMap;
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
    /// Mails, and the key that seals.
    pub post: Post,
    /// Where the products have their consoles.
    pub consoles: BTreeMap<Product, String>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Routes for App {
    async fn answer(&self, route: &str, request: &Request) -> Result<Response<Body>, Problem> {
        match route {
            "POST /auth/login" => log_in::log_in(self, request).await,
            "POST /auth/two-factor" => two_factor::two_factor(self, request).await,
            "POST /auth/two-factor/enrolment" => enrol::enrol(self, request).await,
            "POST /auth/two-factor/reset" => {
                accept_two_factor_reset::accept_two_factor_reset(self, request).await
            }
            "POST /auth/confirm" => confirm::confirm(self, request).await,
            "POST /auth/tenant" => switch::switch(self, request).await,
            "POST /auth/refresh" => refresh::refresh(self, request).await,
            "POST /auth/logout" => log_out::log_out(self, request).await,
            "POST /auth/activation/check" => {
                check_activation::check_activation(self, request).await
            }
            "POST /auth/activation" => activate::activate(self, request).await,
            "POST /auth/password/forgotten" => forgotten::forgotten(self, request).await,
            "POST /auth/password/reset" => reset_password::reset_password(self, request).await,
            "GET /me" => me::me(self, request).await,
            "PATCH /me" => change_me::change_me(self, request).await,
            "POST /me/password" => change_password::change_password(self, request).await,
            "GET /me/sessions" => sessions::list(self, request).await,
            "DELETE /me/sessions/{id}" => sessions::end(self, request).await,
            "POST /me/two-factor" => own_two_factor::require(self, request).await,
            "POST /me/two-factor/enrolment" => enrol::enrol_own(self, request).await,
            "POST /me/two-factor/reset" => own_two_factor::reset(self, request).await,
            "POST /products/{product}/launch" => launch::launch(self, request).await,
            "POST /me/recovery-codes" => own_two_factor::recovery_codes(self, request).await,
            _ => Err(Problem::not_found()),
        }
    }

    fn authenticator(&self) -> Option<&Authenticator> {
        Some(&self.authenticator)
    }
}
