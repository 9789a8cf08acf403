//! `issue_history_credential`: a credential for bringing a customer's history, at most 7 days.

use crate::App;
use belfry_api::fields::Fields;
use belfry_api::{Problem, answer};
use belfry_domain::credential::{Credential, HistoryDays, Scope, Term};
use belfry_domain::id::TenantId;
use belfry_domain::policy::Action;
use belfry_domain::product::Product;
use belfry_store::tenants::back_office_log;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Command {
    operator: String,
    reason: String,
    tenant_id: String,
    product: String,
    valid_days: u32,
}

pub(crate) async fn issue_history_credential(
    app: &App,
    command: Command,
) -> Result<Value, Problem> {
    let mut fields = Fields::new();
    let staff = app.staff(&mut fields, &command.operator, &command.reason);
    let tenant: Option<TenantId> = fields.read("/tenant_id", &command.tenant_id);
    let product: Option<Product> = fields.read("/product", &command.product);
    let days = HistoryDays::new(command.valid_days);
    let days = fields.want(days, "/valid_days", "1 to 7 days.");
    let wanted = || Some((staff?, tenant?, product?, days?));
    let ((staff, reason), tenant, product, days) = fields.finish(wanted())?;

    let grant = staff.may(Action::IssueHistoryCredential, tenant)?;
    app.table.tenant(tenant).await?.ok_or_else(Problem::not_found)?;
    let license = app.table.license(tenant, product).await?.ok_or_else(|| {
        Problem::new(409, "license_missing", format!("There is no licence for {product}."))
    })?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let term = Term::History { days };
    let (credential, token) =
        Credential::issue(tenant, &license, ([Scope::TelemetryWrite].into(), term), now, entropy);
    let action = Action::IssueHistoryCredential;
    let log = back_office_log(&staff, action, tenant, &reason, now, entropy)?;
    app.table.create_credential(&grant, &credential, Some(log), entropy).await?;
    tracing::info!(tenant.id = %tenant, credential.id = %credential.id, "history credential issued");
    Ok(json!({"status": "ok", "credential": {
        "id": credential.id,
        "product": product,
        "scopes": credential.scopes,
        "max_event_age_days": credential.max_event_age_days(),
        "expires_at": credential.valid_until.map(answer::time),
        "secret": token.expose_text(),
    }}))
}
