//! Carries a plan out, on whichever database.
//!
//! Whatever ends a run, running again must find the way from what is there. So before a statement
//! whose effect can't be rolled back there is a record that it will run, and after it a record that
//! it did; a statement that can be rolled back shares a transaction with its record.

use std::time::{Duration, Instant};

use crate::clock::{self, Clock};
use crate::database::{Begun, Database, RunError};
use crate::direction::Direction;
use crate::error::{Cause, Context};
use crate::event::{Report, summary};
use crate::journal::{History, Images, StepRow, StepState, decompress};
use crate::plan::{How, Plan, Planned, Step, Todo};
use crate::reconcile::{Question, Verdict, question, verdict};
use crate::recorder::Journal;
use crate::source::script::Script;
use crate::sql::meaning::Meaning;
use crate::{Dialect, Event, MigrateError, Migrations};

/// How often a transaction that another one got in the way of is tried in all.
const ATTEMPTS: u32 = 4;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// One run in progress.
pub(crate) struct Engine<'a, D> {
    pub(crate) database: &'a mut D,
    pub(crate) migrations: &'a Migrations,
    pub(crate) dialect: Dialect,
    pub(crate) context: Context,
    pub(crate) now: Clock,
    /// Host and process, for the journal.
    pub(crate) run_by: String,
    pub(crate) report: &'a mut Report<'a>,
    /// Migrations applied or taken back so far.
    pub(crate) done: usize,
}

/// What a run plans once it knows the past; also given how many migrations this run has dealt
/// with.
pub(crate) trait MakePlan: Fn(&History, usize) -> Result<Plan, MigrateError> {}
impl<F: Fn(&History, usize) -> Result<Plan, MigrateError>> MakePlan for F {}

/// Whether a migration was dealt with.
enum Outcome {
    Done,
    /// Another runner wrote in between: plan again.
    PlanAgain,
}

impl<D: Database> Engine<'_, D> {
    /// Plans, and carries the plan out.
    pub(crate) async fn run(&mut self, make_plan: &impl MakePlan) -> Result<(), MigrateError> {
        // A look without the lock: a restart of an up-to-date program need not wait for another
        // one's work. Any other answer, an error included, only counts under the lock.
        if let Ok(history) = self.history().await
            && make_plan(&history, 0).is_ok_and(|plan| plan.is_empty())
        {
            return Ok(());
        }
        self.database.lock(self.report).await?;
        let result = self.run_locked(make_plan).await;
        // An open transaction must not survive; on a broken connection there is none.
        if result.is_err() {
            let _ = self.database.rollback().await;
        }
        let unlocked = self.database.unlock().await;
        result.and(unlocked)
    }

    async fn run_locked(&mut self, make_plan: &impl MakePlan) -> Result<(), MigrateError> {
        loop {
            let history = self.history().await.map_err(self.context.journal("read _migrations"))?;
            let plan = make_plan(&history, self.done)?;
            if plan.is_empty() {
                return Ok(());
            }
            if !D::TRANSACTIONAL_DDL {
                self.reset_session("the first migration").await?;
                self.journal().prepare().await?;
            }
            if self.carry_out(&plan).await? {
                return Ok(());
            }
        }
    }

    /// Carries the plan out; `false` if it must be made anew.
    async fn carry_out(&mut self, plan: &Plan) -> Result<bool, MigrateError> {
        for (position, planned) in plan.migrations.iter().enumerate() {
            (self.report)(Event::Applying {
                version: planned.version,
                name: planned.name.clone(),
                direction: planned.direction,
                index: self.done + 1,
                total: self.done + plan.migrations.len() - position,
            });
            self.database.check_lock(&planned.file).await?;
            let started_at = (self.now)();
            let outcome = match planned.how {
                How::OneTransaction => self.in_one_transaction(planned, started_at).await?,
                How::StepByStep => self.step_by_step(planned, started_at).await?,
            };
            if matches!(outcome, Outcome::PlanAgain) {
                return Ok(false);
            }
            self.done += 1;
            (self.report)(Event::Applied {
                version: planned.version,
                name: planned.name.clone(),
                direction: planned.direction,
                duration: clock::between(started_at, (self.now)()),
            });
            if !D::TRANSACTIONAL_DDL {
                self.reset_session(&planned.file).await?;
            }
        }
        Ok(true)
    }

    /// All of a migration and its records in one transaction, again if another one was in the way.
    async fn in_one_transaction(
        &mut self,
        planned: &Planned,
        started_at: i64,
    ) -> Result<Outcome, MigrateError> {
        let mut attempt = 1;
        loop {
            if self.database.begin(self.report).await? == Begun::Changed {
                let rolled_back = self.database.rollback().await;
                rolled_back.map_err(self.context.journal("end a transaction"))?;
                return Ok(Outcome::PlanAgain);
            }
            let error = match self.transaction(planned, started_at).await {
                Ok(()) => return Ok(Outcome::Done),
                Err(error) => error,
            };
            // Also where the connection is gone, and with it the transaction.
            let _ = self.database.rollback().await;
            match error {
                MigrateError::Failed { cause: Cause::Passing, reason, .. }
                    if attempt < ATTEMPTS =>
                {
                    attempt += 1;
                    self.pause(reason).await;
                }
                error => return Err(error),
            }
        }
    }

    async fn transaction(
        &mut self,
        planned: &Planned,
        started_at: i64,
    ) -> Result<(), MigrateError> {
        if D::TRANSACTIONAL_DDL {
            self.journal().prepare().await?;
        }
        if planned.direction == Direction::Up {
            self.journal().start(planned, started_at).await?;
        }
        for step in &planned.steps {
            self.run_statement(planned, step, true).await?;
        }
        self.database.check_before_commit(&planned.file).await?;
        let finished_at = (self.now)();
        self.journal().finish(planned, finished_at).await?;
        let commit = self.database.commit().await;
        commit.map_err(self.context.journal(format!("commit {}", planned.file)))
    }

    /// Each statement between a record that it will run and one that it did.
    async fn step_by_step(
        &mut self,
        planned: &Planned,
        started_at: i64,
    ) -> Result<Outcome, MigrateError> {
        match planned.direction {
            Direction::Up => self.journal().start(planned, started_at).await?,
            Direction::Down => self.journal().begin_undo(planned, started_at).await?,
        }
        for step in &planned.steps {
            match &step.todo {
                Todo::Nothing => {}
                Todo::Repeat => {
                    self.database.check_lock(&planned.file).await?;
                    self.run_statement(planned, step, false).await?;
                }
                Todo::Run => self.run_step(planned, step).await?,
                Todo::Reconcile(row) => self.reconcile(planned, step, row).await?,
            }
        }
        let finished_at = (self.now)();
        let begun = self.database.begin(self.report).await?;
        debug_assert_eq!(begun, Begun::Unchanged, "the lock keeps others out");
        self.journal().finish(planned, finished_at).await?;
        let commit = self.database.commit().await;
        commit.map_err(
            self.context
                .journal(format!("record the end of {}, which ran completely,", planned.file)),
        )?;
        Ok(Outcome::Done)
    }

    async fn run_step(&mut self, planned: &Planned, step: &Step) -> Result<(), MigrateError> {
        self.database.check_lock(&planned.file).await?;
        let mut row = self.step_row(planned, step);
        let ran = match &step.statement.meaning {
            // A function that a SELECT calls may change rows as well.
            Meaning::Dml | Meaning::Read => return self.run_rows(planned, step, row).await,
            Meaning::Session { .. } => self.run_statement(planned, step, false).await,
            meaning => {
                if let Meaning::Ddl(ddl) = meaning {
                    let images = self.database.images(&ddl.tables).await;
                    row.images = images.map_err(self.context.journal("look at a table"))?;
                }
                row.statement = Some(step.statement.text.clone());
                self.journal().put_step(&row).await?;
                self.run_statement(planned, step, false).await
            }
        };
        self.record(row, ran).await
    }

    /// A statement that changes rows only: one transaction with the record of it.
    async fn run_rows(
        &mut self,
        planned: &Planned,
        step: &Step,
        mut row: StepRow,
    ) -> Result<(), MigrateError> {
        let mut attempt = 1;
        loop {
            self.database.begin(self.report).await?;
            match self.run_statement(planned, step, false).await {
                Ok(()) => {
                    row.state = StepState::Done;
                    row.finished_at = Some((self.now)());
                    self.journal().put_step(&row).await?;
                    let commit = self.database.commit().await;
                    return commit.map_err(self.context.journal("commit a statement"));
                }
                Err(error) => {
                    let _ = self.database.rollback().await;
                    match error {
                        MigrateError::Failed { cause: Cause::Passing, reason, .. }
                            if attempt < ATTEMPTS =>
                        {
                            attempt += 1;
                            self.pause(reason).await;
                        }
                        error => return self.record(row, Err(error)).await,
                    }
                }
            }
        }
    }

    /// Writes down how a statement ended, unless nobody can know.
    async fn record(
        &mut self,
        mut row: StepRow,
        ran: Result<(), MigrateError>,
    ) -> Result<(), MigrateError> {
        row.finished_at = Some((self.now)());
        match &ran {
            Ok(()) => row.state = StepState::Done,
            Err(MigrateError::Failed { reason, .. }) => {
                row.state = StepState::Failed;
                row.error = Some(reason.clone());
            }
            // It stays as intended, and is looked into by the next run.
            Err(_) => return ran,
        }
        let put = self.journal().put_step(&row).await;
        // What went wrong first is what a person must hear of.
        ran.and(put)
    }

    async fn reconcile(
        &mut self,
        planned: &Planned,
        step: &Step,
        row: &StepRow,
    ) -> Result<(), MigrateError> {
        self.database.check_lock(&planned.file).await?;
        // What was under way is what was written down, whatever the file says by now.
        let recorded = row.statement.as_deref().unwrap_or_default();
        let script = Script::parse(self.dialect, recorded).ok();
        let meaning = script
            .and_then(|script| script.statements.into_iter().next())
            .map_or(Meaning::Opaque, |statement| statement.meaning);
        let answer = match question(&meaning) {
            Question::Answered(verdict) => verdict,
            Question::Look(ddl) => {
                let looked = self.context.journal("look at what a statement changed");
                let now = self.database.images(&ddl.tables).await.map_err(looked)?;
                let mut effects = Vec::with_capacity(ddl.effects.len());
                for effect in &ddl.effects {
                    let looked = self.context.journal("look at what a statement changed");
                    let holds = self.database.holds(effect).await.map_err(looked)?;
                    effects.push((effect.clone(), holds));
                }
                verdict(&row.images, &now, &effects, ddl.unseen)
            }
        };
        let done = match answer {
            Verdict::Person(why) => {
                return Err(MigrateError::InDoubt {
                    file: planned.file.clone(),
                    version: planned.version,
                    statement: row.number,
                    text: summary(recorded, 200),
                    why,
                });
            }
            Verdict::Done => true,
            Verdict::Run => false,
        };
        (self.report)(Event::Reconciled { version: planned.version, number: row.number, done });
        if !done {
            return self.run_step(planned, step).await;
        }
        self.record(row.clone(), Ok(())).await?;
        if row.checksum == step.statement.checksum {
            Ok(())
        } else {
            Err(MigrateError::DonePartEdited {
                file: planned.file.clone(),
                version: planned.version,
                statement: row.number,
            })
        }
    }

    async fn run_statement(
        &mut self,
        planned: &Planned,
        step: &Step,
        undone: bool,
    ) -> Result<(), MigrateError> {
        let statement = &step.statement;
        (self.report)(Event::Statement {
            version: planned.version,
            number: statement.number,
            total: planned.steps.last().map_or(0, |last| last.statement.number),
            line: statement.line,
            summary: summary(&statement.text, 100),
        });
        let started = Instant::now();
        match self.database.run(statement, self.report).await {
            Ok(ran) => {
                (self.report)(Event::StatementDone {
                    version: planned.version,
                    number: statement.number,
                    rows: ran.rows,
                    duration: started.elapsed(),
                    algorithm: ran.algorithm,
                });
                Ok(())
            }
            Err(RunError::Refused { reason, cause }) => Err(MigrateError::Failed {
                file: planned.file.clone(),
                version: planned.version,
                target: self.context.target.clone(),
                statement: statement.number,
                line: statement.line,
                text: summary(&statement.text, 200),
                undone,
                cause,
                reason,
            }),
            Err(RunError::Lost { reason }) => Err(MigrateError::ConnectionLost {
                file: planned.file.clone(),
                target: self.context.target.clone(),
                statement: statement.number,
                reason,
            }),
        }
    }

    fn step_row(&self, planned: &Planned, step: &Step) -> StepRow {
        StepRow {
            version: planned.version,
            direction: planned.direction,
            number: step.statement.number,
            checksum: step.statement.checksum.clone(),
            state: StepState::Intended,
            statement: None,
            images: Images::new(),
            started_at: (self.now)(),
            finished_at: None,
            error: None,
            decision: None,
        }
    }

    async fn pause(&mut self, reason: String) {
        (self.report)(Event::Retrying { reason, pause: PAUSE });
        tokio::time::sleep(PAUSE).await;
    }

    async fn reset_session(&mut self, after: &str) -> Result<(), MigrateError> {
        let reset = self.database.reset_session().await;
        reset.map_err(self.context.journal(format!("prepare the session after {after}")))
    }

    fn journal(&mut self) -> Journal<'_, D> {
        Journal { database: self.database, context: &self.context, run_by: &self.run_by }
    }

    async fn history(&mut self) -> sqlx::Result<History> {
        read_history(self.database, self.migrations, self.dialect).await
    }
}

/// All that the journal knows, and nothing more than is needed: the steps of what is under way,
/// the texts of what looks different now.
pub(crate) async fn read_history<D: Database>(
    database: &mut D,
    migrations: &Migrations,
    dialect: Dialect,
) -> sqlx::Result<History> {
    let mut history = History { rows: database.rows().await?, ..History::default() };
    if !D::TRANSACTIONAL_DDL && history.unfinished().next().is_some() {
        history.steps = database.steps().await?;
    }
    for migration in migrations.iter() {
        let version = migration.version();
        let differs = history.row(version).is_some_and(|row| {
            row.finished_at.is_some() && row.checksum != migration.checksum(dialect)
        });
        if differs && let Some(text) = database.text(version).await?.as_deref().and_then(decompress)
        {
            history.texts.insert(version, text);
        }
    }
    Ok(history)
}
