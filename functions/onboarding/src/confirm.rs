//! `POST /onboarding/confirmation`: the mailed link is used. Tenant, licences and the days of a trial begin
//! now; the same link then activates the first user's account, as any invitation does: with a first password,
//! or, for a person who has one, with a log-in, and neither it nor a second factor is touched. Until that is
//! done, confirming again does nothing and answers the same.

use crate::App;
use belfry_api::auth::origin;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::account::{ACTIVATION_LINK_LIFE, Identity, Link, LinkPurpose, Tenant, User};
use belfry_domain::id::{TenantId, UserId};
use belfry_domain::license::{IssuedKey, License, Terms};
use belfry_domain::policy;
use belfry_domain::product::Product;
use belfry_domain::secret::{Secret, SecretHash};
use belfry_domain::sign_up::{Order, SignUp};
use belfry_runtime::invite::known;
use belfry_store::StoreError;
use belfry_store::keys;
use belfry_store::product_keys::KeyClaim;
use belfry_store::tenants::NewTenant;
use belfry_store::transaction::Transaction;
use belfry_store::users::{Invite, Invitee, NewMember};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfirmBody {
    token: String,
}

#[derive(Serialize)]
struct Confirmed<'a> {
    status: &'static str,
    tenant: TenantView<'a>,
    user: UserView<'a>,
    products: Vec<Product>,
}

#[derive(Serialize)]
struct TenantView<'a> {
    id: TenantId,
    name: &'a str,
}

#[derive(Serialize)]
struct UserView<'a> {
    id: UserId,
    first_name: &'a str,
    last_name: &'a str,
    email: &'a str,
}

/// Rivals at the same link, person or product key: how often to look again.
const LOOKS: usize = 5;

pub(crate) async fn confirm(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let body: ConfirmBody = request::body(request)?;
    let hash = body.token.parse::<Secret>().map_err(|_| link_gone())?.hash();
    for _ in 0..LOOKS {
        if let Some(sign_up) = app.table.sign_up(&hash).await? {
            if let Some(done) = begin(app, request, &sign_up, hash).await? {
                return Ok(done);
            }
            continue;
        }
        return confirmed_before(app, &hash).await;
    }
    Err(Problem::busy("This sign-up is being confirmed elsewhere; try again."))
}

/// What was begun, when the account is not activated yet.
async fn confirmed_before(app: &App, hash: &SecretHash) -> Result<Response<Body>, Problem> {
    let found = app.table.invitation(hash).await?.ok_or_else(link_gone)?;
    let invites = matches!(found.link.purpose, LinkPurpose::Activation { .. });
    if !invites || app.clock.now() >= found.link.valid_until {
        return Err(link_gone());
    }
    let licenses = app.table.licenses(found.tenant.id).await?;
    let products = licenses.iter().map(|license| license.product).collect();
    Ok(view(&found.tenant, &found.user, products))
}

/// Begins the tenant; none when the link, the person or a product key changed meanwhile.
async fn begin(
    app: &App,
    request: &Request,
    sign_up: &SignUp,
    hash: SecretHash,
) -> Result<Option<Response<Body>>, Problem> {
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let known = known(&app.table, &sign_up.email).await?;
    let (identity, person) = if let Some(identity) = known {
        (identity, Invitee::Known)
    } else {
        let email = sign_up.email.clone();
        let identity = Identity::new(email, sign_up.language, now, entropy);
        (identity.clone(), Invitee::New(Box::new(identity)))
    };
    let tenant = sign_up.tenant(TenantId::new(now, entropy), now);
    let user = sign_up.first_user(tenant.id, identity.id, hash, now, entropy);
    let grant = policy::begin(sign_up, &user, now, origin(request)).ok_or_else(link_gone)?;
    let link = Link {
        identity: identity.id,
        purpose: LinkPurpose::Activation { tenant: tenant.id, user: user.id },
        valid_until: now.checked_add(ACTIVATION_LINK_LIFE).unwrap_or(now),
    };
    let new = NewTenant {
        tenant: tenant.clone(),
        member: NewMember {
            user: user.clone(),
            // Its mail is the one that brought the link.
            invite: Some(Invite { person, link: (hash, link), mail: None }),
        },
        licenses: licenses(app, sign_up, &hash, tenant.id).await?,
        profile: Some(sign_up.profile.clone()),
    };
    let used_up = Transaction::new().delete(keys::sign_up(&hash), "attribute_exists(pk)", []);
    if !app.table.create_tenant(&grant, new, used_up, entropy).await? {
        return Ok(None);
    }
    tracing::info!(tenant.id = %tenant.id, "tenant signed up");
    Ok(Some(view(&tenant, &user, sign_up.order.products())))
}

/// The licences that begin, with their product keys.
async fn licenses(
    app: &App,
    sign_up: &SignUp,
    hash: &SecretHash,
    tenant: TenantId,
) -> Result<Vec<(License, KeyClaim)>, Problem> {
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    match &sign_up.order {
        Order::Trial(product) => {
            let terms = Terms::trial(*product, app.trial_edition.clone());
            let license = License::new(terms, now, entropy);
            let claim = KeyClaim::Fresh(IssuedKey::made_for(&license, tenant));
            Ok(vec![(license, claim)])
        }
        Order::ProductKeys(keys) => {
            let keys: Vec<_> = keys.iter().map(|(_, key)| *key).collect();
            let issued = app.table.product_keys(&keys).await?;
            if issued.len() < keys.len() {
                return Err(StoreError::corrupt("a product key", "it is held and not there").into());
            }
            let claimed = issued.into_iter().map(|issued| {
                let used = issued.used(Some(hash), tenant, now)?;
                let license = License::started(Terms::of(&issued), issued.key, now);
                Ok((license, KeyClaim::Issued(issued, used)))
            });
            claimed.collect()
        }
    }
}

fn view(tenant: &Tenant, user: &User, products: Vec<Product>) -> Response<Body> {
    answer::ok(&Confirmed {
        status: "confirmed",
        tenant: TenantView { id: tenant.id, name: tenant.company.as_str() },
        user: UserView {
            id: user.id,
            first_name: user.first_name.as_str(),
            last_name: user.last_name.as_str(),
            email: user.email.as_str(),
        },
        products,
    })
}

/// Unknown, used and expired links are one answer.
fn link_gone() -> Problem {
    let detail = "This link has expired or was used. Sign up again; where the company was confirmed and its \
                  account never activated, ask your vendor.";
    Problem::new(410, "link_gone", detail)
}
