//! `users`, from the gateway's event to the table.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by a panic"
)]

mod listing;
mod privacy;
mod two_factor;
mod users;

use ::users::App;
use belfry_store::Table;
use belfry_testkit::World;
use std::sync::Arc;

fn app(world: &World) -> App {
    app_over(world, world.table())
}

/// The function over this handle to the world's table.
fn app_over(world: &World, table: Table) -> App {
    App {
        authenticator: world.authenticator(table.clone()),
        table,
        post: world.post(),
        imports: Arc::new(world.imports.clone()),
        clock: Arc::new(world.clock.clone()),
        entropy: world.entropy.clone(),
    }
}
