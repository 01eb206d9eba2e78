//! Writes the journal, on whichever database.

use crate::MigrateError;
use crate::database::{Arg, Database};
use crate::direction::Direction;
use crate::error::Context;
use crate::journal::{Row, StepRow, compress, sql};
use crate::plan::Planned;
use crate::repair::Change;

/// The journal of one run.
pub(crate) struct Journal<'a, D> {
    pub(crate) database: &'a mut D,
    pub(crate) context: &'a Context,
    /// Host and process.
    pub(crate) run_by: &'a str,
}

impl<D: Database> Journal<'_, D> {
    /// Creates what is missing of the tables.
    pub(crate) async fn prepare(&mut self) -> Result<(), MigrateError> {
        for create in sql::CREATE {
            self.write("create the journal's tables", create, vec![]).await?;
        }
        let columns = self.database.journal_columns().await;
        let columns = columns.map_err(self.context.journal("look at _migrations"))?;
        for (column, add) in sql::ADDED_COLUMNS {
            if !columns.iter().any(|found| found.eq_ignore_ascii_case(column)) {
                self.write("add a column to _migrations", add, vec![]).await?;
            }
        }
        Ok(())
    }

    /// Records that a migration begins, or that another run goes on with it.
    pub(crate) async fn start(&mut self, planned: &Planned, now: i64) -> Result<(), MigrateError> {
        let doing = format!("record the start of {}", planned.file);
        if planned.begun {
            let args: Vec<Arg> = vec![
                planned.checksum.as_str().into(),
                self.run_by.into(),
                planned.min_version.into(),
                planned.version.into(),
            ];
            return self.write(&doing, sql::RESUME, args).await;
        }
        let row = Row {
            version: planned.version,
            name: planned.name.clone(),
            checksum: planned.checksum.clone(),
            started_at: now,
            run_by: Some(self.run_by.to_owned()),
            min_version: planned.min_version,
            ..Row::default()
        };
        self.insert(&doing, &row).await
    }

    /// Records a migration that is there already. Within a transaction.
    pub(crate) async fn take_over(&mut self, row: &Row, text: &str) -> Result<(), MigrateError> {
        let doing = format!("record {}_{}", row.version, row.name);
        self.insert(&doing, row).await?;
        self.write(&doing, sql::KEEP_TEXT, vec![row.version.into(), compress(text).into()]).await
    }

    /// Records that taking a migration back begins.
    pub(crate) async fn begin_undo(
        &mut self,
        planned: &Planned,
        now: i64,
    ) -> Result<(), MigrateError> {
        let args = vec![now.into(), self.run_by.into(), planned.version.into()];
        self.write(&format!("record the start of {}", planned.file), sql::BEGIN_UNDO, args).await
    }

    /// Records how one statement stands.
    pub(crate) async fn put_step(&mut self, row: &StepRow) -> Result<(), MigrateError> {
        let images = (!row.images.is_empty())
            .then(|| serde_json::to_string(&row.images).unwrap_or_default());
        let args: Vec<Arg> = vec![
            row.version.into(),
            row.direction.as_str().into(),
            i64::try_from(row.number).unwrap_or(i64::MAX).into(),
            row.checksum.as_str().into(),
            row.state.as_str().into(),
            row.statement.clone().into(),
            images.into(),
            row.started_at.into(),
            row.finished_at.into(),
            row.error.clone().into(),
            row.decision.as_ref().map(|decision| decision.by.clone()).into(),
            row.decision.as_ref().map(|decision| decision.reason.clone()).into(),
        ];
        let doing = format!("record statement {} of {}", row.number, row.version);
        self.write(&doing, sql::PUT_STEP, args).await
    }

    /// Records that a migration is over. Within a transaction.
    pub(crate) async fn finish(&mut self, planned: &Planned, now: i64) -> Result<(), MigrateError> {
        let version = planned.version;
        let doing = format!("record the end of {}", planned.file);
        if planned.direction == Direction::Down {
            for forget in [sql::FORGET, sql::FORGET_TEXT] {
                self.write(&doing, forget, vec![version.into()]).await?;
            }
            for direction in [Direction::Up, Direction::Down] {
                let args = vec![version.into(), direction.as_str().into()];
                self.write(&doing, sql::FORGET_STEPS, args).await?;
            }
            return Ok(());
        }
        self.write(&doing, sql::FINISH, vec![now.into(), version.into()]).await?;
        self.write(&doing, sql::FORGET_TEXT, vec![version.into()]).await?;
        let text = vec![version.into(), compress(&planned.text).into()];
        self.write(&doing, sql::KEEP_TEXT, text).await?;
        let args = vec![version.into(), Direction::Up.as_str().into()];
        self.write(&doing, sql::FORGET_PLAIN_STEPS, args).await
    }

    async fn insert(&mut self, doing: &str, row: &Row) -> Result<(), MigrateError> {
        let args: Vec<Arg> = vec![
            row.version.into(),
            row.name.as_str().into(),
            row.checksum.as_str().into(),
            row.started_at.into(),
            row.finished_at.into(),
            row.run_by.clone().into(),
            row.min_version.into(),
            row.origin.clone().into(),
        ];
        self.write(doing, sql::START, args).await
    }

    /// Records what a person decided.
    pub(crate) async fn change(
        &mut self,
        version: i64,
        change: &Change,
        now: i64,
    ) -> Result<(), MigrateError> {
        let doing = "record the decision";
        match change {
            Change::Step(row) => self.put_step(row).await,
            Change::Finish => {
                self.write(doing, sql::FINISH, vec![now.into(), version.into()]).await
            }
            Change::Forget => self.write(doing, sql::FORGET, vec![version.into()]).await,
        }
    }

    async fn write(
        &mut self,
        doing: &str,
        sql: &'static str,
        args: Vec<Arg>,
    ) -> Result<(), MigrateError> {
        let written = self.database.write(sql, args).await;
        written.map(drop).map_err(self.context.journal(doing))
    }
}
