//! The runner: connects, and leaves the rest to the engine.

use std::time::Instant;

use crate::adopt::{Adopted, Tool};
use crate::clock::{Clock, wall_clock};
use crate::database::Database;
use crate::engine::{Engine, MakePlan, read_history};
use crate::error::Context;
use crate::event::Report;
use crate::journal::{Decision, History};
use crate::mysql::MySql;
use crate::plan::{self, DownOptions, Plan, UpOptions};
use crate::recorder::Journal;
use crate::repair::{self, Choice, StepId};
use crate::sqlite::Sqlite;
use crate::takeover::{self, There};
use crate::{Applied, Event, Limits, MigrateError, Migrations, Status, Target, mysql, run_by};

/// Migrations and the database they belong to. Connects only when asked to do something, with one
/// connection of its own, and closes it again.
#[derive(Clone, Debug)]
pub struct Migrator {
    pub(crate) migrations: Migrations,
    pub(crate) target: Target,
    pub(crate) limits: Limits,
    pub(crate) now: Clock,
}

/// Connects to whichever database it is and does something with it. The connection is closed
/// also after an error: an open one would keep the lock.
macro_rules! on_database {
    ($self:ident, $database:ident => $work:expr) => {{
        let context = $self.context();
        match &$self.target {
            Target::MySql(options) => {
                let mut $database = MySql::connect(options, &context, $self.limits).await?;
                let result = $work;
                $database.close().await;
                result
            }
            Target::Sqlite(options) => {
                let mut $database = Sqlite::connect(options, &context, $self.limits).await?;
                let result = $work;
                $database.close().await;
                result
            }
        }
    }};
}

impl Migrator {
    /// For these migrations and this database, with the default [`Limits`].
    pub fn new(migrations: Migrations, target: Target) -> Self {
        Self { migrations, target, limits: Limits::default(), now: wall_clock }
    }

    /// The database.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The files.
    pub fn migrations(&self) -> &Migrations {
        &self.migrations
    }

    /// The settings that every migration starts with, as SQL; none on SQLite.
    pub fn session(&self) -> Option<String> {
        match self.target {
            Target::MySql(_) => Some(mysql::settings(self.limits)),
            Target::Sqlite(_) => None,
        }
    }

    /// With other limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Compares the database with the files. Only reads: it creates neither the table nor, for
    /// SQLite, the file; a file that does not exist is a database without migrations.
    pub async fn status(&self) -> Result<Status, MigrateError> {
        let history = self.history().await?;
        Ok(Status::new(&self.migrations, self.target.dialect(), &history))
    }

    /// What of the applied migrations is not as the files say, in sentences; nothing if all is well.
    pub async fn verify(&self) -> Result<Vec<String>, MigrateError> {
        let history = self.history().await?;
        Ok(plan::disagreements(&self.migrations, self.target.dialect(), &history))
    }

    /// What [`up`](Self::up) would do, or why it would do nothing. Only reads, like
    /// [`status`](Self::status).
    pub async fn plan(&self, options: UpOptions) -> Result<Plan, MigrateError> {
        let history = self.history().await?;
        let mut plan = plan::up(&self.migrations, self.target.dialect(), &history, options)?;
        let altered = plan.altered();
        if let Target::MySql(options) = &self.target
            && !altered.is_empty()
        {
            let context = self.context();
            let mut database = MySql::connect(options, &context, self.limits).await?;
            let known = database.definitions(&altered).await;
            database.close().await;
            let (server, definitions) = known.map_err(context.journal("look at tables"))?;
            plan.predict(server, &definitions);
        }
        Ok(plan)
    }

    /// Applies what is pending, in order, and records it; goes on with what was interrupted.
    ///
    /// Runners that start at the same time wait for each other. What fails on SQLite is rolled
    /// back; on MySQL and MariaDB the statements before it stay, on record, and the next run goes
    /// on behind them. When the returned future is dropped, the connection is closed, as if the
    /// process had been killed; what was under way is then found out by the next run.
    pub async fn up(
        &self,
        options: UpOptions,
        on_event: impl FnMut(Event) + Send,
    ) -> Result<Applied, MigrateError> {
        let dialect = self.target.dialect();
        let make_plan =
            |history: &History, _| plan::up(&self.migrations, dialect, history, options);
        self.run(&make_plan, on_event).await
    }

    /// The migrations that [`down`](Self::down) would take back, as `<version>_<name>`.
    pub async fn what_goes_back(&self, options: DownOptions) -> Result<Vec<String>, MigrateError> {
        let history = self.history().await?;
        let plan = plan::down(&self.migrations, self.target.dialect(), &history, options)?;
        let names = plan.migrations.iter();
        Ok(names.map(|planned| format!("{}_{}", planned.version, planned.name)).collect())
    }

    /// Takes migrations back, newest first, with their `.down.sql`.
    pub async fn down(
        &self,
        options: DownOptions,
        on_event: impl FnMut(Event) + Send,
    ) -> Result<Applied, MigrateError> {
        let dialect = self.target.dialect();
        let make_plan = |history: &History, done| {
            let options = match options {
                DownOptions::Steps(steps) => DownOptions::Steps(steps.saturating_sub(done)),
                to @ DownOptions::To(_) => to,
            };
            plan::down(&self.migrations, dialect, history, options)
        };
        self.run(&make_plan, on_event).await
    }

    /// Goes on with what was interrupted: with taking back if that was it, and else as
    /// [`up`](Self::up) does.
    pub async fn resume(
        &self,
        options: UpOptions,
        on_event: impl FnMut(Event) + Send,
    ) -> Result<Applied, MigrateError> {
        let dialect = self.target.dialect();
        let make_plan = |history: &History, done| {
            if let Some(rest) = plan::rest_of_undo(&self.migrations, dialect, history)? {
                return Ok(rest);
            }
            // Whoever asked for the way back does not want the way up again at once.
            if done > 0 {
                return Ok(Plan::default());
            }
            plan::up(&self.migrations, dialect, history, options)
        };
        self.run(&make_plan, on_event).await
    }

    /// Records a person's decision about a statement that the runner can't decide about.
    pub async fn repair(
        &self,
        step: StepId,
        choice: Choice,
        decision: Decision,
    ) -> Result<(), MigrateError> {
        let asked = (step, choice, decision);
        on_database!(self, database => self.repair_on(&mut database, asked).await)
    }

    async fn repair_on<D: Database>(
        &self,
        database: &mut D,
        asked: (StepId, Choice, Decision),
    ) -> Result<(), MigrateError> {
        let context = self.context();
        database.lock(&mut |_| {}).await?;
        let history = read_history(database, &self.migrations, context.dialect).await;
        let history = history.map_err(context.journal("read _migrations"))?;
        let version = asked.0.version;
        let now = (self.now)();
        let change = repair::decide(&self.migrations, context.dialect, &history, asked, now)?;
        let run_by = run_by::this_process();
        let mut journal = Journal { database, context: &context, run_by: &run_by };
        journal.change(version, &change, now).await?;
        database.unlock().await
    }

    /// Starts on a database that has the schema of every file up to a version already; gives how
    /// many that are. Only without a history.
    pub async fn baseline(&self, version: i64) -> Result<usize, MigrateError> {
        let there = takeover::up_to(&self.migrations, version)?;
        self.take_over(&there, "baseline").await
    }

    /// Takes over what another tool has applied; gives how many that are. Only without a history.
    /// The other tool's table stays as it is.
    pub async fn adopt(&self, adopted: &[Adopted], tool: Tool) -> Result<usize, MigrateError> {
        let there = |adopted: &Adopted| There { version: adopted.version, at: adopted.applied_at };
        let there: Vec<There> = adopted.iter().map(there).collect();
        self.take_over(&there, &tool.to_string()).await
    }

    async fn take_over(&self, there: &[There], origin: &str) -> Result<usize, MigrateError> {
        on_database!(self, database => self.take_over_on(&mut database, there, origin).await)
    }

    async fn take_over_on<D: Database>(
        &self,
        database: &mut D,
        there: &[There],
        origin: &str,
    ) -> Result<usize, MigrateError> {
        let context = self.context();
        let dialect = context.dialect;
        database.lock(&mut |_| {}).await?;
        let history = read_history(database, &self.migrations, dialect).await;
        let history = history.map_err(context.journal("read _migrations"))?;
        let run_by = run_by::this_process();
        let about = (origin, run_by.as_str(), (self.now)());
        let rows = takeover::rows(&self.migrations, dialect, &history, there, about)?;
        Journal { database, context: &context, run_by: &run_by }.prepare().await?;
        database.begin(&mut |_| {}).await?;
        for (row, text) in &rows {
            let mut journal = Journal { database, context: &context, run_by: &run_by };
            journal.take_over(row, text).await?;
        }
        database.commit().await.map_err(context.journal("commit the records"))?;
        database.unlock().await?;
        Ok(rows.len())
    }

    async fn run(
        &self,
        make_plan: &impl MakePlan,
        mut on_event: impl FnMut(Event) + Send,
    ) -> Result<Applied, MigrateError> {
        let begun = Instant::now();
        let count = on_database!(self, database => {
            self.run_on(&mut database, make_plan, &mut on_event).await
        })?;
        if count == 0 {
            on_event(Event::UpToDate);
        }
        Ok(Applied { count, duration: begun.elapsed() })
    }

    async fn run_on<D: Database>(
        &self,
        database: &mut D,
        make_plan: &impl MakePlan,
        report: &mut Report<'_>,
    ) -> Result<usize, MigrateError> {
        let mut engine = Engine {
            database,
            migrations: &self.migrations,
            dialect: self.target.dialect(),
            context: self.context(),
            now: self.now,
            run_by: run_by::this_process(),
            report,
            done: 0,
        };
        engine.run(make_plan).await?;
        Ok(engine.done)
    }

    async fn history(&self) -> Result<History, MigrateError> {
        let context = self.context();
        let dialect = context.dialect;
        let history = match &self.target {
            Target::MySql(options) => {
                let mut database = MySql::connect(options, &context, self.limits).await?;
                let history = read_history(&mut database, &self.migrations, dialect).await;
                database.close().await;
                history
            }
            Target::Sqlite(options) => {
                let database = Sqlite::connect_to_read(options, &context, self.limits).await?;
                let Some(mut database) = database else { return Ok(History::default()) };
                let history = read_history(&mut database, &self.migrations, dialect).await;
                database.close().await;
                history
            }
        };
        history.map_err(context.journal("read _migrations"))
    }

    fn context(&self) -> Context {
        Context { target: self.target.to_string(), dialect: self.target.dialect() }
    }
}
