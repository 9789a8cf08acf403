//! The sweep: carries out the recoveries whose day is over.

use crate::App;
use crate::recoveries::entry;
use belfry_api::Problem;
use belfry_domain::account::{Role, Source, Status, Tenant, User};
use belfry_domain::audit::Entry;
use belfry_domain::policy::{self, Grant};
use belfry_domain::recovery::{Appointee, Recovery, Remedy, Stage};
use belfry_domain::users::{Move, NewUser, Wanted};
use belfry_runtime::invite::Inviter;
use belfry_runtime::reset::{self, Reset};
use belfry_store::recoveries::ended;
use belfry_store::users::{NewMember, NotWritten, PersonMove};

impl App {
    /// How many were due, and how many of them failed and are tried again by the next sweep.
    pub(crate) async fn sweep(&self) -> Result<(usize, usize), Problem> {
        let due = self.table.due_recoveries(self.clock.now()).await?;
        let mut failed = 0;
        for recovery in &due {
            if let Err(problem) = self.act(recovery).await {
                failed += 1;
                let cause = problem.internal.as_deref().unwrap_or(problem.code);
                tracing::error!(tenant.id = %recovery.tenant, recovery.id = %recovery.id, cause, "recovery not carried out");
            }
        }
        Ok((due.len(), failed))
    }

    /// Carries one out, if nobody has stopped it.
    async fn act(&self, due: &Recovery) -> Result<(), Problem> {
        // As it stands: the index lags behind.
        let found = self.table.recovery(due.tenant, due.id).await?;
        let Some(recovery) = found else { return Ok(()) };
        let Some(grant) = policy::act(&recovery, self.clock.now()) else { return Ok(()) };
        let tenant = self.table.tenant(recovery.tenant).await?.ok_or_else(Problem::not_found)?;
        let stage = match &recovery.remedy {
            Remedy::ResetTwoFactor { user } => {
                let user = self.table.user(tenant.id, *user).await?;
                self.reset(&grant, &recovery, &tenant, user).await?
            }
            Remedy::Appoint(appointee) => {
                self.appoint(&grant, &recovery, &tenant, appointee).await?
            }
        };
        // None where the change itself has ended it.
        if let Some(stage) = stage {
            let (now, entropy) = (self.clock.now(), self.entropy.as_ref());
            let (entry, after) = (settled(&recovery, stage), recovery.at(stage));
            let forms = (&recovery, &after);
            self.table.end_recovery(&grant, &entry, forms, Vec::new(), now, entropy).await?;
        }
        tracing::info!(tenant.id = %tenant.id, recovery.id = %recovery.id, "recovery carried out");
        Ok(())
    }

    async fn reset(
        &self,
        grant: &Grant,
        recovery: &Recovery,
        tenant: &Tenant,
        user: Option<User>,
    ) -> Result<Option<Stage>, Problem> {
        let Some(user) = user.filter(User::is_active_super_admin) else {
            return Ok(Some(Stage::Moot));
        };
        let identity = match user.identity {
            Some(id) => self.table.identity(id).await?,
            None => None,
        };
        let enrolled = identity.filter(|identity| identity.second_factor.is_some());
        let Some(identity) = enrolled else { return Ok(Some(Stage::Moot)) };
        let memberships = self.table.memberships(identity.id).await?;
        let elsewhere = reset::elsewhere(&self.table, &memberships, &user).await?;
        let reset = Reset {
            table: &self.table,
            post: &self.post,
            grant,
            user: &user,
            identity: &identity,
            memberships: &memberships,
            now: self.clock.now(),
        };
        if elsewhere.is_empty() {
            let beside = ended(recovery, &recovery.at(Stage::Done))?;
            return if reset.at_once(beside).await? { Ok(None) } else { Err(busy()) };
        }
        // What other companies require of the person is not this one's: the person has to agree.
        if reset.offer(&tenant.company).await? { Ok(Some(Stage::Done)) } else { Err(busy()) }
    }

    async fn appoint(
        &self,
        grant: &Grant,
        recovery: &Recovery,
        tenant: &Tenant,
        appointee: &Appointee,
    ) -> Result<Option<Stage>, Problem> {
        let present = match self.table.user_at(tenant.id, &appointee.email).await? {
            Some(id) => self.table.user(tenant.id, id).await?,
            None => None,
        };
        let (now, entropy) = (self.clock.now(), self.entropy.as_ref());
        let (company, language) = (&tenant.company, tenant.language);
        let desk = Inviter { post: &self.post, company, language, now };
        let about = |user: &User| {
            let entry = Entry::about("user", &user.id).set("role", Role::SuperAdmin.name());
            entry.personal("email", user.email.as_str())
        };
        let Some(before) = present else {
            let guest = desk.guest(&self.table, &appointee.email).await?;
            let (invited, new) = (Some(guest.invited()), new_user(appointee));
            let user = User::new(tenant.id, new, Source::Manual, invited, now, entropy);
            let (invite, mail) = desk.invite(guest, &user).await?;
            let (entry, member) = (about(&user), NewMember { user, invite: Some(invite) });
            let beside = ended(recovery, &recovery.at(Stage::Done))?;
            let done = self.table.create_user(grant, &entry, member, beside, now, entropy).await;
            return match done {
                Ok(()) => {
                    self.post.ring(mail).await;
                    Ok(None)
                }
                Err(NotWritten::Limit) => Ok(Some(Stage::Moot)),
                Err(NotWritten::Store(error)) => Err(error.into()),
                Err(_) => Err(busy()),
            };
        };
        if before.is_active_super_admin() {
            return Ok(Some(Stage::Done));
        }
        let invited = before.status == Status::Invited;
        let active = if invited { None } else { Some(true) };
        let wanted = Wanted { role: Some(Role::SuperAdmin), active, ..Wanted::default() };
        let Ok((after, moves)) = before.wanted(&wanted) else { return Ok(Some(Stage::Moot)) };
        let mut after = User { two_factor_required: true, ..after };
        let entry = about(&before);
        if !invited && moves != Move::Enters {
            let (users, person) = ((&before, &after), PersonMove::Stays);
            let done = self.table.change_user(grant, &entry, users, person, now, entropy).await;
            return settle(done);
        }
        // A new link: the one before may be over, or was for another role.
        let guest = desk.guest(&self.table, &before.email).await?;
        let (identity, link) = guest.invited();
        (after.identity, after.invitation) = (Some(identity), Some(link));
        let (invite, mail) = desk.invite(guest, &after).await?;
        let (users, person) = ((&before, &after), PersonMove::Enters(invite));
        let done = self.table.change_user(grant, &entry, users, person, now, entropy).await;
        let stage = settle(done)?;
        self.post.ring(mail).await;
        Ok(stage)
    }
}

fn settle(done: Result<(), NotWritten>) -> Result<Option<Stage>, Problem> {
    match done {
        Ok(()) => Ok(Some(Stage::Done)),
        Err(NotWritten::Store(error)) => Err(error.into()),
        Err(_) => Err(busy()),
    }
}

fn settled(recovery: &Recovery, stage: Stage) -> Entry {
    entry(recovery).changed("stage", recovery.stage.name(), stage.name())
}

fn new_user(appointee: &Appointee) -> NewUser {
    NewUser {
        first_name: appointee.first_name.clone(),
        last_name: appointee.last_name.clone(),
        email: appointee.email.clone(),
        mobile: Some(appointee.mobile.clone()),
        phone: None,
        role: Role::SuperAdmin,
        two_factor_required: true,
    }
}

fn busy() -> Problem {
    Problem::busy("Somebody is changing the same person; the next sweep tries again.")
}
