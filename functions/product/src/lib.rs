//! What an integrated product reads with its credential: users, tags and applications, whole or what
//! changed since it read last.

mod feed;
mod view;

use belfry_api::{Body, Problem, Request, Response};
use belfry_domain::ports::Clock;
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::http::Routes;
use belfry_store::Table;
use std::sync::Arc;

/// The function's parts.
pub struct App {
    /// The table.
    pub table: Table,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Routes for App {
    async fn answer(&self, route: &str, request: &Request) -> Result<Response<Body>, Problem> {
        match route {
            "GET /product/users" => feed::users(self, request).await,
            "GET /product/tags" => feed::tags(self, request).await,
            "GET /product/applications" => feed::applications(self, request).await,
            _ => Err(Problem::not_found()),
        }
    }

    fn authenticator(&self) -> Option<&Authenticator> {
        None
    }
}
