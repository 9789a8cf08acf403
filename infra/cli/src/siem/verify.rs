//! Whether what is delivered is complete, in order and the same each time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write;
use std::time::Duration;

use belfry_domain::id::TenantId;
use belfry_domain::siem::record::StreamName;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::dashboard::grouped;
use crate::siem::intervals::Intervals;

/// Ids of a stream that are remembered: the latest ones.
const MOST_IDS: usize = 100_000;

/// Intervals of a stream that are kept apart; then the lowest gap is forgotten.
const MOST_INTERVALS: usize = 100_000;

/// Streams that are followed: those of a tenant are 66 at most, on each way in.
const MOST_STREAMS: usize = 256;

/// Gaps of a stream that a summary lists.
const LISTED_GAPS: usize = 100;

/// Gaps of a stream that people are shown.
const SHOWN_GAPS: usize = 5;

/// Errors that are told with their words; all are counted.
const TOLD_ERRORS: usize = 50;

/// On which way something came. Two destinations of one way are taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Transport {
    SyslogTls,
    SyslogTcp,
    SplunkHec,
}

impl Transport {
    /// The name used in the API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SyslogTls => "syslog_tls",
            Self::SyslogTcp => "syslog_tcp",
            Self::SplunkHec => "splunk_hec",
        }
    }
}

/// What names a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) tenant: TenantId,
    pub(crate) stream: StreamName,
    pub(crate) sequence: u64,
    /// Digest of the event's id and source, which may be long.
    id: [u8; 32],
}

impl Label {
    /// From the fields `tenant`, `stream`, `sequence`, `id` and, where there is one, `source`.
    pub(crate) fn read<T: AsRef<str>>(
        field: impl Fn(&str) -> Option<T>,
    ) -> Result<Self, &'static str> {
        let tenant = field("tenant").and_then(|text| text.as_ref().parse().ok());
        let stream = field("stream").and_then(|text| text.as_ref().parse().ok());
        let sequence = field("sequence").and_then(|text| number(text.as_ref()));
        let id = field("id").filter(|id| !id.as_ref().is_empty()).ok_or("it has no id")?;
        let mut digest = Sha256::new().chain_update(id.as_ref());
        if let Some(source) = field("source") {
            // No id and no source holds this byte: it is no UTF-8.
            digest = digest.chain_update([0xff]).chain_update(source.as_ref());
        }
        Ok(Self {
            tenant: tenant.ok_or("it names no tenant")?,
            stream: stream.ok_or("it names no stream")?,
            sequence: sequence.ok_or("it has no sequence")?,
            id: digest.finalize().into(),
        })
    }
}

/// A number in the one form that Belfry writes.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// What a record turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It came for the first time, after those before it.
    First,
    /// It came for the first time, though higher ones had come.
    SteppedBack,
    /// It came before.
    Again,
    /// A record of this number came before; its id is no longer remembered.
    AgainUnchecked,
    /// Another record of this number came before.
    OtherId,
    /// A test: it has no number.
    Test,
    /// There are too many streams to follow this one.
    NotFollowed,
}

/// What else may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Bytes that are no frame.
    Malformed,
    /// A frame or a request that is no record of Belfry's.
    Unreadable,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// After a whole message, and announced where TLS has a way to.
    Clean,
    /// After a whole message, but without `close_notify`.
    Unannounced,
    /// Within a message.
    Cut,
    /// By the receiver, as it could not read on.
    Malformed,
    /// The network, or the sender with a reset.
    Broken,
    /// Before TLS was agreed on.
    NoTls,
}

/// What is asked of the sender.
#[derive(Debug, Clone, Copy, Default, Serialize, clap::Args)]
pub(crate) struct Expected {
    /// The destination selects everything: a gap is an error
    #[arg(long)]
    pub(crate) all: bool,
    /// A replay is asked for: records after higher ones are no error
    #[arg(long)]
    pub(crate) replay: bool,
}

/// Everything that has come, in bounded room.
#[derive(Debug, Default)]
pub(crate) struct Verifier {
    expected: Expected,
    streams: BTreeMap<(Transport, TenantId, StreamName), Stream>,
    connections: Connections,
    received: Received,
    errors: Errors,
    told: Vec<String>,
}

#[derive(Debug, Default)]
struct Stream {
    seen: Intervals,
    ids: HashMap<u64, [u8; 32]>,
    /// The numbers in `ids`, as they came.
    arrived: VecDeque<u64>,
    tally: Tally,
}

/// Counts of one stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Tally {
    received: u64,
    distinct: u64,
    duplicates: u64,
    duplicates_unchecked: u64,
    other_id: u64,
    stepped_back: u64,
    /// Missing numbers in gaps that are no longer followed.
    missing_forgotten: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Connections {
    opened: u64,
    open: u64,
    clean: u64,
    without_close_notify: u64,
    cut: u64,
    malformed: u64,
    broken: u64,
    no_tls: u64,
    /// Turned away, as there were too many.
    turned_away: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Received {
    messages: u64,
    bytes: u64,
    /// Bytes of the largest message.
    largest: usize,
    tests: u64,
    /// Requests without the token or the channel that HEC wants.
    unauthorized: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Errors {
    malformed: u64,
    unreadable: u64,
    other_id: u64,
    stepped_back: u64,
    missing: u64,
    not_followed: u64,
}

impl Errors {
    fn sum(self) -> u64 {
        let Self { malformed, unreadable, other_id, stepped_back, missing, not_followed } = self;
        [malformed, unreadable, other_id, stepped_back, missing, not_followed]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

impl Verifier {
    pub(crate) fn new(expected: Expected) -> Self {
        Self { expected, ..Self::default() }
    }

    /// A message came, whatever it turns out to be.
    pub(crate) fn message(&mut self, bytes: usize) {
        self.received.messages += 1;
        self.received.bytes = self.received.bytes.saturating_add(bytes as u64);
        self.received.largest = self.received.largest.max(bytes);
    }

    /// A record came.
    pub(crate) fn record(&mut self, transport: Transport, label: &Label) -> Verdict {
        if label.sequence == 0 {
            self.received.tests += 1;
            return Verdict::Test;
        }
        let key = (transport, label.tenant, label.stream);
        if self.streams.len() >= MOST_STREAMS && !self.streams.contains_key(&key) {
            self.errors.not_followed += 1;
            return Verdict::NotFollowed;
        }
        let verdict = self.streams.entry(key).or_default().record(label);
        match verdict {
            Verdict::SteppedBack if !self.expected.replay => self.errors.stepped_back += 1,
            Verdict::OtherId => self.errors.other_id += 1,
            _ => return verdict,
        }
        verdict
    }

    /// Whether a verdict is an error.
    pub(crate) fn is_error(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::SteppedBack => !self.expected.replay,
            Verdict::OtherId | Verdict::NotFollowed => true,
            Verdict::First | Verdict::Again | Verdict::AgainUnchecked | Verdict::Test => false,
        }
    }

    /// Something came that is no record.
    pub(crate) fn wrong(&mut self, wrong: Wrong) {
        match wrong {
            Wrong::Malformed => self.errors.malformed += 1,
            Wrong::Unreadable => self.errors.unreadable += 1,
        }
    }

    /// Keeps the words of an error for the summary, unless there are many already.
    pub(crate) fn tell(&mut self, words: &str) {
        if self.told.len() < TOLD_ERRORS {
            self.told.push(words.to_owned());
        }
    }

    /// A request had no token or no channel.
    pub(crate) fn unauthorized(&mut self) {
        self.received.unauthorized += 1;
    }

    /// A connection was turned away.
    pub(crate) fn turned_away(&mut self) {
        self.connections.turned_away += 1;
    }

    /// A connection was opened.
    pub(crate) fn opened(&mut self) {
        self.connections.opened += 1;
        self.connections.open += 1;
    }

    /// A connection ended.
    pub(crate) fn ended(&mut self, ending: Ending) {
        let connections = &mut self.connections;
        connections.open = connections.open.saturating_sub(1);
        let count = match ending {
            Ending::Clean => &mut connections.clean,
            Ending::Unannounced => &mut connections.without_close_notify,
            Ending::Cut => &mut connections.cut,
            Ending::Malformed => &mut connections.malformed,
            Ending::Broken => &mut connections.broken,
            Ending::NoTls => &mut connections.no_tls,
        };
        *count += 1;
    }

    /// Whether something has come.
    pub(crate) fn has_messages(&self) -> bool {
        self.received.messages > 0
    }

    /// Everything, as it stands now.
    pub(crate) fn summary(&self) -> Summary {
        let streams: Vec<StreamSummary> = self
            .streams
            .iter()
            .map(|((transport, tenant, stream), followed)| {
                let (first, last) = followed.seen.ends().unwrap_or_default();
                StreamSummary {
                    transport: *transport,
                    tenant: tenant.to_string(),
                    stream: *stream,
                    first,
                    last,
                    missing: followed.missing(),
                    gaps: followed.seen.gaps().take(LISTED_GAPS).collect(),
                    tally: followed.tally,
                }
            })
            .collect();
        let missing = streams.iter().fold(0, |sum: u64, stream| sum.saturating_add(stream.missing));
        let missing_is_wrong = if self.expected.all { missing } else { 0 };
        let errors = Errors { missing: missing_is_wrong, ..self.errors };
        Summary {
            status: if errors.sum() == 0 { "ok" } else { "error" },
            expected: self.expected,
            connections: self.connections,
            received: self.received,
            missing,
            errors,
            told: self.told.clone(),
            streams,
        }
    }

    /// Everything, on one line.
    pub(crate) fn line(&self) -> String {
        let missing = self.streams.values().map(Stream::missing).fold(0, u64::saturating_add);
        let duplicates = |stream: &Stream| stream.tally.duplicates;
        let duplicates = self.streams.values().map(duplicates).fold(0, u64::saturating_add);
        let missing_is_wrong = if self.expected.all { missing } else { 0 };
        let errors = Errors { missing: missing_is_wrong, ..self.errors };
        format!(
            "{} messages · {} streams · {} missing · {} again · {} cut · {} errors · {} connected",
            count(self.received.messages),
            self.streams.len(),
            count(missing),
            count(duplicates),
            count(self.connections.cut),
            count(errors.sum()),
            self.connections.open,
        )
    }
}

impl Stream {
    fn record(&mut self, label: &Label) -> Verdict {
        let sequence = label.sequence;
        self.tally.received += 1;
        let highest = self.seen.ends().map_or(0, |(_, last)| last);
        if !self.seen.insert(sequence) {
            let (verdict, tally) = match self.ids.get(&sequence) {
                Some(id) if *id == label.id => (Verdict::Again, &mut self.tally.duplicates),
                Some(_) => (Verdict::OtherId, &mut self.tally.other_id),
                None => (Verdict::AgainUnchecked, &mut self.tally.duplicates_unchecked),
            };
            *tally += 1;
            return verdict;
        }
        self.tally.distinct += 1;
        self.ids.insert(sequence, label.id);
        self.arrived.push_back(sequence);
        if self.arrived.len() > MOST_IDS
            && let Some(oldest) = self.arrived.pop_front()
        {
            self.ids.remove(&oldest);
        }
        if self.seen.runs() > MOST_INTERVALS {
            self.tally.missing_forgotten += self.seen.forget_gap();
        }
        if sequence > highest {
            return Verdict::First;
        }
        self.tally.stepped_back += 1;
        Verdict::SteppedBack
    }

    fn missing(&self) -> u64 {
        self.seen.missing().saturating_add(self.tally.missing_forgotten)
    }
}

/// What has come, for a script or for people.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    pub(crate) status: &'static str,
    expected: Expected,
    connections: Connections,
    received: Received,
    /// Numbers that have not come between the first and the last of their streams.
    missing: u64,
    errors: Errors,
    /// The first errors, in words.
    told: Vec<String>,
    streams: Vec<StreamSummary>,
}

#[derive(Debug, Clone, Serialize)]
struct StreamSummary {
    transport: Transport,
    tenant: String,
    stream: StreamName,
    first: u64,
    last: u64,
    missing: u64,
    gaps: Vec<(u64, u64)>,
    #[serde(flatten)]
    tally: Tally,
}

impl Summary {
    /// Whether there was no error.
    pub(crate) fn is_well(&self) -> bool {
        self.errors.sum() == 0
    }

    /// A table.
    pub(crate) fn text(&self, lasted: Duration) -> String {
        let (received, connections) = (self.received, self.connections);
        let mut text = format!(
            "{} messages, {} bytes (the largest {}), {} of them tests, in {} s\n",
            count(received.messages),
            count(received.bytes),
            grouped(received.largest),
            count(received.tests),
            count(lasted.as_secs()),
        );
        let mut row = |row: String| {
            // A string takes everything.
            let _ = writeln!(text, "{}", row.trim_end());
        };
        let endings = [
            (connections.clean, "ended well"),
            (connections.without_close_notify, "without close_notify"),
            (connections.cut, "cut"),
            (connections.malformed, "not readable"),
            (connections.broken, "broken"),
            (connections.no_tls, "without TLS"),
            (connections.open, "open"),
            (connections.turned_away, "more turned away"),
        ];
        let endings = endings.iter().filter(|(times, _)| *times > 0);
        let endings: Vec<_> =
            endings.map(|(times, what)| format!("{} {what}", count(*times))).collect();
        row(format!("{} connections: {}", count(connections.opened), endings.join(", ")));
        if received.unauthorized > 0 {
            row(format!("{} requests without token or channel", count(received.unauthorized)));
        }
        let mut group = None;
        for stream in &self.streams {
            if group != Some((stream.transport, &stream.tenant)) {
                group = Some((stream.transport, &stream.tenant));
                row(format!(
                    "\n{:<36} {:>25} {:>10} {:>10} {:>10}",
                    stream.tenant, "from to", "records", "again", "missing"
                ));
            }
            let again = stream.tally.duplicates.saturating_add(stream.tally.duplicates_unchecked);
            row(format!(
                "  {:<16} {:<11} {:>31} {:>10} {:>10} {:>10}",
                stream.stream.to_string(),
                stream.transport.name(),
                format!("{}-{}", stream.first, stream.last),
                count(stream.tally.distinct),
                count(again),
                count(stream.missing),
            ));
            if let Some(gaps) = stream.shown_gaps() {
                row(format!("    missing: {gaps}"));
            }
        }
        row(String::new());
        if self.missing > 0 && !self.expected.all {
            row("Missing numbers are those of types that are not selected; when all are, say --all."
                .to_owned());
        }
        for (what, times) in [
            ("bytes that are no frame", self.errors.malformed),
            ("messages that are no record of Belfry's", self.errors.unreadable),
            ("records with the number of another", self.errors.other_id),
            ("records after higher ones", self.errors.stepped_back),
            ("missing records", self.errors.missing),
            ("records of streams too many to follow", self.errors.not_followed),
        ] {
            if times > 0 {
                row(format!("✗ {} {what}", count(times)));
            }
        }
        if self.is_well() {
            row("✓ no error".to_owned());
        }
        text
    }
}

impl StreamSummary {
    /// The first gaps.
    fn shown_gaps(&self) -> Option<String> {
        if self.gaps.is_empty() {
            return None;
        }
        let shown =
            self.gaps.iter().take(SHOWN_GAPS).map(|(from, to)| {
                if from == to { from.to_string() } else { format!("{from}-{to}") }
            });
        let more = if self.gaps.len() > SHOWN_GAPS { ", .." } else { "" };
        Some(shown.collect::<Vec<_>>().join(", ") + more)
    }
}

fn count(count: u64) -> String {
    grouped(usize::try_from(count).unwrap_or(usize::MAX))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::dashboard::WIDTH;
    use crate::siem::show;
    use unicode_width::UnicodeWidthStr;

    pub(crate) const TENANT: &str = "ten_0123456789abcdef0123456789abcdef";

    fn label(stream: &str, sequence: u64, id: &str) -> Label {
        let sequence = sequence.to_string();
        let fields = [("tenant", TENANT), ("stream", stream), ("sequence", &*sequence), ("id", id)];
        Label::read(|name| fields.iter().find(|(field, _)| *field == name).map(|(_, text)| *text))
            .unwrap()
    }

    /// The verdicts on these numbers of one stream, each with its own id.
    fn verdicts(verifier: &mut Verifier, sequences: &[u64]) -> Vec<Verdict> {
        let label = |sequence: &u64| label("EPP/0", *sequence, &format!("evt-{sequence}"));
        let record = |sequence| verifier.record(Transport::SyslogTls, &label(sequence));
        sequences.iter().map(record).collect()
    }

    #[test]
    fn a_stream_without_a_fault_is_well_wherever_it_begins() {
        let mut verifier = Verifier::new(Expected { all: true, replay: false });
        assert_eq!(verdicts(&mut verifier, &[7, 8, 9]), [Verdict::First; 3]);
        let summary = verifier.summary();
        assert!(summary.is_well());
        assert_eq!((summary.streams[0].first, summary.streams[0].last), (7, 9));
    }

    #[test]
    fn a_gap_is_told_and_an_error_only_when_everything_is_selected() {
        for all in [false, true] {
            let mut verifier = Verifier::new(Expected { all, replay: false });
            verdicts(&mut verifier, &[1, 2, 5, 9]);
            let summary = verifier.summary();
            assert_eq!((summary.missing, summary.is_well()), (5, !all));
            assert_eq!(summary.streams[0].gaps, [(3, 4), (6, 8)]);
            let text = summary.text(Duration::ZERO);
            assert!(text.contains("missing: 3-4, 6-8"), "{text}");
            assert_eq!(text.contains("✗ 5 missing records"), all, "{text}");
            assert!(text.lines().all(|line| line.width() <= WIDTH), "{text}");
            assert!(verifier.line().contains("5 missing"), "{}", verifier.line());
        }
    }

    #[test]
    fn the_same_record_again_is_counted_and_harmless() {
        let mut verifier = Verifier::new(Expected { all: true, replay: false });
        let verdicts = verdicts(&mut verifier, &[1, 2, 1, 2, 3]);
        assert_eq!(verdicts[2..], [Verdict::Again, Verdict::Again, Verdict::First]);
        let summary = verifier.summary();
        assert!(summary.is_well());
        let tally = summary.streams[0].tally;
        assert_eq!((tally.received, tally.distinct, tally.duplicates), (5, 3, 2));
    }

    #[test]
    fn another_id_or_source_for_a_number_is_an_error() {
        let mut verifier = Verifier::default();
        let sourced = |source: &'static str| {
            let fields = [
                ("tenant", TENANT),
                ("stream", "EPP/0"),
                ("sequence", "4"),
                ("id", "a"),
                ("source", source),
            ];
            Label::read(|name| {
                fields.iter().find(|(field, _)| *field == name).map(|(_, text)| *text)
            })
            .unwrap()
        };
        let mut record = |label: &Label| verifier.record(Transport::SplunkHec, label);
        assert_eq!(record(&label("EPP/0", 3, "a")), Verdict::First);
        assert_eq!(record(&label("EPP/0", 3, "b")), Verdict::OtherId);
        assert_eq!(record(&sourced("x")), Verdict::First);
        assert_eq!(record(&sourced("x")), Verdict::Again);
        assert_eq!(record(&sourced("y")), Verdict::OtherId);
        assert_eq!((verifier.summary().is_well(), verifier.errors.other_id), (false, 2));
    }

    #[test]
    fn a_stream_that_begins_anew_is_an_error() {
        let mut verifier = Verifier::default();
        for (sequence, id, verdict) in [
            (1, "a", Verdict::First),
            (2, "b", Verdict::First),
            (1, "c", Verdict::OtherId),
            (2, "d", Verdict::OtherId),
            (3, "e", Verdict::First),
        ] {
            let label = label("ZTNA/3", sequence, id);
            assert_eq!(verifier.record(Transport::SyslogTcp, &label), verdict, "{sequence} {id}");
        }
        assert_eq!(verifier.errors.sum(), 2);
    }

    #[test]
    fn a_first_delivery_after_a_higher_one_is_an_error_unless_a_replay_was_asked_for() {
        for replay in [false, true] {
            let mut verifier = Verifier::new(Expected { all: true, replay });
            let verdicts = verdicts(&mut verifier, &[5, 6, 4, 8, 7, 9]);
            let back = Verdict::SteppedBack;
            assert_eq!(verdicts[2..5], [back, Verdict::First, back]);
            assert_eq!(verifier.is_error(back), !replay);
            let summary = verifier.summary();
            assert_eq!((summary.is_well(), summary.missing), (replay, 0));
            assert_eq!(summary.streams[0].tally.stepped_back, 2);
        }
    }

    #[test]
    fn streams_and_ways_are_followed_apart() {
        let mut verifier = Verifier::new(Expected { all: true, replay: false });
        for (transport, stream, sequence) in [
            (Transport::SyslogTls, "EPP/0", 10),
            (Transport::SyslogTls, "EPP/1", 3),
            (Transport::SplunkHec, "EPP/0", 2),
            (Transport::SyslogTls, "CONSOLE/1", 1),
            (Transport::SplunkHec, "EPP/0", 3),
        ] {
            let label = label(stream, sequence, "id");
            assert_eq!(verifier.record(transport, &label), Verdict::First, "{stream}");
        }
        assert_eq!((verifier.streams.len(), verifier.summary().is_well()), (4, true));
    }

    #[test]
    fn tests_have_no_number() {
        let mut verifier = Verifier::default();
        let test = label("CONSOLE/0", 0, "aud_1");
        for _ in 0..2 {
            assert_eq!(verifier.record(Transport::SyslogTls, &test), Verdict::Test);
        }
        assert_eq!((verifier.streams.len(), verifier.received.tests), (0, 2));
    }

    #[test]
    fn room_is_bounded_and_what_was_forgotten_is_still_counted() {
        let mut stream = Stream::default();
        let most = MOST_IDS as u64;
        // Every other number: each is an interval of its own.
        for sequence in 1..=most + 10 {
            stream.record(&label("EPP/0", 2 * sequence, "id"));
        }
        assert_eq!((stream.ids.len(), stream.arrived.len()), (MOST_IDS, MOST_IDS));
        assert_eq!((stream.seen.runs(), stream.tally.missing_forgotten), (MOST_INTERVALS, 10));
        assert_eq!(stream.missing(), most + 9);
        assert_eq!(stream.record(&label("EPP/0", 2, "id")), Verdict::AgainUnchecked);
        assert_eq!(stream.record(&label("EPP/0", 2 * most, "id")), Verdict::Again);

        let mut verifier = Verifier::default();
        for number in 0..=MOST_STREAMS {
            let label = Label {
                tenant: TenantId::from_bytes((number as u128).to_be_bytes()),
                ..label("EPP/0", 1, "id")
            };
            let verdict = verifier.record(Transport::SyslogTls, &label);
            assert_eq!(verdict == Verdict::NotFollowed, number == MOST_STREAMS, "{number}");
        }
        assert!(!verifier.summary().is_well());
    }

    #[test]
    fn what_a_record_is_named_by_is_read_strictly() {
        let good = [("tenant", TENANT), ("stream", "EPP/0"), ("sequence", "12"), ("id", "a")];
        let read = |fields: &[(&str, &str)]| {
            Label::read(|name| {
                fields.iter().find(|(field, _)| *field == name).map(|(_, text)| text.to_string())
            })
        };
        assert!(read(&good).is_ok());
        for place in 0..good.len() {
            let mut without = good.to_vec();
            without.remove(place);
            assert!(read(&without).is_err(), "{place}");
        }
        for (place, bad) in
            [(0, "ten_1"), (1, "EPP"), (1, "CONSOLE/2"), (2, "-1"), (2, "012"), (2, "+1"), (3, "")]
        {
            let mut other = good;
            other[place].1 = bad;
            assert!(read(&other).is_err(), "{bad}");
        }
    }

    #[test]
    fn endings_are_counted_by_their_kind() {
        let mut verifier = Verifier::default();
        for ending in [
            Ending::Clean,
            Ending::Unannounced,
            Ending::Cut,
            Ending::Malformed,
            Ending::Broken,
            Ending::NoTls,
        ] {
            verifier.opened();
            verifier.ended(ending);
        }
        let connections = verifier.summary().connections;
        let one = Connections {
            opened: 6,
            open: 0,
            clean: 1,
            without_close_notify: 1,
            cut: 1,
            malformed: 1,
            broken: 1,
            no_tls: 1,
            turned_away: 0,
        };
        assert_eq!(connections, one);
        assert!(!verifier.has_messages());
        verifier.message(5);
        assert!(verifier.has_messages());
        // A cut is expected after a failure.
        assert!(verifier.summary().is_well());
        for wrong in [Wrong::Malformed, Wrong::Unreadable] {
            verifier.wrong(wrong);
        }
        assert_eq!(verifier.summary().errors.sum(), 2);
        assert_eq!(show::visible(&verifier.line(), 500), verifier.line());
    }
}
