//! Transactions: all writes or none, each under its condition.

use crate::entity::{self, Entity};
use crate::keys::Key;
use crate::table::{Item, StoreError, Table, key_item};
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update,
};
use belfry_domain::ports::{Entropy, random};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// Why a transaction wrote nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The condition of the write at this place does not hold.
    #[error("the condition of write {0} does not hold")]
    Condition(usize),
    /// The table did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refused {
    /// The same as an error of the table, where no condition can fail but by a fault or a rival
    /// that keeps winning: trying again later is right.
    pub fn unexpected(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            condition @ Self::Condition(_) => StoreError::Unavailable(Box::new(condition)),
        }
    }
}

/// Values of an expression, by their `:name`.
pub type Values = HashMap<String, AttributeValue>;

/// The attribute names of expressions in which each is written `#name`, because many a good name is
/// a reserved word of `DynamoDB`'s. None when there is none, as an empty map is an error.
pub fn names(expressions: &[&str]) -> Option<HashMap<String, String>> {
    let names: HashMap<_, _> = expressions
        .iter()
        .flat_map(|expression| expression.split('#').skip(1))
        .filter_map(|rest| rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next())
        .map(|name| (format!("#{name}"), name.to_owned()))
        .collect();
    (!names.is_empty()).then_some(names)
}

#[derive(Debug, Clone)]
enum Write {
    Put { item: Item, condition: &'static str, values: Values },
    Update { key: Key, update: String, condition: &'static str, values: Values },
    Delete { key: Key, condition: &'static str, values: Values },
    Check { key: Key, condition: &'static str, values: Values },
}

/// Writes that happen together or not at all; at most 100, each on another item.
#[derive(Debug, Clone, Default)]
pub struct Transaction(Vec<Write>);

impl Transaction {
    /// Without a write.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many writes it has, which is also the place of the next one.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an item where nothing is yet.
    #[must_use]
    pub fn create(self, item: Item) -> Self {
        self.put(item, "attribute_not_exists(pk)", [])
    }

    /// Adds a value where nothing is yet.
    ///
    /// # Errors
    /// As [`entity::item`].
    pub fn create_value<T: Entity>(self, key: &Key, value: &T) -> Result<Self, StoreError> {
        Ok(self.create(entity::item(key, value)?))
    }

    /// Writes an item whole, under a condition.
    #[must_use]
    pub fn put<const N: usize>(
        mut self,
        item: Item,
        condition: &'static str,
        values: [(&str, AttributeValue); N],
    ) -> Self {
        self.0.push(Write::Put { item, condition, values: owned(values) });
        self
    }

    /// Changes attributes of an item, under a condition.
    #[must_use]
    pub fn update<const N: usize>(
        mut self,
        key: Key,
        update: &'static str,
        condition: &'static str,
        values: [(&str, AttributeValue); N],
    ) -> Self {
        let (update, values) = (update.to_owned(), owned(values));
        self.0.push(Write::Update { key, update, condition, values });
        self
    }

    /// Changes what differs between two forms of an item, under a condition.
    #[must_use]
    pub fn differ<const N: usize>(
        mut self,
        key: Key,
        (before, after): (&Item, Item),
        condition: &'static str,
        values: [(&str, AttributeValue); N],
    ) -> Self {
        let mut values = owned(values);
        let gone: BTreeSet<_> = before.keys().filter(|name| !after.contains_key(*name)).collect();
        let remove = gone.iter().map(|name| format!("#{name}")).collect::<Vec<_>>().join(", ");
        let changed: BTreeMap<_, _> =
            after.into_iter().filter(|(name, value)| before.get(name) != Some(value)).collect();
        let set = changed.keys().map(|name| format!("#{name} = :new_{name}"));
        let set = set.collect::<Vec<_>>().join(", ");
        values.extend(changed.into_iter().map(|(name, value)| (format!(":new_{name}"), value)));
        let part = |word: &str, what: &str| {
            if what.is_empty() { String::new() } else { format!("{word} {what} ") }
        };
        let update = part("SET", &set) + &part("REMOVE", &remove);
        self.0.push(Write::Update { key, update, condition, values });
        self
    }

    /// Sets one more attribute of an item: within the write that it has here already, as there can be
    /// but one, or by one of its own.
    #[must_use]
    pub fn also(mut self, key: Key, name: &str, value: AttributeValue) -> Self {
        let set = format!("SET #{name} = :also_{name}");
        let value = (format!(":also_{name}"), value);
        for write in &mut self.0 {
            match write {
                Write::Update { key: own, update, values, .. } if *own == key => {
                    *update = match update.strip_prefix("SET ") {
                        Some(rest) => format!("{set}, {rest}"),
                        None => format!("{set} {update}"),
                    };
                    values.extend([value]);
                    return self;
                }
                Write::Check { key: own, condition, values } if *own == key => {
                    let mut values = std::mem::take(values);
                    values.extend([value]);
                    *write = Write::Update { key, update: set, condition, values };
                    return self;
                }
                _ => {}
            }
        }
        let condition = "attribute_exists(pk)";
        let values = Values::from([value]);
        self.0.push(Write::Update { key, update: set, condition, values });
        self
    }

    /// Removes an item, under a condition.
    #[must_use]
    pub fn delete<const N: usize>(
        mut self,
        key: Key,
        condition: &'static str,
        values: [(&str, AttributeValue); N],
    ) -> Self {
        self.0.push(Write::Delete { key, condition, values: owned(values) });
        self
    }

    /// Requires something of an item and leaves it as it is.
    #[must_use]
    pub fn check<const N: usize>(
        mut self,
        key: Key,
        condition: &'static str,
        values: [(&str, AttributeValue); N],
    ) -> Self {
        self.0.push(Write::Check { key, condition, values: owned(values) });
        self
    }

    /// Adds the writes of another transaction behind these.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Does it. Tries again, a bounded number of times, when another transaction is at one of its
    /// items at the same moment. Costs 2 WRU per KB of each write.
    ///
    /// # Errors
    /// [`Refused::Condition`] with the place of the first write whose condition does not hold.
    pub async fn run(&self, table: &Table, entropy: &dyn Entropy) -> Result<(), Refused> {
        for attempt in 0.. {
            let writes = self.0.iter().map(|write| write.built(table.name()));
            let writes = writes
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| StoreError::Unavailable(Box::new(error)))?;
            let call = table.client().transact_write_items().set_transact_items(Some(writes));
            let Err(error) = call.send().await else { return Ok(()) };
            match reason(&error) {
                Reason::Condition(place) => return Err(Refused::Condition(place)),
                Reason::Rival if attempt + 1 < TRIES => {
                    table.meter().rival();
                    pause(attempt, entropy).await;
                }
                _ => return Err(Refused::Store(error.into())),
            }
        }
        Ok(())
    }
}

/// How often something that met a rival is tried.
pub(crate) const TRIES: u32 = 10;

/// Waits before another try: a random part of 10 ms that doubles each time, at most 640 ms, so that
/// rivals fall out of step.
pub(crate) async fn pause(attempt: u32, entropy: &dyn Entropy) {
    let most: u64 = 10 << attempt.min(6);
    let part = u64::from_le_bytes(random(entropy)) % most;
    tokio::time::sleep(Duration::from_millis(part)).await;
}

/// Why the table cancelled a transaction.
enum Reason {
    Condition(usize),
    Rival,
    Other,
}

fn reason<R>(error: &SdkError<TransactWriteItemsError, R>) -> Reason {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            let reasons = || cancelled.cancellation_reasons().iter().map(|reason| reason.code());
            if let Some(place) = reasons().position(|code| code == Some("ConditionalCheckFailed")) {
                Reason::Condition(place)
            } else if reasons().any(|code| code == Some("TransactionConflict")) {
                Reason::Rival
            } else {
                Reason::Other
            }
        }
        Some(TransactWriteItemsError::TransactionInProgressException(_)) => Reason::Rival,
        _ => Reason::Other,
    }
}

fn owned<const N: usize>(values: [(&str, AttributeValue); N]) -> Values {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Write {
    fn built(&self, table: &str) -> Result<TransactWriteItem, BuildError> {
        let write = TransactWriteItem::builder();
        // An empty map of values is an error of its own.
        let some = |values: &Values| (!values.is_empty()).then(|| values.clone());
        Ok(match self {
            Self::Put { item, condition, values } => write.put(
                Put::builder()
                    .table_name(table)
                    .set_item(Some(item.clone()))
                    .condition_expression(*condition)
                    .set_expression_attribute_names(names(&[condition]))
                    .set_expression_attribute_values(some(values))
                    .build()?,
            ),
            Self::Update { key, update, condition, values } => write.update(
                Update::builder()
                    .table_name(table)
                    .set_key(Some(key_item(key)))
                    .update_expression(update)
                    .condition_expression(*condition)
                    .set_expression_attribute_names(names(&[update, condition]))
                    .set_expression_attribute_values(some(values))
                    .build()?,
            ),
            Self::Delete { key, condition, values } => write.delete(
                Delete::builder()
                    .table_name(table)
                    .set_key(Some(key_item(key)))
                    .condition_expression(*condition)
                    .set_expression_attribute_names(names(&[condition]))
                    .set_expression_attribute_values(some(values))
                    .build()?,
            ),
            Self::Check { key, condition, values } => write.condition_check(
                ConditionCheck::builder()
                    .table_name(table)
                    .set_key(Some(key_item(key)))
                    .condition_expression(*condition)
                    .set_expression_attribute_names(names(&[condition]))
                    .set_expression_attribute_values(some(values))
                    .build()?,
            ),
        }
        .build())
    }
}

/// A time as items hold it: Unix milliseconds.
pub(crate) fn millis(at: jiff::Timestamp) -> AttributeValue {
    AttributeValue::N(at.as_millisecond().to_string())
}

/// Bytes.
pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new(bytes))
}

/// Text.
pub(crate) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A whole number.
pub(crate) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
