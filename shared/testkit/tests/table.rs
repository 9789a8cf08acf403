//! The embedded table answers as `DynamoDB` does where the product depends on it, and the
//! transport before it does what tests ask of it.
#![expect(clippy::unwrap_used, clippy::float_cmp, reason = "tests; units are exact halves")]

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, KeysAndAttributes, Put, PutRequest, TransactWriteItem, Update,
    WriteRequest,
};
use belfry_store::Table;
use belfry_store::keys::Key;
use belfry_store::table::{Item, key_item};
use belfry_testkit::{Call, Crash, EmbeddedTable, Moment, Outcome, Turnstile, Verdict};
use std::collections::HashMap;
use std::sync::Arc;

fn key(pk: &str, sk: &str) -> Key {
    Key { pk: pk.to_owned(), sk: sk.to_owned() }
}

fn item(pk: &str, sk: &str, value: impl Into<String>) -> Item {
    let mut item = key_item(&key(pk, sk));
    item.insert("value".to_owned(), AttributeValue::S(value.into()));
    item
}

async fn put_new(table: &Table, item: Item) -> Result<(), String> {
    table
        .client()
        .put_item()
        .table_name(table.name())
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(#p)")
        .expression_attribute_names("#p", "pk")
        .send()
        .await
        .map(drop)
        .map_err(|error| match error {
            SdkError::ServiceError(error)
                if error.err().is_conditional_check_failed_exception() =>
            {
                "refused".to_owned()
            }
            SdkError::ServiceError(error) => error.err().meta().code().unwrap().to_owned(),
            SdkError::DispatchFailure(_) => "lost".to_owned(),
            other => format!("{other:?}"),
        })
}

async fn value(table: &Table, pk: &str) -> Option<String> {
    let read = table.client().get_item().table_name(table.name()).consistent_read(true);
    let answer = read.set_key(Some(key_item(&key(pk, "s")))).send().await.unwrap();
    answer.item?.get("value")?.as_s().ok().cloned()
}

#[tokio::test]
async fn a_conditional_put_is_taken_once_and_both_tries_are_charged_by_size() {
    let embedded = EmbeddedTable::new();
    let client = embedded.client("writer", |_: &Call| Verdict::Proceed);
    let table = client.table();
    put_new(&table, item("p", "s", "x".repeat(2_500))).await.unwrap();
    assert_eq!(put_new(&table, item("p", "s", "other")).await.unwrap_err(), "refused");
    assert_eq!(value(&table, "p").await.unwrap().len(), 2_500);

    let calls = client.calls();
    assert_eq!(calls.iter().map(|c| c.outcome).collect::<Vec<_>>(), {
        [Outcome::Done, Outcome::Refused, Outcome::Done]
    });
    assert_eq!(calls.iter().map(|c| c.write_units).collect::<Vec<_>>(), [3.0, 3.0, 0.0]);
    assert_eq!(client.read_units(), 1.0);
    assert_eq!(client.write_units(), 6.0);
    assert_eq!(client.counts(), [("GetItem".into(), 1), ("PutItem".into(), 2)].into());
    assert_eq!(calls[0].key(), ("p", "s"));
    client.reset();
    assert!(client.calls().is_empty());
}

#[tokio::test]
async fn reads_cost_half_when_eventually_consistent_and_pages_follow_the_key() {
    let embedded = EmbeddedTable::new();
    let client = embedded.client("reader", |_: &Call| Verdict::Proceed);
    let table = client.table();
    for n in 0..5 {
        let mut item = item("p", &format!("{n:020}"), "x".repeat(3_900));
        item.insert("gsi1pk".into(), AttributeValue::S("g".into()));
        item.insert("gsi1sk".into(), AttributeValue::S(format!("{}", 9 - n)));
        put_new(&table, item).await.unwrap();
    }
    assert_eq!(client.write_units(), 5.0 * 4.0 * 2.0, "the item and its copy in the index");
    client.reset();
    let query = |consistent, index: Option<&str>| {
        table
            .client()
            .query()
            .table_name(table.name())
            .set_index_name(index.map(str::to_owned))
            .key_condition_expression(if index.is_some() { "gsi1pk = :p" } else { "pk = :p" })
            .expression_attribute_values(
                ":p",
                AttributeValue::S(if index.is_some() { "g" } else { "p" }.into()),
            )
            .consistent_read(consistent)
            .limit(2)
    };
    let first = query(true, None).send().await.unwrap();
    let last = first.last_evaluated_key().unwrap().clone();
    let second = query(true, None).set_exclusive_start_key(Some(last)).send().await.unwrap();
    assert_eq!(second.items()[0]["sk"].as_s().unwrap(), &format!("{:020}", 2));
    assert_eq!(client.read_units(), 4.0);
    client.reset();
    query(false, None).send().await.unwrap();
    assert_eq!(client.read_units(), 1.0);
    let index = query(false, Some("gsi1")).send().await.unwrap();
    assert_eq!(index.items()[0]["sk"].as_s().unwrap(), &format!("{:020}", 4));
}

#[tokio::test]
async fn a_transaction_is_all_or_nothing_and_costs_double() {
    let embedded = EmbeddedTable::new();
    let client = embedded.client("writer", |_: &Call| Verdict::Proceed);
    let table = client.table();
    put_new(&table, item("old", "s", "1")).await.unwrap();
    client.reset();
    let put = |pk: &str| {
        let put = Put::builder().table_name(table.name()).set_item(Some(item(pk, "s", "2")));
        let put = put.condition_expression("attribute_not_exists(pk)").build().unwrap();
        TransactWriteItem::builder().put(put).build()
    };
    let transact =
        |parts| table.client().transact_write_items().set_transact_items(Some(parts)).send();
    let refused = transact(vec![put("new"), put("old")]).await.unwrap_err().into_service_error();
    let reasons: Vec<_> = match &refused {
        aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(e) => {
            e.cancellation_reasons().iter().map(|r| r.code().unwrap().to_owned()).collect()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(reasons, ["None", "ConditionalCheckFailed"]);
    assert_eq!(value(&table, "new").await, None);
    client.reset();
    transact(vec![put("new"), put("newer")]).await.unwrap();
    assert_eq!(client.write_units(), 4.0);
    assert_eq!(value(&table, "new").await.unwrap(), "2");
}

#[tokio::test]
async fn updates_count_from_nothing_and_compare_before_they_write() {
    let embedded = EmbeddedTable::new();
    let table = embedded.table();
    let add = |expected: &str| {
        table
            .client()
            .update_item()
            .table_name(table.name())
            .set_key(Some(key_item(&key("p", "s"))))
            .update_expression("SET n = if_not_exists(n, :zero) + :d, applied = :next")
            .condition_expression("attribute_not_exists(applied) OR applied = :expected")
            .expression_attribute_values(":zero", AttributeValue::N("0".into()))
            .expression_attribute_values(":d", AttributeValue::N("5".into()))
            .expression_attribute_values(":next", AttributeValue::N("7".into()))
            .expression_attribute_values(":expected", AttributeValue::N(expected.into()))
            .send()
    };
    add("0").await.unwrap();
    add("7").await.unwrap();
    add("6").await.unwrap_err();
    assert_eq!(embedded.dump()[0]["n"]["N"], "10");
}

#[tokio::test]
async fn batches_write_and_read_and_give_back_what_a_gate_leaves_undone() {
    let embedded = EmbeddedTable::new();
    let writes: Vec<_> = (0..3)
        .map(|n| {
            let put = PutRequest::builder().set_item(Some(item(&format!("p{n}"), "s", "v")));
            WriteRequest::builder().put_request(put.build().unwrap()).build()
        })
        .collect();
    for (entries, left) in [(0, 3), (2, 1), (9, 0)] {
        let client = embedded.client("writer", move |_: &Call| Verdict::Partly(entries));
        let table = client.table();
        let request = HashMap::from([(table.name().to_owned(), writes.clone())]);
        let answer = table.client().batch_write_item().set_request_items(Some(request));
        let answer = answer.send().await.unwrap();
        let rest = answer.unprocessed_items().unwrap().get(table.name()).map_or(0, Vec::len);
        assert_eq!((rest, embedded.dump().len()), (left, entries.min(3)));
        assert_eq!(client.write_units(), f64::from(3 - i32::try_from(left).unwrap()));
    }
    let client = embedded.client("reader", |_: &Call| Verdict::Partly(1));
    let table = client.table();
    let keys = ["p0", "p1"].map(|pk| key_item(&key(pk, "s"))).to_vec();
    let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
    let answer = table.client().batch_get_item().request_items(table.name(), keys.unwrap());
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.responses().unwrap()[table.name()].len(), 1);
    let rest = &answer.unprocessed_keys().unwrap()[table.name()];
    assert_eq!(rest.keys()[0]["pk"].as_s().unwrap(), "p1");
    assert_eq!(rest.consistent_read(), Some(true));
    assert_eq!(client.read_units(), 1.0);
}

#[tokio::test]
async fn a_crash_hits_its_call_and_every_later_one() {
    for (moment, kept) in [(Moment::Before, 1), (Moment::After, 2)] {
        let embedded = EmbeddedTable::new();
        let crash = Arc::new(Crash::new(1, moment));
        let client = embedded.shared("writer", crash.clone());
        let table = client.table();
        let mut answers = Vec::new();
        for pk in ["a", "b", "c"] {
            answers.push(put_new(&table, item(pk, "s", "v")).await);
        }
        assert!(crash.happened());
        assert_eq!(answers, [Ok(()), Err("lost".to_owned()), Err("lost".to_owned())]);
        assert_eq!(embedded.dump().len(), kept, "{moment:?}");
        assert_eq!(client.calls().len(), 3, "no retries");
    }
    let never = Crash::new(0, Moment::Before);
    assert!(!never.happened());
}

#[tokio::test]
async fn a_throttled_call_is_answered_so_and_not_done() {
    let embedded = EmbeddedTable::new();
    let client = embedded.client("writer", |_: &Call| Verdict::Throttle);
    let answer = put_new(&client.table(), item("p", "s", "v")).await.unwrap_err();
    assert_eq!(answer, "ThrottlingException");
    assert_eq!(client.calls()[0].outcome, Outcome::NotDone);
    assert!(embedded.dump().is_empty());
}

#[tokio::test]
async fn a_stripped_condition_no_longer_holds_alone_or_inside_a_transaction() {
    let embedded = EmbeddedTable::new();
    put_new(&embedded.table(), item("p", "s", "first")).await.unwrap();
    let client = embedded.client("writer", |_: &Call| Verdict::Proceed);
    let table = client.table();
    client.strip(|operation, write| operation == "PutItem" && write["Item"]["pk"]["S"] == "p");
    put_new(&table, item("p", "s", "second")).await.unwrap();
    assert_eq!(value(&table, "p").await.unwrap(), "second");
    assert_eq!(client.stripped(), 1);

    client.strip(|operation, _| operation == "ConditionCheck" || operation == "UpdateItem");
    let check = ConditionCheck::builder()
        .table_name(table.name())
        .set_key(Some(key_item(&key("nowhere", "s"))))
        .condition_expression("attribute_exists(pk)")
        .build()
        .unwrap();
    let update = Update::builder()
        .table_name(table.name())
        .set_key(Some(key_item(&key("p", "s"))))
        .update_expression("SET #v = :new")
        .condition_expression("#v = :old")
        .expression_attribute_names("#v", "value")
        .expression_attribute_values(":new", AttributeValue::S("third".into()))
        .expression_attribute_values(":old", AttributeValue::S("never".into()))
        .build()
        .unwrap();
    table
        .client()
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().condition_check(check).build())
        .transact_items(TransactWriteItem::builder().update(update).build())
        .send()
        .await
        .unwrap();
    assert_eq!(value(&table, "p").await.unwrap(), "third");
    assert_eq!(client.stripped(), 3);
    let seen: Vec<_> = client.conditions().into_iter().map(|(operation, _)| operation).collect();
    assert_eq!(seen, ["ConditionCheck", "PutItem", "UpdateItem"]);
}

#[tokio::test(start_paused = true)]
async fn rivals_go_in_the_order_the_test_decides() {
    for winner in [0, 1] {
        let embedded = EmbeddedTable::new();
        let turnstile = Arc::new(Turnstile::new());
        let rivals: Vec<_> = ["one", "two"]
            .into_iter()
            .map(|name| {
                let table = embedded.shared(name, turnstile.clone()).table();
                tokio::spawn(async move { put_new(&table, item("p", "s", name)).await })
            })
            .collect();
        let held = turnstile.settle().await;
        assert_eq!(held.iter().map(|h| h.call.client.as_str()).collect::<Vec<_>>(), ["one", "two"]);
        assert!(embedded.dump().is_empty());
        turnstile.release(held[winner].ticket, Verdict::Proceed);
        assert_eq!(turnstile.settle().await.len(), 1);
        assert_eq!(embedded.dump().len(), 1);
        turnstile.open();
        for (index, rival) in rivals.into_iter().enumerate() {
            let expected = if index == winner { Ok(()) } else { Err("refused".to_owned()) };
            assert_eq!(rival.await.unwrap(), expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_aborted_writer_leaves_the_turnstile_and_does_nothing() {
    let embedded = EmbeddedTable::new();
    let turnstile = Arc::new(Turnstile::both_sides());
    let table = embedded.shared("writer", turnstile.clone()).table();
    let stopped = tokio::spawn({
        let table = table.clone();
        async move { put_new(&table, item("p", "s", "v")).await }
    });
    assert_eq!(turnstile.settle().await[0].moment, Moment::Before);
    stopped.abort();
    assert!(turnstile.settle().await.is_empty());
    assert!(embedded.dump().is_empty());

    let late = tokio::spawn(async move { put_new(&table, item("p", "s", "v")).await });
    turnstile.release(turnstile.settle().await[0].ticket, Verdict::Proceed);
    let held = turnstile.settle().await;
    assert_eq!(held[0].moment, Moment::After);
    assert_eq!(embedded.dump().len(), 1, "done, and the caller does not know it yet");
    turnstile.release(held[0].ticket, Verdict::Hang);
    turnstile.settle().await;
    assert!(!late.is_finished());
    late.abort();
}

#[tokio::test]
async fn what_is_stored_is_found_in_text_names_bytes_and_packed_bytes() {
    let embedded = EmbeddedTable::new();
    let packed = zstd::encode_all("only PACKED text".as_bytes(), 3).unwrap();
    let mut stored = item("p", "s", "plain TEXT");
    let bytes = [b"head".as_slice(), &packed, b"tail and more bytes than a frame header"].concat();
    stored.insert("list".into(), AttributeValue::L(vec![AttributeValue::B(bytes.into())]));
    put_new(&embedded.table(), stored).await.unwrap();
    for there in ["plain TEXT", "TEXT", "PACKED text", "head", "tail", "list"] {
        assert!(embedded.holds(there), "{there}");
    }
    assert!(!embedded.holds("nowhere"));
    assert_eq!(embedded.dump_of("p").len(), 1);
    assert!(embedded.dump_of("q").is_empty());
}
