//! `GET /siem/destinations/{id}/statistics`: figures that add up.

use crate::App;
use crate::find::found;
use crate::view::StateView;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::policy::Action;
use belfry_domain::siem::progress::{Position, Progress};
use belfry_domain::siem::record::StreamName;
use belfry_store::siem::Parked;
use serde::Serialize;
use std::collections::BTreeMap;

/// Parked records that are shown.
const MOST_PARKED: i32 = 50;

/// `produced` is the sum of the others.
#[derive(Serialize, Default)]
struct FiguresView {
    produced: u64,
    confirmed: u64,
    refused: u64,
    skipped: u64,
    expired: u64,
    backlog: u64,
}

impl FiguresView {
    fn of(position: Position, last: u64) -> Self {
        Self {
            produced: position.produced(last),
            confirmed: position.confirmed,
            refused: position.refused,
            skipped: position.skipped,
            expired: position.expired,
            backlog: position.backlog(last),
        }
    }

    fn add(&mut self, other: &Self) {
        self.produced += other.produced;
        self.confirmed += other.confirmed;
        self.refused += other.refused;
        self.skipped += other.skipped;
        self.expired += other.expired;
        self.backlog += other.backlog;
    }
}

#[derive(Serialize)]
struct StreamView {
    stream: StreamName,
    /// The last sequence before the destination began.
    start: u64,
    /// The last one that is settled.
    cursor: u64,
    /// The last one there is.
    last: u64,
    #[serde(flatten)]
    figures: FiguresView,
}

#[derive(Serialize)]
struct ParkedView<'a> {
    stream: StreamName,
    sequence: u64,
    id: Option<&'a str>,
    code: &'a str,
    detail: &'a str,
    at: String,
}

#[derive(Serialize)]
struct StatisticsView<'a> {
    #[serde(flatten)]
    state: StateView<'a>,
    totals: FiguresView,
    /// Records that were sent, however often.
    sent: u64,
    /// Records that were confirmed when they were sent once more.
    replayed: u64,
    /// Records that are still to be sent once more.
    replaying: u64,
    /// When the oldest record that waits was taken.
    backlog_since: Option<String>,
    streams: Vec<StreamView>,
    parked: Vec<ParkedView<'a>>,
}

pub(crate) async fn statistics(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    actor.may(Action::ReadSiem)?;
    let tenant = actor.tenant();
    let (destination, progress) = found(app, tenant, request).await?;
    // After the cursors, so that no stream ends before its cursor.
    let ends = app.table.stream_ends(tenant).await?;
    let parked = app.table.parked(tenant, destination.id, MOST_PARKED).await?;
    let mut totals = FiguresView::default();
    let mut streams = Vec::with_capacity(ends.len());
    let oldest = app.table.oldest_logged(tenant, &progress.waiting(&ends)).await?;
    for (stream, last) in &ends {
        let position = progress.position(*stream);
        let figures = FiguresView::of(position, *last);
        totals.add(&figures);
        let Position { start, cursor, .. } = position;
        streams.push(StreamView { stream: *stream, start, cursor, last: *last, figures });
    }
    Ok(answer::ok(&StatisticsView {
        state: StateView::of(&destination, &progress),
        totals,
        sent: progress.sent,
        replayed: progress.replayed,
        replaying: replaying(&progress),
        backlog_since: oldest.map(answer::time),
        streams,
        parked: parked.iter().map(view).collect(),
    }))
}

fn replaying(progress: &Progress) -> u64 {
    let replay: &BTreeMap<_, _> = &progress.replay;
    replay.values().map(|replay| replay.last.saturating_sub(replay.cursor)).sum()
}

fn view(parked: &Parked) -> ParkedView<'_> {
    ParkedView {
        stream: parked.stream,
        sequence: parked.sequence,
        id: parked.id.as_deref(),
        code: &parked.code,
        detail: &parked.detail,
        at: answer::time(parked.at),
    }
}
