//! The SCIM 2.0 server of each identity provider (RFC 7644). Every answer of its routes is a SCIM one,
//! errors too.

mod client;
mod discovery;
mod groups;
mod reply;
mod search;
mod users;

pub(crate) use discovery::{
    config, read_only, resource_type, resource_types, schema, schemas, unknown,
};
pub(crate) use groups::{
    create_group, delete_group, list_groups, patch_group, read_group, replace_group,
};
pub(crate) use search::search;
pub(crate) use users::{create_user, delete_user, list_users, patch_user, read_user, replace_user};
