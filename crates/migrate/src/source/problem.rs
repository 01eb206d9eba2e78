//! What can be wrong with a set of migration files.

use std::fmt;
use std::path::PathBuf;

/// Everything that is wrong with a set of migration files; at least one problem.
#[derive(Debug)]
pub struct SourceError {
    /// In the order they were found.
    pub problems: Vec<Problem>,
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the migration files cannot be used")?;
        match self.problems.as_slice() {
            [only] => write!(f, ": {only}"),
            all => {
                for problem in all {
                    write!(f, "\n  - {problem}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for SourceError {}

impl From<Problem> for SourceError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

/// One thing that is wrong with a set of migration files, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The folder, or a file in it, cannot be read.
    #[error("{} cannot be read: {reason}", .path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// The system's words.
        reason: std::io::Error,
    },
    /// The text is not UTF-8.
    #[error("{file} is not UTF-8 text: save it as UTF-8")]
    NotUtf8 {
        /// File name.
        file: String,
    },
    /// Read twice, and different the second time.
    #[error("{file} changed while it was being used: run again")]
    Changed {
        /// File name.
        file: String,
    },
    /// No migration at all.
    #[error("there is none: write <version>_<name>.up.sql, for example 0001_users.up.sql")]
    NoFiles,
    /// The name follows no known pattern.
    #[error(
        "{file:?} is no name of a migration ({reason}): write <version>_<name>.up.sql, or a pair \
         .mysql.up.sql and .sqlite.up.sql; the same with down"
    )]
    BadName {
        /// File name.
        file: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nothing but white space.
    #[error("{file} is empty: if there is nothing to do on this database, write SELECT 1;")]
    EmptyFile {
        /// File name.
        file: String,
    },
    /// Two migrations with one version.
    #[error("{first} and {second} have the same version {version}: give the newer one another")]
    DuplicateVersion {
        /// The version both have.
        version: i64,
        /// File name up to the first dot.
        first: String,
        /// File name up to the first dot.
        second: String,
    },
    /// The same file was given twice.
    #[error("{file} was given twice")]
    DuplicateFile {
        /// File name.
        file: String,
    },
    /// A down file without an up file.
    #[error("{stem} has a down file and no up file: add {stem}.up.sql")]
    NoUp {
        /// File name up to the first dot.
        stem: String,
    },
    /// Only one of a pair.
    #[error(
        "{stem} has {stem}.{present}.{direction}.sql and nothing for {missing}: add \
         {stem}.{missing}.{direction}.sql, or rename it to {stem}.{direction}.sql if it is portable"
    )]
    HalfPair {
        /// File name up to the first dot.
        stem: String,
        /// `up` or `down`.
        direction: &'static str,
        /// The dialect that has a file.
        present: &'static str,
        /// The dialect that has none.
        missing: &'static str,
    },
    /// A portable file and one for a single dialect.
    #[error(
        "{stem} has {stem}.{direction}.sql and also one for a single database: keep the one, or \
         the pair"
    )]
    PlainAndPair {
        /// File name up to the first dot.
        stem: String,
        /// `up` or `down`.
        direction: &'static str,
    },
}
