//! `POST /siem/destinations`

use crate::App;
use crate::body::{Before, DestinationBody, Wanted};
use crate::view::DestinationView;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::id::DestinationId;
use belfry_domain::policy::Action;
use belfry_domain::siem::destination::{Destination, Transport};
use belfry_domain::siem::progress::Progress;
use belfry_domain::siem::pull::PullToken;
use belfry_store::idempotency;
use belfry_store::siem::CreateError;

pub(crate) async fn create(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let body: DestinationBody = request::body(request)?;
    let grant = actor.may(Action::CreateDestination)?;
    let (tenant, now, entropy) = (grant.tenant(), app.clock.now(), app.entropy.as_ref());
    let Wanted { settings, secrets, made } = body.read(app, tenant, &Before::default()).await?;
    let id = DestinationId::new(now, entropy);
    let pull = (settings.transport == Transport::Pull).then(|| PullToken::new(id, entropy));
    let mut destination =
        Destination { id, tenant, settings, sealed_secrets: None, created_at: now, version: 1 };
    destination.sealed_secrets = app.seal(&destination, &secrets).await?;
    let digest = request::idempotency_digest(request)?;
    let once = digest
        .as_deref()
        .map(|digest| idempotency::once(tenant, actor.user(), digest, now))
        .transpose()?;
    // What happens from now on is its business.
    let progress = Progress::begin(&app.table.stream_ends(tenant).await?);
    let token = pull.as_ref().map(PullToken::hash);
    let made_of = (&destination, &progress);
    let done = app.table.create_destination(&grant, made_of, token, once, entropy).await;
    if matches!(done, Err(CreateError::Limit))
        && let Some(digest) = digest
        && app.table.was_done(tenant, actor.user(), &digest, now).await?
    {
        // A repeat is told so, also when what it made is one of those that fill the limit.
        return Err(CreateError::Repeated.into());
    }
    done?;
    let token = pull.map(|token| token.expose_text()).or(made);
    let view = DestinationView::of(&destination, &progress).with_token(token.as_deref());
    Ok(answer::created(&view))
}
