//! Why a run or a status report ended early, and what a person does about it.

use std::time::Duration;

use crate::event::Holder;
use crate::{Dialect, SourceError, space};

/// Why a database refused a statement, as far as it decides what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The statement is wrong for this database.
    Statement,
    /// The same may well succeed later: another transaction was in the way.
    Passing,
    /// There is no space left for what it writes.
    NoSpace,
}

/// Why [`Migrator`](crate::Migrator) gave up. Each text is complete: it names the database or the
/// file, the cause in the database's own words, and what to do; so causes are not repeated through
/// [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A file that was read before can't be read again, or is another one by now.
    #[error(transparent)]
    Source(#[from] SourceError),
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
        holder_hint(.holder.as_ref()), .waited.as_secs()
    )]
    LockTimeout {
        /// The database, without the password.
        target: String,
        /// The connection of the runner at work, where known.
        holder: Option<Holder>,
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
    #[error("could not {doing} on {target}: {reason}{}", journal_hint(.reason))]
    Journal {
        /// The database, without the password.
        target: String,
        /// What was tried, as a verb phrase.
        doing: String,
        /// The database's words.
        reason: sqlx::Error,
    },
    /// The server refuses to be changed.
    #[error(
        "{target} is read-only ({setting} is on): it is a replica, or was made one. Nothing was \
         changed. Connect to the server that takes writes"
    )]
    ReadOnly {
        /// The database, without the password.
        target: String,
        /// The server's setting.
        setting: String,
    },
    /// A file can't be taken apart into statements, or has one that can't be run.
    #[error("{file}, line {line}: {message}. Nothing was applied")]
    Script {
        /// The file's name.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong, and what to do.
        message: String,
    },
    /// Files changed after they were applied. Nothing was applied by this run.
    #[error(
        "edited after being applied: {}. Nothing was applied. Restore the file as it was and put \
         the change into a new migration{}", names(.files), diffs(.files)
    )]
    Edited {
        /// The files' names, and what changed in each where the applied text was kept.
        files: Vec<(String, Option<String>)>,
    },
    /// A migration began earlier, with a release that did not write down how far it came.
    #[error(
        "{file} began earlier and did not finish, and how far it came is not on record; it is not \
         run again by itself, and nothing was applied. Compare the database with the file. If \
         nothing of it took effect: `migrate repair --retry {version} --reason …`. If you have \
         completed it by hand: `migrate repair --accept {version} --reason …`"
    )]
    Interrupted {
        /// The file's name.
        file: String,
        /// Its version.
        version: i64,
    },
    /// A statement was under way when its runner died, and whether it took effect can't be told.
    #[error(
        "statement {statement} of {file} was under way when its runner was stopped, and whether it \
         took effect is for a person to say: {why}. The statement: {text}. Look at the database. \
         If it took effect: `migrate repair --accept {version}:{statement} --reason …`; if not: \
         `migrate repair --retry {version}:{statement} --reason …`; then run again"
    )]
    InDoubt {
        /// The file's name.
        file: String,
        /// Its version.
        version: i64,
        /// Which statement, from 1.
        statement: usize,
        /// The statement, shortened.
        text: String,
        /// Why it can't be told.
        why: String,
    },
    /// The part of an unfinished file that is done was changed.
    #[error(
        "statement {statement} of {file} took effect and was changed in the file since. What is \
         done must stay as it was; only what follows it may be changed. Restore it, or record \
         that you made up for the difference: `migrate repair --retry {version}:{statement} \
         --reason …` runs it as it stands now"
    )]
    DonePartEdited {
        /// The file's name.
        file: String,
        /// Its version.
        version: i64,
        /// Which statement, from 1.
        statement: usize,
    },
    /// What an earlier statement set in the session is gone, and can't be set again.
    #[error(
        "statement {statement} of {file} set something in its session (a variable, a temporary \
         table) that ended with the earlier run, and that running it again might not restore. If \
         the rest of the file does not need it: `migrate repair --accept {version}:{statement} \
         --reason …`; if it can run again: `migrate repair --retry {version}:{statement} --reason \
         …`; then run again"
    )]
    SessionLost {
        /// The file's name.
        file: String,
        /// Its version.
        version: i64,
        /// Which statement, from 1.
        statement: usize,
    },
    /// Files are older than what was applied already. Nothing was applied by this run.
    #[error(
        "out of order: {} came after version {newest} was applied here, and was never applied. \
         Nothing was applied. Give it a version above {newest}, or allow it with --out-of-order \
         allow", .files.join(", ")
    )]
    OutOfOrder {
        /// The files' names.
        files: Vec<String>,
        /// The newest version in the database.
        newest: i64,
    },
    /// The database knows migrations that are older than the newest file and have none.
    #[error(
        "the database has {}, for which there is no file, though there are newer ones. Nothing was \
         applied. Was a file lost? If it belongs to a branch that is not here: --out-of-order \
         allow", .migrations.join(", ")
    )]
    Missing {
        /// Their versions and names.
        migrations: Vec<String>,
    },
    /// The database says that this release is too old for it.
    #[error(
        "too old for this schema: the database is to be used by releases that carry migration \
         {needed}, and the newest one here is {newest}. Nothing was changed. Run a newer release, \
         or take the database back first"
    )]
    TooOld {
        /// The version that the database asks for.
        needed: i64,
        /// The newest one here.
        newest: i64,
    },
    /// Taking a migration back was begun and is not over.
    #[error(
        "taking back {version}_{name} was begun and did not finish. Nothing was applied. `migrate \
         resume` goes on with it"
    )]
    UndoUnfinished {
        /// Its version.
        version: i64,
        /// Its name.
        name: String,
    },
    /// Applying a migration was begun and is not over, so nothing is taken back.
    #[error(
        "{version}_{name} was begun and did not finish. Nothing was taken back. Finish it first: \
         `migrate resume`, or correct the rest of its file and run `migrate up`"
    )]
    UpUnfinished {
        /// Its version.
        version: i64,
        /// Its name.
        name: String,
    },
    /// There is no way back from a migration.
    #[error(
        "{migration} can't be taken back: there is no .down.sql for it. Nothing was taken back"
    )]
    NoDown {
        /// Its version and name.
        migration: String,
    },
    /// A statement of a migration failed.
    #[error(
        "{file} failed on {target} at its statement {statement} (line {line}): {reason}. {}. The \
         statement: {text}", after_failure(*.undone, *.cause)
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
        /// The line on which it begins, from 1.
        line: usize,
        /// The statement, shortened.
        text: String,
        /// Whether everything the file did was rolled back.
        undone: bool,
        /// Why, as far as it decides what to do.
        cause: Cause,
        /// The database's words.
        reason: String,
    },
    /// The connection broke while a statement ran.
    #[error(
        "the connection to {target} broke during statement {statement} of {file}: {reason}. Run \
         again: whether the statement took effect is found out then"
    )]
    ConnectionLost {
        /// The file's name.
        file: String,
        /// The database, without the password.
        target: String,
        /// Which statement of the file, from 1.
        statement: usize,
        /// The driver's words.
        reason: String,
    },
    /// There is no file with this version.
    #[error("there is no migration {version} among the files; `migrate status` lists them")]
    NoSuchVersion {
        /// The version.
        version: i64,
    },
    /// Something is on record already.
    #[error(
        "this database has a history already, which begins with {version}_{name}; nothing was \
         recorded. `migrate status` shows it"
    )]
    HasHistory {
        /// The version of its first migration.
        version: i64,
        /// Its name.
        name: String,
    },
    /// Nobody said that migrations may be taken back.
    #[error("not taken back: {migrations}. Say --yes where nobody can be asked")]
    NotConfirmed {
        /// Their versions and names.
        migrations: String,
    },
    /// The program to become could not be started.
    #[error("all is applied, but {program:?} could not be started: {reason}")]
    Exec {
        /// Its name.
        program: String,
        /// The system's words.
        reason: String,
    },
    /// A person's decision does not fit what is on record.
    #[error("{step} can't be decided about: {why}")]
    Repair {
        /// What was to be decided about.
        step: String,
        /// Why not, and what to do.
        why: String,
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
    /// The commands' output could not be written.
    #[error("the output could not be written: {0}")]
    Output(#[from] std::io::Error),
}

const SQLITE_READONLY: u32 = 8;
const SQLITE_CANTOPEN: u32 = 14;
const SQLITE_NOTADB: u32 = 26;

fn connect_hint(reason: &sqlx::Error) -> &'static str {
    match reason {
        sqlx::Error::Io(_) => ". Is the server running and the address right?",
        // SQLite's are numbers, of which the last byte counts (<https://sqlite.org/rescode.html>).
        sqlx::Error::Database(error) => {
            let number = error.code().and_then(|code| code.parse::<u32>().ok());
            match number.map(|number| number & 0xff) {
                Some(SQLITE_READONLY) => {
                    ". Check who may write to the file and to its folder, and as whom this runs"
                }
                Some(SQLITE_CANTOPEN) => ". Check that its folder exists and may be written to",
                Some(SQLITE_NOTADB) => ". Check the path: it is another kind of file, or encrypted",
                _ => ". Check that the database exists, and the user and password",
            }
        }
        _ => "",
    }
}

fn holder_hint(holder: Option<&Holder>) -> String {
    let Some(holder) = holder else { return String::new() };
    let who = holder.who.as_ref().map(|who| format!(", {who}")).unwrap_or_default();
    let what = holder.statement.as_ref().map(|text| format!(", running: {text}"));
    format!(" (connection {}{who}{})", holder.connection, what.unwrap_or_default())
}

fn after_failure(undone: bool, cause: Cause) -> String {
    let after = if undone {
        "All of the file was rolled back"
    } else {
        "What stands before it in the file took effect and is on record; it did not"
    };
    let then = match (cause, undone) {
        (Cause::Statement, true) => ": correct it and run again",
        (Cause::Statement, false) => ". Correct the file from this statement on and run again",
        (Cause::Passing, _) => {
            ". Nothing is wrong with the file: let who was in the way finish and run again"
        }
        (Cause::NoSpace, _) => {
            ". Nothing is wrong with the file: make space for the database and run again"
        }
    };
    format!("{after}{then}")
}

fn journal_hint(reason: &sqlx::Error) -> &'static str {
    if space::is_exhausted(reason) {
        ". Make space for the database and run again, which finds out how far this run came"
    } else {
        ""
    }
}

fn names(files: &[(String, Option<String>)]) -> String {
    files.iter().map(|(file, _)| file.as_str()).collect::<Vec<_>>().join(", ")
}

fn diffs(files: &[(String, Option<String>)]) -> String {
    files
        .iter()
        .filter_map(|(file, diff)| Some(format!("\n\n{file}:\n{}", diff.as_ref()?.trim_end())))
        .collect()
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
