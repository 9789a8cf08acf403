//! The header of every syslog message and its structured data (RFC 5424, section 6), from which a
//! receiver can prove that nothing is missing, whatever the format of the message:
//! `[belfry@32473 tenant="ten_.." stream="EPP/0" sequence="12" id=".." source=".."]`.

use super::flat::Flat;
use super::writer::Writer;
use crate::siem::record::Source;
use crate::telemetry::event::Severity;
use jiff::Timestamp;
use jiff::tz::Offset;

/// Most characters of HOSTNAME (section 6).
const MOST_HOST: usize = 255;

pub(super) fn header(flat: &Flat<'_>, host: &str, writer: &mut Writer<'_>) {
    let record = flat.record;
    let facility = match record.stream.source {
        // "log audit": the console's own records.
        Source::Console => 13,
        // local0: telemetry of appliances by habit. 10, "security/authorization", is what receivers
        // keep for log-ins to their own hosts.
        Source::Product(_) => 16,
    };
    let severity = match record.severity() {
        Severity::Info => 6,
        Severity::Low => 5,
        Severity::Medium => 4,
        Severity::High => 3,
        Severity::Critical => 2,
    };
    writer.show(format_args!("<{}>1 ", facility * 8 + severity));
    time(record.time(), writer);
    writer.raw(" ");
    host_name(host, writer);
    // No PROCID: which of many short-lived processes sent it, says nothing.
    for part in [" belfry - ", record.type_name(), " [belfry@32473 tenant=\"", &flat.tenant] {
        writer.raw(part);
    }
    writer.show(format_args!("\" stream=\"{}\" sequence=\"{}\"", flat.stream, record.sequence));
    for (key, value) in [(" id=\"", &*flat.id), ("\" source=\"", flat.source)] {
        writer.raw(key);
        writer.whole(value, parameter);
    }
    writer.raw("\"] ");
}

/// RFC 3339 in UTC with exactly milliseconds, `2026-11-26T19:00:00.123Z`.
pub(super) fn time(millis: i64, writer: &mut Writer<'_>) {
    let at = Timestamp::from_millisecond(millis).unwrap_or_default();
    let at = Offset::UTC.to_datetime(at);
    let (date, time) = (at.date(), at.time());
    // By hand: the standard library's formatting takes several times as long.
    for (number, width, end) in [
        // RFC 3339 knows no year before 0.
        (date.year().max(0), 4, "-"),
        (date.month().into(), 2, "-"),
        (date.day().into(), 2, "T"),
        (time.hour().into(), 2, ":"),
        (time.minute().into(), 2, ":"),
        (time.second().into(), 2, "."),
        (time.millisecond(), 3, "Z"),
    ] {
        writer.digits(number.unsigned_abs().into(), width);
        writer.raw(end);
    }
}

/// PRINTUSASCII; else `-`, which says that there is none.
fn host_name(host: &str, writer: &mut Writer<'_>) {
    let visible = host.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' });
    for c in visible.take(MOST_HOST) {
        writer.raw(c.encode_utf8(&mut [0; 4]));
    }
    if host.is_empty() {
        writer.raw("-");
    }
}

const fn parameter(_: &str, c: char) -> Option<&'static str> {
    match c {
        '"' => Some("\\\""),
        '\\' => Some("\\\\"),
        ']' => Some("\\]"),
        _ => None,
    }
}
