//! `issue_product_key`, `revoke_product_key`: what customers buy, register with and quote.

use crate::App;
use crate::licenses::{changed, terms};
use belfry_api::Problem;
use belfry_api::fields::Fields;
use belfry_domain::license::product_key::KeyState;
use belfry_domain::license::{IssuedKey, ProductKey};
use belfry_domain::policy::Action;
use belfry_store::tenants::{Subject, back_office_log};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Issue {
    operator: String,
    reason: String,
    product: String,
    edition: String,
    seats: u32,
    term_days: u32,
    partitions: u8,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Revoke {
    operator: String,
    reason: String,
    product_key: String,
    /// False gives it back.
    revoked: Option<bool>,
}

pub(crate) async fn issue(app: &App, command: Issue) -> Result<Value, Problem> {
    let mut fields = Fields::new();
    let staff = app.staff(&mut fields, &command.operator, &command.reason);
    let product = fields.read("/product", &command.product);
    let edition = fields.read("/edition", &command.edition);
    let (seats, term_days) = (command.seats, command.term_days);
    let numbers = terms(&mut fields, "", (seats, term_days, command.partitions));
    let wanted = || Some((staff?, product?, edition?, numbers?));
    let wanted = wanted();
    let ((staff, reason), product, edition, (seats, term_days, partitions)) =
        fields.finish(wanted)?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let key = IssuedKey {
        key: ProductKey::new(entropy),
        product,
        edition,
        seats,
        term_days,
        partitions,
        issued_at: now,
        state: KeyState::Free,
        version: 1,
    };
    let subject = masked(&key.key);
    let action = Action::IssueProductKey;
    let log = back_office_log(&staff, action, subject, &reason, now, entropy)?;
    app.table.issue_product_key(&key, log, entropy).await?;
    tracing::info!(%product, seats, term_days, "product key issued");
    Ok(json!({"status": "ok", "product_key": view(&key)}))
}

/// A key that a tenant has is withdrawn by its licence; any other is withdrawn itself.
pub(crate) async fn revoke(app: &App, command: Revoke) -> Result<Value, Problem> {
    let mut fields = Fields::new();
    let staff = app.staff(&mut fields, &command.operator, &command.reason);
    let key: Option<ProductKey> = fields.read("/product_key", &command.product_key);
    let revoked = fields.want(command.revoked, "/revoked", "true, or false to give it back.");
    let wanted = || Some((staff?, key?, revoked?));
    let wanted = wanted();
    let ((staff, reason), key, revoked) = fields.finish(wanted)?;
    let before = app.table.product_key(key).await?.ok_or_else(Problem::not_found)?;
    if let KeyState::Used { tenant } = before.state {
        let change = (Action::RevokeProductKey, tenant, before.product);
        let now = app.clock.now();
        let license =
            changed(app, &staff, &reason, change, |license| Ok(license.withdrawn(revoked, now)));
        return license.await;
    }
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let after = before.withdrawn(revoked).ok_or_else(|| Problem::busy(BUSY))?;
    if after != before {
        let subject = masked(&key);
        let action = Action::RevokeProductKey;
        let log = back_office_log(&staff, action, subject, &reason, now, entropy)?;
        if !app.table.change_product_key((&before, &after), log, entropy).await? {
            return Err(Problem::busy(BUSY));
        }
    }
    let changed = after != before;
    Ok(json!({"status": "ok", "changed": changed, "product_key": view(&after)}))
}

/// A key as the record of the back office names it: enough to find it again, not enough to use it.
fn masked(key: &ProductKey) -> Subject {
    let text = key.to_string();
    Subject { tenant: None, other: text.get(..11).map(|start| format!("{start}-..")) }
}

const BUSY: &str = "The product key is being registered at this moment; try again.";

fn view(key: &IssuedKey) -> Value {
    json!({
        "product_key": key.key,
        "product": key.product,
        "edition": key.edition,
        "seats": key.seats,
        "term_days": key.term_days,
        "partitions": u8::from(key.partitions),
        "state": key.state.name(),
    })
}
