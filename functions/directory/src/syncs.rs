//! `GET /identity-providers/{id}/syncs`: what the syncs of the last 30 days came to.

use crate::App;
use crate::find::found;
use crate::view::SyncView;
use belfry_api::page::{Behind, Page, Query};
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::directory::sync::{self, SyncRun};
use belfry_domain::id::SyncId;
use belfry_domain::policy::Action;
use belfry_store::directories::Place;
use serde::Serialize;

#[derive(Serialize)]
struct RunView {
    #[serde(flatten)]
    sync: SyncView,
    /// What could not be done: at most a hundred; `counts` has all.
    problems: Vec<ProblemView>,
}

#[derive(Serialize)]
pub(crate) struct ProblemView {
    who: String,
    code: String,
    detail: String,
}

impl ProblemView {
    pub(crate) fn of(problem: sync::Problem) -> Self {
        let sync::Problem { who, code, detail } = problem;
        Self { who, code, detail: belfry_api::sentence(&detail) }
    }
}

pub(crate) async fn syncs(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let page: Page<Behind> = Query::of(request, "GET /identity-providers/{id}/syncs").page()?;
    actor.may(Action::ReadProviders)?;
    let tenant = actor.tenant();
    let provider = found(app, tenant, request).await?;
    let place = Place { tenant, provider: provider.id };
    let after = page.after()?.map(|after| after.parse::<SyncId>()).transpose();
    let after = after.map_err(|_| Problem::not_found())?;
    let limit = i32::try_from(page.limit).unwrap_or(i32::MAX);
    let (found, more) = app.table.syncs(place, after, limit).await?;
    let behind = |run: &SyncRun| Behind { after: run.summary.id.to_string() };
    let next = found.last().filter(|_| more).map(behind);
    let views = found.into_iter().map(|SyncRun { summary, problems }| RunView {
        sync: SyncView::of(&summary),
        problems: problems.into_iter().map(ProblemView::of).collect(),
    });
    Ok(answer::ok(&page.view(views.collect(), next.as_ref())))
}
