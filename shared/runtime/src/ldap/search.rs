//! A search over many entries, page by page.

use super::LdapFault;
use belfry_domain::directory::ldap::{Dn, Entry, Filter};
use std::mem;

/// Most entries of a page: Active Directory gives no more than 1,000.
pub const MOST_ON_A_PAGE: u32 = 500;

/// Most pages without an entry, one after the other. A server may give one when it takes its time.
const MOST_EMPTY_PAGES: u32 = 100;

/// A search below a base, and how far it is. It is over only when the directory said so: a list that ends
/// otherwise ends with an error.
#[derive(Debug)]
pub struct Search {
    pub(super) base: String,
    pub(super) filter: Filter,
    pub(super) attributes: Vec<String>,
    pub(super) page_size: u32,
    most: usize,
    nobody_is_a_fault: bool,
    place: Place,
    found: usize,
    referrals: usize,
    empty_pages: u32,
}

/// Where a search is.
#[derive(Debug, Default)]
enum Place {
    /// The next page begins here; nothing is the beginning.
    At(Vec<u8>),
    /// There are no more.
    End,
    /// A page is being read, or was not read to its end.
    #[default]
    Broken,
}

/// Some of the entries that a search finds.
#[derive(Debug, Default)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// How often the directory said that some of them are on another server.
    pub referrals: usize,
}

impl Search {
    /// The entry `base` and all below it that the filter finds, with these attributes. More than `most` are
    /// a fault.
    pub fn new(base: &Dn, filter: Filter, attributes: Vec<String>, most: usize) -> Self {
        Self {
            base: base.to_string(),
            filter,
            attributes,
            page_size: MOST_ON_A_PAGE,
            most,
            nobody_is_a_fault: false,
            place: Place::At(Vec::new()),
            found: 0,
            referrals: 0,
            empty_pages: 0,
        }
    }

    /// It is a fault when it finds nobody: a directory without users is one that is not seen, by a wrong
    /// base or for want of rights.
    #[must_use]
    pub const fn not_empty(mut self) -> Self {
        self.nobody_is_a_fault = true;
        self
    }

    /// So many entries at once, at least one and at most 500: fewer where each is long, such as groups with
    /// their members.
    #[must_use]
    pub const fn pages_of(mut self, entries: u32) -> Self {
        self.page_size = match entries {
            0 => 1,
            1..=MOST_ON_A_PAGE => entries,
            _ => MOST_ON_A_PAGE,
        };
        self
    }

    /// Which entries are looked for.
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// How many entries were found until now.
    pub const fn found(&self) -> usize {
        self.found
    }

    /// How often the directory said that some of them are on another server. They are not looked for.
    pub const fn referrals(&self) -> usize {
        self.referrals
    }

    /// Where the next page begins, as the directory said; none when there are no more. Until
    /// [`Self::turn`] the search counts as broken.
    ///
    /// # Errors
    /// [`LdapFault::NotLdap`] when the last page was not read to its end: what the connection says now
    /// belongs to it.
    pub fn begin(&mut self) -> Result<Option<Vec<u8>>, LdapFault> {
        match mem::take(&mut self.place) {
            Place::At(cookie) => Ok(Some(cookie)),
            Place::End => {
                self.place = Place::End;
                Ok(None)
            }
            Place::Broken => Err(LdapFault::NotLdap),
        }
    }

    /// Takes a page that was read to its end, and where the next one begins: nowhere when nothing is said.
    ///
    /// # Errors
    /// [`LdapFault::TooManyEntries`], [`LdapFault::BaseEmpty`], [`LdapFault::NotLdap`] when there are pages
    /// without end and nothing on them.
    pub fn turn(&mut self, page: Page, next: Vec<u8>) -> Result<Page, LdapFault> {
        self.found += page.entries.len();
        self.referrals += page.referrals;
        if self.found > self.most {
            return Err(LdapFault::TooManyEntries(self.most));
        }
        self.empty_pages = if page.entries.is_empty() { self.empty_pages + 1 } else { 0 };
        if self.empty_pages > MOST_EMPTY_PAGES {
            return Err(LdapFault::NotLdap);
        }
        if !next.is_empty() {
            self.place = Place::At(next);
        } else if self.found == 0 && self.nobody_is_a_fault {
            return Err(LdapFault::BaseEmpty);
        } else {
            self.place = Place::End;
        }
        Ok(page)
    }

    /// How many more entries fit, and one that does not.
    pub(super) const fn room(&self) -> usize {
        (self.most - self.found).saturating_add(1)
    }
}
