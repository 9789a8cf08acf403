//! Directories that a tenant's users come from: what an administrator chose of each, what each says of
//! its users and groups, and what becomes of the tenant's users by that.
//!
//! One [`engine`] decides for all kinds of directories: SCIM pushes a [`person::Person`], others are
//! asked for theirs.

pub mod compare;
pub mod engine;
pub mod entry;
pub mod ldap;
pub mod person;
pub mod provider;
pub mod sync;
pub mod token;
