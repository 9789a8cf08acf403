//! `create_tenant`: a tenant with its first super admin, who is invited by mail, and its products.

use crate::App;
use belfry_api::Problem;
use belfry_api::fields::Fields;
use belfry_domain::account::{
    ACTIVATION_LINK_LIFE, Identity, IdleLimit, Link, LinkPurpose, Role, Source, Status, Tenant,
    User,
};
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{IdentityId, TenantId, UserId};
use belfry_domain::language::Language;
use belfry_domain::license::{License, LicenseKind, ProductKey};
use belfry_domain::mail::Letter;
use belfry_domain::policy::{Action, BackOffice};
use belfry_domain::product::Product;
use belfry_domain::secret::Secret;
use belfry_domain::telemetry::stream::Partitions;
use belfry_domain::text::{CompanyName, Country, Edition, PersonName, Reason, Telephone};
use belfry_runtime::post::{Draft, Page};
use belfry_store::tenants::{FirstPerson, NewTenant, back_office_log};
use belfry_store::{StoreError, outbox};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(crate) struct Command {
    operator: String,
    reason: String,
    company: String,
    country: String,
    language: String,
    admin: AdminFields,
    products: Vec<ProductFields>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct AdminFields {
    first_name: String,
    last_name: String,
    email: String,
    mobile: String,
    language: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ProductFields {
    product: String,
    edition: String,
    kind: String,
    seats: u32,
    term_days: u32,
    partitions: u8,
}

/// The command, all of it valid.
struct Wanted {
    staff: BackOffice,
    reason: Reason,
    company: CompanyName,
    country: Country,
    language: Language,
    first_name: PersonName,
    last_name: PersonName,
    email: EmailAddress,
    mobile: Telephone,
    admin_language: Language,
    licenses: Vec<License>,
}

/// A rival may make or take the same address between our look and our write.
const LOOKS: usize = 3;

pub(crate) async fn create_tenant(app: &App, command: Command) -> Result<Value, Problem> {
    let now = app.clock.now();
    let wanted = parse(app, command, now)?;
    for _ in 0..LOOKS {
        if let Some(answer) = found(app, &wanted, now).await? {
            return Ok(answer);
        }
    }
    let detail = "The address of the first user is being changed elsewhere; try again.";
    Err(Problem::busy(detail))
}

/// Makes the tenant; none when the person of its first user changed meanwhile.
async fn found(app: &App, wanted: &Wanted, now: Timestamp) -> Result<Option<Value>, Problem> {
    let entropy = app.entropy.as_ref();
    let (tenant_id, user_id) = (TenantId::new(now, entropy), UserId::new(now, entropy));
    let grant = wanted.staff.may(Action::CreateTenant, tenant_id)?;
    let (identity, person) = person(app, wanted, now).await?;
    let secret = Secret::new(entropy);
    let link = Link {
        identity: identity.id,
        purpose: LinkPurpose::Activation { tenant: tenant_id, user: user_id },
        valid_until: now.checked_add(ACTIVATION_LINK_LIFE).unwrap_or(now),
    };
    let letter = Letter::Activation {
        first_name: wanted.first_name.clone(),
        last_name: wanted.last_name.clone(),
        company: wanted.company.clone(),
    };
    let link_to = Some((Page::Activate, &secret));
    let (to, language) = (&identity.email, identity.language);
    let mail = app.post.mail(Draft { to, language, letter, link: link_to }, now).await?;
    let new = NewTenant {
        tenant: Tenant {
            id: tenant_id,
            company: wanted.company.clone(),
            country: wanted.country.clone(),
            language: wanted.language,
            registered_email: wanted.email.clone(),
            session_timeout: IdleLimit::default(),
            users: 1,
            created_at: now,
            version: 1,
        },
        user: User {
            id: user_id,
            tenant: tenant_id,
            identity: Some(identity.id),
            email: wanted.email.clone(),
            first_name: wanted.first_name.clone(),
            last_name: wanted.last_name.clone(),
            mobile: Some(wanted.mobile.clone()),
            role: Role::SuperAdmin,
            status: Status::Invited,
            source: Source::Manual,
            invitation: Some(secret.hash()),
            // On by default for the first super admin.
            two_factor_required: true,
            two_factor_reset: None,
            sessions: 0,
            created_at: now,
            last_login_at: None,
            version: 1,
        },
        person,
        link: (secret.hash(), link),
        licenses: wanted.licenses.clone(),
        mail: outbox::item(&mail)?,
    };
    let log = back_office_log(&grant, &wanted.reason, now, entropy)?;
    if !app.table.create_tenant(&grant, new, log, entropy).await? {
        return Ok(None);
    }
    tracing::info!(tenant.id = %tenant_id, "tenant created");
    app.post.ring(mail.id).await;
    let products: Vec<_> = wanted
        .licenses
        .iter()
        .map(|license| json!({"product": license.product, "product_key": license.product_key}))
        .collect();
    Ok(Some(json!({
        "status": "ok",
        "tenant": {"id": tenant_id, "products": products},
        "user": {"id": user_id},
    })))
}

/// Whoever has the address already, or somebody new.
async fn person(
    app: &App,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<(Identity, FirstPerson), Problem> {
    if let Some(id) = app.table.identity_of(&wanted.email).await? {
        let identity = app.table.identity(id).await?;
        let lost = || StoreError::corrupt(id.to_string(), "an address leads nowhere");
        return Ok((identity.ok_or_else(lost)?, FirstPerson::Known));
    }
    let identity = Identity {
        id: IdentityId::new(now, app.entropy.as_ref()),
        email: wanted.email.clone(),
        password: None,
        password_set_at: None,
        second_factor: None,
        password_reset: None,
        sessions: 0,
        language: wanted.admin_language,
        created_at: now,
        version: 1,
    };
    Ok((identity.clone(), FirstPerson::New(Box::new(identity))))
}

fn parse(app: &App, command: Command, now: Timestamp) -> Result<Wanted, Problem> {
    let Command { operator, reason, company, country, language, admin, products } = command;
    let mut fields = Fields::new();
    let staff = app.staff(&mut fields, &operator, &reason);
    let company = fields.read("/company", &company);
    let country = fields.read("/country", &country);
    let language = fields.read("/language", &language);
    let first_name = fields.read("/admin/first_name", &admin.first_name);
    let last_name = fields.read("/admin/last_name", &admin.last_name);
    let email = fields.read("/admin/email", &admin.email);
    let mobile = fields.read("/admin/mobile", &admin.mobile);
    let admin_language = fields.read("/admin/language", &admin.language);
    if products.is_empty() {
        fields.fault("/products", "required", "Name at least one product.");
    }
    let mut licenses: Vec<License> = Vec::new();
    for (index, product) in products.iter().enumerate() {
        let Some(license) = license(app, &mut fields, index, product, now) else { continue };
        if licenses.iter().any(|other| other.product == license.product) {
            let pointer = format!("/products/{index}/product");
            fields.fault(pointer, "duplicate", "A tenant has one licence a product.");
        }
        licenses.push(license);
    }
    let wanted = || {
        let (staff, reason) = staff?;
        Some(Wanted {
            staff,
            reason,
            company: company?,
            country: country?,
            language: language?,
            first_name: first_name?,
            last_name: last_name?,
            email: email?,
            mobile: mobile?,
            admin_language: admin_language?,
            licenses,
        })
    };
    let wanted = wanted();
    fields.finish(wanted)
}

fn license(
    app: &App,
    fields: &mut Fields,
    index: usize,
    wanted: &ProductFields,
    now: Timestamp,
) -> Option<License> {
    let at = |name: &str| format!("/products/{index}/{name}");
    let product: Option<Product> = fields.read(at("product"), &wanted.product);
    let edition: Option<Edition> = fields.read(at("edition"), &wanted.edition);
    let kind: Option<LicenseKind> = fields.read(at("kind"), &wanted.kind);
    let within = |number: u32, most: u32| (1..=most).contains(&number).then_some(number);
    let seats = within(wanted.seats, 1_000_000);
    let seats = fields.want(seats, at("seats"), "1 to 1,000,000 seats.");
    let days = within(wanted.term_days, 3_650);
    let days = fields.want(days, at("term_days"), "1 to 3,650 days.");
    let partitions = Partitions::try_from(wanted.partitions).ok();
    let partitions = fields.want(partitions, at("partitions"), "1, 4 or 16 partitions.");
    let term = SignedDuration::from_hours(24 * i64::from(days?));
    Some(License {
        product: product?,
        product_key: ProductKey::new(app.entropy.as_ref()),
        edition: edition?,
        kind: kind?,
        seats: seats?,
        starts_at: now,
        ends_at: now.checked_add(term).ok()?,
        partitions: partitions?,
    })
}
