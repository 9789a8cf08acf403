//! `GET /siem/event-types`: what can be chosen.

use crate::App;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::policy::Action;
use belfry_domain::siem::record::{RecordType, Source};
use serde::Serialize;

#[derive(Serialize)]
struct Page {
    items: Vec<SourceView>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct SourceView {
    source: Source,
    event_types: Vec<RecordType>,
}

pub(crate) async fn event_types(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    actor.may(Action::ReadSiem)?;
    let view = |source: Source| SourceView { source, event_types: source.types().collect() };
    let items = Source::ALL.into_iter().map(view).collect();
    Ok(answer::ok(&Page { items, next_cursor: None }))
}
