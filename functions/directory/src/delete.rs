//! `DELETE /identity-providers/{id}?users=`: its tokens are good for nothing at once; its users go, or
//! become as if added by hand, in the background, and it goes after them.

use crate::App;
use crate::find::found_staying;
use crate::sync::asked_by;
use crate::view::ProviderView;
use belfry_api::page::Query;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::audit::Entry;
use belfry_domain::directory::provider::{Fate, Provider, Task};
use belfry_domain::failure::FieldError;
use belfry_domain::id::SyncId;
use belfry_domain::policy::Action;
use belfry_store::providers::{NotKept, without_tokens};

/// Work on its users that goes on meanwhile: how often to look again.
const LOOKS: usize = 10;

pub(crate) async fn delete(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let mut query = Query::of(request, "DELETE /identity-providers/{id}");
    let fate = query.named("users", Fate::named);
    query.end()?;
    let fate = fate.ok_or_else(|| {
        let detail = "Say what becomes of its users: archive or keep_as_manual.";
        Problem::invalid(vec![FieldError::new("?users", "required", detail)])
    })?;
    let grant = actor.may(Action::DeleteProvider)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        let before = found_staying(app, grant.tenant(), request).await?;
        let tokens = without_tokens(before.tokens.iter().map(|token| token.id));
        let after = Provider { tokens: Vec::new(), ..before.changed() };
        let (id, by) = (SyncId::new(now, entropy), asked_by(&actor));
        let after = after.with_work(id, Task::Remove(fate), Some(by), now);
        let entry = Entry::about("identity_provider", &before.id)
            .set("name", before.settings.name.as_str())
            .set("users", fate.name());
        let (by, at) = ((&grant, &entry), (now, entropy));
        match app.table.change_provider(by, (&before, &after), tokens, at).await {
            Ok(()) => {
                app.ring(&after).await;
                return Ok(answer::json(202, &ProviderView::of(&after, request, now)));
            }
            Err(NotKept::Changed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::busy("The provider is being changed elsewhere; try again."))
}
