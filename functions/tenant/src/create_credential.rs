//! `POST /products/{product}/credentials`

use crate::App;
use crate::credential_view::CredentialView;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::credential::{Credential, Term};
use belfry_domain::failure::FieldError;
use belfry_domain::policy::Action;
use belfry_domain::product::Product;
use belfry_store::credentials::CreateError;
use belfry_store::idempotency;
use jiff::Timestamp;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    expires_at: Option<String>,
}

pub(crate) async fn create_credential(
    app: &App,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let product: Product = request::path(request, "product")?;
    let body: CreateBody = request::body(request)?;
    let now = app.clock.now();
    let until = body.expires_at.map(|text| end(&text, now)).transpose()?;
    let grant = actor.may(Action::CreateCredential)?;
    let license = app.table.license(grant.tenant(), product).await?.ok_or_else(|| {
        Problem::new(409, "license_missing", format!("There is no licence for {product}."))
    })?;
    let (tenant, entropy) = (grant.tenant(), app.entropy.as_ref());
    let term = Term::Current { until };
    let (credential, token) = Credential::issue(tenant, &license, term, now, entropy);
    let digest = request::idempotency_digest(request)?;
    let once = digest
        .as_deref()
        .map(|digest| idempotency::once(tenant, actor.user(), digest, now))
        .transpose()?;
    let done = app.table.create_credential(&grant, &credential, once, entropy).await;
    if matches!(done, Err(CreateError::Limit))
        && let Some(digest) = digest
        && app.table.was_done(tenant, actor.user(), &digest, now).await?
    {
        // A repeat is told so, also when what it made is one of those that fill the limit.
        return Err(CreateError::Repeated.into());
    }
    done?;
    Ok(answer::created(&CredentialView::once(&credential, &token)))
}

/// When the credential shall end: a time that is still to come.
fn end(text: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    let refuse =
        |code, detail| Problem::invalid(vec![FieldError::new("/expires_at", code, detail)]);
    let until: Timestamp =
        text.parse().map_err(|_| refuse("invalid", "Give a time like 2027-01-31T00:00:00Z."))?;
    if until > now { Ok(until) } else { Err(refuse("in_the_past", "This time is over.")) }
}
