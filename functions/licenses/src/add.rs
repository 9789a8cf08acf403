//! `POST /licenses/{product}/trial`, `POST /licenses/{product}/registration`: adds a product, to try it out
//! or with the key of what was bought. One licence a product, so one edition.

use crate::read::seats_of;
use crate::{App, tell};
use belfry_api::fields::Fields;
use belfry_api::license::LicenseView;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::failure::FieldError;
use belfry_domain::license::product_key::KeyState;
use belfry_domain::license::{IssuedKey, License, LicenseChange, ProductKey, Terms};
use belfry_domain::policy::{Action, Grant};
use belfry_domain::product::Product;
use belfry_runtime::authenticate::Caller;
use belfry_runtime::post;
use belfry_store::licenses::NotAdded;
use belfry_store::product_keys::KeyClaim;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistrationBody {
    product_key: String,
}

/// Rivals at the same product key: how often to look again.
const LOOKS: usize = 5;

pub(crate) async fn trial(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let product: Product = request::path(request, "product")?;
    let Nothing {} = request::body(request)?;
    let grant = caller.actor.may(Action::AddProduct)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let terms = Terms::trial(product, app.trial_edition.clone());
    let license = License::new(terms, now, entropy);
    let claim = KeyClaim::Fresh(IssuedKey::made_for(&license, grant.tenant()));
    // Its key is new, so that nobody else can have changed it.
    let added = add(app, &caller, &grant, &license, &claim).await?;
    if added { Ok(created(app, &license)) } else { Err(busy()) }
}

pub(crate) async fn registration(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let product: Product = request::path(request, "product")?;
    let body: RegistrationBody = request::body(request)?;
    let mut fields = Fields::new();
    let key = fields.read::<ProductKey>("/product_key", &body.product_key);
    let key = fields.finish(key)?;
    let grant = caller.actor.may(Action::AddProduct)?;
    let (tenant, now) = (grant.tenant(), app.clock.now());
    for _ in 0..LOOKS {
        let issued = app.table.product_key(key).await?;
        let issued = issued.filter(|issued| issued.product == product).ok_or_else(unknown_key)?;
        if issued.state == (KeyState::Used { tenant }) {
            // A repeat is told what came of the first.
            let license = app.table.license(tenant, product).await?.ok_or_else(unknown_key)?;
            let used = seats_of(&app.table.used_seats(tenant).await?, product);
            return Ok(answer::created(&LicenseView::new(&license, used, now)));
        }
        let used = issued.used(None, tenant, now)?;
        let license = License::started(Terms::of(&issued), issued.key, now);
        if add(app, &caller, &grant, &license, &KeyClaim::Issued(issued, used)).await? {
            return Ok(created(app, &license));
        }
    }
    Err(busy())
}

/// False when the product key changed meanwhile.
async fn add(
    app: &App,
    caller: &Caller,
    grant: &Grant,
    license: &License,
    claim: &KeyClaim,
) -> Result<bool, Problem> {
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let change = LicenseChange::Started;
    let (mail, item) = tell::changed(&caller.tenant, license, change, now, entropy)?;
    match app.table.add_license(grant, (license, claim), item, now, entropy).await {
        Ok(()) => {}
        Err(NotAdded::Exists) => {
            let detail = format!(
                "There is a licence for {} already, and one edition of a product at a time.",
                license.product
            );
            return Err(Problem::new(409, "edition_exists", detail));
        }
        Err(NotAdded::Changed) => return Ok(false),
        Err(NotAdded::Store(error)) => return Err(error.into()),
    }
    tracing::info!(tenant.id = %grant.tenant(), product = %license.product, "product added");
    post::ring(app.bell.as_ref(), mail).await;
    Ok(true)
}

fn created(app: &App, license: &License) -> Response<Body> {
    answer::created(&LicenseView::new(license, 0, app.clock.now()))
}

/// Never issued, or for another product: one answer.
fn unknown_key() -> Problem {
    let detail = "This is no key for this product; compare it with what you were sent.";
    Problem::invalid(vec![FieldError::new("/product_key", "product_key_unknown", detail)])
}

fn busy() -> Problem {
    Problem::busy("The licence is being changed elsewhere; try again.")
}
