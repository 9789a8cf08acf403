//! `GET /products`: what the page for managing endpoints leads to.

use crate::App;
use belfry_api::{Body, Problem, Request, Response, answer};
use belfry_domain::license::{License, LicenseKind, LicenseState};
use belfry_domain::policy::Action;
use belfry_domain::product::Product;
use belfry_domain::text::Edition;
use jiff::Timestamp;
use serde::Serialize;

#[derive(Serialize)]
struct Products<'a> {
    items: Vec<ProductView<'a>>,
}

#[derive(Serialize)]
struct ProductView<'a> {
    product: Product,
    license: Option<LicenseView<'a>>,
    /// Whether its console can be opened.
    launch: bool,
}

#[derive(Serialize)]
struct LicenseView<'a> {
    kind: LicenseKind,
    state: &'static str,
    edition: &'a Edition,
    ends_at: String,
}

pub(crate) async fn products(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    actor.may(Action::ReadLicenses)?;
    let licenses = app.table.licenses(actor.tenant()).await?;
    let now = app.clock.now();
    let items = Product::ALL.into_iter().map(|product| {
        let license = licenses.iter().find(|license| license.product == product);
        let there = license.is_some_and(|license| license.state(now) != LicenseState::Revoked);
        let launch = there && app.launchable.contains(&product);
        ProductView { product, license: license.map(|license| view(license, now)), launch }
    });
    Ok(answer::ok(&Products { items: items.collect() }))
}

fn view(license: &License, now: Timestamp) -> LicenseView<'_> {
    LicenseView {
        kind: license.kind,
        state: license.state(now).name(),
        edition: &license.edition,
        ends_at: answer::time(license.ends_at),
    }
}
