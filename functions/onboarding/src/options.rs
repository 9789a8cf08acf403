//! `GET /onboarding/options`, `GET /onboarding/countries/{code}/states`: the closed lists of the sign-up, in
//! the language of the browser.

use crate::App;
use belfry_api::{Body, Problem, Request, Response, answer, request};
use belfry_domain::captcha::Captcha;
use belfry_domain::language::Language;
use belfry_domain::license::TRIAL_DAYS;
use belfry_domain::places::{self, Place};
use belfry_domain::product::Product;
use belfry_domain::sign_up::{
    Choice, CompanySize, Industry, JobRole, language_name, product_languages, product_name,
};
use belfry_domain::text::Country;
use serde::Serialize;

#[derive(Serialize)]
struct Options {
    /// In which language these are.
    language: Language,
    /// What the console has to show before it may send; none where the sign-up is not guarded.
    captcha: Option<CaptchaView>,
    job_roles: Vec<Choice>,
    industries: Vec<Choice>,
    company_sizes: Vec<Choice>,
    countries: Vec<CountryView>,
    languages: Vec<Choice>,
    products: Vec<ProductView>,
}

#[derive(Serialize)]
struct CaptchaView {
    provider: &'static str,
    site_key: String,
}

#[derive(Serialize)]
struct CountryView {
    #[serde(flatten)]
    place: Place,
    /// Whether one of them has to be chosen.
    has_states: bool,
}

#[derive(Serialize)]
struct ProductView {
    code: &'static str,
    name: &'static str,
    /// Which it speaks.
    languages: &'static [Language],
    trial_days: u32,
}

#[derive(Serialize)]
struct States {
    items: Vec<Place>,
}

pub(crate) async fn options(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let language = request::language(request);
    let captcha = match app.table.captcha().await? {
        Some(Captcha::On { provider, site_key, .. }) => {
            Some(CaptchaView { provider: provider.name(), site_key })
        }
        Some(Captcha::Off) | None => None,
    };
    let country = |place: Place| {
        let has_states = place.code.parse::<Country>().is_ok_and(|code| places::has_states(&code));
        CountryView { place, has_states }
    };
    let product = |product: Product| ProductView {
        code: product.name(),
        name: product_name(product, language),
        languages: product_languages(product),
        trial_days: TRIAL_DAYS,
    };
    let spoken = |of: Language| Choice { code: of.name(), name: language_name(of, language) };
    Ok(answer::ok(&Options {
        language,
        captcha,
        job_roles: JobRole::choices(language),
        industries: Industry::choices(language),
        company_sizes: CompanySize::choices(language),
        countries: places::countries(language).into_iter().map(country).collect(),
        languages: Language::ALL.map(spoken).to_vec(),
        products: Product::ALL.map(product).into(),
    }))
}

pub(crate) fn states(request: &Request) -> Result<Response<Body>, Problem> {
    let country: Country = request::path(request, "code")?;
    let items = places::states(&country, request::language(request));
    Ok(answer::ok(&States { items }))
}
