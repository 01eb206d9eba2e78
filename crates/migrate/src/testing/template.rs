//! A migrated database, made once for each engine and process, of which tests get copies: running
//! every migration for every test costs more than most tests do.

use std::collections::BTreeMap;

use sqlx::mysql::{MySqlConnectOptions, MySqlRow};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, MySqlConnection, Row as _,
    TypeInfo as _,
};
use tokio::sync::OnceCell;

use super::{Engine, TestDatabase, with_database};
use crate::checksum::hex;
use crate::journal::sql::CREATE;
use crate::schema::{self, Kind, Object, Schema};
use crate::sql::split::split;
use crate::{Dialect, Migrations, Migrator, Target, UpOptions};

/// How many rows an INSERT puts in.
const ROWS_AT_ONCE: usize = 500;

/// What migrations make of an empty database: their schema, the rows that they put in, and their
/// history. Counters of `AUTO_INCREMENT` go on behind the highest value.
///
/// ```
/// # use migrate::{Migrations, testing::{Engine, Template, with_database_from}};
/// static TEMPLATE: Template = Template::new(|| {
///     Migrations::embedded(&[("1_users.up.sql", "CREATE TABLE users (id INTEGER)")]).unwrap()
/// });
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(
/// with_database_from(&TEMPLATE, Engine::Sqlite, async |database| {
///     // `users` is there.
/// })
/// # );
/// ```
#[derive(Debug)]
pub struct Template {
    migrations: fn() -> Migrations,
    sqlite: OnceCell<Contents>,
    mysql: OnceCell<Contents>,
    mariadb: OnceCell<Contents>,
}

/// What makes another database like the first.
#[derive(Clone, Debug)]
enum Contents {
    /// The file.
    File(Vec<u8>),
    /// Statements, which are sent together.
    Statements(String),
}

impl Template {
    /// Of these migrations, which are applied when the first test asks for a copy.
    pub const fn new(migrations: fn() -> Migrations) -> Self {
        Self {
            migrations,
            sqlite: OnceCell::const_new(),
            mysql: OnceCell::const_new(),
            mariadb: OnceCell::const_new(),
        }
    }

    /// Makes an empty database a copy.
    pub(super) async fn fill(&self, database: &TestDatabase) {
        let made = match database.engine {
            Engine::Sqlite => &self.sqlite,
            Engine::MySql => &self.mysql,
            Engine::MariaDb => &self.mariadb,
        };
        let copy = made.get_or_init(|| self.make(database.engine)).await;
        match (&database.target, copy) {
            (Target::Sqlite(options), Contents::File(bytes)) => {
                std::fs::write(options.get_filename(), bytes).expect("a copy of the template");
            }
            (Target::MySql(options), Contents::Statements(text)) => {
                let mut connection = options.connect().await.expect("the test's database");
                let run = sqlx::raw_sql(AssertSqlSafe(text.clone())).execute(&mut connection).await;
                run.expect("the statements of the template");
                connection.close().await.expect("the connection's end");
            }
            _ => unreachable!("each engine has its own kind of copy"),
        }
    }

    async fn make(&self, engine: Engine) -> Contents {
        let (give, take) = tokio::sync::oneshot::channel();
        with_database(engine, async |first: TestDatabase| {
            let migrator = Migrator::new((self.migrations)(), first.target.clone());
            migrator.up(UpOptions::default(), |_| {}).await.expect("the template's migrations");
            let copy = match &first.target {
                // Its connection is closed, and so all of it is in the file.
                Target::Sqlite(options) => Contents::File(
                    std::fs::read(options.get_filename()).expect("the template's file"),
                ),
                Target::MySql(options) => {
                    let schema = schema::read(&first.target).await.expect("the template's schema");
                    let rows = rows(options).await.expect("the template's rows");
                    Contents::Statements(statements(schema, &rows))
                }
            };
            give.send(copy).expect("somebody who waits for the template");
        })
        .await;
        take.await.expect("the template")
    }
}

/// All that makes a database, in one text for the server, which knows no `DELIMITER`. The rows come
/// before the triggers, which have dealt with them already.
fn statements(schema: Schema, rows: &str) -> String {
    let reacts = |object: &Object| matches!(object.kind, Kind::Trigger | Kind::Event);
    let Schema { dialect, defaults, objects } = schema;
    let (last, first) = objects.into_iter().partition(reacts);
    let dump = |objects| Schema { dialect, defaults: defaults.clone(), objects }.to_string();
    let texts = [dump(first), CREATE.join(";\n"), rows.to_owned(), dump(last)];
    let split = texts.iter().flat_map(|text| {
        split(Dialect::MySql, text).expect("what was printed is made of statements")
    });
    split.map(|statement| statement.text).collect::<Vec<_>>().join("\n;\n")
}

/// Statements that put all rows of a database into another one with the same tables.
async fn rows(options: &MySqlConnectOptions) -> sqlx::Result<String> {
    let mut connection = options.connect().await?;
    // sqlx speaks to a server in UTC. Values that a mode of today forbids may be there from before.
    let mut statements = "SET time_zone = '+00:00', foreign_key_checks = 0, unique_checks = 0, \
         sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n"
        .to_owned();
    for (table, columns) in columns(&mut connection).await? {
        let select = format!("SELECT {columns} FROM {table}");
        let rows = sqlx::raw_sql(AssertSqlSafe(select)).fetch_all(&mut connection).await?;
        for rows in rows.chunks(ROWS_AT_ONCE) {
            let values = rows.iter().map(values).collect::<sqlx::Result<Vec<_>>>()?.join(",\n");
            statements.push_str(
                &["INSERT INTO ", &table, " (", &columns, ") VALUES\n", &values, ";\n"].concat(),
            );
        }
    }
    connection.close().await?;
    Ok(statements)
}

/// Every table with its columns but those that the server computes, in backquotes.
async fn columns(connection: &mut MySqlConnection) -> sqlx::Result<BTreeMap<String, String>> {
    let columns = "SELECT CAST(c.table_name AS CHAR), CAST(c.column_name AS CHAR) \
         FROM information_schema.columns c JOIN information_schema.tables t \
         USING (table_schema, table_name) WHERE table_schema = DATABASE() \
         AND t.table_type NOT IN ('VIEW', 'SEQUENCE') AND COALESCE(c.generation_expression, '') = '' \
         ORDER BY table_name, c.ordinal_position";
    let mut tables: BTreeMap<String, String> = BTreeMap::new();
    for row in sqlx::raw_sql(columns).fetch_all(connection).await? {
        let columns = tables.entry(quoted(row.try_get(0)?)).or_default();
        let comma = if columns.is_empty() { "" } else { ", " };
        columns.push_str(comma);
        columns.push_str(&quoted(row.try_get(1)?));
    }
    Ok(tables)
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A row as `(…, …)`. Written in hex digits, text has no special characters and bytes no character
/// set.
fn values(row: &MySqlRow) -> sqlx::Result<String> {
    let mut values = Vec::with_capacity(row.len());
    for column in row.columns() {
        let kind = column.type_info().name();
        let is_bytes = kind.contains("BLOB") || kind.contains("BINARY");
        let is_bytes = is_bytes || matches!(kind, "BIT" | "GEOMETRY");
        let bytes: Option<Vec<u8>> = row.try_get_unchecked(column.ordinal())?;
        values.push(bytes.map_or_else(
            || "NULL".to_owned(),
            |bytes| {
                let charset = if is_bytes { "" } else { "_utf8mb4 " };
                let digits = hex(&bytes);
                format!("{charset}X'{digits}'")
            },
        ));
    }
    Ok(format!("({})", values.join(", ")))
}
