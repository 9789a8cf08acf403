//! A directory in memory, as `OpenLDAP` has one: people and groups that a test changes, and faults at any
//! moment of the reading.

use belfry_domain::directory::ldap::{Dn, Entry, Filter, Flavor, LdapSettings, RootDse};
use belfry_runtime::ldap::{Directory, LdapFault, MOST_ON_A_PAGE, Page, Search, Session};
use belfry_runtime::outbound::{OutboundError, Trace};
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Somebody in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Employee {
    /// Before the @.
    pub name: String,
    /// Title.
    pub title: String,
    /// Whether the account is enabled.
    pub enabled: bool,
}

/// What is in it, and how it fails.
#[derive(Debug, Default)]
struct State {
    people: BTreeMap<u32, Employee>,
    groups: BTreeMap<u32, (String, Vec<u32>)>,
    fails_after: Option<usize>,
    reads: usize,
}

/// The directory.
#[derive(Debug, Clone, Default)]
pub struct MemoryDirectory(Arc<Mutex<State>>);

/// The text of an `entryUUID`: kind and number.
fn uuid(kind: u16, n: u32) -> String {
    format!("{kind:08x}-0000-4000-8000-0000{n:08x}")
}

fn entry(dn: String, attributes: &[(&str, String)]) -> Entry {
    let mut entry = Entry::new(dn);
    for (name, value) in attributes {
        entry.append(name, [value.clone().into_bytes()]);
    }
    entry
}

fn person_dn(n: u32) -> String {
    format!("uid=u{n},dc=example")
}

impl MemoryDirectory {
    /// Somebody, enabled; instead of who had the number.
    pub fn person(&self, n: u32, name: &str) -> &Self {
        let employee = Employee { name: name.to_owned(), title: "Clerk".to_owned(), enabled: true };
        self.employee(n, employee)
    }

    /// The same in every particular.
    pub fn employee(&self, n: u32, employee: Employee) -> &Self {
        self.0.lock().unwrap().people.insert(n, employee);
        self
    }

    /// Changes somebody.
    pub fn change(&self, n: u32, change: impl FnOnce(&mut Employee)) {
        change(self.0.lock().unwrap().people.get_mut(&n).unwrap());
    }

    /// Nobody has the number any more.
    pub fn remove(&self, n: u32) {
        self.0.lock().unwrap().people.remove(&n);
    }

    /// A group with these members; instead of the one that had the number.
    pub fn group(&self, n: u32, name: &str, members: &[u32]) -> &Self {
        self.0.lock().unwrap().groups.insert(n, (name.to_owned(), members.to_vec()));
        self
    }

    /// No group has the number any more.
    pub fn remove_group(&self, n: u32) {
        self.0.lock().unwrap().groups.remove(&n);
    }

    /// From now on it ends the connection after so many pages; never, when none.
    pub fn fails_after(&self, pages: Option<usize>) {
        self.0.lock().unwrap().fails_after = pages;
    }

    /// How often it was bound to.
    pub fn reads(&self) -> usize {
        self.0.lock().unwrap().reads
    }
}

impl Directory for MemoryDirectory {
    fn bind<'a>(
        &'a self,
        _settings: &'a LdapSettings,
        password: &'a str,
        _trace: &'a mut Trace,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, OutboundError>> {
        let mut state = self.0.lock().unwrap();
        state.reads += 1;
        if password.is_empty() || password == "wrong" {
            let fault = LdapFault::Refused { code: 49, words: String::new() };
            return ready(Err(fault.into())).boxed();
        }
        let people = state.people.iter().map(|(n, of)| {
            let locked = if of.enabled { "" } else { "000001010000Z" };
            entry(
                person_dn(*n),
                &[
                    ("entryUUID", uuid(1, *n)),
                    ("mail", format!("{}@globex.example", of.name)),
                    ("givenName", of.name.clone()),
                    ("sn", "Lee".to_owned()),
                    ("title", of.title.clone()),
                    ("pwdAccountLockedTime", locked.to_owned()),
                ],
            )
        });
        let groups = state.groups.iter().map(|(n, (name, members))| {
            let mut group = entry(
                format!("cn=g{n},dc=example"),
                &[("entryUUID", uuid(2, *n)), ("cn", name.clone())],
            );
            group.append("member", members.iter().map(|n| person_dn(*n).into_bytes()));
            group
        });
        let session = Open {
            people: people.collect(),
            groups: groups.collect(),
            pages_left: state.fails_after,
        };
        ready(Ok(Box::new(session) as Box<dyn Session>)).boxed()
    }
}

/// A connection to it, which sees what was there when it was opened.
struct Open {
    people: Vec<Entry>,
    groups: Vec<Entry>,
    pages_left: Option<usize>,
}

impl Open {
    fn page(&mut self, search: &mut Search) -> Result<Option<Page>, OutboundError> {
        let Some(cookie) = search.begin()? else { return Ok(None) };
        if let Some(left) = &mut self.pages_left {
            *left = left.checked_sub(1).ok_or(LdapFault::NotLdap)?;
        }
        let groups = search.filter().as_str() == Flavor::OpenLdap.group_filter();
        let all = if groups { &self.groups } else { &self.people };
        let from = String::from_utf8(cookie).unwrap().parse::<usize>().unwrap_or(0);
        let to = all.len().min(from + usize::try_from(MOST_ON_A_PAGE).unwrap());
        let page = Page { entries: all[from..to].to_vec(), referrals: 0 };
        let next = if to < all.len() { to.to_string().into_bytes() } else { Vec::new() };
        Ok(Some(search.turn(page, next)?))
    }
}

impl Session for Open {
    fn root<'a>(&'a mut self, _: &'a mut Trace) -> BoxFuture<'a, Result<RootDse, OutboundError>> {
        ready(Ok(RootDse::default())).boxed()
    }

    fn base<'a>(
        &'a mut self,
        _: &'a Dn,
        _: &'a Filter,
        _: &'a mut Trace,
    ) -> BoxFuture<'a, Result<(), OutboundError>> {
        let there = if self.people.is_empty() { Err(LdapFault::BaseEmpty.into()) } else { Ok(()) };
        ready(there).boxed()
    }

    fn next_page<'a>(
        &'a mut self,
        search: &'a mut Search,
    ) -> BoxFuture<'a, Result<Option<Page>, OutboundError>> {
        ready(self.page(search)).boxed()
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        ready(()).boxed()
    }
}
