//! Runs a function behind a queue or a schedule, or one that is invoked directly: a span with the
//! request id, one line of metrics, and for a queue the answer that names the failed messages.

use crate::Error;
use crate::metrics::{Metrics, Unit};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use belfry_domain::ports::Clock;
use lambda_runtime::LambdaEvent;
use serde_json::Value;
use serde_json::value::RawValue;
use std::future::Future;
use tracing::Instrument as _;

/// A message of a queue, as a function sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SqsMessage {
    /// Names it in the answer.
    pub id: String,
    /// Its text.
    pub body: String,
    /// Message group, of a FIFO queue.
    pub group: Option<String>,
    /// Deduplication id, of a FIFO queue.
    pub deduplication: Option<String>,
    /// How often it was delivered, this time counted.
    pub receives: u32,
}

/// What a function without a route is made of. A trigger it does not have is an error.
pub trait Events: Send + Sync + 'static {
    /// Works on the messages of a queue; answers the ids of those that failed. They come again,
    /// and of a FIFO queue the later ones of a failed message's group must be among them.
    fn messages(
        &self,
        messages: Vec<SqsMessage>,
        metrics: &mut Metrics,
    ) -> impl Future<Output = Vec<String>> + Send {
        let _ = metrics;
        async move { messages.into_iter().map(|message| message.id).collect() }
    }

    /// Answers a schedule or a direct call.
    ///
    /// # Errors
    /// The invocation fails with it.
    fn invoked(
        &self,
        input: Value,
        metrics: &mut Metrics,
    ) -> impl Future<Output = Result<Value, Error>> + Send {
        let _ = (input, metrics);
        async { Err("this function is woken by a queue only".into()) }
    }
}

/// Serves until the runtime ends. `function` and `stage` are the dimensions of its metrics.
///
/// # Errors
/// What the runtime reports.
pub async fn serve(
    events: impl Events,
    clock: impl Clock,
    function: &'static str,
    stage: String,
) -> Result<(), Error> {
    let (events, clock, stage) = (&events, &clock, stage.as_str());
    // Raw, so that a batch is parsed once and straight into its type.
    lambda_runtime::run(lambda_runtime::service_fn(
        move |event: LambdaEvent<Box<RawValue>>| async move {
            let mut metrics = Metrics::new(function, stage);
            let span = tracing::info_span!("event", request.id = %event.context.request_id);
            let answer = handle(events, event.payload.get(), &mut metrics).instrument(span.clone());
            let answer = answer.await;
            if let Err(error) = &answer {
                let _entered = span.enter();
                tracing::error!(cause = %error, "invocation failed");
                metrics.add("invocation.failed", Unit::Count, 1.0);
            }
            metrics.emit(clock.now());
            answer
        },
    ))
    .await
}

/// One event, from its text to its answer.
///
/// # Errors
/// What cannot be read, and what [`Events::invoked`] reports.
pub async fn handle(
    events: &impl Events,
    payload: &str,
    metrics: &mut Metrics,
) -> Result<Value, Error> {
    match serde_json::from_str::<SqsEvent>(payload) {
        Ok(batch) => {
            let messages = batch.records.into_iter().map(message).collect::<Result<Vec<_>, _>>()?;
            let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
            metrics.add("queue.messages", Unit::Count, f64::from(count));
            let failed = events.messages(messages, metrics).await;
            let count = u32::try_from(failed.len()).unwrap_or(u32::MAX);
            metrics.add("queue.failed", Unit::Count, f64::from(count));
            let mut answer = SqsBatchResponse::default();
            answer.set_failures(failed);
            Ok(serde_json::to_value(answer)?)
        }
        Err(_) => events.invoked(serde_json::from_str(payload)?, metrics).await,
    }
}

/// A message without an id could not be named as failed: then the whole batch fails.
fn message(record: aws_lambda_events::sqs::SqsMessage) -> Result<SqsMessage, Error> {
    let mut attributes = record.attributes;
    let receives = attributes.remove("ApproximateReceiveCount");
    Ok(SqsMessage {
        id: record.message_id.ok_or("a message without an id")?,
        body: record.body.unwrap_or_default(),
        group: attributes.remove("MessageGroupId"),
        deduplication: attributes.remove("MessageDeduplicationId"),
        receives: receives.and_then(|count| count.parse().ok()).unwrap_or(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Worker(Mutex<Vec<SqsMessage>>);

    impl Events for Worker {
        async fn messages(&self, messages: Vec<SqsMessage>, _: &mut Metrics) -> Vec<String> {
            *self.0.lock().unwrap() = messages.clone();
            messages.into_iter().filter(|m| m.body == "bad").map(|m| m.id).collect()
        }
        async fn invoked(&self, input: Value, _: &mut Metrics) -> Result<Value, Error> {
            Ok(json!({"got": input}))
        }
    }

    /// Takes what the defaults give.
    struct Idle;
    impl Events for Idle {}

    const BATCH: &str = r#"{"Records": [
        {"messageId": "1", "body": "good", "eventSource": "aws:sqs", "attributes": {
            "ApproximateReceiveCount": "3", "MessageGroupId": "g", "MessageDeduplicationId": "d",
            "SentTimestamp": "1"}, "messageAttributes": {}, "md5OfBody": "x",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:1:q", "awsRegion": "eu-central-1"},
        {"messageId": "2", "body": "bad", "attributes": {}, "messageAttributes": {}}]}"#;

    #[tokio::test]
    async fn a_batch_names_its_failed_messages() {
        let (worker, mut metrics) = (Worker::default(), Metrics::new("mail", "test"));
        let answer = handle(&worker, BATCH, &mut metrics).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "2"}]}));
        let expected = SqsMessage {
            id: "1".to_owned(),
            body: "good".to_owned(),
            group: Some("g".to_owned()),
            deduplication: Some("d".to_owned()),
            receives: 3,
        };
        assert_eq!(worker.0.lock().unwrap()[0], expected);
        assert_eq!(worker.0.lock().unwrap()[1].receives, 1);
        let line = metrics.line(jiff::Timestamp::UNIX_EPOCH);
        assert!(line.contains(r#""queue.messages":2.0"#), "{line}");
        assert!(line.contains(r#""queue.failed":1.0"#), "{line}");
    }

    #[tokio::test]
    async fn everything_else_is_an_invocation() {
        let mut metrics = Metrics::new("mail", "test");
        let answer = handle(&Worker::default(), r#"{"sweep":true}"#, &mut metrics).await.unwrap();
        assert_eq!(answer, json!({"got": {"sweep": true}}));
        handle(&Worker::default(), "{", &mut metrics).await.unwrap_err();
        handle(&Worker::default(), r#"{"Records":[{"body":"no id"}]}"#, &mut metrics)
            .await
            .unwrap_err();
    }

    #[tokio::test]
    async fn a_trigger_without_a_handler_loses_nothing() {
        let mut metrics = Metrics::new("mail", "test");
        let answer = handle(&Idle, BATCH, &mut metrics).await.unwrap();
        assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 2);
        handle(&Idle, "{}", &mut metrics).await.unwrap_err();
    }
}
