//! What both runners share during one run.

use crate::error::Context;
use crate::journal::Row;
use crate::{Event, MigrateError, Migration, Migrator, Status, clock, plan};

/// One run in progress.
pub(crate) struct Run<'a> {
    pub(crate) migrator: &'a Migrator,
    pub(crate) context: Context,
    pub(crate) on_event: &'a mut (dyn FnMut(Event) + Send),
    /// Migrations applied so far.
    pub(crate) done: usize,
}

impl<'a> Run<'a> {
    /// What is left to do according to the journal, or why nothing may be done.
    pub(crate) fn pending(&self, journal: Vec<Row>) -> Result<Vec<&'a Migration>, MigrateError> {
        let (migrations, dialect) = (&self.migrator.migrations, self.context.dialect);
        plan::pending(migrations, dialect, &Status::new(migrations, dialect, journal))
    }

    /// Whether a look at the journal without the lock is enough: everything is applied. This keeps
    /// a restart of an up-to-date program from waiting for another one's work. Any other answer,
    /// an error included, is only reliable under the lock, where it is asked for again.
    pub(crate) fn is_current(&self, journal: sqlx::Result<Vec<Row>>) -> bool {
        journal.is_ok_and(|rows| self.pending(rows).is_ok_and(|pending| pending.is_empty()))
    }

    /// Reports that a migration begins, with `left` of them to do including this one, and gives
    /// its start.
    pub(crate) fn begin(&mut self, migration: &Migration, left: usize) -> i64 {
        (self.on_event)(Event::Applying {
            version: migration.version(),
            name: migration.name().to_owned(),
            index: self.done + 1,
            total: self.done + left,
        });
        self.now()
    }

    /// Reports that a migration is applied and recorded.
    pub(crate) fn end(&mut self, migration: &Migration, started_at: i64, finished_at: i64) {
        self.done += 1;
        (self.on_event)(Event::Applied {
            version: migration.version(),
            name: migration.name().to_owned(),
            duration: clock::between(started_at, finished_at),
        });
    }

    /// Unix time in microseconds.
    pub(crate) fn now(&self) -> i64 {
        (self.migrator.now)()
    }
}
