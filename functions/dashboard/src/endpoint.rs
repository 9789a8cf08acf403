//! `GET /endpoints/{product}/{id}`, and what an endpoint looks like.

use crate::App;
use belfry_api::request::path;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::policy::Action;
use belfry_domain::ports::Day;
use belfry_domain::product::Product;
use belfry_domain::telemetry::endpoint::{Present, Sign};
use serde::Serialize;

/// An endpoint as the API shows it. Days are UTC dates.
#[derive(Debug, Serialize)]
pub(crate) struct EndpointView<'a> {
    product: Product,
    id: &'a str,
    kind: &'static str,
    name: Option<&'a str>,
    os: &'a str,
    os_version: &'a str,
    agent_version: &'a str,
    infected: bool,
    /// The latest threat, while infected.
    threat: Option<&'a str>,
    last_seen: String,
    last_infection: Option<String>,
    last_policy_violation: Option<String>,
    last_application_violation: Option<String>,
}

impl<'a> EndpointView<'a> {
    /// Of this endpoint.
    pub(crate) fn new(product: Product, id: &'a str, present: &'a Present) -> Self {
        let (os, os_version) = present.system();
        let date = |sign| present.last(sign).map(Day::date);
        let infected = present.infected();
        let threat = present.detected.as_ref().filter(|_| infected);
        Self {
            product,
            id,
            kind: present.kind.name(),
            name: present.status.as_ref().and_then(|(_, s)| Some(s.name.as_ref()?.as_str())),
            os,
            os_version,
            agent_version: present.agent(),
            infected,
            threat: threat.map(|detection| detection.threat.as_str()),
            last_seen: present.contact.date(),
            last_infection: date(Sign::Infection),
            last_policy_violation: date(Sign::PolicyViolation),
            last_application_violation: date(Sign::ApplicationViolation),
        }
    }
}

pub(crate) async fn get(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let (product, id): (Product, String) = (path(request, "product")?, path(request, "id")?);
    actor.may(Action::ReadDashboard)?;
    let found = app.table.endpoint(actor.tenant(), product, &id).await?;
    let present = found.ok_or_else(Problem::not_found)?;
    Ok(answer::ok(&EndpointView::new(product, &id, &present)))
}
