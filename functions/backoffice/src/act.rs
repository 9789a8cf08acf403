//! The sweep: carries out the recoveries whose day is over.

use crate::App;
use crate::recoveries::Company;
use belfry_api::Problem;
use belfry_domain::account::{Role, Source, Status, Tenant, User};
use belfry_domain::attribute::UserAttributes;
use belfry_domain::audit::Entry;
use belfry_domain::id::{OutboxId, UserId};
use belfry_domain::mail::Letter;
use belfry_domain::policy::{self, Grant};
use belfry_domain::recovery::{Appointee, Recovery, Remedy, Stage};
use belfry_domain::users::{Move, NewUser, Wanted};
use belfry_runtime::invite::{Inviter, lost};
use belfry_runtime::log::whole;
use belfry_runtime::post::reader;
use belfry_runtime::reset::{self, Reset};
use belfry_store::recoveries::ended;
use belfry_store::transaction::Transaction;
use belfry_store::users::{NewMember, NotWritten, PersonMove};
use jiff::Timestamp;

impl App {
    /// How many were due, and how many of them failed and are tried again by the next sweep.
    pub(crate) async fn sweep(&self) -> Result<(usize, usize), Problem> {
        let due = self.table.due_recoveries(self.clock.now()).await?;
        let (all, mut failed) = (due.len(), 0);
        for recovery in due {
            let done = match &recovery {
                Ok(recovery) => self
                    .act(recovery)
                    .await
                    .map_err(|problem| problem.internal.unwrap_or(problem.detail)),
                Err(error) => Err(whole(error)),
            };
            if let Err(cause) = done {
                failed += 1;
                let recovery = recovery.ok().map(|recovery| recovery.id.to_string());
                tracing::error!(recovery.id = recovery, cause, "recovery not carried out");
            }
        }
        Ok((all, failed))
    }

    /// Carries one out, if nobody has stopped it and it is needed still.
    async fn act(&self, due: &Recovery) -> Result<(), Problem> {
        // As it stands: the index lags behind.
        let found = self.table.recovery(due.tenant, due.id).await?;
        let Some(recovery) = found else { return Ok(()) };
        let Some(grant) = policy::act(&recovery, self.clock.now()) else { return Ok(()) };
        let company = Company::of(self, recovery.tenant).await?;
        let (recovery, now) = (&recovery, self.clock.now());
        let work = Work { app: self, recovery, company: &company, grant: &grant, now };
        let done = match &recovery.remedy {
            Remedy::ResetTwoFactor { user } => work.reset(*user).await?,
            Remedy::Appoint(appointee) => work.appoint(appointee).await?,
            Remedy::Appointed { .. } => false,
        };
        if !done {
            work.give_up().await?;
        }
        tracing::info!(tenant.id = %recovery.tenant, recovery.id = %recovery.id, done, "recovery ended");
        Ok(())
    }
}

/// A recovery whose day is over.
#[derive(Clone, Copy)]
struct Work<'a> {
    app: &'a App,
    recovery: &'a Recovery,
    company: &'a Company,
    grant: &'a Grant,
    now: Timestamp,
}

impl Work<'_> {
    /// Writes that it has ended, and the mail that says so to the registered address: to be written beside
    /// what it does.
    fn end(self, stage: Stage) -> Result<(Transaction, OutboxId), Problem> {
        let Tenant { company, registered_email, language, .. } = &self.company.tenant;
        let letter = Letter::RecoveryEnded { company: company.clone(), stage };
        let (to, now) = (registered_email, self.now);
        let (mail, item) = self.app.post.notice(to, *language, letter, now)?;
        Ok((ended(self.recovery, &self.recovery.ended(stage))?.create(item), mail))
    }

    /// Ends it with nothing done.
    async fn give_up(self) -> Result<(), Problem> {
        let (now, entropy) = (self.now, self.app.entropy.as_ref());
        let entry =
            self.recovery.record().changed("stage", self.recovery.stage.name(), Stage::Moot.name());
        let (writes, mail) = self.end(Stage::Moot)?;
        if !self.app.table.end_recovery(self.grant, &entry, writes, now, entropy).await? {
            return Err(busy());
        }
        self.app.post.ring(mail).await;
        Ok(())
    }

    /// False when it is not needed any more: others can help, or the super admin has logged in since.
    async fn reset(self, user: UserId) -> Result<bool, Problem> {
        let Self { app, recovery, company, grant, .. } = self;
        let needed = company.able().all(|other| other.id == user);
        let target = company.super_admins().find(|super_admin| super_admin.id == user);
        let since = recovery.announced_at();
        let target = target.filter(|user| user.last_login_at.is_none_or(|at| at < since));
        let Some(user) = target.filter(|_| needed) else { return Ok(false) };
        let identity = match user.identity {
            Some(id) => app.table.identity(id).await?,
            None => None,
        };
        let enrolled = identity.filter(|identity| identity.second_factor.is_some());
        let Some(identity) = enrolled else { return Ok(false) };
        let memberships = app.table.memberships(identity.id).await?;
        let elsewhere = reset::elsewhere(&app.table, &memberships, user).await?;
        let reset = Reset {
            table: &app.table,
            post: &app.post,
            grant,
            user,
            identity: &identity,
            memberships: &memberships,
            recovery: Some(recovery.id),
            now: self.now,
        };
        let (beside, mail) = self.end(Stage::Done)?;
        // What other companies require of the person is not this one's: the person has to agree.
        let done = if elsewhere.is_empty() {
            reset.at_once(beside).await?
        } else {
            reset.offer(&company.tenant.company, beside).await?
        };
        self.settled(done, &[mail]).await
    }

    /// False when it is not needed any more: there are super admins enough, or it is one by now; or when
    /// the tenant has no room for another user.
    async fn appoint(self, appointee: &Appointee) -> Result<bool, Problem> {
        let Self { app, company, .. } = self;
        if company.able().count() > 1 {
            return Ok(false);
        }
        let present = match app.table.user_at(company.tenant.id, &appointee.email).await? {
            Some(id) => app.table.user(company.tenant.id, id).await?,
            None => None,
        };
        match present {
            None => self.add(appointee).await,
            Some(user) if user.is_active_super_admin() => Ok(false),
            Some(user) => self.promote(&user).await,
        }
    }

    async fn add(self, appointee: &Appointee) -> Result<bool, Problem> {
        let Self { app, company, grant, .. } = self;
        let (now, entropy) = (self.now, app.entropy.as_ref());
        let desk = self.desk();
        let guest = desk.guest(&app.table, &appointee.email).await?;
        let (invited, new) = (Some(guest.invited()), new_user(appointee));
        let user = User::new(company.tenant.id, new, Source::Manual, invited, now, entropy);
        // The one that the announcement is about, so that an erasure finds that too.
        let taken = app.table.user(company.tenant.id, appointee.user).await?.is_some();
        let user = if taken { user } else { User { id: appointee.user, ..user } };
        let (invite, invitation) = desk.invite(guest, &user).await?;
        let entry = self.about(&user).set("role", user.role.name());
        let (beside, mail) = self.end(Stage::Done)?;
        let member = NewMember { user, invite: Some(invite) };
        match app.table.create_user(grant, &entry, member, beside, now, entropy).await {
            Ok(_) => self.settled(true, &[invitation, mail]).await,
            Err(NotWritten::Limit) => Ok(false),
            Err(NotWritten::Store(error)) => Err(error.into()),
            Err(_) => Err(busy()),
        }
    }

    /// The company has a user with the address.
    async fn promote(self, before: &User) -> Result<bool, Problem> {
        let Self { app, grant, .. } = self;
        let (now, entropy) = (self.now, app.entropy.as_ref());
        let invited = before.status == Status::Invited;
        let active = if invited { None } else { Some(true) };
        let wanted = Wanted { role: Some(Role::SuperAdmin), active, ..Wanted::default() };
        // One whom the directory deactivated stays so.
        let Ok((after, moves)) = before.wanted(&wanted) else { return Ok(false) };
        let after = if after.version == before.version { before.changed() } else { after };
        let mut after = User { two_factor_required: true, ..after };
        let entry = self
            .about(before)
            .changed("role", before.role.name(), after.role.name())
            .changed("status", before.status.name(), after.status.name())
            .changed("two_factor_required", before.two_factor_required, true);
        let (mut beside, mail) = self.end(Stage::Done)?;
        let mut mails = vec![mail];
        let person = if invited || moves == Move::Enters {
            // A new link: the one before may be over, or was for another role.
            let desk = self.desk();
            let guest = desk.guest(&app.table, &before.email).await?;
            let (identity, link) = guest.invited();
            (after.identity, after.invitation) = (Some(identity), Some(link));
            let (invite, invitation) = desk.invite(guest, &after).await?;
            mails.push(invitation);
            PersonMove::Enters(invite)
        } else {
            if let Some(id) = before.identity.filter(|_| !before.two_factor_required) {
                let person = app.table.identity(id).await?.ok_or_else(|| lost(id))?;
                let letter = Letter::TwoFactorEnabled(reader(before));
                let (told, item) = app.post.notice(&person.email, person.language, letter, now)?;
                beside = beside.create(item);
                mails.push(told);
            }
            PersonMove::Stays
        };
        let (users, person) = ((before, &after), (person, beside));
        match app.table.change_user(grant, &entry, users, person, now, entropy).await {
            Ok(_) => self.settled(true, &mails).await,
            Err(NotWritten::Store(error)) => Err(error.into()),
            Err(_) => Err(busy()),
        }
    }

    /// It was written, with its end and these mails.
    async fn settled(self, done: bool, mails: &[OutboxId]) -> Result<bool, Problem> {
        if !done {
            return Err(busy());
        }
        for mail in mails {
            self.app.post.ring(*mail).await;
        }
        Ok(true)
    }

    const fn desk(&self) -> Inviter<'_> {
        let Tenant { company, language, .. } = &self.company.tenant;
        Inviter { post: &self.app.post, company, language: *language, now: self.now }
    }

    fn about(self, user: &User) -> Entry {
        let entry = Entry::about("user", &user.id).set("recovery", self.recovery.id.to_string());
        entry.personal("email", user.email.as_str())
    }
}

fn new_user(appointee: &Appointee) -> NewUser {
    NewUser {
        first_name: appointee.first_name.clone(),
        last_name: appointee.last_name.clone(),
        email: appointee.email.clone(),
        mobile: Some(appointee.mobile.clone()),
        phone: None,
        attributes: UserAttributes::new(),
        role: Role::SuperAdmin,
        two_factor_required: true,
    }
}

fn busy() -> Problem {
    Problem::busy("Somebody is changing the same person; the next sweep tries again.")
}
