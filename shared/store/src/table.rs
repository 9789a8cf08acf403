//! The handle to the table, its errors, and the two or three calls that every access needs.

use crate::keys::{Key, PK, SK};
use crate::tags::Catalogues;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ConsumedCapacity};
use belfry_domain::failure::{Failure, FailureKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An item as the SDK has it.
pub type Item = HashMap<String, AttributeValue>;

/// Why the table did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It did not answer, throttled, or refused us; the same call may succeed later.
    #[error("the data store does not answer at the moment")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// An item is there and cannot be understood. Never reported as "not found".
    #[error("stored data is damaged")]
    Corrupt {
        /// Which item.
        what: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// A damaged item.
    pub fn corrupt(
        what: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Corrupt { what: what.into(), source: source.into() }
    }
}

impl<E, R> From<SdkError<E, R>> for StoreError
where
    E: Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    fn from(error: SdkError<E, R>) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl Failure for StoreError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Unavailable(_) => FailureKind::Unavailable { retry_after: 5 },
            Self::Corrupt { .. } => FailureKind::Internal,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "store_unavailable",
            Self::Corrupt { .. } => "internal",
        }
    }
}

/// Counts what calls cost, as the table itself reports it.
#[derive(Debug, Default)]
pub struct Meter {
    read: AtomicU64,
    written: AtomicU64,
    rivals: AtomicU64,
}

/// Read and write units since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Units {
    /// Read request units.
    pub read: f64,
    /// Write request units.
    pub written: f64,
}

impl Meter {
    /// Adds read units.
    pub fn read<'a>(&self, consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        add(&self.read, consumed);
    }

    /// Adds write units.
    pub fn wrote<'a>(&self, consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        add(&self.written, consumed);
    }

    /// Counts a transaction that met another one, or that another one got ahead of.
    pub(crate) fn rival(&self) {
        self.rivals.fetch_add(1, Ordering::Relaxed);
    }

    /// How often that was so since the last [`Self::take_rivals`].
    pub fn rivals(&self) -> u64 {
        self.rivals.load(Ordering::Relaxed)
    }

    /// The same, and from now on none.
    pub fn take_rivals(&self) -> u64 {
        self.rivals.swap(0, Ordering::Relaxed)
    }

    /// What was counted since the last call.
    pub fn take(&self) -> Units {
        Units { read: halves(&self.read), written: halves(&self.written) }
    }
}

/// Units come in halves; counted in halves they are whole numbers.
fn add<'a>(counter: &AtomicU64, consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) {
    for units in consumed.into_iter().filter_map(ConsumedCapacity::capacity_units) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small, not negative"
        )]
        counter.fetch_add((units * 2.0).round() as u64, Ordering::Relaxed);
    }
}

fn halves(counter: &AtomicU64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let count = counter.swap(0, Ordering::Relaxed) as f64;
    count / 2.0
}

/// The one table.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
    meter: Arc<Meter>,
    catalogues: Arc<Catalogues>,
}

impl Table {
    /// A handle; makes no call.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        let (meter, catalogues) = (Arc::default(), Arc::default());
        Self { client, name: name.into(), meter, catalogues }
    }

    /// The client, for the modules of this crate and for tests.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What the calls made through this handle cost.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The tags that were read last.
    pub(crate) fn catalogues(&self) -> &Catalogues {
        &self.catalogues
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens the connection during start-up, so that the first request does not pay for it: reads
    /// a key that is never there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn warm_up(&self) -> Result<(), StoreError> {
        let key = Key { pk: "C#warm-up".into(), sk: "CREDENTIAL".into() };
        let read = self.client.get_item().table_name(&self.name).set_key(Some(key_item(&key)));
        read.send().await?;
        Ok(())
    }
}

/// What a conditional update answered; none when its condition did not hold.
pub(crate) fn if_held<T, R>(
    answer: Result<T, SdkError<UpdateItemError, R>>,
) -> Result<Option<T>, StoreError>
where
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The key as the SDK wants it.
pub fn key_item(key: &Key) -> Item {
    HashMap::from([
        (PK.to_owned(), AttributeValue::S(key.pk.clone())),
        (SK.to_owned(), AttributeValue::S(key.sk.clone())),
    ])
}

/// An item of `key` with the attributes of `value`.
///
/// # Errors
/// [`StoreError::Corrupt`] when the value does not serialize to a map, which is a fault of ours.
pub fn to_item<T: Serialize>(key: &Key, value: &T) -> Result<Item, StoreError> {
    let mut item: Item =
        serde_dynamo::to_item(value).map_err(|error| StoreError::corrupt(&key.pk, error))?;
    item.extend(key_item(key));
    Ok(item)
}

/// Reads an item into a struct.
///
/// # Errors
/// [`StoreError::Corrupt`] naming the item.
pub fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    let what = match (item.get(PK), item.get(SK)) {
        (Some(AttributeValue::S(pk)), Some(AttributeValue::S(sk))) => format!("{pk} / {sk}"),
        _ => "an item without a key".to_owned(),
    };
    serde_dynamo::from_item(item).map_err(|error| StoreError::corrupt(what, error))
}
