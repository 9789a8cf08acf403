//! `GET /users/export`: the users as CSV, one pass over the list in pages.

use crate::App;
use belfry_api::auth::origin;
use belfry_api::page::Query;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::account::User;
use belfry_domain::audit::{Access, AccessKind, Outcome};
use belfry_domain::id::UserId;
use belfry_domain::policy::Action;
use belfry_domain::user_csv;
use belfry_domain::users::Filter;
use belfry_runtime::members::UsersWanted;
use std::str::FromStr;

/// Most users of a selection: a query string has its limits.
const MOST_SELECTED: usize = 200;
/// An answer of a function has at most 6 MB as JSON, in which a quote takes two bytes; 15,000 users have
/// about 2 MB unless their names are the longest.
const MOST_BYTES: usize = 4_500_000;
/// So many users at once: below the 1 MB of a query.
const PORTION: i32 = 1_000;

/// A selection: ids between commas.
struct Selection(Vec<UserId>);

impl FromStr for Selection {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ids = text.split(',').map(|id| id.trim().parse().map_err(|_| "not an id of a user"));
        let mut ids = ids.collect::<Result<Vec<_>, _>>()?;
        ids.sort_unstable();
        ids.dedup();
        if ids.len() > MOST_SELECTED { Err("at most 200 users") } else { Ok(Self(ids)) }
    }
}

pub(crate) async fn export(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let mut query = Query::of(request, "GET /users/export");
    let wanted = UsersWanted::of(&mut query);
    let selection: Option<Selection> = query.parsed("ids");
    if wanted.archived() {
        // They are kept for the audit trail, not to be handed out; and nothing bounds their number.
        query.fault("status", "invalid", "Deleted users are not exported.");
    }
    query.end()?;
    actor.may(Action::ReadUsers)?;
    let filter = wanted.filter(&app.table, actor.tenant()).await?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    // Before the first row: who has the list is on record, also when the answer is lost.
    let (kind, success, user) = (AccessKind::Export, Outcome::Success, Some(actor.user()));
    let access = Access::new(kind, success, user, &origin(request), now, entropy);
    app.table.note_access(Some(actor.tenant()), &access).await?;
    let mut text = user_csv::header();
    if let Some(Selection(ids)) = selection {
        let mut users = app.table.users_by_id(actor.tenant(), &ids).await?;
        users.retain(|user| !user.is_archived());
        users.sort_by_cached_key(belfry_store::keys::user_sort);
        return Ok(answer::csv("users.csv", text + &lines(&filter, &users)));
    }
    let mut after: Option<String> = None;
    loop {
        let (listed, more) =
            app.table.users(actor.tenant(), false, after.as_deref(), PORTION).await?;
        after = listed.last().map(|(place, _)| place.clone());
        text += &lines(&filter, listed.iter().map(|(_, user)| user));
        if text.len() > MOST_BYTES {
            let detail = "The file would be too large; export in parts, by a filter.";
            return Err(Problem::new(409, "export_too_large", detail));
        }
        if !more {
            return Ok(answer::csv("users.csv", text));
        }
    }
}

/// The lines of those who pass.
fn lines<'a>(filter: &Filter, users: impl IntoIterator<Item = &'a User>) -> String {
    users.into_iter().filter(|user| filter.lets_pass(user)).map(user_csv::line).collect()
}
