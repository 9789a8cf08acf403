//! `upgrade_edition`, `extend_trial`, `set_seats`: what the vendor changes of a licence. Its tenant is told
//! by mail.

use crate::App;
use belfry_api::Problem;
use belfry_api::fields::Fields;
use belfry_api::license::LicenseView;
use belfry_domain::id::TenantId;
use belfry_domain::license::{License, MOST_SEATS, MOST_TERM_DAYS, Unfit};
use belfry_domain::mail::Letter;
use belfry_domain::policy::{Action, BackOffice};
use belfry_domain::product::Product;
use belfry_domain::telemetry::stream::Partitions;
use belfry_domain::text::{Edition, Reason};
use belfry_store::licenses;
use belfry_store::tenants::{Subject, back_office_log};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Upgrade {
    operator: String,
    reason: String,
    tenant_id: String,
    product: String,
    edition: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Extend {
    operator: String,
    reason: String,
    tenant_id: String,
    product: String,
    days: u32,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SetSeats {
    operator: String,
    reason: String,
    tenant_id: String,
    product: String,
    seats: u32,
}

pub(crate) async fn upgrade(app: &App, command: Upgrade) -> Result<Value, Problem> {
    let mut fields = Fields::new();
    let staff = app.staff(&mut fields, &command.operator, &command.reason);
    let which = which(&mut fields, &command.tenant_id, &command.product);
    let edition: Option<Edition> = fields.read("/edition", &command.edition);
    let wanted = || Some((staff?, which?, edition?));
    let wanted = wanted();
    let ((staff, reason), (tenant, product), edition) = fields.finish(wanted)?;
    let (what, now) = ((Action::UpgradeEdition, tenant, product), app.clock.now());
    changed(app, &staff, &reason, what, |license| license.upgraded(edition.clone(), now)).await
}

pub(crate) async fn extend_trial(app: &App, command: Extend) -> Result<Value, Problem> {
    let mut fields = Fields::new();
    let staff = app.staff(&mut fields, &command.operator, &command.reason);
    let which = which(&mut fields, &command.tenant_id, &command.product);
    let days = within(command.days, MOST_TERM_DAYS);
    let days = fields.want(days, "/days", "1 to 3,650 days.");
    let wanted = || Some((staff?, which?, days?));
    let wanted = wanted();
    let ((staff, reason), (tenant, product), days) = fields.finish(wanted)?;
    let (what, now) = ((Action::ExtendTrial, tenant, product), app.clock.now());
    changed(app, &staff, &reason, what, |license| license.trial_extended(days, now)).await
}

pub(crate) async fn set_seats(app: &App, command: SetSeats) -> Result<Value, Problem> {
    let mut fields = Fields::new();
    let staff = app.staff(&mut fields, &command.operator, &command.reason);
    let which = which(&mut fields, &command.tenant_id, &command.product);
    let seats = within(command.seats, MOST_SEATS);
    let seats = fields.want(seats, "/seats", "1 to 1,000,000 seats.");
    let wanted = || Some((staff?, which?, seats?));
    let wanted = wanted();
    let ((staff, reason), (tenant, product), seats) = fields.finish(wanted)?;
    let (what, now) = ((Action::SetSeats, tenant, product), app.clock.now());
    changed(app, &staff, &reason, what, |license| license.with_seats(seats, now)).await
}

/// Rivals at the same licence: how often to look again.
const LOOKS: usize = 10;

/// Changes a licence, on the record of its tenant and of the back office.
pub(crate) async fn changed(
    app: &App,
    staff: &BackOffice,
    reason: &Reason,
    (action, tenant, product): (Action, TenantId, Product),
    change: impl Fn(&License) -> Result<License, Unfit>,
) -> Result<Value, Problem> {
    let grant = staff.may(action, tenant)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    for _ in 0..LOOKS {
        let found = app.table.tenant(tenant).await?.ok_or_else(Problem::not_found)?;
        let before = app.table.license(tenant, product).await?.ok_or_else(|| {
            Problem::new(409, "license_missing", format!("There is no licence for {product}."))
        })?;
        let after = change(&before)?;
        let used = app.table.used_seats(tenant).await?.remove(&product).unwrap_or(0);
        let view = |changed: bool| {
            let license = LicenseView::new(&after, used, now);
            json!({"status": "ok", "changed": changed, "license": license})
        };
        let Some(line) = after.history.last().filter(|_| after != before) else {
            return Ok(view(false));
        };
        let (company, license) = (found.company.clone(), Box::new((&after).into()));
        let letter = Letter::LicenseChanged { company, change: line.change, license };
        let (to, language) = (&found.registered_email, found.language);
        let (mail, item) = app.post.notice(to, language, letter, now)?;
        let subject = Subject { tenant: Some(tenant), other: Some(product.name().to_owned()) };
        let log = back_office_log(staff, action, subject, reason, now, entropy)?.create(item);
        let entry = licenses::changed(&before, &after);
        let forms = (&before, &after, used);
        if app.table.change_license(&grant, &entry, forms, log, now, entropy).await? {
            tracing::info!(tenant.id = %tenant, %product, change = line.change.name(), "licence changed");
            app.post.ring(mail).await;
            return Ok(view(true));
        }
    }
    Err(Problem::busy("The licence is being changed elsewhere; try again."))
}

fn which(fields: &mut Fields, tenant: &str, product: &str) -> Option<(TenantId, Product)> {
    let tenant = fields.read("/tenant_id", tenant);
    let product = fields.read("/product", product);
    tenant.zip(product)
}

fn within(number: u32, most: u32) -> Option<u32> {
    (1..=most).contains(&number).then_some(number)
}

/// Seats, days and partitions of something that is sold.
pub(crate) fn terms(
    fields: &mut Fields,
    at: &str,
    (seats, term_days, partitions): (u32, u32, u8),
) -> Option<(u32, u32, Partitions)> {
    let seats = within(seats, MOST_SEATS);
    let seats = fields.want(seats, format!("{at}/seats"), "1 to 1,000,000 seats.");
    let days = within(term_days, MOST_TERM_DAYS);
    let days = fields.want(days, format!("{at}/term_days"), "1 to 3,650 days.");
    let partitions = Partitions::try_from(partitions).ok();
    let partitions = fields.want(partitions, format!("{at}/partitions"), "1, 4 or 16 partitions.");
    Some((seats?, days?, partitions?))
}
