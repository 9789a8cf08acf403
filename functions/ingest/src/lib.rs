//! Telemetry in: check, pack, queue; only then answer.

mod answer;
mod post;

use belfry_api::{Body, Problem, Request, Response};
use belfry_domain::ports::Clock;
use belfry_runtime::http::Routes;
use belfry_runtime::queue::FifoQueue;
use belfry_store::Table;
use std::sync::Arc;

/// The function's parts.
pub struct App {
    /// The table: credentials.
    pub table: Table,
    /// The telemetry queue.
    pub queue: Arc<dyn FifoQueue>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Routes for App {
    async fn answer(&self, route: &str, request: &Request) -> Result<Response<Body>, Problem> {
        match route {
            "POST /telemetry" => post::telemetry(self, request).await,
            _ => Err(Problem::not_found()),
        }
    }
}
