//! The second factor of others, from the gateway's event to the table.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by a panic"
)]

mod two_factor;

use belfry_testkit::World;
use std::sync::Arc;
use users::App;

fn app(world: &World) -> App {
    App {
        authenticator: world.authenticator(world.table()),
        table: world.table(),
        post: world.post(),
        clock: Arc::new(world.clock.clone()),
        entropy: world.entropy.clone(),
    }
}
