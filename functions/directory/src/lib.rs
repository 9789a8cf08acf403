//! The directories that a tenant's users come from: identity providers, as administrators choose them,
//! and the SCIM 2.0 server that they push users and groups to.

mod body;
mod change;
mod create;
mod delete;
mod find;
mod ldap;
mod preview;
mod scim;
mod sync;
mod syncs;
mod test;
mod token;
mod view;

use belfry_api::{Body, Problem, Request, Response};
use belfry_domain::ports::{Clock, Entropy};
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::http::Routes;
use belfry_runtime::ldap::Directory;
use belfry_runtime::outbound::Outbound;
use belfry_runtime::post::Post;
use belfry_runtime::queue::Doorbell;
use belfry_store::Table;
use std::sync::Arc;

/// The function's parts.
pub struct App {
    /// The table.
    pub table: Table,
    /// Who is asking at the console.
    pub authenticator: Authenticator,
    /// Mails, and the key that seals passwords.
    pub post: Post,
    /// Opens directories that are read.
    pub ldap: Arc<dyn Directory>,
    /// Finds hosts.
    pub outbound: Outbound,
    /// Wakes `directory-sync`.
    pub bell: Arc<dyn Doorbell>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Routes for App {
    async fn answer(&self, route: &str, request: &Request) -> Result<Response<Body>, Problem> {
        match route {
            "GET /identity-providers" => find::list(self, request).await,
            "POST /identity-providers" => create::create(self, request).await,
            "GET /identity-providers/{id}" => find::read(self, request).await,
            "PUT /identity-providers/{id}" => change::change(self, request).await,
            "DELETE /identity-providers/{id}" => delete::delete(self, request).await,
            "POST /identity-providers/{id}/token" => token::token(self, request).await,
            "POST /identity-providers/{id}/sync" => sync::sync(self, request).await,
            "GET /identity-providers/{id}/syncs" => syncs::syncs(self, request).await,
            "POST /identity-providers/{id}/test" => test::test(self, request).await,
            "POST /identity-providers/test" => test::test_unsaved(self, request).await,
            "POST /identity-providers/{id}/preview" => preview::preview(self, request).await,
            scim if scim.contains(" /scim/v2/") => Ok(scim::answer(self, scim, request).await),
            _ => Err(Problem::not_found()),
        }
    }

    fn authenticator(&self) -> Option<&Authenticator> {
        Some(&self.authenticator)
    }
}
