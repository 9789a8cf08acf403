//! `tenant` from the gateway's event to the table: every answer, stored state and record.
#![expect(clippy::unwrap_used, reason = "a failed test says so by a panic")]

mod credentials;
mod jwks;

use belfry_domain::account::Role;
use belfry_domain::id::TenantId;
use belfry_store::Table;
use belfry_testkit::World;
use std::sync::Arc;
use tenant::App;

/// The function over this handle to the world's table.
fn app_over(world: &World, table: Table) -> App {
    App {
        authenticator: world.authenticator(table.clone()),
        table,
        key: world.key.public_key(),
        clock: Arc::new(world.clock.clone()),
        entropy: world.entropy.clone(),
    }
}

fn app(world: &World) -> App {
    app_over(world, world.table())
}

/// A tenant, and the token of a member with this role.
async fn member(world: &World, company: &str, role: Role) -> (TenantId, String) {
    let tenant = world.tenant(company).await;
    let email = format!("{}@{}.example", role.name(), company.to_lowercase());
    let member = world.member(tenant, &email, role).await;
    (tenant, world.token(&member).await)
}
