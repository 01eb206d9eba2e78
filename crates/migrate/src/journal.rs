//! The table `_migrations`: what was begun and what was finished on this database.
//!
//! A row is written when a migration begins and stamped with `finished_at` when it is over. A row
//! without the stamp that nobody is working on is a migration that was interrupted.

use crate::Migration;

/// Portable: what stands in `/*! … */` is read by MySQL and MariaDB only.
const CREATE: &str = "CREATE TABLE IF NOT EXISTS _migrations (\
     version BIGINT NOT NULL PRIMARY KEY, \
     name VARCHAR(255) NOT NULL, \
     checksum CHAR(64) NOT NULL, \
     started_at BIGINT NOT NULL, \
     finished_at BIGINT NULL\
     ) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 */";

const READ: &str =
    "SELECT version, name, checksum, started_at, finished_at FROM _migrations ORDER BY version";

const START: &str =
    "INSERT INTO _migrations (version, name, checksum, started_at) VALUES (?, ?, ?, ?)";

const FINISH: &str = "UPDATE _migrations SET finished_at = ? WHERE version = ?";

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) version: i64,
    pub(crate) name: String,
    pub(crate) checksum: String,
    /// Unix time in microseconds.
    pub(crate) started_at: i64,
    /// Unix time in microseconds; `None` while it runs, and for ever if it was interrupted.
    pub(crate) finished_at: Option<i64>,
}

/// The row a migration begins with.
pub(crate) fn row(migration: &Migration, dialect: crate::Dialect, started_at: i64) -> Row {
    Row {
        version: migration.version(),
        name: migration.name().to_owned(),
        checksum: migration.checksum(dialect),
        started_at,
        finished_at: None,
    }
}

/// The same few queries for each driver. A macro and not a generic function: the bounds that sqlx
/// needs for one are longer than the queries.
macro_rules! journal {
    ($module:ident, $Connection:ty, $exists:literal) => {
        pub(crate) mod $module {
            use super::Row;

            /// Every row by version; none when the table does not exist, which is not created.
            pub(crate) async fn read(connection: &mut $Connection) -> sqlx::Result<Vec<Row>> {
                let tables: i64 = sqlx::query_scalar($exists).fetch_one(&mut *connection).await?;
                if tables == 0 {
                    return Ok(Vec::new());
                }
                sqlx::query_as(super::READ).fetch_all(connection).await
            }

            /// Creates the table unless it exists.
            pub(crate) async fn create(connection: &mut $Connection) -> sqlx::Result<()> {
                sqlx::raw_sql(super::CREATE).execute(connection).await.map(drop)
            }

            /// Records that a migration begins. Its primary key is the last fence: of two runners
            /// that both believe to be alone, only one gets past it.
            pub(crate) async fn start(connection: &mut $Connection, row: &Row) -> sqlx::Result<()> {
                let start = sqlx::query(super::START);
                let start = start.bind(row.version).bind(&row.name);
                let start = start.bind(&row.checksum).bind(row.started_at);
                start.execute(connection).await.map(drop)
            }

            /// Records that a migration is over.
            pub(crate) async fn finish(
                connection: &mut $Connection,
                version: i64,
                finished_at: i64,
            ) -> sqlx::Result<()> {
                let finish = sqlx::query(super::FINISH).bind(finished_at).bind(version);
                finish.execute(connection).await.map(drop)
            }
        }
    };
}

journal!(
    mysql,
    sqlx::MySqlConnection,
    "SELECT COUNT(*) FROM information_schema.tables \
     WHERE table_schema = DATABASE() AND table_name = '_migrations'"
);
journal!(
    sqlite,
    sqlx::SqliteConnection,
    "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = '_migrations'"
);
