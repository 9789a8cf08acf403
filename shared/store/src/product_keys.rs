//! Product keys that the vendor has issued.

use crate::accounts::held;
use crate::entity;
use crate::keys;
use crate::table::{StoreError, Table};
use crate::transaction::{Transaction, number};
use belfry_domain::license::{IssuedKey, ProductKey};
use belfry_domain::ports::Entropy;

/// How a new licence comes to its product key.
#[derive(Debug, Clone)]
pub enum KeyClaim {
    /// A new one is made for it.
    Fresh(IssuedKey),
    /// It was issued: as it was looked at, and as it becomes.
    Issued(IssuedKey, IssuedKey),
}

impl KeyClaim {
    pub(crate) fn writes(&self) -> Result<Transaction, StoreError> {
        match self {
            Self::Fresh(key) => Transaction::new().create_value(&keys::product_key(key.key), key),
            Self::Issued(before, after) => changed_key(before, after),
        }
    }
}

impl Table {
    /// A product key. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn product_key(&self, key: ProductKey) -> Result<Option<IssuedKey>, StoreError> {
        entity::get(self, &keys::product_key(key)).await
    }

    /// The product keys, those that there are. One call.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn product_keys(&self, wanted: &[ProductKey]) -> Result<Vec<IssuedKey>, StoreError> {
        let wanted: Vec<_> = wanted.iter().map(|key| keys::product_key(*key)).collect();
        let mut found = entity::get_many(self, &wanted).await?;
        wanted.iter().filter_map(|key| found.take(key).transpose()).collect()
    }

    /// Keeps a key that is issued, with the back office's log in `beside`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn issue_product_key(
        &self,
        key: &IssuedKey,
        beside: Transaction,
        entropy: &dyn Entropy,
    ) -> Result<(), StoreError> {
        let writes = Transaction::new().create_value(&keys::product_key(key.key), key)?;
        let done = writes.and(beside).run(self, entropy).await;
        done.map_err(crate::transaction::Refused::unexpected)
    }

    /// Changes a key that no tenant has. False when it changed meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_product_key(
        &self,
        (before, after): (&IssuedKey, &IssuedKey),
        beside: Transaction,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        held(changed_key(before, after)?.and(beside).run(self, entropy).await)
    }
}

/// The write of a changed key, if nobody else changed it since `before`.
pub(crate) fn changed_key(
    before: &IssuedKey,
    after: &IssuedKey,
) -> Result<Transaction, StoreError> {
    let item = entity::item(&keys::product_key(before.key), after)?;
    let version = [(":before", number(before.version))];
    Ok(Transaction::new().put(item, "#version = :before", version))
}
