//! A user as clients see it, and as audit records name it.

use belfry_api::answer;
use belfry_domain::account::{Role, Source, Status, User};
use belfry_domain::attribute::{UserAttribute, UserAttributes};
use belfry_domain::audit::Entry;
use belfry_domain::email::EmailAddress;
use belfry_domain::id::UserId;
use belfry_domain::second_factor::State;
use belfry_domain::tag::catalogue::{Catalogue, Shown};
use belfry_domain::text::{PersonName, Telephone};
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct UserView<'a> {
    id: UserId,
    first_name: &'a PersonName,
    last_name: &'a PersonName,
    email: &'a EmailAddress,
    mobile: Option<&'a Telephone>,
    phone: Option<&'a Telephone>,
    attributes: &'a UserAttributes,
    role: Role,
    status: Status,
    source: Source,
    two_factor: TwoFactorView,
    tags: Vec<Shown<'a>>,
    last_login_at: Option<String>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_at: Option<String>,
    version: u64,
}

#[derive(Serialize)]
pub(crate) struct TwoFactorView {
    pub(crate) required: bool,
    pub(crate) state: State,
}

impl<'a> UserView<'a> {
    /// The user, with what its tags are called.
    pub(crate) fn of(user: &'a User, catalogue: &'a Catalogue) -> Self {
        Self {
            id: user.id,
            first_name: &user.first_name,
            last_name: &user.last_name,
            email: &user.email,
            mobile: user.mobile.as_ref(),
            phone: user.phone.as_ref(),
            attributes: &user.attributes,
            role: user.role,
            status: user.status,
            source: user.source,
            two_factor: TwoFactorView {
                required: user.two_factor_required,
                state: user.two_factor(),
            },
            tags: catalogue.shown(&user.tags),
            last_login_at: user.last_login_at.map(answer::time),
            created_at: answer::time(user.created_at),
            erased_at: user.erased_at.map(answer::time),
            version: user.version,
        }
    }
}

/// An audit entry about a user, with the names by which people know it.
pub(crate) fn about(user: &User) -> Entry {
    Entry::about("user", &user.id)
        .personal("first_name", user.first_name.as_str())
        .personal("last_name", user.last_name.as_str())
        .personal("email", user.email.as_str())
}

/// The entry of a change: what may be known of it by everybody, and the names and numbers beside.
pub(crate) fn changed(before: &User, after: &User) -> Entry {
    let mut entry = about(after);
    if before.role != after.role {
        entry = entry.changed("role", before.role.name(), after.role.name());
    }
    if before.status != after.status {
        entry = entry.changed("status", before.status.name(), after.status.name());
    }
    let number = |number: &Option<Telephone>| {
        number.as_ref().map_or_else(String::new, |number| number.as_str().to_owned())
    };
    let personal = [
        ("first_name", before.first_name.as_str().to_owned(), after.first_name.as_str().to_owned()),
        ("last_name", before.last_name.as_str().to_owned(), after.last_name.as_str().to_owned()),
        ("mobile", number(&before.mobile), number(&after.mobile)),
        ("phone", number(&before.phone), number(&after.phone)),
    ];
    let attribute = |user: &User, name| {
        user.attributes.get(&name).map_or_else(String::new, |text| text.as_str().to_owned())
    };
    let attributes = UserAttribute::ALL
        .map(|name| (name.name(), attribute(before, name), attribute(after, name)));
    for (field, from, to) in personal.into_iter().chain(attributes) {
        if from != to {
            // That it changed is for everybody; from what to what, for who may be erased.
            entry = entry
                .set(field, "changed")
                .personal(&format!("{field}_before"), from)
                .personal(field, to);
        }
    }
    entry
}
