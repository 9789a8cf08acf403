//! What a directory may do: with its own users and groups whatever it says of them, and nothing else.

use super::{Action, Author, Denied, Grant, Origin};
use crate::account::{Role, Tenant};
use crate::directory::entry::DirectoryGroup;
use crate::directory::provider::{Provider, Task};
use crate::directory::token::{ScimToken, StoredToken};
use crate::id::{IdentityProviderId, TenantId};
use crate::tag::work::Requester;
use jiff::Timestamp;

/// A directory that asks, by a token of an identity provider that is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    tenant: TenantId,
    provider: IdentityProviderId,
    origin: Origin,
}

impl Directory {
    /// The directory that shows `shown`, or none when that is not `stored`, is over, or the provider is
    /// off or being deleted, or the three do not belong together. Whether the tenant is suspended is
    /// another question, and another answer.
    pub fn of(
        shown: &ScimToken,
        stored: &StoredToken,
        provider: &Provider,
        tenant: &Tenant,
        now: Timestamp,
        origin: Origin,
    ) -> Option<Self> {
        let belongs = stored.provider == provider.id
            && stored.tenant == provider.tenant
            && provider.tenant == tenant.id;
        let live = stored.is_of(shown) && stored.is_live(now) && provider.is_live();
        (belongs && live).then_some(Self { tenant: tenant.id, provider: provider.id, origin })
    }

    /// Leave to do `action` to what is the directory's.
    ///
    /// # Errors
    /// [`Denied`] for everything that is not about users below a super admin, or groups.
    pub fn may(&self, action: Action) -> Result<Grant, Denied> {
        let own = match action {
            Action::CreateUser(of) | Action::ChangeUser(of) | Action::DeleteUser(of) => {
                of != Role::SuperAdmin
            }
            Action::CreateGroup | Action::ChangeGroup | Action::DeleteGroup => true,
            _ => false,
        };
        let grant = || Grant {
            tenant: self.tenant,
            action,
            author: Author::Directory { id: self.provider },
            operator: None,
            origin: self.origin.clone(),
        };
        own.then(grant).ok_or(Denied::Role)
    }

    /// In which tenant.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Which directory.
    pub const fn provider(&self) -> IdentityProviderId {
        self.provider
    }

    /// On which request.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// Leave to go on with what somebody wanted of a whole directory, given when it was wanted; none when
/// nothing is to be done, or the tenant is another one or suspended.
pub fn carry_on_directory(provider: &Provider, tenant: &Tenant) -> Option<Grant> {
    let work = provider.work.as_ref()?;
    let person = |by: &Requester| Author::Person { id: by.user, role: by.role };
    let (action, author) = match work.task {
        // What a directory says of its users is its own word, whoever had it read.
        Task::Pull { .. } => (Action::SyncProvider, Author::Directory { id: provider.id }),
        Task::Apply => (Action::SyncProvider, person(work.by.as_ref()?)),
        Task::Remove(_) => (Action::DeleteProvider, person(work.by.as_ref()?)),
    };
    let unasked = || Origin { request_id: work.id.to_string(), source_address: None };
    let open = tenant.id == provider.tenant && tenant.suspended_at.is_none();
    open.then(|| Grant {
        tenant: provider.tenant,
        action,
        author,
        operator: None,
        origin: work.by.as_ref().map_or_else(unasked, Requester::origin),
    })
}

/// Leave to go on with telling a group's members what became of it: given with the change of it. None
/// when they know.
pub fn tell_members(group: &DirectoryGroup) -> Option<Grant> {
    let telling = group.telling.as_ref()?;
    Some(Grant {
        tenant: group.tenant,
        action: if group.deleted { Action::DeleteGroup } else { Action::ChangeGroup },
        author: Author::Directory { id: group.provider },
        operator: None,
        origin: Origin { request_id: telling.request_id.clone(), source_address: None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_may_do_nothing_but_its_own() {
        let directory = Directory {
            tenant: TenantId::from_bytes([1; 16]),
            provider: IdentityProviderId::from_bytes([2; 16]),
            origin: Origin::default(),
        };
        let allowed: Vec<_> =
            Action::all().filter(|action| directory.may(*action).is_ok()).collect();
        let below = [Role::Admin, Role::HelpDesk, Role::ReadOnly, Role::User];
        let mut expected = vec![Action::CreateGroup, Action::ChangeGroup, Action::DeleteGroup];
        for action in [Action::CreateUser, Action::ChangeUser, Action::DeleteUser] {
            expected.extend(below.map(action));
        }
        assert_eq!(allowed, expected);
        let grant = directory.may(Action::CreateGroup).unwrap();
        assert_eq!(grant.author(), &Author::Directory { id: directory.provider });
    }
}
