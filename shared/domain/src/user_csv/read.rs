//! A file taken apart into rows.

use super::{Column, EXPORTED, MOST_BYTES, MOST_ROWS, REFUSED};
use crate::failure::{Failure, FailureKind};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Read as _;

/// A row as it was read: what stands in the eight columns.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The line of the file on which the row begins; the header of most files is line 1.
    pub line: u32,
    // In the order of Column::ALL.
    cells: [String; Column::ALL.len()],
    /// Something stands to the right of the last column.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_too_long: bool,
}

impl Row {
    /// What stands in a column.
    pub(super) fn cell(&self, column: Column) -> &str {
        let mut pairs = Column::ALL.iter().zip(&self.cells);
        pairs.find(|(known, _)| **known == column).map_or("", |(_, cell)| cell)
    }

    /// Whether something stands to the right of the last column.
    pub(super) const fn is_too_long(&self) -> bool {
        self.is_too_long
    }
}

/// People are not for logs.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Row({}, ..)", self.line)
    }
}

/// Why a file is refused whole. `Display` says what is wrong and where, and quotes no cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Over [`MOST_BYTES`].
    #[error("a file has at most 1,000,000 bytes; this one has {bytes}")]
    TooLarge {
        /// So many.
        bytes: usize,
    },
    /// UTF-16, as a spreadsheet's "Unicode text" is.
    #[error("the file is in UTF-16; save it as CSV in UTF-8")]
    Utf16,
    /// Not UTF-8.
    #[error("line {line} is not in UTF-8; save the file as CSV in UTF-8")]
    Encoding {
        /// Where.
        line: u32,
    },
    /// Nothing but blanks.
    #[error("the file is empty")]
    Empty,
    /// A quote without its end, or what else is no CSV.
    #[error("line {line} opens a quote that the file does not close")]
    Malformed {
        /// Where the row begins.
        line: u32,
    },
    /// The header has other columns than it should.
    #[error("{0}")]
    Columns(BadColumns),
    /// A header alone.
    #[error("the file has a header and no rows")]
    NoRows,
    /// Over [`MOST_ROWS`].
    #[error("a file has at most 1,000 rows; this one has {rows}")]
    TooManyRows {
        /// So many.
        rows: usize,
    },
}

impl Failure for Unreadable {
    fn kind(&self) -> FailureKind {
        match self {
            Self::TooLarge { .. } => FailureKind::TooLarge,
            Self::Utf16 | Self::Encoding { .. } | Self::Malformed { .. } => FailureKind::Malformed,
            Self::Empty | Self::Columns(_) | Self::NoRows | Self::TooManyRows { .. } => {
                FailureKind::Invalid
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "csv_too_large",
            Self::Utf16 | Self::Encoding { .. } => "csv_encoding",
            Self::Empty => "csv_empty",
            Self::Malformed { .. } => "csv_malformed",
            Self::Columns(_) => "csv_columns",
            Self::NoRows => "csv_no_rows",
            Self::TooManyRows { .. } => "csv_too_many_rows",
        }
    }
}

/// All that is wrong with a header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BadColumns {
    /// Names that no column has, each cut to 64 characters, at most 50. None are given when no name
    /// at all is known: then the first line is likely a person's.
    pub unknown: Vec<String>,
    /// How many more there are.
    pub unknown_more: usize,
    /// Required ones that are not there.
    pub missing: Vec<&'static str>,
    /// Those that are there more than once.
    pub duplicate: Vec<&'static str>,
}

impl fmt::Display for BadColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut unknown = self.unknown.join(", ");
        if self.unknown_more > 0 && self.unknown.is_empty() {
            unknown = format!("all {}", self.unknown_more);
        } else if self.unknown_more > 0 {
            unknown = format!("{unknown} and {} more", self.unknown_more);
        }
        let lists = [
            ("unknown columns", unknown),
            ("missing columns", self.missing.join(", ")),
            ("columns given more than once", self.duplicate.join(", ")),
        ];
        f.write_str("the first line must name the columns")?;
        for (what, names) in lists.iter().filter(|(_, names)| !names.is_empty()) {
            write!(f, "; {what}: {names}")?;
        }
        Ok(())
    }
}

/// What a column of the file at hand is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Read(Column),
    Ignored(&'static str),
}

impl Use {
    fn of(name: &str) -> Option<Self> {
        let is_called = |known: &str| name.trim().eq_ignore_ascii_case(known);
        let read = Column::ALL.into_iter().find(|column| is_called(column.name()));
        let ignored = || EXPORTED.into_iter().chain(REFUSED).find(|known| is_called(known));
        read.map(Self::Read).or_else(|| ignored().map(Self::Ignored))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Read(column) => column.name(),
            Self::Ignored(name) => name,
        }
    }
}

/// The uses of the columns of a header up to the last one with a name, or all that is wrong with it.
fn uses(header: &csv::StringRecord) -> Result<Vec<Use>, BadColumns> {
    const MOST_NAMED: usize = 50;
    let named = header.iter().zip(1..).filter(|(name, _)| !name.trim().is_empty());
    let width = named.last().map_or(0, |(_, width)| width);
    let found: Vec<Option<Use>> = header.iter().take(width).map(Use::of).collect();
    let known: Vec<Use> = found.iter().copied().flatten().collect();
    let mut bad = BadColumns::default();
    for (name, _) in header.iter().zip(&found).filter(|(_, found)| found.is_none()) {
        if known.is_empty() || bad.unknown.len() == MOST_NAMED {
            bad.unknown_more += 1;
        } else if name.trim().is_empty() {
            bad.unknown.push("(one without a name)".to_owned());
        } else {
            let shown = name.trim().chars().filter(|c| !c.is_control()).take(64);
            bad.unknown.push(shown.collect());
        }
    }
    let is_missing = |column: &Column| column.is_required() && !known.contains(&Use::Read(*column));
    bad.missing = Column::ALL.into_iter().filter(is_missing).map(Column::name).collect();
    let all = Column::ALL.map(Use::Read).into_iter();
    let all = all.chain(EXPORTED.into_iter().chain(REFUSED).map(Use::Ignored));
    let is_repeated = |one: &Use| known.iter().filter(|other| *other == one).nth(1).is_some();
    bad.duplicate = all.filter(is_repeated).map(Use::name).collect();
    if bad == BadColumns::default() { Ok(known) } else { Err(bad) }
}

fn reader<R: std::io::Read>(delimiter: u8, source: R) -> csv::Reader<R> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(source)
}

/// The delimiter that makes the most known columns of the first line; `,` when none makes any.
fn delimiter(text: &str) -> u8 {
    let known = |delimiter: &u8| {
        let mut header = csv::StringRecord::new();
        // What cannot be read now cannot be read later.
        let _ = reader(*delimiter, text.as_bytes()).read_record(&mut header);
        header.iter().filter(|name| Use::of(name).is_some()).count()
    };
    // Of equals, the last.
    [b'\t', b';', b','].into_iter().max_by_key(known).unwrap_or(b',')
}

/// Counts lines on the way through a text.
struct Lines<'a> {
    rest: &'a [u8],
    at: u64,
    line: u32,
}

impl Lines<'_> {
    /// The line of the first byte, from `at` on, that ends no line. (A record's position is the
    /// end of the one before, or an empty line.)
    fn of(&mut self, at: u64) -> u32 {
        while let Some((first, rest)) = self.rest.split_first() {
            let ends_line = matches!(first, b'\n' | b'\r');
            if self.at >= at && !ends_line {
                break;
            }
            // CR LF is one end, its LF.
            if ends_line && !(*first == b'\r' && rest.first() == Some(&b'\n')) {
                self.line = self.line.saturating_add(1);
            }
            self.at += 1;
            self.rest = rest;
        }
        self.line
    }
}

/// Takes a file apart.
///
/// UTF-8 with or without BOM; lines end by CRLF, LF or CR; cells are delimited by `,`, `;` or tab and
/// quoted as in RFC 4180. The first line names the columns, in any order and case: `First Name`,
/// `Last Name`, `Email` and `Role` are required, `Country Code`, `Mobile Number`, `Phone Number` and
/// `2FA` may be there, and those that only the export and the file of refused rows have are ignored.
/// Rows of empty cells are skipped, and cells missing at the end of a row are empty. At most
/// [`MOST_BYTES`] and [`MOST_ROWS`].
///
/// # Errors
/// [`Unreadable`], for the whole file.
pub fn read(bytes: &[u8]) -> Result<Vec<Row>, Unreadable> {
    if bytes.len() > MOST_BYTES {
        return Err(Unreadable::TooLarge { bytes: bytes.len() });
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Unreadable::Utf16);
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let mut lines = Lines { rest: bytes, at: 0, line: 1 };
        Unreadable::Encoding { line: lines.of(error.valid_up_to() as u64) }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Unreadable::Empty);
    }
    // A last row of ours: it is found where it was put, unless a quote was left open.
    let end = text.len() as u64 + 1;
    let mut reader = reader(delimiter(text), text.as_bytes().chain(&b"\n."[..]));
    let mut lines = Lines { rest: text.as_bytes(), at: 0, line: 1 };
    let (mut columns, mut rows, mut count) = (None, Vec::new(), 0);
    let mut record = csv::StringRecord::new();
    loop {
        let is_read = reader.read_record(&mut record);
        let line = lines.of(record.position().map_or(0, csv::Position::byte));
        let is_ours = reader.position().byte() > end && record.as_slice() == ".";
        match is_read {
            Ok(true) if is_ours => break,
            Ok(true) if reader.position().byte() > end => {
                return Err(Unreadable::Malformed { line });
            }
            Ok(true) if record.iter().all(|cell| cell.trim().is_empty()) => {}
            Ok(true) => match &columns {
                None => columns = Some(uses(&record).map_err(Unreadable::Columns)?),
                Some(columns) => {
                    count += 1;
                    if count <= MOST_ROWS {
                        rows.push(row(line, columns, &record));
                    }
                }
            },
            Ok(false) => break,
            Err(_) => return Err(Unreadable::Malformed { line }),
        }
    }
    match count {
        _ if columns.is_none() => Err(Unreadable::Empty),
        0 => Err(Unreadable::NoRows),
        1..=MOST_ROWS => Ok(rows),
        rows => Err(Unreadable::TooManyRows { rows }),
    }
}

/// Bytes that are kept of a cell. Addresses of 1,000 and names of 3,840 bytes are refused already.
const MOST_OF_CELL: usize = 4_000;

fn row(line: u32, columns: &[Use], record: &csv::StringRecord) -> Row {
    let cells = Column::ALL.map(|column| {
        let at = columns.iter().position(|used| *used == Use::Read(column));
        let cell = at.and_then(|at| record.get(at)).unwrap_or_default();
        // What is longer is too long for every column, and no more of it is kept.
        let end = (0..=MOST_OF_CELL.min(cell.len())).rev().find(|end| cell.is_char_boundary(*end));
        cell.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
    });
    // Empty cells there lose nothing; a spreadsheet's empty columns have no name either.
    let is_too_long = record.iter().skip(columns.len()).any(|cell| !cell.trim().is_empty());
    Row { line, cells, is_too_long }
}
