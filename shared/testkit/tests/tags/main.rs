//! Tags across their functions: what is asked at the console, done in the background, and read by
//! products, against an oracle that knows the description only.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed test says so by a panic"
)]

mod costs;
mod feed;
mod histories;
mod house;
mod oracle;
mod progress;
mod races;
