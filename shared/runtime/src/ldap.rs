//! Reading a customer's directory by LDAP (RFC 4511).
//!
//! Of the protocol there is as much as reading needs: bind, search in pages, `StartTLS`. It is spoken by our
//! own hand because the server is a stranger: a message that lies about its length, its depth or its order
//! is an error here, where the one library for clients (`ldap3` 0.12) takes as much memory as it is told to,
//! runs out of stack or panics.

mod ber;
mod code;
mod fault;
mod message;
mod range;
mod search;
mod session;

pub use fault::LdapFault;
pub use search::{MOST_ON_A_PAGE, Page, Search};

use crate::outbound::{Authorities, Outbound, OutboundError, Tls, Trace, Trust};
use belfry_domain::directory::ldap::{Dn, Filter, LdapSettings, RootDse, Security};
use belfry_domain::ports::Clock;
use futures::future::BoxFuture;
use session::Wire;
use std::sync::Arc;
use std::time::Duration;

/// Most users that are read.
pub const MOST_USERS: usize = 20_000;

/// Most groups that are read.
pub const MOST_GROUPS: usize = 2_000;

/// How long a directory may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For an answer to its end: a bind's, a page's.
    pub answer: Duration,
    /// For all of them together.
    pub whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: Duration::from_secs(30), whole: Duration::from_mins(5) }
    }
}

/// Opens directories.
pub trait Directory: Send + Sync {
    /// Connects, encrypts and binds. The trace has every step.
    ///
    /// # Errors
    /// [`OutboundError`]; of the directory itself [`OutboundError::Ldap`].
    fn bind<'a>(
        &'a self,
        settings: &'a LdapSettings,
        password: &'a str,
        trace: &'a mut Trace,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, OutboundError>>;
}

/// A directory that is open for reading. After an error it is of no more use.
pub trait Session: Send {
    /// What the server says of itself.
    ///
    /// # Errors
    /// [`OutboundError`].
    fn root<'a>(
        &'a mut self,
        trace: &'a mut Trace,
    ) -> BoxFuture<'a, Result<RootDse, OutboundError>>;

    /// Whether the base is there and the filter finds at least one entry.
    ///
    /// # Errors
    /// [`LdapFault::BaseMissing`], [`LdapFault::BaseEmpty`], other [`OutboundError`].
    fn base<'a>(
        &'a mut self,
        base: &'a Dn,
        filter: &'a Filter,
        trace: &'a mut Trace,
    ) -> BoxFuture<'a, Result<(), OutboundError>>;

    /// The next page of a search; none after the last. What was read counts for nothing until then: see
    /// [`Search`]. Lists of values that the server gives in parts are read to their end.
    ///
    /// # Errors
    /// [`OutboundError`]; the search cannot be resumed.
    fn next_page<'a>(
        &'a mut self,
        search: &'a mut Search,
    ) -> BoxFuture<'a, Result<Option<Page>, OutboundError>>;

    /// Says good bye.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// Opens a directory, reads what it says of itself and looks at the base.
///
/// # Errors
/// [`OutboundError`] of the step that failed, the last one of the trace.
pub async fn test(
    directory: &dyn Directory,
    settings: &LdapSettings,
    password: &str,
    trace: &mut Trace,
) -> Result<RootDse, OutboundError> {
    let mut session = directory.bind(settings, password, trace).await?;
    let root = session.root(trace).await?;
    session.base(&settings.base_dn, &settings.filter, trace).await?;
    session.close().await;
    Ok(root)
}

/// Directories on the network.
#[derive(Clone)]
pub struct Network {
    outbound: Outbound,
    patience: Patience,
    clock: Arc<dyn Clock>,
}

impl Network {
    /// Makes no call.
    pub fn new(outbound: Outbound, patience: Patience, clock: Arc<dyn Clock>) -> Self {
        Self { outbound, patience, clock }
    }

    fn tls(&self, settings: &LdapSettings) -> Result<Tls, OutboundError> {
        let now = self.clock.now();
        let ca = settings.ca_pem.as_deref();
        let authorities = ca.map(|pem| Authorities::from_pem(pem, now)).transpose()?;
        let trust = authorities.as_ref().map_or(Trust::Mozilla, Trust::Only);
        Tls::new(trust, None, self.clock.clone())
    }

    async fn open(
        &self,
        settings: &LdapSettings,
        password: &str,
        trace: &mut Trace,
    ) -> Result<Wire, OutboundError> {
        // A port outside the rule was never a setting.
        let peer = settings.peer().map_err(|_| OutboundError::HostNotFound)?;
        let tls = self.tls(settings)?;
        let at_once = (settings.security == Security::Ldaps).then_some(&tls);
        let connection = self.outbound.connect(&peer, at_once, trace).await?;
        let mut wire = Wire::new(connection, password, self.patience);
        if at_once.is_none() {
            wire = wire.start_tls(&self.outbound, settings, &tls, trace).await?;
        }
        wire.bind(&settings.bind_dn, trace).await?;
        Ok(wire)
    }
}

impl Directory for Network {
    fn bind<'a>(
        &'a self,
        settings: &'a LdapSettings,
        password: &'a str,
        trace: &'a mut Trace,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, OutboundError>> {
        Box::pin(async move {
            let wire = self.open(settings, password, trace).await?;
            Ok(Box::new(wire) as Box<dyn Session>)
        })
    }
}
