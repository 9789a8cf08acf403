//! Reads a directory to its end: its groups, then its users.

use crate::ldap::{self, LdapFault, MOST_GROUPS, MOST_USERS, Search};
use crate::outbound::{OutboundError, Trace};
use belfry_domain::directory::compare::Snapshot;
use belfry_domain::directory::ldap::{Groups, Reading, RootDse};
use belfry_domain::directory::provider::LdapSource;

/// Groups on a page: each may list thousands of members.
const GROUPS_ON_A_PAGE: u32 = 5;
/// Most names of members that are kept, and most memberships: a stranger may make them up.
const MOST_NAMES: usize = 200_000;
const MOST_MEMBERSHIPS_IN_ALL: usize = 2_000_000;

/// All users and groups of a directory, and what it says of itself.
///
/// # Errors
/// [`OutboundError`]: then nothing is known of who is there.
pub async fn read(
    directory: &dyn ldap::Directory,
    source: &LdapSource,
    password: &str,
    trace: &mut Trace,
) -> Result<(RootDse, Snapshot), OutboundError> {
    let (server, mapping) = (&source.server, &source.mapping);
    let mut session = directory.bind(server, password, trace).await?;
    let root = session.root(trace).await?;
    session.base(&server.base_dn, &server.filter, trace).await?;

    let mut snapshot = Snapshot::default();
    let mut groups = Groups::default();
    // The text is our own.
    let filter = source.flavor.groups().map_err(|_| LdapFault::NotLdap)?;
    let mut search = Search::new(&server.base_dn, filter, mapping.of_groups(), MOST_GROUPS)
        .pages_of(GROUPS_ON_A_PAGE);
    while let Some(page) = session.next_page(&mut search).await? {
        let read = page.entries.iter().map(|entry| groups.add(entry, mapping.key));
        snapshot.rejected.extend(read.filter_map(Result::err));
        if groups.weight() > MOST_NAMES {
            return Err(LdapFault::TooLarge.into());
        }
    }
    let mut memberships = 0;
    let filter = server.filter.clone();
    let mut search =
        Search::new(&server.base_dn, filter, mapping.of_users(), MOST_USERS).not_empty();
    while let Some(page) = session.next_page(&mut search).await? {
        for entry in &page.entries {
            match Reading::of(entry, mapping, &groups) {
                Ok(reading) => {
                    memberships += reading.groups.len();
                    snapshot.people.push(reading);
                }
                Err(rejected) => snapshot.rejected.push(rejected),
            }
        }
        if memberships > MOST_MEMBERSHIPS_IN_ALL {
            return Err(LdapFault::TooLarge.into());
        }
    }
    session.close().await;
    snapshot.groups = groups.all().to_vec();
    Ok((root, snapshot))
}
