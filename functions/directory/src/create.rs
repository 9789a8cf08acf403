//! `POST /identity-providers`

use crate::App;
use crate::body::{ProviderBody, Wanted};
use crate::view::{ProviderView, described};
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::directory::provider::{Provider, TokenEntry};
use belfry_domain::directory::token::{ScimToken, StoredToken};
use belfry_domain::id::IdentityProviderId;
use belfry_domain::policy::Action;
use belfry_store::idempotency;
use belfry_store::providers::NotKept;
use std::collections::BTreeMap;

pub(crate) async fn create(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let body: ProviderBody = request::body(request)?;
    let digest = request::idempotency_digest(request)?;
    let grant = actor.may(Action::CreateProvider)?;
    let Wanted { settings, password } = body.read(app, grant.tenant(), None).await?;
    let (tenant, now, entropy) = (grant.tenant(), app.clock.now(), app.entropy.as_ref());
    let id = IdentityProviderId::new(now, entropy);
    let mut provider = Provider {
        id,
        tenant,
        settings,
        tokens: Vec::new(),
        work: None,
        last_sync: None,
        next_sync_at: None,
        bound: BTreeMap::new(),
        sealed_password: None,
        created_at: now,
        version: 1,
        revision: 1,
    };
    let mut made = None;
    if provider.settings.scim_mapping().is_some() {
        let token = ScimToken::new(now, entropy);
        provider.tokens = vec![TokenEntry { id: token.id, created_at: now, valid_until: None }];
        made = Some(token);
    }
    if let Some(password) = &password {
        provider.sealed_password = Some(app.seal(&provider, password).await?);
    }
    let stored = made.as_ref().map(|token| {
        let secret_hash = token.hash();
        (token.id, StoredToken { tenant, provider: id, secret_hash, valid_until: None })
    });
    let once = digest
        .as_deref()
        .map(|digest| idempotency::once(tenant, actor.user(), digest, now))
        .transpose()?;
    let (entry, at) = (described(&provider, None), (now, entropy));
    let done = app.table.create_provider((&grant, &entry), &provider, stored, once, at).await;
    if matches!(done, Err(NotKept::Limit | NotKept::NameTaken))
        && let Some(digest) = digest
        && app.table.was_done(tenant, actor.user(), &digest, now).await?
    {
        // A repeat is told so, also when what it made is what stands in its way.
        return Err(NotKept::Repeated.into());
    }
    done?;
    let token = made.map(|token| token.expose_text());
    Ok(answer::created(&ProviderView::of(&provider, request, now).with_token(token.as_deref())))
}
