//! What stands between an SDK client and the embedded table: it records every call and what it
//! cost, asks a gate about it, and can take conditions away.

use crate::condition;
use crate::gate::{Gate, Verdict};
use crate::table::{EmbeddedTable, NAME};
use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig, retry::RetryConfig,
};
use aws_sdk_dynamodb::{Client, Config};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use belfry_store::Table;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Still waits, or its caller gave it up.
    Open,
    /// The gate let it not reach the table.
    NotDone,
    /// The table did it.
    Done,
    /// The table refused it: a condition that did not hold, or a bad request.
    Refused,
}

/// One call of a client.
#[derive(Debug, Clone)]
pub struct Call {
    /// Name of the client.
    pub client: String,
    /// From 0, counted by client.
    pub number: usize,
    /// `PutItem`, `Query` ..
    pub operation: String,
    /// The request in `DynamoDB` JSON, as it reached the table.
    pub request: Value,
    /// Read units the table charged.
    pub read_units: f64,
    /// Write units the table charged. A refused write is charged too, by the size of the item
    /// that stood in its way; a refused transaction is not counted here.
    pub write_units: f64,
    /// How it ended.
    pub outcome: Outcome,
}

impl Call {
    /// The sort key (else the partition key) that a single-item call names, for readable rules.
    pub fn key(&self) -> (&str, &str) {
        let key = if self.operation == "PutItem" { "Item" } else { "Key" };
        let part = |name| self.request[key][name]["S"].as_str().unwrap_or_default();
        (part("pk"), part("sk"))
    }
}

type Rule = Box<dyn Fn(&str, &mut Value) + Send + Sync>;

#[derive(Default)]
struct Record {
    calls: Vec<Call>,
    rules: Vec<Rule>,
    conditions: BTreeSet<(String, String)>,
    stripped: usize,
}

struct Shared {
    table: EmbeddedTable,
    name: String,
    gate: Arc<dyn Gate>,
    record: Mutex<Record>,
}

/// A client of the embedded table. Clones are the same client.
#[derive(Clone)]
pub struct Transport(Arc<Shared>);

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transport({})", self.0.name)
    }
}

impl Transport {
    pub(crate) fn new(table: EmbeddedTable, name: &str, gate: Arc<dyn Gate>) -> Self {
        let record = Mutex::default();
        Self(Arc::new(Shared { table, name: name.to_owned(), gate, record }))
    }

    /// A handle to the table through this client. The SDK's own retries are off: a failure that a
    /// test asks for is seen by the code under test.
    pub fn table(&self) -> Table {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .endpoint_url("http://table.invalid")
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(self.clone())
            .build();
        Table::new(Client::from_conf(config), NAME)
    }

    /// Changes writes before they reach the table: the rule gets each `PutItem`, `UpdateItem`,
    /// `DeleteItem` or `ConditionCheck`, also those inside a transaction.
    pub fn rewrite(&self, rule: impl Fn(&str, &mut Value) + Send + Sync + 'static) {
        self.0.record.lock().unwrap().rules.push(Box::new(rule));
    }

    /// Takes the condition away from each write for which the rule says so.
    pub fn strip(&self, rule: impl Fn(&str, &Value) -> bool + Send + Sync + 'static) {
        self.rewrite(move |operation, write| {
            if rule(operation, write) {
                condition::replace(write, None);
            }
        });
    }

    /// How many writes the rules changed. A test of a removed condition asserts that it is not 0.
    pub fn stripped(&self) -> usize {
        self.0.record.lock().unwrap().stripped
    }

    /// The distinct conditions seen, as (operation, expression), before any rule: the list that
    /// "each removal must fail a test" goes through.
    pub fn conditions(&self) -> BTreeSet<(String, String)> {
        self.0.record.lock().unwrap().conditions.clone()
    }

    /// Every call so far, in the order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.0.record.lock().unwrap().calls.clone()
    }

    /// Number of calls by operation.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.calls() {
            *counts.entry(call.operation).or_default() += 1;
        }
        counts
    }

    /// All read units so far.
    pub fn read_units(&self) -> f64 {
        self.calls().iter().map(|call| call.read_units).sum()
    }

    /// All write units so far.
    pub fn write_units(&self) -> f64 {
        self.calls().iter().map(|call| call.write_units).sum()
    }

    /// What the calls cost, as a row of `infra/table.md`: what it was, calls, read and write units.
    pub fn cost(&self, what: &str) -> String {
        let (read, written) = (self.read_units(), self.write_units());
        format!("| {what} | {} | {read} | {written} |", self.calls().len())
    }

    /// Forgets the calls, to measure what comes next.
    pub fn reset(&self) {
        self.0.record.lock().unwrap().calls.clear();
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let call = self.receive(&request);
        let entries = match self.0.gate.before(&call).await {
            Verdict::Proceed => usize::MAX,
            Verdict::Partly(entries) => entries,
            Verdict::Fail => return Err(self.lost(&call, Outcome::NotDone)),
            Verdict::Throttle => {
                self.note(&call, |call| call.outcome = Outcome::NotDone);
                return Ok(response(400, THROTTLED.to_owned()));
            }
            Verdict::Conflict => {
                self.note(&call, |call| call.outcome = Outcome::NotDone);
                return Ok(response(400, CONFLICT.to_owned()));
            }
            Verdict::Hang => return std::future::pending().await,
        };
        let (status, body) = self.perform(&call, entries);
        match self.0.gate.after(&call).await {
            Verdict::Proceed | Verdict::Partly(_) => Ok(response(status, body)),
            Verdict::Fail | Verdict::Throttle | Verdict::Conflict => Err(connection_error()),
            Verdict::Hang => std::future::pending().await,
        }
    }

    /// Writes the call down, changed by the rules and asking for its cost.
    fn receive(&self, http: &HttpRequest) -> Call {
        let target = http.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = http.body().bytes().expect("a request in memory");
        let mut request: Value = serde_json::from_slice(body).expect("the SDK sends JSON");
        let record = &mut *self.0.record.lock().unwrap();
        condition::each_write(&operation, &mut request, |name, write| {
            if let Some(text) = write["ConditionExpression"].as_str() {
                record.conditions.insert((name.to_owned(), text.to_owned()));
            }
            let before = write.clone();
            record.rules.iter().for_each(|rule| rule(name, write));
            record.stripped += usize::from(*write != before);
        });
        request["ReturnConsumedCapacity"] = "TOTAL".into();
        let call = Call {
            client: self.0.name.clone(),
            number: record.calls.len(),
            operation,
            request,
            read_units: 0.0,
            write_units: 0.0,
            outcome: Outcome::Open,
        };
        record.calls.push(call.clone());
        call
    }

    fn perform(&self, call: &Call, entries: usize) -> (u16, String) {
        let mut request = call.request.clone();
        let unprocessed = cut(&call.operation, &mut request, entries);
        if is_conditional(&call.operation) {
            // Names the item that stood in the way, by whose size a refusal is charged.
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD".into();
        }
        let (status, body) = if unprocessed.is_some() && entries == 0 {
            (200, "{}".to_owned())
        } else {
            self.0.table.perform(&call.operation, &request.to_string())
        };
        let mut answer: Value = serde_json::from_str(&body).expect("the table answers JSON");
        let units = if status == 200 {
            charged(&answer["ConsumedCapacity"])
        } else {
            charged_refusal(&mut answer, call)
        };
        if let Some((name, rest)) = unprocessed {
            answer[name] = rest;
        }
        self.note(call, |call| {
            let reads = matches!(
                call.operation.as_str(),
                "GetItem" | "BatchGetItem" | "Query" | "TransactGetItems"
            );
            *(if reads { &mut call.read_units } else { &mut call.write_units }) = units;
            call.outcome = if status == 200 { Outcome::Done } else { Outcome::Refused };
        });
        (status, answer.to_string())
    }

    fn note(&self, call: &Call, change: impl FnOnce(&mut Call)) {
        // `reset` may have come in between.
        if let Some(call) = self.0.record.lock().unwrap().calls.get_mut(call.number) {
            change(call);
        }
    }

    fn lost(&self, call: &Call, outcome: Outcome) -> ConnectorError {
        self.note(call, |call| call.outcome = outcome);
        connection_error()
    }
}

const THROTTLED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException",
    "message":"a test asked for it"}"#;

const CONFLICT: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    "Message":"a test asked for it","CancellationReasons":[{"Code":"TransactionConflict"}]}"#;

fn connection_error() -> ConnectorError {
    ConnectorError::io("a test broke the connection".into())
}

fn is_conditional(operation: &str) -> bool {
    matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem")
}

/// The sum of a `ConsumedCapacity`, which is one or a list.
fn charged(capacity: &Value) -> f64 {
    let one = |capacity: &Value| capacity["CapacityUnits"].as_f64().unwrap_or_default();
    capacity.as_array().map_or_else(|| one(capacity), |list| list.iter().map(one).sum())
}

/// A write whose condition does not hold costs what writing the item that is there would cost, at
/// least one unit. <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html>
fn charged_refusal(answer: &mut Value, call: &Call) -> f64 {
    let refused = answer["__type"]
        .as_str()
        .is_some_and(|name| name.ends_with("#ConditionalCheckFailedException"));
    if !refused || !is_conditional(&call.operation) {
        return 0.0;
    }
    let units = serde_json::from_value::<dynoxide::Item>(answer["Item"].clone())
        .map_or(1.0, |item| {
            dynoxide::types::write_capacity_units(dynoxide::types::item_size(&item))
        });
    if call.request["ReturnValuesOnConditionCheckFailure"].is_null()
        && let Some(fields) = answer.as_object_mut()
    {
        fields.remove("Item");
    }
    units
}

/// Keeps the first entries of a batch; the others come back under the name it is answered by.
fn cut(operation: &str, request: &mut Value, entries: usize) -> Option<(&'static str, Value)> {
    let writes = match operation {
        "BatchWriteItem" => true,
        "BatchGetItem" => false,
        _ => return None,
    };
    let list = |request: &mut Value| -> Option<Vec<Value>> {
        let table = &mut request["RequestItems"][NAME];
        let list = if writes { table } else { &mut table["Keys"] };
        let list = list.as_array_mut()?;
        Some(list.split_off(entries.min(list.len())))
    };
    let rest = list(request)?;
    if rest.is_empty() {
        return None;
    }
    Some(if writes {
        ("UnprocessedItems", json!({NAME: rest}))
    } else {
        let mut table = request["RequestItems"][NAME].clone();
        table["Keys"] = Value::Array(rest);
        ("UnprocessedKeys", json!({NAME: table}))
    })
}

fn response(status: u16, body: String) -> HttpResponse {
    let status = status.try_into().expect("a status code");
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    response
}

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let transport = self.clone();
        HttpConnectorFuture::new(async move { transport.answer(request).await })
    }
}

impl HttpClient for Transport {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
