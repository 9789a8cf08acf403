//! Whole-system tests against the deployed stack of `.local/stack.json`: nothing here knows more
//! than a client, a point product or an operator does.
//!
//! Every test makes a tenant of its own through the back office, so all may run beside each other
//! and beside the demo. A state that comes by itself is polled for until a deadline.

#[cfg(test)]
mod actor;
#[cfg(test)]
mod aws;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod dashboard;
#[cfg(test)]
mod dead_letters;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod endpoints;
#[cfg(test)]
mod event;
#[cfg(test)]
mod everywhere;
#[cfg(test)]
mod licenses;
#[cfg(test)]
mod log_in;
#[cfg(test)]
mod onboarding;
#[cfg(test)]
mod second_factor;
#[cfg(test)]
mod siem;
#[cfg(test)]
mod sign_up;
#[cfg(test)]
mod siteverify;
#[cfg(test)]
mod stack;
#[cfg(test)]
mod tags;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod tenant;
#[cfg(test)]
mod users;
