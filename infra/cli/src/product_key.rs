//! Product keys: what customers buy, register with and quote.

use belfry_domain::product::Product;
use serde_json::{Value, json};

use crate::backoffice::{Ask, Staff, counted, said};
use crate::failure::Result;
use crate::{license, values};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum ProductKey {
    /// Make a product key for somebody to register with
    Issue(Issue),
    /// Withdraw a product key; when a tenant has it, that revokes its licence
    Revoke(Named),
    /// Take a withdrawal back
    Restore(Named),
}

/// What the key is good for.
#[derive(Debug, clap::Args)]
pub(crate) struct Issue {
    /// Product
    #[arg(long, value_parser = values::product())]
    product: Product,
    /// Edition
    #[arg(long)]
    edition: String,
    /// Endpoints that the licence covers
    #[arg(long)]
    seats: u32,
    /// Days of the licence, from the registration on
    #[arg(long)]
    days: u32,
    /// Streams of the product's telemetry: 1, 4 or 16; never changed later
    #[arg(long, default_value_t = 1)]
    partitions: u8,
    #[command(flatten)]
    staff: Staff,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Named {
    /// The product key, in any case, with or without hyphens
    key: String,
    #[command(flatten)]
    staff: Staff,
}

impl Ask for ProductKey {
    fn command(&self) -> Result<Value> {
        let withdrawn = |named: &Named, revoked: bool| {
            let fields = json!({"product_key": named.key, "revoked": revoked});
            named.staff.command("revoke_product_key", fields)
        };
        Ok(match self {
            Self::Issue(new) => {
                let fields = json!({
                    "product": new.product, "edition": new.edition, "seats": new.seats,
                    "term_days": new.days, "partitions": new.partitions,
                });
                new.staff.command("issue_product_key", fields)
            }
            Self::Revoke(named) => withdrawn(named, true),
            Self::Restore(named) => withdrawn(named, false),
        })
    }

    fn text(&self, answer: &Value) -> String {
        // The key of a tenant is withdrawn by its licence.
        if answer.get("license").is_some() {
            return license::text(answer);
        }
        let [key, product, edition, days, state] =
            ["product_key", "product", "edition", "term_days", "state"]
                .map(|field| said(answer, &format!("/product_key/{field}")));
        format!(
            "Product key {key} is {state}\n{product} {edition}, {} seats for {days} days",
            counted(answer, "/product_key/seats"),
        )
    }
}
