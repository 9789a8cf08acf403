//! The table inside the test process: `dynoxide` in memory, called without a socket.

use crate::gate::{Gate, Open};
use crate::transport::Transport;
use base64::Engine as _;
use belfry_store::Table;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

/// Name of the table.
pub const NAME: &str = "belfry";

/// One table of its own for each test. Clones are the same table.
#[derive(Clone)]
pub struct EmbeddedTable(Database);

impl fmt::Debug for EmbeddedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmbeddedTable")
    }
}

impl Default for EmbeddedTable {
    fn default() -> Self {
        Self::new()
    }
}

impl EmbeddedTable {
    /// An empty table with the keys, the index and the expiry attribute of template.yaml.
    pub fn new() -> Self {
        let table = Self(Database::memory().expect("a database in memory"));
        let attribute = |name| json!({"AttributeName": name, "AttributeType": "S"});
        let keys = |hash, range| {
            json!([{"AttributeName": hash, "KeyType": "HASH"},
                   {"AttributeName": range, "KeyType": "RANGE"}])
        };
        table.must(
            "CreateTable",
            &json!({
                "TableName": NAME,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": (["pk", "sk", "gsi1pk", "gsi1sk"].map(attribute)),
                "KeySchema": keys("pk", "sk"),
                "GlobalSecondaryIndexes": [{
                    "IndexName": "gsi1",
                    "KeySchema": keys("gsi1pk", "gsi1sk"),
                    "Projection": {"ProjectionType": "ALL"},
                }],
            }),
        );
        table.must(
            "UpdateTimeToLive",
            &json!({"TableName": NAME,
                "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "expires_at"}}),
        );
        table
    }

    /// A handle whose calls go straight through.
    pub fn table(&self) -> Table {
        self.client("test", Open).table()
    }

    /// A client of its own: `name` tells it apart in records, `gate` decides about its calls.
    pub fn client(&self, name: &str, gate: impl Gate + 'static) -> Transport {
        Transport::new(self.clone(), name, Arc::new(gate))
    }

    /// As [`Self::client`], with a gate that others use too.
    pub fn shared(&self, name: &str, gate: Arc<dyn Gate>) -> Transport {
        Transport::new(self.clone(), name, gate)
    }

    /// Every item in `DynamoDB` JSON, sorted by key.
    pub fn dump(&self) -> Vec<Value> {
        let mut items = Vec::new();
        let mut request = json!({"TableName": NAME, "ConsistentRead": true});
        loop {
            let mut answer = self.must("Scan", &request);
            items.append(answer["Items"].as_array_mut().expect("a list of items"));
            match answer["LastEvaluatedKey"].take() {
                Value::Null => break,
                key => request["ExclusiveStartKey"] = key,
            }
        }
        items.sort_by_key(|item| (text(item, "pk"), text(item, "sk")));
        items
    }

    /// The items whose partition key begins with `prefix`, sorted by key.
    pub fn dump_of(&self, prefix: &str) -> Vec<Value> {
        let mut items = self.dump();
        items.retain(|item| text(item, "pk").starts_with(prefix));
        items
    }

    /// Whether any item holds this text: in a string, in bytes, or in bytes packed with zstd.
    pub fn holds(&self, needle: &str) -> bool {
        self.dump().iter().any(|item| value_holds(item, needle))
    }

    /// Removes what has expired by the machine's clock, as `DynamoDB` does within days.
    pub fn sweep_expired(&self) {
        self.0.sweep_ttl().expect("a sweep");
    }

    fn must(&self, operation: &str, request: &Value) -> Value {
        let (status, answer) = self.perform(operation, &request.to_string());
        assert_eq!(status, 200, "{operation}: {answer}");
        serde_json::from_str(&answer).expect("the table answers JSON")
    }

    /// Status and body of one operation of `DynamoDB`'s JSON protocol.
    pub(crate) fn perform(&self, operation: &str, body: &str) -> (u16, String) {
        let db = &self.0;
        let result = match operation {
            "CreateTable" => run(body, |request| db.create_table(request)),
            "UpdateTimeToLive" => run(body, |request| db.update_time_to_live(request)),
            "DescribeTable" => run(body, |request| db.describe_table(request)),
            "GetItem" => run(body, |request| db.get_item(request)),
            "BatchGetItem" => run(body, |request| db.batch_get_item(request)),
            "TransactGetItems" => run(body, |request| db.transact_get_items(request)),
            "Query" => run(body, |request| db.query(request)),
            "Scan" => run(body, |request| db.scan(request)),
            "PutItem" => run(body, |request| db.put_item(request)),
            "UpdateItem" => run(body, |request| db.update_item(request)),
            "DeleteItem" => run(body, |request| db.delete_item(request)),
            "BatchWriteItem" => run(body, |request| db.batch_write_item(request)),
            "TransactWriteItems" => run(body, |request| db.transact_write_items(request)),
            "BatchExecuteStatement" => run(body, |request| db.batch_execute_statement(request)),
            other => Err(DynoxideError::SerializationException(format!("no operation {other}"))),
        };
        match result {
            Ok(answer) => (200, answer),
            Err(error) => (error.status_code(), error.to_json()),
        }
    }
}

fn run<Q: DeserializeOwned, A: Serialize>(
    body: &str,
    operation: impl FnOnce(Q) -> dynoxide::Result<A>,
) -> dynoxide::Result<String> {
    let request = serde_json::from_str(body)
        .map_err(|error| DynoxideError::ValidationException(error.to_string()))?;
    let answer = operation(request)?;
    serde_json::to_string(&answer)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

fn text(item: &Value, name: &str) -> String {
    item[name]["S"].as_str().unwrap_or_default().to_owned()
}

fn value_holds(value: &Value, needle: &str) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| match (name.as_str(), value) {
            ("B", Value::String(encoded)) => base64::engine::general_purpose::STANDARD
                .decode(encoded)
                .is_ok_and(|bytes| bytes_hold(&bytes, needle.as_bytes())),
            _ => name.contains(needle) || value_holds(value, needle),
        }),
        Value::Array(values) => values.iter().any(|value| value_holds(value, needle)),
        Value::String(text) => text.contains(needle),
        _ => false,
    }
}

fn bytes_hold(bytes: &[u8], needle: &[u8]) -> bool {
    const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let within = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    within(bytes)
        || (0..bytes.len())
            .filter(|at| bytes[*at..].starts_with(&ZSTD))
            .any(|at| unpack(&bytes[at..]).is_some_and(|unpacked| within(&unpacked)))
}

/// The first frame, whatever follows it.
fn unpack(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).ok()?.single_frame();
    std::io::copy(&mut decoder, &mut unpacked).ok()?;
    Some(unpacked)
}
