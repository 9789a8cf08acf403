//! `issue_activation_key`: puts a code on record that the vendor's key has signed, before it is handed out.
//! The private key is not here: the operator's machine, or KMS, has it.

use crate::App;
use belfry_api::fields::Fields;
use belfry_api::{Problem, answer};
use belfry_domain::license::activation_key::ActivationKey;
use belfry_domain::policy::Action;
use belfry_store::tenants::{Subject, back_office_log};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Command {
    operator: String,
    reason: String,
    activation_key: String,
}

pub(crate) async fn issue(app: &App, command: Command) -> Result<Value, Problem> {
    let mut fields = Fields::new();
    let staff = app.staff(&mut fields, &command.operator, &command.reason);
    let key = ActivationKey::read(&command.activation_key, &app.pinned, app.signatures.as_ref());
    if key.is_err() {
        let detail = "Not signed by a key that this deployment pins.";
        fields.fault("/activation_key", "activation_key_invalid", detail);
    }
    let ((staff, reason), key) = fields.finish(staff.zip(key.ok()))?;
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
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
