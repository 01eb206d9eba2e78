//! How a database stands compared with the files.

use serde::Serialize;

use crate::direction::Direction;
use crate::journal::{History, Row, StepState};
use crate::source::script::Script;
use crate::{Dialect, Migration, Migrations, clock};

/// Every migration that the files or the database know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// In the order of their versions.
    pub entries: Vec<Entry>,
}

/// One migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What orders it.
    pub version: i64,
    /// Its name, without the version: the file's, or the database's if there is no file.
    pub name: String,
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
    /// Host and process that applied it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_by: Option<String>,
    /// How it came here if no runner applied it: `baseline`, or the tool it was taken over from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Only a program that carries this version, or a newer one, may run on this schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_version: Option<i64>,
}

/// Where one migration stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Applied, and the file is still the one that was.
    Applied {
        /// When it was finished: Unix time in microseconds.
        at_unix_micros: i64,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
    /// Not applied.
    Pending,
    /// Applied, but the file is not the one that was.
    Edited,
    /// Begun and not finished: interrupted, refused by the database, or running at this moment.
    Failed {
        /// The statement it stopped at, from 1, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        statement: Option<usize>,
        /// Whether it is to be found out if that statement took effect.
        in_doubt: bool,
        /// The database's words.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// Taking it back was begun and is not finished.
    Undoing,
    /// In the database and not among the files: usually applied by a newer release.
    Unknown,
}

/// A migration beside what is on record about it; one of the two is there.
#[derive(Debug)]
pub(crate) struct Standing<'a> {
    pub(crate) version: i64,
    pub(crate) migration: Option<&'a Migration>,
    pub(crate) row: Option<&'a Row>,
    pub(crate) state: State,
}

/// Where everything stands that the files or the database know, in the order of the versions.
pub(crate) fn standings<'a>(
    migrations: &'a Migrations,
    dialect: Dialect,
    history: &'a History,
) -> Vec<Standing<'a>> {
    let unknown = |row: &'a Row| Standing {
        version: row.version,
        migration: None,
        row: Some(row),
        state: State::Unknown,
    };
    let mut standings = Vec::with_capacity(migrations.iter().len().max(history.rows.len()));
    let mut rows = history.rows.iter().peekable();
    for migration in migrations.iter() {
        let version = migration.version();
        while let Some(row) = rows.next_if(|row| row.version < version) {
            standings.push(unknown(row));
        }
        let row = rows.next_if(|row| row.version == version);
        let state = state(migration, dialect, row, history);
        standings.push(Standing { version, migration: Some(migration), row, state });
    }
    standings.extend(rows.map(unknown));
    standings
}

/// The version that a release must carry to run on this database, if the files don't.
pub(crate) fn too_old(standings: &[Standing<'_>]) -> Option<i64> {
    newer_than_known(standings.iter().map(|standing| {
        let min_version = standing.row.and_then(|row| row.min_version);
        (standing.version, &standing.state, min_version)
    }))
}

/// The newest `min-version` of what has no file, if it is above what has one.
fn newer_than_known<'a>(
    all: impl Iterator<Item = (i64, &'a State, Option<i64>)> + Clone,
) -> Option<i64> {
    let known = all.clone().filter(|(_, state, _)| **state != State::Unknown);
    let newest = known.map(|(version, ..)| version).max().unwrap_or(i64::MIN);
    let asked = all.filter(|(_, state, _)| **state == State::Unknown);
    asked.filter_map(|(.., min_version)| min_version).filter(|version| *version > newest).max()
}

impl Status {
    pub(crate) fn new(migrations: &Migrations, dialect: Dialect, history: &History) -> Self {
        let entries = standings(migrations, dialect, history).into_iter().map(entry);
        Self { entries: entries.collect() }
    }

    /// Whether every file is applied, unchanged and finished. A database that knows more than the
    /// files is current as well, unless it says that this release is too old for it.
    pub fn is_current(&self) -> bool {
        let fine = |entry: &Entry| matches!(entry.state, State::Applied { .. } | State::Unknown);
        self.entries.iter().all(fine) && self.too_old().is_none()
    }

    /// How many files are not applied.
    pub fn pending(&self) -> usize {
        self.entries.iter().filter(|entry| entry.state == State::Pending).count()
    }

    /// The version that a release must carry to run on this database, if the files don't.
    pub fn too_old(&self) -> Option<i64> {
        let entries = self.entries.iter();
        newer_than_known(entries.map(|entry| (entry.version, &entry.state, entry.min_version)))
    }
}

fn entry(standing: Standing<'_>) -> Entry {
    let Standing { version, migration, row, state } = standing;
    let recorded = row.map(|row| row.name.as_str());
    Entry {
        version,
        name: migration.map(Migration::name).or(recorded).unwrap_or_default().to_owned(),
        state,
        run_by: row.and_then(|row| row.run_by.clone()),
        origin: row.and_then(|row| row.origin.clone()),
        min_version: row.and_then(|row| row.min_version),
    }
}

fn state(migration: &Migration, dialect: Dialect, row: Option<&Row>, history: &History) -> State {
    let Some(row) = row else { return State::Pending };
    if row.undo_started_at.is_some() {
        return State::Undoing;
    }
    let Some(finished_at) = row.finished_at else { return failed(row, history) };
    if row.checksum != migration.checksum(dialect)
        && !only_comments_changed(migration, dialect, history)
    {
        return State::Edited;
    }
    let took = clock::between(row.started_at, finished_at).as_millis();
    State::Applied {
        at_unix_micros: finished_at,
        duration_ms: u64::try_from(took).unwrap_or(u64::MAX),
    }
}

fn failed(row: &Row, history: &History) -> State {
    let last = history
        .steps_of(row.version, Direction::Up)
        .filter(|step| !step.state.is_settled())
        .min_by_key(|step| step.number);
    State::Failed {
        statement: last.map(|step| step.number),
        in_doubt: last.map_or(row.run_by.is_none(), |step| step.state == StepState::Intended),
        error: last.and_then(|step| step.error.clone()),
    }
}

/// Whether the statements are those that were applied: the same text between other comments.
fn only_comments_changed(migration: &Migration, dialect: Dialect, history: &History) -> bool {
    let Some(applied) = history.texts.get(&migration.version()) else { return false };
    let statements = |text: &str| {
        let script = Script::parse(dialect, text).ok()?;
        Some(script.statements.into_iter().map(|found| found.checksum).collect::<Vec<_>>())
    };
    let applied = statements(applied);
    // What can't be read any more is not what was applied.
    applied.is_some() && migration.up(dialect).is_ok_and(|text| applied == statements(&text))
}
