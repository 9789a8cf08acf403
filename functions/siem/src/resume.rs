//! `POST /siem/destinations/{id}/resume`: a suspended destination is tried at once, and so is one that waits.

use crate::App;
use crate::find::found_delivered_to;
use crate::view::DestinationView;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::audit::Entry;
use belfry_domain::policy::Action;
use belfry_domain::siem::progress::Health;
use belfry_runtime::siem_ring::{Ring, ring};

/// So often it is tried while the forwarder moves the same destination.
pub(crate) const TRIES: u32 = 10;

pub(crate) async fn resume(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let grant = actor.may(Action::ResumeDestination)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    for _ in 0..TRIES {
        let (destination, mut progress) = found_delivered_to(app, grant.tenant(), request).await?;
        let of = Ring { tenant: grant.tenant(), destination: destination.id };
        let healthy = progress.health == Health::Healthy;
        progress.resumed(now);
        let entry = Entry::about("siem_destination", &destination.id);
        let directed = (destination.id, &progress);
        if healthy || app.table.direct_progress(&grant, &entry, directed, now, entropy).await? {
            let why = format!("resumed-{}", progress.revision);
            ring(app.rings.as_ref(), [of], &why).await;
            return Ok(answer::ok(&DestinationView::of(&destination, &progress)));
        }
    }
    Err(Problem::busy("The destination is being served at this moment; try again."))
}
