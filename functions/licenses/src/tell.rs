//! The mail to a tenant's registered address about what happened to a licence.

use belfry_domain::account::Tenant;
use belfry_domain::id::OutboxId;
use belfry_domain::license::{License, LicenseChange};
use belfry_domain::mail::Letter;
use belfry_domain::ports::Entropy;
use belfry_runtime::post;
use belfry_store::StoreError;
use belfry_store::table::Item;
use jiff::Timestamp;

pub(crate) fn changed(
    tenant: &Tenant,
    license: &License,
    change: LicenseChange,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<(OutboxId, Item), StoreError> {
    let (company, license) = (tenant.company.clone(), Box::new(license.into()));
    let letter = Letter::LicenseChanged { company, change, license };
    post::notice(&tenant.registered_email, tenant.language, letter, now, entropy)
}
