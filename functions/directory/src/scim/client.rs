//! Who asks by SCIM: a directory, by a token of its identity provider.

use crate::App;
use belfry_api::auth::origin;
use belfry_api::{Request, request};
use belfry_domain::account::Tenant;
use belfry_domain::directory::provider::Provider;
use belfry_domain::directory::token::ScimToken;
use belfry_domain::policy::Directory;
use belfry_domain::scim::ScimError;
use belfry_runtime::directory::{Failed, Registrar};

/// A directory that asks.
pub(super) struct Client {
    pub(super) directory: Directory,
    provider: Provider,
    tenant: Tenant,
}

impl Client {
    /// Whose token the request shows. 2 calls, 3 RRU.
    ///
    /// # Errors
    /// 401, one and the same for whatever is wrong with the token; 403 when the provider is switched off
    /// or the tenant is suspended.
    pub(super) async fn of(app: &App, request: &Request) -> Result<Self, Failed> {
        let unknown = || Failed::Scim(ScimError::of_status(401, "the token is not valid"));
        let forbidden = |detail: &str| Failed::Scim(ScimError::of_status(403, detail));
        let shown: ScimToken =
            request::bearer(request).and_then(|text| text.parse().ok()).ok_or_else(unknown)?;
        let now = app.clock.now();
        let found = app.table.provider_token(shown.id).await?;
        let (stored, provider, tenant) = found
            .filter(|(stored, provider, _)| {
                stored.is_of(&shown) && stored.is_live(now) && !provider.is_going()
            })
            .ok_or_else(unknown)?;
        if !provider.settings.enabled {
            return Err(forbidden("the identity provider is switched off"));
        }
        if tenant.suspended_at.is_some() {
            return Err(forbidden("the company is suspended; ask its vendor"));
        }
        let directory = Directory::of(&shown, &stored, &provider, &tenant, now, origin(request))
            .ok_or_else(unknown)?;
        Ok(Self { directory, provider, tenant })
    }

    /// Who keeps its users and groups.
    pub(super) fn registrar<'a>(&'a self, app: &'a App) -> Registrar<'a> {
        let whose = (&self.tenant, &self.provider);
        Registrar::new(&app.table, &app.post, whose, app.clock.now())
    }
}
