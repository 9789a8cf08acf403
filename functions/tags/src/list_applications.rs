//! `GET /applications`: in the order of their names.

use crate::App;
use crate::view::ApplicationView;
use belfry_api::page::{Page, Query};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::policy::Action;
use belfry_domain::ports::Day;
use belfry_runtime::members::ApplicationsWanted;
use serde::{Deserialize, Serialize};

/// The place of the last row.
#[derive(Serialize, Deserialize)]
struct Position {
    after: String,
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let mut query = Query::of(request, "GET /applications");
    let wanted = ApplicationsWanted::of(&mut query);
    let page: Page<Position> = query.page()?;
    actor.may(Action::ReadApplications)?;
    let (tenant, today) = (actor.tenant(), Day::of(app.clock.now()));
    let filter = wanted.filter(&app.table, tenant).await?;
    let from = page.from.as_ref().map(|position| position.after.clone());
    let ((found, after), blocked) = tokio::try_join!(
        app.table.find_applications(tenant, &filter, from, page.limit),
        app.table.blocked_accesses(tenant, today),
    )?;
    let catalogue = app.table.catalogue_of(tenant, &found).await?;
    let views = found.iter().map(|one| ApplicationView::of(one, &catalogue, &blocked)).collect();
    Ok(answer::ok(&page.view(views, after.map(|after| Position { after }).as_ref())))
}
