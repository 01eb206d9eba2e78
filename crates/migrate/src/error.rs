//! Why a run or a status report ended early, and what a person does about it.

use std::time::Duration;

use crate::Dialect;

/// Why [`Migrator`](crate::Migrator) gave up. Each text is complete: it names the database or the
/// file, the cause in the database's own words, and what to do; so causes are not repeated through
/// [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// No connection.
    #[error("cannot connect to {target}: {reason}{}", connect_hint(.reason))]
    Connect {
        /// The database, without the password.
        target: String,
        /// The driver's words.
        reason: sqlx::Error,
    },
    /// The connection's options name no database.
    #[error("no database is selected on {target}: name one in the URL")]
    NoDatabase {
        /// The server, without the password.
        target: String,
    },
    /// Another runner was at work for longer than this one waits. What this one applied before, on
    /// SQLite, stays applied.
    #[error(
        "{target} was locked by somebody else{}, probably another runner, for {} s, and this one \
         stopped waiting. Let the other one finish and run again; if it hangs, end it",
        holder_hint(*.holder), .waited.as_secs()
    )]
    LockTimeout {
        /// The database, without the password.
        target: String,
        /// The connection id of the runner at work, where known.
        holder: Option<u64>,
        /// How long this runner waited.
        waited: Duration,
    },
    /// The lock could not be asked for.
    #[error(
        "the lock {name:?} that keeps two runners apart could not be taken on {target}: {reason}. \
         Connect directly to one server; a proxy or cluster node may not support GET_LOCK"
    )]
    Lock {
        /// The database, without the password.
        target: String,
        /// The lock's name on the server.
        name: String,
        /// The server's words.
        reason: String,
    },
    /// The server no longer says that this connection has the lock.
    #[error(
        "this runner lost the lock on {target} before {file}, which was not started: the \
         connection was replaced or the server failed over. Run again"
    )]
    LockLost {
        /// The database, without the password.
        target: String,
        /// The file that was next.
        file: String,
    },
    /// The table `_migrations` could not be read or written, or the session not be prepared.
    #[error("could not {doing} on {target}: {reason}")]
    Journal {
        /// The database, without the password.
        target: String,
        /// What was tried, as a verb phrase.
        doing: String,
        /// The database's words.
        reason: sqlx::Error,
    },
    /// Files changed after they were applied. Nothing was applied by this run.
    #[error(
        "edited after being applied: {}. Nothing was applied. Restore the file as it was and put \
         the change into a new migration", .files.join(", ")
    )]
    Edited {
        /// The files' names.
        files: Vec<String>,
    },
    /// A migration began earlier and never finished. Nothing was applied by this run.
    #[error(
        "{file} began earlier and did not finish, so part of it may have taken effect; it is not \
         run again by itself, and nothing was applied. Compare the database with the file. Either \
         undo what took effect, run `DELETE FROM _migrations WHERE version = {version}` and then \
         migrate again; or complete the rest by hand and run `UPDATE _migrations SET finished_at = \
         started_at WHERE version = {version}`"
    )]
    Interrupted {
        /// The file's name.
        file: String,
        /// Its version.
        version: i64,
    },
    /// Files are older than what was applied already. Nothing was applied by this run.
    #[error(
        "out of order: {} came after version {newest} was applied here, and was never applied. \
         Nothing was applied. Give it a version above {newest}", .files.join(", ")
    )]
    OutOfOrder {
        /// The files' names.
        files: Vec<String>,
        /// The newest version in the database.
        newest: i64,
    },
    /// A statement of a migration failed.
    #[error(
        "{file} failed on {target} at its statement {statement}: {reason}. {}",
        after_failure(*.undone, *.version)
    )]
    Failed {
        /// The file's name.
        file: String,
        /// Its version.
        version: i64,
        /// The database, without the password.
        target: String,
        /// Which statement of the file, from 1.
        statement: usize,
        /// Whether everything the file did was rolled back.
        undone: bool,
        /// The database's words.
        reason: sqlx::Error,
    },
    /// A migration left rows that refer to nothing (SQLite; checked before its commit).
    #[error(
        "{file} was rolled back on {target}: after it, rows refer to rows that do not exist: {}. \
         Foreign keys are not enforced *while* a migration runs, so ON DELETE CASCADE does nothing \
         in it: delete such rows explicitly, then run again", .references.join(", ")
    )]
    ForeignKeys {
        /// The file's name.
        file: String,
        /// The database.
        target: String,
        /// `child -> parent` tables, at most five.
        references: Vec<String>,
    },
    /// A migration ended the transaction it ran in (SQLite).
    #[error(
        "{file} has a COMMIT or ROLLBACK of its own on {target}: each migration already runs in \
         one transaction. Remove it, and compare the database with the file: part of it may have \
         taken effect ({reason})"
    )]
    OwnTransaction {
        /// The file's name.
        file: String,
        /// The database.
        target: String,
        /// The database's words.
        reason: sqlx::Error,
    },
    /// The commands' output could not be written.
    #[error("the output could not be written: {0}")]
    Output(#[from] std::io::Error),
}

fn connect_hint(reason: &sqlx::Error) -> &'static str {
    match reason {
        sqlx::Error::Io(_) => ". Is the server running and the address right?",
        sqlx::Error::Database(_) => {
            ". Check that the database (for SQLite: its folder) exists, and the user and password"
        }
        _ => "",
    }
}

fn holder_hint(holder: Option<u64>) -> String {
    holder.map(|id| format!(" (connection {id})")).unwrap_or_default()
}

fn after_failure(undone: bool, version: i64) -> String {
    if undone {
        "All of the file was rolled back: correct it and run again".to_owned()
    } else {
        format!(
            "Statements before it took effect and stay, and the file is marked as unfinished. \
             Undo them, run `DELETE FROM _migrations WHERE version = {version}`, correct the file \
             and migrate again"
        )
    }
}

/// Builds the variants that name the database, for one target.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) target: String,
    pub(crate) dialect: Dialect,
}

impl Context {
    /// For `map_err` after work on the journal; `doing` completes "could not …".
    pub(crate) fn journal(
        &self,
        doing: impl Into<String>,
    ) -> impl FnOnce(sqlx::Error) -> MigrateError {
        let (target, doing) = (self.target.clone(), doing.into());
        move |reason| MigrateError::Journal { target, doing, reason }
    }

    pub(crate) fn connect(&self) -> impl FnOnce(sqlx::Error) -> MigrateError {
        let target = self.target.clone();
        move |reason| MigrateError::Connect { target, reason }
    }
}
