//! One way to run a statement on either database.
//!
//! The rest of `store` sees no driver: it hands over a [`Sql`] and its arguments and gets
//! records back. Both databases take `?` placeholders and the same text; what differs is here.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use futures_util::future::BoxFuture;
use migrate::Target;
use sqlx::{
    AssertSqlSafe, Connection as _, FromRow, MySql, MySqlPool, Sqlite, SqlitePool, Transaction,
    mysql::{MySqlPoolOptions, MySqlRow},
    sqlite::{SqlitePoolOptions, SqliteRow},
};

use super::{StoreError, file::DatabaseFile, sql::Sql};

/// How long a request waits for a connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(4);
/// A pooled connection idle for longer than this is pinged before it is used again; pinging
/// always would cost a round trip per statement.
const PING_AFTER_IDLE: Duration = Duration::from_secs(30);
/// How often a writing transaction that lost a deadlock is tried in all.
const WRITE_ATTEMPTS: u32 = 4;

/// An argument of a statement.
#[derive(Clone, Debug)]
pub(super) enum Arg {
    Int(i64),
    Text(String),
    OptionalText(Option<String>),
}

impl From<i64> for Arg {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<&i64> for Arg {
    fn from(value: &i64) -> Self {
        Self::Int(*value)
    }
}
impl From<&str> for Arg {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for Arg {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl From<Option<String>> for Arg {
    fn from(value: Option<String>) -> Self {
        Self::OptionalText(value)
    }
}

/// The arguments of a statement, in the order of its placeholders.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { vec![$($crate::store::db::Arg::from($arg)),*] };
}
pub(super) use args;

/// What a row is decoded into, on both databases.
pub(super) trait Record:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, MySqlRow> + Send + Unpin
{
}
impl<T> Record for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, MySqlRow> + Send + Unpin
{
}

/// What a writing statement did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    /// Rows inserted, deleted, or matched by an update.
    pub(super) rows: u64,
    /// The id that the database gave to the inserted row.
    pub(super) id: i64,
}

/// A pool of connections to one database.
#[derive(Clone, Debug)]
pub(super) struct Db {
    pools: Pools,
    statements: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
enum Pools {
    /// `SQLite` lets one connection write at a time: a pool of one queues the writers fairly,
    /// where several would poll for the lock; readers don't wait for it (WAL).
    Sqlite {
        readers: SqlitePool,
        writer: SqlitePool,
        file: DatabaseFile,
    },
    MySql(MySqlPool),
}

/// Binds the arguments to a query of whichever database.
macro_rules! bind {
    ($query:expr, $args:expr) => {{
        let mut query = $query;
        for arg in $args {
            query = match arg {
                Arg::Int(value) => query.bind(value),
                Arg::Text(value) => query.bind(value),
                Arg::OptionalText(value) => query.bind(value),
            };
        }
        query
    }};
}

macro_rules! execute {
    ($executor:expr, $sql:expr, $args:expr, $id:ident) => {{
        let query = bind!(sqlx::query(AssertSqlSafe($sql.text)), $args);
        let done = query.execute($executor).await?;
        Written { rows: done.rows_affected(), id: done.$id() as i64 }
    }};
}

macro_rules! fetch_all {
    ($executor:expr, $sql:expr, $args:expr) => {
        bind!(sqlx::query_as(AssertSqlSafe($sql.text)), $args).fetch_all($executor).await?
    };
}

impl Db {
    /// Opens the pools; connections are made when first needed.
    pub(super) fn open(target: &Target, connections: u32) -> Self {
        let pools = match target {
            Target::Sqlite(options) => {
                let pool = |size| {
                    SqlitePoolOptions::new()
                        .max_connections(size)
                        .acquire_timeout(ACQUIRE_TIMEOUT)
                        .test_before_acquire(false)
                        .connect_lazy_with(options.clone())
                };
                let file = DatabaseFile::at(options.get_filename());
                Pools::Sqlite { readers: pool(connections), writer: pool(1), file }
            }
            Target::MySql(options) => Pools::MySql(
                MySqlPoolOptions::new()
                    .max_connections(connections)
                    .acquire_timeout(ACQUIRE_TIMEOUT)
                    .test_before_acquire(false)
                    .before_acquire(|connection, meta| {
                        Box::pin(async move {
                            if meta.idle_for > PING_AFTER_IDLE {
                                connection.ping().await?;
                            }
                            Ok(true)
                        })
                    })
                    .connect_lazy_with(options.clone()),
            ),
        };
        Self { pools, statements: Arc::default() }
    }

    /// How many statements have been sent since the start (without BEGIN and COMMIT).
    pub(super) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    fn count(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    /// Every record that a reading statement finds.
    pub(super) async fn fetch_all<R: Record>(
        &self,
        sql: Sql,
        args: Vec<Arg>,
    ) -> Result<Vec<R>, StoreError> {
        self.check()?;
        self.count();
        Ok(match &self.pools {
            Pools::Sqlite { readers, .. } => fetch_all!(readers, sql, args),
            Pools::MySql(pool) => fetch_all!(pool, sql, args),
        })
    }

    /// The first record that a reading statement finds.
    pub(super) async fn fetch_optional<R: Record>(
        &self,
        sql: Sql,
        args: Vec<Arg>,
    ) -> Result<Option<R>, StoreError> {
        Ok(self.fetch_all(sql, args).await?.into_iter().next())
    }

    /// Runs one writing statement on its own.
    pub(super) async fn execute(&self, sql: Sql, args: Vec<Arg>) -> Result<Written, StoreError> {
        self.check()?;
        self.count();
        let written = match &self.pools {
            Pools::Sqlite { writer, .. } => execute!(writer, sql, args, last_insert_rowid),
            Pools::MySql(pool) => execute!(pool, sql, args, last_insert_id),
        };
        // Again, because it may have waited for its turn.
        self.check()?;
        Ok(written)
    }

    /// Runs `work` in a transaction that takes the write lock at once on `SQLite` (a deferred
    /// one that turns into a writer fails instead of waiting) and is tried again when MySQL
    /// chose it as a deadlock's victim. An error rolls back.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>>,
    {
        let mut attempt = 1;
        loop {
            let mut tx = self.begin().await?;
            let result = match work(&mut tx).await {
                Ok(value) => self.commit(tx).await.map(|()| value),
                Err(error) => Err(error),
            };
            match result {
                Err(error) if error.is_deadlock() && attempt < WRITE_ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    async fn begin(&self) -> Result<Tx, StoreError> {
        self.check()?;
        let inner = match &self.pools {
            Pools::Sqlite { writer, .. } => {
                TxInner::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?)
            }
            Pools::MySql(pool) => TxInner::MySql(pool.begin().await?),
        };
        Ok(Tx { inner, statements: Arc::clone(&self.statements) })
    }

    async fn commit(&self, tx: Tx) -> Result<(), StoreError> {
        self.check()?;
        match tx.inner {
            TxInner::Sqlite(tx) => tx.commit().await?,
            TxInner::MySql(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Fails if the database is a file and not the one that was opened.
    fn check(&self) -> Result<(), StoreError> {
        match &self.pools {
            Pools::Sqlite { file, .. } => file.check(),
            Pools::MySql(_) => Ok(()),
        }
    }

    /// Asks the database to prepare a statement without running it: fails if the database does
    /// not understand it.
    pub(super) async fn prepare(&self, sql: Sql) -> Result<(), StoreError> {
        use sqlx::{Executor as _, SqlSafeStr as _};
        let text = AssertSqlSafe(sql.text).into_sql_str();
        match &self.pools {
            Pools::Sqlite { readers, .. } => {
                readers.acquire().await?.prepare(text).await?;
            }
            Pools::MySql(pool) => {
                pool.acquire().await?.prepare(text).await?;
            }
        }
        Ok(())
    }

    /// Closes every connection, after what they are doing.
    pub(super) async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { readers, writer, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::MySql(pool) => pool.close().await,
        }
    }
}

/// A writing transaction; rolls back unless committed.
pub(super) struct Tx {
    inner: TxInner,
    statements: Arc<AtomicU64>,
}

enum TxInner {
    Sqlite(Transaction<'static, Sqlite>),
    MySql(Transaction<'static, MySql>),
}

impl Tx {
    /// Runs one writing statement.
    pub(super) async fn execute(
        &mut self,
        sql: Sql,
        args: Vec<Arg>,
    ) -> Result<Written, StoreError> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        Ok(match &mut self.inner {
            TxInner::Sqlite(tx) => execute!(&mut **tx, sql, args, last_insert_rowid),
            TxInner::MySql(tx) => execute!(&mut **tx, sql, args, last_insert_id),
        })
    }
}
