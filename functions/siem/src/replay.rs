//! `POST /siem/destinations/{id}/replay`: records that were settled go once more, counted apart.

use crate::App;
use crate::find::found_delivered_to;
use crate::resume::TRIES;
use belfry_api::fields::Fields;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::audit::Entry;
use belfry_domain::policy::Action;
use belfry_domain::siem::progress::Replay;
use belfry_domain::siem::record::StreamName;
use belfry_runtime::siem_ring::{Ring, ring};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplayBody {
    /// Of this stream only; without it of all.
    stream: Option<String>,
    /// From this sequence of the stream on.
    from_sequence: Option<u64>,
    /// From this time on, by when Belfry took the records.
    from: Option<String>,
}

#[derive(Serialize)]
struct ReplayView {
    items: Vec<SpanView>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct SpanView {
    stream: StreamName,
    from_sequence: u64,
    to_sequence: u64,
}

enum From {
    Sequence(u64),
    Time(Timestamp),
}

pub(crate) async fn replay(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let body: ReplayBody = request::body(request)?;
    let grant = actor.may(Action::ReplayDestination)?;
    let (stream, from) = wanted(&body)?;
    let (tenant, now, entropy) = (grant.tenant(), app.clock.now(), app.entropy.as_ref());
    // Where a stream begins at a time does not change while others move the destination.
    let mut begins = BTreeMap::new();
    for _ in 0..TRIES {
        let (destination, mut progress) = found_delivered_to(app, tenant, request).await?;
        let mut items = Vec::new();
        let mut entry = Entry::about("siem_destination", &destination.id);
        for (name, position) in progress.streams.clone() {
            if stream.is_some_and(|stream| stream != name) {
                continue;
            }
            let first = match (&from, begins.get(&name)) {
                (From::Sequence(first), _) | (From::Time(_), Some(first)) => *first,
                (From::Time(since), None) => {
                    let last = position.cursor;
                    let first = app.table.first_since(tenant, name, last, *since).await?;
                    begins.insert(name, first);
                    first
                }
            };
            if first == 0 || first > position.cursor {
                continue;
            }
            let under_way = progress.replay.get(&name).copied();
            let cursor = under_way.map_or(first - 1, |replay| replay.cursor.min(first - 1));
            let replay = Replay { cursor, last: position.cursor };
            progress.replay.insert(name, replay);
            entry = entry.set(&name.to_string(), format!("{}-{}", cursor + 1, replay.last));
            let (from_sequence, to_sequence) = (cursor + 1, replay.last);
            items.push(SpanView { stream: name, from_sequence, to_sequence });
        }
        if items.is_empty() {
            let detail = "There is no settled record from there on.";
            return Err(Problem::new(409, "nothing_to_replay", detail));
        }
        let directed = (destination.id, &progress);
        if app.table.direct_progress(&grant, &entry, directed, now, entropy).await? {
            let of = Ring { tenant, destination: destination.id };
            ring(app.rings.as_ref(), [of], &format!("replay-{}", progress.revision)).await;
            return Ok(answer::json(202, &ReplayView { items, next_cursor: None }));
        }
    }
    Err(Problem::busy("The destination is being served at this moment; try again."))
}

fn wanted(body: &ReplayBody) -> Result<(Option<StreamName>, From), Problem> {
    let mut fields = Fields::new();
    let stream = body.stream.as_deref().map(|text| fields.read("/stream", text));
    let from = match (body.from_sequence, body.from.as_deref()) {
        (Some(sequence), None) if sequence > 0 => {
            if stream.is_none() {
                fields.fault("/stream", "required", "A sequence is one of a stream.");
            }
            Some(From::Sequence(sequence))
        }
        (None, Some(text)) => {
            let time = text.parse().ok().map(From::Time);
            fields.want(time, "/from", "Give a time like 2026-11-26T08:00:00Z.")
        }
        given => {
            let code = if given == (None, None) { "required" } else { "invalid" };
            fields.fault("/from_sequence", code, "Give from_sequence, at least 1, or from.");
            None
        }
    };
    let stream = match stream {
        None => Some(None),
        Some(stream) => stream.map(Some),
    };
    fields.finish(stream.zip(from))
}
