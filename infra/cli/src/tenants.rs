//! The list of tenants.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::backoffice::{Staff, counted, said};
use crate::dashboard::fitted;

/// Which part of the list.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// The last tenant of the page before
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// Tenants of a page, at most 50
    #[arg(long)]
    limit: Option<u32>,
    #[command(flatten)]
    staff: Staff,
}

impl List {
    /// The back office's command.
    pub(crate) fn command(&self) -> Value {
        self.staff.command("list_tenants", json!({"after": self.after, "limit": self.limit}))
    }
}

/// A table: a line a tenant, under it a line a licence.
pub(crate) fn table(answer: &Value) -> String {
    let rows = |value: &Value, field: &str| {
        value.get(field).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let tenants = rows(answer, "tenants");
    if tenants.is_empty() {
        return "There are no more tenants.".to_owned();
    }
    let mut page = String::new();
    // A string takes everything.
    let _ = writeln!(page, "{:<36}  {:<22}  Country  Since        Users", "Tenant", "Company");
    for tenant in &tenants {
        let _ = writeln!(
            page,
            "{:<36}  {}  {:<7}  {} {:>6}{}",
            said(tenant, "/id"),
            fitted(&said(tenant, "/company"), 22),
            said(tenant, "/country"),
            day(tenant, "/created_at"),
            counted(tenant, "/users"),
            if tenant.get("suspended") == Some(&json!(true)) { "  suspended" } else { "" },
        );
        for license in rows(tenant, "licenses") {
            let what = ["/state", "/kind", "/edition"].map(|pointer| said(&license, pointer));
            let _ = writeln!(
                page,
                "  {:<12} {} {:>9} seats to {} {}",
                said(&license, "/product"),
                fitted(&what.join(", "), 28),
                counted(&license, "/seats"),
                day(&license, "/ends_at"),
                said(&license, "/product_key"),
            );
        }
    }
    if let Some(next) = answer.get("next").and_then(Value::as_str) {
        let _ = writeln!(page, "\nThe next page: the same with --after {next}");
    }
    page
}

/// The UTC day of an instant.
fn day(answer: &Value, pointer: &str) -> String {
    said(answer, pointer).chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::WIDTH;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn the_table_fits_the_terminal_and_names_the_next_page() {
        let id = format!("ten_{}", "0".repeat(32));
        let tenant = json!({
            "id": id, "company": "하버웍스 ".repeat(12), "country": "KR", "users": 15_000,
            "created_at": "2026-11-22T12:00:00.000Z", "suspended": true,
            "licenses": [{
                "product": "DATA_PRIVACY", "edition": "e".repeat(40), "kind": "commercial",
                "state": "expired", "seats": 1_000_000, "ends_at": "2027-11-22T12:00:00.000Z",
                "product_key": "7ZZZZ-00000-ABCDE-FGHJK-M",
            }],
        });
        let page = table(&json!({"tenants": [tenant], "next": id}));
        assert!(page.lines().all(|line| line.width() <= WIDTH), "{page}");
        for shown in ["15,000  suspended", "1,000,000 seats to 2027-11-22", "FGHJK-M"] {
            assert!(page.contains(shown), "{page}");
        }
        assert!(page.ends_with(&format!("the same with --after {id}\n")), "{page}");
        let end = table(&json!({"tenants": [], "next": null}));
        assert_eq!(end, "There are no more tenants.");
    }
}
