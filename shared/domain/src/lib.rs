//! The rules of Belfry: values that are valid by construction, and pure functions over them.
//!
//! Nothing here knows AWS, HTTP or an async runtime, reads a clock or draws a random number: time
//! and chance arrive as arguments (see [`ports`]).

pub mod account;
pub mod application;
pub mod attribute;
pub mod audit;
pub mod business_email;
pub mod captcha;
pub mod challenge;
pub mod credential;
pub mod dashboard;
pub mod directory;
pub mod email;
pub mod failure;
pub mod id;
pub mod import;
pub mod language;
pub mod license;
pub mod mail;
pub mod outbound;
pub mod outbox;
pub mod password;
pub mod places;
pub mod policy;
pub mod ports;
pub mod product;
pub mod recovery;
pub mod second_factor;
pub mod secret;
pub mod session;
pub mod siem;
pub mod sign_up;
pub mod tag;
pub mod telemetry;
pub mod text;
pub mod throttle;
pub mod ticket;
pub mod user_csv;
pub mod users;
