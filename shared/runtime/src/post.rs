//! Mails on their way out: written into the outbox with the change they tell of, then rung for.

use crate::keys::{SealError, Sealer};
use crate::queue::Doorbell;
use belfry_domain::account::User;
use belfry_domain::email::EmailAddress;
use belfry_domain::id::OutboxId;
use belfry_domain::language::Language;
use belfry_domain::mail::{Letter, Mail, Reader};
use belfry_domain::outbox::{OutboxEntry, Outgoing};
use belfry_domain::ports::Entropy;
use belfry_domain::secret::Secret;
use belfry_store::table::Item;
use belfry_store::{StoreError, outbox};
use jiff::Timestamp;
use std::sync::Arc;

/// A page of the console that mailed links lead to. Their secret stands in the fragment, which no
/// server and no log gets to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Accept an invitation.
    Activate,
    /// Set a new password.
    ResetPassword,
    /// Agree to a reset of the second factor.
    ResetTwoFactor,
    /// Confirm a sign-up.
    ConfirmSignUp,
    /// Stop what the vendor's staff would do.
    StopRecovery,
}

impl Page {
    const fn path(self) -> &'static str {
        match self {
            Self::Activate => "/activate",
            Self::ResetPassword => "/reset-password",
            Self::ResetTwoFactor => "/reset-two-factor",
            Self::ConfirmSignUp => "/confirm-sign-up",
            Self::StopRecovery => "/stop-recovery",
        }
    }
}

/// Where mails are handed in.
#[derive(Clone)]
pub struct Post {
    /// Seals links.
    pub sealer: Arc<dyn Sealer>,
    /// Rings for the outbox.
    pub bell: Arc<dyn Doorbell>,
    /// The console's address.
    pub console: String,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

/// To whom, in which language, what about, and with which link.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// To whom.
    pub to: &'a EmailAddress,
    /// In which language.
    pub language: Language,
    /// What about.
    pub letter: Letter,
    /// The page and the secret of its link.
    pub link: Option<(Page, &'a Secret)>,
}

impl Post {
    /// The outbox entry of a mail, its link sealed for it: one call of the key service when there is
    /// one.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn mail(&self, draft: Draft<'_>, now: Timestamp) -> Result<OutboxEntry, SealError> {
        let id = OutboxId::new(now, self.entropy.as_ref());
        let sealed_link = match draft.link {
            Some((page, secret)) => Some(self.seal(id, page, secret).await?),
            None => None,
        };
        let Draft { to, language, letter, .. } = draft;
        let mail = Mail { to: to.clone(), language, letter, sealed_link };
        Ok(OutboxEntry::new(id, Outgoing::Mail(mail), now))
    }

    /// [`notice`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn notice(
        &self,
        to: &EmailAddress,
        language: Language,
        letter: Letter,
        now: Timestamp,
    ) -> Result<(OutboxId, Item), StoreError> {
        notice(to, language, letter, now, self.entropy.as_ref())
    }

    /// What is written instead of a mail to nobody, at the same cost.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn nothing(&self, secret: &Secret, now: Timestamp) -> Result<OutboxEntry, SealError> {
        let id = OutboxId::new(now, self.entropy.as_ref());
        self.seal(id, Page::ResetPassword, secret).await?;
        Ok(OutboxEntry::new(id, Outgoing::Nothing, now))
    }

    /// [`ring`]s for an entry.
    pub async fn ring(&self, id: OutboxId) {
        ring(self.bell.as_ref(), id).await;
    }

    async fn seal(&self, id: OutboxId, page: Page, secret: &Secret) -> Result<Vec<u8>, SealError> {
        let link = format!("{}{}#{}", self.console, page.path(), secret.expose_text());
        let context = [("purpose", "mail-link"), ("outbox", &id.to_string())];
        self.sealer.seal(link.as_bytes(), &context).await
    }
}

/// The entry of a mail without a link, and its item.
///
/// # Errors
/// [`StoreError`].
pub fn notice(
    to: &EmailAddress,
    language: Language,
    letter: Letter,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<(OutboxId, Item), StoreError> {
    let id = OutboxId::new(now, entropy);
    let mail = Mail { to: to.clone(), language, letter, sealed_link: None };
    let entry = OutboxEntry::new(id, Outgoing::Mail(mail), now);
    Ok((id, outbox::item(&entry)?))
}

/// Rings for an outbox entry that is in the table. A lost ring costs a minute, until the sweep.
pub async fn ring(bell: &dyn Doorbell, id: OutboxId) {
    if let Err(error) = bell.ring(&id.to_string()).await {
        tracing::warn!(error = crate::log::whole(&error), "outbox not rung");
    }
}

/// How letters name a user.
pub fn reader(user: &User) -> Reader {
    Reader { first_name: user.first_name.clone(), last_name: user.last_name.clone() }
}
