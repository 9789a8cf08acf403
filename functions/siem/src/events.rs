//! `GET /events`: the log for those that ask for it, by sequence.

use crate::App;
use belfry_api::page::Query;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::credential::NotAuthenticated;
use belfry_domain::siem::destination::{Destination, Transport};
use belfry_domain::siem::format::Renderer;
use belfry_domain::siem::pull::{MOST_BYTES, MOST_RECORDS, PullToken, REACH, SequenceExpired};
use belfry_domain::siem::record::StreamName;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct StreamsView {
    items: Vec<StreamView>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct StreamView {
    stream: StreamName,
    /// The first that can be asked for; one more than the last when there is none.
    first_sequence: u64,
    last_sequence: u64,
}

#[derive(Serialize)]
struct EventsView {
    items: Vec<EventView>,
    /// To be given as `after` next time; also when nothing was selected up to there.
    next_after: u64,
    /// The last sequence of the stream.
    last_sequence: u64,
}

#[derive(Serialize)]
struct EventView {
    sequence: u64,
    record: Box<RawValue>,
}

pub(crate) async fn events(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let destination = authenticate(app, request).await?;
    let mut query = Query::of(request, "GET /events");
    let stream: Option<StreamName> = query.parsed("stream");
    let after: Option<u64> = query.parsed("after");
    let limit: Option<usize> = query.parsed("limit");
    if stream.is_none() && (after.is_some() || limit.is_some()) {
        query.fault("stream", "required", "A sequence is one of a stream.");
    }
    if limit.is_some_and(|limit| !(1..=MOST_RECORDS).contains(&limit)) {
        query.fault("limit", "out_of_range", "limit is a number from 1 to 1,000.");
    }
    query.end()?;
    match stream {
        None => streams(app, &destination).await,
        Some(stream) => {
            page(app, &destination, stream, after.unwrap_or(0), limit.unwrap_or(MOST_RECORDS)).await
        }
    }
}

/// The destination whose token the request shows; every fault of it is the same 401.
async fn authenticate(app: &App, request: &Request) -> Result<Destination, Problem> {
    let token: PullToken =
        request::bearer(request).and_then(|token| token.parse().ok()).ok_or(NotAuthenticated)?;
    let found = app.table.pull_token(token.destination).await?;
    let found = found.filter(|found| token.is_of(&found.secret_hash)).ok_or(NotAuthenticated)?;
    let destination = app.table.destination(found.tenant, found.destination).await?;
    let (destination, _) = destination.ok_or(NotAuthenticated)?;
    let tenant = app.table.tenant(found.tenant).await?.ok_or(NotAuthenticated)?;
    if tenant.suspended_at.is_some() {
        return Err(Problem::suspended());
    }
    let settings = &destination.settings;
    if !settings.enabled || settings.transport != Transport::Pull {
        return Err(Problem::new(403, "destination_off", "This destination is switched off."));
    }
    Ok(destination)
}

async fn streams(app: &App, destination: &Destination) -> Result<Response<Body>, Problem> {
    let (tenant, since) = (destination.tenant, reach(app));
    let mut items = Vec::new();
    for (stream, last_sequence) in app.table.stream_ends(tenant).await? {
        let first_sequence = app.table.first_since(tenant, stream, last_sequence, since).await?;
        items.push(StreamView { stream, first_sequence, last_sequence });
    }
    Ok(answer::ok(&StreamsView { items, next_cursor: None }))
}

async fn page(
    app: &App,
    destination: &Destination,
    stream: StreamName,
    after: u64,
    limit: usize,
) -> Result<Response<Body>, Problem> {
    let (tenant, since) = (destination.tenant, reach(app));
    let ends = app.table.stream_ends(tenant).await?;
    let last_sequence = *ends.get(&stream).ok_or_else(Problem::not_found)?;
    let page = app.table.log_page(tenant, stream, (after, last_sequence)).await?;
    let first = page.entries.first().and_then(|entry| entry.record.as_ref());
    if page.expired > 0 || first.is_some_and(|first| first.received_at < since.as_millisecond()) {
        let earliest = app.table.first_since(tenant, stream, last_sequence, since).await?;
        return Err(SequenceExpired { earliest }.into());
    }
    let settings = &destination.settings;
    let renderer = Renderer { format: settings.format, host: app.host.clone() };
    let (mut items, mut bytes, mut next_after) = (Vec::new(), 0, after.min(page.to));
    for entry in page.entries {
        if items.len() == limit || bytes >= MOST_BYTES {
            break;
        }
        next_after = entry.sequence;
        let Some(record) = entry.record.filter(|record| settings.selects(record)) else { continue };
        let mut json = Vec::new();
        renderer.json(&record, &mut json);
        bytes += json.len();
        let text = String::from_utf8_lossy(&json).into_owned();
        let record = RawValue::from_string(text).map_err(|error| Problem::internal(&error))?;
        items.push(EventView { sequence: entry.sequence, record });
    }
    Ok(answer::ok(&EventsView { items, next_after, last_sequence }))
}

/// What was taken before this cannot be asked for.
fn reach(app: &App) -> Timestamp {
    app.clock.now() - REACH
}
