//! One user of a directory: made, changed, deleted.

use super::step::{Outcome, Step};
use super::{Failed, LOOKS, Registrar, faster};
use belfry_domain::account::User;
use belfry_domain::audit::Entry;
use belfry_domain::directory::entry::{DirectoryUser, Said};
use belfry_domain::id::UserId;
use belfry_domain::policy::{Action, Directory};
use belfry_domain::scim::resource::Resource;
use belfry_domain::scim::{ScimError, ScimType};
use belfry_domain::users::record;
use belfry_store::directories::Kept;
use belfry_store::keys::Once;
use belfry_store::transaction::Transaction;
use std::collections::BTreeSet;

impl Registrar<'_> {
    /// Makes a user that the directory did not have. One whom the tenant has under its address already
    /// becomes the directory's, if that was chosen.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn create_user(
        &self,
        by: &Directory,
        resource: &Resource,
    ) -> Result<DirectoryUser, Failed> {
        for _ in 0..LOOKS {
            if let Some(back) = self.returned(by, resource).await? {
                return Ok(back);
            }
            self.is_free::<DirectoryUser>(resource, None).await?;
            let id = UserId::new(self.now, self.post.entropy.as_ref());
            let entry = DirectoryUser {
                id,
                user: id,
                said: Said::Resource(resource.to_json()),
                groups: BTreeSet::new(),
                created_at: self.now,
                modified_at: self.now,
                version: 1,
            };
            let known = self.known(&[], None).await?;
            let step = self.step(None, entry, &known).await?;
            if let Some(entry) = self.written(by, step).await? {
                return Ok(entry);
            }
        }
        Err(Failed::Busy)
    }

    /// One whom the directory has under this name, deactivated, and who is active again: as Okta has
    /// people return, by another POST.
    async fn returned(
        &self,
        by: &Directory,
        resource: &Resource,
    ) -> Result<Option<DirectoryUser>, Failed> {
        let Some(name) = resource.text("userName") else { return Ok(None) };
        let id = self.table.taken_by(self.place(), Once::UserName(name)).await?;
        let Some(id) = id.and_then(|id| id.parse::<UserId>().ok()) else { return Ok(None) };
        let known = self.table.kept::<DirectoryUser>(self.place(), id).await?;
        let idle = match known {
            Some(known) => !known.resource()?.is_active(),
            None => false,
        };
        if !idle || !resource.is_active() {
            return Ok(None);
        }
        self.change_user(by, id, |_| Ok(resource.clone())).await
    }

    /// Changes a user by what the directory says now: `change` is asked again when another one was
    /// faster. None when the directory has no such user.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn change_user(
        &self,
        by: &Directory,
        id: UserId,
        change: impl Fn(&Resource) -> Result<Resource, ScimError>,
    ) -> Result<Option<DirectoryUser>, Failed> {
        for _ in 0..LOOKS {
            let Some(before) = self.table.kept::<DirectoryUser>(self.place(), id).await? else {
                return Ok(None);
            };
            let was = before.resource()?;
            let resource = change(&was)?;
            if resource == was {
                return Ok(Some(before));
            }
            self.is_free::<DirectoryUser>(&resource, Some(&id.to_string())).await?;
            let said = Said::Resource(resource.to_json());
            let after = DirectoryUser { said, ..before.changed(self.now) };
            let known = self.known(std::slice::from_ref(&after), None).await?;
            let step = self.step(Some(&before), after, &known).await?;
            if let Some(entry) = self.written(by, step).await? {
                return Ok(Some(entry));
            }
        }
        Err(Failed::Busy)
    }

    /// Deletes a user: the tenant's is kept for the audit trail, its address is free again. False when
    /// the directory has no such user.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn delete_user(&self, by: &Directory, id: UserId) -> Result<bool, Failed> {
        for _ in 0..LOOKS {
            let Some(before) = self.table.kept::<DirectoryUser>(self.place(), id).await? else {
                return Ok(false);
            };
            let known = self.known(std::slice::from_ref(&before), None).await?;
            let step = self.removal(&before, &known).await?;
            let (entry, action) = match &step.user {
                Some(user) => {
                    let entry = record::about(user)
                        .changed("status", user.status.name(), "archived")
                        .set("role", user.role.name());
                    (step.recorded(entry), Action::DeleteUser(user.role))
                }
                None => (Entry::about("user", &before.user), Action::DeleteUser(LEAST)),
            };
            let grant = by.may(action).map_err(denied)?;
            if faster(self.commit((&grant, &entry), &[step], Transaction::new()).await)? {
                // Who is not there is in no group, whatever still says so.
                let members = before.groups.iter().map(|group| (*group, id));
                self.table.forget_members(self.place(), members).await?;
                return Ok(true);
            }
        }
        Err(Failed::Busy)
    }

    /// Writes a step with its record. None when somebody else was faster.
    async fn written(&self, by: &Directory, step: Step) -> Result<Option<DirectoryUser>, Failed> {
        let unchanged = |user: &User| record::about(user).set("directory_entry", "changed");
        let (action, entry) = match (&step.outcome, &step.user) {
            (Outcome::Added(user), _) => (Action::CreateUser(user.role), record::added(user)),
            (Outcome::Replaced(_, new), Some(old)) => {
                let entry = record::added(new).set("replaces", old.id.to_string());
                (Action::CreateUser(new.role), entry)
            }
            (Outcome::Changed(after), Some(before)) => {
                (Action::ChangeUser(after.role), record::changed(before, after))
            }
            // Even of a super admin the directory may change what is its own alone.
            (_, Some(user)) => (Action::ChangeUser(LEAST), unchanged(user)),
            (_, None) => return Err(Failed::Busy),
        };
        let grant = by.may(action).map_err(denied)?;
        let entry = step.recorded(entry);
        let steps = [step];
        if !faster(self.commit((&grant, &entry), &steps, Transaction::new()).await)? {
            return Ok(None);
        }
        let [step] = steps;
        Ok(step.after)
    }

    /// Whether what a directory has once is nobody else's.
    ///
    /// # Errors
    /// [`ScimType::Uniqueness`] with the attribute's name.
    pub(super) async fn is_free<T: Kept>(
        &self,
        resource: &Resource,
        own: Option<&str>,
    ) -> Result<(), Failed> {
        for once in T::once(resource) {
            let taken = self.table.taken_by(self.place(), once).await?;
            if taken.is_some_and(|id| own != Some(id.as_str())) {
                let name = match once {
                    Once::UserName(_) => "userName",
                    Once::GroupName(_) => "displayName",
                    Once::UserExternalId(_) | Once::GroupExternalId(_) => "externalId",
                };
                let detail = format!("{name} is another resource's already");
                return Err(ScimError::new(ScimType::Uniqueness, detail).into());
            }
        }
        Ok(())
    }
}

/// The role of a user whose role is not concerned.
const LEAST: belfry_domain::account::Role = belfry_domain::account::Role::User;

/// A leave that no directory gets, for what the engine never decides.
pub(super) fn denied(_: belfry_domain::policy::Denied) -> Failed {
    ScimError::of_status(403, "no directory may do this").into()
}
