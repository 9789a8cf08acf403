//! `POST /products/{product}/launch`: hands a person over to a product's own console. The token travels
//! in the body of a form that the console posts, never in an address, where logs would keep it.

use crate::App;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::license::LicenseState;
use belfry_domain::policy::Action;
use belfry_domain::product::Product;
use belfry_domain::secret::Secret;
use serde::Serialize;

#[derive(Serialize)]
struct Launch<'a> {
    url: &'a str,
    method: &'static str,
    token: String,
}

pub(crate) async fn launch(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let actor = app.authenticator.actor(request).await?;
    let product: Product = request::path(request, "product")?;
    actor.may(Action::LaunchProduct)?;
    let now = app.clock.now();
    let license = app.table.license(actor.tenant(), product).await?;
    // One that is over leads there too: that is where it is renewed.
    let license = license.filter(|license| license.state(now) != LicenseState::Revoked);
    if license.is_none() {
        let detail = format!("There is no licence for {product}.");
        return Err(Problem::new(409, "license_missing", detail));
    }
    let url = app.consoles.get(&product).ok_or_else(|| {
        let detail = format!("The address of {product} is not set up; ask your vendor.");
        Problem::new(409, "product_not_configured", detail)
    })?;
    let jti = Secret::new(app.entropy.as_ref());
    let token = app.signer.sign(app.tokens.hand_off(&actor, product, &jti, now)).await?;
    Ok(answer::ok(&Launch { url, method: "POST", token }))
}
