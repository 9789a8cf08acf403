//! `/users/imports`: takes a CSV of users, says what it would do, and how far it is.

use crate::App;
use crate::import_view::ImportView;
use belfry_api::page::Query;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::audit::Entry;
use belfry_domain::id::ImportId;
use belfry_domain::import::{
    Import, Mode, Otherwise, Outcome, Stage, by_itself, in_tenant, is_refused, verdicts,
};
use belfry_domain::policy::Action;
use belfry_domain::throttle::IMPORTS;
use belfry_domain::user_csv::{self, Row};
use belfry_runtime::authenticate::Caller;
use belfry_store::StoreError;
use belfry_store::idempotency;
use belfry_store::imports::Progress;
use std::collections::HashMap;

pub(crate) async fn import(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let mut query = Query::of(request, "POST /users/imports");
    let mode = query.named("mode", Mode::named).unwrap_or(Mode::Strict);
    let dry_run: bool = query.parsed("dry_run").unwrap_or(false);
    query.end()?;
    let rows = user_csv::read(request::csv(request)?)?;
    let grant = caller.actor.may(Action::ImportUsers)?;
    if dry_run {
        return Ok(answer::ok(&what_if(app, &caller, mode, &rows).await?));
    }
    let requires =
        |row: &belfry_domain::import::Judged| row.as_ref().is_ok_and(|new| new.two_factor_required);
    if by_itself(&rows, caller.user.role).iter().any(requires) {
        caller.actor.may(Action::RequireTwoFactor)?;
    }
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let digest = request::idempotency_digest(request)?;
    if let Some(first) = asked_before(app, &caller, digest.as_deref()).await? {
        return Ok(answer::json(202, &first));
    }
    app.table.count_try(&IMPORTS, &caller.tenant.id.to_string(), now, entropy).await?;
    let origin = caller.actor.origin().clone();
    let import = Import {
        id: ImportId::new(now, entropy),
        tenant: caller.tenant.id,
        by: caller.user.id,
        role: caller.user.role,
        request_id: origin.request_id,
        source_address: origin.source_address,
        mode,
        stage: Stage::Checking,
        rows: u32::try_from(rows.len()).unwrap_or(u32::MAX),
        created_at: now,
        finished_at: None,
        // Rung for at once; the sweep goes on with it when the ring is lost.
        due_at: now,
        version: 1,
    };
    let entry = Entry::about("import", &import.id).set("rows", import.rows);
    let (tenant, by, id) = (import.tenant, import.by, import.id.to_string());
    let once = digest.as_deref();
    let once = once.map(|digest| idempotency::once_with(tenant, by, digest, &id, now));
    let once = once.transpose()?.unwrap_or_default();
    if !app.table.start_import(&grant, &entry, &import, rows, once, entropy).await? {
        // A rival asked the same.
        let first = asked_before(app, &caller, digest.as_deref()).await?;
        let first = first.ok_or_else(|| Problem::busy("The file was not taken; send it again."))?;
        return Ok(answer::json(202, &first));
    }
    if let Err(error) = app.imports.ring(&format!("{} {}", import.tenant, import.id)).await {
        tracing::warn!(error = belfry_runtime::log::whole(&error), "import not rung");
    }
    tracing::info!(tenant.id = %import.tenant, import.id = %import.id, import.rows, "import asked");
    Ok(answer::json(202, &ImportView::of(&import, Vec::new())))
}

/// The import that the same request began before; none when it is the first.
async fn asked_before(
    app: &App,
    caller: &Caller,
    digest: Option<&str>,
) -> Result<Option<ImportView>, Problem> {
    let (tenant, by, now) = (caller.tenant.id, caller.user.id, app.clock.now());
    let Some(digest) = digest else { return Ok(None) };
    let Some(id) = app.table.answered(tenant, by, digest, now).await? else { return Ok(None) };
    let lost = || StoreError::corrupt(&id, "an answer that names no import");
    let import = id.parse().map_err(|_| lost())?;
    let progress = app.table.import_progress(tenant, import).await?.ok_or_else(lost)?;
    Ok(Some(view(progress)))
}

fn view(Progress { import, settled }: Progress) -> ImportView {
    ImportView::of(&import, settled.into_iter().flat_map(|(_, verdicts)| verdicts).collect())
}

/// What the import would do as things stand. Writes nothing.
async fn what_if(
    app: &App,
    caller: &Caller,
    mode: Mode,
    rows: &[Row],
) -> Result<ImportView, Problem> {
    let judged = by_itself(rows, caller.user.role);
    let addresses: Vec<_> = judged.iter().flatten().map(|new| new.email.clone()).collect();
    let present = app.table.sources_of(caller.tenant.id, &addresses).await?;
    let judged = in_tenant(judged, &present, caller.tenant.users);
    let refused = mode == Mode::Strict && is_refused(&judged);
    let otherwise = if refused { Otherwise::OthersRefused } else { Otherwise::Imported };
    Ok(ImportView::dry(mode, refused, verdicts(rows, &judged, otherwise)))
}

/// `GET /users/imports/{id}`
pub(crate) async fn progress(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    Ok(answer::ok(&view(found(app, request).await?)))
}

/// `GET /users/imports/{id}/errors`: the rows that were refused so far, to be mended and sent again.
pub(crate) async fn errors(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let Progress { import, settled } = found(app, request).await?;
    let rows = app.table.import_rows(import.tenant, import.id).await?;
    let refused: HashMap<u32, _> = settled
        .iter()
        .flat_map(|(_, verdicts)| verdicts)
        .filter(|verdict| verdict.outcome == Outcome::Refused)
        .map(|verdict| (verdict.line, verdict.faults.as_slice()))
        .collect();
    let refused = rows.iter().filter_map(|row| Some((row, *refused.get(&row.line)?)));
    Ok(answer::csv("refused-rows.csv", user_csv::refused(refused)))
}

async fn found(app: &App, request: &Request) -> Result<Progress, Problem> {
    let actor = app.authenticator.actor(request).await?;
    actor.may(Action::ImportUsers)?;
    let id: ImportId = request::path(request, "id")?;
    app.table.import_progress(actor.tenant(), id).await?.ok_or_else(Problem::not_found)
}

/// `GET /users/imports/template`
pub(crate) async fn template(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    actor.may(Action::ImportUsers)?;
    Ok(answer::csv("users.csv", user_csv::template()))
}
