//! What the vendor's staff may do, by direct invocation: IAM decides who.

mod act;
mod activation_keys;
mod create_tenant;
mod issue_history_credential;
mod licenses;
mod product_keys;
mod recoveries;
mod set_captcha;
mod tenants;

use belfry_api::Problem;
use belfry_api::fields::Fields;
use belfry_domain::id::RequestId;
use belfry_domain::license::activation_key::{SignatureCheck, VendorKey};
use belfry_domain::policy::{BackOffice, Origin};
use belfry_domain::ports::{Clock, Entropy};
use belfry_domain::text::Reason;
use belfry_runtime::Error;
use belfry_runtime::events::Events;
use belfry_runtime::metrics::{Metrics, Unit};
use belfry_runtime::post::Post;
use belfry_store::Table;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;

/// The function's parts.
pub struct App {
    /// The table.
    pub table: Table,
    /// Mails.
    pub post: Post,
    /// The vendor's public keys.
    pub pinned: Vec<VendorKey>,
    /// Checks what they have signed.
    pub signatures: Arc<dyn SignatureCheck>,
    /// Whether this is a stack on one machine.
    pub local: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Events for App {
    /// A command of the vendor's staff, or the schedule's `{"sweep": true}`.
    async fn invoked(&self, input: Value, metrics: &mut Metrics) -> Result<Value, Error> {
        if input == json!({"sweep": true}) {
            let swept = self.sweep().await;
            let (due, failed) =
                swept.map_err(|problem| problem.internal.unwrap_or(problem.detail))?;
            metrics.add("recovery.failed", Unit::Count, f64::from(u32::try_from(failed)?));
            return Ok(json!({"due": due, "failed": failed}));
        }
        Ok(self.obey(input).await.unwrap_or_else(|problem| refusal(&problem)))
    }
}

impl App {
    /// Does what the command says.
    async fn obey(&self, mut input: Value) -> Result<Value, Problem> {
        let command = input.get_mut("command").map(Value::take);
        if let Some(fields) = input.as_object_mut() {
            fields.remove("command");
        }
        match command.as_ref().and_then(Value::as_str) {
            Some("create_tenant") => create_tenant::create_tenant(self, read(input)?).await,
            Some("issue_history_credential") => {
                issue_history_credential::issue_history_credential(self, read(input)?).await
            }
            Some("issue_product_key") => product_keys::issue(self, read(input)?).await,
            Some("revoke_product_key") => product_keys::revoke(self, read(input)?).await,
            Some("issue_activation_key") => activation_keys::issue(self, read(input)?).await,
            Some("revoke_activation_key") => activation_keys::revoke(self, read(input)?).await,
            Some("upgrade_edition") => licenses::upgrade(self, read(input)?).await,
            Some("extend_trial") => licenses::extend_trial(self, read(input)?).await,
            Some("set_seats") => licenses::set_seats(self, read(input)?).await,
            Some("suspend_tenant") => tenants::suspend(self, read(input)?).await,
            Some("list_tenants") => tenants::list(self, read(input)?).await,
            Some("reset_super_admin") => recoveries::reset(self, read(input)?).await,
            Some("appoint_super_admin") => recoveries::appoint(self, read(input)?).await,
            Some("set_captcha") => set_captcha::set_captcha(self, read(input)?).await,
            _ => {
                let mut fields = Fields::new();
                let detail = "There is no such command.";
                fields.fault("/command", "invalid", detail);
                fields.finish(None)
            }
        }
    }

    /// Who is asking, and why; a fault is noted in `fields`.
    fn staff(
        &self,
        fields: &mut Fields,
        operator: &str,
        reason: &str,
    ) -> Option<(BackOffice, Reason)> {
        let operator = fields.read("/operator", operator);
        let reason = fields.read("/reason", reason);
        let request_id = RequestId::new(self.clock.now(), self.entropy.as_ref()).to_string();
        let origin = Origin { request_id, source_address: None };
        Some((BackOffice { operator: operator?, origin }, reason?))
    }
}

/// The command's fields. What is missing or empty is found later, with everything else; only a
/// value of a wrong type ends it here.
fn read<T: DeserializeOwned>(input: Value) -> Result<T, Problem> {
    serde_json::from_value(input).map_err(|error| {
        Problem::new(400, "malformed", format!("The command has a wrong form: {error}"))
    })
}

/// A problem as the caller sees it, and the log.
fn refusal(problem: &Problem) -> Value {
    let cause = problem.internal.as_deref().unwrap_or("");
    if problem.status >= 500 {
        tracing::error!(problem.status = problem.status, problem.code, cause, "command failed");
    } else {
        tracing::info!(problem.status = problem.status, problem.code, cause, "command refused");
    }
    let errors: Vec<_> = problem
        .errors
        .iter()
        .map(|e| json!({"pointer": e.pointer, "code": e.code, "detail": e.detail}))
        .collect();
    json!({"status": "error", "problem": {
        "code": problem.code,
        "title": problem.title(),
        "detail": problem.detail,
        "errors": errors,
    }})
}
