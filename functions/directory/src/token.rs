//! `POST /identity-providers/{id}/token`: another token, shown this once. The present one stays good for
//! a while, so that the directory can be given the new one without a gap.

use crate::App;
use crate::find::found_staying;
use crate::view::TokenView;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::audit::Entry;
use belfry_domain::directory::provider::{Provider, TokenEntry};
use belfry_domain::directory::token::{MOST_TOKENS, Overlap, ScimToken, StoredToken};
use belfry_domain::failure::FieldError;
use belfry_domain::policy::Action;
use belfry_store::providers::{NotKept, token as written, without_tokens};
use jiff::Timestamp;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    /// For so many hours the present token stays good; 24 when absent.
    overlap_hours: Option<u32>,
}

/// Work on the provider's users that goes on meanwhile: how often to look again.
const LOOKS: usize = 10;

pub(crate) async fn token(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let TokenBody { overlap_hours } = request::body(request)?;
    let overlap =
        overlap_hours.map_or(Some(Overlap::default()), Overlap::new).ok_or_else(|| {
            let detail = "The overlap is 0 to 168 hours.";
            Problem::invalid(vec![FieldError::new("/overlap_hours", "out_of_range", detail)])
        })?;
    let grant = actor.may(Action::RotateProviderToken)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        let before = found_staying(app, grant.tenant(), request).await?;
        if before.settings.scim_mapping().is_none() {
            let detail = "A directory that is read by LDAP has no token.";
            return Err(Problem::new(409, "no_tokens", detail));
        }
        let made = ScimToken::new(now, entropy);
        let tokens = rotated(&before, &made, overlap, now);
        let after = Provider { tokens, version: before.version, ..before.changed() };
        let gone = before.tokens.iter().filter(|old| after.tokens.iter().all(|t| t.id != old.id));
        let mut writes = without_tokens(gone.map(|token| token.id));
        let stored = StoredToken {
            tenant: before.tenant,
            provider: before.id,
            secret_hash: made.hash(),
            valid_until: None,
        };
        writes = writes.and(written(made.id, &stored)?);
        for entry in after.tokens.iter().filter(|entry| entry.id != made.id) {
            let Some((old, ..)) = app.table.provider_token(entry.id).await? else { continue };
            let ends = StoredToken { valid_until: entry.valid_until, ..old };
            writes = writes.and(written(entry.id, &ends)?);
        }
        let entry = Entry::about("identity_provider", &before.id)
            .set("token", made.id.to_string())
            .set("name", before.settings.name.as_str());
        let (by, at) = ((&grant, &entry), (now, entropy));
        match app.table.change_provider(by, (&before, &after), writes, at).await {
            Ok(()) => {
                let tokens = after.tokens.iter().map(TokenView::of);
                let mut view: Vec<_> = tokens.collect();
                let text = made.expose_text();
                let Some(last) = view.pop() else { return Err(Problem::not_found()) };
                return Ok(answer::created(&last.shown(&text, view)));
            }
            Err(NotKept::Changed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::busy("The provider is being changed elsewhere; try again."))
}

/// The tokens from now on, the new one last: of those before, the last one, while it is to be good.
fn rotated(
    before: &Provider,
    made: &ScimToken,
    overlap: Overlap,
    now: Timestamp,
) -> Vec<TokenEntry> {
    let end = overlap.end(now);
    let ends = |token: &TokenEntry| {
        let valid_until = token.valid_until.map_or(end, |until| until.min(end));
        TokenEntry { valid_until: Some(valid_until), ..token.clone() }
    };
    let live = before.tokens.iter().rev().map(ends).filter(|token| token.is_live(now));
    let mut tokens: Vec<_> = live.take(MOST_TOKENS - 1).collect();
    tokens.push(TokenEntry { id: made.id, created_at: now, valid_until: None });
    tokens
}
