//! Queues that remember what they were given, and refuse when told.

use belfry_runtime::queue::{Doorbell, FifoMessage, FifoQueue, QueueUnavailable};
use futures::future::BoxFuture;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};

/// What a queue does wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Takes nothing and says so.
    Refuse,
    /// Takes only so many messages of the call, and reports a failure.
    TakeOnly(usize),
    /// Takes all, and the answer is lost.
    LoseAnswer,
}

#[derive(Debug, Default)]
struct Fifo {
    sent: Vec<FifoMessage>,
    faults: VecDeque<Fault>,
}

/// A FIFO queue in memory. Clones are the same queue.
#[derive(Debug, Clone, Default)]
pub struct MemoryQueue(Arc<Mutex<Fifo>>);

impl MemoryQueue {
    /// An empty queue without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault; each one spoils one call, in their order.
    pub fn fail_next(&self, fault: Fault) {
        self.0.lock().unwrap().faults.push_back(fault);
    }

    /// Every message it took, repeats too, in the order of arrival.
    pub fn taken(&self) -> Vec<FifoMessage> {
        self.0.lock().unwrap().sent.clone()
    }

    /// What a consumer gets: of each group and deduplication id, the first message.
    pub fn delivered(&self) -> Vec<FifoMessage> {
        let mut seen = HashSet::new();
        let mut messages = self.taken();
        messages.retain(|m| seen.insert((m.group.clone(), m.deduplication.clone())));
        messages
    }

    /// As [`Self::delivered`], and forgets them.
    pub fn drain(&self) -> Vec<FifoMessage> {
        let messages = self.delivered();
        self.0.lock().unwrap().sent.clear();
        messages
    }
}

impl FifoQueue for MemoryQueue {
    fn send<'a>(
        &'a self,
        messages: &'a [FifoMessage],
    ) -> BoxFuture<'a, Result<(), QueueUnavailable>> {
        Box::pin(async move {
            let mut queue = self.0.lock().unwrap();
            let fault = queue.faults.pop_front();
            let taken = match fault {
                Some(Fault::Refuse) => 0,
                Some(Fault::TakeOnly(count)) => count.min(messages.len()),
                Some(Fault::LoseAnswer) | None => messages.len(),
            };
            queue.sent.extend_from_slice(&messages[..taken]);
            match fault {
                None => Ok(()),
                Some(fault) => Err(QueueUnavailable::new(format!("a test asked for {fault:?}"))),
            }
        })
    }
}

/// A doorbell that counts its rings. Clones are the same bell.
#[derive(Debug, Clone, Default)]
pub struct MemoryDoorbell(Arc<Mutex<(Vec<String>, usize)>>);

impl MemoryDoorbell {
    /// A bell that works.
    pub fn new() -> Self {
        Self::default()
    }

    /// Loses the next rings and says so.
    pub fn fail_next(&self, rings: usize) {
        self.0.lock().unwrap().1 = rings;
    }

    /// Takes the rings heard so far.
    pub fn drain(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().0)
    }
}

impl Doorbell for MemoryDoorbell {
    fn ring<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<(), QueueUnavailable>> {
        Box::pin(async move {
            let (rings, failures) = &mut *self.0.lock().unwrap();
            if *failures > 0 {
                *failures -= 1;
                return Err(QueueUnavailable::new("a test asked for it"));
            }
            rings.push(text.to_owned());
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(deduplication: &str) -> FifoMessage {
        FifoMessage {
            group: "g".to_owned(),
            deduplication: deduplication.to_owned(),
            body: "b".to_owned(),
        }
    }

    #[tokio::test]
    async fn faults_spoil_one_call_each_and_repeats_are_delivered_once() {
        let queue = MemoryQueue::new();
        let batch = [message("1"), message("2")];
        for fault in [Fault::Refuse, Fault::TakeOnly(1), Fault::LoseAnswer] {
            queue.fail_next(fault);
        }
        let mut taken = Vec::new();
        for _ in 0..3 {
            queue.send(&batch).await.unwrap_err();
            taken.push(queue.taken().len());
        }
        queue.send(&batch).await.unwrap();
        assert_eq!(taken, [0, 1, 3]);
        assert_eq!(queue.taken().len(), 5);
        assert_eq!(queue.drain(), batch);
        assert!(queue.taken().is_empty());
    }

    #[tokio::test]
    async fn a_bell_loses_the_rings_it_was_told_to_lose() {
        let bell = MemoryDoorbell::new();
        bell.fail_next(1);
        bell.ring("lost").await.unwrap_err();
        bell.ring("heard").await.unwrap();
        assert_eq!(bell.drain(), ["heard"]);
        assert!(bell.drain().is_empty());
    }
}
