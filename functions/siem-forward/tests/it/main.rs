//! From the numbered logs to a receiver, on the embedded table.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test says so by a panic"
)]

mod accesses;
mod crashes;
mod delivery;
mod faults;
mod histories;
mod states;
mod sweeps;
#[path = "../world/mod.rs"]
mod world;
