//! `tenant` from the gateway's event to the table: every answer, stored state and record.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed test says so by a panic"
)]

mod audit;
mod credentials;
mod jwks;
mod settings;
mod support;
mod verification;

use belfry_domain::account::{IdleLimit, Role};
use belfry_domain::id::TenantId;
use belfry_domain::policy::{Action, Actor, Grant, Origin};
use belfry_store::{Table, keys};
use belfry_testkit::{Ask, Member, World, ask, vendor};
use std::sync::Arc;
use tenant::{App, Support};

/// Where tickets go.
const SUPPORT: &str = "help@vendor.example";

/// The function over this handle to the world's table.
fn app_over(world: &World, table: Table) -> App {
    App {
        authenticator: world.authenticator(table.clone()),
        table,
        key: world.key.public_key(),
        support: Support::new(SUPPORT).unwrap(),
        launchable: vendor::consoles().into_keys().collect(),
        bell: Arc::new(world.bell.clone()),
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

/// What lets this member do something, as the request of a session gives it.
async fn grant(world: &World, member: &Member, action: Action) -> Grant {
    let (session, _) = world.session(member).await;
    let person = world.get(&keys::identity(member.identity)).await.unwrap();
    let user = world.get(&keys::user(member.tenant, member.user)).await.unwrap();
    let origin = Origin {
        request_id: "a request".to_owned(),
        source_address: Some("203.0.113.50".to_owned()),
    };
    let (idle, now) = (IdleLimit::default(), world.now());
    let actor = Actor::of(&session, &person, &user, idle, now, origin).unwrap();
    actor.may(action).unwrap()
}

/// What every role is answered, the one without a console too.
async fn statuses(world: &World, as_somebody: impl Fn(Ask) -> Ask, route: &str) -> [u16; 5] {
    let tenant = world.tenant("Roles").await;
    let mut statuses = [0; 5];
    for (role, status) in Role::ALL.into_iter().zip(&mut statuses) {
        let email = format!("{}@roles.example", role.name());
        let member = world.member(tenant, &email, role).await;
        let token = world.token(&member).await;
        *status = as_somebody(ask(route).bearer(token)).of(&app(world)).await.status;
    }
    let nobody = as_somebody(ask(route)).of(&app(world)).await;
    assert_eq!(nobody.verdict(), (401, "unauthenticated"), "{route}");
    statuses
}
