//! Brings the users of a directory that is read to what it says. Nothing is done until it was read to its
//! end, and nothing when too many would leave. Whoever takes the work up again reads it anew, and finds done
//! what is done.

use super::groups::Batch;
use super::reading::read;
use super::step::{Outcome, Step};
use super::{Failed, LOOKS, Ran, Registrar, Worker, faster};
use crate::keys::{SealError, Sealer};
use crate::outbound::{OutboundError, Trace};
use belfry_domain::account::Tenant;
use belfry_domain::audit::Entry;
use belfry_domain::directory::compare::{GroupChange, Plan, Planned, Present, What, compare};
use belfry_domain::directory::entry::{DirectoryGroup, DirectoryUser, Said};
use belfry_domain::directory::ldap::EntryKey;
use belfry_domain::directory::provider::{LdapSource, MOST_ATTEMPTS, Provider};
use belfry_domain::directory::sync::{Counts, Fault, MOST_PROBLEMS, Outcome as End, Problem};
use belfry_domain::directory::sync::{Summary, SyncRun};
use belfry_domain::failure::Failure as _;
use belfry_domain::id::{GroupId, TenantId, UserId};
use belfry_domain::policy::Grant;
use belfry_domain::text::GroupName;
use belfry_store::directories::{Kept, Place};
use belfry_store::keys::Once;
use belfry_store::transaction::Transaction;
use belfry_store::{StoreError, Table};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Users that are looked at together.
const PORTION: usize = 25;
/// Portions after which the progress is kept.
const PORTIONS: usize = 8;
/// Groups that are written together.
const GROUPS: usize = 20;
/// Users of the tenant that are read at once.
const PAGE: i32 = 1_000;

/// The password with which a directory is read.
///
/// # Errors
/// [`SealError`].
pub async fn open_password(key: &dyn Sealer, provider: &Provider) -> Result<String, SealError> {
    let Some(sealed) = &provider.sealed_password else { return Ok(String::new()) };
    let context = provider.sealed_for();
    let context = context.each_ref().map(|(name, value)| (*name, value.as_str()));
    let plain = key.open(sealed, &context).await?;
    String::from_utf8(plain).map_err(|error| SealError::Damaged(Box::new(error)))
}

/// All that a tenant has of a directory, and all its users.
///
/// # Errors
/// [`StoreError`].
pub async fn present(table: &Table, place: Place) -> Result<Present, StoreError> {
    let mut present = Present {
        entries: every(table, place).await?,
        groups: every(table, place).await?,
        users: every_user(table, place.tenant).await?,
    };
    present.groups.retain(Kept::is_there);
    Ok(present)
}

async fn every<T: Kept>(table: &Table, place: Place) -> Result<Vec<T>, StoreError> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (page, more) = table.kept_page::<T>(place, after.as_deref(), i32::MAX).await?;
        after = page.last().map(|(sk, _)| sk.clone()).or(after);
        all.extend(page.into_iter().map(|(_, one)| one));
        if !more {
            return Ok(all);
        }
    }
}

async fn every_user(
    table: &Table,
    tenant: TenantId,
) -> Result<Vec<belfry_domain::account::User>, StoreError> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (page, more) = table.users(tenant, false, after.as_deref(), PAGE).await?;
        after = page.last().map(|(sk, _)| sk.clone()).or(after);
        all.extend(page.into_iter().map(|(_, one)| one));
        if !more {
            return Ok(all);
        }
    }
}

/// What a directory failed with, and at which step.
pub fn fault(trace: &Trace, error: &OutboundError) -> Fault {
    let last = trace.steps().last().filter(|step| step.fault.is_some());
    Fault {
        step: last.map_or("read", |step| step.name.name()).to_owned(),
        code: error.code().to_owned(),
        detail: belfry_api::sentence(&error.to_string()),
    }
}

impl Worker<'_> {
    /// Reads the directory and brings its users to it, unless another worker took that over.
    pub(super) async fn pull(
        &self,
        (tenant, provider): (&Tenant, &Provider),
        source: &LdapSource,
    ) -> Result<Ran, Failed> {
        let lent = provider.lent(self.clock.now());
        let Some(grant) = self.lend(tenant, provider, &lent).await? else {
            return Ok(Ran::default());
        };
        let Some(work) = lent.work.as_ref() else { return Ok(Ran::default()) };
        let end = |outcome, counts| Summary::of(work, outcome, counts, self.clock.now());
        if work.attempts > MOST_ATTEMPTS {
            let detail = format!("It was begun {MOST_ATTEMPTS} times and came to no end.");
            let fault = Fault { step: "sync".into(), code: "interrupted".into(), detail };
            let summary = Summary { fault: Some(fault), ..end(End::Failed, Counts::default()) };
            return self.end(&lent, summary, Vec::new()).await;
        }
        let password = open_password(self.post.sealer.as_ref(), &lent).await?;
        let mut trace = Trace::new(self.clock.clone());
        let snapshot = match read(self.directory, source, &password, &mut trace).await {
            Ok((_, snapshot)) => snapshot,
            Err(error) => {
                let fault = Some(fault(&trace, &error));
                let summary = Summary { fault, ..end(End::Failed, Counts::default()) };
                return self.end(&lent, summary, Vec::new()).await;
            }
        };
        let place = Place { tenant: tenant.id, provider: provider.id };
        let present = present(self.table, place).await?;
        let names = present.groups.iter().map(|group| (group.id, group.name.clone()));
        let mut run = Run {
            worker: self,
            tenant,
            provider: lent.clone(),
            grant,
            ids: present.groups.iter().filter_map(|group| Some((group.key?, group.id))).collect(),
            names: Arc::new(names.collect()),
            counts: Counts::default(),
            problems: Vec::new(),
            bound: BTreeMap::new(),
            ran: Ran::default(),
        };
        let plan = compare(&lent, snapshot, present);
        if plan.leaving.is_too_many(work.task.accepted()) {
            let leaving = Some(plan.leaving);
            let summary = Summary { leaving, ..end(End::Stopped, plan.counts) };
            return self.end(&lent, summary, plan.problems).await;
        }
        if !run.follow(plan).await? {
            return Ok(run.ran);
        }
        let summary = end(End::Completed, run.counts);
        let provider = Provider { bound: run.bound, ..run.provider };
        self.end(&provider, summary, run.problems).await?;
        Ok(run.ran)
    }

    async fn end(
        &self,
        provider: &Provider,
        summary: Summary,
        problems: Vec<Problem>,
    ) -> Result<Ran, Failed> {
        let ran = Ran { done: summary.counts.users, changed: 0 };
        let (outcome, counts) = (summary.outcome, summary.counts);
        let (tenant, id) = (provider.tenant, provider.id);
        let code = summary.fault.as_ref().map(|fault| fault.code.clone());
        tracing::info!(
            tenant.id = %tenant, provider.id = %id, ?outcome, ?counts, code, "directory synced"
        );
        let after = provider.done(summary.clone());
        let run = SyncRun { summary, problems };
        self.table.end_sync(provider, &after, &run, self.post.entropy.as_ref()).await?;
        Ok(ran)
    }
}

/// A sync that goes on.
struct Run<'a> {
    worker: &'a Worker<'a>,
    tenant: &'a Tenant,
    /// As it is kept.
    provider: Provider,
    grant: Grant,
    ids: HashMap<EntryKey, GroupId>,
    names: Arc<HashMap<GroupId, GroupName>>,
    counts: Counts,
    problems: Vec<Problem>,
    bound: BTreeMap<String, EntryKey>,
    ran: Ran,
}

impl Run<'_> {
    /// Does what is planned. False when the provider is another one by then.
    async fn follow(&mut self, plan: Plan) -> Result<bool, Failed> {
        let Plan { groups, steps, problems, counts, bound, .. } = plan;
        (self.counts, self.problems, self.bound) = (counts, problems, bound);
        self.ran.done = counts.users;
        let total = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        // Reading took its time: whoever was taken for silent meanwhile writes nothing.
        if !self.progressed(0, total).await? {
            return Ok(false);
        }
        let (gone, there): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| matches!(group, GroupChange::Delete(_)));
        for part in there.chunks(GROUPS) {
            if !self.groups(part).await? {
                return Ok(false);
            }
        }
        let mut done = 0;
        for portions in steps.chunks(PORTION * PORTIONS) {
            for portion in portions.chunks(PORTION) {
                let Some((changed, failures)) = self.users(portion).await? else {
                    return Ok(false);
                };
                self.ran.changed += changed;
                for (what, problem) in failures {
                    self.failed(what, problem);
                }
                done += u32::try_from(portion.len()).unwrap_or(u32::MAX);
            }
            if !self.progressed(done, total).await? {
                return Ok(false);
            }
        }
        // Nobody is in them any more.
        for part in gone.chunks(GROUPS) {
            if !self.groups(part).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Keeps how far it is. False when the provider is another one by then.
    async fn progressed(&mut self, done: u32, total: u32) -> Result<bool, Failed> {
        let now = self.worker.clock.now();
        let next = self.provider.progressed((done, total), self.ran.changed, now);
        let entropy = self.worker.post.entropy.as_ref();
        let kept = self.worker.table.keep_provider(&self.provider, &next, entropy).await?;
        self.provider = next;
        Ok(kept)
    }

    /// Whether the provider is as it was: else what was refused is not to be tried again.
    async fn stands(&self) -> Result<bool, Failed> {
        let Provider { tenant, id, version, .. } = self.provider;
        let present = self.worker.table.provider(tenant, id).await?;
        Ok(present.is_some_and(|present| present.version == version))
    }

    fn registrar(&self) -> Registrar<'_> {
        let Worker { table, post, clock, .. } = self.worker;
        Registrar::new(table, post, (self.tenant, &self.provider), clock.now())
    }

    fn entry(&self) -> Entry {
        let sync = self.provider.work.as_ref().map(|work| work.id.to_string());
        Entry::about("identity_provider", &self.provider.id).set("sync", sync)
    }

    /// Writes what becomes of some groups. False when the provider is another one by then.
    async fn groups(&mut self, changes: &[GroupChange]) -> Result<bool, Failed> {
        let registrar = self.registrar();
        let (place, now) = (registrar.place(), registrar.now);
        let mut writes = Transaction::new();
        let mut said: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut named = Vec::new();
        for change in changes {
            let (what, name) = match change {
                GroupChange::Create(key, name) => {
                    let id = GroupId::new(now, self.worker.post.entropy.as_ref());
                    let group = DirectoryGroup {
                        id,
                        tenant: place.tenant,
                        provider: place.provider,
                        key: Some(*key),
                        name: name.clone(),
                        resource: String::new(),
                        deleted: false,
                        telling: None,
                        created_at: now,
                        modified_at: now,
                        version: 1,
                    };
                    writes = writes.and(place.writes(None, Some(&group))?);
                    named.push((*key, id, name.clone()));
                    ("groups_created", name)
                }
                GroupChange::Rename(before, name) => {
                    let after = DirectoryGroup { name: name.clone(), ..before.changed(now) };
                    writes = writes.and(place.writes(Some(before), Some(&after))?);
                    named.extend(before.key.map(|key| (key, before.id, name.clone())));
                    ("groups_renamed", name)
                }
                GroupChange::Delete(before) => {
                    writes = writes.and(place.writes(Some(before), None)?);
                    ("groups_deleted", &before.name)
                }
            };
            said.entry(what).or_default().push(name.as_str().to_owned());
        }
        let entry =
            said.into_iter().fold(self.entry(), |entry, (what, names)| entry.set(what, names));
        if !faster(registrar.commit((&self.grant, &entry), &[], writes).await)? {
            // Another worker wrote them: whoever takes it up again reads what there is.
            return if self.stands().await? { Err(Failed::Busy) } else { Ok(false) };
        }
        for (key, id, name) in named {
            self.ids.insert(key, id);
            Arc::make_mut(&mut self.names).insert(id, name);
        }
        Ok(true)
    }

    /// Brings some users to what the directory says of them: how many changed, and who could not. None when
    /// the provider is another one by then.
    async fn users(
        &self,
        portion: &[Planned],
    ) -> Result<Option<(u32, Vec<(What, Problem)>)>, Failed> {
        // One for all looks: who is invited is counted once.
        let registrar = self.registrar();
        let mut open: Vec<&Planned> = portion.iter().collect();
        let (mut changed, mut failures) = (0, Vec::new());
        for attempt in 0..LOOKS {
            let befores =
                if attempt == 0 { None } else { Some(self.again(&registrar, &open).await?) };
            let before = |one: &Planned| match &befores {
                None => one.before.clone(),
                Some(all) => all.get(&one.key).cloned(),
            };
            let entries: Vec<_> = open.iter().filter_map(|one| before(one)).collect();
            let comes =
                |one: &&Planned| matches!(one.what, What::Create | What::Adopt | What::Replace);
            let addresses = open.iter().copied().filter(comes);
            let addresses: Vec<_> = addresses.map(|one| one.person.email.clone()).collect();
            let known = registrar.known_of(&entries, self.names.clone(), &addresses).await?;
            let (mut batch, mut whats, mut late) = (Batch::default(), Vec::new(), Vec::new());
            for one in open {
                let before = before(one);
                let after = self.after(one, before.as_ref(), &registrar);
                let step = match registrar.step(before.as_ref(), after, &known).await {
                    Ok(step) => step,
                    Err(error) => {
                        failures.push((one.what, problem(one, error)?));
                        continue;
                    }
                };
                if step.is_nothing() {
                    continue;
                }
                if !batch.has_room(&step) {
                    changed += self.flush(&registrar, &mut batch, &mut whats, &mut late).await?;
                }
                whats.push(one);
                batch.push(step, Transaction::new(), true);
            }
            changed += self.flush(&registrar, &mut batch, &mut whats, &mut late).await?;
            if late.is_empty() {
                return Ok(Some((changed, failures)));
            }
            if !self.stands().await? {
                return Ok(None);
            }
            open = late;
        }
        Err(Failed::Busy)
    }

    /// What is there of users who were another by the time that they were to be written.
    async fn again(
        &self,
        registrar: &Registrar<'_>,
        open: &[&Planned],
    ) -> Result<HashMap<EntryKey, DirectoryUser>, Failed> {
        let mut ids = Vec::new();
        for one in open {
            let id = if let Some(before) = &one.before {
                Some(before.id)
            } else {
                let key = one.key.to_string();
                let once = Once::UserExternalId(&key);
                let taken = registrar.table.taken_by(registrar.place(), once).await?;
                taken.and_then(|id| id.parse::<UserId>().ok())
            };
            ids.extend(id);
        }
        let found = registrar.table.kept_by_id::<DirectoryUser>(registrar.place(), &ids).await?;
        Ok(found.into_iter().filter_map(|entry| Some((entry.key()?, entry))).collect())
    }

    /// The user as the directory has it now.
    fn after(
        &self,
        one: &Planned,
        before: Option<&DirectoryUser>,
        registrar: &Registrar<'_>,
    ) -> DirectoryUser {
        let now = registrar.now;
        let base = before.map_or_else(
            || {
                let id = UserId::new(now, registrar.post.entropy.as_ref());
                let said = Said::Resource(String::new());
                let groups = BTreeSet::new();
                DirectoryUser {
                    id,
                    user: id,
                    said,
                    groups,
                    created_at: now,
                    modified_at: now,
                    version: 0,
                }
            },
            Clone::clone,
        );
        let said = Said::Entry { key: one.key, person: Box::new(one.person.clone()) };
        let groups = one.groups.iter().filter_map(|key| self.ids.get(key).copied()).collect();
        if before.is_some() && base.said == said && base.groups == groups {
            return base;
        }
        DirectoryUser { said, groups, ..base.changed(now) }
    }

    /// Writes a batch: how many changed; whom somebody else changed meanwhile comes again.
    async fn flush<'p>(
        &self,
        registrar: &Registrar<'_>,
        batch: &mut Batch,
        whats: &mut Vec<&'p Planned>,
        late: &mut Vec<&'p Planned>,
    ) -> Result<u32, Failed> {
        let steps: Vec<Step> = std::mem::take(batch).steps;
        let of = std::mem::take(whats);
        if steps.is_empty() {
            return Ok(0);
        }
        let mut said: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (one, step) in of.iter().zip(&steps) {
            let user = match &step.outcome {
                Outcome::Added(user) | Outcome::Replaced(_, user) => Some(user.as_ref()),
                _ => step.user.as_ref(),
            };
            said.entry(past(one.what)).or_default().extend(user.map(|user| user.id.to_string()));
        }
        let entry = said.into_iter().fold(self.entry(), |entry, (what, ids)| entry.set(what, ids));
        let count = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        if faster(registrar.commit((&self.grant, &entry), &steps, Transaction::new()).await)? {
            return Ok(count);
        }
        late.extend(of);
        Ok(0)
    }

    /// Notes that one of those that were planned could not be.
    fn failed(&mut self, what: What, problem: Problem) {
        let count = what.count(&mut self.counts);
        *count = count.saturating_sub(1);
        self.counts.conflicts += 1;
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        }
    }
}

const fn past(what: What) -> &'static str {
    match what {
        What::Create => "created",
        What::Adopt => "adopted",
        What::Change => "changed",
        What::Deactivate => "deactivated",
        What::Replace => "replaced",
    }
}

/// What keeps one user from being as the directory says, and nobody else.
fn problem(one: &Planned, error: Failed) -> Result<Problem, Failed> {
    let (code, detail) = match &error {
        Failed::Conflict(conflict) => (conflict.code().to_owned(), conflict.to_string()),
        Failed::NotNow(not_now) => (not_now.code().to_owned(), not_now.to_string()),
        _ => return Err(error),
    };
    Ok(Problem { who: one.person.email.as_str().to_owned(), code, detail })
}
