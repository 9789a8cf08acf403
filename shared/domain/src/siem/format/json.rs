//! JSON, and the record as a flat object of it.

use super::flat::Flat;
use super::rfc5424;
use super::writer::Writer;

/// `{"id","tenant","stream","sequence","type","time","received_at","severity","source",..}`, then the
/// record's fields by the names of [`Key::names`](super::flat::Key::names). Times are RFC 3339 in UTC
/// with milliseconds. `changes` is a list of `{"field","from","to"}`. `truncated` is there, and true,
/// when something was cut.
pub(super) fn write(flat: &Flat<'_>, writer: &mut Writer<'_>) {
    let record = flat.record;
    let mut object = Object::open(writer);
    object.whole(("", "id"), &flat.id);
    object.whole(("", "tenant"), &flat.tenant);
    object.whole(("", "stream"), &flat.stream);
    object.at(("", "sequence")).number(record.sequence);
    object.whole(("", "type"), record.type_name());
    for (key, millis) in [("time", record.time()), ("received_at", record.received_at)] {
        let writer = object.at(("", key));
        writer.raw("\"");
        rfc5424::time(millis, writer);
        writer.raw("\"");
    }
    object.whole(("", "severity"), record.severity().name());
    object.whole(("", "source"), flat.source);
    for (key, value) in &flat.fields {
        value.json(object.at(("", key.names().json)));
    }
    object.close(("", "truncated"));
}

/// What a string of JSON holds in place of a character (RFC 8259, section 7).
pub(super) const fn escape(_: &str, c: char) -> Option<&'static str> {
    match c {
        '"' => Some("\\\""),
        '\\' => Some("\\\\"),
        '\n' => Some("\\n"),
        '\r' => Some("\\r"),
        '\t' => Some("\\t"),
        _ => None,
    }
}

/// The path of an object, and the name of a value in it: `("device.os", "name")`; `[]` after a name of
/// the path is a list of one object.
pub(super) type Place = (&'static str, &'static str);

/// An object under way, in which objects are opened and closed as values are put at their places.
/// Places in the same object follow each other.
pub(super) struct Object<'w, 'o> {
    writer: &'w mut Writer<'o>,
    /// The path of the object that is open.
    open: &'static str,
}

impl<'w, 'o> Object<'w, 'o> {
    pub(super) fn open(writer: &'w mut Writer<'o>) -> Self {
        writer.raw("{");
        Self { writer, open: "" }
    }

    /// Closes it, with true at the place if something was cut.
    pub(super) fn close(mut self, truncated: Place) {
        if self.writer.was_cut() {
            self.raw(truncated, "true");
        }
        self.enter("");
        self.writer.raw("}");
    }

    /// Where the value is written.
    pub(super) fn at(&mut self, (parent, name): Place) -> &mut Writer<'o> {
        if parent != self.open {
            self.enter(parent);
        }
        self.name(name);
        self.writer
    }

    /// JSON as it is.
    pub(super) fn raw(&mut self, place: Place, json: &str) {
        self.at(place).raw(json);
    }

    /// A text that is never cut.
    pub(super) fn whole(&mut self, place: Place, text: &str) {
        let writer = self.at(place);
        writer.raw("\"");
        writer.whole(text, escape);
        writer.raw("\"");
    }

    fn name(&mut self, name: &str) {
        let before = if self.writer.ends_with('{') { "\"" } else { ",\"" };
        for part in [before, name, "\":"] {
            self.writer.raw(part);
        }
    }

    /// Closes what `parent` is not within, and opens what is between.
    fn enter(&mut self, parent: &'static str) {
        let between = loop {
            let rest = parent.strip_prefix(self.open);
            let is_inside =
                |rest: &&str| self.open.is_empty() || matches!(rest.get(..1), None | Some("."));
            if let Some(rest) = rest.filter(is_inside) {
                break rest;
            }
            self.writer.raw(if self.open.ends_with("[]") { "}]" } else { "}" });
            self.open = self.open.rsplit_once('.').map_or("", |(outer, _)| outer);
        };
        for name in between.split('.').filter(|name| !name.is_empty()) {
            let list = name.strip_suffix("[]");
            self.name(list.unwrap_or(name));
            self.writer.raw(if list.is_some() { "[{" } else { "{" });
        }
        self.open = parent;
    }
}
