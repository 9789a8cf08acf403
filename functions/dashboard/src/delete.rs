//! `DELETE /endpoints/{product}/{id}`: a dead endpoint leaves every figure.
//!
//! One transaction writes the audit record and an outbox entry; the entry becomes the event
//! `endpoint.removed` in the endpoint's own stream, whose writer alone changes endpoints.

use crate::App;
use belfry_api::request::path;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::audit::Entry;
use belfry_domain::id::{OutboxId, UserId};
use belfry_domain::outbox::{OutboxEntry, Outgoing};
use belfry_domain::policy::Action;
use belfry_domain::product::Product;
use belfry_domain::telemetry::Damaged;
use belfry_domain::telemetry::event::{BadName, EndpointRef, Event, Happening, Kind};
use belfry_domain::telemetry::part::{Part, PartId};
use belfry_domain::telemetry::stream::{Stream, sha256};
use belfry_runtime::post;
use belfry_store::outbox;
use belfry_store::transaction::Transaction;
use serde::Serialize;

/// The body of the 202.
#[derive(Serialize)]
struct RemovalView<'a> {
    product: Product,
    id: &'a str,
    status: &'static str,
}

pub(crate) async fn endpoint(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let (product, id): (Product, String) = (path(request, "product")?, path(request, "id")?);
    let tenant = actor.tenant();
    let found = app.table.endpoint(tenant, product, &id).await?;
    let present = found.ok_or_else(Problem::not_found)?;
    let grant = actor.may(Action::DeleteEndpoint)?;
    let license = app.table.license(tenant, product).await?.ok_or_else(Problem::not_found)?;
    let now = app.clock.now();
    let ring = OutboxId::new(now, app.entropy.as_ref());
    let stream = Stream { tenant, product, partition: license.partitions.of(id.as_bytes()) };
    let part = removal(&id, present.kind, actor.user(), ring, now.as_millisecond())
        .map(|(event, id)| (event, Part::new(stream, license.partitions, id, now.as_millisecond())))
        .map_err(|error| Problem::internal(&error))?;
    let (event, mut part) = part;
    part.push(&event).map_err(|error: Damaged| Problem::internal(&error))?;
    let outgoing = Outgoing::Telemetry {
        group: stream.to_string(),
        deduplication: part.id.deduplication(tenant, product),
        body: part.message().map_err(|error| Problem::internal(&error))?,
    };
    let change = Transaction::new().create(outbox::item(&OutboxEntry::new(ring, outgoing, now))?);
    let entry = Entry::about("endpoint", &format!("{product}/{id}")).set("removed", true);
    let done = app.table.commit(&grant, &entry, change, now, app.entropy.as_ref()).await;
    done.map_err(|refused| Problem::from(refused.unexpected()))?;
    post::ring(app.bell.as_ref(), ring).await;
    Ok(answer::json(202, &RemovalView { product, id: &id, status: "removing" }))
}

/// The event, and the identity of the part that carries it: the outbox entry is its batch, so a
/// repeated delivery is taken once.
fn removal(
    id: &str,
    kind: Kind,
    actor: UserId,
    batch: OutboxId,
    time: i64,
) -> Result<(Event, PartId), BadName> {
    let batch = batch.to_string();
    let event = Event {
        id: batch.as_str().try_into()?,
        source: "/belfry/console".try_into()?,
        time,
        happening: Happening::EndpointRemoved {
            endpoint: EndpointRef { id: id.try_into()?, kind },
            actor: Some(actor.to_string().as_str().try_into()?),
        },
    };
    Ok((event, PartId::new(&batch, 0, sha256(batch.as_bytes()))))
}
