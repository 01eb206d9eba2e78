//! What a run would do: the migrations to apply, or why it must not begin.

use crate::status::{State, Status};
use crate::{Dialect, MigrateError, Migration, Migrations};

/// The migrations to apply, in order. Refuses before anything is applied, so that a run never
/// stops half way for a reason that could be known at its start.
pub(crate) fn pending<'m>(
    migrations: &'m Migrations,
    dialect: Dialect,
    status: &Status,
) -> Result<Vec<&'m Migration>, MigrateError> {
    let in_state = |state: State| -> Vec<&'m Migration> {
        let is_wanted = |version| {
            status.entries.iter().any(|entry| entry.version == version && entry.state == state)
        };
        migrations.iter().filter(|migration| is_wanted(migration.version())).collect()
    };
    let files = |of: &[&Migration]| of.iter().map(|migration| migration.file(dialect)).collect();

    if let Some(interrupted) = in_state(State::Failed).first() {
        return Err(MigrateError::Interrupted {
            file: interrupted.file(dialect),
            version: interrupted.version(),
        });
    }
    let edited = in_state(State::Edited);
    if !edited.is_empty() {
        return Err(MigrateError::Edited { files: files(&edited) });
    }
    let pending = in_state(State::Pending);
    let newest = status
        .entries
        .iter()
        .filter(|entry| entry.state != State::Pending)
        .map(|entry| entry.version)
        .max();
    if let Some(newest) = newest {
        let late: Vec<&Migration> =
            pending.iter().copied().filter(|migration| migration.version() < newest).collect();
        if !late.is_empty() {
            return Err(MigrateError::OutOfOrder { files: files(&late), newest });
        }
    }
    Ok(pending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Row, row};

    const FILES: [(&str, &str); 3] =
        [("1_a.up.sql", "SELECT 1;"), ("2_b.up.sql", "SELECT 2;"), ("3_c.up.sql", "SELECT 3;")];

    /// Rows as if these versions had been applied; a version without a file is a newer release's.
    fn journal(versions: &[i64]) -> Vec<Row> {
        let migrations = Migrations::embedded(&FILES).unwrap();
        let known = |version| migrations.iter().find(|m| m.version() == version);
        let unknown = |version| Row {
            version,
            name: "later".to_owned(),
            checksum: "?".to_owned(),
            started_at: 1_000_000,
            finished_at: None,
        };
        versions
            .iter()
            .map(|&version| {
                let row = known(version)
                    .map_or_else(|| unknown(version), |m| row(m, Dialect::Sqlite, 1_000_000));
                Row { finished_at: Some(1_250_000), ..row }
            })
            .collect()
    }

    fn plan(journal: Vec<Row>) -> (Status, Result<Vec<i64>, MigrateError>) {
        let migrations = Migrations::embedded(&FILES).unwrap();
        let status = Status::new(&migrations, Dialect::Sqlite, journal);
        let pending = pending(&migrations, Dialect::Sqlite, &status)
            .map(|pending| pending.into_iter().map(Migration::version).collect());
        (status, pending)
    }

    #[test]
    fn what_is_not_in_the_journal_is_applied_in_order() {
        assert_eq!(plan(journal(&[])).1.unwrap(), [1, 2, 3]);
        let (status, pending) = plan(journal(&[1]));
        assert_eq!(pending.unwrap(), [2, 3]);
        assert_eq!(status.pending(), 2);
        assert!(!status.is_current());
        assert_eq!(
            status.entries[0].state,
            State::Applied { at_unix_micros: 1_250_000, duration_ms: 250 }
        );
    }

    #[test]
    fn a_newer_database_is_current_and_left_alone() {
        let (status, pending) = plan(journal(&[1, 2, 3, 4]));
        assert_eq!(pending.unwrap(), [0_i64; 0]);
        assert!(status.is_current());
        assert_eq!(status.entries[3].state, State::Unknown);
        assert_eq!(status.entries[3].name, "later");
    }

    #[test]
    fn a_late_file_is_refused_also_behind_an_unknown_one() {
        for versions in [&[1, 3][..], &[1, 2, 4]] {
            let (status, pending) = plan(journal(versions));
            assert!(matches!(pending, Err(MigrateError::OutOfOrder { .. })), "{pending:?}");
            assert!(!status.is_current());
        }
    }

    #[test]
    fn an_edited_file_is_refused_although_others_are_pending() {
        let mut rows = journal(&[1]);
        rows[0].checksum = "0".repeat(64);
        let (status, pending) = plan(rows);
        assert!(matches!(pending, Err(MigrateError::Edited { .. })), "{pending:?}");
        assert!(!status.is_current());
    }

    #[test]
    fn an_unfinished_one_is_refused_edited_or_not() {
        for checksum in [None, Some("0".repeat(64))] {
            let mut rows = journal(&[1]);
            rows[0].finished_at = None;
            rows[0].checksum = checksum.unwrap_or(rows[0].checksum.clone());
            let (status, pending) = plan(rows);
            assert!(matches!(pending, Err(MigrateError::Interrupted { .. })), "{pending:?}");
            assert!(!status.is_current());
        }
    }
}
