//! The files we write: export, template, refused rows.
//!
//! All begin with a BOM, without which spreadsheets take Japanese and Korean for something else, and
//! end their lines by CRLF (RFC 4180, section 2).

use super::judge::Fault;
use super::{Column, EXPORTED, REFUSED, Row, cell, telephone};
use crate::account::{Role, Source, Status, User};

const BOM: &str = "\u{feff}";

/// The BOM and the line of an export that names the columns.
pub fn header() -> String {
    let names = Column::ALL.map(Column::name).into_iter().chain(EXPORTED);
    format!("{BOM}{}", cell::record(names))
}

/// The line of an export for `user`; times are written in UTC, in whole seconds.
pub fn line(user: &User) -> String {
    let (country, mobile) = user.mobile.as_ref().map(telephone::columns).unwrap_or_default();
    let last_login = user.last_login_at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    cell::record([
        cell::armed(user.first_name.as_str()),
        cell::armed(user.last_name.as_str()),
        cell::armed(user.email.as_str()),
        country,
        mobile,
        user.phone.as_ref().map(telephone::whole).unwrap_or_default(),
        role(user.role).to_owned(),
        two_factor(user.two_factor_required).to_owned(),
        status(user.status).to_owned(),
        source(user.source).to_owned(),
        last_login.unwrap_or_default(),
    ])
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::SuperAdmin => "Super Admin",
        Role::Admin => "Admin",
        Role::HelpDesk => "Help Desk",
        Role::ReadOnly => "Read Only",
        Role::User => "User",
    }
}

const fn two_factor(is_required: bool) -> &'static str {
    if is_required { "Enable" } else { "Disable" }
}

const fn status(status: Status) -> &'static str {
    match status {
        Status::Invited => "Invited",
        Status::Active => "Active",
        Status::Deactivated => "Deactivated",
        Status::Archived => "Archived",
    }
}

const fn source(source: Source) -> &'static str {
    match source {
        Source::Manual => "Manual",
        Source::Csv => "CSV",
        Source::Directory => "Directory",
    }
}

/// A file to begin with: two made-up people whom everybody who may import may import. (The numbers
/// are kept for fiction by the North American Numbering Plan and by Ofcom.)
pub const fn template() -> &'static str {
    "\u{feff}First Name,Last Name,Email,Country Code,Mobile Number,Phone Number,Role,2FA\r\n\
     Asha,Rao,asha.rao@example.com,+1,202 555 0142,+1 202 555 0143,Help Desk,Disable\r\n\
     Ken,Mori,ken.mori@example.com,+44,7700 900123,,User,\r\n"
}

/// The file of refused rows: their columns as they were read, their lines, and all that is wrong
/// with each as `Column: detail`, joined by `; `. Mended, it can be imported.
pub fn refused<'a>(rows: impl IntoIterator<Item = (&'a Row, &'a [Fault])>) -> String {
    let names = Column::ALL.map(Column::name).into_iter().chain(REFUSED);
    let mut file = format!("{BOM}{}", cell::record(names));
    for (row, faults) in rows {
        let cells = Column::ALL.map(|column| {
            let text = cell::meaning(row.cell(column));
            let is_left_alone = column.is_telephone() && cell::is_number(text);
            if is_left_alone { text.to_owned() } else { cell::armed(text) }
        });
        let reasons = faults.iter().map(|fault| format!("{}: {}", fault.field, fault.detail));
        let reasons = cell::armed(&reasons.collect::<Vec<_>>().join("; "));
        file += &cell::record(cells.into_iter().chain([row.line.to_string(), reasons]));
    }
    file
}
