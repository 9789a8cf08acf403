//! `GET /dashboard?period=`

use crate::App;
use belfry_api::page::Query;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::dashboard::{Dashboard, TOP_DAYS};
use belfry_domain::policy::Action;
use belfry_domain::ports::Day;

pub(crate) async fn get(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let mut query = Query::of(request, "GET /dashboard");
    let period = query.parsed("period").unwrap_or_default();
    query.end()?;
    actor.may(Action::ReadDashboard)?;
    let today = Day::of(app.clock.now());
    let tallies = app.table.tallies(actor.tenant(), today.minus(TOP_DAYS - 1), today).await?;
    Ok(answer::ok(&Dashboard::new(period, today, &tallies.streams, &tallies.tops)))
}
