//! Sign-up: a company begins a trial, or registers the product keys that it bought. Nothing is claimed
//! before the mailed link is used.

mod confirm;
mod guard;
mod options;
mod sign_up;

use belfry_api::{Body, Problem, Request, Response};
use belfry_domain::ports::{Clock, Entropy};
use belfry_domain::text::Edition;
use belfry_runtime::captcha::Verifier;
use belfry_runtime::http::Routes;
use belfry_runtime::post::Post;
use belfry_store::Table;
use std::sync::Arc;

/// The function's parts.
pub struct App {
    /// The table.
    pub table: Table,
    /// Mails, and the key that seals.
    pub post: Post,
    /// Tells people from machines.
    pub captcha: Arc<dyn Verifier>,
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
            "GET /onboarding/options" => options::options(self, request).await,
            "GET /onboarding/countries/{code}/states" => options::states(request),
            "POST /onboarding/trials" => sign_up::trial(self, request).await,
            "POST /onboarding/registrations" => sign_up::registration(self, request).await,
            "POST /onboarding/confirmation" => confirm::confirm(self, request).await,
            _ => Err(Problem::not_found()),
        }
    }
}
