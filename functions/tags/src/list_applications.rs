//! `GET /applications`: in the order of their names.

use crate::App;
use crate::view::ApplicationView;
use belfry_api::page::{Behind, Page, Query};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::policy::Action;
use belfry_domain::ports::Day;
use belfry_runtime::members::ApplicationsWanted;

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let mut query = Query::of(request, "GET /applications");
    let wanted = ApplicationsWanted::of(&mut query);
    let mut page: Page<Behind> = query.page()?;
    actor.may(Action::ReadApplications)?;
    let (tenant, today) = (actor.tenant(), Day::of(app.clock.now()));
    let filter = wanted.filter(&app.table, tenant).await?;
    let from = page.after()?;
    loop {
        let ((found, after), blocked) = tokio::try_join!(
            app.table.find_applications(tenant, &filter, from.clone(), page.limit),
            app.table.blocked_accesses(tenant, today),
        )?;
        let catalogue = app.table.catalogue_of(tenant, &found).await?;
        let views = found.iter().map(|one| ApplicationView::of(one, &catalogue, &blocked));
        let next = after.map(|after| Behind { after });
        let answer = answer::ok(&page.view(views.collect(), next.as_ref()));
        if page.holds(&answer) {
            return Ok(answer);
        }
    }
}
