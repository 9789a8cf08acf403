//! A dead letter is not lost: `belfry queue redrive` brings it back, and it counts once.

use std::process::Command;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as Attribute};

use crate::aws;
use crate::event::{VIOLATIONS, batch, violation};
use crate::stack::{Stack, eventually, repository};
use crate::tenant::Tenant;

#[tokio::test]
async fn redrive_brings_a_dead_letter_back() {
    let tenant = Tenant::new().await;
    let product = tenant.product("EPP").await;
    let events = batch(&[violation("c-1", 1)]);

    // What the queue does after the hundredth failed try, without waiting for a hundred.
    let mapping = Mapping::pause(&tenant.stack).await;
    product.report(Some("dead"), events.clone()).await.is(202);
    bury(&tenant.stack, &tenant.id).await;
    mapping.resume().await;

    product.report(Some("later"), batch(&[violation("c-2", 1)])).await.is(202);
    tenant.shows(VIOLATIONS, 1).await;

    // Built with the tests, into the folder above theirs.
    let tests = std::env::current_exe().unwrap();
    let tool = tests.ancestors().nth(2).unwrap().join("belfry");
    let redrive = Command::new(tool)
        .args(["queue", "redrive", "--json"])
        .current_dir(repository())
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&redrive.stderr);
    assert!(redrive.status.success(), "{complaint}");
    tenant.shows(VIOLATIONS, 2).await;

    // The sender, who never heard of it, may still repeat.
    product.report(Some("dead"), events).await.is(202);
    product.report(Some("last"), batch(&[violation("c-1", 1)])).await.is(202);
    tenant.shows(VIOLATIONS, 3).await;
}

/// The queue's trigger of `rollup`, paused. Other tests' telemetry waits meanwhile.
struct Mapping {
    lambda: aws_sdk_lambda::Client,
    id: String,
}

impl Mapping {
    async fn pause(stack: &Stack) -> Self {
        let lambda = aws::lambda(stack);
        let function = stack.output("RollupFunction");
        let list =
            lambda.list_event_source_mappings().function_name(function).send().await.unwrap();
        let id = list.event_source_mappings()[0].uuid().unwrap().to_owned();
        let mapping = Self { lambda, id };
        mapping.set(false, "Disabled").await;
        mapping
    }

    async fn resume(self) {
        self.set(true, "Enabled").await;
    }

    async fn set(&self, enabled: bool, state: &str) {
        let update = self.lambda.update_event_source_mapping().uuid(&self.id).enabled(enabled);
        update.send().await.unwrap();
        eventually(state, async || {
            let mapping = self.lambda.get_event_source_mapping().uuid(&self.id).send().await;
            let found = mapping.unwrap().state().unwrap_or_default().to_owned();
            if found == state { Ok(()) } else { Err(found) }
        })
        .await;
    }
}

/// Moves a tenant's one message from the telemetry queue to its dead letters, as the queue does.
async fn bury(stack: &Stack, tenant: &str) {
    let sqs = aws::sqs(stack);
    let queue = stack.output("TelemetryQueueUrl");
    let message = eventually("the tenant's message", async || {
        let received = sqs
            .receive_message()
            .queue_url(queue)
            .max_number_of_messages(10)
            .message_system_attribute_names(Attribute::All)
            .send()
            .await
            .unwrap();
        let (mut own, others): (Vec<Message>, Vec<Message>) =
            received.messages.unwrap_or_default().into_iter().partition(|message| {
                attribute(message, &Attribute::MessageGroupId).contains(tenant)
            });
        for message in others {
            let back = sqs.change_message_visibility().queue_url(queue).visibility_timeout(0);
            back.receipt_handle(message.receipt_handle.unwrap()).send().await.unwrap();
        }
        own.pop().ok_or_else(|| "not in the queue".to_owned())
    })
    .await;
    sqs.send_message()
        .queue_url(stack.output("TelemetryDeadLettersUrl"))
        .message_group_id(attribute(&message, &Attribute::MessageGroupId))
        .message_deduplication_id(attribute(&message, &Attribute::MessageDeduplicationId))
        .message_body(message.body().unwrap())
        .send()
        .await
        .unwrap();
    let handle = message.receipt_handle().unwrap();
    sqs.delete_message().queue_url(queue).receipt_handle(handle).send().await.unwrap();
}

fn attribute<'a>(message: &'a Message, name: &Attribute) -> &'a str {
    message.attributes().and_then(|all| all.get(name)).map(String::as_str).unwrap_or_default()
}
