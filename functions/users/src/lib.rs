//! The users of a tenant, as its administrators see and change them.

mod require_two_factor;
mod reset_two_factor;
mod target;

use belfry_api::{Body, Problem, Request, Response};
use belfry_domain::ports::{Clock, Entropy};
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::http::Routes;
use belfry_runtime::post::Post;
use belfry_store::Table;
use std::sync::Arc;

/// The function's parts.
pub struct App {
    /// The table.
    pub table: Table,
    /// Who is asking.
    pub authenticator: Authenticator,
    /// Mails.
    pub post: Post,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Routes for App {
    async fn answer(&self, route: &str, request: &Request) -> Result<Response<Body>, Problem> {
        match route {
            "PUT /users/{id}/two-factor" => {
                require_two_factor::require_two_factor(self, request).await
            }
            "POST /users/{id}/two-factor/reset" => {
                reset_two_factor::reset_two_factor(self, request).await
            }
            _ => Err(Problem::not_found()),
        }
    }

    fn authenticator(&self) -> Option<&Authenticator> {
        Some(&self.authenticator)
    }
}
