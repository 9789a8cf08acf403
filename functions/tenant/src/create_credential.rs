//! `POST /products/{product}/credentials`

use crate::App;
use crate::credential_view::CredentialView;
use belfry_api::fields::Fields;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::credential::{Credential, Scope, Term};
use belfry_domain::policy::Action;
use belfry_domain::product::Product;
use belfry_store::credentials::CreateError;
use belfry_store::idempotency;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    expires_at: Option<String>,
    /// `telemetry:write` alone, when absent.
    scopes: Option<Vec<String>>,
}

pub(crate) async fn create_credential(
    app: &App,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let product: Product = request::path(request, "product")?;
    let body: CreateBody = request::body(request)?;
    let now = app.clock.now();
    let (scopes, until) = read(&body, now)?;
    let grant = actor.may(Action::CreateCredential)?;
    let license = app.table.license(grant.tenant(), product).await?.ok_or_else(|| {
        Problem::new(409, "license_missing", format!("There is no licence for {product}."))
    })?;
    let (tenant, entropy) = (grant.tenant(), app.entropy.as_ref());
    let term = Term::Current { until };
    let (credential, token) = Credential::issue(tenant, &license, (scopes, term), now, entropy);
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

/// What the credential is for, and when it shall end: a time that is still to come.
fn read(
    body: &CreateBody,
    now: Timestamp,
) -> Result<(BTreeSet<Scope>, Option<Timestamp>), Problem> {
    let mut fields = Fields::new();
    let mut scopes = BTreeSet::new();
    match &body.scopes {
        None => scopes.extend([Scope::TelemetryWrite]),
        Some(names) if names.is_empty() || names.len() > Scope::ALL.len() => {
            fields.fault("/scopes", "invalid", "Name one or two scopes.");
        }
        Some(names) => {
            for (at, name) in names.iter().enumerate() {
                let detail = "A scope is telemetry:write or directory:read.";
                scopes.extend(fields.want(Scope::named(name), format!("/scopes/{at}"), detail));
            }
        }
    }
    let until = match &body.expires_at {
        None => Some(None),
        Some(text) => {
            let detail = "Give a time like 2027-01-31T00:00:00Z.";
            let until: Option<Timestamp> = text.parse().ok();
            match fields.want(until, "/expires_at", detail) {
                Some(until) if until <= now => {
                    fields.fault("/expires_at", "in_the_past", "This time is over.");
                    None
                }
                until => until.map(Some),
            }
        }
    };
    fields.finish(until.map(|until| (scopes, until)))
}
