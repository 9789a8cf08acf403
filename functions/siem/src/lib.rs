//! A tenant's SIEM destinations: what they are, whether they work, how far they are; and the log itself
//! for those that ask for it.

mod body;
mod change;
mod create;
mod delete;
mod event_types;
mod events;
mod find;
mod preview;
mod replay;
mod resume;
mod secrets;
mod statistics;
mod test;
mod view;

use belfry_api::{Body, Problem, Request, Response};
use belfry_domain::ports::{Clock, Entropy};
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::http::Routes;
use belfry_runtime::keys::Sealer;
use belfry_runtime::outbound::Outbound;
use belfry_runtime::queue::FifoQueue;
use belfry_runtime::siem::Carrier;
use belfry_store::Table;
use std::sync::Arc;

/// The function's parts.
pub struct App {
    /// The table.
    pub table: Table,
    /// Who is asking.
    pub authenticator: Authenticator,
    /// Says where a host leads.
    pub outbound: Outbound,
    /// Reaches receivers.
    pub carrier: Arc<dyn Carrier>,
    /// Seals the secrets of destinations.
    pub sealer: Arc<dyn Sealer>,
    /// The queue of rings for destinations.
    pub rings: Arc<dyn FifoQueue>,
    /// What records call their sender: the console's host name.
    pub host: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Routes for App {
    async fn answer(&self, route: &str, request: &Request) -> Result<Response<Body>, Problem> {
        match route {
            "GET /siem/event-types" => event_types::event_types(self, request).await,
            "GET /siem/destinations" => find::list(self, request).await,
            "POST /siem/destinations" => create::create(self, request).await,
            "POST /siem/destinations/test" => test::test_unsaved(self, request).await,
            "GET /siem/destinations/{id}" => find::read(self, request).await,
            "PUT /siem/destinations/{id}" => change::change(self, request).await,
            "DELETE /siem/destinations/{id}" => delete::delete(self, request).await,
            "POST /siem/destinations/{id}/test" => test::test(self, request).await,
            "POST /siem/destinations/{id}/preview" => preview::preview(self, request).await,
            "POST /siem/destinations/{id}/replay" => replay::replay(self, request).await,
            "POST /siem/destinations/{id}/resume" => resume::resume(self, request).await,
            "GET /siem/destinations/{id}/statistics" => statistics::statistics(self, request).await,
            "GET /events" => events::events(self, request).await,
            _ => Err(Problem::not_found()),
        }
    }

    fn authenticator(&self) -> Option<&Authenticator> {
        Some(&self.authenticator)
    }
}
