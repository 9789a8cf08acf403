//! Tenants, by the back office.

use serde_json::{Value, json};

use crate::backoffice::{Ask, Staff, said};
use crate::failure::Result;
use crate::tenants::{self, List};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Tenant {
    /// Create a tenant with its first super admin, who is sent an activation mail
    Create(Create),
    /// List tenants with their licences, the oldest first
    List(List),
    /// Keep everybody out of a tenant, and refuse its telemetry
    Suspend(Named),
    /// Let a suspended tenant in again
    Resume(Named),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Named {
    /// Tenant
    tenant: String,
    #[command(flatten)]
    staff: Staff,
}

impl Ask for Tenant {
    fn command(&self) -> Result<Value> {
        let suspended = |named: &Named, suspended: bool| {
            let fields = json!({"tenant_id": named.tenant, "suspended": suspended});
            named.staff.command("suspend_tenant", fields)
        };
        Ok(match self {
            Self::Create(new) => new.command(),
            Self::List(list) => list.command(),
            Self::Suspend(named) => suspended(named, true),
            Self::Resume(named) => suspended(named, false),
        })
    }

    fn text(&self, answer: &Value) -> String {
        let told = match answer.get("changed") {
            Some(Value::Bool(false)) => "It was so before.",
            _ => "Its registered address has been told by mail.",
        };
        match self {
            Self::Create(_) => created(answer),
            Self::List(_) => tenants::table(answer),
            Self::Suspend(named) => format!("Tenant {} is suspended.\n{told}", named.tenant),
            Self::Resume(named) => format!("Tenant {} is let in again.\n{told}", named.tenant),
        }
    }
}

/// A new tenant and its first administrator.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// Company
    #[arg(long)]
    company: String,
    /// Country (ISO 3166, two letters)
    #[arg(long)]
    country: String,
    /// Language of the tenant and its administrator: en, ja or ko
    #[arg(long, default_value = "en")]
    language: String,
    /// The administrator's first name
    #[arg(long)]
    first_name: String,
    /// The administrator's last name
    #[arg(long)]
    last_name: String,
    /// The administrator's business e-mail address
    #[arg(long)]
    email: String,
    /// The administrator's mobile number, as +<country> <number>
    #[arg(long)]
    mobile: String,
    /// A product: PRODUCT:EDITION:KIND:SEATS:DAYS[:PARTITIONS], e.g. EPP:standard:trial:100:30
    #[arg(long = "product", required = true, value_parser = product)]
    products: Vec<Value>,
    #[command(flatten)]
    staff: Staff,
}

impl Create {
    fn command(&self) -> Value {
        let fields = json!({
            "company": self.company, "country": self.country, "language": self.language,
            "admin": {
                "first_name": self.first_name, "last_name": self.last_name, "email": self.email,
                "mobile": self.mobile, "language": self.language,
            },
            "products": self.products,
        });
        self.staff.command("create_tenant", fields)
    }
}

/// What the back office says of a new tenant, for people.
fn created(created: &Value) -> String {
    let products = created.pointer("/tenant/products").and_then(Value::as_array);
    let line =
        |product| format!("  {:<13}{}", said(product, "/product"), said(product, "/product_key"));
    let keys: Vec<String> = products.into_iter().flatten().map(line).collect();
    format!(
        "Tenant {}, first administrator {}\nProduct keys\n{}\nThe activation mail is on its way.",
        said(created, "/tenant/id"),
        said(created, "/user/id"),
        keys.join("\n")
    )
}

fn product(text: &str) -> Result<Value, String> {
    let fields: Vec<&str> = text.split(':').collect();
    let (head, partitions) = match fields.as_slice() {
        [head @ .., partitions] if fields.len() == 6 => (head, number(partitions, "PARTITIONS")?),
        head => (head, 1),
    };
    let [product, edition, kind, seats, days] = head else {
        return Err("expected PRODUCT:EDITION:KIND:SEATS:DAYS[:PARTITIONS]".to_owned());
    };
    Ok(json!({
        "product": product, "edition": edition, "kind": kind,
        "seats": number(seats, "SEATS")?, "term_days": number(days, "DAYS")?,
        "partitions": partitions,
    }))
}

fn number(text: &str, name: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("{name} is a whole number, not {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_read_with_and_without_partitions() {
        let wanted = |partitions| {
            json!({"product": "EPP", "edition": "standard", "kind": "trial", "seats": 100,
                   "term_days": 30, "partitions": partitions})
        };
        assert_eq!(product("EPP:standard:trial:100:30"), Ok(wanted(1)));
        assert_eq!(product("EPP:standard:trial:100:30:4"), Ok(wanted(4)));
        for bad in ["EPP", "EPP:standard:trial:many:30", "EPP:standard:trial:1:2:3:4"] {
            assert!(product(bad).is_err(), "{bad}");
        }
    }
}
