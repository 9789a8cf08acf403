//! Text under way.

use super::MOST_MESSAGE;
use std::fmt::{Arguments, Display, Write as _};

/// What stands for a character that a format has no way to say.
const REPLACEMENT: &str = "\u{fffd}";

/// Appends to a text; values are cut to a common length, on a character's boundary and before they
/// are escaped, so that no escape is ever cut.
pub(super) struct Writer<'o> {
    out: &'o mut String,
    most: usize,
    cut: bool,
}

impl<'o> Writer<'o> {
    /// Of values as long as they are.
    pub(super) const fn new(out: &'o mut String) -> Self {
        Self::cutting(out, usize::MAX)
    }

    /// Of values of at most so many bytes.
    pub(super) const fn cutting(out: &'o mut String, most: usize) -> Self {
        Self { out, most, cut: false }
    }

    /// Whether anything was cut.
    pub(super) const fn was_cut(&self) -> bool {
        self.cut
    }

    /// Whether it is too long for a message already, so that it goes on in vain: changes can be
    /// megabytes.
    const fn is_lost(&self) -> bool {
        self.out.len() > MOST_MESSAGE
    }

    /// Whether the text so far ends with this.
    pub(super) fn ends_with(&self, end: char) -> bool {
        self.out.ends_with(end)
    }

    /// Text that is valid as it is.
    pub(super) fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// A number.
    pub(super) fn number(&mut self, number: impl Display) {
        self.show(format_args!("{number}"));
    }

    /// A number's last digits, as many as the width.
    pub(super) fn digits(&mut self, number: u32, width: u32) {
        for place in (0..width).rev() {
            let digit = number / 10_u32.pow(place) % 10;
            self.out.push(char::from_digit(digit, 10).unwrap_or('0'));
        }
    }

    /// Several things that are valid as they are.
    pub(super) fn show(&mut self, things: Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.out.write_fmt(things);
    }

    /// All of a text. `escape` says what is written in place of a character, given the text from that
    /// character on; every other control character is replaced.
    pub(super) fn whole(
        &mut self,
        text: &str,
        escape: impl Fn(&str, char) -> Option<&'static str>,
    ) {
        if is_plain(text) {
            self.out.push_str(text);
            return;
        }
        let mut written = 0;
        for (at, c) in text.char_indices() {
            let rest = text.get(at..).unwrap_or_default();
            let other = escape(rest, c).or_else(|| c.is_control().then_some(REPLACEMENT));
            if let Some(other) = other {
                self.out.push_str(text.get(written..at).unwrap_or_default());
                self.out.push_str(other);
                written = at + c.len_utf8();
            }
        }
        self.out.push_str(text.get(written..).unwrap_or_default());
    }

    /// A text, cut if it is too long.
    pub(super) fn text(&mut self, text: &str, escape: impl Fn(&str, char) -> Option<&'static str>) {
        if self.is_lost() {
            return;
        }
        let (kept, rest) = text.split_at(text.floor_char_boundary(self.most));
        self.cut |= !rest.is_empty();
        self.whole(kept, escape);
    }

    /// The first of the list, as many as are told.
    pub(super) fn few<T>(
        &mut self,
        list: impl IntoIterator<Item = T>,
        mut one: impl FnMut(&mut Self, T),
    ) {
        for (n, item) in list.into_iter().enumerate() {
            if n == self.most || self.is_lost() {
                self.cut = true;
                break;
            }
            one(self, item);
        }
    }

    /// Writes with `inner` on the side what this text then holds escaped; what is cut there is cut
    /// here.
    pub(super) fn holding(
        &mut self,
        inner: impl FnOnce(&mut Writer<'_>),
        escape: impl Fn(&str, char) -> Option<&'static str>,
    ) {
        let mut text = String::new();
        let mut writer = Writer::cutting(&mut text, self.most);
        inner(&mut writer);
        self.cut |= writer.cut;
        self.whole(&text, escape);
    }
}

/// Whether no format has an escape for anything in it, as is so for most texts: looking at all bytes at
/// once is several times as fast as at one character after the other.
fn is_plain(text: &str) -> bool {
    let plain = |b: u8| matches!(b, b' ' | b'-'..=b':' | b'@'..=b'Z' | b'_' | b'a'..=b'z');
    text.bytes().fold(true, |all, b| all & plain(b))
}
