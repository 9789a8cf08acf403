//! Carries out what a directory says of its users and groups, of whichever kind it is: reads what is
//! there, lets [`belfry_domain::directory::engine`] decide, and writes all of it at once.

mod groups;
mod pull;
mod reading;
mod step;
mod sweep;
mod users;
mod walk;

use crate::keys::SealError;
use crate::post::Post;
use belfry_api::Problem;
use belfry_domain::account::{MOST_USERS, Tenant};
use belfry_domain::directory::engine::Conflict;
use belfry_domain::directory::provider::Provider;
use belfry_domain::email::EmailAddress;
use belfry_domain::scim::ScimError;
use belfry_store::directories::Place;
use belfry_store::throttle::NotNow;
use belfry_store::users::NotWritten;
use belfry_store::{StoreError, Table};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Mutex;

pub use groups::{MOST_MEMBER_CHANGES, Told, tell};
pub use pull::{fault, open_password, present};
pub use reading::read;
pub use sweep::{Swept, Worker};
pub use walk::Ran;

/// How often somebody else may change what is written meanwhile.
const LOOKS: usize = 10;

/// Whoever keeps a tenant's users as one of its directories has them.
pub struct Registrar<'a> {
    /// The table.
    pub table: &'a Table,
    /// Mails.
    pub post: &'a Post,
    /// The tenant.
    pub tenant: &'a Tenant,
    /// The directory.
    pub provider: &'a Provider,
    /// Now.
    pub now: Timestamp,
    /// Whose invitation was counted against what may be sent: once, however often it is tried.
    counted: Mutex<BTreeSet<EmailAddress>>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// What the directory says cannot be.
    #[error(transparent)]
    Scim(#[from] ScimError),
    /// What the directory says must not be.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The tenant is full.
    #[error("the company has {MOST_USERS} users, as many as it may have")]
    Limit,
    /// So many were never invited at once.
    #[error(transparent)]
    NotNow(#[from] NotNow),
    /// Others kept changing the same.
    #[error("it is being changed by others; send it again")]
    Busy,
    /// A part of it is done: whoever sends it again has the next part done.
    #[error("{MOST_MEMBER_CHANGES} members are changed at once; send it again for the others")]
    More,
    /// The table did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A mail could not be written.
    #[error("an invitation could not be written")]
    Mail(Box<Problem>),
    /// The directory's password could not be opened.
    #[error("the directory's password could not be opened")]
    Seal(#[from] SealError),
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Mail(Box::new(problem))
    }
}

impl<'a> Registrar<'a> {
    /// For one request, or one piece of work.
    pub fn new(
        table: &'a Table,
        post: &'a Post,
        (tenant, provider): (&'a Tenant, &'a Provider),
        now: Timestamp,
    ) -> Self {
        Self { table, post, tenant, provider, now, counted: Mutex::default() }
    }

    /// Where what the directory says is kept.
    pub const fn place(&self) -> Place {
        Place { tenant: self.tenant.id, provider: self.provider.id }
    }
}

/// Whether it was written; else somebody else was faster, and one has to look again.
fn faster(done: Result<(), NotWritten>) -> Result<bool, Failed> {
    match done {
        Ok(()) => Ok(true),
        Err(NotWritten::Limit) => Err(Failed::Limit),
        Err(NotWritten::Store(error)) => Err(error.into()),
        Err(_) => Ok(false),
    }
}
