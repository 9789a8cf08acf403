//! Items that are one domain value each: its attributes, its type `et` and its schema version `v`.

use crate::keys::{EXPIRES_AT, Key, PK, SK};
use crate::table::{Item, StoreError, Table, from_item, key_item, to_item};
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use belfry_domain::account::{Identity, Link, Membership, Tenant, User};
use belfry_domain::credential::Credential;
use belfry_domain::license::License;
use belfry_domain::session::Session;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// A value that is an item.
pub trait Entity: Serialize + DeserializeOwned {
    /// Its type, in `et`.
    const TYPE: &'static str;
    /// Version of its schema, in `v`. What this code cannot read is damaged, never "not found".
    const VERSION: u32 = 1;
}

macro_rules! entities {
    ($($value:ty = $name:literal;)+) => {$(
        impl Entity for $value {
            const TYPE: &'static str = $name;
        }
    )+};
}

entities! {
    Tenant = "tenant";
    Identity = "identity";
    Membership = "membership";
    User = "user";
    Link = "link";
    Session = "session";
    License = "license";
    Credential = "credential";
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
        .send()
        .await?;
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
const BATCH: usize = 100;
/// How often what a batch left over is asked for again.
const TRIES: usize = 5;

/// Reads several items at once, strongly consistent: 1 RRU per 4 KB of each. One call per 100 keys.
///
/// # Errors
/// [`StoreError::Unavailable`] also when the table keeps leaving items over.
pub async fn get_many(table: &Table, keys: &[Key]) -> Result<Found, StoreError> {
    let mut found = Found::default();
    for keys in keys.chunks(BATCH) {
        let mut wanted: Vec<Item> = keys.iter().map(key_item).collect();
        for _ in 0..TRIES {
            let request = KeysAndAttributes::builder()
                .set_keys(Some(std::mem::take(&mut wanted)))
                .consistent_read(true)
                .build()
                .map_err(|error| StoreError::Unavailable(error.into()))?;
            let answer =
                table.client().batch_get_item().request_items(table.name(), request).send().await?;
            for item in answer.responses.into_iter().flatten().flat_map(|(_, items)| items) {
                if let (Some(AttributeValue::S(pk)), Some(AttributeValue::S(sk))) =
                    (item.get(PK), item.get(SK))
                {
                    let key = Key { pk: pk.clone(), sk: sk.clone() };
                    found.0.insert(key, item);
                }
            }
            let left = answer.unprocessed_keys.unwrap_or_default();
            wanted = left.into_values().flat_map(|left| left.keys).collect();
            if wanted.is_empty() {
                break;
            }
        }
        if !wanted.is_empty() {
            return Err(StoreError::Unavailable("a batch read stays unprocessed".into()));
        }
    }
    Ok(found)
}
