//! What a run reports while it goes on, and at its end.

use std::time::Duration;

/// Progress of [`Migrator::up`](crate::Migrator::up), in the order it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Another runner is at work on this database. Comes again every few seconds.
    WaitingForLock {
        /// The connection id of the runner that has the lock, where the database says so (MySQL
        /// and MariaDB; look for it in `SHOW PROCESSLIST`).
        holder: Option<u64>,
        /// How long this runner has waited so far.
        waited: Duration,
    },
    /// The migration is about to run.
    Applying {
        /// Its version.
        version: i64,
        /// Its name, without the version.
        name: String,
        /// Its place in this run, from 1.
        index: usize,
        /// How many this run applies in all, as far as is known now.
        total: usize,
    },
    /// The migration ran and is recorded.
    Applied {
        /// Its version.
        version: i64,
        /// Its name, without the version.
        name: String,
        /// How long its statements took.
        duration: Duration,
    },
    /// There was nothing to apply.
    UpToDate,
}

/// What a successful [`Migrator::up`](crate::Migrator::up) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Migrations this run applied; 0 when the database was up to date already, also because
    /// another runner was faster.
    pub count: usize,
    /// From the call to its return, waiting for the lock included.
    pub duration: Duration,
}
