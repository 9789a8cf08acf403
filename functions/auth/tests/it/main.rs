//! `auth` from the gateway's event to the table: every answer, stored state and record.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by a panic"
)]

mod activation;
mod canary;
mod confirm;
mod costs;
mod enrolment;
mod launch;
mod log_in;
mod log_out;
mod own_two_factor;
mod passwords;
mod profile;
mod recovery;
mod refresh;
mod sessions;
mod steps;
mod switch;
mod throttles;
mod tokens;
mod two_factor;

use auth::App;
use belfry_store::Table;
use belfry_testkit::World;
use serde_json::Value;
use std::sync::Arc;

/// The function over this handle to the world's table.
fn app_over(world: &World, table: Table) -> App {
    App {
        authenticator: world.authenticator(table.clone()),
        table,
        tokens: world.tokens(),
        signer: Arc::new(world.key.clone()),
        clock: Arc::new(world.clock.clone()),
        post: world.post(),
        consoles: belfry_testkit::vendor::consoles(),
        entropy: world.entropy.clone(),
    }
}

fn app(world: &World) -> App {
    app_over(world, world.table())
}

/// The accesses written down under keys that begin so: action, outcome, user.
fn accesses(world: &World, prefix: &str) -> Vec<(String, String, String)> {
    let text = |item: &Value, name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
    world
        .db
        .dump_of(prefix)
        .iter()
        .filter(|item| text(item, "et") == "access")
        .map(|item| (text(item, "action"), text(item, "outcome"), text(item, "user")))
        .collect()
}

/// How many sessions there are.
fn sessions(world: &World) -> usize {
    world.db.dump().iter().filter(|item| item["et"]["S"] == "session").count()
}
