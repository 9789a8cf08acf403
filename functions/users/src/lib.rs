//! The users of a tenant, as its administrators see and change them.

mod attributes;
mod change;
mod create;
mod data;
mod delete;
mod erase;
mod export;
mod import;
mod import_view;
mod invite;
mod list;
mod read;
mod require_two_factor;
mod reset_two_factor;
mod target;
mod view;

use belfry_api::{Body, Problem, Request, Response};
use belfry_domain::ports::{Clock, Entropy};
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::http::Routes;
use belfry_runtime::post::Post;
use belfry_runtime::queue::Doorbell;
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
    /// Rings for imports.
    pub imports: Arc<dyn Doorbell>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Routes for App {
    async fn answer(&self, route: &str, request: &Request) -> Result<Response<Body>, Problem> {
        match route {
            "GET /users" => list::list(self, request).await,
            "POST /users" => create::create(self, request).await,
            "GET /users/{id}" => read::read(self, request).await,
            "PATCH /users/{id}" => change::change(self, request).await,
            "DELETE /users/{id}" => delete::delete(self, request).await,
            "GET /users/export" => export::export(self, request).await,
            "GET /users/imports/template" => import::template(self, request).await,
            "POST /users/imports" => import::import(self, request).await,
            "GET /users/imports/{id}" => import::progress(self, request).await,
            "GET /users/imports/{id}/errors" => import::errors(self, request).await,
            "GET /users/{id}/data" => data::data(self, request).await,
            "POST /users/{id}/erasure" => erase::erase(self, request).await,
            "POST /users/{id}/activation" => invite::invite(self, request).await,
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
