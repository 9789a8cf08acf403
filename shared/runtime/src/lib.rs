//! Start-up and the outside world: configuration, AWS clients, logs, metrics, and the adapters
//! behind which functions use queues, keys and mail without naming an SDK.

pub mod authenticate;
pub mod aws;
pub mod captcha;
pub mod directory;
pub mod env;
pub mod events;
pub mod http;
pub mod invite;
pub mod keys;
pub mod ldap;
pub mod leaving;
pub mod log;
pub mod mail;
pub mod members;
pub mod metrics;
pub mod outbound;
pub mod post;
pub mod queue;
pub mod reset;
pub mod siem;
pub mod siem_ring;
pub mod system;
pub mod vendor;

pub use lambda_http::lambda_runtime::Error;
