//! The `DynamoDB` table: keys, items, queries, transactions. Knows the domain, never HTTP.

pub mod keys;
pub mod table;
pub mod telemetry;

pub use table::{StoreError, Table};
