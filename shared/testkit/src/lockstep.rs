//! Rivals that make every call at the same moment.

use crate::{Turnstile, Verdict};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Lets the rivals' calls go only when every rival waits with one: all have looked before the first
/// one writes. For tests with `start_paused = true`, whose rivals share `gate`.
pub async fn in_lockstep<T>(gate: &Arc<Turnstile>, rivals: Vec<JoinHandle<T>>) -> Vec<T> {
    while !rivals.iter().all(JoinHandle::is_finished) {
        for held in gate.settle().await {
            gate.release(held.ticket, Verdict::Proceed);
        }
    }
    let mut ends = Vec::with_capacity(rivals.len());
    for rival in rivals {
        ends.push(rival.await.expect("a rival that comes to an end"));
    }
    ends
}
