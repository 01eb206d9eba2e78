//! What a run reports while it goes on, and at its end.

use std::time::Duration;

use serde::Serialize;

use crate::direction::Direction;

/// Receives what happens. Called between statements, so it should not take long.
pub(crate) type Report<'a> = dyn FnMut(Event) + Send + 'a;

/// Progress of a run, in the order it happens.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Another runner is at work on this database. Comes again every few seconds.
    WaitingForLock {
        /// Who has the lock, where the database says so.
        holder: Option<Holder>,
        /// How long this runner has waited so far.
        #[serde(rename = "waited_ms", serialize_with = "millis")]
        waited: Duration,
    },
    /// The migration is about to run.
    Applying {
        /// Its version.
        version: i64,
        /// Its name, without the version.
        name: String,
        /// Whether it is applied or taken back.
        direction: Direction,
        /// Its place in this run, from 1.
        index: usize,
        /// How many this run is about in all, as far as is known now.
        total: usize,
    },
    /// A statement is about to run.
    Statement {
        /// The migration's version.
        version: i64,
        /// Its place in the file, from 1.
        number: usize,
        /// How many the file has.
        total: usize,
        /// The line on which it begins.
        line: usize,
        /// Its beginning, on one line.
        summary: String,
    },
    /// A statement takes long. Comes again every few seconds.
    Running {
        /// For how long it has run.
        #[serde(rename = "elapsed_ms", serialize_with = "millis")]
        elapsed: Duration,
        /// How much of its work is done, from 0 to 1, where the server knows: MySQL where
        /// `performance_schema` has its consumer `events_stages_current` on, `MariaDB` always.
        #[serde(skip_serializing_if = "Option::is_none")]
        fraction: Option<f64>,
    },
    /// A statement ran.
    StatementDone {
        /// The migration's version.
        version: i64,
        /// Its place in the file, from 1.
        number: usize,
        /// Rows that it changed.
        rows: u64,
        /// How long it took.
        #[serde(rename = "duration_ms", serialize_with = "millis")]
        duration: Duration,
        /// How a table was altered, where the runner chose: `instant` or `inplace`.
        #[serde(skip_serializing_if = "Option::is_none")]
        algorithm: Option<&'static str>,
    },
    /// A statement that was under way when an earlier runner died turned out to have taken effect
    /// or not; in the latter case it runs next.
    Reconciled {
        /// The migration's version.
        version: i64,
        /// Its place in the file, from 1.
        number: usize,
        /// Whether it had taken effect.
        done: bool,
    },
    /// Somebody else's transaction is in the way; the statement is tried again.
    Retrying {
        /// The database's words.
        reason: String,
        /// How long until then.
        #[serde(rename = "pause_ms", serialize_with = "millis")]
        pause: Duration,
    },
    /// The migration ran and is recorded.
    Applied {
        /// Its version.
        version: i64,
        /// Its name, without the version.
        name: String,
        /// Whether it was applied or taken back.
        direction: Direction,
        /// How long its statements took.
        #[serde(rename = "duration_ms", serialize_with = "millis")]
        duration: Duration,
    },
    /// Something that an operator should know.
    Notice {
        /// One sentence.
        message: String,
    },
    /// There was nothing to do.
    UpToDate,
}

/// Who keeps this runner waiting. What is not allowed to be seen is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// The connection's id, as in `SHOW PROCESSLIST`.
    pub connection: u64,
    /// User and host of the connection.
    pub who: Option<String>,
    /// For how long it has been doing what it does, in seconds.
    pub seconds: Option<u64>,
    /// The statement that it runs, shortened.
    pub statement: Option<String>,
}

/// What a successful run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Migrations this run applied or took back; 0 when there was nothing to do, also because
    /// another runner was faster.
    pub count: usize,
    /// From the call to its return, waiting for the lock included.
    pub duration: Duration,
}

fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// The beginning of a statement on one line, for people: at most `most` characters.
pub(crate) fn summary(statement: &str, most: usize) -> String {
    let mut line = String::new();
    for word in statement.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.chars().count() > most {
            return line.chars().take(most.saturating_sub(1)).chain(['…']).collect();
        }
    }
    line
}
