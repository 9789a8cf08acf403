//! Sign-ups that wait for their mailed link.

use crate::accounts::held;
use crate::entity;
use crate::keys;
use crate::product_keys::changed_key;
use crate::table::{Item, StoreError, Table};
use crate::transaction::Transaction;
use belfry_domain::license::IssuedKey;
use belfry_domain::ports::Entropy;
use belfry_domain::secret::SecretHash;
use belfry_domain::sign_up::SignUp;

impl Table {
    /// Keeps a sign-up with its mail, and holds its product keys: as they were looked at, and held. False
    /// when one of them changed meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_sign_up(
        &self,
        hash: &SecretHash,
        sign_up: &SignUp,
        held_keys: &[(IssuedKey, IssuedKey)],
        mail: Item,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let key = keys::sign_up(hash);
        let mut writes = Transaction::new()
            .create(entity::expiring(&key, sign_up, sign_up.valid_until)?)
            .create(mail);
        for (before, after) in held_keys {
            writes = writes.and(changed_key(before, after)?);
        }
        held(writes.run(self, entropy).await)
    }

    /// The sign-up behind the link with this hash; none when there is no such link any longer. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sign_up(&self, hash: &SecretHash) -> Result<Option<SignUp>, StoreError> {
        entity::get(self, &keys::sign_up(hash)).await
    }
}
