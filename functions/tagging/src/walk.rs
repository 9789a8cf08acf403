//! One page of a walk over the members of a tenant: looked at, and those that change written in
//! transactions of as many as fit, each with its audit record.

use crate::App;
use belfry_domain::audit::Entry;
use belfry_domain::id::TenantId;
use belfry_domain::policy::Grant;
use belfry_domain::tag::catalogue::Catalogue;
use belfry_domain::tag::marks::Marks;
use belfry_store::StoreError;
use belfry_store::tags::{MOST_AT_ONCE, Member};
use std::sync::Arc;

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ran {
    /// Members that it looked at.
    pub done: u32,
    /// Members whose tags changed.
    pub changed: u32,
}

/// Why some work has to come again.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The table did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others kept changing the same members.
    #[error("the members kept changing")]
    Busy,
}

/// Rivals at the same members: how often to look again.
const LOOKS: usize = 20;
/// Members of a page, or those of 1 MB when they have much.
const PAGE: i32 = 200;

/// A page that was walked over.
pub(crate) struct Walked {
    pub(crate) ran: Ran,
    /// Behind whom the walk goes on; none at its end.
    pub(crate) after: Option<String>,
}

/// Walks over the page behind `after`: `marks` says which tags a member shall have, under the tags of
/// the moment.
pub(crate) async fn page<T: Member>(
    app: &App,
    tenant: TenantId,
    (grant, entry): (&Grant, &Entry),
    after: Option<&str>,
    marks: impl Fn(&Catalogue, &T) -> Marks,
) -> Result<Walked, Failed> {
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let mut ran = Ran::default();
    for _ in 0..LOOKS {
        // The tags before the members: one who changes after that is written under these or newer tags,
        // and a change of the tags makes what is worked out here void.
        let catalogue: Arc<Catalogue> = app.table.catalogue(tenant).await?;
        let (members, more) = app.table.tagged::<T>(tenant, after, PAGE).await?;
        ran.done = u32::try_from(members.len()).unwrap_or(u32::MAX);
        let last = members.last().map(|(sk, _)| sk.clone());
        let changes: Vec<(T, Marks)> = members
            .into_iter()
            .filter_map(|(_, member)| {
                let marks = marks(&catalogue, &member);
                (marks != *member.marks()).then_some((member, marks))
            })
            .collect();
        let mut all = true;
        for part in changes.chunks(MOST_AT_ONCE) {
            if !app.table.mark(grant, entry, part, catalogue.rules, now, entropy).await? {
                all = false;
                break;
            }
            ran.changed += u32::try_from(part.len()).unwrap_or(u32::MAX);
        }
        if all {
            return Ok(Walked { ran, after: last.filter(|_| more) });
        }
    }
    Err(Failed::Busy)
}
