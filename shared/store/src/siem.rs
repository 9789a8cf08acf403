//! SIEM destinations: what was chosen, how far each is, and what its receiver refused. Settings and
//! progress are items of their own, as people write the one and the forwarder the other.

use crate::accounts::held;
use crate::due;
use crate::entity::{self, Entity};
use crate::keys::{self, Due};
use crate::table::{Item, StoreError, Table};
use crate::telemetry::{KEPT_TELEMETRY_DAYS, expiry};
use crate::transaction::{Refused, TRIES, Transaction, number, pause, text};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use belfry_domain::audit::Entry;
use belfry_domain::failure::{Failure, FailureKind};
use belfry_domain::id::{DestinationId, TenantId};
use belfry_domain::policy::Grant;
use belfry_domain::ports::{Day, Entropy};
use belfry_domain::secret::SecretHash;
use belfry_domain::siem::destination::{Destination, MOST_DESTINATIONS, Transport, UrlPath};
use belfry_domain::siem::progress::Progress;
use belfry_domain::siem::record::StreamName;
use belfry_domain::telemetry::stream::sha256;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Which SIEM destinations a tenant has: what `rollup` rings for, and what the limit counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Roster {
    /// All of them, the oldest first.
    destinations: Vec<DestinationId>,
    /// Those that are delivered to.
    delivered: Vec<DestinationId>,
    /// Since when there is one: what happens at the door is numbered from then on.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    since: Timestamp,
    /// Grows with every change; 0 before the first.
    version: u64,
}

/// The token of a pull destination: only its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullToken {
    /// Whose.
    pub tenant: TenantId,
    /// Of which destination.
    pub destination: DestinationId,
    /// Hash of the secret half.
    pub secret_hash: SecretHash,
}

/// A record that a destination's receiver refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Of which stream.
    pub stream: StreamName,
    /// Its number there.
    pub sequence: u64,
    /// Its id; none when it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why, for machines.
    pub code: String,
    /// Why, with what the receiver said.
    pub detail: String,
    /// When.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
}

impl Entity for Roster {
    const TYPE: &'static str = "siem_roster";
}
impl Entity for PullToken {
    const TYPE: &'static str = "pull_token";
}
impl Entity for Parked {
    const TYPE: &'static str = "siem_parked";
}

/// Why a destination was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The tenant has as many as it may have.
    #[error("there are ten SIEM destinations; delete one first")]
    Limit,
    /// It was made when this was asked for first.
    #[error("this destination was created already")]
    Repeated,
    /// The table did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure for CreateError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Limit | Self::Repeated => FailureKind::Conflict,
            Self::Store(error) => error.kind(),
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Limit => "destination_limit",
            Self::Repeated => "already_created",
            Self::Store(error) => error.code(),
        }
    }
}

impl Table {
    /// A tenant's destinations, the oldest first. One strong query.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn destinations(&self, tenant: TenantId) -> Result<Vec<Destination>, StoreError> {
        let range = (keys::DESTINATIONS.to_owned(), format!("{}~", keys::DESTINATIONS));
        let found = entity::query(self, &keys::tenant_partition(tenant), Some(range), true).await?;
        Ok(found.into_iter().map(|(_, destination)| destination).collect())
    }

    /// A destination and how far it is. One call, 1 RRU for each 4 KB of both.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn destination(
        &self,
        tenant: TenantId,
        id: DestinationId,
    ) -> Result<Option<(Destination, Progress)>, StoreError> {
        Ok(self.progress_of(tenant, &[id]).await?.pop())
    }

    /// Destinations and how far each is, in the order of `ids`; not those that are gone. One call.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn progress_of(
        &self,
        tenant: TenantId,
        ids: &[DestinationId],
    ) -> Result<Vec<(Destination, Progress)>, StoreError> {
        let wanted =
            ids.iter().map(|id| (keys::destination(tenant, *id), keys::progress(tenant, *id)));
        let wanted: Vec<_> = wanted.collect();
        let flat: Vec<_> = wanted.iter().flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
        let mut found = entity::get_many(self, &flat).await?;
        let mut both = Vec::with_capacity(wanted.len());
        for (settings, progress) in &wanted {
            both.extend(found.take(settings)?.zip(found.take(progress)?));
        }
        Ok(both)
    }

    /// The destinations of a tenant that are delivered to, for whoever rings for them. Eventually
    /// consistent: the sweep finds what this misses. 0.5 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delivered_to(&self, tenant: TenantId) -> Result<Vec<DestinationId>, StoreError> {
        let key = keys::destination_roster(tenant);
        let range = Some((key.sk.clone(), key.sk));
        let found = entity::query::<Roster>(self, &key.pk, range, false).await?;
        Ok(found.into_iter().flat_map(|(_, roster)| roster.delivered).collect())
    }

    /// Since when a tenant has destinations. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn exports_since(&self, tenant: TenantId) -> Result<Option<Timestamp>, StoreError> {
        let roster = entity::get::<Roster>(self, &keys::destination_roster(tenant)).await?;
        Ok(roster.map(|roster| roster.since))
    }

    /// Adds a destination that stands at `progress`, with the token by which it is asked, if it is. What
    /// is `beside` may have one condition, which is that this was not asked before.
    ///
    /// # Errors
    /// [`CreateError`].
    pub async fn create_destination(
        &self,
        grant: &Grant,
        (destination, progress): (&Destination, &Progress),
        token: Option<SecretHash>,
        beside: Option<Transaction>,
        entropy: &dyn Entropy,
    ) -> Result<(), CreateError> {
        let Destination { id, tenant, created_at: now, .. } = *destination;
        let entry = described(destination, None);
        let mut writes = Transaction::new()
            .create(item(destination)?)
            .create_value(&keys::progress(tenant, id), progress)?;
        if let Some(secret_hash) = token {
            let token = PullToken { tenant, destination: id, secret_hash };
            writes = writes.create_value(&keys::pull_token(id), &token)?;
        }
        // The roster's own write comes first.
        let place_beside = 1 + writes.len();
        let writes = writes.and(beside.unwrap_or_default());
        let joins = |roster: &mut Roster| {
            if roster.destinations.is_empty() {
                roster.since = now;
            }
            roster.destinations.push(id);
            if destination.is_delivered_to() {
                roster.delivered.push(id);
            }
            roster.destinations.len() <= MOST_DESTINATIONS
        };
        match self.commit_rostered(grant, &entry, joins, &writes, (now, entropy)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(CreateError::Limit),
            Err(Refused::Condition(place)) if place == place_beside => Err(CreateError::Repeated),
            Err(error) => Err(error.unexpected().into()),
        }
    }

    /// Changes what was chosen of a destination. False when somebody else did so meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_destination(
        &self,
        grant: &Grant,
        (before, after): (&Destination, &Destination),
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let id = before.id;
        let entry = described(after, Some(before));
        let version = [(":before", number(before.version))];
        let write = Transaction::new().put(item(after)?, "#version = :before", version);
        if before.is_delivered_to() == after.is_delivered_to() {
            return held(self.commit(grant, &entry, write, now, entropy).await);
        }
        let moves = |roster: &mut Roster| {
            roster.delivered.retain(|other| *other != id);
            if after.is_delivered_to() {
                roster.delivered.push(id);
            }
            true
        };
        held(self.commit_rostered(grant, &entry, moves, &write, (now, entropy)).await.map(drop))
    }

    /// Deletes a destination with its progress. False when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_destination(
        &self,
        grant: &Grant,
        id: DestinationId,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let tenant = grant.tenant();
        let Some((destination, _)) = self.destination(tenant, id).await? else { return Ok(false) };
        let settings = &destination.settings;
        let entry = Entry::about("siem_destination", &id).set("name", settings.name.as_str());
        let mut writes = Transaction::new()
            .delete(keys::destination(tenant, id), "attribute_exists(pk)", [])
            .delete(keys::progress(tenant, id), "attribute_exists(pk)", []);
        if settings.transport == Transport::Pull {
            writes = writes.delete(keys::pull_token(id), "attribute_exists(pk)", []);
        }
        let leaves = |roster: &mut Roster| {
            roster.destinations.retain(|other| *other != id);
            roster.delivered.retain(|other| *other != id);
            true
        };
        held(self.commit_rostered(grant, &entry, leaves, &writes, (now, entropy)).await.map(drop))
    }

    /// Keeps how far a destination is, with the mails that tell of it, if nobody else did meanwhile and
    /// it is still there. 2 WRU per KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_progress(
        &self,
        tenant: TenantId,
        id: DestinationId,
        progress: &Progress,
        mails: Vec<Item>,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let mut writes = advanced(tenant, id, progress)?;
        for mail in mails {
            writes = writes.create(mail);
        }
        held(writes.run(self, entropy).await)
    }

    /// The same of what an administrator asked for, with its record. False as there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn direct_progress(
        &self,
        grant: &Grant,
        entry: &Entry,
        (id, progress): (DestinationId, &Progress),
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let writes = advanced(grant.tenant(), id, progress)?;
        held(self.commit(grant, entry, writes, now, entropy).await)
    }

    /// Puts records aside that a receiver refused. Repeating it does nothing. 1 WRU each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn park(
        &self,
        tenant: TenantId,
        id: DestinationId,
        parked: &[Parked],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let until = expiry(Day::of(now), KEPT_TELEMETRY_DAYS).to_string();
        let items = parked.iter().map(|parked| {
            let key = keys::parked(tenant, id, parked.stream, parked.sequence);
            let mut item = entity::item(&key, parked)?;
            item.insert(keys::EXPIRES_AT.to_owned(), AttributeValue::N(until.clone()));
            Ok::<_, StoreError>(item)
        });
        entity::put_many(self, items.collect::<Result<_, _>>()?).await
    }

    /// Some of the records that a receiver refused, at most `limit`, the latest of each stream first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn parked(
        &self,
        tenant: TenantId,
        id: DestinationId,
        limit: i32,
    ) -> Result<Vec<Parked>, StoreError> {
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(keys::parked_partition(tenant, id)))
            .scan_index_forward(false)
            .limit(limit)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        self.meter().read(answer.consumed_capacity.iter());
        answer.items.unwrap_or_default().into_iter().map(entity::value).collect()
    }

    /// What a pull token's public half stands for. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pull_token(&self, id: DestinationId) -> Result<Option<PullToken>, StoreError> {
        entity::get(self, &keys::pull_token(id)).await
    }

    /// Every destination that is on, of all tenants, of one of the [`keys::DUE_SHARDS`] shards, after the
    /// place where a page before ended; each by itself, as one may be damaged. Eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn exporting(
        &self,
        shard: u8,
        after: Option<Item>,
    ) -> Result<(Vec<Result<Destination, StoreError>>, Option<Item>), StoreError> {
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .index_name(keys::GSI1)
            .key_condition_expression("gsi1pk = :pk")
            .expression_attribute_values(":pk", text(keys::due(Due::Siem, shard)))
            .set_exclusive_start_key(after)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        self.meter().read(answer.consumed_capacity.iter());
        let found = answer.items.unwrap_or_default().into_iter().map(entity::value).collect();
        Ok((found, answer.last_evaluated_key))
    }

    /// Does `writes` with a change of the tenant's roster ahead of them, and its record; again when somebody
    /// else changed the roster meanwhile. False, and nothing is done, when `change` says that it does not fit.
    async fn commit_rostered(
        &self,
        grant: &Grant,
        entry: &Entry,
        change: impl Fn(&mut Roster) -> bool,
        writes: &Transaction,
        (now, entropy): (Timestamp, &dyn Entropy),
    ) -> Result<bool, Refused> {
        let tenant = grant.tenant();
        for attempt in 0..TRIES {
            let roster = self.roster(tenant, now).await?;
            let mut next = roster.clone();
            if !change(&mut next) {
                return Ok(false);
            }
            let all = rostered(tenant, &roster, next)?.and(writes.clone());
            match self.commit(grant, entry, all, now, entropy).await {
                Err(Refused::Condition(0)) => pause(attempt, entropy).await,
                done => return done.map(|()| true),
            }
        }
        Err(StoreError::Unavailable("the roster of destinations is too busy".into()).into())
    }

    async fn roster(&self, tenant: TenantId, now: Timestamp) -> Result<Roster, StoreError> {
        let found = entity::get(self, &keys::destination_roster(tenant)).await?;
        let none =
            Roster { destinations: Vec::new(), delivered: Vec::new(), since: now, version: 0 };
        Ok(found.unwrap_or(none))
    }
}

/// The write of a roster that was `before`; its first condition.
fn rostered(tenant: TenantId, before: &Roster, next: Roster) -> Result<Transaction, StoreError> {
    let item = entity::item(
        &keys::destination_roster(tenant),
        &Roster { version: before.version.saturating_add(1), ..next },
    )?;
    Ok(if before.version == 0 {
        Transaction::new().create(item)
    } else {
        Transaction::new().put(item, "#version = :before", [(":before", number(before.version))])
    })
}

/// The write of a progress that was at the same revision, which it raises.
fn advanced(
    tenant: TenantId,
    id: DestinationId,
    progress: &Progress,
) -> Result<Transaction, StoreError> {
    let before = [(":before", number(progress.revision))];
    let next = Progress { revision: progress.revision.saturating_add(1), ..progress.clone() };
    let item = entity::item(&keys::progress(tenant, id), &next)?;
    Ok(Transaction::new().put(item, "#revision = :before", before))
}

/// A destination's item; while it is on, with its place among what the sweep looks at.
fn item(destination: &Destination) -> Result<Item, StoreError> {
    let Destination { id, tenant, .. } = *destination;
    let mut item = entity::item(&keys::destination(tenant, id), destination)?;
    if destination.settings.enabled {
        let shard = keys::due_shard(id.bytes());
        // It is looked at each time, so its place never changes.
        let place = keys::due_sort(Timestamp::UNIX_EPOCH, tenant, &id);
        due::insert(&mut item, (Due::Siem, shard), place);
    }
    Ok(item)
}

/// Certificates as the trail has them: by their digest, as they are long and public.
fn digest(pem: Option<&String>) -> Option<String> {
    pem.map(|pem| format!("sha256:{}", hex::encode(sha256(pem.as_bytes()))))
}

/// What the trail says of a destination: never a secret, only that there is another one.
fn described(after: &Destination, before: Option<&Destination>) -> Entry {
    let entry = Entry::about("siem_destination", &after.id);
    let fields = |destination: &Destination| {
        let settings = &destination.settings;
        let address = settings.address.as_ref();
        [
            ("name", serde_json::json!(settings.name.as_str())),
            ("enabled", serde_json::json!(settings.enabled)),
            ("transport", serde_json::json!(settings.transport)),
            ("host", serde_json::json!(address.map(|address| address.host.to_string()))),
            ("port", serde_json::json!(address.map(|address| address.port))),
            (
                "path",
                serde_json::json!(
                    address.and_then(|address| address.path.as_ref()).map(UrlPath::shown)
                ),
            ),
            ("framing", serde_json::json!(settings.framing)),
            ("format", serde_json::json!(settings.format)),
            ("event_types", serde_json::json!(settings.event_types)),
            ("min_severity", serde_json::json!(settings.min_severity.name())),
            (
                "ca_pem",
                serde_json::json!(address.and_then(|address| digest(address.ca_pem.as_ref()))),
            ),
            (
                "client_certificate_pem",
                serde_json::json!(digest(settings.client_certificate_pem.as_ref())),
            ),
            ("header_name", serde_json::json!(settings.header_name)),
        ]
    };
    let Some(before) = before else {
        let set = fields(after).into_iter().filter(|(_, value)| !value.is_null());
        return set.fold(entry, |entry, (field, value)| entry.set(field, value));
    };
    let pairs = fields(before).into_iter().zip(fields(after));
    let changed = pairs.filter(|(was, is)| was != is);
    let entry = changed.fold(entry, |entry, ((field, was), (_, is))| entry.changed(field, was, is));
    if before.sealed_secrets == after.sealed_secrets {
        entry
    } else {
        entry.set("secrets", "replaced")
    }
}
