//! How the sign-up is guarded.

use crate::entity;
use crate::keys;
use crate::table::{StoreError, Table};
use crate::transaction::Transaction;
use belfry_domain::captcha::Captcha;
use belfry_domain::ports::Entropy;

impl Table {
    /// How the sign-up is guarded; none when nobody has said it yet. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn captcha(&self) -> Result<Option<Captcha>, StoreError> {
        entity::get(self, &keys::captcha()).await
    }

    /// Says how, with the back office's log in `beside`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_captcha(
        &self,
        captcha: &Captcha,
        beside: Transaction,
        entropy: &dyn Entropy,
    ) -> Result<(), StoreError> {
        // Whoever speaks last is right.
        let item = entity::item(&keys::captcha(), captcha)?;
        let always = "attribute_exists(pk) OR attribute_not_exists(pk)";
        let writes = Transaction::new().put(item, always, []).and(beside);
        writes.run(self, entropy).await.map_err(crate::transaction::Refused::unexpected)
    }
}
