//! Licences: what a tenant has, activation keys, products that are added.

mod activate;
mod add;
mod read;
mod tell;

use belfry_api::{Body, Problem, Request, Response};
use belfry_domain::license::activation_key::{SignatureCheck, VendorKey};
use belfry_domain::ports::{Clock, Entropy};
use belfry_domain::text::Edition;
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
    /// The vendor's public keys.
    pub pinned: Vec<VendorKey>,
    /// Checks what they have signed.
    pub signatures: Arc<dyn SignatureCheck>,
    /// Edition of a trial.
    pub trial_edition: Edition,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Routes for App {
    async fn answer(&self, route: &str, request: &Request) -> Result<Response<Body>, Problem> {
        match route {
            "GET /licenses" => read::list(self, request).await,
            "GET /licenses/{product}" => read::one(self, request).await,
            "POST /licenses/{product}/activation" => activate::activate(self, request).await,
            "POST /licenses/{product}/trial" => add::trial(self, request).await,
            "POST /licenses/{product}/registration" => add::registration(self, request).await,
            _ => Err(Problem::not_found()),
        }
    }

    fn authenticator(&self) -> Option<&Authenticator> {
        Some(&self.authenticator)
    }
}
