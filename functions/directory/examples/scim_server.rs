//! The SCIM server over a table in memory, behind a local port: for judges and other clients of the
//! protocol. Prints the URL and a token; `cargo run -p directory --example scim_server -- 8080`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for tests")]

use belfry_domain::account::Role;
use belfry_testkit::{World, ask, bridge, public_network};
use serde_json::json;
use std::sync::Arc;
use tokio::net::TcpListener;

const ROUTES: &[&str] = &[
    "GET /scim/v2/ServiceProviderConfig",
    "GET /scim/v2/ResourceTypes",
    "GET /scim/v2/ResourceTypes/{id}",
    "GET /scim/v2/Schemas",
    "GET /scim/v2/Schemas/{id}",
    "GET /scim/v2/Users",
    "POST /scim/v2/Users",
    "GET /scim/v2/Users/{id}",
    "PUT /scim/v2/Users/{id}",
    "PATCH /scim/v2/Users/{id}",
    "DELETE /scim/v2/Users/{id}",
    "GET /scim/v2/Groups",
    "POST /scim/v2/Groups",
    "GET /scim/v2/Groups/{id}",
    "PUT /scim/v2/Groups/{id}",
    "PATCH /scim/v2/Groups/{id}",
    "DELETE /scim/v2/Groups/{id}",
    "POST /scim/v2/.search",
    "GET /scim/v2/{id}",
    "POST /scim/v2/ServiceProviderConfig",
    "POST /scim/v2/ResourceTypes",
    "POST /scim/v2/Schemas",
    "PUT /scim/v2/ServiceProviderConfig",
    "PUT /scim/v2/ResourceTypes",
    "PUT /scim/v2/Schemas",
    "PATCH /scim/v2/ServiceProviderConfig",
    "PATCH /scim/v2/ResourceTypes",
    "PATCH /scim/v2/Schemas",
    "DELETE /scim/v2/ServiceProviderConfig",
    "DELETE /scim/v2/ResourceTypes",
    "DELETE /scim/v2/Schemas",
];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let port = std::env::args().nth(1).map_or(0, |text| text.parse().unwrap());
    let world = World::new();
    let tenant = world.tenant("Globex").await;
    let member = world.member(tenant, "ann@globex.example", Role::Admin).await;
    let access = world.token(&member).await;
    let app = Arc::new(directory::App {
        table: world.table(),
        authenticator: world.authenticator(world.table()),
        post: world.post(),
        ldap: Arc::new(world.directory.clone()),
        outbound: public_network(),
        bell: Arc::new(world.syncs.clone()),
        clock: Arc::new(world.clock.clone()),
        entropy: world.entropy.clone(),
    });
    let body = json!({"name": "Judge", "type": "scim"});
    let made = ask("POST /identity-providers").bearer(access).json(body).of(app.as_ref()).await;
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    println!("http://{}/scim/v2 {}", listener.local_addr().unwrap(), made.at("/token"));
    bridge::serve(listener, ROUTES, app).await.unwrap();
}
