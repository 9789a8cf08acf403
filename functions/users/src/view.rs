//! A user as clients see it.

use belfry_api::answer;
use belfry_domain::account::{Role, Source, Status, User};
use belfry_domain::attribute::UserAttributes;
use belfry_domain::email::EmailAddress;
use belfry_domain::id::UserId;
use belfry_domain::second_factor::State;
use belfry_domain::tag::catalogue::{Catalogue, Shown};
use belfry_domain::text::{GroupName, PersonName, Telephone};
use serde::Serialize;
use std::collections::BTreeSet;

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
    /// What its directory has it in.
    groups: &'a BTreeSet<GroupName>,
    role_pinned: bool,
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
            groups: &user.groups,
            role_pinned: user.role_pinned,
            tags: catalogue.shown(&user.tags),
            last_login_at: user.last_login_at.map(answer::time),
            created_at: answer::time(user.created_at),
            erased_at: user.erased_at.map(answer::time),
            version: user.version,
        }
    }
}
