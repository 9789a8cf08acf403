//! The queues: how much waits, and dead letters back into the main queue.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as Attribute, QueueAttributeName};
use serde::Serialize;

use crate::aws::{self, Keys};
use crate::console::Console;
use crate::failure::{Doing, Failure, Result};
use crate::stack::Stack;

/// Seconds a received dead letter stays hidden from another redrive.
const HIDDEN_SECONDS: i32 = 60;

/// Messages of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Depth {
    /// Ready to be received.
    pub(crate) waiting: u64,
    /// Received and not yet deleted.
    pub(crate) in_flight: u64,
}

/// What a redrive did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Redriven {
    pub(crate) status: &'static str,
    /// Messages sent again.
    pub(crate) moved: u64,
}

/// How many messages a queue holds, about.
pub(crate) async fn depth(queues: &Client, url: &str) -> Result<Depth> {
    let answer = queues
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
        .send()
        .await
        .doing("ask for a queue's depth")?;
    let number = |name| {
        let value = answer.attributes.as_ref().and_then(|attributes| attributes.get(&name));
        value.and_then(|value| value.parse().ok()).unwrap_or_default()
    };
    Ok(Depth {
        waiting: number(QueueAttributeName::ApproximateNumberOfMessages),
        in_flight: number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
    })
}

/// Sends every dead letter of the telemetry queue to the main queue again, then deletes it.
///
/// Interrupted between the two it sends a message twice, under two deduplication ids; the table
/// knows the part, so it is still counted once.
pub(crate) async fn redrive(stack: &Stack, keys: &Keys) -> Result<Redriven> {
    let queues = aws::sqs(stack, keys)?;
    let (dead, main) =
        (stack.output("TelemetryDeadLettersUrl")?, stack.output("TelemetryQueueUrl")?);
    let before = depth(&queues, dead).await?;
    let bar = Console::bar("Sending dead letters again", before.waiting + before.in_flight);
    let mut moved = 0;
    loop {
        let messages = queues
            .receive_message()
            .queue_url(dead)
            .max_number_of_messages(10)
            .visibility_timeout(HIDDEN_SECONDS)
            .wait_time_seconds(1)
            .message_system_attribute_names(Attribute::All)
            .message_attribute_names("All")
            .send()
            .await
            .doing("receive dead letters")?
            .messages
            .unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        for message in &messages {
            again(&queues, dead, main, message).await?;
            moved += 1;
            bar.inc(1);
        }
    }
    Console::done(&bar, format!("{moved} messages sent again"));
    let left = depth(&queues, dead).await?;
    if left.in_flight > 0 {
        eprintln!(
            "  {} more are held by another redrive or an interrupted one; run it again in {HIDDEN_SECONDS} s",
            left.in_flight
        );
    }
    Ok(Redriven { status: "ok", moved })
}

async fn again(queues: &Client, dead: &str, main: &str, message: &Message) -> Result<()> {
    let attribute = |name| {
        let value = message.attributes.as_ref().and_then(|attributes| attributes.get(&name));
        value
            .map(String::as_str)
            .ok_or_else(|| Failure::new(format!("a dead letter has no {name}")))
    };
    queues
        .send_message()
        .queue_url(main)
        .set_message_body(message.body.clone())
        .set_message_attributes(message.message_attributes.clone())
        .message_group_id(attribute(Attribute::MessageGroupId)?)
        .message_deduplication_id(again_id(
            attribute(Attribute::MessageDeduplicationId)?,
            attribute(Attribute::ApproximateReceiveCount)?,
        ))
        .send()
        .await
        .doing("send a dead letter to the main queue")?;
    queues
        .delete_message()
        .queue_url(dead)
        .set_receipt_handle(message.receipt_handle.clone())
        .send()
        .await
        .doing("delete a dead letter")?;
    Ok(())
}

/// The deduplication id of a message that is sent again: another one than the queue may still
/// remember, at most 128 characters.
fn again_id(original: &str, receive_count: &str) -> String {
    let suffix = format!("-r{receive_count}");
    let room = 128_usize.saturating_sub(suffix.len());
    format!("{}{suffix}", original.get(..room).unwrap_or(original))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_sent_again_has_another_deduplication_id() {
        assert_eq!(again_id("abc", "1"), "abc-r1");
        assert_eq!(again_id("abc-r1", "2"), "abc-r1-r2");
        let long = again_id(&"a".repeat(128), "12");
        assert_eq!(long.len(), 128);
        assert!(long.ends_with("-r12"));
    }
}
