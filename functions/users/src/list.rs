//! `GET /users`: the tenant's users in the order of their names.

use crate::App;
use crate::view::UserView;
use belfry_api::page::{Behind, Page, Query};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::policy::Action;
use belfry_runtime::members::UsersWanted;

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let mut query = Query::of(request, "GET /users");
    let wanted = UsersWanted::of(&mut query);
    let mut page: Page<Behind> = query.page()?;
    actor.may(Action::ReadUsers)?;
    let (tenant, from) = (actor.tenant(), page.after()?);
    let filter = wanted.filter(&app.table, tenant).await?;
    loop {
        let found = app.table.find_users(tenant, &filter, from.clone(), page.limit).await?;
        let (found, after) = found;
        let catalogue = app.table.catalogue_of(tenant, &found).await?;
        let views = found.iter().map(|user| UserView::of(user, &catalogue)).collect();
        let next = after.map(|after| Behind { after });
        let answer = answer::ok(&page.view(views, next.as_ref()));
        if page.holds(&answer) {
            return Ok(answer);
        }
    }
}
