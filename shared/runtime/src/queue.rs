//! Queues as functions see them.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use belfry_domain::failure::{Failure, FailureKind};
use futures::future::BoxFuture;
use std::error::Error;

/// The queue did not take a message; the same call may succeed later.
#[derive(Debug, thiserror::Error)]
#[error("the queue does not take messages at the moment; send the same again")]
pub struct QueueUnavailable(#[source] Box<dyn Error + Send + Sync>);

impl QueueUnavailable {
    /// With what the queue said, for the log.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl Failure for QueueUnavailable {
    fn kind(&self) -> FailureKind {
        FailureKind::Unavailable { retry_after: 5 }
    }
    fn code(&self) -> &'static str {
        "queue_unavailable"
    }
}

/// A message for a FIFO queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FifoMessage {
    /// Messages of a group are delivered in order, one batch at a time.
    pub group: String,
    /// The queue swallows a repeat within 5 minutes.
    pub deduplication: String,
    /// Text, at most 256 KiB here.
    pub body: String,
}

/// A FIFO queue that takes all messages or reports a failure; after a failure some may have been
/// taken, and sending the same again is safe by their deduplication ids.
pub trait FifoQueue: Send + Sync {
    /// Sends the messages in their order.
    fn send<'a>(
        &'a self,
        messages: &'a [FifoMessage],
    ) -> BoxFuture<'a, Result<(), QueueUnavailable>>;
}

/// Rings for work whose state is already in the table. Losing a ring costs time, never work.
pub trait Doorbell: Send + Sync {
    /// Sends one short text.
    fn ring<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<(), QueueUnavailable>>;
}

/// A queue of SQS.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

/// Limits of one `SendMessageBatch` call: 10 entries, 1 MiB in all.
const BATCH_ENTRIES: usize = 10;
const BATCH_BYTES: usize = 1024 * 1024;

impl SqsQueue {
    /// The queue at this URL; makes no call.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }

    /// Opens the connection during start-up, so that the first request does not pay for it.
    ///
    /// # Errors
    /// [`QueueUnavailable`].
    pub async fn warm_up(&self) -> Result<(), QueueUnavailable> {
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let request = request.attribute_names(QueueAttributeName::QueueArn);
        request.send().await.map(drop).map_err(QueueUnavailable::new)
    }

    async fn send_batch(&self, batch: &[FifoMessage]) -> Result<(), QueueUnavailable> {
        let mut request = self.client.send_message_batch().queue_url(&self.url);
        for (index, message) in batch.iter().enumerate() {
            let entry = SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_group_id(&message.group)
                .message_deduplication_id(&message.deduplication)
                .message_body(&message.body)
                .build()
                .map_err(QueueUnavailable::new)?;
            request = request.entries(entry);
        }
        let answer = request.send().await.map_err(QueueUnavailable::new)?;
        match answer.failed.first() {
            None => Ok(()),
            Some(failed) => Err(QueueUnavailable::new(format!("refused: {}", failed.code))),
        }
    }
}

impl FifoQueue for SqsQueue {
    fn send<'a>(
        &'a self,
        messages: &'a [FifoMessage],
    ) -> BoxFuture<'a, Result<(), QueueUnavailable>> {
        Box::pin(async move {
            let mut rest = messages;
            while !rest.is_empty() {
                let mut bytes = 0;
                let fitting = rest
                    .iter()
                    .take(BATCH_ENTRIES)
                    .take_while(|message| {
                        bytes += message.body.len();
                        bytes <= BATCH_BYTES
                    })
                    .count();
                let (batch, later) = rest.split_at(fitting.max(1));
                self.send_batch(batch).await?;
                rest = later;
            }
            Ok(())
        })
    }
}

impl Doorbell for SqsQueue {
    fn ring<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<(), QueueUnavailable>> {
        Box::pin(async move {
            self.client
                .send_message()
                .queue_url(&self.url)
                .message_body(text)
                .send()
                .await
                .map_err(QueueUnavailable::new)?;
            Ok(())
        })
    }
}
