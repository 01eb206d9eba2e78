//! Runs migrations on SQLite.
//!
//! A migration and its journal row are one transaction that begins with the write lock
//! (`BEGIN IMMEDIATE`). The journal is read inside it, so a second runner finds nothing left to do.

use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};

use crate::error::Context;
use crate::journal::{self, Row};
use crate::run::Run;
use crate::statements::run_all;
use crate::wait::Wait;
use crate::{Event, MigrateError, Migration};

/// Between two attempts when SQLite says "busy" without having waited itself.
const PAUSE: Duration = Duration::from_millis(50);

/// How long one `BEGIN IMMEDIATE` waits for another writer, so that a person sees something waiting.
const SLICE: Duration = Duration::from_secs(5);

/// `SQLITE_BUSY`, the primary code in the low byte of the extended ones.
const BUSY: i32 = 5;

/// The journal, with nothing created.
pub(crate) async fn journal(
    options: &SqliteConnectOptions,
    context: &Context,
) -> Result<Vec<Row>, MigrateError> {
    let path = options.get_filename();
    if matches!(path.try_exists(), Ok(false)) {
        return Ok(Vec::new());
    }
    // Not the caller's options: those may create the file or change its journal mode. And not
    // read-only, which leaves the files of a write-ahead log behind.
    let options = SqliteConnectOptions::new().filename(path).pragma("query_only", "ON");
    let mut connection = options.connect().await.map_err(context.connect())?;
    let rows = journal::sqlite::read(&mut connection).await;
    let _ = connection.close().await;
    rows.map_err(context.journal("read _migrations"))
}

/// Applies what is pending.
pub(crate) async fn up(
    options: &SqliteConnectOptions,
    run: &mut Run<'_>,
) -> Result<(), MigrateError> {
    let mut connection = connect(options, run).await?;
    let result = apply_pending(&mut connection, run).await;
    let _ = connection.close().await;
    result
}

/// Connects. Switching a new file to a write-ahead log fails at once when several runners do it
/// together, whatever the busy timeout is, so that is tried again.
async fn connect(
    options: &SqliteConnectOptions,
    run: &mut Run<'_>,
) -> Result<SqliteConnection, MigrateError> {
    // Off, because with foreign keys enforced the usual way to change a table (copy it, drop the
    // old one, rename the new one) deletes what refers to it. Checked before each commit instead.
    let slice = SLICE.min(run.migrator.lock_timeout);
    let options = options.clone().foreign_keys(false).busy_timeout(slice);
    let wait = Wait::new(run.migrator.lock_timeout);
    loop {
        match options.connect().await {
            Err(error) if is_busy(&error) && !wait.is_over() => tokio::time::sleep(PAUSE).await,
            result => return result.map_err(run.context.connect()),
        }
    }
}

async fn apply_pending(
    connection: &mut SqliteConnection,
    run: &mut Run<'_>,
) -> Result<(), MigrateError> {
    let rows = journal::sqlite::read(connection).await;
    if run.is_current(rows) {
        return Ok(());
    }
    loop {
        begin(connection, run).await?;
        match apply_next(connection, run).await {
            Ok(true) => {}
            Ok(false) => {
                let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
                return Ok(());
            }
            Err(error) => return Err(roll_back(connection, error).await),
        }
    }
}

/// Begins a transaction with the write lock, waiting for other writers.
async fn begin(connection: &mut SqliteConnection, run: &mut Run<'_>) -> Result<(), MigrateError> {
    let wait = Wait::new(run.migrator.lock_timeout);
    loop {
        // Waits for the connection's busy timeout.
        let Err(reason) = sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await else {
            return Ok(());
        };
        if !is_busy(&reason) {
            return Err(run.context.journal("begin a transaction")(reason));
        }
        if wait.is_over() {
            let (target, waited) = (run.context.target.clone(), wait.elapsed());
            return Err(MigrateError::LockTimeout { target, holder: None, waited });
        }
        (run.on_event)(Event::WaitingForLock { holder: None, waited: wait.elapsed() });
        tokio::time::sleep(PAUSE).await;
    }
}

/// Applies and commits the next pending migration; `false` if there is none.
async fn apply_next(
    connection: &mut SqliteConnection,
    run: &mut Run<'_>,
) -> Result<bool, MigrateError> {
    let context = run.context.clone();
    let rows =
        journal::sqlite::read(connection).await.map_err(context.journal("read _migrations"))?;
    let pending = run.pending(rows)?;
    let Some(migration) = pending.first() else {
        return Ok(false);
    };
    let file = migration.file(context.dialect);

    let started_at = run.begin(migration, pending.len());
    journal::sqlite::create(connection).await.map_err(context.journal("create _migrations"))?;
    let row = journal::row(migration, context.dialect, started_at);
    journal::sqlite::start(connection, &row)
        .await
        .map_err(context.journal(format!("record the start of {file}")))?;
    run_file(connection, migration, &context).await?;
    check_foreign_keys(connection, &file, &context).await?;
    let finished_at = run.now();
    journal::sqlite::finish(connection, migration.version(), finished_at)
        .await
        .map_err(context.journal(format!("record the end of {file}")))?;
    sqlx::raw_sql("COMMIT")
        .execute(connection)
        .await
        .map_err(context.journal(format!("commit {file}")))?;
    run.end(migration, started_at, finished_at);
    Ok(true)
}

/// Runs the statements inside a savepoint, which is gone afterwards if the file committed or
/// rolled back by itself.
async fn run_file(
    connection: &mut SqliteConnection,
    migration: &Migration,
    context: &Context,
) -> Result<(), MigrateError> {
    let file = migration.file(context.dialect);
    sqlx::raw_sql("SAVEPOINT migration")
        .execute(&mut *connection)
        .await
        .map_err(context.journal(format!("set a savepoint for {file}")))?;
    let text = AssertSqlSafe(migration.up(context.dialect));
    run_all(sqlx::raw_sql(text).execute_many(&mut *connection)).await.map_err(|error| {
        MigrateError::Failed {
            file: file.clone(),
            version: migration.version(),
            target: context.target.clone(),
            statement: error.number,
            undone: true,
            reason: error.reason,
        }
    })?;
    sqlx::raw_sql("RELEASE migration").execute(connection).await.map(drop).map_err(|reason| {
        MigrateError::OwnTransaction { file, target: context.target.clone(), reason }
    })
}

async fn check_foreign_keys(
    connection: &mut SqliteConnection,
    file: &str,
    context: &Context,
) -> Result<(), MigrateError> {
    let dangling: Vec<(String, String)> = sqlx::query_as(
        "SELECT DISTINCT \"table\", \"parent\" FROM pragma_foreign_key_check LIMIT 5",
    )
    .fetch_all(connection)
    .await
    .map_err(context.journal(format!("check the foreign keys after {file}")))?;
    if dangling.is_empty() {
        return Ok(());
    }
    Err(MigrateError::ForeignKeys {
        file: file.to_owned(),
        target: context.target.clone(),
        references: dangling.iter().map(|(child, parent)| format!("{child} -> {parent}")).collect(),
    })
}

/// Rolls back after `error`, and corrects what it says if there was nothing to roll back: the file
/// had committed by itself, and its row is still there.
async fn roll_back(connection: &mut SqliteConnection, mut error: MigrateError) -> MigrateError {
    let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
    if let MigrateError::Failed { version, undone, .. } = &mut error {
        let rows = journal::sqlite::read(connection).await;
        *undone = rows.is_ok_and(|rows| rows.iter().all(|row| row.version != *version));
    }
    error
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code()?.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == BUSY)
}
