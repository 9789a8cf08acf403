//! The SCIM 2.0 server of each identity provider (RFC 7644). Every answer of its routes is a SCIM one,
//! errors too.

mod client;
mod discovery;
mod groups;
mod reply;
mod search;
mod users;

use crate::App;
use belfry_api::{Body, Request, Response};
use belfry_domain::scim::ScimError;
use reply::reply;

/// Answers a route of the server, and counts how often it met others at the same items.
pub(crate) async fn answer(app: &App, route: &str, request: &Request) -> Response<Body> {
    let before = app.table.meter().rivals();
    let response = answered(app, route, request).await;
    let conflicts = app.table.meter().rivals().saturating_sub(before);
    if conflicts > 0 {
        tracing::info!(conflicts, status = response.status().as_u16(), "transactions met others");
    }
    response
}

async fn answered(app: &App, route: &str, request: &Request) -> Response<Body> {
    match route {
        "GET /scim/v2/ServiceProviderConfig" => discovery::config(app, request).await,
        "GET /scim/v2/ResourceTypes" => discovery::resource_types(app, request).await,
        "GET /scim/v2/ResourceTypes/{id}" => discovery::resource_type(app, request).await,
        "GET /scim/v2/Schemas" => discovery::schemas(app, request).await,
        "GET /scim/v2/Schemas/{id}" => discovery::schema(app, request).await,
        "POST /scim/v2/ServiceProviderConfig"
        | "PUT /scim/v2/ServiceProviderConfig"
        | "PATCH /scim/v2/ServiceProviderConfig"
        | "DELETE /scim/v2/ServiceProviderConfig"
        | "POST /scim/v2/ResourceTypes"
        | "PUT /scim/v2/ResourceTypes"
        | "PATCH /scim/v2/ResourceTypes"
        | "DELETE /scim/v2/ResourceTypes"
        | "POST /scim/v2/Schemas"
        | "PUT /scim/v2/Schemas"
        | "PATCH /scim/v2/Schemas"
        | "DELETE /scim/v2/Schemas" => discovery::read_only(app, request).await,
        "POST /scim/v2/.search" => search::search(app, request).await,
        "GET /scim/v2/Users" => users::list_users(app, request).await,
        "POST /scim/v2/Users" => users::create_user(app, request).await,
        "GET /scim/v2/Users/{id}" => users::read_user(app, request).await,
        "PUT /scim/v2/Users/{id}" => users::replace_user(app, request).await,
        "PATCH /scim/v2/Users/{id}" => users::patch_user(app, request).await,
        "DELETE /scim/v2/Users/{id}" => users::delete_user(app, request).await,
        "GET /scim/v2/Groups" => groups::list_groups(app, request).await,
        "POST /scim/v2/Groups" => groups::create_group(app, request).await,
        "GET /scim/v2/Groups/{id}" => groups::read_group(app, request).await,
        "PUT /scim/v2/Groups/{id}" => groups::replace_group(app, request).await,
        "PATCH /scim/v2/Groups/{id}" => groups::patch_group(app, request).await,
        "DELETE /scim/v2/Groups/{id}" => groups::delete_group(app, request).await,
        "GET /scim/v2/{id}" => discovery::unknown(app, request).await,
        _ => reply(Err(ScimError::of_status(404, "there is no such endpoint").into())),
    }
}
