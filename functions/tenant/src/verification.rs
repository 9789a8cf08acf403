//! `GET /audit/verification`: whether the trail is whole.

use crate::App;
use belfry_api::page::Query;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::audit::Trail;
use belfry_domain::failure::FieldError;
use belfry_domain::policy::Action;
use serde::Serialize;
use std::num::NonZeroU64;

#[derive(Serialize)]
struct VerificationView {
    status: &'static str,
    from: u64,
    to: u64,
    checked: u64,
    broken_at: Option<u64>,
    head: HeadView,
    next_from: Option<u64>,
}

#[derive(Serialize)]
struct HeadView {
    sequence: u64,
    /// In hex.
    hash: String,
}

pub(crate) async fn verification(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let mut query = Query::of(request, "GET /audit/verification");
    let from: Option<NonZeroU64> = query.parsed("from");
    let to: Option<NonZeroU64> = query.parsed("to");
    query.end()?;
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        let fault = FieldError::new("?to", "out_of_range", "The end is before the beginning.");
        return Err(Problem::invalid(vec![fault]));
    }
    caller.actor.may(Action::ReadAudit)?;
    let (tenant, since) = (caller.tenant.id, caller.tenant.created_at);
    let trail = Trail { tenant, since, now: app.clock.now() };
    let number = |number: Option<NonZeroU64>| number.map(NonZeroU64::get);
    let found = app.table.verify_audit(trail, number(from), number(to)).await?;
    Ok(answer::ok(&VerificationView {
        status: if found.broken_at.is_none() { "whole" } else { "broken" },
        from: found.from,
        to: found.to,
        checked: found.checked,
        broken_at: found.broken_at,
        head: HeadView { sequence: found.head.sequence, hash: hex::encode(found.head.hash) },
        next_from: found.next_from,
    }))
}
