//! What the console shows of telemetry: dashboard and endpoints.

mod dashboard;
mod delete;
mod endpoint;
mod list;

use belfry_api::{Body, Problem, Request, Response};
use belfry_domain::ports::{Clock, Entropy};
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::http::Routes;
use belfry_runtime::queue::Doorbell;
use belfry_store::Table;
use std::sync::Arc;

/// The function's parts.
pub struct App {
    /// The table.
    pub table: Table,
    /// Who is asking.
    pub authenticator: Authenticator,
    /// Rings for the outbox.
    pub bell: Arc<dyn Doorbell>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Routes for App {
    async fn answer(&self, route: &str, request: &Request) -> Result<Response<Body>, Problem> {
        match route {
            "GET /dashboard" => dashboard::get(self, request).await,
            "GET /endpoints" => list::endpoints(self, request).await,
            "GET /endpoints/{product}/{id}" => endpoint::get(self, request).await,
            "DELETE /endpoints/{product}/{id}" => delete::endpoint(self, request).await,
            _ => Err(Problem::not_found()),
        }
    }

    fn authenticator(&self) -> Option<&Authenticator> {
        Some(&self.authenticator)
    }
}
