//! Imports of users: what was sent in, how far it is, and the batches that are written.

use crate::accounts::{Address, TenantAddress, held};
use crate::changes::{Effects, Thing};
use crate::due;
use crate::entity::{self, Entity};
use crate::keys::{self, Due};
use crate::table::{Item, StoreError, Table};
use crate::transaction::{Refused, Transaction, number, text};
use crate::users::{NewMember, NotWritten, counted};
use belfry_domain::account::{Identity, Source, User};
use belfry_domain::audit::Entry;
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{IdentityId, ImportId, TenantId, UserId};
use belfry_domain::import::{Import, KEPT, Verdict};
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use belfry_domain::tag::catalogue::Catalogue;
use belfry_domain::tag::marks::{Counts, Marks};
use belfry_domain::user_csv::Row;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Rows of one item: with the longest row, far below the 400 KB of an item.
const ROWS_OF_ITEM: usize = 200;
/// Bytes of JSON of one item's rows.
const BYTES_OF_ITEM: usize = 300_000;

#[derive(Serialize, Deserialize)]
struct StoredRows {
    rows: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct StoredVerdicts {
    verdicts: Vec<Verdict>,
}

impl Entity for Import {
    const TYPE: &'static str = "import";
}
impl Entity for StoredRows {
    const TYPE: &'static str = "import_rows";
}
impl Entity for StoredVerdicts {
    const TYPE: &'static str = "import_verdicts";
}

/// How far an import is: itself, and the verdicts of the batches that are settled, by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The import.
    pub import: Import,
    /// Batch by batch.
    pub settled: Vec<(usize, Vec<Verdict>)>,
}

impl Table {
    /// Keeps an import that is asked for: its rows first, and last itself with its record and what is
    /// to be written `beside`, so that what a crash leaves behind is nothing but rows that expire. False
    /// when the condition of what is beside does not hold.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn start_import(
        &self,
        grant: &Grant,
        entry: &Entry,
        import: &Import,
        rows: Vec<Row>,
        beside: Transaction,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let until = import.created_at.checked_add(KEPT).unwrap_or(import.created_at);
        let parts = parts(rows).into_iter().enumerate().map(|(part, rows)| {
            let key = keys::import_rows(import.tenant, import.id, part);
            entity::expiring(&key, &StoredRows { rows }, until)
        });
        entity::put_many(self, parts.collect::<Result<_, _>>()?).await?;
        let change = Transaction::new().create(import_item(import)?).and(beside);
        held(self.commit(grant, entry, change, import.created_at, entropy).await)
    }

    /// An import. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn import(
        &self,
        tenant: TenantId,
        id: ImportId,
    ) -> Result<Option<Import>, StoreError> {
        entity::get(self, &keys::import(tenant, id)).await
    }

    /// An import's rows. One strong query a MB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn import_rows(
        &self,
        tenant: TenantId,
        id: ImportId,
    ) -> Result<Vec<Row>, StoreError> {
        let range = (keys::ROWS.to_owned(), format!("{}~", keys::ROWS));
        let partition = keys::import_partition(tenant, id);
        let found = entity::query::<StoredRows>(self, &partition, Some(range), true).await?;
        Ok(found.into_iter().flat_map(|(_, stored)| stored.rows).collect())
    }

    /// How far an import is; none when there is none. One strong query: 1 RRU for 4 KB of verdicts,
    /// of which 1,000 good rows have 40 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn import_progress(
        &self,
        tenant: TenantId,
        id: ImportId,
    ) -> Result<Option<Progress>, StoreError> {
        // The job first: verdicts that are settled meanwhile are there, and none is missing of an
        // import that had ended.
        let Some(import) = self.import(tenant, id).await? else { return Ok(None) };
        let range = (keys::VERDICTS.to_owned(), format!("{}~", keys::VERDICTS));
        let partition = keys::import_partition(tenant, id);
        let found = entity::query::<StoredVerdicts>(self, &partition, Some(range), true).await?;
        let settled = found.into_iter().map(|(sk, stored)| {
            let batch = sk.strip_prefix(keys::VERDICTS).and_then(|batch| batch.parse().ok());
            let damaged = || StoreError::corrupt(&partition, "verdicts of no batch");
            Ok((batch.ok_or_else(damaged)?, stored.verdicts))
        });
        Ok(Some(Progress { import, settled: settled.collect::<Result<_, StoreError>>()? }))
    }

    /// Keeps how far an import is, with a mail when it has ended. False when another worker was
    /// faster.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn advance_import(
        &self,
        before: &Import,
        after: &Import,
        mail: Option<Item>,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let forms = (&import_item(before)?, import_item(after)?);
        let version = [(":version", number(before.version))];
        let key = keys::import(before.tenant, before.id);
        let mut writes = Transaction::new().differ(key, forms, "#version = :version", version);
        if let Some(mail) = mail {
            writes = writes.create(mail);
        }
        held(writes.run(self, entropy).await)
    }

    /// Settles a batch of which nothing is imported. One that is settled already stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settle_unwritten(
        &self,
        import: &Import,
        (batch, verdicts): (usize, Vec<Verdict>),
        entropy: &dyn Entropy,
    ) -> Result<(), StoreError> {
        let settled = settled(import, batch, verdicts)?;
        held(settled.run(self, entropy).await).map(drop)
    }

    /// Settles a batch: its users, its verdicts and one audit record, all or nothing. One that is
    /// settled already stays as it is.
    ///
    /// # Errors
    /// [`NotWritten`]: [`NotWritten::Changed`] when a row has to be looked at anew.
    #[expect(clippy::too_many_arguments, reason = "a batch and its record")]
    pub async fn settle_batch(
        &self,
        grant: &Grant,
        entry: &Entry,
        import: &Import,
        (batch, verdicts): (usize, Vec<Verdict>),
        members: Vec<NewMember>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(), NotWritten> {
        let more = i32::try_from(members.len()).unwrap_or(i32::MAX);
        let work = |catalogue: &Catalogue| {
            let mut effects = Effects::default();
            let mut writes = settled(import, batch, verdicts.clone())?
                .and(counted(import.tenant, more, 0))
                // Who asked may still: as of the moment in which it is written.
                .check(
                    keys::user(import.tenant, import.by),
                    "#status = :active AND #role = :role",
                    [(":active", text("active")), (":role", text(import.role.name()))],
                );
            for member in members.clone() {
                let member = NewMember { user: catalogue.applied(&member.user), ..member };
                effects.touched.push(Thing::User(member.user.id));
                effects.counts.merge(&Counts::between(&Marks::default(), &member.user.tags));
                writes = writes.and(member.writes()?);
            }
            Ok(((), effects, writes))
        };
        match self.commit_tagged(grant, entry, work, now, entropy).await {
            Ok(()) | Err(Refused::Condition(0)) => Ok(()),
            Err(Refused::Condition(_)) => Err(NotWritten::Changed),
            Err(Refused::Store(error)) => Err(error.into()),
        }
    }

    /// Which of these addresses the tenant has, and where those users came from. 1 RRU an address, 1
    /// more where there is a user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sources_of(
        &self,
        tenant: TenantId,
        addresses: &[EmailAddress],
    ) -> Result<BTreeMap<EmailAddress, Source>, StoreError> {
        let wanted: Vec<_> =
            addresses.iter().map(|address| keys::tenant_email(tenant, address)).collect();
        let mut found = entity::get_many(self, &wanted).await?;
        let mut taken: Vec<(EmailAddress, UserId)> = Vec::new();
        for (address, key) in addresses.iter().zip(&wanted) {
            if let Some(TenantAddress { user }) = found.take(key)? {
                taken.push((address.clone(), user));
            }
        }
        let ids: Vec<_> = taken.iter().map(|(_, id)| *id).collect();
        let users = self.users_by_id(tenant, &ids).await?;
        let sources: HashMap<UserId, Source> =
            users.into_iter().map(|User { id, source, .. }| (id, source)).collect();
        // Deleted between the two looks: looked at anew when the batch is written.
        let source = |id| sources.get(&id).copied().unwrap_or(Source::Manual);
        Ok(taken.into_iter().map(|(address, id)| (address, source(id))).collect())
    }

    /// The persons that have these addresses. 1 RRU an address, 1 more a person.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn persons_at(
        &self,
        addresses: &[EmailAddress],
    ) -> Result<BTreeMap<EmailAddress, Identity>, StoreError> {
        let wanted: Vec<_> = addresses.iter().map(keys::email).collect();
        let mut found = entity::get_many(self, &wanted).await?;
        let mut known: Vec<(&EmailAddress, IdentityId)> = Vec::new();
        for (address, key) in addresses.iter().zip(&wanted) {
            if let Some(Address { identity }) = found.take(key)? {
                known.push((address, identity));
            }
        }
        let wanted: Vec<_> = known.iter().map(|(_, id)| keys::identity(*id)).collect();
        let mut found = entity::get_many(self, &wanted).await?;
        let mut persons = BTreeMap::new();
        for ((address, _), key) in known.into_iter().zip(&wanted) {
            let lost = || StoreError::corrupt(&key.pk, "an address leads nowhere");
            persons.insert(address.clone(), found.take(key)?.ok_or_else(lost)?);
        }
        Ok(persons)
    }

    /// The imports that are due, at most 10 of each shard; each by itself, as one may be damaged.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_imports(
        &self,
        now: Timestamp,
    ) -> Result<Vec<Result<(TenantId, ImportId), StoreError>>, StoreError> {
        let due = due::items::<Import>(self, Due::Import, 10, now).await?.into_iter();
        Ok(due.map(|import| import.map(|import| (import.tenant, import.id))).collect())
    }
}

/// The write of a batch's verdicts.
fn settled(
    import: &Import,
    batch: usize,
    verdicts: Vec<Verdict>,
) -> Result<Transaction, StoreError> {
    let until = import.created_at.checked_add(KEPT).unwrap_or(import.created_at);
    let key = keys::import_verdicts(import.tenant, import.id, batch);
    Ok(Transaction::new().create(entity::expiring(&key, &StoredVerdicts { verdicts }, until)?))
}

/// An import's item; while it runs, with its place among what is due.
fn import_item(import: &Import) -> Result<Item, StoreError> {
    let until = import.created_at.checked_add(KEPT).unwrap_or(import.created_at);
    let mut item = entity::expiring(&keys::import(import.tenant, import.id), import, until)?;
    if import.stage.end().is_some() {
        let shard = keys::due_shard(import.id.bytes());
        let place = keys::due_sort(import.due_at, import.tenant, &import.id);
        due::insert(&mut item, (Due::Import, shard), place);
    }
    Ok(item)
}

/// The rows, as many to an item as it holds.
fn parts(rows: Vec<Row>) -> Vec<Vec<Row>> {
    let mut parts: Vec<Vec<Row>> = Vec::new();
    let mut bytes = 0;
    for row in rows {
        // As long as it can become in the table.
        let own = serde_json::to_vec(&row).map_or(BYTES_OF_ITEM, |json| json.len());
        match parts.last_mut() {
            Some(part) if part.len() < ROWS_OF_ITEM && bytes + own <= BYTES_OF_ITEM => {
                bytes += own;
                part.push(row);
            }
            _ => {
                bytes = own;
                parts.push(vec![row]);
            }
        }
    }
    parts
}
