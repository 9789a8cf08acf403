//! `issue_activation_key`: puts a code on record that the vendor's key has signed, before it is handed out.
//! The private key is not here: the operator's machine, or KMS, has it. `revoke_activation_key`: withdraws
//! one that nobody has redeemed.

use crate::App;
use belfry_api::fields::Fields;
use belfry_api::{Problem, answer};
use belfry_domain::id::ActivationKeyId;
use belfry_domain::license::activation_key::ActivationKey;
use belfry_domain::policy::Action;
use belfry_store::tenants::{Subject, back_office_log};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Issue {
    operator: String,
    reason: String,
    activation_key: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Revoke {
    operator: String,
    reason: String,
    activation_key_id: String,
}

/// An activation key is good for at most so long.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 400);

pub(crate) async fn issue(app: &App, command: Issue) -> Result<Value, Problem> {
    let mut fields = Fields::new();
    let staff = app.staff(&mut fields, &command.operator, &command.reason);
    let key = ActivationKey::read(&command.activation_key, &app.pinned, app.signatures.as_ref());
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    match &key {
        Err(_) => {
            let detail = "Not signed by a key that this deployment pins.";
            fields.fault("/activation_key", "activation_key_invalid", detail);
        }
        Ok(key) if key.not_after <= now || key.not_after.duration_since(now) > LONGEST => {
            let detail = "Good for at least a moment and at most 400 days from now on.";
            fields.fault("/activation_key", "out_of_range", detail);
        }
        Ok(_) => {}
    }
    let ((staff, reason), key) = fields.finish(staff.zip(key.ok()))?;
    if app.table.spent(key.id).await?.is_some() {
        return Err(spent());
    }
    let subject = Subject { tenant: None, other: Some(key.id.to_string()) };
    let action = Action::IssueActivationKey;
    let log = back_office_log(&staff, action, subject, &reason, now, entropy)?;
    let done = log.run(&app.table, entropy).await;
    done.map_err(|refused| Problem::from(refused.unexpected()))?;
    tracing::info!(activation_key.id = %key.id, purpose = key.purpose.name(), "on record");
    Ok(json!({"status": "ok", "activation_key": {
        "id": key.id,
        "purpose": key.purpose,
        "product": key.product,
        "edition": key.edition,
        "seats": key.seats,
        "term_days": key.term_days,
        "not_after": answer::time(key.not_after),
        "key_id": key.key_id,
    }}))
}

pub(crate) async fn revoke(app: &App, command: Revoke) -> Result<Value, Problem> {
    let mut fields = Fields::new();
    let staff = app.staff(&mut fields, &command.operator, &command.reason);
    let id: Option<ActivationKeyId> = fields.read("/activation_key_id", &command.activation_key_id);
    let ((staff, reason), id) = fields.finish(staff.zip(id))?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let subject = Subject { tenant: None, other: Some(id.to_string()) };
    let action = Action::RevokeActivationKey;
    let log = back_office_log(&staff, action, subject, &reason, now, entropy)?;
    if !app.table.withdraw_activation_key(id, log, entropy).await? {
        return Err(spent());
    }
    tracing::info!(activation_key.id = %id, "activation key withdrawn");
    Ok(json!({"status": "ok", "activation_key": {"id": id, "revoked": true}}))
}

fn spent() -> Problem {
    Problem::new(409, "activation_key_used", "It was redeemed or withdrawn already.")
}
