//! The files to judge, as plain values.

use super::Names;
use crate::{Dialect, Migrations, SourceError};

/// One file of a folder, or one way of a file that holds both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LintFile {
    pub(super) file: String,
    pub(super) version: i64,
    pub(super) down: bool,
    /// The only database it is for.
    pub(super) dialect: Option<Dialect>,
    pub(super) text: String,
    /// Whether it belongs to what is to be released.
    pub(super) is_new: bool,
    pub(super) byte_order_mark: bool,
    pub(super) crlf: bool,
    /// Whether this way up has a way back.
    pub(super) has_down: bool,
}

impl LintFile {
    /// Whether it is read by this database.
    pub(super) fn is_for(&self, dialect: Dialect) -> bool {
        self.dialect.is_none_or(|only| only == dialect)
    }
}

/// The files of a folder in the order of their versions; all are new unless names are given.
pub(super) fn files(
    migrations: &Migrations,
    new: Option<&Names>,
) -> Result<Vec<LintFile>, SourceError> {
    let mut files = Vec::new();
    for migration in migrations.iter() {
        for part in migration.parts()? {
            files.push(LintFile {
                version: migration.version(),
                down: part.down,
                dialect: part.dialect,
                text: part.text.into_owned(),
                is_new: new.is_none_or(|new| new.contains(&part.file)),
                byte_order_mark: part.habits.byte_order_mark,
                crlf: part.habits.crlf,
                has_down: migration.has_down(),
                file: part.file,
            });
        }
    }
    Ok(files)
}
