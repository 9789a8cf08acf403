//! Creating tenants, by the back office.

use serde_json::{Value, json};

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
    /// Who asks for it; kept in the back-office log
    #[arg(long, env = "USER")]
    operator: String,
    /// Why; kept in the back-office log
    #[arg(long)]
    reason: String,
}

impl Create {
    /// The back office's command.
    pub(crate) fn command(&self) -> Value {
        json!({
            "command": "create_tenant", "operator": self.operator, "reason": self.reason,
            "company": self.company, "country": self.country, "language": self.language,
            "admin": {
                "first_name": self.first_name, "last_name": self.last_name, "email": self.email,
                "mobile": self.mobile, "language": self.language,
            },
            "products": self.products,
        })
    }
}

/// What the back office says, for people.
pub(crate) fn text(created: &Value) -> String {
    let at = |value: &Value, pointer| {
        value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let products = created.pointer("/tenant/products").and_then(Value::as_array);
    let keys: Vec<String> = products
        .into_iter()
        .flatten()
        .map(|product| format!("  {:<13}{}", at(product, "/product"), at(product, "/product_key")))
        .collect();
    format!(
        "Tenant {}, first administrator {}\nProduct keys\n{}\nThe activation mail is on its way.",
        at(created, "/tenant/id"),
        at(created, "/user/id"),
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
