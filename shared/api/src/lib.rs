//! What HTTP looks like here: bodies, problems, answers, paging, authentication.

pub mod answer;
pub mod auth;
pub mod fields;
pub mod license;
pub mod page;
pub mod problem;
pub mod request;
#[cfg(feature = "openapi")]
pub mod routes;
#[cfg(feature = "openapi")]
mod schemas;

pub use lambda_http::{Body, Request, Response};
pub use problem::{Problem, sentence};
