//! `CEF:0|Vendor|Product|Version|ClassID|Name|Severity|key=value ...`: `ArcSight`'s "Implementing the
//! Common Event Format", version 25.
//!
//! The header escapes `\` and `|`, and has spaces for newlines; our texts there are far below its
//! limits (class 1023 characters, name 512, vendor and product 63, version 31). The extension escapes
//! `\`, `=`, LF and CR. Spaces that end a value are lost to parsers, as CEF has no escape for them.
//! The CloudEvents source is only in the structured data: a line is to be short, and has tenant, stream
//! and sequence to name it. `externalId` may be longer than the dictionary's 40 characters: it is never cut.

use super::flat::Flat;
use super::writer::Writer;
use super::{VENDOR, VERSION};
use crate::telemetry::event::Severity;

pub(super) fn write(flat: &Flat<'_>, writer: &mut Writer<'_>) {
    let record = flat.record;
    writer.raw("CEF:0");
    for part in [VENDOR, flat.product, VERSION, flat.class, flat.name] {
        writer.raw("|");
        writer.whole(part, header);
    }
    let severity = match record.severity() {
        Severity::Info => "0",
        Severity::Low => "1",
        Severity::Medium => "5",
        Severity::High => "8",
        Severity::Critical => "10",
    };
    writer.show(format_args!("|{severity}|rt={} end={}", record.received_at, record.time()));
    for (key, value) in [
        (" externalId=", &*flat.id),
        (" cs1Label=tenant cs1=", &flat.tenant),
        (" cs2Label=stream cs2=", &flat.stream),
    ] {
        writer.raw(key);
        writer.whole(value, extension);
    }
    writer.show(format_args!(" cn1Label=sequence cn1={}", record.sequence));
    for (key, value) in &flat.fields {
        let names = key.names();
        writer.raw(" ");
        writer.raw(names.cef);
        if names.custom {
            for part in ["Label=", names.json, " ", names.cef] {
                writer.raw(part);
            }
        }
        writer.raw("=");
        value.line(writer, extension);
    }
    if writer.was_cut() {
        writer.raw(" cs6Label=truncated cs6=true");
    }
}

const fn header(_: &str, c: char) -> Option<&'static str> {
    match c {
        '\\' => Some("\\\\"),
        '|' => Some("\\|"),
        '\n' | '\r' => Some(" "),
        _ => None,
    }
}

const fn extension(_: &str, c: char) -> Option<&'static str> {
    match c {
        '\\' => Some("\\\\"),
        '=' => Some("\\="),
        '\n' => Some("\\n"),
        '\r' => Some("\\r"),
        _ => None,
    }
}
