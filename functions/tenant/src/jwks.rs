//! `GET /.well-known/jwks.json`: what a verifier of our tokens needs (RFC 7517).

use crate::App;
use belfry_api::auth::Jwk;
use belfry_api::{Body, Response, answer};
use serde::Serialize;

#[derive(Serialize)]
struct Jwks<'a> {
    keys: [Jwk<'a>; 1],
}

pub(crate) fn jwks(app: &App) -> Response<Body> {
    answer::ok(&Jwks { keys: [app.key.jwk()] })
}
