//! MySQL and MariaDB.
//!
//! DDL commits by itself there, so nothing of it can be rolled back; the engine writes every step
//! down. One connection does everything and holds the lock, see `lock`.

mod catalogue;
mod lock;
mod progress;
mod server;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _};
use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, FromRow as _, MySqlConnection, Row as _,
};
use tokio::time::{sleep, timeout};

use crate::database::{Arg, Begun, Database, Ran, RunError, bind};
use crate::error::{Cause, Context};
use crate::event::Report;
use crate::journal::{Images, Row, StepRecord, StepRow, sql};
use crate::limits::Limits;
use crate::lint::Server;
use crate::source::script::ScriptStatement;
use crate::sql::meaning::{Effect, Meaning, Name};
use crate::{Event, MigrateError, online, space};
use lock::Lock;
use progress::Monitor;

/// The table does not exist (`ER_NO_SUCH_TABLE`).
const NO_SUCH_TABLE: u16 = 1146;
/// Another transaction held a lock for too long (`ER_LOCK_WAIT_TIMEOUT`).
const LOCK_WAIT_TIMEOUT: u16 = 1205;
/// This transaction was rolled back to let another one go on (`ER_LOCK_DEADLOCK`).
const DEADLOCK: u16 = 1213;
/// The statement was ended by `KILL QUERY` (`ER_QUERY_INTERRUPTED`).
const INTERRUPTED: u16 = 1317;
/// The server is being shut down (`ER_SERVER_SHUTDOWN`), or the connection was ended by `KILL`
/// (1927, MariaDB's `ER_CONNECTION_KILLED`; 3168 and 4031, MySQL's for sessions that it ends).
const ENDED: [u16; 4] = [1053, 1927, 3168, 4031];

/// How often a change of the schema that other transactions kept from starting is tried in all.
const LOCK_WAIT_ATTEMPTS: u32 = 6;
/// Between two attempts, so that who waited behind the statement gets through.
const LOCK_WAIT_PAUSE: Duration = Duration::from_secs(2);

/// How often a person hears of a statement that takes long.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// What a migration's SQL means must not depend on how a server is set up: MySQL 8's own default,
/// and `||` as on SQLite.
const SQL_MODE: &str = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
     ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT";

/// One connection.
pub(crate) struct MySql {
    connection: MySqlConnection,
    options: MySqlConnectOptions,
    context: Context,
    limits: Limits,
    lock: Option<Lock>,
    /// What the server calls this connection, once that was asked.
    id: Option<u64>,
    monitor: Monitor,
    /// What [`reset_session`](Database::reset_session) runs.
    settings: String,
}

impl MySql {
    /// Connects.
    pub(crate) async fn connect(
        options: &MySqlConnectOptions,
        context: &Context,
        limits: Limits,
    ) -> Result<Self, MigrateError> {
        if options.get_database().is_none() {
            return Err(MigrateError::NoDatabase { target: context.target.clone() });
        }
        let connection = options.connect().await.map_err(context.connect())?;
        Ok(Self {
            connection,
            options: options.clone(),
            context: context.clone(),
            limits,
            lock: None,
            id: None,
            monitor: Monitor::default(),
            settings: settings(limits),
        })
    }

    /// Closes the connection, which frees whatever it still holds.
    pub(crate) async fn close(self) {
        self.monitor.close().await;
        let _ = self.connection.close().await;
    }

    /// Which server this is, and the definitions of those of the tables that are there and that this
    /// user may see.
    pub(crate) async fn definitions(
        &mut self,
        tables: &BTreeSet<Name>,
    ) -> sqlx::Result<(Server, Vec<String>)> {
        let version = sqlx::raw_sql("SELECT VERSION()").fetch_one(&mut self.connection).await?;
        let version: String = version.try_get(0)?;
        let is_mariadb = version.contains("MariaDB");
        let server = if is_mariadb { Server::MariaDb } else { Server::MySql };
        let mut definitions = Vec::new();
        for table in tables {
            if let Ok(found) = catalogue::definition(&mut self.connection, table).await {
                definitions.extend(found);
            }
        }
        Ok((server, definitions))
    }

    /// Runs one statement to its end, within the limit for statements, and tells how it is getting on
    /// if that takes long.
    async fn execute(&mut self, text: &str, report: &mut Report<'_>) -> sqlx::Result<u64> {
        let id = match self.id {
            Some(id) => id,
            None => *self.id.insert(connection_id(&mut self.connection).await?),
        };
        let started = Instant::now();
        let mut limit = self.limits.statement_timeout;
        let mut running = std::pin::pin!(execute(&mut self.connection, text));
        loop {
            let left = limit.map(|limit| limit.saturating_sub(started.elapsed()));
            let slice = left.unwrap_or(TELL_EVERY).min(TELL_EVERY);
            if let Ok(ended) = timeout(slice, running.as_mut()).await {
                return ended;
            }
            let elapsed = started.elapsed();
            if limit.is_some_and(|limit| elapsed >= limit) {
                limit = None;
                // Going away would leave the server at work. It ends the statement, and then says
                // so on the connection that runs it.
                let mut other = self.options.connect().await?;
                execute(&mut other, &format!("KILL QUERY {id}")).await?;
                let _ = other.close().await;
            } else {
                let fraction = self.monitor.fraction(&self.options, id).await;
                report(Event::Running { elapsed, fraction });
            }
        }
    }

    /// Runs a change of the schema: waits for other transactions, but not for long at a time.
    async fn change_schema(
        &mut self,
        statement: &ScriptStatement,
        report: &mut Report<'_>,
    ) -> Result<Ran, RunError> {
        let attempts = online::attempts(statement);
        let mut waited = 1;
        let mut refusals = Vec::new();
        for attempt in attempts {
            loop {
                match self.execute(&attempt.text, report).await {
                    Ok(rows) => return Ok(Ran { rows, algorithm: attempt.algorithm }),
                    Err(error) if number(&error) == Some(LOCK_WAIT_TIMEOUT) => {
                        if waited == LOCK_WAIT_ATTEMPTS {
                            let blockers = server::blockers(&mut self.connection).await;
                            return Err(self.refused(&error, &blockers));
                        }
                        waited += 1;
                        report(Event::Retrying {
                            reason: error_text(&error),
                            pause: LOCK_WAIT_PAUSE,
                        });
                        sleep(LOCK_WAIT_PAUSE).await;
                    }
                    Err(error) if attempt.may_be_refused && online::is_refusal(number(&error)) => {
                        refusals.push(error_text(&error));
                        break;
                    }
                    Err(error) => return Err(self.refused(&error, "")),
                }
            }
        }
        Err(RunError::Refused { reason: online::needs_copy(&refusals), cause: Cause::Statement })
    }

    fn refused(&self, error: &sqlx::Error, more: &str) -> RunError {
        let number = number(error);
        match number {
            Some(code) if !ENDED.contains(&code) => {
                let mut reason = error_text(error);
                if code == INTERRUPTED
                    && let Some(limit) = self.limits.statement_timeout
                {
                    reason = format!(
                        "it was ended after {} s (--statement-timeout), and took no effect",
                        limit.as_secs()
                    );
                }
                let cause = match code {
                    LOCK_WAIT_TIMEOUT | DEADLOCK => Cause::Passing,
                    _ if space::is_exhausted(error) => Cause::NoSpace,
                    _ => Cause::Statement,
                };
                RunError::Refused { reason: reason + more, cause }
            }
            _ => RunError::Lost { reason: error_text(error) },
        }
    }
}

impl Database for MySql {
    const TRANSACTIONAL_DDL: bool = false;

    async fn lock(&mut self, report: &mut Report<'_>) -> Result<(), MigrateError> {
        server::check(&mut self.connection, &self.context, report).await?;
        // As the server calls it, which may not tell capitals from small letters.
        let database = sqlx::raw_sql("SELECT DATABASE()").fetch_one(&mut self.connection).await;
        let database = database.and_then(|row| row.try_get::<String, _>(0));
        let database = database.map_err(self.context.journal("ask for the database's name"))?;
        let lock = Lock::new(&database, &self.context);
        lock.acquire(&mut self.connection, self.limits.lock_timeout, report).await?;
        self.lock = Some(lock);
        Ok(())
    }

    async fn unlock(&mut self) -> Result<(), MigrateError> {
        match self.lock.take() {
            Some(lock) => lock.release(&mut self.connection).await,
            None => Ok(()),
        }
    }

    async fn check_lock(&mut self, file: &str) -> Result<(), MigrateError> {
        if let Some(lock) = &self.lock
            && lock.is_held(&mut self.connection).await?
        {
            return Ok(());
        }
        let (target, file) = (self.context.target.clone(), file.to_owned());
        Err(MigrateError::LockLost { target, file })
    }

    async fn reset_session(&mut self) -> sqlx::Result<()> {
        execute(&mut self.connection, &self.settings).await.map(drop)
    }

    async fn begin(&mut self, _report: &mut Report<'_>) -> Result<Begun, MigrateError> {
        let begun = execute(&mut self.connection, "START TRANSACTION").await;
        begun.map_err(self.context.journal("begin a transaction"))?;
        Ok(Begun::Unchanged)
    }

    async fn commit(&mut self) -> sqlx::Result<()> {
        execute(&mut self.connection, "COMMIT").await.map(drop)
    }

    async fn rollback(&mut self) -> sqlx::Result<()> {
        execute(&mut self.connection, "ROLLBACK").await.map(drop)
    }

    async fn check_before_commit(&mut self, _file: &str) -> Result<(), MigrateError> {
        Ok(())
    }

    async fn run(
        &mut self,
        statement: &ScriptStatement,
        report: &mut Report<'_>,
    ) -> Result<Ran, RunError> {
        if matches!(statement.meaning, Meaning::Ddl(_)) {
            return self.change_schema(statement, report).await;
        }
        let text = &statement.text;
        let rows = self.execute(text, report).await;
        let rows = rows.map_err(|error| self.refused(&error, ""))?;
        if matches!(statement.meaning, Meaning::Session { .. })
            && text.to_ascii_lowercase().contains("autocommit")
        {
            // The journal's rows must not wait for a commit that a kill would prevent.
            let reset = execute(&mut self.connection, "SET SESSION autocommit = 1").await;
            reset.map_err(|error| self.refused(&error, ""))?;
        }
        Ok(Ran { rows, algorithm: None })
    }

    async fn images(&mut self, tables: &[Name]) -> sqlx::Result<Images> {
        catalogue::images(&mut self.connection, tables).await
    }

    async fn holds(&mut self, effect: &Effect) -> sqlx::Result<bool> {
        catalogue::holds(&mut self.connection, effect).await
    }

    async fn write(&mut self, sql: &'static str, args: Vec<Arg>) -> sqlx::Result<u64> {
        let query = bind!(sqlx::query(sql), args);
        Ok(query.execute(&mut self.connection).await?.rows_affected())
    }

    async fn rows(&mut self) -> sqlx::Result<Vec<Row>> {
        // Asking first whether the table is there would be one more round trip at every start.
        let rows = sqlx::raw_sql(sql::READ_ROWS).fetch(&mut self.connection);
        let rows = rows.map(|row| Row::from_row(&row?));
        absent_is_empty(rows.try_collect().await)
    }

    async fn steps(&mut self) -> sqlx::Result<Vec<StepRow>> {
        let rows = sqlx::raw_sql(sql::READ_STEPS).fetch_all(&mut self.connection).await;
        let rows = absent_is_empty(rows)?;
        rows.iter().map(|row| StepRecord::from_row(row)?.try_into()).collect()
    }

    async fn text(&mut self, version: i64) -> sqlx::Result<Option<Vec<u8>>> {
        let text = sqlx::query(sql::READ_TEXT).bind(version);
        let rows = absent_is_empty(text.fetch_all(&mut self.connection).await)?;
        rows.first().map(|row| row.try_get(0)).transpose()
    }

    async fn journal_columns(&mut self) -> sqlx::Result<Vec<String>> {
        catalogue::columns(&mut self.connection, &Name::unqualified("_migrations")).await
    }
}

/// The settings that every migration starts with, whatever the one before it set and forgot.
///
/// The default `lock_wait_timeout` is a year on MySQL and a day on MariaDB, and everybody else who
/// wants the table queues behind an ALTER that waits.
pub(crate) fn settings(limits: Limits) -> String {
    let seconds = limits.lock_wait_timeout.as_secs().max(1);
    format!(
        "SET SESSION autocommit = 1, foreign_key_checks = 1, unique_checks = 1, \
         sql_mode = '{SQL_MODE}', time_zone = '+00:00', lock_wait_timeout = {seconds}, \
         innodb_lock_wait_timeout = {seconds}"
    )
}

async fn execute(connection: &mut MySqlConnection, sql: &str) -> sqlx::Result<u64> {
    // The text protocol: not every statement can be prepared.
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(done.rows_affected())
}

async fn connection_id(connection: &mut MySqlConnection) -> sqlx::Result<u64> {
    let row = sqlx::raw_sql("SELECT CAST(CONNECTION_ID() AS UNSIGNED)");
    row.fetch_one(connection).await?.try_get(0)
}

/// No rows where the table they would be in is not there.
fn absent_is_empty<T>(rows: sqlx::Result<Vec<T>>) -> sqlx::Result<Vec<T>> {
    match rows {
        Err(error) if number(&error) == Some(NO_SUCH_TABLE) => Ok(Vec::new()),
        rows => rows,
    }
}

/// The server's error number.
fn number(error: &sqlx::Error) -> Option<u16> {
    let error = error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(error.number())
}

/// The server's words, with its number, by which they are looked up.
fn error_text(error: &sqlx::Error) -> String {
    match (number(error), error) {
        (Some(number), sqlx::Error::Database(error)) => format!("{} ({number})", error.message()),
        _ => error.to_string(),
    }
}
