//! Companies that have lost their last super admin.

use serde_json::{Value, json};

use crate::backoffice::{Ask, Staff, said};
use crate::failure::Result;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum SuperAdmin {
    /// Reset the second factor of the last super admin, a day from now
    Reset(Reset),
    /// Make somebody super admin, a day from now
    Appoint(Appoint),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Reset {
    /// Tenant
    #[arg(long)]
    tenant: String,
    /// Which super admin; may be left out where there is but one
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    staff: Staff,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Appoint {
    /// Tenant
    #[arg(long)]
    tenant: String,
    /// First name
    #[arg(long)]
    first_name: String,
    /// Last name
    #[arg(long)]
    last_name: String,
    /// Business e-mail address
    #[arg(long)]
    email: String,
    /// Mobile number, as +<country> <number>
    #[arg(long)]
    mobile: String,
    #[command(flatten)]
    staff: Staff,
}

impl Ask for SuperAdmin {
    fn command(&self) -> Result<Value> {
        Ok(match self {
            Self::Reset(Reset { tenant, user, staff }) => {
                let fields = json!({"tenant_id": tenant, "user_id": user});
                staff.command("reset_super_admin", fields)
            }
            Self::Appoint(new) => {
                let fields = json!({
                    "tenant_id": new.tenant, "first_name": new.first_name,
                    "last_name": new.last_name, "email": new.email, "mobile": new.mobile,
                });
                new.staff.command("appoint_super_admin", fields)
            }
        })
    }

    fn text(&self, answer: &Value) -> String {
        let what = match self {
            Self::Reset(_) => "The second factor is reset".to_owned(),
            Self::Appoint(new) => format!("{} becomes super admin", new.email),
        };
        let [id, acts_at, told, not_told] = ["id", "acts_at", "told", "not_told"]
            .map(|field| said(answer, &format!("/recovery/{field}")));
        format!(
            "{what} at {acts_at} ({id})\nTold by mail: {told}; admins beyond the limit, not told: {not_told}. A link in the mail stops it until then."
        )
    }
}
