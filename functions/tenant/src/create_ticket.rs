//! `POST /support/tickets`: a mail to support, written with its record and sent afterwards.

use crate::App;
use belfry_api::fields::Fields;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::language::Language;
use belfry_domain::mail::Letter;
use belfry_domain::policy::Action;
use belfry_domain::product::Product;
use belfry_domain::text::{TicketMessage, TicketSubject};
use belfry_domain::throttle::TICKET;
use belfry_domain::ticket::Ticket;
use belfry_runtime::post;
use belfry_store::idempotency;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TicketBody {
    subject: String,
    message: String,
    product: Option<String>,
}

/// The body of the 202.
#[derive(Serialize)]
struct TicketView<'a> {
    reference: &'a str,
}

impl TicketView<'_> {
    fn accepted(reference: &str) -> Response<Body> {
        answer::json(202, &TicketView { reference })
    }
}

struct NewTicket {
    subject: TicketSubject,
    message: TicketMessage,
    product: Option<Product>,
}

pub(crate) async fn create_ticket(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let new = parse(&request::body(request)?)?;
    let digest = request::idempotency_digest(request)?;
    let grant = caller.actor.may(Action::CreateTicket)?;
    let (tenant, user) = (grant.tenant(), caller.actor.user());
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    if let Some(digest) = &digest
        && let Some(reference) = app.table.answered(tenant, user, digest, now).await?
    {
        return Ok(TicketView::accepted(&reference));
    }
    app.table.count_try(&TICKET, &user.to_string(), now, entropy).await?;
    let licenses = app.table.licenses(tenant).await?;
    let (words, company) = ((new.subject, new.message), &caller.tenant.company);
    let ticket = Ticket::new(&caller.user, company, &licenses, words, new.product, entropy);
    let reference = ticket.reference.as_str();
    let letter = Letter::Ticket(Box::new(ticket.clone()));
    // Support reads English.
    let to = &app.support.address;
    let (mail, item) = post::notice(to, Language::En, letter, now, entropy)?;
    let once = digest.as_deref();
    let once = once
        .map(|digest| idempotency::once_with(tenant, user, digest, reference, now))
        .transpose()?;
    if app.table.create_ticket(&grant, &ticket, item, once, now, entropy).await? {
        post::ring(app.bell.as_ref(), mail).await;
        return Ok(TicketView::accepted(reference));
    }
    // A rival asked the same.
    let first = match &digest {
        Some(digest) => app.table.answered(tenant, user, digest, now).await?,
        None => None,
    };
    let first = first.ok_or_else(|| Problem::busy("The ticket was not taken; send it again."))?;
    Ok(TicketView::accepted(&first))
}

fn parse(body: &TicketBody) -> Result<NewTicket, Problem> {
    let mut fields = Fields::new();
    let subject = fields.read("/subject", &body.subject);
    let message = fields.read("/message", &body.message);
    let product = body.product.as_deref().map(|text| fields.read("/product", text));
    let new = subject.zip(message).map(|(subject, message)| NewTicket {
        subject,
        message,
        product: product.flatten(),
    });
    fields.finish(new)
}
