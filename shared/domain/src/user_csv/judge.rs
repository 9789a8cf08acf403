//! What a row makes, or all that is wrong with it.

use super::telephone::{self, BadNumber};
use super::{Column, Row, cell};
use crate::account::Role;
use crate::attribute::UserAttributes;
use crate::business_email::is_business;
use crate::email::EmailAddress;
use crate::failure::FieldFault;
use crate::text::{PersonName, Telephone};
use crate::users::NewUser;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::str::FromStr;

/// One thing wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The column, as the header names it, or `Row`.
    pub field: Cow<'static, str>,
    /// Stable, `snake_case`.
    pub code: Cow<'static, str>,
    /// For the person who made the file; quotes no cell.
    pub detail: String,
}

impl Fault {
    /// Something wrong with `field`.
    pub fn new(field: &'static str, code: &'static str, detail: impl Into<String>) -> Self {
        Self { field: field.into(), code: code.into(), detail: detail.into() }
    }
}

/// The faults of one row as they are found.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, column: Column, code: &'static str, detail: impl Into<String>) {
        self.0.push(Fault::new(column.name(), code, detail));
    }

    /// The value of a cell, or its fault noted.
    fn parse<T>(&mut self, column: Column, text: &str) -> Option<T>
    where
        T: FromStr<Err: FieldFault>,
    {
        text.parse().map_err(|bad: T::Err| self.add(column, bad.code(), bad.to_string())).ok()
    }
}

/// Says of each row what user it makes, or everything that is wrong with it.
///
/// `may` says for which roles whoever imports may make users, `may_two_factor` whether they may
/// require a second factor. Pure: whether an address exists already is for the caller to find out.
pub fn judge(
    rows: &[Row],
    may: impl Fn(Role) -> bool,
    may_two_factor: bool,
) -> Vec<Result<NewUser, Vec<Fault>>> {
    let mut seen = HashMap::new();
    let mut one = |row| judge_one(row, &may, may_two_factor, &mut seen);
    rows.iter().map(&mut one).collect()
}

fn judge_one(
    row: &Row,
    may: &impl Fn(Role) -> bool,
    may_two_factor: bool,
    seen: &mut HashMap<EmailAddress, u32>,
) -> Result<NewUser, Vec<Fault>> {
    if row.is_too_long() {
        // Its cells are shifted: what else could be said of them would mislead.
        let detail = "the row has more cells than the header has columns; \
                      a cell with the delimiter in it stands between quotes";
        return Err(vec![Fault::new("Row", "too_many_cells", detail)]);
    }
    let mut faults = Faults::default();
    let first_name = name(row, Column::FirstName, &mut faults);
    let last_name = name(row, Column::LastName, &mut faults);
    let email = email(row, seen, &mut faults);
    let (mobile, phone) = telephones(row, &mut faults);
    let role = role(row, &mut faults);
    if let Some(role) = role {
        if role == Role::SuperAdmin {
            let detail = "a super admin cannot be imported";
            faults.add(Column::Role, "role_not_allowed", detail);
        } else if !may(role) {
            let detail = "you may not add users with this role";
            faults.add(Column::Role, "role_not_allowed", detail);
        }
        if role != Role::User && email.as_ref().is_some_and(|email| !is_business(email)) {
            let detail = "a role with access to the console needs a business e-mail address, \
                          not one of a free or disposable mail provider";
            faults.add(Column::Email, "business_email_required", detail);
        }
    }
    let two_factor_required = two_factor(row, role, may_two_factor, &mut faults);
    match (first_name, last_name, email, role) {
        (Some(first_name), Some(last_name), Some(email), Some(role)) if faults.0.is_empty() => {
            Ok(NewUser {
                first_name,
                last_name,
                email,
                mobile,
                phone,
                attributes: UserAttributes::new(),
                role,
                two_factor_required,
            })
        }
        _ => Err(faults.0),
    }
}

fn name(row: &Row, column: Column, faults: &mut Faults) -> Option<PersonName> {
    faults.parse(column, cell::meaning(row.cell(column)))
}

fn email(
    row: &Row,
    seen: &mut HashMap<EmailAddress, u32>,
    faults: &mut Faults,
) -> Option<EmailAddress> {
    let text = cell::meaning(row.cell(Column::Email));
    if text.is_empty() {
        faults.add(Column::Email, "required", "must not be empty");
        return None;
    }
    let email: EmailAddress = faults.parse(Column::Email, text)?;
    let first = *seen.entry(email.clone()).or_insert(row.line);
    if first != row.line {
        let detail = format!("the same address is on line {first}");
        faults.add(Column::Email, "duplicate_in_file", detail);
    }
    Some(email)
}

fn telephones(row: &Row, faults: &mut Faults) -> (Option<Telephone>, Option<Telephone>) {
    let country = cell::meaning(row.cell(Column::CountryCode));
    // What is wrong with the country code is said once, though two numbers need it.
    let mut is_country_blamed = false;
    let mut number = |column| match telephone::parse(cell::meaning(row.cell(column)), country) {
        Ok(number) => number,
        Err(BadNumber::Number(bad)) => {
            faults.add(column, FieldFault::code(&bad), bad.to_string());
            None
        }
        Err(_) if is_country_blamed => None,
        Err(BadNumber::CountryCode) => {
            is_country_blamed = true;
            faults.add(Column::CountryCode, "invalid", "must be a country code, like +91");
            None
        }
        Err(BadNumber::NoCountryCode) => {
            is_country_blamed = true;
            let detail = "a number without a country code of its own, like +91 98765 43210, \
                          needs one in this column";
            faults.add(Column::CountryCode, "country_code_required", detail);
            None
        }
    };
    (number(Column::Mobile), number(Column::Phone))
}

/// The role, also one that may not be imported.
fn role(row: &Row, faults: &mut Faults) -> Option<Role> {
    let text = cell::meaning(row.cell(Column::Role));
    if text.is_empty() {
        faults.add(Column::Role, "required", "must not be empty");
        return None;
    }
    let name = text.split_whitespace().collect::<Vec<_>>().join("_").to_lowercase();
    let role = Role::ALL.into_iter().find(|role| role.name() == name);
    if role.is_none() {
        faults.add(Column::Role, "invalid", "must be Admin, Help Desk, Read Only or User");
    }
    role
}

fn two_factor(row: &Row, role: Option<Role>, may: bool, faults: &mut Faults) -> bool {
    let text = cell::meaning(row.cell(Column::TwoFactor));
    if text.is_empty() || text.eq_ignore_ascii_case("disable") {
        return false;
    }
    if !text.eq_ignore_ascii_case("enable") {
        faults.add(Column::TwoFactor, "invalid", "must be Enable or Disable");
    } else if !may {
        let detail = "only a super admin may require two-factor authentication";
        faults.add(Column::TwoFactor, "two_factor_not_allowed", detail);
    } else if role == Some(Role::User) {
        let detail = "the role User has no log-in, so no two-factor authentication";
        faults.add(Column::TwoFactor, "two_factor_not_allowed", detail);
    }
    true
}
