//! Invitations: the link that makes a membership active, and the mail that carries it.

use crate::post::{Draft, Page, Post};
use belfry_api::Problem;
use belfry_domain::account::{ACTIVATION_LINK_LIFE, Identity, Link, LinkPurpose, User};
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{IdentityId, OutboxId, TenantId};
use belfry_domain::language::Language;
use belfry_domain::mail::Letter;
use belfry_domain::secret::Secret;
use belfry_domain::text::CompanyName;
use belfry_domain::throttle::{INVITATION, INVITATIONS};
use belfry_store::throttle::NotNow;
use belfry_store::users::{Invite, Invitee};
use belfry_store::{StoreError, Table, outbox};
use jiff::Timestamp;

/// Who is to be invited, and the secret of the link.
#[derive(Debug)]
pub struct Guest {
    /// The person.
    pub identity: Identity,
    person: Invitee,
    secret: Secret,
}

/// Writes invitations of one company.
#[derive(Clone, Copy)]
pub struct Inviter<'a> {
    /// Where mails are handed in.
    pub post: &'a Post,
    /// The company.
    pub company: &'a CompanyName,
    /// Of a person who is new.
    pub language: Language,
    /// Now.
    pub now: Timestamp,
}

impl Inviter<'_> {
    /// Counts an invitation of a tenant to an address, before it is made: against what the tenant may
    /// send in a day, and against the address.
    ///
    /// # Errors
    /// [`NotNow`].
    pub async fn count(
        &self,
        table: &Table,
        tenant: TenantId,
        email: &EmailAddress,
    ) -> Result<(), NotNow> {
        self.count_many(table, tenant, 1).await?;
        self.count_to(table, tenant, email).await
    }

    /// Counts so many against what a tenant may send in a day.
    ///
    /// # Errors
    /// [`NotNow`].
    pub async fn count_many(
        &self,
        table: &Table,
        tenant: TenantId,
        invitations: u32,
    ) -> Result<(), NotNow> {
        let (by, entropy) = (tenant.to_string(), self.post.entropy.as_ref());
        table.count_tries(&INVITATIONS, &by, invitations, self.now, entropy).await
    }

    /// Counts one against the address.
    ///
    /// # Errors
    /// [`NotNow`].
    pub async fn count_to(
        &self,
        table: &Table,
        tenant: TenantId,
        email: &EmailAddress,
    ) -> Result<(), NotNow> {
        let (to, entropy) = (format!("{tenant} {}", email.as_str()), self.post.entropy.as_ref());
        table.count_try(&INVITATION, &to, self.now, entropy).await
    }

    /// Whoever has the address, or somebody new. 2 calls.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn guest(&self, table: &Table, email: &EmailAddress) -> Result<Guest, StoreError> {
        Ok(self.guest_as(known(table, email).await?, email))
    }

    /// The same, where it is known already who has the address.
    pub fn guest_as(&self, known: Option<Identity>, email: &EmailAddress) -> Guest {
        let entropy = self.post.entropy.as_ref();
        let secret = Secret::new(entropy);
        if let Some(identity) = known {
            return Guest { identity, person: Invitee::Known, secret };
        }
        let identity = Identity::new(email.clone(), self.language, self.now, entropy);
        let person = Invitee::New(Box::new(identity.clone()));
        Guest { identity, person, secret }
    }

    /// The invitation of a guest to be `user`: what is written, and what to ring for after that. One
    /// call of the key service.
    ///
    /// # Errors
    /// 503 when the key service does not answer.
    pub async fn invite(&self, guest: Guest, user: &User) -> Result<(Invite, OutboxId), Problem> {
        let Guest { identity, person, secret } = guest;
        let letter = Letter::Activation {
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            company: self.company.clone(),
        };
        let (to, language) = (&identity.email, identity.language);
        let link = Some((Page::Activate, &secret));
        let mail = self.post.mail(Draft { to, language, letter, link }, self.now).await?;
        let link = Link {
            identity: identity.id,
            purpose: LinkPurpose::Activation { tenant: user.tenant, user: user.id },
            valid_until: self.now.checked_add(ACTIVATION_LINK_LIFE).unwrap_or(self.now),
        };
        let invite =
            Invite { person, link: (secret.hash(), link), mail: Some(outbox::item(&mail)?) };
        Ok((invite, mail.id))
    }
}

impl Guest {
    /// What the user keeps of the invitation: whose it is, and the hash of its link.
    pub fn invited(&self) -> (IdentityId, belfry_domain::secret::SecretHash) {
        (self.identity.id, self.secret.hash())
    }
}

/// Whoever has this address. 2 calls, 1 where nobody has.
///
/// # Errors
/// [`StoreError`].
pub async fn known(table: &Table, email: &EmailAddress) -> Result<Option<Identity>, StoreError> {
    match table.identity_of(email).await? {
        Some(id) => Ok(Some(table.identity(id).await?.ok_or_else(|| lost(id))?)),
        None => Ok(None),
    }
}

/// An address or a membership that leads to nobody.
pub fn lost(id: IdentityId) -> StoreError {
    StoreError::corrupt(id.to_string(), "an address leads nowhere")
}
