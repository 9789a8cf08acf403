//! `tenant` from the gateway's event to the table: every answer, stored state and record.

mod credentials;
mod jwks;

use belfry_domain::account::Role;
use belfry_domain::id::TenantId;
use belfry_testkit::World;
use std::sync::Arc;
use tenant::App;

fn app(world: &World) -> App {
    App {
        authenticator: world.authenticator(world.table()),
        table: world.table(),
        key: world.key.public_key(),
        clock: Arc::new(world.clock.clone()),
        entropy: world.entropy.clone(),
    }
}

/// A tenant, and the token of a member with this role.
async fn member(world: &World, company: &str, role: Role) -> (TenantId, String) {
    let tenant = world.tenant(company).await;
    let email = format!("{}@{}.example", role.name(), company.to_lowercase());
    let member = world.member(tenant, &email, role).await;
    (tenant, world.token(&member).await)
}
