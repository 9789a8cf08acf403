//! How answers show a credential.

use belfry_api::answer;
use belfry_domain::credential::{Credential, CredentialToken, Scope};
use belfry_domain::id::CredentialId;
use belfry_domain::product::Product;
use serde::Serialize;

/// A credential; with its secret only when it was made just now.
#[derive(Serialize)]
pub(crate) struct CredentialView<'a> {
    id: CredentialId,
    product: Product,
    scopes: &'a [Scope],
    max_event_age_days: u16,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl<'a> CredentialView<'a> {
    /// Without the secret, which nobody has any longer.
    pub(crate) fn of(credential: &'a Credential) -> Self {
        Self {
            id: credential.id,
            product: credential.product,
            scopes: &credential.scopes,
            max_event_age_days: credential.max_event_age_days(),
            created_at: answer::time(credential.created_at),
            expires_at: credential.valid_until.map(answer::time),
            last_used_at: credential.last_used_at.map(answer::time),
            secret: None,
        }
    }

    /// With the secret, this once.
    pub(crate) fn once(credential: &'a Credential, token: &CredentialToken) -> Self {
        Self { secret: Some(token.expose_text()), ..Self::of(credential) }
    }
}
