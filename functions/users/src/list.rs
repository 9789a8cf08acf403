//! `GET /users`: the tenant's users in the order of their names.

use crate::App;
use crate::view::UserView;
use belfry_api::page::{Page, Query};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::policy::Action;
use belfry_runtime::members::UsersWanted;
use serde::{Deserialize, Serialize};

/// The place of the last row.
#[derive(Serialize, Deserialize)]
struct Position {
    after: String,
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let mut query = Query::of(request, "GET /users");
    let wanted = UsersWanted::of(&mut query);
    let page: Page<Position> = query.page()?;
    actor.may(Action::ReadUsers)?;
    if page.from.as_ref().is_some_and(|from| !(1..=1_024).contains(&from.after.len())) {
        // Made up: the table would refuse such a key.
        return Err(Problem::new(400, "cursor_invalid", "The cursor is not one of this list."));
    }
    let from = page.from.as_ref().map(|position| position.after.clone());
    let tenant = actor.tenant();
    let filter = wanted.filter(&app.table, tenant).await?;
    let (found, after) = app.table.find_users(tenant, &filter, from, page.limit).await?;
    let catalogue = app.table.catalogue_of(tenant, &found).await?;
    let views = found.iter().map(|user| UserView::of(user, &catalogue)).collect();
    let next = after.map(|after| Position { after });
    Ok(answer::ok(&page.view(views, next.as_ref())))
}
