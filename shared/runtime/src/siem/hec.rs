//! Splunk's HTTP Event Collector.
//! <https://docs.splunk.com/Documentation/Splunk/latest/Data/HECRESTendpoints>

use super::http::{Answer, Dialect, by_status, post, retry_after, said};
use super::{Parcel, Trouble};
use crate::outbound::OutboundError;
use belfry_domain::ports::{Entropy, random};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Request, Response, header};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Write as _;
use std::ops::Range;

/// What the paths of the collector begin with.
const COLLECTOR: &str = "/services/collector";

/// Speaks to a collector. Always by a channel, as a collector that acknowledges wants one.
pub(super) struct Hec {
    channel: String,
    path: String,
    /// Where acknowledgements are asked for; none where the path is not the collector's.
    acknowledgements: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    text: String,
    code: Option<u32>,
    #[serde(rename = "ackId")]
    ack_id: Option<u64>,
    #[serde(rename = "invalid-event-number")]
    invalid_event: Option<usize>,
}

#[derive(Serialize)]
struct Question<'a> {
    acks: &'a [u64],
}

#[derive(Deserialize)]
struct Acknowledged {
    acks: HashMap<String, bool>,
}

impl Hec {
    pub(super) fn of(parcel: &Parcel<'_>, entropy: &dyn Entropy) -> Self {
        // Another one for each parcel: indexers count acknowledgements from 0 on each channel, and behind a load
        // balancer another indexer must not answer for one that it has of an earlier parcel.
        let hex = hex::encode(random::<16>(entropy));
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or(""));
        let channel = parts.join("-");
        let address = parcel.settings.address.as_ref();
        let path = address
            .and_then(|address| address.path.as_ref())
            .map_or(parcel.settings.transport.default_path().to_owned(), |path| {
                path.as_str().to_owned()
            });
        let before = path.find(COLLECTOR).and_then(|at| path.get(..at));
        let acknowledgements =
            before.map(|before| format!("{before}{COLLECTOR}/ack?channel={channel}"));
        Self { channel, path, acknowledgements }
    }

    fn begin(
        &self,
        parcel: &Parcel<'_>,
        path: &str,
    ) -> Result<http::request::Builder, OutboundError> {
        let token = parcel.secrets.token.as_deref().unwrap_or_default();
        Ok(post(parcel, path)?
            .header(header::AUTHORIZATION, format!("Splunk {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-splunk-request-channel", &self.channel))
    }
}

impl Dialect for Hec {
    fn append(&self, parcel: &Parcel<'_>, index: usize, _: bool, body: &mut Vec<u8>) {
        if let Some(record) = parcel.records.get(index) {
            parcel.renderer.hec(record, body);
        }
    }

    fn request(
        &self,
        parcel: &Parcel<'_>,
        _: &Range<usize>,
        body: Vec<u8>,
    ) -> Result<Request<Full<Bytes>>, OutboundError> {
        let mut packed = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
        // Writing to a vector does not fail.
        let _ = packed.write_all(&body);
        let packed = packed.finish().unwrap_or_default();
        self.begin(parcel, &self.path)?
            .header(header::CONTENT_ENCODING, "gzip")
            .body(Full::new(Bytes::from(packed)))
            .map_err(|_| OutboundError::NotHttp)
    }

    fn read(&self, answer: &Response<Bytes>) -> Answer {
        let Ok(Said { text, code, ack_id, invalid_event }) = serde_json::from_slice(answer.body())
        else {
            return not_a_collector(answer);
        };
        let text = said(text.as_bytes());
        let trouble = |code, lasting| {
            let detail = format!("The collector answered: {text}");
            let wish = retry_after(answer.headers());
            Answer::Trouble(Trouble { code, detail, lasting, wish })
        };
        let poison = |code| {
            let detail = format!("The collector refuses the event: {text}");
            Answer::Poison { index: invalid_event, code, detail }
        };
        match code {
            Some(0) if answer.status().is_success() => match (ack_id, &self.acknowledgements) {
                (Some(id), Some(_)) => Answer::Acknowledges(id),
                _ => Answer::Taken,
            },
            Some(1..=4 | 16 | 21 | 22) => trouble("credential_refused", true),
            Some(7) => trouble("index_refused", true),
            Some(10 | 11) => trouble("channel_refused", true),
            Some(5) => poison("no_data"),
            Some(6) => poison("invalid_data"),
            Some(12 | 13) => poison("event_field_missing"),
            Some(15) => poison("indexed_fields_refused"),
            Some(8 | 9 | 18..=20) => trouble("busy", false),
            _ => not_a_collector(answer),
        }
    }

    fn ask(&self, parcel: &Parcel<'_>, ids: &[u64]) -> Option<Request<Full<Bytes>>> {
        let path = self.acknowledgements.as_deref()?;
        let body = serde_json::to_vec(&Question { acks: ids }).ok()?;
        self.begin(parcel, path).ok()?.body(Full::new(Bytes::from(body))).ok()
    }

    fn names_the_record(&self) -> bool {
        true
    }

    fn acknowledged(&self, answer: &Response<Bytes>) -> Result<Option<Vec<u64>>, Trouble> {
        if let Ok(Acknowledged { acks }) = serde_json::from_slice(answer.body()) {
            let there = acks.into_iter().filter(|(_, there)| *there);
            return Ok(Some(there.filter_map(|(id, _)| id.parse().ok()).collect()));
        }
        match self.read(answer) {
            // Acknowledgement is disabled: then the 200 before is all there is.
            _ if code_of(answer) == Some(14) => Ok(None),
            Answer::Trouble(trouble) => Err(trouble),
            _ => Err(Trouble {
                code: "not_acknowledged",
                detail: "The collector gives no acknowledgements where they are asked for.".into(),
                lasting: false,
                wish: None,
            }),
        }
    }
}

/// Whoever answers without a code of the collector's does not say that it has the events: a proxy's page is
/// 200 too.
fn not_a_collector(answer: &Response<Bytes>) -> Answer {
    match by_status(answer) {
        Answer::Taken => Answer::Trouble(Trouble {
            code: "not_a_collector",
            detail: "The answer is not one of an HTTP Event Collector; see the path.".to_owned(),
            lasting: false,
            wish: None,
        }),
        other => other,
    }
}

fn code_of(answer: &Response<Bytes>) -> Option<u32> {
    serde_json::from_slice::<Said>(answer.body()).ok()?.code
}
