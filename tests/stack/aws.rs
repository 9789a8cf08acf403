//! What an operator may look at directly: queues, table, functions, mails that were sent.

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use serde_json::Value;

use crate::stack::Stack;

macro_rules! client {
    ($(#[$doc:meta])* $name:ident, $sdk:ident) => {
        $(#[$doc])*
        pub(crate) fn $name(stack: &Stack) -> $sdk::Client {
            let connector = Builder::new()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .build_https();
            let mut config = $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .region($sdk::config::Region::new(stack.region.clone()))
                .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
                .sleep_impl(TokioSleep::new())
                .http_client(connector);
            config.set_endpoint_url(stack.aws_endpoint.clone());
            $sdk::Client::from_conf(config.build())
        }
    };
}

client!(lambda, aws_sdk_lambda);
client!(sqs, aws_sdk_sqs);
client!(dynamodb, aws_sdk_dynamodb);

/// Calls the back office.
pub(crate) async fn backoffice(stack: &Stack, command: &Value) -> Value {
    invoke(stack, "BackofficeFunction", command).await
}

/// Calls a function by the name of its output, as a schedule or an operator does.
pub(crate) async fn invoke(stack: &Stack, function: &str, input: &Value) -> Value {
    let answer = lambda(stack)
        .invoke()
        .function_name(stack.output(function))
        .payload(aws_sdk_lambda::primitives::Blob::new(input.to_string()))
        .send()
        .await
        .unwrap();
    let payload = answer.payload.unwrap().into_inner();
    assert_eq!(answer.function_error, None, "{}", String::from_utf8_lossy(&payload));
    serde_json::from_slice(&payload).unwrap()
}

/// The texts of the mails that were sent to an address, oldest first: subject, text, HTML.
pub(crate) async fn mails(stack: &Stack, to: &str) -> Vec<[String; 3]> {
    let endpoint = stack.aws_endpoint.as_deref().expect("mails can only be read locally");
    let url = format!("{endpoint}/_ministack/ses/messages");
    let all: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let accounts = all["messages"].as_object().unwrap().values();
    accounts
        .flat_map(|mails| mails.as_array().unwrap())
        .filter(|mail| mail["To"].as_array().unwrap().iter().any(|address| address == to))
        .map(|mail| {
            ["Subject", "BodyText", "BodyHtml"]
                .map(|part| mail[part].as_str().unwrap_or_default().to_owned())
        })
        .collect()
}

/// Forgets what throttles have counted: tests all come from one address.
pub(crate) async fn forget_tries(stack: &Stack) {
    #[expect(clippy::disallowed_methods, reason = "throttles of all subjects")]
    let mut pages = dynamodb(stack)
        .scan()
        .table_name(stack.output("TableName"))
        .filter_expression("begins_with(pk, :tries)")
        .expression_attribute_values(":tries", AttributeValue::S("R#mail".to_owned()))
        .into_paginator()
        .items()
        .send();
    while let Some(item) = pages.next().await {
        let item = item.unwrap();
        let call = dynamodb(stack).delete_item().table_name(stack.output("TableName"));
        let call = call.key("pk", item["pk"].clone()).key("sk", item["sk"].clone());
        call.send().await.unwrap();
    }
}

/// Every text and every binary value that the table holds for a tenant, each with its item's
/// partition key; what is packed is unpacked.
pub(crate) async fn everything_of(stack: &Stack, tenant: &str) -> Vec<(String, Vec<u8>)> {
    #[expect(clippy::disallowed_methods, reason = "proves that something is nowhere in the table")]
    let mut pages = dynamodb(stack)
        .scan()
        .table_name(stack.output("TableName"))
        .filter_expression("begins_with(pk, :tenant)")
        .expression_attribute_values(":tenant", AttributeValue::S(format!("T#{tenant}")))
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(item) = pages.next().await {
        let item = item.unwrap();
        let pk = item["pk"].as_s().unwrap().clone();
        for (name, value) in item {
            found.push((pk.clone(), name.into_bytes()));
            flatten(&pk, value, &mut found);
        }
    }
    found
}

fn flatten(pk: &str, value: AttributeValue, found: &mut Vec<(String, Vec<u8>)>) {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => {
            found.push((pk.to_owned(), text.into_bytes()));
        }
        AttributeValue::B(bytes) => {
            let bytes = bytes.into_inner();
            found.extend(unpacked(&bytes).map(|bytes| (pk.to_owned(), bytes)));
            found.push((pk.to_owned(), bytes));
        }
        AttributeValue::M(map) => {
            for (name, value) in map {
                found.push((pk.to_owned(), name.into_bytes()));
                flatten(pk, value, found);
            }
        }
        AttributeValue::L(list) => list.into_iter().for_each(|value| flatten(pk, value, found)),
        AttributeValue::Ss(texts) => {
            found.extend(texts.into_iter().map(|text| (pk.to_owned(), text.into_bytes())));
        }
        AttributeValue::Bool(_) | AttributeValue::Null(_) => {}
        other => panic!("an attribute of a kind not searched: {other:?}"),
    }
}

/// The contents of a zstd frame, wherever in the value it begins.
fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    let start = bytes.windows(4).position(|four| four == [0x28, 0xb5, 0x2f, 0xfd])?;
    zstd::stream::decode_all(&bytes[start..]).ok()
}

pub(crate) fn holds(found: &[(String, Vec<u8>)], needle: &str) -> bool {
    found.iter().any(|(_, bytes)| contains(bytes, needle))
}

pub(crate) fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}
