//! How a database stands compared with the files.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::journal::Row;
use crate::{Dialect, Migrations, clock};

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
}

/// Where one migration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
    /// Begun and not finished: interrupted, or running at this moment.
    Failed,
    /// In the database and not among the files: usually applied by a newer release.
    Unknown,
}

impl Status {
    pub(crate) fn new(migrations: &Migrations, dialect: Dialect, journal: Vec<Row>) -> Self {
        let mut entries: BTreeMap<i64, Entry> = journal
            .iter()
            .map(|Row { version, name, .. }| {
                let (version, name) = (*version, name.clone());
                (version, Entry { version, name, state: State::Unknown })
            })
            .collect();
        let rows: BTreeMap<i64, Row> = journal.into_iter().map(|row| (row.version, row)).collect();
        for migration in migrations.iter() {
            let version = migration.version();
            let state = state(&migration.checksum(dialect), rows.get(&version));
            entries.insert(version, Entry { version, name: migration.name().to_owned(), state });
        }
        Self { entries: entries.into_values().collect() }
    }

    /// Whether every file is applied, unchanged and finished. A database that knows more than the
    /// files is current as well: an older release can run on it.
    pub fn is_current(&self) -> bool {
        self.entries
            .iter()
            .all(|entry| matches!(entry.state, State::Applied { .. } | State::Unknown))
    }

    /// How many files are not applied.
    pub fn pending(&self) -> usize {
        self.entries.iter().filter(|entry| entry.state == State::Pending).count()
    }
}

fn state(checksum: &str, row: Option<&Row>) -> State {
    match row {
        None => State::Pending,
        Some(Row { finished_at: None, .. }) => State::Failed,
        Some(row) if row.checksum != checksum => State::Edited,
        Some(Row { started_at, finished_at: Some(finished_at), .. }) => State::Applied {
            at_unix_micros: *finished_at,
            duration_ms: u64::try_from(clock::between(*started_at, *finished_at).as_millis())
                .unwrap_or(u64::MAX),
        },
    }
}
