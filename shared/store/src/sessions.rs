//! Sessions: opened by a log-in, checked on every request, rotated by a refresh.

use crate::accounts::{changed_identity, held, shown};
use crate::keys::Key;
use crate::table::{Item, StoreError, Table, if_held, key_item};
use crate::transaction::{Refused, Transaction, bytes, millis, names, number, text};
use crate::{audit, entity, keys};
use aws_sdk_dynamodb::types::AttributeValue;
use belfry_domain::account::{Factor, Identity, Membership, Tenant, User};
use belfry_domain::audit::{Access, Entry};
use belfry_domain::challenge::Challenge;
use belfry_domain::id::{IdentityId, SessionId, TenantId, UserId};
use belfry_domain::policy::{Grant, Proof};
use belfry_domain::ports::Entropy;
use belfry_domain::secret::SecretHash;
use belfry_domain::session::Session;
use jiff::Timestamp;

/// A session with what it stands on, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The session.
    pub session: Session,
    /// The person.
    pub identity: Identity,
    /// The membership.
    pub user: User,
    /// The tenant.
    pub tenant: Tenant,
}

/// Notes to, and changed users in, so many of a person's companies go with a change, as a transaction
/// has at most 100 writes. Nobody is known to be in more; there, notes are written after it, and users
/// show what was enrolled before.
pub(crate) const NOTES: usize = 40;

/// A session to be opened.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// The new one.
    pub session: &'a Session,
    /// The session in whose place it opens, which ends; none at a log-in.
    pub instead_of: Option<SessionId>,
}

/// A change of a person by itself or for it: its password, its second factor. All of it or nothing.
#[derive(Debug)]
pub struct PersonChange<'a> {
    /// The person, as the change was decided on.
    pub before: &'a Identity,
    /// As it becomes.
    pub after: &'a Identity,
    /// The person's memberships, which show what it has enrolled.
    pub members: &'a [Membership],
    /// A membership of which the second factor is required from now on, or no longer.
    pub requires: Option<(&'a User, bool)>,
    /// The session within which it was asked for: it must not have ended.
    pub within: Option<&'a Session>,
    /// The session that goes on.
    pub opens: Option<Opening<'a>>,
    /// The link or challenge that is used up.
    pub uses: Option<Key>,
    /// The challenge that follows.
    pub issues: Option<(SecretHash, &'a Challenge)>,
    /// The person's mails, as items of the outbox.
    pub mails: Vec<Item>,
    /// What the person's other tenants are told.
    pub notes: Vec<(TenantId, Access)>,
    /// What else is written.
    pub beside: Transaction,
}

impl<'a> PersonChange<'a> {
    /// Of the person only.
    pub fn new(before: &'a Identity, after: &'a Identity, members: &'a [Membership]) -> Self {
        Self {
            before,
            after,
            members,
            requires: None,
            within: None,
            opens: None,
            uses: None,
            issues: None,
            mails: Vec::new(),
            notes: Vec::new(),
            beside: Transaction::new(),
        }
    }

    fn writes(self) -> Result<Transaction, StoreError> {
        // Before what is also set: of an item that `beside` checks, it becomes part.
        let mut writes = changed_identity(self.before, self.after)?.and(self.beside);
        if let Some(Session { identity, id, .. }) = self.within {
            writes = writes.check(keys::session(*identity, *id), "attribute_exists(pk)", []);
        }
        if let Some(key) = self.uses {
            writes = writes.delete(key, "attribute_exists(pk)", []);
        }
        match (self.opens, self.requires) {
            (Some(opening), required) => {
                writes = writes.and(opened(&opening, required.map(|(_, required)| required))?);
            }
            (None, Some((user, required))) => writes = writes.and(requires(user, required)),
            (None, None) => {}
        }
        if let Some((hash, challenge)) = self.issues {
            writes = writes.create(challenge_item(&hash, challenge)?);
        }
        for mail in self.mails {
            writes = writes.create(mail);
        }
        if Factor::of(self.after) != Factor::of(self.before) {
            writes = shown(writes, self.after, self.members);
        }
        for (tenant, access) in &self.notes {
            writes = writes.create(audit::access_item(Some(*tenant), access)?);
        }
        Ok(writes)
    }
}

impl Table {
    /// Reads a session, its person, its membership and its tenant, strongly consistent, in one call:
    /// so a log-out, a deactivation or a role change acts on the very next request. None when one is
    /// missing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn see(
        &self,
        identity: IdentityId,
        session: SessionId,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Option<Seen>, StoreError> {
        let (session, user) = (keys::session(identity, session), keys::user(tenant, user));
        let (identity, tenant) = (keys::identity(identity), keys::tenant(tenant));
        let wanted = [session.clone(), identity.clone(), user.clone(), tenant.clone()];
        let mut found = entity::get_many(self, &wanted).await?;
        let (session, identity) = (found.take(&session)?, found.take(&identity)?);
        Ok(match (session, identity, found.take(&user)?, found.take(&tenant)?) {
            (Some(session), Some(identity), Some(user), Some(tenant)) => {
                Some(Seen { session, identity, user, tenant })
            }
            _ => None,
        })
    }

    /// All sessions of a person that the table still holds. One strong query.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sessions(&self, identity: IdentityId) -> Result<Vec<Session>, StoreError> {
        // `~` is behind every character of a session id.
        let range = (keys::SESSIONS.to_owned(), format!("{}~", keys::SESSIONS));
        let partition = keys::identity_partition(identity);
        let found = entity::query(self, &partition, Some(range), true).await?;
        Ok(found.into_iter().map(|(_, session)| session).collect())
    }

    /// Opens a session for a proven person: only if the identity is still as it was proven and the
    /// membership still active. Writes down the log-in or the switch, and when the membership was
    /// last opened.
    ///
    /// # Errors
    /// [`Refused::Condition`] when person or membership changed meanwhile.
    pub async fn open_session(
        &self,
        proof: &Proof,
        opening: &Opening<'_>,
        access: &Access,
        entropy: &dyn Entropy,
    ) -> Result<(), Refused> {
        Transaction::new()
            .check(
                keys::identity(proof.identity()),
                "#version = :proven",
                [(":proven", number(proof.version()))],
            )
            .and(opened(opening, None)?)
            .create(audit::access_item(Some(opening.session.tenant), access)?)
            .run(self, entropy)
            .await
    }

    /// Opens a session with a code: the challenge is used up, the person's second factor has gone on.
    /// False when somebody else was faster.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_session_by_code(
        &self,
        change: PersonChange<'_>,
        access: &Access,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let tenant = change.opens.map(|opening| opening.session.tenant);
        let writes = change.writes()?.create(audit::access_item(tenant, access)?);
        held(writes.run(self, entropy).await)
    }

    /// Changes a person, on the record of the grant's tenant. False when somebody else was faster.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_person(
        &self,
        grant: &Grant,
        entry: &Entry,
        mut change: PersonChange<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        let later = change.notes.split_off(change.notes.len().min(NOTES));
        let done = held(self.commit(grant, entry, change.writes()?, now, entropy).await)?;
        if done {
            let later: Vec<_> =
                later.into_iter().map(|(tenant, access)| (Some(tenant), access)).collect();
            self.note_accesses(&later).await?;
        }
        Ok(done)
    }

    /// Keeps a challenge. 1 WRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn issue(&self, hash: &SecretHash, challenge: &Challenge) -> Result<(), StoreError> {
        let item = challenge_item(hash, challenge)?;
        self.client().put_item().table_name(self.name()).set_item(Some(item)).send().await?;
        Ok(())
    }

    /// The challenge with this hash. 1 RRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn challenge(&self, hash: &SecretHash) -> Result<Option<Challenge>, StoreError> {
        entity::get(self, &keys::challenge(hash)).await
    }

    /// Writes down that the person has proven anew to be it. False when the session is over. 1 WRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prove_session(
        &self,
        identity: IdentityId,
        session: SessionId,
        two_factor: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(self.name())
            .set_key(Some(key_item(&keys::session(identity, session))))
            .update_expression("SET proven_at = :now, two_factor = :two_factor")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":two_factor", AttributeValue::Bool(two_factor));
        Ok(if_held(call.send().await)?.is_some())
    }

    /// Writes when a session was last used. False when it is over. 1 WRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn touch_session(
        &self,
        session: &Session,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(self.name())
            .set_key(Some(key_item(&keys::session(session.identity, session.id))))
            .update_expression("SET last_used_at = :now")
            // An update of what is not there would make it.
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":now", millis(now));
        Ok(if_held(call.send().await)?.is_some())
    }

    /// Gives the session's refresh token up for its successor, if it is still the one that works; a
    /// rotation is a use when `after` says so. False when a rival was faster or the
    /// session is over. 1 WRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rotate_session(
        &self,
        before: &Session,
        after: &Session,
    ) -> Result<bool, StoreError> {
        const UPDATE: &str =
            "SET #refresh = :refresh, #rotation = :rotation, #last_used_at = :last_used_at";
        const CONDITION: &str = "#refresh = :before";
        let rotation = serde_dynamo::to_attribute_value(&after.rotation)
            .map_err(|error| StoreError::corrupt("a rotation", error))?;
        let call = self
            .client()
            .update_item()
            .table_name(self.name())
            .set_key(Some(key_item(&keys::session(before.identity, before.id))))
            .update_expression(UPDATE)
            .condition_expression(CONDITION)
            .set_expression_attribute_names(names(&[UPDATE, CONDITION]))
            .expression_attribute_values(":refresh", bytes(*after.refresh.bytes()))
            .expression_attribute_values(":rotation", rotation)
            .expression_attribute_values(":last_used_at", millis(after.last_used_at))
            .expression_attribute_values(":before", bytes(*before.refresh.bytes()));
        Ok(if_held(call.send().await)?.is_some())
    }

    /// Ends a session: its tokens are worth nothing from now on. Ending it again does nothing. 1 WRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_session(
        &self,
        identity: IdentityId,
        session: SessionId,
    ) -> Result<(), StoreError> {
        self.client()
            .delete_item()
            .table_name(self.name())
            .set_key(Some(key_item(&keys::session(identity, session))))
            .send()
            .await?;
        Ok(())
    }
}

/// The writes that open a session. The membership must be active and still the person's.
fn opened(opening: &Opening<'_>, required: Option<bool>) -> Result<Transaction, StoreError> {
    const ACTIVE: &str = "#status = :active AND #identity = :identity";
    let session = opening.session;
    let now = session.created_at;
    let user = keys::user(session.tenant, session.user);
    let active = (":active", text("active"));
    let identity = (":identity", text(session.identity.to_string()));
    let writes = match (required, opening.instead_of) {
        (Some(required), _) => Transaction::new().update(
            user,
            "SET #two_factor_required = :required, #version = #version + :one",
            ACTIVE,
            [(":required", AttributeValue::Bool(required)), (":one", number(1)), active, identity],
        ),
        (None, Some(_)) => Transaction::new().check(user, ACTIVE, [active, identity]),
        (None, None) => Transaction::new().update(
            user,
            "SET #last_login_at = :now",
            ACTIVE,
            [(":now", millis(now)), active, identity],
        ),
    };
    let writes = writes
        .update(
            keys::membership(session.identity, session.tenant),
            "SET #opened_at = :now",
            "attribute_exists(pk)",
            [(":now", millis(now))],
        )
        .create(entity::expiring(
            &keys::session(session.identity, session.id),
            session,
            session.ends_at,
        )?);
    Ok(match opening.instead_of {
        Some(old) => {
            writes.delete(keys::session(session.identity, old), "attribute_exists(pk)", [])
        }
        None => writes,
    })
}

/// The write of a membership whose second factor is required from now on, or no longer.
fn requires(user: &User, required: bool) -> Transaction {
    Transaction::new().update(
        keys::user(user.tenant, user.id),
        "SET #two_factor_required = :required, #version = :next",
        "#version = :before",
        [
            (":required", AttributeValue::Bool(required)),
            (":before", number(user.version)),
            (":next", number(user.version.saturating_add(1))),
        ],
    )
}

fn challenge_item(hash: &SecretHash, challenge: &Challenge) -> Result<Item, StoreError> {
    entity::expiring(&keys::challenge(hash), challenge, challenge.valid_until)
}
