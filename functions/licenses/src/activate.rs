//! `POST /licenses/{product}/activation`: redeems an activation key, which converts a trial, or renews or
//! extends a licence. With `dry_run` it shows what would become of the licence.

use crate::App;
use crate::read::seats_of;
use crate::tell;
use belfry_api::license::LicenseView;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::failure::FieldError;
use belfry_domain::license::activation_key::{ActivationKey, NotAccepted, Purpose};
use belfry_domain::license::{License, LicenseChange};
use belfry_domain::policy::Action;
use belfry_domain::product::Product;
use belfry_domain::throttle::ACTIVATION_KEY;
use belfry_runtime::authenticate::Caller;
use belfry_runtime::post;
use belfry_store::licenses::Spent;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActivationBody {
    activation_key: String,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Activation {
    /// What the key does: `convert`, `renew` or `extend`.
    purpose: &'static str,
    dry_run: bool,
    license: LicenseView,
}

/// Rivals at the same licence: how often to look again.
const LOOKS: usize = 10;

pub(crate) async fn activate(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let caller = app.authenticator.caller(request).await?;
    let product: Product = request::path(request, "product")?;
    let body: ActivationBody = request::body(request)?;
    let key = accepted(app, &caller, product, &body.activation_key).await?;
    let grant = caller.actor.may(match key.purpose {
        Purpose::Convert => Action::ConvertTrial,
        Purpose::Renew => Action::RenewLicense,
        Purpose::Extend => Action::ExtendLicense,
    })?;
    let (tenant, now, entropy) = (grant.tenant(), app.clock.now(), app.entropy.as_ref());
    let told = |license: &License, used| {
        let license = LicenseView::new(license, used, now);
        answer::ok(&Activation { purpose: key.purpose.name(), dry_run: body.dry_run, license })
    };
    for _ in 0..LOOKS {
        match app.table.spent(key.id).await? {
            None => {}
            Some(Spent::Redeemed(first)) if first.tenant == tenant => {
                return Ok(told(&first.license, first.used));
            }
            Some(Spent::Redeemed(_)) => {
                let detail = "This activation key has been redeemed already.";
                return Err(Problem::new(409, "activation_key_used", detail));
            }
            Some(Spent::Withdrawn {}) => {
                let detail = "This activation key was withdrawn; ask your vendor.";
                return Err(Problem::new(409, "activation_key_revoked", detail));
            }
        }
        let license = app.table.license(tenant, product).await?.ok_or_else(|| {
            let detail = format!("There is no licence for {product}: add the product first.");
            Problem::new(409, "license_missing", detail)
        })?;
        let after = license.activated(&key, now)?;
        let used = seats_of(&app.table.used_seats(tenant).await?, product);
        if body.dry_run {
            return Ok(told(&after, used));
        }
        let change = after.history.last().map_or(LicenseChange::Extended, |line| line.change);
        let (mail, item) = tell::changed(&caller.tenant, &after, change, now, entropy)?;
        let licenses = (&license, &after);
        if app.table.redeem(&grant, key.id, licenses, (used, item), now, entropy).await? {
            tracing::info!(tenant.id = %tenant, %product, purpose = key.purpose.name(), "redeemed");
            post::ring(app.bell.as_ref(), mail).await;
            return Ok(told(&after, used));
        }
    }
    Err(Problem::busy("The licence is being changed elsewhere; try again."))
}

/// The activation key, if the vendor signed it for this product and it is not too old: one answer to
/// whatever is wrong with it. Only that counts, against the tries of the one who asks: nobody keeps the
/// others from theirs.
async fn accepted(
    app: &App,
    caller: &Caller,
    product: Product,
    code: &str,
) -> Result<ActivationKey, Problem> {
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let subject = format!("{} {}", caller.tenant.id, caller.user.id);
    app.table.may_try(&ACTIVATION_KEY, &subject, now).await?;
    let key = ActivationKey::read(code, &app.pinned, app.signatures.as_ref()).ok();
    if let Some(key) = key.filter(|key| key.product == product) {
        let own = caller.tenant.id;
        let mine = |spent| matches!(spent, Spent::Redeemed(first) if first.tenant == own);
        // Who redeemed it in time is told so for ever.
        if now < key.not_after || app.table.spent(key.id).await?.is_some_and(mine) {
            return Ok(key);
        }
    }
    app.table.count_try(&ACTIVATION_KEY, &subject, now, entropy).await?;
    let problem = Problem::from(NotAccepted);
    let fault = FieldError::new("/activation_key", problem.code, &problem.detail);
    Err(Problem { errors: vec![fault], ..problem })
}
