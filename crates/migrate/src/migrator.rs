//! The runner: connects, and leaves the rest to the one for the database at hand.

use std::time::{Duration, Instant};

use crate::clock::{Clock, wall_clock};
use crate::error::Context;
use crate::run::Run;
use crate::wait::LOCK_TIMEOUT;
use crate::{Applied, Event, MigrateError, Migrations, Status, Target, mysql, sqlite};

/// Migrations and the database they belong to. Connects only when asked to do something, with one
/// connection of its own, and closes it again.
#[derive(Clone, Debug)]
pub struct Migrator {
    pub(crate) migrations: Migrations,
    pub(crate) target: Target,
    pub(crate) lock_timeout: Duration,
    pub(crate) now: Clock,
}

impl Migrator {
    /// For these migrations and this database. Waits up to 300 s for another runner.
    pub fn new(migrations: Migrations, target: Target) -> Self {
        Self { migrations, target, lock_timeout: LOCK_TIMEOUT, now: wall_clock }
    }

    /// How long [`up`](Self::up) waits for another runner. MySQL counts whole seconds.
    #[must_use]
    pub fn lock_timeout(mut self, limit: Duration) -> Self {
        self.lock_timeout = limit;
        self
    }

    /// Compares the database with the files. Only reads: it creates neither the table nor, for
    /// SQLite, the file; a file that does not exist is a database without migrations.
    pub async fn status(&self) -> Result<Status, MigrateError> {
        let context = self.context();
        let journal = match &self.target {
            Target::MySql(options) => mysql::journal(options, &context).await?,
            Target::Sqlite(options) => sqlite::journal(options, &context).await?,
        };
        Ok(Status::new(&self.migrations, context.dialect, journal))
    }

    /// Applies what is pending, in order, and records it.
    ///
    /// Runners that start at the same time wait for each other. On MySQL and MariaDB a migration
    /// that fails stays half done and marked as such; on SQLite it is rolled back. Migrations
    /// before it stay applied. When the returned future is dropped, the connection is closed, and
    /// what was running counts as interrupted.
    pub async fn up(
        &self,
        mut on_event: impl FnMut(Event) + Send,
    ) -> Result<Applied, MigrateError> {
        let begun = Instant::now();
        let mut run =
            Run { migrator: self, context: self.context(), on_event: &mut on_event, done: 0 };
        match &self.target {
            Target::MySql(options) => mysql::up(options, &mut run).await?,
            Target::Sqlite(options) => sqlite::up(options, &mut run).await?,
        }
        let count = run.done;
        if count == 0 {
            on_event(Event::UpToDate);
        }
        Ok(Applied { count, duration: begun.elapsed() })
    }

    fn context(&self) -> Context {
        Context { target: self.target.to_string(), dialect: self.target.dialect() }
    }
}
