//! Export of the numbered logs to a customer's SIEM, so that the customer can prove that nothing is
//! missing.
//!
//! A [`record`] is one numbered entry of a log; [`format`](mod@format) writes it in the languages of SIEMs;
//! [`samples`] has one of every type. A [`destination`] is where they go, and its [`progress`] adds up at
//! every moment.

pub mod destination;
pub mod format;
pub mod progress;
pub mod pull;
pub mod record;
pub mod samples;
