//! Reads a history table on any database, into rows of one shape.

use sqlx::mysql::MySqlConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::table::Table;
use super::{AdoptError, Tool};
use crate::Target;

/// One row of any tool's table; what a tool has no column for is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
#[sqlx(default)]
pub(super) struct Row {
    pub(super) version: Option<String>,
    pub(super) name: Option<String>,
    /// What it is a record of (Flyway).
    pub(super) kind: Option<String>,
    /// Unix time in seconds.
    pub(super) recorded_at: Option<i64>,
    pub(super) success: Option<i64>,
    /// As text: hex digits (sqlx) or a number (Flyway).
    pub(super) checksum: Option<String>,
}

/// How a tool's table is recognised and read.
struct Shape {
    /// The columns it has.
    columns: &'static [&'static str],
    /// Columns that may be there besides; `None` where a newer release may have added any. The
    /// tables with a single column need it: others call theirs the same and mean something else
    /// (the one row of golang-migrate's `schema_migrations` is the newest version only).
    besides: Option<&'static [&'static str]>,
    /// What is selected. `CHAR` and `SIGNED` are types that SQLite understands too.
    select: &'static str,
    order: &'static str,
}

fn shape(tool: Tool) -> Shape {
    match tool {
        Tool::Sqlx => Shape {
            columns: &["version", "description", "installed_on", "success", "checksum"],
            besides: None,
            select: "CAST(version AS CHAR) AS version, description AS name, \
                     {seconds} AS recorded_at, CAST(success AS SIGNED) AS success, \
                     LOWER(HEX(checksum)) AS checksum",
            order: "version",
        },
        Tool::Sequelize => Shape {
            columns: &["name"],
            besides: Some(&["createdAt", "updatedAt"]),
            select: "CAST(name AS CHAR) AS name",
            order: "name",
        },
        Tool::Dbmate => Shape {
            columns: &["version"],
            besides: Some(&[]),
            select: "CAST(version AS CHAR) AS version",
            order: "version",
        },
        Tool::Flyway => Shape {
            columns: &[
                "installed_rank",
                "version",
                "description",
                "type",
                "checksum",
                "installed_on",
                "success",
            ],
            besides: None,
            select: "CAST(version AS CHAR) AS version, CAST(description AS CHAR) AS name, \
                     CAST(type AS CHAR) AS kind, {seconds} AS recorded_at, \
                     CAST(success AS SIGNED) AS success, CAST(checksum AS CHAR) AS checksum",
            order: "installed_rank",
        },
    }
}

impl Shape {
    fn fits(&self, found: &[String]) -> bool {
        let expected = |column: &str| {
            self.columns.contains(&column)
                || self.besides.is_none_or(|besides| besides.contains(&column))
        };
        self.columns.iter().all(|column| found.iter().any(|found| found == column))
            && found.iter().all(|column| expected(column))
    }

    fn query(&self, table: &Table, seconds: &str) -> String {
        let select = self.select.replace("{seconds}", seconds);
        format!("SELECT {select} FROM {} ORDER BY {}", table.quoted(), self.order)
    }
}

/// Every row, in the order the tool's own listing has.
pub(super) async fn read(
    target: &Target,
    tool: Tool,
    table: &Table,
) -> Result<Vec<Row>, AdoptError> {
    let look = Look { target: target.to_string(), tool, table };
    match target {
        Target::MySql(options) => mysql(options, &look).await,
        Target::Sqlite(options) => sqlite(options, &look).await,
    }
}

/// What is looked for, for queries and messages.
struct Look<'a> {
    target: String,
    tool: Tool,
    table: &'a Table,
}

async fn mysql(options: &MySqlConnectOptions, look: &Look<'_>) -> Result<Vec<Row>, AdoptError> {
    let mut connection = options.connect().await.map_err(|reason| look.no_connection(reason))?;
    let result = async {
        let columns: Vec<String> = sqlx::query_scalar(
            "SELECT CAST(column_name AS CHAR) FROM information_schema.columns \
             WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? \
             ORDER BY ordinal_position",
        )
        .bind(look.table.database.as_deref())
        .bind(&look.table.table)
        .fetch_all(&mut connection)
        .await
        .map_err(|reason| look.unreadable(reason))?;
        if columns.is_empty() {
            let tables = sqlx::query_scalar(
                "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
                 WHERE table_schema = DATABASE()",
            )
            .fetch_all(&mut connection)
            .await;
            return Err(look.no_table(&tables.unwrap_or_default()));
        }
        let query = look.query(columns, "CAST(UNIX_TIMESTAMP(installed_on) AS SIGNED)")?;
        let rows = sqlx::query_as(AssertSqlSafe(query)).fetch_all(&mut connection).await;
        rows.map_err(|reason| look.unreadable(reason))
    }
    .await;
    let _ = connection.close().await;
    result
}

async fn sqlite(options: &SqliteConnectOptions, look: &Look<'_>) -> Result<Vec<Row>, AdoptError> {
    let path = options.get_filename();
    if matches!(path.try_exists(), Ok(false)) {
        return Err(look.no_table(&[]));
    }
    // Not the caller's options: those may create the file or change its journal mode.
    let options = SqliteConnectOptions::new().filename(path).pragma("query_only", "ON");
    let mut connection = options.connect().await.map_err(|reason| look.no_connection(reason))?;
    let result = async {
        let columns: Vec<String> =
            sqlx::query_scalar("SELECT name FROM pragma_table_info(?) ORDER BY cid")
                .bind(&look.table.table)
                .fetch_all(&mut connection)
                .await
                .map_err(|reason| look.unreadable(reason))?;
        if columns.is_empty() {
            let tables = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
                .fetch_all(&mut connection)
                .await;
            return Err(look.no_table(&tables.unwrap_or_default()));
        }
        let query = look.query(columns, "CAST(strftime('%s', installed_on) AS SIGNED)")?;
        let rows = sqlx::query_as(AssertSqlSafe(query)).fetch_all(&mut connection).await;
        rows.map_err(|reason| look.unreadable(reason))
    }
    .await;
    let _ = connection.close().await;
    result
}

impl Look<'_> {
    /// The query, once the table is known to have these columns.
    fn query(&self, columns: Vec<String>, seconds: &str) -> Result<String, AdoptError> {
        let shape = shape(self.tool);
        if shape.fits(&columns) {
            return Ok(shape.query(self.table, seconds));
        }
        Err(AdoptError::OtherTable {
            target: self.target.clone(),
            table: self.table.name(),
            tool: self.tool,
            expected: shape.columns,
            found: columns,
        })
    }

    fn no_table(&self, tables: &[String]) -> AdoptError {
        let is_there = |tool: &Tool| {
            *tool != self.tool && tables.iter().any(|table| table == tool.default_table())
        };
        AdoptError::NoTable {
            target: self.target.clone(),
            table: self.table.name(),
            tool: self.tool,
            others: Tool::ALL.into_iter().filter(is_there).collect(),
        }
    }

    fn no_connection(&self, reason: sqlx::Error) -> AdoptError {
        AdoptError::Connect { target: self.target.clone(), reason }
    }

    fn unreadable(&self, reason: sqlx::Error) -> AdoptError {
        AdoptError::Read { target: self.target.clone(), table: self.table.name(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_recognised_by_its_columns() {
        for (tool, columns, fits) in [
            (Tool::Dbmate, "version", true),
            (Tool::Dbmate, "version dirty", false), // golang-migrate's
            (Tool::Sequelize, "name", true),
            (Tool::Sequelize, "name createdAt updatedAt", true),
            (Tool::Sequelize, "id name", false),
            (Tool::Sqlx, "version description installed_on success checksum execution_time", true),
            (Tool::Sqlx, "version description installed_on success", false),
            (Tool::Flyway, "version", false),
        ] {
            let columns: Vec<String> = columns.split(' ').map(str::to_owned).collect();
            assert_eq!(shape(tool).fits(&columns), fits, "{tool}: {columns:?}");
        }
    }
}
