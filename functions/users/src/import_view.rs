//! An import as clients see it.

use belfry_api::answer;
use belfry_domain::id::ImportId;
use belfry_domain::import::{Counts, Import, Mode, Outcome, Verdict};
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct ImportView {
    /// None of a dry run, which leaves nothing behind.
    id: Option<ImportId>,
    /// `running`, `done`, `refused` or `stopped`.
    state: &'static str,
    mode: Mode,
    dry_run: bool,
    rows: RowsView,
    verdicts: Vec<VerdictView>,
    created_at: Option<String>,
    finished_at: Option<String>,
}

#[derive(Serialize)]
struct RowsView {
    total: u32,
    done: u32,
    imported: u32,
    refused: u32,
    skipped: u32,
}

impl RowsView {
    const fn new(total: u32, counts: Counts) -> Self {
        let Counts { done, imported, refused, skipped } = counts;
        Self { total, done, imported, refused, skipped }
    }
}

/// One row without a fault, or one fault of a row.
#[derive(Serialize)]
struct VerdictView {
    line: u32,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl VerdictView {
    fn all(verdicts: Vec<Verdict>) -> Vec<Self> {
        verdicts.into_iter().flat_map(Self::of).collect()
    }

    fn of(verdict: Verdict) -> Vec<Self> {
        let Verdict { line, outcome, faults } = verdict;
        if faults.is_empty() {
            return vec![Self { line, outcome, field: None, code: None, detail: None }];
        }
        let view = |fault: belfry_domain::user_csv::Fault| Self {
            line,
            outcome,
            field: Some(fault.field.into_owned()),
            code: Some(fault.code.into_owned()),
            detail: Some(fault.detail),
        };
        faults.into_iter().map(view).collect()
    }
}

impl ImportView {
    /// An import with the verdicts so far.
    pub(crate) fn of(import: &Import, verdicts: Vec<Verdict>) -> Self {
        Self {
            id: Some(import.id),
            state: import.stage.state(),
            mode: import.mode,
            dry_run: false,
            rows: RowsView::new(import.rows, Counts::of(&verdicts)),
            verdicts: VerdictView::all(verdicts),
            created_at: Some(answer::time(import.created_at)),
            finished_at: import.finished_at.map(answer::time),
        }
    }

    /// What an import would do now.
    pub(crate) fn dry(mode: Mode, refused: bool, verdicts: Vec<Verdict>) -> Self {
        let counts = Counts::of(&verdicts);
        Self {
            id: None,
            state: if refused { "refused" } else { "done" },
            mode,
            dry_run: true,
            rows: RowsView::new(counts.done, counts),
            verdicts: VerdictView::all(verdicts),
            created_at: None,
            finished_at: None,
        }
    }
}
