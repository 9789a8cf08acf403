//! `GET /licenses`, `GET /licenses/{product}`: what the licence page shows.

use crate::App;
use belfry_api::license::LicenseView;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::policy::Action;
use belfry_domain::product::Product;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Licenses {
    items: Vec<LicenseView>,
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    actor.may(Action::ReadLicenses)?;
    let (now, tenant) = (app.clock.now(), actor.tenant());
    let licenses = app.table.licenses(tenant).await?;
    let used = app.table.used_seats(tenant).await?;
    let view = |license| LicenseView::new(license, seats_of(&used, license.product), now);
    Ok(answer::ok(&Licenses { items: licenses.iter().map(view).collect() }))
}

pub(crate) async fn one(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let product: Product = request::path(request, "product")?;
    actor.may(Action::ReadLicenses)?;
    let tenant = actor.tenant();
    let license = app.table.license(tenant, product).await?.ok_or_else(Problem::not_found)?;
    let used = seats_of(&app.table.used_seats(tenant).await?, product);
    Ok(answer::ok(&LicenseView::new(&license, used, app.clock.now())))
}

/// Seats of a product that are used.
pub(crate) fn seats_of(used: &BTreeMap<Product, u64>, product: Product) -> u64 {
    used.get(&product).copied().unwrap_or(0)
}
