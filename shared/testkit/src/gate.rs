//! Gates decide what becomes of each call: it goes on, fails, or waits.

use crate::transport::Call;
use futures::future::BoxFuture;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// What becomes of a call at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Goes on.
    Proceed,
    /// The connection breaks: before the call nothing was done, after it the caller does not
    /// know that it was. The clients here never retry by themselves.
    Fail,
    /// The table answers that it is throttling. After the call the same as [`Self::Fail`].
    Throttle,
    /// A transaction is cancelled because another one is at its items. Only for
    /// `TransactWriteItems`; after the call the same as [`Self::Fail`].
    Conflict,
    /// Of a `BatchWriteItem` or `BatchGetItem` only so many entries are done; the others come
    /// back as unprocessed. Every other call goes on.
    Partly(usize),
    /// Never answered: the caller waits until it is dropped.
    Hang,
}

/// Before the table does what is asked, or after it did and before the caller hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Not yet done.
    Before,
    /// Done, not yet answered.
    After,
}

/// Decides about calls.
pub trait Gate: Send + Sync {
    /// Asked before a call; may wait as long as it likes.
    fn before<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Verdict>;

    /// Asked when the table has done it; may wait as long as it likes.
    fn after<'a>(&'a self, _call: &'a Call) -> BoxFuture<'a, Verdict> {
        Box::pin(async { Verdict::Proceed })
    }
}

/// A function is a gate before each call.
impl<F: Fn(&Call) -> Verdict + Send + Sync> Gate for F {
    fn before<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Verdict> {
        let verdict = self(call);
        Box::pin(async move { verdict })
    }
}

/// Everything goes on.
#[derive(Debug, Clone, Copy)]
pub struct Open;

impl Gate for Open {
    fn before<'a>(&'a self, _call: &'a Call) -> BoxFuture<'a, Verdict> {
        Box::pin(async { Verdict::Proceed })
    }
}

/// The process dies at its nth call (from 0): that call fails, before or after it was done, and
/// so does every later one.
#[derive(Debug)]
pub struct Crash {
    at: usize,
    moment: Moment,
    calls: AtomicUsize,
    dead: AtomicBool,
}

impl Crash {
    /// Dies at call `at`, at that moment.
    pub fn new(at: usize, moment: Moment) -> Self {
        Self { at, moment, calls: AtomicUsize::new(0), dead: AtomicBool::new(false) }
    }

    /// Whether that call came. When a loop over all calls ends, this tells.
    pub fn happened(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    fn verdict(&self, dies: bool) -> Verdict {
        if dies {
            self.dead.store(true, Ordering::SeqCst);
        }
        if self.happened() { Verdict::Fail } else { Verdict::Proceed }
    }
}

impl Gate for Crash {
    fn before<'a>(&'a self, _call: &'a Call) -> BoxFuture<'a, Verdict> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let verdict = self.verdict(self.moment == Moment::Before && number >= self.at);
        Box::pin(async move { verdict })
    }

    fn after<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Verdict> {
        let verdict = self.verdict(self.moment == Moment::After && call.number >= self.at);
        Box::pin(async move { verdict })
    }
}

/// A call that waits at a [`Turnstile`].
#[derive(Debug, Clone)]
pub struct Held {
    /// Names it in [`Turnstile::release`].
    pub ticket: usize,
    /// Where it waits.
    pub moment: Moment,
    /// The call.
    pub call: Call,
}

#[derive(Debug, Default)]
struct Waiting {
    open: bool,
    tickets: usize,
    held: Vec<(Held, oneshot::Sender<Verdict>)>,
}

/// Holds every call until the test lets it go: rival writers in any order a test likes.
///
/// Give the same turnstile to several transports, spawn the rivals as tasks in a test with
/// `#[tokio::test(start_paused = true)]`, and alternate [`Self::settle`] and [`Self::release`].
#[derive(Debug, Default)]
pub struct Turnstile {
    waiting: Mutex<Waiting>,
    also_after: bool,
}

impl Turnstile {
    /// Holds calls before they are done.
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds calls before they are done and once more before they are answered.
    pub fn both_sides() -> Self {
        Self { also_after: true, ..Self::default() }
    }

    /// The calls that wait, in the order of their arrival, once no task can move by itself.
    /// Paused time goes on only when every task waits, so this needs no real time and is exact.
    pub async fn settle(&self) -> Vec<Held> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.waiting.lock().unwrap().held.iter().map(|(held, _)| held.clone()).collect()
    }

    /// Lets a call go with a verdict; one that is no longer waiting is ignored.
    pub fn release(&self, ticket: usize, verdict: Verdict) {
        let mut waiting = self.waiting.lock().unwrap();
        if let Some(at) = waiting.held.iter().position(|(held, _)| held.ticket == ticket) {
            // The caller may have been aborted meanwhile.
            let _ = waiting.held.remove(at).1.send(verdict);
        }
    }

    /// Lets everything go on from now on, in the order of arrival.
    pub fn open(&self) {
        let mut waiting = self.waiting.lock().unwrap();
        waiting.open = true;
        for (_, caller) in waiting.held.drain(..) {
            let _ = caller.send(Verdict::Proceed);
        }
    }

    fn hold<'a>(&'a self, call: &'a Call, moment: Moment) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let (sender, receiver) = oneshot::channel();
            let ticket = {
                let mut waiting = self.waiting.lock().unwrap();
                if waiting.open {
                    return Verdict::Proceed;
                }
                let ticket = waiting.tickets;
                waiting.tickets += 1;
                waiting.held.push((Held { ticket, moment, call: call.clone() }, sender));
                ticket
            };
            let _gone = Forget { turnstile: self, ticket };
            receiver.await.unwrap_or(Verdict::Hang)
        })
    }
}

/// Takes the call of an aborted caller out of the turnstile.
struct Forget<'a> {
    turnstile: &'a Turnstile,
    ticket: usize,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        let mut waiting = self.turnstile.waiting.lock().unwrap();
        waiting.held.retain(|(held, _)| held.ticket != self.ticket);
    }
}

impl Gate for Turnstile {
    fn before<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Verdict> {
        self.hold(call, Moment::Before)
    }

    fn after<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Verdict> {
        if self.also_after {
            self.hold(call, Moment::After)
        } else {
            Box::pin(async { Verdict::Proceed })
        }
    }
}
