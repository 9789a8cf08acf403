//! Cells that a spreadsheet would take for a formula carry an apostrophe in front.
//!
//! So does, to keep the way back unambiguous, a cell that begins with apostrophes and goes on like
//! a formula.

/// Whether `text`, after any apostrophes, begins like a formula: the characters of OWASP's "CSV
/// Injection".
fn is_like_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// `text` as a cell in which no spreadsheet sees a formula.
pub(super) fn armed(text: &str) -> String {
    if is_like_formula(text) { format!("'{text}") } else { text.to_owned() }
}

/// What a cell means: without surrounding blanks and without the apostrophe of [`armed`].
pub(super) fn meaning(cell: &str) -> &str {
    let cell = cell.trim();
    let plain = cell.strip_prefix('\'').filter(|rest| is_like_formula(rest));
    plain.unwrap_or(cell).trim()
}

/// Whether a cell is a number or a part of one that needs no apostrophe: `^\+?[0-9 ]*$`.
pub(super) fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix('+').unwrap_or(cell);
    digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ')
}

/// A line of `cells`, ended by CRLF; a cell stands between quotes where RFC 4180, section 2 asks for
/// them, and where another delimiter or a blank at an end could mislead a reader.
pub(super) fn record<C: AsRef<str>>(cells: impl IntoIterator<Item = C>) -> String {
    let mut line = String::new();
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        let cell = cell.as_ref();
        if cell.contains([',', ';', '\t', '"', '\r', '\n']) || cell.trim() != cell {
            line.push('"');
            line.push_str(&cell.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(cell);
        }
    }
    line.push_str("\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed_and_come_back() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("'=1", "''=1"),
            ("''=1", "'''=1"),
            ("a=1", "a=1"),
            ("'a", "'a"),
            ("''a", "''a"),
            ("'", "'"),
            ("", ""),
            ("O'Neil", "O'Neil"),
        ] {
            assert_eq!(armed(text), cell);
            assert_eq!(meaning(cell), text);
        }
        assert_eq!((armed("\tx").as_str(), armed("\rx").as_str()), ("'\tx", "'\rx"));
        assert_eq!((meaning("'\tx"), meaning(" '=x ")), ("x", "=x"));
    }

    #[test]
    fn quotes_where_needed() {
        for (cell, written) in [
            ("a", "a"),
            ("a,b", "\"a,b\""),
            ("a;b", "\"a;b\""),
            ("a\tb", "\"a\tb\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\nb", "\"a\nb\""),
            ("a\rb", "\"a\rb\""),
            (" a", "\" a\""),
            ("山田", "山田"),
            ("", ""),
        ] {
            assert_eq!(record([cell]), format!("{written}\r\n"));
        }
        assert_eq!(record(["", "", "a", ""]), ",,a,\r\n");
    }
}
