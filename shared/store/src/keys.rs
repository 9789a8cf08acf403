//! Every key of the table is built here, from typed values: tenant first, numbers zero-padded.
//! `infra/table.md` lists the access patterns.

use belfry_domain::id::{CredentialId, TenantId};
use belfry_domain::product::Product;

/// Name of the partition key attribute.
pub const PK: &str = "pk";
/// Name of the sort key attribute.
pub const SK: &str = "sk";
/// Name of the sparse index.
pub const GSI1: &str = "gsi1";
/// Time to live, Unix seconds.
pub const EXPIRES_AT: &str = "expires_at";

/// Primary key of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }
}

/// The tenant's own partition: tenant, users, licences, settings.
pub fn tenant_partition(tenant: TenantId) -> String {
    format!("T#{tenant}")
}

/// The tenant item.
pub fn tenant(tenant: TenantId) -> Key {
    Key::new(tenant_partition(tenant), "TENANT")
}

/// A licence.
pub fn license(tenant: TenantId, product: Product) -> Key {
    Key::new(tenant_partition(tenant), format!("LICENSE#{product}"))
}

/// A product credential, found by its public half.
pub fn credential(id: CredentialId) -> Key {
    Key::new(format!("C#{id}"), "CREDENTIAL")
}
