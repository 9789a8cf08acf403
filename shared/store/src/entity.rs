//! Items that are one domain value each: its attributes, its type `et` and its schema version `v`.

use crate::keys::{EXPIRES_AT, Key, PK, SK};
use crate::table::{Item, StoreError, Table, from_item, key_item, to_item};
use aws_sdk_dynamodb::types::{
    AttributeValue, DeleteRequest, KeysAndAttributes, PutRequest, ReturnConsumedCapacity,
    WriteRequest,
};
use belfry_domain::account::{Identity, Link, Membership, Tenant, User};
use belfry_domain::application::Application;
use belfry_domain::captcha::Captcha;
use belfry_domain::challenge::Challenge;
use belfry_domain::credential::Credential;
use belfry_domain::directory::entry::{DirectoryGroup, DirectoryUser, GroupMember, Taken};
use belfry_domain::directory::provider::Provider;
use belfry_domain::directory::sync::SyncRun;
use belfry_domain::directory::token::StoredToken;
use belfry_domain::license::{IssuedKey, License};
use belfry_domain::recovery::Recovery;
use belfry_domain::session::Session;
use belfry_domain::siem::destination::Destination;
use belfry_domain::siem::progress::Progress;
use belfry_domain::sign_up::{Profile, SignUp};
use belfry_domain::tag::Tag;
use belfry_domain::tag::work::{Assignment, Tagging};
use belfry_domain::throttle::Tries;
use futures::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::time::Duration;

/// A value that is an item.
pub trait Entity: Serialize + DeserializeOwned {
    /// Its type, in `et`.
    const TYPE: &'static str;
    /// Version of its schema, in `v`. What this code cannot read is damaged, never "not found".
    const VERSION: u32 = 1;
}

macro_rules! entities {
    ($($value:ty = $name:literal v $version:literal;)+) => {$(
        impl Entity for $value {
            const TYPE: &'static str = $name;
            const VERSION: u32 = $version;
        }
    )+};
}

entities! {
    Tenant = "tenant" v 1;
    Identity = "identity" v 1;
    Membership = "membership" v 1;
    User = "user" v 1;
    Link = "link" v 2;
    Session = "session" v 2;
    Challenge = "challenge" v 1;
    Tries = "tries" v 1;
    License = "license" v 2;
    Credential = "credential" v 2;
    IssuedKey = "product_key" v 2;
    Profile = "profile" v 1;
    SignUp = "sign_up" v 1;
    Recovery = "recovery" v 1;
    Captcha = "captcha" v 1;
    Destination = "siem_destination" v 1;
    Progress = "siem_progress" v 1;
    Tag = "tag" v 1;
    Tagging = "tagging" v 1;
    Assignment = "tag_assignment" v 1;
    Application = "application" v 1;
    Provider = "identity_provider" v 1;
    StoredToken = "provider_token" v 1;
    SyncRun = "directory_sync" v 1;
    DirectoryUser = "directory_user" v 1;
    DirectoryGroup = "directory_group" v 1;
    GroupMember = "group_member" v 1;
    Taken = "directory_taken" v 1;
}

const TYPE: &str = "et";
const VERSION: &str = "v";

/// The item of a value.
///
/// # Errors
/// [`StoreError::Corrupt`] when it does not serialize to a map, which is a fault of ours.
pub fn item<T: Entity>(key: &Key, value: &T) -> Result<Item, StoreError> {
    let mut item = to_item(key, value)?;
    item.insert(TYPE.to_owned(), AttributeValue::S(T::TYPE.to_owned()));
    item.insert(VERSION.to_owned(), AttributeValue::N(T::VERSION.to_string()));
    Ok(item)
}

/// The same, with the time from which on the table may drop it.
///
/// # Errors
/// As [`item`].
pub fn expiring<T: Entity>(key: &Key, value: &T, at: Timestamp) -> Result<Item, StoreError> {
    let mut item = item(key, value)?;
    item.insert(EXPIRES_AT.to_owned(), AttributeValue::N(at.as_second().to_string()));
    Ok(item)
}

/// The value of an item.
///
/// # Errors
/// [`StoreError::Corrupt`] for another type or version, or attributes that make no value.
pub fn value<T: Entity>(item: Item) -> Result<T, StoreError> {
    let text = |name| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
    let version = item.get(VERSION).and_then(|value| value.as_n().ok());
    let version = version.and_then(|number| number.parse::<u32>().ok());
    if text(TYPE) != Some(T::TYPE) || version != Some(T::VERSION) {
        let what = format!("{:?} / {:?}", text(PK), text(SK));
        return Err(StoreError::corrupt(what, format!("not a {} v{}", T::TYPE, T::VERSION)));
    }
    from_item(item)
}

/// The value of an item, and its sort key.
///
/// # Errors
/// As [`value`].
pub fn keyed<T: Entity>(item: Item) -> Result<(String, T), StoreError> {
    let sk = item.get(SK).and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
    Ok((sk, value(item)?))
}

/// Reads one value, strongly consistent: 1 RRU per 4 KB.
///
/// # Errors
/// [`StoreError`].
pub async fn get<T: Entity>(table: &Table, key: &Key) -> Result<Option<T>, StoreError> {
    let answer = table
        .client()
        .get_item()
        .table_name(table.name())
        .set_key(Some(key_item(key)))
        .consistent_read(true)
        .return_consumed_capacity(ReturnConsumedCapacity::Total)
        .send()
        .await?;
    table.meter().read(answer.consumed_capacity.iter());
    answer.item.map(value).transpose()
}

/// What a read of several items found.
#[derive(Debug, Default)]
pub struct Found(HashMap<Key, Item>);

impl Found {
    /// The value at `key`, when it is there.
    ///
    /// # Errors
    /// As [`value`].
    pub fn take<T: Entity>(&mut self, key: &Key) -> Result<Option<T>, StoreError> {
        self.0.remove(key).map(value).transpose()
    }
}

/// Keys of one `BatchGetItem` call.
const BATCH_GET: usize = 100;
/// Items of one `BatchWriteItem` call.
const BATCH_WRITE: usize = 25;

/// Reads several items at once, strongly consistent: 1 RRU per 4 KB of each. One call per 100 keys,
/// all calls side by side.
///
/// # Errors
/// [`StoreError::Unavailable`] also when the table keeps leaving items over.
pub async fn get_many(table: &Table, keys: &[Key]) -> Result<Found, StoreError> {
    let calls = keys.chunks(BATCH_GET).map(|keys| get_batch(table, keys));
    let mut found = Found::default();
    for item in try_join_all(calls).await?.into_iter().flatten() {
        if let (Some(AttributeValue::S(pk)), Some(AttributeValue::S(sk))) =
            (item.get(PK), item.get(SK))
        {
            let key = Key { pk: pk.clone(), sk: sk.clone() };
            found.0.insert(key, item);
        }
    }
    Ok(found)
}

/// The values at several keys, in their order, those that are there: as [`get_many`].
///
/// # Errors
/// As [`get_many`].
pub async fn get_all<T: Entity>(table: &Table, keys: &[Key]) -> Result<Vec<T>, StoreError> {
    let mut found = get_many(table, keys).await?;
    keys.iter().filter_map(|key| found.take(key).transpose()).collect()
}

async fn get_batch(table: &Table, keys: &[Key]) -> Result<Vec<Item>, StoreError> {
    let mut wanted: Vec<Item> = keys.iter().map(key_item).collect();
    let mut items = Vec::with_capacity(wanted.len());
    let mut pause = Pause::default();
    while !wanted.is_empty() {
        let request = KeysAndAttributes::builder()
            .set_keys(Some(wanted))
            .consistent_read(true)
            .build()
            .map_err(|error| StoreError::corrupt("keys", error))?;
        let answer = table
            .client()
            .batch_get_item()
            .request_items(table.name(), request)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        table.meter().read(answer.consumed_capacity.iter().flatten());
        items.extend(answer.responses.into_iter().flatten().flat_map(|(_, items)| items));
        let left = answer.unprocessed_keys.unwrap_or_default();
        wanted = left.into_values().flat_map(|left| left.keys).collect();
        if !wanted.is_empty() {
            pause.wait().await?;
        }
    }
    Ok(items)
}

/// Writes items whole and without conditions, 25 a call; each as often as the table leaves it over.
///
/// # Errors
/// [`StoreError::Unavailable`] also when the table keeps leaving items over.
pub async fn put_many(table: &Table, items: Vec<Item>) -> Result<(), StoreError> {
    let mut rest = Vec::with_capacity(items.len());
    for item in items {
        let put = PutRequest::builder().set_item(Some(item)).build();
        let put = put.map_err(|error| StoreError::corrupt("item", error))?;
        rest.push(WriteRequest::builder().put_request(put).build());
    }
    write_many(table, rest).await
}

async fn write_many(table: &Table, mut rest: Vec<WriteRequest>) -> Result<(), StoreError> {
    let mut pause = Pause::default();
    while !rest.is_empty() {
        let later = rest.split_off(rest.len().min(BATCH_WRITE));
        let answer = table
            .client()
            .batch_write_item()
            .request_items(table.name(), rest)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        table.meter().wrote(answer.consumed_capacity.iter().flatten());
        let left = answer.unprocessed_items.unwrap_or_default();
        rest = left.into_values().flatten().collect();
        if !rest.is_empty() {
            pause.wait().await?;
        }
        rest.extend(later);
    }
    Ok(())
}

/// Removes items without conditions, 25 a call; each as often as the table leaves it over. One that is
/// not there is none to remove. 1 WRU per KB of each.
///
/// # Errors
/// As [`put_many`].
pub async fn delete_many(table: &Table, keys: Vec<Key>) -> Result<(), StoreError> {
    let deletes = keys.iter().map(|key| {
        let delete = DeleteRequest::builder().set_key(Some(key_item(key))).build();
        let delete = delete.map_err(|error| StoreError::corrupt("key", error))?;
        Ok(WriteRequest::builder().delete_request(delete).build())
    });
    write_many(table, deletes.collect::<Result<_, StoreError>>()?).await
}

/// Everything of a partition, or of a range of its sort keys (both ends included), with the sort
/// keys. 1 RRU per 4 KB of all of it, half when not `consistent`, at least that.
///
/// # Errors
/// [`StoreError`].
pub async fn query<T: Entity>(
    table: &Table,
    pk: &str,
    range: Option<(String, String)>,
    consistent: bool,
) -> Result<Vec<(String, T)>, StoreError> {
    let mut start = None;
    let mut all = Vec::new();
    loop {
        let mut query = table
            .client()
            .query()
            .table_name(table.name())
            .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
            .consistent_read(consistent)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .set_exclusive_start_key(start);
        query = match &range {
            None => query.key_condition_expression("pk = :pk"),
            Some((from, to)) => query
                .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
                .expression_attribute_values(":from", AttributeValue::S(from.clone()))
                .expression_attribute_values(":to", AttributeValue::S(to.clone())),
        };
        let answer = query.send().await?;
        table.meter().read(answer.consumed_capacity.iter());
        for item in answer.items.unwrap_or_default() {
            all.push(keyed(item)?);
        }
        start = answer.last_evaluated_key;
        if start.is_none() {
            return Ok(all);
        }
    }
}

/// Growing pauses between tries of a throttled batch: 50 ms doubled each time, 6 times.
#[derive(Default)]
struct Pause(u32);

impl Pause {
    async fn wait(&mut self) -> Result<(), StoreError> {
        if self.0 == 6 {
            return Err(StoreError::Unavailable("a batch stays throttled".into()));
        }
        tokio::time::sleep(Duration::from_millis(50 << self.0)).await;
        self.0 += 1;
        Ok(())
    }
}
