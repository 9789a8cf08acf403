//! What becomes of one user, ready to be written: alone or with others in one transaction.

use super::{Failed, Registrar};
use crate::invite::Inviter;
use crate::leaving::Leaving;
use belfry_domain::account::{DirectoryLink, Source, User};
use belfry_domain::attribute::UserAttribute;
use belfry_domain::audit::Entry;
use belfry_domain::directory::engine::{self, Conflict, Verdict};
use belfry_domain::directory::entry::{DirectoryGroup, DirectoryUser};
use belfry_domain::directory::person::Person;
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{GroupId, IdentityId, OutboxId, UserId};
use belfry_domain::policy::Grant;
use belfry_domain::scim::ScimError;
use belfry_domain::secret::SecretHash;
use belfry_domain::text::GroupName;
use belfry_domain::users::{Move, NewUser};
use belfry_store::directories::Became;
use belfry_store::transaction::Transaction;
use belfry_store::users::{Invite, NewMember, NotWritten, PersonMove};
use futures::future::join_all;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};

/// What is there of some users of a directory.
pub(super) struct Known {
    users: HashMap<UserId, User>,
    groups: Arc<HashMap<GroupId, GroupName>>,
    managers: HashMap<UserId, String>,
    /// Who has which address, of those that were looked for: nobody, or a user.
    addresses: HashMap<EmailAddress, Option<UserId>>,
}

/// What becomes of the tenant's user.
pub(super) enum Outcome {
    Nothing,
    Added(Box<User>),
    Changed(Box<User>),
    Replaced(Box<User>, Box<User>),
    Deleted(Box<User>),
}

/// What becomes of one user of a directory, there and in the tenant.
pub(super) struct Step {
    before: Option<DirectoryUser>,
    pub(super) after: Option<DirectoryUser>,
    pub(super) user: Option<User>,
    pub(super) outcome: Outcome,
    leaving: Option<Leaving>,
    invite: Option<Invite>,
    mail: Option<OutboxId>,
}

/// Most writes of one transaction, less those of its record and counter and the look at the provider.
pub(super) const MOST_WRITES: usize = 90;

impl Step {
    /// Whether nothing is to be written.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(self.outcome, Outcome::Nothing) && self.before == self.after
    }

    /// How many writes it takes, at most.
    pub(super) const fn weight(&self) -> usize {
        // What is kept of the directory: the user, and old and new of two values that it has once.
        let own = 5;
        own + match self.outcome {
            Outcome::Nothing => 0,
            Outcome::Added(_) => 6,
            Outcome::Changed(_) => 5,
            Outcome::Replaced(..) => 10,
            Outcome::Deleted(_) => 4,
        }
    }

    /// Nothing becomes of the tenant's user.
    fn left_alone(before: &DirectoryUser, after: Option<DirectoryUser>, known: &Known) -> Self {
        let user = known.users.get(&before.user).filter(|user| !user.is_archived()).cloned();
        Self {
            before: Some(before.clone()),
            after,
            user,
            outcome: Outcome::Nothing,
            leaving: None,
            invite: None,
            mail: None,
        }
    }

    fn became(&self) -> Vec<Became<'_>> {
        let added = |user: &User| {
            let new = NewMember { user: user.clone(), invite: self.invite.clone() };
            Became::Added(Box::new(new))
        };
        let leaves = || self.leaving.as_ref().map_or(PersonMove::Stays, Leaving::leaves);
        match (&self.outcome, &self.user) {
            (Outcome::Added(user), _) => vec![added(user)],
            (Outcome::Changed(after), Some(before)) => {
                let enters = self.invite.clone().map(PersonMove::Enters);
                vec![Became::Changed(before, after, enters.unwrap_or_else(leaves))]
            }
            (Outcome::Replaced(gone, new), Some(before)) => {
                vec![Became::Deleted(before, gone, leaves()), added(new)]
            }
            (Outcome::Deleted(gone), Some(before)) => {
                vec![Became::Deleted(before, gone, leaves())]
            }
            _ => Vec::new(),
        }
    }

    /// Says in a record what became of the person.
    pub(super) fn recorded(&self, entry: Entry) -> Entry {
        match &self.leaving {
            Some(leaving) => leaving.recorded(entry),
            None => entry,
        }
    }
}

impl Registrar<'_> {
    /// Reads what is there of these users. The group that changes just now has the name that is given,
    /// or none any more.
    pub(super) async fn known(
        &self,
        entries: &[DirectoryUser],
        changing: Option<(GroupId, Option<&GroupName>)>,
    ) -> Result<Known, Failed> {
        let place = self.place();
        let users: Vec<_> = entries.iter().map(|entry| entry.user).collect();
        let groups: BTreeSet<_> = entries.iter().flat_map(|entry| entry.groups.clone()).collect();
        let groups: Vec<_> = groups.into_iter().collect();
        let manager = |entry: &DirectoryUser| self.manager(entry)?.parse::<UserId>().ok();
        let managers: BTreeSet<_> = entries.iter().filter_map(manager).collect();
        let managers: Vec<_> = managers.into_iter().collect();
        let users = self.table.users_by_id(place.tenant, &users).await?;
        let groups = self.table.kept_by_id::<DirectoryGroup>(place, &groups).await?;
        let managers = self.table.kept_by_id::<DirectoryUser>(place, &managers).await?;
        let mut known = Known {
            users: users.into_iter().map(|user| (user.id, user)).collect(),
            groups: Arc::new(groups.into_iter().map(|group| (group.id, group.name)).collect()),
            managers: HashMap::new(),
            addresses: HashMap::new(),
        };
        for manager in managers {
            let resource = manager.resource()?;
            let name = ["displayName", "name.formatted", "userName"];
            if let Some(name) = name.into_iter().find_map(|name| resource.text(name)) {
                known.managers.insert(manager.id, name.to_owned());
            }
        }
        let groups = Arc::make_mut(&mut known.groups);
        match changing {
            Some((group, Some(name))) => groups.insert(group, name.clone()),
            Some((group, None)) => groups.remove(&group),
            None => None,
        };
        Ok(known)
    }

    /// The same of users of a directory that is read, whose groups are all at hand, and who has the
    /// addresses that they are to get.
    pub(super) async fn known_of(
        &self,
        entries: &[DirectoryUser],
        groups: Arc<HashMap<GroupId, GroupName>>,
        addresses: &[EmailAddress],
    ) -> Result<Known, Failed> {
        let tenant = self.tenant.id;
        let taken = self.table.users_at(tenant, addresses).await?;
        let users: BTreeSet<_> =
            entries.iter().map(|entry| entry.user).chain(taken.values().copied()).collect();
        let users: Vec<_> = users.into_iter().collect();
        let users = self.table.users_by_id(tenant, &users).await?;
        Ok(Known {
            users: users.into_iter().map(|user| (user.id, user)).collect(),
            groups,
            managers: HashMap::new(),
            addresses: addresses
                .iter()
                .map(|address| (address.clone(), taken.get(address).copied()))
                .collect(),
        })
    }

    /// What the directory feeds the manager's name from.
    fn manager(&self, entry: &DirectoryUser) -> Option<String> {
        let source = self.provider.settings.scim_mapping()?.get(&UserAttribute::Manager)?;
        Some(entry.resource().ok()?.text(source.as_str())?.to_owned())
    }

    /// The person that a directory's user is.
    fn person(&self, entry: &DirectoryUser, known: &Known) -> Result<Person, ScimError> {
        let groups = entry.groups.iter().filter_map(|id| known.groups.get(id).cloned());
        let mut person = entry.person(&self.provider.settings, groups.collect())?;
        // A directory names a manager by the id that it knows from here.
        if let Some(manager) = self.manager(entry).and_then(|text| text.parse::<UserId>().ok()) {
            let name = known.managers.get(&manager).and_then(|name| name.parse().ok());
            match name {
                Some(name) => person.attributes.insert(UserAttribute::Manager, name),
                None => person.attributes.remove(&UserAttribute::Manager),
            };
        }
        Ok(person)
    }

    /// What becomes of a user whom the directory had as `before` and has as `after` now.
    pub(super) async fn step(
        &self,
        before: Option<&DirectoryUser>,
        after: DirectoryUser,
        known: &Known,
    ) -> Result<Step, Failed> {
        let person = self.person(&after, known)?;
        let settings = &self.provider.settings;
        let link = DirectoryLink { provider: self.provider.id, entry: after.id };
        // One who was deleted without its directory's doing comes back.
        let own = before.and_then(|before| known.users.get(&before.user));
        let own = own.filter(|user| !user.is_archived()).cloned();
        let (verdict, user) = if let Some(user) = own {
            let moved = person.email != user.email;
            let other = if moved { self.user_at(&person.email, known).await? } else { None };
            (engine::follow(settings, &person, &user, other.as_ref())?, Some(user))
        } else {
            let present = self.user_at(&person.email, known).await?;
            (engine::arrive(settings, &person, present.as_ref(), link)?, present)
        };
        let mut step = Step {
            before: before.cloned(),
            after: Some(after),
            user,
            outcome: Outcome::Nothing,
            leaving: None,
            invite: None,
            mail: None,
        };
        let of = match verdict {
            Verdict::Unchanged => step.user.as_ref().map(|user| user.id),
            Verdict::Create(new) => {
                let id = if before.is_none() { Some(link.entry) } else { None };
                let user = self.newcomer(&mut step, new, (&person, link, id)).await?;
                let id = user.id;
                step.outcome = Outcome::Added(Box::new(user));
                Some(id)
            }
            Verdict::Replace(new) => {
                let gone = step.user.as_ref().map(User::gone);
                step.leaving = self.leaving(step.user.as_ref()).await?;
                let user = self.newcomer(&mut step, new, (&person, link, None)).await?;
                let id = user.id;
                step.outcome = match gone {
                    Some(gone) => Outcome::Replaced(Box::new(gone), Box::new(user)),
                    None => Outcome::Added(Box::new(user)),
                };
                Some(id)
            }
            Verdict::Change(mut next, moves) => {
                match moves {
                    Move::Stays => {}
                    Move::Leaves => step.leaving = self.leaving(step.user.as_ref()).await?,
                    Move::Enters => {
                        let (identity, link) = self.invite(&mut step, &next).await?;
                        (next.identity, next.invitation) = (Some(identity), Some(link));
                    }
                }
                let id = next.id;
                step.outcome = Outcome::Changed(next);
                Some(id)
            }
        };
        if let (Some(after), Some(user)) = (&mut step.after, of) {
            after.user = user;
        }
        Ok(step)
    }

    /// The same where it is enough that what can be changed is: a super admin stays as it is.
    pub(super) async fn lenient_step(
        &self,
        before: &DirectoryUser,
        after: DirectoryUser,
        known: &Known,
    ) -> Result<Step, Failed> {
        match self.step(Some(before), after.clone(), known).await {
            Err(Failed::Conflict(Conflict::SuperAdmin)) => {
                Ok(Step::left_alone(before, Some(after), known))
            }
            done => done,
        }
    }

    /// A user whom the directory has no longer.
    pub(super) async fn removal(
        &self,
        before: &DirectoryUser,
        known: &Known,
    ) -> Result<Step, Failed> {
        let mut step = Step::left_alone(before, None, known);
        if let Some(user) = &step.user {
            if user.role == belfry_domain::account::Role::SuperAdmin {
                return Err(Conflict::SuperAdmin.into());
            }
            step.outcome = Outcome::Deleted(Box::new(user.gone()));
            step.leaving = self.leaving(step.user.as_ref()).await?;
        }
        Ok(step)
    }

    /// A user whom the directory has no longer, and who stays, as if added by hand.
    pub(super) fn release(before: &DirectoryUser, known: &Known) -> Step {
        let mut step = Step::left_alone(before, None, known);
        if let Some(user) = &step.user {
            step.outcome = Outcome::Changed(Box::new(User {
                source: Source::Manual,
                directory: None,
                groups: BTreeSet::new(),
                role_pinned: false,
                ..user.changed()
            }));
        }
        step
    }

    /// Writes what becomes of users, and `beside`; then rings for the mails.
    pub(super) async fn commit(
        &self,
        (grant, entry): (&Grant, &Entry),
        steps: &[Step],
        mut beside: Transaction,
    ) -> Result<(), NotWritten> {
        let (place, entropy) = (self.place(), self.post.entropy.as_ref());
        for step in steps {
            beside = beside.and(place.writes(step.before.as_ref(), step.after.as_ref())?);
        }
        // Nothing is written for a provider that is being deleted, nor by settings that it has no longer.
        beside = beside.and(place.provider_stands(self.provider.version));
        let became = steps.iter().flat_map(Step::became).collect();
        self.table.follow_directory(grant, entry, became, beside, self.now, entropy).await?;
        join_all(steps.iter().filter_map(|step| step.mail).map(|mail| self.post.ring(mail))).await;
        Ok(())
    }

    async fn user_at(&self, email: &EmailAddress, known: &Known) -> Result<Option<User>, Failed> {
        let tenant = self.tenant.id;
        let id = match known.addresses.get(email) {
            Some(id) => *id,
            None => self.table.user_at(tenant, email).await?,
        };
        let Some(id) = id else { return Ok(None) };
        match known.users.get(&id) {
            Some(user) => Ok(Some(user.clone())),
            None => Ok(self.table.user(tenant, id).await?),
        }
    }

    async fn leaving(&self, user: Option<&User>) -> Result<Option<Leaving>, Failed> {
        match user {
            Some(user) => Ok(Leaving::of(self.table, user).await?),
            None => Ok(None),
        }
    }

    async fn newcomer(
        &self,
        step: &mut Step,
        new: NewUser,
        (person, link, id): (&Person, DirectoryLink, Option<UserId>),
    ) -> Result<User, Failed> {
        let console = new.has_console();
        let entropy = self.post.entropy.as_ref();
        let user = User::new(self.tenant.id, new, Source::Directory, None, self.now, entropy);
        let user = User { id: id.unwrap_or(user.id), ..user };
        let mut user = engine::arrived(user, person, link);
        if console {
            let (identity, link) = self.invite(step, &user).await?;
            (user.identity, user.invitation) = (Some(identity), Some(link));
            user.status = belfry_domain::account::Status::Invited;
        }
        Ok(user)
    }

    async fn invite(
        &self,
        step: &mut Step,
        user: &User,
    ) -> Result<(IdentityId, SecretHash), Failed> {
        let (company, language) = (&self.tenant.company, self.tenant.language);
        let desk = Inviter { post: self.post, company, language, now: self.now };
        let first =
            self.counted.lock().unwrap_or_else(PoisonError::into_inner).insert(user.email.clone());
        if first {
            desk.count(self.table, self.tenant.id, &user.email).await?;
        }
        let guest = desk.guest(self.table, &user.email).await?;
        let invited = guest.invited();
        let (invite, mail) = desk.invite(guest, user).await?;
        (step.invite, step.mail) = (Some(invite), Some(mail));
        Ok(invited)
    }
}
