//! A tenant's settings, product credentials, audit trail and way to support; the public key of
//! tokens.

mod audit;
mod audit_view;
mod create_credential;
mod create_ticket;
mod credential_view;
mod jwks;
mod list_credentials;
mod products;
mod revoke_credential;
mod settings;
mod stop_recovery;
mod support;
mod verification;

pub use support::{BadSupport, Support};

use belfry_api::auth::PublicKey;
use belfry_api::{Body, Problem, Request, Response};
use belfry_domain::ports::{Clock, Entropy};
use belfry_domain::product::Product;
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::http::Routes;
use belfry_runtime::queue::Doorbell;
use belfry_store::Table;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The function's parts.
pub struct App {
    /// The table.
    pub table: Table,
    /// Who is asking.
    pub authenticator: Authenticator,
    /// The key that signs tokens.
    pub key: PublicKey,
    /// Support, and where tickets go.
    pub support: Support,
    /// The products whose consoles can be opened.
    pub launchable: BTreeSet<Product>,
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
            "GET /products/{product}/credentials" => {
                list_credentials::list_credentials(self, request).await
            }
            "POST /products/{product}/credentials" => {
                create_credential::create_credential(self, request).await
            }
            "DELETE /products/{product}/credentials/{id}" => {
                revoke_credential::revoke_credential(self, request).await
            }
            "GET /products" => products::products(self, request).await,
            "POST /recoveries/stop" => stop_recovery::stop_recovery(self, request).await,
            "GET /settings" => settings::settings(self, request).await,
            "PUT /settings" => settings::change_settings(self, request).await,
            "GET /audit" => audit::audit(self, request).await,
            "GET /audit/verification" => verification::verification(self, request).await,
            "GET /support" => support::support(self, request).await,
            "POST /support/tickets" => create_ticket::create_ticket(self, request).await,
            "GET /.well-known/jwks.json" => Ok(jwks::jwks(self)),
            _ => Err(Problem::not_found()),
        }
    }

    fn authenticator(&self) -> Option<&Authenticator> {
        Some(&self.authenticator)
    }
}
