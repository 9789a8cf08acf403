//! The `DynamoDB` table: keys, items, queries, transactions. Knows the domain, never HTTP.

pub mod accounts;
pub mod audit;
pub mod credentials;
pub mod endpoints;
pub mod entity;
pub mod erasure;
pub mod idempotency;
pub mod imports;
pub mod keys;
pub mod outbox;
pub mod sessions;
pub mod table;
pub mod telemetry;
pub mod tenants;
pub mod throttle;
pub mod transaction;
pub mod users;

pub use table::{StoreError, Table};
