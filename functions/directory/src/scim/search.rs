//! `POST /scim/v2/.search`: users and groups at once (RFC 7644, section 3.4.3), users first.

use super::client::Client;
use super::reply::{Reply, Wanted, base, body, reply};
use super::{groups, users};
use crate::App;
use belfry_api::{Body, Request, Response};
use belfry_domain::scim::answer::list_response;
use belfry_domain::scim::schema::ResourceKind;
use serde_json::Value;

pub(super) async fn search(app: &App, request: &Request) -> Response<Body> {
    let done = async {
        let client = Client::of(app, request).await?;
        let body = body(request)?;
        let [of_users, of_groups] = ResourceKind::ALL.map(|kind| Wanted::of_search(kind, &body));
        let (of_users, of_groups) = (of_users?, of_groups?);
        let (base, place) = (base(request), client.registrar(app).place());
        let wanted = &of_users;
        let lister = users::Lister { app, place, wanted, base: &base };
        let users = lister.matching().await?;
        let wanted = &of_groups;
        let lister = groups::Lister { app, place, wanted, base: &base };
        let groups = lister.matching().await?;
        let page = of_users.page;
        let total = users.len() + groups.len();
        let all = users.iter().map(|user| of_users.projection.apply(ResourceKind::User, user));
        let all = all.chain(
            groups.iter().map(|group| of_groups.projection.apply(ResourceKind::Group, group)),
        );
        let found: Vec<Value> = all
            .skip(page.start_index.saturating_sub(1))
            .take(page.count)
            .map(Value::Object)
            .collect();
        Ok(Reply::ok(list_response(total, page.start_index, found)))
    };
    reply(done.await)
}
