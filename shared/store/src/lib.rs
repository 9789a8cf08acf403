//! The `DynamoDB` table: keys, items, queries, transactions. Knows the domain, never HTTP.

pub mod audit;
pub mod credentials;
pub mod entity;
pub mod keys;
pub mod outbox;
pub mod sessions;
pub mod table;
pub mod telemetry;
pub mod transaction;

pub use table::{StoreError, Table};
