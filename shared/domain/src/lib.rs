//! The rules of Belfry: values that are valid by construction, and pure functions over them.
//!
//! Nothing here knows AWS, HTTP or an async runtime, reads a clock or draws a random number: time
//! and chance arrive as arguments (see [`ports`]).

pub mod dashboard;
pub mod failure;
pub mod id;
pub mod ports;
pub mod product;
pub mod telemetry;
