//! What is received, as it may be shown on a terminal: whoever writes a log line does not get to move the
//! cursor, set a title or turn the text around.

use std::fmt::Write;

use crate::siem::receiver::Record;
use crate::siem::verify::Verdict;

/// Characters of a record that are shown.
const MOST_SHOWN: usize = 120;

/// One line: how it came, when it happened, its number, its type, its beginning.
pub(crate) fn line(record: &Record, verdict: Verdict, is_error: bool) -> String {
    let mark = match verdict {
        _ if is_error => '✗',
        Verdict::First => ' ',
        Verdict::Again | Verdict::AgainUnchecked => '=',
        Verdict::SteppedBack => '<',
        Verdict::Test => 't',
        Verdict::OtherId | Verdict::NotFollowed => '✗',
    };
    format!(
        "{mark} {:<24} {:<18} {:<20} {}",
        visible(&record.time, 40),
        format!("{}:{}", record.label.stream, record.label.sequence),
        visible(&record.kind, 40),
        visible(&record.text, MOST_SHOWN),
    )
}

/// The first `most` characters, each of them visible: one that is not is shown by its number.
pub(crate) fn visible(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (place, char) in text.chars().enumerate() {
        if place == most {
            shown.push('…');
            break;
        }
        if is_visible(char) {
            shown.push(char);
        } else {
            // A string takes everything.
            let _ = write!(shown, "<U+{:04X}>", u32::from(char));
        }
    }
    shown
}

/// Whether a character shows, and changes nothing around it: no control, no bidirectional override, no
/// separator of lines, nothing of private use, and none of those that Unicode lets nobody see
/// (`Default_Ignorable_Code_Point`). Marks are fine: scripts need them.
fn is_visible(char: char) -> bool {
    !char.is_control()
        && !matches!(char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{f0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::siem::syslog;
    use crate::siem::verify::tests::TENANT;

    #[test]
    fn a_hostile_line_cannot_fool_the_terminal() {
        for (text, shown) in [
            ("\u{1b}[2J\u{1b}]0;owned\u{7}", "<U+001B>[2J<U+001B>]0;owned<U+0007>"),
            ("a\r\nb\tc\u{8}\u{0}", "a<U+000D><U+000A>b<U+0009>c<U+0008><U+0000>"),
            ("\u{9b}31m\u{7f}\u{85}", "<U+009B>31m<U+007F><U+0085>"),
            ("gpj.\u{202e}exe", "gpj.<U+202E>exe"),
            ("\u{2066}\u{2069}\u{200f}\u{61c}", "<U+2066><U+2069><U+200F><U+061C>"),
            ("\u{200b}\u{feff}\u{ad}\u{2028}", "<U+200B><U+FEFF><U+00AD><U+2028>"),
            ("\u{e0041}\u{e000}\u{fe0f}", "<U+E0041><U+E000><U+FE0F>"),
            ("Gerät 주민 हिन्दी ☃ <U+", "Gerät 주민 हिन्दी ☃ <U+"),
        ] {
            assert_eq!(visible(text, 100), shown);
        }
    }

    #[test]
    fn a_record_is_one_line_of_bounded_length() {
        let long = "\u{1b}".repeat(1000);
        let message = format!(
            "<134>1 2026-11-26T12:00:00.000Z h belfry - infection.detected [belfry@32473 tenant=\"{TENANT}\" \
             stream=\"EPP/0\" sequence=\"12\" id=\"\u{1b}[31m\" source=\"s\"] {long}\n"
        );
        let record = syslog::record(message.as_bytes()).unwrap();
        for verdict in [Verdict::First, Verdict::Again, Verdict::OtherId, Verdict::Test] {
            let line = line(&record, verdict, verdict == Verdict::OtherId);
            assert!(line.chars().all(is_visible), "{line}");
            assert!(line.contains("EPP/0:12") && line.contains("infection.detected"), "{line}");
            assert_eq!(line.matches("<U+001B>").count(), MOST_SHOWN, "{line}");
            assert!(line.ends_with('…'), "{line}");
        }
        assert!(line(&record, Verdict::OtherId, true).starts_with('✗'));
        assert!(line(&record, Verdict::SteppedBack, false).starts_with('<'));
    }
}
