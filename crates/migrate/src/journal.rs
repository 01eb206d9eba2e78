//! What the runner writes down in the database, as plain values. The SQL is in `sql`.
//!
//! - `_migrations`: a row for each migration that was begun; stamped with `finished_at` when it is
//!   over.
//! - `_migration_steps`: the statements of a migration that is under way, each written down as
//!   intended before it runs and as done after it. When the migration is over only what a person
//!   decided stays.
//! - `_migration_texts`: the text that was applied, compressed, to show what an edit changed.
//!
//! Columns that are missing (a table of an older release) or unknown (of a newer one) do no harm:
//! rows are read by name, and what is missing is added before the first write.

pub(crate) mod sql;
mod step_record;
mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::direction::Direction;
pub(crate) use step_record::StepRecord;
pub(crate) use text::{compress, decompress};

/// One row of `_migrations`.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) version: i64,
    pub(crate) name: String,
    /// SHA-256 of the file, see `checksum`.
    pub(crate) checksum: String,
    /// Unix time in microseconds.
    pub(crate) started_at: i64,
    /// Unix time in microseconds; `None` while it runs, and until somebody goes on with it.
    pub(crate) finished_at: Option<i64>,
    /// Host and process that began it; `None` for rows of the first release, which wrote no steps.
    #[sqlx(default)]
    pub(crate) run_by: Option<String>,
    /// Only a program that carries this version, or a newer one, may run on this schema.
    #[sqlx(default)]
    pub(crate) min_version: Option<i64>,
    /// How it came here if no runner applied it: `baseline`, `sqlx`, …
    #[sqlx(default)]
    pub(crate) origin: Option<String>,
    /// When taking it back began, if that was begun and is not over.
    #[sqlx(default)]
    pub(crate) undo_started_at: Option<i64>,
}

/// Where one statement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Was about to run when the runner was last heard of: whether it ran is to be found out.
    Intended,
    /// Ran, and this is known.
    Done,
    /// The database refused it.
    Failed,
    /// A person decided that it counts as done.
    Accepted,
    /// A person decided that it is not to run.
    Skipped,
    /// A person decided that it is to run again.
    Retry,
}

impl StepState {
    /// Whether the statement is over and done with.
    pub(crate) fn is_settled(self) -> bool {
        matches!(self, Self::Done | Self::Accepted | Self::Skipped)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Accepted => "accepted",
            Self::Skipped => "skipped",
            Self::Retry => "retry",
        }
    }

    /// What is not known, written by a newer release, is in doubt.
    pub(crate) fn parse(text: &str) -> Self {
        [Self::Done, Self::Failed, Self::Accepted, Self::Skipped, Self::Retry]
            .into_iter()
            .find(|state| state.as_str() == text)
            .unwrap_or(Self::Intended)
    }
}

/// What tables looked like: fingerprints of their definitions by name, `None` where there was no
/// such table.
pub(crate) type Images = BTreeMap<String, Option<String>>;

/// One row of `_migration_steps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepRow {
    pub(crate) version: i64,
    pub(crate) direction: Direction,
    /// The statement's place in its file, from 1.
    pub(crate) number: usize,
    /// SHA-256 of the statement.
    pub(crate) checksum: String,
    pub(crate) state: StepState,
    /// The statement, where it may have to be reconciled: it may be gone from the file by then.
    pub(crate) statement: Option<String>,
    /// What the tables that it changes looked like before.
    pub(crate) images: Images,
    /// Unix time in microseconds.
    pub(crate) started_at: i64,
    /// Unix time in microseconds.
    pub(crate) finished_at: Option<i64>,
    /// The database's words, after a failure.
    pub(crate) error: Option<String>,
    /// Who decided about it, and why.
    pub(crate) decision: Option<Decision>,
}

/// A person's decision about a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Who decided.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// All that is known of a database's past.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// In the order of their versions.
    pub(crate) rows: Vec<Row>,
    /// Of migrations that are under way, by version and number.
    pub(crate) steps: Vec<StepRow>,
    /// The applied texts of migrations whose files look different now.
    pub(crate) texts: BTreeMap<i64, String>,
}

impl History {
    pub(crate) fn row(&self, version: i64) -> Option<&Row> {
        let at = self.rows.binary_search_by_key(&version, |row| row.version).ok()?;
        self.rows.get(at)
    }

    pub(crate) fn steps_of(
        &self,
        version: i64,
        direction: Direction,
    ) -> impl Iterator<Item = &StepRow> {
        self.steps.iter().filter(move |step| step.version == version && step.direction == direction)
    }

    /// Migrations of which something is to be read besides their row.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.finished_at.is_none() || row.undo_started_at.is_some())
    }
}
