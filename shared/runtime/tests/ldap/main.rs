//! Reading directories by LDAP: a real `slapd`, and servers that mean harm.
#![expect(clippy::unwrap_used, reason = "tests")]

mod hostile;
mod injection;
mod ranges;
mod server;
mod slapd;

use belfry_domain::directory::ldap::{Dn, Filter, LdapSettings, Mapping};
use belfry_domain::ports::Clock;
use belfry_runtime::ldap::{Directory, LdapFault, Network, Patience, Search, Session};
use belfry_runtime::outbound::{Outbound, OutboundError, StepName, Trace};
use belfry_testkit::slapd::PASSWORD;
use jiff::Timestamp;
use std::sync::Arc;

/// The clock of every certificate here.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-06-15T12:00:00Z".parse().unwrap()
    }
}

fn trace() -> Trace {
    Trace::new(Arc::new(Noon))
}

/// The names of the steps; all but the last one went well.
fn steps(trace: &Trace) -> Vec<&'static str> {
    let (_, before) = trace.steps().split_last().unwrap();
    assert!(before.iter().all(|step| step.fault.is_none()), "{before:?}");
    trace.steps().iter().map(|step| step.name.name()).collect()
}

/// The step that failed, the last one.
fn failed(trace: &Trace) -> (StepName, OutboundError) {
    let last = trace.steps().last().unwrap();
    (last.name, last.fault.clone().unwrap())
}

fn directory(outbound: Outbound) -> Network {
    Network::new(outbound, Patience::default(), Arc::new(Noon))
}

async fn session(outbound: Outbound, settings: &LdapSettings) -> Box<dyn Session> {
    directory(outbound).bind(settings, PASSWORD, &mut trace()).await.unwrap()
}

/// Users below the base.
fn users(settings: &LdapSettings, most: usize) -> Search {
    let mapping = Mapping::of(belfry_domain::directory::ldap::Flavor::OpenLdap);
    Search::new(&settings.base_dn, settings.filter.clone(), mapping.of_users(), most)
}

/// The names that a filter finds.
async fn names(session: &mut dyn Session, base: &Dn, filter: Filter) -> Vec<String> {
    let mut search = Search::new(base, filter, vec!["1.1".into()], 1_000);
    let mut names = Vec::new();
    while let Some(page) = session.next_page(&mut search).await.unwrap() {
        names.extend(page.entries.iter().map(|entry| entry.dn().to_owned()));
    }
    names
}

/// The fault of a search that is read until it ends.
async fn read_until_fault(session: &mut dyn Session, search: &mut Search) -> OutboundError {
    loop {
        match session.next_page(search).await {
            Ok(Some(_)) => {}
            Ok(None) => return OutboundError::Ldap(LdapFault::BaseEmpty),
            Err(fault) => return fault,
        }
    }
}
