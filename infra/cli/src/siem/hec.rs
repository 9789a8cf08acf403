//! Splunk's HTTP Event Collector, as far as a sender can tell.
//!
//! Source: Splunk Enterprise, "Troubleshoot HTTP Event Collector" (codes) and "About HTTP Event Collector
//! Indexer Acknowledgment".

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::io::{ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::siem::frame::MOST_MESSAGE;
use crate::siem::receiver::{Receiver, Record};
use crate::siem::verify::{Ending, Label, Transport, Wrong};

/// Most bytes of a request's body, before and after it is inflated.
const MOST_BODY: usize = 5 * 1024 * 1024;

/// Most acknowledgements that one request asks for.
const MOST_ACKS: usize = 10_000;

/// Channels whose acknowledgements are remembered.
const MOST_CHANNELS: usize = 1000;

/// An answer that says no, with its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct No(StatusCode, u16, &'static str);

const NO_TOKEN: No = No(StatusCode::UNAUTHORIZED, 2, "Token is required");
const NO_AUTHORIZATION: No = No(StatusCode::UNAUTHORIZED, 3, "Invalid authorization");
const WRONG_TOKEN: No = No(StatusCode::FORBIDDEN, 4, "Invalid token");
const NO_DATA: No = No(StatusCode::BAD_REQUEST, 5, "No data");
const INVALID_DATA: No = No(StatusCode::BAD_REQUEST, 6, "Invalid data format");
const NO_CHANNEL: No = No(StatusCode::BAD_REQUEST, 10, "Data channel is missing");
const INVALID_CHANNEL: No = No(StatusCode::BAD_REQUEST, 11, "Invalid data channel");
const NO_EVENT: No = No(StatusCode::BAD_REQUEST, 12, "Event field is required");
const BLANK_EVENT: No = No(StatusCode::BAD_REQUEST, 13, "Event field cannot be blank");
const NO_ACKS: No = No(StatusCode::BAD_REQUEST, 14, "ACK is disabled");
const INVALID_FIELDS: No = No(StatusCode::BAD_REQUEST, 15, "Error in handling indexed fields");
const TOO_LARGE: No = No(StatusCode::PAYLOAD_TOO_LARGE, 27, "Request entity too large");
const NOT_FOUND: No =
    No(StatusCode::NOT_FOUND, 404, "The requested URL was not found on this server.");
const NOT_ALLOWED: No = No(StatusCode::METHOD_NOT_ALLOWED, 405, "Method Not Allowed");
const NO_SUCH_ENCODING: No =
    No(StatusCode::UNSUPPORTED_MEDIA_TYPE, 415, "Unsupported content encoding");

/// The length of an event, and the record in it or why it holds none.
type Event = (usize, Result<Record, &'static str>);

/// Why a request is refused, and at which of its events.
#[derive(Debug, PartialEq, Eq)]
struct Refusal(No, Option<usize>);

impl From<No> for Refusal {
    fn from(no: No) -> Self {
        Self(no, None)
    }
}

/// The collector.
#[derive(Debug)]
pub(crate) struct Hec {
    token: String,
    /// Whether it acknowledges; Splunk Cloud does not.
    acknowledges: bool,
    receiver: Arc<Receiver>,
    /// The next acknowledgement of each channel.
    channels: Mutex<BTreeMap<String, u64>>,
}

impl Hec {
    pub(crate) fn new(token: String, acknowledges: bool, receiver: Arc<Receiver>) -> Self {
        Self { token, acknowledges, receiver, channels: Mutex::default() }
    }

    /// Answers the requests of a connection to its end.
    pub(crate) async fn serve<S>(&self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let service = service_fn(async |request| Ok::<_, Infallible>(self.answer(request).await));
        let mut builder = http1::Builder::new();
        // With a timer, who does not finish a header within 30 s gives up the seat.
        let served =
            builder.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        let (ending, why) = match served.await {
            Ok(()) => (Ending::Clean, String::new()),
            Err(error) => (ending(&error), error.to_string()),
        };
        self.receiver.ended(Transport::SplunkHec, ending, &why);
    }

    async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes, Error: Error + Send + Sync + 'static>,
    {
        let (status, answer) = match self.take(request).await {
            Ok(answer) => (StatusCode::OK, answer),
            Err(Refusal(No(status, code, text), event)) => {
                let mut answer = json!({"text": text, "code": code});
                if let (Some(answer), Some(event)) = (answer.as_object_mut(), event) {
                    answer.insert("invalid-event-number".to_owned(), json!(event));
                }
                (status, answer)
            }
        };
        let mut response = Response::new(Full::from(answer.to_string()));
        *response.status_mut() = status;
        let json = HeaderValue::from_static("application/json; charset=UTF-8");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }

    async fn take<B>(&self, request: Request<B>) -> Result<Value, Refusal>
    where
        B: Body<Data = Bytes, Error: Error + Send + Sync + 'static>,
    {
        let route = request.uri().path().to_owned();
        let method = match &*route {
            "/services/collector/health" => Method::GET,
            "/services/collector" | "/services/collector/event" | "/services/collector/ack" => {
                Method::POST
            }
            _ => return Err(NOT_FOUND.into()),
        };
        if request.method() != method {
            return Err(NOT_ALLOWED.into());
        }
        if method == Method::GET {
            return Ok(json!({"text": "HEC is healthy", "code": 17}));
        }
        let is_query = route.ends_with("/ack");
        let channel =
            self.admitted(&request, is_query).inspect_err(|Refusal(No(.., text), _)| {
                self.receiver.unauthorized(text);
            })?;
        let data = body(request).await;
        if is_query {
            return self.acknowledged(&channel.unwrap_or_default(), &data?);
        }
        let records = data.and_then(|data| events(&data)).inspect_err(|refusal| {
            let Refusal(No(.., text), event) = refusal;
            let at = event.map_or_else(String::new, |event| format!(", event {event}"));
            let wrong = format!("{text}{at}");
            self.receiver.wrong(Transport::SplunkHec, Wrong::Unreadable, &wrong);
        });
        // A refused request leaves nothing behind: it may come again, whole or in parts.
        for (bytes, record) in records? {
            self.receiver.took(Transport::SplunkHec, bytes, record);
        }
        self.receiver.report(true);
        let mut answer = json!({"text": "Success", "code": 0});
        if let (Some(channel), Some(answer)) = (channel, answer.as_object_mut()) {
            answer.insert("ackId".to_owned(), json!(self.next_ack(channel)));
        }
        Ok(answer)
    }

    /// Whether the request may come in; its channel, where there are acknowledgements.
    fn admitted<B>(&self, request: &Request<B>, is_query: bool) -> Result<Option<String>, Refusal> {
        let header = request.headers().get(AUTHORIZATION).ok_or(NO_TOKEN)?;
        let header = header.to_str().map_err(|_| NO_AUTHORIZATION)?;
        let token = header.strip_prefix("Splunk ").ok_or(NO_AUTHORIZATION)?.trim();
        if token.is_empty() {
            return Err(NO_TOKEN.into());
        }
        verify_slices_are_equal(token.as_bytes(), self.token.as_bytes())
            .map_err(|_| WRONG_TOKEN)?;
        if !self.acknowledges {
            return if is_query { Err(NO_ACKS.into()) } else { Ok(None) };
        }
        let header = request.headers().get("x-splunk-request-channel");
        let header = header.map(|header| header.to_str().unwrap_or_default());
        let query = request.uri().query().unwrap_or_default();
        let query = query.split('&').find_map(|pair| pair.strip_prefix("channel="));
        let channel = header.or(query).ok_or(NO_CHANNEL)?.to_ascii_lowercase();
        if is_guid(&channel) { Ok(Some(channel)) } else { Err(INVALID_CHANNEL.into()) }
    }

    fn next_ack(&self, channel: String) -> u64 {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if channels.len() >= MOST_CHANNELS && !channels.contains_key(&channel) {
            // Any of them: what is not acknowledged comes again.
            channels.pop_first();
        }
        let next = channels.entry(channel).or_default();
        let ack = *next;
        *next += 1;
        ack
    }

    /// Which of the asked for are taken. All that were promised are: they were before they were promised. A
    /// query may be repeated, as its answer may be lost.
    fn acknowledged(&self, channel: &str, query: &[u8]) -> Result<Value, Refusal> {
        let query: Value = serde_json::from_slice(query).map_err(|_| INVALID_DATA)?;
        let asked = query.get("acks").and_then(Value::as_array).ok_or(INVALID_DATA)?;
        if asked.len() > MOST_ACKS {
            return Err(INVALID_DATA.into());
        }
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let next = channels.get(channel).copied().unwrap_or_default();
        let told = asked.iter().map(|ack| {
            let ack = ack.as_u64().ok_or(INVALID_DATA)?;
            Ok((ack.to_string(), Value::from(ack < next)))
        });
        let told: serde_json::Map<String, Value> = told.collect::<Result<_, Refusal>>()?;
        Ok(json!({"acks": told}))
    }
}

/// How a connection ended that hyper calls an error.
fn ending(error: &hyper::Error) -> Ending {
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    if source.is_some_and(|source| source.kind() == ErrorKind::UnexpectedEof) {
        Ending::Unannounced
    } else if error.is_incomplete_message() {
        Ending::Cut
    } else {
        Ending::Broken
    }
}

/// Eight, four, four, four and twelve hexadecimal digits.
fn is_guid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12])
        && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// The body, inflated.
async fn body<B>(request: Request<B>) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes, Error: Error + Send + Sync + 'static>,
{
    let encoding = request.headers().get(CONTENT_ENCODING).cloned();
    let body = Limited::new(request.into_body(), MOST_BODY).collect().await;
    let body = body
        .map_err(|error| if error.is::<LengthLimitError>() { TOO_LARGE } else { INVALID_DATA })?;
    let body = body.to_bytes();
    match encoding.as_ref().map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(body),
        Some(b"gzip") => {
            let mut inflated = Vec::new();
            // One byte more than may be tells that there is more.
            let most = MOST_BODY as u64 + 1;
            let read = GzDecoder::new(&*body).take(most).read_to_end(&mut inflated);
            read.map_err(|_| INVALID_DATA)?;
            if inflated.len() > MOST_BODY { Err(TOO_LARGE.into()) } else { Ok(inflated.into()) }
        }
        Some(_) => Err(NO_SUCH_ENCODING.into()),
    }
}

/// The events of a request, each with its length; all or none.
fn events(body: &[u8]) -> Result<Vec<Event>, Refusal> {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let (mut events, mut begin) = (Vec::new(), 0);
    while let Some(value) = values.next() {
        let refused = |no| Refusal(no, Some(events.len()));
        let value = value.map_err(|_| refused(INVALID_DATA))?;
        let bytes = values.byte_offset() - begin;
        begin = values.byte_offset();
        if bytes > MOST_MESSAGE || !value.is_object() {
            return Err(refused(INVALID_DATA));
        }
        match value.get("event") {
            None | Some(Value::Null) => return Err(refused(NO_EVENT)),
            Some(Value::String(text)) if text.is_empty() => return Err(refused(BLANK_EVENT)),
            Some(_) => {}
        }
        let flat = |fields: &Value| {
            fields.as_object().is_some_and(|fields| !fields.values().any(Value::is_object))
        };
        if value.get("fields").is_some_and(|fields| !flat(fields)) {
            return Err(refused(INVALID_FIELDS));
        }
        events.push((bytes, record(&value)));
    }
    if events.is_empty() { Err(NO_DATA.into()) } else { Ok(events) }
}

/// The record in an event.
fn record(event: &Value) -> Result<Record, &'static str> {
    let field = |name: &str| text(event.get("fields")?.get(name)?);
    let kind = field("type").or_else(|| text(event.get("sourcetype")?)).unwrap_or_default();
    Ok(Record {
        label: Label::read(field)?,
        time: time(event.get("time")).ok_or("its time is none")?,
        kind,
        text: text(event.get("event").unwrap_or(&Value::Null)).unwrap_or_default(),
    })
}

/// A string as it is, anything else as JSON.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Seconds since 1970 as a number or as text, for people.
fn time(value: Option<&Value>) -> Option<String> {
    let value = match value? {
        Value::String(text) => text.parse().ok()?,
        other => other.as_f64()?,
    };
    let since = SignedDuration::try_from_secs_f64(value).ok()?;
    let at = Timestamp::UNIX_EPOCH.checked_add(since).ok()?.round(Unit::Millisecond).ok()?;
    Some(at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::siem::tests::{TOKEN, Trial};
    use crate::siem::verify::tests::TENANT;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    const CHANNEL: &str = "0FDB4A4B-2C1D-4E6F-8A90-B1C2D3E4F506";

    fn event(sequence: u64) -> Value {
        json!({
            "time": 1_764_158_400.123, "host": "console.example", "sourcetype": "belfry:ocsf",
            "event": {"class_uid": 2004},
            "fields": {
                "tenant": TENANT, "stream": "EPP/0", "sequence": sequence.to_string(),
                "id": format!("evt-{sequence}"), "type": "infection.detected",
            },
        })
    }

    fn batch(sequences: impl IntoIterator<Item = u64>) -> String {
        sequences.into_iter().map(|sequence| event(sequence).to_string()).collect()
    }

    /// A client that trusts the receiver's CA.
    fn client(trial: &Trial) -> reqwest::Client {
        let ca = reqwest::Certificate::from_pem(trial.ca.as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([ca]).build().unwrap()
    }

    fn post(client: &reqwest::Client, trial: &Trial, path: &str) -> reqwest::RequestBuilder {
        client.post(format!("https://localhost:{}/services/collector{path}", trial.address.port()))
    }

    fn allowed(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let request = request.header("Authorization", format!("Splunk {TOKEN}"));
        request.header("X-Splunk-Request-Channel", CHANNEL)
    }

    async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    #[tokio::test]
    async fn events_are_taken_and_acknowledged() {
        let trial = Trial::start("siem-hec", Transport::SplunkHec).await;
        let client = client(&trial);
        for (ack, path) in ["/event", "", "/event"].into_iter().enumerate() {
            let first = 1 + 10 * ack as u64;
            let request = allowed(post(&client, &trial, path)).body(batch(first..first + 10));
            let wanted = json!({"text": "Success", "code": 0, "ackId": ack});
            assert_eq!(answer(request).await, (200, wanted));
        }
        let query = json!({"acks": [0, 2, 3]});
        let ask = post(&client, &trial, &format!("/ack?channel={CHANNEL}"));
        let ask = ask.header("Authorization", format!("Splunk {TOKEN}")).json(&query);
        let wanted = json!({"acks": {"0": true, "2": true, "3": false}});
        assert_eq!(answer(ask.try_clone().unwrap()).await, (200, wanted.clone()));
        assert_eq!(answer(ask).await, (200, wanted), "an answer may be lost");
        // Another channel has other acknowledgements.
        let other = CHANNEL.replace('0', "1");
        let ask = post(&client, &trial, &format!("/ack?channel={other}"));
        let ask =
            ask.header("Authorization", format!("Splunk {TOKEN}")).json(&json!({"acks": [0]}));
        assert_eq!(answer(ask).await, (200, json!({"acks": {"0": false}})));
        let report = trial.report();
        let stream = &report["streams"][0];
        assert_eq!((&stream["transport"], &stream["distinct"]), (&"splunk_hec".into(), &30.into()));
        assert_eq!((&report["status"], &report["running"]), (&"ok".into(), &true.into()));
        drop(client);
        trial.idle().await;
        assert_eq!(trial.report()["connections"]["open"], 0);
    }

    #[tokio::test]
    async fn who_has_no_token_or_channel_is_told_so_by_its_code() {
        let trial = Trial::start("siem-hec-token", Transport::SplunkHec).await;
        let client = client(&trial);
        let good = format!("Splunk {TOKEN}");
        for (authorization, channel, wanted) in [
            (None, Some(CHANNEL), (401, 2)),
            (Some("Splunk "), Some(CHANNEL), (401, 3)),
            (Some("Bearer x"), Some(CHANNEL), (401, 3)),
            (Some("Splunk x"), Some(CHANNEL), (403, 4)),
            (Some(&*good), None, (400, 10)),
            (Some(&*good), Some("x"), (400, 11)),
            (Some(&*good), Some("0FDB4A4B2C1D4E6F8A90B1C2D3E4F506"), (400, 11)),
            (Some(&*good), Some(CHANNEL), (200, 0)),
        ] {
            let mut request = post(&client, &trial, "/event").body(batch([1]));
            if let Some(authorization) = authorization {
                request = request.header("Authorization", authorization);
            }
            if let Some(channel) = channel {
                request = request.header("X-Splunk-Request-Channel", channel);
            }
            let (status, answer) = answer(request).await;
            assert_eq!(
                (status, answer["code"].as_u64().unwrap()),
                wanted,
                "{authorization:?} {channel:?}"
            );
        }
        let report = trial.report();
        assert_eq!(
            (&report["received"]["unauthorized"], &report["status"]),
            (&7.into(), &"ok".into())
        );
        assert_eq!(report["received"]["messages"], 1);
    }

    #[tokio::test]
    async fn a_compressed_body_is_inflated_within_bounds() {
        let trial = Trial::start("siem-hec-gzip", Transport::SplunkHec).await;
        let client = client(&trial);
        let gzip = |text: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        };
        let good = gzip(batch(1..=100).as_bytes());
        let bomb = gzip(&vec![b' '; MOST_BODY + 1]);
        let full = gzip(&vec![b' '; MOST_BODY]);
        let cut = good[..good.len() - 9].to_vec();
        for (encoding, body, wanted) in [
            ("gzip", good, (200, 0)),
            ("gzip", bomb, (413, 27)),
            ("gzip", full, (400, 5)),
            ("gzip", cut, (400, 6)),
            ("gzip", b"plain".to_vec(), (400, 6)),
            ("br", b"x".to_vec(), (415, 415)),
        ] {
            let request =
                allowed(post(&client, &trial, "/event")).header("Content-Encoding", encoding);
            let (status, answer) = answer(request.body(body)).await;
            assert_eq!((status, answer["code"].as_u64().unwrap()), wanted);
        }
        assert_eq!(trial.report()["streams"][0]["distinct"], 100);
    }

    #[tokio::test]
    async fn what_is_no_event_is_refused_by_its_number_and_nothing_of_the_request_is_taken() {
        let trial = Trial::start("siem-hec-invalid", Transport::SplunkHec).await;
        let client = client(&trial);
        let without = |field: &str, value: Value| {
            let mut event = event(3);
            event[field] = value;
            event.to_string()
        };
        for (third, code) in [
            ("{\"event\":".to_owned(), 6),
            ("[]".to_owned(), 6),
            (format!("{{\"event\":\"{}\"}}", "x".repeat(MOST_MESSAGE)), 6),
            (without("event", Value::Null), 12),
            (without("event", json!("")), 13),
            (without("fields", json!({"a": {"b": 1}})), 15),
            (without("fields", json!([])), 15),
        ] {
            let request = allowed(post(&client, &trial, "/event")).body(batch(1..=2) + &third);
            let (status, answer) = answer(request).await;
            let told = (status, answer["code"].as_u64().unwrap(), &answer["invalid-event-number"]);
            assert_eq!(told, (400, code, &json!(2)), "{third:.80}");
        }
        let (status, empty) = answer(allowed(post(&client, &trial, "")).body(" \n")).await;
        assert_eq!((status, empty), (400, json!({"text": "No data", "code": 5})));
        let summary = serde_json::to_value(trial.receiver.summary()).unwrap();
        assert_eq!(
            (&summary["received"]["messages"], &summary["errors"]["unreadable"]),
            (&0.into(), &8.into())
        );

        // An event that Splunk would take, but that is no record.
        let foreign =
            allowed(post(&client, &trial, "/event")).body(without("fields", json!({"a": 1})));
        assert_eq!(answer(foreign).await.0, 200);
        assert_eq!(trial.report()["errors"]["unreadable"], 9);
    }

    #[tokio::test]
    async fn other_routes_and_methods_are_refused() {
        let trial = Trial::start("siem-hec-routes", Transport::SplunkHec).await;
        let client = client(&trial);
        assert_eq!(answer(allowed(post(&client, &trial, "/raw"))).await.0, 404);
        let url =
            |path| format!("https://localhost:{}/services/collector{path}", trial.address.port());
        assert_eq!(answer(client.get(url("/event"))).await.0, 405);
        assert_eq!(answer(client.get(url("/health"))).await.0, 200);
        let bad = allowed(post(&client, &trial, "/ack")).body("{}");
        assert_eq!(answer(bad).await.0, 400);
    }

    #[tokio::test]
    async fn without_acknowledgements_no_channel_is_asked_for() {
        let trial = Trial::start("siem-hec-no-ack", Transport::SplunkHec).await;
        let hec = Hec::new(TOKEN.to_owned(), false, trial.receiver.clone());
        let ask = async |path: &str, body: String| {
            let request = Request::post(format!("/services/collector{path}"));
            let request = request.header(AUTHORIZATION, format!("Splunk {TOKEN}"));
            hec.take(request.body(Full::from(body)).unwrap()).await
        };
        assert_eq!(ask("/event", batch([1])).await, Ok(json!({"text": "Success", "code": 0})));
        assert_eq!(ask("/ack", json!({"acks": [0]}).to_string()).await, Err(NO_ACKS.into()));
    }

    #[test]
    fn times_are_numbers_or_text() {
        for (value, wanted) in [
            (json!(1_764_158_400.123), Some("2025-11-26T12:00:00.123Z")),
            (json!("1764158400.123"), Some("2025-11-26T12:00:00.123Z")),
            (json!(0), Some("1970-01-01T00:00:00Z")),
            (json!("now"), None),
            (json!(1e300), None),
            (Value::Null, None),
        ] {
            assert_eq!(time(Some(&value)).as_deref(), wanted, "{value}");
        }
        assert_eq!(time(None), None);
    }
}
