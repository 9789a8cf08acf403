//! Throttles: tries are counted in the table before they are made.

use crate::entity;
use crate::keys;
use crate::table::{StoreError, Table, if_held, key_item};
use crate::transaction::{TRIES, number, pause};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use belfry_domain::failure::{Failure, FailureKind, RateLimit};
use belfry_domain::ports::Entropy;
use belfry_domain::throttle::{Rule, Throttled, Tries};
use jiff::Timestamp;

/// Why a try may not be made.
#[derive(Debug, thiserror::Error)]
pub enum NotNow {
    /// There were too many.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The table did not say.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure for NotNow {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Throttled(error) => error.kind(),
            Self::Store(error) => error.kind(),
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Throttled(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }
    fn rate_limit(&self) -> Option<RateLimit> {
        match self {
            Self::Throttled(error) => error.rate_limit(),
            Self::Store(_) => None,
        }
    }
}

impl Table {
    /// Whether one more try of `subject` may be made, where only those that fail are counted, and they are
    /// counted when they have failed. 1 RRU.
    ///
    /// # Errors
    /// [`NotNow`].
    pub async fn may_try(&self, rule: &Rule, subject: &str, now: Timestamp) -> Result<(), NotNow> {
        let seen = entity::get::<Tries>(self, &keys::tries(rule, subject)).await?;
        rule.one_more(seen.as_ref(), now)?;
        Ok(())
    }

    /// Counts one more try of `subject`, before it is made. 1 RRU, 1 WRU.
    ///
    /// # Errors
    /// [`NotNow`].
    pub async fn count_try(
        &self,
        rule: &Rule,
        subject: &str,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(), NotNow> {
        self.count_tries(rule, subject, 1, now, entropy).await
    }

    /// Counts so many at once.
    ///
    /// # Errors
    /// [`NotNow`].
    pub async fn count_tries(
        &self,
        rule: &Rule,
        subject: &str,
        tries: u32,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(), NotNow> {
        let key = keys::tries(rule, subject);
        for attempt in 0..TRIES {
            let seen = entity::get::<Tries>(self, &key).await?;
            let more = rule.more(seen.as_ref(), tries, now)?;
            let call = self
                .client()
                .put_item()
                .table_name(self.name())
                .set_item(Some(entity::expiring(&key, &more, rule.forget_at(&more))?))
                .expression_attribute_names("#count", "count");
            let call = match seen {
                None => call.condition_expression("attribute_not_exists(#count)"),
                Some(seen) => call
                    .condition_expression("#count = :seen")
                    .expression_attribute_values(":seen", number(seen.count.into())),
            };
            match call.send().await {
                Ok(_) => return Ok(()),
                Err(error) if is_rival(&error) => pause(attempt, entropy).await,
                Err(error) => return Err(StoreError::from(error).into()),
            }
        }
        Err(rule.crowded().into())
    }

    /// Gives a counted try back: it was no failure. 1 WRU.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forgive_try(&self, rule: &Rule, subject: &str) -> Result<(), StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(self.name())
            .set_key(Some(key_item(&keys::tries(rule, subject))))
            .update_expression("SET #count = #count - :one")
            .condition_expression("#count > :zero")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":zero", number(0));
        if_held(call.send().await).map(drop)
    }
}

fn is_rival<R>(error: &SdkError<PutItemError, R>) -> bool {
    error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception)
}
