//! Starting on a database that is there already: what was applied without this runner goes on
//! record as if it had applied it.

use crate::journal::{History, Row};
use crate::{Dialect, MigrateError, Migrations};

/// A migration that is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct There {
    pub(crate) version: i64,
    /// When it was applied, in microseconds of Unix time, if that is known.
    pub(crate) at: Option<i64>,
}

/// Every file up to a version, which must be one.
pub(crate) fn up_to(migrations: &Migrations, version: i64) -> Result<Vec<There>, MigrateError> {
    if migrations.get(version).is_none() {
        return Err(MigrateError::NoSuchVersion { version });
    }
    let there = migrations.iter().map(crate::Migration::version).filter(|found| *found <= version);
    Ok(there.map(|version| There { version, at: None }).collect())
}

/// The rows to write. Nothing may be on record yet: guessing how two histories belong together is
/// not for a program.
pub(crate) fn rows(
    migrations: &Migrations,
    dialect: Dialect,
    history: &History,
    there: &[There],
    (origin, run_by, now): (&str, &str, i64),
) -> Result<Vec<(Row, String)>, MigrateError> {
    if let Some(row) = history.rows.first() {
        let (version, name) = (row.version, row.name.clone());
        return Err(MigrateError::HasHistory { version, name });
    }
    let row = |there: &There| {
        let Some(migration) = migrations.get(there.version) else { return Ok(None) };
        let at = there.at.unwrap_or(now);
        let row = Row {
            version: there.version,
            name: migration.name().to_owned(),
            checksum: migration.checksum(dialect),
            started_at: at,
            finished_at: Some(at),
            run_by: Some(run_by.to_owned()),
            origin: Some(origin.to_owned()),
            ..Row::default()
        };
        Ok(Some((row, migration.up(dialect)?.into_owned())))
    };
    there.iter().filter_map(|there| row(there).transpose()).collect()
}
