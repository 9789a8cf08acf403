//! The `DynamoDB` table: keys, items, queries, transactions. Knows the domain, never HTTP.

pub mod accounts;
pub mod applications;
pub mod audit;
pub mod captcha;
pub mod changes;
pub mod credentials;
pub mod directories;
mod due;
pub mod endpoints;
pub mod entity;
pub mod erasure;
pub mod event_log;
pub mod idempotency;
pub mod imports;
pub mod keys;
pub mod licenses;
pub mod listing;
pub mod outbox;
pub mod product_keys;
pub mod providers;
pub mod recoveries;
pub mod sessions;
pub mod siem;
pub mod sign_ups;
pub mod table;
pub mod tagging;
pub mod tags;
pub mod telemetry;
pub mod tenants;
pub mod throttle;
pub mod transaction;
pub mod users;

pub use table::{StoreError, Table};
