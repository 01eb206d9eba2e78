//! Small helpers: migrators from a few files, and a look into the database beside them.

use std::collections::BTreeMap;
use std::time::Duration;

use migrate::testing::{Engine, TestDatabase, with_database};
use migrate::{
    Applied, Event, MigrateError, Migrations, Migrator, State, Status, Target, UpOptions,
};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

pub(crate) type Files<'a> = &'a [(&'a str, &'a str)];

pub(crate) fn migrator(database: &TestDatabase, files: Files<'_>) -> Migrator {
    Migrator::new(Migrations::embedded(files).unwrap(), database.target.clone())
}

/// Waits for something that must come soon, so that a test fails with words where it would hang.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let limit = Duration::from_mins(1);
    let result = tokio::time::timeout(limit, future).await;
    result.unwrap_or_else(|_| panic!("{what}: not within {limit:?}"))
}

/// Runs a test on both servers.
pub(crate) async fn on_servers<Fut: Future<Output = ()>>(test: impl Fn(TestDatabase) -> Fut) {
    let on = |engine| Box::pin(with_database(engine, &test));
    tokio::join!(on(Engine::MySql), on(Engine::MariaDb));
}

/// Applies what is pending.
pub(crate) async fn run(
    migrator: &Migrator,
    on_event: impl FnMut(Event) + Send,
) -> Result<Applied, MigrateError> {
    migrator.up(UpOptions::default(), on_event).await
}

/// Applies what is pending and gives how much that was.
pub(crate) async fn up(database: &TestDatabase, files: Files<'_>) -> usize {
    run(&migrator(database, files), |_| {}).await.unwrap().count
}

/// Applies what is pending, which must fail, and gives the text.
pub(crate) async fn up_fails(database: &TestDatabase, files: Files<'_>) -> String {
    run(&migrator(database, files), |_| {}).await.unwrap_err().to_string()
}

pub(crate) async fn status(database: &TestDatabase, files: Files<'_>) -> Status {
    migrator(database, files).status().await.unwrap()
}

/// One letter for each migration: (a)pplied, (p)ending, (e)dited, (f)ailed, (d)own in part,
/// (u)nknown.
pub(crate) async fn states(database: &TestDatabase, files: Files<'_>) -> String {
    let letter = |state: &State| match state {
        State::Applied { .. } => 'a',
        State::Pending => 'p',
        State::Edited => 'e',
        State::Failed { .. } => 'f',
        State::Undoing => 'd',
        State::Unknown => 'u',
    };
    status(database, files).await.entries.iter().map(|entry| letter(&entry.state)).collect()
}

/// One number from the database, over a connection of its own.
pub(crate) async fn number(database: &TestDatabase, sql: &str) -> i64 {
    let sql = AssertSqlSafe(sql);
    match &database.target {
        Target::MySql(options) => {
            let mut connection = options.connect().await.unwrap();
            let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            number
        }
        Target::Sqlite(options) => {
            let mut connection = options.connect().await.unwrap();
            let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            number
        }
    }
}

pub(crate) async fn execute(database: &TestDatabase, sql: &str) {
    let statement = sqlx::raw_sql(AssertSqlSafe(sql));
    match &database.target {
        Target::MySql(options) => {
            let mut connection = options.connect().await.unwrap();
            statement.execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        Target::Sqlite(options) => {
            let mut connection = options.connect().await.unwrap();
            statement.execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

/// How many tables of this name exist.
pub(crate) async fn tables(database: &TestDatabase, name: &str) -> i64 {
    let sql = match &database.target {
        Target::MySql(_) => format!(
            "SELECT COUNT(*) FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name = '{name}'"
        ),
        Target::Sqlite(_) => format!("SELECT COUNT(*) FROM sqlite_schema WHERE name = '{name}'"),
    };
    number(database, &sql).await
}

/// Waits until so many connections run something like this.
pub(crate) async fn until_running(database: &TestDatabase, like: &str, count: i64) {
    let running = format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE \
         '{like}'"
    );
    while number(database, &running).await < count {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) type Seen = BTreeMap<String, Vec<String>>;

/// Everything that can be seen of a database: its objects, its rows, and the journal without times.
pub(crate) async fn seen(options: &MySqlConnectOptions) -> Seen {
    let mut connection = options.connect().await.unwrap();
    let mut seen = BTreeMap::new();
    let tables = sqlx::raw_sql("SHOW TABLES").fetch_all(&mut connection).await.unwrap();
    let tables: Vec<String> = tables.iter().map(|row| row.get(0)).collect();
    for table in tables {
        let show = AssertSqlSafe(format!("SHOW CREATE TABLE `{table}`"));
        let definition = sqlx::raw_sql(show).fetch_one(&mut connection).await.unwrap();
        let columns = match table.as_str() {
            "_migrations" => {
                "CONCAT_WS(' ', version, name, checksum, finished_at IS NULL, undo_started_at)"
            }
            "_migration_steps" => "CONCAT_WS(' ', version, number, state)",
            "_migration_texts" => "CONCAT_WS(' ', version, HEX(text))",
            _ => "CAST(COUNT(*) AS CHAR)",
        };
        let rows = AssertSqlSafe(format!("SELECT {columns} FROM `{table}`"));
        let rows = sqlx::raw_sql(rows).fetch_all(&mut connection).await.unwrap();
        let mut lines = vec![definition.get::<String, _>(1)];
        lines.extend(rows.iter().map(|row| row.get::<String, _>(0)));
        seen.insert(table, lines);
    }
    let triggers = sqlx::raw_sql("SHOW TRIGGERS").fetch_all(&mut connection).await.unwrap();
    seen.insert("triggers".into(), triggers.iter().map(|row| row.get(0)).collect());
    connection.close().await.unwrap();
    seen
}
