//! A tenant's tags and applications: what they are, who has which, and what a rule would do.

mod application_body;
mod assign;
mod change;
mod change_application;
mod create;
mod create_application;
mod delete;
mod delete_application;
mod list;
mod list_applications;
mod members;
mod preview;
mod read;
mod read_application;
mod tag_body;
mod view;

use belfry_api::{Body, Problem, Request, Response};
use belfry_domain::id::TenantId;
use belfry_domain::policy::Actor;
use belfry_domain::ports::{Clock, Entropy};
use belfry_domain::tag::work::Requester;
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
    /// Rings for work in the background.
    pub bell: Arc<dyn Doorbell>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Routes for App {
    async fn answer(&self, route: &str, request: &Request) -> Result<Response<Body>, Problem> {
        match route {
            "GET /tags" => list::list(self, request).await,
            "POST /tags" => create::create(self, request).await,
            "POST /tags/preview" => preview::preview(self, request).await,
            "GET /tags/{id}" => read::read(self, request).await,
            "PUT /tags/{id}" => change::change(self, request).await,
            "DELETE /tags/{id}" => delete::delete(self, request).await,
            "GET /tags/{id}/members" => members::members(self, request).await,
            "POST /tags/{id}/members" => assign::assign(self, request).await,
            "DELETE /tags/{id}/members" => assign::unassign(self, request).await,
            "GET /applications" => list_applications::list(self, request).await,
            "POST /applications" => create_application::create(self, request).await,
            "GET /applications/{id}" => read_application::read(self, request).await,
            "PUT /applications/{id}" => change_application::change(self, request).await,
            "DELETE /applications/{id}" => delete_application::delete(self, request).await,
            _ => Err(Problem::not_found()),
        }
    }

    fn authenticator(&self) -> Option<&Authenticator> {
        Some(&self.authenticator)
    }
}

impl App {
    /// Rings for a tenant's new rules. A lost ring is made up for by the sweep.
    async fn ring(&self, tenant: TenantId) {
        self.ring_with(&tenant.to_string()).await;
    }

    async fn ring_with(&self, text: &str) {
        if let Err(error) = self.bell.ring(text).await {
            tracing::warn!(error = belfry_runtime::log::whole(&error), "not rung for tags");
        }
    }
}

/// Who asks for work in the background.
fn requester(actor: &Actor) -> Requester {
    let request_id = actor.origin().request_id.clone();
    Requester { user: actor.user(), role: actor.role(), request_id }
}

/// Rivals at the same tags: how often to look again.
const LOOKS: usize = 10;

/// Two at once kept changing the same tags.
fn busy() -> Problem {
    Problem::busy("The tags are being changed elsewhere; try again.")
}
