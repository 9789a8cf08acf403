//! Identity providers: what was chosen of each, their tokens, and work on all their users.

use crate::accounts::held;
use crate::directories::Place;
use crate::due;
use crate::entity::{self, Entity};
use crate::keys::{self, Due};
use crate::table::{Item, StoreError, Table};
use crate::transaction::{Refused, TRIES, Transaction, number, pause, text};
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use belfry_domain::account::Tenant;
use belfry_domain::audit::Entry;
use belfry_domain::directory::provider::{MOST_PROVIDERS, Provider};
use belfry_domain::directory::sync::{KEPT, SyncRun};
use belfry_domain::directory::token::StoredToken;
use belfry_domain::failure::{Failure, FailureKind};
use belfry_domain::id::{IdentityProviderId, ProviderTokenId, SyncId, TenantId};
use belfry_domain::policy::Grant;
use belfry_domain::ports::Entropy;
use belfry_domain::text::folded;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which identity providers a tenant has, each with its name as it is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Roster {
    providers: BTreeMap<IdentityProviderId, String>,
    /// Grows with every change; 0 before the first.
    version: u64,
}

impl Entity for Roster {
    const TYPE: &'static str = "provider_roster";
}

/// Why a provider was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// The tenant has as many as it may have.
    #[error("there are {MOST_PROVIDERS} identity providers; delete one first")]
    Limit,
    /// Another one has the name.
    #[error("another identity provider has this name")]
    NameTaken,
    /// It was made when this was asked for first.
    #[error("this identity provider was created already, and its token is shown only once")]
    Repeated,
    /// Somebody else changed it meanwhile.
    #[error("the identity provider was changed meanwhile")]
    Changed,
    /// The table did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure for NotKept {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Limit | Self::NameTaken | Self::Repeated | Self::Changed => FailureKind::Conflict,
            Self::Store(error) => error.kind(),
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Limit => "provider_limit",
            Self::NameTaken => "name_taken",
            Self::Repeated => "already_created",
            Self::Changed => "version_conflict",
            Self::Store(error) => error.code(),
        }
    }
}

impl Table {
    /// A tenant's identity providers, the oldest first. One strong query.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn providers(&self, tenant: TenantId) -> Result<Vec<Provider>, StoreError> {
        let range = (keys::PROVIDERS.to_owned(), format!("{}~", keys::PROVIDERS));
        let found = entity::query(self, &keys::tenant_partition(tenant), Some(range), true).await?;
        Ok(found.into_iter().map(|(_, provider)| provider).collect())
    }

    /// An identity provider. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn provider(
        &self,
        tenant: TenantId,
        id: IdentityProviderId,
    ) -> Result<Option<Provider>, StoreError> {
        entity::get(self, &keys::provider(tenant, id)).await
    }

    /// What a token's public half stands for: its hash, its provider and tenant, as far as they are
    /// there. 2 calls, 3 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn provider_token(
        &self,
        id: ProviderTokenId,
    ) -> Result<Option<(StoredToken, Provider, Tenant)>, StoreError> {
        let stored: Option<StoredToken> = entity::get(self, &keys::provider_token(id)).await?;
        let Some(stored) = stored else { return Ok(None) };
        let wanted = [keys::provider(stored.tenant, stored.provider), keys::tenant(stored.tenant)];
        let mut found = entity::get_many(self, &wanted).await?;
        let [provider, tenant] = &wanted;
        let both = found.take(provider)?.zip(found.take(tenant)?);
        Ok(both.map(|(provider, tenant)| (stored, provider, tenant)))
    }

    /// Makes a provider with its first token, if it is one that asks, and what is to be written `beside`.
    ///
    /// # Errors
    /// [`NotKept`].
    pub async fn create_provider(
        &self,
        (grant, entry): (&Grant, &Entry),
        provider: &Provider,
        token: Option<(ProviderTokenId, StoredToken)>,
        beside: Option<Transaction>,
        (now, entropy): (Timestamp, &dyn Entropy),
    ) -> Result<(), NotKept> {
        let mut writes = Transaction::new().create(item(provider)?);
        if let Some((id, token)) = &token {
            writes = writes.create_value(&keys::provider_token(*id), token)?;
        }
        // Behind the roster.
        let place_beside = 1 + writes.len();
        let writes = writes.and(beside.unwrap_or_default());
        let name = folded(provider.settings.name.as_str());
        let joins = |roster: &mut Roster| {
            if roster.providers.len() >= MOST_PROVIDERS {
                return Err(NotKept::Limit);
            }
            roster.named(provider.id, &name)
        };
        match self.commit_provider(grant, entry, joins, &writes, (now, entropy)).await {
            Err(Refused::Condition(place)) if place == place_beside => Err(NotKept::Repeated),
            done => done.map_err(Refused::unexpected)?,
        }
    }

    /// Changes what was chosen of a provider, its tokens or its work.
    ///
    /// # Errors
    /// [`NotKept`].
    pub async fn change_provider(
        &self,
        (grant, entry): (&Grant, &Entry),
        (before, after): (&Provider, &Provider),
        tokens: Transaction,
        (now, entropy): (Timestamp, &dyn Entropy),
    ) -> Result<(), NotKept> {
        let revision = [(":revision", number(before.revision))];
        let writes = Transaction::new().put(item(after)?, "#revision = :revision", revision);
        let writes = writes.and(tokens);
        let done = if before.settings.name == after.settings.name {
            self.commit(grant, entry, writes, now, entropy).await.map(Ok)
        } else {
            let name = folded(after.settings.name.as_str());
            let renames = |roster: &mut Roster| roster.named(after.id, &name);
            self.commit_provider(grant, entry, renames, &writes, (now, entropy)).await
        };
        match done {
            Ok(done) => done,
            Err(Refused::Condition(_)) => Err(NotKept::Changed),
            Err(Refused::Store(error)) => Err(error.into()),
        }
    }

    /// Keeps how far the work on a provider's users is. False when another one changed it meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_provider(
        &self,
        before: &Provider,
        after: &Provider,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let revision = [(":revision", number(before.revision))];
        let writes = Transaction::new().put(item(after)?, "#revision = :revision", revision);
        held(writes.run(self, entropy).await)
    }

    /// Keeps that work on a provider's users has ended, and what a sync came to. False when another one
    /// changed it meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_sync(
        &self,
        before: &Provider,
        after: &Provider,
        sync: &SyncRun,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let revision = [(":revision", number(before.revision))];
        let key = keys::directory_sync(before.tenant, before.id, sync.summary.id);
        let until = sync.summary.finished_at.checked_add(KEPT).unwrap_or(Timestamp::MAX);
        let writes = Transaction::new()
            .put(item(after)?, "#revision = :revision", revision)
            .create(entity::expiring(&key, sync, until)?);
        held(writes.run(self, entropy).await)
    }

    /// The last syncs of a directory, the youngest first, from behind one on, at most `limit`; and whether
    /// there are more. 0.5 RRU per 4 KB.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn syncs(
        &self,
        place: Place,
        after: Option<SyncId>,
        limit: i32,
    ) -> Result<(Vec<SyncRun>, bool), StoreError> {
        let first = keys::directory_sync(
            place.tenant,
            place.provider,
            SyncId::first_at(Timestamp::UNIX_EPOCH),
        );
        let below = match after {
            Some(after) => keys::directory_sync(place.tenant, place.provider, after).sk,
            None => format!("{}~", keys::DIRECTORY_SYNCS),
        };
        let answer = self
            .client()
            .query()
            .table_name(self.name())
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", text(first.pk))
            .expression_attribute_values(":first", text(first.sk))
            .expression_attribute_values(":last", text(below.clone()))
            .scan_index_forward(false)
            // One more than is wanted: both ends of a range belong to it.
            .limit(limit.saturating_add(2))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        self.meter().read(answer.consumed_capacity.iter());
        let cut = answer.last_evaluated_key.is_some();
        let items = answer.items.unwrap_or_default();
        let mut found = Vec::new();
        for item in items {
            let (sk, sync) = entity::keyed::<SyncRun>(item)?;
            if sk != below {
                found.push(sync);
            }
        }
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = found.len() > limit || cut && !found.is_empty();
        found.truncate(limit);
        Ok((found, more))
    }

    /// Forgets a provider of which nothing is left. False when another one changed it meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_provider(
        &self,
        (grant, entry): (&Grant, &Entry),
        provider: &Provider,
        (now, entropy): (Timestamp, &dyn Entropy),
    ) -> Result<bool, StoreError> {
        let key = keys::provider(provider.tenant, provider.id);
        let revision = [(":revision", number(provider.revision))];
        let writes = Transaction::new().delete(key, "#revision = :revision", revision);
        let leaves = |roster: &mut Roster| {
            roster.providers.remove(&provider.id);
            Ok(())
        };
        match self.commit_provider(grant, entry, leaves, &writes, (now, entropy)).await {
            Ok(_) => Ok(true),
            Err(Refused::Condition(_)) => Ok(false),
            Err(Refused::Store(error)) => Err(error),
        }
    }

    /// The providers whose users are being changed, and whose turn it is; each by itself, as one may be
    /// damaged.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_providers(
        &self,
        now: Timestamp,
    ) -> Result<Vec<Result<Provider, StoreError>>, StoreError> {
        due::items(self, Due::Directory, 10, now).await
    }

    /// Does `writes` with a change of the tenant's roster ahead of them, and its record; again when
    /// somebody else changed the roster meanwhile. Nothing is done when `change` refuses.
    async fn commit_provider(
        &self,
        grant: &Grant,
        entry: &Entry,
        change: impl Fn(&mut Roster) -> Result<(), NotKept>,
        writes: &Transaction,
        (now, entropy): (Timestamp, &dyn Entropy),
    ) -> Result<Result<(), NotKept>, Refused> {
        let key = keys::provider_roster(grant.tenant());
        for attempt in 0..TRIES {
            let before: Roster = entity::get(self, &key).await?.unwrap_or_default();
            let mut next = before.clone();
            if let Err(refused) = change(&mut next) {
                return Ok(Err(refused));
            }
            next.version = before.version.saturating_add(1);
            let next = entity::item(&key, &next)?;
            let version = [(":before", number(before.version))];
            let roster = if before.version == 0 {
                Transaction::new().create(next)
            } else {
                Transaction::new().put(next, "#version = :before", version)
            };
            match self.commit(grant, entry, roster.and(writes.clone()), now, entropy).await {
                Err(Refused::Condition(0)) => pause(attempt, entropy).await,
                done => return done.map(Ok),
            }
        }
        Err(StoreError::Unavailable("the roster of identity providers is too busy".into()).into())
    }
}

impl Roster {
    /// Enters a provider under its name.
    fn named(&mut self, id: IdentityProviderId, name: &str) -> Result<(), NotKept> {
        if self.providers.iter().any(|(other, taken)| *other != id && taken == name) {
            return Err(NotKept::NameTaken);
        }
        self.providers.insert(id, name.to_owned());
        Ok(())
    }
}

/// The write of a token: a new one, or another end of one that is there.
///
/// # Errors
/// As [`entity::item`].
pub fn token(id: ProviderTokenId, token: &StoredToken) -> Result<Transaction, StoreError> {
    let key = keys::provider_token(id);
    let item = match token.valid_until {
        Some(until) => entity::expiring(&key, token, until)?,
        None => entity::item(&key, token)?,
    };
    let own = [(":provider", text(token.provider.to_string()))];
    Ok(Transaction::new().put(item, "attribute_not_exists(pk) OR #provider = :provider", own))
}

/// The write that takes tokens away: they are good for nothing from then on.
pub fn without_tokens(ids: impl IntoIterator<Item = ProviderTokenId>) -> Transaction {
    ids.into_iter().fold(Transaction::new(), |writes, id| {
        // One whose time is over may have been dropped.
        let any = "attribute_not_exists(pk) OR attribute_exists(pk)";
        writes.delete(keys::provider_token(id), any, [])
    })
}

/// A provider's item; while there is or will be work on it, with its place among what is due.
fn item(provider: &Provider) -> Result<Item, StoreError> {
    let Provider { id, tenant, .. } = *provider;
    let mut item = entity::item(&keys::provider(tenant, id), provider)?;
    if let Some(at) = provider.due_at() {
        let shard = keys::due_shard(id.bytes());
        due::insert(&mut item, (Due::Directory, shard), keys::due_sort(at, tenant, &id));
    }
    Ok(item)
}
