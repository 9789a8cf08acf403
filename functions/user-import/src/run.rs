//! One import, from where it stands to its end.

use crate::App;
use belfry_api::Problem;
use belfry_domain::account::{Source, Tenant, User};
use belfry_domain::audit::Entry;
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{ImportId, OutboxId, TenantId};
use belfry_domain::import::{
    Counts, Import, Judged, LEASE, Mode, Otherwise, Outcome, Stage, Verdict, batches, by_itself,
    in_tenant, is_refused, verdicts,
};
use belfry_domain::mail::Letter;
use belfry_domain::policy::{self, Grant};
use belfry_domain::user_csv::{Fault, Row};
use belfry_domain::users::NewUser;
use belfry_runtime::invite::Inviter;
use belfry_runtime::post::reader;
use belfry_store::StoreError;
use belfry_store::imports::Progress;
use belfry_store::throttle::NotNow;
use belfry_store::users::{NewMember, NotWritten};
use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ran {
    /// Rows that it settled.
    pub rows: u32,
}

/// Why an import has to come again.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The table or the key service did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A mail could not be prepared.
    #[error("{0}")]
    Mail(String),
    /// Others kept changing the same users.
    #[error("batch {0} kept changing")]
    Busy(usize),
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Mail(problem.internal.unwrap_or(problem.detail))
    }
}

/// Rivals at the same rows: how often to look again.
const LOOKS: usize = 10;

/// An import in a worker's hands.
struct Run<'a> {
    app: &'a App,
    import: Import,
    importer: User,
    tenant: Tenant,
    now: Timestamp,
    rows: Vec<Row>,
    judged: Vec<Judged>,
    /// What all rows were with the tenant when one was refused, and so all are.
    refusing: Option<Vec<Judged>>,
    /// Leave to go on; none when who asked may no longer.
    grant: Option<Grant>,
}

impl App {
    /// Goes on with an import from where it stands. Does nothing when it has ended, or another worker
    /// has it.
    ///
    /// # Errors
    /// [`Failed`]; what is settled stays settled.
    pub async fn run(&self, tenant: TenantId, id: ImportId) -> Result<Ran, Failed> {
        let Some(Progress { import, settled }) = self.table.import_progress(tenant, id).await?
        else {
            return Ok(Ran::default());
        };
        if import.stage.end().is_none() {
            return Ok(Ran::default());
        }
        let lent = Import { due_at: self.clock.now() + LEASE, ..import.changed() };
        if !self.table.advance_import(&import, &lent, None, self.entropy.as_ref()).await? {
            return Ok(Ran::default());
        }
        let mut run = Run::of(self, lent).await?;
        run.decide().await?;
        let done: BTreeSet<usize> = settled.iter().map(|(batch, _)| *batch).collect();
        let mut ran = Ran::default();
        for (number, range) in batches(&run.judged).into_iter().enumerate() {
            if !done.contains(&number) {
                ran.rows += u32::try_from(range.len()).unwrap_or(u32::MAX);
                run.settle(number, range).await?;
            }
        }
        run.finish().await?;
        Ok(ran)
    }
}

/// Whose invitation was counted, and whether it may be sent.
type Counted = BTreeMap<EmailAddress, bool>;

impl<'a> Run<'a> {
    async fn of(app: &'a App, import: Import) -> Result<Self, Failed> {
        let lost = || StoreError::corrupt(import.id.to_string(), "an import of nobody");
        let importer = app.table.user(import.tenant, import.by).await?.ok_or_else(lost)?;
        let tenant = app.table.tenant(import.tenant).await?.ok_or_else(lost)?;
        let rows = app.table.import_rows(import.tenant, import.id).await?;
        let judged = by_itself(&rows, import.role);
        let grant = policy::carry_on(&import, &importer, &tenant);
        let (now, refusing) = (app.clock.now(), None);
        Ok(Self { app, import, importer, tenant, now, rows, judged, refusing, grant })
    }

    /// Decides what is to be done with the rows: once, as what was written changes how they look.
    async fn decide(&mut self) -> Result<(), Failed> {
        let stage = match self.import.stage {
            Stage::Checking | Stage::Importing if self.grant.is_none() => Stage::Stopping,
            Stage::Checking if self.import.mode == Mode::Partial => Stage::Importing,
            Stage::Checking | Stage::Refusing => {
                // All at once, as the limit of users counts over all of them.
                let judged = self.against_tenant(0..self.rows.len()).await?;
                if self.import.stage == Stage::Refusing || is_refused(&judged) {
                    self.refusing = Some(judged);
                    Stage::Refusing
                } else {
                    Stage::Importing
                }
            }
            decided => decided,
        };
        if stage == self.import.stage {
            return Ok(());
        }
        self.advance(Import { stage, ..self.import.changed() }, None).await
    }

    async fn advance(
        &mut self,
        next: Import,
        mail: Option<belfry_store::table::Item>,
    ) -> Result<(), Failed> {
        let entropy = self.app.entropy.as_ref();
        if !self.app.table.advance_import(&self.import, &next, mail, entropy).await? {
            // Another worker took it while this one was slow: it is that one's now.
            return Err(Failed::Busy(0));
        }
        self.import = next;
        Ok(())
    }

    /// What rows are with the tenant as it is now.
    async fn against_tenant(&mut self, range: Range<usize>) -> Result<Vec<Judged>, Failed> {
        let rows = self.judged.get(range).unwrap_or_default();
        let good = rows.iter().flatten();
        let addresses: Vec<_> = good.map(|new| new.email.clone()).collect();
        let table = &self.app.table;
        let present = table.sources_of(self.import.tenant, &addresses).await?;
        if let Some(tenant) = table.tenant(self.import.tenant).await? {
            self.tenant = tenant;
        }
        Ok(in_tenant(rows.to_vec(), &present, self.tenant.users))
    }

    /// Settles a batch.
    async fn settle(&mut self, number: usize, range: Range<usize>) -> Result<(), Failed> {
        let mut counted = Counted::default();
        for _ in 0..LOOKS {
            let (verdicts, members, mails) = match (self.import.stage, &self.refusing) {
                (Stage::Importing, _) => {
                    let judged = self.against_tenant(range.clone()).await?;
                    if self.tenant.suspended_at.is_some() {
                        self.stop().await?;
                        continue;
                    }
                    let judged = self.invited(judged, &mut counted).await?;
                    let (members, mails) = self.members(&judged).await?;
                    (self.verdicts(range.clone(), &judged, Otherwise::Imported), members, mails)
                }
                (_, Some(judged)) => {
                    let judged = judged.get(range.clone()).unwrap_or_default();
                    (
                        self.verdicts(range.clone(), judged, Otherwise::OthersRefused),
                        Vec::new(),
                        Vec::new(),
                    )
                }
                _ => {
                    let judged = self.against_tenant(range.clone()).await?;
                    (
                        self.verdicts(range.clone(), &judged, Otherwise::Stopped),
                        Vec::new(),
                        Vec::new(),
                    )
                }
            };
            match self.write((number, verdicts), members).await {
                Ok(()) => {
                    join_all(mails.into_iter().map(|mail| self.app.post.ring(mail))).await;
                    return Ok(());
                }
                Err(NotWritten::Store(error)) => return Err(error.into()),
                // A row, or who asked for it: both are looked at anew.
                Err(_) => self.still_may().await?,
            }
        }
        Err(Failed::Busy(number))
    }

    fn verdicts(
        &self,
        range: Range<usize>,
        judged: &[Judged],
        otherwise: Otherwise,
    ) -> Vec<Verdict> {
        verdicts(self.rows.get(range).unwrap_or_default(), judged, otherwise)
    }

    /// Stops when who asked may no longer.
    async fn still_may(&mut self) -> Result<(), Failed> {
        let importer = self.app.table.user(self.import.tenant, self.import.by).await?;
        let may =
            importer.and_then(|importer| policy::carry_on(&self.import, &importer, &self.tenant));
        if may.is_some() || self.import.stage != Stage::Importing {
            return Ok(());
        }
        self.stop().await
    }

    async fn stop(&mut self) -> Result<(), Failed> {
        self.grant = None;
        self.advance(Import { stage: Stage::Stopping, ..self.import.changed() }, None).await
    }

    /// Counts the invitations of good rows, each once however often the batch is tried, and refuses
    /// those that are too many.
    async fn invited(
        &self,
        judged: Vec<Judged>,
        counted: &mut Counted,
    ) -> Result<Vec<Judged>, Failed> {
        let (desk, table, tenant) = (self.desk(), &self.app.table, self.import.tenant);
        let goes_on = |counted: Result<(), NotNow>| match counted {
            Ok(()) => Ok(true),
            Err(NotNow::Throttled(_)) => Ok(false),
            Err(NotNow::Store(error)) => Err(error),
        };
        let new = judged.iter().flatten().filter(|new| new.has_console());
        let new: Vec<_> = new.filter(|new| !counted.contains_key(&new.email)).collect();
        if let Some(many) = u32::try_from(new.len()).ok().filter(|many| *many > 0) {
            let may_all = goes_on(desk.count_many(table, tenant, many).await)?;
            let one = |new: &NewUser| {
                let email = new.email.clone();
                async move {
                    let may = may_all && goes_on(desk.count_to(table, tenant, &email).await)?;
                    Ok::<_, StoreError>((email, may))
                }
            };
            counted.extend(try_join_all(new.into_iter().map(one)).await?);
        }
        let throttled = || {
            let detail = "Too many invitations: three an hour to one address, 3,000 a day in all.";
            (Outcome::Refused, vec![Fault::new("Email", "throttled", detail)])
        };
        let one = |row: Judged| {
            let new = row?;
            let may = counted.get(&new.email).is_none_or(|may| *may);
            if may { Ok(new) } else { Err(throttled()) }
        };
        Ok(judged.into_iter().map(one).collect())
    }

    const fn desk(&self) -> Inviter<'_> {
        Inviter {
            post: &self.app.post,
            company: &self.tenant.company,
            language: self.tenant.language,
            now: self.now,
        }
    }

    async fn write(
        &self,
        batch: (usize, Vec<Verdict>),
        members: Vec<NewMember>,
    ) -> Result<(), NotWritten> {
        let (now, entropy) = (self.app.clock.now(), self.app.entropy.as_ref());
        let grant = self.grant.as_ref().filter(|_| !members.is_empty());
        let Some(grant) = grant else {
            return Ok(self.app.table.settle_unwritten(&self.import, batch, entropy).await?);
        };
        let mut entry = Entry::about("import", &self.import.id);
        for NewMember { user, .. } in &members {
            let row = serde_json::json!({
                "user": user.id,
                "role": user.role.name(),
                "two_factor_required": user.two_factor_required,
            });
            entry = entry.set("imported", row);
        }
        self.app.table.settle_batch(grant, &entry, &self.import, batch, members, now, entropy).await
    }

    /// The users that the good rows become, and the mails to ring for when they are.
    async fn members(&self, judged: &[Judged]) -> Result<(Vec<NewMember>, Vec<OutboxId>), Failed> {
        let (app, now, desk) = (self.app, self.now, self.desk());
        let invited: Vec<_> = judged
            .iter()
            .flatten()
            .filter(|new| new.has_console())
            .map(|new| new.email.clone())
            .collect();
        let mut known = app.table.persons_at(&invited).await?;
        let (tenant, entropy) = (self.import.tenant, app.entropy.as_ref());
        let mut plain = Vec::new();
        let mut guests = Vec::new();
        for new in judged.iter().flatten() {
            if new.has_console() {
                let guest = desk.guest_as(known.remove(&new.email), &new.email);
                let invited = Some(guest.invited());
                let user = User::new(tenant, new.clone(), Source::Csv, invited, now, entropy);
                guests.push((user, guest));
            } else {
                let user = User::new(tenant, new.clone(), Source::Csv, None, now, entropy);
                plain.push(NewMember { user, invite: None });
            }
        }
        let letters = guests.into_iter().map(|(user, guest)| async move {
            let (invite, mail) = desk.invite(guest, &user).await?;
            Ok::<_, Problem>((NewMember { user, invite: Some(invite) }, mail))
        });
        let (mut members, mails): (Vec<_>, Vec<_>) =
            try_join_all(letters).await?.into_iter().unzip();
        members.extend(plain);
        Ok((members, mails))
    }

    /// Every row has its verdict: says so to who asked.
    async fn finish(&mut self) -> Result<(), Failed> {
        let progress = self.app.table.import_progress(self.import.tenant, self.import.id).await?;
        let settled = progress.map(|progress| progress.settled).unwrap_or_default();
        let counts = Counts::of(settled.iter().flat_map(|(_, verdicts)| verdicts));
        let Some(stage) = self.import.stage.end() else { return Ok(()) };
        let now = self.app.clock.now();
        let next = Import { stage, finished_at: Some(now), ..self.import.changed() };
        let letter = Letter::ImportFinished {
            reader: reader(&self.importer),
            imported: counts.imported,
            refused: counts.refused,
            skipped: counts.skipped,
        };
        let language = match self.importer.identity {
            Some(id) => self.app.table.identity(id).await?.map(|identity| identity.language),
            None => None,
        };
        // Who is a member no longer hears no more of it.
        let Some(language) = language else { return self.advance(next, None).await };
        let (mail, item) = self.app.post.notice(&self.importer.email, language, letter, now)?;
        self.advance(next, Some(item)).await?;
        self.app.post.ring(mail).await;
        Ok(())
    }
}
