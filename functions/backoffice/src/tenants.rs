//! `suspend_tenant`, `list_tenants`.

use crate::App;
use belfry_api::fields::Fields;
use belfry_api::{Problem, answer};
use belfry_domain::id::TenantId;
use belfry_domain::mail::Letter;
use belfry_domain::policy::Action;
use belfry_store::tenants::{ListedTenant, Subject, back_office_log};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Suspend {
    operator: String,
    reason: String,
    tenant_id: String,
    /// False lets it in again.
    suspended: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct List {
    operator: String,
    reason: String,
    /// The last tenant of the page before.
    after: Option<String>,
    limit: Option<u32>,
}

/// Rivals at the same tenant: how often to look again.
const LOOKS: usize = 10;
/// Tenants of a page.
const MOST_LISTED: u32 = 50;

pub(crate) async fn suspend(app: &App, command: Suspend) -> Result<Value, Problem> {
    let mut fields = Fields::new();
    let staff = app.staff(&mut fields, &command.operator, &command.reason);
    let tenant: Option<TenantId> = fields.read("/tenant_id", &command.tenant_id);
    let detail = "true, or false to let it in again.";
    let suspended = fields.want(command.suspended, "/suspended", detail);
    let wanted = || Some((staff?, tenant?, suspended?));
    let wanted = wanted();
    let ((staff, reason), id, suspended) = fields.finish(wanted)?;
    let action = Action::SuspendTenant;
    let grant = staff.may(action, id)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let done = |changed: bool| json!({"status": "ok", "changed": changed, "tenant": {"id": id, "suspended": suspended}});
    for _ in 0..LOOKS {
        let tenant = app.table.tenant(id).await?.ok_or_else(Problem::not_found)?;
        if tenant.suspended_at.is_some() == suspended {
            return Ok(done(false));
        }
        let company = tenant.company.clone();
        let letter = if suspended {
            Letter::TenantSuspended { company }
        } else {
            Letter::TenantResumed { company }
        };
        let (to, language) = (&tenant.registered_email, tenant.language);
        let (mail, item) = app.post.notice(to, language, letter, now)?;
        let beside = back_office_log(&staff, action, id, &reason, now, entropy)?.create(item);
        if app.table.suspend_tenant(&grant, &tenant, suspended, beside, now, entropy).await? {
            tracing::info!(tenant.id = %id, suspended, "tenant suspended or let in");
            app.post.ring(mail).await;
            return Ok(done(true));
        }
    }
    Err(Problem::busy("The tenant is being changed elsewhere; try again."))
}

pub(crate) async fn list(app: &App, command: List) -> Result<Value, Problem> {
    let mut fields = Fields::new();
    let staff = app.staff(&mut fields, &command.operator, &command.reason);
    let after = match &command.after {
        Some(text) => fields.read::<TenantId>("/after", text).map(Some),
        None => Some(None),
    };
    let limit = command.limit.unwrap_or(MOST_LISTED);
    let limit = (1..=MOST_LISTED).contains(&limit).then_some(limit);
    let limit = fields.want(limit, "/limit", "1 to 50 tenants.");
    let wanted = || Some((staff?, after?, limit?));
    let wanted = wanted();
    let ((staff, reason), after, limit) = fields.finish(wanted)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let action = Action::ListTenants;
    let log = back_office_log(&staff, action, Subject::default(), &reason, now, entropy)?;
    let done = log.run(&app.table, entropy).await;
    done.map_err(|refused| Problem::from(refused.unexpected()))?;
    let tenants = app.table.tenants(after, i32::try_from(limit).unwrap_or(1)).await?;
    let full = tenants.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = tenants.last().filter(|_| full).map(|last| last.tenant.id);
    let items: Vec<_> = tenants.iter().map(|listed| view(listed, now)).collect();
    Ok(json!({"status": "ok", "tenants": items, "next": next}))
}

fn view(listed: &ListedTenant, now: Timestamp) -> Value {
    let ListedTenant { tenant, profile, licenses } = listed;
    let licenses: Vec<_> = licenses
        .iter()
        .map(|license| {
            json!({
                "product": license.product, "product_key": license.product_key,
                "edition": license.edition, "kind": license.kind,
                "state": license.state(now).name(), "seats": license.seats,
                "ends_at": answer::time(license.ends_at),
            })
        })
        .collect();
    json!({
        "id": tenant.id,
        "company": tenant.company,
        "country": tenant.country,
        "language": tenant.language,
        "registered_email": tenant.registered_email,
        "users": tenant.users,
        "super_admins": tenant.super_admins,
        "suspended": tenant.suspended_at.is_some(),
        "created_at": answer::time(tenant.created_at),
        "profile": profile.as_ref().map(|profile| json!({
            "job_role": profile.job_role, "industry": profile.industry,
            "company_size": profile.company_size, "state": profile.state, "city": profile.city,
            "agreements_accepted_at": profile.agreements_accepted_at.map(answer::time),
        })),
        "licenses": licenses,
    })
}
