//! Work on all users of a directory, portion by portion: it goes on where it is, whoever does it.

use super::groups::Batch;
use super::step::Step;
use super::{Failed, LOOKS, Registrar, Worker, faster};
use belfry_domain::account::Tenant;
use belfry_domain::audit::Entry;
use belfry_domain::directory::engine::Conflict;
use belfry_domain::directory::entry::DirectoryUser;
use belfry_domain::directory::provider::{Fate, Provider, Task};
use belfry_domain::directory::sync::{Summary, SyncRun};
use belfry_domain::policy::Grant;
use belfry_store::transaction::Transaction;

/// Users that are looked at together.
const PORTION: i32 = 25;

/// What some work did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ran {
    /// Users that it looked at.
    pub done: u32,
    /// Users that changed.
    pub changed: u32,
}

/// Goes on with the work on the provider's users to its end, unless another worker took it over.
///
/// # Errors
/// [`Failed`]; what is done stays done.
pub(super) async fn work(
    worker: &Worker<'_>,
    tenant: &Tenant,
    provider: &Provider,
) -> Result<Ran, Failed> {
    let Worker { table, post, clock, .. } = worker;
    let mut all = Ran::default();
    let Some(work) = &provider.work else { return Ok(all) };
    let task = work.task;
    let mut lent = provider.lent(clock.now());
    let Some(grant) = worker.lend(tenant, provider, &lent).await? else { return Ok(all) };
    loop {
        let provider = &lent;
        let registrar = Registrar::new(table, post, (tenant, provider), clock.now());
        let after = provider.work.as_ref().and_then(|work| work.walk.after.clone());
        let place = registrar.place();
        let (page, more) =
            table.kept_page::<DirectoryUser>(place, after.as_deref(), PORTION).await?;
        let last = page.last().map(|(sk, _)| sk.clone());
        let entries: Vec<_> = page.into_iter().map(|(_, entry)| entry).collect();
        let ran = registrar.portion(&grant, task, &entries).await?;
        all.done += ran.done;
        all.changed += ran.changed;
        let next = provider.walked((ran.done, ran.changed), last.or(after), clock.now());
        if !table.keep_provider(provider, &next, post.entropy.as_ref()).await? {
            return Ok(all);
        }
        if !more {
            registrar.end(&grant, task, &next).await?;
            return Ok(all);
        }
        lent = next;
    }
}

impl Registrar<'_> {
    async fn end(&self, grant: &Grant, task: Task, provider: &Provider) -> Result<(), Failed> {
        let entropy = self.post.entropy.as_ref();
        match task {
            // That reads first: see `pull`.
            Task::Pull { .. } => {}
            Task::Apply => {
                let Some(work) = &provider.work else { return Ok(()) };
                let summary = Summary::of_walk(work, self.now);
                let run = SyncRun { summary: summary.clone(), problems: Vec::new() };
                self.table.end_sync(provider, &provider.done(summary), &run, entropy).await?;
            }
            Task::Remove(fate) => {
                self.table.forget_directory(self.place()).await?;
                let entry = Entry::about("identity_provider", &provider.id)
                    .set("name", provider.settings.name.as_str())
                    .set("users", fate.name())
                    .set("gone", true);
                let at = (self.now, entropy);
                self.table.forget_provider((grant, &entry), provider, at).await?;
            }
        }
        Ok(())
    }

    async fn portion(
        &self,
        grant: &Grant,
        task: Task,
        entries: &[DirectoryUser],
    ) -> Result<Ran, Failed> {
        let mut ran = Ran { done: u32::try_from(entries.len()).unwrap_or(u32::MAX), changed: 0 };
        let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
        for _ in 0..LOOKS {
            // Anew each time: who was done meanwhile is not done again.
            let entries = self.table.kept_by_id::<DirectoryUser>(self.place(), &ids).await?;
            let known = self.known(&entries, None).await?;
            let (mut batch, mut all) = (Batch::default(), true);
            for entry in &entries {
                let step = match task {
                    Task::Apply | Task::Pull { .. } => {
                        self.lenient_step(entry, entry.clone(), &known).await
                    }
                    Task::Remove(Fate::KeepAsManual) => Ok(Self::release(entry, &known)),
                    Task::Remove(Fate::Archive) => match self.removal(entry, &known).await {
                        // No directory's end is a super admin's.
                        Err(Failed::Conflict(Conflict::SuperAdmin)) => {
                            Ok(Self::release(entry, &known))
                        }
                        done => done,
                    },
                };
                let step = match step {
                    Ok(step) => step,
                    // One who cannot be as the directory says, or be invited now, keeps nobody else.
                    Err(Failed::Conflict(_) | Failed::Scim(_) | Failed::NotNow(_)) => continue,
                    Err(error) => return Err(error),
                };
                if step.is_nothing() {
                    continue;
                }
                if !batch.has_room(&step) {
                    all &= self.walked(grant, &mut batch, &mut ran).await?;
                }
                batch.push(step, Transaction::new(), true);
            }
            if !batch.steps.is_empty() {
                all &= self.walked(grant, &mut batch, &mut ran).await?;
            }
            if all {
                return Ok(ran);
            }
        }
        Err(Failed::Busy)
    }

    async fn walked(
        &self,
        grant: &Grant,
        batch: &mut Batch,
        ran: &mut Ran,
    ) -> Result<bool, Failed> {
        let steps: Vec<Step> = std::mem::take(batch).steps;
        let users: Vec<String> =
            steps.iter().filter_map(|step| Some(step.user.as_ref()?.id.to_string())).collect();
        let entry = Entry::about("identity_provider", &self.provider.id).set("users", users);
        if !faster(self.commit((grant, &entry), &steps, Transaction::new()).await)? {
            return Ok(false);
        }
        ran.changed += u32::try_from(steps.len()).unwrap_or(u32::MAX);
        Ok(true)
    }
}
