//! A person's second factor, reset for a tenant: at once when the person is in no other company, else when
//! the person follows a mailed link.

use crate::post::{Draft, Page, Post, reader};
use belfry_api::Problem;
use belfry_domain::account::{
    Identity, Link, LinkPurpose, Membership, RESET_LINK_LIFE, Role, Status, Tenant, User,
};
use belfry_domain::audit::{Access, AccessKind, Entry, Outcome};
use belfry_domain::id::RecoveryId;
use belfry_domain::mail::Letter;
use belfry_domain::policy::Grant;
use belfry_domain::secret::Secret;
use belfry_domain::text::CompanyName;
use belfry_store::sessions::PersonChange;
use belfry_store::transaction::Transaction;
use belfry_store::users::unchanged;
use belfry_store::{StoreError, Table, outbox};
use jiff::Timestamp;

/// Whose it is, and on whose word.
#[derive(Clone, Copy)]
pub struct Reset<'a> {
    /// The table.
    pub table: &'a Table,
    /// Mails.
    pub post: &'a Post,
    /// The leave of the tenant.
    pub grant: &'a Grant,
    /// The tenant's user.
    pub user: &'a User,
    /// The person.
    pub identity: &'a Identity,
    /// The person's accepted memberships.
    pub memberships: &'a [Membership],
    /// The recovery that does it, when it is no super admin of the tenant.
    pub recovery: Option<RecoveryId>,
    /// Now.
    pub now: Timestamp,
}

/// The other tenants in which a person may do something.
///
/// # Errors
/// [`StoreError`].
pub async fn elsewhere(
    table: &Table,
    memberships: &[Membership],
    user: &User,
) -> Result<Vec<(Tenant, User)>, StoreError> {
    let mut elsewhere = table.members(memberships).await?;
    elsewhere.retain(|(tenant, other)| {
        tenant.id != user.tenant && other.status == Status::Active && other.role != Role::User
    });
    Ok(elsewhere)
}

impl Reset<'_> {
    fn entry(&self) -> Entry {
        let entry = Entry::about("user", &self.user.id).personal("email", self.user.email.as_str());
        match self.recovery {
            Some(recovery) => entry.set("recovery", recovery.to_string()),
            None => entry,
        }
    }

    /// Forgets the factor and ends the person's sessions, with what is to be written `beside`. False when
    /// somebody else was faster.
    ///
    /// # Errors
    /// 503 when the table does not answer.
    pub async fn at_once(self, beside: Transaction) -> Result<bool, Problem> {
        let Self { grant, user, identity, memberships, now, .. } = self;
        let entropy = self.post.entropy.as_ref();
        let after = Identity { second_factor: None, ..identity.changed() }.without_sessions();
        let letter = Letter::TwoFactorReset(reader(user));
        let (mail, item) = self.post.notice(&identity.email, identity.language, letter, now)?;
        let (kind, success) = (AccessKind::TwoFactorChanged, Outcome::Success);
        let others = memberships.iter().filter(|membership| membership.tenant != user.tenant);
        let note = |user| Access::new(kind, success, Some(user), grant.origin(), now, entropy);
        let change = PersonChange {
            mails: vec![item],
            notes: others.map(|membership| (membership.tenant, note(membership.user))).collect(),
            // Somebody else's role may not be ours to reset.
            beside: unchanged(user).and(beside),
            ..PersonChange::new(identity, &after, memberships)
        };
        let entry = self.entry().set("two_factor", "reset");
        let done = self.table.change_person(grant, &entry, change, now, entropy).await?;
        if done {
            self.post.ring(mail).await;
        }
        Ok(done)
    }

    /// Mails the person a link that agrees to it, with what is to be written `beside`. False when somebody
    /// else was faster.
    ///
    /// # Errors
    /// 503 when table or key service does not answer.
    pub async fn offer(self, company: &CompanyName, beside: Transaction) -> Result<bool, Problem> {
        let Self { grant, user, identity, now, .. } = self;
        let entropy = self.post.entropy.as_ref();
        let secret = Secret::new(entropy);
        let letter = Letter::TwoFactorResetLink { reader: reader(user), company: company.clone() };
        let (to, language) = (&identity.email, identity.language);
        let link_to = Some((Page::ResetTwoFactor, &secret));
        let mail = self.post.mail(Draft { to, language, letter, link: link_to }, now).await?;
        let link = Link {
            identity: identity.id,
            purpose: LinkPurpose::TwoFactorReset { tenant: user.tenant, user: user.id },
            valid_until: now.checked_add(RESET_LINK_LIFE).unwrap_or(now),
        };
        let (kept, beside) = ((secret.hash(), &link), beside.create(outbox::item(&mail)?));
        let entry = self.entry().set("two_factor_reset", "offered");
        let forms = (user, &entry);
        let done =
            self.table.offer_two_factor_reset(grant, forms, kept, beside, now, entropy).await?;
        if done {
            self.post.ring(mail.id).await;
        }
        Ok(done)
    }
}
