//! `POST /onboarding/trials`, `POST /onboarding/registrations`: keeps what a company says of itself, and
//! mails a link. The answer is the same whether or not somebody has the address, and so is the work:
//! nobody looks.

use crate::{App, guard};
use belfry_api::fields::Fields;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::business_email::{NOT_BUSINESS, is_business};
use belfry_domain::failure::FieldError;
use belfry_domain::language::Language;
use belfry_domain::license::product_key::KeyUnavailable;
use belfry_domain::license::{IssuedKey, ProductKey};
use belfry_domain::mail::{Letter, Reader};
use belfry_domain::places::{State, has_states};
use belfry_domain::product::Product;
use belfry_domain::secret::{Secret, SecretHash};
use belfry_domain::sign_up::{LINK_LIFE, Order, Profile, SignUp, names_a_link};
use belfry_domain::text::Country;
use belfry_runtime::post::{Draft, Page};
use belfry_store::outbox;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a company says of itself; what is missing is found with everything else that is wrong.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct SignUpBody {
    first_name: String,
    last_name: String,
    email: String,
    mobile: String,
    job_role: String,
    company: String,
    industry: String,
    company_size: String,
    country: String,
    state: Option<String>,
    city: String,
    language: String,
    captcha: String,
    /// Of a trial.
    product: Option<String>,
    /// Of a registration.
    products: Option<Vec<KeyFields>>,
    license_agreement_accepted: Option<bool>,
    privacy_policy_accepted: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct KeyFields {
    product: String,
    product_key: String,
}

#[derive(Serialize)]
struct Accepted {
    status: &'static str,
}

/// Rivals at the same product key: how often to look again.
const LOOKS: usize = 5;

pub(crate) async fn trial(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let body: SignUpBody = request::body(request)?;
    let mut fields = Fields::new();
    for (pointer, is_given) in [
        ("/products", body.products.is_some()),
        ("/license_agreement_accepted", body.license_agreement_accepted.is_some()),
        ("/privacy_policy_accepted", body.privacy_policy_accepted.is_some()),
    ] {
        if is_given {
            fields.fault(pointer, "invalid", "This is for the registration of product keys.");
        }
    }
    let product = fields.read("/product", body.product.as_deref().unwrap_or_default());
    sign_up(app, request, &body, fields, product.map(Order::Trial)).await
}

pub(crate) async fn registration(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let body: SignUpBody = request::body(request)?;
    let mut fields = Fields::new();
    if body.product.is_some() {
        fields.fault("/product", "invalid", "This is for a trial; name products with their keys.");
    }
    for (pointer, accepted) in [
        ("/license_agreement_accepted", body.license_agreement_accepted),
        ("/privacy_policy_accepted", body.privacy_policy_accepted),
    ] {
        if accepted != Some(true) {
            fields.fault(pointer, "not_accepted", "It has to be accepted.");
        }
    }
    let order = product_keys(&mut fields, body.products.as_deref().unwrap_or_default());
    sign_up(app, request, &body, fields, order).await
}

/// The product keys, each as it is typed.
fn product_keys(fields: &mut Fields, typed: &[KeyFields]) -> Option<Order> {
    if typed.is_empty() || typed.len() > Product::ALL.len() {
        fields.fault("/products", "required", "Name one to four products with their keys.");
        return None;
    }
    let mut keys: Vec<(Product, ProductKey)> = Vec::new();
    for (index, one) in typed.iter().enumerate() {
        let product = fields.read(format!("/products/{index}/product"), &one.product);
        let key = fields.read(format!("/products/{index}/product_key"), &one.product_key);
        let (Some(product), Some(key)) = (product, key) else { continue };
        if keys.iter().any(|(other, _)| *other == product) {
            let pointer = format!("/products/{index}/product");
            fields.fault(pointer, "duplicate", "A company has one licence a product.");
        }
        if keys.iter().any(|(_, other)| *other == key) {
            let pointer = format!("/products/{index}/product_key");
            fields.fault(pointer, "duplicate", "This product key is named twice.");
        }
        keys.push((product, key));
    }
    Some(Order::ProductKeys(keys))
}

async fn sign_up(
    app: &App,
    request: &Request,
    body: &SignUpBody,
    fields: Fields,
    order: Option<Order>,
) -> Result<Response<Body>, Problem> {
    let now = app.clock.now();
    let sign_up = parse(body, fields, order, now)?;
    guard::is_person(app, request, &body.captcha).await?;
    let secret = Secret::new(app.entropy.as_ref());
    // Whose product keys are none uses up nobody's mails.
    let mut keys = held_keys(app, &sign_up, secret.hash(), now).await?;
    guard::count_mail(app, &sign_up.email).await?;
    let reader =
        Reader { first_name: sign_up.first_name.clone(), last_name: sign_up.last_name.clone() };
    let letter = Letter::SignUp { reader, company: sign_up.company.clone() };
    let link = Some((Page::ConfirmSignUp, &secret));
    let (to, language) = (&sign_up.email, sign_up.language);
    let mail = app.post.mail(Draft { to, language, letter, link }, now).await?;
    for _ in 0..LOOKS {
        let (hash, item) = (secret.hash(), outbox::item(&mail)?);
        let entropy = app.entropy.as_ref();
        if app.table.keep_sign_up(&hash, &sign_up, &keys, item, entropy).await? {
            app.post.ring(mail.id).await;
            return Ok(answer::json(202, &Accepted { status: "accepted" }));
        }
        keys = held_keys(app, &sign_up, secret.hash(), now).await?;
    }
    Err(Problem::busy("A product key is being registered elsewhere; try again."))
}

/// The product keys as they are and as they are held. Every one that is none is named; what is in the way
/// of one that is, is a conflict.
async fn held_keys(
    app: &App,
    sign_up: &SignUp,
    link: SecretHash,
    now: Timestamp,
) -> Result<Vec<(IssuedKey, IssuedKey)>, Problem> {
    let Order::ProductKeys(wanted) = &sign_up.order else { return Ok(Vec::new()) };
    let keys: Vec<_> = wanted.iter().map(|(_, key)| *key).collect();
    let issued = app.table.product_keys(&keys).await?;
    let (mut held, mut unknown, mut in_the_way) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (product, key)) in wanted.iter().enumerate() {
        let pointer = format!("/products/{index}/product_key");
        let found = issued.iter().find(|found| found.key == *key && found.product == *product);
        match found.map(|found| (found, found.held(link, &sign_up.email, now))) {
            None => {
                let detail = "This is no key for this product; compare it with what you were sent.";
                unknown.push(FieldError::new(pointer, "product_key_unknown", detail));
            }
            Some((found, Ok(after))) => held.push((found.clone(), after)),
            Some((_, Err(error))) => in_the_way.push((pointer, error)),
        }
    }
    if !unknown.is_empty() {
        return Err(Problem::invalid(unknown));
    }
    if let Some((_, first)) = in_the_way.first() {
        let problem = Problem::from(*first);
        let fault = |(pointer, error): (String, KeyUnavailable)| {
            let Problem { code, detail, .. } = Problem::from(error);
            FieldError::new(pointer, code, detail)
        };
        return Err(Problem { errors: in_the_way.into_iter().map(fault).collect(), ..problem });
    }
    Ok(held)
}

fn parse(
    body: &SignUpBody,
    mut fields: Fields,
    order: Option<Order>,
    now: Timestamp,
) -> Result<SignUp, Problem> {
    let first_name = fields.read("/first_name", &body.first_name);
    let last_name = fields.read("/last_name", &body.last_name);
    let email = fields.read("/email", &body.email);
    if email.as_ref().is_some_and(|email| !is_business(email)) {
        fields.fault("/email", "business_email_required", NOT_BUSINESS);
    }
    let mobile = fields.read("/mobile", &body.mobile);
    for (pointer, text) in [
        ("/first_name", &body.first_name),
        ("/last_name", &body.last_name),
        ("/company", &body.company),
    ] {
        if names_a_link(text) {
            fields.fault(pointer, "invalid", "A name has no address of the web in it.");
        }
    }
    let job_role = fields.read("/job_role", &body.job_role);
    let company = fields.read("/company", &body.company);
    let industry = fields.read("/industry", &body.industry);
    let company_size = fields.read("/company_size", &body.company_size);
    let country: Option<Country> = fields.read("/country", &body.country);
    let state = country.as_ref().map(|country| state(&mut fields, country, body.state.as_deref()));
    let city = fields.read("/city", &body.city);
    let language: Option<Language> = fields.read("/language", &body.language);
    let agreed = matches!(order, Some(Order::ProductKeys(_)));
    let sign_up = || {
        Some(SignUp {
            first_name: first_name?,
            last_name: last_name?,
            email: email?,
            mobile: mobile?,
            company: company?,
            country: country?,
            language: language?,
            profile: Profile {
                job_role: job_role?,
                industry: industry?,
                company_size: company_size?,
                state: state?,
                city: city?,
                agreements_accepted_at: agreed.then_some(now),
            },
            order: order?,
            valid_until: now.checked_add(LINK_LIFE).unwrap_or(now),
        })
    };
    let sign_up = sign_up();
    fields.finish(sign_up)
}

/// The state: one of the country's, where it has any.
fn state(fields: &mut Fields, country: &Country, typed: Option<&str>) -> Option<State> {
    match (typed.filter(|text| !text.is_empty()), has_states(country)) {
        (None, false) => None,
        (None, true) => {
            fields.fault("/state", "required", "Choose a state of the country.");
            None
        }
        (Some(_), false) => {
            fields.fault("/state", "invalid", "This country has no states to choose from.");
            None
        }
        (Some(code), true) => {
            let state = State::of(country, code).ok();
            fields.want(state, "/state", "This is no state of the country.")
        }
    }
}
