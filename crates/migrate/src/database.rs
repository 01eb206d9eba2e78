//! What the engine needs of a database. Implemented for MySQL (with MariaDB) and for SQLite.

use crate::error::{Cause, MigrateError};
use crate::event::Report;
use crate::journal::{Images, Row, StepRow};
use crate::source::script::ScriptStatement;
use crate::sql::meaning::{Effect, Name};

/// A connection to one database, of which the engine needs little more than to run statements.
///
/// Its SQL is the journal's and the migrations'; what differs between databases is how they lock,
/// what a transaction covers, and how they are asked what exists.
pub(crate) trait Database {
    /// Whether a transaction covers changes of the schema too: then every migration is one.
    const TRANSACTIONAL_DDL: bool;

    /// Keeps other runners out until [`unlock`](Self::unlock), as far as that is not what
    /// [`begin`](Self::begin) does. Everything known from before must be read again afterwards.
    async fn lock(&mut self, report: &mut Report<'_>) -> Result<(), MigrateError>;

    /// Lets other runners in.
    async fn unlock(&mut self) -> Result<(), MigrateError>;

    /// Fails with `LockLost` unless this very connection still keeps the others out.
    async fn check_lock(&mut self, file: &str) -> Result<(), MigrateError>;

    /// Gives the session the settings that every migration starts with.
    async fn reset_session(&mut self) -> sqlx::Result<()>;

    /// Begins a transaction.
    async fn begin(&mut self, report: &mut Report<'_>) -> Result<Begun, MigrateError>;

    async fn commit(&mut self) -> sqlx::Result<()>;

    async fn rollback(&mut self) -> sqlx::Result<()>;

    /// What must hold before a migration's transaction is committed.
    async fn check_before_commit(&mut self, file: &str) -> Result<(), MigrateError>;

    /// Runs a migration's statement.
    async fn run(
        &mut self,
        statement: &ScriptStatement,
        report: &mut Report<'_>,
    ) -> Result<Ran, RunError>;

    /// What these tables look like now.
    async fn images(&mut self, tables: &[Name]) -> sqlx::Result<Images>;

    /// Whether what a statement meant to do is so now.
    async fn holds(&mut self, effect: &Effect) -> sqlx::Result<bool>;

    /// Runs one of the journal's statements that change something; gives the number of rows.
    async fn write(&mut self, sql: &'static str, args: Vec<Arg>) -> sqlx::Result<u64>;

    /// The rows of `_migrations`; none if there is no such table, which is not created.
    async fn rows(&mut self) -> sqlx::Result<Vec<Row>>;

    /// The rows of `_migration_steps`; none if there is no such table.
    async fn steps(&mut self) -> sqlx::Result<Vec<StepRow>>;

    /// The compressed text of a migration, if it was kept.
    async fn text(&mut self, version: i64) -> sqlx::Result<Option<Vec<u8>>>;

    /// The names of the columns of `_migrations`.
    async fn journal_columns(&mut self) -> sqlx::Result<Vec<String>>;
}

/// A value for a placeholder of the journal's SQL.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Vec<u8>),
}

impl From<i64> for Arg {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}
impl From<Option<i64>> for Arg {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}
impl From<&str> for Arg {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}
impl From<Option<String>> for Arg {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}
impl From<Vec<u8>> for Arg {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

/// Binds the arguments to a query of whichever database.
macro_rules! bind {
    ($query:expr, $args:expr) => {{
        let mut query = $query;
        for arg in $args {
            query = match arg {
                $crate::database::Arg::Int(value) => query.bind(value),
                $crate::database::Arg::Text(value) => query.bind(value),
                $crate::database::Arg::Bytes(value) => query.bind(value),
            };
        }
        query
    }};
}
pub(crate) use bind;

/// Whether what was read before a transaction still stands within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// Nobody wrote in between.
    Unchanged,
    /// Somebody did: read again.
    Changed,
}

/// A statement that ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ran {
    /// Rows that it changed.
    pub(crate) rows: u64,
    /// How a table was altered, where that was chosen.
    pub(crate) algorithm: Option<&'static str>,
}

/// A statement that did not run to its end.
#[derive(Debug)]
pub(crate) enum RunError {
    /// The database refused it or took it back: it has no effect.
    Refused {
        /// The database's words.
        reason: String,
        /// Why, as far as it decides what to do.
        cause: Cause,
    },
    /// The connection broke: whether it took effect is to be found out.
    Lost {
        /// The driver's words.
        reason: String,
    },
}
