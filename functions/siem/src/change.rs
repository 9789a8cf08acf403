//! `PUT /siem/destinations/{id}`

use crate::App;
use crate::body::{Before, DestinationBody, Wanted};
use crate::find::found;
use crate::view::DestinationView;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::failure::FieldError;
use belfry_domain::policy::Action;
use belfry_domain::siem::destination::Destination;
use belfry_runtime::siem::open_secrets;
use belfry_runtime::siem_ring::{Ring, ring};

pub(crate) async fn change(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let body: DestinationBody = request::body(request)?;
    let grant = actor.may(Action::ChangeDestination)?;
    let tenant = grant.tenant();
    let (stored, _) = found(app, tenant, request).await?;
    let version = body.version.ok_or_else(|| {
        let detail = "Give the version that you have seen.";
        Problem::invalid(vec![FieldError::new("/version", "required", detail)])
    })?;
    if version != stored.version {
        return Err(Problem::stale(stored.version));
    }
    let before = Before {
        settings: Some(&stored.settings),
        secrets: open_secrets(app.sealer.as_ref(), &stored).await?,
    };
    let Wanted { settings, secrets, made } = body.read(app, tenant, &before).await?;
    let sealed_secrets = if secrets == before.secrets {
        stored.sealed_secrets.clone()
    } else {
        app.seal(&stored, &secrets).await?
    };
    let version = stored.version.saturating_add(1);
    let after = Destination { settings, sealed_secrets, version, ..stored };
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    if !app.table.change_destination(&grant, (&stored, &after), now, entropy).await? {
        let (present, _) = found(app, tenant, request).await?;
        return Err(Problem::stale(present.version));
    }
    if after.is_delivered_to() {
        let of = Ring { tenant, destination: after.id };
        ring(app.rings.as_ref(), [of], &format!("changed-{version}")).await;
    }
    let (after, progress) = found(app, tenant, request).await?;
    let view = DestinationView::of(&after, &progress).with_token(made.as_deref());
    Ok(answer::ok(&view))
}
