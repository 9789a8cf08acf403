//! `licenses` from the gateway's event to the table: every answer, stored state and record.
#![expect(clippy::unwrap_used, reason = "a failed test says so by a panic")]

mod activation;
mod adding;
mod costs;
mod reading;

use belfry_domain::account::Role;
use belfry_domain::id::TenantId;
use belfry_domain::license::{License, Terms};
use belfry_domain::product::Product;
use belfry_runtime::vendor::Ed25519;
use belfry_store::Table;
use belfry_testkit::{Answer, Ask, Vendor, World, ask};
use licenses::App;
use serde_json::{Value, json};
use std::sync::Arc;

/// A tenant with a trial of EPP, and somebody in it.
struct Office {
    world: World,
    vendor: Vendor,
    tenant: TenantId,
    token: String,
}

impl Office {
    async fn new(role: Role) -> Self {
        let office = Self::empty(role).await;
        office.trial(office.tenant, Product::Epp).await;
        office
    }

    async fn empty(role: Role) -> Self {
        let world = World::new();
        let tenant = world.tenant("Globex").await;
        let member = world.member(tenant, "ann@globex.example", role).await;
        let token = world.token(&member).await;
        Self { world, vendor: Vendor::new(), tenant, token }
    }

    async fn trial(&self, tenant: TenantId, product: Product) -> License {
        let terms = Terms::trial(product, "Standard".parse().unwrap());
        let trial = License::new(terms, self.world.now(), self.world.entropy.as_ref());
        self.world.keep_license(tenant, &trial).await;
        trial
    }

    fn app_over(&self, table: Table) -> App {
        App {
            authenticator: self.world.authenticator(table.clone()),
            table,
            bell: Arc::new(self.world.bell.clone()),
            pinned: vec![Vendor::new().key(), self.vendor.key()],
            signatures: Arc::new(Ed25519),
            trial_edition: "Standard".parse().unwrap(),
            clock: Arc::new(self.world.clock.clone()),
            entropy: self.world.entropy.clone(),
        }
    }

    fn app(&self) -> App {
        self.app_over(self.world.table())
    }

    fn ask(&self, route: &str, product: &str) -> Ask {
        ask(route).path("product", product).bearer(&self.token)
    }

    async fn send(&self, route: &str, product: &str, body: Value) -> Answer {
        self.ask(route, product).json(body).of(&self.app()).await
    }

    async fn license(&self, product: Product) -> License {
        self.world.table().license(self.tenant, product).await.unwrap().unwrap()
    }

    /// The tenant's records, each whole.
    async fn trail(&self) -> Vec<Value> {
        let (records, _) = self.world.table().audit_trail(self.tenant, 0, 100).await.unwrap();
        records.iter().map(|record| serde_json::from_str(&record.text).unwrap()).collect()
    }
}

fn key(code: &str) -> Value {
    json!({"activation_key": code})
}
