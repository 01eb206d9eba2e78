//! What a runner waits for, and for how long.

use std::time::Duration;

/// What a runner waits by default: long enough for another one to finish a slow migration.
const LOCK_TIMEOUT: Duration = Duration::from_mins(5);

/// How long a change of the schema waits for other transactions by default, in one attempt.
const LOCK_WAIT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a runner waits for, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For another runner. MySQL counts whole seconds.
    pub lock_timeout: Duration,
    /// For other transactions to let go of a table, in one attempt: everybody else who wants the
    /// table waits behind a statement that waits. Whole seconds, at least one. MySQL and MariaDB.
    pub lock_wait_timeout: Duration,
    /// For one statement, which the server then ends. MySQL and MariaDB.
    pub statement_timeout: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lock_timeout: LOCK_TIMEOUT,
            lock_wait_timeout: LOCK_WAIT_TIMEOUT,
            statement_timeout: None,
        }
    }
}
