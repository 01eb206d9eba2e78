//! SQLite.
//!
//! A migration and its record are one transaction that begins with the write lock
//! (`BEGIN IMMEDIATE`), which is what keeps runners apart.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteError};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

use crate::database::{Arg, Begun, Database, Ran, RunError, bind};
use crate::error::{Cause, Context};
use crate::event::Report;
use crate::journal::{Images, Row, StepRow, sql};
use crate::limits::Limits;
use crate::source::script::ScriptStatement;
use crate::sql::meaning::{Effect, Meaning, Name};
use crate::wait::Wait;
use crate::{Event, MigrateError, space};

/// Between two attempts when SQLite says "busy" without having waited itself.
const PAUSE: Duration = Duration::from_millis(50);

/// How long one `BEGIN IMMEDIATE` waits for another writer, so that a person sees something waiting.
const SLICE: Duration = Duration::from_secs(5);

/// `SQLITE_BUSY`, the primary code in the low byte of the extended ones.
const BUSY: i32 = 5;

/// One connection.
pub(crate) struct Sqlite {
    connection: SqliteConnection,
    context: Context,
    limits: Limits,
    /// `PRAGMA data_version` when the journal was last read: changes when others write.
    seen: Option<i64>,
}

impl Sqlite {
    /// Connects to write. Creates the file if the options say so.
    pub(crate) async fn connect(
        options: &SqliteConnectOptions,
        context: &Context,
        limits: Limits,
    ) -> Result<Self, MigrateError> {
        // Off, because with foreign keys enforced the usual way to change a table (copy it, drop
        // the old one, rename the new one) deletes what refers to it. Checked before each commit
        // instead.
        let slice = SLICE.min(limits.lock_timeout);
        let options = options.clone().foreign_keys(false).busy_timeout(slice);
        let wait = Wait::new(limits.lock_timeout);
        // Switching a new file to a write-ahead log fails at once when several runners do it
        // together, whatever the busy timeout is, so that is tried again.
        let connection = loop {
            match options.connect().await {
                Err(error) if is_busy(&error) && !wait.is_over() => {
                    tokio::time::sleep(PAUSE).await;
                }
                result => break result.map_err(context.connect())?,
            }
        };
        Ok(Self { connection, context: context.clone(), limits, seen: None })
    }

    /// Connects to look; `None` if there is no file, which is not created.
    pub(crate) async fn connect_to_read(
        options: &SqliteConnectOptions,
        context: &Context,
        limits: Limits,
    ) -> Result<Option<Self>, MigrateError> {
        let path = options.get_filename();
        if matches!(path.try_exists(), Ok(false)) {
            return Ok(None);
        }
        // Not the caller's options: those may create the file or change its journal mode. And not
        // read-only, which leaves the files of a write-ahead log behind.
        let options = SqliteConnectOptions::new().filename(path).pragma("query_only", "ON");
        let connection = options.connect().await.map_err(context.connect())?;
        Ok(Some(Self { connection, context: context.clone(), limits, seen: None }))
    }

    /// Closes the connection.
    pub(crate) async fn close(self) {
        let _ = self.connection.close().await;
    }

    async fn data_version(&mut self) -> sqlx::Result<i64> {
        sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut self.connection).await
    }

    async fn has_table(&mut self, name: &str) -> sqlx::Result<bool> {
        let tables = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = ?";
        let count: i64 =
            sqlx::query_scalar(tables).bind(name).fetch_one(&mut self.connection).await?;
        Ok(count > 0)
    }
}

impl Database for Sqlite {
    const TRANSACTIONAL_DDL: bool = true;

    async fn lock(&mut self, _report: &mut Report<'_>) -> Result<(), MigrateError> {
        Ok(())
    }

    async fn unlock(&mut self) -> Result<(), MigrateError> {
        Ok(())
    }

    async fn check_lock(&mut self, _file: &str) -> Result<(), MigrateError> {
        Ok(())
    }

    async fn reset_session(&mut self) -> sqlx::Result<()> {
        Ok(())
    }

    async fn begin(&mut self, report: &mut Report<'_>) -> Result<Begun, MigrateError> {
        let wait = Wait::new(self.limits.lock_timeout);
        loop {
            // Waits for the connection's busy timeout.
            let begun = sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut self.connection).await;
            let Err(reason) = begun else { break };
            if !is_busy(&reason) {
                return Err(self.context.journal("begin a transaction")(reason));
            }
            if wait.is_over() {
                let (target, waited) = (self.context.target.clone(), wait.elapsed());
                return Err(MigrateError::LockTimeout { target, holder: None, waited });
            }
            report(Event::WaitingForLock { holder: None, waited: wait.elapsed() });
            tokio::time::sleep(PAUSE).await;
        }
        let now = self.data_version().await;
        let now = now.map_err(self.context.journal("ask who wrote last"))?;
        Ok(if self.seen == Some(now) { Begun::Unchanged } else { Begun::Changed })
    }

    async fn commit(&mut self) -> sqlx::Result<()> {
        sqlx::raw_sql("COMMIT").execute(&mut self.connection).await.map(drop)
    }

    async fn rollback(&mut self) -> sqlx::Result<()> {
        sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await.map(drop)
    }

    async fn check_before_commit(&mut self, file: &str) -> Result<(), MigrateError> {
        let dangling: Vec<(String, String)> = sqlx::query_as(
            "SELECT DISTINCT \"table\", \"parent\" FROM pragma_foreign_key_check LIMIT 5",
        )
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.context.journal(format!("check the foreign keys after {file}")))?;
        if dangling.is_empty() {
            return Ok(());
        }
        let references = dangling.iter().map(|(child, parent)| format!("{child} -> {parent}"));
        Err(MigrateError::ForeignKeys {
            file: file.to_owned(),
            target: self.context.target.clone(),
            references: references.collect(),
        })
    }

    async fn run(
        &mut self,
        statement: &ScriptStatement,
        _report: &mut Report<'_>,
    ) -> Result<Ran, RunError> {
        let query = sqlx::raw_sql(AssertSqlSafe(statement.text.as_str()));
        match query.execute(&mut self.connection).await {
            // Of any other statement it gives the number of the one before.
            Ok(done) if statement.meaning == Meaning::Dml => {
                Ok(Ran { rows: done.rows_affected(), algorithm: None })
            }
            Ok(_) => Ok(Ran::default()),
            // Nothing can be lost here: the transaction ends with this process at the latest.
            Err(error) => {
                let cause = if is_busy(&error) {
                    Cause::Passing
                } else if space::is_exhausted(&error) {
                    Cause::NoSpace
                } else {
                    Cause::Statement
                };
                let reason = match error {
                    sqlx::Error::Database(error) => error.message().to_owned(),
                    other => other.to_string(),
                };
                Err(RunError::Refused { reason, cause })
            }
        }
    }

    async fn images(&mut self, _tables: &[Name]) -> sqlx::Result<Images> {
        Ok(Images::new())
    }

    async fn holds(&mut self, _effect: &Effect) -> sqlx::Result<bool> {
        Ok(false)
    }

    async fn write(&mut self, sql: &'static str, args: Vec<Arg>) -> sqlx::Result<u64> {
        let query = bind!(sqlx::query(sql), args);
        Ok(query.execute(&mut self.connection).await?.rows_affected())
    }

    async fn rows(&mut self) -> sqlx::Result<Vec<Row>> {
        self.seen = Some(self.data_version().await?);
        if !self.has_table("_migrations").await? {
            return Ok(Vec::new());
        }
        sqlx::query_as(sql::READ_ROWS).fetch_all(&mut self.connection).await
    }

    async fn steps(&mut self) -> sqlx::Result<Vec<StepRow>> {
        Ok(Vec::new())
    }

    async fn text(&mut self, version: i64) -> sqlx::Result<Option<Vec<u8>>> {
        if !self.has_table("_migration_texts").await? {
            return Ok(None);
        }
        let text = sqlx::query(sql::READ_TEXT).bind(version);
        let row = text.fetch_optional(&mut self.connection).await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    async fn journal_columns(&mut self) -> sqlx::Result<Vec<String>> {
        let columns = "SELECT name FROM pragma_table_info('_migrations')";
        sqlx::query_scalar(columns).fetch_all(&mut self.connection).await
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    let error = error.as_database_error().and_then(|e| e.try_downcast_ref::<SqliteError>());
    let code = error.and_then(|error| sqlx::error::DatabaseError::code(error)?.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == BUSY)
}
