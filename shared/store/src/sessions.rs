//! Sessions: opened by a log-in, checked on every request, rotated by a refresh.

use crate::table::{StoreError, Table, key_item};
use crate::transaction::{Refused, Transaction, bytes, millis, names, number, text};
use crate::{audit, entity, keys};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use belfry_domain::account::{Tenant, User};
use belfry_domain::audit::Access;
use belfry_domain::id::{IdentityId, SessionId, TenantId, UserId};
use belfry_domain::policy::Proof;
use belfry_domain::ports::Entropy;
use belfry_domain::session::Session;
use jiff::Timestamp;

/// A session with the membership it stands on, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The session.
    pub session: Session,
    /// The membership.
    pub user: User,
    /// The tenant.
    pub tenant: Tenant,
}

impl Table {
    /// Reads a session, its membership and its tenant, strongly consistent, in one call: so a log-out, a
    /// deactivation or a role change acts on the very next request. None when one is missing.
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
        let tenant = keys::tenant(tenant);
        let wanted = [session.clone(), user.clone(), tenant.clone()];
        let mut found = entity::get_many(self, &wanted).await?;
        let (session, user, tenant) =
            (found.take(&session)?, found.take(&user)?, found.take(&tenant)?);
        Ok(match (session, user, tenant) {
            (Some(session), Some(user), Some(tenant)) => Some(Seen { session, user, tenant }),
            _ => None,
        })
    }

    /// Opens a session for a proven person: only if the identity is still as it was proven and the
    /// membership still active. Writes down when the membership was last used, and the log-in.
    ///
    /// # Errors
    /// [`Refused::Condition`] when person or membership changed meanwhile.
    pub async fn open_session(
        &self,
        proof: &Proof,
        session: &Session,
        access: &Access,
        entropy: &dyn Entropy,
    ) -> Result<(), Refused> {
        let now = session.created_at;
        let key = keys::session(session.identity, session.id);
        Transaction::new()
            .check(
                keys::identity(proof.identity()),
                "#version = :proven",
                [(":proven", number(proof.version()))],
            )
            .update(
                keys::user(session.tenant, session.user),
                "SET #last_login_at = :now",
                "#status = :active AND #identity = :identity",
                [
                    (":now", millis(now)),
                    (":active", text("active")),
                    (":identity", text(proof.identity().to_string())),
                ],
            )
            .update(
                keys::membership(session.identity, session.tenant),
                "SET #opened_at = :now",
                "attribute_exists(pk)",
                [(":now", millis(now))],
            )
            .create(entity::expiring(&key, session, session.ends_at)?)
            .create(audit::access_item(Some(session.tenant), access)?)
            .run(self, entropy)
            .await
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
        applied(call.send().await)
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
        applied(call.send().await)
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

fn applied<T, R>(
    answer: Result<T, aws_sdk_dynamodb::error::SdkError<UpdateItemError, R>>,
) -> Result<bool, StoreError>
where
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match answer {
        Ok(_) => Ok(true),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
        {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}
