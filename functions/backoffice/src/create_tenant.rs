//! `create_tenant`: a tenant with its first super admin, who is invited by mail, and its products.

use crate::App;
use crate::licenses::terms;
use belfry_api::Problem;
use belfry_api::fields::Fields;
use belfry_domain::account::{IdleLimit, Role, Source, Tenant, User};
use belfry_domain::attribute::UserAttributes;
use belfry_domain::id::TenantId;
use belfry_domain::language::Language;
use belfry_domain::license::{IssuedKey, License, LicenseKind, Terms};
use belfry_domain::policy::{Action, BackOffice};
use belfry_domain::product::Product;
use belfry_domain::text::{CompanyName, Country, Edition, Reason};
use belfry_domain::users::NewUser;
use belfry_runtime::invite::Inviter;
use belfry_store::product_keys::KeyClaim;
use belfry_store::tenants::{NewTenant, back_office_log};
use belfry_store::users::NewMember;
use jiff::Timestamp;
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
    admin: NewUser,
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
    let tenant_id = TenantId::new(now, entropy);
    let grant = wanted.staff.may(Action::CreateTenant, tenant_id)?;
    let claimed = |license: &License| {
        (license.clone(), KeyClaim::Fresh(IssuedKey::made_for(license, tenant_id)))
    };
    let desk =
        Inviter { post: &app.post, company: &wanted.company, language: wanted.admin_language, now };
    let guest = desk.guest(&app.table, &wanted.admin.email).await?;
    let invited = Some(guest.invited());
    let user = User::new(tenant_id, wanted.admin.clone(), Source::Manual, invited, now, entropy);
    let (user_id, (invite, mail)) = (user.id, desk.invite(guest, &user).await?);
    let new = NewTenant {
        tenant: Tenant {
            id: tenant_id,
            company: wanted.company.clone(),
            country: wanted.country.clone(),
            language: wanted.language,
            registered_email: wanted.admin.email.clone(),
            session_timeout: IdleLimit::default(),
            users: 1,
            super_admins: 0,
            suspended_at: None,
            created_at: now,
            version: 1,
        },
        member: NewMember { user, invite: Some(invite) },
        licenses: wanted.licenses.iter().map(claimed).collect(),
        profile: None,
    };
    let action = Action::CreateTenant;
    let log = back_office_log(&wanted.staff, action, tenant_id, &wanted.reason, now, entropy)?;
    if !app.table.create_tenant(&grant, new, log, entropy).await? {
        return Ok(None);
    }
    tracing::info!(tenant.id = %tenant_id, "tenant created");
    app.post.ring(mail).await;
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
            admin: NewUser {
                first_name: first_name?,
                last_name: last_name?,
                email: email?,
                mobile: Some(mobile?),
                phone: None,
                attributes: UserAttributes::new(),
                role: Role::SuperAdmin,
                // On by default for the first super admin.
                two_factor_required: true,
            },
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
    let (seats, term_days) = (wanted.seats, wanted.term_days);
    let at = format!("/products/{index}");
    let numbers = terms(fields, &at, (seats, term_days, wanted.partitions));
    let (seats, term_days, partitions) = numbers?;
    let (product, edition, kind) = (product?, edition?, kind?);
    let terms = Terms { product, edition, kind, seats, term_days, partitions };
    Some(License::new(terms, now, app.entropy.as_ref()))
}
