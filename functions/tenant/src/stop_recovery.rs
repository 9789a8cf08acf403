//! `POST /recoveries/stop`: whoever was told that the vendor's staff will step in stops it by the mailed
//! link.

use crate::App;
use belfry_api::auth::origin;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::mail::Letter;
use belfry_domain::policy;
use belfry_domain::recovery::Stage;
use belfry_domain::secret::Secret;
use belfry_runtime::post;
use belfry_store::recoveries::ended;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StopBody {
    token: String,
}

#[derive(Serialize)]
struct Stopped {
    status: &'static str,
}

pub(crate) async fn stop_recovery(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let body: StopBody = request::body(request)?;
    let hash = body.token.parse::<Secret>().map_err(|_| link_gone())?.hash();
    let recovery = app.table.recovery_behind(&hash).await?.ok_or_else(link_gone)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let grant = policy::stop(&recovery, now, origin(request)).ok_or_else(link_gone)?;
    let tenant = app.table.tenant(recovery.tenant).await?.ok_or_else(link_gone)?;
    let letter = Letter::RecoveryEnded { company: tenant.company.clone(), stage: Stage::Stopped };
    let (to, language) = (&tenant.registered_email, tenant.language);
    let (mail, item) = post::notice(to, language, letter, now, entropy)?;
    let after = recovery.ended(Stage::Stopped);
    let (was, is) = (recovery.stage.name(), after.stage.name());
    let entry = recovery.record().changed("stage", was, is);
    let writes = ended(&recovery, &after)?.create(item);
    if !app.table.end_recovery(&grant, &entry, writes, now, entropy).await? {
        return Err(link_gone());
    }
    tracing::info!(tenant.id = %tenant.id, recovery.id = %recovery.id, "recovery stopped");
    post::ring(app.bell.as_ref(), mail).await;
    Ok(answer::ok(&Stopped { status: "stopped" }))
}

/// Unknown, used and late: one answer.
fn link_gone() -> Problem {
    Problem::new(410, "link_gone", "This link is over: it was used, or what it stops has happened.")
}
