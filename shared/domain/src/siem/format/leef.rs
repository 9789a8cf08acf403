//! `LEEF:2.0|Vendor|Product|Version|EventID|^|key=value^...`: IBM's "Log Event Extended Format,
//! version 2". `devTime` of 13 digits is epoch milliseconds without a `devTimeFormat`; `sev` is 1 to 10.
//!
//! LEEF has no escape for its delimiter, nor for a newline. Here `^`, LF and CR in a value are `\x5e`,
//! `\x0a` and `\x0d`, and a backslash is `\x5c` where an `x` follows, as is everywhere else itself: so
//! no reader splits a value, names like `DOMAIN\user` stay as they are, and `\xHH` read as that
//! character gives the value back.

use super::flat::Flat;
use super::writer::Writer;
use super::{VENDOR, VERSION};
use crate::telemetry::event::Severity;

pub(super) fn write(flat: &Flat<'_>, writer: &mut Writer<'_>) {
    let record = flat.record;
    for part in ["LEEF:2.0|", VENDOR, "|", VENDOR, "|", VERSION, "|"] {
        writer.raw(part);
    }
    writer.whole(flat.class, header);
    let severity = match record.severity() {
        Severity::Info => "1",
        Severity::Low => "3",
        Severity::Medium => "5",
        Severity::High => "8",
        Severity::Critical => "10",
    };
    writer.show(format_args!("|^|devTime={}^sev={severity}", record.time()));
    for (key, value) in [
        ("^cat=", record.type_name()),
        ("^id=", &flat.id),
        ("^source=", flat.source),
        ("^tenant=", &flat.tenant),
        ("^stream=", &flat.stream),
    ] {
        writer.raw(key);
        writer.whole(value, attribute);
    }
    writer.show(format_args!("^sequence={}^received_at={}", record.sequence, record.received_at));
    for (key, value) in &flat.fields {
        for part in ["^", key.names().leef, "="] {
            writer.raw(part);
        }
        value.line(writer, attribute);
    }
    if writer.was_cut() {
        writer.raw("^truncated=true");
    }
}

/// No escape is known here either; what is ours has neither.
const fn header(_: &str, c: char) -> Option<&'static str> {
    match c {
        '|' | '^' => Some("_"),
        _ => None,
    }
}

fn attribute(rest: &str, c: char) -> Option<&'static str> {
    match c {
        '^' => Some("\\x5e"),
        '\n' => Some("\\x0a"),
        '\r' => Some("\\x0d"),
        '\\' if rest.starts_with("\\x") => Some("\\x5c"),
        _ => None,
    }
}
