//! How audit records tell of users.

use crate::account::User;
use crate::attribute::UserAttribute;
use crate::audit::Entry;
use crate::text::Telephone;

/// An audit entry about a user, with the names by which people know it.
pub fn about(user: &User) -> Entry {
    Entry::about("user", &user.id)
        .personal("first_name", user.first_name.as_str())
        .personal("last_name", user.last_name.as_str())
        .personal("email", user.email.as_str())
}

/// The entry of a change: what may be known of it by everybody, and the names and numbers beside.
pub fn changed(before: &User, after: &User) -> Entry {
    let mut entry = about(after);
    if before.role != after.role {
        entry = entry.changed("role", before.role.name(), after.role.name());
    }
    if before.role_pinned != after.role_pinned {
        entry = entry.changed("role_pinned", before.role_pinned, after.role_pinned);
    }
    if before.source != after.source {
        entry = entry.changed("source", before.source.name(), after.source.name());
    }
    if before.groups != after.groups {
        let names = |user: &User| -> Vec<String> {
            user.groups.iter().map(|name| name.as_str().to_owned()).collect()
        };
        entry = entry.changed("groups", names(before), names(after));
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

/// The entry of a user who is new.
pub fn added(user: &User) -> Entry {
    about(user)
        .set("role", user.role.name())
        .set("status", user.status.name())
        .set("source", user.source.name())
        .set("two_factor_required", user.two_factor_required)
}
