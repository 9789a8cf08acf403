//! A mail service that remembers, and refuses when told.

use belfry_domain::email::EmailAddress;
use belfry_domain::mail::Rendered;
use belfry_runtime::mail::{MailError, Mailer};
use futures::future::BoxFuture;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

/// What the service does wrong with one mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailFault {
    /// Refuses it for ever.
    Refuse,
    /// Does not take it now.
    Unavailable,
    /// Takes it, and the answer is lost.
    LoseAnswer,
}

/// A mail that was taken.
#[derive(Clone, PartialEq, Eq)]
pub struct Sent {
    /// To whom.
    pub to: String,
    /// What.
    pub mail: Rendered,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.to, self.mail.subject)
    }
}

#[derive(Default)]
struct Service {
    sent: Vec<Sent>,
    faults: VecDeque<MailFault>,
}

/// A mail service in memory. Clones are the same service.
#[derive(Clone, Default)]
pub struct MemoryMailer(Arc<Mutex<Service>>);

impl MemoryMailer {
    /// A service without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault; each one spoils one mail, in their order.
    pub fn fail_next(&self, fault: MailFault) {
        self.0.lock().unwrap().faults.push_back(fault);
    }

    /// What it took so far.
    pub fn sent(&self) -> Vec<Sent> {
        self.0.lock().unwrap().sent.clone()
    }
}

impl Mailer for MemoryMailer {
    fn send<'a>(
        &'a self,
        to: &'a EmailAddress,
        mail: &'a Rendered,
    ) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            let mut service = self.0.lock().unwrap();
            let fault = service.faults.pop_front();
            if matches!(fault, None | Some(MailFault::LoseAnswer)) {
                service.sent.push(Sent { to: to.as_str().to_owned(), mail: mail.clone() });
            }
            match fault {
                None => Ok(()),
                Some(MailFault::Refuse) => Err(MailError::Refused("MessageRejected".to_owned())),
                Some(fault) => Err(MailError::Unavailable(format!("asked for {fault:?}").into())),
            }
        })
    }
}
