//! An import of users: a file judged row by row, written in batches in the background. Each batch is
//! one transaction with its verdicts, so that a row is done or it is not, whatever crashes.

use crate::account::{MOST_USERS, Role, Source};
use crate::email::EmailAddress;
use crate::id::{ImportId, TenantId, UserId};
use crate::policy::{Action, Origin};
use crate::user_csv::{Fault, Row, judge};
use crate::users::NewUser;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// How long an import and its rows are kept after it began.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);

/// How long a worker may be silent before another one goes on in its place.
pub const LEASE: SignedDuration = SignedDuration::from_mins(6);

/// What a bad row does to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One bad row, and nothing is imported.
    Strict,
    /// The good rows are imported.
    Partial,
}

impl Mode {
    /// The mode of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "strict" => Some(Self::Strict),
            "partial" => Some(Self::Partial),
            _ => None,
        }
    }
}

/// How far an import is. It only ever goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Every row is looked at before the first is written.
    Checking,
    /// Rows are written.
    Importing,
    /// A row was bad, and nothing is written but why.
    Refusing,
    /// Who asked for it may no longer: what is not written yet is not.
    Stopping,
    /// It has ended, with rows written.
    Done,
    /// It has ended, with none.
    Refused,
    /// It has ended before its time.
    Stopped,
}

impl Stage {
    /// The state that clients are told.
    pub const fn state(self) -> &'static str {
        match self {
            Self::Checking | Self::Importing | Self::Refusing | Self::Stopping => "running",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Stopped => "stopped",
        }
    }

    /// What follows when every row has its verdict; none when it has ended already.
    pub const fn end(self) -> Option<Self> {
        match self {
            Self::Checking | Self::Importing => Some(Self::Done),
            Self::Refusing => Some(Self::Refused),
            Self::Stopping => Some(Self::Stopped),
            Self::Done | Self::Refused | Self::Stopped => None,
        }
    }
}

/// An import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Its id.
    pub id: ImportId,
    /// Into which tenant.
    pub tenant: TenantId,
    /// Who asked for it.
    pub by: UserId,
    /// With which role; with another it goes no further.
    pub role: Role,
    /// On which request.
    pub request_id: String,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_address: Option<String>,
    /// What a bad row does to the others.
    pub mode: Mode,
    /// How far it is.
    pub stage: Stage,
    /// Rows of the file.
    pub rows: u32,
    /// When it was asked for.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// When its last row was settled.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// From when on another worker may go on with it.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub due_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl Import {
    /// The request that asked for it.
    pub fn origin(&self) -> Origin {
        Origin { request_id: self.request_id.clone(), source_address: self.source_address.clone() }
    }

    /// The same import after a change.
    #[must_use]
    pub fn changed(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.clone() }
    }
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is a user now; in a dry run, it would be.
    Imported,
    /// It cannot be.
    Refused,
    /// There was no need, or other rows were in the way.
    Skipped,
}

/// The verdict on a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The line of the file where it begins.
    pub line: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was not imported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// How many rows had which outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Settled rows.
    pub done: u32,
    /// Of them imported.
    pub imported: u32,
    /// Of them refused.
    pub refused: u32,
    /// Of them skipped.
    pub skipped: u32,
}

impl Counts {
    /// Of these verdicts.
    pub fn of<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Self {
        let mut counts = Self::default();
        for verdict in verdicts {
            counts.done += 1;
            match verdict.outcome {
                Outcome::Imported => counts.imported += 1,
                Outcome::Refused => counts.refused += 1,
                Outcome::Skipped => counts.skipped += 1,
            }
        }
        counts
    }
}

/// A row that may be imported, or what is in its way.
pub type Judged = Result<NewUser, (Outcome, Vec<Fault>)>;

/// What rows are by themselves, to somebody of this role.
pub fn by_itself(rows: &[Row], role: Role) -> Vec<Judged> {
    let may = |of| Action::CreateUser(of).allows(role);
    let judged = judge(rows, may, Action::RequireTwoFactor.allows(role));
    judged.into_iter().map(|row| row.map_err(|faults| (Outcome::Refused, faults))).collect()
}

/// What they are in a tenant that has users with these addresses already, and so many users in all.
pub fn in_tenant(
    rows: Vec<Judged>,
    present: &BTreeMap<EmailAddress, Source>,
    users: u32,
) -> Vec<Judged> {
    let mut room = MOST_USERS.saturating_sub(users);
    let fault = |code, detail: &str| vec![Fault::new("Email", code, detail)];
    let one = |row: Judged| {
        let new = row?;
        match present.get(&new.email) {
            Some(Source::Directory) => {
                let faults = fault("directory_user", "This user comes from a directory.");
                return Err((Outcome::Skipped, faults));
            }
            Some(_) => {
                let faults = fault("already_exists", "There is a user with this address.");
                return Err((Outcome::Refused, faults));
            }
            None => {}
        }
        room = room.checked_sub(1).ok_or_else(|| {
            let detail = format!("The company has {MOST_USERS} users.");
            (Outcome::Refused, fault("user_limit", &detail))
        })?;
        Ok(new)
    };
    rows.into_iter().map(one).collect()
}

/// Whether nothing of a strict import may be written.
pub fn is_refused(rows: &[Judged]) -> bool {
    rows.iter().any(|row| matches!(row, Err((Outcome::Refused, _))))
}

/// The verdicts on rows of which those that could be imported get `outcome`.
pub fn verdicts(rows: &[Row], judged: &[Judged], otherwise: Otherwise) -> Vec<Verdict> {
    rows.iter()
        .zip(judged)
        .map(|(row, judged)| {
            let (outcome, faults) = match (judged, otherwise) {
                (Ok(_), Otherwise::Imported) => (Outcome::Imported, Vec::new()),
                (Ok(_), Otherwise::OthersRefused) => {
                    let detail = "Nothing was imported, because other rows were refused.";
                    (Outcome::Skipped, vec![Fault::new("Row", "others_refused", detail)])
                }
                (Ok(_), Otherwise::Stopped) => {
                    let detail = "Who asked for the import may no longer import users.";
                    (Outcome::Skipped, vec![Fault::new("Row", "importer_gone", detail)])
                }
                (Err((outcome, faults)), _) => (*outcome, faults.clone()),
            };
            Verdict { line: row.line, outcome, faults }
        })
        .collect()
}

/// What becomes of rows with which nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// They are imported.
    Imported,
    /// Nothing, as others were refused.
    OthersRefused,
    /// Nothing, as who asked may no longer.
    Stopped,
}

/// Rows of one batch: an audit record lists at most so many.
const BATCH_ROWS: usize = 20;
/// Items that a batch writes for its rows: a transaction has at most 100, and some are not rows.
const BATCH_ITEMS: usize = 90;

/// The batches of a file: the same for every worker that asks.
pub fn batches(rows: &[Judged]) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let (mut start, mut items) = (0, 0);
    for (at, row) in rows.iter().enumerate() {
        let own = match row {
            // User and address; with a console also person, address, link and mail.
            Ok(new) if new.role == Role::User => 2,
            Ok(_) => 6,
            Err(_) => 0,
        };
        if at - start == BATCH_ROWS || items + own > BATCH_ITEMS {
            batches.push(start..at);
            (start, items) = (at, 0);
        }
        items += own;
    }
    if start < rows.len() {
        batches.push(start..rows.len());
    }
    batches
}
