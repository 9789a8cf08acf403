//! What the HTTP transports share: requests one after another, and the search for the record that a
//! receiver does not want.

use super::{LONGEST, Network, Outcome, Parcel, Refusal, Trouble};
use crate::outbound::{Http, OutboundError, Trace};
use belfry_domain::siem::progress::Verdict;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Most bytes of a request's body before it is packed: half of what Splunk Cloud takes.
const MOST_BODY: usize = 512 * 1024;
/// Most records of a request.
const MOST_RECORDS: usize = 1_000;
/// So many refused and none taken: then it is not the records.
const ALL_REFUSED: usize = 20;
/// Most cookies that are kept of a receiver.
const MOST_COOKIES: usize = 16;
/// Most characters that are repeated of what a receiver says.
const MOST_SAID: usize = 200;

/// What an answer means for the records of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The receiver has them.
    Taken,
    /// It has them when it acknowledges this.
    Acknowledges(u64),
    /// One of them is not to its liking: which, if it says so, and why.
    Poison {
        /// Its place in the request.
        index: Option<usize>,
        /// Stable, `snake_case`.
        code: &'static str,
        /// What it said.
        detail: String,
    },
    /// They are too many.
    TooLarge,
    /// It takes none now.
    Trouble(Trouble),
}

/// One of the HTTP transports.
pub(super) trait Dialect: Send + Sync {
    /// Appends a record to a body of so many bytes that has others already, or not.
    fn append(&self, parcel: &Parcel<'_>, index: usize, first: bool, body: &mut Vec<u8>);

    /// The request with this body, for a range of the parcel's records.
    fn request(
        &self,
        parcel: &Parcel<'_>,
        range: &Range<usize>,
        body: Vec<u8>,
    ) -> Result<Request<Full<Bytes>>, OutboundError>;

    /// What the answer means.
    fn read(&self, answer: &Response<Bytes>) -> Answer;

    /// The request that asks for acknowledgements; none where there are none.
    fn ask(&self, parcel: &Parcel<'_>, ids: &[u64]) -> Option<Request<Full<Bytes>>>;

    /// Whether a receiver that took no record at all can be believed that one is at fault.
    fn names_the_record(&self) -> bool;

    /// Which of them are there; none of all when the receiver turns out to have no acknowledgements.
    fn acknowledged(&self, answer: &Response<Bytes>) -> Result<Option<Vec<u64>>, Trouble>;
}

/// Pauses between questions for acknowledgements.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A connection that is opened when it is needed.
struct Line<'a, 'p> {
    network: &'a Network,
    parcel: &'a Parcel<'p>,
    trace: &'a mut Trace,
    open: Option<Http>,
    /// What a load balancer wants to see again, so that the one is asked for an acknowledgement that owes it.
    cookies: BTreeMap<String, String>,
}

impl Line<'_, '_> {
    /// Sends a request. A receiver may have ended a connection that lay idle: then once more by a new one.
    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, OutboundError> {
        let used = self.open.is_some();
        let answer = self.once(request.clone()).await;
        match answer {
            Err(OutboundError::ConnectionClosed | OutboundError::ConnectionReset) if used => {
                self.once(request).await
            }
            answer => answer,
        }
    }

    async fn once(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, OutboundError> {
        let mut http = if let Some(http) = self.open.take() {
            http
        } else {
            let Parcel { settings, secrets, .. } = *self.parcel;
            self.network.connect(settings, secrets, self.trace).await?.http().await?
        };
        http.renew(self.network.outbound.patience().whole);
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        if let Ok(cookies) = HeaderValue::from_str(&cookies)
            && !cookies.is_empty()
        {
            request.headers_mut().insert(header::COOKIE, cookies);
        }
        let answer = http.exchange(request, self.trace).await?;
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().ok().and_then(|text| text.split(';').next());
            if let Some((name, value)) = pair.and_then(|pair| pair.split_once('='))
                && self.cookies.len() < MOST_COOKIES
            {
                self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        let close = answer.headers().get(header::CONNECTION).and_then(|value| value.to_str().ok());
        if !close.is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.open = Some(http);
        }
        Ok(answer)
    }
}

impl Network {
    /// Sends the records in requests as large as is fit, and looks for what the receiver does not want by
    /// halves. What was taken is confirmed when the receiver acknowledges it, where it does so at all.
    pub(super) async fn http(
        &self,
        parcel: Parcel<'_>,
        dialect: impl Dialect,
        trace: &mut Trace,
    ) -> Outcome {
        let mut outcome = Outcome::unknown(parcel.records.len());
        let mut line =
            Line { network: self, parcel: &parcel, trace, open: None, cookies: BTreeMap::new() };
        let mut waiting: Vec<(u64, Range<usize>)> = Vec::new();
        let mut taken = 0;
        // The last is the next: ranges that were cut in two stay in order.
        let whole = 0..parcel.records.len();
        let mut ranges = vec![whole];
        let since = self.clock.now();
        let mut late = false;
        while let Some(range) = ranges.pop() {
            late = self.clock.now().duration_since(since) >= LONGEST;
            if late {
                break;
            }
            let (body, range, rest) = pack(&parcel, &dialect, range);
            ranges.extend(rest);
            let bytes = body.len();
            let answer = match dialect.request(&parcel, &range, body) {
                Ok(request) => line.exchange(request).await,
                Err(error) => Err(error),
            };
            outcome.bytes += u64::try_from(bytes).unwrap_or(0);
            let answer = match answer {
                Ok(answer) => dialect.read(&answer),
                Err(error) => Answer::Trouble(error.into()),
            };
            match answer {
                Answer::Taken => {
                    taken += range.len();
                    outcome.say(range, Verdict::Confirmed);
                }
                Answer::Acknowledges(id) => {
                    taken += range.len();
                    waiting.push((id, range));
                }
                Answer::Poison { code, detail, .. } if range.len() == 1 => {
                    outcome.refusals.push(Refusal { index: range.start, code, detail });
                    outcome.say(range, Verdict::Parked);
                }
                Answer::TooLarge if range.len() == 1 => {
                    let (index, code) = (range.start, "too_large");
                    let detail = "The receiver says that the record is too large.".to_owned();
                    outcome.refusals.push(Refusal { index, code, detail });
                    outcome.say(range, Verdict::Parked);
                }
                Answer::Poison { index, .. } => ranges.extend(cut(&range, index)),
                Answer::TooLarge => ranges.extend(cut(&range, None)),
                Answer::Trouble(trouble) => {
                    outcome.trouble = Some(trouble);
                    break;
                }
            }
            if taken == 0 && outcome.refusals.len() >= ALL_REFUSED {
                return refuses_everything(&outcome, true);
            }
        }
        if taken == 0 && !outcome.refusals.is_empty() && !dialect.names_the_record() {
            return refuses_everything(&outcome, false);
        }
        if late && taken == 0 && outcome.refusals.is_empty() {
            // In smaller requests it will come to an end.
            outcome.trouble.get_or_insert(Trouble {
                code: "too_slow",
                detail: "The receiver is too slow for so many events at once.".to_owned(),
                lasting: false,
                wish: None,
            });
        }
        acknowledge(&mut line, &dialect, waiting, &mut outcome).await;
        outcome
    }
}

/// Asks until everything that was taken is acknowledged, or it takes longer than an answer may.
async fn acknowledge(
    line: &mut Line<'_, '_>,
    dialect: &impl Dialect,
    mut waiting: Vec<(u64, Range<usize>)>,
    outcome: &mut Outcome,
) {
    let until = Instant::now() + 2 * line.network.outbound.patience().whole;
    let mut pause = FIRST_PAUSE;
    while !waiting.is_empty() {
        let ids: Vec<u64> = waiting.iter().map(|(id, _)| *id).collect();
        let Some(request) = dialect.ask(line.parcel, &ids) else { return };
        let acknowledged = match timeout_at(until, line.exchange(request)).await {
            Ok(Ok(answer)) => dialect.acknowledged(&answer),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Ok(Some(Vec::new())),
        };
        match acknowledged {
            Ok(ids) => waiting.retain(|(id, range)| {
                let there = ids.as_ref().is_none_or(|ids| ids.contains(id));
                if there {
                    outcome.say(range.clone(), Verdict::Confirmed);
                }
                !there
            }),
            Err(trouble) => {
                outcome.trouble.get_or_insert(trouble);
                return;
            }
        }
        if waiting.is_empty() {
            return;
        }
        if Instant::now() >= until {
            outcome.trouble.get_or_insert(Trouble {
                code: "not_acknowledged",
                detail: "The receiver took the events and did not acknowledge them in time.".into(),
                lasting: false,
                wish: None,
            });
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The body of one request for the first records of a range, and what is left of it.
fn pack(
    parcel: &Parcel<'_>,
    dialect: &impl Dialect,
    range: Range<usize>,
) -> (Vec<u8>, Range<usize>, Option<Range<usize>>) {
    let mut body = Vec::new();
    let most = range.end.min(range.start + MOST_RECORDS.min(parcel.pace));
    let mut end = range.start;
    while end < most && (end == range.start || body.len() < MOST_BODY) {
        dialect.append(parcel, end, end == range.start, &mut body);
        end += 1;
    }
    let rest = (end < range.end).then_some(end..range.end);
    (body, range.start..end, rest)
}

/// A range in parts, the last first: around the record that is said to be the one, or in halves.
fn cut(range: &Range<usize>, index: Option<usize>) -> Vec<Range<usize>> {
    let at = index.map(|index| range.start + index).filter(|at| range.contains(at));
    let middle = range.start + range.len() / 2;
    let mut parts = at.map_or_else(
        || vec![range.start..middle, middle..range.end],
        |at| vec![range.start..at, at..at + 1, at + 1..range.end],
    );
    parts.retain(|part| !part.is_empty());
    parts.reverse();
    parts
}

/// That a receiver wants none at all is not the records' fault: none is put aside.
fn refuses_everything(outcome: &Outcome, lasting: bool) -> Outcome {
    let said = outcome.refusals.first().map(|refusal| refusal.detail.clone()).unwrap_or_default();
    let trouble = Trouble {
        code: "refuses_everything",
        detail: format!("The receiver refuses every event: {said}"),
        lasting,
        wish: None,
    };
    Outcome { trouble: Some(trouble), ..Outcome::unknown(outcome.verdicts.len()) }
}

/// What an answer means whose body says nothing that its protocol knows.
pub(super) fn by_status(answer: &Response<Bytes>) -> Answer {
    let status = answer.status();
    let said = said(answer.body());
    let detail = match status {
        status if said.is_empty() => format!("The receiver answered {status}."),
        status => format!("The receiver answered {status}: {said}"),
    };
    let trouble = |code, lasting| {
        let wish = retry_after(answer.headers());
        Answer::Trouble(Trouble { code, detail: detail.clone(), lasting, wish })
    };
    match status {
        status if status.is_success() => Answer::Taken,
        StatusCode::PAYLOAD_TOO_LARGE => Answer::TooLarge,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => trouble("credential_refused", true),
        StatusCode::GONE => trouble("gone", true),
        status if status.is_redirection() => trouble("redirect_refused", false),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => trouble("busy", false),
        _ => trouble("refused", false),
    }
}

/// What a receiver says, as it may be shown: one line of limited length.
pub(super) fn said(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..4 * MOST_SAID).unwrap_or(body)).into_owned();
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    line.chars()
        .filter(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .take(MOST_SAID)
        .collect()
}

/// How long the receiver wants to be left alone (RFC 9110, section 10.2.3), in seconds; a date is not read.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<SignedDuration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse::<u32>().ok()?;
    Some(SignedDuration::from_secs(i64::from(seconds)))
}

/// The beginning of a request to a destination.
pub(super) fn post(
    parcel: &Parcel<'_>,
    path: &str,
) -> Result<http::request::Builder, OutboundError> {
    let address = parcel.settings.address.as_ref().ok_or(OutboundError::HostNotFound)?;
    let host = match address.port {
        443 => address.host.to_string(),
        port => format!("{}:{port}", address.host),
    };
    Ok(Request::post(path).header(header::HOST, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_around_the_one_or_in_halves() {
        assert_eq!(cut(&(4..8), Some(2)), [7..8, 6..7, 4..6]);
        assert_eq!(cut(&(4..8), Some(0)), [5..8, 4..5]);
        assert_eq!(cut(&(4..8), Some(3)), [7..8, 4..7]);
        assert_eq!(cut(&(4..7), None), [5..7, 4..5]);
        // A number that is none of its own helps nobody.
        assert_eq!(cut(&(4..8), Some(4)), [6..8, 4..6]);
    }

    #[test]
    fn what_a_receiver_says_is_one_short_line() {
        assert_eq!(said(b" a\r\n\tb\0\x1b[31m "), "a b [31m");
        assert_eq!(said("x\u{202e}y".as_bytes()), "xy");
        assert_eq!(said(&[b'x'; 10_000]).len(), 200);
        assert_eq!(said(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }
}
