//! Records in the languages of SIEMs. Pure: the same record is the same bytes each time it is sent.
//!
//! A record is first brought into one neutral form (`flat`), which each format then writes. Control
//! characters never leave: LF and CR are escaped where the format has an escape for them, TAB in JSON,
//! and all others (category Cc) become U+FFFD.

mod cef;
mod flat;
mod json;
mod leef;
mod ocsf;
mod rfc5424;
mod writer;

use crate::siem::record::Record;
use flat::Flat;
use serde::{Deserialize, Serialize};
use writer::Writer;

/// In which language records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `ArcSight` Common Event Format, version 0.
    Cef,
    /// IBM Log Event Extended Format 2.0.
    Leef,
    /// RFC 5424: structured data, and the record as flat JSON in the message.
    Rfc5424,
    /// Open Cybersecurity Schema Framework 1.5, JSON.
    Ocsf,
}

impl Format {
    /// The name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cef => "cef",
            Self::Leef => "leef",
            Self::Rfc5424 => "rfc5424",
            Self::Ocsf => "ocsf",
        }
    }

    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cef, Self::Leef, Self::Rfc5424, Self::Ocsf];

    /// What Splunk calls it.
    const fn source_type(self) -> &'static str {
        match self {
            Self::Cef => "belfry:cef",
            Self::Leef => "belfry:leef",
            Self::Rfc5424 => "belfry:json",
            Self::Ocsf => "belfry:ocsf",
        }
    }

    const fn is_json(self) -> bool {
        matches!(self, Self::Rfc5424 | Self::Ocsf)
    }

    fn write(self, flat: &Flat<'_>, writer: &mut Writer<'_>) {
        match self {
            Self::Cef => cef::write(flat, writer),
            Self::Leef => leef::write(flat, writer),
            Self::Rfc5424 => json::write(flat, writer),
            Self::Ocsf => ocsf::write(flat, writer),
        }
    }
}

/// Most bytes of a syslog message: what receivers over TLS should take (RFC 5425, section 4.3.1).
pub const MOST_MESSAGE: usize = 8192;

/// What the formats call the sender.
const VENDOR: &str = "Belfry";

/// The version that the formats say: of what is exported, not of the build, so that a record that is
/// sent again after a release is the same bytes.
const VERSION: &str = "1.0";

/// Writes records for one destination.
#[derive(Debug, Clone)]
pub struct Renderer {
    /// In which language.
    pub format: Format,
    /// What the syslog header and Splunk call the sender: the console's host name.
    pub host: String,
}

impl Renderer {
    /// Appends a whole syslog message, not framed: the RFC 5424 header with its structured data, and
    /// the record in this format. At most [`MOST_MESSAGE`] bytes, without any control character.
    pub fn syslog(&self, record: &Record, out: &mut Vec<u8>) {
        let flat = Flat::of(record);
        let mut text = String::with_capacity(1024);
        rfc5424::header(&flat, &self.host, &mut Writer::new(&mut text));
        self.fit(&flat, &mut text);
        out.extend_from_slice(text.as_bytes());
    }

    /// Appends an event of Splunk's HTTP Event Collector, one JSON object without a newline:
    /// `{"time","host","source","sourcetype","event","fields"}`. `time` is in seconds, to the
    /// millisecond; `event` is what [`Self::json`] gives; `fields` names the record.
    pub fn hec(&self, record: &Record, out: &mut Vec<u8>) {
        let flat = Flat::of(record);
        let mut text = String::with_capacity(1536);
        let mut writer = Writer::new(&mut text);
        let time = record.time();
        writer.raw("{\"time\":");
        writer.show(format_args!("{}.{:03}", time.div_euclid(1000), time.rem_euclid(1000)));
        writer.raw(",\"host\":\"");
        writer.whole(&self.host, json::escape);
        writer.raw("\",\"source\":\"belfry:");
        writer.raw(&flat.stream);
        writer.raw("\",\"sourcetype\":\"");
        writer.raw(self.format.source_type());
        writer.raw("\",\"event\":");
        self.value(&flat, &mut text);
        let mut writer = Writer::new(&mut text);
        for (key, value) in
            [(",\"fields\":{\"tenant\":\"", &*flat.tenant), ("\",\"stream\":\"", &flat.stream)]
        {
            writer.raw(key);
            writer.raw(value);
        }
        writer.raw("\",\"sequence\":\"");
        writer.number(record.sequence);
        writer.raw("\",\"id\":\"");
        writer.whole(&flat.id, json::escape);
        writer.raw("\"}}");
        out.extend_from_slice(text.as_bytes());
    }

    /// Appends the record as one JSON value: an object of OCSF or of flat JSON, else a string that
    /// holds the line. The object or line has at most [`MOST_MESSAGE`] bytes.
    pub fn json(&self, record: &Record, out: &mut Vec<u8>) {
        let mut text = String::with_capacity(1024);
        self.value(&Flat::of(record), &mut text);
        out.extend_from_slice(text.as_bytes());
    }

    fn value(&self, flat: &Flat<'_>, text: &mut String) {
        let mut line = String::with_capacity(1024);
        self.fit(flat, &mut line);
        if self.format.is_json() {
            text.push_str(&line);
        } else {
            let mut writer = Writer::new(text);
            writer.raw("\"");
            writer.whole(&line, json::escape);
            writer.raw("\"");
        }
    }

    /// Appends the record so that `text` has at most [`MOST_MESSAGE`] bytes: with its values whole,
    /// else all of them cut to the longest of a few lengths that does it. What names the record
    /// (tenant, stream, sequence, id, source, type, times) is never cut.
    fn fit(&self, flat: &Flat<'_>, text: &mut String) {
        let start = text.len();
        for most in CUTS {
            text.truncate(start);
            self.format.write(flat, &mut Writer::cutting(text, most));
            if text.len() <= MOST_MESSAGE {
                break;
            }
        }
    }
}

/// To how many bytes values are cut, and how many changes are told, until the message fits: the first
/// cuts nothing that could fit. With the last it does, whatever the characters: 16 changes of three
/// texts, each byte escaped to at most four, are less than half of a message, and all else is bounded.
const CUTS: [usize; 10] = [MOST_MESSAGE, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16];
