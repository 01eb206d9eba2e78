//! Runs migrations on MySQL and MariaDB.
//!
//! DDL commits by itself there, so nothing can be rolled back. Instead a migration's row is
//! committed before its first statement and stamped after its last: whatever happens in between
//! leaves a trace.

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, MySqlConnection};

use crate::error::Context;
use crate::journal::{self, Row};
use crate::mysql_lock::Lock;
use crate::run::Run;
use crate::statements::run_all;
use crate::{MigrateError, Migration};

/// The journal, with nothing created.
pub(crate) async fn journal(
    options: &MySqlConnectOptions,
    context: &Context,
) -> Result<Vec<Row>, MigrateError> {
    let mut connection = options.connect().await.map_err(context.connect())?;
    let rows = journal::mysql::read(&mut connection).await;
    let _ = connection.close().await;
    rows.map_err(context.journal("read _migrations"))
}

/// Applies what is pending.
pub(crate) async fn up(
    options: &MySqlConnectOptions,
    run: &mut Run<'_>,
) -> Result<(), MigrateError> {
    let mut connection = options.connect().await.map_err(run.context.connect())?;
    let result = lock_and_apply(&mut connection, run).await;
    // Also after an error: an open connection would keep the lock.
    let _ = connection.close().await;
    result
}

async fn lock_and_apply(
    connection: &mut MySqlConnection,
    run: &mut Run<'_>,
) -> Result<(), MigrateError> {
    let rows = journal::mysql::read(connection).await;
    if run.is_current(rows) {
        return Ok(());
    }
    let database: Option<String> = sqlx::query_scalar("SELECT DATABASE()")
        .fetch_one(&mut *connection)
        .await
        .map_err(run.context.journal("ask for the database's name"))?;
    let database =
        database.ok_or_else(|| MigrateError::NoDatabase { target: run.context.target.clone() })?;

    let lock = Lock::new(&database, &run.context);
    lock.acquire(connection, run.migrator.lock_timeout, run.on_event).await?;
    let result = apply_pending(connection, &lock, &Session::new(&database), run).await;
    lock.release(connection).await;
    result
}

async fn apply_pending(
    connection: &mut MySqlConnection,
    lock: &Lock,
    session: &Session,
    run: &mut Run<'_>,
) -> Result<(), MigrateError> {
    let context = run.context.clone();
    let rows =
        journal::mysql::read(connection).await.map_err(context.journal("read _migrations"))?;
    let pending = run.pending(rows)?;
    if pending.is_empty() {
        return Ok(());
    }
    session.prepare(connection).await.map_err(context.journal("prepare the session"))?;
    journal::mysql::create(connection).await.map_err(context.journal("create _migrations"))?;
    for (position, migration) in pending.iter().enumerate() {
        if !lock.is_held(connection).await? {
            let (target, file) = (context.target.clone(), migration.file(context.dialect));
            return Err(MigrateError::LockLost { target, file });
        }
        apply(connection, session, migration, pending.len() - position, run).await?;
    }
    Ok(())
}

async fn apply(
    connection: &mut MySqlConnection,
    session: &Session,
    migration: &Migration,
    left: usize,
    run: &mut Run<'_>,
) -> Result<(), MigrateError> {
    let context = run.context.clone();
    let file = migration.file(context.dialect);
    let started_at = run.begin(migration, left);
    let row = journal::row(migration, context.dialect, started_at);
    journal::mysql::start(connection, &row)
        .await
        .map_err(context.journal(format!("record the start of {file}")))?;

    let text = AssertSqlSafe(migration.up(context.dialect));
    let results = sqlx::raw_sql(text).execute_many(&mut *connection);
    run_all(results).await.map_err(|error| MigrateError::Failed {
        file: file.clone(),
        version: migration.version(),
        target: context.target.clone(),
        statement: error.number,
        undone: false,
        reason: error.reason,
    })?;
    // Before the stamp: it must not end up in a transaction that the file left open.
    session
        .reset(connection)
        .await
        .map_err(context.journal(format!("reset the session after {file}")))?;

    let finished_at = run.now();
    journal::mysql::finish(connection, migration.version(), finished_at)
        .await
        .map_err(context.journal(format!("record the end of {file}, which ran completely,")))?;
    run.end(migration, started_at, finished_at);
    Ok(())
}

/// The settings every migration starts with, whatever the one before it set and forgot.
struct Session {
    reset: String,
}

impl Session {
    fn new(database: &str) -> Self {
        // A transaction that a file left open is committed: its statements succeeded.
        //
        // The default lock_wait_timeout is a year on MySQL and a day on MariaDB, and everybody
        // else who wants the table queues behind an ALTER that waits. Ten seconds, then it fails.
        Self {
            reset: format!(
                "COMMIT; UNLOCK TABLES; USE `{}`; SET SESSION autocommit = 1, \
                 foreign_key_checks = 1, unique_checks = 1, sql_mode = @migrate_sql_mode, \
                 lock_wait_timeout = 10",
                database.replace('`', "``")
            ),
        }
    }

    async fn prepare(&self, connection: &mut MySqlConnection) -> sqlx::Result<()> {
        let remember = sqlx::raw_sql("SET @migrate_sql_mode = @@SESSION.sql_mode");
        remember.execute(&mut *connection).await?;
        self.reset(connection).await
    }

    async fn reset(&self, connection: &mut MySqlConnection) -> sqlx::Result<()> {
        let reset = sqlx::raw_sql(AssertSqlSafe(self.reset.as_str()));
        reset.execute(connection).await.map(drop)
    }
}
